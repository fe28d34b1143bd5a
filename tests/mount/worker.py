"""A process that makes file system calls for the tests, so that they never hang themselves.

Reads pickled (function, arguments) from its standard input and answers on its standard output.
A function is one of this file or of the module os.
"""

import concurrent.futures
import ctypes
import errno
import fcntl
import json
import mmap
import os
import pickle
import random
import stat
import time
import types

LIBC = ctypes.CDLL(None, use_errno=True)


def last_error():
    return OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def read(path):
    """The whole file, in one open."""
    fd = os.open(path, os.O_RDONLY)
    try:
        return read_fd(fd)
    finally:
        os.close(fd)


def function_of(name):
    """One of this file, or of os."""
    own = globals().get(name)
    return own if isinstance(own, types.FunctionType) else getattr(os, name)


def in_a_thread(name, *arguments):
    """Calls a function in a thread that ends then."""
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        return threads.submit(function_of(name), *arguments).result()


BEGUN = []


def begin(name, *arguments):
    """Calls a function in a thread, and does not wait for it."""
    threads = concurrent.futures.ThreadPoolExecutor(1)
    BEGUN.append(threads.submit(function_of(name), *arguments))
    threads.shutdown(wait=False)


def finish():
    """The result of what was begun first."""
    return BEGUN.pop(0).result()


def read_fd(fd):
    """From the start, on an open descriptor."""
    parts, offset = [], 0
    while True:
        part = os.pread(fd, 1 << 20, offset)
        if not part:
            return b"".join(parts)
        parts.append(part)
        offset += len(part)


def access_mode(fd):
    return fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE


def write_some(fd, data):
    """As much as one call takes."""
    return os.write(fd, data)


def write_fd(fd, data):
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view):]


def write(path, data, flags=os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode=0o666):
    """Opens, writes, closes; an error of any of the three is raised."""
    fd = os.open(path, flags, mode)
    try:
        write_fd(fd, data)
    except OSError:
        try:
            os.close(fd)
        except OSError:
            pass
        raise
    os.close(fd)


def create(path, data, mode=0o666):
    write(path, data, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)


def read_and_stat(path):
    """Content and the status of one open file, and the status its path has."""
    fd = os.open(path, os.O_RDONLY)
    try:
        return read_fd(fd), os.fstat(fd), os.stat(path)
    finally:
        os.close(fd)


def exists(path):
    """True, False for ENOENT, and any other error as it is."""
    try:
        os.lstat(path)
        return True
    except FileNotFoundError:
        return False


def tree(path):
    """{relative name: content of a file, target of a symlink, None for a directory}"""
    found = {}
    for name in sorted(os.listdir(path)):
        full = os.path.join(path, name)
        mode = os.lstat(full).st_mode
        if stat.S_ISLNK(mode):
            found[name] = "-> " + os.readlink(full)
        elif stat.S_ISDIR(mode):
            found[name] = None
            found.update((name + "/" + key, value) for key, value in tree(full).items())
        else:
            found[name] = read(full)
    return found


def walk(path):
    """The relative names of all files, which are read, and {name: errno} of what fails."""
    names, errors = [], {}
    for top, directories, files in os.walk(path, onerror=lambda error: errors.update(
            {os.path.relpath(error.filename, path): errno.errorcode[error.errno]})):
        directories.sort()
        for name in files:
            read(os.path.join(top, name))
            names.append(os.path.relpath(os.path.join(top, name), path))
    return names, errors


def read_slowly(path, pause):
    """Reads all files with a pause after each; their number, and the seconds it took."""
    count, start = 0, time.monotonic()
    for top, _, files in os.walk(path):
        for name in files:
            read(os.path.join(top, name))
            count += 1
            time.sleep(pause)
    return count, time.monotonic() - start


class Dirent(ctypes.Structure):
    _fields_ = [("ino", ctypes.c_uint64), ("off", ctypes.c_int64), ("len", ctypes.c_uint16),
                ("type", ctypes.c_uint8), ("name", ctypes.c_char * 256)]


LIBC.opendir.restype = ctypes.c_void_p
LIBC.readdir.restype = ctypes.POINTER(Dirent)
LIBC.readdir.argtypes = LIBC.closedir.argtypes = [ctypes.c_void_p]


def dirents(path):
    """{name: (inode, type)} as readdir() has them, the dots too."""
    found = {}
    stream = LIBC.opendir(os.fsencode(path))
    if not stream:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    while entry := LIBC.readdir(stream):
        name = os.fsdecode(ctypes.string_at(ctypes.addressof(entry.contents) + Dirent.name.offset))
        assert name not in found, name
        found[name] = entry.contents.ino, entry.contents.type
    LIBC.closedir(stream)
    return found


def some_names(fd):
    """Those that one call reads of an open directory."""
    names, at, buffer = [], 0, (ctypes.c_char * 4096)()
    size = LIBC.getdents64(fd, buffer, len(buffer))
    if size < 0:
        raise last_error()
    while at < size:
        entry = Dirent.from_buffer_copy(buffer[at:size].ljust(ctypes.sizeof(Dirent), b"\0"))
        names.append(os.fsdecode(entry.name))
        at += entry.len
    return names


