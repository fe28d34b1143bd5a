"""Walks over whole accounts: what they ask for, what is fetched ahead of them, what they cost."""

import collections
import errno
import json
import re

import pytest

import canonical
import harness
import samples
import uploads
from harness import elapse, fails, hold, poll, takes
from proxy import NEEDS_NGHTTPX, over_http2

ORGANIZATION = ["/org/v2/organizations?page_size=100",
                "/connect/v1/custom-connector-plugins?page_size=100",
                "/connect/v1/custom-connector-runtimes?page_size=100"]


def account(emulators, *args):
    """An emulator and the sites of its clusters, as they are listed."""
    api = emulators(*args, "--provisioning", 0)
    return api, [harness.Site(api, env, cluster) for env, clusters in samples.clusters_of(api)
                 for cluster in clusters]


def clusters_of(env):
    return f"/cmk/v2/clusters?environment={env}&page_size=100"


def plugins_of(env):
    return f"/ccpm/v1/plugins?environment={env}&page_size=100"


def bulk(site):
    return site.base + "?expand=id,info,status"


def below_environments(sites):
    """Every list and page once."""
    return sorted([ask(env) for env in {site.env for site in sites}
                   for ask in (clusters_of, plugins_of)]
                  + [path for site in sites for path in (bulk(site), site.plugins)])


def gets(api):
    calls = api.calls()
    assert {method for method, _ in calls} <= {"GET"}
    return [path for _, path in calls]


def bulks(api):
    return [path for path in gets(api) if "expand" in path]


def under_way(api):
    return [one["path"] for one in api.requests() if one["status"] == 0]


def hang(api, sites):
    """What is asked for the connectors of these clusters is answered once the faults are cleared:
    each by closing its connection, and again when it is repeated."""
    names = "|".join(site.cluster for site in sites)
    api.fault(path=f"/({names})/connectors$", times=-1, hang=True)


def resident(mounted):
    """kB now, and the most there ever was."""
    with open(f"/proc/{mounted.pid}/status", encoding="ascii") as file:
        found = dict(re.findall(r"^(VmRSS|VmHWM):\s+(\d+) kB", file.read(), re.M))
    return int(found["VmRSS"]), int(found["VmHWM"])


# The budget


@pytest.mark.parametrize("walk", ["find {} -type f -exec cat {{}} + | wc -c",
                                  "rsync -a {}/ copy && find copy -type f -exec cat {{}} + | wc -c"])
@pytest.mark.parametrize("connectors", [10, pytest.param(10000, marks=pytest.mark.slow)])
def test_the_budget(emulators, mount, walk, connectors):
    """One request for each list and page, the mount's own included: ten thousand connectors cost
    what ten do, and a second walk nothing."""
    api, sites = account(emulators, "--environments", 1, "--clusters", 1, "--connectors", connectors)
    mounted = mount(api, ttl=600, ttl_status=600)
    command = "cd work && " + walk.format(mounted.root)
    size = int(harness.run(command, shell=True, within=300, cwd=mounted.home).output)
    assert size > connectors * 4 * 500
    assert sorted(gets(api)) == sorted(
        ["/org/v2/environments?page_size=100", *ORGANIZATION, *below_environments(sites)])
    api.clear()
    assert int(harness.run(command, shell=True, within=300, cwd=mounted.home).output) == size
    harness.run("ls", "-lR", mounted.root, within=300)
    assert gets(api) == []


@pytest.fixture
def full_account(emulators):
    """The sample account with one more cluster, two in each environment, and all that a walk over it
    asks for: environments, clusters, plugins of three kinds, versions."""
    api, sites = account(emulators)
    api.control("POST", "clusters", {
        "environment": sites[-1].env, "id": "lkc-second", "display_name": "second"})
    sites.append(harness.Site(api, sites[-1].env, "lkc-second"))
    assert len(sites) == 4 == 2 * len({site.env for site in sites})
    api.clear()
    paths = ["/org/v2/environments?page_size=100", *ORGANIZATION, *below_environments(sites)]
    paths += [f"{uploads.CCPM}/{one['id']}/versions?environment={one['environment']}"
              for one in api.control("GET", "plugins") if one["kind"] == "CustomConnectPlugin"]
    return api, sorted(paths)


