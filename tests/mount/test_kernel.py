"""What the kernel keeps: how many requests of the kernel a walk costs, and what changes drop.

A request of the kernel is one read of the daemon's, which does little else with that call.
"""

import json
import pathlib

import pytest

import harness
import samples
from harness import elapse, poll

COUNT = 40
FILES = 4  # of a connector
NOISE = 10


class Cached:
    def __init__(self, api, mounted, process):
        self.api, self.mounted, self.process = api, mounted, process
        self.site = harness.Site(api, *samples.first_cluster(api))
        self.path = mounted.connectors(self.site)

    def file(self, number, name="config.json"):
        return self.path / f"connector-{number:06}" / name

    def asked(self, what, *args):
        """How many requests the kernel has for what a process does."""
        before = self.reads()
        if what == "walk":
            harness.run("ls", "-lR", self.path)
        elif what == "cat":
            harness.run(f"cat {self.path}/*/*", shell=True)
        else:
            getattr(self.process, what)(*args)
        return self.reads() - before

    def reads(self):
        text = pathlib.Path(f"/proc/{self.mounted.pid}/io").read_text()
        return next(int(line.split()[1]) for line in text.splitlines()
                    if line.startswith("syscr:"))

    def warm(self):
        """Until nothing more is to be kept."""
        for _ in range(3):
            self.asked("walk")
            self.asked("cat")


@pytest.fixture
def cached(emulators, mount, process):
    def make(**options):
        api = emulators("--environments", 1, "--clusters", 1, "--connectors", COUNT)
        made = Cached(api, mount(api, **options), process)
        try:
            made.reads()
        except PermissionError:
            pytest.skip("the daemon's counters are not for this user")
        return made

    return make


def test_a_warm_walk(cached):
    """Names, attributes and contents are the kernel's; a file is opened and released."""
    c = cached(ttl=60, ttl_status=60)
    c.warm()
    c.api.clear()
    assert c.asked("walk") <= NOISE
    assert c.asked("stat", c.file(1)) <= NOISE / 2
    assert 2 * FILES * COUNT <= c.asked("cat") <= 2 * FILES * COUNT + NOISE
    assert c.api.calls() == []


def test_no_name_is_looked_for_twice(cached):
    """That something is not there is kept, too."""
    c = cached(ttl=60, ttl_status=60, ttl_negative=60)
    names = [c.path / f"nothing-{number}" for number in range(30)]
    for name in names:
        assert not c.process.exists(name)
    before = c.reads()
    for name in names:
        assert not c.process.exists(name)
    assert c.reads() - before <= NOISE


def test_an_expired_walk_keeps_the_contents(cached):
    """After its time each name is looked up once more, and what has not changed is not read."""
    ttl = int(2 * harness.SLOW)  # longer than the walk takes
    c = cached(ttl=ttl, ttl_status=ttl)
    c.warm()
    elapse(ttl + 0.1)
    expected = COUNT + 3 * FILES * COUNT  # a look at each name, and open and release
    assert c.asked("cat") <= expected + NOISE


def test_one_change_drops_one_file(cached):
    """After a refresh; the others keep their pages."""
    c = cached(ttl=600, ttl_status=600)
    c.warm()
    before = c.process.tree(c.path)
    config = json.loads(c.process.read(c.file(3)))
    key = next(key for key, value in config.items()
               if key not in ("name", "connector.class") and value != value[::-1])
    c.site.patch("connector-000003", merge={key: config[key][::-1]})
    c.process.write(c.mounted / ".connectfs" / "refresh", b"1\n")
    expected = COUNT + 3 * FILES * COUNT
    assert c.asked("cat") <= expected + 2 * NOISE
    after = c.process.tree(c.path)
    assert after["connector-000003/config.json"] == c.site.shown("connector-000003")
    assert before.keys() == after.keys()
    assert [one for one in before if before[one] != after[one]] == ["connector-000003/config.json"]


def test_a_file_that_grew_while_it_is_open(cached):
    """Who has it open keeps its text; who opens it has all of the new one."""
    c = cached(ttl=0.3)
    old = c.process.read(c.file(5))
    fd = c.process.open(c.file(5), 0)
    c.site.patch("connector-000005", merge={"a.setting": "x" * 9000})
    poll(lambda: c.process.stat(c.file(5)).st_size > len(old) + 9000, 10)
    assert c.process.read(c.file(5)) == c.site.shown("connector-000005")
    assert c.process.read_fd(fd) == old
    c.process.close(fd)


def test_listings_that_change(cached):
    """One comes and one goes elsewhere: the kernel's names are those of the API, within the TTL."""
    c = cached(ttl=1)
    c.warm()
    c.site.create("newcomer", samples.PLAIN)
    c.site.patch("connector-000007", delete=True)
    elapse(1.1)
    names = c.process.listdir(c.path)
    poll(lambda: "connector-000007" not in c.process.listdir(c.path), 10)
    assert "newcomer" in names and len(c.process.listdir(c.path)) == COUNT
    assert c.process.exists(c.path / "newcomer" / "config.json")
    assert not c.process.exists(c.path / "connector-000007")
