"""The metrics API: descriptors, queries, labels' values, exports, limits."""

import datetime
import re
import time
import zlib

import pytest

from cloud import CLUSTER, CONNECT as CLUSTER_PATH
from harness import poll

METRICS = "/v2/metrics/cloud"
CONNECT, SERVER = "io.confluent.kafka.connect/", "io.confluent.kafka.server/"
SENT, RECEIVED = CONNECT + "sent_records", CONNECT + "received_records"
BATCH, STATUS = CONNECT + "connector_task_batch_size_avg", CONNECT + "connector_status"
ID = "resource.connector.id"
DAY = "2024-05-01T"
CONNECTORS = CLUSTER_PATH + "/connectors"
SOURCES = ("orders-datagen", "orders-cdc-postgres", "customers-cdc-mysql")


def seed(*names):
    return zlib.crc32("\n".join(names).encode()) % 1000


def minute(text):
    moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return int(moment.timestamp()) // 60


def value(start, *names):
    return seed(*names) + start % 60


def total(start, count, *names):
    return sum(value(one, *names) for one in range(start, start + count))


def equals(field, text):
    return {"field": field, "op": "EQ", "value": text}


def error(answer, status):
    """Asserts the envelope of this API; returns the detail."""
    assert answer.status == status, answer.text
    [one] = answer.json["errors"]
    assert set(one) == {"id", "status", "detail"}
    assert one["id"] == answer.headers["x-request-id"] and one["status"] == str(status)
    return one["detail"]


class Queries:
    def __init__(self, cloud):
        self.cloud = cloud
        self.ids = {name: cloud.emulator.connector(CLUSTER, name)["id"]
                    for name in cloud.control("GET", "account")["env-3k9dpz"][CLUSTER]}

    def send(self, metric=SENT, path="/query", **more):
        body = {"aggregations": [{"metric": metric}], "granularity": "PT1M",
                "intervals": [f"{DAY}10:00:00Z/PT3M"],
                "filter": equals(ID, self.ids["orders-datagen"])}
        body.update(more)
        token = body.pop("page_token", None)
        return self.cloud.api("POST", METRICS + path + (f"?page_token={token}" if token else ""),
                              {key: one for key, one in body.items() if one is not None})

    def data(self, *args, **kwargs):
        answer = self.send(*args, **kwargs)
        assert answer.status == 200, answer.text
        return answer.json["data"]

    def any_of(self, names):
        return {"op": "OR", "filters": [equals(ID, self.ids[name]) for name in names]}


@pytest.fixture
def queries(cloud):
    return Queries(cloud)


def test_descriptors(cloud):
    answer = cloud.get(METRICS + "/descriptors/metrics").json
    assert answer["links"] is None
    assert answer["meta"] == {"pagination": {"page_size": 100, "total_size": 11}}
    assert answer["data"][5] == {
        "name": RECEIVED, "description": "Records that a sink read from Kafka in a minute.",
        "type": "COUNTER_INT64", "unit": "{records}", "lifecycle_stage": "GENERAL_AVAILABILITY",
        "exportable": True, "resources": ["connector"], "labels": []}
    assert answer["data"][-1]["labels"] == [
        {"key": "task", "description": "Number of the task.", "exportable": True}]
    of_connectors = cloud.get(METRICS + "/descriptors/metrics", resource_type="connector").json
    assert [one["name"] for one in of_connectors["data"]] == [
        SENT, RECEIVED, CONNECT + "sent_bytes", CONNECT + "received_bytes",
        CONNECT + "dead_letter_queue_records", STATUS, BATCH]


def test_pages_of_descriptors(cloud):
    path = METRICS + "/descriptors/metrics"
    whole = cloud.get(path, resource_type="connector").json["data"]
    found, token = [], ""
    for number in range(3):
        answer = cloud.get(path, resource_type="connector", page_size=3, page_token=token).json
        found += answer["data"]
        token = answer["meta"]["pagination"].pop("next_page_token", None)
        assert answer["meta"] == {"pagination": {"page_size": 3, "total_size": 7}}
        assert answer["links"] == (token and {
            "next": f"http://127.0.0.1:{cloud.port}{path}?resource_type=connector&page_size=3"
                    f"&page_token={token}"})
        assert bool(token) == (number < 2)
    assert found == whole
    for name, text in (("page_token", "x"), ("page_size", "0")):
        error(cloud.get(path, **{name: text}), 400)


