"""The tree: which names, which bytes, which sizes, which modes. Nothing here changes anything."""

import errno
import json
import os
import re
import stat

import pytest

import canonical
import harness
import samples
from harness import fails, takes

CONFIG_FILES = {"config.json", "connector.json", "status.json", "state"}


@pytest.fixture(scope="module")
def api(shared_emulators):
    return shared_emulators("--environments", 2, "--clusters", 2, "--connectors", 5,
                            "--provisioning", 0)


@pytest.fixture(scope="module")
def place(api):
    return samples.site(api)


@pytest.fixture(scope="module")
def mounted(api, place, shared_mounts):
    return shared_mounts(api)


def entry(text, member, value):
    """The element of an answer's `data` whose `member` is `value`."""
    found = [one for one in canonical.parse(text)["data"] if one[member] == value]
    assert len(found) == 1
    return found[0]


# Names


def test_the_root(mounted, process):
    assert sorted(process.listdir(mounted.root)) \
        == ["by-id", "by-name", "custom-connector-plugins", "custom-connector-runtimes.json",
            "environments", "organization.json"]


def test_environments(api, mounted, process):
    assert sorted(process.listdir(mounted / "environments")) == sorted(api.account())


def test_inside_an_environment(place, mounted, process):
    path = mounted / "environments" / place.env
    assert sorted(process.listdir(path)) \
        == ["clusters", "environment.json", "plugins"]


def test_clusters(api, mounted, process):
    for env, clusters in samples.clusters_of(api):
        assert sorted(process.listdir(mounted / "environments" / env / "clusters")) \
            == sorted(clusters)


def test_inside_a_cluster(place, mounted, process):
    assert sorted(process.listdir(mounted.cluster(place))) \
        == ["cluster.json", "connector-plugins", "connectors"]


def test_connectors(api, place, mounted, process):
    names = sorted(api.account()[place.env][place.cluster])
    assert {"plain", "other"} < set(names)
    assert sorted(process.listdir(mounted.connectors(place))) == names


def test_inside_a_connector(place, mounted, process):
    assert set(process.listdir(mounted.connector(place, "plain"))) == CONFIG_FILES


def test_a_listing_has_dots_types_and_inodes(api, place, mounted, process):
    """As readdir() has them: nobody needs to ask for each name."""
    directory, regular, link = 4, 8, 10
    name = process.listdir(mounted / "by-name")[0]
    for path, types in (
            (mounted.connectors(place), {directory}), (mounted.cluster(place), {directory, regular}),
            (mounted.connector(place, "plain"), {regular}), (mounted / "by-name" / name, {link})):
        listed = process.dirents(path)
        assert listed.pop(".") == (process.stat(path).st_ino, directory)
        assert listed.pop("..")[1] == directory
        assert set(listed) == set(process.listdir(path))
        assert {kind for _, kind in listed.values()} == types
        for entry, (inode, kind) in listed.items():
            status = process.lstat(path / entry)
            assert (inode, kind) == (status.st_ino, stat.S_IFMT(status.st_mode) >> 12)


def test_an_environment_goes_while_by_name_is_listed(emulators, mount, process):
    """What is behind it in a listing of several parts keeps its place."""
    api = emulators("--environments", 60, "--clusters", 1, "--connectors", 1)
    mounted = mount(api)
    ids = {json.loads(process.read(mounted / "environments" / env / "environment.json"))[
        "display_name"]: env for env in process.listdir(mounted / "environments")}
    fd = process.open(mounted / "by-name", os.O_RDONLY)
    names = process.some_names(fd)
    assert 3 < len(names) < 60
    api.control("POST", "environments", {"id": ids[names[2]], "delete": True})
    process.write(mounted / ".connectfs" / "refresh", b"1\n")
    while some := process.some_names(fd):
        names += some
    process.close(fd)
    assert sorted(names) == sorted([".", "..", *ids])


