"""Files that are written and then answer: a plugin's validate.json, and the template made of it."""

import errno
import json
import os

import pytest

import canonical
import harness
import samples
from harness import elapse, fails, hold, poll, takes

CLASS = "DatagenSource"
QUESTION = {"connector.class": CLASS, "name": "made-up", "tasks.max": "0"}


class Asking:
    """The plugin's directory on a mount of its own; the log is empty."""

    def __init__(self, emulator, site, mounted, process, name=CLASS):
        self.api, self.site, self.mounted, self.process = emulator, site, mounted, process
        self.directory = mounted.cluster(site) / "connector-plugins" / name
        self.file = self.directory / "validate.json"
        self.template = self.directory / "template.json"
        self.error = self.directory / "validate.json.error"
        self.rejected = self.directory / "validate.json.rejected"
        self.path = f"{site.plugins}/{name}/config/validate"
        self.call = "PUT", self.path
        process.listdir(self.directory)
        emulator.clear()

    def answer(self, question):
        """What the API itself says, as the file should show it."""
        return canonical.render(canonical.parse(self.api.api(self.path, "PUT", question)))

    def asked(self):
        """The questions that arrived; nothing else did."""
        assert all(call == self.call for call in self.api.calls()), self.api.calls()
        return self.api.bodies("PUT")

    def assert_refused(self, question, *words):
        assert sorted(self.process.listdir(self.directory)) \
            == ["plugin.json", "validate.json.error", "validate.json.rejected"]
        assert self.process.read(self.rejected) == question
        reason = self.process.read(self.error).decode()
        for word in words:
            assert word in reason
        for note in (self.error, self.rejected):
            assert self.process.stat(note).st_size == len(self.process.read(note))
            with fails(errno.EACCES, errno.EROFS):
                self.process.write(note, b"x")

    def assert_clean(self):
        assert self.process.listdir(self.directory) == ["plugin.json"]
        for note in (self.error, self.rejected):
            assert not self.process.exists(note)


@pytest.fixture
def asking(emulator, site, mount, process):
    return lambda *args, **options: Asking(emulator, site, mount(emulator, **options), process,
                                           *args)


def text(question):
    return json.dumps(question).encode()


# Without a question


def test_nothing_of_it_is_listed(asking):
    w = asking()
    assert w.process.listdir(w.directory) == ["plugin.json"]
    w.process.tree(w.directory)
    assert w.api.calls() == []


def test_the_verdict_on_nothing(asking):
    """The whole verdict on {}, asked for once for all who look, and its template too."""
    w = asking()
    assert w.process.stat(w.file).st_size == len(w.answer({}))
    assert w.process.read(w.file) == w.answer({})
    assert w.process.read(w.file) == w.answer({})
    assert w.process.read(w.template)
    assert w.asked() == [{}]


def test_readers_share_a_request(asking):
    w = asking()
    w.api.settings(latency_ms=300)
    with takes(at_most=3):
        harness.run(" ".join(f"cat {name} >/dev/null &" for name in [w.file, w.template] * 16)
                    + " wait", shell=True)
    assert w.asked() == [{}]


def test_it_is_believed_as_plugins_are(asking):
    w = asking(ttl_plugins=0.3)
    first = w.process.stat(w.file)
    elapse(0.4)
    second = w.process.stat(w.file)
    assert (second.st_mtime_ns, second.st_ino) == (first.st_mtime_ns, first.st_ino)
    assert [one for one in w.api.calls() if one[0] == "PUT"] == [w.call, w.call]


def test_a_class_that_does_not_exist(asking):
    w = asking()
    for name in ("validate.json", "template.json"):
        with fails(errno.ENOENT):
            w.process.read(w.directory.parent / "NoSuch" / name)
    assert w.api.calls() == []