def test_resources(cloud):
    assert cloud.get(METRICS + "/descriptors/resources").json["data"] == [
        {"type": kind, "description": text, "labels": [
            {"key": f"{kind}.id", "description": label, "exportable": True}]}
        for kind, text, label in (("kafka", "A Kafka cluster.", "Id of the Kafka cluster."),
                                  ("connector", "A connector.", "Id of the connector."))]


def test_points(queries):
    start, one = minute(f"{DAY}10:00Z"), queries.ids["orders-datagen"]
    answer = queries.send()
    assert answer.json == {"data": [
        {"timestamp": f"{DAY}10:0{i}:00Z", "value": value(start + i, SENT, one)}
        for i in range(3)]}


@pytest.mark.parametrize("granularity, count", [
    ("PT1M", 1), ("PT5M", 5), ("PT15M", 15), ("PT30M", 30), ("PT1H", 60), ("PT4H", 240),
    ("PT6H", 360), ("PT12H", 720), ("P1D", 1440)])
def test_granularity(queries, granularity, count):
    start, one = minute(f"{DAY}00:00Z"), queries.ids["orders-datagen"]
    found = queries.data(granularity=granularity, intervals=[f"{DAY}00:00:00Z/PT{2 * count}M"])
    assert [point["value"] for point in found] == [
        total(start, count, SENT, one), total(start + count, count, SENT, one)]
    assert found[0]["timestamp"] == f"{DAY}00:00:00Z"


def test_buckets_are_aligned_and_hold_only_the_interval(queries):
    one = queries.ids["orders-datagen"]
    found = queries.data(granularity="PT5M", intervals=[f"{DAY}10:03:00Z/{DAY}10:06:00Z"])
    assert found == [
        {"timestamp": f"{DAY}10:00:00Z", "value": total(minute(f"{DAY}10:03Z"), 2, SENT, one)},
        {"timestamp": f"{DAY}10:05:00Z", "value": total(minute(f"{DAY}10:05Z"), 1, SENT, one)}]


def test_all(queries):
    one = queries.ids["orders-datagen"]
    found = queries.data(granularity="ALL", intervals=[
        f"{DAY}10:00:00Z/PT1H", "2023-01-01T00:00:00Z/P2D"])
    assert found == [{"timestamp": f"{DAY}10:00:00Z", "value":
                      total(minute(f"{DAY}10:00Z"), 60, SENT, one)
                      + total(minute("2023-01-01T00:00Z"), 2880, SENT, one)}]


@pytest.mark.parametrize("interval, start, count", [
    (f"{DAY}10:00:00Z/{DAY}10:02:00Z", f"{DAY}10:00Z", 2),
    (f"PT2M/{DAY}10:02:00Z", f"{DAY}10:00Z", 2),
    (f"{DAY}10:00:00.000Z/PT1M60S", f"{DAY}10:00Z", 2),
    (f"{DAY}12:00:00+02:00/PT2M", f"{DAY}10:00Z", 2),
    (f"{DAY}08:30:00-0130/PT2M", f"{DAY}10:00Z", 2),
    (f"{DAY}10:00:30Z/PT2M", f"{DAY}10:01Z", 2),
])
def test_intervals(queries, interval, start, count):
    found = queries.data(intervals=[interval])
    assert [point["value"] for point in found] == [
        value(minute(start) + i, SENT, queries.ids["orders-datagen"]) for i in range(count)]


def test_now(queries):
    def at_one_minute():
        before = int(time.time()) // 60
        found = queries.data(intervals=["now-2h|h/now-2h|h+2m", "now-3m|m/now", "PT1M/now-1d|d"])
        return (before, found) if int(time.time()) // 60 == before else None
    now, found = poll(at_one_minute)
    hour, day = now // 60 * 60 - 120, (now - 1440) // 1440 * 1440
    expected = [hour, hour + 1, now - 3, now - 2, now - 1, day - 1]
    assert [minute(point["timestamp"]) for point in found] == expected
    assert [point["value"] for point in found] == [
        value(one, SENT, queries.ids["orders-datagen"]) for one in expected]