def test_by_name(api, mounted, process):
    for env, clusters in samples.clusters_of(api):
        shown = json.loads(process.read(mounted / "environments" / env / "environment.json"))
        directory = mounted / "by-name" / shown["display_name"]
        assert len(process.listdir(directory)) == len(clusters)
        for name in process.listdir(directory):
            target = process.readlink(directory / name)
            assert not target.startswith("/")
            cluster = json.loads(process.read(directory / name / "cluster.json"))
            assert cluster["spec"]["display_name"] == name
            assert os.path.normpath(directory / target) \
                == str(mounted / "environments" / env / "clusters" / cluster["id"])
            assert process.stat(directory / name).st_ino == process.stat(
                mounted / "environments" / env / "clusters" / cluster["id"]).st_ino


def test_unlisted_directory(mounted, process):
    assert ".connectfs" not in process.listdir(mounted.root)
    assert {"status.json", "errors", "refresh", "deleted"} \
        <= set(process.listdir(mounted / ".connectfs"))
    assert process.listdir(mounted / ".connectfs" / "deleted") == []


@pytest.mark.parametrize("path", [
    "nothing", "environments/env-none", "environments/{env}/none",
    "environments/{env}/clusters/lkc-none", "environments/{env}/clusters/{cluster}/none",
    "environments/{env}/clusters/{cluster}/connectors/none",
    "environments/{env}/clusters/{cluster}/connectors/none/config.json",
    "environments/{env}/clusters/{cluster}/connectors/plain/none",
    "environments/{env}/clusters/{cluster}/connectors/plain/config.json.error",
    "environments/{env}/clusters/{cluster}/connectors/plain/config.json.rejected",
    "environments/{env}/clusters/{cluster}/connector-plugins/None", "by-name/none",
    ".connectfs/none", ".connectfs/deleted/none.json",
])
def test_what_does_not_exist(place, mounted, process, path):
    with fails(errno.ENOENT):
        process.lstat(mounted / path.format(env=place.env, cluster=place.cluster))


# Bytes


def test_environment_json(api, place, mounted, process):
    text = api.api("/org/v2/environments?page_size=100")
    assert process.read(mounted / "environments" / place.env / "environment.json") \
        == canonical.render(entry(text, "id", place.env))


def test_cluster_json(api, place, mounted, process):
    text = api.api(f"/cmk/v2/clusters?environment={place.env}&page_size=100")
    assert process.read(mounted.cluster(place) / "cluster.json") \
        == canonical.render(entry(text, "id", place.cluster))


def test_config_json_of_every_connector(api, mounted, process):
    compared = 0
    for env, clusters in samples.clusters_of(api):
        for cluster in clusters:
            place = harness.Site(api, env, cluster)
            bulk = canonical.parse(api.api(place.base + "?expand=id,info,status"))
            for name, one in bulk.items():
                shown = process.read(mounted.connector(place, name) / "config.json")
                assert shown == canonical.config(one["info"]["config"])
                compared += 1
    assert compared == 2 * 2 * 5 + 2


def test_config_json_in_full(place, mounted, process):
    """The canonical form once as plain text."""
    shown = process.read(mounted.connector(place, "other") / "config.json").decode()
    lines = shown.split("\n")
    assert lines[0] == "{" and lines[-2:] == ["}", ""]
    assert '  "kafka.topic": "größe-名前",' in lines
    keys = [re.match(r'  "([^"]+)": ".*",?$', line).group(1) for line in lines[1:-2]]
    assert keys == sorted(keys) and "cloud.provider" in keys
    assert re.search(r'^  "kafka.api.secret": "\*{2,}",$', shown, re.M)


def test_status_json(api, place, mounted, process):
    bulk = canonical.parse(api.api(place.base + "?expand=id,info,status"))
    assert process.read(mounted.connector(place, "plain") / "status.json") \
        == canonical.render(bulk["plain"]["status"])


def test_connector_json(api, place, mounted, process):
    bulk = canonical.parse(api.api(place.base + "?expand=id,info,status"))
    shown = process.read(mounted.connector(place, "plain") / "connector.json")
    content = canonical.parse(shown)
    assert shown == canonical.render(content)
    text = json.dumps(content)
    assert bulk["plain"]["id"]["id"].startswith("lcc-")
    assert bulk["plain"]["id"]["id"] in text
    assert content["name"] == "plain" and content["type"] == bulk["plain"]["info"]["type"]
    assert content["tasks"] == bulk["plain"]["info"]["tasks"]
    assert "kafka.api" not in text, "the configuration has its own file"


