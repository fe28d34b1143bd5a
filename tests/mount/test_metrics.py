"""Metrics: a connector's files, a cluster's metrics.prom, metrics/query.json."""

import datetime
import errno
import json
import os
import re
import time
import zlib

import pytest

import canonical
import harness
import samples
from harness import elapse, fails, hold, poll, takes

BASE = "/v2/metrics/cloud"
DESCRIPTORS = "GET", BASE + "/descriptors/metrics?resource_type=connector&page_size=1000"
QUERY = "POST", BASE + "/query"
CONNECT = "io.confluent.kafka.connect/"
SENT, RECEIVED = CONNECT + "sent_records", CONNECT + "received_records"
ID = "resource.connector.id"
NAMES = {name + ".json" for name in (
    "sent_records", "received_records", "sent_bytes", "received_bytes",
    "dead_letter_queue_records", "connector_status", "connector_task_batch_size_avg")}


def value(minute, *names):
    """The emulator's formula."""
    return zlib.crc32("\n".join(names).encode()) % 1000 + minute % 60


def stamp(minute):
    return datetime.datetime.fromtimestamp(
        60 * minute, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def points(minutes, *names):
    return canonical.render({"data": [
        {"timestamp": stamp(minute), "value": value(minute, *names)} for minute in minutes]})


def at_one_minute(act):
    """(this minute, what act returns), where no minute begins between them."""
    def attempt():
        before = int(time.time()) // 60
        done = act()
        return ((before, done),) if int(time.time()) // 60 == before else None
    return poll(attempt)[0]


def instead(value):
    """A fault: this answer in the place of the real one."""
    return {"status": 200, "body": value}


def query(metric, *ids, granularity="PT1M", minutes=60):
    return {"aggregations": [{"metric": metric}],
            "filter": {"op": "OR", "filters": [
                {"field": ID, "op": "EQ", "value": one} for one in ids]},
            "granularity": granularity, "group_by": [ID],
            "intervals": [f"now-{minutes}m|m/now|m"], "limit": 1000, "format": "GROUPED"}


class Metrics:
    def __init__(self, api, site, mounted, process):
        self.api, self.site, self.mounted, self.process = api, site, mounted, process
        self.prom = mounted.cluster(site) / "metrics.prom"
        self.query = mounted / "metrics" / "query.json"
        self.bulk = "GET", site.base + "?expand=id,info,status"
        process.read(mounted.connector(site, "plain") / "config.json")
        process.listdir(self.directory("plain"))
        api.clear()

    def directory(self, name):
        return self.mounted.connector(self.site, name) / "metrics"

    def file(self, name, metric="sent_records"):
        return self.directory(name) / f"{metric}.json"

    def read(self, name, metric="sent_records"):
        return self.process.read(self.file(name, metric))

    def id(self, name):
        return self.site.get(name)["id"]

    def ids(self):
        """Of all connectors, in the order of their list."""
        return [one["id"]["id"] for one in json.loads(
            self.api.api(self.bulk[1].replace(",", "%2C"))).values()]

    def refresh(self):
        self.process.write(self.mounted / ".connectfs" / "refresh", b"1\n")
        self.process.read(self.mounted.connector(self.site, "plain") / "config.json")
        self.process.listdir(self.directory("plain"))
        self.api.clear()

    def errors(self):
        return self.process.read(self.mounted / ".connectfs" / "errors").decode().splitlines()


@pytest.fixture
def metrics(emulator, site, mount, process):
    """metrics(ttl_metrics=0) mounts with these options; the descriptors have been read."""
    return lambda **options: Metrics(emulator, site, mount(emulator, **options), process)


# A connector's files


def test_named_by_the_descriptors(emulator, site, mount, process):
    mounted = mount(emulator)
    process.read(mounted.connector(site, "plain") / "config.json")
    emulator.clear()
    directory = mounted.connector(site, "plain") / "metrics"
    assert set(process.listdir(directory)) == NAMES
    assert set(process.listdir(mounted.connector(site, "other") / "metrics")) == NAMES
    assert emulator.calls() == [DESCRIPTORS]
    with fails(errno.ENOENT):
        process.stat(directory / "none.json")
    assert emulator.calls() == [DESCRIPTORS]


def test_not_listed(metrics):
    w = metrics()
    assert "metrics" not in w.process.listdir(w.mounted.root)
    assert "metrics" not in w.process.listdir(w.directory("plain").parent)
    assert "metrics.prom" not in w.process.listdir(w.prom.parent)
    assert w.process.listdir(w.mounted / "metrics") == ["query.json"]


def test_a_walk_does_not_ask(emulator, site, mount, process):
    mounted = mount(emulator)
    process.tree(mounted.root)
    assert [path for _, path in emulator.calls() if "metrics" in path] == []


def test_the_last_hour(metrics):
    w = metrics(ttl_metrics=0)

    def act():
        w.api.clear()
        return w.read("plain")
    now, shown = at_one_minute(act)
    assert shown == points(range(now - 60, now), SENT, w.id("plain"))
    assert w.api.calls()[-1:] == [QUERY]
    request = w.api.requests()[-1]
    assert json.loads(request["body"]) == query(SENT, *w.ids())
    assert request["headers"]["Content-Type"] == "application/json"
    assert request["headers"]["Accept"] == "application/json"
    assert request["authorization"] is True


def test_size_and_mode(metrics):
    w = metrics()
    text = w.read("plain")
    status = w.process.stat(w.file("plain"))
    assert status.st_size == len(text)
    assert status.st_mode & 0o777 == 0o400
    with fails(errno.EACCES):
        w.process.open(w.file("plain"), os.O_WRONLY)
    for act in (lambda: w.process.create(w.directory("plain") / "x", b""),
                lambda: w.process.mkdir(w.directory("plain") / "x")):
        with fails(errno.EPERM):
            act()


def test_one_query_serves_all_connectors(metrics):
    w = metrics()
    for name in "plain", "other", "connector-000000", "connector-000001":
        assert SENT.encode() not in w.read(name)
    assert w.api.calls() == [QUERY]
    w.read("other", "connector_status")
    assert w.api.calls() == [QUERY, QUERY]


def test_believed_for_its_time(metrics):
    w = metrics(ttl_metrics=1)
    w.read("plain")
    w.process.stat(w.file("plain"))
    assert w.api.calls() == [QUERY]
    elapse(1.1)
    w.read("plain")
    w.read("other")
    assert w.api.calls() == [QUERY] * 2


def test_descriptors_are_believed_as_plugins_are(metrics):
    w = metrics(ttl_plugins=1)
    w.process.listdir(w.directory("plain"))
    w.process.listdir(w.directory("other"))
    assert len(w.api.calls()) <= 1
    w.api.clear()
    elapse(1.1)
    w.process.listdir(w.directory("plain"))
    assert w.api.calls() == [DESCRIPTORS]


def test_no_points(metrics):
    """A source receives nothing. That is no absence."""
    w = metrics()
    assert w.read("plain", "received_records") == canonical.render({"data": []})


def test_other_intervals(metrics):
    w = metrics(metrics_interval=7150, metrics_granularity="PT5M", ttl_metrics=0)

    def act():
        w.api.clear()
        return w.read("plain")
    now, shown = at_one_minute(act)
    assert w.api.bodies("POST") == [query(SENT, *w.ids(), granularity="PT5M", minutes=120)]
    first = (now - 120) // 5 * 5
    sums = {}
    for minute in range(now - 120, now):
        sums.setdefault(minute // 5 * 5, 0)
        sums[minute // 5 * 5] += value(minute, SENT, w.id("plain"))
    assert min(sums) == first
    assert shown == canonical.render({"data": [
        {"timestamp": stamp(minute), "value": total} for minute, total in sums.items()]})


def test_every_digit(metrics):
    w = metrics()
    w.api.fault(method="POST", path="/query$", body_only=(
        '{"data":[{"%s":"%s","points":[{"timestamp":"2026-01-01T00:00:00Z",'
        '"value":9007199254740993}]}]}' % (ID, w.id("plain"))))
    assert b'"value": 9007199254740993\n' in w.read("plain")


def descriptors(*names, **more):
    return {"data": [{"name": name, "description": "", "labels": [], "resources": ["connector"]}
                     for name in names], **more}


def test_names_that_are_shared(emulator, site, mount, process):
    """What follows the last slash, or the whole name where two would share that."""
    emulator.fault(path="/descriptors/metrics$", **instead(descriptors(
        "a/x", "b/x", "c/y", "plain", "d/é z", "e/..")))
    mounted = mount(emulator)
    directory = mounted.connector(site, "plain") / "metrics"
    assert set(process.listdir(directory)) == {
        "a%2Fx.json", "b%2Fx.json", "y.json", "plain.json", "é z.json", "...json"}
    emulator.clear()
    emulator.fault(path="/query$", times=-1, **instead({"data": []}))
    for name in "b%2Fx.json", "é z.json":
        assert process.read(directory / name) == canonical.render({"data": []})
    assert [body["aggregations"] for body in emulator.bodies("POST")] == [
        [{"metric": "b/x"}], [{"metric": "d/é z"}]]


def test_pages_of_descriptors(emulator, site, mount, process):
    link = f"{emulator.url}{BASE}/descriptors/metrics?page_size=1000&page_token=n%2B1"
    emulator.fault(path="/descriptors/metrics$", **instead(descriptors(
        "a/x", meta={"pagination": {"page_size": 1, "next_page_token": "n+1"}},
        links={"next": link})))
    emulator.fault(path="/descriptors/metrics$", **instead(descriptors(
        "a/y", meta={"pagination": {"page_size": 1}}, links=None)))
    mounted = mount(emulator)
    assert set(process.listdir(mounted.connector(site, "plain") / "metrics")) == {
        "x.json", "y.json"}
    assert [call for call in emulator.calls() if "metrics" in call[1]] == [
        DESCRIPTORS, ("GET", DESCRIPTORS[1] + "&page_token=n%2B1")]


def group(one, *values):
    return {ID: one, "points": [{"timestamp": stamp(minute), "value": number}
                                for minute, number in enumerate(values)]}


def test_pages_of_a_query(metrics):
    w = metrics()
    one, two = w.id("plain"), w.id("other")
    w.api.fault(path="/query$", **instead({"data": [group(one, 1, 2)], "meta": {
        "pagination": {"page_size": 1, "next_page_token": "n+1/"}}}))
    w.api.fault(path="/query$", **instead({"data": [group(two, 3)], "meta": {
        "pagination": {"page_size": 1}}}))
    assert [json.loads(w.read(name))["data"] for name in ("other", "plain")] == [
        group(two, 3)["points"], group(one, 1, 2)["points"]]
    assert w.api.calls() == [QUERY, ("POST", QUERY[1] + "?page_token=n%2B1%2F")]
    first, second = w.api.bodies("POST")
    assert first == second


def test_a_great_many_connectors(emulators, mount, process):
    """As many in a query as an answer takes."""
    api = emulators("--connectors", 1100, "--environments", 1, "--clusters", 1)
    site = harness.Site(api, *samples.first_cluster(api))
    mounted = mount(api)
    directory = mounted.connector(site, "connector-001099") / "metrics"
    process.listdir(directory)
    api.clear()
    assert len(json.loads(process.read(directory / "connector_status.json"))["data"]) >= 59
    assert api.calls() == [QUERY, QUERY]
    sizes = [len(body["filter"]["filters"]) for body in api.bodies("POST")]
    assert sizes == [1000, 100]


def test_a_connector_that_is_gone_spoils_nothing(metrics):
    """The API refuses a query with an id that it does not know (any more)."""
    w = metrics()
    gone = w.id("other")
    w.site.patch("other", delete=True)
    w.process.stat(w.directory("plain"))
    w.api.clear()
    assert len(json.loads(w.read("plain"))["data"]) >= 59
    bodies = w.api.bodies("POST")
    assert [gone in json.dumps(body) for body in bodies] == [True, False]
    assert w.bulk in w.api.calls()


def test_a_new_connector(metrics):
    """It has no metrics yet, and no failure either."""
    w = metrics()
    directory = w.mounted.connectors(w.site) / "new"
    w.process.mkdir(directory)
    w.process.write(directory / "config.json", canonical.config(samples.PLAIN))
    poll(lambda: w.process.exists(directory / "status.json"), 10)
    data = json.loads(w.process.read(directory / "metrics" / "sent_records.json"))["data"]
    assert data == [] or len(data) >= 59


def test_of_a_connector_that_was_removed(metrics):
    w = metrics()
    w.read("plain")
    harness.run("rm", "-r", w.directory("plain").parent)
    with fails(errno.ENOENT):
        w.read("plain")


FAULTS = [
    ({"status": 400}, [errno.EINVAL]), ({"status": 401}, [errno.EACCES]),
    ({"status": 403}, [errno.EACCES]), ({"status": 404}, [errno.EIO]),
    ({"status": 413}, [errno.EFBIG]), ({"status": 429}, [errno.EBUSY]),
    ({"status": 500}, [errno.EIO]), ({"status": 503}, [errno.EIO]), ({"drop": True}, [errno.EIO]),
    ({"hang": True}, [errno.ETIMEDOUT]), ({"garbage": True}, [errno.EBADMSG]),
    ({"truncate": 30}, [errno.EBADMSG, errno.EIO]), ({"body_only": "[]"}, [errno.EBADMSG]),
    ({"body_only": "{}"}, [errno.EBADMSG]), (instead({"data": {}}), [errno.EBADMSG]),
]


@pytest.mark.parametrize("fault, numbers", [
    *FAULTS, (instead({"data": [{}]}), [errno.EBADMSG]),
    (instead({"data": [{ID: 7, "points": []}]}), [errno.EBADMSG]),
    (instead({"data": [{ID: "lcc-1", "value": 1}]}), [errno.EBADMSG])], ids=str)
def test_a_query_fails(metrics, fault, numbers):
    w = metrics(timeout=1)
    w.api.fault(path="/query$", times=-1, **fault)
    with takes(at_most=4):
        with fails(*numbers, *([errno.ETIMEDOUT] if numbers[0] in (errno.EIO, errno.EBUSY) else [])):
            w.read("plain")
    assert any("/query" in line for line in w.errors())
    w.api.clear_faults()
    assert len(json.loads(w.read("plain"))["data"]) >= 59


@pytest.mark.parametrize("fault, numbers", FAULTS, ids=str)
def test_descriptors_fail(emulator, site, mount, process, fault, numbers):
    """Never an empty directory."""
    mounted = mount(emulator, timeout=1)
    directory = mounted.connector(site, "plain") / "metrics"
    process.stat(directory)
    emulator.fault(path="/descriptors/metrics$", times=-1, **fault)
    with fails(*numbers, errno.ETIMEDOUT):
        process.listdir(directory)
    with fails(*numbers, errno.ETIMEDOUT):
        process.stat(directory / "sent_records.json")
    emulator.clear_faults()
    assert set(process.listdir(directory)) == NAMES


def test_the_last_good_answer_serves(metrics):
    w = metrics(ttl_metrics=0, timeout=2)
    shown = w.read("plain")
    w.api.fault(path="/query$", times=-1, status=503)
    with takes(at_most=4):
        assert w.read("plain") == shown


def test_busy_for_a_moment(metrics):
    """Another client of this address has used the limit up."""
    w = metrics()
    w.api.fault(path="/query$", times=2, status=429, headers={"Retry-After": "1"})
    with takes(at_least=1.9):
        assert len(json.loads(w.read("plain"))["data"]) >= 59
    assert w.api.calls() == [QUERY] * 3


@pytest.mark.slow
def test_the_limit_is_kept(emulators, mount, process):
    """Whatever a user loops over: nobody is refused, and nobody waits for long."""
    api = emulators("--environments", 1, "--clusters", 5, "--connectors", 1)
    api.settings(metrics_limit=30, metrics_window_ms=3000)
    mounted = mount(api)
    waits = []

    def timed(call, *args):
        start = time.monotonic()
        answer = getattr(process, call)(*args)
        waits.append(time.monotonic() - start)
        return answer
    for env, clusters in samples.clusters_of(api):
        for cluster in clusters:
            place = harness.Site(api, env, cluster)
            directory = mounted.connector(place, "connector-000000") / "metrics"
            for name in timed("listdir", directory):
                assert json.loads(timed("read", directory / name)).keys() == {"data"}
    requests = [one for one in api.requests() if one["path"].startswith(BASE)]
    assert len(requests) == 1 + 5 * len(NAMES)
    assert {one["status"] for one in requests} == {200}
    times = [one["time_ms"] for one in requests]
    for first, begin in enumerate(times):
        assert sum(begin <= at < begin + 60000 for at in times[first:]) <= 60
    assert max(waits) < 3 * harness.SLOW
    assert times[-1] - times[28] >= 2000 * (len(times) - 30)


# show=metrics


def test_shown(metrics):
    w = metrics(show="metrics")
    assert "metrics" in w.process.listdir(w.directory("plain").parent)
    assert "metrics.prom" in w.process.listdir(w.prom.parent)
    assert "metrics" in w.process.listdir(w.mounted.root)


def test_a_walk_over_all(metrics):
    """It asks for each metric once, however many connectors there are."""
    w = metrics(show="metrics")
    tree = w.process.tree(w.mounted.connectors(w.site))
    assert sum(path.endswith("sent_records.json") for path in map(str, tree)) == 4
    assert [call for call in w.api.calls() if "/v2/" in call[1]] == [QUERY] * len(NAMES)


def test_rm_r(metrics):
    """What is shown does not hinder a removal, nor does it send anything."""
    w = metrics(show="metrics,offsets", delete_delay=30)
    harness.run("rm", "-r", w.directory("plain").parent)
    assert w.api.writes()[-1] == w.site.delete("plain")
    assert {call for call in w.api.writes()} <= {QUERY, w.site.delete("plain")}
    assert w.site.get("plain") is None


def test_removed_files_come_back(metrics):
    w = metrics(show="metrics", delete_delay=0.5)
    with fails(errno.ENOTEMPTY):
        w.process.rmdir(w.directory("plain"))
    w.process.unlink(w.file("plain"))
    assert not w.process.exists(w.file("plain"))
    w.process.rmdir(w.directory("plain"))
    assert "metrics" not in w.process.listdir(w.directory("plain").parent)
    poll(lambda: w.process.exists(w.file("plain")), 5)
    assert w.api.writes() in ([], [QUERY])


def test_a_copy_with_its_metrics(metrics):
    """In a new connector's directory they are scratch."""
    w = metrics(show="metrics,offsets,tasks")
    copy = w.mounted.connectors(w.site) / "copy"
    secrets = {"kafka.api.secret": "x", "kafka.api.key": "y"}
    config = {**json.loads(w.process.read(w.directory("plain").parent / "config.json")), **secrets}
    harness.run("cp", "-r", w.directory("plain").parent, w.mounted.home / "backup")
    w.process.write(w.mounted.home / "backup" / "config.json", canonical.config(config))
    w.api.clear()
    harness.run("cp", "-r", w.mounted.home / "backup", copy)
    assert [call for call in w.api.writes() if call != QUERY] == [w.site.post]


# metrics.prom


def samples_of(text):
    """{(name, labels): value} of an exposition, whose form is checked."""
    found, heads, name = {}, [], None
    for block in text.split("\n\n"):
        lines = block.splitlines()
        name = lines[0].split(" ")[2]
        assert lines[0].startswith(f"# HELP {name} ") and lines[1] == f"# TYPE {name} gauge"
        heads.append(name)
        for line in lines[2:]:
            match = re.fullmatch(r'(\w+)\{connector_id="([^"]*)"(?:,(\w+)="([^"]*)")?\} '
                                 r"(\d+\.\d) (\d+)", line)
            assert match and match[1] == name, line
            key = name, match[2], match[4]
            assert key not in found
            found[key] = float(match[5])
    assert len(heads) == len(set(heads))
    return found


def test_prom(metrics):
    w = metrics(ttl_metrics=0)
    now, shown = at_one_minute(lambda: w.process.read(w.prom).decode())
    found = samples_of(shown)
    for one in w.id("plain"), w.id("other"):
        assert found["confluent_kafka_connect_sent_records", one, None] == value(now - 5, SENT, one)
    assert {one for name, one, _ in found if name.endswith("_connector_status")} == set(w.ids())
    assert {name for name, _, _ in found} >= {
        "confluent_kafka_connect_connector_status",
        "confluent_kafka_connect_connector_task_batch_size_avg"}
    request = w.api.requests()[-1]
    assert request["path"] == BASE + "/export"
    assert request["query"] == "&".join(f"{ID}={one}" for one in w.ids())
    assert request["headers"]["Accept"].startswith("text/plain")
    assert w.process.stat(w.prom).st_mode & 0o777 == 0o400


def test_prom_is_believed_for_its_time(metrics):
    """An export of a resource is allowed 80 times an hour."""
    w = metrics(ttl_metrics=1)
    w.process.read(w.prom)
    w.process.stat(w.prom)
    assert len(w.api.calls()) == 1
    elapse(1.1)
    w.process.read(w.prom)
    assert len(w.api.calls()) == 2


def test_prom_of_many_connectors(emulators, mount, process):
    """In as many requests as URLs of 8 KiB need, with each metric's head once."""
    api = emulators("--connectors", 300, "--environments", 1, "--clusters", 1)
    site = harness.Site(api, *samples.first_cluster(api))
    mounted = mount(api)
    process.listdir(mounted.connectors(site))
    api.clear()
    found = samples_of(process.read(mounted.cluster(site) / "metrics.prom").decode())
    requests = api.requests()
    asked = [re.findall(r"id=([^&]+)", one["query"]) for one in requests]
    assert {one["path"] for one in requests} == {BASE + "/export"}
    lengths = [len(api.url) + len(one["path"]) + 1 + len(one["query"]) for one in requests]
    assert max(lengths) <= 8192 and min(lengths[:-1]) > 8192 - 64
    assert sum(map(len, asked)) == 300 and len(set(sum(asked, []))) == 300
    assert {one for name, one, _ in found if name.endswith("_connector_status")} \
        == set(sum(asked, []))


def test_prom_of_an_empty_cluster(emulators, mount, process):
    api = emulators("--connectors", 0, "--environments", 1, "--clusters", 1)
    site = harness.Site(api, *samples.first_cluster(api))
    mounted = mount(api)
    assert process.read(mounted.cluster(site) / "metrics.prom") == b""
    assert [path for _, path in api.calls() if "export" in path] == []


@pytest.mark.parametrize("fault, numbers", [
    *[row for row in FAULTS if "body_only" not in row[0]],
    ({"body_only": "<html>no</html>\n"}, [errno.EBADMSG]), ({"body_only": "x y"}, [errno.EBADMSG]),
    ({"body_only": "{}\n"}, [errno.EBADMSG])], ids=str)
def test_prom_fails(metrics, fault, numbers):
    w = metrics(timeout=1, ttl_negative=0)
    w.api.fault(path="/export$", times=-1, **fault)
    with fails(*numbers, errno.ETIMEDOUT):
        w.process.read(w.prom)
    assert any("/export" in line for line in w.errors())
    w.api.clear_faults()
    assert samples_of(w.process.read(w.prom).decode())


# Queries


def ask(w, text):
    w.process.write(w.query, text)
    return w.process.read(w.query)


def test_a_query_as_it_stands(metrics):
    """The vendor's form, with every kind of filter, goes as it was written."""
    w = metrics()
    text = json.dumps({
        "aggregations": [{"metric": "io.confluent.kafka.server/sent_bytes", "agg": "SUM"}],
        "filter": {"op": "AND", "filters": [
            {"field": "resource.kafka.id", "op": "EQ", "value": w.site.cluster},
            {"op": "NOT", "filter": {"field": "metric.topic", "op": "EQ", "value": "none"}}]},
        "granularity": "PT1H", "group_by": ["metric.topic"], "limit": 5,
        "intervals": ["2019-10-17T20:17:00.000Z/PT2H"]}, indent=3).encode() + b"\n"
    answer = ask(w, text)
    assert w.api.calls() == [QUERY]
    assert w.api.requests()[0]["body"].encode() == text
    data = json.loads(answer)["data"]
    assert {point["metric.topic"] for point in data} >= {"orders"}
    assert answer == canonical.render(canonical.parse(answer))


def test_all_pages_are_one_answer(metrics):
    w = metrics()
    ids = [w.id("plain"), w.id("other")]
    body = {**query(SENT, *ids), "limit": 1, "intervals": ["2024-05-01T10:00:00Z/PT2M"]}
    answer = json.loads(ask(w, json.dumps(body).encode()))
    start = int(datetime.datetime(2024, 5, 1, 10, tzinfo=datetime.timezone.utc).timestamp()) // 60
    assert answer["data"] == [
        {ID: one, "points": [{"timestamp": stamp(start + i), "value": value(start + i, SENT, one)}
                             for i in range(2)]} for one in sorted(ids)]
    assert "next_page_token" not in answer["meta"]["pagination"] and answer["links"] is None
    calls = w.api.calls()
    assert len(calls) == len(ids) and calls[0] == QUERY
    assert all(path.startswith(QUERY[1] + "?page_token=") for _, path in calls[1:])
    assert w.api.bodies("POST") == [body] * len(ids)


def test_a_page_that_fails(metrics):
    w = metrics()
    body = json.dumps({**query(SENT, *w.ids()), "limit": 1}).encode()
    w.api.fault(path="/query$", query="page_token", status=400,
                body={"errors": [{"detail": "the token is purple"}]})
    with fails(errno.EINVAL):
        w.process.write(w.query, body)
    assert "the token is purple" in w.process.read(f"{w.query}.error").decode()


def test_no_query(metrics):
    w = metrics()
    assert w.process.read(w.query) == b"{}\n"
    assert w.api.calls() == []


@pytest.mark.parametrize("text", [b"[]", b"{", b"select 1"])
def test_not_a_query(metrics, text):
    w = metrics()
    with fails(errno.EINVAL):
        w.process.write(w.query, text)
    assert w.api.calls() == []
    assert w.process.read(f"{w.query}.rejected") == text


def test_a_query_is_refused(metrics):
    w = metrics()
    text = json.dumps({**query("none", w.id("plain"))}).encode()
    with fails(errno.EINVAL):
        w.process.write(w.query, text)
    assert w.api.calls() == [QUERY]
    assert "400" in w.process.read(f"{w.query}.error").decode()
    assert w.process.read(f"{w.query}.rejected") == text


@pytest.mark.parametrize("options", [{"ro": True}, {"dry_run": True}], ids=str)
def test_queries_change_nothing(metrics, options):
    w = metrics(**options)
    assert json.loads(ask(w, json.dumps(query(SENT, w.id("plain"))).encode()))["data"]
    assert len(json.loads(w.read("plain"))["data"]) >= 59
    assert samples_of(w.process.read(w.prom).decode())
    assert w.process.read(w.mounted / ".connectfs" / "changes") == b""


# Where metrics are


def test_another_url(emulators, emulator, site, mount, process):
    """With the same credentials; nothing of the rest goes there, and none of this here."""
    telemetry = emulators("--environments", 1, "--clusters", 1, "--connectors", 0)
    telemetry.fault(path="/query$", **instead({"data": []}))
    mounted = mount(emulator, "--telemetry-url", telemetry.url)
    directory = mounted.connector(site, "plain") / "metrics"
    assert process.read(directory / "sent_records.json") == canonical.render({"data": []})
    assert telemetry.calls() == [DESCRIPTORS, QUERY]
    assert {one["authorization"] for one in telemetry.requests()} == {True}
    assert [path for _, path in emulator.calls() if path.startswith("/v2/")] == []


def test_that_url_is_out_of_reach(emulators, emulator, site, mount, process):
    """Everything else works."""
    telemetry = emulators()
    telemetry.stop()
    mounted = mount(emulator, "--telemetry-url", telemetry.url, timeout=1)
    assert process.read(mounted.connector(site, "plain") / "config.json")
    with fails(errno.ECONNREFUSED, errno.ETIMEDOUT):
        process.listdir(mounted.connector(site, "plain") / "metrics")


def test_that_url_redirects(emulator, site, mount, process):
    """Credentials go to no other host."""
    listener = harness.Listener()
    try:
        emulator.fault(path="/v2/metrics", times=-1, redirect=listener.url + "/x")
        mounted = mount(emulator, timeout=2)
        with fails(errno.EPROTO):
            process.listdir(mounted.connector(site, "plain") / "metrics")
        assert listener.seen == []
    finally:
        listener.stop()


@pytest.mark.parametrize("url", ["http://example.com", "ftp://127.0.0.1", "http://u@127.0.0.1"])
def test_urls_that_are_refused(emulator, url):
    result = harness.start_fails("--telemetry-url", url, url=emulator.url)
    assert result.errors.count("\n") == 1
