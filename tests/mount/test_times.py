"""Times and inode numbers that backups trust: over remounts, crashes and damaged files."""

import ctypes
import errno
import json
import os
import shutil
import signal
import stat
import subprocess
import time

import pytest

import harness
import samples
from harness import elapse, fails, hold, poll
from state_files import SAVED, state_file, state_files, wait_until_saved

DAMAGED = {
    "garbage": lambda text: os.urandom(777),
    "cut off": lambda text: text[:-5],
    "one bit": lambda text: text[:100] + bytes([text[100] ^ 1]) + text[101:],
    "empty": lambda text: b"",
}


def seen(process, mounted, path="environments"):
    """{name: (inode, mtime)} of everything below, after a look at it."""
    root = mounted / path
    return {name: (status.st_ino, status.st_mtime_ns) for name, status in (
        (name, process.lstat(root / name)) for name in process.tree(root))}


def assert_only_plain_differs(before, after):
    """One configuration has another time; every inode is what it was."""
    changed = {name for name in before if before[name] != after[name]}
    assert {tuple(name.rsplit("/", 2)[1:]) for name in changed} <= {("plain", "config.json")}
    assert before.keys() == after.keys()
    assert all(before[name][0] == after[name][0] for name in before)


@pytest.fixture
def small_disk():
    """A filesystem of 64 KiB. Before `mount` among a test's arguments: it ends after that."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount")
    home = harness.scratch_directory()
    assert harness.LIBC.mount(b"none", os.fsencode(home), b"tmpfs", ctypes.c_ulong(0),
                              b"size=64k") == 0
    yield home
    harness.LIBC.umount2(os.fsencode(home), 2)
    home.rmdir()


# What they are


def test_every_file(emulator, site, mount, process):
    """Inodes and times differ from file to file; ctime is mtime."""
    mounted = mount(emulator)
    inodes, times = set(), set()
    for name in process.tree(mounted / "environments"):
        path = mounted / "environments" / name
        status = process.lstat(path)
        assert status.st_ctime_ns == status.st_mtime_ns, name
        assert status.st_ino not in inodes, name
        inodes.add(status.st_ino)
        if path.name in ("environment.json", "cluster.json"):
            continue  # the API has a time for them
        if stat.S_ISREG(status.st_mode):
            assert status.st_mtime_ns not in times, name
            times.add(status.st_mtime_ns)
    assert len(times) > 20


def test_older_than_who_looks_first(emulator, site, mount, process):
    """What the first answer brings was there before: `tar -g` would copy it a second time."""
    before = time.time_ns()
    mounted = mount(emulator)
    started = time.time_ns()
    elapse(0.05)
    for name, (_, mtime) in seen(process, mounted).items():
        if name.endswith(("/config.json", "/connector.json", "/status.json", "/plugin.json")):
            assert before - 10**7 <= mtime <= started, name


def test_new_ones_are_new(emulator, site, mount, process):
    """A connector that somebody creates later is newer than what was seen before."""
    mounted = mount(emulator, ttl=0.2)
    latest = max(mtime for _, mtime in seen(process, mounted).values())
    now = time.time_ns()
    assert latest < now
    site.create("later", samples.PLAIN)
    path = mounted.connector(site, "later") / "config.json"
    poll(lambda: process.exists(path), 5)
    assert process.stat(path).st_mtime_ns > now


@pytest.mark.parametrize("by", ["another client", "the mount"])
def test_the_same_length(work, by):
    """One value of the same length: another time, the same inode and size."""
    w = work()
    before = w.process.stat(w.config)
    if by == "another client":
        w.theirs(kafka_topic="ORDERS")
        w.refresh()
    else:
        w.process.write(w.config, w.changed(kafka_topic="ORDERS"))
    after = w.process.stat(w.config)
    assert b'"ORDERS"' in w.process.read(w.config)
    assert after.st_size == before.st_size and after.st_ino == before.st_ino
    assert after.st_mtime_ns > before.st_mtime_ns and after.st_ctime_ns == after.st_mtime_ns


def test_a_stated_time_that_stays(emulator, site, mount, process):
    """Content that changes while metadata.updated_at does not has another time all the same."""
    mounted = mount(emulator, ttl_topology=0)
    path = mounted / "environments" / site.env / "environment.json"
    before, text = process.stat(path), process.read(path)
    answer = json.loads(emulator.api("/org/v2/environments?page_size=100"))
    answer["data"][0]["display_name"] = answer["data"][0]["display_name"][::-1]
    emulator.fault(method="GET", path="/org/v2/environments$", times=-1,
                   body_only=json.dumps(answer))
    poll(lambda: process.read(path) != text, 5)
    after = process.stat(path)
    assert after.st_size == before.st_size and after.st_mtime_ns > before.st_mtime_ns
    hold(lambda: process.stat(path).st_mtime_ns == after.st_mtime_ns, 0.3)
    emulator.clear_faults()
    poll(lambda: process.read(path) == text, 5)
    assert process.stat(path).st_mtime_ns not in (after.st_mtime_ns,)


# Over the end of a mount


def test_after_a_remount(emulator, site, mount, process):
    first = mount(emulator)
    before = seen(process, first)
    first.stop()
    second = mount(emulator, home=first.home)
    assert seen(process, second) == before


def test_after_a_crash(emulator, site, mount, process):
    """What was seen some seconds before."""
    first = mount(emulator)
    before = seen(process, first)
    wait_until_saved(process, first)
    first.crash()
    second = mount(emulator, home=first.home)
    assert seen(process, second) == before


def test_what_changed_meanwhile(emulator, site, mount, process):
    """While nothing was mounted: its time moves, nothing else's."""
    first = mount(emulator)
    before = seen(process, first)
    first.stop()
    site.patch("plain", merge={"kafka.topic": "ORDERS"})
    second = mount(emulator, home=first.home)
    after = seen(process, second)
    assert_only_plain_differs(before, after)
    [name] = [name for name in before if before[name] != after[name]]
    assert after[name][1] > before[name][1]


