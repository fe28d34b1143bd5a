"""The organization, runtimes, plugins' definitions, tasks, and what holds for every answer."""

import re

import pytest

from cloud import CONNECT, ORGANIZATION, connect_error, harness, platform_error

ORGANIZATIONS = "/org/v2/organizations"
RUNTIMES = "/connect/v1/custom-connector-runtimes"
DATAGEN = f"{CONNECT}/connector-plugins/DatagenSource/config/validate"


def verdicts(answer):
    assert answer.status == 200, answer.text
    return {one["definition"]["name"]: one for one in answer.json["configs"]}


def test_organization(cloud):
    base = f"http://127.0.0.1:{cloud.port}{ORGANIZATIONS}"
    one = {
        "api_version": "org/v2", "kind": "Organization", "id": ORGANIZATION,
        "metadata": {
            "self": f"{base}/{ORGANIZATION}",
            "resource_name": f"crn://confluent.cloud/organization={ORGANIZATION}",
            "created_at": "2023-03-14T09:12:40Z", "updated_at": "2023-03-14T09:12:40Z"},
        "display_name": "Acme", "jit_enabled": False}
    assert cloud.get(ORGANIZATIONS).json == {
        "api_version": "org/v2", "kind": "OrganizationList", "data": [one],
        "metadata": {"first": base, "total_size": 1}}
    assert cloud.get(f"{ORGANIZATIONS}/{ORGANIZATION}").json == one
    detail = platform_error(cloud.get(f"{ORGANIZATIONS}/other"), 403, "user_unauthorized",
                            "User Access Unauthorized")
    assert "other" in detail


def test_runtimes(cloud):
    whole = cloud.get(RUNTIMES)
    assert whole.json["kind"] == "CustomConnectorRuntimeList"
    assert [one["custom_connect_plugin_runtime_name"] for one in whole.json["data"]] == [
        "3.7.0", "3.9.0", "4.0.0"]
    assert whole.json["data"][1]["supported_java_versions"] == ["11", "17"]
    assert cloud.pages(RUNTIMES, 2) == [whole.json["data"][:2], whole.json["data"][2:]]


@pytest.mark.parametrize("path", [ORGANIZATIONS, RUNTIMES, "/org/v2/environments"])
def test_page_parameters(cloud, path):
    for name, value in (("page_token", "0" * 32), ("page_token", "x"), ("page_size", "0"),
                        ("page_size", "ten")):
        platform_error(cloud.get(path, **{name: value}), 400, "invalid_filter", "Invalid Filter",
                       {"parameter": name})
    assert cloud.get(path, page_size=1000).status == 200
    assert cloud.get(path, page_size="").status == 200


@pytest.mark.parametrize("path", [ORGANIZATIONS, RUNTIMES])
def test_credentials(cloud, path):
    answer = cloud.ask("GET", path)
    platform_error(answer, 401, "user_unauthenticated", "Authentication Required")
    assert answer.headers["www-authenticate"].startswith('Basic error="invalid_key"')


def operations():
    listed = harness.run(harness.EMULATOR, "--list-operations").output.splitlines()
    return [line.split() for line in listed]


def test_operations(cloud):
    """Each is there, knows its method, and wants credentials where it should."""
    seen = operations()
    assert len(seen) == len({name for _, _, name in seen}) == len({row[:2] for row in map(
        tuple, seen)}) == 63
    for method, pattern, name in seen:
        if not pattern.startswith("/_emulator/") and not name.startswith("uploadTo"):
            assert cloud.ask(method, re.sub("{.*?}", "x", pattern)).status == 401, name
            assert cloud.api("TRACE", re.sub("{.*?}", "x", pattern)).status == 405, name


def test_rate_limit_headers(cloud):
    headers = cloud.get(ORGANIZATIONS).headers
    assert headers["x-ratelimit-limit"] == "1000"
    assert 0 <= int(headers["x-ratelimit-remaining"]) < 1000
    assert headers["x-ratelimit-reset"] == "1"


def test_a_faults_own_request_id(cloud):
    cloud.control("POST", "faults", {"status": 500, "headers": {"X-Request-Id": "of-the-fault"}})
    assert cloud.get(ORGANIZATIONS).headers["x-request-id"] == "of-the-fault"
    assert cloud.get(ORGANIZATIONS).headers["x-request-id"] != "of-the-fault"


