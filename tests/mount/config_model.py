"""What a connector's directory must show, and what must have been sent, after each call: a small
model of the contract, for one connector and several processes.

Times are not in it: expire() is the end of every grace time, and a refusal is followed by less than
half a minute.
"""

import json

CONFIG, REJECTED, ERROR = "config.json", "config.json.rejected", "config.json.error"
ADDED = ("cloud.", "kafka.endpoint", "kafka.region")


class Refused(Exception):
    """What a call ends with: the name of an errno."""


class File:
    """A file in memory: scratch, or a draft of config.json."""

    def __init__(self, data=b"", draft=False):
        self.data, self.draft = data, draft
        self.changes = self.tried = 0
        self.failure = None
        self.opened = 0  # descriptors that may write
        self.writers = 0  # and have not been flushed since they did
        self.writer = None  # the process that last opened it to write, or wrote to it

    def change(self, data):
        self.data = data
        self.changes += 1


class Descriptor:
    """An open file. `text` is what a view showed then; it has no file before it is written to."""

    def __init__(self, process, file, text, writes, appends=False):
        self.process, self.file, self.text = process, file, text
        self.writes, self.appends = writes, appends
        self.active = self.wrote = False
        if file and writes:
            file.opened += 1

    def data(self):
        return self.file.data if self.file and (self.writes or self.text is None) else self.text

    def set_active(self, active):
        if self.writes and self.active != active:
            self.active = active
            if self.file:
                self.file.writers += 1 if active else -1


def is_mask(value):
    return isinstance(value, str) and len(value) >= 2 and set(value) == {"*"}


def parse(text):
    """The settings that a text says (None where it may not be sent), and whether it is complete."""
    names = []

    def collect(pairs):
        names.extend(name for name, _ in pairs)
        return dict(pairs)

    try:
        content = json.loads(text.decode(), object_pairs_hook=collect)
    except ValueError:
        return None, False
    good = isinstance(content, dict) and len(set(names)) == len(names) and \
        not any(isinstance(value, (dict, list, type(None))) for value in content.values())
    return content if good else None, True


