"""Random sequences of calls on scratch names, made on a mount and on tmpfs: every result must be
the same, but where the contract has limits of its own.

A failure prints its sequence, made short. CONNECTFS_MODEL=SEED:LENGTH runs another one.
"""

import errno
import os
import stat
import tempfile
from unittest.mock import ANY

import pytest

import sequence
from sequence import Fd, Map, Name, fd, mapping, one_of

FOUR = frozenset({"config.json", "connector.json", "status.json", "state"})
FILE_MAX = 1 << 20
MAP_BYTES = 1 << 18
PROCESSES = 3
LONG_AGO_NS = 1_100_000_000 * 10 ** 9  # earlier times were set by utime

SIZES = 0, 1, 7, 100, 4095, 4096, 4097, 10000, 70000, 200000
OPENINGS = (
    os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_RDWR | os.O_TRUNC, os.O_RDONLY | os.O_TRUNC,
    os.O_RDONLY | os.O_CREAT, os.O_RDWR | os.O_CREAT, os.O_RDWR | os.O_CREAT,
    os.O_WRONLY | os.O_CREAT | os.O_TRUNC, os.O_WRONLY | os.O_CREAT | os.O_EXCL,
    os.O_RDWR | os.O_CREAT | os.O_EXCL, os.O_WRONLY | os.O_APPEND,
    os.O_RDWR | os.O_CREAT | os.O_APPEND, os.O_RDWR | os.O_APPEND | os.O_TRUNC,
    os.O_RDONLY | os.O_NOFOLLOW, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW,
    os.O_RDONLY | os.O_DIRECTORY)


def some_bytes(chance):
    return bytes([chance.randrange(1, 256)]) * chance.choice((1, 7, 100, 4095, 4096, 10000, 60000))


name = one_of(*map(Name, ("a", "b", "c", "d", "e", "d/a", "d/b", "d/e", "e/a", "d/e/a", "e/../a")))
target = one_of("a", "b", "d", "d/a", "e", "nowhere", "/nowhere/at/all", "x" * 300)
mode = one_of(0o600, 0o644, 0o666, 0o755)
size = one_of(*SIZES)
place = one_of(*3 * SIZES, FILE_MAX - 50, FILE_MAX + 1, 1 << 33)
time = one_of(10 ** 18, 10 ** 18 + 1, 123456789)

CALLS = {
    "open": (14, fd, name, one_of(*OPENINGS), mode),
    "pwrite": (8, fd, some_bytes, place),
    "write_some": (6, fd, some_bytes),
    "pread": (4, fd, size, size),
    "lseek": (2, fd, one_of(0, 5, 4096), one_of(os.SEEK_SET, os.SEEK_END)),
    "ftruncate": (5, fd, place),
    "truncate": (4, name, place),
    "rename": (8, name, name),
    "rename_with": (6, name, name, one_of(1, 2)),
    "link": (6, name, name),
    "symlink": (4, target, name),
    "readlink": (1, name),
    "unlink": (8, name),
    "mkdir": (6, name, one_of(0o700, 0o777)),
    "rmdir": (4, name),
    "mknod": (1, name, mode),
    "mkfifo": (1, name),
    "chmod": (2, name, mode),
    "fchmod": (1, fd, mode),
    "set_times": (2, name, time),
    "set_times_fd": (2, fd, time),
    "listdir": (2, name),
    "stat": (3, name),
    "lstat": (3, name),
    "fstat": (3, fd),
    "fsync": (2, fd),
    "dup_close": (2, fd),
    "close": (7, fd),
    "map_file": (5, mapping, fd),
    "map_write": (8, mapping, some_bytes, size),
    "map_read": (3, mapping, size, size),
    "map_sync": (1, mapping),
    "unmap": (3, mapping),
    "move_out": (1, name),
    "look": (5,),
}


