"""Two hundred callers that wait for a cluster whose API hangs, and everybody else."""

import errno
import os
import pathlib
import signal
import subprocess

import pytest

import canonical
import harness
import samples
from harness import fails, poll, takes

CALLERS = 200
FEW = 5
THREADS = 24  # the daemon's, however many wait
FILES = 64  # its descriptors


class Cluster:
    def __init__(self, api, mounted, env, cluster):
        self.site = harness.Site(api, env, cluster)
        self.path = mounted.connectors(self.site)
        self.names = [f"connector-{number:06}" for number in range(CALLERS)]

    def files(self, name):
        return [self.path / connector / name for connector in self.names]


class Trial:
    """Three clusters: what the first one has is cached, the second one hangs, the third one was
    never read."""

    def __init__(self, api, mounted, process):
        self.api, self.mounted, self.process = api, mounted, process
        (env, ids), = samples.clusters_of(api)
        self.cached, self.hanging, self.other = (Cluster(api, mounted, env, one) for one in ids)
        self.texts = [process.read(path) for path in self.cached.files("config.json")[:50]]
        self.callers = []
        process.listdir(self.hanging.path.parent)
        process.listdir(self.other.path.parent)

    def hang(self, path=""):
        self.api.fault(path=f"/clusters/{self.hanging.site.cluster}/{path}", times=-1, hang=True)
        self.api.clear()

    def start(self, *commands):
        for command in commands:
            self.callers.append(subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                env=harness.environment(LC_ALL="C"), cwd="/"))
        poll(lambda: self.api.faults()[0]["hits"], 30, "a request that hangs")

    def status(self, what):
        text = pathlib.Path(f"/proc/{self.mounted.pid}/status").read_text()
        return next(line.split()[1] for line in text.splitlines() if line.startswith(what + ":"))

    def assert_others_go_on(self, changes=0):
        """In this order: they are served while everybody else still waits."""
        assert self.texts == [self.process.read(path)
                              for path in self.cached.files("config.json")[:50]]
        name = self.other.names[0]
        text = self.process.read(self.other.path / name / "config.json")
        assert text == self.other.site.shown(name)
        assert self.process.read(self.other.path / name / "tasks.json")
        assert all(one.poll() is None for one in self.callers)
        assert int(self.status("Threads")) <= THREADS + changes
        assert len(os.listdir(f"/proc/{self.mounted.pid}/fd")) <= FILES + changes

    def end(self):
        """[(exit status, what it said)] of all."""
        ends = []
        for one in self.callers:
            try:
                said = one.communicate(timeout=30 * harness.SLOW)[1].decode()
            except subprocess.TimeoutExpired:
                self.abort()
                raise
            ends.append((one.returncode, said))
        self.callers = []
        return ends

    def abort(self):
        for one in self.callers:
            one.kill()
        self.mounted.kill_daemon()
        for one in self.callers:
            one.wait()
            one.stderr.close()
        self.callers = []


@pytest.fixture
def trial(emulators, mount, process):
    made = []

    def make(**options):
        api = emulators("--environments", 1, "--clusters", 3, "--connectors", CALLERS)
        made.append(Trial(api, mount(api, **options), process))
        return made[-1]

    yield make
    for one in made:
        if one.callers:
            one.abort()


# What they wait for: one answer, or one each.


def one_file(trial):
    trial.hang("connectors")
    return [["cat", trial.hanging.files("config.json")[0]]] * CALLERS


def different_files(trial):
    trial.hang("connectors")
    return [["cat", path] for path in trial.hanging.files("config.json")]


def listings(trial):
    trial.hang("connectors")
    return [["ls", "-l", trial.hanging.path]] * CALLERS


def different_requests(trial):
    trial.process.listdir(trial.hanging.path)
    trial.hang("connectors/.*/tasks")
    return [["cat", path] for path in trial.hanging.files("tasks.json")]


def different_kinds(trial):
    trial.process.listdir(trial.hanging.path)
    trial.hang()
    plugins = trial.hanging.path.parent / "connector-plugins"
    return [[["cat", trial.hanging.path / name / "tasks.json"],
             ["stat", trial.hanging.path / name / "offsets.json"],
             ["ls", plugins],
             ["stat", plugins / name]][number % 4]
            for number, name in enumerate(trial.hanging.names)]


WAYS = [one_file, different_files, listings, different_requests, different_kinds]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_the_others_go_on(trial, way, number):
    t = trial()
    t.start(*way(t))
    t.assert_others_go_on()
    for one in t.callers:
        one.send_signal(number)
    with takes(at_most=5):
        assert t.end() == [(-number, "")] * CALLERS
    t.api.clear_faults()
    with takes(at_most=5):
        assert t.process.listdir(t.hanging.path) == t.hanging.names
        assert t.process.read(t.hanging.files("tasks.json")[0])


@pytest.mark.parametrize("way", [different_files, listings, different_requests],
                         ids=lambda way: way.__name__)
