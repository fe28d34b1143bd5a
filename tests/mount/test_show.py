"""What is listed and what is only there: show=, tasks.json, and what there is once an account."""

import errno
import json
import os

import pytest

import canonical
import harness
import samples
from harness import elapse, fails

LISTED = {"config.json", "connector.json", "status.json", "state"}
ORGANIZATIONS = "GET", "/org/v2/organizations?page_size=100"
RUNTIMES = "GET", "/connect/v1/custom-connector-runtimes?page_size=100"

CUSTOM_PLUGINS = "GET", "/connect/v1/custom-connector-plugins?page_size=100"


def tasks(w, name="plain"):
    return "GET", w.site.of(name, "/tasks")


# Tasks


def test_tasks(work):
    """Not listed; what the API says, for one request within the status' time to live."""
    w = work(ttl_status=0.5)
    path = w.directory / "tasks.json"
    assert "tasks.json" not in w.process.listdir(w.directory)
    assert w.api.calls() == []
    content, opened, named = w.process.read_and_stat(path)
    assert content == canonical.render(canonical.parse(w.api.api(w.site.of("plain", "/tasks"))))
    assert opened.st_size == named.st_size == len(content)
    assert json.loads(content)[0]["id"] == {"connector": "plain", "task": 0}
    assert w.api.calls() == [tasks(w)]
    elapse(0.6)
    assert w.process.stat(path).st_mtime_ns == named.st_mtime_ns
    assert w.api.calls() == [tasks(w), tasks(w)]
    w.theirs(tasks_max="3")
    elapse(0.6)
    assert len(json.loads(w.process.read(path))) == 3


def test_tasks_are_read_only(work):
    w = work()
    with fails(errno.EACCES):
        w.process.open(w.directory / "tasks.json", os.O_WRONLY)


def test_tasks_of_a_name_with_everything(emulator, mount, process):
    place = samples.site(emulator)
    place.create("a/b c?d", samples.PLAIN)
    mounted = mount(emulator)
    path = mounted.connectors(place) / "a%2Fb c?d" / "tasks.json"
    assert json.loads(process.read(path))[0]["id"]["connector"] == "a/b c?d"


@pytest.mark.parametrize("fault, number", [
    ({"status": 401}, errno.EACCES), ({"status": 403}, errno.EACCES),
    ({"status": 404, "body": {"error": {"code": 404, "message": "no"}}}, errno.ENOENT),
    ({"status": 404, "body": "<html>", "headers": {"Content-Type": "text/html"}}, errno.EIO),
    ({"status": 429, "headers": {"Retry-After": "60"}}, errno.EBUSY),
    ({"status": 501}, errno.EIO), ({"hang": True}, errno.ETIMEDOUT),
    ({"garbage": True}, errno.EBADMSG), ({"body_only": "{}"}, errno.EBADMSG),
    ({"body_only": "null"}, errno.EBADMSG), ({"truncate": 9}, errno.EBADMSG),
])
def test_tasks_that_cannot_be_had(work, fault, number):
    w = work(timeout=1, ttl_negative=0)
    w.api.fault(path="/tasks$", times=-1, **fault)
    with fails(number):
        w.process.read(w.directory / "tasks.json")
    w.api.clear_faults()
    assert w.process.read(w.directory / "tasks.json")


def test_tasks_of_a_cluster_that_is_gone(emulators, mount, process):
    """The API answers 403 then; its lists say what that means."""
    api = emulators("--environments", 1, "--clusters", 3, "--connectors", 1)
    env, clusters = samples.clusters_of(api)[0]
    place = harness.Site(api, env, clusters[1])
    mounted = mount(api)
    directory = mounted.connector(place, "connector-000000")
    process.tree(directory)
    api.control("POST", "clusters", {"environment": env, "id": clusters[1], "delete": True})
    api.clear()
    with fails(errno.ENOENT):
        process.read(directory / "tasks.json")
    assert api.calls() == [("GET", place.of("connector-000000", "/tasks")),
                           ("GET", "/org/v2/environments?page_size=100"),
                           ("GET", f"/cmk/v2/clusters?environment={env}&page_size=100")]


