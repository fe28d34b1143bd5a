"""What is asked and when; stale answers; absence; changes that the API does not know yet."""

import errno
import json
import os
import signal

import pytest

import canonical
import harness
import samples
from harness import elapse, fails, hold, poll, takes


def refresh(w):
    w.process.write(w.mounted / ".connectfs" / "refresh", b"1\n")


def change(w, name="plain", **settings):
    w.site.patch(name, merge={key.replace("_", "."): value for key, value in settings.items()})


# Times to live


def test_warm_reads_ask_nothing(work):
    w = work()
    for _ in range(3):
        assert w.process.read(w.config) == w.text
        w.process.tree(w.connectors)
        w.process.stat(w.directory / "status.json")
    assert w.api.calls() == []


def test_names_that_a_fresh_listing_lacks(work):
    """git and editors ask every directory for .git, HEAD, .hg: no request at all."""
    w = work()
    w.process.listdir(w.connectors)
    w.api.clear()
    for directory in (w.mounted.root, w.mounted / "environments", w.connectors, w.directory,
                      w.mounted.cluster(w.site), w.mounted / "by-name"):
        for name in (".git", "HEAD", ".hg", ".connectfs.old"):
            with fails(errno.ENOENT):
                w.process.lstat(directory / name)
    assert w.api.calls() == []


def test_changed_elsewhere(work):
    """Visible after the TTL, with another time and an exact size."""
    w = work(ttl=0.3)
    before = w.process.stat(w.config)
    change(w, kafka_topic="a-much-longer-name-than-before")
    poll(lambda: w.process.stat(w.config).st_size != before.st_size, 5)
    content, opened, named = w.process.read_and_stat(w.config)
    assert content == w.shown() != w.text
    assert opened.st_size == named.st_size == len(content)
    assert opened.st_mtime_ns > before.st_mtime_ns and opened.st_ino == before.st_ino


def test_changed_elsewhere_to_the_same_size(work):
    """No pages of the old content are left in the kernel."""
    w = work(ttl=0.3)
    before = w.process.stat(w.config)
    change(w, kafka_topic="ORDERS")
    poll(lambda: w.process.read(w.config) == w.shown(), 5)
    after = w.process.stat(w.config)
    assert after.st_size == before.st_size and after.st_mtime_ns != before.st_mtime_ns
    assert after.st_ctime_ns == after.st_mtime_ns


def test_time_does_not_move_without_a_change(work):
    w = work(ttl=0.1, ttl_status=0.1)
    before = [w.process.stat(w.directory / name) for name in sorted(w.process.listdir(w.directory))]
    for _ in range(4):
        elapse(0.15)
        w.process.tree(w.connectors)
    after = [w.process.stat(w.directory / name) for name in sorted(w.process.listdir(w.directory))]
    assert [one.st_mtime_ns for one in before] == [one.st_mtime_ns for one in after]


def test_not_cached_at_all(work):
    w = work(ttl=0, ttl_status=0)
    for topic in ("one", "two-two", "three"):
        change(w, kafka_topic=topic)
        assert f'"{topic}"'.encode() in w.process.read(w.config)
    w.site.patch("plain", state="PAUSED")
    assert w.process.read(w.state) == b"PAUSED\n"


def test_status_lives_shorter(work):
    w = work(ttl_status=0.3)
    w.site.patch("plain", state="PAUSED")
    change(w, kafka_topic="unseen")
    poll(lambda: w.process.read(w.state) == b"PAUSED\n", 5)
    assert w.process.stat(w.directory / "status.json").st_size \
        == len(w.process.read(w.directory / "status.json"))


def test_an_expired_file_costs_one_small_request(work):
    w = work(ttl=0.3, ttl_status=60)
    elapse(0.4)
    w.api.clear()
    assert w.process.read(w.config) == w.text
    assert w.api.calls() == [w.look]


