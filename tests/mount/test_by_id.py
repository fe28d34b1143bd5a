"""by-id: symlinks from the ids of connectors to their directories."""

import errno
import json
import os

import pytest

import harness
import samples
from harness import elapse, fails, poll


def ids_of(api):
    """{id: path below the mount} of all connectors that the API shows."""
    found = {}
    for env, clusters in samples.clusters_of(api):
        for cluster in clusters:
            place = harness.Site(api, env, cluster)
            bulk = json.loads(api.api(place.base + "?expand=id,info,status"))
            for name, one in bulk.items():
                found[one["id"]["id"]] = f"environments/{env}/clusters/{cluster}/connectors/{name}"
    return found


@pytest.fixture
def account(emulators):
    return emulators("--environments", 2, "--clusters", 2, "--connectors", 3)


def bulks(api):
    """What fetches every connector there is, sorted."""
    calls = []
    for env, clusters in samples.clusters_of(api):
        calls.append(("GET", f"/cmk/v2/clusters?environment={env}&page_size=100"))
        calls += [("GET", harness.Site(api, env, cluster).base + "?expand=id,info,status")
                  for cluster in clusters]
    return sorted(calls)


def test_all_of_them(account, mount, process):
    """Out of the bulk answers alone, each asked for once; looking at the links asks nothing."""
    mounted = mount(account)
    account.clear()
    names = process.listdir(mounted / "by-id")
    assert sorted(account.calls()) == bulks(account)
    ids = ids_of(account)
    assert len(ids) == 12 and sorted(names) == sorted(ids)
    for name, path in ids.items():
        assert process.readlink(mounted / "by-id" / name) == "../" + path
        assert os.path.normpath(mounted / "by-id" / ("../" + path)) == str(mounted / path)
        assert process.stat(mounted / "by-id" / name).st_ino == process.stat(mounted / path).st_ino
        status = process.lstat(mounted / "by-id" / name)
        assert status.st_size == len("../" + path)
        config = json.loads(process.read(mounted / "by-id" / name / "config.json"))
        assert config["name"] == path.rsplit("/", 1)[1]
    assert len(account.calls()) == len(bulks(account))


def test_a_cluster_that_is_waited_for(emulators, mount, process):
    """Nothing behind it is listed before it is at hand, however much that is."""
    api = emulators("--environments", 1, "--clusters", 2, "--connectors", 400)
    mounted = mount(api)
    (env, (slow, quick)), = samples.clusters_of(api)
    ids = ids_of(api)
    process.listdir(mounted / "environments" / env / "clusters" / quick / "connectors")
    api.fault(method="GET", path=f"/{slow}/connectors$", delay_ms=300)
    assert sorted(process.listdir(mounted / "by-id")) == sorted(ids)


def test_a_cluster_that_fails_once(emulators, mount, process):
    """What is behind it is not listed in its place, of which the next part would then be missing."""
    api = emulators("--environments", 1, "--clusters", 2, "--connectors", 400)
    mounted = mount(api)
    (env, (failing, good)), = samples.clusters_of(api)
    process.listdir(mounted / "environments" / env / "clusters" / good / "connectors")
    api.fault(method="GET", path=f"/{failing}/connectors$", status=501)
    with fails(errno.EIO):
        process.listdir(mounted / "by-id")
    assert sorted(process.listdir(mounted / "by-id")) == sorted(ids_of(api))


def test_removed_while_it_is_listed(emulators, mount, process):
    """What is behind it in a listing of several parts keeps its place."""
    api = emulators("--environments", 1, "--clusters", 2, "--connectors", 60)
    mounted = mount(api)
    (env, (cluster, _)), = samples.clusters_of(api)
    ids = ids_of(api)
    fd = process.open(mounted / "by-id", os.O_RDONLY)
    names = process.some_names(fd)
    assert 3 < len(names) < 60
    site = harness.Site(api, env, cluster)
    site.patch(ids[names[2]].rsplit("/", 1)[1], delete=True)
    process.write(mounted / ".connectfs" / "refresh", b"1\n")
    while some := process.some_names(fd):
        names += some
    process.close(fd)
    assert sorted(names) == sorted([".", "..", *ids])