@pytest.mark.parametrize("fault, number", [
    ({"status": 400}, errno.EINVAL), ({"status": 401}, errno.EACCES),
    ({"status": 403}, errno.EACCES), ({"status": 404}, errno.ENOENT),
    ({"status": 404, "body": "<html>", "headers": {"Content-Type": "text/html"}}, errno.EIO),
    ({"status": 429, "headers": {"Retry-After": "60"}}, errno.EBUSY),
    ({"status": 501}, errno.EIO), ({"hang": True}, errno.ETIMEDOUT),
    ({"garbage": True}, errno.EBADMSG), ({"truncate": 50}, errno.EBADMSG),
    ({"body_only": "[]"}, errno.EBADMSG), ({"body_only": "7"}, errno.EBADMSG),
])
def test_a_failure_is_no_absence(asking, fault, number):
    """It says what happened, every time, and an open for writing does not care."""
    w = asking(timeout=1, ttl_negative=0)
    w.api.fault(method="PUT", path="/validate$", times=-1, **fault)
    for name in (w.file, w.template):
        with fails(number):
            w.process.read(name)
        with fails(number):
            w.process.stat(name)
    w.process.close(w.process.open(w.file, os.O_WRONLY))
    w.api.clear_faults()
    assert w.process.read(w.file) == w.answer({})
    assert w.process.read(w.template)


# With one


def test_asked_by_close(asking):
    """One request, for the question alone; the answer is there with its exact size."""
    w = asking()
    w.process.write(w.file, text(QUESTION))
    assert w.asked() == [QUESTION]
    content, opened, named = w.process.read_and_stat(w.file)
    assert content == w.answer(QUESTION) != w.answer({})
    assert opened.st_size == named.st_size == len(content)
    verdict = json.loads(content)
    assert verdict["error_count"] > 0
    tasks = next(one["value"] for one in verdict["configs"] if one["value"]["name"] == "tasks.max")
    assert tasks["errors"] == ["0 is less than 1, the least allowed"]
    assert w.asked() == [QUESTION], "the answer was not asked for again"
    w.assert_clean()


def test_asked_by_a_shell(asking):
    w = asking()
    harness.run(f"echo '{json.dumps(QUESTION)}' >{w.file}", shell=True)
    assert w.asked() == [QUESTION]
    assert w.process.read(w.file) == w.answer(QUESTION)


def test_valid(asking):
    w = asking()
    good = dict(samples.PLAIN, name="made-up")
    w.process.write(w.file, text(good))
    assert json.loads(w.process.read(w.file))["error_count"] == 0
    assert w.asked() == [good]


@pytest.mark.parametrize("how", ["fsync", "fdatasync", "pread", "dup_close"])
def test_asked_once(asking, how):
    """By whatever comes first; the close sends nothing more."""
    w = asking()
    fd = w.process.open(w.file, os.O_RDWR)
    w.process.write_fd(fd, text(QUESTION))
    assert w.asked() == []
    assert w.process.fstat(fd).st_size == len(text(QUESTION))
    if how == "pread":
        assert w.process.pread(fd, 7, 0) == w.answer(QUESTION)[:7]
    else:
        getattr(w.process, how)(fd)
    assert w.asked() == [QUESTION]
    assert w.process.read_fd(fd) == w.answer(QUESTION)
    assert w.process.fstat(fd).st_size == len(w.answer(QUESTION))
    w.process.fsync(fd)
    w.process.close(fd)
    assert w.process.read(w.file) == w.answer(QUESTION)
    assert w.asked() == [QUESTION]


def test_read_where_the_writing_ended(asking):
    """A shell cannot go back on a descriptor: what follows the question is the answer."""
    w = asking()
    output = harness.run(f"exec 3<>{w.file}; echo '{json.dumps(QUESTION)}' >&3; cat <&3;"
                         "echo ---; echo '{}' >&3; cat <&3", shell=True).output
    first, second = output.split("---\n")
    assert first.encode() == w.answer(QUESTION) and second.encode() == w.answer({})
    # Before it writes, bash asks for the size of what the file shows.
    assert w.asked() == [{}, QUESTION, {}]


def test_in_pieces(asking):
    w = asking()
    fd = w.process.open(w.file, os.O_RDWR)
    question = text(dict(QUESTION, **{"kafka.topic": "x" * 100000}))
    for start in range(0, len(question), 30000):
        w.process.pwrite(fd, question[start:start + 30000], start)
    assert w.process.read_fd(fd) == w.answer(json.loads(question))
    assert w.asked() == [json.loads(question)]


