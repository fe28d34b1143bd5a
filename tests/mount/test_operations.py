"""Every operation of the API that is in scope: the file for it, and the requests that this makes.

The table of HACKING.md is walked against the operations that the emulator answers: an operation
without a row, and a row without a test, fail. To do a row that is "not yet": write its test here.
"""

import json
import pathlib
import re

import pytest

import harness
import samples
import uploads
from harness import elapse

NOT_YET, UNUSED = "not yet", "not used"
ENV, CLUSTER = "env-3k9dpz", "lkc-7n2kvd"
SHORT = {"CONNECTOR/": "CLUSTER/connectors/NAME/",
         "CLUSTER/": "environments/ENVIRONMENT/clusters/CLUSTER/"}
TABLE = pathlib.Path(__file__).resolve().parent.parent.parent / "HACKING.md"


def read_table():
    """{operation: (pattern of the file, what makes the request)} in the order of the rows."""
    rows = re.findall(r"^\| `([A-Za-z0-9-]+)` \| (?:`([^`]+)`)? *\| ([^|]+) \|$",
                      TABLE.read_text(encoding="utf-8"), re.M)
    assert len({name for name, *_ in rows}) == len(rows) > 40
    for short in ("CONNECTOR/", "CLUSTER/"):
        rows = [(name, re.sub("^" + short, SHORT[short], file), how) for name, file, how in rows]
    return {name: (file, how.strip()) for name, file, how in rows}


def read_operations():
    """{operation: (method, regular expression of its path)}"""
    lines = harness.run(harness.EMULATOR, "--list-operations").output.splitlines()
    operations = {}
    for method, path, name in (line.split() for line in lines):
        if not path.startswith("/_emulator/"):
            operations[name] = method, re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))
    return operations


ROWS, OPERATIONS, TESTS = read_table(), read_operations(), {}


def operation(name):
    """Marks the test of an operation: what it returns is the file and the requests that came."""
    def mark(function):
        assert name not in TESTS, name
        TESTS[name] = function
        return function
    return mark


class Place:
    """A fresh mount of the sample account, with the connector `plain` in one of its clusters."""

    def __init__(self, api, mount, process):
        self.api, self.mount, self.process = api, mount, process
        self.site = harness.Site(api, ENV, CLUSTER)
        self.site.create("plain", samples.PLAIN)
        self.mounted = None

    def mounts(self, **options):
        self.mounted = self.mount(self.api, **options)
        self.api.clear()
        return self.mounted.root

    def knows_plain(self, **options):
        """The directory of `plain`, of which everything is known and nothing was asked since."""
        self.mounts(**options)
        directory = self.mounted.connector(self.site, "plain")
        self.process.tree(directory)
        self.api.clear()
        return directory

    def get(self, path):
        return "GET", path


@pytest.fixture
def place(emulators, mount, process):
    return Place(emulators("--provisioning", 0), mount, process)


# The walk


def test_every_operation_has_a_row():
    assert sorted(ROWS) == sorted(OPERATIONS)


def test_every_row_has_a_test():
    done = [name for name, (_, how) in ROWS.items() if not how.startswith((NOT_YET, UNUSED))]
    assert sorted(TESTS) == sorted(done)
    for name, (file, how) in ROWS.items():
        assert file or how.startswith(UNUSED), name
        assert not how.startswith(UNUSED) or ": " in how, "a reason"


# Environments, clusters, the account


@operation("listOrgV2Environments")
def _(place):
    path = place.mounts() / "environments"
    place.process.write(place.mounted / ".connectfs" / "refresh", b"1\n")
    assert ENV in place.process.listdir(path)
    return path, [place.get("/org/v2/environments?page_size=100")]


