"""Starting, the background, credentials, signals, the end."""

import errno
import json
import os
import signal
import stat

import pytest

import canonical
import harness
from harness import fails, poll, start_fails, takes


# Without a mount


def test_version():
    result = harness.run(harness.CONNECTFS, "--version")
    assert result.output.startswith("connectfs ") and result.output.count("\n") >= 1
    assert harness.run(harness.CONNECTFS, "-V").output == result.output


def test_help():
    result = harness.run(harness.CONNECTFS, "--help")
    for word in ("--url", "--demo", "-o", "ttl=", "max_delete=", "credentials="):
        assert word in result.output
    assert harness.run(harness.CONNECTFS, "-h").output == result.output


def one_line(result, *words):
    """One clear line, with these words."""
    assert result.status == 1, result
    lines = result.errors.strip().splitlines()
    assert len(lines) == 1, result
    for word in words:
        assert word.lower() in lines[0].lower(), result


@pytest.mark.parametrize("foreground", [False, True])
def test_bad_key(emulator, foreground):
    result = start_fails(url=emulator.url, foreground=foreground,
                         env={"CONFLUENT_CLOUD_API_SECRET": "wrong-8812"})
    if not foreground:
        one_line(result)
    assert result.status == 1
    assert "401" in result.errors or "credential" in result.errors.lower() \
        or "key" in result.errors.lower()
    assert "wrong-8812" not in result.errors + result.output
    assert len(emulator.calls()) <= 2


def test_missing_key(emulator):
    result = start_fails(url=emulator.url, env={"CONFLUENT_CLOUD_API_KEY": None})
    one_line(result, "CONFLUENT_CLOUD_API_KEY")
    assert emulator.calls() == []


def test_no_network():
    with takes(at_most=10):
        result = start_fails(url="http://127.0.0.1:1", options={"timeout": 2})
    assert result.status == 1 and "127.0.0.1" in result.errors and "refused" in result.errors


def test_no_such_host():
    result = start_fails(url="https://no-such-host.invalid", options={"timeout": 2})
    assert result.status == 1 and "no-such-host.invalid" in result.errors


def test_bad_mount_point(emulator, tmp_path):
    result = start_fails(url=emulator.url, root=tmp_path / "none")
    one_line(result, str(tmp_path / "none"))
    (tmp_path / "file").write_text("x")
    result = start_fails(url=emulator.url, root=tmp_path / "file")
    assert result.status == 1 and str(tmp_path / "file") in result.errors


def test_busy_mount_point(emulator, mount):
    mounted = mount(emulator)
    result = start_fails(url=emulator.url, root=mounted.root)
    assert str(mounted.root) in result.errors
    assert os.path.ismount(mounted.root)


@pytest.mark.parametrize("option", [
    {"nonsense_option": True}, {"ttl": "soon"}, {"ttl": -1}, {"max_delete": "x"},
    {"max_answer": "64Q"}, {"timeout": ""},
])
def test_bad_options(emulator, option):
    result = start_fails(url=emulator.url, options=option)
    assert list(option)[0] in result.errors
    assert emulator.calls() == []


@pytest.mark.parametrize("url", [
    "http://192.0.2.1", "http://example.invalid:8080", "ftp://127.0.0.1", "127.0.0.1",
    "https://user:pass@127.0.0.1", "https://"])
def test_bad_url(url):
    with takes(at_most=5):
        result = start_fails(url=url, options={"timeout": 1})
    assert result.errors.strip()
    assert "pass@" not in result.errors


def test_bad_credentials_file(emulator, tmp_path):
    path = tmp_path / "credentials"
    path.write_text(json.dumps({"key": harness.KEY, "secret": harness.SECRET}))
    path.chmod(0o644)
    one_line(start_fails(url=emulator.url, options={"credentials": path}), str(path))
    path.chmod(0o600)
    path.write_text("{not json demo-secret")
    result = start_fails(url=emulator.url, options={"credentials": path})
    one_line(result, str(path))
    assert "demo-secret" not in result.errors
    one_line(start_fails(url=emulator.url, options={"credentials": tmp_path / "none"}),
             str(tmp_path / "none"))
    assert emulator.calls() == []


def test_bad_secrets_file(emulator, tmp_path):
    path = tmp_path / "secrets"
    path.write_text("{}")
    path.chmod(0o644)
    assert str(path) in start_fails(url=emulator.url, options={"secrets": path}).errors