def test_a_backup_with_tasks(work, tmp_path):
    """What a backup holds does no harm on the way back, and cp -r makes a clone of it."""
    secrets = tmp_path / "secrets.json"
    secrets.write_text(json.dumps({"kafka.api.secret": "s", "kafka.api.key": "k"}))
    secrets.chmod(0o600)
    w = work(show="tasks", secrets=secrets)
    harness.run("cp", "-r", w.directory, tmp_path / "copy")
    assert set(os.listdir(tmp_path / "copy")) == LISTED | {"tasks.json"}
    w.api.clear()
    harness.run("cp", "-r", tmp_path / "copy", w.connectors / "clone")
    assert w.site.config("clone")["kafka.topic"] == "orders"
    assert w.api.writes() == [w.site.post]
    harness.run("rsync", "-a", f"{tmp_path}/copy/", f"{w.directory}/")
    assert w.api.writes() == [w.site.post]
    assert json.loads(w.process.read(w.directory / "tasks.json"))
    harness.run("rm", "-r", w.connectors / "clone")
    assert w.site.get("clone") is None


# show=


def test_show_lists_them(emulators, mount, process):
    """And only what it names; then a walk costs a request for each of these."""
    api = emulators("--environments", 1, "--clusters", 1, "--connectors", 3)
    place = harness.Site(api, *samples.first_cluster(api))
    mounted = mount(api, show="tasks,template")
    plugins = mounted.cluster(place) / "connector-plugins"
    names = process.listdir(mounted.connectors(place))
    classes = process.listdir(plugins)
    api.clear()
    for name in names:
        assert set(process.listdir(mounted.connectors(place) / name)) == LISTED | {"tasks.json"}
    for name in classes:
        assert sorted(process.listdir(plugins / name)) == ["plugin.json", "template.json"]
    assert api.calls() == [], "names alone cost nothing"
    process.tree(mounted.connectors(place))
    assert sorted(api.calls()) == sorted(("GET", place.of(name, "/tasks")) for name in names)
    api.clear()
    process.tree(plugins)
    assert sorted(api.calls()) \
        == sorted(("PUT", f"{place.plugins}/{name}/config/validate") for name in classes)


def test_show_everything(emulators, mount, process):
    api = emulators("--environments", 1, "--clusters", 1, "--connectors", 1)
    place = harness.Site(api, *samples.first_cluster(api))
    mounted = mount(api, show="tasks,offsets,metrics,template,validate")
    plugin = mounted.cluster(place) / "connector-plugins" / "DatagenSource"
    assert sorted(process.listdir(plugin)) == ["plugin.json", "template.json", "validate.json"]
    for name, status in [(name, process.lstat(plugin / name)) for name in process.listdir(plugin)]:
        assert status.st_size == len(process.read(plugin / name)) > 0
    assert {"tasks.json"} <= set(process.listdir(mounted.connectors(place) / "connector-000000"))
    assert ".connectfs" not in process.listdir(mounted.root)


# Once an account


def test_the_root_costs_nothing_but_what_is_looked_at(emulator, mount, process):
    """Names are for free; an exact size is a request."""
    mounted = mount(emulator)
    emulator.clear()
    process.listdir(mounted.root)
    harness.run("ls", "-U", mounted.root)
    assert emulator.calls() == []
    process.stat(mounted / "organization.json")
    assert emulator.calls() == [ORGANIZATIONS]
    process.stat(mounted / "custom-connector-runtimes.json")
    process.read(mounted / "custom-connector-runtimes.json")
    process.read(mounted / "organization.json")
    assert emulator.calls() == [ORGANIZATIONS, RUNTIMES]
    # A directory's time is that of its listing, which is a request, too.
    harness.run("ls", "-l", mounted.root)
    assert emulator.calls() == [ORGANIZATIONS, RUNTIMES, CUSTOM_PLUGINS]


def test_organization(emulator, mount, process):
    mounted = mount(emulator)
    wanted = canonical.parse(emulator.api(ORGANIZATIONS[1]))["data"][0]
    content, opened, named = process.read_and_stat(mounted / "organization.json")
    assert content == canonical.render(wanted)
    assert opened.st_size == named.st_size == len(content)
    date = harness.run("date", "-u", "-d", f"@{int(named.st_mtime)}", "+%Y-%m-%dT%H:%M:%S").output
    assert wanted["metadata"]["updated_at"].startswith(date.strip())


