"""Sequences in which a connector, a text or somebody else's change could get lost."""

import errno
import os
import signal
import stat
import subprocess
import sys

import harness
from harness import fails, hold, poll

WRITE = "import sys; f = open(sys.argv[1], 'wb'); f.write(open(sys.argv[2], 'rb').read()); f.close()"


def theirs(w):
    """Another client's change."""
    w.site.patch("plain", merge={"quickstart": "USERS"})


def test_a_replacement_that_is_refused_removes_nothing(work):
    """unlink, then a rename of half a text: it came back, whatever became of it."""
    w = work(delete_delay=0.3)
    w.process.unlink(w.config)
    w.process.write(w.directory / "t", b'{"name": "plain", ')
    with fails(errno.EINVAL):
        w.process.rename(w.directory / "t", w.config)
    hold(lambda: w.api.writes() == [] and w.site.get("plain") is not None, 1)
    assert w.process.read(w.config) == w.text


def test_many_readers_do_not_move_ones_base(work, processes):
    w = work(ttl=0.2)
    editor, other = processes(), processes()
    assert editor.read(w.config) == w.text
    theirs(w)
    poll(lambda: other.read(w.config) != w.text, 5)
    for _ in range(40):
        harness.run("cat", w.config)
    with fails(errno.ESTALE):
        editor.write(w.config, w.changed(kafka_topic="mine"))
    assert w.site.config("plain")["quickstart"] == "USERS"


def test_many_processes_at_once_do_not_move_ones_base(work, processes):
    w = work(ttl=0.2)
    editor = processes()
    assert editor.read(w.config) == w.text
    theirs(w)
    poll(lambda: w.process.read(w.config) != w.text, 5)
    for _ in range(33):
        processes().read(w.config)
    with fails(errno.ESTALE):
        editor.write(w.config, w.changed(kafka_topic="mine"))
    assert w.site.config("plain")["quickstart"] == "USERS"


def test_what_was_refused_outlives_the_connector(work):
    """Removed elsewhere while it was edited: the text stays readable until it is removed."""
    w = work(ttl=0.2, ttl_negative=0.1)
    w.site.patch("plain", delete=True)
    text = w.changed(kafka_topic="mine")
    with fails(errno.ENOENT):
        w.process.write(w.config, text)
    hold(lambda: w.process.read(w.rejected) == text, 1)
    assert "plain" in w.process.listdir(w.connectors)
    assert set(w.process.listdir(w.directory)) == {"config.json.error", "config.json.rejected"}
    harness.run("rm", "-r", w.directory)
    poll(lambda: not w.process.exists(w.directory), 5)
    assert w.api.writes() == []


def test_a_roll_back_after_a_conflict(work):
    """The old text comes back: nothing is sent, and one's own text stays kept."""
    w = work()
    theirs(w)
    text = w.changed(kafka_topic="mine")
    with fails(errno.ESTALE):
        w.process.write(w.config, text)
    w.process.write(w.config, w.text)
    assert w.process.read(w.rejected) == text
    assert w.api.writes() == []
    assert w.site.config("plain")["quickstart"] == "USERS"


def test_config_onto_state(work):
    """Refused, and the file is none the worse for it."""
    w = work()
    w.process.stat(w.config)
    with fails(errno.EINVAL):
        w.process.rename(w.config, w.state)
    w.process.write(w.config, w.changed(kafka_topic="mine"))
    assert w.api.writes() == [w.put]


def test_saving_again_while_the_first_save_goes_on(work, tmp_path):
    """Ctrl-C during a slow PUT, and the next save at once: one's own change is no conflict."""
    w = work(timeout_write=20)
    w.api.fault(method="PUT", path="/config$", delay_ms=1500)
    for number in (0, 1):
        (tmp_path / str(number)).write_bytes(w.changed(kafka_topic=f"mine{number}"))
    first = subprocess.Popen([sys.executable, "-SE", "-c", WRITE, w.config, tmp_path / "0"],
                             stderr=subprocess.DEVNULL, preexec_fn=harness.die_with_parent)
    poll(lambda: w.put in w.api.calls(), 5)
    first.send_signal(signal.SIGINT)
    first.wait()
    harness.run(sys.executable, "-SE", "-c", WRITE, w.config, tmp_path / "1")
    assert w.api.writes() == [w.put, w.put]
    assert w.site.config("plain")["kafka.topic"] == "mine1"