def rename_with(old, new, flags):
    """renameat2: 1 is RENAME_NOREPLACE, 2 is RENAME_EXCHANGE."""
    old, new = os.fsencode(old), os.fsencode(new)
    if LIBC.renameat2(-100, old, -100, new, flags):
        raise last_error()


def set_times(path, ns):
    os.utime(path, ns=(ns, ns))


set_times_fd = set_times


def lock(path):
    """Takes an exclusive lock and gives it back."""
    fd = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(fd, fcntl.LOCK_UN)
    finally:
        os.close(fd)


def map_privately(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        with mmap.mmap(fd, 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ) as view:
            return bytes(view)
    finally:
        os.close(fd)


MAPPINGS = {}
MAP_FAILED = ctypes.c_void_p(-1).value
LIBC.mmap.restype = ctypes.c_void_p
LIBC.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int,
                      ctypes.c_long)
LIBC.munmap.argtypes = ctypes.c_void_p, ctypes.c_size_t
LIBC.msync.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
MS_SYNC = 4


def map_file(key, fd, length):
    """Maps an open file, also beyond its end, to be written to; in the place of the mapping that
    has this key."""
    address = LIBC.mmap(None, length, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_SHARED, fd, 0)
    if address == MAP_FAILED:
        raise last_error()
    unmap(key)
    MAPPINGS[key] = (ctypes.c_char * length).from_address(address)


def map_write(key, data, offset):
    """Stores into a mapping. The kernel does it, out of a pipe: EFAULT instead of SIGBUS."""
    source, sink = os.pipe()
    try:
        os.write(sink, data)
        return os.readv(source, [memoryview(MAPPINGS[key])[offset:offset + len(data)]])
    finally:
        os.close(source)
        os.close(sink)


def map_read(key, length, offset):
    source, sink = os.pipe()
    try:
        part = memoryview(MAPPINGS[key])[offset:offset + length]
        return os.read(source, os.write(sink, part))
    finally:
        os.close(source)
        os.close(sink)


def map_sync(key):
    view = MAPPINGS[key]
    if LIBC.msync(ctypes.addressof(view), len(view), MS_SYNC):
        raise last_error()


def unmap(key):
    view = MAPPINGS.pop(key, None)
    if view is not None and LIBC.munmap(ctypes.addressof(view), len(view)):
        raise last_error()


def survey(path, ignored=frozenset()):
    """{relative name: (status, content or target or None, the type in its directory is right)}"""
    found = {}
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.name in ignored:
                continue
            status = os.lstat(entry.path)
            what = stat.S_IFMT(status.st_mode)
            content, typed = None, entry.inode() == status.st_ino
            if what == stat.S_IFLNK:
                content, typed = os.readlink(entry.path), typed and entry.is_symlink()
            elif what == stat.S_IFDIR:
                typed = typed and entry.is_dir(follow_symlinks=False)
                found.update((entry.name + "/" + name, row)
                             for name, row in survey(entry.path).items())
            else:
                content = read(entry.path)
                typed = typed and entry.is_file(follow_symlinks=False)
            found[entry.name] = status, content, typed
    return found


def remove_tree(path):
    if stat.S_ISDIR(os.lstat(path).st_mode):
        for name in os.listdir(path):
            remove_tree(os.path.join(path, name))
        os.rmdir(path)
    else:
        os.unlink(path)


def count_up(path, writer, seconds):
    """Counts in a configuration as often as it can, in each of the ways to save; [(count,
    "saved" or the error)]."""
    chance, outcomes, end = random.Random(writer), [], time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            content = json.loads(read(path))
        except ValueError:  # somebody else is writing
            continue
        count = int(content["count"]) + 1
        text = json.dumps({**content, "count": str(count), f"of.{writer}": str(count)}).encode()
        temporary = f"{path}.{writer}"
        try:
            if chance.random() < 0.5:
                write(path, text)
            else:
                write(temporary, text)
                os.rename(temporary, path)
            outcomes.append((count, "saved"))
        except OSError as error:
            outcomes.append((count, errno.errorcode[error.errno]))
    return outcomes


def dup_close(fd):
    """What a shell's redirection does to a descriptor: a FLUSH without an end."""
    os.close(os.dup(fd))


def close_all(kept=frozenset()):
    """Drops the descriptors and mappings that a test left open, and waits for what it began."""
    concurrent.futures.wait(BEGUN)
    BEGUN.clear()
    for key in list(MAPPINGS):
        unmap(key)
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) not in kept:
            try:
                os.close(int(name))
            except OSError:
                pass


def main():
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    kept = {source.fileno(), sink.fileno()}
    nothing = os.open("/dev/null", os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.close(nothing)
    while True:
        try:
            name, args, kwargs = pickle.load(source)
        except EOFError:
            return
        if name == "close_all":
            kwargs = {"kept": kept}
        try:
            answer = True, function_of(name)(*args, **kwargs)
        except Exception as error:  # the caller raises it
            answer = False, error
        pickle.dump(answer, sink)
        sink.flush()


if __name__ == "__main__":
    main()