def test_bad_credential_command(emulator):
    assert start_fails(url=emulator.url,
                       options={"credential_command": "/bin/false"}).errors.strip()
    assert start_fails(url=emulator.url,
                       options={"credential_command": "/nowhere/at-all"}).errors.strip()


def test_forbidden_does_not_end_the_start(emulator, site, mount, process):
    """Roles may allow less than a listing."""
    emulator.settings(deny=["^/org/v2/environments$"])
    mounted = mount(emulator)
    with fails(errno.EACCES):
        process.listdir(mounted / "environments")


# The background


def test_background(emulator, site, mount, process):
    """Returns when the mount answers; a cold cat is answered at once by threads after the fork."""
    mounted = mount(emulator, background=True)
    with takes(at_most=2):
        result = harness.run("cat", mounted.connector(site, "plain") / "config.json", within=10)
    assert result.output.encode() == site.shown("plain")
    assert os.getsid(mounted.pid) != os.getsid(0)
    assert os.readlink(f"/proc/{mounted.pid}/cwd") == "/"
    for fd in (0, 1, 2):
        assert os.readlink(f"/proc/{mounted.pid}/fd/{fd}") == "/dev/null"


def test_background_when_the_network_is_slow(emulator, site, mount):
    emulator.settings(latency_ms=300)
    mounted = mount(emulator, background=True)
    harness.run("ls", mounted.connectors(site), within=10)


def test_background_saves_and_unmounts(emulator, site, mount, process):
    mounted = mount(emulator, background=True, delete_delay=60)
    path = mounted.connector(site, "plain") / "config.json"
    content = dict(json.loads(process.read(path)), **{"kafka.topic": "from-behind"})
    process.write(path, canonical.config(content))
    process.unlink(mounted.connector(site, "other") / "config.json")
    mounted.stop()
    assert site.config("plain")["kafka.topic"] == "from-behind"
    assert site.get("other") is None


def test_the_source_argument(emulator, site, mount, process):
    """mount(8) calls helpers with a source before the mount point."""
    mounted = mount(emulator, "connectfs")
    assert process.read(mounted.connector(site, "plain") / "config.json")


def test_options_as_mount_passes_them(emulator, mount, process):
    mounted = mount(emulator, rw=True, nosuid=True, nodev=True, noatime=True, fsname="account")
    with open("/proc/self/mountinfo", encoding="utf-8") as table:
        line = next(line for line in table if line.split()[4] == str(mounted.root))
    assert " fuse.connectfs account " in line and "noatime" in line


# The command line and the environment


def test_credentials_from_a_file(emulator, site, mount, process, tmp_path):
    path = tmp_path / "credentials"
    path.write_text(json.dumps({"key": harness.KEY, "secret": harness.SECRET}))
    path.chmod(0o600)
    mounted = mount(emulator, credentials=path, env={
        "CONFLUENT_CLOUD_API_KEY": "ignored", "CONFLUENT_CLOUD_API_SECRET": "ignored"})
    assert process.read(mounted.connector(site, "plain") / "config.json")


def command_for(tmp_path, key, secret):
    """A program that prints what a file says, and counts its runs."""
    (tmp_path / "now").write_text(json.dumps({"key": key, "secret": secret}))
    program = tmp_path / "credential-helper"
    program.write_text(f"#!/bin/sh\necho run >> {tmp_path}/runs\nexec cat \"$1\"\n")
    program.chmod(0o700)
    return f"{program} {tmp_path}/now"


def test_rotated_key(emulator, site, mount, process, tmp_path):
    """A 401, then the command gives another one: the reader notices nothing."""
    mounted = mount(emulator, credential_command=command_for(
        tmp_path, harness.KEY, harness.SECRET))
    path = mounted.connector(site, "plain") / "config.json"
    assert process.read(path)
    assert (tmp_path / "runs").read_text() == "run\n"
    emulator.settings(key="NEWKEY", secret="new-secret")
    (tmp_path / "now").write_text(json.dumps({"key": "NEWKEY", "secret": "new-secret"}))
    process.write(mounted / ".connectfs" / "refresh", b"1")
    emulator.clear()
    assert process.read(path)
    assert [one["status"] for one in emulator.requests()].count(401) == 1
    assert (tmp_path / "runs").read_text() == "run\nrun\n"
    content = dict(json.loads(process.read(path)), **{"kafka.topic": "with-the-new-key"})
    process.write(path, canonical.config(content))
    assert site.config("plain")["kafka.topic"] == "with-the-new-key"
    assert "new-secret" not in mounted.log()


