"""When the API fails or lists too little: the last good answer; no failure looks like absence."""

import errno

import pytest

import harness
import samples
from harness import elapse, fails, hold, poll


# When the API fails


def everything_fails(api, **fault):
    api.fault(path="/", times=-1, **(fault or {"status": 503}))


@pytest.mark.parametrize("fault", [{"status": 503}, {"status": 429}, {"drop": True},
                                   {"hang": True}, {"garbage": True}])
def test_the_last_good_answer_serves(work, fault):
    w = work(ttl=0.2, ttl_status=0.2, timeout=0.5)
    status = w.process.read(w.directory / "status.json")
    everything_fails(w.api, **fault)
    elapse(0.4)
    assert w.process.read(w.config) == w.text
    assert set(w.process.listdir(w.connectors)) >= {"plain", "other"}
    assert w.process.read(w.directory / "status.json") == status
    lines = [line for line in w.mounted.log().splitlines() if w.site.cluster in line]
    assert lines, "the log tells it"
    if fault == {"status": 503}:
        w.api.clear_faults()
        w.theirs(kafka_topic="back-again")
        poll(lambda: w.process.read(w.config) == w.shown() != w.text, 10)


def test_unplugged(work):
    """The emulator is stopped: what was read is still there; plugged in again, it goes on."""
    w = work(ttl=0.2, timeout=0.5)
    w.api.stop()
    elapse(0.3)
    assert w.process.read(w.config) == w.text
    assert set(w.process.listdir(w.connectors)) >= {"plain", "other"}
    w.api.start()
    site = samples.site(w.api)
    site.patch("plain", merge={"kafka.topic": "plugged-in"})
    poll(lambda: b"plugged-in" in w.process.read(w.config), 10)


def test_no_stale_answers(work):
    w = work(ttl=0.2, ttl_status=0.2, stale=0, timeout=0.5)
    w.process.read(w.state)
    everything_fails(w.api)
    elapse(0.3)
    for path in (w.config, w.state):
        with fails(errno.EIO, errno.ETIMEDOUT):
            w.process.read(path)
    with fails(errno.EIO, errno.ETIMEDOUT):
        w.process.listdir(w.connectors)
    w.api.clear_faults()
    poll(lambda: w.process.read(w.config) == w.text, 5)


def test_stale_ends(work):
    w = work(ttl=0.1, ttl_status=0.1, stale=1, timeout=0.3)
    everything_fails(w.api)
    elapse(0.3)
    assert w.process.read(w.config) == w.text

    def refused():
        try:
            w.process.read(w.config)
            return False
        except OSError as error:
            assert error.errno in (errno.EIO, errno.ETIMEDOUT)
            return True
    poll(refused, 10)


def test_one_line_for_many_stale_reads(work):
    w = work(ttl=0.1, ttl_status=0.1, timeout=0.2)
    before = len(w.mounted.log().splitlines())
    everything_fails(w.api, drop=True)
    elapse(0.2)
    for _ in range(20):
        w.process.read(w.config)
        w.process.read(w.connectors / "other" / "config.json")
    assert len(w.mounted.log().splitlines()) - before <= 20


def test_a_failure_is_never_absence(emulator, site, mount, process):
    """On a mount that has seen nothing yet, and of everything below it."""
    mounted = mount(emulator, timeout=0.4, ttl_negative=0)
    emulator.fault(path="/connectors|/cmk|/connector-plugins", times=-1, status=503)
    directory = mounted.connectors(site)
    for attempt in (
            lambda: process.listdir(directory), lambda: process.listdir(directory / "plain"),
            lambda: process.stat(directory / "plain"), lambda: process.stat(directory / "none"),
            lambda: process.read(directory / "plain" / "config.json"),
            lambda: process.listdir(mounted.cluster(site) / "connector-plugins"),
            lambda: process.listdir(mounted / "environments" / site.env / "clusters")):
        with fails(errno.EIO, errno.ETIMEDOUT):
            attempt()
    emulator.clear_faults()
    poll(lambda: "plain" in process.listdir(directory), 5)


def test_rsync_delete_keeps_the_backup(emulator, site, mount, tmp_path):
    """What this is about: a failing API must not empty a backup."""
    mounted = mount(emulator, timeout=0.4, ttl=0.1, ttl_status=0.1, ttl_topology=0.1, stale=0)
    source = f"{mounted.root}/environments/"
    harness.run("rsync", "-a", source, f"{tmp_path}/backup/")
    before = sorted(path.relative_to(tmp_path) for path in (tmp_path / "backup").rglob("*"))
    assert len(before) > 10
    for fault in ({"status": 503}, {"drop": True}, {"status": 404}, {"status": 403},
                  {"body_only": "{}"}, {"garbage": True},
                  {"status": 404, "body": "<html>no</html>",
                   "headers": {"Content-Type": "text/html"}}):
        emulator.fault(path="/connectors|/cmk|/connector-plugins", times=-1, **fault)
        elapse(0.2)
        harness.run("rsync", "-a", "--delete", source, f"{tmp_path}/backup/", status=None)
        emulator.clear_faults()
        assert sorted(path.relative_to(tmp_path)
                      for path in (tmp_path / "backup").rglob("*")) == before, fault