def test_the_future_has_no_points(queries):
    assert queries.data(intervals=["now+1h/PT1H"]) == []
    assert queries.data(intervals=["now+1h/PT1H"], granularity="ALL") == []


@pytest.mark.parametrize("granularity, longest", [
    ("PT1M", "PT6H"), ("PT5M", "P1D"), ("PT15M", "P4D"), ("PT30M", "P7D")])
def test_longest_interval(queries, granularity, longest):
    assert queries.send(granularity=granularity, intervals=[f"{DAY}00:00:00Z/{longest}"]).status \
        == 200
    detail = error(queries.send(granularity=granularity, intervals=[
        f"{DAY}00:00:00Z/{longest}{'T1M' if 'T' not in longest else '1M'}"]), 400)
    assert "too long" in detail


def test_group_by(queries):
    start = minute(f"{DAY}10:00Z")
    ids = sorted(queries.ids[name] for name in SOURCES)
    ask = {"group_by": [ID], "filter": queries.any_of(SOURCES), "intervals": [
        f"{DAY}10:00:00Z/PT2M"]}
    answer = queries.send(**ask).json
    assert answer == {
        "data": [{"timestamp": f"{DAY}10:0{i}:00Z", ID: one, "value": value(start + i, SENT, one)}
                 for one in ids for i in range(2)],
        "meta": {"pagination": {"page_size": 100}}, "links": None}
    assert queries.data(format="GROUPED", **ask) == [
        {ID: one, "points": [
            {"timestamp": f"{DAY}10:0{i}:00Z", "value": value(start + i, SENT, one)}
            for i in range(2)]} for one in ids]
    del ask["group_by"]
    assert [point["value"] for point in queries.data(**ask)] == [
        sum(value(start + i, SENT, one) for one in ids) for i in range(2)]


def test_gauges_are_averaged_over_time(queries):
    one, start = queries.ids["orders-archive-s3"], minute(f"{DAY}10:00Z")
    ask = {"filter": equals(ID, one), "granularity": "PT5M", "intervals": [f"{DAY}10:00:00Z/PT5M"]}
    means = [total(start, 5, BATCH, one, task) / 5 for task in ("0", "1")]
    assert queries.data(BATCH, group_by=["metric.task"], **ask) == [
        {"timestamp": f"{DAY}10:00:00Z", "metric.task": task, "value": mean}
        for task, mean in zip(("0", "1"), means)]
    assert queries.data(BATCH, **ask)[0]["value"] == sum(means)
    assert queries.data(BATCH, filter=equals(ID, one), granularity="ALL", intervals=[
        f"{DAY}10:00:00Z/PT5M"])[0]["value"] == sum(means)


def test_status(queries):
    found = queries.data(STATUS, group_by=[ID, "metric.status"], filter=queries.any_of(SOURCES),
                         intervals=[f"{DAY}10:00:00Z/PT1M"])
    assert {(point[ID], point["metric.status"], point["value"]) for point in found} == {
        (queries.ids[name], "FAILED" if "postgres" in name else "RUNNING", 1) for name in SOURCES}


def test_only_sinks_receive(queries):
    assert queries.data(RECEIVED) == []
    sink = equals(ID, queries.ids["orders-archive-s3"])
    assert len(queries.data(RECEIVED, filter=sink)) == 3
    assert queries.data(filter=sink) == []


TOPICS = ["orders", "orders.refunds", "products", "telemetry"]
KAFKA = equals("resource.kafka.id", CLUSTER)


