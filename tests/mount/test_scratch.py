"""Everything in a connector's directory but its own files: local, never sent."""

import errno
import os
import stat

import pytest

import harness
import samples
from harness import fails, poll
from work import Work

FOUR = {"config.json", "connector.json", "status.json", "state"}


@pytest.fixture(scope="module")
def shared_site(shared_emulators):
    return samples.site(shared_emulators(*samples.EMULATOR))


@pytest.fixture(scope="module")
def shared_mount(shared_site, shared_mounts):
    return shared_mounts(shared_site.emulator)


@pytest.fixture
def w(shared_site, shared_mount, process):
    """One mount for all: a test removes what it makes, and nothing is ever sent."""
    made = Work(shared_site.emulator, shared_site, shared_mount, process)
    yield made
    assert made.api.writes() == []
    made.assert_clean()
    assert process.read(made.config) == made.text


def test_files(w):
    path = w.directory / "4913"
    w.process.create(path, b"probe")
    assert w.process.read(path) == b"probe"
    assert "4913" in w.process.listdir(w.directory)
    assert w.process.stat(path).st_size == 5
    assert stat.S_ISREG(w.process.stat(path).st_mode)
    with fails(errno.EEXIST):
        w.process.create(path, b"again")
    w.process.write(path, b" more", os.O_WRONLY | os.O_APPEND)
    w.process.truncate(path, 7)
    assert w.process.read(path) == b"probe m"
    w.process.truncate(path, 9)
    assert w.process.read(path) == b"probe m\0\0"
    w.process.unlink(path)
    assert not w.process.exists(path)


def test_sparse_writes(w):
    path = w.directory / ".sparse"
    fd = w.process.open(path, os.O_RDWR | os.O_CREAT)
    w.process.pwrite(fd, b"end", 10)
    assert w.process.read_fd(fd) == b"\0" * 10 + b"end"
    w.process.close(fd)
    w.process.unlink(path)


def test_renames(w):
    a, b = w.directory / "a", w.directory / "b"
    w.process.create(a, b"of a")
    w.process.create(b, b"of b")
    with fails(errno.EEXIST):
        w.process.rename_with(a, b, 1)
    w.process.rename(a, b)
    assert w.process.read(b) == b"of a" and not w.process.exists(a)
    w.process.unlink(b)


def test_links(w):
    a, b = w.directory / "a", w.directory / "b"
    w.process.create(a, b"shared")
    w.process.link(a, b)
    w.process.write(a, b"SHARED", os.O_WRONLY)
    assert w.process.read(b) == b"SHARED"
    assert w.process.stat(b).st_nlink == 2
    w.process.unlink(a)
    assert w.process.stat(b).st_nlink == 1
    w.process.unlink(b)


def test_links_of_what_is_unlinked(w):
    file, directory = w.directory / "file", w.directory / "directory"
    w.process.create(file, b"x")
    w.process.mkdir(directory)
    opened = [w.process.open(path, os.O_RDONLY) for path in (file, directory)]
    assert [w.process.fstat(fd).st_nlink for fd in opened] == [1, 2]
    w.process.unlink(file)
    w.process.rmdir(directory)
    assert [w.process.fstat(fd).st_nlink for fd in opened] == [0, 0]


def test_each_file_has_an_inode_of_its_own(w):
    """cp and diff take two names of one inode for one file."""
    a, b = w.directory / "a", w.directory / "b"

    def inodes():
        return w.process.stat(a).st_ino, w.process.stat(b).st_ino

    w.process.create(a, b"first")
    w.process.link(a, b)
    assert inodes()[0] == inodes()[1]
    w.process.unlink(a)
    w.process.create(a, b"second")
    assert inodes()[0] != inodes()[1]
    before = inodes()
    w.process.rename_with(a, b, 2)
    assert inodes() == before[::-1]
    w.process.unlink(a)
    w.process.rename(b, a)
    w.process.create(b, b"third")
    assert inodes()[0] != inodes()[1]
    listed = w.process.survey(w.directory, FOUR)
    assert all(typed for _, _, typed in listed.values()), "the directory gives the same inodes"
    w.process.unlink(a)
    w.process.unlink(b)


def test_a_backup_by_rename_has_another_inode(work):
    w = work(delete_delay=0.2)
    backup = w.directory / "config.json~"
    before = w.process.stat(w.config).st_ino
    w.process.rename(w.config, backup)
    assert w.process.stat(backup).st_ino != before
    w.process.create(w.config, b"")
    assert w.process.stat(w.config).st_ino == before
    w.process.rename(w.config, backup)
    assert w.process.stat(backup).st_ino != before
    poll(lambda: w.process.exists(w.config), 5)
    assert w.process.stat(w.config).st_ino == before


def test_link_of_the_configuration(w):
    """perl -i.bak and gio -b: a backup by link, which keeps the old content."""
    backup = w.directory / "config.json.bak"
    w.process.link(w.config, backup)
    assert w.process.read(backup) == w.text
    w.process.unlink(backup)
    assert w.process.read(w.config) == w.text


