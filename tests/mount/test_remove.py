"""Removing connectors, and everything that must not be taken for it."""

import errno
import json
import os
import signal

import pytest

import canonical
import harness
import samples
from harness import fails, hold, poll


# What removes


def test_rm_r(work):
    """DELETE at the rmdir; nothing before it."""
    w = work(delete_delay=30)
    w.process.unlink(w.config)
    assert not w.process.exists(w.config)
    assert w.process.exists(w.directory)
    assert w.api.writes() == []
    for name in ("connector.json", "status.json", "state"):
        w.process.unlink(w.directory / name)
        assert not w.process.exists(w.directory / name)
    assert w.api.writes() == []
    w.process.rmdir(w.directory)
    assert w.api.writes() == [w.delete]
    assert w.site.get("plain") is None
    assert not w.process.exists(w.directory)
    assert "plain" not in w.process.listdir(w.connectors)


def test_rm_r_as_a_program(work):
    w = work()
    harness.run("rm", "-r", w.directory)
    assert w.api.writes() == [w.delete]
    assert w.site.get("plain") is None
    assert w.site.get("other")


def test_rmdir_with_read_only_files_left(work):
    """However config.json went."""
    w = work(delete_delay=30)
    w.process.unlink(w.config)
    w.process.rmdir(w.directory)
    assert w.api.writes() == [w.delete]


def test_unlink_alone(work):
    """Sent when it has stayed away for the delay, not before."""
    w = work(delete_delay=1)
    w.process.unlink(w.config)
    hold(lambda: w.api.writes() == [], 0.7)
    poll(lambda: w.api.writes() == [w.delete], 5)
    poll(lambda: not w.process.exists(w.directory), 5)
    assert w.site.get("plain") is None


def test_unlink_while_it_is_saved(work, processes):
    """The save was closed before: it is sent, and then it is removed."""
    w = work(delete_delay=1)
    w.api.settings(latency_ms=300)
    fd = w.process.open(w.config, os.O_WRONLY | os.O_TRUNC)
    w.process.write_fd(fd, w.changed(kafka_topic="the-last"))
    w.process.begin("close", fd)
    poll(lambda: w.api.calls() == [w.look], 5)
    processes().unlink(w.config)
    w.process.finish()
    assert not w.process.exists(w.config)
    poll(lambda: w.api.writes() == [w.put, w.delete], 5)
    poll(lambda: not w.process.exists(w.directory), 5)


def test_unlink_at_once(work):
    w = work(delete_delay=0)
    w.process.unlink(w.config)
    assert w.api.writes() == [w.delete]
    assert not w.process.exists(w.config)


def test_what_was_removed_can_be_read(work):
    w = work()
    harness.run("rm", "-r", w.directory)
    path = w.mounted / ".connectfs" / "deleted" / "plain.json"
    assert w.process.listdir(path.parent) == ["plain.json"]
    assert w.process.read(path) == w.text
    assert w.process.stat(path).st_size == len(w.text)


def test_one_name_removed_in_several_clusters(emulators, mount, process):
    api = emulators("--environments", 1, "--clusters", 3, "--connectors", 2)
    mounted = mount(api)
    (environment, clusters), = api.account().items()
    shown = {}
    for cluster in clusters:
        connectors = mounted / "environments" / environment / "clusters" / cluster / "connectors"
        shown[cluster] = process.read(connectors / "connector-000001" / "config.json")
        harness.run("rm", "-r", connectors / "connector-000001")
    assert len(set(shown.values())) == 3
    deleted = mounted / ".connectfs" / "deleted"
    assert {name: process.read(deleted / name) for name in process.listdir(deleted)} == {
        f"connector-000001 ({cluster}).json": text for cluster, text in shown.items()}