@operation("getOrgV2Environment")
def _(place):
    """One that the key may use but not list; each name on the way asks whether that is still so."""
    place.api.settings(deny=["^/org/v2/environments$"])
    path = place.mounts() / "environments" / ENV / "environment.json"
    assert json.loads(place.process.read(path))["id"] == ENV
    environments = place.get("/org/v2/environments?page_size=100")
    return path, [environments, place.get(f"/org/v2/environments/{ENV}"), environments]


@operation("listOrgV2Organizations")
def _(place):
    path = place.mounts() / "organization.json"
    assert json.loads(place.process.read(path))["kind"] == "Organization"
    return path, [place.get("/org/v2/organizations?page_size=100")]


@operation("listCmkV2Clusters")
def _(place):
    path = place.mounts() / "environments" / ENV / "clusters"
    assert CLUSTER in place.process.listdir(path)
    return path, [place.get(f"/cmk/v2/clusters?environment={ENV}&page_size=100")]


@operation("getCmkV2Cluster")
def _(place):
    """One that the key may use but not list."""
    place.api.settings(deny=["^/cmk/v2/clusters$"])
    path = place.mounts() / "environments" / ENV / "clusters" / CLUSTER / "cluster.json"
    assert json.loads(place.process.read(path))["id"] == CLUSTER
    denied = [place.get(f"/cmk/v2/clusters?environment={ENV}&page_size=100"),
              place.get("/org/v2/environments?page_size=100")]
    return path, [*denied, place.get(f"/cmk/v2/clusters/{CLUSTER}?environment={ENV}"), *denied]


@operation("listConnectV1CustomConnectorRuntimes")
def _(place):
    path = place.mounts() / "custom-connector-runtimes.json"
    assert json.loads(place.process.read(path))["data"][0]["kind"] == "CustomConnectorRuntime"
    return path, [place.get("/connect/v1/custom-connector-runtimes?page_size=100")]


# Connectors


@operation("listConnectv1Connectors")
def _(place):
    """What the bulk answer lacks is looked for in the plain list before it is gone."""
    path = place.knows_plain(ttl=0.2).parent
    place.api.hide(CLUSTER, ["plain"], "expand")
    elapse(0.3)
    assert "plain" in place.process.listdir(path)
    return path, [place.get(place.site.base + "?expand=id,info,status"),
                  place.get(place.site.base)]


@operation("createConnectv1Connector")
def _(place):
    directory = place.knows_plain().parent / "made"
    place.process.mkdir(directory)
    place.process.write(directory / "config.json", json.dumps(samples.PLAIN).encode())
    assert place.site.config("made")["kafka.topic"] == "orders"
    return directory / "config.json", [place.site.post]


@operation("readConnectv1Connector")
def _(place):
    directory = place.knows_plain(ttl=0.3, ttl_status=60)
    elapse(0.4)
    assert json.loads(place.process.read(directory / "connector.json"))["name"] == "plain"
    return directory / "connector.json", [place.get(place.site.of("plain"))]


@operation("deleteConnectv1Connector")
def _(place):
    directory = place.knows_plain()
    harness.run("rm", "-r", directory)
    assert place.site.get("plain") is None
    return directory / "config.json", [place.site.delete("plain")]


@operation("getConnectv1ConnectorConfig")
def _(place):
    path = place.knows_plain(ttl=0.3, ttl_status=60) / "config.json"
    elapse(0.4)
    assert json.loads(place.process.read(path))["kafka.topic"] == "orders"
    return path, [place.site.look("plain")]


@operation("createOrUpdateConnectv1ConnectorConfig")
def _(place):
    path = place.knows_plain() / "config.json"
    place.process.write(path, place.process.read(path).replace(b'"orders"', b'"saved"'))
    assert place.site.config("plain")["kafka.topic"] == "saved"
    return path, [place.site.look("plain"), place.site.put("plain")]


@operation("pauseConnectv1Connector")
def _(place):
    path = place.knows_plain() / "state"
    place.process.write(path, b"pause\n")
    assert place.site.get("plain")["state"] == "PAUSED"
    return path, [("PUT", place.site.of("plain", "/pause"))]


