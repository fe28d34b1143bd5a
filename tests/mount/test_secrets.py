"""A canary in every secret: it is found nowhere."""

import errno
import json
import pathlib
import resource
import signal
import subprocess

import pytest

import canonical
import harness
import samples
from harness import fails, poll

CANARY = b"canary-5e8f13c7"


def spied(emulators, mount, process, *args, **options):
    """A mount whose key and whose connectors' secrets carry the canary, used for everything."""
    canary = CANARY.decode()
    api = emulators(*samples.EMULATOR, "--key", "CANARYSKEY", "--secret", canary + "-api")
    site = harness.Site(api, *samples.first_cluster(api))
    site.create("plain", dict(samples.PLAIN, **{"kafka.api.secret": canary + "-stored"}))
    secrets = pathlib.Path(api.home) / "secrets.json"
    secrets.write_text(json.dumps({"kafka.api.secret": canary + "-of-a-file"}))
    secrets.chmod(0o600)
    mounted = mount(api, *args, secrets=secrets, timeout=2, timeout_write=2, env={
        "CONFLUENT_CLOUD_API_KEY": "CANARYSKEY",
        "CONFLUENT_CLOUD_API_SECRET": canary + "-api"}, **options)
    path = mounted.connector(site, "plain") / "config.json"
    content = json.loads(process.read(path))
    # A save that is taken, one that is refused with everything repeated, one that conflicts.
    content["kafka.api.secret"] = canary + "-saved"
    process.write(path, canonical.config(content))
    api.fault(method="PUT", path="/config$", status=400, body={
        "message": "refused: " + json.dumps(content) + " with key CANARYSKEY " + canary + "-api"})
    content["kafka.topic"] = "refused"
    with fails(errno.EINVAL):
        process.write(path, canonical.config(content))
    api.fault(path="/connectors$", status=400, body={"message": "denied to " + canary + "-api"})
    process.write(mounted / ".connectfs" / "refresh", b"1")
    try:
        process.listdir(mounted.connectors(site))
    except OSError as error:
        assert error.errno == errno.EINVAL
    process.mkdir(mounted.connectors(site) / "new")
    process.write(mounted.connectors(site) / "new" / "config.json", canonical.config(
        dict(samples.PLAIN, **{"kafka.api.secret": "*****"})))
    assert site.config("new")["kafka.api.secret"] == canary + "-of-a-file"
    harness.run("rm", "-r", mounted.connectors(site) / "new")
    return api, site, mounted


def assert_clean(where, content):
    assert CANARY not in content, f"the canary is in {where}"


def search(directory):
    for path in pathlib.Path(directory).rglob("*"):
        if path.is_file() and not path.is_symlink():
            assert_clean(path, path.read_bytes())


def test_log_tree_and_state(emulators, mount, process):
    api, site, mounted = spied(emulators, mount, process, "-d")
    assert mounted.log().count("\n") > 5, "a log of every request"
    assert_clean("the log", mounted.log().encode())
    for name, content in process.tree(mounted / ".connectfs").items():
        assert_clean(name, content or b"")
    rejected = mounted.connector(site, "plain") / "config.json.rejected"
    for name, content in process.tree(mounted.connectors(site)).items():
        if not name.endswith(rejected.name):
            assert_clean(name, content or b"")
    assert CANARY in process.read(rejected), "the user's own text"
    with open(f"/proc/{mounted.pid}/cmdline", "rb") as file:
        assert_clean("the command line", file.read())
    mounted.stop()
    for name in ("state", "cache", "run"):
        search(mounted.home / name)
    assert_clean("the log", mounted.log().encode())


def test_no_core_dump(emulators, mount, process):
    """Of a crash: none is written, or one without secrets."""
    limit = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (limit[1], limit[1]))
    try:
        api, site, mounted = spied(emulators, mount, process)
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, limit)
    assert mounted.crash(signal.SIGABRT) == -signal.SIGABRT
    found = [path for path in mounted.home.rglob("core*") if path.is_file()]
    for path in found:
        assert_clean(path, path.read_bytes())


def test_a_core_dump_would_be_seen(tmp_path):
    """That the test above can fail: a program that takes no care leaves one where it ran."""
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    with open("/proc/sys/kernel/core_pattern", encoding="ascii") as file:
        pattern = file.read()
    if pattern.startswith(("|", "/")) or hard == 0:
        pytest.skip("this host writes no core files where a program runs")
    child = subprocess.Popen(["sleep", "60"], cwd=tmp_path, preexec_fn=lambda: resource.setrlimit(
        resource.RLIMIT_CORE, (hard, hard)))
    child.send_signal(signal.SIGABRT)
    child.wait(10)
    assert list(tmp_path.glob("core*"))


def test_credentials_are_not_inherited(emulators, mount, process, tmp_path):
    """A credential command sees no other secrets, and the daemon's descriptors are its own."""
    api = emulators(*samples.EMULATOR)
    program = tmp_path / "helper"
    program.write_text(f"#!/bin/sh\nls -l /proc/self/fd >> {tmp_path}/fds\n"
                       f"echo >> {tmp_path}/runs\n"
                       f"echo '{json.dumps({'key': harness.KEY, 'secret': harness.SECRET})}'\n")
    program.chmod(0o700)
    mounted = mount(api, credential_command=program)
    mounted.send_signal(signal.SIGHUP)  # run again, now with connections and /dev/fuse open
    poll(lambda: (tmp_path / "runs").read_text() == "\n\n", 5)
    listed = (tmp_path / "fds").read_text()
    assert "socket" not in listed and "/dev/fuse" not in listed


def test_nothing_before_the_check_of_the_host(emulators):
    """Plain http to another host is refused before anything is sent."""
    result = harness.start_fails(url="http://192.0.2.7", options={"timeout": 1}, env={
        "CONFLUENT_CLOUD_API_SECRET": CANARY.decode()})
    assert_clean("the error", (result.errors + result.output).encode())
    assert "plain http" in result.errors