def test_a_save_is_remembered(work, mount):
    """The time of the last write, or the one set after it."""
    w = work()
    w.process.write(w.config, w.changed(kafka_topic="ORDERS"))
    w.process.utime(w.config, ns=(10**18, 10**18 + 7))
    w.process.write(w.directory / "temp", w.changed(kafka_topic="ORDERZ"))
    w.process.utime(w.directory / "temp", ns=(10**18, 10**18 + 9))
    w.process.rename(w.directory / "temp", w.config)
    before = w.process.stat(w.config)
    assert before.st_mtime_ns == 10**18 + 9
    w.mounted.stop()
    again = mount(w.api, home=w.mounted.home)
    after = w.process.stat(again.connector(w.site, "plain") / "config.json")
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.slow
def test_killed_again_and_again(emulator, site, mount, process):
    """Before, during or after a save: the file is whole, and what was not touched has its time."""
    mounted = mount(emulator, ttl=0.1)
    home = mounted.home / "state"
    before = seen(process, mounted)
    wait_until_saved(process, mounted)
    for number in range(8):
        site.patch("plain", merge={"kafka.topic": f"ORDER{number}"})
        poll(lambda: f"ORDER{number}".encode() in process.read(
            mounted.connector(site, "plain") / "config.json"), 5)
        elapse(number * 0.7 % 5.2)
        mounted.crash()
        mounted = mount(emulator, home=mounted.home, ttl=0.1)
        assert_only_plain_differs(before, seen(process, mounted))
        assert "damaged" not in mounted.log()
    assert state_files(home) <= {"", ".lock", ".new"}


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
@pytest.mark.parametrize("call, of", [
    ("openat", ""), ("unlink", ".new"), ("openat", ".new"), ("write", ".new"), ("fsync", ".new"),
    ("close", ".new"), ("rename", ".new"), ("flock", ".lock")])
def test_killed_in_the_save(emulator, site, mount, process, call, of):
    """At each of its system calls, at the moment of its entry; and the next mount saves again."""
    mounted = mount(emulator, ttl=0.1)
    home = mounted.home / "state"
    before = seen(process, mounted)
    wait_until_saved(process, mounted)
    path = state_file(home)
    tracer = subprocess.Popen(
        ["strace", "-f", "-p", str(mounted.pid), "-P", f"{path}{of}", "-e", f"trace={call}",
         "-e", f"inject={call}:signal=KILL", "-o", "/dev/null"], stderr=subprocess.PIPE,
        env=harness.environment(), preexec_fn=harness.die_with_parent)
    try:
        assert b"attached" in tracer.stderr.readline()
        site.patch("plain", merge={"kafka.topic": "ORDERS"})
        poll(lambda: b"ORDERS" in process.read(mounted.connector(site, "plain") / "config.json"), 5)
        poll(lambda: not mounted.running(), SAVED, "its death in the save")
    finally:
        tracer.kill()
        tracer.communicate()
    assert mounted.crash() == -signal.SIGKILL
    again = mount(emulator, home=mounted.home, ttl=0.1)
    after = seen(process, again)
    assert_only_plain_differs(before, after)
    again.stop()
    assert "damaged" not in again.log() and "cannot be kept" not in again.log()
    assert state_files(home) <= {"", ".lock"}
    last = mount(emulator, home=mounted.home)
    assert seen(process, last) == after