def test_directly(account, mount, process):
    """A cold mount asks for what it needs to know where an id is."""
    name, path = list(ids_of(account).items())[-1]
    mounted = mount(account)
    account.clear()
    assert process.readlink(mounted / "by-id" / name) == "../" + path
    assert set(account.calls()) <= set(bulks(account))
    assert len(account.calls()) == len(set(account.calls()))


def test_custom_ones(emulators, mount, process):
    api = emulators()
    mounted = mount(api)
    names = process.listdir(mounted / "by-id")
    custom = [name for name in names if name.startswith("clcc-")]
    assert custom and all(name.startswith(("lcc-", "clcc-")) for name in names)
    assert json.loads(process.read(mounted / "by-id" / custom[0] / "config.json"))[
        "confluent.connector.type"] == "CUSTOM"


def test_expired(account, mount, process):
    """Where it was is asked for anew, and nothing else."""
    ids = ids_of(account)
    mounted = mount(account, ttl=0.3)
    process.listdir(mounted / "by-id")
    elapse(0.4)
    account.clear()
    name, path = list(ids.items())[0]
    _, env, _, cluster, *_ = path.split("/")
    assert process.readlink(mounted / "by-id" / name) == "../" + path
    assert account.calls() \
        == [("GET", harness.Site(account, env, cluster).base + "?expand=id,info,status")]


@pytest.mark.parametrize("name", ["lcc-nothing", "clcc-nothing"])
def test_unknown_ids(account, mount, process, name):
    mounted = mount(account)
    account.clear()
    for _ in range(2):
        with fails(errno.ENOENT):
            process.lstat(mounted / "by-id" / name)
    assert sorted(account.calls()) == bulks(account), "once"


def test_what_is_no_id(account, mount, process):
    """Programs ask every directory for such names."""
    mounted = mount(account)
    account.clear()
    for name in (".git", "HEAD", "lcc", "connector-000001", "lcc%2D1", "%"):
        with fails(errno.ENOENT):
            process.lstat(mounted / "by-id" / name)
    assert account.calls() == []


def test_made_and_removed_here(work):
    """The API has the id of a new one with its next answer; one that was removed is gone at once."""
    w = work(ttl=0.3)
    by_id = w.mounted / "by-id"
    before = set(w.process.listdir(by_id))
    directory = w.connectors / "new"
    w.process.mkdir(directory)
    w.process.write(directory / "config.json", json.dumps(samples.PLAIN).encode())
    made = poll(lambda: set(w.process.listdir(by_id)) - before, 5).pop()
    assert made == w.site.get("new")["id"]
    w.process.unlink(directory / "config.json")
    w.process.rmdir(directory)
    assert set(w.process.listdir(by_id)) == before
    with fails(errno.ENOENT):
        w.process.lstat(by_id / made)


def test_removed_before_the_api_is_asked_again(work):
    """What stands in its place in the list is not taken for it."""
    w = work()
    by_id = w.mounted / "by-id"
    ids = {name: w.site.get(name)["id"] for name in w.process.listdir(w.connectors)}
    assert len(ids) == 4 and set(w.process.listdir(by_id)) == set(ids.values())
    for name in list(ids)[:3]:
        assert w.process.readlink(by_id / ids[name]).endswith("/" + name)
        harness.run("rm", "-r", w.connectors / name)
        with fails(errno.ENOENT):
            w.process.lstat(by_id / ids.pop(name))
        for other, its in ids.items():
            assert w.process.readlink(by_id / its).endswith("/" + other)


def test_created_again(work):
    """A name has another id then."""
    w = work(ttl=0.2)
    by_id = w.mounted / "by-id"
    old = w.site.get("plain")["id"]
    assert w.process.readlink(by_id / old).endswith("/plain")
    w.site.patch("plain", delete=True, create=samples.PLAIN)
    new = w.site.get("plain")["id"]
    poll(lambda: new in w.process.listdir(by_id), 5)
    assert w.process.readlink(by_id / new).endswith("/plain")
    assert not w.process.exists(by_id / old)