@operation("resumeConnectv1Connector")
def _(place):
    path = place.knows_plain() / "state"
    place.site.patch("plain", state="PAUSED")
    place.process.write(path, b"resume\n")
    assert place.site.get("plain")["state"] == "RUNNING"
    return path, [("PUT", place.site.of("plain", "/resume"))]


@operation("readConnectv1ConnectorStatus")
def _(place):
    path = place.knows_plain(ttl_status=0.3) / "status.json"
    elapse(0.4)
    assert json.loads(place.process.read(path))["connector"]["state"] == "RUNNING"
    return path, [place.get(place.site.of("plain", "/status"))]


@operation("listConnectv1ConnectorTasks")
def _(place):
    path = place.knows_plain() / "tasks.json"
    assert json.loads(place.process.read(path))[0]["id"]["connector"] == "plain"
    return path, [place.get(place.site.of("plain", "/tasks"))]


@operation("getConnectv1ConnectorOffsets")
def _(place):
    path = place.knows_plain() / "offsets.json"
    assert json.loads(place.process.read(path))["name"] == "plain"
    return path, [place.get(place.site.of("plain", "/offsets"))]


@operation("alterConnectv1ConnectorOffsetsRequest")
def _(place):
    path = place.knows_plain() / "offsets-request.json"
    place.process.write(path, b'{"type": "DELETE"}')
    # Its size is known before it is opened.
    return path, [place.get(place.site.of("plain", "/offsets/request/status")),
                  ("POST", place.site.of("plain", "/offsets/request"))]


@operation("getConnectv1ConnectorOffsetsRequestStatus")
def _(place):
    path = place.knows_plain() / "offsets-request.json"
    assert place.process.read(path) == b"{}\n"
    return path, [place.get(place.site.of("plain", "/offsets/request/status"))]


# Plugins


@operation("listConnectv1ConnectorPlugins")
def _(place):
    path = place.mounts() / "environments" / ENV / "clusters" / CLUSTER / "connector-plugins"
    assert "DatagenSource" in place.process.listdir(path)
    return path, [place.get(f"/cmk/v2/clusters?environment={ENV}&page_size=100"),
                  place.get(place.site.plugins)]


@operation("validateConnectv1ConnectorPlugin")
def _(place):
    place.knows_plain()
    directory = place.mounted.cluster(place.site) / "connector-plugins" / "DatagenSource"
    place.process.listdir(directory)
    place.api.clear()
    place.process.write(directory / "validate.json", b"{}")
    assert json.loads(place.process.read(directory / "validate.json"))["configs"]
    return directory / "validate.json", [
        ("PUT", f"{place.site.plugins}/DatagenSource/config/validate")]


@operation("listConnectV1CustomConnectorPlugins")
def _(place):
    path = place.mounts() / "custom-connector-plugins"
    assert place.process.listdir(path)
    return path, [place.get("/connect/v1/custom-connector-plugins?page_size=100")]


def description(**members):
    return json.dumps({"connector_class": "com.example.tides.Source", "connector_type": "SOURCE",
                       **members}).encode()


def presigned(place, path):
    """The path that the newest presigned URL leads to."""
    found = place.api.requests()[-2]
    assert found["path"].startswith(path)
    return found["method"], found["path"] + ("?" + found["query"] if found["query"] else "")


def creates_plugin(place, last, **members):
    """Makes a plugin of the organization of a description and an archive; the requests."""
    directory = place.mounts() / "custom-connector-plugins" / "Tides"
    place.process.mkdir(directory)
    place.process.write(directory / "plugin.json", description(**members))
    place.process.write(directory / "tides.zip", uploads.archive())
    storage = {"AZURE": "/azure/", "GCP": "/gcp/"}.get(members.get("cloud"), "/")
    return directory / last, [
        uploads.LIST, uploads.LIST, ("POST", uploads.PRESIGN), presigned(place, storage),
        ("POST", uploads.CUSTOM)]


