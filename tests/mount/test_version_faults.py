"""Versions and plugins of an environment while something fails, and uploads that end halfway."""

import contextlib
import errno
import json
import os
import signal

import pytest

import harness
from harness import fails, poll
from uploads import (CCPM, CUSTOM, LEDGER, LIST_ENVIRONMENT, LIST_VERSIONS, OLD, PRESIGN,
                     PRESIGN_ENVIRONMENT, STATIONS, WEATHER, Place, archive, sha256)

TEXT = json.dumps(STATIONS).encode()
CONTENT = archive()
LARGE = archive(8 << 20)
MADE = f"{CCPM}/{WEATHER}/versions"
ASK, UPLOAD, CREATE = ("POST", PRESIGN_ENVIRONMENT), ("POST", "/"), ("POST", MADE)
AT = {"list": {"method": "GET", "path": f"{MADE}$"},
      "ask": {"method": "POST", "path": PRESIGN_ENVIRONMENT},
      "upload": {"method": "POST", "path": "^/$"}, "create": {"method": "POST", "path": f"{MADE}$"}}


@pytest.fixture
def place(sample_account, mount, process):
    """place(upload_timeout=1): a mount with these options, where 2.0.0 lacks its archive alone."""
    def make(**options):
        p = Place(sample_account, mount(sample_account, **options), process)
        p.directory = p.versions / "2.0.0"
        p.archive, p.json = p.directory / "weather.zip", p.directory / "version.json"
        p.error = p.directory / "version.json.error"
        process.mkdir(p.directory)
        process.write(p.json, TEXT)
        sample_account.clear()
        return p
    return make


def made(p):
    """The versions that were made, as the emulator has them."""
    return [one for one in p.api.control("GET", "plugins")
            if one["spec"].get("version") == "2.0.0"]


def assert_draft(p, *words, content=CONTENT):
    """Nothing was created: both files stay as they were written, with the reason beside them."""
    assert made(p) == []
    assert not any(one["used"] for one in p.uploads())
    assert set(p.process.listdir(p.directory)) \
        == {"version.json", "version.json.error", "weather.zip"}
    assert p.process.read(p.json) == TEXT
    assert p.process.read(p.archive) == content
    reason = p.process.read(p.error).decode()
    for word in words:
        assert word in reason
    assert p.errors()


def assert_created(p, content=CONTENT):
    """Once, of what was written."""
    one, = made(p)
    assert p.process.readlink(p.directory) == one["id"]
    assert p.process.listdir(p.directory) == ["version.json"]
    used, = [upload for upload in p.uploads() if upload["used"]]
    assert used["archive"]["sha256"] == sha256(content)


# Versions


@pytest.mark.parametrize("where, fault, calls", [
    ("ask", {"status": 429}, [LIST_VERSIONS, ASK, ASK, UPLOAD, CREATE]),
    ("upload", {"status": 503}, [LIST_VERSIONS, ASK, UPLOAD, UPLOAD, CREATE]),
    ("upload", {"status": 403}, [LIST_VERSIONS, ASK, UPLOAD, ASK, UPLOAD, CREATE]),
    ("upload", {"status": 400, "body": "<Error><Code>ExpiredToken</Code></Error>"},
     [LIST_VERSIONS, ASK, UPLOAD, ASK, UPLOAD, CREATE]),
    ("create", {"status": 503}, [LIST_VERSIONS, ASK, UPLOAD, CREATE, LIST_VERSIONS, CREATE]),
    ("create", {"drop": True}, [LIST_VERSIONS, ASK, UPLOAD, CREATE, LIST_VERSIONS, CREATE]),
    ("create", {"unanswered": "drop"}, [LIST_VERSIONS, ASK, UPLOAD, CREATE, LIST_VERSIONS]),
])
def test_once(place, where, fault, calls):
    """A create is never repeated before it was looked for; another URL is asked for once."""
    p = place()
    p.api.fault(**AT[where], **fault)
    p.process.write(p.archive, CONTENT)
    assert p.api.calls() == calls
    assert_created(p)