def test_created_again(work):
    w = work()
    harness.run("rm", "-r", w.directory)
    w.process.mkdir(w.directory)
    content = dict(json.loads(w.text), **{"kafka.api.key": "KEY", "kafka.api.secret": "again"})
    w.process.write(w.config, json.dumps(content).encode())
    assert w.api.writes() == [w.delete, w.site.post]
    assert w.site.get("plain")


# What does not remove


def test_rmdir_of_a_whole_connector(work):
    w = work()
    with fails(errno.ENOTEMPTY):
        w.process.rmdir(w.directory)
    w.process.unlink(w.config)
    w.process.create(w.directory / "scratch", b"x")
    with fails(errno.ENOTEMPTY):
        w.process.rmdir(w.directory)
    assert w.api.writes() == []


@pytest.mark.parametrize("name", ["connector.json", "status.json", "state"])
def test_unlink_of_another_file(work, name):
    """Succeeds, hides it for the grace time, and sends nothing."""
    w = work(delete_delay=0.5)
    w.process.unlink(w.directory / name)
    assert not w.process.exists(w.directory / name)
    assert name not in w.process.listdir(w.directory)
    poll(lambda: w.process.exists(w.directory / name), 5)
    assert w.api.writes() == []


def test_comes_back_as_it_was(work):
    """Unlinked and created with the same content: nothing at all is sent."""
    w = work(delete_delay=1)
    w.process.unlink(w.config)
    w.process.create(w.config, w.text)
    hold(lambda: w.api.writes() == [], 1.5)
    assert w.process.read(w.config) == w.text


def test_comes_back_from_outside(work):
    """mv from another filesystem: unlink, then create."""
    w = work(delete_delay=1)
    new = w.mounted.home / "work" / "config.json"
    new.write_bytes(w.changed(kafka_topic="moved-in"))
    harness.run("cp", "--remove-destination", new, w.config)
    hold(lambda: w.api.writes() == [w.put], 1.5)
    assert w.site.config("plain")["kafka.topic"] == "moved-in"


@pytest.mark.parametrize("target", ["config.json~", "old"])
def test_rename_away(work, target):
    """Never a removal; the server's content comes back after the grace time."""
    w = work(delete_delay=0.5)
    w.process.rename(w.config, w.directory / target)
    assert not w.process.exists(w.config)
    assert w.process.read(w.directory / target) == w.text
    poll(lambda: w.process.exists(w.config), 5)
    assert w.process.read(w.config) == w.text
    assert w.process.read(w.directory / target) == w.text
    hold(lambda: w.api.writes() == [], 1)


def test_rename_away_and_back(work):
    w = work(delete_delay=0.5)
    w.process.rename(w.config, w.directory / "aside")
    w.process.rename(w.directory / "aside", w.config)
    assert w.process.read(w.config) == w.text
    hold(lambda: w.api.writes() == [], 1)


def test_rename_away_and_remove_the_copy(work):
    w = work(delete_delay=0.5)
    w.process.rename(w.config, w.directory / "aside")
    w.process.unlink(w.directory / "aside")
    poll(lambda: w.process.exists(w.config), 5)
    hold(lambda: w.api.writes() == [], 1)


def test_exchange(work):
    w = work()
    w.process.create(w.directory / "scratch", b"x")
    with fails(errno.EINVAL):
        w.process.rename_with(w.config, w.directory / "scratch", 2)
    with fails(errno.EINVAL):
        w.process.rename_with(w.directory / "scratch", w.config, 2)
    assert w.process.read(w.config) == w.text and w.process.read(w.directory / "scratch") == b"x"


def test_rename_without_replacing(work):
    w = work()
    w.process.create(w.directory / "scratch", w.changed(kafka_topic="x"))
    with fails(errno.EEXIST):
        w.process.rename_with(w.directory / "scratch", w.config, 1)
    assert w.api.calls() == []


