"""A plugin that does not exist yet: what may be done in its directory, and what is told of it."""

import errno
import json
import re

import pytest

import harness
from harness import fails, hold, poll
from uploads import (CCPM, CUSTOM, ENV, GATEWAY, LEDGER, LIST, NEW, PRESIGN, STATIONS, TIDES,
                     WEATHER, Place, archive, in_environment)
from work import changes

CONTENT = archive()
ASK, UPLOAD, CREATE = ("POST", PRESIGN), ("POST", "/"), ("POST", CUSTOM)
BACKUP = {"vim": [], "vim, by a rename": ["-c", "set backupcopy=no"],
          "vim, with a backup": ["-c", "set backup backupcopy=no"]}
EDITORS = ["sed -i", *BACKUP]
VIM = ["vim", "-N", "-u", "NONE", "-i", "NONE", "-es"]


@pytest.fixture
def place(sample_account, mount, process):
    """place(dry_run=True): a mount with these options, where Tides has nothing yet."""
    def make(**options):
        p = Place(sample_account, mount(sample_account, **options), process)
        p.directory = p.plugins / "Tides"
        p.archive, p.json = p.directory / "tides.zip", p.directory / "plugin.json"
        if not options.get("ro"):
            process.mkdir(p.directory)
        sample_account.clear()
        return p
    return make


def text(**members):
    return (json.dumps({**TIDES, **members}, indent=2) + "\n").encode()


def tides(p):
    """The plugins that were made, as the emulator has them."""
    return [one for one in p.api.control("GET", "plugins")
            if one["spec"].get("display_name") == "Tides"]


def edit(p, how, path, old, new):
    """As people do; in the mount's own home, so that no configuration of theirs counts."""
    if how == "sed -i":
        harness.run("sed", "-i", f"s/{old}/{new}/", path)
        return
    harness.run(*VIM, *BACKUP[how], "-c", f"%s/{old}/{new}/", "-c", "wq", path,
                HOME=p.mounted.home / "work")


def processed(p):
    """Makes a version, which the API works on for long; its id."""
    p.api.settings(processing_ms=600000, processing_reads=1000000)
    p.process.mkdir(p.versions / "2.0.0")
    p.process.write(p.versions / "2.0.0" / "weather.zip", CONTENT)
    p.process.write(p.versions / "2.0.0" / "version.json", json.dumps(STATIONS).encode())
    name = p.process.readlink(p.versions / "2.0.0")
    p.api.clear()
    return name


def phase(p, name):
    return json.loads(p.process.read(p.versions / name / "version.json"))["status"]["phase"]


# Editors


@pytest.mark.parametrize("how", EDITORS)
def test_a_draft_is_edited(place, how):
    """Nothing is sent of it before its archive is there, and then what was saved last."""
    p = place()
    p.process.write(p.json, text(description="first"))
    edit(p, how, p.json, "first", "second")
    assert p.process.read(p.json) == text(description="second")
    edit(p, how, p.json, "second", "third")
    assert p.process.read(p.json) == text(description="third")
    hold(lambda: p.process.read(p.json) == text(description="third"), 2.5)
    assert p.api.writes() == []
    p.process.write(p.archive, CONTENT)
    assert p.api.writes() == [ASK, UPLOAD, CREATE]
    assert tides(p)[0]["spec"]["description"] == "third"


@pytest.mark.parametrize("how", EDITORS)
def test_a_refused_draft_is_edited(place, how):
    """The save is the next attempt."""
    p = place()
    p.process.write(p.archive, CONTENT)
    with fails(errno.EINVAL):
        p.process.write(p.json, text(connector_type="NEITHER"))
    edit(p, how, p.json, "NEITHER", "SINK")
    one, = tides(p)
    assert one["spec"]["connector_type"] == "SINK"
    assert p.api.writes() == [ASK, UPLOAD, CREATE, CREATE]
    poll(lambda: "plugin.json.error" not in p.process.listdir(p.directory))
    assert p.process.read(p.json) == p.shown(f"{CUSTOM}/{one['id']}")


@pytest.mark.parametrize("delay", [0, 1])
@pytest.mark.parametrize("how", EDITORS)
def test_an_editor_on_a_version_that_is_processed(place, how, delay):
    """It cannot be changed: nothing of it is lost, and nothing is sent. vim removes what it may
    not write to, and makes another one."""
    p = place(ttl_status=0.5, delete_delay=delay)
    name = processed(p)
    path = p.versions / name / "version.json"
    shown = p.process.read(path)
    if how == "sed -i":
        harness.run("sed", "-i", "s/2.0.0/9.9.9/", path, status=4)
    else:
        harness.run(*VIM, *BACKUP[how], "-c", "%s/2.0.0/9.9.9/", "-c", "w!", "-c", "q!", path,
                    status=None, HOME=p.mounted.home / "work")
    poll(lambda: p.process.exists(path) and p.process.read(path) == shown)
    hold(lambda: p.process.read(path) == shown, delay + 0.5)
    assert p.api.writes() == []
    assert (p.truth(name)["phase"], p.truth(name)["spec"]["version"]) == ("PROCESSING", "2.0.0")
    p.api.control("PATCH", f"plugins/{name}", {"phase": "READY"})
    poll(lambda: phase(p, name) == "READY")


