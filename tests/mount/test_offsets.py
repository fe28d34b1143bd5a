"""offsets.json and offsets-request.json: how far a connector has come, and altering that."""

import errno
import json
import os
import signal
import subprocess

import pytest

import canonical
import harness
import samples
import terminal
from harness import elapse, fails, hold, poll, takes

LARGE = "9007199254740993"
NEVER = 600000
LISTED = {"config.json", "connector.json", "status.json", "state"}
REFUSED = {"status": 400, "body": {"error_code": 400, "message": "the partition is purple"}}


def place(topic, partition, offset):
    return {"partition": {"kafka_partition": partition, "kafka_topic": topic},
            "offset": None if offset is None else {"kafka_offset": offset}}


class Offsets:
    """A sink with four partitions, and its two files. Requests to alter them stay pending."""

    def __init__(self, api, site, mounted, process):
        self.api, self.site, self.mounted, self.process = api, site, mounted, process
        self.directory = mounted.connector(site, "sink")
        self.file, self.request = (self.directory / name
                                   for name in ("offsets.json", "offsets-request.json"))
        self.error, self.rejected = (self.directory / f"offsets.json.{ending}"
                                     for ending in ("error", "rejected"))
        self.get = "GET", site.of("sink", "/offsets")
        self.post = "POST", site.of("sink", "/offsets/request")
        self.status = "GET", site.of("sink", "/offsets/request/status")
        self.text = process.read(self.file)
        self.value = json.loads(self.text)
        api.clear()

    def with_offsets(self, *changes, base=None, **members):
        """The text with some offsets replaced: (index, offset)…"""
        value = json.loads(base or self.text)
        for index, offset in changes:
            value["offsets"][index]["offset"] = \
                None if offset is None else {"kafka_offset": offset}
        return canonical.render({**value, **members})

    def live(self):
        """offsets.json as the API has it now."""
        return canonical.render(canonical.parse(self.api.api(self.get[1])))

    def sent(self):
        return self.api.bodies("POST")

    def move(self, *offsets):
        """Somebody else, or the connector itself, moves them."""
        topics = [("orders", 0), ("orders", 1), ("refunds", 0), ("refunds", 1)]
        self.site.patch("sink", offsets=[place(*topic, offset)
                                         for topic, offset in zip(topics, offsets)])

    def refresh(self):
        self.process.write(self.mounted / ".connectfs" / "refresh", b"1\n")

    def ends(self, reads=0):
        """Requests made from now on end at once, or when their status was read so often."""
        self.api.settings(offsets_reads=reads, offsets_ms=NEVER)

    def assert_refused(self, text, *words):
        assert self.process.read(self.rejected) == text
        reason = self.process.read(self.error).decode()
        for word in words:
            assert word in reason, reason
        assert self.process.read(self.file) == self.live()


@pytest.fixture
def offsets(emulator, site, mount, process):
    """offsets(ttl_status=0) mounts with these options and reads offsets.json."""
    site.create("sink", samples.SINK)
    emulator.settings(offsets_ms=NEVER, offsets_reads=NEVER)
    return lambda **options: Offsets(emulator, site, mount(emulator, **options), process)


# What is shown


def test_shown(offsets):
    w = offsets()
    assert w.text == w.live()
    assert [one["partition"] for one in w.value["offsets"]] == [
        {"kafka_partition": partition, "kafka_topic": topic}
        for topic in ("orders", "refunds") for partition in (0, 1)]
    assert w.process.stat(w.file).st_size == len(w.text)
    assert w.process.read(w.request) == b"{}\n"
    assert w.api.calls() == [w.status]
    assert w.mounted.log().count("status 404") == 0


def test_not_listed(offsets):
    w = offsets()
    assert set(w.process.listdir(w.directory)) == LISTED


def test_a_walk_does_not_ask(emulator, site, mount, process):
    mounted = mount(emulator)
    emulator.clear()
    process.tree(mounted / "environments")
    assert [path for _, path in emulator.calls() if "offsets" in path] == []


def test_asked_once_within_its_time(offsets):
    w = offsets(ttl_status=1)
    w.process.read(w.file)
    w.process.stat(w.file)
    assert len(w.api.calls()) <= 1
    w.api.clear()
    elapse(1.1)
    w.process.read(w.file)
    w.process.read(w.file)
    assert w.api.calls() == [w.get]


@pytest.mark.parametrize("class_, member", [
    ("PostgresCdcSourceV2", f'"lsn": {LARGE}'), ("DatagenSource", '"random.seed": -7046029254386353131')])
