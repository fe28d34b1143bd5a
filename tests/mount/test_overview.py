""".connectfs/overview: one line for each connector, failed ones first."""

import errno
import json

import harness
import samples
from harness import elapse, fails, poll


def overview(process, mounted):
    return process.read(mounted / ".connectfs" / "overview").decode()


def test_in_full(emulators, mount, process):
    api = emulators(*samples.EMULATOR[:4], "--connectors", 0, "--provisioning", 0)
    env, cluster = samples.first_cluster(api)
    place = harness.Site(api, env, cluster)
    place.create("plain", samples.PLAIN)
    place.create("paused", dict(samples.PLAIN, **{"tasks.max": "12"}), state="PAUSED")
    place.create("broken", dict(samples.PLAIN, **{"tasks.max": "2"}), state="FAILED",
                 trace="org.Broken: größe\n\tat line 2")
    place.create("großer Name\t%", samples.OTHER)
    mounted = mount(api)
    where = f"{env}  {cluster}"
    assert overview(process, mounted) == (
        f"{where}  broken               source  DatagenSource  FAILED   0/2   org.Broken: größe\n"
        f"{where}  großer%20Name%09%25  source  DatagenSource  RUNNING  2/2\n"
        f"{where}  paused               source  DatagenSource  PAUSED   0/12\n"
        f"{where}  plain                source  DatagenSource  RUNNING  1/1\n")
    status = process.stat(mounted / ".connectfs" / "overview")
    assert status.st_size == len(overview(process, mounted).encode())


def test_for_awk(emulators, mount):
    """Every column is a word; the sample account has what they are."""
    api = emulators()
    mounted = mount(api)
    lines = harness.run("awk", "{print $1, $2, $3, $4, $5, $6, $7}",
                        mounted / ".connectfs" / "overview").output.splitlines()
    expected = set()
    for env, clusters in samples.clusters_of(api):
        for cluster in clusters:
            place = harness.Site(api, env, cluster)
            bulk = json.loads(api.api(place.base + "?expand=id,info,status"))
            for name, one in bulk.items():
                config, status = one["info"]["config"], one["status"]
                tasks = [task["state"] for task in status["tasks"]]
                expected.add(" ".join([
                    env, cluster, name.replace(" ", "%20"), one["info"]["type"],
                    config.get("connector.class") or config["confluent.custom.plugin.id"],
                    status["connector"]["state"], f"{tasks.count('RUNNING')}/{len(tasks)}"]))
    assert set(lines) == expected and len(lines) == len(expected) == 12
    states = [line.split()[5] for line in lines]
    assert states == sorted(states, key=lambda state: state != "FAILED") and states[0] == "FAILED"


def test_what_is_not_as_usual(emulator, site, mount, process):
    """A task that failed counts, and shows its trace; what there is not is a dash."""
    status = {"name": "plain", "type": "source",
              "connector": {"state": "RUNNING", "worker_id": "w", "trace": ""},
              "tasks": [{"id": 0, "state": "RUNNING", "worker_id": "w", "msg": ""},
                        {"id": 1, "state": "FAILED", "worker_id": "w", "msg": "task 1\nmore"},
                        {"id": 2, "state": "FAILED", "worker_id": "w", "trace": "task 2"}]}
    bulk = json.loads(emulator.api(site.base + "?expand=id,info,status"))
    bulk = {name: bulk[name] for name in ("other", "plain")}
    bulk["plain"]["status"] = status
    del bulk["other"]["status"], bulk["other"]["info"]["type"]
    del bulk["other"]["info"]["config"]["connector.class"]
    emulator.fault(path="/connectors$", times=-1, body_only=json.dumps(bulk))
    where = f"{site.env}  {site.cluster}"
    assert overview(process, mount(emulator)) == (
        f"{where}  plain  source  DatagenSource  RUNNING  1/3  task 1\n"
        f"{where}  other  -       -              UNKNOWN  0/0\n")


def test_what_it_costs(work):
    """One bulk request a cluster, within the status' time to live none."""
    w = work(ttl_status=0.5)
    w.refresh()
    w.api.clear()
    overview(w.process, w.mounted)
    overview(w.process, w.mounted)
    assert w.bulk in w.api.calls() and len(w.api.calls()) == 3, "environments, clusters, connectors"
    w.site.patch("plain", state="PAUSED")
    elapse(0.6)
    w.api.clear()
    assert "PAUSED" in overview(w.process, w.mounted)
    assert w.api.calls() == [w.bulk]


def test_no_connectors(emulators, mount, process):
    api = emulators("--environments", 1, "--clusters", 1, "--connectors", 0)
    assert overview(process, mount(api)) == ""


def test_denied_and_failed(emulators, mount, process):
    """What is denied is left out; a failure is an error."""
    api = emulators("--environments", 2, "--clusters", 2, "--connectors", 3)
    cluster = samples.clusters_of(api)[0][1][0]
    mounted = mount(api, ttl_status=0)
    assert len(overview(process, mounted).splitlines()) == 12
    api.settings(deny=[f"/clusters/{cluster}/"])
    lines = poll(lambda: overview(process, mounted), 5).splitlines()
    assert len(lines) == 9 and not any(cluster in line for line in lines)
    api.settings(deny=[])
    api.fault(path=f"/clusters/{cluster}/connectors$", times=-1, status=501)
    second = mount(api)
    with fails(errno.EIO):
        overview(process, second)
