"""Creating custom plugins while something fails: what arrived, what stays, what is told."""

import contextlib
import ctypes
import errno
import json
import os
import signal

import pytest

import harness
from harness import fails, poll
from uploads import (CCPM, CUSTOM, LIST, LIST_ENVIRONMENT, PRESIGN, TIDES, Place, archive, sha256,
                     text)
from work import changes

ASK, UPLOAD, CREATE = ("POST", PRESIGN), ("POST", "/"), ("POST", CUSTOM)
CONTENT = archive()
AT = {"list": {"method": "GET", "path": f"{CUSTOM}$"}, "ask": {"method": "POST", "path": PRESIGN},
      "upload": {"method": "POST", "path": "^/$"},
      "create": {"method": "POST", "path": f"{CUSTOM}$"}}


@pytest.fixture
def place(sample_account, mount, process):
    """place(upload_timeout=1): a mount with these options, where Tides lacks its archive alone."""
    def make(**options):
        p = Place(sample_account, mount(sample_account, **options), process)
        p.directory = p.plugins / "Tides"
        p.archive, p.json = p.directory / "tides.zip", p.directory / "plugin.json"
        process.mkdir(p.directory)
        process.write(p.json, text())
        sample_account.clear()
        return p
    return make


def tides(p):
    """The plugins that were made, as the emulator has them."""
    return [one for one in p.api.control("GET", "plugins")
            if one["spec"].get("display_name") == "Tides"]


def assert_draft(p, *words):
    """Nothing was created: both files stay as they were written, with the reason beside them."""
    assert tides(p) == []
    assert set(p.process.listdir(p.directory)) == {"plugin.json", "plugin.json.error", "tides.zip"}
    assert p.process.read(p.json) == text()
    assert p.process.read(p.archive) == CONTENT
    reason = p.process.read(p.directory / "plugin.json.error").decode()
    for word in words:
        assert word in reason
    assert p.errors()


def assert_created(p, content=CONTENT):
    """Once, of what was written."""
    one, = tides(p)
    assert p.process.readlink(p.directory) == one["id"]
    assert p.process.listdir(p.directory) == ["plugin.json"]
    assert p.process.read(p.json) == p.shown(f"{CUSTOM}/{one['id']}")
    used = [upload for upload in p.uploads() if upload["used"]][-1]
    assert used["archive"]["sha256"] == sha256(content)


# What passes


@pytest.mark.parametrize("where, fault, calls", [
    ("ask", {"status": 429}, [LIST, ASK, ASK, UPLOAD, CREATE]),
    ("ask", {"status": 503}, [LIST, ASK, ASK, UPLOAD, CREATE]),
    ("ask", {"drop": True}, [LIST, ASK, ASK, UPLOAD, CREATE]),
    ("ask", {"unanswered": "drop"}, [LIST, ASK, ASK, UPLOAD, CREATE]),
    ("upload", {"status": 503}, [LIST, ASK, UPLOAD, UPLOAD, CREATE]),
    ("upload", {"status": 500}, [LIST, ASK, UPLOAD, UPLOAD, CREATE]),
    ("upload", {"drop": True}, [LIST, ASK, UPLOAD, UPLOAD, CREATE]),
    ("upload", {"unanswered": "drop"}, [LIST, ASK, UPLOAD, UPLOAD, CREATE]),
    ("create", {"status": 429}, [LIST, ASK, UPLOAD, CREATE, LIST, CREATE]),
    ("create", {"status": 503}, [LIST, ASK, UPLOAD, CREATE, LIST, CREATE]),
    ("create", {"drop": True}, [LIST, ASK, UPLOAD, CREATE, LIST, CREATE]),
    ("create", {"unanswered": "drop"}, [LIST, ASK, UPLOAD, CREATE, LIST]),
    ("create", {"garbage": True}, [LIST, ASK, UPLOAD, CREATE, LIST]),
    ("create", {"truncate": 30}, [LIST, ASK, UPLOAD, CREATE, LIST]),
])
def test_once(place, where, fault, calls):
    """A create is never repeated before it was looked for."""
    p = place()
    p.api.fault(**AT[where], **fault)
    p.process.write(p.archive, CONTENT)
    assert p.api.calls() == calls
    assert_created(p)