def test_every_digit(offsets, class_, member):
    w = offsets()
    w.site.create("source", {**samples.PLAIN, "connector.class": class_, "topic.prefix": "pg"})
    w.refresh()
    text = w.process.read(w.mounted.connector(w.site, "source") / "offsets.json").decode()
    assert member in text


def test_custom_connectors_have_none(emulators, mount, process):
    """The API refuses; that is told, and not taken for absence."""
    api = emulators("--provisioning", 0)
    site = harness.Site(api, *samples.first_cluster(api))
    mounted = mount(api)
    with fails(errno.EINVAL):
        process.read(mounted.connector(site, "gateway-telemetry") / "offsets.json")
    assert any("not managed" in line for line in
               process.read(mounted / ".connectfs" / "errors").decode().splitlines())


def test_time_stays_while_only_the_observation_is_newer(offsets):
    """The second backup copies nothing."""
    w = offsets(ttl_status=0)
    before = w.process.stat(w.file)
    w.move(*(one["offset"]["kafka_offset"] for one in w.value["offsets"]))
    w.api.clear()
    assert json.loads(w.live())["metadata"] != w.value["metadata"]
    assert w.process.read(w.file) == w.text
    after = w.process.stat(w.file)
    assert w.get in w.api.calls()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)
    w.move(1, 2, 3, 4)
    assert w.process.read(w.file) == w.live()
    assert w.process.stat(w.file).st_mtime_ns > before.st_mtime_ns


# What is sent


def test_one_partition(offsets):
    w = offsets()
    w.process.write(w.file, w.with_offsets((1, 5)))
    assert w.api.calls() == [w.post]
    request = w.api.requests()[0]
    assert json.loads(request["body"]) == {"type": "PATCH", "offsets": [place("orders", 1, 5)]}
    assert request["headers"]["Content-Type"] == "application/json"
    assert not w.process.exists(w.error)


def test_several_in_the_order_of_the_text(offsets):
    w = offsets()
    value = json.loads(w.with_offsets((0, 1), (3, 4)))
    value["offsets"].reverse()
    w.process.write(w.file, json.dumps(value).encode())
    assert w.sent() == [{"type": "PATCH",
                         "offsets": [place("refunds", 1, 4), place("orders", 0, 1)]}]


def test_every_digit_is_sent(offsets):
    w = offsets()
    w.process.write(w.file, w.with_offsets((0, 7)).replace(b": 7\n", f": {LARGE}\n".encode()))
    assert f'"kafka_offset":{LARGE}' in w.api.requests()[0]["body"]


def test_one_is_reset(offsets):
    w = offsets()
    w.process.write(w.file, w.with_offsets((2, None)))
    assert w.sent() == [{"type": "PATCH", "offsets": [place("refunds", 0, None)]}]


def test_a_new_partition(offsets):
    """Whether there can be one is the API's to say."""
    w = offsets()
    value = json.loads(w.text)
    value["offsets"].append(place("refunds", 7, 1))
    w.process.write(w.file, canonical.render(value))
    assert w.sent() == [{"type": "PATCH", "offsets": [place("refunds", 7, 1)]}]


def test_only_the_offsets(offsets):
    w = offsets()
    w.process.write(w.file, json.dumps({"offsets": json.loads(w.with_offsets((0, 1)))["offsets"]})
                    .encode())
    assert w.sent() == [{"type": "PATCH", "offsets": [place("orders", 0, 1)]}]


def shuffled(w):
    value = json.loads(w.text)
    for one in value["offsets"]:
        one["partition"] = dict(reversed(one["partition"].items()))
    value["metadata"]["observed_at"] = "1970-01-01T00:00:00Z"
    return json.dumps(dict(reversed(value.items())), indent=7).encode()


@pytest.mark.parametrize("text", [lambda w: w.text, shuffled], ids=["the same", "another form"])
def test_no_change(offsets, text):
    w = offsets()
    w.process.write(w.file, text(w))
    assert w.api.writes() == []
    assert w.process.read(w.file) == w.text
    assert not w.process.exists(w.error)


def test_what_others_moved_is_left_alone(offsets):
    """The partitions that differ from what the writer has opened, and no others: never ESTALE."""
    w = offsets(ttl_status=0)
    w.process.read(w.file)
    w.move(11, 12, 13, 14)
    w.process.write(w.file, w.with_offsets((3, 1)))
    assert w.sent() == [{"type": "PATCH", "offsets": [place("refunds", 1, 1)]}]