@pytest.mark.parametrize("walk", [
    "find {} -type f -exec cat {{}} + >/dev/null", "rsync -a {} copy", "ls -lR {} >/dev/null",
    "grep -r nothing {}; true", "tar -cf - {} | cat >/dev/null"])
def test_each_request_of_a_walk(full_account, mount, walk):
    """Each list and page once, and nothing for a connector."""
    api, paths = full_account
    mounted = mount(api, ttl=600, ttl_status=600)
    harness.run(walk.format(mounted.root), shell=True, cwd=mounted.home / "work")
    assert sorted(gets(api)) == paths


def test_an_edit_session_opens_no_connection(emulator, site, mount, process):
    """That of the credential check serves the look, the listing and the save."""
    mounted = mount(emulator)
    config = mounted.connector(site, "plain") / "config.json"
    text = process.read(config)
    process.write(config, canonical.config({**json.loads(text), "kafka.topic": "edited"}))
    process.tree(mounted.connector(site, "plain"))
    assert emulator.calls() == [
        ("GET", "/org/v2/environments?page_size=100"), ("GET", clusters_of(site.env)),
        ("GET", bulk(site)), site.look("plain"), site.put("plain")]
    assert len({one["connection"] for one in emulator.requests()}) == 1


# Fetching ahead. A walk that waits for the third cluster is one even where its first steps took
# longer than a program's do; and it is not slow where answers are believed for long.

KEPT = {"ttl": 600, "ttl_status": 600}


def test_a_walk_fetches_ahead(emulators, mount, processes):
    """The next few of each kind, and no more, while the answer for one is awaited."""
    api, sites = account(emulators, "--environments", 1, "--clusters", 12, "--connectors", 2)
    mounted = mount(api, max_connections=5, timeout=60, **KEPT)
    api.clear()
    hang(api, sites[2:3])
    walk = processes().start("tree", mounted / "environments")
    poll(lambda: len(bulks(api)) == 7, 10, "four ahead of the third")
    # The plugins come first in a directory that is read sorted.
    poll(lambda: len(gets(api)) == 1 + 7 + 7, 10, "the plugins of as many")
    asked = {clusters_of(sites[0].env), *map(bulk, sites[:7]), *(one.plugins for one in sites[:7])}
    hold(lambda: sorted(gets(api)) == sorted(asked), 0.3)
    assert not walk.done()
    api.clear_faults()
    files = walk.result()
    assert len([name for name in files if name.endswith("config.json")]) == 24
    repeated = [bulk(sites[2])]
    assert sorted(gets(api)) == sorted(below_environments(sites) + repeated)


def test_a_few_at_a_time(emulators, mount, processes):
    """All connections but one; whoever comes meanwhile is served, and what they wait for."""
    api, sites = account(emulators, "--environments", 1, "--clusters", 12, "--connectors", 2)
    mounted = mount(api, max_connections=5, timeout=60, **KEPT)
    hang(api, sites[2:])
    walk = processes().start("tree", mounted / "environments")
    poll(lambda: len(under_way(api)) == 4, 10, "four at once")
    hold(lambda: sorted(under_way(api)) == sorted(site.base for site in sites[2:6]), 0.3)
    with takes(at_most=5):
        processes().read(mounted / "organization.json")
    # The seventh was asked for ahead, too, but waits for a place: now somebody waits for it.
    other = processes().start("listdir", mounted.connectors(sites[6]))
    poll(lambda: len(under_way(api)) == 5, 10, "one more")
    assert sorted(under_way(api)) == sorted(site.base for site in sites[2:7])
    api.clear_faults()
    assert len(other.result()) == 2
    assert len([name for name in walk.result() if name.endswith("config.json")]) == 24