def test_a_failed_removal_and_an_empty_list(work):
    """A list that lacks the connector does not say that it is gone."""
    w = work(timeout_write=2)
    w.api.fault(method="DELETE", times=-1, status=503)
    w.api.fault(method="GET", path="/connectors$", query="expand=id$", times=-1, status=200, body={})
    w.process.unlink(w.config)
    with fails(errno.EIO, errno.EBUSY):
        w.process.rmdir(w.directory)
    assert w.site.get("plain") is not None
    assert w.process.read(w.config) == w.text


def test_a_rename_replaces_what_was_left_empty(work):
    """`> config.json`, then a whole text over it: that is what stands there, and all is well."""
    w = work(delete_delay=0.5)
    w.process.write(w.config, b"")
    w.process.write(w.directory / "t", w.changed(kafka_topic="mine"))
    w.process.rename(w.directory / "t", w.config)
    assert w.process.read(w.config) == w.shown()
    hold(lambda: not w.process.exists(w.error), 1)
    assert w.api.writes() == [w.put]
    assert w.errors() == []


def test_a_slow_program_behind_a_redirection(work):
    """The shell has closed a copy, the descriptor is still open: the grace time has not begun."""
    w = work(delete_delay=0.2)
    fd = w.process.open(w.config, os.O_WRONLY | os.O_TRUNC)
    w.process.dup_close(fd)
    hold(lambda: not w.process.exists(w.error), 0.6)
    w.process.write_fd(fd, w.changed(kafka_topic="mine"))
    w.process.close(fd)
    assert w.api.writes() == [w.put]
    assert w.errors() == []


def test_readers_do_not_prolong_the_grace_time(work):
    w = work(delete_delay=0.3)
    w.process.write(w.config, b"")
    poll(lambda: w.process.read(w.config) == w.text, 5)


def test_what_is_refused_is_kept_where_scratch_is_full(work):
    w = work()
    for number in range(63):
        w.process.write(w.directory / f"large{number}", bytes(1 << 20))
    for shift in range(12, 20):
        w.process.write(w.directory / f"small{shift}", bytes(1 << shift))
    w.process.write(w.directory / "spare", b"x")
    with fails(errno.ENOSPC):
        w.process.write(w.directory / "last", b"x")
    with fails(errno.ENOSPC):
        w.process.symlink("target", w.directory / "link")
    assert "link" not in w.process.listdir(w.directory)
    w.process.unlink(w.directory / "spare")
    w.api.fault(method="PUT", status=400)
    text = w.changed(kafka_topic="mine")
    with fails(errno.EINVAL):
        w.process.write(w.config, text)
    w.assert_refused(text, "400")
    assert w.process.statvfs(w.directory).f_bavail == 0


def test_an_empty_file_does_not_replace_what_was_refused(work):
    w = work(delete_delay=0.2)
    w.api.fault(method="PUT", status=400)
    text = w.changed(kafka_topic="mine")
    with fails(errno.EINVAL):
        w.process.write(w.config, text)
    w.process.write(w.config, b"")
    poll(lambda: w.process.read(w.config) == w.text, 5)
    w.assert_refused(text, "400")


def test_a_node_that_was_made_and_never_opened(work):
    w = work(delete_delay=0.3)
    w.process.unlink(w.config)
    w.process.mknod(w.config, stat.S_IFREG | 0o600)
    assert w.process.read(w.config) == b""
    poll(lambda: w.process.read(w.config) == w.text, 5)
    assert w.api.writes() == []


def test_a_mapping_beside_another_descriptor(work):
    """Its pages come when its own descriptor is closed: the last one to be closed sends them."""
    w = work(delete_delay=0.2)
    mapped, other = (w.process.open(w.config, os.O_RDWR) for _ in range(2))
    w.process.map_file("text", mapped, len(w.text))
    w.process.close(mapped)
    w.process.map_write("text", w.text.replace(b'"orders"', b'"ordera"'), 0)
    w.process.unmap("text")
    w.process.close(other)
    poll(lambda: w.api.writes() == [w.put], 5)  # the kernel's last word on a file has no caller
    poll(lambda: w.process.read(w.config) == w.shown(), 5)
    assert w.site.config("plain")["kafka.topic"] == "ordera"


def test_a_word_that_is_refused_when_it_is_renamed(work):
    """mv onto state: the file is still there."""
    w = work()
    w.process.write(w.directory / "t", b"pause\n")
    w.api.fault(method="PUT", path="/pause$", status=400, body={"message": "not now"})
    with fails(errno.EINVAL):
        w.process.rename(w.directory / "t", w.state)
    assert w.process.read(w.directory / "t") == b"pause\n"
    w.process.rename(w.directory / "t", w.state)
    assert not w.process.exists(w.directory / "t")
    assert w.process.read(w.state) == b"PAUSED\n"
    assert w.api.writes() == [("PUT", w.site.of("plain", "/pause"))] * 2
