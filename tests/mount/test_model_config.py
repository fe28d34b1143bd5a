"""Random sequences of calls on config.json and names beside it, compared with config_model.py after
every step: results, what is shown, what was sent, what the server has.

A failure prints its sequence, made short. CONNECTFS_MODEL=SEED:LENGTH runs another one.
"""

import errno
import json
import os
import time

import pytest

import canonical
import harness
import samples
import sequence
from config_model import CONFIG, ERROR, REJECTED, Model, Refused, is_mask
from harness import SLOW, elapse
from sequence import Fd, Name, fd, one_of
from work import Work

READ_ONLY = frozenset({"connector.json", "status.json", "state"})
PROCESSES = 3
FOREVER = 86400  # seconds: a grace time that does not end
ROLLBACK_S = 30


class Text(tuple):
    """A text to save, (kind, number)."""

    def __repr__(self):
        return f"Text({tuple(self)!r})"


def text(chance):
    return Text((chance.choice(KINDS), chance.randrange(3)))


KINDS = 4 * ["good"] + 2 * ["compact"] + ["secret", "secret", "empty", "first half", "second half",
                                          "twice", "null", "refused", "mask", "another name"]

any_name = one_of(*map(Name, (CONFIG, CONFIG, CONFIG, "a", "b", REJECTED)))
scratch = one_of(Name("a"), Name("b"))
flags = one_of(
    os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_TRUNC, os.O_RDWR | os.O_TRUNC,
    os.O_WRONLY | os.O_APPEND, os.O_WRONLY | os.O_CREAT, os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
    os.O_WRONLY | os.O_CREAT | os.O_TRUNC, os.O_WRONLY | os.O_CREAT | os.O_EXCL,
    os.O_RDWR | os.O_CREAT | os.O_EXCL)

CALLS = {
    "open": (16, fd, any_name, flags),
    "fill": (18, fd, text),
    "append": (4, fd, text),
    "pread": (3, fd),
    "cut": (2, fd, one_of(0, 10, 200, 2000)),
    "truncate": (2, any_name, one_of(0, 10, 200, 2000)),
    "close": (14, fd),
    "dup_close": (3, fd),
    "fsync": (4, fd),
    "save": (8, any_name, text),
    "rename": (10, any_name, any_name),
    "rename_with": (4, any_name, any_name, one_of(1, 2)),
    "link": (5, any_name, any_name),
    "unlink": (5, any_name),
    "read": (5, any_name),
    "theirs": (2,),
    "refresh": (2,),
    "expire": (3,),
    "rmdir": (1,),
    "mkdir": (2,),
    "look": (8,),
}


