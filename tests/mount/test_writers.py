"""Two mounts of one account and four writers at once on one connector: no update is lost."""

import json

import pytest

from harness import poll

WRITERS = 4


def start(work, mount, processes, seconds):
    """Has four processes count in config.json, by two mounts; what each says of its saves."""
    w = work(ttl=0.1)
    second = mount(w.api, env={"XDG_RUNTIME_DIR": w.mounted.home / "run"})
    paths = w.config, second.connector(w.site, "plain") / "config.json"
    w.site.patch("plain", merge={"count": "0", **{f"of.{i}": "0" for i in range(WRITERS)}})
    for path in paths:
        poll(lambda: w.process.read(path) == w.shown(), 10)
    w.api.settings(latency_ms=5)
    w.api.clear()
    calls = [processes().start("count_up", str(paths[number % 2]), number, seconds)
             for number in range(WRITERS)]
    return w, [call.result(seconds + 60) for call in calls]


def check(w, told):
    """Every accepted save was built on the one before it, and every other one was refused."""
    puts = [one for one in w.api.requests() if one["method"] == "PUT"]
    assert {one["status"] for one in puts} == {200}
    before = json.loads(w.text)
    before.update({"count": "0", **{f"of.{i}": "0" for i in range(WRITERS)}})
    accepted = [[] for _ in range(WRITERS)]
    for put in puts:
        now = json.loads(put["body"])
        count = int(before["count"]) + 1
        writer = next(i for i in range(WRITERS) if now[f"of.{i}"] != before[f"of.{i}"])
        assert now == {**before, "count": str(count), f"of.{writer}": str(count)}
        accepted[writer].append(count)
        before = now
    for writer, outcomes in enumerate(told):
        assert {outcome for _, outcome in outcomes} <= {"saved", "ESTALE"}
        assert [count for count, outcome in outcomes if outcome == "saved"] == accepted[writer]
    stored = w.site.config("plain")
    assert stored["count"] == before["count"] == str(len(puts))
    assert stored["kafka.api.secret"] == "never-shown-1f0c"
    assert w.api.writes() == [w.put] * len(puts)
    return len(puts), sum(map(len, told)) - len(puts)


def test_four_writers(work, mount, processes):
    w, told = start(work, mount, processes, 10)
    saved, refused = check(w, told)
    assert all(any(outcome == "saved" for _, outcome in outcomes) for outcomes in told)
    assert saved > 20 and refused > 5, "they met each other"


@pytest.mark.slow
def test_four_writers_for_a_minute(work, mount, processes):
    w, told = start(work, mount, processes, 60)
    saved, refused = check(w, told)
    assert saved > 200 and refused > 50, "they met each other"