@pytest.mark.parametrize("how", EDITORS)
def test_a_plugin_is_edited_while_its_version_is_processed(place, how):
    p = place(ttl_status=0.2)
    version = processed(p)
    path = p.local / WEATHER / "plugin.json"
    name = json.loads(p.process.read(path))["spec"]["display_name"]
    edit(p, how, path, name, "Of the editor")
    assert p.api.bodies("PATCH") == [
        {"spec": {"display_name": "Of the editor", "environment": {"id": ENV}}}]
    assert p.process.read(path) == p.shown(in_environment(f"{CCPM}/{WEATHER}"))
    assert phase(p, version) == "PROCESSING"


# Two mounts


def test_two_mounts(place, mount, sample_account, processes):
    """Whoever saves second, going out from what is no more, overwrites nothing."""
    p, q = place(), Place(sample_account, mount(sample_account), processes())
    before = p.process.read(p.plugin)
    assert q.process.read(q.plugin) == before
    members = json.loads(before)
    p.process.write(p.plugin, json.dumps({**members, "description": "of p"}).encode())
    theirs = json.dumps({**members, "description": "of q"}).encode()
    with fails(errno.ESTALE):
        q.process.write(q.plugin, theirs)
    assert p.api.bodies("PATCH") == [{"description": "of p"}]
    assert q.process.read(q.plugin.with_name("plugin.json.rejected")) == theirs
    assert '"of p"' in q.process.read(q.plugin.with_name("plugin.json.error")).decode()
    now = q.process.read(q.plugin)
    assert now == q.shown(f"{CUSTOM}/{GATEWAY}")
    q.process.write(q.plugin, json.dumps({**json.loads(now), "description": "of both"}).encode())
    assert p.api.bodies("PATCH")[1:] == [{"description": "of both"}]
    assert q.process.listdir(q.plugin.parent) == ["plugin.json"]


def test_two_mounts_create_the_same(place, mount, sample_account, processes):
    """Display names are not unique: each becomes one of its own."""
    p, q = place(), Place(sample_account, mount(sample_account), processes())
    q.process.mkdir(q.plugins / "Tides")
    for one in (p, q):
        one.process.write(one.plugins / "Tides" / "plugin.json", text())
        one.process.write(one.plugins / "Tides" / "tides.zip", CONTENT)
    ids = [one.process.readlink(one.plugins / "Tides") for one in (p, q)]
    assert sorted(ids) == sorted(one["id"] for one in tides(p)) and len(set(ids)) == 2


# What is told, and what is allowed


def test_the_audit_trail(place):
    p = place()
    p.process.write(p.json, text())
    p.api.fault(method="POST", path=f"{CUSTOM}$", status=400, body={"message": "not today"})
    with fails(errno.EINVAL):
        p.process.write(p.archive, CONTENT)
    members = (f'  cloud: (not set) -> "AWS"\n'
               f'  connector_class: (not set) -> "{TIDES["connector_class"]}"\n'
               f'  connector_type: (not set) -> "SOURCE"\n'
               f'  display_name: (not set) -> "Tides"\n')
    assert changes(p) == (
        f"create Tides: refused (Invalid argument)\n  POST {CUSTOM}\n{members}")
    p.process.write(p.json, text())
    assert changes(p).endswith(f"create Tides: done\n  POST {CUSTOM}\n{members}")
    p.process.mkdir(p.versions / "2.0.0")
    p.process.write(p.versions / "2.0.0" / "version.json", json.dumps(STATIONS).encode())
    p.process.write(p.versions / "2.0.0" / "weather.zip", CONTENT)
    assert f"create {ENV}/{WEATHER}/2.0.0: done\n  POST {CCPM}/{WEATHER}/versions\n" in changes(p)


def test_dry_run(place):
    """Nothing leaves, not even what asks for a place; what would be made stays as it is."""
    p = place(dry_run=True)
    p.process.write(p.json, text())
    p.process.write(p.archive, CONTENT)
    p.process.mkdir(p.local / "Local")
    p.process.write(p.local / "Local" / "plugin.json", b"{}")
    p.process.mkdir(p.versions / "2.0.0")
    p.process.write(p.versions / "2.0.0" / "weather.zip", CONTENT)
    p.process.write(p.versions / "2.0.0" / "version.json", json.dumps(STATIONS).encode())
    assert p.api.writes() == []
    assert sorted(p.process.listdir(p.directory)) == ["plugin.json", "tides.zip"]
    assert p.process.read(p.json) == text()
    assert p.process.read(p.archive) == CONTENT
    headings = [line for line in changes(p).splitlines() if not line.startswith("  ")]
    assert headings == ["create Tides: not sent (dry run)",
                        f"create {ENV}/Local: not sent (dry run)",
                        f"create {ENV}/{WEATHER}/2.0.0: not sent (dry run)"]
    p.mounted.stop()
    assert p.api.writes() == []


