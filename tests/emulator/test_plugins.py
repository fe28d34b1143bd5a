"""Custom plugins of the organization and of environments, their versions, their connectors."""

import re

import pytest

from cloud import CLUSTER, CONNECT, ENVIRONMENT, ORGANIZATION, connect_error, platform_error, \
    zip_archive
from harness import poll

CUSTOM, CCPM = "/connect/v1/custom-connector-plugins", "/ccpm/v1/plugins"
MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
GATEWAY, LEDGER, WEATHER = "ccp-4r7k2p", "ccp-9mz0dq", "ccp-w2x6jh"
STAGING = "env-8wq41x"
NEW = {"display_name": "Parcel", "connector_class": "com.example.ParcelSource",
       "connector_type": "SOURCE"}


def source(upload):
    return {"location": "PRESIGNED_URL_LOCATION", "upload_id": upload}


def create(cloud, /, content=None, upload=None, **more):
    where = more.get("cloud", "AWS")
    upload = upload or cloud.upload(content or zip_archive(), where)
    return cloud.api("POST", CUSTOM, {**NEW, "upload_source": source(upload), **more})


def invalid(answer, pointer):
    return platform_error(answer, 422, "invalid_configuration", "Validation Failed",
                          {"pointer": pointer})


def missing(answer):
    platform_error(answer, 404, "not_found", "Not Found")


def of(cloud, one):
    """What the control API knows of a plugin or a version."""
    [found] = [other for other in cloud.control("GET", "plugins") if other["id"] == one]
    return found


