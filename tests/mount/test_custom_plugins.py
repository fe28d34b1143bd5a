"""Plugins that people bring along: those of the organization, those of an environment with their
versions."""

import errno
import json
import os

import pytest

from harness import elapse, fails, hold, poll
from uploads import (CCPM, CUSTOM, ENV, GATEWAY, LEDGER, LIST, LIST_ENVIRONMENT, LIST_VERSIONS,
                     NEW, OLD, WEATHER, Place, in_environment)


@pytest.fixture
def place(sample_account, mount, process):
    """place(ttl_status=1): a mount with these options, and what is in it."""
    return lambda **options: Place(sample_account, mount(sample_account, **options), process)


# Reading


def test_names(place):
    p = place()
    assert sorted(p.process.listdir(p.plugins)) == [GATEWAY, LEDGER]
    assert p.process.listdir(p.plugins / GATEWAY) == ["plugin.json"]
    assert p.process.listdir(p.local) == [WEATHER]
    assert sorted(p.process.listdir(p.local / WEATHER)) == ["plugin.json", "versions"]
    assert sorted(p.process.listdir(p.versions)) == [OLD, NEW]
    assert p.process.listdir(p.versions / OLD) == ["version.json"]
    others = [env for env in p.api.account() if env != ENV]
    assert others
    for env in others:
        assert p.process.listdir(p.mounted / "environments" / env / "plugins") == []


def test_bytes(place):
    """As the API has them, in its order; the size is that of the bytes."""
    p = place()
    for path, answer in (
            (p.plugins / GATEWAY / "plugin.json", f"{CUSTOM}/{GATEWAY}"),
            (p.plugins / LEDGER / "plugin.json", f"{CUSTOM}/{LEDGER}"),
            (p.local / WEATHER / "plugin.json", in_environment(f"{CCPM}/{WEATHER}")),
            (p.versions / OLD / "version.json",
             in_environment(f"{CCPM}/{WEATHER}/versions/{OLD}")),
            (p.versions / NEW / "version.json",
             in_environment(f"{CCPM}/{WEATHER}/versions/{NEW}"))):
        text, opened, status = p.process.read_and_stat(path)
        assert text == p.shown(answer)
        assert opened.st_size == status.st_size == len(text)
    assert json.loads(p.process.read(p.versions / NEW / "version.json"))["spec"]["version"] \
        == "1.1.0"


def test_times(place):
    """The API's own word on when it was changed."""
    p = place()
    for name, at in ((GATEWAY, 1709287200), (LEDGER, 1709373600)):
        shown = json.loads(p.process.read(p.plugins / name / "plugin.json"))
        assert shown["metadata"]["updated_at"] == {
            GATEWAY: "2024-03-01T10:00:00Z", LEDGER: "2024-03-02T10:00:00Z"}[name]
        assert p.process.stat(p.plugins / name / "plugin.json").st_mtime == at


def test_requests(place):
    """One a list, whatever is read of it; believed for long."""
    p = place()
    p.process.tree(p.plugins)
    assert p.api.calls() == [LIST]
    p.process.tree(p.local)
    assert p.api.calls() == [LIST, LIST_ENVIRONMENT, LIST_VERSIONS]
    p.process.tree(p.plugins)
    p.process.tree(p.local)
    assert len(p.api.calls()) == 3


def test_no_listing_is_needed_for_a_known_id(place):
    """A path that is opened from the top costs the lists on its way."""
    p = place()
    p.process.read(p.versions / OLD / "version.json")
    assert p.api.calls() == [LIST_ENVIRONMENT, LIST_VERSIONS]


def test_several_pages(place):
    """All pages, by their tokens."""
    p = place()
    first = json.loads(p.api.api(CUSTOM))["data"]
    pages = [first[:1], [dict(first[0], id="ccp-second")], first[1:]]
    for number, page in enumerate(pages):
        following = {} if number == 2 else {
            "next": f"https://elsewhere.example{CUSTOM}?page_token=page{number + 1}"}
        p.api.fault(path=CUSTOM, query=f"page_token=page{number}$" if number else "page_size=100$",
                    status=200, body={"data": page, "metadata": following})
    assert sorted(p.process.listdir(p.plugins)) == sorted([GATEWAY, LEDGER, "ccp-second"])
    assert p.api.calls() == [LIST, ("GET", f"{CUSTOM}?page_size=100&page_token=page1"),
                             ("GET", f"{CUSTOM}?page_size=100&page_token=page2")]


