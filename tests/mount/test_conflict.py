"""Other clients' changes: nothing of theirs is overwritten."""

import errno
import json
import os

import pytest

import canonical
import harness
import samples
from harness import fails, poll


def assert_stale(w, text, *words):
    poll(lambda: w.process.read(w.config) == w.shown(), 5, "the other's content")
    assert w.process.read(w.rejected) == text
    reason = w.process.read(w.error).decode()
    for word in words:
        assert word in reason


def test_changed_between_open_and_save(work):
    w = work()
    w.theirs(quickstart="USERS", max_interval="500")
    text = w.changed(kafka_topic="mine")
    with fails(errno.ESTALE):
        w.process.write(w.config, text)
    assert w.api.writes() == [] and w.api.calls()[0] == w.look
    assert w.site.config("plain")["kafka.topic"] == "orders"
    assert_stale(w, text, "quickstart", "max.interval")
    assert b"kafka.topic" not in w.process.read(w.error), "only what they changed"


def test_changed_between_two_attempts(work):
    """The first PUT meets a 503, the second look their change: nothing is overwritten."""
    w = work()
    w.api.fault(method="PUT", path="/config$", status=503)
    w.api.fault(method="GET", path="/connectors/plain/config$", skip=1, change={
        "cluster": w.site.cluster, "connector": "plain", "merge": {"quickstart": "USERS"}})
    text = w.changed(kafka_topic="mine")
    with fails(errno.ESTALE):
        w.process.write(w.config, text)
    assert w.api.calls()[:3] == [w.look, w.put, w.look] and w.api.writes() == [w.put]
    assert w.site.config("plain")["kafka.topic"] == "orders"
    assert w.site.config("plain")["quickstart"] == "USERS"
    assert_stale(w, text, "quickstart")


def test_somebody_did_the_same(work):
    """The live configuration is what is being sent: done, without a PUT."""
    w = work()
    w.theirs(kafka_topic="ours")
    w.process.write(w.config, w.changed(kafka_topic="ours"))
    assert w.api.calls() == [w.look]
    assert w.process.read(w.config) == w.shown()
    w.assert_clean()


def test_reopened_after_their_change(work):
    """Who reads what they wrote builds on it."""
    w = work()
    w.theirs(quickstart="USERS")
    w.refresh()
    text = w.process.read(w.config)
    assert text == w.shown() != w.text
    content = dict(json.loads(text), **{"kafka.topic": "mine"})
    w.process.write(w.config, canonical.config(content))
    assert w.site.config("plain")["kafka.topic"] == "mine"
    assert w.site.config("plain")["quickstart"] == "USERS"


def test_stat_and_listings_do_not_move_the_base(work, processes):
    """Their change is long visible; the one who saves has not opened the file since."""
    w = work(ttl=0.2)
    w.theirs(quickstart="USERS", some_more="x")
    other = processes()
    poll(lambda: other.read(w.config) != w.text, 5)
    w.process.stat(w.config)
    w.process.listdir(w.directory)
    with fails(errno.ESTALE):
        w.process.write(w.config, w.changed(kafka_topic="mine"))
    assert w.api.writes() == []


def test_base_is_the_processes_own(work, processes):
    """A saved in between; B, who opened before that, meets a conflict; A does not."""
    w = work()
    a, b = processes(), processes()
    assert a.read(w.config) == b.read(w.config) == w.text
    a.write(w.config, w.changed(kafka_topic="of-a"))
    with fails(errno.ESTALE):
        b.write(w.config, w.changed(kafka_topic="of-b"))
    a.write(w.config, w.changed(kafka_topic="of-a-again"))
    assert w.api.writes() == [w.put, w.put]
    assert w.site.config("plain")["kafka.topic"] == "of-a-again"