def test_each_process_goes_out_from_what_it_saw(offsets, processes):
    w = offsets(ttl_status=0)
    w.ends()
    other = processes()
    w.process.read(w.file)
    w.move(11, 12, 13, 14)
    theirs = other.read(w.file)
    w.process.write(w.file, w.with_offsets((0, 1)))
    assert w.sent() == [{"type": "PATCH", "offsets": [place("orders", 0, 1)]}]
    w.api.clear()
    other.write(w.file, w.with_offsets((1, 2), base=theirs))
    assert w.sent()[-1] == {"type": "PATCH", "offsets": [place("orders", 1, 2)]}


# What is not sent

MISTAKES = {
    "empty object": (lambda v: {}, "offsets"),
    "array": (lambda v: [], "not a JSON object"),
    "no array": (lambda v: {**v, "offsets": {}}, "offsets"),
    "left out": (lambda v: {**v, "offsets": v["offsets"][1:]}, "left out"),
    "none": (lambda v: {**v, "offsets": []}, "left out"),
    "twice": (lambda v: {**v, "offsets": v["offsets"] + [place("orders", 0, 1)]}, "twice"),
    "no offset": (lambda v: {**v, "offsets": [{"partition": {"a": 1}}, *v["offsets"]]}, "partition"),
    "a number": (lambda v: {**v, "offsets": [dict(v["offsets"][0], offset=5), *v["offsets"][1:]]},
                 "null"),
    "no partition": (lambda v: {**v, "offsets": [{"offset": {}}, *v["offsets"]]}, "partition"),
    "another name": (lambda v: {**v, "name": "plain"}, "name"),
    "another member": (lambda v: {**v, "offset": []}, "offset"),
}


@pytest.mark.parametrize("mistake", list(MISTAKES))
def test_mistakes(offsets, mistake):
    w = offsets()
    make, word = MISTAKES[mistake]
    text = canonical.render(make(json.loads(w.text)))
    with fails(errno.EINVAL):
        w.process.write(w.file, text)
    assert w.api.writes() == []
    w.assert_refused(text, word, "Invalid argument", "offsets.json.rejected")


@pytest.mark.parametrize("old, new, word", [
    (b'"kafka_offset": ', b'"kafka_offset": 1, "kafka_offset": ', "twice"),
    (b'"name": ', b'"name": "sink", "name": ', "twice"), (b": 0", b": 00", "line"),
    (b"\n}\n", b"\n} x", "line"), (b"orders", b"orders\\ud800", "surrogate"),
], ids=["nested twice", "twice", "number", "more", "surrogate"])
def test_wrong_json(offsets, old, new, word):
    w = offsets()
    text = w.text.replace(old, new, 1)
    with fails(errno.EINVAL):
        w.process.write(w.file, text)
    assert w.api.writes() == []
    poll(lambda: w.process.read(w.file) == w.text, 5)
    w.assert_refused(text, word)


def test_truncation_sends_nothing(offsets):
    w = offsets(delete_delay=0.3)
    w.process.write(w.file, b"")
    assert w.process.stat(w.file).st_size == 0
    poll(lambda: w.process.read(w.file) == w.text, 5)
    assert w.api.writes() == []
    assert "left empty" in w.process.read(w.error).decode()


def test_a_shell_writes_in_two_parts(offsets):
    """`>` and then `>>` is one save: half a text waits for the rest."""
    w = offsets(delete_delay=3)
    text = w.with_offsets((0, 3))
    with fails(errno.EINVAL):
        w.process.write(w.file, text[:100])
    assert w.process.read(w.file) == text[:100]
    w.process.write(w.file, text[100:], os.O_WRONLY | os.O_APPEND)
    assert w.sent() == [{"type": "PATCH", "offsets": [place("orders", 0, 3)]}]
    assert not w.process.exists(w.error)


@pytest.mark.parametrize("name", ["file", "request"])
def test_removal_resets_nothing(offsets, name):
    w = offsets(delete_delay=0.3)
    path = getattr(w, name)
    shown = w.process.read(path)
    w.process.unlink(path)
    assert not w.process.exists(path)
    poll(lambda: w.process.exists(path) and w.process.read(path) == shown, 5)
    assert w.api.writes() == []


def test_renamed_away(offsets):
    w = offsets(delete_delay=0.3)
    w.process.rename(w.file, w.directory / "old")
    assert not w.process.exists(w.file)
    poll(lambda: w.process.exists(w.file), 5)
    assert w.process.read(w.directory / "old") == w.process.read(w.file) == w.text
    assert w.api.writes() == []


def test_rm_r_only_deletes_the_connector(offsets):
    w = offsets()
    harness.run("rm", "-r", w.directory)
    assert w.api.writes() == [w.site.delete("sink")]