@pytest.mark.parametrize("where, fault, number, word", [
    ("list", {"status": 403}, errno.EACCES, "the API answered 403"),
    ("ask", {"status": 402}, errno.EDQUOT, "the API answered 402"),
    ("ask", {"status": 400, "body": {"errors": [{"detail": "a purple cloud"}]}}, errno.EINVAL,
     "a purple cloud"),
    ("upload", {"status": 403, "body": "<Error><Message>purple bytes</Message></Error>"},
     errno.EACCES, "purple bytes"),
    ("upload", {"status": 413}, errno.EFBIG, "the storage answered 413"),
    ("upload", {"status": 500}, errno.EIO, "the storage answered 500"),
    ("upload", {"drop": True, "bytes": 2000}, errno.EIO, "weather.zip was not uploaded"),
    ("create", {"status": 422, "body": {"errors": [{"detail": "a purple class"}]}}, errno.EINVAL,
     "a purple class"),
    ("create", {"status": 404, "body": {"errors": [{"detail": "no such plugin"}]}}, errno.ENOENT,
     "no such plugin"),
])
def test_refused(place, where, fault, number, word):
    p = place(timeout=2, timeout_write=2)
    p.api.fault(**AT[where], times=-1, **fault)
    with fails(number):
        p.process.write(p.archive, CONTENT)
    assert_draft(p, word)
    asked = p.api.calls().count(ASK)
    assert asked == (0 if where == "list" else 2 if fault.get("status") == 403 else 1)
    uploaded = where == "create"
    p.api.clear_faults()
    p.api.clear()
    p.process.write(p.json, TEXT)
    assert p.api.calls() == [LIST_VERSIONS, *([] if uploaded else [ASK, UPLOAD]), CREATE]
    assert_created(p)


@pytest.mark.parametrize("same", [True, False])
def test_a_description_that_is_written_meanwhile(place, processes, same):
    """The same one is what was created; another one is refused: a version cannot be changed."""
    p = place()
    p.api.fault(**AT["create"], delay_ms=3000)
    call = processes().start("write", p.archive, CONTENT)
    poll(lambda: CREATE in p.api.calls())
    with contextlib.nullcontext() if same else fails(errno.EACCES):
        p.process.write(p.json, TEXT if same else TEXT.replace(b"Station", b"Buoy"))
    call.result()
    assert p.api.writes() == [ASK, UPLOAD, CREATE]
    one, = made(p)
    beside = set() if same else {"version.json.error", "version.json.rejected"}
    assert set(p.process.listdir(p.versions / one["id"])) == {"version.json"} | beside


def test_a_create_that_nobody_answers(place):
    p = place(timeout_write=2)
    p.api.fault(**AT["create"], unanswered="hang")
    with fails(errno.ETIMEDOUT):
        p.process.write(p.archive, CONTENT)
    assert "Nobody knows" in p.process.read(p.error).decode()
    p.api.clear()
    p.process.write(p.json, TEXT)
    assert p.api.calls() == [LIST_VERSIONS]
    assert_created(p)


@pytest.mark.parametrize("name", ["weather.pdf", "weather.tar.gz", "weather.war"])
def test_a_wrong_file(place, name):
    p = place()
    with fails(errno.EINVAL):
        p.process.write(p.directory / name, CONTENT)
    assert f"{name}: a plugin's archive is named" in p.process.read(p.error).decode()
    assert set(p.process.listdir(p.directory)) == {"version.json", "version.json.error"}
    assert p.api.calls() == []
    harness.run("cp", "-f", "/bin/true", p.directory / name, status=1)
    assert p.api.calls() == []
    p.process.write(p.archive, CONTENT)
    assert_created(p)


def test_an_invalid_description(place):
    p = place()
    with fails(errno.EINVAL):
        p.process.write(p.json, b'{"version": "2.0.0"}')
    assert '"version" belongs into "spec"' in p.process.read(p.error).decode()
    p.process.write(p.json, TEXT)
    p.process.write(p.archive, CONTENT)
    assert_created(p)


# Plugins of an environment


@pytest.mark.parametrize("fault, number, word", [
    ({"status": 403}, errno.EACCES, "the API answered 403"),
    ({"status": 400, "body": {"errors": [{"detail": "a purple name"}]}}, errno.EINVAL,
     "a purple name"),
    ({"status": 402}, errno.EDQUOT, "the API answered 402")])