def test_base_of_who_read_a_draft(work, processes):
    """It goes out from what the draft's writer had seen, not from its own last save."""
    w = work()
    a, b = processes(), processes()
    assert a.read(w.config) == w.text
    b.write(w.config, w.changed(kafka_topic="of-b"))
    fd = a.open(w.config, os.O_WRONLY | os.O_TRUNC)
    a.write_fd(fd, w.changed(quickstart="OF_A"))
    draft = b.read(w.config)
    assert draft == w.changed(quickstart="OF_A")
    with fails(errno.ESTALE):
        a.close(fd)
    with fails(errno.ESTALE):
        b.write(w.config, draft.replace(b"OF_A", b"OF_B"))
    assert w.api.writes() == [w.put]
    text = b.read(w.config)
    assert text == w.changed(kafka_topic="of-b")
    b.write(w.config, text.replace(b"of-b", b"of-b-again"))
    assert w.api.writes() == [w.put, w.put]


def test_three_writers_in_place(work, processes):
    """Each has a draft of its own, also one that was on its way to the first one's draft."""
    w = work()
    a, b, c = processes(), processes(), processes()
    assert a.read(w.config) == b.read(w.config) == w.text
    first = a.open(w.config, os.O_WRONLY | os.O_TRUNC)
    a.write_fd(first, w.changed(kafka_topic="of-a"))
    found = c.open(w.config, os.O_PATH)
    second = b.open(w.config, os.O_WRONLY | os.O_TRUNC)
    with fails(errno.ESTALE):
        c.open(f"/proc/self/fd/{found}", os.O_WRONLY | os.O_TRUNC)
    a.close(first)
    b.write_fd(second, w.changed(kafka_topic="of-b"))
    with fails(errno.ESTALE):
        b.close(second)
    assert w.api.bodies("PUT") == [json.loads(w.changed(kafka_topic="of-a"))]


def test_truncated_by_another_while_it_is_written(work, processes):
    w = work(delete_delay=0.2)
    a, b = processes(), processes()
    fd = a.open(w.config, os.O_WRONLY | os.O_TRUNC)
    a.write_fd(fd, w.changed(kafka_topic="of-a"))
    b.truncate(w.config, 0)
    assert b.read(w.config) == b""
    a.close(fd)
    assert w.api.bodies("PUT") == [json.loads(w.changed(kafka_topic="of-a"))]
    poll(lambda: w.process.read(w.config) == w.shown(), 5)


def test_renamed_over_anothers_draft(work, processes):
    """The new file is shown at once; who wrote the old one is told."""
    w = work()
    a, b = processes(), processes()
    assert a.read(w.config) == b.read(w.config)
    fd = a.open(w.config, os.O_WRONLY | os.O_TRUNC)
    a.write_fd(fd, w.changed(kafka_topic="of-a"))
    b.create(w.directory / "temporary", w.changed(kafka_topic="of-b"))
    b.rename(w.directory / "temporary", w.config)
    assert b.read(w.config) == w.shown() == w.changed(kafka_topic="of-b")
    with fails(errno.ESTALE):
        a.close(fd)
    assert_stale(w, w.changed(kafka_topic="of-a"), "kafka.topic")
    assert w.api.writes() == [w.put]


def test_a_reader_beside_writers(work, processes):
    """It keeps what it opened, also if that was just after a save."""
    w = work()
    reader = processes()
    w.process.write(w.config, w.changed(kafka_topic="saved"))
    fd = reader.open(w.config, os.O_RDONLY)
    with fails(errno.EINVAL):
        w.process.write(w.config, b"{")
    assert reader.read_fd(fd) == w.changed(kafka_topic="saved")
    assert reader.fstat(fd).st_size == len(w.changed(kafka_topic="saved"))


def test_who_opens_to_write_and_waits(work, processes):
    """Others see the server's content again once it was saved, not what was written."""
    w = work()
    other = processes()
    fd = w.process.open(w.config, os.O_WRONLY)
    harness.elapse(1.2)
    assert other.read(w.config) == w.text
    reading = other.open(w.config, os.O_RDONLY)
    text = json.dumps(json.loads(w.changed(kafka_topic="late"))).encode()
    w.process.pwrite(fd, text, 0)
    w.process.ftruncate(fd, len(text))
    w.process.close(fd)
    assert other.read(w.config) == w.shown() != text
    assert other.stat(w.config).st_size == len(w.shown())
    assert other.read_fd(reading) == w.text