@NEEDS_NGHTTPX
def test_over_http2(emulators, mount, processes, certificate, tmp_path):
    """One connection carries as many at once as there may be connections, but one."""
    api, sites = account(emulators, "--environments", 1, "--clusters", 16, "--connectors", 2)
    with over_http2(api, certificate, tmp_path) as url:
        mounted = mount(api, url=url, cacert=certificate[0], timeout=60, **KEPT)
        hang(api, sites[2:])
        walk = processes().start("tree", mounted / "environments")
        poll(lambda: len(under_way(api)) == 7, 10, "seven at once")
        hold(lambda: sorted(under_way(api)) == sorted(site.base for site in sites[2:9]), 0.3)
        api.clear_faults()
        assert len([name for name in walk.result() if name.endswith("config.json")]) == 32
        assert {one["headers"]["Via"] for one in api.requests()} == {"2 nghttpx"}
        status = json.loads(processes().read(mounted / ".connectfs" / "status.json"))
        assert status["connections"] == 1
        mounted.stop()


def hang_list(api):
    """As hang, of the lists of clusters."""
    api.fault(path="/cmk/v2/clusters$", times=-1, hang=True)


@NEEDS_NGHTTPX
def test_straight_to_a_cluster(emulators, mount, process, processes, certificate, tmp_path):
    """Its connectors are asked for along with the list that is to say that it is there."""
    api, (site, other) = account(emulators, "--environments", 1, "--clusters", 2,
                                 "--connectors", 2)
    clusters, name = clusters_of(site.env), api.account()[site.env][site.cluster][0]
    with over_http2(api, certificate, tmp_path) as url:
        mounted = mount(api, url=url, cacert=certificate[0], timeout=60, **KEPT)
        api.clear()
        hang_list(api)
        read = processes().start("read", mounted.connector(site, name) / "config.json")
        poll(lambda: sorted(gets(api)) == sorted([clusters, bulk(site)]), 10, "both")
        api.clear_faults()
        assert read.result() == site.shown(name)
        assert process.listdir(mounted.connectors(other))
        assert sorted(gets(api)) == sorted([clusters, clusters, bulk(site), bulk(other)])
        status = json.loads(process.read(mounted / ".connectfs" / "status.json"))
        assert status["connections"] == 1
        mounted.stop()


@NEEDS_NGHTTPX
@pytest.mark.parametrize("cluster, asked", [
    ("README", []), ("lkc-README", []),
    ("lkc-gone", ["/cmk/v2/clusters/lkc-gone?environment={env}",
                  "/connect/v1/environments/{env}/clusters/lkc-gone/connectors"
                  "?expand=id,info,status", "/org/v2/environments?page_size=100"])])
def test_straight_to_no_cluster(emulators, mount, process, certificate, tmp_path, cluster, asked):
    api, (site,) = account(emulators, "--environments", 1, "--clusters", 1, "--connectors", 2)
    with over_http2(api, certificate, tmp_path) as url:
        mounted = mount(api, url=url, cacert=certificate[0], timeout=60, **KEPT)
        api.clear()
        with fails(errno.ENOENT):
            process.listdir(mounted.connectors(site).parent.parent / cluster)
        poll(lambda: sorted(gets(api)) == sorted(
            [clusters_of(site.env), *(path.format(env=site.env) for path in asked)]), 10)
        mounted.stop()