def test_appended(asking):
    """What the file shows is no part of a question."""
    w = asking()
    w.process.read(w.file)
    w.api.clear()
    harness.run(f"(echo '{{'; echo '\"tasks.max\":'; echo '0}}') >>{w.file}", shell=True)
    assert w.asked() == [{"tasks.max": "0"}]
    fd = w.process.open(w.file, os.O_WRONLY | os.O_APPEND)
    for part, size in ((b'{"tasks', 7), (b'.max":', 13), (b"1}", 15)):
        w.process.write_fd(fd, part)
        assert w.process.fstat(fd).st_size == size
    w.process.close(fd)
    assert w.asked() == [{"tasks.max": "0"}, {"tasks.max": "1"}]


def test_several_on_one_descriptor(asking):
    w = asking()
    fd = w.process.open(w.file, os.O_RDWR)
    questions = [{"tasks.max": "a-long-word"}, {"tasks.max": "0"}, {}, {"quickstart": "NONE"}]
    for question in questions:
        w.process.pwrite(fd, text(question), 0)
        assert w.process.read_fd(fd) == w.answer(question)
    assert w.asked() == questions
    w.process.ftruncate(fd, 0)
    w.process.pwrite(fd, text(QUESTION), 0)
    w.process.close(fd)
    assert w.asked() == questions + [QUESTION]


def test_copied(asking, tmp_path):
    w = asking()
    (tmp_path / "question").write_bytes(text(QUESTION))
    harness.run("cp", tmp_path / "question", w.file)
    assert w.process.read(w.file) == w.answer(QUESTION)
    # cp looks at what it overwrites.
    assert w.asked() == [{}, QUESTION]


def test_the_last_one_counts(asking):
    w = asking()
    w.process.write(w.file, text(QUESTION))
    w.process.write(w.file, text({"tasks.max": "1"}))
    assert w.process.read(w.file) == w.answer({"tasks.max": "1"})
    assert w.asked() == [QUESTION, {"tasks.max": "1"}]


def test_nothing_to_ask(asking):
    """An empty question is none."""
    w = asking()
    fd = w.process.open(w.file, os.O_RDWR | os.O_TRUNC)
    assert w.process.read_fd(fd) == b"" and w.process.fstat(fd).st_size == 0
    w.process.fsync(fd)
    w.process.close(fd)
    assert w.api.calls() == []


@pytest.mark.parametrize("how", [": >", "truncate -s 0 "])
def test_emptied(asking, how):
    """Nothing is sent, and the verdict on {} is shown again."""
    w = asking()
    w.process.write(w.file, text(QUESTION))
    harness.run(f"{how}{w.file}", shell=True)
    assert w.asked() == [QUESTION]
    assert w.process.read(w.file) == w.answer({})
    assert w.asked() == [QUESTION, {}]


def test_an_answer_that_is_open_stays(asking):
    w = asking()
    w.process.write(w.file, text(QUESTION))
    fd = w.process.open(w.file, os.O_RDONLY)
    w.process.write(w.file, b"{}")
    assert w.process.read_fd(fd) == w.answer(QUESTION)
    assert w.process.fstat(fd).st_size == len(w.answer(QUESTION))
    assert w.process.read(w.file) == w.answer({})


def test_opened_to_read_and_write(asking):
    """Before it is written it shows what a reader sees."""
    w = asking()
    w.process.write(w.file, text(QUESTION))
    fd = w.process.open(w.file, os.O_RDWR)
    assert w.process.read_fd(fd) == w.answer(QUESTION)
    w.process.pwrite(fd, b'{"tasks.max": "1"}', 0)
    assert w.process.read_fd(fd) == w.answer({"tasks.max": "1"})


@pytest.mark.slow
def test_for_as_long_as_a_minute(asking):
    w = asking()
    w.process.write(w.file, text(QUESTION))
    hold(lambda: w.process.read(w.file) == w.answer(QUESTION), 58)
    elapse(3)
    assert w.process.read(w.file) == w.answer({})
    assert w.asked() == [QUESTION, {}]


# Who asks


def test_open_files_do_not_mix(asking):
    w = asking()
    questions = [{"tasks.max": str(number)} for number in range(5)]
    fds = [w.process.open(w.file, os.O_RDWR) for _ in questions]
    for fd, question in zip(fds, questions):
        w.process.write_fd(fd, text(question))
    for fd, question in reversed(list(zip(fds, questions))):
        assert w.process.read_fd(fd) == w.answer(question)
        assert w.process.fstat(fd).st_size == len(w.answer(question))
    for fd, question in zip(fds, questions):
        assert w.process.read_fd(fd) == w.answer(question)
    assert w.asked() == questions[::-1]