def test_state(place, mounted, process):
    assert process.read(mounted.connector(place, "plain") / "state") == b"RUNNING\n"


def test_plugins(api, place, mounted, process):
    listed = canonical.parse(api.api(place.plugins))
    directory = mounted.cluster(place) / "connector-plugins"
    assert sorted(process.listdir(directory)) == sorted({one["class"] for one in listed})
    for one in listed:
        assert process.listdir(directory / one["class"]) == ["plugin.json"]
        assert process.read(directory / one["class"] / "plugin.json") == canonical.render(one)


def test_status_of_the_mount(api, mounted, process):
    content = json.loads(process.read(mounted / ".connectfs" / "status.json"))
    assert api.url in json.dumps(content)
    version = harness.run(harness.CONNECTFS, "--version").output
    assert str(content["version"]) in version


# Attributes


def walk(process, path):
    return [(path / name, process.lstat(path / name), content)
            for name, content in process.tree(path).items()]


def test_sizes_are_exact(mounted, process):
    files = [(path, status, content) for path, status, content in walk(process, mounted.root)
             if stat.S_ISREG(status.st_mode)]
    assert len(files) > 100
    for path, status, content in files:
        assert status.st_size == len(content) > 0, path


def test_modes_and_owner(mounted, process):
    writable = {"config.json", "state"}
    for path, status, _ in walk(process, mounted.root):
        if stat.S_ISDIR(status.st_mode):
            expected = stat.S_IFDIR | 0o700
        elif stat.S_ISREG(status.st_mode):
            expected = stat.S_IFREG | (0o600 if path.name in writable else 0o400)
        else:
            continue
        assert status.st_mode == expected, path
        assert (status.st_uid, status.st_gid) == (os.geteuid(), os.getegid())


def test_inodes_differ(mounted, process):
    entries = walk(process, mounted.root)
    assert len({status.st_ino for _, status, _ in entries}) == len(entries)


def test_link_counts(place, mounted, process):
    assert process.stat(mounted.connector(place, "plain") / "config.json").st_nlink == 1
    assert process.stat(mounted.connectors(place)).st_nlink >= 1


def test_times(mounted, process):
    """Sensible, alike for ctime, and different from file to file."""
    files = [status for path, status, _ in walk(process, mounted.root)
             if path.name == "config.json"]
    assert len(files) == 2 * 2 * 5 + 2
    assert len({status.st_mtime_ns for status in files}) == len(files)
    for status in files:
        assert 1.2e9 < status.st_mtime < 1e10
        assert status.st_ctime_ns == status.st_mtime_ns


def test_updated_at_is_the_time(api, place, mounted, process):
    text = api.api("/org/v2/environments?page_size=100")
    updated = entry(text, "id", place.env)["metadata"]["updated_at"]
    status = process.stat(mounted / "environments" / place.env / "environment.json")
    date = harness.run("date", "-u", "-d", f"@{int(status.st_mtime)}", "+%Y-%m-%dT%H:%M:%S").output
    assert updated.startswith(date.strip())


def test_statfs(mounted, process):
    status = process.statvfs(mounted.root)
    assert status.f_bsize > 0 and status.f_blocks > 0 and status.f_namemax == 255
    assert status.f_files > 0


def test_name_of_the_filesystem(mounted):
    with open("/proc/self/mountinfo", encoding="utf-8") as table:
        line = next(line for line in table if line.split()[4] == str(mounted.root))
    assert " fuse.connectfs " in line


def test_no_extended_attributes(place, mounted, process):
    path = mounted.connector(place, "plain") / "config.json"
    with fails(errno.EOPNOTSUPP):
        process.getxattr(path, "user.none")
    with fails(errno.EOPNOTSUPP):
        process.setxattr(path, "user.none", b"x")


def test_private_mapping(place, mounted, process):
    path = mounted.connector(place, "plain") / "config.json"
    assert process.map_privately(path) == process.read(path)