@NEEDS_NGHTTPX
def test_straight_to_a_cluster_that_is_denied(emulators, mount, process, certificate, tmp_path):
    """What was refused meanwhile is not asked for again."""
    api, (site,) = account(emulators, "--environments", 1, "--clusters", 1, "--connectors", 2)
    asked = []
    with over_http2(api, certificate, tmp_path) as url:
        for options in ({}, {"url": url, "cacert": certificate[0]}):
            mounted = mount(api, timeout=60, **KEPT, **options)
            api.clear()
            api.fault(path="/connectors$", times=-1, status=403)
            with fails(errno.EACCES):
                process.listdir(mounted.connectors(site))
            asked.append(sorted(gets(api)))
            api.clear_faults()
            mounted.stop()
    assert asked[0] == asked[1] and asked[0].count(bulk(site)) == 1


def test_one_at_a_time(emulators, mount, processes):
    """Where a request more would need a connection of its own."""
    api, (site,) = account(emulators, "--environments", 1, "--clusters", 1, "--connectors", 2)
    mounted = mount(api, timeout=60, **KEPT)
    api.clear()
    hang_list(api)
    listing = processes().start("listdir", mounted.connectors(site))
    poll(lambda: gets(api) == [clusters_of(site.env)], 10, "the list")
    hold(lambda: gets(api) == [clusters_of(site.env)], 0.3)
    api.clear_faults()
    assert len(listing.result()) == 2
    assert gets(api) == [*[clusters_of(site.env)] * 2, bulk(site)]


@pytest.mark.parametrize("read, order", [
    ("find {}/environments", [0, 1, 2, 3, 4, 5]), ("ls -R {}/environments", [0, 1, 2, 3, 4, 5]),
    ("ls {}/environments/*/clusters/*/connectors", [5, 4, 3, 2, 1, 0])])
def test_over_several_environments(emulators, mount, processes, read, order):
    """Those of the next environments are fetched ahead, however a program goes through them."""
    api, sites = account(emulators, "--environments", 6, "--clusters", 1, "--connectors", 2)
    mounted = mount(api, max_connections=3, timeout=60, **KEPT)
    hang(api, [sites[order[2]]])
    walk = processes().start(
        "system", f"/bin/bash -c '{read.format(mounted.root)}' >/dev/null")
    wanted = sorted(bulk(sites[number]) for number in order[:5])
    poll(lambda: sorted(bulks(api)) == wanted, 10, "two ahead of the third")
    hold(lambda: sorted(bulks(api)) == wanted, 0.3)
    api.clear_faults()
    assert walk.result() == 0


def test_sorted_by_whom(emulators, mount, processes):
    """The API lists clusters in any order; who sorts their names has the next ones ahead, too."""
    api, sites = account(emulators, "--environments", 1, "--clusters", 1, "--connectors", 0)
    env = sites[0].env
    api.control("POST", "clusters", {"id": sites[0].cluster, "environment": env, "delete": True})
    names = [f"lkc-{letter}1" for letter in "qhsbznkcxe"]
    for name in names:
        api.control("POST", "clusters", {"environment": env, "id": name, "display_name": name})
    sites = [harness.Site(api, env, name) for name in sorted(names)]
    mounted = mount(api, max_connections=4, timeout=60, **KEPT)
    hang(api, sites[2:3])
    walk = processes().start("tree", mounted / "environments")
    poll(lambda: len(bulks(api)) >= 6, 10, "three ahead of the third")
    hold(lambda: sorted(set(bulks(api))) == sorted(map(bulk, sites[:6])), 0.3)
    api.clear_faults()
    walk.result()
    assert len(bulks(api)) == 10 + 1, "each once, and the one that hung again"


def test_no_walk_fetches_nothing_ahead(emulators, mount):
    """Programs that list one directory, that compare two, or that go straight to a file."""
    api, sites = account(emulators, "--environments", 2, "--clusters", 4, "--connectors", 2)
    mounted = mount(api)
    first, second = sites[:2]
    environment = mounted / "environments" / first.env
    for path in (mounted / "environments", environment, environment / "clusters"):
        harness.run("ls", "-l", path)
    harness.run("ls", "-lR", mounted.connectors(first))
    harness.run("cat", mounted.connector(second, "connector-000001") / "config.json")
    harness.run("diff", "-r", mounted.cluster(first), mounted.cluster(second), status=1)
    expected = [clusters_of(first.env), plugins_of(first.env), bulk(first), bulk(second),
                first.plugins, second.plugins]
    hold(lambda: sorted(gets(api)[1:]) == sorted(expected), 0.5)