def test_another_one_of_that_name(place):
    """What was there before is not what was created."""
    p = place()
    p.api.control("PATCH", "plugins/ccp-4r7k2p", {"set": {"display_name": "Tides"}})
    p.api.fault(**AT["create"], unanswered="drop")
    p.process.write(p.archive, CONTENT)
    assert p.api.calls() == [LIST, ASK, UPLOAD, CREATE, LIST]
    made, = [one for one in tides(p) if one["id"] != "ccp-4r7k2p"]
    assert p.process.readlink(p.directory) == made["id"]


# What does not


@pytest.mark.parametrize("where, fault, number, word", [
    ("list", {"status": 403}, errno.EACCES, "the API answered 403"),
    ("list", {"garbage": True}, errno.EBADMSG, "the list was asked for"),
    ("list", {"status": 200, "body": {"metadata": {}}}, errno.EBADMSG, "the list was asked for"),
    ("ask", {"status": 403}, errno.EACCES, "the API answered 403"),
    ("ask", {"status": 400, "body": {"errors": [{"detail": "a purple cloud"}]}}, errno.EINVAL,
     "a purple cloud"),
    ("ask", {"garbage": True}, errno.EBADMSG, "A place for the archive was asked for"),
    ("ask", {"body_only": "{}"}, errno.EBADMSG, "A place for the archive was asked for"),
    ("upload", {"status": 400, "body": "<Error><Message>purple bytes</Message></Error>"},
     errno.EINVAL, "purple bytes"),
    ("upload", {"status": 500}, errno.EIO, "the storage answered 500"),
    ("upload", {"status": 302, "headers": {"Location": "http://127.0.0.1:1/"}}, errno.EPROTO,
     "tides.zip was not uploaded"),
    ("upload", {"drop": True, "bytes": 0}, errno.EIO, "tides.zip was not uploaded"),
    ("create", {"status": 400, "body": {"errors": [{"detail": "a purple class"}]}}, errno.EINVAL,
     "a purple class"),
    ("create", {"status": 403}, errno.EACCES, "the API answered 403"),
])
def test_refused(place, where, fault, number, word):
    """Both files stay; the next attempt takes the upload that there is."""
    p = place(timeout=2, timeout_write=2)
    p.api.fault(**AT[where], times=-1, **fault)
    with fails(number):
        p.process.write(p.archive, CONTENT)
    assert_draft(p, word)
    assert all(call in (LIST, ASK, UPLOAD, CREATE) for call in p.api.calls())
    uploaded = len(p.uploads()) if where == "create" else 0
    p.api.clear_faults()
    p.api.clear()
    p.process.write(p.json, text())
    assert p.api.calls() == ([LIST, CREATE] if uploaded else [LIST, ASK, UPLOAD, CREATE])
    assert_created(p)


@pytest.mark.parametrize("where", ["ask", "upload", "list"])
def test_no_answer_in_time(place, where):
    p = place(timeout=2, timeout_write=2, upload_timeout=2)
    p.api.fault(**AT[where], times=-1, hang=True)
    with harness.takes(at_least=1.9, at_most=6), fails(errno.ETIMEDOUT):
        p.process.write(p.archive, CONTENT)
    assert_draft(p)


def test_a_create_that_nobody_answers(place):
    """Whether there is one shows later: the next attempt finds it, and creates no second one."""
    p = place(timeout_write=2)
    p.api.fault(**AT["create"], unanswered="hang")
    with fails(errno.ETIMEDOUT):
        p.process.write(p.archive, CONTENT)
    assert changes(p).splitlines()[:2] == [
        "create Tides: undecided (Connection timed out)", f"  POST {CUSTOM}"]
    assert len(tides(p)) == 1
    assert b"Nobody knows" in p.process.read(p.directory / "plugin.json.error")
    p.api.clear()
    p.process.write(p.json, text())
    assert p.api.calls() == [LIST]
    assert_created(p)