@pytest.mark.parametrize("wanted, found", [
    ({"field": "metric.topic", "op": "EQ", "value": "orders"}, ["orders"]),
    ({"field": "metric.topic", "op": "GT", "value": "orders"}, TOPICS[1:]),
    ({"field": "metric.topic", "op": "GTE", "value": "orders.refunds"}, TOPICS[1:]),
    ({"op": "NOT", "filter": {"field": "metric.topic", "op": "EQ", "value": "orders"}},
     TOPICS[1:]),
    ({"op": "OR", "filters": [equals("metric.topic", "products"),
                              equals("metric.topic", "orders")]}, ["orders", "products"]),
    ({"op": "AND", "filters": [
        {"field": "metric.topic", "op": "GT", "value": "orders"},
        {"op": "NOT", "filter": {"field": "metric.topic", "op": "GTE", "value": "products"}}]},
     ["orders.refunds"]),
    ({"field": "metric.topic", "op": "EQ", "value": 7}, []),
])
def test_filters(queries, wanted, found):
    answer = queries.data(SERVER + "sent_bytes", group_by=["metric.topic"],
                          filter={"op": "AND", "filters": [KAFKA, wanted]},
                          intervals=[f"{DAY}10:00:00Z/PT1M"])
    assert [point["metric.topic"] for point in answer] == found


def test_the_vendors_example(queries):
    answer = queries.send(
        aggregations=[{"metric": SERVER + "sent_bytes", "agg": "SUM"}],
        group_by=["metric.topic"], granularity="PT1H", limit=5,
        filter={"op": "AND", "filters": [
            KAFKA, {"op": "NOT", "filter": equals("metric.topic", "products")}]},
        order_by=[{"metric": SERVER + "sent_bytes", "agg": "SUM", "order": "DESCENDING"}],
        intervals=["2019-10-17T20:17:00.000Z/PT2H"])
    topics = [topic for topic in TOPICS if topic != "products"]
    assert [(point["metric.topic"], point["timestamp"][11:16]) for point in answer.json["data"]] \
        == [(topic, at) for topic in topics for at in ("20:00", "21:00", "22:00")]
    assert answer.json["data"][0]["value"] == total(
        minute("2019-10-17T20:17Z"), 43, SERVER + "sent_bytes", CLUSTER, "orders")


@pytest.mark.parametrize("order", ["ASCENDING", "DESCENDING", None])
def test_order(queries, order):
    found = queries.data(
        group_by=[ID], granularity="ALL", filter=queries.any_of(SOURCES),
        order_by=order and [{"metric": SENT, "order": order}])
    values = [point["value"] for point in found]
    assert len(values) == 3
    assert values == sorted(values, reverse=order != "ASCENDING")


def test_limit_and_pages(queries):
    ask = {"group_by": [ID], "filter": queries.any_of(SOURCES), "limit": 2}
    first = queries.send(**ask).json
    token = first["meta"]["pagination"]["next_page_token"]
    assert first["meta"]["pagination"]["page_size"] == 2
    assert first["links"]["next"].endswith(f"{METRICS}/query?page_token={token}")
    second = queries.send(page_token=token, **ask).json
    assert "next_page_token" not in second["meta"]["pagination"]
    assert len(first["data"]) == 6 and len(second["data"]) == 3
    assert first["data"] + second["data"] == queries.data(**dict(ask, limit=3))
    error(queries.send(page_token=token), 400)
    error(queries.send(page_token="0" * 32, **ask), 400)


@pytest.mark.parametrize("change", [
    {"aggregations": []}, {"aggregations": [{"metric": "none"}]},
    {"aggregations": [{"metric": SENT}, {"metric": SENT}]},
    {"aggregations": [{"metric": SENT, "agg": "MAX"}]},
    {"granularity": None}, {"granularity": "PT2M"}, {"intervals": None}, {"intervals": []},
    {"intervals": ["yesterday"]}, {"intervals": [f"{DAY}10:00:00Z/{DAY}09:00:00Z"]},
    {"intervals": [f"{DAY}10:00:00/PT1M"]}, {"intervals": [f"{DAY}10:00:00Z/P"]},
    {"intervals": [f"{DAY}10:00:00Z/PT1"]}, {"intervals": ["now-1x/now"]},
    {"group_by": ["metric.topic"]}, {"group_by": ID}, {"limit": 0}, {"limit": 1001},
    {"format": "GROUPED"}, {"format": "TABLE"}, {"order_by": []},
    {"order_by": [{"metric": RECEIVED}]}, {"filter": None}, {"filter": {"op": "XOR"}},
    {"filter": {"op": "AND", "filters": []}}, {"filter": {"op": "NOT"}},
    {"filter": equals("metric.topic", "x")}, {"filter": {"field": ID, "op": "EQ"}},
    {"filter": {"op": "NOT", "filter": equals(ID, "lcc-none")}},
])
def test_refused(queries, change):
    error(queries.send(**change), 400)


