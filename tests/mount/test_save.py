"""Saving config.json: which requests arrive, and what is shown afterwards."""

import errno
import json
import os
import stat

import pytest

import canonical
import harness
import samples
from harness import fails, poll
from work import Work

IN_PLACE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


# The ways to write


def assert_saved(w, text, requests=None):
    assert w.api.calls() == (requests or [w.look, w.put])
    assert w.api.bodies("PUT") == [json.loads(text)]
    assert w.site.config("plain")["kafka.topic"] == json.loads(text)["kafka.topic"]
    assert w.process.read(w.config) == w.shown()
    assert w.process.read(w.config) == canonical.config(json.loads(text))
    w.assert_clean()


def test_in_place(work):
    w = work()
    text = w.changed(kafka_topic="in-place")
    w.process.write(w.config, text)
    assert_saved(w, text)


def test_without_truncation(work):
    """Written over, then cut: busybox vi, rsync --inplace."""
    w = work()
    text = w.changed(kafka_topic="x")
    assert len(text) < len(w.text)
    fd = w.process.open(w.config, os.O_RDWR)
    w.process.pwrite(fd, text, 0)
    w.process.ftruncate(fd, len(text))
    assert w.api.calls() == []
    w.process.close(fd)
    assert_saved(w, text)


def test_few_bytes_in_the_middle(work):
    w = work()
    fd = w.process.open(w.config, os.O_WRONLY)
    w.process.pwrite(fd, b"ORDERS", w.text.index(b"orders"))
    w.process.close(fd)
    assert_saved(w, w.text.replace(b"orders", b"ORDERS"))


def test_by_rename(work):
    w = work()
    text = w.changed(kafka_topic="renamed")
    temporary = w.directory / ".config.json.Xy12Zw"
    w.process.create(temporary, text)
    assert w.api.calls() == []
    w.process.rename(temporary, w.config)
    assert_saved(w, text)


def test_by_rename_of_an_open_file(work):
    """gedit and others rename before they close."""
    w = work()
    text = w.changed(kafka_topic="renamed")
    temporary = w.directory / ".goutputstream-ABCDEF"
    fd = w.process.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    w.process.write_fd(fd, text)
    w.process.fsync(fd)
    w.process.rename(temporary, w.config)
    w.process.close(fd)
    assert_saved(w, text)


def test_renamed_over_an_open_draft(work):
    """As anywhere, what the descriptor writes is no longer the file."""
    w = work()
    text = w.changed(kafka_topic="renamed")
    fd = w.process.open(w.config, os.O_RDWR | os.O_TRUNC)
    w.process.create(w.directory / "temporary", text)
    w.process.rename(w.directory / "temporary", w.config)
    assert w.process.read(w.config) == w.shown() == text
    w.process.write_fd(fd, w.changed(kafka_topic="not-sent"))
    assert w.process.read_fd(fd) == w.changed(kafka_topic="not-sent")
    w.process.close(fd)
    assert_saved(w, text)


def test_by_link(work):
    """A scratch file linked onto the name while it is away; sent when linked."""
    w = work()
    text = w.changed(kafka_topic="linked")
    temporary = w.directory / "CuXXXXXX"
    w.process.create(temporary, text)
    with fails(errno.EEXIST):
        w.process.link(temporary, w.config)
    w.process.rename(w.config, w.directory / "config.json~")
    w.process.link(temporary, w.config)
    assert w.api.calls() == [w.look, w.put]
    w.process.unlink(temporary)
    w.process.unlink(w.directory / "config.json~")
    assert_saved(w, text)


def test_by_fsync(work):
    """fsync sends, close does not again."""
    w = work()
    text = w.changed(kafka_topic="synced")
    fd = w.process.open(w.config, IN_PLACE)
    w.process.write_fd(fd, text)
    assert w.api.calls() == []
    w.process.fsync(fd)
    assert w.api.calls() == [w.look, w.put]
    w.process.close(fd)
    assert_saved(w, text)