class Pair:
    """A mount and its model, and the same steps for both."""

    def __init__(self, w, processes, grace):
        self.w, self.grace = w, grace
        self.processes = processes  # the last one only looks
        content = json.loads(w.text)
        self.masks = {name: value for name, value in content.items() if is_mask(value)}
        self.plain = content
        self.model = Model(w.site.config("plain"), self.mask)
        self.observer = len(processes) - 1
        self.model.open(self.observer, CONFIG, False, render=self.render)  # by Work
        self.opened = {}  # (process, slot): (descriptor, that of the model)
        self.due_since = self.refused_since = None
        self.refused = None
        self.count = 0

    def mask(self, stored):
        return {name: self.masks.get(name, value) for name, value in stored.items()}

    def render(self, shown):
        return canonical.config(shown)

    def text(self, what):
        kind, number = what
        content = {**self.plain, "kafka.topic": f"topic-{number}"}
        more = {"secret": {name: f"secret-{number}" for name in self.masks},
                "refused": {"tasks.max": "many"}, "mask": {"a.new.setting": "****"},
                "another name": {"name": "other"}, "null": {"a.new.setting": None}}
        content.update(more.get(kind, {}))
        full = canonical.config(content)
        return {"compact": json.dumps(content).encode(), "empty": b"",
                "first half": full[:len(full) // 2], "second half": full[len(full) // 2:],
                "twice": full.replace(b"{", b'{"name": "plain",', 1)}.get(kind, full)

    def path(self, name):
        return str(self.w.directory / name)

    def both(self, number, call, arguments, expected):
        """One call of a process, and the function that says what it must return."""
        try:
            wanted = expected()
        except Refused as error:
            wanted = str(error)
        try:
            result = getattr(self.processes[number], call)(*arguments)
        except OSError as error:
            result = errno.errorcode[error.errno]
        good = isinstance(result, int) and wanted == "opened" or result == wanted
        assert good, f"{call}{arguments}: {result!r} instead of {wanted!r}"
        return result

    # The steps. Each is a method named after it.

    def step(self, number, call, arguments):
        self.watch_the_time()
        given = []
        for one in arguments:
            if isinstance(one, Fd) and call != "open":
                if (number, one) not in self.opened:
                    return
                one = self.opened[number, one]
            given.append(self.text(one) if isinstance(one, Text) else one)
        getattr(self, "do_" + call)(number, *given)
        if call not in ("fill", "append", "pread", "cut", "read"):
            self.check_sent()

    def watch_the_time(self):
        """Ends a grace time before it could end by itself, and the half minute after a refusal."""
        model, now = self.model, time.monotonic()
        pending = model.due or model.away
        self.due_since = (self.due_since or now) if pending else None
        if pending and now - self.due_since > 0.4 * self.grace:
            self.do_expire(0)
        if model.refused is not self.refused:
            self.refused, self.refused_since = model.refused, now
        if model.refused and now - self.refused_since > ROLLBACK_S - 5:
            elapse(ROLLBACK_S + 1 - (now - self.refused_since))
            model.refused = self.refused = None

    def check_sent(self):
        requests = [one for one in self.w.api.requests() if one["method"] != "GET"]
        self.w.api.clear()
        sent = []
        for one in requests:
            body = json.loads(one["body"]) if one["body"] else None
            if body and one["method"] == "POST":
                assert body["name"] == "plain"
                body = body["config"]
            sent.append((one["method"], body and self.normal(body)))
        expected, self.model.sent = self.model.sent, []
        expected = [(method, body and self.normal(body)) for method, body in expected]
        assert sent == expected, f"sent {sent} instead of {expected}"
        stored = self.w.site.config("plain")
        assert stored == self.model.live, f"the server has {stored} instead of {self.model.live}"

    def normal(self, config):
        return {name: "****" if is_mask(value) else value for name, value in config.items()}

    def do_open(self, number, slot, name, flags):
        self.do_close(number, self.opened.get((number, slot)))
        writes = flags & os.O_ACCMODE != os.O_RDONLY
        made = []

        def expected():
            made.append(self.model.open(
                number, name, writes, flags & os.O_ACCMODE != os.O_WRONLY,
                bool(flags & os.O_CREAT), bool(flags & os.O_EXCL), bool(flags & os.O_TRUNC),
                bool(flags & os.O_APPEND), self.render))
            return "opened"

        result = self.both(number, "open", (self.path(name), flags), expected)
        if made:
            self.opened[number, slot] = result, made[0]

    def do_close(self, number, pair):
        if pair:
            del self.opened[next(key for key, one in self.opened.items() if one is pair)]
            self.both(number, "close", pair[:1], lambda: self.model.flush(pair[1]))
            self.model.release(pair[1])

    def do_dup_close(self, number, pair):
        self.both(number, "dup_close", pair[:1], lambda: self.model.flush(pair[1]))

    def do_fsync(self, number, pair):
        self.both(number, "fsync", pair[:1], lambda: self.model.fsync(pair[1]))

    def do_fill(self, number, pair, data):
        """The whole text: over what is there, and cut."""
        if pair[1].appends:
            return
        if data:
            self.both(number, "pwrite", (pair[0], data, 0),
                      lambda: self.model.write(pair[1], data, 0))
        self.do_cut(number, pair, len(data))

    def do_append(self, number, pair, data):
        if data:
            size = len(pair[1].data())
            self.both(number, "pwrite", (pair[0], data, size),
                      lambda: self.model.write(pair[1], data, size))

    def do_cut(self, number, pair, size):
        self.both(number, "ftruncate", (pair[0], size),
                  lambda: self.model.ftruncate(pair[1], size))

    def do_pread(self, number, pair):
        if self.processes[number].access_mode(pair[0]) != os.O_WRONLY:
            self.both(number, "read_fd", pair[:1], pair[1].data)

    def do_truncate(self, number, name, size):
        self.both(number, "truncate", (self.path(name), size),
                  lambda: self.model.truncate(number, name, size, self.render))

    def do_save(self, number, name, data):
        def expected():
            opened = self.model.open(number, name, True, False, create=True, truncate=True,
                                     render=self.render)
            if data:
                self.model.write(opened, data, 0)
            try:
                self.model.flush(opened)
            finally:
                self.model.release(opened)

        self.both(number, "write", (self.path(name), data), expected)

    def do_rename(self, number, old, new):
        self.do_rename_with(number, old, new, 0)

    def do_rename_with(self, number, old, new, flags):
        self.both(number, "rename_with", (self.path(old), self.path(new), flags),
                  lambda: self.model.rename(number, old, new, flags, self.render))

    def do_link(self, number, old, new):
        self.both(number, "link", (self.path(old), self.path(new)),
                  lambda: self.model.link(number, old, new, self.render))

    def do_unlink(self, number, name):
        self.both(number, "unlink", (self.path(name),), lambda: self.model.unlink(name))

    def do_read(self, number, name):
        self.both(number, "read", (self.path(name),), lambda: self.model.open(
            number, name, False, render=self.render).data())

    def do_theirs(self, number):
        """Another client's change, each to another value."""
        if self.model.live is not None:
            self.count += 1
            self.w.theirs(their_count=str(self.count))
            self.model.theirs("their.count", str(self.count))

    def do_refresh(self, number):
        """And a look at the time, so that the new answer is there. The file must show it."""
        if self.model.draft is None and self.model.config_is_there():
            self.w.refresh()
            self.model.refresh()
            self.processes[number].stat(self.path(CONFIG))

    def is_written(self):
        return any(opened.writes and (opened.file is None or opened.file.draft)
                   for _, opened in self.opened.values())

    def do_expire(self, number):
        deletes = self.model.away == "unlinked"
        if (self.model.due or self.model.away) and not (deletes and self.is_written()):
            if self.grace == FOREVER:
                return
            self.model.expire()
            elapse(self.grace + 0.1)
            harness.poll(lambda: self.difference() is None, 5, "the end of the grace time")
        self.due_since = None

    def do_rmdir(self, number):
        if not self.is_written():
            self.both(number, "rmdir", (str(self.w.directory),), self.model.rmdir)

    def do_mkdir(self, number):
        self.both(number, "mkdir", (str(self.w.directory),), self.model.mkdir)

    def difference(self):
        """What is seen of the directory and must not be; None: nothing."""
        try:
            found = self.processes[-1].survey(str(self.w.directory), READ_ONLY)
        except FileNotFoundError:
            return "no directory" if self.model.exists else None
        if not self.model.exists:
            return "a directory"
        if self.model.config_is_there():
            self.model.open(self.observer, CONFIG, False, render=self.render)
        expected = self.model.content(self.render)
        result = {name: None if name == ERROR else content
                  for name, (_, content, _) in found.items()}
        for name in {**result, **expected}:
            if name not in result or name not in expected or result[name] != expected[name]:
                return f"{name}: {result.get(name, 'absent')} instead of " \
                       f"{expected.get(name, 'absent')}"
        for name, (status, content, typed) in found.items():
            if status.st_size != len(content) or not typed:
                return f"{name}: {status}"
        return None

    def do_look(self, number):
        difference = self.difference()
        assert difference is None, difference

    def end(self):
        """Closes what is open, and unmounts: what is due is sent."""
        for (number, _), pair in list(self.opened.items()):
            self.do_close(number, pair)
        self.check_sent()
        self.do_look(0)
        self.model.end()
        self.w.mounted.stop()
        self.check_sent()


@pytest.fixture
def pairs(processes):
    """Makes a pair on an account of its own, in the place of the last one."""
    made, last = [processes() for _ in range(PROCESSES + 1)], []

    def end():
        for process in made:
            process.close_all()
        while last:
            last.pop().finish()

    def make(grace):
        end()
        last.append(harness.Emulator(*samples.EMULATOR))
        last.append(harness.Mount(last[0], {
            "ttl": 3600, "ttl_status": 3600, "delete_delay": grace, "max_delete": 64}))
        work = Work(last[0], samples.site(last[0]), last[1], made[-1])
        return Pair(work, made, grace)

    yield make
    end()


def run(pair, steps):
    """The step that differs and how, or None."""
    at = 0
    try:
        for at, step in enumerate(steps):
            pair.step(*step)
        pair.end()
    except (AssertionError, OSError) as error:
        return at, str(error)
    return None


def check(pairs, steps, grace):
    failure = run(pairs(grace), steps)
    if failure:
        few = sequence.shrink(steps[:failure[0] + 1], lambda steps: run(pairs(grace), steps))
        _, what = run(pairs(grace), few)
        pytest.fail(f"{what[:3000]}\n{sequence.spell(few)}", pytrace=False)


@pytest.mark.parametrize("seed", range(3))
def test_without_an_end_of_grace(pairs, seed):
    seed, length = sequence.asked_for(seed, 250)
    check(pairs, sequence.make(CALLS, seed, length, PROCESSES), FOREVER)


@pytest.mark.parametrize("seed", range(1))
def test_with_ends_of_grace(pairs, seed):
    seed, length = sequence.asked_for(seed, 150)
    check(pairs, sequence.make(CALLS, seed, length, PROCESSES), SLOW)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 130))
def test_long_without_an_end_of_grace(pairs, seed):
    check(pairs, sequence.make(CALLS, seed, 1000, PROCESSES), FOREVER)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(200, 210))
def test_long_with_ends_of_grace(pairs, seed):
    check(pairs, sequence.make(CALLS, seed, 500, PROCESSES), SLOW)