def test_connectors_cannot_be_moved(work):
    """EPERM, not EXDEV, which would make mv copy and delete."""
    w = work()
    with fails(errno.EPERM):
        w.process.rename(w.directory, w.connectors / "renamed")
    with fails(errno.EPERM):
        w.process.rename(w.directory, w.directory.parent.parent / "plain")
    result = harness.run("mv", w.directory, w.connectors / "renamed", status=None)
    assert result.status != 0
    assert w.api.writes() == [] and w.process.read(w.config) == w.text


@pytest.mark.parametrize("path", [
    "environments", "environments/{env}", "environments/{env}/clusters",
    "environments/{env}/clusters/{cluster}", "environments/{env}/clusters/{cluster}/connectors",
    "by-name", ".connectfs", "environments/{env}/clusters/{cluster}/connector-plugins",
])
def test_other_directories_stay(work, path):
    w = work()
    path = w.mounted / path.format(env=w.site.env, cluster=w.site.cluster)
    with fails(errno.EPERM, errno.ENOTEMPTY):
        w.process.rmdir(path)
    with fails(errno.EPERM):
        w.process.rename(path, w.mounted / "elsewhere")
    assert w.api.writes() == []


@pytest.mark.parametrize("name", ["environment.json", "clusters/{cluster}/cluster.json"])
def test_other_files_stay(work, name):
    w = work()
    path = w.mounted / "environments" / w.site.env / name.format(cluster=w.site.cluster)
    with fails(errno.EPERM):
        w.process.unlink(path)
    assert w.process.read(path)


# When it fails


def test_a_delete_that_fails(work):
    """The error reaches rmdir; the file is back, with the reason."""
    w = work()
    w.api.fault(method="DELETE", path="/plain$", times=-1, status=403,
                body={"error": {"code": 403, "message": "not yours to delete"}})
    w.process.unlink(w.config)
    with fails(errno.EACCES):
        w.process.rmdir(w.directory)
    poll(lambda: w.process.exists(w.config), 5)
    assert w.process.read(w.config) == w.text
    assert b"not yours to delete" in w.process.read(w.error)
    assert w.api.writes() == [w.delete]
    assert w.process.exists(w.directory / "status.json")


def test_a_late_delete_that_fails(work):
    w = work(delete_delay=0.3)
    w.api.fault(method="DELETE", path="/plain$", times=-1, status=403,
                body={"error": {"code": 403, "message": "not yours to delete"}})
    w.process.unlink(w.config)
    poll(lambda: w.process.exists(w.error), 5)
    assert w.process.read(w.config) == w.text
    assert b"not yours to delete" in w.process.read(w.error)
    hold(lambda: w.api.writes() == [w.delete], 1)


def test_an_immediate_delete_that_fails(work):
    w = work(delete_delay=0)
    w.api.fault(method="DELETE", path="/plain$", times=-1, status=403, body={"message": "no"})
    with fails(errno.EACCES):
        w.process.unlink(w.config)
    assert w.process.read(w.config) == w.text


def test_already_gone(work):
    """A 404 is success."""
    w = work()
    w.site.patch("plain", delete=True)
    w.process.unlink(w.config)
    w.process.rmdir(w.directory)
    assert w.api.writes() == [w.delete]
    assert not w.process.exists(w.directory)


def test_repeated_while_it_is_the_same(work):
    w = work()
    w.api.fault(method="DELETE", path="/plain$", status=503)
    w.process.unlink(w.config)
    w.process.rmdir(w.directory)
    assert w.api.writes() == [w.delete] * 2
    assert w.site.get("plain") is None


def test_not_repeated_for_its_successor(work):
    """Deleted without an answer, and created anew by somebody before the second attempt."""
    w = work(timeout_write=3)
    w.api.fault(method="DELETE", path="/plain$", unanswered="hang")
    w.process.unlink(w.config)
    call = w.process.start("rmdir", w.directory)
    poll(lambda: w.site.get("plain") is None, 5)
    w.site.create("plain", samples.OTHER)
    successor = w.site.get("plain")["id"]
    w.api.clear_faults()
    try:
        call.result()
    except OSError as error:
        assert error.errno in (errno.EIO, errno.ETIMEDOUT, errno.ENOTEMPTY, errno.ESTALE)
    hold(lambda: w.site.get("plain") and w.site.get("plain")["id"] == successor, 1)