def test_link_of_a_draft(work, processes):
    """A copy as well: who writes to one of them does not write to the other."""
    w = work()
    backup = w.directory / "config.json.bak"
    fd = w.process.open(w.config, os.O_WRONLY | os.O_TRUNC)
    w.process.write_fd(fd, w.changed(kafka_topic="linked"))
    w.process.link(w.config, backup)
    other = processes()
    other.write(backup, b"mine")
    assert w.process.stat(backup).st_ino != w.process.stat(w.config).st_ino
    w.process.close(fd)
    assert w.process.read(backup) == b"mine"
    assert w.process.read(w.config) == w.shown() == w.changed(kafka_topic="linked")
    assert w.api.writes() == [w.put]


def test_what_was_linked_in(work, processes):
    """Is scratch all the same, for everybody."""
    w = work()
    temporary = w.directory / "temporary"
    w.process.create(temporary, w.changed(kafka_topic="linked"))
    w.process.rename(w.config, w.directory / "config.json~")
    w.process.link(temporary, w.config)
    fd = w.process.open(temporary, os.O_WRONLY | os.O_APPEND)
    processes().write(temporary, b"mine")
    w.process.write_fd(fd, b" and mine")
    w.process.close(fd)
    assert w.process.read(temporary) == b"mine and mine"
    assert w.process.stat(temporary).st_ino != w.process.stat(w.config).st_ino
    assert w.process.read(w.config) == w.shown() == w.changed(kafka_topic="linked")
    assert w.api.writes() == [w.put]


def test_one_of_two_links_renamed_in(work, processes):
    """The other one is scratch as before."""
    w = work()
    a, b = w.directory / "a", w.directory / "b"
    w.process.create(a, w.changed(kafka_topic="linked"))
    w.process.link(a, b)
    fd = w.process.open(b, os.O_WRONLY | os.O_APPEND)
    w.process.rename(a, w.config)
    processes().write(b, b"mine")
    w.process.write_fd(fd, b" and mine")
    w.process.close(fd)
    assert w.process.read(b) == b"mine and mine"
    assert w.process.read(w.config) == w.shown() == w.changed(kafka_topic="linked")
    assert w.api.writes() == [w.put]


def test_symlinks(w):
    """emacs: a dangling one as a lock."""
    link = w.directory / ".#config.json"
    w.process.symlink("someone@host.1234:5678", link)
    assert w.process.readlink(link) == "someone@host.1234:5678"
    assert stat.S_ISLNK(w.process.lstat(link).st_mode)
    w.process.unlink(link)


def test_directories(w):
    """rsync --delay-updates."""
    directory = w.directory / ".~tmp~"
    w.process.mkdir(directory, 0o700)
    w.process.create(directory / "config.json", b"{}")
    assert w.process.listdir(directory) == ["config.json"]
    with fails(errno.ENOTEMPTY):
        w.process.rmdir(directory)
    w.process.rename(directory / "config.json", directory / "other")
    w.process.unlink(directory / "other")
    w.process.rmdir(directory)


@pytest.mark.parametrize("where", ["", ".~tmp~"])
def test_times_of_directories(w, where):
    """They move with what is in them, also after somebody has set one."""
    directory = w.directory / where
    if where:
        w.process.mkdir(directory)

    def moves(call, *arguments):
        w.process.utime(directory, ns=(10 ** 18, 10 ** 18))
        assert w.process.stat(directory).st_mtime_ns == 10 ** 18
        getattr(w.process, call)(*arguments)
        assert w.process.stat(directory).st_mtime_ns > 10 ** 18, call

    a, b = directory / "a", directory / "b"
    moves("create", a, b"x")
    moves("link", a, b)
    moves("unlink", b)
    moves("create", b, b"y")
    moves("rename_with", a, b, 2)
    moves("unlink", b)
    moves("rename", a, b)
    moves("symlink", "b", a)
    moves("unlink", a)
    moves("mkdir", a)
    moves("rmdir", a)
    moves("unlink", b)
    if where:
        moves("mkdir", directory / "sub")
        moves("rename", directory / "sub", w.directory / "moved")
        w.process.rmdir(w.directory / "moved")
        w.process.rmdir(directory)


def test_saving_from_a_subdirectory(work):
    w = work()
    directory = w.directory / ".~tmp~"
    w.process.mkdir(directory)
    w.process.create(directory / "config.json", w.changed(kafka_topic="delayed"))
    assert w.api.calls() == []
    w.process.rename(directory / "config.json", w.config)
    w.process.rmdir(directory)
    assert w.api.calls() == [w.look, w.put]
    assert w.site.config("plain")["kafka.topic"] == "delayed"


def test_locks(w):
    path = w.directory / ".lock"
    w.process.create(path, b"")
    w.process.lock(path)
    w.process.lock(w.config)
    w.process.unlink(path)


def test_open_and_unlinked(w):
    path = w.directory / "gone"
    fd = w.process.open(path, os.O_RDWR | os.O_CREAT)
    w.process.unlink(path)
    w.process.write_fd(fd, b"still there")
    assert w.process.read_fd(fd) == b"still there"
    assert set(w.process.listdir(w.directory)) == FOUR, "nothing like .fuse_hidden"
    w.process.close(fd)