@pytest.mark.parametrize("fault", [
    {"status": 503}, {"status": 504, "body": "<html>"}, {"drop": True}, {"garbage": True}])
def test_a_create_that_cannot_be_looked_for(place, fault):
    """It is not repeated before somebody can tell."""
    p = place()
    p.api.fault(**AT["create"], **fault)
    p.api.fault(**AT["list"], skip=1, times=-1, status=403)
    with fails(errno.EIO if "garbage" not in fault else errno.EBADMSG):
        p.process.write(p.archive, CONTENT)
    assert p.api.calls() == [LIST, ASK, UPLOAD, CREATE, LIST]
    reason = p.process.read(p.directory / "plugin.json.error").decode()
    assert "To see whether it was created, the list was asked for" in reason
    assert "Nobody knows whether it was created" in reason
    p.api.clear_faults()
    p.api.clear()
    p.process.write(p.json, text())
    assert p.api.calls() == ([LIST] if "garbage" in fault else [LIST, CREATE])
    assert_created(p)


def test_an_error_of_the_api_is_an_answer(place):
    """Not one that passes."""
    p = place()
    p.api.fault(**AT["create"], times=-1, status=500, body={"message": "purple plugins break us"})
    with fails(errno.EIO):
        p.process.write(p.archive, CONTENT)
    assert p.api.calls() == [LIST, ASK, UPLOAD, CREATE]
    assert_draft(p, "It was not created", "purple plugins break us")


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_gateway_that_answers_for_it(place, status):
    """It may have been carried out: the next attempt finds it, and creates no second one."""
    p = place(timeout_write=2)
    answer = json.loads(p.api.api(CUSTOM))
    theirs = {**answer["data"][0], **TIDES, "id": "ccp-late00", "display_name": "Tides",
              "cloud": "AWS"}
    p.api.fault(**AT["create"], times=-1, status=status, body="<html>busy</html>")
    with fails(errno.EIO):
        p.process.write(p.archive, CONTENT)
    assert "Nobody knows" in p.process.read(p.directory / "plugin.json.error").decode()
    p.api.clear()
    p.api.fault(**AT["list"], times=-1, status=200,
                body={**answer, "data": [*answer["data"], theirs]})
    p.process.write(p.json, text())
    assert p.api.calls() == [LIST]
    assert p.process.readlink(p.directory) == "ccp-late00"


def test_another_description_after_a_create_that_nobody_answered(place):
    """It is not taken for what was created of the first one."""
    p = place(timeout_write=2)
    p.api.fault(**AT["create"], unanswered="hang")
    with fails(errno.ETIMEDOUT):
        p.process.write(p.archive, CONTENT)
    one, = tides(p)
    other = text(description="another")
    for _ in range(2):
        with fails(errno.EEXIST):
            p.process.write(p.json, other)
        assert one["id"] in p.process.read(p.directory / "plugin.json.error").decode()
        assert p.process.read(p.json) == other
    assert p.api.writes() == [ASK, UPLOAD, CREATE]
    p.api.control("PATCH", f"plugins/{one['id']}", {"delete": True})
    p.process.write(p.archive, CONTENT)
    assert p.api.writes()[3:] == [ASK, UPLOAD, CREATE]
    assert tides(p)[0]["spec"]["description"] == "another"


def test_a_save_of_what_an_unanswered_create_has_made(place):
    """What was refused there is still there when the create is found to have made it."""
    p = place(timeout_write=2)
    p.api.fault(**AT["create"], unanswered="hang")
    with fails(errno.ETIMEDOUT):
        p.process.write(p.archive, CONTENT)
    one, = tides(p)
    p.refresh()
    own = p.plugins / one["id"]
    p.api.fault(method="PATCH", status=400)
    refused = text(description="refused")
    with fails(errno.EINVAL):
        p.process.write(own / "plugin.json", refused)
    assert p.process.read(own / "plugin.json.rejected") == refused
    p.process.write(p.json, text())
    assert p.process.readlink(p.directory) == one["id"]
    assert p.process.read(own / "plugin.json.rejected") == refused