def test_a_plugin_that_is_refused(place, fault, number, word):
    p = place()
    p.process.mkdir(p.local / "Local")
    p.api.fault(method="POST", path=f"{CCPM}$", **fault)
    with fails(number):
        p.process.write(p.local / "Local" / "plugin.json", b"{}")
    assert p.api.writes() == [("POST", CCPM)]
    assert set(p.process.listdir(p.local / "Local")) == {"plugin.json", "plugin.json.error"}
    assert word in p.process.read(p.local / "Local" / "plugin.json.error").decode()
    p.process.write(p.local / "Local" / "plugin.json", b"{}")
    assert p.api.writes() == [("POST", CCPM)] * 2
    assert sorted(p.process.listdir(p.local / "Local")) == ["plugin.json", "versions"]


@pytest.mark.parametrize("fault", [
    {"status": 429}, {"status": 503}, {"drop": True}, {"unanswered": "drop"}, {"garbage": True}])
def test_a_plugin_is_made_once(place, fault):
    p = place()
    p.process.mkdir(p.local / "Local")
    p.api.clear()
    p.api.fault(method="POST", path=f"{CCPM}$", **fault)
    p.process.write(p.local / "Local" / "plugin.json", b"{}")
    carried_out = "garbage" in fault or "unanswered" in fault
    assert p.api.calls() == [LIST_ENVIRONMENT, ("POST", CCPM), LIST_ENVIRONMENT,
                             *([] if carried_out else [("POST", CCPM)])]
    one, = [one for one in p.api.control("GET", "plugins")
            if one["spec"].get("display_name") == "Local"]
    assert p.process.readlink(p.local / "Local") == one["id"]


# Removals


@pytest.mark.parametrize("fault, number, word", [
    ({"status": 401}, errno.EACCES, "made up by a fault"),
    ({"status": 403, "body": {"errors": [{"detail": "a purple lock"}]}}, errno.EACCES,
     "a purple lock"),
    ({"status": 409}, errno.EBUSY, "made up by a fault"),
    ({"status": 500}, errno.EIO, "made up by a fault"),
    ({"hang": True}, errno.ETIMEDOUT, "")])
@pytest.mark.parametrize("kind", ["plugin", "version"])
def test_a_removal_that_is_refused(place, kind, fault, number, word):
    """It is there again, with the reason beside it."""
    p = place(delete_delay=30, timeout_write=2, timeout=2)
    path = p.plugins / LEDGER / "plugin.json" if kind == "plugin" \
        else p.versions / OLD / "version.json"
    text = p.process.read(path)
    p.api.clear()
    p.api.fault(method="DELETE", times=-1, **fault)
    p.process.unlink(path)
    with fails(number):
        p.process.rmdir(path.parent)
    assert sorted(p.process.listdir(path.parent)) == [path.name, path.name + ".error"]
    assert p.process.read(path) == text
    reason = p.process.read(path.with_name(path.name + ".error")).decode()
    assert f"{path.parent.name}: not removed ({os.strerror(number)})" in reason and word in reason
    assert p.truth(path.parent.name)
    p.api.clear_faults()
    harness.run("rm", "-r", path.parent)
    assert p.truth(path.parent.name) is None


# Halfway


def begin(p, processes, content, bytes):
    """Starts an upload that hangs after so many bytes; the writer and its call."""
    p.api.fault(**AT["upload"], times=-1, hang=True, bytes=bytes)
    writer = processes()
    call = writer.start("write", p.archive, content)
    poll(lambda: [one for one in p.uploads() if one["received"] > 0])
    return writer, call


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_interrupted_halfway(place, processes, number):
    """The upload ends at once, nothing is created, and what was written is there to go on with."""
    p = place()
    writer, call = begin(p, processes, LARGE, 1 << 20)
    with harness.takes(at_most=2):
        os.kill(writer.pid, number)
        assert call.done(10 * harness.SLOW)
    poll(lambda: "version.json.error" in p.process.listdir(p.directory))
    assert_draft(p, "interrupted; nothing was created", content=LARGE)
    assert p.api.calls() == [LIST_VERSIONS, ASK, UPLOAD]
    upload, = p.uploads()
    assert upload["archive"] is None and upload["received"] < len(LARGE)
    p.api.clear_faults()
    p.process.write(p.json, TEXT)
    assert_created(p, LARGE)


