"""Offsets: how far connectors have come, and requests to alter that."""

import re
import zlib

import pytest

from cloud import CONNECT, CLUSTER, connect_error
from harness import poll

SINK, SOURCE, DATAGEN = "orders-archive-s3", "orders-cdc-postgres", "orders-datagen"
LARGE = "9007199254740993"
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def of(name):
    return f"{CONNECT}/connectors/{name}/offsets"


def sink(topic, partition, offset):
    return {"partition": {"kafka_partition": partition, "kafka_topic": topic},
            "offset": offset if offset is None else {"kafka_offset": offset}}


def first(topic, partition):
    return 1000000 + zlib.crc32(topic.encode()) % 1000000 + partition


def fresh():
    return [sink(topic, partition, first(topic, partition))
            for topic in ("orders", "orders.refunds") for partition in (0, 1)]


def alter(cloud, name, body, status=202):
    answer = cloud.api("POST", of(name) + "/request", body)
    assert answer.status == status, answer.text
    return answer


def status(cloud, name):
    answer = cloud.get(of(name) + "/request/status")
    assert answer.status == 200, answer.text
    return answer.json


def ended(cloud, name):
    """The status after the two reads that show the request under way."""
    assert [status(cloud, name)["status"]["phase"] for _ in range(2)] == [
        "PENDING_VALIDATION", "PENDING"]
    return status(cloud, name)


@pytest.fixture
def cloud(clouds):
    one = clouds("--provisioning", 0)
    one.settings(offsets_ms=600000)
    return one


def lcc(cloud, name):
    return cloud.control("GET", f"connectors/{CLUSTER}/{name}")["id"]


def test_sink(cloud):
    found = cloud.get(of(SINK)).json
    assert MOMENT.fullmatch(found.pop("metadata")["observed_at"])
    assert found == {"name": SINK, "id": lcc(cloud, SINK), "offsets": fresh()}


def test_sources(cloud):
    assert cloud.get(of(SOURCE)).json["offsets"] == [
        {"partition": {"server": "pg.orders"},
         "offset": {"lsn": int(LARGE), "txId": 571, "ts_usec": 1712907333123456}}]
    assert cloud.get(of(DATAGEN)).json["offsets"] == [
        {"partition": {"task.id": 0}, "offset": {
            "task.generation": 0, "current.iteration": 481516,
            "random.seed": -7046029254386353131}}]


def test_no_request_yet(cloud):
    connect_error(cloud.get(of(SINK) + "/request/status"), 404)


def test_patch(cloud):
    body = {"type": "PATCH", "offsets": [sink("orders", 1, 5)]}
    answer = alter(cloud, SINK, body).json
    assert MOMENT.fullmatch(answer["requested_at"])
    request = {"id": lcc(cloud, SINK), "name": SINK, "type": "PATCH",
               "offsets": body["offsets"], "requested_at": answer["requested_at"]}
    assert answer == request
    assert status(cloud, SINK) == {
        "request": request, "status": {"phase": "PENDING_VALIDATION"}, "applied_at": None}
    assert status(cloud, SINK) == {
        "request": request, "status": {"phase": "PENDING"}, "applied_at": None}
    last = status(cloud, SINK)
    assert MOMENT.fullmatch(last.pop("applied_at"))
    assert last == {
        "request": request, "previous_offsets": fresh(),
        "status": {"phase": "APPLIED", "message": "The offsets were altered."}}
    changed = fresh()
    changed[1] = sink("orders", 1, 5)
    assert cloud.get(of(SINK)).json["offsets"] == changed
    assert status(cloud, SINK)["status"]["phase"] == "APPLIED"


def test_nothing_changes_while_pending(cloud):
    alter(cloud, SINK, {"type": "PATCH", "offsets": [sink("orders", 0, 5)]})
    assert cloud.get(of(SINK)).json["offsets"] == fresh()
    assert "under way" in connect_error(alter(cloud, SINK, {"type": "DELETE"}, 409), 409)
    alter(cloud, SOURCE, {"type": "DELETE"})
    ended(cloud, SINK)
    alter(cloud, SINK, {"type": "DELETE"})


def test_time_ends_a_request(cloud):
    cloud.settings(offsets_ms=50, offsets_reads=1000000)
    alter(cloud, SINK, {"type": "PATCH", "offsets": [sink("orders", 0, 5)]})
    poll(lambda: cloud.get(of(SINK)).json["offsets"][0] == sink("orders", 0, 5))


def test_every_digit_is_kept(cloud):
    text = ('{"type":"PATCH","offsets":[{"partition":{"kafka_topic":"orders","kafka_partition":0},'
            '"offset":{"kafka_offset":%s}}]}' % LARGE)
    alter(cloud, SINK, text)
    ended(cloud, SINK)
    assert f'"kafka_offset":{LARGE}' in cloud.get(of(SINK)).text
    assert '"random.seed":-7046029254386353131' in cloud.get(of(DATAGEN)).text


def test_a_reset_partition(cloud):
    alter(cloud, SINK, {"type": "PATCH", "offsets": [sink("orders", 0, None)]})
    ended(cloud, SINK)
    assert cloud.get(of(SINK)).json["offsets"] == [sink("orders", 0, 0), *fresh()[1:]]


def test_delete(cloud):
    assert alter(cloud, SINK, {"type": "DELETE"}).json["offsets"] == []
    last = ended(cloud, SINK)
    assert last["status"] == {"phase": "APPLIED", "message": "The offsets were reset."}
    assert last["previous_offsets"] == fresh()
    assert cloud.get(of(SINK)).json["offsets"] == [
        dict(one, offset={"kafka_offset": 0}) for one in fresh()]