def test_another_archive_after_a_create_that_nobody_answered(place):
    """What was created is not made of it: it stays until somebody has decided."""
    p = place(timeout_write=2)
    p.api.fault(**AT["create"], unanswered="hang")
    with fails(errno.ETIMEDOUT):
        p.process.write(p.archive, CONTENT)
    one, = tides(p)
    other = archive(seed=2)
    with fails(errno.EEXIST):
        p.process.write(p.archive, other)
    assert one["id"] in p.process.read(p.directory / "plugin.json.error").decode()
    assert p.process.read(p.archive) == other
    assert p.api.writes() == [ASK, UPLOAD, CREATE]
    p.refresh()
    harness.run("rm", "-r", p.plugins / one["id"])
    p.process.write(p.json, text())
    assert p.api.writes() == [
        ASK, UPLOAD, CREATE, ("DELETE", f"{CUSTOM}/{one['id']}"), ASK, UPLOAD, CREATE]
    assert_created(p, other)


def test_the_upload_tells_which_one_it_is(place):
    """Where the API tells of it, another client's of the same name is not what was created."""
    p = place()
    answer = json.loads(p.api.api(CUSTOM))
    theirs = {**answer["data"][0], "id": "ccp-theirs", "display_name": "Tides",
              "upload_source": {"location": "PRESIGNED_URL_LOCATION", "upload_id": "theirs"}}
    p.api.fault(**AT["create"], drop=True)
    p.api.fault(**AT["list"], skip=1, status=200, body={**answer, "data": [theirs]})
    p.process.write(p.archive, CONTENT)
    assert p.api.calls() == [LIST, ASK, UPLOAD, CREATE, LIST, CREATE]
    assert_created(p)


def test_the_upload_of_a_second_attempt(place):
    """What one of several unanswered requests has created may be made of any of their uploads."""
    p = place()
    answer = json.loads(p.api.api(CUSTOM))
    source = [{"location": "PRESIGNED_URL_LOCATION", "upload_id": name}
              for name in ("first", "second")]
    ours = {**answer["data"][0], **TIDES, "id": "ccp-second", "display_name": "Tides",
            "cloud": "AWS", "upload_source": source[1]}
    p.api.fault(**AT["create"], times=2, drop=True)
    p.api.fault(**AT["list"], skip=1, status=403)
    with fails(errno.EIO):
        p.process.write(p.json, text(upload_source=source[0]))
    p.api.fault(**AT["list"], skip=1, status=200, body={**answer, "data": [ours]})
    p.api.clear()
    p.process.write(p.json, text(upload_source=source[1]))
    assert p.api.calls() == [LIST, CREATE, LIST]
    assert p.process.readlink(p.directory) == "ccp-second"


def test_a_list_without_an_end(place):
    """Says nothing about what is not in it: nothing is created that may be there."""
    p = place()
    answer = json.loads(p.api.api(CUSTOM))
    for query, token in (("page_size=100$", 1), ("page_token=1$", 2), ("page_token=2$", 1)):
        link = {**answer["metadata"], "next": f"{CUSTOM}?page_token={token}"}
        p.api.fault(**AT["list"], query=query, times=-1, status=200,
                    body={**answer, "metadata": link})
    with fails(errno.EBADMSG):
        p.process.write(p.archive, CONTENT)
    assert p.api.calls() == [LIST] + [
        ("GET", f"{CUSTOM}?page_size=100&page_token={1 + number % 2}") for number in range(499)]
    assert_draft(p, "to its end")


def test_a_plugin_without_an_archive(place):
    """The same for a plugin of an environment."""
    p = place(timeout_write=2)
    p.process.mkdir(p.local / "Local")
    p.api.fault(method="POST", path=f"{CCPM}$", unanswered="hang")
    with fails(errno.ETIMEDOUT):
        p.process.write(p.local / "Local" / "plugin.json", b"{}")
    p.api.clear()
    p.process.write(p.local / "Local" / "plugin.json", b"{}")
    assert p.api.calls() == [LIST_ENVIRONMENT]
    assert len([one for one in p.api.control("GET", "plugins")
                if one["spec"].get("display_name") == "Local"]) == 1


