"""-o validate: the plugin is asked before a configuration is sent."""

import errno
import json

import canonical
import samples
from harness import fails

CLASS = samples.PLAIN["connector.class"]


def question(w, name=CLASS):
    return "PUT", f"{w.site.plugins}/{name}/config/validate"


def verdict(errors, recommended=(), name="kafka.topic", **more):
    return {"name": CLASS, "groups": [], "error_count": len(errors), "configs": [{
        "definition": {"name": name},
        "value": {"name": name, "value": None, "errors": errors,
                  "recommended_values": list(recommended), "visible": True}}], **more}


def test_valid(work):
    """Asked, then looked, then sent: nothing stands between the look and the PUT."""
    w = work(validate=True)
    text = w.changed(kafka_topic="checked")
    w.process.write(w.config, text)
    assert w.api.calls() == [question(w), w.look, w.put]
    assert w.api.bodies("PUT") == [json.loads(text), json.loads(text)]
    assert w.site.config("plain")["kafka.topic"] == "checked"
    w.assert_clean()


def test_nothing_to_save_is_not_asked(work):
    w = work(validate=True)
    w.process.write(w.config, w.text)
    assert w.api.calls() == []


def test_not_asked_by_default(work):
    w = work()
    w.process.write(w.config, w.changed(kafka_topic="unchecked"))
    assert w.api.calls() == [w.look, w.put]


def test_invalid(work):
    """Refused with each field's message and the values that are recommended; nothing is sent."""
    w = work(validate=True)
    text = w.changed("kafka_topic", quickstart="NO_SUCH", tasks_max="many")
    with fails(errno.EINVAL):
        w.process.write(w.config, text)
    assert w.api.calls() == [question(w)]
    w.assert_refused(text, "The plugin calls it invalid")
    lines = w.process.read(w.error).decode().splitlines()
    fields = [line for line in lines if line.startswith("  ")]
    names = [line.split(":")[0].strip() for line in fields]
    assert sorted(names) == ["kafka.topic", "quickstart", "tasks.max"]
    found = next(line for line in fields if "quickstart" in line)
    assert '"NO_SUCH" is not one of' in found
    assert "(recommended: " in found and "PAGEVIEWS" in found


def test_several_errors_of_one_field(work):
    w = work(validate=True)
    w.api.fault(method="PUT", path="/validate$", status=200,
                body=verdict(["too short", "too\nround"], ["a", "b"]))
    with fails(errno.EINVAL):
        w.process.write(w.config, w.changed(kafka_topic="x"))
    lines = w.process.read(w.error).decode()
    assert "  kafka.topic: too short; too\nround (recommended: a, b)\n" in lines


def test_errors_that_are_only_counted(work):
    w = work(validate=True)
    w.api.fault(method="PUT", path="/validate$", status=200,
                body={"name": CLASS, "error_count": 1, "configs": []})
    with fails(errno.EINVAL):
        w.process.write(w.config, w.changed(kafka_topic="x"))
    assert w.api.calls() == [question(w)]


def test_the_verdict_repeats_a_secret(work):
    w = work(validate=True)
    secret = "a-canary-secret-0815"
    w.api.fault(method="PUT", path="/validate$", status=200,
                body=verdict([f"{secret} is no good"], name="kafka.api.secret"))
    with fails(errno.EINVAL):
        w.process.write(w.config, w.changed(kafka_api_secret=secret))
    assert "  kafka.api.secret: *** is no good\n" in w.process.read(w.error).decode()
    assert secret not in "\n".join(w.errors()) + w.mounted.log()


def test_a_create(work):
    w = work(validate=True)
    w.process.mkdir(w.connectors / "new")
    good = {**samples.PLAIN, "name": "new"}
    bad = canonical.config({**good, "quickstart": "NO_SUCH"})
    with fails(errno.EINVAL):
        w.process.write(w.connectors / "new" / "config.json", bad)
    assert w.api.calls() == [question(w)]
    assert "quickstart" in w.process.read(w.connectors / "new" / "config.json.error").decode()
    w.process.write(w.connectors / "new" / "config.json", canonical.config(good))
    assert w.api.calls() == [question(w), question(w), w.site.post]
    assert w.site.config("new")["kafka.topic"] == "orders"


def test_there_is_no_such_plugin(work):
    w = work(validate=True)
    w.process.mkdir(w.connectors / "new")
    with fails(errno.ENOENT):
        w.process.write(w.connectors / "new" / "config.json",
                        b'{"connector.class": "No/Such", "name": "new"}')
    assert w.api.calls() == [question(w, "No%2FSuch")]
    error = w.process.read(w.connectors / "new" / "config.json.error").decode()
    assert "The plugin was asked whether it is valid: the API answered 404." in error


def test_a_custom_connector_is_not_asked(work):
    """It has no plugin that could answer."""
    w = work(validate=True)
    w.process.mkdir(w.connectors / "new")
    w.api.fault(method="POST", status=400, body={"message": "not now"})
    with fails(errno.EINVAL):
        w.process.write(w.connectors / "new" / "config.json", canonical.config(
            {"name": "new", "confluent.connector.type": "CUSTOM", "connector.class": CLASS}))
    assert w.api.writes() == [w.site.post]


def test_the_plugin_does_not_answer_at_first(work):
    """Asked again, as a question may be."""
    w = work(validate=True)
    w.api.fault(method="PUT", path="/validate$", times=2, status=503)
    w.process.write(w.config, w.changed(kafka_topic="checked"))
    assert w.api.calls() == [question(w)] * 3 + [w.look, w.put]


def test_the_plugin_does_not_answer(work):
    """What could not be checked is not sent."""
    w = work(validate=True, timeout_write=1)
    w.api.fault(method="PUT", path="/validate$", times=-1, status=503)
    text = w.changed(kafka_topic="unchecked")
    with fails(errno.EIO):
        w.process.write(w.config, text)
    assert w.look not in w.api.calls() and w.put not in w.api.calls()
    w.assert_refused(text, "The plugin was asked whether it is valid: the API answered 503.")


def test_a_verdict_that_cannot_be_read(work):
    w = work(validate=True)
    w.api.fault(method="PUT", path="/validate$", status=200, body={"valid": True})
    text = w.changed(kafka_topic="unchecked")
    with fails(errno.EBADMSG):
        w.process.write(w.config, text)
    assert w.api.calls() == [question(w)]
    w.assert_refused(text, "The plugin's verdict cannot be read")


def test_in_a_dry_run(work):
    """A question changes nothing: it is asked."""
    w = work(validate=True, dry_run=True)
    w.process.write(w.config, w.changed(kafka_topic="checked"))
    assert w.api.calls() == [question(w), w.look]
    with fails(errno.EINVAL):
        w.process.write(w.config, w.changed(tasks_max="many"))
    assert w.api.calls() == [question(w), w.look, question(w)]