def test_delete_some(cloud):
    alter(cloud, SINK, {"type": "DELETE", "offsets": [
        {"partition": {"kafka_topic": "orders", "kafka_partition": 1}}]})
    ended(cloud, SINK)
    changed = fresh()
    changed[1] = sink("orders", 1, 0)
    assert cloud.get(of(SINK)).json["offsets"] == changed


def test_source_patch_and_delete(cloud):
    new = {"partition": {"server": "other"}, "offset": {"lsn": 1}}
    old = {"partition": {"server": "pg.orders"}, "offset": {"lsn": 2, "deep": {"list": [1, "x"]}}}
    alter(cloud, SOURCE, {"type": "PATCH", "offsets": [new, old]})
    ended(cloud, SOURCE)
    assert cloud.get(of(SOURCE)).json["offsets"] == [old, new]
    alter(cloud, SOURCE, {"type": "DELETE", "offsets": [{"partition": {"server": "other"}}]})
    ended(cloud, SOURCE)
    assert cloud.get(of(SOURCE)).json["offsets"] == [old]
    alter(cloud, SOURCE, {"type": "DELETE"})
    ended(cloud, SOURCE)
    assert cloud.get(of(SOURCE)).json["offsets"] == []


@pytest.mark.parametrize("offsets, message", [
    ([sink("other", 0, 1)], "The connector does not read the topic other."),
    ([sink("orders", 0, -1)], "A kafka_offset is a whole number, and not negative."),
    ([sink("orders", 0, 9223372036854775808)],
     "A kafka_offset is a whole number, and not negative."),
    ([{"partition": {"table": "x"}, "offset": {"id": 1}}],
     "A partition of a sink has a kafka_topic and a kafka_partition."),
])
def test_failed(cloud, offsets, message):
    alter(cloud, SINK, {"type": "PATCH", "offsets": offsets})
    last = ended(cloud, SINK)
    assert last["status"] == {"phase": "FAILED", "message": message}
    assert last["applied_at"] is None and "previous_offsets" not in last
    assert cloud.get(of(SINK)).json["offsets"] == fresh()
    alter(cloud, SINK, {"type": "DELETE"})


def test_failed_as_told(cloud):
    cloud.control("PATCH", f"connectors/{CLUSTER}/{SOURCE}", {"fail_offsets": "no such slot"})
    for phase in ("FAILED", "APPLIED"):
        alter(cloud, SOURCE, {"type": "DELETE"})
        assert ended(cloud, SOURCE)["status"]["phase"] == phase


@pytest.mark.parametrize("body", [
    "[]", {}, {"type": "PUT"}, {"type": "PATCH"}, {"type": "PATCH", "offsets": []},
    {"type": "PATCH", "offsets": {}}, {"type": "PATCH", "offsets": [{"partition": {}}]},
    {"type": "PATCH", "offsets": [{"offset": {}}]}, {"type": "DELETE", "offsets": [1]},
])
def test_refused(cloud, body):
    connect_error(alter(cloud, SINK, body, 400), 400)
    connect_error(cloud.get(of(SINK) + "/request/status"), 404)


def test_unknown_and_custom(cloud):
    for path in ("", "/request/status"):
        connect_error(cloud.get(of("none") + path), 404)
        connect_error(cloud.get(of("gateway-telemetry") + path), 400)
    connect_error(alter(cloud, "none", {"type": "DELETE"}, 404), 404)


def test_another_client(cloud):
    moved = [sink("orders", 0, 77)]
    cloud.control("PATCH", f"connectors/{CLUSTER}/{SINK}", {"offsets": moved})
    assert cloud.get(of(SINK)).json["offsets"] == moved


CONFIG = {
    "connector.class": "DatagenSource", "name": "new", "kafka.api.key": "K",
    "kafka.api.secret": "S", "kafka.topic": "orders", "quickstart": "ORDERS", "tasks.max": "1"}


def test_create_with_offsets(cloud):
    text = ('{"name":"new","config":%s,"offsets":[{"partition":{"task.id":0},'
            '"offset":{"random.seed":-%s}}]}' % (str(CONFIG).replace("'", '"'), LARGE))
    answer = cloud.api("POST", f"{CONNECT}/connectors", text)
    assert answer.status == 201
    assert answer.json["offsets"] == cloud.get(of("new")).json["offsets"] == [
        {"partition": {"task.id": 0}, "offset": {"random.seed": -int(LARGE)}}]


@pytest.mark.parametrize("offsets", [{}, [{}], [{"partition": {}}]])
def test_create_with_wrong_offsets(cloud, offsets):
    connect_error(cloud.api("POST", f"{CONNECT}/connectors", {
        "name": "new", "config": CONFIG, "offsets": offsets}), 400)
    connect_error(cloud.get(of("new")), 404)


@pytest.mark.parametrize("settle", [0, 600000])
def test_a_new_connector_of_the_same_name_starts_anew(cloud, settle):
    cloud.settings(settle_ms=settle)
    alter(cloud, DATAGEN, {"type": "DELETE"})
    ended(cloud, DATAGEN)
    assert cloud.get(of(DATAGEN)).json["offsets"] == []
    cloud.api("DELETE", f"{CONNECT}/connectors/{DATAGEN}")
    cloud.api("POST", f"{CONNECT}/connectors", {
        "name": DATAGEN, "config": dict(CONFIG, name=DATAGEN)})
    assert len(cloud.get(of(DATAGEN)).json["offsets"]) == 1
    connect_error(cloud.get(of(DATAGEN) + "/request/status"), 404)