def test_a_version_that_is_there(place):
    """EEXIST; the directory stays with what is in it."""
    p = place()
    directory = p.versions / "1.1.0"
    p.process.mkdir(directory)
    p.process.write(directory / "weather.zip", CONTENT)
    with fails(errno.EEXIST):
        p.process.write(directory / "version.json", json.dumps({"spec": {"connector_classes": [
            {"class_name": "com.example.connect.weather.StationSource", "type": "SOURCE"}]}})
            .encode())
    assert sorted(p.process.listdir(directory)) \
        == ["version.json", "version.json.error", "weather.zip"]
    assert p.process.read(directory / "weather.zip") == CONTENT
    p.process.write(directory / "version.json", json.dumps({"spec": {
        "version": "1.2.0", "connector_classes": [
            {"class_name": "com.example.connect.weather.StationSource", "type": "SOURCE"}]}})
        .encode())
    assert len(p.uploads()) == 1
    assert json.loads(p.process.read(directory / "version.json"))["spec"]["version"] == "1.2.0"


# Who writes


def test_a_killed_writer(place, processes):
    """Half an archive is refused, and nobody is left to hear it."""
    p = place()
    writer = processes()
    fd = writer.open(p.archive, os.O_WRONLY | os.O_CREAT)
    writer.write_fd(fd, CONTENT[:3000])
    os.kill(writer.pid, signal.SIGKILL)
    poll(lambda: "plugin.json.error" in p.process.listdir(p.directory))
    assert p.api.writes() == []
    assert p.process.read(p.archive) == CONTENT[:3000]
    p.process.write(p.archive, CONTENT)
    assert_created(p)


def test_a_writer_that_is_killed_while_it_waits(place, processes):
    p = place()
    p.api.fault(**AT["upload"], times=-1, hang=True)
    writer = processes()
    writer.start("write", p.archive, CONTENT)
    poll(lambda: UPLOAD in p.api.calls())
    os.kill(writer.pid, signal.SIGKILL)
    poll(lambda: "plugin.json.error" in p.process.listdir(p.directory))
    assert_draft(p, "interrupted")


def test_a_create_that_was_sent_goes_on(place, processes):
    p = place()
    p.api.fault(**AT["create"], delay_ms=3000)
    writer = processes()
    call = writer.start("write", p.archive, CONTENT)
    poll(lambda: CREATE in p.api.calls())
    os.kill(writer.pid, signal.SIGINT)
    with pytest.raises((OSError, KeyboardInterrupt)):
        call.result(10)
    poll(lambda: len(p.process.listdir(p.plugins)) == 4, 10)
    assert_created(p)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_end_gives_an_upload_up(place, processes, number):
    """Nobody waits for it then."""
    p = place()
    p.api.fault(**AT["upload"], times=-1, hang=True)
    writer = processes()
    call = writer.start("write", p.archive, CONTENT)
    poll(lambda: UPLOAD in p.api.calls())
    with harness.takes(at_most=5):
        p.mounted.send_signal(number)
        p.mounted.wait()
    with fails(errno.ENOTCONN, errno.EINTR, errno.ECONNABORTED):
        call.result()
    assert tides(p) == []


def test_a_description_that_is_corrected_meanwhile(place, processes):
    """It waits for the create, and becomes a change of what was created."""
    p = place()
    p.api.fault(**AT["upload"], delay_ms=3000)
    writer = processes()
    call = writer.start("write", p.archive, CONTENT)
    poll(lambda: UPLOAD in p.api.calls())
    p.process.write(p.json, text(description="corrected"))
    call.result()
    one, = tides(p)
    own = f"{CUSTOM}/{one['id']}"
    assert p.api.writes() == [ASK, UPLOAD, CREATE, ("PATCH", own)]
    assert p.api.bodies("PATCH") == [{"description": "corrected"}]
    assert one["spec"]["description"] == "corrected"
    assert p.process.read(p.json) == p.shown(own)


