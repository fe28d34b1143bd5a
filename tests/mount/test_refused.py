"""Saves that the API refuses or leaves undecided: what is kept, what is told, what rolls back."""

import errno
import json
import os
import re

import pytest

import harness
import samples
from harness import elapse, fails, poll

REFUSAL = {"error": {"code": 400, "message": "the quota of purple records is used up"}}


def refuse(w, text, **fault):
    """A save that the API answers with 400."""
    w.api.fault(method="PUT", path="/config$", **{"status": 400, "body": REFUSAL, **fault})
    with fails(errno.EINVAL):
        w.process.write(w.config, text)


# What is kept


def test_refused_by_the_api(work):
    w = work()
    text = w.changed(tasks_max="many")
    with fails(errno.EINVAL):
        w.process.write(w.config, text)
    assert w.api.calls()[:2] == [w.look, w.put] and w.api.writes() == [w.put]
    w.assert_refused(text, "tasks.max")


@pytest.mark.parametrize("body, words", [
    ({"error": {"code": 400, "message": "first form"}}, ["first form"]),
    ({"error_code": 400, "message": "second form"}, ["second form"]),
    ({"message": "third form"}, ["third form"]),
    ({"errors": [{"detail": "fourth form"}, {"detail": "and its sequel"}]},
     ["fourth form", "and its sequel"]),
    ({"errors": [{"title": "t", "detail": "with more", "source": {"pointer": "/x"}}]},
     ["with more"]),
    ("fifth form, in plain text", ["fifth form, in plain text"]),
    ("", []),
    ({"error": {"code": 400, "message": "zwölf\nlines 名"}}, ["zwölf", "lines 名"]),
])
def test_every_form_of_a_message(work, body, words):
    w = work()
    text = w.changed(kafka_topic="refused")
    refuse(w, text, body=body, headers={"Content-Type": "application/json"}
           if isinstance(body, dict) else {"Content-Type": "text/plain"})
    w.assert_refused(text, *words)
    for word in words[:1]:
        assert any(word.split("\n")[0] in line for line in w.errors())
        assert word.split("\n")[0] in w.mounted.log()


def test_html_is_no_message(work):
    w = work()
    text = w.changed(kafka_topic="refused")
    refuse(w, text, body="<html><body>Bad Request</body></html>",
           headers={"Content-Type": "text/html"})
    w.assert_refused(text)
    assert b"<html>" not in w.process.read(w.error)


def test_sizes_of_what_is_kept(work):
    w = work()
    text = w.changed(tasks_max="many")
    refuse(w, text)
    for path in (w.error, w.rejected):
        assert w.process.stat(path).st_size == len(w.process.read(path))
    with fails(errno.EACCES):
        w.process.open(w.error, os.O_WRONLY)


def test_log_line_of_an_error(work):
    """Method, path, status, message and request id, in one line."""
    w = work()
    refuse(w, w.changed(kafka_topic="x"))
    lines = [line for line in w.mounted.log().splitlines() if "purple" in line]
    assert len(lines) == 1
    for word in ("PUT", w.put[1], "400", REFUSAL["error"]["message"]):
        assert word in lines[0]
    request_id = re.search(r"\b[0-9a-f]{32}\b", lines[0]).group()
    assert [line for line in w.errors() if "purple" in line and request_id in line]


def test_errors_are_newest_last(work):
    w = work()
    for message in ("one-one", "two-two", "three-three"):
        refuse(w, w.changed(kafka_topic=message), body={"message": message})
    found = [number for number, line in enumerate(w.errors())
             for message in ("one-one", "two-two", "three-three") if message in line]
    lines = "\n".join(w.errors())
    assert lines.index("one-one") < lines.index("two-two") < lines.index("three-three")
    assert found == sorted(found)


def test_a_good_save_removes_what_is_kept(work):
    w = work()
    refuse(w, w.changed(kafka_topic="refused"))
    w.process.write(w.config, w.changed(kafka_topic="good"))
    w.assert_clean()
    assert not w.process.exists(w.error) and not w.process.exists(w.rejected)


def test_what_is_kept_can_be_repaired(work):
    """Edited in place, and copied over config.json."""
    w = work()
    text = w.changed(kafka_topic="refused")
    refuse(w, text)
    repaired = text.replace(b"refused", b"repaired")
    w.process.write(w.rejected, repaired)
    assert w.process.read(w.rejected) == repaired
    assert w.api.writes() == [w.put]
    harness.run("cp", w.rejected, w.config)
    assert w.site.config("plain")["kafka.topic"] == "repaired"
    w.assert_clean()