def test_many_at_once(asking, tmp_path):
    w = asking()
    w.api.settings(latency_ms=100)
    one = ("exec 3<>{file}; echo '{{\"kafka.topic\": \"of-{n}\"}}' >&3; cat <&3 >{out}/{n};"
           " grep -q of-{n} {out}/{n} || echo wrong {n}")
    script = " ".join(f"({one.format(file=w.file, n=number, out=tmp_path)}) &"
                      for number in range(40))
    assert harness.run(script + " wait", shell=True).output == ""
    assert sorted(one["kafka.topic"] for one in w.asked() if one) \
        == sorted(f"of-{number}" for number in range(40))


@pytest.mark.skipif(os.geteuid() != 0, reason="takes two users")
def test_users_do_not_mix(asking, processes):
    w = asking(allow_other=True, umask="000")
    w.mounted.home.chmod(0o711)
    other = processes()
    other.seteuid(65534)
    w.process.read(w.file)
    w.api.clear()
    w.process.write(w.file, text(QUESTION))
    assert other.read(w.file) == w.answer({})
    assert other.stat(w.file).st_size == len(w.answer({}))
    other.write(w.file, b'{"tasks.max": "1"}')
    for _ in range(2):
        assert w.process.read(w.file) == w.answer(QUESTION)
        assert w.process.stat(w.file).st_size == len(w.answer(QUESTION))
        assert other.read(w.file) == w.answer({"tasks.max": "1"})
        assert other.stat(w.file).st_size == len(w.answer({"tasks.max": "1"}))
    assert w.asked() == [QUESTION, {"tasks.max": "1"}]
    with fails(errno.EINVAL):
        other.write(w.file, b"[]")
    assert other.read(w.rejected) == b"[]"
    w.assert_clean()
    assert w.process.read(w.file) == w.answer(QUESTION)


def test_a_link_to_an_open_question(asking):
    """/proc leads to it, by which nobody asks in another's place."""
    w = asking()
    fd = w.process.open(w.file, os.O_RDWR)
    w.process.write_fd(fd, text(QUESTION))
    with fails(errno.ESTALE):
        w.process.open(f"/proc/{w.process.pid}/fd/{fd}", os.O_RDWR)
    assert w.process.read_fd(fd) == w.answer(QUESTION)


def test_two_threads_of_one_file(asking):
    """While one waits for the answer, another cannot change the question; it may wait, too."""
    w = asking()
    w.api.fault(method="PUT", path="/validate$", delay_ms=1000)
    program = """if True:
        import errno, os, sys, threading
        fd = os.open(sys.argv[1], os.O_RDWR)
        os.write(fd, b'{"tasks.max": "0"}')
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(os.pread(fd, 1 << 20, 0)))
                   for _ in range(2)]
        for thread in threads:
            thread.start()
        threads[0].join(0.3)
        try:
            os.pwrite(fd, b'{}', 0)
        except OSError as error:
            print(errno.errorcode[error.errno])
        for thread in threads:
            thread.join()
        print(answers[0] == answers[1], answers[0].decode(), end="")
    """
    output = harness.run("python3", "-SE", "-c", program, w.file).output
    assert output == "EBUSY\nTrue " + w.answer({"tasks.max": "0"}).decode()
    assert w.asked() == [{"tasks.max": "0"}]


# What is asked


def test_read_as_a_configuration(asking):
    """As a save reads it, so that the verdict is on what a save would send."""
    w = asking()
    w.process.write(w.file, b'{"name": "x", "config": {"tasks.max": 7, "big": 9007199254740993,'
                    b' "on": true, "kafka.api.secret": "****", "topic": "gr\xc3\xb6\xc3\x9fe"}}')
    assert w.asked() == [{"name": "x", "tasks.max": "7", "big": "9007199254740993", "on": "true",
                          "kafka.api.secret": "****", "topic": "größe"}]