# Programs


VIM = {
    "default": [],
    "backup and more": ["--cmd", "set backup patchmode=.orig undofile"],
    "by copy": ["--cmd", "set backupcopy=yes"],
    "by rename": ["--cmd", "set backupcopy=no"],
}


def vim(w, how, *commands, status=0):
    words = ["vim", "-N", "-u", "NONE", *VIM[how], "-i", "NONE"]
    for command in commands:
        words += ["-c", command]
    ended, shown = terminal.run([*words, w.file], (), HOME=w.mounted.home / "work")
    assert status is None or ended == status, shown
    return shown


FIRST = "1,/kafka_offset/s/\"kafka_offset\": [0-9]*/\"kafka_offset\": 5/"


@pytest.mark.parametrize("how", list(VIM))
def test_vim(offsets, how):
    w = offsets(delete_delay=0.4)
    vim(w, how, FIRST, "wq")
    assert w.api.writes() == [w.post]
    assert w.sent() == [{"type": "PATCH", "offsets": [place("orders", 0, 5)]}]
    assert w.process.read(w.file) == w.with_offsets((0, 5))
    hold(lambda: w.api.writes() == [w.post] and w.process.exists(w.file), 0.8)


def test_vim_without_a_change(offsets):
    w = offsets()
    vim(w, "default", "wq")
    assert w.api.writes() == []


@pytest.mark.parametrize("how", ["default", "by copy"])
def test_vim_meets_a_refusal(offsets, how):
    """It rolls back, which sends nothing."""
    w = offsets(delete_delay=0.4)
    w.api.fault(method="POST", path="/offsets/request$", times=-1, **REFUSED)
    shown = vim(w, how, FIRST, "silent! w", "qa!", status=None)
    assert w.api.writes() == [w.post], shown
    poll(lambda: w.process.exists(w.file) and w.process.read(w.file) == w.text, 6)
    w.assert_refused(w.with_offsets((0, 5)), "the partition is purple")
    hold(lambda: w.api.writes() == [w.post], 0.8)


def test_vim_saves_twice(offsets):
    """The second save meets no "changed on disk", and waits until the first request has ended."""
    w = offsets()
    w.ends()
    shown = vim(w, "default", FIRST, "w", "%s/\"kafka_offset\": 5$/\"kafka_offset\": 6/", "wq")
    assert "W11" not in shown and "WARNING" not in shown
    assert [body["offsets"] for body in w.sent()] == [
        [place("orders", 0, 5)], [place("orders", 0, 6)]]


PROGRAMS = {
    "sed -i": "sed -i 's/: 1$/: 5/' offsets.json",
    "sed -i.bak": "sed -i.bak 's/: 1$/: 5/' offsets.json",
    "jq >": "jq '.offsets[0].offset.kafka_offset = 5' offsets.json >t && cat t >offsets.json",
    "jq and mv": "jq '.offsets[0].offset.kafka_offset = 5' offsets.json >t && mv t offsets.json",
    "sponge": "jq '.offsets[0].offset.kafka_offset = 5' offsets.json | sponge offsets.json",
    "cp --remove-destination": "sed 's/: 1$/: 5/' offsets.json >t && "
                               "cp --remove-destination t offsets.json",
    "cp -b": "sed 's/: 1$/: 5/' offsets.json >t && cp -b t offsets.json",
    "install": "sed 's/: 1$/: 5/' offsets.json >t && install -m 600 t offsets.json",
    "ln -f": "sed 's/: 1$/: 5/' offsets.json >t && ln -f t offsets.json",
    "perl -pi": "perl -pi -e 's/: 1$/: 5/' offsets.json",
    "tee": "sed 's/: 1$/: 5/' offsets.json >t && tee offsets.json <t >/dev/null",
    "patch": "sed 's/: 1$/: 5/' offsets.json >t; diff -u offsets.json t | patch -s offsets.json",
}


@pytest.mark.parametrize("program", list(PROGRAMS))
def test_programs(offsets, program):
    """However a file is replaced: one request for the one partition that changes."""
    w = offsets(delete_delay=0.5, ttl_status=0)
    w.move(1, 12, 13, 14)
    harness.run("cd %s && %s" % (w.directory, PROGRAMS[program]), shell=True)
    poll(lambda: w.api.writes(), 5)
    assert w.sent() == [{"type": "PATCH", "offsets": [place("orders", 0, 5)]}]
    poll(lambda: w.process.exists(w.file), 5)
    assert json.loads(w.process.read(w.file))["offsets"][0] == place("orders", 0, 5)
    hold(lambda: w.api.writes() == [w.post] and w.process.exists(w.file), 0.8)