def test_read_only_files(place, mounted, process):
    directory = mounted.connector(place, "plain")
    for path in (directory / "status.json", directory / "connector.json",
                 mounted.cluster(place) / "cluster.json",
                 mounted / "environments" / place.env / "environment.json"):
        with fails(errno.EACCES):
            process.open(path, os.O_WRONLY)


# Names that are not plain


HOSTILE = {
    "a/b": "a%2Fb",
    "..": "%2E%2E",
    ".": "%2E",
    "100%": "100%25",
    "%2F": "%252F",
    "line\nbreak": "line%0Abreak",
    "\x7f": "%7F",
    "tab\t": "tab%09",
    "größe 名前": "größe 名前",
    "...": "...",
    " blank ": " blank ",
    "a\\b": "a\\b",
    "../../../etc/passwd": "..%2F..%2F..%2Fetc%2Fpasswd",
    "x" * 255: "x" * 255,
}


def test_hostile_names(emulator, mount, process):
    place = samples.site(emulator)
    for name in HOSTILE:
        place.create(name, dict(samples.PLAIN, **{"kafka.topic": "for " + repr(name)}))
    place.create("y" * 256, samples.PLAIN)
    place.create("/" * 100, samples.PLAIN)
    mounted = mount(emulator)
    names = set(process.listdir(mounted.connectors(place)))
    assert set(HOSTILE.values()) < names
    assert len(names) == len(emulator.account()[place.env][place.cluster]) - 2
    for name, shown in HOSTILE.items():
        content = json.loads(process.read(mounted.connectors(place) / shown / "config.json"))
        assert content["kafka.topic"] == "for " + repr(name)
    assert len([line for line in mounted.log().splitlines() if "left out" in line]) == 2
    with fails(errno.ENAMETOOLONG):
        process.stat(mounted.connectors(place) / ("y" * 256))


def test_spellings_that_no_listing_has(place, mounted, process):
    """One name, one spelling: others of the same connector do not exist."""
    for name in ("%70lain", "plain%", "plain%00", "%2e%2e", "pl%61in"):
        with fails(errno.ENOENT, errno.EINVAL):
            process.stat(mounted.connectors(place) / name)


def test_by_name_of_names_that_are_shared(emulator, mount, process):
    env, cluster = samples.first_cluster(emulator)
    emulator.control("POST", "environments", {"id": "env-twin1", "display_name": "twin/s"})
    emulator.control("POST", "environments", {"id": "env-twin2", "display_name": "twin/s"})
    emulator.control("POST", "environments", {"id": "env-alone", "display_name": ".."})
    for one in ("lkc-same1", "lkc-same2", "lkc-other"):
        emulator.control("POST", "clusters", {
            "environment": env, "id": one,
            "display_name": "other" if one == "lkc-other" else "same"})
    mounted = mount(emulator)
    names = set(process.listdir(mounted / "by-name"))
    assert {"twin%2Fs (env-twin1)", "twin%2Fs (env-twin2)", "%2E%2E"} < names
    assert "twin%2Fs" not in names
    shown = json.loads(process.read(mounted / "environments" / env / "environment.json"))
    clusters = set(process.listdir(mounted / "by-name" / shown["display_name"]))
    assert {"same (lkc-same1)", "same (lkc-same2)", "other"} < clusters
    found = mounted / "by-name" / shown["display_name"] / "same (lkc-same2)" / "cluster.json"
    assert json.loads(process.read(found))["id"] == "lkc-same2"


# Sizes of answers, numbers of requests