def test_ttl(place):
    p = place(ttl_plugins=0.5)
    path = p.plugins / GATEWAY / "plugin.json"
    p.process.read(path)
    p.api.control("PATCH", f"plugins/{GATEWAY}", {"set": {"description": "another"}})
    poll(lambda: p.process.read(path) == p.shown(f"{CUSTOM}/{GATEWAY}"), 5)
    assert set(p.api.calls()) == {LIST}


def phase(p, name=NEW):
    return json.loads(p.process.read(p.versions / name / "version.json"))["status"]["phase"]


def test_a_version_that_is_processed(place):
    """Read again until it has ended, no later than any other status; then believed for long."""
    p = place(ttl_status=0.5)
    p.api.settings(processing_ms=600000, processing_reads=1000)
    p.api.control("PATCH", f"plugins/{NEW}", {"phase": "PROCESSING"})
    assert phase(p) == "PROCESSING"
    assert phase(p, OLD) == "READY"
    asked = p.api.calls().count(LIST_VERSIONS)
    p.api.control("PATCH", f"plugins/{NEW}",
                  {"phase": "FAILED", "error_message": "the archive is damaged"})
    poll(lambda: phase(p) == "FAILED", 5)
    assert p.api.calls().count(LIST_VERSIONS) > asked
    asked = p.api.calls().count(LIST_VERSIONS)
    assert p.process.read(p.versions / NEW / "version.json") \
        == p.shown(in_environment(f"{CCPM}/{WEATHER}/versions/{NEW}"))
    p.api.control("PATCH", f"plugins/{NEW}", {"phase": "READY"})
    hold(lambda: phase(p) == "FAILED", 1)
    assert p.api.calls().count(LIST_VERSIONS) == asked


def test_what_is_not_there(place):
    p = place()
    for path in (p.plugins / "ccp-none", p.local / GATEWAY, p.local / "ccp-none" / "versions",
                 p.versions / "ver-none", p.plugins / GATEWAY / "versions"):
        with fails(errno.ENOENT):
            p.process.stat(path)


def test_a_plugin_that_goes_away(place):
    """Its versions are gone with it; what else is wrong is no absence."""
    p = place(ttl_plugins=0.3, stale=0)
    for name in ("one", "two"):
        p.post(CCPM, {"spec": {"display_name": name, "cloud": "AWS", "environment": {"id": ENV}}})
    assert sorted(p.process.listdir(p.versions)) == [OLD, NEW]
    held = p.process.open(p.versions, os.O_RDONLY | os.O_DIRECTORY)
    for name in (OLD, NEW, WEATHER):
        p.api.control("PATCH", f"plugins/{name}", {"delete": True})
    elapse(0.4)
    with fails(errno.ENOENT):
        p.process.stat(f"{OLD}/version.json", dir_fd=held)
    p.process.close(held)
    with fails(errno.ENOENT):
        p.process.stat(p.versions)


@pytest.mark.parametrize("fault, number", [
    ({"status": 403}, errno.EACCES), ({"status": 500}, errno.EIO),
    ({"drop": True}, errno.EIO), ({"garbage": True}, errno.EBADMSG),
    ({"truncate": 40}, errno.EBADMSG), ({"status": 404}, errno.EIO),
    ({"body_only": '{"data": [{"display_name": "no id"}]}'}, errno.EBADMSG)])
def test_no_failure_looks_like_absence(place, fault, number):
    p = place(timeout=1, stale=0)
    p.api.fault(path="custom-connector-plugins|/ccpm/", times=-1, **fault)
    for path in (p.plugins, p.local):
        with fails(number):
            p.process.listdir(path)
        with fails(number):
            p.process.stat(path / GATEWAY)
    with fails(number):
        p.process.read(p.versions / OLD / "version.json")


def test_what_was_read_serves_while_the_api_fails(place):
    p = place(ttl_plugins=0.2, timeout=1)
    text = p.process.read(p.versions / OLD / "version.json")
    listed = p.process.listdir(p.plugins)
    p.api.fault(path="custom-connector-plugins|/ccpm/", times=-1, status=503)
    elapse(0.3)
    assert p.process.read(p.versions / OLD / "version.json") == text
    assert p.process.listdir(p.plugins) == listed