class TestCustom:
    def test_list(self, cloud):
        answer = cloud.get(CUSTOM).json
        assert (answer["api_version"], answer["kind"]) == (
            "connect/v1", "CustomConnectorPluginList")
        assert [one["id"] for one in answer["data"]] == [GATEWAY, LEDGER]
        assert cloud.get(f"{CUSTOM}/{GATEWAY}").json == answer["data"][0] == {
            "api_version": "connect/v1", "kind": "CustomConnectorPlugin", "id": GATEWAY,
            "metadata": {
                "self": f"http://127.0.0.1:{cloud.port}{CUSTOM}/{GATEWAY}",
                "resource_name": f"crn://confluent.cloud/organization={ORGANIZATION}"
                                 f"/custom-connector-plugin={GATEWAY}",
                "created_at": "2024-02-01T10:00:00Z", "updated_at": "2024-03-01T10:00:00Z"},
            "display_name": "IoT gateway", "description": "Streams of the gateway",
            "documentation_link": "https://wiki.acme.example/gateway",
            "connector_class": "com.example.connect.iot.IotGatewaySource",
            "connector_type": "SOURCE", "cloud": "AWS",
            "sensitive_config_properties": ["gateway.token", "gateway.client.secret"],
            "runtime_language": "JAVA", "content_format": "ZIP",
            "upload_source": {"location": "PRESIGNED_URL_LOCATION", "upload_id": ""}}

    def test_pages(self, cloud):
        made = [create(cloud).json["id"] for _ in range(10)]
        pages = cloud.pages(CUSTOM, 5)
        assert [len(page) for page in pages] == [5, 5, 2]
        assert [one["id"] for page in pages for one in page] == [GATEWAY, LEDGER, *made]
        assert len(cloud.get(CUSTOM).json["data"]) == 10
        assert cloud.get(CUSTOM).json["metadata"]["total_size"] == 12

    def test_a_filter_stays_in_the_links(self, cloud):
        for _ in range(2):
            create(cloud, cloud="GCP")
        pages = cloud.pages(CUSTOM, 2, cloud="GCP")
        assert [[one["cloud"] for one in page] for page in pages] == [["GCP", "GCP"], ["GCP"]]
        assert cloud.get(CUSTOM, cloud="AZURE").json["data"] == []

    def test_create(self, cloud):
        content = zip_archive("a.jar", "b.jar")
        answer = create(cloud, content, description="Parcels", documentation_link="http://x/",
                        sensitive_config_properties=["parcel.key"])
        one = answer.json["id"]
        assert answer.status == 201
        assert re.fullmatch(r"ccp-[0-9a-z]{6}", one)
        assert answer.headers["location"] == f"http://127.0.0.1:{cloud.port}{CUSTOM}/{one}"
        found = cloud.get(f"{CUSTOM}/{one}").json
        assert found == answer.json
        metadata = found.pop("metadata")
        assert re.fullmatch(MOMENT, metadata["created_at"])
        assert found == {
            "api_version": "connect/v1", "kind": "CustomConnectorPlugin", "id": one, **NEW,
            "description": "Parcels", "documentation_link": "http://x/", "cloud": "AWS",
            "sensitive_config_properties": ["parcel.key"], "runtime_language": "JAVA",
            "content_format": "ZIP", "upload_source": source("")}
        assert of(cloud, one)["archive"]["size"] == len(content)
        assert [upload["used"] for upload in cloud.control("GET", "uploads")][-1] is True

    @pytest.mark.parametrize("change, pointer", [
        ({"display_name": None}, "/display_name"), ({"display_name": ""}, "/display_name"),
        ({"display_name": "é" * 61}, "/display_name"), ({"display_name": 7}, "/display_name"),
        ({"description": "x" * 257}, "/description"),
        ({"documentation_link": "ftp://x"}, "/documentation_link"),
        ({"connector_class": None}, "/connector_class"),
        ({"connector_class": "com..X"}, "/connector_class"),
        ({"connector_class": "1X"}, "/connector_class"),
        ({"connector_type": "source"}, "/connector_type"), ({"connector_type": None},
                                                            "/connector_type"),
        ({"sensitive_config_properties": "x"}, "/sensitive_config_properties"),
        ({"sensitive_config_properties": ["a b"]}, "/sensitive_config_properties"),
        ({"runtime_language": "PERL"}, "/runtime_language"),
        ({"upload_source": None}, "/upload_source"),
        ({"upload_source": {"upload_id": "x"}}, "/upload_source/location"),
        ({"upload_source": source("none")}, "/upload_source/upload_id"),
    ])
    def test_create_refused(self, cloud, change, pointer):
        invalid(create(cloud, **change), pointer)
        assert len(cloud.get(CUSTOM).json["data"]) == 2

    def test_create_with_the_longest_name(self, cloud):
        assert create(cloud, display_name="é" * 60).status == 201

    def test_uploads_that_do_not_do(self, cloud):
        pointer = "/upload_source/upload_id"
        invalid(create(cloud, b"%PDF" + b"x" * 100), pointer)
        invalid(create(cloud, upload=cloud.presign()["upload_id"]), pointer)
        invalid(create(cloud, upload=cloud.upload(zip_archive(), "GCP")), pointer)
        invalid(create(cloud, upload=cloud.upload(zip_archive(), "AWS", ENVIRONMENT)), pointer)
        upload = cloud.upload(zip_archive())
        assert create(cloud, upload=upload).status == 201
        platform_error(create(cloud, upload=upload), 409, "resource_already_exists",
                       "Resource Already Exists")

    def test_update(self, cloud):
        before = cloud.get(f"{CUSTOM}/{GATEWAY}").json
        answer = cloud.api("PATCH", f"{CUSTOM}/{GATEWAY}", {
            "description": "Changed", "sensitive_config_properties": []})
        assert answer.status == 200
        after = cloud.get(f"{CUSTOM}/{GATEWAY}").json
        assert answer.json == after
        assert after["metadata"].pop("updated_at") > before["metadata"].pop("updated_at")
        assert after == dict(before, description="Changed", sensitive_config_properties=[])

    def test_update_with_all_that_was_shown(self, cloud):
        before = cloud.get(f"{CUSTOM}/{GATEWAY}").json
        after = cloud.api("PATCH", f"{CUSTOM}/{GATEWAY}", before).json
        assert dict(after, metadata=None) == dict(before, metadata=None)

    def test_an_update_ignores_the_upload(self, cloud):
        before = of(cloud, GATEWAY)["archive"]
        upload = cloud.upload(zip_archive("other"))
        answer = cloud.api("PATCH", f"{CUSTOM}/{GATEWAY}", {"upload_source": source(upload)})
        assert answer.status == 200 and answer.json["upload_source"] == source("")
        assert of(cloud, GATEWAY)["archive"] == before
        assert cloud.control("GET", "uploads")[-1]["used"] is False

    @pytest.mark.parametrize("change, pointer", [
        ({"connector_class": "X"}, "/connector_class"), ({"connector_type": "SINK"},
                                                         "/connector_type"),
        ({"cloud": "GCP"}, "/cloud"), ({"display_name": ""}, "/display_name"),
        ({"description": "fine", "documentation_link": "x"}, "/documentation_link"),
    ])
    def test_update_refused(self, cloud, change, pointer):
        before = cloud.get(f"{CUSTOM}/{GATEWAY}").json
        invalid(cloud.api("PATCH", f"{CUSTOM}/{GATEWAY}", change), pointer)
        assert cloud.get(f"{CUSTOM}/{GATEWAY}").json == before

    def test_delete(self, cloud):
        answer = cloud.api("DELETE", f"{CUSTOM}/{LEDGER}")
        assert (answer.status, answer.text) == (204, "")
        for method, body in (("GET", None), ("DELETE", None), ("PATCH", {})):
            missing(cloud.api(method, f"{CUSTOM}/{LEDGER}", body))
        assert [one["id"] for one in cloud.get(CUSTOM).json["data"]] == [GATEWAY]

    def test_one_in_use_stays(self, cloud):
        detail = platform_error(cloud.api("DELETE", f"{CUSTOM}/{GATEWAY}"), 400,
                                "invalid_request", "Invalid Request")
        assert "clcc-" in detail
        cloud.api("DELETE", f"{CONNECT}/connectors/gateway-telemetry")
        assert cloud.api("DELETE", f"{CUSTOM}/{GATEWAY}").status == 204

    def test_unknown(self, cloud):
        missing(cloud.get(f"{CUSTOM}/ccp-none"))
        missing(cloud.get(f"{CUSTOM}/{WEATHER}"))
        platform_error(cloud.api("POST", CUSTOM, "{"), 400, "invalid_request", "Invalid Request")