def test_several_pages(emulators, mount, process):
    """Every page once, by its token."""
    api = emulators("--environments", 230, "--clusters", 1, "--connectors", 0)
    mounted = mount(api)
    env = samples.first_cluster(api)[0]
    for number in range(210):
        api.control("POST", "clusters", {
            "environment": env, "id": f"lkc-more{number}", "display_name": f"more {number}"})
    api.clear()
    process.write(mounted / ".connectfs" / "refresh", b"1\n")
    assert sorted(process.listdir(mounted / "environments")) == sorted(api.account())
    assert len(process.listdir(mounted / "environments" / env / "clusters")) == 211
    for path, pages in (("/org/v2/environments", 3), ("/cmk/v2/clusters", 3)):
        calls = [one for one in api.requests() if one["path"] == path
                 and (path.startswith("/org") or f"environment={env}" in one["query"])]
        tokens = [re.search("page_token=([^&]*)", one["query"]) for one in calls]
        assert len(calls) == pages
        assert tokens[0] is None and all(tokens[1:])
        assert len({token.group(1) for token in tokens[1:]}) == pages - 1


def test_numbers_stay_digit_by_digit(emulator, mount, process):
    env = samples.first_cluster(emulator)[0]
    mounted = mount(emulator)
    number = '{"big":9007199254740993,"long":0.10000000000000000555,"e":1E400,"zero":-0}'
    emulator.fault(path="/org/v2/environments", times=-1, body_only=(
        f'{{"data":[{{"numbers":{number},"id":"{env}","empty":{{}},"none":[],"display_name":'
        '"\\u00fcber\\u0001\\ud83d\\ude00"}]}'))
    process.write(mounted / ".connectfs" / "refresh", b"1\n")
    assert process.read(mounted / "environments" / env / "environment.json").decode() == f'''{{
  "numbers": {{
    "big": 9007199254740993,
    "long": 0.10000000000000000555,
    "e": 1E400,
    "zero": -0
  }},
  "id": "{env}",
  "empty": {{}},
  "none": [],
  "display_name": "über\\u0001😀"
}}
'''


def test_a_cluster_that_may_be_used_but_not_listed(emulator, site, mount, process):
    emulator.settings(deny=["^/org/v2/environments$", "^/cmk/v2/clusters$"])
    mounted = mount(emulator)
    assert process.read(mounted.connector(site, "plain") / "config.json") == site.shown("plain")
    with fails(errno.EACCES):
        process.listdir(mounted / "environments")


# After a remount


def test_nothing_moves_with_a_remount(emulator, site, mount, process):
    def attributes(mounted):
        return {name: (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
                for path, status, _ in walk(process, mounted.root)
                if stat.S_ISREG(status.st_mode)
                for name in [str(path.relative_to(mounted.root))]}

    first = mount(emulator)
    before = attributes(first)
    first.stop()
    harness.elapse(0.02)
    second = mount(emulator, home=first.home)
    assert attributes(second) == before
    second.stop()
    site.patch("plain", merge={"kafka.topic": "changed"})
    third = mount(emulator, home=first.home)
    changed = [name for name, value in attributes(third).items() if value != before[name]]
    assert len(changed) == 1 and changed[0].endswith("/connectors/plain/config.json")


def test_state_file_is_private(emulator, site, mount, process):
    mounted = mount(emulator)
    process.tree(mounted.connectors(site))
    mounted.stop()
    files = [path for path in (mounted.home / "state" / "connectfs").rglob("*") if path.is_file()]
    assert files
    for path in files:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        content = path.read_bytes()
        assert b"orders" not in content and samples.PLAIN["kafka.api.secret"].encode() \
            not in content


# Options of the attributes


def test_umask_uid_gid(emulator, site, mount, process):
    mounted = mount(emulator, umask="022", uid=12, gid=34)
    status = process.stat(mounted.connector(site, "plain") / "config.json")
    assert stat.S_IMODE(status.st_mode) == 0o644
    assert (status.st_uid, status.st_gid) == (12, 34)
    assert stat.S_IMODE(process.stat(mounted.connector(site, "plain")).st_mode) == 0o755
    status = process.stat(mounted.connector(site, "plain") / "status.json")
    assert stat.S_IMODE(status.st_mode) == 0o444


def test_a_cold_listing_is_quick(emulators, mount, process):
    api = emulators("--environments", 1, "--clusters", 1, "--connectors", 1000)
    place = harness.Site(api, *samples.first_cluster(api))
    mounted = mount(api)
    with takes(at_most=3):
        assert len(process.listdir(mounted.connectors(place))) == 1000