class World:
    """A directory, and processes that work in it with slots for descriptors and mappings."""

    def __init__(self, root, processes, ignored=frozenset()):
        self.root, self.processes, self.ignored = root, processes, ignored
        self.fds = {}  # (number of the process, slot): descriptor
        self.flags = {}  # what it was opened with
        self.maps = {}  # (number, slot): a descriptor of the same file, where one is kept

    def path(self, name):
        return os.path.join(self.root, name)

    def call(self, number, call, *arguments):
        """What it returns, without what differs everywhere, or the name of its error."""
        try:
            result = getattr(self.processes[number], call)(*arguments)
        except OSError as error:
            return errno.errorcode[error.errno]
        return self.shown(result) if isinstance(result, os.stat_result) else result

    def shown(self, status):
        directory = stat.S_ISDIR(status.st_mode)
        return (oct(status.st_mode), status.st_nlink, None if directory else status.st_size,
                status.st_mtime_ns if status.st_mtime_ns < LONG_AGO_NS else "now")

    def run(self, number, call, arguments):
        own = getattr(self, "do_" + call, None)
        if own:
            return own(number, *arguments)
        given = []
        for one in arguments:
            if isinstance(one, Name):
                one = self.path(one)
            elif isinstance(one, Fd):
                one = self.fds.get((number, one))
            elif isinstance(one, Map):
                one = (self.root, one) if (number, one) in self.maps else None
            if one is None:
                return "nothing in this slot"
            given.append(one)
        return self.call(number, call, *given)

    def do_open(self, number, slot, name, flags, mode):
        closed = self.do_close(number, slot)
        result = self.call(number, "open", self.path(name), flags, mode)
        if isinstance(result, int):
            self.fds[number, slot], self.flags[number, slot] = result, flags
            result = "opened"
        return closed, result

    def do_close(self, number, slot):
        fd = self.fds.pop((number, slot), None)
        return self.call(number, "close", fd) if fd is not None else "nothing in this slot"

    def do_map_file(self, number, key, slot):
        fd = self.fds.get((number, slot))
        if fd is None:
            return "nothing in this slot"
        unmapped = self.do_unmap(number, key)
        result = self.call(number, "map_file", (self.root, key), fd, MAP_BYTES)
        if result is None:
            self.maps[number, key] = self.keep(number, fd)
        return unmapped, result

    def do_unmap(self, number, key):
        if (number, key) not in self.maps:
            return "nothing in this slot"
        kept = self.maps.pop((number, key))
        if kept is not None:
            self.call(number, "close", kept)
        return self.call(number, "unmap", (self.root, key))

    def keep(self, number, fd):
        """A mapping's file may be asked for its size after its descriptors are closed."""

    def do_listdir(self, number, name):
        names = self.call(number, "listdir", self.path(name))
        return sorted(names) if isinstance(names, list) else names

    def do_lseek(self, number, slot, offset, whence):
        """Not in a directory, where each filesystem has its own offsets."""
        fd = self.fds.get((number, slot))
        if fd is None or stat.S_ISDIR(self.processes[number].fstat(fd).st_mode):
            return "nothing to seek in"
        return self.call(number, "lseek", fd, offset, whence)

    def do_mknod(self, number, name, mode):
        return self.call(number, "mknod", self.path(name), stat.S_IFREG | mode)

    def do_move_out(self, number, name):
        return self.call(number, "rename", self.path(name), self.path("../moved"))

    def do_look(self, number):
        """All that can be seen: of the tree, and of what is open. Inodes are numbered in order."""
        inodes = {}
        rows = {".": self.shown(self.processes[number].stat(self.root))[-1]}
        for name, (status, content, typed) in sorted(
                self.call(number, "survey", self.root, self.ignored).items()):
            assert typed, f"{name}: the directory has another type or inode than the file"
            rows[name] = *self.shown(status), content, inodes.setdefault(status.st_ino, len(inodes))
        for (owner, slot), fd in sorted(self.fds.items()):
            status = self.processes[owner].fstat(fd)
            rows[owner, slot] = (*self.shown(status), self.call(owner, "read_fd", fd),
                                 inodes.setdefault(status.st_ino, len(inodes)))
        return rows

    def clear(self):
        """Closes everything and empties the directory."""
        for process in self.processes:
            process.close_all()
        self.fds.clear()
        self.maps.clear()
        for name in set(self.processes[0].listdir(self.root)) - self.ignored:
            self.processes[0].remove_tree(self.path(name))
        assert set(self.processes[0].listdir(self.root)) == self.ignored


class Tmpfs(World):
    """How it must be."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.untimed = set()  # inodes that it keeps no reliable time of

    def shown(self, status):
        shown = super().shown(status)
        return (*shown[:-1], ANY) if status.st_ino in self.untimed else shown

    def do_truncate(self, number, name, size):
        """To the size it has: some of its files have a new time then, and others do not."""
        try:
            status = self.processes[number].stat(self.path(name))
            if status.st_size == size:
                self.untimed.add(status.st_ino)
        except OSError:
            pass
        return self.call(number, "truncate", self.path(name), size)

    def keep(self, number, fd):
        """POSIX leaves it open when a mapped file's time moves."""
        self.untimed.add(self.processes[number].fstat(fd).st_ino)
        return self.call(number, "dup", fd)

    def mapped_bytes(self, number, key):
        """How much of a mapping's file there is. What is stored behind its end is undefined."""
        kept = self.maps.get((number, key))
        return self.processes[number].fstat(kept).st_size if kept is not None else 0

    def can_write(self, number, slot):
        return (number, slot) in self.fds \
            and self.flags[number, slot] & os.O_ACCMODE != os.O_RDONLY

    def write_end(self, number, slot, data, place=None):
        """Where a write would end; -1 where it cannot be."""
        fd = self.fds.get((number, slot))
        if not self.can_write(number, slot):
            return -1
        if self.flags[number, slot] & os.O_APPEND:
            place = self.processes[number].fstat(fd).st_size
        elif place is None:
            place = self.processes[number].lseek(fd, 0, os.SEEK_CUR)
        return place + len(data)


