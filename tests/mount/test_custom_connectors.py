"""Connectors of custom plugins: no class, and secrets that only their plugin marks."""

import errno
import json

import pytest

import canonical
import harness
import uploads
from harness import fails, poll
from work import Work

CLUSTER = "lkc-7n2kvd"
NAME = "gateway-telemetry"
SECRETS = {"gateway.token": "of-the-clone-5521", "kafka.api.key": "CLONEKEY",
           "kafka.api.secret": "of-the-clone-7733"}
# What the API adds by itself, and a new connector may not have.
OWN = {"cloud.environment", "cloud.provider", "connector.crn", "confluent.custom.plugin.type",
       "kafka.endpoint", "kafka.region"}


@pytest.fixture
def work(sample_account, mount, process):
    """work(dry_run=True): a mount with these options, where the connector has been read."""
    site = harness.Site(sample_account, uploads.ENV, CLUSTER)
    return lambda **options: Work(sample_account, site, mount(sample_account, **options), process,
                                  NAME)


@pytest.fixture
def secrets(tmp_path):
    path = tmp_path / "secrets.json"
    path.write_text(json.dumps(SECRETS))
    path.chmod(0o600)
    return path


def new(**settings):
    """A configuration as one writes it; _ stands for a dot."""
    return {"confluent.connector.type": "CUSTOM", "confluent.custom.plugin.id": uploads.GATEWAY,
            "gateway.url": "https://gateway.acme.example/v2/stream", "kafka.topic": "made",
            "gateway.token": "brand-new-3141", "gateway.sites": "ams",
            "confluent.custom.connection.endpoints": "gateway.acme.example:443",
            "kafka.auth.mode": "KAFKA_API_KEY", "kafka.api.key": "KEY",
            "kafka.api.secret": "brand-new-5926", "tasks.max": "1",
            **{key.replace("_", "."): value for key, value in settings.items()}}


def create(w, name, config):
    w.process.mkdir(w.connectors / name)
    w.process.write(w.connectors / name / "config.json", json.dumps(config).encode())


def test_created(work):
    """Without a class; with its runtime, Java and endpoints."""
    w = work()
    config = new(**{"confluent.custom.connect.plugin.runtime": "3.9.0",
                    "confluent.custom.connect.java.version": "17"})
    create(w, "made", config)
    assert w.api.calls() == [w.site.post]
    assert w.api.bodies("POST") == [{"name": "made", "config": {**config, "name": "made"}}]
    shown = json.loads(w.process.read(w.connectors / "made" / "config.json"))
    assert set(shown["gateway.token"]) == {"*"}
    assert "connector.class" not in shown
    assert w.site.get("made")["id"].startswith("clcc-")


@pytest.mark.parametrize("settings, word", [
    ({"confluent_custom_plugin_id": "ccp-000000"}, "confluent.custom.plugin.id: there is no such"),
    ({"confluent_custom_connect_plugin_runtime": "0.0"},
     "confluent.custom.connect.plugin.runtime: there is no such runtime"),
    ({"confluent_custom_connect_java_version": "17"},
     "confluent.custom.connect.java.version: it needs a runtime"),
    ({"confluent_custom_connection_endpoints": "nowhere"},
     "confluent.custom.connection.endpoints: an endpoint is HOST:PORT"),
], ids=str)
def test_refused(work, settings, word):
    w = work()
    with fails(errno.EINVAL):
        create(w, "made", new(**settings))
    assert w.api.writes() == [w.site.post]
    reason = w.process.read(w.connectors / "made" / "config.json.error").decode()
    assert any(line.startswith(word) for line in reason.splitlines())
    assert "brand-new" not in reason
    assert w.site.get("made") is None


def test_a_save_keeps_its_secrets(work):
    """The masks go back as they came, and the API puts the values in their place."""
    w = work()
    before = w.site.config(NAME)
    text = w.changed(gateway_sites="ams,ber")
    w.process.write(w.config, text)
    assert w.api.calls() == [w.look, w.put]
    assert w.api.bodies("PUT") == [json.loads(text)]
    assert w.site.config(NAME) == {**before, "gateway.sites": "ams,ber"}
    assert before["gateway.token"] != json.loads(text)["gateway.token"]
    assert w.process.read(w.config) == w.site.shown(NAME)
    w.assert_clean()