@operation("createConnectV1CustomConnectorPlugin")
def _(place):
    return creates_plugin(place, "plugin.json")


@operation("presigned-upload-urlConnectV1PresignedUrl")
def _(place):
    return creates_plugin(place, "tides.zip")


@operation("uploadToAws")
def _(place):
    return creates_plugin(place, "tides.zip")


@operation("uploadToAzure")
def _(place):
    return creates_plugin(place, "tides.zip", cloud="AZURE")


@operation("uploadToGcp")
def _(place):
    return creates_plugin(place, "tides.zip", cloud="GCP")


def changes(place, path, member, value):
    """Reads a description and saves it with another value."""
    shown = json.loads(place.process.read(path))
    shown.get("spec", shown)[member] = value
    place.api.clear()
    place.process.write(path, json.dumps(shown).encode())
    return path


def changes_plugin(place):
    path = place.mounts() / "custom-connector-plugins" / uploads.GATEWAY / "plugin.json"
    target = f"{uploads.CUSTOM}/{uploads.GATEWAY}"
    return changes(place, path, "description", "other"), [place.get(target), ("PATCH", target)]


@operation("getConnectV1CustomConnectorPlugin")
def _(place):
    return changes_plugin(place)


@operation("updateConnectV1CustomConnectorPlugin")
def _(place):
    return changes_plugin(place)


@operation("deleteConnectV1CustomConnectorPlugin")
def _(place):
    path = place.mounts(delete_delay=0) / "custom-connector-plugins" / uploads.LEDGER \
        / "plugin.json"
    place.process.unlink(path)
    return path, [uploads.LIST, ("DELETE", f"{uploads.CUSTOM}/{uploads.LEDGER}")]


@operation("listCcpmV1CustomConnectPlugins")
def _(place):
    path = place.mounts() / "environments" / ENV / "plugins"
    assert place.process.listdir(path)
    return path, [place.get(f"/ccpm/v1/plugins?environment={ENV}&page_size=100")]


@operation("listCcpmV1CustomConnectPluginVersions")
def _(place):
    plugins = place.mounts() / "environments" / ENV / "plugins"
    [plugin] = place.process.listdir(plugins)
    place.api.clear()
    path = plugins / plugin / "versions"
    assert place.process.listdir(path)
    return path, [place.get(f"/ccpm/v1/plugins/{plugin}/versions?environment={ENV}")]


def changes_local_plugin(place):
    path = place.mounts() / "environments" / ENV / "plugins" / uploads.WEATHER / "plugin.json"
    target = f"{uploads.CCPM}/{uploads.WEATHER}"
    return changes(place, path, "description", "other"), [
        place.get(uploads.in_environment(target)), ("PATCH", target)]


@operation("getCcpmV1CustomConnectPlugin")
def _(place):
    return changes_local_plugin(place)


@operation("updateCcpmV1CustomConnectPlugin")
def _(place):
    return changes_local_plugin(place)


def creates_local_plugin(place, **options):
    path = place.mounts(**options) / "environments" / ENV / "plugins" / "Tides" / "plugin.json"
    place.process.mkdir(path.parent)
    place.process.write(path, b"{}")
    return path


@operation("createCcpmV1CustomConnectPlugin")
def _(place):
    return creates_local_plugin(place), [
        uploads.LIST_ENVIRONMENT, uploads.LIST_ENVIRONMENT, ("POST", uploads.CCPM)]


@operation("deleteCcpmV1CustomConnectPlugin")
def _(place):
    path = creates_local_plugin(place, delete_delay=0)
    name = place.process.readlink(path.parent)
    place.api.clear()
    place.process.unlink(path)
    return path.parent.parent / name / "plugin.json", [
        ("DELETE", uploads.in_environment(f"{uploads.CCPM}/{name}"))]