class Difference(AssertionError):
    pass


class Pair:
    """The same steps, here and there."""

    def __init__(self, mount, tmpfs):
        self.mount, self.tmpfs = mount, tmpfs

    def limit(self, number, call, arguments):
        """The error that the contract asks for where tmpfs has none; None: it asks for none."""
        if call == "ftruncate" and arguments[1] > FILE_MAX:
            if self.tmpfs.can_write(number, arguments[0]):
                return "ENOSPC"
        elif call == "truncate" and arguments[1] > FILE_MAX:
            status = self.tmpfs.run(number, "stat", arguments[:1])
            if isinstance(status, tuple) and stat.S_ISREG(int(status[0], 8)):
                return "ENOSPC"
        elif call == "mkfifo":
            parent = self.tmpfs.run(number, "stat", (Name(os.path.dirname(arguments[0]) + "/."),))
            there = self.tmpfs.run(number, "lstat", arguments)
            return parent if isinstance(parent, str) else \
                "EPERM" if isinstance(there, str) else "EEXIST"
        elif call == "move_out":
            status = self.tmpfs.run(number, "lstat", arguments)
            return status if isinstance(status, str) else "EPERM"
        return None

    def write_beyond(self, number, call, arguments):
        """A write that ends above the limit: the kernel may have written what fits."""
        slot, data, *place = arguments
        result = self.mount.run(number, call, arguments)
        fits = FILE_MAX - (self.tmpfs.write_end(number, *arguments) - len(data))
        if isinstance(result, int) and 0 < result <= fits:
            return result, self.tmpfs.run(number, call, (slot, data[:result], *place))
        return result, "ENOSPC"

    def step(self, number, call, arguments):
        if call in ("map_write", "map_read"):
            key, data, place = arguments
            left = max(0, self.tmpfs.mapped_bytes(number, key) - place)
            left = min(left, MAP_BYTES - place)
            data = data[:left] if call == "map_write" else min(data, left, 60000)
            arguments = key, data, place
        if call in ("write_some", "pwrite") and \
                self.tmpfs.write_end(number, *arguments) > FILE_MAX:
            result, expected = self.write_beyond(number, call, arguments)
        else:
            expected = self.limit(number, call, arguments) \
                or self.tmpfs.run(number, call, arguments)
            result = self.mount.run(number, call, arguments)
        if call == "look" and result != expected:
            keys = [key for key in {**expected, **result} if result.get(key) != expected.get(key)]
            expected = {key: expected.get(key) for key in keys}
            result = {key: result.get(key) for key in keys}
        if result != expected:
            raise Difference(f"{call}{sequence.short(arguments)}: {sequence.short(result)} "
                             f"instead of {sequence.short(expected)}")

    def run(self, steps):
        """The step that differs and how, or None."""
        self.mount.clear()
        self.tmpfs.clear()
        for at, step in enumerate(steps):
            try:
                self.step(*step)
            except AssertionError as error:
                return at, str(error)
        return None


def check(pair, steps):
    failure = pair.run(steps)
    if failure:
        few = sequence.shrink(steps[:failure[0] + 1], pair.run)
        _, what = pair.run(few)
        pytest.fail(f"{what[:3000]}\n{sequence.spell(few)}", pytrace=False)


@pytest.fixture
def pair(emulator, site, mount, processes, tmp_path):
    mounted = mount(emulator)
    made = [processes() for _ in range(PROCESSES)]
    root = tempfile.mkdtemp(prefix="connectfs-model-", dir="/dev/shm")
    tmpfs = Tmpfs(root, made)
    here = World(mounted.connector(site, "plain"), made, FOUR)
    emulator.clear()
    try:
        yield Pair(here, tmpfs)
        assert emulator.writes() == []
    finally:
        tmpfs.clear()
        os.rmdir(root)


@pytest.mark.parametrize("seed", range(3))
def test_as_on_tmpfs(pair, seed):
    seed, length = sequence.asked_for(seed, 1000)
    check(pair, sequence.make(CALLS, seed, length, PROCESSES))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 140))
def test_long_as_on_tmpfs(pair, seed):
    check(pair, sequence.make(CALLS, seed, 5000, PROCESSES))