def test_two_who_open_to_write_before_either_does(work, processes):
    w = work()
    a, b = processes(), processes()
    first, second = a.open(w.config, os.O_RDWR), b.open(w.config, os.O_RDWR)
    for process, fd, topic in ((a, first, "of-a"), (b, second, "of-b")):
        process.pwrite(fd, w.changed(kafka_topic=topic), 0)
        process.ftruncate(fd, len(w.changed(kafka_topic=topic)))
    assert a.read_fd(first) == w.changed(kafka_topic="of-a")
    assert b.read_fd(second) == w.changed(kafka_topic="of-b")
    b.close(second)
    with fails(errno.ESTALE):
        a.close(first)
    assert w.api.bodies("PUT") == [json.loads(w.changed(kafka_topic="of-b"))]


def test_base_of_who_creates_it_anew(work, processes):
    """Nobody who creates a file has read it."""
    w = work()
    a, b = processes(), processes()
    a.rename(w.config, w.directory / "old")
    fd = a.open(w.config, os.O_RDWR | os.O_CREAT | os.O_EXCL)
    b.write(w.config, w.changed(kafka_topic="of-b"))
    a.write_fd(fd, w.changed(kafka_topic="of-a"))
    a.close(fd)
    assert w.api.writes() == [w.put, w.put]


def test_base_of_who_reads_its_own_draft(work, processes):
    w = work()
    a, b = processes(), processes()
    assert b.read(w.config) == w.text
    a.write(w.config, w.changed(kafka_topic="of-a"))
    fd = a.open(w.config, os.O_RDWR | os.O_TRUNC)
    a.write_fd(fd, w.changed(kafka_topic="of-a-again"))
    assert a.read(w.config) == w.changed(kafka_topic="of-a-again")
    a.close(fd)
    assert w.api.writes() == [w.put, w.put]


@pytest.mark.parametrize("reads, writes", [
    ("read", "write"), ("thread", "write"), ("read", "thread"), ("thread", "thread")])
def test_base_of_a_thread_that_has_ended(work, processes, reads, writes):
    """What one thread of a process has read is what another of its threads goes out from."""
    w = work()
    a, b = processes(), processes()

    def call(process, kind, name, *arguments):
        if kind == "thread":
            return process.in_a_thread(name, *arguments)
        return getattr(process, name)(*arguments)

    assert call(a, reads, "read", w.config) == w.text
    assert b.read(w.config) == w.text
    b.write(w.config, w.changed(kafka_topic="of-b"))
    with fails(errno.ESTALE):
        call(a, writes, "write", w.config, w.changed(kafka_topic="of-a"))
    text = call(a, reads, "read", w.config)
    call(a, writes, "write", w.config, text.replace(b"of-b", b"of-a"))
    assert w.api.writes() == [w.put, w.put]
    assert w.site.config("plain")["kafka.topic"] == "of-a"


def test_a_draft_of_two_threads(work):
    """They are one writer: what both have written is one save."""
    w = work()
    text = w.changed(kafka_topic="of-two")
    fd = w.process.open(w.config, os.O_WRONLY | os.O_TRUNC)
    w.process.write_fd(fd, text[:40])
    second = w.process.in_a_thread("open", w.config, os.O_WRONLY)
    w.process.pwrite(second, text[40:], 40)
    w.process.close(second)
    w.process.close(fd)
    assert w.api.calls() == [w.look, w.put]
    assert w.site.config("plain")["kafka.topic"] == "of-two"


def test_base_of_a_stranger(work, processes):
    """cp after an editor's look: what anybody last opened through the mount."""
    w = work(ttl=0.2)
    w.theirs(quickstart="USERS")
    poll(lambda: w.process.stat(w.config).st_size != len(w.text), 5)
    stranger = processes()
    with fails(errno.ESTALE):
        stranger.write(w.directory / "new", w.changed(kafka_topic="mine"))
        stranger.rename(w.directory / "new", w.config)
    assert w.api.writes() == []