def test_errors_of_a_delete(work):
    w = work(timeout_write=1)
    w.api.fault(method="DELETE", path="/plain$", times=-1, status=503)
    w.process.unlink(w.config)
    with fails(errno.EIO, errno.ETIMEDOUT):
        w.process.rmdir(w.directory)
    assert len(w.api.writes()) >= 2
    assert w.site.get("plain")


# Brakes


def test_max_delete(emulator, site, mount, process):
    for number in range(4):
        site.create(f"extra-{number}", samples.PLAIN)
    mounted = mount(emulator, max_delete=3)
    process.listdir(mounted.connectors(site))
    emulator.clear()
    for number in range(3):
        harness.run("rm", "-r", mounted.connector(site, f"extra-{number}"))
    assert len(emulator.writes()) == 3
    result = harness.run("rm", "-r", mounted.connector(site, "extra-3"), status=None)
    assert result.status != 0 and "not permitted" in result.errors
    assert len(emulator.writes()) == 3
    assert site.get("extra-3")
    assert "max_delete" in mounted.log()
    assert b"max_delete" in process.read(mounted / ".connectfs" / "errors")
    poll(lambda: process.read(mounted.connector(site, "extra-3") / "config.json")
         == site.shown("extra-3"), 10)


def test_max_delete_by_default(emulators, mount):
    """rm -r of everything: ten go, the rest stays."""
    api = emulators("--environments", 1, "--clusters", 1, "--connectors", 14)
    env, cluster = samples.first_cluster(api)
    mounted = mount(api)
    path = mounted.root / "environments" / env / "clusters" / cluster / "connectors"
    result = harness.run("rm", "-rf", path, status=None)
    assert result.status != 0
    assert len(api.writes()) == 10
    assert len(api.account()[env][cluster]) == 4


def test_no_delete(work):
    w = work(no_delete=True)
    with fails(errno.EPERM):
        w.process.unlink(w.config)
    with fails(errno.EPERM, errno.ENOTEMPTY):
        w.process.rmdir(w.directory)
    result = harness.run("rm", "-rf", w.directory, status=None)
    assert result.status != 0
    w.mounted.stop()
    assert w.api.writes() == []


def test_no_delete_allows_saves(work):
    w = work(no_delete=True)
    temporary = w.directory / "temporary"
    w.process.create(temporary, w.changed(kafka_topic="saved"))
    w.process.rename(temporary, w.config)
    assert w.api.writes() == [w.put]


def test_read_only(work):
    w = work(ro=True)
    for attempt in (
            lambda: w.process.write(w.config, w.text), lambda: w.process.unlink(w.config),
            lambda: w.process.mkdir(w.connectors / "new"),
            lambda: w.process.write(w.directory / "scratch", b"x"),
            lambda: w.process.write(w.state, b"pause\n"),
            lambda: w.process.rmdir(w.directory)):
        with fails(errno.EROFS, errno.EACCES, errno.EPERM):
            attempt()
    assert w.process.read(w.config) == w.text
    assert w.api.writes() == []


# The end of a mount


@pytest.mark.parametrize("how", ["unmount", "SIGTERM"])
def test_pending_removal_is_sent(work, how):
    w = work(delete_delay=60)
    w.process.unlink(w.config)
    assert w.api.writes() == []
    if how == "unmount":
        w.mounted.unmount()
    else:
        w.mounted.send_signal(signal.SIGTERM)
        assert w.mounted.wait() == 0
    assert w.api.writes() == [w.delete]
    assert w.site.get("plain") is None