def test_own_bytes_after_fsync(work):
    """A descriptor keeps seeing what was written through it, until it is closed."""
    w = work()
    text = json.dumps(json.loads(w.changed(kafka_topic="compact"))).encode()
    fd = w.process.open(w.config, os.O_RDWR | os.O_TRUNC)
    w.process.write_fd(fd, text)
    w.process.fsync(fd)
    assert w.process.read_fd(fd) == text
    second = text.replace(b"compact", b"COMPACT")
    w.process.pwrite(fd, second, 0)
    w.process.close(fd)
    assert [body["kafka.topic"] for body in w.api.bodies("PUT")] == ["compact", "COMPACT"]
    assert w.process.read(w.config) == w.shown()


def test_by_a_shell(work):
    """dup2 and close: a FLUSH at size 0 before anything is written."""
    w = work()
    text = w.changed(kafka_topic="from-a-shell")
    (w.mounted.home / "work" / "new").write_bytes(text)
    harness.run(f"cat {w.mounted.home}/work/new > {w.config}", shell=True)
    assert_saved(w, text)


def test_two_redirections_are_one_save(work):
    w = work()
    text = w.changed(kafka_topic="in-two-steps")
    half = len(text) // 2
    (w.mounted.home / "work" / "a").write_bytes(text[:half])
    (w.mounted.home / "work" / "b").write_bytes(text[half:])
    harness.run(f"cd {w.mounted.home}/work; cat a > {w.config}; cat b >> {w.config}", shell=True)
    assert_saved(w, text)


def test_two_descriptors(work):
    """Sent by the first close with unsent changes, not again by the second."""
    w = work()
    text = w.changed(kafka_topic="two-descriptors")
    first = w.process.open(w.config, IN_PLACE)
    second = w.process.open(w.config, os.O_RDWR)
    w.process.write_fd(first, text)
    w.process.close(first)
    w.process.close(second)
    assert_saved(w, text)


def test_by_unlink_and_create(work):
    """tar, git, install: one PUT, no DELETE."""
    w = work()
    text = w.changed(kafka_topic="created-anew")
    w.process.unlink(w.config)
    assert not w.process.exists(w.config)
    w.process.create(w.config, text)
    assert_saved(w, text)
    harness.hold(lambda: w.api.calls() == [w.look, w.put], 2.5)


def test_by_rename_away(work):
    """vim and emacs: the old one becomes a backup, a new one is created."""
    w = work()
    text = w.changed(kafka_topic="created-anew")
    backup = w.directory / "config.json~"
    w.process.rename(w.config, backup)
    assert w.process.read(backup) == w.text
    w.process.create(w.config, b"")
    w.process.write(w.config, text)
    w.process.unlink(backup)
    assert_saved(w, text)


def test_descriptors_of_a_dup(work):
    w = work()
    text = w.changed(kafka_topic="dup")
    fd = w.process.open(w.config, IN_PLACE)
    w.process.dup_close(fd)
    w.process.write_fd(fd, text)
    assert w.api.calls() == []
    w.process.close(fd)
    assert_saved(w, text)


def test_names_and_values_of_every_script(work):
    w = work()
    text = w.changed(kafka_topic='名前 "quoted" \\ \t \u0001 😀')
    w.process.write(w.config, text)
    assert_saved(w, text)


# What sends nothing


@pytest.mark.parametrize("flags", [os.O_WRONLY, os.O_RDWR, os.O_RDWR | os.O_APPEND])
def test_open_and_close(work, flags):
    w = work()
    w.process.close(w.process.open(w.config, flags))
    assert w.api.calls() == []
    assert w.process.read(w.config) == w.text


@pytest.mark.parametrize("spell", [
    lambda text: text,
    lambda text: json.dumps(json.loads(text)).encode(),
    lambda text: json.dumps(json.loads(text), indent="\t", ensure_ascii=True).encode() + b"\n\n",
    lambda text: canonical.render(dict(reversed(json.loads(text).items()))),
    lambda text: text.replace(b'"1"', b"1"),
], ids=["same bytes", "compact", "tabs and escapes", "another order", "a number"])
def test_the_same_configuration(work, spell):
    w = work()
    w.process.write(w.config, spell(w.text))
    assert w.api.writes() == []
    assert w.process.read(w.config) == w.text
    temporary = w.directory / "temporary"
    w.process.create(temporary, spell(w.text))
    w.process.rename(temporary, w.config)
    assert w.api.writes() == []
    assert w.process.read(w.config) == w.text
    w.assert_clean()