def test_refused_outright(queries):
    error(queries.cloud.api("POST", METRICS + "/query", "{"), 400)
    assert "lcc-none" in error(queries.send(filter=equals(ID, "lcc-none")), 403)
    error(queries.cloud.api("POST", "/v2/metrics/other/query", {}), 404)
    answer = queries.cloud.ask("POST", METRICS + "/query", "{}")
    error(answer, 401)
    assert answer.headers["www-authenticate"].startswith("Basic")


def test_attributes(queries):
    def ask(**more):
        body = {"metric": SERVER + "sent_bytes", "group_by": ["metric.topic"], "filter": KAFKA}
        token = more.pop("page_token", "")
        return queries.cloud.api("POST", f"{METRICS}/attributes?page_token={token}",
                                 dict(body, **more))
    assert ask().json == {
        "data": [{"metric.topic": topic} for topic in TOPICS],
        "meta": {"pagination": {"page_size": 100}}, "links": None}
    first = ask(limit=3).json
    token = first["meta"]["pagination"]["next_page_token"]
    assert first["data"] + ask(limit=3, page_token=token).json["data"] == ask().json["data"]
    for change in ({"group_by": []}, {"metric": "none"}, {"intervals": ["x"]}, {"limit": 5000}):
        error(ask(**change), 400)


def test_export(queries):
    one = queries.ids["orders-archive-s3"]

    def at_one_minute():
        now = int(time.time()) // 60
        answer = queries.cloud.get(METRICS + "/export", **{ID: one})
        return (now, answer) if int(time.time()) // 60 == now else None
    now, answer = poll(at_one_minute)
    at = now - 5
    lines = []
    for name, labels, help_text in (
            (RECEIVED, "", "Records that a sink read from Kafka in a minute."),
            (CONNECT + "received_bytes", "", "Bytes that a sink read from Kafka in a minute."),
            (CONNECT + "dead_letter_queue_records", "",
             "Records that a sink put into its dead letter queue in a minute."),
            (STATUS, ',status="RUNNING"', "Always 1; the label tells the state of the connector."),
            (BATCH, ',task="0"', "Records in a batch of a task, on average.")):
        short = re.sub("[./]", "_", name[3:])
        lines += [f"# HELP {short} {help_text}", f"# TYPE {short} gauge"]
        for task in ("0", "1") if name == BATCH else ("",):
            shown = 1 if name == STATUS else value(at, *filter(None, (name, one, task)))
            label = labels.replace('"0"', f'"{task}"')
            lines.append(f'{short}{{connector_id="{one}"{label}}} {shown}.0 {at * 60}000')
        lines.append("")
    assert answer.text == "\n".join(lines)
    assert answer.headers["content-type"] == "text/plain;version=0.0.4"


def test_export_of_several(queries):
    ids = [queries.ids[name] for name in SOURCES]
    answer = queries.cloud.get(METRICS + "/export", **{
        ID: ids, "metric": SENT, "resource.kafka.id": CLUSTER})
    assert re.findall('connector_id="(.*?)"', answer.text) == ids
    both = queries.cloud.get(METRICS + "/export", **{"resource.kafka.id": CLUSTER}).text
    assert f'received_bytes{{kafka_id="{CLUSTER}",topic="orders"}}' in both