def test_rotated_key_during_a_save(emulator, site, mount, process, tmp_path):
    mounted = mount(emulator, credential_command=command_for(
        tmp_path, harness.KEY, harness.SECRET))
    path = mounted.connector(site, "plain") / "config.json"
    content = dict(json.loads(process.read(path)), **{"kafka.topic": "rotated"})
    emulator.settings(key="NEWKEY", secret="new-secret")
    (tmp_path / "now").write_text(json.dumps({"key": "NEWKEY", "secret": "new-secret"}))
    process.write(path, canonical.config(content))
    assert site.config("plain")["kafka.topic"] == "rotated"


def test_sighup_reads_the_credentials_again(emulator, site, mount, process, tmp_path):
    mounted = mount(emulator, credential_command=command_for(
        tmp_path, harness.KEY, harness.SECRET))
    path = mounted.connector(site, "plain") / "config.json"
    assert process.read(path)
    emulator.settings(key="NEWKEY", secret="new-secret")
    (tmp_path / "now").write_text(json.dumps({"key": "NEWKEY", "secret": "new-secret"}))
    mounted.send_signal(signal.SIGHUP)
    poll(lambda: (tmp_path / "runs").read_text() == "run\nrun\n", 5)
    emulator.clear()
    assert poll(lambda: process.read(path) and emulator.calls(), 5)
    assert 401 not in [one["status"] for one in emulator.requests()]


def test_a_key_that_is_withdrawn(emulator, site, mount, process):
    """EACCES, never absence; the account comes back with the key."""
    mounted = mount(emulator, stale=0)
    emulator.settings(key="OTHER", secret="other-secret")
    with fails(errno.EACCES):
        process.listdir(mounted.connectors(site))
    with fails(errno.EACCES):
        process.stat(mounted.connector(site, "plain") / "config.json")
    emulator.settings(key=harness.KEY, secret=harness.SECRET)
    poll(lambda: process.exists(mounted.connector(site, "plain")), 10)


def test_demo(tmp_path, process):
    """A sample account without credentials; its emulator ends with it."""
    mounted = harness.Mount(None, args=["--demo"], background=True, env={
        "CONFLUENT_CLOUD_API_KEY": None, "CONFLUENT_CLOUD_API_SECRET": None})
    try:
        tree = process.tree(mounted.root)
        configs = [name for name in tree if name.endswith("/config.json") and "environ" in name]
        assert len(configs) >= 10
        states = [tree[name] for name in tree if name.endswith("/state")]
        assert {b"RUNNING\n", b"PAUSED\n", b"FAILED\n"} <= set(states)
        children = emulators_below(mounted.pid)
        assert len(children) == 1
        mounted.stop()
        poll(lambda: not os.path.exists(f"/proc/{children[0]}/cmdline")
             or not open(f"/proc/{children[0]}/cmdline", "rb").read(), 10)
    finally:
        mounted.abort()