def test_read_only(place):
    p = place(ro=True)
    for path in (p.plugins / "Tides", p.local / "Tides", p.versions / "2.0.0"):
        with fails(errno.EROFS):
            p.process.mkdir(path)
    for path in (p.plugin, p.local / WEATHER / "plugin.json", p.versions / NEW / "version.json"):
        for call in (lambda: p.process.unlink(path), lambda: p.process.rmdir(path.parent),
                     lambda: p.process.rename(path, path.with_name("other")),
                     lambda: p.process.truncate(path, 0),
                     lambda: p.process.write(path.with_name("a.zip"), CONTENT)):
            with fails(errno.EROFS):
                call()
    assert p.api.writes() == []


def test_drafts_are_nobody_elses(place):
    """What was never created is removed without a word, whatever forbids removals."""
    p = place(no_delete=True, max_delete=1, delete_delay=30)
    for _ in range(3):
        p.process.write(p.json, text())
        p.process.unlink(p.json)
        p.process.write(p.archive, CONTENT)
        p.process.unlink(p.archive)
    p.process.write(p.archive, CONTENT)
    with fails(errno.ENOTEMPTY):
        p.process.rmdir(p.directory)
    harness.run("rm", "-r", p.directory)
    assert "Tides" not in p.process.listdir(p.plugins)
    assert p.api.writes() == []
    assert p.errors() == []


def test_the_brake_counts_all_kinds(place):
    """Plugins and versions with each other."""
    p = place(max_delete=2, delete_delay=30)
    p.process.listdir(p.versions)
    harness.run("rm", "-r", p.plugins / LEDGER)
    harness.run("rm", "-r", p.versions / NEW)
    for path in (p.plugin, p.local / WEATHER / "plugin.json"):
        with fails(errno.EPERM):
            p.process.unlink(path)
    assert p.api.writes() == [
        ("DELETE", f"{CUSTOM}/{LEDGER}"),
        ("DELETE", in_environment(f"{CCPM}/{WEATHER}/versions/{NEW}"))]
    assert any("max_delete" in line for line in p.errors())


@pytest.mark.parametrize("cloud", ["AWS", "AZURE", "GCP"])
def test_no_ticket_is_told(place, cloud):
    """Whoever has a presigned URL or its form may upload: neither is in a log or a message."""
    p = place(timeout_write=2)
    p.process.write(p.json, text(cloud=cloud))
    p.api.fault(path="^/$|^/azure/|^/gcp/", times=-1, status=500,
                body="<Error><Message>purple</Message></Error>")
    with fails(errno.EIO):
        p.process.write(p.archive, CONTENT)
    reason = p.process.read(p.directory / "plugin.json.error").decode()
    assert "purple" in reason
    told = "\n".join([reason, p.mounted.log(), *p.errors(), changes(p),
                      p.process.read(p.mounted / ".connectfs" / "status.json").decode()])
    assert not re.search("(?i)signature|sig=|policy|amz|security-token", told)


def test_a_list_that_lags(place):
    """What was created stays, whatever older answers say."""
    p = place(ttl_plugins=0.1, settle=30)
    older = json.loads(p.api.api(CUSTOM))
    p.process.write(p.json, text())
    p.process.write(p.archive, CONTENT)
    one, = tides(p)
    p.api.fault(method="GET", path=f"{CUSTOM}$", times=-1, status=200, body=older)
    asked = p.api.calls().count(LIST)

    def stays():
        assert one["id"] in p.process.listdir(p.plugins)
        assert json.loads(p.process.read(p.json))["id"] == one["id"]
        return p.api.calls().count(LIST) > asked + 2

    poll(stays)


def test_a_version_in_a_list_that_lags(place):
    """It is asked for until it is ready all the same."""
    p = place(ttl_status=0.1, settle=30)
    versions = f"{CCPM}/{WEATHER}/versions"
    older = json.loads(p.api.api(in_environment(versions)))
    name = processed(p)
    p.api.fault(method="GET", path=f"{versions}$", times=3, status=200, body=older)

    def stays():
        assert phase(p, name) == "PROCESSING"
        return len(p.api.calls()) > 4

    poll(stays)
    p.api.control("PATCH", f"plugins/{name}", {"phase": "READY"})
    poll(lambda: phase(p, name) == "READY")