@pytest.mark.parametrize("how", ["rename", "link", "write"])
def test_what_nobody_has_opened(emulator, site, mount, processes, how):
    """The kernel repeats a rename that ends with ESTALE: that is no second save. A link, too, but
    then the name is there."""
    mounted = mount(emulator)
    stranger, config = processes(), mounted.connector(site, "plain") / "config.json"
    content = json.loads(site.shown("plain"))
    size = stranger.stat(config).st_size
    site.patch("plain", merge={"quickstart": "USERS"})
    mine = canonical.config({**content, "kafka.topic": "mine"})
    if how == "write":
        with fails(errno.ESTALE):
            stranger.write(config, mine)
    else:
        stranger.create(f"{config}.new", mine)
        if how == "link":
            stranger.rename(config, f"{config}.old")
        with fails(errno.EEXIST if how == "link" else errno.ESTALE):
            getattr(stranger, how)(f"{config}.new", config)
    assert emulator.writes() == []
    assert stranger.stat(config).st_size == size - 1
    # Another one, later, goes out from what is shown now.
    processes().write(config, mine)
    assert emulator.writes() == [site.put("plain")]


def test_renamed_as_it_was_before_their_change(work, processes):
    """A conflict, and no roll-back of it when the kernel repeats the rename."""
    w = work()
    stranger = processes()
    stranger.create(w.directory / "new", w.text)
    w.theirs(quickstart="USERS")
    w.refresh()
    poll(lambda: stranger.stat(w.config).st_size == len(w.shown()) != len(w.text), 5)
    with fails(errno.ESTALE):
        stranger.rename(w.directory / "new", w.config)
    assert w.api.writes() == []
    assert_stale(w, w.text, "quickstart")


def test_renamed_again_after_a_look(work, processes):
    """Who has looked at what is there now goes out from that."""
    w = work()
    stranger = processes()
    stranger.create(w.directory / "new", w.changed(kafka_topic="mine"))
    w.theirs(quickstart="USERS")
    with fails(errno.ESTALE):
        stranger.rename(w.directory / "new", w.config)
    poll(lambda: stranger.read(w.config) == w.shown(), 5)
    stranger.rename(w.directory / "new", w.config)
    assert w.api.writes() == [w.put]


def test_base_of_who_goes_on_with_anothers_draft(work, processes):
    """Opened to read and write, it goes out from what the first one had seen."""
    w = work()
    a, b = processes(), processes()
    assert a.read(w.config) == w.text
    b.write(w.config, w.changed(kafka_topic="of-b"))
    text = w.changed(some_setting="of-a")
    with fails(errno.EINVAL):
        a.write(w.config, text[:-10])
    fd = b.open(w.config, os.O_RDWR)
    b.pwrite(fd, text[-10:], len(text) - 10)
    with fails(errno.ESTALE):
        b.close(fd)
    assert w.api.writes() == [w.put]


def test_a_stranger_without_a_conflict(work, processes):
    w = work()
    stranger = processes()
    stranger.write(w.directory / "new", w.changed(kafka_topic="strange"))
    stranger.rename(w.directory / "new", w.config)
    assert w.api.calls() == [w.look, w.put]


def test_a_save_never_trusts_a_stale_answer(work):
    """The API fails, old content is shown; a save looks, fails, and sends nothing."""
    w = work(ttl=0.2, timeout=1, timeout_write=1)
    w.api.fault(method="GET", path="/connectors", times=-1, status=503)
    harness.elapse(0.3)
    assert w.process.read(w.config) == w.text
    with fails(errno.EIO, errno.ETIMEDOUT, errno.EBUSY):
        w.process.write(w.config, w.changed(kafka_topic="mine"))
    assert w.api.writes() == []


def test_deleted_elsewhere_while_edited(work):
    """ENOENT; nothing is created, and the text is not lost from the log of errors."""
    w = work()
    w.site.patch("plain", delete=True)
    fd = w.process.open(w.config, os.O_WRONLY | os.O_TRUNC)
    w.process.write_fd(fd, w.changed(kafka_topic="too-late"))
    with fails(errno.ENOENT):
        w.process.close(fd)
    assert w.api.writes() == [] and w.api.calls()[0] == w.look
    assert w.site.get("plain") is None
    assert any("plain" in line for line in w.errors())


