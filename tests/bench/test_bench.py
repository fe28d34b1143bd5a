"""The bench itself: what it counts, and that nothing of it stays."""

import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import uuid

import pytest

HERE = pathlib.Path(__file__).resolve().parent
SLOW = float(os.environ.get("CONNECTFS_SLOW") or 1)
TEN = ["--connectors", "10", "--delay", "1"]
COLD = ("ls -l", "cat one", "cat all", "grep -r", "rsync -a, config.json", "rsync -a", "rsync -a, remounted")
WARM = ("ls -l, again", "cat one, again", "cat all, again", "grep -r, again", "rsync -a, again", "stat, again")


class Run:
    """A bench in a process group of its own, as a terminal would start it."""

    def __init__(self, home, build, *options):
        self.mark = f"BENCH_MARK={uuid.uuid4()}"
        name, value = self.mark.split("=")
        self.process = subprocess.Popen(
            [sys.executable, HERE / "bench", *TEN, *options], cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, process_group=0, env={**os.environ, name: value, "HOME": str(home), "BUILD": build})

    def programs(self):
        """The names of those that it has started and that are there."""
        found = []
        for proc in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if self.mark.encode() in (proc / "environ").read_bytes().split(b"\0"):
                    found.append((proc / "comm").read_text().strip())
            except OSError:
                pass  # it has ended
        return found

    def end(self):
        """(status, output, messages), when nothing of it is there."""
        output, messages = self.process.communicate(timeout=100 * SLOW)
        poll(lambda: not self.programs())
        return self.process.returncode, output, messages


def poll(check):
    end = time.monotonic() + 60 * SLOW
    while not check():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture(name="start")
def fixture_start(tmp_path):
    runs = []

    def start(*options, build=os.path.dirname(os.environ["CONNECTFS"])):
        runs.append(Run(tmp_path, build, *options))
        return runs[-1]

    yield start
    for run in runs:
        if run.process.poll() is None:
            run.process.terminate()
            run.process.communicate()
    assert not list(tmp_path.iterdir())
    for name in ("/dev/shm/10-1", "/dev/shm/home"):
        assert not os.path.exists(name)
    assert "/dev/shm/10-1" not in pathlib.Path("/proc/self/mounts").read_text(encoding="utf-8")


def requests(table):
    """{row: requests} of the mount."""
    rows = (re.match(r"(.*?) +10 connectfs +(\d+\.\d+) .* (\d+) +\d+\.\d", line) for line in table.splitlines())
    found = {row[1]: int(row[3]) for row in rows if row}
    assert all(float(row[2]) > 0 for row in rows if row)
    return found


def test_a_table(start):
    status, table, messages = start("--runs", "1").end()
    assert status == 0, messages
    count = requests(table)
    assert set(count) == {*COLD, *WARM, "edit"}
    assert {count[row] for row in COLD} == {3}
    assert count["ls -l, again"] == count["cat one, again"] == 0  # the others show what is believed for seconds only
    assert count["edit"] == 2
    assert re.search(r"^rsync -a, config.json +10 loop of curl .* 11$", table, re.M)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(start, number):
    run = start("--runs", "1000")
    poll(lambda: "connectfs" in run.programs())
    os.killpg(run.process.pid, number)
    status, _, _ = run.end()
    assert status == 128 + number


def test_failure(start):
    status, _, messages = start(build="/nonexistent").end()
    assert status == 1
    assert "/nonexistent/connect-emulator" in messages