@pytest.mark.parametrize("question", [
    b"[]", b"7", b'"x"', b"null", b"{", b'{"a": 1,}', b"{} {}", b"\xff", b'{"a": "1", "a": "2"}',
    b'{"a": {"b": "c"}}', b'{"a": null}', b" ", b"key=value",
])
def test_not_a_question(asking, question):
    """Refused at once; nothing is sent."""
    w = asking()
    w.assert_clean()
    with fails(errno.EINVAL):
        w.process.write(w.file, question)
    assert w.api.calls() == []
    w.assert_refused(question, "validate.json: not answered (Invalid argument)\n",
                     "What was asked is in validate.json.rejected.\n")
    assert "not asked" in w.process.read(w.mounted / ".connectfs" / "errors").decode()
    assert w.process.read(w.file) == w.answer({})
    w.process.write(w.file, text(QUESTION))
    w.assert_clean()


def test_not_a_question_by_a_read(asking):
    w = asking()
    fd = w.process.open(w.file, os.O_RDWR)
    w.process.write_fd(fd, b"[]")
    for _ in range(2):
        with fails(errno.EINVAL):
            w.process.pread(fd, 10, 0)
    with fails(errno.EINVAL):
        w.process.close(fd)
    assert w.api.calls() == []
    assert len(w.process.read(w.mounted / ".connectfs" / "errors").splitlines()) == 1


def test_too_large(asking):
    w = asking()
    with fails(errno.EFBIG):
        w.process.write(w.file, b" " * ((1 << 20) + 1))
    assert w.api.calls() == []


# Refusals and failures


def test_refused(asking):
    """EINVAL at close, the API's words beside it, and no secret in them or in the log."""
    w = asking()
    question = dict(QUESTION, **{"kafka.api.secret": "zebra-17-stripes"})
    w.api.fault(method="PUT", path="/validate$", status=400, headers={"X-Request-Id": "id-77"},
                body={"error": {"code": 400, "message": "zebra-17-stripes: unheard of"}})
    with fails(errno.EINVAL):
        w.process.write(w.file, text(question))
    assert w.asked() == [question]
    w.assert_refused(text(question), "validate.json: not answered (Invalid argument)\n",
                     "the API answered 400.\n", "***: unheard of\n", "request id: id-77\n")
    errors = w.process.read(w.mounted / ".connectfs" / "errors").decode()
    assert f"PUT {w.path}: status 400: ***: unheard of [request id-77]" in errors
    for shown in (errors, w.mounted.log(), w.process.read(w.error).decode()):
        assert "zebra" not in shown
    assert w.process.read(w.file) == w.answer({}), "an old answer is none"
    w.process.write(w.file, text(question))
    assert w.process.read(w.file) == w.answer(question)
    w.assert_clean()


@pytest.mark.parametrize("fault, number, attempts", [
    ({"status": 401}, errno.EACCES, 1), ({"status": 402}, errno.EDQUOT, 1),
    ({"status": 403}, errno.EACCES, 1), ({"status": 404}, errno.ENOENT, 1),
    ({"status": 404, "body": "<html>", "headers": {"Content-Type": "text/html"}}, errno.EIO, 1),
    ({"status": 413}, errno.EFBIG, 1), ({"status": 422}, errno.EINVAL, 1),
    ({"status": 429, "headers": {"Retry-After": "60"}}, errno.EBUSY, 1),
    ({"status": 501}, errno.EIO, 1), ({"hang": True}, errno.ETIMEDOUT, 1),
    ({"garbage": True}, errno.EBADMSG, 1), ({"truncate": 50}, errno.EBADMSG, None),
    ({"body_only": "[]"}, errno.EBADMSG, 1), ({"body_only": ""}, errno.EBADMSG, 1),
    ({"body_only": "{} {}"}, errno.EBADMSG, 1), ({"status": 503}, errno.EIO, None),
    ({"status": 500}, errno.EIO, None), ({"drop": True}, errno.EIO, None),
])
def test_failures(asking, fault, number, attempts):
    w = asking(timeout=1)
    w.api.fault(method="PUT", path="/validate$", times=-1, **fault)
    with takes(at_most=4):
        with fails(number):
            w.process.write(w.file, text(QUESTION))
    asked = w.asked()
    assert all(one == QUESTION for one in asked)
    assert len(asked) == attempts if attempts else 2 <= len(asked) <= 30
    w.assert_refused(text(QUESTION), f"({os.strerror(number)})")
    w.api.clear_faults()
    w.process.write(w.file, text(QUESTION))
    assert w.process.read(w.file) == w.answer(QUESTION)
    w.assert_clean()