class Model:
    """`live` is what the server stores, `shown` what the mount shows of it, `sent` the requests that
    change something. `mask` gives the form of a stored configuration that the API shows."""

    def __init__(self, live, mask, name="plain"):
        self.live, self.mask, self.name = live, mask, name
        self.shown = mask(live)
        self.added = {name: value for name, value in live.items() if name.startswith(ADDED)}
        self.exists = True  # the directory
        self.made = False  # by mkdir, and nothing was created yet
        self.names = {}  # scratch
        self.draft = None
        self.away = None  # "unlinked", "renamed"
        self.refused = None  # what was shown before the last refused save, as (shown,)
        self.bases, self.newest = {}, None
        self.due = False  # the draft has nobody who writes
        self.sent = []

    # What is there.

    def config_is_there(self):
        return self.exists and (self.draft is not None or (self.away is None and not self.made))

    def is_there(self, name):
        return self.config_is_there() if name == CONFIG else self.exists and name in self.names

    def _file(self, name):
        return self.draft if name == CONFIG else self.names.get(name)

    def content(self, render):
        """{name: content} of all that is listed; of the error file, None."""
        found = {name: None if name == ERROR else file.data for name, file in self.names.items()}
        if self.config_is_there():
            found[CONFIG] = self.draft.data if self.draft else render(self.shown)
        return found

    # Opening and writing.

    def open(self, process, name, writes, reads=True, create=False, exclusive=False,
             truncate=False, appends=False, render=None):
        if not self.exists:
            raise Refused("ENOENT")
        if self.is_there(name):
            if create and exclusive:
                raise Refused("EEXIST")
            if name == ERROR and (writes or truncate):
                raise Refused("EACCES")
        else:
            if not create:
                raise Refused("ENOENT")
            return self._create(process, name, writes, appends)
        if name == CONFIG and writes:
            self._part(process)
            if not self.config_is_there():  # it was only a draft, of a connector to be created
                if not create:
                    raise Refused("ENOENT")
                return self._create(process, name, writes, appends)
        file = self._file(name)
        text = render(self.shown) if file is None else None
        if reads and not truncate:
            self._read(process, name, file)
        opened = Descriptor(process, file, text, writes, appends)
        opened.set_active(writes)
        if file is not None and writes:
            file.writer = process
            if file is self.draft:
                self.due = False
        if truncate and opened.data():
            self._begin(opened)
            opened.file.change(b"")
        if truncate:
            opened.wrote = opened.file is not None
        return opened

    def _create(self, process, name, writes, appends):
        file = File(draft=name == CONFIG)
        if name == CONFIG:
            self.away, self.draft, self.due = None, file, False
        else:
            self.names[name] = file
        file.writer = process
        opened = Descriptor(process, file, None, writes, appends)
        opened.set_active(writes)
        opened.wrote = True
        return opened

    def _part(self, process):
        """Two processes never write one draft."""
        draft = self.draft
        if draft is not None and draft.writers and draft.writer != process:
            self.draft = None

    def _read(self, process, name, file):
        if name != CONFIG:
            return
        if file is None:
            self._note(process, self.shown)
        elif file.writer != process:
            base = self._base(file.writer)
            if base is not None:
                self._note(process, base)

    def _note(self, process, config):
        self.bases[process] = self.newest = config

    def _base(self, process):
        base = self.bases.get(process, self.newest)
        return base if base is not None else None if self.made else self.shown

    def _begin(self, opened):
        """Before a change."""
        if opened.file is None:
            opened.file = File(opened.text, draft=True)
            opened.file.writers, opened.file.opened = int(opened.active), 1
        file = opened.file
        if file.draft:
            file.writer = opened.process
            if self.draft is None or (self.draft is not file and self.draft.writers == 0):
                self.draft, self.away = file, None
            if self.draft is file:
                self.due = False

    def write(self, opened, data, offset):
        if not opened.writes:
            raise Refused("EBADF")
        self._begin(opened)
        old = opened.file.data
        offset = len(old) if opened.appends else offset
        opened.file.change(old[:offset].ljust(offset, b"\0") + data + old[offset + len(data):])
        opened.wrote = True
        opened.set_active(True)
        return len(data)

    def ftruncate(self, opened, size):
        if not opened.writes:
            raise Refused("EINVAL")
        old = opened.data()
        if size != len(old):
            self._begin(opened)
            opened.file.change(old[:size].ljust(size, b"\0"))
        opened.wrote = opened.wrote or opened.file is not None
        opened.set_active(True)

    def truncate(self, process, name, size, render):
        if not self.is_there(name):
            raise Refused("ENOENT")
        if name == ERROR:
            raise Refused("EACCES")
        if name == CONFIG:
            self._part(process)
            if not self.config_is_there():
                raise Refused("ENOENT")
        file = self._file(name)
        passing = Descriptor(process, file, render(self.shown) if file is None else None, True)
        old = passing.data()
        if size != len(old):
            self._begin(passing)
            passing.file.change(old[:size].ljust(size, b"\0"))
        self.release(passing)

    def release(self, opened):
        """After the last flush: the descriptor is gone."""
        opened.set_active(False)
        file = opened.file
        if file is not None and opened.writes:
            file.opened -= 1
            if file is self.draft and file.opened == 0:
                self.due = True

    # Saving.

    def _commit(self, opened):
        file = opened.file
        if file is None:
            return
        left = opened.writes and file.draft and not file.writers and file.changes != file.tried
        if not opened.wrote and not left:
            return
        if file.changes == file.tried:
            if file.draft and file.failure:
                raise Refused(file.failure)
            return
        if file.draft and file.data:
            self._save(file, opened.process)

    def flush(self, opened):
        opened.set_active(False)
        try:
            self._commit(opened)
        finally:
            opened.wrote = False

    def fsync(self, opened):
        self._commit(opened)

    def _save(self, file, process):
        file.tried, file.failure = file.changes, None
        self.away = None
        text, change = file.data, file.changes
        try:
            self._send(text, process)
        except Refused as error:
            file.failure = str(error)
            self.names[REJECTED], self.names[ERROR] = File(text), File()
            _, complete = parse(text)
            if not complete:
                raise
            if self.draft is file and file.changes == change:
                self.draft = None
            raise
        if self.draft is file and file.changes == change:
            self.draft = None

    def _refuse(self, error, live=False):
        self.refused = (self.shown,)
        if live:
            self.shown = self.mask(self.live)
        raise Refused(error)

    def _send(self, text, process):
        wanted, _ = parse(text)
        if wanted is None:
            self._refuse("EINVAL")
        wanted = {name: value if isinstance(value, str) else json.dumps(value)
                  for name, value in wanted.items()}
        if self.made:
            self._create_connector(wanted, process)
            return
        wanted.setdefault("name", self.name)
        base, live = self._base(process), self.mask(self.live)
        again = REJECTED in self.names and self.names[REJECTED].data == text
        if self.refused and wanted in (base, *self.refused) and not again:
            return
        if wanted == self.shown == base:
            return
        if wanted["name"] != self.name:
            self._refuse("EINVAL", live=True)
        if wanted != live:
            if base != live:
                self.bases.setdefault(process, base)
                self._refuse("ESTALE", live=True)
            if any(is_mask(value) and not is_mask(live.get(name)) for name, value in wanted.items()):
                self._refuse("EINVAL", live=True)
            self.sent.append(("PUT", wanted))
            if not wanted["tasks.max"].isdigit():
                self._refuse("EINVAL", live=True)
            self.live = {name: self.live[name] if is_mask(value) else value
                         for name, value in wanted.items()}
            self._forgive()
        self.shown = self.mask(self.live)
        self._note(process, self.shown)

    def _create_connector(self, wanted, process):
        wanted = {name: value for name, value in wanted.items() if not name.startswith(ADDED)}
        wanted["name"] = self.name
        if any(map(is_mask, wanted.values())):
            self._refuse("EINVAL")
        self.sent.append(("POST", wanted))
        if not wanted["tasks.max"].isdigit():
            self._refuse("EINVAL")
        self.live, self.made = {**wanted, **self.added}, False
        self._forgive()
        self.shown = self.mask(self.live)
        self._note(process, self.shown)

    def _forgive(self):
        self.refused = None
        self.names.pop(REJECTED, None)
        self.names.pop(ERROR, None)

    # Names.

    def rename(self, process, old, new, flags, render):
        there, target = self.is_there(old), self.is_there(new)
        if not there or (flags & 2 and not target):
            raise Refused("ENOENT")
        if flags & 1 and target:
            raise Refused("EEXIST")
        if old == new or self._file(old) is not None and self._file(old) is self._file(new):
            return
        if flags & 2 and CONFIG in (old, new):
            raise Refused("EINVAL")
        if flags & 2:
            self.names[old], self.names[new] = self.names[new], self.names[old]
        elif new == CONFIG:
            file = self.names[old]
            try:
                self._bring_in(process, file)
            except Refused as error:
                if str(error) != "ESTALE":
                    raise
                if flags & 1:
                    raise Refused("EEXIST")
                self._bring_in(process, self.names[old])
            self.names.pop(old, None)
            file.draft = file not in self.names.values()
        elif old == CONFIG:
            self.names[new] = self._take_away(render)
        else:
            self.names[new] = self.names.pop(old)

    def _take_away(self, render):
        file = self.draft or File(render(self.shown))
        file.draft, self.draft = False, None
        self.away = None if self.made else "renamed"
        return file

    def _bring_in(self, process, file):
        self._save(file, process)
        if self.draft is not None and self.draft is not file:
            if self.draft.writer == process:
                self.draft.draft = False
            self.draft = None

    def link(self, process, old, new, render):
        if not self.is_there(old):
            raise Refused("ENOENT")
        if self.is_there(new):
            raise Refused("EEXIST")
        if new == CONFIG:
            try:
                self._bring_in(process, self.names[old])
            except Refused as error:  # the kernel tries again after ESTALE
                raise Refused("EEXIST") if str(error) == "ESTALE" else error
        elif old == CONFIG:
            self.names[new] = File(self.draft.data if self.draft else render(self.shown))
        else:
            self.names[new] = self.names[old]

    def unlink(self, name):
        if not self.is_there(name):
            raise Refused("ENOENT")
        if name != CONFIG:
            del self.names[name]
            return
        if self.draft is not None:
            self.draft.draft, self.draft = False, None
        if not self.made:
            self.away = "renamed" if self.refused else "unlinked"

    def rmdir(self):
        if not self.exists:
            raise Refused("ENOENT")
        if self.config_is_there() or self.names:
            raise Refused("ENOTEMPTY")
        if self.made:
            self.exists = self.made = False
        else:
            self._delete()

    def mkdir(self):
        if self.exists:
            raise Refused("EEXIST")
        self.exists = self.made = True
        self.away = None

    def _delete(self):
        self.sent.append(("DELETE", None))
        self.live = self.shown = None
        self.refused = self.away = None
        self.names.pop(REJECTED, None)
        self.names.pop(ERROR, None)
        self.bases, self.newest = {}, None
        self.made = self.exists = bool(self.names or self.draft)

    # Time, and others.

    def expire(self):
        if self.due and self.draft is not None:
            draft, self.draft = self.draft, None
            kept = self.names.get(REJECTED)
            tried = draft.changes and draft.tried == draft.changes
            if not tried and (draft.data or not kept or not kept.data):
                self.refused = (self.shown,)
                self.names[REJECTED], self.names[ERROR] = File(draft.data), File()
                draft.tried = draft.changes
        self.due = False
        if self.away == "renamed":
            self.away = None
        elif self.away == "unlinked":
            self._delete()

    def theirs(self, name, value):
        if self.live is not None:
            self.live = {**self.live, name: value}

    def refresh(self):
        if self.live is not None:
            self.shown = self.mask(self.live)

    def end(self):
        """A clean unmount sends what is due."""
        draft = self.draft
        if draft is not None and draft.data and draft.changes != draft.tried:
            try:
                self._save(draft, draft.writer)
            except Refused:
                pass
        if self.away == "unlinked":
            self._delete()