def test_only_what_a_walk_reads(emulators, mount, processes):
    """Who leaves the plugins out pays for none of their requests."""
    api, sites = account(emulators, "--environments", 2, "--clusters", 4, "--connectors", 2)
    mounted = mount(api)
    api.clear()
    process = processes()
    for env in process.listdir(mounted / "environments"):
        process.listdir(mounted / "environments" / env / "clusters")
    for site in sites:
        process.tree(mounted.connectors(site))
    wanted = sorted([*(clusters_of(env) for env in {site.env for site in sites}), *map(bulk, sites)])
    hold(lambda: sorted(gets(api)) == wanted, 0.3)


def test_one_connection_is_for_who_waits(emulators, mount, processes):
    api, sites = account(emulators, "--environments", 1, "--clusters", 4, "--connectors", 2)
    mounted = mount(api, max_connections=1)
    hang(api, sites[2:3])
    walk = processes().start("tree", mounted / "environments")
    poll(lambda: under_way(api) == [sites[2].base], 10, "the third")
    hold(lambda: bulks(api) == list(map(bulk, sites[:3])), 0.3)
    api.clear_faults()
    walk.result()


def test_a_walk_over_known_directories(emulators, mount, processes):
    """The kernel knows all names, the answers have expired: the third cluster makes a walk."""
    api, sites = account(emulators, "--environments", 1, "--clusters", 6, "--connectors", 2)
    mounted = mount(api, ttl=1, ttl_status=1)
    process = processes()
    process.tree(mounted / "environments")
    elapse(1.1)
    api.clear()
    hang(api, sites[2:3])
    walk = process.start("tree", mounted / "environments")
    poll(lambda: set(bulks(api)) == set(map(bulk, sites)), 10, "all clusters")
    assert not walk.done()
    api.clear_faults()
    walk.result()


def test_answers_that_are_not_kept(emulators, mount, processes):
    """What is not believed is not fetched ahead."""
    api, sites = account(emulators, "--environments", 1, "--clusters", 6, "--connectors", 2)
    mounted = mount(api, ttl=0)
    hang(api, sites[3:4])
    walk = processes().start("tree", mounted / "environments")
    poll(lambda: bulk(sites[3]) in bulks(api), 10, "the fourth")
    hold(lambda: not set(map(bulk, sites[4:])) & set(bulks(api)), 0.3)
    api.clear_faults()
    walk.result()


def test_a_walk_that_is_too_slow(emulators, mount, processes):
    """Where what was fetched ahead is old before the walk comes to it, nothing more is."""
    api, sites = account(emulators, "--environments", 1, "--clusters", 8, "--connectors", 2)
    mounted = mount(api, max_connections=3, ttl=1, ttl_status=1)
    process = processes()
    process.tree(mounted / "environments" / sites[0].env / "clusters" / sites[0].cluster)
    for path in (mounted / "environments", mounted / "environments" / sites[0].env,
                 mounted / "environments" / sites[0].env / "clusters"):
        process.listdir(path)
    api.clear()
    for site in sites:
        process.listdir(mounted.connectors(site))
        elapse(1.1)
    asked = bulks(api)
    assert {path: asked.count(path) for path in map(bulk, sites)}[bulk(sites[-1])] == 1
    assert len(asked) <= len(sites) + 2, "the first two ahead, and never again"


def with_limit(api, path, left):
    """The answer to each request of a list says that so many of 40 are left for a minute."""
    api.fault(path="^" + re.escape(path.split("?")[0]) + "$", status=200, times=-1,
              body=api.api(path), headers={
                  "Content-Type": "application/json", "X-RateLimit-Limit": "40",
                  "X-RateLimit-Remaining": str(left), "X-RateLimit-Reset": "60"})