# Absence is confirmed


def test_missing_from_the_bulk_answer(work):
    """A connector without a status yet: it stays as it was, its status unknown."""
    w = work(ttl=0.2, ttl_status=0.2)
    w.api.hide(w.site.cluster, ["plain"], "expand")
    w.refresh()
    hold(lambda: w.process.read(w.config) == w.text
         and "plain" in w.process.listdir(w.connectors), 1)
    assert ("GET", w.site.base) in w.api.calls(), "the plain list was asked"
    assert w.process.stat(w.config).st_size == len(w.text)


def test_missing_from_both_lists_but_there(work):
    """A lagging list: its own GET decides."""
    w = work(ttl=0.2, ttl_status=0.2)
    w.api.hide(w.site.cluster, ["plain"], "expand", "list")
    w.refresh()
    hold(lambda: w.process.read(w.config) == w.text
         and "plain" in w.process.listdir(w.connectors), 1)


def test_gone(work):
    """Both lists lack it, and the API says so: one plain list, one GET for it."""
    w = work()
    w.site.patch("plain", delete=True)
    w.api.clear()
    w.refresh()
    poll(lambda: "plain" not in w.process.listdir(w.connectors), 5)
    assert not w.process.exists(w.directory)
    calls = w.api.calls()
    assert w.bulk in calls and ("GET", w.site.base) in calls
    assert len([call for call in calls if call[1].startswith(w.site.of("plain"))]) == 1


def test_gone_says_only_the_api(work):
    """A 404 of HTML is a proxy's: it stays."""
    w = work(ttl=0.2)
    w.api.hide(w.site.cluster, ["plain"], "expand", "list")
    w.api.fault(path="/connectors/plain", times=-1, status=404, body="<html>Not Found</html>",
                headers={"Content-Type": "text/html"})
    w.refresh()

    def is_there():
        try:
            assert w.process.read(w.config) == w.text
        except OSError as error:
            assert error.errno == errno.EIO
        return w.process.exists(w.config) and "plain" in w.process.listdir(w.connectors)
    hold(is_there, 1)


def test_everything_gone_at_once(emulators, mount, process):
    """A server that has just started lists nothing: a second list, later, must agree."""
    api = emulators("--environments", 1, "--clusters", 1, "--connectors", 6)
    site = harness.Site(api, *samples.first_cluster(api))
    mounted = mount(api, ttl=0.3, ttl_status=0.3)
    path = mounted.connectors(site)
    names = sorted(process.listdir(path))
    for name in names:
        site.patch(name, delete=True)
    process.write(mounted / ".connectfs" / "refresh", b"1")
    hold(lambda: sorted(process.listdir(path)) == names, 3)
    poll(lambda: process.listdir(path) == [], 20)


def test_a_server_that_has_just_started(emulators, mount, process):
    """Its empty lists are not believed, and it recovers before anything is gone."""
    api = emulators("--environments", 1, "--clusters", 1, "--connectors", 6)
    site = harness.Site(api, *samples.first_cluster(api))
    mounted = mount(api, ttl=0.3, ttl_status=0.3)
    path = mounted.connectors(site)
    names = sorted(process.listdir(path))
    api.hide(site.cluster, names, "expand", "list")
    api.fault(path="/connectors/[^/]+(/config)?$", times=-1, status=404,
              body={"error_code": 404, "message": "not here"})
    process.write(mounted / ".connectfs" / "refresh", b"1")
    hold(lambda: sorted(process.listdir(path)) == names, 2.5)
    api.hide(site.cluster, [], "expand", "list")
    api.clear_faults()
    hold(lambda: sorted(process.listdir(path)) == names, 4)


def test_an_environment_that_is_gone(emulators, mount, process):
    """The vendor answers 403 for one that is gone: the topology is read again, and says so."""
    api = emulators("--environments", 2, "--clusters", 1, "--connectors", 2)
    mounted = mount(api, ttl=0.2, ttl_status=0.2, stale=0)
    env, cluster = samples.first_cluster(api)
    path = mounted / "environments" / env
    assert len(process.listdir(path / "clusters" / cluster / "connectors")) == 2
    api.control("POST", "environments", {"id": env, "delete": True})
    elapse(0.3)

    def gone():
        try:
            assert len(process.listdir(path / "clusters" / cluster / "connectors")) == 2
            return False
        except FileNotFoundError:
            return True
    poll(gone, 10)
    poll(lambda: not process.exists(path), 5)
    assert env not in process.listdir(mounted / "environments")


@pytest.mark.parametrize("status, number", [(403, errno.EACCES), (404, errno.EIO)])
def test_a_refusal_below_a_cluster_that_is_there(emulator, site, mount, process, status, number):
    mounted = mount(emulator, timeout=1)
    emulator.fault(path="/connectors$", times=-1, status=status,
                   body={"error": {"code": status, "message": "no"}})
    with fails(number):
        process.listdir(mounted.connectors(site))
    with fails(number):
        process.stat(mounted.connector(site, "plain"))
