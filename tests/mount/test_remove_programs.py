"""Removals by programs: what each sends, and what an interruption, a crash or a return undoes."""

import errno
import json
import os
import signal
import subprocess

import pytest

import harness
from harness import fails, hold, poll

REFUSAL = {"error": {"code": 403, "message": "not yours to delete"}}


def refuse(w, **more):
    w.api.fault(method="DELETE", path="/plain$", times=-1, status=403, body=REFUSAL, **more)


# What removes a connector


@pytest.mark.parametrize("command", [
    "rm -r {directory}", "rm -rf {directory}", "rm -rv {directory}",
    "find {directory} -delete", "find {directory} -depth -exec rm -d {{}} +",
    "rm {config} && rmdir {directory}", "rm -f {directory}/*; rmdir {directory}",
    "cd {connectors} && rm -r plain", "busybox rm -r {directory}",
    "python3 -c 'import shutil; shutil.rmtree(\"{directory}\")'",
    "mkdir {empty} && rsync -r --delete {empty}/ {directory}/ && rmdir {directory}",
    "rsync -a {connectors}/ {empty}/ && rm -r {empty}/plain && "
    "rsync -a --delete {empty}/ {connectors}/",
])
def test_one_connector(work, tmp_path, command):
    """One DELETE, before the program has ended; nothing else, then or later."""
    w = work(delete_delay=0.5)
    harness.run(command.format(directory=w.directory, config=w.config, connectors=w.connectors,
                               empty=tmp_path / "empty"), shell=True)
    assert w.api.writes() == [w.delete]
    assert w.site.get("plain") is None and w.site.get("other")
    assert "plain" not in w.process.listdir(w.connectors)
    hold(lambda: w.api.writes() == [w.delete] and not w.process.exists(w.directory), 0.8)


@pytest.mark.parametrize("command", [
    "rm {config}", "find {directory} -name config.json -delete", "rm -f {directory}/*",
    "mv {config} {elsewhere}", "rsync -r --delete --exclude=/state {empty}/ {directory}/",
])
def test_the_file_alone(work, tmp_path, command):
    """Its directory stays: the DELETE is sent when the delay is over, and takes that along."""
    w = work(delete_delay=1)
    (tmp_path / "empty").mkdir()
    harness.run(command.format(directory=w.directory, config=w.config, empty=tmp_path / "empty",
                               elsewhere=tmp_path / "elsewhere"), shell=True)
    assert w.api.writes() == []
    poll(lambda: w.api.writes() == [w.delete], 5)
    poll(lambda: not w.process.exists(w.directory), 5)
    hold(lambda: w.api.writes() == [w.delete], 0.5)


def test_several_connectors(work):
    """One DELETE each, in their order."""
    w = work()
    names = sorted(w.process.listdir(w.connectors))
    harness.run(f"cd {w.connectors} && rm -r *", shell=True)
    assert sorted(w.api.writes()) == [w.site.delete(name) for name in names]
    assert w.process.listdir(w.connectors) == []


@pytest.mark.parametrize("command, errors", [
    ("rmdir {}", "Directory not empty"), ("rm -d {}", "Directory not empty"),
    ("rm {}", "Is a directory"), ("unlink {}", "Is a directory"),
    ("find {} -empty -delete", "")])
def test_what_removes_nothing(work, command, errors):
    w = work(delete_delay=0.2)
    assert errors in harness.run(command.format(w.directory), shell=True, status=None).errors
    hold(lambda: w.api.writes() == [], 0.5)
    w.assert_untouched()
    w.assert_clean()


# A DELETE that fails


@pytest.mark.parametrize("command", ["rm -r {}", "rm -rf {}", "find {} -delete",
                                     "python3 -c 'import shutil; shutil.rmtree(\"{}\")'"])
def test_a_program_hears_of_it(work, command):
    """It says so and fails; all four files are there again, with the reason."""
    w = work(delete_delay=30)
    refuse(w)
    result = harness.run(command.format(w.directory), shell=True, status=1)
    assert "Permission denied" in result.errors
    assert w.api.writes() == [w.delete]
    assert w.process.read(w.config) == w.text
    assert b"not yours to delete" in w.process.read(w.error)
    assert sorted(w.process.listdir(w.directory)) \
        == ["config.json", "config.json.error", "connector.json", "state", "status.json"]
    assert w.process.read(w.state) == b"RUNNING\n"
    # It can be edited, and removed once that is allowed.
    w.api.clear_faults()
    w.process.write(w.config, w.changed(kafka_topic="ORDERS"))
    w.assert_clean()
    harness.run("rm", "-r", w.directory)
    assert w.api.writes() == [w.delete, w.put, w.delete]
    assert w.site.get("plain") is None


def test_a_failure_at_the_end(work, mount):
    """Nobody is left to hear of it: it is logged, and the connector stays."""
    w = work(delete_delay=60)
    refuse(w)
    w.process.unlink(w.config)
    w.mounted.unmount()
    assert w.mounted.status == 0
    assert "not yours to delete" in w.mounted.log()
    assert w.site.get("plain")
    again = mount(w.api, home=w.mounted.home)
    assert w.process.read(again.connector(w.site, "plain") / "config.json") == w.text


# Interrupted and killed


