"""state: pause and resume."""

import errno
import os

import pytest

import canonical
import harness
import samples
from harness import fails, hold, poll


@pytest.mark.parametrize("word", ["pause\n", "PAUSE", " Pause \n"])
def test_pause(work, word):
    w = work()
    w.process.write(w.state, word.encode())
    assert w.api.writes() == [("PUT", w.site.of("plain", "/pause"))]
    assert w.site.get("plain")["state"] == "PAUSED"
    assert w.process.read(w.state) == b"PAUSED\n"
    assert w.process.stat(w.state).st_size == len("PAUSED\n")


def test_resume(work):
    w = work()
    w.process.write(w.state, b"pause\n")
    w.api.clear()
    w.process.write(w.state, b"resume\n")
    assert w.api.writes() == [("PUT", w.site.of("plain", "/resume"))]
    assert w.site.get("plain")["state"] == "RUNNING"
    assert w.process.read(w.state) == b"RUNNING\n"


def test_with_echo(work):
    w = work()
    harness.run(f"echo pause > {w.state}", shell=True)
    assert w.api.writes() == [("PUT", w.site.of("plain", "/pause"))]


@pytest.mark.parametrize("shell", ["bash", "sh"])
def test_echo_hears_of_a_wrong_word(work, shell):
    w = work()
    result = harness.run(shell, "-c", f"echo puase > {w.state}", status=None)
    assert result.status != 0 and "error" in result.errors, result
    assert w.api.writes() == []
    assert [line.split(" ", 1)[1] for line in w.errors()] == [
        "plain: state takes pause or resume"]


def test_echo_hears_of_a_refusal(work):
    w = work()
    w.api.fault(method="PUT", path="/pause$", status=403)
    result = harness.run(f"echo pause > {w.state}", shell=True, status=1)
    assert "Permission denied" in result.errors
    assert w.api.writes() == [("PUT", w.site.of("plain", "/pause"))]
    assert w.site.get("plain")["state"] == "RUNNING"


def test_a_line_is_obeyed_once(work):
    """By the write that brings it; fsync and close have nothing left to send."""
    w = work()
    fd = w.process.open(w.state, os.O_WRONLY | os.O_TRUNC)
    assert w.process.write_some(fd, b"pause\n") == len("pause\n")
    assert w.api.writes() == [("PUT", w.site.of("plain", "/pause"))]
    w.process.fsync(fd)
    w.process.close(fd)
    assert w.api.writes() == [("PUT", w.site.of("plain", "/pause"))]
    assert w.process.read(w.state) == b"PAUSED\n"


def test_what_is_truncated_after_it_was_written(work):
    """As busybox vi saves: until then something of the longer word is left."""
    w = work()
    fd = w.process.open(w.state, os.O_WRONLY)
    w.process.write_some(fd, b"pause\n")
    w.process.ftruncate(fd, len("pause\n"))
    assert w.api.writes() == []
    w.process.close(fd)
    assert w.api.writes() == [("PUT", w.site.of("plain", "/pause"))]


@pytest.mark.parametrize("word", ["RUNNING\n", "PAUSED\n", "FAILED\n", "PROVISIONING\n"])
def test_words_that_it_shows(work, word):
    """Accepted, without effect: a restore never resumes what was paused since."""
    w = work()
    w.process.write(w.state, b"pause\n")
    w.api.clear()
    w.process.write(w.state, word.encode())
    assert w.api.writes() == []
    assert w.process.read(w.state) == b"PAUSED\n"
    assert w.site.get("plain")["state"] == "PAUSED"


@pytest.mark.parametrize("word", ["restart\n", "pause resume\n", "x" * 5000, "\0", "1"],
                         ids=["restart", "two words", "long", "NUL", "number"])
def test_other_words(work, word):
    w = work()
    with fails(errno.EINVAL):
        w.process.write(w.state, word.encode())
    assert w.api.writes() == []
    poll(lambda: w.process.read(w.state) == b"RUNNING\n", 5)


def test_truncation(work):
    w = work()
    w.process.write(w.state, b"")
    assert w.api.writes() == []
    poll(lambda: w.process.read(w.state) == b"RUNNING\n", 5)


