"""Sequences in which a connector, a text or somebody else's change could get lost."""

import errno
import signal
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