def test_each_gives_up_at_its_deadline(trial, way):
    t = trial(timeout=int(3 * harness.SLOW))
    t.start(*way(t))
    with takes(at_most=5):  # less than two of it
        ends = t.end()
    assert [status for status, _ in ends] == [2 if way is listings else 1] * CALLERS
    assert all(os.strerror(errno.ETIMEDOUT) in said for _, said in ends), ends[0]


@pytest.mark.parametrize("known", [False, True])
def test_who_waits_for_one_name_gives_up_at_one_deadline(trial, known):
    """All but the first one wait in the kernel until that has its answer, and ask then."""
    t = trial(timeout=int(3 * harness.SLOW), ttl=0, ttl_status=0, stale=0)
    path = t.hanging.files("config.json")[0]
    t.process.listdir(t.hanging.path)
    if known:
        t.process.read(path)
    t.hang("connectors")
    t.start(*[["cat", path]] * FEW)
    with takes(at_most=5):
        ends = t.end()
    assert ends == [(1, f"cat: {path}: {os.strerror(errno.ETIMEDOUT)}\n")] * FEW
    assert len(t.api.calls()) == 1


def test_names_that_were_known_give_up_at_one_deadline(trial):
    """The kernel drops each, and looks once more."""
    t = trial(timeout=int(3 * harness.SLOW), ttl=0, ttl_status=0, stale=0)
    paths = t.hanging.files("config.json")[:20]
    for path in paths:
        t.process.read(path)
    t.hang("connectors")
    t.start(*[["cat", path] for path in paths])
    with takes(at_most=5):
        ends = t.end()
    assert ends == [(1, f"cat: {path}: {os.strerror(errno.ETIMEDOUT)}\n") for path in paths]


def test_who_comes_later_asks_again(trial):
    """Who asks anew, or was started later, asks the API; and who was there already and asks only
    now has what they got."""
    t = trial(timeout=int(harness.SLOW + 1))
    path = t.hanging.path.parent / "metrics.prom"  # the kernel looks for it each time
    t.process.listdir(t.hanging.path)
    t.api.fault(path="/export$", times=-1, hang=True)
    t.api.clear()
    with subprocess.Popen(["sh", "-c", 'read -r line && exec cat "$0"', path],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as present:
        for _ in range(2):
            with fails(errno.ETIMEDOUT):
                t.process.read(path)
        assert len(t.api.calls()) == 2
        t.api.clear_faults()
        text = harness.run("cat", path).output
        assert len(t.api.calls()) == 3 and text
        assert present.communicate(b"\n", 30 * harness.SLOW)[0].decode() == text
        assert len(t.api.calls()) == 3


def test_a_refresh_forgets_who_waited(trial):
    t = trial(timeout=int(harness.SLOW + 1))
    path = t.hanging.path.parent / "metrics.prom"
    t.process.listdir(t.hanging.path)
    t.api.fault(path="/export$", times=-1, hang=True)
    said = harness.run("cat", path, status=1, LC_ALL="C").errors
    assert said == f"cat: {path}: {os.strerror(errno.ETIMEDOUT)}\n"
    t.api.clear_faults()
    t.process.write(t.mounted / ".connectfs" / "refresh", b"1\n")
    assert t.process.read(path)


def test_the_end_in_the_middle(trial):
    t = trial()
    t.start(*different_requests(t))
    t.mounted.send_signal(signal.SIGTERM)
    with takes(at_most=5):
        assert t.mounted.wait(10) == 0
        ends = t.end()
    assert all(status == 1 and said for status, said in ends)


def test_statfs_waits_for_nobody(trial):
    t = trial()
    t.start(*one_file(t))
    harness.run("stat", "-f", t.mounted.root, within=5)
    harness.run("stat", "-f", t.hanging.path.parent, within=5)
    t.assert_others_go_on()
    for one in t.callers:
        one.kill()
    t.end()


def test_saves_that_hang(trial):
    """Each waits for its own answer; others are saved and read meanwhile."""
    t = trial()
    t.process.listdir(t.hanging.path)
    paths = t.hanging.files("config.json")
    texts = [canonical.config(dict(canonical.parse(t.process.read(path).decode()), new="x"))
             for path in paths]
    t.hang("connectors/.*/config")
    for path, text in zip(paths, texts):
        t.process.begin("write", path, text)
    poll(lambda: t.api.faults()[0]["hits"], 10, "the first one")
    saved = dict(canonical.parse(t.texts[0].decode()), new="y")
    with takes(at_most=5):
        t.process.write(t.cached.files("config.json")[0], canonical.config(saved))
    t.texts[0] = t.cached.site.shown(t.cached.names[0])
    t.assert_others_go_on(CALLERS)  # a change has a thread and a lock of its own
    t.api.clear_faults()
    for _ in paths:
        t.process.finish()
    puts = [call for call in t.api.writes() if t.hanging.site.cluster in call[1]]
    assert sorted(puts) == sorted(t.hanging.site.put(name) for name in t.hanging.names)
