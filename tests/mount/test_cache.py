"""What is asked and when, and changes that the API does not know yet."""

import errno
import json
import os
import signal

import canonical
import harness
import samples
from harness import elapse, fails, hold, poll, takes


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
    w.theirs(kafka_topic="a-much-longer-name-than-before")
    poll(lambda: w.process.stat(w.config).st_size != before.st_size, 5)
    content, opened, named = w.process.read_and_stat(w.config)
    assert content == w.shown() != w.text
    assert opened.st_size == named.st_size == len(content)
    assert opened.st_mtime_ns > before.st_mtime_ns and opened.st_ino == before.st_ino


def test_changed_elsewhere_to_the_same_size(work):
    """No pages of the old content are left in the kernel."""
    w = work(ttl=0.3)
    before = w.process.stat(w.config)
    w.theirs(kafka_topic="ORDERS")
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
        w.theirs(kafka_topic=topic)
        assert f'"{topic}"'.encode() in w.process.read(w.config)
    w.site.patch("plain", state="PAUSED")
    assert w.process.read(w.state) == b"PAUSED\n"


def test_status_lives_shorter(work):
    w = work(ttl_status=0.3)
    w.site.patch("plain", state="PAUSED")
    w.theirs(kafka_topic="unseen")
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
    w.refresh()
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
    w.theirs(kafka_topic="refreshed")
    assert w.process.read(w.config) == w.text
    w.refresh()
    assert w.process.read(w.config) == w.shown() != w.text
    assert w.process.stat(w.config).st_size == len(w.shown())


def test_refresh_after_a_failure(work):
    """What would serve for some seconds because the API failed goes as well."""
    w = work(ttl=0.2, ttl_status=0.2)
    elapse(0.3)
    w.api.fault(method="GET", path="/plain/config$", status=501)
    assert w.process.read(w.config) == w.text
    w.theirs(kafka_topic="refreshed")
    w.refresh()
    assert w.process.read(w.config) == w.shown() != w.text


def test_refresh_with_an_append(work):
    w = work()
    w.theirs(kafka_topic="refreshed")
    harness.run(f"echo >> {w.mounted.root}/.connectfs/refresh", shell=True)
    assert w.process.read(w.config) == w.shown()


def test_refresh_with_sighup(work):
    w = work()
    w.theirs(kafka_topic="refreshed")
    w.mounted.send_signal(signal.SIGHUP)
    poll(lambda: w.process.read(w.config) == w.shown() != w.text, 5)


def test_refresh_drops_the_kernels_entries(work):
    w = work()
    w.site.patch("other", delete=True)
    w.site.create("newcomer", samples.PLAIN)
    w.process.listdir(w.connectors)
    w.refresh()
    names = w.process.listdir(w.connectors)
    assert "newcomer" in names and "other" not in names
    assert not w.process.exists(w.connectors / "other")


def test_an_open_file_keeps_its_content(work):
    w = work(ttl=0.2)
    fd = w.process.open(w.config, os.O_RDONLY)
    w.theirs(kafka_topic="ORDERS", quickstart="USERSS")
    poll(lambda: w.process.read(w.config) == w.shown() != w.text, 5)
    assert w.process.read_fd(fd) == w.text
    assert w.process.fstat(fd).st_size == len(w.text)
    second = w.process.open(w.config, os.O_RDONLY)
    assert w.process.read_fd(second) == w.shown()
    assert w.process.read_fd(fd) == w.text, "their pages do not mix"


def test_bytes_come_with_the_first_opening(work):
    w = work()
    path = w.connectors / "other" / "config.json"
    fd = w.process.open(path, os.O_RDONLY)
    w.mounted.send_signal(signal.SIGSTOP)
    try:
        text = w.process.read_fd(fd)
    finally:
        w.mounted.send_signal(signal.SIGCONT)
    assert text == w.site.shown("other")


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