def test_modes_and_times(w):
    path = w.directory / "scratch"
    w.process.create(path, b"x", 0o640)
    w.process.chmod(path, 0o604)
    w.process.utime(path, ns=(10 ** 18, 10 ** 18 + 1))
    status = w.process.stat(path)
    assert stat.S_IMODE(status.st_mode) == 0o604 and status.st_mtime_ns == 10 ** 18 + 1
    w.process.unlink(path)


@pytest.mark.parametrize("flags", [os.O_WRONLY, os.O_RDWR, os.O_RDONLY])
def test_truncation_at_open(w, flags):
    path = w.directory / "scratch"
    w.process.create(path, b"full")
    fd = w.process.open(path, flags | os.O_TRUNC)
    assert w.process.fstat(fd).st_size == w.process.stat(path).st_size == 0
    assert w.process.read(path) == b""
    w.process.close(fd)
    w.process.unlink(path)


def test_truncation_of_what_is_empty_moves_the_time(w):
    """`: >stamp`, again and again."""
    path = w.directory / "stamp"
    w.process.create(path, b"")
    for again in ("open", "truncate"):
        w.process.utime(path, ns=(10 ** 18, 10 ** 18))
        if again == "open":
            w.process.write(path, b"")
        else:
            w.process.truncate(path, 0)
        assert w.process.stat(path).st_mtime_ns > 10 ** 18
    w.process.unlink(path)


def test_names_of_every_script(w):
    for name in ("größe", "名前~", "a b", "%41", "\\", "\x01", "x" * 255):
        w.process.create(w.directory / name, b"x")
        assert name in w.process.listdir(w.directory)
        w.process.unlink(w.directory / name)
    with fails(errno.ENAMETOOLONG):
        w.process.create(w.directory / ("x" * 256), b"x")


def test_a_file_may_have_a_mebibyte(w):
    path = w.directory / "big"
    w.process.create(path, b"x" * (1 << 20))
    assert w.process.stat(path).st_size == 1 << 20
    with fails(errno.ENOSPC, errno.EFBIG):
        w.process.write(path, b"y", os.O_WRONLY | os.O_APPEND)
    with fails(errno.ENOSPC, errno.EFBIG):
        w.process.truncate(path, (1 << 20) + 1)
    assert w.process.stat(path).st_size == 1 << 20
    w.process.unlink(path)


def test_all_may_have_64_mebibytes(w):
    made = []
    try:
        with fails(errno.ENOSPC):
            for number in range(65):
                made.append(w.directory / f"big-{number}")
                w.process.create(made[-1], b"x" * (1 << 20))
        assert len(made) == 65
        assert w.process.read(w.config) == w.text
    finally:
        for path in made:
            w.process.unlink(path)
    w.process.create(w.directory / "small", b"room again")
    w.process.unlink(w.directory / "small")


def test_gone_at_unmount(work, mount):
    w = work()
    w.process.create(w.directory / "config.json~", b"backup")
    w.mounted.stop()
    assert w.api.writes() == []
    again = mount(w.api, home=w.mounted.home)
    assert set(w.process.listdir(again.connector(w.site, "plain"))) == FOUR


def test_survives_refreshes(work):
    w = work(ttl=0.1)
    w.process.create(w.directory / "config.json~", b"backup")
    harness.hold(lambda: w.process.read(w.directory / "config.json~") == b"backup"
                 and w.process.read(w.config) == w.text, 0.5)


def test_not_seen_by_other_connectors(w):
    w.process.create(w.directory / "mine", b"x")
    assert set(w.process.listdir(w.connectors / "other")) == FOUR
    w.process.unlink(w.directory / "mine")


def test_not_moved_out(w):
    path = w.directory / "mine"
    w.process.create(path, b"x")
    with fails(errno.EPERM, errno.EXDEV):
        w.process.rename(path, w.connectors / "mine")
    w.process.unlink(path)


@pytest.mark.parametrize("name", ["connector.json", "status.json"])
def test_read_only_names_swallow_a_restore(work, name):
    """Renamed or created onto their names, the files of a backup are dropped with success."""
    w = work(delete_delay=0.3)
    content = w.process.read(w.directory / name)
    w.process.create(w.directory / ".temporary", b'{"old": 1}')
    w.process.rename(w.directory / ".temporary", w.directory / name)
    assert not w.process.exists(w.directory / ".temporary")
    poll(lambda: w.process.read(w.directory / name) == content, 5)
    w.process.unlink(w.directory / name)
    w.process.create(w.directory / name, b'{"old": 2}', 0o644)
    poll(lambda: w.process.exists(w.directory / name)
         and w.process.read(w.directory / name) == content, 5)
    w.process.create(w.directory / ".temporary", b'{"old": 3}')
    w.process.unlink(w.directory / name)
    w.process.link(w.directory / ".temporary", w.directory / name)
    w.process.unlink(w.directory / ".temporary")
    poll(lambda: w.process.exists(w.directory / name)
         and w.process.read(w.directory / name) == content, 5)
    with fails(errno.EACCES):
        w.process.open(w.directory / name, os.O_WRONLY)
    assert w.api.writes() == []