def test_while_provisioning(emulators, mount, process):
    """The API refuses until it runs; the mount repeats."""
    api = emulators("--environments", 1, "--clusters", 1, "--connectors", 1,
                    "--provisioning", 1500)
    site = samples.site(api)
    mounted = mount(api)
    directory = mounted.connectors(site) / "new"
    process.mkdir(directory)
    process.write(directory / "config.json", canonical.config(samples.PLAIN))
    process.write(directory / "state", b"pause\n")
    writes = [call for call in api.writes() if call[0] == "PUT"]
    assert len(writes) >= 2 and set(writes) == {("PUT", site.of("new", "/pause"))}
    assert site.get("new")["state"] == "PAUSED"
    poll(lambda: process.exists(directory / "state"), 5)
    assert process.read(directory / "state") == b"PAUSED\n"


def test_provisioning_is_shown(emulators, mount, process):
    """UNKNOWN while there is no status at all, as the restored files of a backup may be put."""
    api = emulators("--environments", 1, "--clusters", 1, "--connectors", 1,
                    "--provisioning", 3500)
    site = samples.site(api)
    mounted = mount(api, ttl_status=0.2)
    directory = mounted.connectors(site) / "new"
    process.mkdir(directory)
    process.write(directory / "config.json", canonical.config(samples.PLAIN))
    seen = []

    def running():
        if process.exists(directory / "state"):
            word = process.read(directory / "state").decode().strip()
            if word not in seen:
                seen.append(word)
        return "RUNNING" in seen
    poll(running, 15)
    assert seen in (["UNKNOWN", "PROVISIONING", "RUNNING"], ["PROVISIONING", "RUNNING"])


def test_provisioning_for_too_long(emulators, mount, process):
    api = emulators("--environments", 1, "--clusters", 1, "--connectors", 1,
                    "--provisioning", 60000)
    site = samples.site(api)
    mounted = mount(api, timeout_write=1)
    directory = mounted.connectors(site) / "new"
    process.mkdir(directory)
    process.write(directory / "config.json", canonical.config(samples.PLAIN))
    with harness.takes(at_most=3):
        with fails(errno.EBUSY, errno.ETIMEDOUT):
            process.write(directory / "state", b"pause\n")


@pytest.mark.parametrize("status, number", [(403, errno.EACCES), (400, errno.EINVAL),
                                            (404, errno.ENOENT)])
def test_refusals(work, status, number):
    w = work(timeout_write=2)
    w.api.fault(method="PUT", path="/pause$", times=-1, status=status,
                body={"error_code": status, "message": "not today"})
    with fails(number):
        w.process.write(w.state, b"pause\n")
    assert w.api.writes() == [("PUT", w.site.of("plain", "/pause"))]
    assert any("not today" in line for line in w.errors())
    poll(lambda: w.process.read(w.state) == b"RUNNING\n", 10)


def test_pause_meets_a_busy_server(work):
    w = work()
    w.api.fault(method="PUT", path="/pause$", times=2, status=503)
    w.process.write(w.state, b"pause\n")
    assert w.api.writes() == [("PUT", w.site.of("plain", "/pause"))] * 3


def test_answers_that_lag(emulators, mount, process):
    """The first status read after a pause is the old one: it is never shown."""
    api = emulators(*samples.EMULATOR)
    site = harness.Site(api, *samples.first_cluster(api))
    mounted = mount(api, ttl=0, ttl_status=0)
    state = mounted.connector(site, "connector-000001") / "state"
    assert process.read(state) == b"RUNNING\n"
    api.settings(settle_ms=700)
    process.write(state, b"pause\n")
    hold(lambda: process.read(state) == b"PAUSED\n", 1.1)
    process.write(state, b"resume\n")
    hold(lambda: process.read(state) == b"RUNNING\n", 1.1)
    assert b"RUNNING" in process.read(mounted.connector(site, "connector-000001") / "status.json")


def test_paused_elsewhere(work):
    w = work(ttl_status=0.2)
    assert w.process.read(w.state) == b"RUNNING\n"
    w.site.patch("plain", state="PAUSED")
    poll(lambda: w.process.read(w.state) == b"PAUSED\n", 5)
    assert b'"PAUSED"' in w.process.read(w.directory / "status.json")


def test_a_failure_shows_its_trace(work):
    w = work(ttl_status=0.2)
    w.site.patch("plain", state="FAILED", trace="org.Broken: line 1\n\tat line 2")
    poll(lambda: w.process.read(w.state) == b"FAILED\n", 5)
    assert b"org.Broken: line 1\\n\\tat line 2" in w.process.read(w.directory / "status.json")