def emulators_below(parent):
    """Processes named connect-emulator that the daemon, or a fork of it that is gone, started."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/cmdline", "rb") as file:
                    name = file.read().split(b"\0")[0]
                with open(f"/proc/{entry}/stat", "rb") as file:
                    above = int(file.read().rsplit(b")", 1)[1].split()[1])
            except OSError:
                continue
            if name.endswith(b"connect-emulator") and above in (parent, os.getpid()):
                found.append(int(entry))
    return found


# The end


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("background", [False, True])
def test_signals_unmount(emulator, site, mount, process, number, background):
    mounted = mount(emulator, background=background)
    process.read(mounted.connector(site, "plain") / "config.json")
    mounted.send_signal(number)
    assert mounted.wait(5) == 0
    assert not harness.is_mounted(mounted.root)


def test_sigterm_while_the_api_hangs(emulator, site, mount, process, processes):
    """The end does not wait for readers."""
    mounted = mount(emulator, timeout=30)
    process.stat(mounted.cluster(site))
    emulator.fault(path="/", times=-1, hang=True)
    reader = processes().start("read", mounted.connector(site, "plain") / "config.json")
    emulator.clear()
    harness.hold(lambda: not reader.done(), 0.2)
    mounted.send_signal(signal.SIGTERM)
    with takes(at_most=5):
        assert mounted.wait(10) == 0
    with fails(errno.ENOTCONN, errno.EIO, errno.EINTR, errno.ECONNABORTED, errno.ENODEV,
               errno.ECANCELED, errno.ENOENT):
        reader.result()


def test_unmount_while_busy(work):
    """Refused while somebody has a file open: what is not finished is neither sent nor lost."""
    w = work()
    text = w.changed(kafka_topic="ORDERS")
    fd = w.process.open(w.config, os.O_WRONLY | os.O_TRUNC)
    w.process.write_fd(fd, text[:100])
    result = harness.run("fusermount3", "-u", w.mounted.root, status=1)
    assert "busy" in result.errors
    assert w.api.calls() == []
    w.process.write_fd(fd, text[100:])
    w.process.close(fd)
    assert w.api.calls() == [w.look, w.put]
    assert w.site.config("plain")["kafka.topic"] == "ORDERS"


def test_lazy_unmount_while_busy(work):
    """Out of sight at once; the daemon goes on until the last file is closed, and then ends as
    ever: what is due is sent."""
    w = work(delete_delay=60)
    text = w.changed(kafka_topic="ORDERS")
    w.process.unlink(w.connectors / "other" / "config.json")
    fd = w.process.open(w.config, os.O_WRONLY | os.O_TRUNC)
    w.process.write_fd(fd, text[:100])
    harness.run("fusermount3", "-u", "-z", w.mounted.root)
    assert not harness.is_mounted(w.mounted.root)
    harness.hold(w.mounted.running, 0.5)
    assert w.api.writes() == []
    w.process.write_fd(fd, text[100:])
    w.process.close(fd)
    assert w.mounted.wait() == 0
    assert w.api.writes() == [w.put, w.site.delete("other")]
    assert w.site.config("plain")["kafka.topic"] == "ORDERS"


def test_many_signals(emulator, site, mount, process):
    mounted = mount(emulator)
    for _ in range(5):
        mounted.send_signal(signal.SIGHUP)
    assert process.read(mounted.connector(site, "plain") / "config.json") == site.shown("plain")
    for _ in range(3):
        mounted.send_signal(signal.SIGTERM)
    assert mounted.wait(5) == 0


def test_mode_of_the_state_directory(emulator, site, mount, process):
    mounted = mount(emulator)
    process.tree(mounted.connectors(site))
    mounted.stop()
    status = (mounted.home / "state" / "connectfs").stat()
    assert stat.S_IMODE(status.st_mode) & 0o077 == 0


def test_state_that_cannot_be_written(emulator, site, mount, process):
    mounted = mount(emulator, env={"XDG_STATE_HOME": "/proc/none"})
    assert process.read(mounted.connector(site, "plain") / "config.json") == site.shown("plain")


def test_other_users(emulator, site, mount):
    """Nobody else gets in without allow_other, and with it as the modes permit."""
    if os.geteuid() != 0:
        pytest.skip("needs another user")
    other = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")

    def read(mounted):
        mounted.home.chmod(0o755)
        return harness.run(*other, "cat", mounted.connector(site, "plain") / "config.json",
                           status=None)

    assert read(mount(emulator)).status != 0
    assert read(mount(emulator, allow_other=True)).status != 0
    assert read(mount(emulator, allow_other=True, umask="022")).output.encode() \
        == site.shown("plain")


def test_nothing_leaks(emulator, site, mount, process):
    """Descriptors and threads, after many reads, saves, failures and listings."""
    mounted = mount(emulator, ttl=0, ttl_status=0, timeout=1)
    path = mounted.connector(site, "plain")

    def use():
        text = process.read(path / "config.json")
        process.write(path / "config.json", text)
        process.write(path / "scratch", b"x")
        process.unlink(path / "scratch")
        process.tree(mounted.connectors(site))
        emulator.fault(path="/connectors", status=400)
        try:
            process.read(path / "config.json")
        except OSError:
            pass
        emulator.clear_faults()

    def count():
        return (len(os.listdir(f"/proc/{mounted.pid}/fd")),
                len(os.listdir(f"/proc/{mounted.pid}/task")))

    for _ in range(5):
        use()
    before = count()
    for _ in range(40):
        use()
    poll(lambda: count()[0] <= before[0] + 3 and count()[1] <= before[1] + 3, 5, before)