# After it


def test_shown_at_once_and_until_it_ends(offsets):
    """What was asked for is shown while it is pending, then what the API shows."""
    w = offsets(ttl_status=0)
    text = w.with_offsets((0, 5), (1, None))
    fd = w.process.open(w.file, os.O_WRONLY | os.O_TRUNC)
    w.process.write_fd(fd, text)
    w.process.fsync(fd)
    written = w.process.fstat(fd).st_mtime_ns
    w.process.close(fd)
    status = w.process.stat(w.file)
    assert w.process.read(w.file) == text
    assert (status.st_size, status.st_mtime_ns) == (len(text), written)
    phases = []
    for _ in range(2):
        phases.append(json.loads(w.process.read(w.request))["status"]["phase"])
        assert w.process.read(w.file) == text
    assert set(phases) <= {"PENDING_VALIDATION", "PENDING"}
    assert json.loads(w.live())["offsets"] == w.value["offsets"]


def test_applied(offsets):
    w = offsets(ttl_status=0)
    w.ends(reads=2)
    w.process.write(w.file, w.with_offsets((0, 5), (1, None)))
    seen = [json.loads(w.process.read(w.request))["status"]["phase"] for _ in range(3)]
    assert seen[-1] == "APPLIED" and "PENDING" in "".join(seen[:-1])
    assert w.process.read(w.file) == w.live()
    assert json.loads(w.live())["offsets"][:2] == [place("orders", 0, 5), place("orders", 1, 0)]
    w.move(11, 12, 13, 14)
    assert w.process.read(w.file) == w.live()


def test_failed(offsets):
    """The text and the reason are kept, and the API's content is shown."""
    w = offsets(ttl_status=0)
    w.site.patch("sink", fail_offsets="the consumer group is purple")
    w.ends(reads=1)
    text = w.with_offsets((0, 5))
    w.process.write(w.file, text)
    assert not w.process.exists(w.error)
    poll(lambda: w.process.read(w.file) == w.text, 5)
    w.assert_refused(text, "the consumer group is purple")
    assert any("the consumer group is purple" in line for line in
               w.process.read(w.mounted / ".connectfs" / "errors").decode().splitlines())
    w.process.write(w.file, text)
    assert not w.process.exists(w.error) and not w.process.exists(w.rejected)


def test_forgotten_when_its_end_is_not_told(offsets):
    """Without a status, what was asked for is shown for `settle` seconds, and no longer."""
    w = offsets(ttl_status=0, settle=1, timeout=1)
    w.api.fault(method="GET", path="/status$", times=-1, status=400)
    w.process.write(w.file, w.with_offsets((0, 5)))
    assert w.process.read(w.file) == w.with_offsets((0, 5))
    poll(lambda: w.process.read(w.file) == w.text, 10)


def test_one_request_at_a_time(offsets):
    """The second waits until the first has ended."""
    w = offsets()
    w.api.settings(offsets_ms=1500)
    w.process.write(w.file, w.with_offsets((0, 5)))
    with takes(at_least=1):
        w.process.write(w.file, w.with_offsets((0, 5), (1, 6)))
    assert w.sent()[0] == {"type": "PATCH", "offsets": [place("orders", 0, 5)]}
    assert w.sent()[-1] == {"type": "PATCH", "offsets": [place("orders", 1, 6)]}
    assert w.process.read(w.file) == w.with_offsets((1, 6), base=w.live())
    assert json.loads(w.live())["offsets"][0] == place("orders", 0, 5)


def test_one_request_for_too_long(offsets):
    w = offsets(timeout_write=1)
    w.process.write(w.file, w.with_offsets((0, 5)))
    text = w.with_offsets((0, 5), (1, 6))
    with takes(at_most=3):
        with fails(errno.EBUSY):
            w.process.write(w.file, text)
    assert w.process.read(w.rejected) == text
    assert "under way" in w.process.read(w.error).decode()
    assert w.process.read(w.file) == w.with_offsets((0, 5))


def test_ctrl_c(offsets):
    """The caller is let go; the request goes on, and is recorded."""
    w = offsets()
    w.process.write(w.file, w.with_offsets((0, 5)))
    w.process.write(w.mounted.home / "text", w.with_offsets((0, 5), (1, 6)))
    w.api.clear()
    command = subprocess.Popen(["cp", w.mounted.home / "text", w.file],
                               preexec_fn=harness.die_with_parent)
    poll(lambda: w.api.writes(), 10)
    with takes(at_most=2):
        command.send_signal(signal.SIGINT)
        command.wait(10 * harness.SLOW)
    assert command.returncode == -signal.SIGINT
    w.site.patch("sink", delete=True)
    poll(lambda: "sink: refused" in w.process.read(w.mounted / ".connectfs" / "changes").decode(),
         20)