@pytest.mark.parametrize("left", [20, 10])
def test_no_more_than_the_limit_leaves_room_for(emulators, mount, processes, left):
    """A quarter of it is for those who wait; they are served all the same."""
    api, sites = account(emulators, "--environments", 1, "--clusters", 6, "--connectors", 2)
    mounted = mount(api, timeout=60, **KEPT)
    for site in sites[:2]:
        with_limit(api, bulk(site), left)
        with_limit(api, site.plugins, left)
    with_limit(api, clusters_of(sites[0].env), left)
    hang(api, sites[2:3])
    walk = processes().start("tree", mounted / "environments")
    poll(lambda: bulk(sites[2]) in bulks(api), 10, "the third")
    wanted = sites if left == 20 else sites[:3]
    poll(lambda: sorted(bulks(api)) == sorted(map(bulk, wanted)), 10)
    hold(lambda: sorted(bulks(api)) == sorted(map(bulk, wanted)), 0.3)
    api.clear_faults()
    assert len([name for name in walk.result() if name.endswith("config.json")]) == 12


# What goes wrong ahead of a walk


def test_a_cluster_that_is_denied(emulators, mount, processes):
    """Refused ahead, it is the walk that meets it, and nobody is told before that."""
    api, sites = account(emulators, "--environments", 1, "--clusters", 6, "--connectors", 2)
    mounted = mount(api, timeout=60, **KEPT, ttl_negative=60)
    denied = sites[4]
    api.settings(deny=[f"/{denied.cluster}/connectors$"])
    hang(api, sites[2:3])
    walk = processes().start("walk", mounted / "environments")
    poll(lambda: bulk(sites[5]) in bulks(api), 10, "all that is ahead")
    poll(lambda: not set(under_way(api)) - {sites[2].base}, 10, "its answers")
    assert processes().read(mounted / ".connectfs" / "errors") == b""
    assert "403" not in mounted.log()
    api.clear_faults()
    names, errors = walk.result()
    assert len([name for name in names if name.endswith("config.json")]) == 10
    assert errors == {f"{denied.env}/clusters/{denied.cluster}/connectors": "EACCES"}
    told = processes().read(mounted / ".connectfs" / "errors").decode().splitlines()
    assert {denied.base in line and "status 403" in line for line in told} == {True}


def test_the_same_requests_without_it(emulators, mount, processes):
    """Whatever an account refuses, a walk asks for just as much of everything as one that has
    nothing fetched ahead, and the log has just as much of it."""
    api, sites = account(emulators, "--environments", 5, "--clusters", 4, "--connectors", 2)
    for number, status in ((2, 403), (3, 403), (6, 400), (13, 403), (15, 400), (19, 403)):
        api.fault(path=f"/{sites[number].cluster}/connectors$", times=-1, status=status)
    asked, told = [], []
    for connections in (1, 8):
        mounted = mount(api, max_connections=connections, **KEPT)
        process = processes()
        api.clear()
        for env in process.listdir(mounted / "environments"):
            process.listdir(mounted / "environments" / env / "clusters")
        for site in sites:
            process.lstat(mounted.connectors(site))
        asked.append(collections.Counter(gets(api)))
        told.append(collections.Counter(re.findall("GET .*: status [0-9]*", mounted.log())))
    assert asked[0] == asked[1]
    assert {asked[0][bulk(site)] for site in sites} == {1}
    assert told[0] == told[1] and sum(told[0].values()) == 6