def test_an_expired_status_costs_one_small_request(work):
    w = work(ttl_status=0.3)
    w.process.read(w.state)
    elapse(0.4)
    w.api.clear()
    assert w.process.read(w.state) == b"RUNNING\n"
    assert w.api.calls() == [("GET", w.site.of("plain", "/status"))]


def test_an_expired_walk_costs_one_bulk_request(emulators, mount):
    api = emulators("--environments", 1, "--clusters", 1, "--connectors", 40)
    site = harness.Site(api, *samples.first_cluster(api))
    mounted = mount(api, ttl=1)
    path = mounted.connectors(site)
    harness.run(f"cat {path}/*/config.json", shell=True)
    elapse(1.1)
    api.clear()
    harness.run(f"cat {path}/*/config.json", shell=True)
    calls = api.calls()
    assert calls.count(("GET", site.base + "?expand=id,info,status")) == 1
    assert len(calls) <= 4


def test_cold_readers_share_a_request(work):
    """64 at once, one bulk answer."""
    w = work()
    refresh(w)
    w.api.settings(latency_ms=300)
    w.api.clear()
    names = ["plain", "other"]
    command = " ".join(f"cat {w.connectors / names[number % 2]}/config.json >/dev/null &"
                       for number in range(64))
    with takes(at_most=3):
        harness.run(f"{command} wait", shell=True)
    calls = w.api.calls()
    assert calls.count(w.bulk) <= 1 and len(calls) == len(set(calls)) <= 4
    assert len(calls) >= 1


def test_cold_readers_of_a_new_mount(emulator, site, mount):
    emulator.settings(latency_ms=200)
    mounted = mount(emulator)
    path = mounted.connector(site, "plain") / "config.json"
    harness.run(" ".join([f"cat {path} >/dev/null &"] * 64) + " wait", shell=True)
    calls = emulator.calls()
    bulk = ("GET", site.base + "?expand=id,info,status")
    assert calls.count(bulk) + calls.count(site.look("plain")) == 1
    assert len(calls) == len(set(calls)), "nothing is asked twice"


def test_refresh(work):
    w = work()
    change(w, kafka_topic="refreshed")
    assert w.process.read(w.config) == w.text
    refresh(w)
    assert w.process.read(w.config) == w.shown() != w.text
    assert w.process.stat(w.config).st_size == len(w.shown())


def test_refresh_with_an_append(work):
    w = work()
    change(w, kafka_topic="refreshed")
    harness.run(f"echo >> {w.mounted.root}/.connectfs/refresh", shell=True)
    assert w.process.read(w.config) == w.shown()


def test_refresh_with_sighup(work):
    w = work()
    change(w, kafka_topic="refreshed")
    w.mounted.send_signal(signal.SIGHUP)
    poll(lambda: w.process.read(w.config) == w.shown() != w.text, 5)


def test_refresh_drops_the_kernels_entries(work):
    w = work()
    w.site.patch("other", delete=True)
    w.site.create("newcomer", samples.PLAIN)
    w.process.listdir(w.connectors)
    refresh(w)
    names = w.process.listdir(w.connectors)
    assert "newcomer" in names and "other" not in names
    assert not w.process.exists(w.connectors / "other")


def test_an_open_file_keeps_its_content(work):
    w = work(ttl=0.2)
    fd = w.process.open(w.config, os.O_RDONLY)
    change(w, kafka_topic="ORDERS", quickstart="USERSS")
    poll(lambda: w.process.read(w.config) == w.shown() != w.text, 5)
    assert w.process.read_fd(fd) == w.text
    assert w.process.fstat(fd).st_size == len(w.text)
    second = w.process.open(w.config, os.O_RDONLY)
    assert w.process.read_fd(second) == w.shown()
    assert w.process.read_fd(fd) == w.text, "their pages do not mix"