# When nobody answers


def test_unanswered_but_taken(offsets):
    """It is settled by looking, and not sent again."""
    w = offsets()
    w.api.fault(method="POST", path="/offsets/request$", unanswered="drop")
    w.process.write(w.file, w.with_offsets((0, 5)))
    assert w.api.calls() == [w.post, w.status]
    assert w.process.read(w.file) == w.with_offsets((0, 5))
    assert not w.process.exists(w.error)


def test_unanswered_and_not_taken(offsets):
    w = offsets()
    w.api.fault(method="POST", path="/offsets/request$", drop=True)
    w.process.write(w.file, w.with_offsets((0, 5)))
    assert w.api.calls() == [w.post, w.status, w.post]
    assert len(w.sent()) == 2 and w.sent()[0] == w.sent()[1]


def test_an_earlier_one_is_not_taken_for_it(offsets):
    """The same was asked for long ago."""
    w = offsets(ttl_status=0)
    w.ends()
    w.process.write(w.file, w.with_offsets((0, 5)))
    w.process.read(w.request)
    w.move(*(one["offset"]["kafka_offset"] for one in w.value["offsets"]))
    poll(lambda: w.process.read(w.file) == w.text, 5)
    elapse(6.5)
    w.api.clear()
    w.api.fault(method="POST", path="/offsets/request$", drop=True)
    w.process.write(w.file, w.with_offsets((0, 5)))
    assert [call for call in w.api.calls() if call != w.get] == [w.post, w.status, w.post]


def test_nobody_answers_in_time(offsets):
    """Refused; but when the request turns out to have been taken, that is forgotten."""
    w = offsets(timeout_write=1, ttl_status=0)
    w.api.fault(method="POST", path="/offsets/request$", times=-1, unanswered="hang")
    text = w.with_offsets((0, 5))
    with fails(errno.ETIMEDOUT):
        w.process.write(w.file, text)
    w.api.clear_faults()
    poll(lambda: w.process.read(w.file) == text, 5)
    assert not w.process.exists(w.error) and not w.process.exists(w.rejected)
    assert w.api.writes() == [w.post]


# Refusals


@pytest.mark.parametrize("status, number", [
    (400, errno.EINVAL), (401, errno.EACCES), (402, errno.EDQUOT), (403, errno.EACCES),
    (404, errno.ENOENT), (413, errno.EFBIG), (422, errno.EINVAL), (500, errno.EIO)])
def test_refused_by_the_api(offsets, status, number):
    w = offsets()
    w.api.fault(method="POST", path="/offsets/request$", times=-1, status=status,
                body={"error": {"code": status, "message": "the partition is purple"}})
    text = w.with_offsets((0, 5))
    with fails(number):
        w.process.write(w.file, text)
    assert w.api.writes() == [w.post]
    w.assert_refused(text, "the partition is purple", str(status))
    assert any("the partition is purple" in line for line in
               w.process.read(w.mounted / ".connectfs" / "errors").decode().splitlines())
    assert {"offsets.json.error", "offsets.json.rejected"} \
        <= set(w.process.listdir(w.directory))


@pytest.mark.parametrize("fault", [
    {"status": 429}, {"status": 503}, {"status": 502}, {"status": 504}, {"drop": True}])
def test_a_moment_of_trouble(offsets, fault):
    w = offsets()
    w.api.fault(method="POST", path="/offsets/request$", times=2, **fault)
    w.process.write(w.file, w.with_offsets((0, 5)))
    assert w.api.writes() == [w.post] * 3
    assert not w.process.exists(w.error)


@pytest.mark.parametrize("fault", [{"garbage": True}, {"body_only": ""}, {"truncate": 10}])
def test_an_answer_that_is_none(offsets, fault):
    """It was taken, which a look tells."""
    w = offsets()
    w.api.fault(method="POST", path="/offsets/request$", **fault)
    w.process.write(w.file, w.with_offsets((0, 5)))
    assert w.api.calls()[:2] == [w.post, w.status] and w.api.writes() == [w.post]


def test_a_good_save_clears_a_refusal(offsets):
    w = offsets()
    w.api.fault(method="POST", path="/offsets/request$", **REFUSED)
    with fails(errno.EINVAL):
        w.process.write(w.file, w.with_offsets((0, 5)))
    w.process.write(w.file, w.with_offsets((0, 6)))
    assert set(w.process.listdir(w.directory)) == LISTED