# A state file that cannot be used


@pytest.mark.parametrize("how", DAMAGED)
def test_damaged(emulator, site, mount, process, how):
    """Set aside with one line; only times are lost, and the next mount has them again."""
    first = mount(emulator)
    before = seen(process, first)
    first.stop()
    path = state_file(first.home / "state")
    text = DAMAGED[how](path.read_bytes())
    path.write_bytes(text)
    second = mount(emulator, home=first.home)
    assert process.read(second.connector(site, "plain") / "config.json") == site.shown("plain")
    lines = [line for line in second.log().splitlines() if str(path) in line]
    assert len(lines) == 1 and f"{path} is damaged and now {path}.damaged" in lines[0]
    assert path.with_name(path.name + ".damaged").read_bytes() == text
    after = seen(process, second)
    assert after != before and {name: ino for name, (ino, _) in after.items()} \
        == {name: ino for name, (ino, _) in before.items()}
    second.stop()
    third = mount(emulator, home=first.home)
    assert seen(process, third) == after
    third.stop()
    assert third.log().count("damaged and now") == 1
    assert state_files(third.home / "state") == {"", ".lock", ".damaged"}


def test_a_state_file_that_is_none(emulator, site, mount, process):
    """A directory in its place is not removed."""
    first = mount(emulator)
    process.tree(first.connectors(site))
    first.stop()
    path = state_file(first.home / "state")
    path.unlink()
    path.mkdir()
    (path / "precious").write_text("kept")
    second = mount(emulator, home=first.home)
    assert process.read(second.connector(site, "plain") / "config.json") == site.shown("plain")
    second.stop()
    assert [one.read_text() for one in path.parent.rglob("precious")] == ["kept"]


@pytest.mark.slow
def test_a_full_disk(small_disk, mount, emulator, site, process):
    """The file stays as it was; one line; what is new is kept once there is room."""
    mounted = mount(emulator, ttl=0.1, env={"XDG_STATE_HOME": small_disk})
    seen(process, mounted)
    wait_until_saved(process, mounted, small_disk)
    path, text = state_file(small_disk), state_file(small_disk).read_bytes()
    with open(small_disk / "filler", "wb", buffering=0) as file:
        with fails(errno.ENOSPC):
            while True:
                file.write(bytes(100))
    site.patch("plain", merge={"kafka.topic": "ORDERS"})
    config = mounted.connector(site, "plain") / "config.json"
    poll(lambda: b"ORDERS" in process.read(config), 5)
    poll(lambda: "the times of files cannot be kept: No space left" in mounted.log(), SAVED)
    hold(lambda: path.read_bytes() == text, 6)
    assert mounted.log().count("cannot be kept") == 1
    assert state_files(small_disk) == {"", ".lock"}
    (small_disk / "filler").unlink()
    poll(lambda: path.read_bytes() != text, SAVED)
    before = seen(process, mounted)
    mounted.crash()
    again = mount(emulator, env={"XDG_STATE_HOME": small_disk})
    assert seen(process, again) == before


# Several mounts of one account


@pytest.mark.slow
def test_two_mounts(emulators, mount, process):
    """What one has written by the time another starts is known there; at the end both are kept."""
    api = emulators("--environments", 2, "--clusters", 1, "--connectors", 3, "--provisioning", 0)
    one, other = (f"environments/{env}" for env, _ in samples.clusters_of(api))
    first = mount(api)
    home = first.home / "state"
    of_one = seen(process, first, one)
    wait_until_saved(process, first)
    second = mount(api, env={"XDG_STATE_HOME": home})
    assert seen(process, second, one) == of_one
    of_other = seen(process, second, other)
    wait_until_saved(process, second, home)
    # The first one, which knows nothing of that, has something to write as well.
    site = harness.Site(api, one.split("/")[1], samples.first_cluster(api)[1])
    site.patch("connector-000001", merge={"kafka.topic": "changed"})
    process.write(first / ".connectfs" / "refresh", b"1")
    changed = seen(process, first, one)
    assert changed != of_one
    first.stop()
    second.crash()
    third = mount(api, env={"XDG_STATE_HOME": home})
    assert seen(process, third, one) == changed
    assert seen(process, third, other) == of_other
