"""A process that makes file system calls for the tests, so that they never hang themselves.

Reads pickled (function, arguments) from its standard input and answers on its standard output.
A function is one of this file or of the module os.
"""

import ctypes
import fcntl
import mmap
import os
import pickle
import stat
import types

LIBC = ctypes.CDLL(None, use_errno=True)


def read(path):
    """The whole file, in one open."""
    fd = os.open(path, os.O_RDONLY)
    try:
        return read_fd(fd)
    finally:
        os.close(fd)


def read_fd(fd):
    """From the start, on an open descriptor."""
    parts, offset = [], 0
    while True:
        part = os.pread(fd, 1 << 20, offset)
        if not part:
            return b"".join(parts)
        parts.append(part)
        offset += len(part)


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


def rename_with(old, new, flags):
    """renameat2: 1 is RENAME_NOREPLACE, 2 is RENAME_EXCHANGE."""
    old, new = os.fsencode(old), os.fsencode(new)
    if LIBC.renameat2(-100, old, -100, new, flags):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


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


def dup_close(fd):
    """What a shell's redirection does to a descriptor: a FLUSH without an end."""
    os.close(os.dup(fd))


def close_all(kept=frozenset()):
    """Drops the descriptors that a test left open."""
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
            own = globals().get(name)
            function = own if isinstance(own, types.FunctionType) else getattr(os, name)
            answer = True, function(*args, **kwargs)
        except Exception as error:  # the caller raises it
            answer = False, error
        pickle.dump(answer, sink)
        sink.flush()


if __name__ == "__main__":
    main()