def test_a_rename_that_is_refused(offsets):
    w = offsets()
    w.api.fault(method="POST", path="/offsets/request$", **REFUSED)
    text = w.with_offsets((0, 5))
    w.process.write(w.directory / "t", text)
    with fails(errno.EINVAL):
        w.process.rename(w.directory / "t", w.file)
    assert w.process.read(w.directory / "t") == text
    w.assert_refused(text, "the partition is purple")


@pytest.mark.parametrize("fault, numbers", [
    ({"status": 404, "body": {"error": {"code": 404, "message": "no"}}}, [errno.ENOENT]),
    ({"status": 404, "body": "<html>", "headers": {"Content-Type": "text/html"}}, [errno.EIO]),
    ({"status": 400, "body": {"message": "no"}}, [errno.EINVAL]),
    ({"status": 403, "body": {"message": "no"}}, [errno.EACCES]),
    ({"status": 500}, [errno.EIO]), ({"status": 429}, [errno.EBUSY]),
    ({"garbage": True}, [errno.EBADMSG]), ({"body_only": "[]"}, [errno.EBADMSG]),
    ({"body_only": "null"}, [errno.EBADMSG]),
    ({"truncate": 20}, [errno.EBADMSG, errno.EIO]), ({"drop": True}, [errno.EIO]),
    ({"hang": True}, [errno.ETIMEDOUT])], ids=str)
@pytest.mark.parametrize("name", ["file", "request"])
def test_reading_fails(offsets, name, fault, numbers):
    w = offsets(ttl_status=0, ttl_negative=0, stale=0, timeout=1)
    path = "/offsets$" if name == "file" else "/status$"
    w.process.write(w.request, b'{"type": "DELETE"}')
    w.api.fault(method="GET", path=path, times=-1, **fault)
    if name == "request" and numbers == [errno.ENOENT]:
        assert w.process.read(w.request) == b"{}\n"
        return
    with fails(*numbers, errno.ETIMEDOUT):
        w.process.read(getattr(w, name))


def test_the_last_good_answer_serves(offsets):
    w = offsets(ttl_status=0, timeout=2)
    w.api.fault(method="GET", path="/offsets$", times=-1, status=503)
    assert w.process.read(w.file) == w.text


# A whole request


def test_reset_all(offsets):
    w = offsets(ttl_status=0)
    w.ends(reads=1)
    w.process.write(w.request, b'{"type": "DELETE"}\n')
    assert w.api.writes() == [w.post]
    assert w.sent() == [{"type": "DELETE"}]
    poll(lambda: json.loads(w.process.read(w.request))["status"]["phase"] == "APPLIED", 5)
    poll(lambda: w.process.read(w.file) == w.live(), 5)
    assert {one["offset"]["kafka_offset"] for one in json.loads(w.live())["offsets"]} == {0}


def test_a_whole_request(offsets):
    w = offsets()
    body = {"type": "PATCH", "offsets": [place("orders", 0, 5), place("refunds", 0, None)]}
    w.process.write(w.request, json.dumps(body).encode())
    assert w.sent() == [body]
    assert w.process.read(w.file) == w.with_offsets((0, 5), (2, None))
    shown = json.loads(w.process.read(w.request))
    assert shown["request"]["offsets"] == body["offsets"]
    assert shown["status"] == {"phase": "PENDING_VALIDATION"}


def test_a_request_in_an_editor(offsets):
    w = offsets()
    ended, shown = terminal.run(
        ["vim", "-N", "-u", "NONE", "-i", "NONE", "-c", 's/{}/{"type": "DELETE"}/', "-c", "wq",
         w.request], (), HOME=w.mounted.home / "work")
    assert ended == 0, shown
    assert w.sent() == [{"type": "DELETE"}]


def test_a_restored_request_does_nothing(offsets):
    """As a backup with show=offsets brings it back."""
    w = offsets(ttl_status=0)
    w.ends()
    w.process.write(w.request, b'{"type": "DELETE"}\n')
    shown = w.process.read(w.request)
    w.api.clear()
    w.process.write(w.request, shown)
    w.process.write(w.request, b"{}\n")
    assert w.api.writes() == []


@pytest.mark.parametrize("text", [b"[]", b'"DELETE"', b'{"type": "PUT"}', b'{"type": 1}', b"DELETE",
                                  b'{"offsets": []}', b'{"type": "DELETE", "type": "PATCH"}'])