def test_a_description_that_is_corrected_while_it_is_refused(place, processes):
    p = place()
    p.api.fault(**AT["create"], status=400, delay_ms=3000, body={"message": "not today"})
    writer = processes()
    call = writer.start("write", p.archive, CONTENT)
    poll(lambda: CREATE in p.api.calls())
    p.process.write(p.json, text(description="corrected"))
    with fails(errno.EINVAL):
        call.result()
    assert p.api.writes() == [ASK, UPLOAD, CREATE, CREATE]
    one, = tides(p)
    assert one["spec"]["description"] == "corrected"
    assert p.process.listdir(p.directory) == ["plugin.json"]


def test_an_archive_that_changes_meanwhile(place, processes):
    """What was uploaded is what was there when it began; the newer one is uploaded after it."""
    p = place()
    p.api.fault(**AT["upload"], delay_ms=3000)
    writer = processes()
    call = writer.start("write", p.archive, CONTENT)
    poll(lambda: UPLOAD in p.api.calls())
    other = archive(seed=2)
    with contextlib.suppress(OSError):
        p.process.write(p.archive, other)
    with contextlib.suppress(OSError):
        call.result()
    one, = tides(p)
    used, = [upload for upload in p.uploads() if upload["used"]]
    assert used["archive"]["sha256"] == sha256(other)


@pytest.mark.parametrize("how", ["over it", "by rename"])
def test_an_archive_that_is_too_late(place, processes, how):
    """It is not what is created: whoever brought it is told, and it stays."""
    p = place()
    p.api.fault(**AT["create"], delay_ms=3000)
    call = processes().start("write", p.archive, CONTENT)
    poll(lambda: CREATE in p.api.calls())
    other = archive(seed=2)
    with fails(errno.EPERM):
        if how == "over it":
            p.process.write(p.archive, other)
        else:
            p.process.write(p.directory / ".tides", other)
            p.process.rename(p.directory / ".tides", p.archive)
    call.result()
    one, = tides(p)
    assert p.api.writes() == [ASK, UPLOAD, CREATE]
    used, = [upload for upload in p.uploads() if upload["used"]]
    assert used["archive"]["sha256"] == sha256(CONTENT)
    assert p.process.read(p.archive) == other
    assert "tides.zip" in p.process.read(p.directory / "plugin.json.error").decode()
    assert any("tides.zip" in line for line in p.errors())
    harness.run("rm", p.archive)
    assert p.process.read(p.json) == p.shown(f"{CUSTOM}/{one['id']}")


def test_an_archive_that_is_not_written_yet(place, processes):
    """The same where it is closed when there is something already."""
    p = place()
    p.api.fault(**AT["create"], delay_ms=3000)
    call = processes().start("write", p.archive, CONTENT)
    poll(lambda: CREATE in p.api.calls())
    other = archive(seed=2)
    fd = p.process.open(p.archive, os.O_WRONLY | os.O_TRUNC)
    p.process.write_fd(fd, other[:100])
    call.result()
    p.process.write_fd(fd, other[100:])
    with fails(errno.EPERM):
        p.process.close(fd)
    assert p.api.writes() == [ASK, UPLOAD, CREATE]
    assert p.process.read(p.archive) == other
    assert any("tides.zip" in line for line in p.errors())


def test_an_archive_that_is_exchanged(place):
    """It would be there, and nothing be made of it."""
    p = place()
    with fails(errno.EINVAL):
        p.process.write(p.archive, CONTENT[:-30])
    p.process.write(p.directory / ".tides", CONTENT)
    for names in ((p.archive, p.directory / ".tides"), (p.directory / ".tides", p.archive)):
        with fails(errno.EINVAL):
            p.process.rename_with(*names, 2)
    assert p.api.calls() == []
    p.process.rename(p.directory / ".tides", p.archive)
    assert_created(p)


