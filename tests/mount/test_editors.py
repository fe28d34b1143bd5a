"""Interactive editors in a terminal: one save, one PUT, whatever they do with names."""

import errno
import shutil

import pytest

import canonical
import harness
import samples
import terminal
from harness import hold, poll

pytestmark = pytest.mark.skipif(not shutil.which("vim") or not shutil.which("nano"),
                                reason="vim or nano is not installed")

REFUSED = {"status": 400, "body": {"error_code": 400, "message": "the queue is purple"}}
EDIT = "%s/orders/edited/"
TOPIC = 'opic": "'  # nano looks for words in any case

# tests/matrix has more of them.
VIM = {
    "default": [],
    "as a newcomer": None,  # vim's own defaults.vim
    "by copy": ["--cmd", "set backupcopy=yes"],
}


def vim(w, how, *commands, steps=(), status=0):
    options = ["-N", "-u", "NONE", *VIM[how]] if VIM[how] is not None else ["-N"]
    words = ["vim", *options, "-i", "NONE"]
    for command in commands:
        words += ["-c", command]
    ended, shown = terminal.run([*words, w.config], steps, HOME=w.mounted.home / "work")
    assert status is None or ended == status, shown
    return shown


def assert_saved(w):
    assert w.site.config("plain")["kafka.topic"] == "edited"
    assert w.site.config("plain")["kafka.api.secret"] == samples.PLAIN["kafka.api.secret"]
    assert w.process.read(w.config) == w.shown()
    assert not w.process.exists(w.error)
    hold(lambda: w.api.writes() == [w.put] and w.process.exists(w.config), w.delay + 0.3)


@pytest.mark.parametrize("how", list(VIM))
def test_vim(work, how):
    w = work(delete_delay=0.4)
    vim(w, how, EDIT, "wq")
    assert w.api.calls() == [w.look, w.put]
    assert_saved(w)


def test_vim_saves_twice(work):
    """The second save meets no "changed on disk"."""
    w = work()
    shown = vim(w, "default", "%s/orders/first/", "w", "%s/first/edited/", "wq")
    assert "W11" not in shown and "WARNING" not in shown
    assert w.api.calls() == [w.look, w.put] * 2
    assert w.site.config("plain")["kafka.topic"] == "edited"


def test_vim_without_a_change(work):
    """:wq writes the same bytes: nothing is sent."""
    w = work()
    vim(w, "default", "wq")
    assert w.api.writes() == []
    assert w.process.read(w.config) == w.text
    hold(lambda: w.api.writes() == [] and w.process.exists(w.config), w.delay + 0.3)


def test_vim_only_looks(work):
    w = work()
    vim(w, "default", "q")
    assert w.api.calls() == []


@pytest.mark.parametrize("how", ["default", "by copy"])
def test_vim_meets_a_refusal(work, how):
    """It says so and rolls back; the server's content, the text and the reason are there."""
    w = work(delete_delay=0.4)
    w.api.fault(method="PUT", path="/config$", times=-1, **REFUSED)
    shown = vim(w, how, EDIT, "silent! w", "qa!", status=None)
    assert w.api.writes() == [w.put], shown
    poll(lambda: w.process.exists(w.config) and w.process.read(w.config) == w.text, 6)
    w.assert_refused(w.changed(kafka_topic="edited"), "the queue is purple")
    hold(lambda: w.api.writes() == [w.put], w.delay + 0.3)
    assert w.site.config("plain")["kafka.topic"] == "orders"


def test_vim_repairs_after_a_refusal(work):
    """The same session corrects what was refused, and saves again."""
    w = work()
    w.api.fault(method="PUT", path="/config$", **REFUSED)
    vim(w, "default", "%s/orders/refused/", "silent! w", "%s/refused/edited/", "silent! w!", "qa!",
        status=None)
    poll(lambda: w.site.config("plain")["kafka.topic"] == "edited", 5)
    assert w.api.writes() == [w.put, w.put]
    assert w.process.read(w.config) == w.shown()


