"""The recipes of README.md, as they stand there, on the sample account."""

import json
import pathlib
import re
import shutil

import pytest

import harness
import uploads

README = pathlib.Path(__file__).resolve().parent.parent.parent / "README.md"
ENV, CLUSTER = "env-3k9dpz", "lkc-7n2kvd"


def recipe(beginning):
    """The block of code behind the paragraph that begins so."""
    found = re.findall(r"^" + re.escape(beginning) + r"(?:.+\n)*\n```\n((?:.*\n)*?)```$",
                       README.read_text(encoding="utf-8"), re.M)
    assert len(found) == 1, beginning
    return found[0]


class Account:
    """The sample account, mounted on ~/connectors."""

    def __init__(self, api, mounted):
        self.api, self.mounted = api, mounted
        self.site = harness.Site(api, ENV, CLUSTER)
        (mounted.home / "connectors").symlink_to(mounted.root)
        api.clear()

    def run(self, script):
        """As one types it; each command must succeed."""
        return harness.run("set -e\n" + script, shell=True, HOME=self.mounted.home).output


@pytest.fixture
def account(emulators, mount):
    api = emulators("--provisioning", 0)
    return Account(api, mount(api, ttl_status=0.5))


def test_from_a_template(account):
    output = account.run(recipe("Start a connector from a template."))
    template, verdict = output.rsplit("}\n", 1)
    assert '"connector.class": "DatagenSource",\n  "name": "",\n' in template
    assert verdict == "0\n", "no errors"
    validate = "PUT", f"{account.site.plugins}/DatagenSource/config/validate"
    assert account.api.writes() == [validate, validate, account.site.post]
    settings = {"connector.class": "DatagenSource", "name": "made-up", "tasks.max": "1",
                "kafka.topic": "orders", "quickstart": "ORDERS", "kafka.api.key": "…",
                "kafka.api.secret": "…", "kafka.auth.mode": "KAFKA_API_KEY",
                "output.data.format": "JSON"}
    assert account.api.bodies("PUT") == [{}, settings]
    assert account.api.bodies("POST") == [{"name": "made-up", "config": settings}]
    stored = account.site.config("made-up")
    assert {key: stored[key] for key in settings} == settings


IN_CLUSTER = "Those below can be tried"


def test_rewind(account):
    """One request for the four partitions, and the phase that it is in."""
    before = json.loads(account.api.api(account.site.of("orders-archive-s3", "/offsets")))["offsets"]
    output = account.run(recipe(IN_CLUSTER) + recipe("Rewind a connector,"))
    assert output == "PENDING_VALIDATION\n"
    assert account.api.writes() == [
        ("POST", account.site.of("orders-archive-s3", "/offsets/request"))]
    assert account.api.bodies("POST") == [{"type": "PATCH", "offsets": [
        {"partition": one["partition"],
         "offset": {"kafka_offset": one["offset"]["kafka_offset"] - 1000}} for one in before]}]


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("gnuplot"), reason="gnuplot is not installed")
def test_draw(account):
    account.run(recipe(IN_CLUSTER) + recipe("Draw the last hour's records"))
    picture = (account.mounted.home / "records.png").read_bytes()
    assert picture.startswith(b"\x89PNG\r\n\x1a\n") and picture.endswith(b"IEND\xaeB`\x82")
    assert len(picture) > 2000, "an empty plot"
    assert [path for _, path in account.api.calls() if path.startswith("/v2/")] == [
        "/v2/metrics/cloud/descriptors/metrics?resource_type=connector&page_size=1000",
        "/v2/metrics/cloud/query"]


def test_feed_prometheus(account):
    """Each metric's lines stand together behind its type, and none has a timestamp."""
    (account.mounted.home / "textfile").mkdir()
    account.run(recipe("Feed Prometheus' textfile collector"))
    assert [path.name for path in (account.mounted.home / "textfile").iterdir()] == ["orders.prom"]
    text = (account.mounted.home / "textfile" / "orders.prom").read_text()
    names = re.findall(r"^# TYPE (\w+) gauge$", text, re.M)
    assert len(names) == len(set(names)) == 7
    sample = r'^(\w+)\{connector_id="c?lcc-\w+"(?:,\w+="\w+")?\} [0-9.]+$'
    samples = re.findall(sample, text, re.M)
    assert set(samples) == set(names)
    assert len(samples) == sum(not line.startswith("#") for line in text.splitlines() if line)
    assert samples == sorted(samples, key=names.index)


def test_at_a_glance(account):
    lines = account.run(recipe("All of them at a glance")).splitlines()
    assert len(lines) == 12
    assert "FAILED" in lines[0] and not any("FAILED" in line for line in lines[1:])


def test_failed(account):
    """The one that has failed, and the reason as the API tells it."""
    output = account.run(recipe(IN_CLUSTER) + recipe("Find the failed ones"))
    state, trace = output.split("\n", 1)
    assert state == f"{account.mounted.home}/connectors/environments/{ENV}/clusters/{CLUSTER}" \
        "/connectors/orders-cdc-postgres/state"
    status = json.loads(account.api.api(account.site.of("orders-cdc-postgres", "/status")))
    assert trace == status["connector"]["trace"] + "\n"


def test_a_new_version(account):
    """A connector is started, an archive is uploaded, and the connector moves to it."""
    content = uploads.archive()
    (account.mounted.home / "weather.zip").write_bytes(content)
    account.run(recipe(IN_CLUSTER) + recipe("Start a connector of a custom plugin")
                         + recipe("Ship a new version of it"))
    versions = f"{uploads.CCPM}/{uploads.WEATHER}/versions"
    assert account.api.writes() == [
        account.site.post, ("POST", uploads.PRESIGN_ENVIRONMENT), ("POST", "/"),
        ("POST", versions), account.site.put("weather-stations")]
    [version] = [one for one in json.loads(account.api.api(uploads.in_environment(versions)))["data"]
                 if one["spec"]["version"] == "1.2.0"]
    assert version["status"]["phase"] == "READY"
    assert version["spec"]["connector_classes"] == [
        {"class_name": f"com.example.connect.weather.{name}", "type": kind}
        for name, kind in (("StationSource", "SOURCE"), ("AlertSink", "SINK"))]
    archive = account.api.control("GET", "uploads")[-1]["archive"]
    assert archive == {"size": len(content), "sha256": uploads.sha256(content), "is_zip": True}
    stored = account.site.config("weather-stations")
    assert stored["confluent.custom.plugin.version"] == "1.2.0"
    assert stored["kafka.topic"] == "weather"