def creates_version(place, last):
    directory = place.mounts() / "environments" / ENV / "plugins" / uploads.WEATHER / "versions" \
        / "2.0.0"
    place.process.mkdir(directory)
    place.process.write(directory / "weather.zip", uploads.archive())
    place.process.write(directory / "version.json", json.dumps({"spec": {"connector_classes": [
        {"class_name": "com.example.tides.Source", "type": "SOURCE"}]}}).encode())
    return directory / last, [
        uploads.LIST_ENVIRONMENT, uploads.LIST_VERSIONS, uploads.LIST_VERSIONS,
        ("POST", uploads.PRESIGN_ENVIRONMENT), ("POST", "/"),
        ("POST", f"{uploads.CCPM}/{uploads.WEATHER}/versions")]


@operation("createCcpmV1CustomConnectPluginVersion")
def _(place):
    return creates_version(place, "version.json")


@operation("createCcpmV1PresignedUrl")
def _(place):
    return creates_version(place, "weather.zip")


def removes_version(place):
    path = place.mounts(delete_delay=0) / "environments" / ENV / "plugins" / uploads.WEATHER \
        / "versions" / uploads.OLD / "version.json"
    place.process.unlink(path)
    return path, uploads.in_environment(f"{uploads.CCPM}/{uploads.WEATHER}/versions/{uploads.OLD}")


@operation("deleteCcpmV1CustomConnectPluginVersion")
def _(place):
    path, target = removes_version(place)
    return path, [uploads.LIST_ENVIRONMENT, uploads.LIST_VERSIONS, ("DELETE", target)]


@operation("getCcpmV1CustomConnectPluginVersion")
def _(place):
    place.api.fault(method="DELETE", status=503)
    path, target = removes_version(place)
    return path, [uploads.LIST_ENVIRONMENT, uploads.LIST_VERSIONS, ("DELETE", target),
                  place.get(target), ("DELETE", target)]


# Metrics


@operation("listMetricsV2Descriptors")
def _(place):
    path = place.knows_plain() / "metrics"
    assert "sent_records.json" in place.process.listdir(path)
    return path, [place.get("/v2/metrics/cloud/descriptors/metrics"
                            "?resource_type=connector&page_size=1000")]


@operation("queryMetricsV2")
def _(place):
    path = place.mounts() / "metrics" / "query.json"
    place.process.write(path, json.dumps({
        "aggregations": [{"metric": "io.confluent.kafka.connect/sent_records"}],
        "filter": {"field": "resource.connector.id", "op": "EQ",
                   "value": place.site.get("plain")["id"]},
        "granularity": "PT1M", "intervals": ["2024-05-01T10:00:00Z/PT3M"]}).encode())
    assert len(json.loads(place.process.read(path))["data"]) == 3
    return path, [("POST", "/v2/metrics/cloud/query")]


@operation("exportMetricsV2")
def _(place):
    place.knows_plain()
    path = place.mounted.cluster(place.site) / "metrics.prom"
    assert place.process.read(path).startswith(b"# HELP ")
    ids = [one["id"]["id"] for one in json.loads(place.api.api(
        place.site.base + "?expand=id%2Cinfo")).values()]
    return path, [place.get("/v2/metrics/cloud/export?" + "&".join(
        f"resource.connector.id={one}" for one in ids))]


# All of them


@pytest.mark.parametrize("name", sorted(TESTS))
def test_operation(place, name):
    """Just the requests that are expected, this one among them, by the file in the table."""
    path, expected = TESTS[name](place)
    assert place.api.calls() == expected
    method, pattern = OPERATIONS[name]
    assert [call for call in expected if call[0] == method
            and re.fullmatch(pattern, call[1].partition("?")[0])]
    file = re.sub("[A-Z]{2,}", "[^/]+", re.escape(ROWS[name][0]).replace(r"\ ", " "))
    shown = str(path.relative_to(place.mounted.root)) + ("/" if path.is_dir() else "")
    assert re.fullmatch(file, shown), shown