def version(number="2.0.0", **more):
    return {"version": number, "environment": {"id": ENVIRONMENT},
            "connector_classes": [{"class_name": "com.example.X", "type": "SINK"}], **more}


def create_version(cloud, content=None, upload=None, plugin=WEATHER, **more):
    spec = version(**more)
    spec.setdefault("upload_source", source(
        upload or cloud.upload(content or zip_archive(), "AWS", ENVIRONMENT)))
    return cloud.api("POST", f"{CCPM}/{plugin}/versions", {"spec": spec})


def read_version(cloud, one, plugin=WEATHER):
    return cloud.get(f"{CCPM}/{plugin}/versions/{one}", environment=ENVIRONMENT)


class TestCcpm:
    def test_list(self, cloud):
        answer = cloud.get(CCPM, environment=ENVIRONMENT).json
        assert (answer["api_version"], answer["kind"]) == ("ccpm/v1", "CustomConnectPluginList")
        base = f"http://127.0.0.1:{cloud.port}"
        crn = f"crn://confluent.cloud/organization={ORGANIZATION}"
        assert answer["data"] == [{
            "api_version": "ccpm/v1", "kind": "CustomConnectPlugin", "id": WEATHER,
            "metadata": {
                "self": f"{base}{CCPM}/{WEATHER}?environment={ENVIRONMENT}",
                "resource_name": f"{crn}/custom-connect-plugin={WEATHER}",
                "created_at": "2024-02-03T10:00:00Z", "updated_at": "2024-03-03T10:00:00Z"},
            "spec": {
                "display_name": "Weather", "description": "Stations and radar", "cloud": "AWS",
                "runtime_language": "JAVA", "environment": {
                    "id": ENVIRONMENT, "related": f"{base}/org/v2/environments/{ENVIRONMENT}",
                    "resource_name": f"{crn}/environment={ENVIRONMENT}"}}}]
        assert cloud.get(f"{CCPM}/{WEATHER}", environment=ENVIRONMENT).json == answer["data"][0]
        assert cloud.get(CCPM, environment=STAGING).json["data"] == []

    @pytest.mark.parametrize("method, path", [
        ("GET", CCPM), ("GET", f"{CCPM}/{WEATHER}"), ("DELETE", f"{CCPM}/{WEATHER}"),
        ("GET", f"{CCPM}/{WEATHER}/versions"), ("GET", f"{CCPM}/{WEATHER}/versions/ver-1c8n5q"),
        ("DELETE", f"{CCPM}/{WEATHER}/versions/ver-1c8n5q")])
    def test_environment(self, cloud, method, path):
        platform_error(cloud.api(method, path), 400, "invalid_filter", "Invalid Filter",
                       {"parameter": "environment"})
        platform_error(cloud.api(method, path + "?environment=env-none"), 403,
                       "user_unauthorized", "User Access Unauthorized")
        if path != CCPM:
            missing(cloud.api(method, f"{path}?environment={STAGING}"))

    def test_create_and_pages(self, cloud):
        answer = cloud.api("POST", CCPM, {"spec": {
            "display_name": "Parcel", "cloud": "AZURE", "environment": {"id": STAGING}}})
        one = answer.json["id"]
        assert answer.status == 202
        assert answer.headers["location"] == answer.json["metadata"]["self"]
        assert answer.json["spec"].pop("environment")["id"] == STAGING
        assert answer.json["spec"] == {
            "display_name": "Parcel", "description": "", "cloud": "AZURE",
            "runtime_language": "JAVA"}
        for number in range(3):
            cloud.api("POST", CCPM, {"spec": {
                "display_name": str(number), "cloud": "GCP", "environment": {"id": STAGING}}})
        pages = cloud.pages(CCPM, 3, environment=STAGING)
        assert [len(page) for page in pages] == [3, 1] and pages[0][0]["id"] == one
        found = cloud.get(CCPM, **{"environment": STAGING, "spec.cloud": "GCP"}).json
        assert [one["spec"]["display_name"] for one in found["data"]] == ["0", "1", "2"]

    @pytest.mark.parametrize("spec, pointer", [
        ({}, "/spec/environment"), ({"environment": {"id": ENVIRONMENT}}, "/spec/display_name"),
        ({"environment": {"id": ENVIRONMENT}, "display_name": "x"}, "/spec/cloud"),
        ({"environment": {"id": ENVIRONMENT}, "display_name": "x", "cloud": "IBM"}, "/spec/cloud"),
        (None, "/spec")])
    def test_create_refused(self, cloud, spec, pointer):
        invalid(cloud.api("POST", CCPM, {"spec": spec}), pointer)

    def test_update(self, cloud):
        path, there = f"{CCPM}/{WEATHER}", {"environment": {"id": ENVIRONMENT}}
        answer = cloud.api("PATCH", path, {"spec": {"display_name": "Rain", **there}})
        assert answer.status == 200
        assert answer.json == cloud.get(path, environment=ENVIRONMENT).json
        assert answer.json["spec"]["display_name"] == "Rain"
        assert answer.json["spec"]["description"] == "Stations and radar"
        invalid(cloud.api("PATCH", path, {"spec": {"display_name": "x"}}), "/spec/environment")
        invalid(cloud.api("PATCH", path, {"spec": {"cloud": "GCP", **there}}), "/spec/cloud")
        missing(cloud.api("PATCH", path, {"spec": {"environment": {"id": STAGING}}}))

    def test_delete_only_without_versions(self, cloud):
        path = f"{CCPM}/{WEATHER}"
        for one in ("ver-1c8n5q", "ver-6f3t9z"):
            assert one in platform_error(
                cloud.api("DELETE", f"{path}?environment={ENVIRONMENT}"), 400, "invalid_request",
                "Invalid Request")
            answer = cloud.api("DELETE", f"{path}/versions/{one}?environment={ENVIRONMENT}")
            assert (answer.status, answer.text) == (204, "")
            missing(read_version(cloud, one))
        assert cloud.api("DELETE", f"{path}?environment={ENVIRONMENT}").status == 204
        missing(cloud.get(path, environment=ENVIRONMENT))

    def test_versions(self, cloud):
        answer = cloud.get(f"{CCPM}/{WEATHER}/versions", environment=ENVIRONMENT).json
        assert answer["kind"] == "CustomConnectPluginVersionList"
        assert [one["id"] for one in answer["data"]] == ["ver-1c8n5q", "ver-6f3t9z"]
        one = read_version(cloud, "ver-6f3t9z").json
        assert one == answer["data"][1]
        assert one["metadata"]["self"].endswith(
            f"{CCPM}/{WEATHER}/versions/ver-6f3t9z?environment={ENVIRONMENT}")
        assert one["metadata"]["resource_name"].endswith(
            "/custom-connect-plugin-version=ver-6f3t9z")
        assert one["spec"].pop("environment")["id"] == ENVIRONMENT
        assert one["spec"] == {
            "version": "1.1.0", "sensitive_config_properties": ["weather.api.key"],
            "documentation_link": "https://wiki.acme.example/weather", "content_format": "ZIP",
            "upload_source": source(""), "connector_classes": [
                {"class_name": "com.example.connect.weather.StationSource", "type": "SOURCE"},
                {"class_name": "com.example.connect.weather.AlertSink", "type": "SINK"}]}
        assert one["status"] == {"phase": "READY"}
        assert [len(page) for page in cloud.pages(
            f"{CCPM}/{WEATHER}/versions", 1, environment=ENVIRONMENT)] == [1, 1]

    def test_processing(self, cloud):
        cloud.settings(processing_ms=600000)
        answer = create_version(cloud)
        one = answer.json["id"]
        assert answer.status == 202
        assert re.fullmatch(r"ver-[0-9a-z]{6}", one)
        assert answer.headers["location"] == answer.json["metadata"]["self"]
        assert answer.json["status"] == {"phase": "PROCESSING"}
        assert [read_version(cloud, one).json["status"] for _ in range(3)] == [
            {"phase": "PROCESSING"}, {"phase": "PROCESSING"}, {"phase": "READY"}]

    def test_lists_are_reads(self, cloud):
        cloud.settings(processing_ms=600000)
        create_version(cloud)
        assert [cloud.get(f"{CCPM}/{WEATHER}/versions", environment=ENVIRONMENT)
                .json["data"][-1]["status"]["phase"] for _ in range(3)] == [
            "PROCESSING", "PROCESSING", "READY"]

    def test_a_damaged_archive_fails(self, cloud):
        cloud.settings(processing_ms=600000, processing_reads=1)
        one = create_version(cloud, zip_archive()[:-30]).json["id"]
        assert read_version(cloud, one).json["status"] == {"phase": "PROCESSING"}
        found = cloud.get(f"{CCPM}/{WEATHER}/versions", environment=ENVIRONMENT).json["data"][-1]
        assert found["status"] == {
            "phase": "FAILED", "error_message": "The archive is neither a ZIP nor a JAR file."}

    def test_time_ends_the_processing(self, cloud):
        cloud.settings(processing_ms=50, processing_reads=1000000)
        one = create_version(cloud).json["id"]
        poll(lambda: read_version(cloud, one).json["status"] == {"phase": "READY"})

    @pytest.mark.parametrize("change, pointer", [
        ({"number": "1.0"}, "/spec/version"), ({"number": None}, "/spec/version"),
        ({"connector_classes": []}, "/spec/connector_classes"),
        ({"connector_classes": [{"class_name": "X"}]}, "/spec/connector_classes"),
        ({"connector_classes": [{"class_name": "X", "type": "SINK"}] * 11},
         "/spec/connector_classes"),
        ({"environment": None}, "/spec/environment"),
        ({"upload_source": source("none")}, "/spec/upload_source/upload_id")])
    def test_version_refused(self, cloud, change, pointer):
        invalid(create_version(cloud, **change), pointer)

    def test_version_conflicts(self, cloud):
        upload = cloud.upload(zip_archive(), "AWS", ENVIRONMENT)
        exists = (409, "resource_already_exists", "Resource Already Exists")
        platform_error(create_version(cloud, upload=upload, number="1.1.0"), *exists)
        assert create_version(cloud, upload=upload).status == 202
        platform_error(create_version(cloud, upload=upload, number="2.0.1"), *exists)
        missing(create_version(cloud, plugin="ccp-none"))
        missing(create_version(cloud, environment={"id": STAGING}))
        invalid(create_version(cloud, upload=cloud.upload(zip_archive()), number="2.0.2"),
                "/spec/upload_source/upload_id")

    @pytest.mark.parametrize("number", ["1.2.3-beta", "1.2.3-rc.123+build.456", "10.20.30+x"])
    def test_version_numbers(self, cloud, number):
        assert create_version(cloud, number=number).json["spec"]["version"] == number

    def test_versions_are_immutable(self, cloud):
        answer = cloud.api("PATCH", f"{CCPM}/{WEATHER}/versions/ver-1c8n5q", {"spec": {}})
        assert answer.status == 405 and answer.headers["allow"] == "GET, DELETE"