def test_a_new_secret(work):
    w = work()
    w.process.write(w.config, w.changed(gateway_token="rotated-2718"))
    assert w.api.writes() == [w.put]
    assert w.site.config(NAME)["gateway.token"] == "rotated-2718"
    changes = w.process.read(w.mounted / ".connectfs" / "changes").decode()
    assert "gateway.token: " in changes
    for text in (changes, w.mounted.log(), w.process.read(w.config).decode()):
        assert "rotated-2718" not in text


@pytest.mark.parametrize("setting", ["gateway_url", "gateway_client_secret"])
def test_a_mask_in_the_wrong_place(work, setting):
    """Shown as it is, or not set at all: the asterisks would be its value."""
    w = work()
    before, text = w.site.config(NAME), w.changed(**{setting: "*****"})
    with fails(errno.EINVAL):
        w.process.write(w.config, text)
    assert w.api.writes() == []
    w.assert_refused(text, setting.replace("_", "."))
    assert w.site.config(NAME) == before


def test_a_conflict(work):
    """A secret of theirs is named, and not told."""
    w = work()
    theirs = {"gateway.token": "a-longer-secret-of-theirs", "gateway.sites": "osl"}
    w.site.patch(NAME, merge=theirs)
    text = w.changed(tasks_max="3")
    with fails(errno.ESTALE):
        w.process.write(w.config, text)
    assert w.api.writes() == []
    assert w.process.read(w.rejected) == text
    reason = w.process.read(w.error).decode()
    assert "gateway.sites" in reason and "osl" in reason
    assert theirs["gateway.token"] not in reason
    poll(lambda: w.process.read(w.config) == w.site.shown(NAME), 5)
    w.process.write(w.config, w.process.read(w.config).replace(b'"tasks.max": "2"',
                                                               b'"tasks.max": "3"'))
    stored = w.site.config(NAME)
    assert stored["tasks.max"] == "3"
    assert {key: stored[key] for key in theirs} == theirs


def test_a_clone_without_its_secrets(work):
    """Nothing is sent, and all that is missing is named."""
    w = work()
    harness.run("cp", "-r", w.directory, w.connectors / "clone", status=1)
    assert w.api.writes() == []
    assert w.site.get("clone") is None
    reason = w.process.read(w.connectors / "clone" / "config.json.error").decode()
    for setting in SECRETS:
        assert setting in reason


def test_a_clone(work, secrets):
    w = work(secrets=secrets)
    harness.run("cp", "-r", w.directory, w.connectors / "clone")
    assert w.api.writes() == [w.site.post]
    expected = {key: value for key, value in w.site.config(NAME).items() if key not in OWN}
    expected.update(SECRETS, name="clone")
    assert w.api.bodies("POST") == [{"name": "clone", "config": expected}]
    shown = w.process.read(w.connectors / "clone" / "config.json")
    assert shown == w.site.shown("clone")
    assert not any(secret.encode() in shown for secret in SECRETS.values())


def test_a_restore(work, secrets, tmp_path):
    """Removed and put back: one POST; once more: nothing."""
    w = work(secrets=secrets)
    backup = tmp_path / "backup"
    harness.run("cp", "-r", w.directory, backup)
    harness.run("rm", "-r", w.directory)
    poll(lambda: w.site.get(NAME) is None, 5)
    w.api.clear()
    for _ in range(2):
        harness.run("rsync", "-a", "--include=config.json", "--exclude=*", f"{backup}/",
                    f"{w.directory}/")
        assert w.api.writes() == [w.site.post]
    stored = w.site.config(NAME)
    assert {key: stored[key] for key in SECRETS} == SECRETS
    assert w.process.read(w.config) == canonical.render(
        {**json.loads((backup / "config.json").read_text()),
         **{key: shown for key, shown in json.loads(w.site.shown(NAME)).items()
            if key in {"connector.crn", *SECRETS}}})


def test_another_version(work):
    """A connector of an environment's plugin moves to another version by one setting."""
    w = work()
    config = new(**{"confluent.custom.plugin.id": uploads.WEATHER,
                    "confluent.custom.plugin.version": "1.0.0"})
    create(w, "made", config)
    path = w.connectors / "made" / "config.json"
    text = w.process.read(path).replace(b'"1.0.0"', b'"1.1.0"')
    w.api.clear()
    w.process.write(path, text)
    assert w.api.calls() == [w.site.look("made"), w.site.put("made")]
    assert w.site.config("made")["confluent.custom.plugin.version"] == "1.1.0"