def removing(w):
    """rm -r, whose DELETE has arrived and is not answered yet."""
    w.api.fault(method="DELETE", path="/plain$", delay_ms=1500)
    program = subprocess.Popen(["rm", "-r", str(w.directory)], stderr=subprocess.DEVNULL,
                               preexec_fn=harness.die_with_parent)
    poll(lambda: w.delete in w.api.calls(), 5)
    return program


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_interrupted(work, number):
    """It ends at once; what was sent is carried out."""
    w = work(delete_delay=30)
    program = removing(w)
    program.send_signal(number)
    with harness.takes(at_most=1):
        assert program.wait(10) == -number
    poll(lambda: w.site.get("plain") is None, 5)
    poll(lambda: not w.process.exists(w.directory), 5)
    assert w.api.writes() == [w.delete]


def test_interrupted_before_it_is_sent(work):
    """config.json is away, the directory is not: the delay decides, as after any unlink."""
    w = work(delete_delay=1)
    program = subprocess.Popen(
        ["/bin/bash", "-c", f"rm {w.config}; read; rmdir {w.directory}"], stdin=subprocess.PIPE,
        preexec_fn=harness.die_with_parent)
    poll(lambda: not w.process.exists(w.config), 5)
    program.kill()
    program.communicate()
    assert w.api.writes() == []
    poll(lambda: w.api.writes() == [w.delete], 5)


def test_unmounted_while_it_is_sent(work):
    """The end waits for it."""
    w = work(delete_delay=0)
    w.api.fault(method="DELETE", path="/plain$", delay_ms=1000)
    call = w.process.start("unlink", w.config)
    poll(lambda: w.delete in w.api.calls(), 5)
    w.mounted.send_signal(signal.SIGTERM)
    assert w.mounted.wait() == 0
    assert w.site.get("plain") is None
    assert w.api.writes() == [w.delete]
    try:
        call.result()
    except OSError as error:
        assert error.errno in (errno.EINTR, errno.ENOTCONN, errno.ECONNABORTED)


@pytest.mark.parametrize("command", ["rm {config}", "rm -f {directory}/*"])
def test_killed_in_the_delay(work, mount, command):
    """SIGKILL sends nothing, then or later: the next mount shows it as it was."""
    w = work(delete_delay=1)
    harness.run(command.format(directory=w.directory, config=w.config), shell=True)
    w.mounted.crash()
    hold(lambda: w.api.writes() == [], 1.5)
    again = mount(w.api, home=w.mounted.home, delete_delay=1)
    path = again.connector(w.site, "plain")
    assert w.process.read(path / "config.json") == w.text
    assert len(w.process.listdir(path)) == 4
    hold(lambda: w.api.writes() == [], 1.2)


# It comes back


@pytest.mark.parametrize("how", ["create", "rename", "link"])
def test_created_by_another_process(work, processes, how):
    """Within the delay: a save. One PUT, no DELETE, whoever it was."""
    w = work(delete_delay=1)
    text = w.changed(kafka_topic="by-another")
    w.process.unlink(w.config)
    other = processes()
    if how == "create":
        other.create(w.config, text)
    else:
        other.create(w.directory / "temp", text)
        getattr(other, how)(w.directory / "temp", w.config)
    assert w.api.calls() == [w.look, w.put]
    hold(lambda: w.api.writes() == [w.put], 1.4)
    assert w.site.config("plain")["kafka.topic"] == "by-another"
    assert w.process.read(w.config) == other.read(w.config) == w.shown()


def test_created_by_another_process_as_it_was(work, processes):
    w = work(delete_delay=1)
    w.process.unlink(w.config)
    processes().create(w.config, w.text)
    hold(lambda: w.api.writes() == [], 1.4)
    w.assert_untouched()


def test_created_by_another_process_and_refused(work, processes):
    """It was a save that failed, and no removal."""
    w = work(delete_delay=0.5)
    w.api.fault(method="PUT", path="/config$", times=-1, status=400, body={"message": "no"})
    w.process.unlink(w.config)
    text = w.changed(kafka_topic="by-another")
    with fails(errno.EINVAL):
        processes().create(w.config, text)
    hold(lambda: w.api.writes() == [w.put] and w.site.get("plain") is not None, 1)
    w.assert_refused(text, "no")


def test_begun_by_another_process(work, processes):
    """Created within the delay and written only after it: still a save."""
    w = work(delete_delay=0.5)
    w.process.unlink(w.config)
    other = processes()
    fd = other.open(w.config, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    hold(lambda: w.api.writes() == [], 1)
    other.write_fd(fd, w.changed(kafka_topic="slowly"))
    other.close(fd)
    hold(lambda: w.api.writes() == [w.put], 0.8)
    assert w.site.config("plain")["kafka.topic"] == "slowly"


def test_changed_by_another_client_meanwhile(work, processes):
    """What comes back meets somebody else's change: neither is lost."""
    w = work(delete_delay=1)
    w.process.unlink(w.config)
    w.theirs(quickstart="USERS")
    text = w.changed(kafka_topic="mine")
    with fails(errno.ESTALE):
        processes().create(w.config, text)
    hold(lambda: w.api.writes() == [], 1.4)
    assert w.process.read(w.rejected) == text
    assert json.loads(w.process.read(w.config))["quickstart"] == "USERS"