@pytest.mark.parametrize("fault", [
    {"status": 503}, {"status": 429}, {"status": 500}, {"drop": True}, {"truncate": 10}])
def test_repeated_with_success(asking, fault):
    w = asking()
    w.api.fault(method="PUT", path="/validate$", **fault)
    w.process.write(w.file, text(QUESTION))
    assert w.asked() == [QUESTION, QUESTION]
    assert w.process.read(w.file) == w.answer(QUESTION)


def test_interrupted(asking):
    """Ctrl-C ends the wait at once; the answer comes all the same."""
    w = asking()
    w.api.fault(method="PUT", path="/validate$", delay_ms=1500)
    with takes(at_most=1.4):
        harness.run("timeout", "-s", "INT", "0.3", "sh", "-c",
                    f"echo '{json.dumps(QUESTION)}' >{w.file}", status=None)
    poll(lambda: w.process.read(w.file) == w.answer(QUESTION), 5)
    assert w.api.bodies("PUT").count(QUESTION) == 1


# What may be done with it


@pytest.mark.parametrize("option", ["ro", "dry_run"])
def test_questions_change_nothing(asking, option):
    w = asking(**{option: True})
    w.process.write(w.file, text(QUESTION))
    assert w.process.read(w.file) == w.answer(QUESTION)
    fd = w.process.open(w.file, os.O_RDWR | os.O_TRUNC)
    w.process.write_fd(fd, b"{}")
    assert w.process.read_fd(fd) == w.answer({})
    assert w.asked() == [QUESTION, {}]
    with fails(errno.EINVAL):
        w.process.write(w.file, b"[]")
    assert w.process.read(w.rejected) == b"[]"
    assert w.process.read(w.mounted / ".connectfs" / "changes") == b""


def test_nothing_else_is_written_to_a_read_only_mount(asking):
    w = asking(ro=True)
    place = w.mounted.connector(w.site, "plain")
    for attempt in (
            lambda: w.process.open(place / "config.json", os.O_WRONLY),
            lambda: w.process.open(place / "config.json", os.O_RDWR | os.O_TRUNC),
            lambda: w.process.open(place / "new", os.O_WRONLY | os.O_CREAT),
            lambda: w.process.truncate(place / "config.json", 0),
            lambda: w.process.unlink(place / "config.json"),
            lambda: w.process.unlink(place / "status.json"),
            lambda: w.process.mknod(place / "new"),
            lambda: w.process.symlink("x", place / "new"),
            lambda: w.process.link(place / "config.json", place / "new"),
            lambda: w.process.rename(place / "config.json", place / "new"),
            lambda: w.process.rename_with(place / "config.json", place / "state", 2),
            lambda: w.process.mkdir(place / "new"),
            lambda: w.process.mkdir(place.parent / "new"),
            lambda: w.process.rmdir(place),
            lambda: w.process.chmod(place / "config.json", 0o600),
            lambda: w.process.utime(place / "config.json"),
            lambda: w.process.utime(place),
            lambda: w.process.write(place / "state", b"pause\n"),
            lambda: w.process.write(w.mounted / ".connectfs" / "refresh", b"1\n")):
        with fails(errno.EROFS):
            attempt()
    assert w.process.access(place / "config.json", os.R_OK)
    assert not w.process.access(place / "config.json", os.W_OK)
    assert not w.process.access(place, os.W_OK)
    assert w.process.access(w.file, os.W_OK)
    assert w.api.writes() == []


def test_it_stays_where_it_is(asking):
    w = asking()
    for attempt in (lambda: w.process.unlink(w.file),
                    lambda: w.process.rename(w.file, w.directory / "other"),
                    lambda: w.process.rename(w.template, w.file),
                    lambda: w.process.link(w.file, w.directory / "other"),
                    lambda: w.process.mkdir(w.directory / "other"),
                    lambda: w.process.create(w.directory / "other", b"")):
        with fails(errno.EPERM):
            attempt()
    w.process.chmod(w.file, 0o600)
    w.process.utime(w.file, ns=(1, 2))
    with fails(errno.EACCES):
        w.process.open(w.template, os.O_WRONLY)
    assert set(w.api.bodies("PUT")[0]) == set()