def test_export_in_the_order_of_the_account(clouds):
    """Of several clusters and environments, whatever the order and however often they are named."""
    cloud = clouds("--connectors", 40, "--environments", 2, "--clusters", 2)
    ids, clusters = [], []
    for environment, found in cloud.control("GET", "account").items():
        for cluster, names in found.items():
            clusters.append(cluster)
            ids += [cloud.emulator.connector(cluster, name)["id"] for name in names]
    assert len(ids) == len(set(ids)) == 160
    answer = cloud.get(METRICS + "/export", **{
        ID: ids[::-1] + ids[::7], "resource.kafka.id": clusters[::-1] + clusters[:1]})
    assert re.findall('connector_status{connector_id="(.*?)"', answer.text) == ids
    sent = re.findall('_server_sent_bytes{kafka_id="(.*?)",topic="(.*?)"', answer.text)
    assert sent == sorted(set(sent)) and {cluster for cluster, _ in sent} == set(clusters)


@pytest.mark.parametrize("settle", [0, 600000])
def test_export_of_a_new_connector_of_the_same_name(queries, settle):
    cloud = queries.cloud
    cloud.settings(settle_ms=settle)
    old = queries.ids["orders-archive-s3"]
    truth = cloud.emulator.connector(CLUSTER, "orders-archive-s3")["config"]

    def export(one):
        return cloud.get(METRICS + "/export", **{ID: one, "metric": STATUS})

    assert f'connector_id="{old}"' in export(old).text
    assert cloud.api("DELETE", f"{CONNECTORS}/orders-archive-s3").status == 200
    assert f"connector.id:{old}" in error(export(old), 403)
    assert cloud.api("POST", CONNECTORS, {"name": "orders-archive-s3", "config": truth}).status == 201
    new = cloud.emulator.connector(CLUSTER, "orders-archive-s3")["id"]
    assert new != old and f'connector_id="{new}"' in export(new).text
    assert f"connector.id:{old}" in error(export(old), 403)


def test_open_metrics(queries):
    answer = queries.cloud.api(
        "GET", f"{METRICS}/export?{ID}={queries.ids['orders-datagen']}&metric={SENT}",
        Accept="application/openmetrics-text;version=1.0.0")
    assert answer.headers["content-type"] == \
        "application/openmetrics-text;version=1.0.0;charset=utf-8"
    assert re.fullmatch(r"# HELP .*\n# TYPE .* gauge\n\S+ \d+\.0 \d{10}\.000\n# EOF\n", answer.text)


def test_export_refused(cloud):
    error(cloud.get(METRICS + "/export"), 400)
    assert "connector.id:lcc-none" in error(cloud.get(METRICS + "/export", **{ID: "lcc-none"}), 403)


def test_rate_limit(queries):
    queries.cloud.settings(metrics_limit=3, metrics_window_ms=600000)
    for left in (2, 1, 0):
        answer = queries.send(**({"limit": 0} if left == 1 else {}))
        assert answer.headers["x-ratelimit-limit"] == "3"
        assert answer.headers["x-ratelimit-remaining"] == str(left)
        assert "retry-after" not in answer.headers
    answer = queries.send()
    error(answer, 429)
    assert answer.headers["x-ratelimit-remaining"] == "0"
    assert 590 <= int(answer.headers["retry-after"]) <= 600
    assert answer.headers["x-ratelimit-reset"] == answer.headers["retry-after"]
    error(queries.cloud.get(METRICS + "/descriptors/metrics"), 429)
    assert queries.cloud.get("/org/v2/environments").status == 200
    queries.cloud.settings(metrics_window_ms=20)
    poll(lambda: queries.send().status == 200)


def test_usual_limits(cloud):
    assert {key: one for key, one in cloud.control("GET", "settings").items()
            if key in ("metrics_limit", "metrics_window_ms", "export_limit")} == {
        "metrics_limit": 60, "metrics_window_ms": 60000, "export_limit": 80}


def test_limit_of_exports(queries):
    queries.cloud.settings(export_limit=2)
    one, other = queries.ids["orders-datagen"], queries.ids["orders-archive-s3"]
    statuses = [queries.cloud.get(METRICS + "/export", **{ID: one}).status for _ in range(3)]
    assert statuses == [200, 200, 429]
    assert queries.cloud.get(METRICS + "/export", **{ID: other}).status == 200
    assert f"connector.id:{one}" in error(
        queries.cloud.get(METRICS + "/export", **{ID: [other, one]}), 429)