def test_runtimes(emulator, mount, process):
    mounted = mount(emulator)
    wanted = canonical.parse(emulator.api(RUNTIMES[1]))["data"]
    content, opened, named = process.read_and_stat(mounted / "custom-connector-runtimes.json")
    assert len(wanted) == 3 and content == canonical.render({"data": wanted})
    assert opened.st_size == named.st_size == len(content)
    with fails(errno.EACCES):
        process.open(mounted / "custom-connector-runtimes.json", os.O_WRONLY)


def test_runtimes_on_several_pages(emulator, mount, process):
    """All in the order in which they come."""
    rest = canonical.parse(emulator.api(RUNTIMES[1]))["data"]
    for query, data, link in (
            ("page_size=100$", ["a", "b"], "https://other/connect/v1/x?page_token=2"),
            ("page_token=2", ["a", 7, None], "/x?page_token=3"), ("page_token=3", rest, "")):
        emulator.fault(path="/custom-connector-runtimes$", query=query, status=200,
                       body={"data": data, "metadata": {"next": link}})
    mounted = mount(emulator)
    emulator.clear()
    shown = process.read(mounted / "custom-connector-runtimes.json")
    assert shown == canonical.render({"data": ["a", "b", "a", canonical.Number("7"), None, *rest]})
    assert emulator.calls() == [RUNTIMES] + [
        ("GET", RUNTIMES[1] + f"&page_token={token}") for token in (2, 3)]


def test_a_page_that_was_asked_for_twice(emulator, mount, process):
    """What an answer brought before it broke off is not shown twice."""
    text = emulator.api(RUNTIMES[1])
    wanted = canonical.parse(text)["data"]
    emulator.fault(path="/custom-connector-runtimes$", truncate=len(text) - 2)
    mounted = mount(emulator)
    emulator.clear()
    assert process.read(mounted / "custom-connector-runtimes.json") \
        == canonical.render({"data": wanted})
    assert emulator.calls() == [RUNTIMES, RUNTIMES]


def test_no_runtimes(emulator, mount, process):
    emulator.fault(path="/custom-connector-runtimes$", body_only='{"data": null}')
    mounted = mount(emulator)
    assert process.read(mounted / "custom-connector-runtimes.json") == b'{\n  "data": []\n}\n'


@pytest.mark.parametrize("name", ["organization.json", "custom-connector-runtimes.json"])
@pytest.mark.parametrize("fault, number", [
    ({"status": 403}, errno.EACCES), ({"status": 501}, errno.EIO), ({"hang": True}, errno.ETIMEDOUT),
    ({"garbage": True}, errno.EBADMSG), ({"body_only": "[]"}, errno.EBADMSG),
    ({"body_only": "{}"}, errno.EBADMSG), ({"body_only": '{"data": {}}'}, errno.EBADMSG),
])
def test_what_cannot_be_had_is_no_absence(emulator, mount, process, name, fault, number):
    mounted = mount(emulator, timeout=1, ttl_negative=0)
    emulator.fault(path="/organizations$|/custom-connector-runtimes$", times=-1, **fault)
    assert name in process.listdir(mounted.root)
    with fails(number):
        process.read(mounted / name)
    emulator.clear_faults()
    assert process.read(mounted / name)


def test_the_last_good_answer(emulator, mount, process):
    mounted = mount(emulator, ttl_topology=0.2, ttl_plugins=0.2)
    names = ("organization.json", "custom-connector-runtimes.json")
    before = [process.read(mounted / name) for name in names]
    elapse(0.3)
    emulator.fault(path="/organizations$|/custom-connector-runtimes$", times=-1, status=501)
    assert [process.read(mounted / name) for name in names] == before


def test_refreshed(emulator, mount, process):
    mounted = mount(emulator)
    process.read(mounted / "organization.json")
    process.write(mounted / ".connectfs" / "refresh", b"1\n")
    emulator.clear()
    process.read(mounted / "organization.json")
    assert emulator.calls() == [ORGANIZATIONS]