def test_what_is_kept_vanishes_with_the_mount(work, mount):
    w = work()
    refuse(w, w.changed(kafka_topic="refused"))
    w.mounted.stop()
    again = mount(w.api, home=w.mounted.home)
    assert set(w.process.listdir(again.connector(w.site, "plain"))) \
        == {"config.json", "connector.json", "status.json", "state"}


def test_a_commit_is_tried_once(work):
    """A refusal reaches fsync and the first close after it; neither that nor a copy of the
    descriptor sends the text again. (emacs believes no EINVAL of fsync.)"""
    w = work()
    w.api.fault(method="PUT", path="/config$", times=-1, status=400, body=REFUSAL)
    fd = w.process.open(w.config, os.O_WRONLY | os.O_TRUNC)
    w.process.write_fd(fd, w.changed(kafka_topic="refused"))
    with fails(errno.EINVAL):
        w.process.fsync(fd)
    with fails(errno.EINVAL):
        w.process.dup_close(fd)
    w.process.close(fd)
    assert w.api.writes() == [w.put]
    w.assert_refused(w.changed(kafka_topic="refused"))


def test_a_refused_rename_is_told_once(work):
    """A scratch file that could not become config.json is closed in peace."""
    w = work()
    w.api.fault(method="PUT", path="/config$", times=-1, status=400, body=REFUSAL)
    temporary = w.directory / "temporary"
    fd = w.process.open(temporary, os.O_WRONLY | os.O_CREAT)
    w.process.write_fd(fd, w.changed(kafka_topic="refused"))
    with fails(errno.EINVAL):
        w.process.rename(temporary, w.config)
    w.process.close(fd)
    assert w.api.writes() == [w.put]


def test_a_refusal_reaches_rename(work):
    w = work()
    text = w.changed(kafka_topic="refused")
    temporary = w.directory / "temporary"
    w.process.create(temporary, text)
    w.api.fault(method="PUT", path="/config$", status=400, body=REFUSAL)
    with fails(errno.EINVAL):
        w.process.rename(temporary, w.config)
    assert w.process.read(temporary) == text
    w.assert_refused(text, "purple")


# Secrets in messages


@pytest.mark.parametrize("setting", ["kafka_api_secret", "db_password", "sas_token",
                                     "aws_credential_text", "the_key"])
def test_secrets_are_blotted_out(work, setting):
    """Servers repeat whole configurations in their messages."""
    w = work()
    canary = "zq-canary-4711-" + setting.replace("_", "-")
    text = w.changed(**{setting: canary})
    refuse(w, text, body={"message": f"bad value {canary} in {text.decode()}"})
    assert canary.encode() in w.process.read(w.rejected), "it is the user's own text"
    reason = w.process.read(w.error).decode()
    assert "bad value" in reason and canary not in reason
    assert canary not in w.mounted.log()
    assert canary not in "\n".join(w.errors())


# Every status and its errno


@pytest.mark.parametrize("status, number", [
    (400, errno.EINVAL), (401, errno.EACCES), (402, errno.EDQUOT), (403, errno.EACCES),
    (405, errno.EIO), (413, errno.EFBIG), (418, errno.EIO), (422, errno.EINVAL),
])
def test_status_that_is_an_answer(work, status, number):
    w = work()
    text = w.changed(kafka_topic="refused")
    w.api.fault(method="PUT", path="/config$", times=-1, status=status,
                body={"message": "it is so"})
    with fails(number):
        w.process.write(w.config, text)
    # A 401 has the credentials read again, once; these are the same.
    assert w.api.writes() == [w.put]
    w.assert_refused(text, "it is so")


@pytest.mark.parametrize("status, number", [
    (409, errno.EBUSY), (429, errno.EBUSY), (500, errno.EIO), (502, errno.EIO),
    (503, errno.EIO), (504, errno.EIO),
])
def test_status_that_is_repeated(work, status, number):
    """Each attempt after its own look."""
    w = work(timeout_write=2)
    text = w.changed(kafka_topic="refused")
    w.api.fault(method="PUT", path="/config$", times=-1, status=status,
                body="a proxy's words", headers={"Content-Type": "text/plain"})
    with harness.takes(at_most=4):
        with fails(number, errno.ETIMEDOUT):
            w.process.write(w.config, text)
    calls = w.api.calls()
    puts = calls.count(w.put)
    assert puts >= 2 and calls[:2 * puts] == [w.look, w.put] * puts
    w.assert_refused(text)
    assert w.site.get("plain")["puts"] == 0


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_repeated_with_success(work, status):
    w = work()
    text = w.changed(kafka_topic="persistent")
    w.api.fault(method="PUT", path="/config$", status=status, body="try again",
                headers={"Content-Type": "text/plain"})
    w.process.write(w.config, text)
    assert w.api.calls() == [w.look, w.put] * 2
    assert w.site.config("plain")["kafka.topic"] == "persistent"
    w.assert_clean()