def test_new_and_gone_elsewhere(work):
    w = work(ttl=0.3, ttl_negative=0.3)
    with fails(errno.ENOENT):
        w.process.stat(w.connectors / "newcomer")
    w.site.create("newcomer", samples.PLAIN)
    poll(lambda: "newcomer" in w.process.listdir(w.connectors), 5)
    poll(lambda: w.process.exists(w.connectors / "newcomer" / "config.json"), 5)
    w.site.patch("newcomer", delete=True)
    poll(lambda: "newcomer" not in w.process.listdir(w.connectors), 5)
    poll(lambda: not w.process.exists(w.connectors / "newcomer"), 5)


def test_directory_times_move_with_the_listing(work):
    w = work(ttl=0.2)
    before = w.process.stat(w.connectors).st_mtime_ns
    elapse(0.5)
    assert w.process.stat(w.connectors).st_mtime_ns == before
    w.site.create("newcomer", samples.PLAIN)
    poll(lambda: "newcomer" in w.process.listdir(w.connectors), 5)
    assert w.process.stat(w.connectors).st_mtime_ns > before


def test_topology(emulator, site, mount, process):
    mounted = mount(emulator, ttl_topology=0.3)
    assert "env-later" not in process.listdir(mounted / "environments")
    emulator.control("POST", "environments", {"id": "env-later", "display_name": "Later"})
    emulator.control("POST", "clusters", {
        "environment": "env-later", "id": "lkc-later", "display_name": "Later still"})
    poll(lambda: "env-later" in process.listdir(mounted / "environments"), 5)
    clusters = mounted / "environments" / "env-later" / "clusters"
    poll(lambda: process.listdir(clusters) == ["lkc-later"], 5)
    assert process.listdir(clusters / "lkc-later" / "connectors") == []
    poll(lambda: process.exists(mounted / "by-name" / "Later" / "Later still"), 5)


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
    w.api.clear_faults()
    change(w, kafka_topic="back-again")
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
    refresh(w)
    hold(lambda: w.process.read(w.config) == w.text
         and "plain" in w.process.listdir(w.connectors), 1)
    assert ("GET", w.site.base) in w.api.calls(), "the plain list was asked"
    assert w.process.stat(w.config).st_size == len(w.text)


def test_missing_from_both_lists_but_there(work):
    """A lagging list: its own GET decides."""
    w = work(ttl=0.2, ttl_status=0.2)
    w.api.hide(w.site.cluster, ["plain"], "expand", "list")
    refresh(w)
    hold(lambda: w.process.read(w.config) == w.text
         and "plain" in w.process.listdir(w.connectors), 1)


def test_gone(work):
    """Both lists lack it, and the API says so: one plain list, one GET for it."""
    w = work()
    w.site.patch("plain", delete=True)
    w.api.clear()
    refresh(w)
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
    refresh(w)

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


# Changes that the API does not show yet


def lagging(emulators, mount, process):
    """A mount that asks anew every time, of an API whose reads lag 1.5 s behind."""
    api = emulators(*samples.EMULATOR)
    site = harness.Site(api, *samples.first_cluster(api))
    mounted = mount(api, ttl=0, ttl_status=0)
    process.tree(mounted.connectors(site))
    api.settings(settle_ms=1500)
    return site, mounted


OLD = "connector-000001"  # one that is older than the lag


def test_a_save_does_not_flicker(emulators, mount, process):
    site, mounted = lagging(emulators, mount, process)
    path = mounted.connector(site, OLD) / "config.json"
    content = dict(json.loads(process.read(path)), **{"a.setting": "settled"})
    process.write(path, canonical.config(content))
    saved = process.read(path)
    assert b"settled" in saved
    time = process.stat(path).st_mtime_ns
    hold(lambda: process.read(path) == saved and process.stat(path).st_mtime_ns == time
         and process.listdir(mounted.connectors(site)), 2.5)
    assert saved == site.shown(OLD)


def test_a_create_does_not_flicker(emulators, mount, process):
    site, mounted = lagging(emulators, mount, process)
    directory = mounted.connectors(site) / "new"
    process.mkdir(directory)
    process.write(directory / "config.json", canonical.config(samples.PLAIN))
    saved = process.read(directory / "config.json")
    hold(lambda: "new" in process.listdir(mounted.connectors(site))
         and process.read(directory / "config.json") == saved, 2.5)
    poll(lambda: process.read(directory / "state") == b"RUNNING\n", 5)
    assert saved == site.shown("new")