def test_a_crash_sends_nothing(work):
    w = work(delete_delay=60)
    w.process.unlink(w.config)
    w.mounted.crash()
    hold(lambda: w.api.writes() == [], 0.5)
    assert w.site.get("plain")


def test_renamed_away_at_the_end(work):
    w = work(delete_delay=60)
    w.process.rename(w.config, w.directory / "aside")
    w.mounted.stop()
    assert w.api.writes() == []


@pytest.mark.parametrize("how", ["unmount", "SIGTERM"])
def test_drafts_at_the_end(work, how):
    """An empty or incomplete draft is not sent."""
    w = work(delete_delay=60)
    w.process.close(w.process.open(w.config, os.O_WRONLY | os.O_TRUNC))
    if how == "unmount":
        w.mounted.unmount()
    else:
        w.mounted.send_signal(signal.SIGTERM)
        assert w.mounted.wait() == 0
    assert w.api.writes() == []


def test_an_open_file_is_saved_at_the_end(work, processes):
    """SIGTERM while a good draft is open and unsent: what was written is not lost."""
    w = work()
    writer = processes()
    fd = writer.open(w.config, os.O_WRONLY | os.O_TRUNC)
    writer.write_fd(fd, w.changed(kafka_topic="at-the-end"))
    w.mounted.send_signal(signal.SIGTERM)
    assert w.mounted.wait() == 0
    assert w.api.writes() == [w.put]
    assert w.site.config("plain")["kafka.topic"] == "at-the-end"


def test_an_open_file_is_saved_at_the_end_although_another_came(work, processes):
    """Whose open for writing has taken the name from the draft."""
    w = work()
    writer, other = processes(), processes()
    fd = writer.open(w.config, os.O_WRONLY | os.O_TRUNC)
    writer.write_fd(fd, w.changed(kafka_topic="at-the-end"))
    other.open(w.config, os.O_WRONLY)
    w.mounted.send_signal(signal.SIGTERM)
    assert w.mounted.wait() == 0
    assert w.api.writes() == [w.put]
    assert w.site.config("plain")["kafka.topic"] == "at-the-end"


def test_removed_and_created_again_and_again(emulators, mount, process):
    """One name, three lives within a minute: each is shown, and no look costs a request twice."""
    api = emulators("--environments", 1, "--clusters", 1, "--connectors", 2, "--provisioning", 400)
    site = samples.site(api)
    mounted = mount(api, ttl=0.2, ttl_status=0.2)
    directory = mounted.connector(site, "plain")
    harness.poll(lambda: process.exists(directory / "config.json"), 10)
    text = canonical.config(dict(samples.PLAIN, name="plain"))
    for _ in range(3):
        harness.run("rm", "-r", directory)
        process.mkdir(directory)
        process.write(directory / "config.json", text)
        api.clear()
        harness.run("ls", "-l", directory)
        harness.run(f"cat {mounted.connectors(site)}/*/state", shell=True)
        assert len(api.calls()) < 12, api.calls()
    assert site.config("plain")["kafka.topic"] == "orders"


def test_rmdir_while_the_delete_is_under_way(work):
    """It waits for that one, and sends none of its own."""
    w = work(delete_delay=0.2)
    w.api.fault(method="DELETE", delay_ms=1000)
    w.process.unlink(w.config)
    poll(lambda: w.api.writes() == [w.delete], 5, "the DELETE")
    w.process.rmdir(w.directory)
    assert w.site.get("plain") is None
    assert not w.process.exists(w.directory)
    hold(lambda: w.api.writes() == [w.delete], 0.5)


def test_max_delete_of_a_directory_alone(work):
    """Its file was renamed away, so that rmdir is the removal; the refusal names the option."""
    w = work(max_delete=0)
    w.process.rename(w.config, w.directory / "old")
    w.process.unlink(w.directory / "old")
    with fails(errno.EPERM):
        w.process.rmdir(w.directory)
    assert any("max_delete" in line for line in w.errors())
    assert w.api.writes() == []