def test_no_request(offsets, text):
    w = offsets()
    with fails(errno.EINVAL):
        w.process.write(w.request, text)
    assert w.api.writes() == []
    assert w.process.read(w.directory / "offsets-request.json.rejected") == text


def test_a_request_is_refused(offsets):
    w = offsets()
    text = b'{"type": "PATCH", "offsets": []}\n'
    with fails(errno.EINVAL):
        w.process.write(w.request, text)
    assert w.api.writes() == [w.post]
    assert w.process.read(w.directory / "offsets-request.json.rejected") == text
    assert "none to alter" in w.process.read(w.directory / "offsets-request.json.error").decode()
    assert w.process.read(w.request) == b"{}\n"


# Options, and the rest of the tree


def test_ro(offsets):
    w = offsets(ro=True)
    for path in w.file, w.request:
        shown = w.process.read(path)
        for act in (lambda path=path: w.process.write(path, b'{"type": "DELETE"}'),
                    lambda path=path: w.process.unlink(path),
                    lambda path=path: w.process.rename(path, w.directory / "x")):
            with fails(errno.EROFS):
                act()
        assert w.process.read(path) == shown
    assert w.api.writes() == []


def test_dry_run(offsets):
    w = offsets(dry_run=True)
    w.process.write(w.file, w.with_offsets((0, 5)))
    w.process.write(w.request, b'{"type": "DELETE"}\n')
    assert w.api.writes() == []
    assert w.process.read(w.file) == w.text
    assert w.process.read(w.request) == b"{}\n"
    text = w.process.read(w.mounted / ".connectfs" / "changes").decode()
    assert text.count("sink: not sent (dry run)") == 2
    assert f"  POST {w.post[1]}\n" in text


def test_the_audit_trail(offsets):
    w = offsets()
    w.process.write(w.file, w.with_offsets((0, 5), (3, None)))
    lines = w.process.read(w.mounted / ".connectfs" / "changes").decode().splitlines()
    before = [one["offset"]["kafka_offset"] for one in w.value["offsets"]]
    assert lines[0].endswith(f" alter offsets of {w.site.env}/{w.site.cluster}/sink: done")
    assert lines[1:] == [
        f"  POST {w.post[1]}",
        '  {"kafka_partition":0,"kafka_topic":"orders"}: '
        f'{{"kafka_offset":{before[0]}}} -> {{"kafka_offset":5}}',
        '  {"kafka_partition":1,"kafka_topic":"refunds"}: '
        f'{{"kafka_offset":{before[3]}}} -> null']


def test_the_audit_trail_of_a_refusal(offsets):
    w = offsets()
    w.api.fault(method="POST", path="/offsets/request$", **REFUSED)
    with fails(errno.EINVAL):
        w.process.write(w.request, b'{"type": "DELETE"}')
    lines = w.process.read(w.mounted / ".connectfs" / "changes").decode().splitlines()
    assert lines[0].endswith(" reset offsets of "
                             f"{w.site.env}/{w.site.cluster}/sink: refused (Invalid argument)")
    assert lines[1:] == [f"  POST {w.post[1]}", '  {"type":"DELETE"}']


def test_copied_with_its_connector(offsets):
    """In a directory that mkdir made they are scratch: the clone starts anew."""
    w = offsets()
    copy = w.mounted.connectors(w.site) / "copy"
    w.process.mkdir(copy)
    w.process.write(copy / "offsets.json", w.text)
    w.process.write(copy / "offsets-request.json", b'{"type": "DELETE"}')
    assert w.process.read(copy / "offsets.json") == w.text
    w.process.write(copy / "config.json", canonical.config(samples.PLAIN))
    assert w.api.writes() == [w.site.post]
    poll(lambda: "copy" in w.process.read(copy / "offsets.json").decode(), 10)
    assert w.api.writes() == [w.site.post]


def test_beside_a_save_of_the_configuration(offsets):
    """One draft does not meet the other."""
    w = offsets()
    first = w.process.open(w.file, os.O_WRONLY | os.O_TRUNC)
    config = w.process.read(w.directory / "config.json")
    second = w.process.open(w.directory / "config.json", os.O_WRONLY | os.O_TRUNC)
    w.process.write_fd(first, w.with_offsets((0, 5)))
    w.process.write_fd(second, config.replace(b"HOURLY", b"DAILY"))
    w.process.close(second)
    w.process.close(first)
    assert w.api.writes() == [w.site.put("sink"), w.post]
    assert w.site.config("sink")["time.interval"] == "DAILY"
    assert w.sent() == [{"type": "PATCH", "offsets": [place("orders", 0, 5)]}]