def test_a_cluster_that_is_gone(emulators, mount, process):
    """Its connectors are gone with it, although no other cluster can be asked for them."""
    api = emulators("--environments", 1, "--clusters", 2, "--connectors", 1)
    mounted = mount(api, ttl=0.2, ttl_status=0.2, ttl_topology=0.2, stale=0)
    (env, (cluster, other)), = samples.clusters_of(api)
    name, path = [(name, path) for name, path in ids_of(api).items() if cluster in path][0]
    api.fault(path=f"/{other}/connectors", times=-1, status=403)
    assert process.readlink(mounted / "by-id" / name) == "../" + path
    api.control("POST", "clusters", {"id": cluster, "environment": env, "delete": True})
    elapse(0.3)
    with fails(errno.ENOENT):
        process.lstat(mounted / path)
    with fails(errno.ENOENT):
        process.lstat(mounted / "by-id" / name)
    with fails(errno.ENOENT):
        process.read(mounted / "by-id" / name / "config.json")


def test_names_that_are_not_plain(emulator, mount, process):
    place = samples.site(emulator)
    place.create("a/b 100%", samples.PLAIN)
    mounted = mount(emulator)
    link = mounted / "by-id" / place.get("a/b 100%")["id"]
    assert process.readlink(link).endswith("/connectors/a%2Fb 100%25")
    assert process.stat(link / "config.json").st_size > 0


def test_nothing_is_made_there(work):
    w = work()
    link = w.mounted / "by-id" / w.site.get("plain")["id"]
    for attempt in (lambda: w.process.unlink(link),
                    lambda: w.process.symlink("x", w.mounted / "by-id" / "lcc-1"),
                    lambda: w.process.mkdir(w.mounted / "by-id" / "lcc-1"),
                    lambda: w.process.rename(link, w.mounted / "by-id" / "lcc-1")):
        with fails(errno.EPERM):
            attempt()
    assert w.api.writes() == []


def test_saved_through_a_link(work):
    w = work()
    link = w.mounted / "by-id" / w.site.get("plain")["id"] / "config.json"
    w.process.write(link, w.changed(kafka_topic="by-id"))
    assert w.api.writes() == [w.put]
    assert w.site.config("plain")["kafka.topic"] == "by-id"


# What cannot be had


def test_a_cluster_that_is_denied(account, mount, process):
    """What the key may not see is not there; all else is."""
    env, clusters = samples.clusters_of(account)[0]
    ids = ids_of(account)
    account.settings(deny=[f"/clusters/{clusters[0]}/"])
    mounted = mount(account)
    seen = {name for name, path in ids.items() if f"/{clusters[0]}/" not in path}
    assert set(process.listdir(mounted / "by-id")) == seen and len(seen) == 9
    for name in seen:
        assert process.stat(mounted / "by-id" / name / "config.json")


def test_a_failure_is_no_absence(account, mount, process):
    """Where one cluster cannot be asked, nobody knows all ids; those that are known are there."""
    env, clusters = samples.clusters_of(account)[0]
    ids = ids_of(account)
    account.fault(path=f"/clusters/{clusters[0]}/connectors$", times=-1, status=501)
    mounted = mount(account)
    with fails(errno.EIO):
        process.listdir(mounted / "by-id")
    for name, path in ids.items():
        if f"/{clusters[0]}/" in path:
            with fails(errno.EIO):
                process.lstat(mounted / "by-id" / name)
        else:
            assert process.readlink(mounted / "by-id" / name) == "../" + path
    with fails(errno.EIO):
        process.lstat(mounted / "by-id" / "lcc-nothing")


def test_the_last_good_answer(account, mount, process):
    mounted = mount(account, ttl=0.2)
    names = process.listdir(mounted / "by-id")
    account.fault(path="/connectors$", times=-1, status=501)
    elapse(0.3)
    assert process.listdir(mounted / "by-id") == names
    assert all(process.readlink(mounted / "by-id" / name) for name in names)


def test_many(emulators, mount, process):
    """Looked up one by one, in any order, at a bearable price."""
    api = emulators("--environments", 1, "--clusters", 1, "--connectors", 5000)
    mounted = mount(api)
    with harness.takes(at_most=6):
        found = harness.run(f"ls -lU {mounted.root}/by-id | wc -l; ls -l {mounted.root}/by-id | wc -l",
                            shell=True)
    assert found.output.split() == ["5001", "5001"]