def test_validate_nothing(cloud):
    answer = cloud.api("PUT", DATAGEN, {})
    found = verdicts(answer)
    assert answer.json["name"] == "io.confluent.kafka.connect.datagen.DatagenConnector"
    assert answer.json["groups"] == ["Connector", "Kafka credentials", "Tasks", "Topics", "Output"]
    assert [one["definition"]["group"] for one in answer.json["configs"]].count("Output") == 4
    wrong = {name for name, one in found.items() if one["value"]["errors"]}
    assert wrong == {"kafka.api.key", "kafka.api.secret", "tasks.max", "kafka.topic", "quickstart"}
    assert answer.json["error_count"] == 5
    assert found["name"]["value"] == {
        "name": "name", "value": "{{.logicalClusterId}}", "recommended_values": [], "errors": [],
        "visible": True}
    assert found["connector.class"]["value"]["value"] == answer.json["name"]
    assert found["kafka.service.account.id"]["value"]["visible"] is False
    assert found["kafka.service.account.id"]["definition"]["dependents"] == ["kafka.auth.mode"]
    assert found["max.interval"] == {
        "definition": {
            "name": "max.interval", "type": "INT", "required": False, "default_value": "1000",
            "importance": "MEDIUM", "documentation": "Longest pause between records, in "
            "milliseconds.", "group": "Output", "width": "NONE", "display_name": "Interval",
            "dependents": [], "order": 3, "alias": ""},
        "value": {"name": "max.interval", "value": "1000", "recommended_values": [], "errors": [],
                  "visible": True},
        "metadata": {}}
    assert found["output.data.format"]["value"]["recommended_values"] == [
        "AVRO", "JSON", "JSON_SR", "PROTOBUF"]


def test_validate_each_setting(cloud):
    answer = cloud.api("PUT", DATAGEN, {
        "name": "mine", "kafka.api.key": "K", "kafka.api.secret": "S", "kafka.topic": "orders",
        "tasks.max": "none", "quickstart": "NOTHING", "max.interval": "1", "unknown": "x"})
    found = verdicts(answer)
    assert answer.json["error_count"] == 3
    assert found["tasks.max"]["value"]["errors"] == ['"none" is not a whole number']
    assert found["max.interval"]["value"]["errors"] == ["1 is less than 10, the least allowed"]
    assert found["quickstart"]["value"]["errors"][0].startswith('"NOTHING" is not one of ORDERS,')
    assert found["kafka.topic"]["value"] == {
        "name": "kafka.topic", "value": "orders", "recommended_values": [], "errors": [],
        "visible": True}
    assert found["kafka.api.secret"]["value"]["value"] == ""
    assert "unknown" not in found


def test_validate_what_depends_on_another_setting(cloud):
    found = verdicts(cloud.api("PUT", DATAGEN, {"kafka.auth.mode": "SERVICE_ACCOUNT"}))
    assert found["kafka.api.key"]["value"]["visible"] is False
    assert found["kafka.api.key"]["value"]["errors"] == []
    assert found["kafka.service.account.id"]["value"]["errors"] == ["this setting is required"]


def test_validate_refuses(cloud):
    connect_error(cloud.api("PUT", DATAGEN, "{"), 400)
    connect_error(cloud.api("PUT", DATAGEN, []), 400)
    assert "tasks.max" in connect_error(cloud.api("PUT", DATAGEN, {"tasks.max": 1}), 400)
    connect_error(cloud.api("PUT", DATAGEN.replace("DatagenSource", "None"), {}), 404)
    connect_error(cloud.api("PUT", DATAGEN.replace("lkc-7n2kvd", "lkc-none"), {}), 403)


def test_tasks(cloud):
    name = "orders-archive-s3"
    config = cloud.get(f"{CONNECT}/connectors/{name}/config").json
    assert config["aws.secret.access.key"].strip("*") == ""
    assert cloud.get(f"{CONNECT}/connectors/{name}/tasks").json == [
        {"id": {"connector": name, "task": number}, "config": config} for number in (0, 1)]
    connect_error(cloud.get(f"{CONNECT}/connectors/none/tasks"), 404)


def test_no_tasks_while_provisioning(clouds):
    cloud = clouds("--provisioning", 600000)
    cloud.control("PATCH", "connectors/lkc-7n2kvd/new", {"create": {
        "connector.class": "DatagenSource", "tasks.max": "2"}})
    assert cloud.get(f"{CONNECT}/connectors/new/tasks").json == []