CONFIG = {"confluent.connector.type": "CUSTOM", "kafka.api.key": "K", "kafka.api.secret": "S",
          "tasks.max": "1"}


def connect(cloud, **settings):
    config = {**CONFIG, "name": "new", "confluent.custom.plugin.id": GATEWAY}
    config.update({name: value for name, value in settings.pop("also", {}).items()})
    return cloud.api("POST", f"{CONNECT}/connectors", {
        "name": "new", "config": {key: one for key, one in config.items() if one is not None}})


def stored(cloud):
    return cloud.emulator.connector(CLUSTER, "new")["config"]


class TestConnectors:
    def test_no_class_is_needed(self, cloud):
        answer = connect(cloud)
        assert answer.status == 201 and answer.json["type"] == "source"
        assert answer.json["config"]["confluent.custom.plugin.type"] == "SOURCE"
        assert cloud.emulator.connector(CLUSTER, "new")["id"].startswith("clcc-")
        missing_plugin = connect(cloud, also={"name": "x", "confluent.custom.plugin.id": "ccp-no"})
        assert missing_plugin.status in (400, 409)

    def test_masks(self, cloud):
        secret = {"gateway.token": "t0p", "gateway.client.secret": "s3cret", "gateway.url": "u"}
        shown = connect(cloud, also=secret).json["config"]
        for name in ("gateway.token", "gateway.client.secret", "kafka.api.secret"):
            assert re.fullmatch(r"\*{4,16}", shown[name])
        assert shown["gateway.url"] == "u"
        answer = cloud.api("PUT", f"{CONNECT}/connectors/new/config",
                           dict(shown, **{"gateway.url": "v"}))
        assert answer.status == 200
        assert {name: stored(cloud)[name] for name in secret} == dict(secret, **{"gateway.url": "v"})

    def test_a_mask_without_a_secret(self, cloud):
        message = connect_error(connect(cloud, also={"gateway.token": "****"}), 400)
        assert "\ngateway.token: " in message

    def test_masks_follow_the_plugin(self, cloud):
        connect(cloud, also={"gateway.token": "t0p"})
        expanded = f"{CONNECT}/connectors?expand=info"
        assert "t0p" not in cloud.api("GET", expanded).text
        cloud.api("PATCH", f"{CUSTOM}/{GATEWAY}", {"sensitive_config_properties": []})
        found = cloud.api("GET", expanded).json["new"]["info"]["config"]
        assert found["gateway.token"] == "t0p"

    @pytest.mark.parametrize("settings, name", [
        ({"confluent.custom.connect.plugin.runtime": "1.0"},
         "confluent.custom.connect.plugin.runtime"),
        ({"confluent.custom.connect.plugin.runtime": "4.0.0",
          "confluent.custom.connect.java.version": "11"}, "confluent.custom.connect.java.version"),
        ({"confluent.custom.connect.java.version": "17"}, "confluent.custom.connect.java.version"),
        ({"confluent.custom.connection.endpoints": "example.com"},
         "confluent.custom.connection.endpoints"),
        ({"confluent.custom.connection.endpoints": "a.example:443;b.example:x"},
         "confluent.custom.connection.endpoints"),
        ({"confluent.custom.schema.registry.auto": "MAYBE"},
         "confluent.custom.schema.registry.auto"),
        ({"tasks.max": None}, "tasks.max"), ({"kafka.api.secret": None}, "kafka.api.secret"),
        ({"confluent.custom.plugin.id": "ccp-none"}, "confluent.custom.plugin.id"),
        ({"confluent.custom.plugin.id": None}, "confluent.custom.plugin.id"),
        ({"confluent.custom.plugin.id": WEATHER}, "confluent.custom.plugin.id"),
        ({"confluent.custom.plugin.id": WEATHER, "confluent.custom.plugin.version": "9.9.9"},
         "confluent.custom.plugin.id"),
    ])
    def test_refused(self, cloud, settings, name):
        assert f"\n{name}: " in connect_error(connect(cloud, also=settings), 400)

    def test_runtime_and_endpoints(self, cloud):
        assert connect(cloud, also={
            "confluent.custom.connect.plugin.runtime": "4.0.0",
            "confluent.custom.connect.java.version": "17",
            "confluent.custom.connection.endpoints": "a.example:443;b.example:80:TCP",
        }).status == 201

    @pytest.mark.parametrize("number, java_class, kind", [
        ("1.0.0", None, "source"), ("1.1.0", None, "source"),
        ("1.1.0", "com.example.connect.weather.AlertSink", "sink")])
    def test_versions(self, cloud, number, java_class, kind):
        answer = connect(cloud, also={
            "confluent.custom.plugin.id": WEATHER, "confluent.custom.plugin.version": number,
            "connector.class": java_class, "weather.api.key": "x"})
        assert answer.status == 201 and answer.json["type"] == kind
        assert answer.json["config"]["weather.api.key"].strip("*") == ""

    def test_only_versions_that_are_ready(self, cloud):
        cloud.settings(processing_ms=600000, processing_reads=1)
        one = create_version(cloud).json["id"]
        settings = {"confluent.custom.plugin.id": WEATHER,
                    "confluent.custom.plugin.version": "2.0.0"}
        connect_error(connect(cloud, also=settings), 400)
        read_version(cloud, one)
        assert connect(cloud, also=settings).status == 201
        assert "clcc-" in platform_error(
            cloud.api("DELETE", f"{CCPM}/{WEATHER}/versions/{one}?environment={ENVIRONMENT}"),
            400, "invalid_request", "Invalid Request")

    def test_another_version(self, cloud):
        settings = {"confluent.custom.plugin.id": WEATHER,
                    "confluent.custom.plugin.version": "1.0.0", "weather.api.key": "x"}
        shown = connect(cloud, also=settings).json["config"]
        answer = cloud.api("PUT", f"{CONNECT}/connectors/new/config",
                           dict(shown, **{"confluent.custom.plugin.version": "1.1.0"}))
        assert answer.status == 200
        assert stored(cloud)["weather.api.key"] == "x"