def test_modes(asking):
    w = asking(umask="022")
    assert [w.process.stat(name).st_mode & 0o7777 for name in (w.file, w.template)] \
        == [0o644, 0o444]
    fd = w.process.open(w.file, os.O_WRONLY | os.O_TRUNC)
    assert w.process.fstat(fd).st_mode & 0o7777 == 0o644
    assert w.process.fstat(fd).st_ino == w.process.stat(w.file).st_ino


# The template


def template_of(verdict, name):
    """An implementation that shares nothing with the program's."""
    made = {"connector.class": name}
    for wanted in (True, False):
        for one in verdict["configs"]:
            definition, value = one["definition"], one["value"]
            if definition["required"] != wanted or not value["visible"]:
                continue
            values = [value["value"]] if wanted else value["recommended_values"]
            if values:
                start = definition["default_value"] or values[0]
                made.setdefault(definition["name"], "" if "{{" in start else start)
    return made


def test_templates(asking, emulator):
    """Of every plugin there is: the class, what is required, what has recommended values."""
    w = asking()
    names = w.process.listdir(w.directory.parent)
    assert len(names) > 10
    for name in names:
        path = f"{w.site.plugins}/{name}/config/validate"
        verdict = json.loads(emulator.api(path, "PUT", {}))
        made = template_of(verdict, name)
        shown = w.process.read(w.directory.parent / name / "template.json")
        assert shown == canonical.render(made)
        assert list(made)[0] == "connector.class" and len(made) > 3
    assert len(w.api.calls()) == len(names)


def test_the_template_in_full(asking):
    """Once as plain text."""
    w = asking()
    assert w.process.read(w.template).decode() == '''{
  "connector.class": "DatagenSource",
  "name": "",
  "kafka.api.key": "",
  "kafka.api.secret": "",
  "tasks.max": "",
  "kafka.topic": "",
  "quickstart": "",
  "kafka.auth.mode": "KAFKA_API_KEY",
  "output.data.format": "JSON"
}
'''


def test_a_template_of_an_unusual_verdict(asking):
    """Placeholders are left empty, repeated and hidden settings out, and defaults go first."""
    def config(name, required, default, value, recommended=(), **more):
        return {"definition": {"name": name, "required": required, "default_value": default},
                "value": {"name": name, "value": value, "recommended_values": list(recommended),
                          "errors": [], "visible": True, **more}}
    w = asking()
    w.api.fault(method="PUT", path="/validate$", body_only=json.dumps({"configs": [
        config("choice", False, "", None, ["first", "second"]),
        config("chosen", False, "second", None, ["first", "second"]),
        config("name", True, "", "{{.logicalClusterId}}"),
        config("connector.class", True, "", "io.example.Sink"),
        config("filled", True, "", "by the API"), config("default", True, "ours", "by the API"),
        config("templated", True, "x-{{.id}}", "y"), config("none", True, None, None),
        config("hidden", True, "", "", visible=False), config("name", True, "again", "again"),
        config("optional", False, "unused", "unused"), config("größe \"", True, "", "\\"),
        {"definition": {"name": 7, "required": True}}, 7]}))
    assert w.process.read(w.template).decode() == '''{
  "connector.class": "DatagenSource",
  "name": "",
  "filled": "by the API",
  "default": "ours",
  "templated": "",
  "none": "",
  "größe \\"": "\\\\",
  "choice": "first",
  "chosen": "second"
}
'''


def test_a_verdict_without_settings(asking):
    w = asking()
    w.api.fault(method="PUT", path="/validate$", body_only='{"configs": {}}')
    with fails(errno.EBADMSG):
        w.process.read(w.template)


def test_from_the_template_to_a_connector(asking):
    """A template, filled in, is valid and creates a connector."""
    w = asking()
    made = json.loads(w.process.read(w.template))
    made.update({"name": "made-up", "kafka.api.key": "K", "kafka.api.secret": "S",
                 "tasks.max": "1", "kafka.topic": "t", "quickstart": "ORDERS"})
    w.process.write(w.file, text(made))
    assert json.loads(w.process.read(w.file))["error_count"] == 0
    directory = w.mounted.connector(w.site, "made-up")
    w.process.mkdir(directory)
    w.process.write(directory / "config.json", text(made))
    stored = w.site.config("made-up")
    assert {key: stored[key] for key in made} == made