def test_dropped_and_repeated(work):
    w = work()
    w.api.fault(method="PUT", path="/config$", drop=True)
    w.process.write(w.config, w.changed(kafka_topic="persistent"))
    assert w.api.calls() == [w.look, w.put] * 2
    assert w.site.get("plain")["puts"] == 1


def test_server_error_in_the_apis_own_words(work):
    """An answer, not a failure: not repeated."""
    w = work()
    text = w.changed(kafka_topic="refused")
    w.api.fault(method="PUT", path="/config$", times=-1, status=500,
                body={"error_code": 500, "message": "no such class here"})
    with fails(errno.EIO):
        w.process.write(w.config, text)
    assert w.api.writes() == [w.put]
    w.assert_refused(text, "no such class here")


def test_retry_after(work):
    """Waited for; beyond the deadline the save fails at once."""
    w = work(timeout_write=5)
    w.api.fault(method="PUT", path="/config$", status=429, headers={"Retry-After": "1"})
    with harness.takes(at_least=1):
        w.process.write(w.config, w.changed(kafka_topic="patient"))
    assert w.api.calls() == [w.look, w.put] * 2
    w.api.fault(method="PUT", path="/config$", status=429, headers={"Retry-After": "60"})
    with harness.takes(at_most=1):
        with fails(errno.EBUSY):
            w.process.write(w.config, w.changed(kafka_topic="impatient"))


# Without an answer


def test_carried_out_but_never_answered(work):
    """The second attempt's look finds it done."""
    w = work()
    w.api.fault(method="PUT", path="/config$", unanswered="drop")
    w.process.write(w.config, w.changed(kafka_topic="done"))
    assert w.api.writes() == [w.put]
    assert w.api.calls()[:3] == [w.look, w.put, w.look]
    assert w.site.get("plain")["puts"] == 1
    assert w.process.read(w.config) == w.shown()
    w.assert_clean()


def test_a_good_save_without_an_answer_removes_what_is_kept(work):
    w = work()
    refuse(w, w.changed(kafka_topic="refused"))
    w.api.fault(method="PUT", path="/config$", unanswered="drop")
    w.process.write(w.config, w.changed(kafka_topic="good"))
    assert w.api.writes() == [w.put, w.put]
    w.assert_clean()


def test_undecided_and_later_carried_out(work):
    """Refused after the deadline; when it turns out to be done, the refusal vanishes."""
    w = work(timeout_write=1, ttl=0.3)
    text = w.changed(kafka_topic="late")
    w.api.fault(method="PUT", path="/config$", times=-1, hang=True)
    with harness.takes(at_most=3):
        with fails(errno.ETIMEDOUT):
            w.process.write(w.config, text)
    w.assert_refused(text)
    w.api.clear_faults()
    w.site.patch("plain", merge={"kafka.topic": "late"})
    poll(lambda: w.process.read(w.config) == w.shown() != w.text, 5)
    poll(lambda: not w.process.exists(w.rejected) and not w.process.exists(w.error), 5)
    w.assert_clean()


def test_undecided_with_a_hanging_answer(work):
    w = work(timeout_write=1)
    w.api.fault(method="PUT", path="/config$", times=-1, unanswered="hang")
    with fails(errno.ETIMEDOUT):
        w.process.write(w.config, w.changed(kafka_topic="late"))
    assert w.process.exists(w.error)
    w.refresh()
    poll(lambda: w.process.read(w.config) == w.shown(), 5)
    poll(lambda: not w.process.exists(w.rejected), 5)