class TestControl:
    def test_change(self, cloud):
        cloud.control("PATCH", f"plugins/{GATEWAY}", {"set": {"description": "theirs"}})
        assert cloud.get(f"{CUSTOM}/{GATEWAY}").json["description"] == "theirs"
        cloud.control("PATCH", "plugins/ver-1c8n5q", {
            "phase": "FAILED", "error_message": "no reason"})
        assert read_version(cloud, "ver-1c8n5q").json["status"] == {
            "phase": "FAILED", "error_message": "no reason"}
        cloud.control("PATCH", f"plugins/{LEDGER}", {"delete": True})
        missing(cloud.get(f"{CUSTOM}/{LEDGER}"))

    def test_change_by_a_fault(self, cloud):
        cloud.control("POST", "faults", {"method": "PATCH", "change": {
            "plugin": GATEWAY, "set": {"description": "theirs"}}})
        answer = cloud.api("PATCH", f"{CUSTOM}/{GATEWAY}", {"display_name": "Mine"})
        assert (answer.json["display_name"], answer.json["description"]) == ("Mine", "theirs")

    def test_all(self, cloud):
        assert [(one["id"], one["kind"], one["environment"], one["plugin"], one["phase"])
                for one in cloud.control("GET", "plugins")] == [
            (GATEWAY, "CustomConnectorPlugin", "", "", "READY"),
            (LEDGER, "CustomConnectorPlugin", "", "", "READY"),
            (WEATHER, "CustomConnectPlugin", ENVIRONMENT, "", "READY"),
            ("ver-1c8n5q", "CustomConnectPluginVersion", ENVIRONMENT, WEATHER, "READY"),
            ("ver-6f3t9z", "CustomConnectPluginVersion", ENVIRONMENT, WEATHER, "READY")]


def test_generated_accounts_have_none(clouds):
    cloud = clouds("--environments", 1)
    assert cloud.get(CUSTOM).json["data"] == []
    assert cloud.control("GET", "plugins") == [] == cloud.control("GET", "uploads")