def test_same_bytes_keep_their_time(work):
    """A restore of what is already there."""
    w = work()
    w.process.write(w.config, w.text)
    w.process.utime(w.config, ns=(10 ** 18, 10 ** 18))
    assert w.process.stat(w.config).st_mtime_ns == 10 ** 18
    assert w.api.writes() == []


def test_truncation(work):
    """Sends nothing, closes with success, stays for the grace time, then counts as refused."""
    w = work(delete_delay=1)
    w.process.close(w.process.open(w.config, IN_PLACE))
    assert w.process.read(w.config) == b""
    assert w.process.stat(w.config).st_size == 0
    poll(lambda: w.process.read(w.config) == w.text, 5, "the server's content")
    assert w.process.exists(w.error)
    assert w.api.writes() == []


def test_truncation_to_the_same_size(work):
    """Makes no draft."""
    w = work(delete_delay=0.2)
    w.process.truncate(w.config, len(w.text))
    assert w.process.read(w.config) == w.text
    harness.hold(lambda: set(w.process.listdir(w.directory))
                 == {"config.json", "connector.json", "status.json", "state"}, 1)
    assert w.api.calls() == []


def test_draft_that_is_incomplete(work):
    w = work(delete_delay=1)
    half = w.text[:len(w.text) // 2]
    with fails(errno.EINVAL):
        w.process.write(w.config, half)
    assert w.process.read(w.config) == half
    poll(lambda: w.process.read(w.config) == w.text, 5, "the server's content")
    w.assert_refused(half)
    assert w.api.writes() == []


def test_grace_counts_from_the_last_close(work):
    """A writer that stays longer than the grace time."""
    w = work(delete_delay=0.5)
    text = w.changed(kafka_topic="slowly")
    fd = w.process.open(w.config, IN_PLACE)
    w.process.write_fd(fd, text[:40])
    harness.hold(lambda: w.process.stat(w.config).st_size == 40, 1.2)
    w.process.write_fd(fd, text[40:])
    w.process.close(fd)
    assert_saved(w, text)


def test_grace_does_not_end_while_it_is_open(work):
    """Who appends may take its time before the first byte."""
    w = work(delete_delay=0.5)
    text = w.changed(kafka_topic="slowly")
    with fails(errno.EINVAL):
        w.process.write(w.config, text[:40])
    fd = w.process.open(w.config, os.O_WRONLY | os.O_APPEND)
    harness.hold(lambda: w.process.read(w.config) == text[:40], 1.2)
    w.process.write_fd(fd, text[40:])
    w.process.close(fd)
    assert_saved(w, text)


# What is refused before it is sent


BAD = {
    "half": b'{"connector.class": "DatagenSource", "name": ',
    "array": b'["a"]',
    "string": b'"config"',
    "null": b"null",
    "word": b"hello\n",
    "nested": b'{"name": "plain", "kafka.topic": {"a": "b"}}',
    "list": b'{"name": "plain", "kafka.topic": ["a"]}',
    "null value": b'{"name": "plain", "kafka.topic": null}',
    "duplicate": b'{"name": "plain", "kafka.topic": "a", "kafka.topic": "b"}',
    "trailing": b'{"name": "plain"} x',
    "two": b'{"name": "plain"}{"name": "plain"}',
    "comma": b'{"name": "plain",}',
    "binary": bytes(range(256)),
    "not UTF-8": b'{"name": "plain", "kafka.topic": "\xff\xfe"}',
    "NUL": b'{"name": "plain"}\0',
    "another name": b'{"name": "other", "kafka.topic": "a"}',
    "deep": b'{"a":' * 5000 + b"1" + b"}" * 5000,
    "offsets": b'{"name": "plain", "config": {"kafka.topic": "a"}, "offsets": []}',
}


@pytest.mark.parametrize("how", ["in place", "by rename"])
@pytest.mark.parametrize("what", list(BAD))
def test_bad_input(shared, what, how):
    w = shared
    w.api.clear()
    if how == "in place":
        with fails(errno.EINVAL):
            w.process.write(w.config, BAD[what])
    else:
        temporary = w.directory / "temporary"
        w.process.write(temporary, BAD[what])
        with fails(errno.EINVAL):
            w.process.rename(temporary, w.config)
        assert w.process.read(temporary) == BAD[what]
    assert w.api.writes() == []
    poll(lambda: w.process.exists(w.error) and w.process.read(w.config) == w.text, 5)
    w.assert_refused(BAD[what])


@pytest.fixture(scope="module")
def shared_site(shared_emulators):
    return samples.site(shared_emulators(*samples.EMULATOR))


@pytest.fixture(scope="module")
def shared_mount(shared_site, shared_mounts):
    return shared_mounts(shared_site.emulator, delete_delay=0.1)


@pytest.fixture
def shared(shared_site, shared_mount, process):
    return Work(shared_site.emulator, shared_site, shared_mount, process)


def test_ten_mebibytes(work):
    w = work(delete_delay=0.1)
    big = b'{"name": "plain", "a": "' + b"x" * (10 << 20) + b'"}'
    with fails(errno.EFBIG):
        w.process.write(w.config, big)
    assert w.api.writes() == []
    poll(lambda: w.process.read(w.config) == w.text, 5)


def test_refused_by_rename_keeps_the_temporary_file(work):
    w = work()
    temporary = w.directory / "temporary"
    text = w.changed(tasks_max="many")
    w.process.create(temporary, text)
    with fails(errno.EINVAL):
        w.process.rename(temporary, w.config)
    assert w.process.read(temporary) == text
    w.assert_refused(text, "tasks.max")
    assert w.api.calls()[:2] == [w.look, w.put]


# What is sent differs from what is written


@pytest.mark.parametrize("written, sent", [
    ("3", "3"), ("true", "true"), ("false", "false"), ("1.10", "1.10"),
    ("9007199254740993", "9007199254740993"), ("-0", "-0"), ("1E400", "1E400"),
])
def test_numbers_become_strings(shared, written, sent):
    w = shared
    content = w.changed(**{"some_setting": "PLACE"}).replace(b'"PLACE"', written.encode())
    w.process.write(w.config, content)
    assert w.api.bodies("PUT")[0]["some.setting"] == sent
    assert f'"some.setting": "{sent}"'.encode() in w.process.read(w.config)


def test_documented_form(work):
    w = work()
    settings = json.loads(w.changed(kafka_topic="wrapped"))
    w.process.write(w.config, json.dumps({"name": "plain", "config": settings}).encode())
    assert_saved(w, canonical.config(settings))


def test_name_is_filled_in(work):
    w = work()
    text = w.changed("name", kafka_topic="nameless")
    w.process.write(w.config, text)
    assert w.api.bodies("PUT") == [dict(json.loads(text), name="plain")]
    assert w.process.read(w.config) == w.shown()


def test_masked_secrets_stay(work):
    w = work()
    assert b'"kafka.api.secret": "**' in w.text
    w.process.write(w.config, w.changed(kafka_topic="other"))
    assert w.site.config("plain")["kafka.api.secret"] == samples.PLAIN["kafka.api.secret"]


def test_mask_of_another_length(work):
    """The number of asterisks varies; both mean the same, and nothing is sent."""
    w = work()
    w.process.write(w.config, w.changed(kafka_api_secret="**", kafka_topic="other"))
    assert w.site.config("plain")["kafka.api.secret"] == samples.PLAIN["kafka.api.secret"]


@pytest.mark.parametrize("setting", ["kafka_topic", "new_setting"])
def test_mask_where_nothing_is_masked(work, setting):
    w = work(delete_delay=0.1)
    text = w.changed(**{setting: "****"})
    with fails(errno.EINVAL):
        w.process.write(w.config, text)
    assert w.api.writes() == []
    poll(lambda: w.process.exists(w.rejected), 5)
    w.assert_refused(text, setting.replace("_", "."))


def test_one_asterisk_is_no_mask(work):
    w = work()
    w.process.write(w.config, w.changed(some_pattern="*"))
    assert w.site.config("plain")["some.pattern"] == "*"


def test_mask_where_it_was_replaced_elsewhere(work):
    """The rule looks at the live configuration, not at the shown one."""
    w = work()
    w.process.write(w.config, w.changed(kafka_api_secret="a-new-secret"))
    assert w.site.config("plain")["kafka.api.secret"] == "a-new-secret"
    shown = w.process.read(w.config)
    assert b"a-new-secret" not in shown and shown == w.shown()


# What is shown afterwards


def test_attributes_after_a_save(work):
    """Size, time and content are final when close returns, and stay so."""
    w = work(ttl=0.2)
    before = w.process.stat(w.config)
    fd = w.process.open(w.config, IN_PLACE)
    w.process.write_fd(fd, json.dumps(json.loads(w.changed(kafka_topic="compact"))).encode())
    written = w.process.fstat(fd)
    w.process.close(fd)
    after = w.process.stat(w.config)
    assert after.st_size == len(w.shown()) == len(w.process.read(w.config))
    assert after.st_mtime_ns >= before.st_mtime_ns and after.st_ino == before.st_ino
    assert abs(after.st_mtime - written.st_mtime) < 1
    harness.hold(lambda: w.process.stat(w.config).st_mtime_ns == after.st_mtime_ns
                 and w.process.read(w.config) == w.shown(), 1)
    assert w.api.writes() == [w.put]


def test_time_of_the_last_write_stays(work):
    """emacs and git look before they close."""
    w = work()
    fd = w.process.open(w.config, IN_PLACE)
    w.process.write_fd(fd, w.changed(kafka_topic="timed"))
    written = w.process.fstat(fd).st_mtime_ns
    w.process.fsync(fd)
    assert w.process.fstat(fd).st_mtime_ns == written
    w.process.close(fd)
    assert w.process.stat(w.config).st_mtime_ns == written


def test_utimens_before_the_rename(work):
    """rsync: what it set is what the file has afterwards."""
    w = work()
    temporary = w.directory / ".config.json.abc"
    w.process.create(temporary, w.changed(kafka_topic="restored"), 0o600)
    w.process.utime(temporary, ns=(10 ** 18 + 7, 10 ** 18 + 7))
    w.process.chmod(temporary, 0o644)
    w.process.rename(temporary, w.config)
    assert w.process.stat(w.config).st_mtime_ns == 10 ** 18 + 7


def test_utimens_after_writing(work):
    """cp -p, tar: the descriptor's time is set before it is closed."""
    w = work()
    fd = w.process.open(w.config, IN_PLACE)
    w.process.write_fd(fd, w.changed(kafka_topic="restored"))
    w.process.utime(fd, ns=(10 ** 18 + 9, 10 ** 18 + 9))
    w.process.close(fd)
    assert w.process.stat(w.config).st_mtime_ns == 10 ** 18 + 9
    assert w.api.calls() == [w.look, w.put]


def test_inode_stays_over_saves(work):
    w = work()
    before = w.process.stat(w.config).st_ino
    for number in range(2):
        temporary = w.directory / "temporary"
        w.process.create(temporary, w.changed(kafka_topic=f"save-{number}"))
        w.process.rename(temporary, w.config)
        assert w.process.stat(w.config).st_ino == before


def test_a_reader_keeps_what_it_opened(work):
    w = work()
    fd = w.process.open(w.config, os.O_RDONLY)
    w.process.write(w.config, w.changed(kafka_topic="longer-than-it-was-before"))
    assert w.process.read_fd(fd) == w.text
    assert w.process.fstat(fd).st_size == len(w.text)
    assert w.process.read(w.config) == w.shown() != w.text


def test_two_saves_in_a_row(work):
    """Each has its own base: the second one is no conflict."""
    w = work()
    for topic in ("first", "second"):
        w.process.write(w.config, w.changed(kafka_topic=topic))
    assert w.api.calls() == [w.look, w.put, w.look, w.put]
    assert w.site.config("plain")["kafka.topic"] == "second"


def test_taken_back_while_it_is_sent(work):
    """What was shown is saved again before the new text has arrived: the last one wins."""
    w = work()
    w.api.settings(latency_ms=300)
    fd = w.process.open(w.config, IN_PLACE)
    w.process.write_fd(fd, w.changed(kafka_topic="for-a-moment"))
    second = w.process.open(w.config, os.O_RDWR)
    w.process.begin("close", fd)
    poll(lambda: w.api.calls() == [w.look], 5)
    w.process.pwrite(second, w.text, 0)
    w.process.ftruncate(second, len(w.text))
    w.process.close(second)
    w.process.finish()
    assert w.api.calls() == [w.look, w.put, w.look, w.put]
    assert w.process.read(w.config) == w.text == w.shown()


def test_save_of_what_was_never_read(emulator, site, mount, process):
    """cp from a backup, without a look at the file before."""
    mounted = mount(emulator)
    content = json.loads(site.shown("plain"))
    content["kafka.topic"] = "unread"
    process.write(mounted.connector(site, "plain") / "config.json", canonical.config(content))
    assert emulator.writes() == [site.put("plain")]
    assert site.config("plain")["kafka.topic"] == "unread"


def test_chmod_and_chown(work):
    """Succeed, on everything, and are shown."""
    w = work()
    for path in (w.config, w.directory / "status.json", w.directory, w.connectors, w.state):
        w.process.chmod(path, 0o755)
        w.process.chown(path, os.geteuid(), os.getegid())
        w.process.utime(path, ns=(10 ** 18, 10 ** 18))
        status = w.process.stat(path)
        assert stat.S_IMODE(status.st_mode) == 0o755
        assert status.st_mtime_ns == 10 ** 18
    assert w.api.calls() == []
    w.process.write(w.config, w.changed(kafka_topic="changed"))
    assert w.process.stat(w.config).st_mtime_ns != 10 ** 18


def test_saves_of_two_connectors_at_once(work, processes):
    w = work()
    w.api.settings(latency_ms=200)
    calls = []
    for name in ("plain", "other"):
        content = json.loads(w.process.read(w.connectors / name / "config.json"))
        content["kafka.topic"] = "at-once"
        calls.append(processes().start(
            "write", w.connectors / name / "config.json", canonical.config(content)))
    for call in calls:
        call.result()
    for name in ("plain", "other"):
        assert w.site.config(name)["kafka.topic"] == "at-once"


def test_touch(work):
    """Moves the time, sends nothing."""
    w = work()
    before = w.process.stat(w.config).st_mtime_ns
    harness.run("touch", w.config)
    assert w.process.stat(w.config).st_mtime_ns > before
    assert w.api.calls() == []
    assert w.process.read(w.config) == w.text


def test_through_a_symlink_by_name(work):
    w = work()
    environment = w.process.listdir(w.mounted / "by-name")[0]
    cluster = w.process.listdir(w.mounted / "by-name" / environment)[0]
    path = w.mounted / "by-name" / environment / cluster / "connectors" / "plain" / "config.json"
    w.api.clear()
    w.process.write(path, w.changed(kafka_topic="by-name"))
    assert w.api.calls() == [w.look, w.put]
    assert w.process.read(w.config) == w.shown()


def test_form_of_the_request(work):
    """JSON, without a round trip for `Expect`."""
    w = work()
    w.process.write(w.config, w.changed(kafka_topic="form"))
    put = [one for one in w.api.requests() if one["method"] == "PUT"][0]
    headers = {key.lower(): value for key, value in put["headers"].items()}
    assert headers["content-type"].startswith("application/json")
    assert "expect" not in headers
    assert headers["user-agent"].startswith("connectfs")
    assert put["authorization"] and put["query"] == ""