def test_deleted_between_look_and_put(work):
    """The PUT creates it: 201. The save succeeds, and it is told."""
    w = work()
    w.api.fault(method="PUT", path="/config$", change={
        "cluster": w.site.cluster, "connector": "plain", "delete": True})
    w.process.write(w.config, w.changed(
        kafka_topic="resurrected", kafka_api_key="KEY", kafka_api_secret="given"))
    assert w.api.requests()[-1]["status"] == 201 and w.api.writes() == [w.put]
    assert w.site.config("plain")["kafka.topic"] == "resurrected"
    assert any("plain" in line for line in w.errors())
    assert "creat" in w.mounted.log()


def test_two_mounts_of_one_account(work, mount, processes):
    """They hold a lock from the look to the PUT: one wins, the other meets a conflict."""
    w = work()
    second = mount(w.api, env={"XDG_RUNTIME_DIR": w.mounted.home / "run",
                               "XDG_STATE_HOME": w.mounted.home / "state"})
    path = second.connector(w.site, "plain") / "config.json"
    a, b = processes(), processes()
    assert a.read(w.config) == b.read(path)
    w.api.settings(latency_ms=300)
    first = a.start("write", w.config, w.changed(kafka_topic="of-a"))
    other = b.start("write", path, w.changed(kafka_topic="of-b"))
    outcomes = []
    for call in (first, other):
        try:
            call.result()
            outcomes.append(0)
        except OSError as error:
            outcomes.append(error.errno)
    assert sorted(outcomes) == [0, errno.ESTALE]
    assert w.site.get("plain")["puts"] == 1


def test_answers_that_differ_in_form(work):
    """/config has a setting that the bulk answer lacks: no change; the bulk answer decides."""
    w = work()
    content = json.loads(w.text)
    w.api.fault(method="GET", path="/connectors/plain/config$", times=-1, body_only=json.dumps(
        dict(content, **{"a.default.setting": "x"})))
    w.process.write(w.config, w.changed(kafka_topic="mine"))
    assert w.api.calls()[:3] == [w.look, w.bulk, w.put]
    assert w.site.config("plain")["kafka.topic"] == "mine"


def test_answers_that_differ_in_form_and_content(work):
    """The same, but there is a change as well."""
    w = work()
    content = json.loads(w.text)
    w.theirs(quickstart="USERS")
    w.api.fault(method="GET", path="/connectors/plain/config$", times=-1, body_only=json.dumps(
        dict(content, **{"a.default.setting": "x", "quickstart": "USERS"})))
    with fails(errno.ESTALE):
        w.process.write(w.config, w.changed(kafka_topic="mine"))
    assert w.api.writes() == []


def test_masks_of_differing_lengths_are_no_change(work):
    w = work()
    content = json.loads(w.text)
    w.api.fault(method="GET", path="/connectors/plain/config$", times=-1, body_only=json.dumps(
        dict(content, **{"kafka.api.secret": "*" * 9})))
    w.process.write(w.config, w.changed(kafka_topic="mine"))
    assert w.site.config("plain")["kafka.api.secret"] == samples.PLAIN["kafka.api.secret"]
    assert w.site.config("plain")["kafka.topic"] == "mine"


@pytest.mark.parametrize("answer", [b"[]", b'"x"', b'{"a": 1', b'{"name": {"a": "b"}}'])
def test_a_look_that_makes_no_sense(work, answer):
    w = work(timeout_write=1)
    w.api.fault(method="GET", path="/connectors/plain/config$", times=-1,
                body_only=answer.decode())
    with fails(errno.EBADMSG):
        w.process.write(w.config, w.changed(kafka_topic="mine"))
    assert w.api.writes() == []


@pytest.mark.parametrize("status", [403, 401, 500])
def test_a_look_that_fails(work, status):
    w = work(timeout_write=1)
    w.api.fault(method="GET", path="/connectors/plain/config$", times=-1, status=status)
    with fails(errno.EACCES if status < 500 else errno.EIO, errno.ETIMEDOUT):
        w.process.write(w.config, w.changed(kafka_topic="mine"))
    assert w.api.writes() == []
    assert w.process.read(w.rejected) == w.changed(kafka_topic="mine")