def test_a_removal_does_not_flicker(emulators, mount, process):
    site, mounted = lagging(emulators, mount, process)
    directory = mounted.connector(site, OLD)
    process.unlink(directory / "config.json")
    process.rmdir(directory)
    assert site.get(OLD) is None
    hold(lambda: OLD not in process.listdir(mounted.connectors(site))
         and not process.exists(directory) and not process.exists(directory / "config.json"), 2.5)


def test_settle_is_bounded(emulators, mount, process):
    """Where the API never agrees, its answer wins in the end."""
    api = emulators(*samples.EMULATOR)
    site = samples.site(api)
    mounted = mount(api, ttl=0, ttl_status=0, settle=1)
    state = mounted.connector(site, "plain") / "state"
    assert process.read(state) == b"RUNNING\n"
    process.write(state, b"pause\n")
    assert process.read(state) == b"PAUSED\n"
    site.patch("plain", state="RUNNING")
    poll(lambda: process.read(state) == b"RUNNING\n", 5)


def test_a_save_and_then_another_clients_change(emulators, mount, process):
    """Once the API has agreed, its next answer is believed at once."""
    api = emulators(*samples.EMULATOR)
    site = samples.site(api)
    mounted = mount(api, ttl=0)
    path = mounted.connector(site, "plain") / "config.json"
    content = dict(json.loads(process.read(path)), **{"kafka.topic": "ours"})
    process.write(path, canonical.config(content))
    assert process.read(path) == site.shown("plain")
    process.tree(mounted.connectors(site))
    site.patch("plain", merge={"kafka.topic": "theirs"})
    poll(lambda: b"theirs" in process.read(path), 5)


# A hanging API


def test_a_hanging_api_blocks_nobody_else(emulators, mount, process, processes):
    api = emulators("--environments", 1, "--clusters", 2, "--connectors", 3)
    env, clusters = samples.clusters_of(api)[0]
    first, second = (harness.Site(api, env, cluster) for cluster in clusters)
    mounted = mount(api, timeout=20)
    names = process.listdir(mounted.connectors(first))
    process.tree(mounted.connectors(first))
    process.listdir(mounted / "environments" / env / "clusters")
    api.fault(path=f"/clusters/{second.cluster}/connectors", times=-1, hang=True)
    hanging = [processes().start("listdir", mounted.connectors(second)) for _ in range(12)]
    poll(lambda: api.faults()[0]["hits"], 5, "a hanging request")
    with takes(at_most=1):
        for name in names:
            assert process.read(mounted.connectors(first) / name / "config.json")
        assert process.listdir(mounted / "environments" / env / "clusters")
    with takes(at_most=2):
        harness.run("ls", "-l", mounted.connectors(first))
    assert not any(call.done() for call in hanging)
    api.clear_faults()
    for call in hanging:
        assert len(call.result()) == 3


# Connections


def test_connections_are_kept(work):
    w = work(ttl=0, ttl_status=0)
    for _ in range(10):
        w.process.read(w.config)
        w.process.read(w.state)
    requests = w.api.requests()
    assert len(requests) >= 10
    assert len({one["connection"] for one in requests}) == 1


def test_connections_are_bounded(emulators, mount):
    api = emulators("--environments", 1, "--clusters", 1, "--connectors", 20)
    site = harness.Site(api, *samples.first_cluster(api))
    mounted = mount(api, ttl=0.2, max_connections=2)
    path = mounted.connectors(site)
    harness.run(f"cat {path}/*/config.json", shell=True)
    elapse(0.3)
    api.settings(latency_ms=50)
    api.clear()
    harness.run(f"for one in {path}/*/config.json; do cat $one >/dev/null & done; wait", shell=True)
    assert 1 <= len({one["connection"] for one in api.requests()}) <= 2