def test_vim_meets_another_clients_change(work):
    """It has read the file, somebody changes the connector, it saves: nothing is overwritten."""
    w = work()
    has_read, has_changed = w.mounted.home / "work" / "a", w.mounted.home / "work" / "b"

    def somebody_else():
        if has_read.exists() and not has_changed.exists():
            w.site.patch("plain", merge={"quickstart": "USERS"})
            has_changed.touch()

    wait = f"call writefile([], '{has_read}') | while !filereadable('{has_changed}') | sleep 20m " \
        "| endwhile"
    _, shown = terminal.run(
        ["vim", "-N", "-u", "NONE", "-i", "NONE", "-c", EDIT, "-c", wait, "-c", "silent! w",
         "-c", "qa!", w.config], meanwhile=somebody_else, HOME=w.mounted.home / "work")
    assert has_changed.exists(), shown
    assert w.api.writes() == []
    assert w.site.config("plain")["quickstart"] == "USERS"
    assert w.site.config("plain")["kafka.topic"] == "orders"
    assert b"quickstart" in w.process.read(w.error)


# What nano shows and what is typed then, to replace in the whole file.
REPLACE = [("Help|kafka", "\x1c"), ("Search", TOPIC + "orders\r"),
           ("Replace with", TOPIC + "edited\r"), ("this instance", "a")]


def nano(w):
    """Replaces orders by edited, writes, and leaves."""
    return terminal.run(
        ["nano", "-I", w.config],
        [*REPLACE, ("Replaced", "\x0f"), ("Write|Name", "\r"), ("Wrote|rror", "\x18")],
        HOME=w.mounted.home / "work")


def test_nano(work):
    w = work(delete_delay=0.4)
    status, shown = nano(w)
    assert status == 0, shown
    assert w.api.calls() == [w.look, w.put], shown
    assert_saved(w)


def test_nano_meets_a_refusal(work):
    """It shows the error and does not leave; the text is in its buffer and in .rejected."""
    w = work()
    w.api.fault(method="PUT", path="/config$", times=-1, **REFUSED)
    terminal.run(
        ["nano", "-I", w.config],
        [*REPLACE, ("Replaced", "\x0f"), ("Write|Name", "\r"), ("Invalid argument", "\x18"),
         ("Save modified", "n")],
        HOME=w.mounted.home / "work")
    assert w.api.writes() == [w.put]
    w.assert_refused(w.changed(kafka_topic="edited"), "the queue is purple")


def test_editing_a_new_one(work):
    """vim NAME/config.json in a directory made by mkdir."""
    w = work()
    directory = w.connectors / "new"
    w.process.mkdir(directory)
    text = w.mounted.home / "work" / "template"
    text.write_bytes(canonical.config(dict(samples.PLAIN, **{"kafka.api.secret": "typed"})))
    ended, shown = terminal.run(
        ["vim", "-N", "-u", "NONE", "-i", "NONE", "-c", f"0read {text}", "-c", "wq",
         directory / "config.json"], HOME=w.mounted.home / "work")
    assert ended == 0, shown
    assert w.api.writes() == [w.site.post]
    assert w.site.config("new")["kafka.api.secret"] == "typed"
    assert w.process.read(directory / "config.json") == w.site.shown("new")


def test_saving_elsewhere_from_an_editor(work):
    """:w of another name beside config.json is scratch; nothing is sent."""
    w = work()
    vim(w, "default", EDIT, "w %:h/config.draft.json", "qa!")
    assert w.api.writes() == []
    assert w.process.read(w.directory / "config.draft.json") == w.changed(kafka_topic="edited")
    try:
        w.process.write(w.mounted.cluster(w.site) / "draft.json", b"x")
        raise AssertionError("created beside connectors")
    except OSError as error:
        assert error.errno == errno.EPERM