TAKES_SIGINT = """
import ctypes, os, signal, sys
signal.signal(signal.SIGINT, lambda *_: None)
signal.siginterrupt(signal.SIGINT, True)
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
os.write(fd, open(sys.argv[2], "rb").read())
libc = ctypes.CDLL(None, use_errno=True)
sys.exit(ctypes.get_errno() if libc.close(fd) else 0)
"""


def test_an_interrupted_close_is_eintr(place, processes):
    """For a program that takes the signal and goes on."""
    p = place()
    work = p.mounted.home / "work"
    p.process.write(work / "archive", LARGE)
    p.process.write(work / "script", TAKES_SIGINT.encode())
    p.api.fault(**AT["upload"], times=-1, hang=True, bytes=1 << 20)
    waiter = processes()
    call = waiter.start("spawnv", os.P_WAIT, "/usr/bin/python3",
                        ["python3", work / "script", p.archive, work / "archive"])
    poll(lambda: [one for one in p.uploads() if one["received"] > 0])
    child, = [int(name) for name in os.listdir("/proc") if name.isdigit() and parent(name)
              == waiter.pid]
    os.kill(child, signal.SIGINT)
    assert call.result() == errno.EINTR
    assert_draft(p, "interrupted", content=LARGE)


def parent(pid):
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
        return int(stat.read().rsplit(")", 1)[1].split()[1])
    return None


def test_dropped_halfway(place):
    """Each attempt begins at the first byte, and there are not many of them."""
    p = place(timeout_write=5)
    p.api.fault(**AT["upload"], times=-1, drop=True, bytes=3 << 20)
    with fails(errno.EIO):
        p.process.write(p.archive, LARGE)
    assert p.api.calls() == [LIST_VERSIONS, ASK, UPLOAD, UPLOAD, UPLOAD]
    assert_draft(p, "weather.zip was not uploaded", content=LARGE)
    p.api.clear_faults()
    p.api.clear()
    p.api.fault(**AT["upload"], drop=True, bytes=3 << 20)
    p.process.write(p.json, TEXT)
    assert p.api.calls() == [LIST_VERSIONS, ASK, UPLOAD, UPLOAD, CREATE]
    assert_created(p, LARGE)


def test_expired_halfway(place):
    """The storage says so before it has everything; another URL is asked for, once."""
    p = place()
    p.api.fault(**AT["upload"], times=-1, status=403,
                body="<Error><Message>Invalid according to Policy: Policy expired.</Message>")
    with fails(errno.EACCES):
        p.process.write(p.archive, LARGE)
    assert p.api.calls() == [LIST_VERSIONS, ASK, UPLOAD, ASK, UPLOAD]
    assert_draft(p, "the storage answered 403", "Policy expired", content=LARGE)


@pytest.mark.parametrize("cloud, status, number", [
    ("AZURE", 403, errno.EACCES), ("GCP", 400, errno.EINVAL)])
def test_expired_elsewhere(place, cloud, status, number):
    """The same where a PUT brings it."""
    p = place()
    directory = p.plugins / "Tides"
    text = json.dumps({"connector_class": "com.example.Tides", "connector_type": "SINK",
                       "cloud": cloud}).encode()
    p.process.mkdir(directory)
    p.process.write(directory / "plugin.json", text)
    p.api.settings(upload_expiry_ms=-1)
    with fails(number):
        p.process.write(directory / "tides.zip", CONTENT)
    asked = [call for call in p.api.writes() if call[0] == "POST"]
    assert asked == [("POST", PRESIGN)] * 2 and len(p.api.writes()) == 4
    assert f"the storage answered {status}" \
        in p.process.read(directory / "plugin.json.error").decode()
    p.api.settings(upload_expiry_ms=3600000)
    p.api.clear()
    p.process.write(directory / "plugin.json", text)
    assert [call for call in p.api.writes() if call[0] == "POST"] \
        == [("POST", PRESIGN), ("POST", CUSTOM)]


def test_no_answer_in_time_halfway(place):
    p = place(upload_timeout=2)
    p.api.fault(**AT["upload"], times=-1, hang=True, bytes=1 << 20)
    with harness.takes(at_least=1.9, at_most=6), fails(errno.ETIMEDOUT):
        p.process.write(p.archive, LARGE)
    assert p.api.calls() == [LIST_VERSIONS, ASK, UPLOAD]
    assert_draft(p, "weather.zip was not uploaded: Connection timed out", content=LARGE)