def walk_with_a_refusal(emulators, mount, processes):
    """One that waits for the third of six clusters; the connectors of the fifth one, which may be
    read by now, were refused ahead of it."""
    api, sites = account(emulators, "--environments", 1, "--clusters", 6, "--connectors", 2)
    mounted = mount(api, timeout=60, **KEPT, ttl_negative=60)
    api.settings(deny=[f"/{sites[4].cluster}/connectors$"])
    hang(api, sites[2:3])
    walk = processes().start("walk", mounted / "environments")
    poll(lambda: bulk(sites[5]) in bulks(api), 10, "all that is ahead")
    poll(lambda: not set(under_way(api)) - {sites[2].base}, 10, "its answers")
    api.settings(deny=[])
    return api, sites, mounted, walk


def test_who_comes_by_himself_asks_by_himself(emulators, mount, processes):
    """What was refused ahead of a walk is not what others get."""
    api, sites, mounted, walk = walk_with_a_refusal(emulators, mount, processes)
    assert len(processes().listdir(mounted.connectors(sites[4]))) == 2
    assert bulks(api).count(bulk(sites[4])) == 2
    api.clear_faults()
    names, errors = walk.result()
    assert errors == {} and len([name for name in names if name.endswith("config.json")]) == 12
    assert bulks(api).count(bulk(sites[4])) == 2


def test_a_refusal_before_a_refresh(emulators, mount, processes):
    """What was refused ahead of a walk goes with everything else that is dropped."""
    api, sites, mounted, walk = walk_with_a_refusal(emulators, mount, processes)
    processes().write(mounted / ".connectfs" / "refresh", b"1\n")
    api.clear_faults()
    names, errors = walk.result()
    assert errors == {} and len([name for name in names if name.endswith("config.json")]) == 12
    assert bulks(api).count(bulk(sites[4])) == 2


def test_an_answer_that_is_none(emulators, mount, processes):
    """What fails ahead without the API's word is nobody's failure: the walk asks again."""
    api, sites = account(emulators, "--environments", 1, "--clusters", 6, "--connectors", 2)
    mounted = mount(api, timeout=60, **KEPT)
    api.fault(path=f"/{sites[4].cluster}/connectors$", garbage=True)
    hang(api, sites[2:3])
    walk = processes().start("walk", mounted / "environments")
    poll(lambda: bulk(sites[5]) in bulks(api), 10, "all that is ahead")
    poll(lambda: not set(under_way(api)) - {sites[2].base}, 10, "its answers")
    api.clear_faults()
    names, errors = walk.result()
    assert errors == {} and len([name for name in names if name.endswith("config.json")]) == 12
    assert bulks(api).count(bulk(sites[4])) == 2
    assert sites[4].base not in processes().read(mounted / ".connectfs" / "errors").decode()


# Slow walks


@pytest.mark.parametrize("connectors, ttl, pause", [
    (150, 0.5, 0.005), pytest.param(10000, 5, 0.001, marks=pytest.mark.slow)])
def test_a_walk_that_outlives_the_states(emulators, mount, processes, connectors, ttl, pause):
    """At most one bulk request for each TTL that passes, never one for a connector; and no pass
    leaves anything in memory."""
    api, sites = account(emulators, "--environments", 1, "--clusters", 1, "--connectors", connectors)
    mounted = mount(api, env=harness.UNFILLED, ttl=600, ttl_status=ttl)
    process, after = processes(), []
    for _ in range(2):
        api.clear()
        walk = process.start("read_slowly", mounted.connectors(sites[0]), pause)
        count, seconds = walk.result(within=300)
        assert count == 4 * connectors
        periods = 1 + seconds / ttl
        paths = gets(api)
        assert 2 <= paths.count(bulk(sites[0])) <= periods
        small = [path for path in paths if path.endswith("/status")]
        assert len(small) <= 2 * periods
        assert sorted(set(paths) - {bulk(sites[0]), clusters_of(sites[0].env)}) == sorted(set(small))
        after.append(resident(mounted))
    if not harness.SANITIZED:
        assert after[1][0] <= after[0][0] * 1.05 + 1024, f"it grows: {after}"
        assert after[1][1] <= 16 * 1024 + 3 * connectors, f"kB of {connectors} connectors: {after}"