def test_removed_while_it_is_made(place, processes):
    p = place()
    p.api.fault(**AT["upload"], delay_ms=3000)
    writer = processes()
    call = writer.start("write", p.archive, CONTENT)
    poll(lambda: UPLOAD in p.api.calls())
    p.process.unlink(p.archive)
    p.process.unlink(p.json)
    with fails(errno.EBUSY):
        p.process.rmdir(p.directory)
    call.result()
    assert_created(p)


FSYNC_AND_CLOSE = """
import os, sys, threading
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_TRUNC)
os.write(fd, open(sys.argv[2], "rb").read())
thread = threading.Thread(target=os.fsync, args=(fd,))
thread.start()
open(sys.argv[3]).read()
os.close(fd)
thread.join()
"""


def test_who_closes_while_another_call_sends(place, processes):
    """Waits for the same upload, however long that takes."""
    p = place(timeout_write=2)
    p.process.unlink(p.json)
    p.process.write(p.archive, CONTENT)
    p.process.write(p.json, b"")
    work = p.mounted.home / "work"
    p.process.write(work / "plugin.json", text())
    p.process.write(work / "script", FSYNC_AND_CLOSE.encode())
    p.process.mkfifo(work / "closes")
    p.api.fault(**AT["upload"], delay_ms=2000)
    call = processes().start("system", f"python3 {work}/script {p.json} {work}/plugin.json "
                                       f"{work}/closes")
    poll(lambda: UPLOAD in p.api.calls())
    p.process.write(work / "closes", b"now")
    assert call.result() == 0
    assert p.api.calls() == [LIST, ASK, UPLOAD, CREATE]
    assert_created(p)


# The spool


@contextlib.contextmanager
def small(path, size):
    """A filesystem of that size."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a filesystem of a given size")
    done = harness.LIBC.mount(b"tmpfs", os.fsencode(path), b"tmpfs", ctypes.c_ulong(0),
                              f"size={size}".encode())
    assert done == 0, os.strerror(ctypes.get_errno())
    try:
        yield
    finally:
        harness.LIBC.umount2(os.fsencode(path), 2)


def spools(p):
    """Those that the mount has open."""
    found = []
    for name in os.listdir(f"/proc/{p.mounted.pid}/fd"):
        with contextlib.suppress(OSError):
            found.append(os.readlink(f"/proc/{p.mounted.pid}/fd/{name}"))
    return [link for link in found if str(p.mounted.home / "cache" / "connectfs") in link]


def test_a_full_spool(place):
    """ENOSPC at once; half of it is never sent; when there is room it goes."""
    p = place()
    content = archive(300000)
    with small(p.mounted.home / "cache", 65536):
        with fails(errno.ENOSPC):
            p.process.write(p.archive, content)
        poll(lambda: "plugin.json.error" in p.process.listdir(p.directory))
        assert "No space left" in p.process.read(p.directory / "plugin.json.error").decode()
        assert p.api.writes() == []
        p.process.unlink(p.archive)
        poll(lambda: spools(p) == [])
        p.process.write(p.archive, CONTENT)
        assert_created(p)


def test_no_spool(place):
    p = place()
    p.mounted.home.joinpath("cache", "connectfs").write_bytes(b"no directory")
    with fails(errno.ENOTDIR):
        p.process.write(p.archive, CONTENT)
    assert p.api.writes() == []
    assert p.process.read(p.json) == text()


def test_nothing_is_left_of_a_spool(place):
    """It has no name, and goes with its archive."""
    p = place()
    directory = p.mounted.home / "cache" / "connectfs"
    p.api.fault(**AT["ask"], status=403)
    with fails(errno.EACCES):
        p.process.write(p.archive, CONTENT)
    assert len(spools(p)) == 1
    assert directory.stat().st_mode & 0o777 == 0o700
    assert list(directory.iterdir()) == []
    p.process.unlink(p.archive)
    poll(lambda: spools(p) == [])
    p.process.write(p.archive, CONTENT)
    assert_created(p)
    poll(lambda: spools(p) == [])
