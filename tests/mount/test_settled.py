"""No file changes behind an editor: when a save returns, all that can be seen of it is final."""

import json
import os

import pytest

from harness import elapse, poll

TTL = 0.2
LATENCY_MS = 300


def written(w):
    """Settings that come back differently: a secret that will be masked, without those that the API
    adds, in another order."""
    content = json.loads(w.text)
    added = [name for name in content if name.startswith(("cloud.", "kafka.endpoint", "kafka.region"))]
    assert added
    for name in added:
        del content[name]
    content.update({"kafka.topic": "settled", "kafka.api.secret": "a-new-one-4711"})
    return dict(reversed(content.items()))


FORMS = {
    "shorter": lambda content: json.dumps(content, separators=(",", ":")).encode(),
    "longer": lambda content: json.dumps(content, indent=20).encode() + b"\n" * 5000,
}


class Settled:
    """Looks at config.json each time a call has returned, and again when its answers have expired."""

    def __init__(self, w, text):
        self.w, self.process, self.text = w, w.process, text
        self.config = w.config
        self.temporary = w.directory / ".temporary"
        self.looks = []

    def look(self, fd=None):
        statuses = [self.process.stat(self.config)]
        if fd is not None:
            statuses.append(self.process.fstat(fd))
        content, *more = self.process.read_and_stat(self.config)
        for status in [*statuses, *more]:
            assert status.st_size == len(content)
            self.looks.append((status.st_ino, status.st_mode, status.st_size, status.st_mtime_ns,
                               status.st_ctime_ns, status.st_nlink, content))

    def check(self):
        """Nothing has moved since the first look, and it is what the server has."""
        self.w.api.settings(latency_ms=0)
        self.look()
        elapse(3 * TTL)
        self.look()
        self.w.refresh()
        self.look()
        assert {look[-1] for look in self.looks} == {self.w.shown()}
        assert b"a-new-one" not in self.w.shown() and b"cloud." in self.w.shown()
        assert len(set(self.looks)) == 1
        assert self.w.api.writes() == [self.w.put]
        assert self.w.site.config("plain")["kafka.api.secret"] == "a-new-one-4711"

    def temporary_file(self):
        fd = self.process.open(self.temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        self.process.write_fd(fd, self.text)
        return fd


def in_place(s):
    s.process.write(s.config, s.text)
    s.look()


def over_and_cut(s):
    fd = s.process.open(s.config, os.O_RDWR)
    s.process.pwrite(fd, s.text, 0)
    s.process.ftruncate(fd, len(s.text))
    s.process.close(fd)
    s.look()


def synced(s):
    fd = s.process.open(s.config, os.O_WRONLY | os.O_TRUNC)
    s.process.write_fd(fd, s.text)
    s.process.fsync(fd)
    s.look(fd)
    s.process.close(fd)
    s.look()


def synced_and_timed(s):
    """Times and mode that are set on the descriptor after its text was sent."""
    fd = s.process.open(s.config, os.O_WRONLY | os.O_TRUNC)
    s.process.write_fd(fd, s.text)
    s.process.fsync(fd)
    s.process.fchmod(fd, 0o640)
    s.process.set_times(fd, 10 ** 18 + 11)
    s.look(fd)
    s.process.close(fd)
    s.look()


def timed(s):
    fd = s.process.open(s.config, os.O_WRONLY | os.O_TRUNC)
    s.process.write_fd(fd, s.text)
    s.process.fchmod(fd, 0o640)
    s.process.set_times(fd, 10 ** 18 + 13)
    s.process.close(fd)
    s.look()
    assert s.looks[0][3] == 10 ** 18 + 13 and s.looks[0][1] & 0o777 == 0o640


def renamed(s):
    s.process.close(s.temporary_file())
    s.process.rename(s.temporary, s.config)
    s.look()


def renamed_while_open(s):
    fd = s.temporary_file()
    s.process.fsync(fd)
    s.process.rename(s.temporary, s.config)
    s.look(fd)
    s.process.close(fd)
    s.look()


def restored(s):
    """rsync: what it set on its temporary file is what the file has."""
    s.process.close(s.temporary_file())
    s.process.set_times(s.temporary, 10 ** 18 + 17)
    s.process.chmod(s.temporary, 0o644)
    s.process.rename(s.temporary, s.config)
    s.look()
    assert s.looks[0][3] == 10 ** 18 + 17 and s.looks[0][1] & 0o777 == 0o644


def linked(s):
    s.process.close(s.temporary_file())
    s.process.rename(s.config, s.w.directory / "config.json~")
    s.process.link(s.temporary, s.config)
    s.look()
    assert s.process.read(s.temporary) == s.text
    assert s.process.stat(s.temporary).st_size == len(s.text)
    s.process.unlink(s.temporary)
    s.look()


def unlinked_and_created(s):
    s.process.unlink(s.config)
    s.process.create(s.config, s.text, 0o600)
    s.look()


def renamed_away_and_created(s):
    s.process.rename(s.config, s.w.directory / "config.json~")
    fd = s.process.open(s.config, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    s.process.write_fd(fd, s.text)
    s.process.fsync(fd)
    s.look(fd)
    s.process.close(fd)
    s.look()


def mapped(s):
    fd = s.process.open(s.config, os.O_RDWR)
    s.process.ftruncate(fd, len(s.text))
    s.process.map_file("m", fd, len(s.text))
    s.process.map_write("m", s.text, 0)
    s.process.unmap("m")
    s.process.close(fd)
    s.look()


def two_descriptors(s):
    first = s.process.open(s.config, os.O_WRONLY | os.O_TRUNC)
    second = s.process.open(s.config, os.O_RDWR)
    s.process.write_fd(first, s.text)
    s.process.close(first)
    s.look(second)
    s.process.close(second)
    s.look()


def from_another_process(s):
    other = s.process
    s.process = s.other
    s.process.write(s.config, s.text)
    s.look()
    s.process = other


QUICK = synced, renamed_while_open, restored, linked
WAYS = (*QUICK, in_place, over_and_cut, synced_and_timed, timed, renamed, unlinked_and_created,
        renamed_away_and_created, mapped, two_descriptors, from_another_process)


def check(work, processes, how, form):
    w = work(ttl=TTL)
    w.api.settings(latency_ms=LATENCY_MS)
    s = Settled(w, FORMS[form](written(w)))
    s.other = processes()
    how(s)
    s.check()


@pytest.mark.parametrize("how", QUICK, ids=lambda how: how.__name__)
def test_settled(work, processes, how):
    check(work, processes, how, "longer")


@pytest.mark.slow
@pytest.mark.parametrize("form", list(FORMS))
@pytest.mark.parametrize("how", WAYS, ids=lambda how: how.__name__)
def test_every_way_is_settled(work, processes, how, form):
    check(work, processes, how, form)


def test_mapping_that_is_written_back_after_the_close(work):
    """One save of the whole, whenever it arrives."""
    w = work(ttl=TTL)
    text = FORMS["shorter"](written(w)).ljust(len(w.text))
    s = Settled(w, text)
    fd = w.process.open(w.config, os.O_RDWR)
    w.process.map_file("m", fd, len(text))
    w.process.close(fd)
    w.process.map_write("m", text, 0)
    assert w.api.writes() == []
    w.process.unmap("m")
    poll(lambda: w.process.read(w.config) == w.shown() != w.text, 5)
    s.check()