def test_carried_out_while_its_directory_is_read(work):
    """What was refused goes in the middle of a listing: all else is listed."""
    w = work(timeout_write=1, ttl=0.3)
    scratch = [f"s{number:02}" for number in range(60)]
    for name in scratch:
        w.process.write(w.directory / name, b"")
    fd = w.process.open(w.directory, os.O_RDONLY)
    first = w.process.some_names(fd)
    w.process.close(fd)
    count = sum(name in scratch for name in first) + 1
    assert count < len(scratch), "a listing of several parts"
    for name in scratch[count:]:
        w.process.unlink(w.directory / name)
    w.api.fault(method="PUT", path="/config$", times=-1, hang=True)
    with fails(errno.ETIMEDOUT):
        w.process.write(w.config, w.changed(kafka_topic="late"))
    w.api.clear_faults()
    fd = w.process.open(w.directory, os.O_RDONLY)
    assert w.process.some_names(fd) == first
    w.site.patch("plain", merge={"kafka.topic": "late"})
    elapse(0.4)
    w.api.clear()
    w.process.listdir(w.connectors)
    assert w.api.calls() == [w.bulk]
    assert w.process.some_names(fd) == scratch[count - 1:count]
    assert w.process.some_names(fd) == []
    w.process.close(fd)
    assert not w.process.exists(w.rejected)


# Rolling back


@pytest.mark.parametrize("how", ["copy", "rename", "unlink and rename"])
def test_rolling_back(work, how):
    """Succeeds, sends nothing, and leaves the reason."""
    w = work(delete_delay=0.4)
    backup = w.directory / "config.json~"
    text = w.changed(kafka_topic="refused")
    if how == "copy":
        w.process.write(backup, w.text)
        refuse(w, text)
        w.process.write(w.config, w.text)
    else:
        w.process.rename(w.config, backup)
        refuse(w, text)
        if how == "unlink and rename":
            w.process.unlink(w.config)
        w.process.rename(backup, w.config)
    assert w.api.writes() == [w.put]
    w.assert_refused(text, "purple")
    assert w.process.stat(w.config).st_size == len(w.text)
    harness.hold(lambda: w.api.writes() == [w.put], 0.7)
    assert w.process.read(w.config) == w.text


def test_unlink_after_a_refusal(work):
    """An editor drops its draft: no removal; the name stays away for the grace time."""
    w = work(delete_delay=0.7)
    text = w.changed(kafka_topic="refused")
    refuse(w, text)
    w.process.unlink(w.config)
    assert not w.process.exists(w.config)
    poll(lambda: w.process.exists(w.config), 5, "the server's content")
    w.assert_refused(text, "purple")
    harness.hold(lambda: w.api.writes() == [w.put], 1)
    assert w.site.get("plain")


def test_creating_again_after_a_refusal(work):
    """git: unlinks what it could not write, and retries with O_EXCL."""
    w = work()
    text = w.changed(kafka_topic="refused")
    refuse(w, text)
    w.process.unlink(w.config)
    w.process.create(w.config, w.changed(kafka_topic="better"))
    assert w.site.config("plain")["kafka.topic"] == "better"
    w.assert_clean()


def test_draft_of_another_process_is_not_lost(work, processes):
    """A refresh while somebody writes touches no draft."""
    w = work(ttl=0.2)
    fd = w.process.open(w.config, os.O_WRONLY | os.O_TRUNC)
    w.process.write_fd(fd, b"{")
    other = processes()
    harness.hold(lambda: other.listdir(w.directory) and other.stat(w.config).st_size == 1, 1)
    w.refresh()
    text = w.changed(kafka_topic="kept")
    w.process.write_fd(fd, text[1:])
    w.process.close(fd)
    assert w.api.bodies("PUT") == [json.loads(text)]


def test_unfinished_draft_and_a_save(work):
    """`>` fails in the middle; the next save within the grace time is an ordinary one."""
    w = work()
    with fails(errno.EINVAL):
        w.process.write(w.config, w.text[:30])
    w.process.write(w.config, w.changed(kafka_topic="whole"))
    assert w.api.calls() == [w.look, w.put]
    w.assert_clean()


def test_limits_of_what_the_server_says(work):
    """An answer to a PUT that is no JSON: EBADMSG, and the text is kept."""
    w = work()
    text = w.changed(kafka_topic="garbled")
    w.api.fault(method="PUT", path="/config$", times=-1, body_only="\x01 not json")
    try:
        w.process.write(w.config, text)
    except OSError as error:
        assert error.errno == errno.EBADMSG
        assert w.process.read(w.rejected) == text
    assert w.process.read(w.config) in (w.text, w.shown())
    assert w.site.config("plain")["kafka.api.secret"] == samples.PLAIN["kafka.api.secret"]
