"""Saving and removing the descriptions of custom plugins and their versions."""

import datetime
import errno
import json
import os

import pytest

import canonical
import harness
from harness import fails, hold, poll
from uploads import (CCPM, CUSTOM, ENV, GATEWAY, LEDGER, LIST, NEW, OLD, WEATHER, Place,
                     in_environment)
from work import changes

PATCH = "PATCH", f"{CUSTOM}/{GATEWAY}"
LOOK = "GET", f"{CUSTOM}/{GATEWAY}"
REFUSAL = {"errors": [{"status": "400", "detail": "the quota of purple plugins is used up"}]}


@pytest.fixture
def place(sample_account, mount, process):
    """place(delete_delay=1): a mount with these options, whose first plugin has been read."""
    def make(**options):
        p = Place(sample_account, mount(sample_account, **options), process)
        p.text = process.read(p.plugin)
        p.error, p.rejected = (p.plugin.with_name("plugin.json" + end)
                               for end in (".error", ".rejected"))
        sample_account.clear()
        return p
    return make


def changed(text, **members):
    """The text with other members, those of a spec where there is one."""
    value = json.loads(text)
    value.get("spec", value).update(members)
    return canonical.render(value)


def assert_refused(p, text, *words):
    """The API's content is shown, the text is kept, and the reason has these words."""
    assert p.process.read(p.plugin) == p.shown(f"{CUSTOM}/{GATEWAY}")
    assert p.process.read(p.rejected) == text
    reason = p.process.read(p.error).decode()
    for word in words:
        assert word in reason
    assert set(p.process.listdir(p.plugin.parent)) \
        == {"plugin.json", "plugin.json.error", "plugin.json.rejected"}


def assert_clean(p):
    assert p.process.listdir(p.plugin.parent) == ["plugin.json"]
    assert p.process.read(p.plugin) == p.shown(f"{CUSTOM}/{GATEWAY}")


# Saving


def test_a_save_sends_the_members_that_changed(place):
    p = place()
    p.process.write(p.plugin, changed(p.text, description="better", documentation_link=""))
    assert p.api.calls() == [LOOK, PATCH]
    assert p.api.bodies("PATCH") == [{"description": "better", "documentation_link": ""}]
    shown = p.process.read(p.plugin)
    assert json.loads(shown)["description"] == "better"
    assert p.process.stat(p.plugin).st_size == len(shown)
    assert_clean(p)
    assert len(p.api.calls()) == 2, "reading it again asks nothing"
    assert changes(p) == (
        f"update {GATEWAY}: done\n  PATCH {PATCH[1]}\n"
        f'  description: {json.dumps(json.loads(p.text)["description"])} -> "better"\n'
        f'  documentation_link: {json.dumps(json.loads(p.text)["documentation_link"])} -> ""\n')


def test_a_save_below_an_environment(place):
    """With the environment that the API asks for."""
    p = place()
    path = p.local / WEATHER / "plugin.json"
    text = p.process.read(path)
    p.api.clear()
    p.process.write(path, changed(text, display_name="Weather and tides"))
    assert p.api.calls() == [("GET", in_environment(f"{CCPM}/{WEATHER}")),
                             ("PATCH", f"{CCPM}/{WEATHER}")]
    assert p.api.bodies("PATCH") == [
        {"spec": {"display_name": "Weather and tides", "environment": {"id": ENV}}}]
    assert p.process.read(path) == p.shown(in_environment(f"{CCPM}/{WEATHER}"))
    assert changes(p).startswith(f"update {ENV}/{WEATHER}: done\n")


def test_what_says_nothing_new(place):
    """The same in another form, or less of it: a member left out stays as it is."""
    p = place()
    value = json.loads(p.text)
    p.process.write(p.plugin, p.text)
    p.process.write(p.plugin, json.dumps(dict(reversed(value.items()))).encode())
    p.process.write(p.plugin, json.dumps({"description": value["description"]}).encode())
    assert p.api.calls() == []
    assert_clean(p)
    p.process.write(p.plugin, b'{"description": "only this"}')
    assert p.api.bodies("PATCH") == [{"description": "only this"}]
    assert_clean(p)


def test_editors(place):
    """In place, by a rename, and by another name first; also what is older than the last save."""
    p = place()
    harness.run("sed", "-i", "s/\"description\": \".*\"/\"description\": \"by sed\"/", p.plugin)
    assert p.api.bodies("PATCH") == [{"description": "by sed"}]
    file = p.mounted.home / "work" / "new.json"
    file.write_bytes(changed(p.text, description="by cp"))
    harness.run("cp", file, p.plugin)
    harness.run("vim", "-N", "-u", "NONE", "-i", "NONE", "-es", "-c", "%s/by cp/by vim/", "-c",
                "w", "-c", "%s/by vim/again/", "-c", "wq", p.plugin, HOME=p.mounted.home / "work")
    assert p.api.bodies("PATCH")[1:] == [
        {"description": "by cp"}, {"description": "by vim"}, {"description": "again"}]
    poll(lambda: p.process.listdir(p.plugin.parent) == ["plugin.json"], 5)
    assert_clean(p)


@pytest.mark.parametrize("name", [".plugin.json.jArP0s", ".plugin.json.aZip12.ziP0s"])
def test_a_name_that_bears_an_ending_by_chance(place, name):
    """rsync makes such ones; an archive could not stand there."""
    p = place()
    path = p.plugin.with_name(name)
    p.process.create(path, changed(p.text, description="by chance"))
    p.process.rename(path, p.plugin)
    assert p.api.bodies("PATCH") == [{"description": "by chance"}]
    for ending in ("zip", "zip.1pW4xz", "jar", "jar~"):
        with fails(errno.EPERM):
            p.process.create(p.plugin.with_name(f".tides.{ending}"), b"")
    assert_clean(p)


@pytest.mark.parametrize("member, value", [
    ("id", "ccp-other"), ("kind", "Other"), ("api_version", "connect/v2"),
    ("metadata", {"created_at": "2020-01-01T00:00:00Z"}), ("content_format", "JAR"),
    ("connector_class", "com.example.Other"), ("connector_type", "SINK"), ("cloud", "GCP")])
def test_what_cannot_be_changed(place, member, value):
    p = place()
    assert json.loads(p.text)[member] != value
    text = changed(p.text, **{member: value})
    with fails(errno.EINVAL):
        p.process.write(p.plugin, text)
    assert p.api.calls() == [LOOK]
    assert_refused(p, text, f'"{member}" cannot be changed')


def test_what_cannot_be_changed_below_an_environment(place):
    p = place()
    path = p.local / WEATHER / "plugin.json"
    text = p.process.read(path)
    p.api.clear()
    for members in ({"environment": {"id": "env-other"}}, {"runtime_language": "PYTHON"},
                    {"cloud": "AZURE"}):
        with fails(errno.EINVAL):
            p.process.write(path, changed(text, **members))
        assert next(iter(members)) in p.process.read(path.with_name("plugin.json.error")).decode()
    value = json.loads(text)
    with fails(errno.EINVAL):
        p.process.write(path, json.dumps({**value, "description": "beside the spec"}).encode())
    assert p.api.writes() == []
    assert p.process.read(path) == text


def test_an_upload_is_passed_on(place):
    """The API may want it one day."""
    p = place()
    upload = {"location": "PRESIGNED_URL_LOCATION", "upload_id": "1234"}
    p.process.write(p.plugin, changed(p.text, upload_source=upload))
    assert p.api.calls() == [LOOK, PATCH]
    assert p.api.bodies("PATCH") == [{"upload_source": upload}]


def test_an_invalid_text(place):
    p = place()
    with fails(errno.EINVAL):
        p.process.write(p.plugin, p.text[:-3])
    with fails(errno.EINVAL):
        p.process.write(p.plugin, b'{"description": "a", "description": "b"}')
    assert p.api.calls() == []
    assert "description" in p.process.read(p.error).decode()


def test_versions_cannot_be_written(place):
    p = place()
    path = p.versions / OLD / "version.json"
    text = p.process.read(path)
    assert p.process.stat(path).st_mode & 0o777 == 0o400
    for flags in (os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_TRUNC, os.O_WRONLY | os.O_APPEND):
        with fails(errno.EACCES):
            p.process.open(path, flags)
    with fails(errno.EACCES):
        p.process.truncate(path, 0)
    p.process.write(path.with_name("scratch"), changed(text, documentation_link="http://x"))
    with fails(errno.EACCES):
        p.process.rename(path.with_name("scratch"), path)
    assert p.process.read(path) == text
    assert p.api.writes() == []


# Conflicts


def test_two_writers(place, processes):
    """Whoever saves second, going out from what is no more, overwrites nothing."""
    p = place()
    a, b = processes(), processes()
    assert a.read(p.plugin) == b.read(p.plugin) == p.text
    a.write(p.plugin, changed(p.text, description="of a"))
    text = changed(p.text, display_name="of b")
    with fails(errno.ESTALE):
        b.write(p.plugin, text)
    assert p.api.bodies("PATCH") == [{"description": "of a"}]
    assert_refused(p, text, "description", '"of a"')
    assert b"display_name" not in p.process.read(p.error), "only what they changed"
    now = b.read(p.plugin)
    b.write(p.plugin, changed(now, display_name="of b"))
    assert p.api.bodies("PATCH")[1:] == [{"display_name": "of b"}]
    assert_clean(p)


def test_two_writers_in_place(place, processes):
    """Each has a draft of its own."""
    p = place()
    a, b = processes(), processes()
    assert a.read(p.plugin) == b.read(p.plugin) == p.text
    first = a.open(p.plugin, os.O_WRONLY | os.O_TRUNC)
    a.write_fd(first, changed(p.text, description="of a"))
    second = b.open(p.plugin, os.O_WRONLY | os.O_TRUNC)
    b.write_fd(second, changed(p.text, description="of b"))
    a.close(first)
    with fails(errno.ESTALE):
        b.close(second)
    assert p.api.bodies("PATCH") == [{"description": "of a"}]


def test_changed_by_another_client(place):
    p = place()
    p.theirs(description="theirs")
    text = changed(p.text, display_name="ours")
    with fails(errno.ESTALE):
        p.process.write(p.plugin, text)
    assert p.api.calls() == [LOOK]
    assert_refused(p, text, '"theirs"')


def test_changed_between_two_attempts(place):
    p = place()
    p.api.fault(method="PATCH", path=f"/{GATEWAY}$", status=503)
    p.api.fault(method="GET", path=f"/{GATEWAY}$", skip=1,
                change={"plugin": GATEWAY, "set": {"description": "theirs"}})
    text = changed(p.text, display_name="ours")
    with fails(errno.ESTALE):
        p.process.write(p.plugin, text)
    assert p.api.calls() == [LOOK, PATCH, LOOK]
    assert_refused(p, text, '"theirs"')


def test_what_another_client_says_too(place):
    """Nothing is left to send."""
    p = place()
    p.theirs(description="the same")
    p.process.write(p.plugin, changed(p.text, description="the same"))
    assert p.api.calls() == [LOOK]
    assert_clean(p)


def test_gone_meanwhile(place):
    """Nothing is created."""
    p = place()
    p.api.control("PATCH", f"plugins/{LEDGER}", {"delete": True})
    path = p.plugins / LEDGER / "plugin.json"
    with fails(errno.ENOENT):
        p.process.write(path, changed(p.process.read(path), description="too late"))
    assert p.api.calls() == [("GET", f"{CUSTOM}/{LEDGER}")]
    assert any(LEDGER in line for line in p.errors())


# Refusals


def test_refused(place):
    p = place()
    p.api.fault(method="PATCH", status=400, body=REFUSAL)
    text = changed(p.text, description="new")
    with fails(errno.EINVAL):
        p.process.write(p.plugin, text)
    assert p.api.calls() == [LOOK, PATCH]
    assert_refused(p, text, "the quota of purple plugins is used up")
    p.process.write(p.plugin, p.text)
    assert p.api.calls() == [LOOK, PATCH], "whoever rolls back sends nothing"
    p.process.write(p.plugin, text)
    assert p.api.writes() == [PATCH, PATCH]
    assert_clean(p)


@pytest.mark.parametrize("fault, number", [
    ({"status": 401}, errno.EACCES), ({"status": 403}, errno.EACCES),
    ({"status": 404}, errno.ENOENT), ({"status": 422}, errno.EINVAL)])
def test_refused_for_other_reasons(place, fault, number):
    p = place()
    p.api.fault(method="PATCH", times=-1, **fault)
    text = changed(p.text, description="new")
    with fails(number):
        p.process.write(p.plugin, text)
    assert p.api.calls() == [LOOK, PATCH]
    assert_refused(p, text)


@pytest.mark.parametrize("fault", [
    {"status": 429}, {"status": 503}, {"drop": True}, {"truncate": 20}, {"garbage": True}])
def test_what_passes(place, fault):
    """It is looked at, and sent again where it has not arrived."""
    p = place()
    p.api.fault(method="PATCH", **fault)
    p.process.write(p.plugin, changed(p.text, description="new"))
    assert p.api.calls() in ([LOOK, PATCH, LOOK, PATCH], [LOOK, PATCH, LOOK])
    assert_clean(p)
    assert json.loads(p.process.read(p.plugin))["description"] == "new"


def test_unanswered(place):
    """It was carried out: the look tells."""
    p = place()
    p.api.fault(method="PATCH", unanswered="drop")
    p.process.write(p.plugin, changed(p.text, description="new", upload_source={
        "location": "PRESIGNED_URL_LOCATION", "upload_id": "1234"}))
    assert p.api.calls() == [LOOK, PATCH, LOOK]
    assert_clean(p)


def test_undecided(place):
    """It turns out to have been carried out: nothing is left of the refusal."""
    p = place(timeout_write=1)
    p.api.fault(method="PATCH", unanswered="hang")
    text = changed(p.text, description="new")
    with fails(errno.ETIMEDOUT):
        p.process.write(p.plugin, text)
    assert changes(p).startswith(f"update {GATEWAY}: undecided (Connection timed out)\n")
    assert p.process.read(p.rejected) == text
    p.refresh()
    poll(lambda: p.process.listdir(p.plugin.parent) == ["plugin.json"], 5)
    assert_clean(p)


def test_a_look_that_fails(place):
    p = place(timeout=1, timeout_write=1)
    for fault, number in (({"status": 403}, errno.EACCES), ({"status": 500}, errno.EIO),
                          ({"garbage": True}, errno.EBADMSG)):
        p.api.fault(method="GET", path=f"/{GATEWAY}$", times=-1, **fault)
        text = changed(p.text, description="new")
        with fails(number):
            p.process.write(p.plugin, text)
        assert p.api.writes() == []
        p.api.clear_faults()
        assert_refused(p, text)


def list_says(p, change=lambda data: data, times=-1):
    """The API's list stays as it is now, or as it is changed; as one that lags behind."""
    answer = json.loads(p.api.api(CUSTOM))
    p.api.fault(method="GET", path=f"{CUSTOM}$", times=times, status=200,
                body={**answer, "data": change(answer["data"])})


def with_time(plugin, description, updated_at):
    """A plugin in a list, with another description and time of its last change."""
    return {**plugin, "description": description,
            "metadata": {**plugin["metadata"], "updated_at": updated_at}}


def assert_shown(p, description):
    """It stays so while the list is asked for again and again."""
    asked = p.api.calls().count(LIST)

    def shown():
        assert json.loads(p.process.read(p.plugin))["description"] == description
        return p.api.calls().count(LIST) > asked + 2

    poll(shown)


def test_old_answers_after_a_save(place):
    """What was shown before is not shown again, also where no time tells that it is older."""
    p = place(ttl_plugins=0.1, settle=30)
    list_says(p, lambda data: [{name: one[name] for name in one if name != "metadata"}
                               for one in data])
    text = poll(lambda: b"metadata" not in (now := p.process.read(p.plugin)) and now)
    p.process.write(p.plugin, changed(text, description="new"))
    assert_shown(p, "new")
    p.api.clear_faults()
    p.theirs(description="theirs")
    poll(lambda: json.loads(p.process.read(p.plugin))["description"] == "theirs", 5)


def test_older_answers_after_a_save(place):
    """What this mount has never seen, and what is older by its time."""
    p = place(ttl_plugins=0.1, settle=30)
    p.process.write(p.plugin, changed(p.text, description="new"))
    saved = json.loads(p.api.api(f"{CUSTOM}/{GATEWAY}"))["metadata"]["updated_at"]
    earlier = datetime.datetime.fromisoformat(saved[:-1]) - datetime.timedelta(seconds=1)
    list_says(p, lambda data: [with_time(one, "between", earlier.isoformat() + "Z")
                               for one in data])
    assert_shown(p, "new")


def test_another_change_in_the_second_of_a_save(place):
    """The API's times are whole seconds: what no time tells apart is somebody else's change."""
    p = place(ttl_plugins=0.1, settle=30)
    p.process.write(p.plugin, changed(p.text, description="new"))
    saved = json.loads(p.api.api(f"{CUSTOM}/{GATEWAY}"))["metadata"]["updated_at"]
    list_says(p, lambda data: [with_time(one, "theirs", saved) for one in data])
    poll(lambda: json.loads(p.process.read(p.plugin))["description"] == "theirs", 5)


# Removing


def test_rm_and_its_delay(place):
    """Sent when it has stayed away for the delay, not before."""
    p = place(delete_delay=3)
    delete = "DELETE", f"{CUSTOM}/{LEDGER}"
    p.process.unlink(p.plugins / LEDGER / "plugin.json")
    hold(lambda: p.api.writes() == [], 0.7)
    poll(lambda: p.api.calls() == [delete])
    poll(lambda: p.process.listdir(p.plugins) == [GATEWAY], 5)
    assert p.truth(LEDGER) is None
    assert changes(p) == f"delete {LEDGER}: done\n  DELETE {delete[1]}\n"


def test_rm_r(place):
    """At the rmdir; what it was can be read."""
    p = place(delete_delay=30)
    path = p.plugins / LEDGER / "plugin.json"
    text = p.process.read(path)
    harness.run("rm", "-r", path.parent)
    assert p.api.calls() == [("DELETE", f"{CUSTOM}/{LEDGER}")]
    assert p.process.listdir(p.plugins) == [GATEWAY]
    assert p.process.read(p.mounted / ".connectfs" / "deleted" / f"{LEDGER}.json") == text


def test_it_comes_back(place):
    p = place(delete_delay=3)
    path = p.plugins / LEDGER / "plugin.json"
    text = p.process.read(path)
    p.process.unlink(path)
    p.process.create(path, text)
    hold(lambda: p.api.calls() == [], 3.5)
    assert p.process.read(path) == text


def test_rm_of_a_version(place):
    p = place(delete_delay=30)
    p.process.listdir(p.versions)
    p.api.clear()
    harness.run("rm", "-r", p.versions / OLD)
    assert p.api.calls() == [
        ("DELETE", in_environment(f"{CCPM}/{WEATHER}/versions/{OLD}"))]
    assert p.process.listdir(p.versions) == [NEW]
    assert changes(p).startswith(f"delete {ENV}/{WEATHER}/{OLD}: done\n")


def test_rm_r_of_a_plugin_with_versions(place):
    """The versions first, and then what they were of."""
    p = place(delete_delay=30)
    harness.run("rm", "-r", p.local / WEATHER)
    writes = p.api.writes()
    assert sorted(writes[:2]) == sorted(
        ("DELETE", in_environment(f"{CCPM}/{WEATHER}/versions/{name}")) for name in (OLD, NEW))
    assert writes[2:] == [("DELETE", in_environment(f"{CCPM}/{WEATHER}"))]
    assert p.process.listdir(p.local) == []


@pytest.mark.parametrize("how", ["delay", "unmount"])
def test_what_is_below_goes_first(place, how):
    """Also where nothing but time, or the end, sends it."""
    p = place(delete_delay=3 if how == "delay" else 30)
    p.process.unlink(p.local / WEATHER / "plugin.json")
    for name in (OLD, NEW):
        p.process.unlink(p.versions / name / "version.json")
    p.api.fault(method="DELETE", path="/versions/", times=-1, delay_ms=300)
    if how == "unmount":
        p.mounted.stop()
    poll(lambda: len(p.api.writes()) == 3)
    writes = p.api.writes()
    assert sorted(writes[:2]) == sorted(
        ("DELETE", in_environment(f"{CCPM}/{WEATHER}/versions/{name}")) for name in (OLD, NEW))
    assert writes[2:] == [("DELETE", in_environment(f"{CCPM}/{WEATHER}"))]
    poll(lambda: p.truth(WEATHER) is None, 5)


def test_versions_that_are_left(place):
    """They hinder the removal of what they are of; an empty directory of them does not."""
    p = place(delete_delay=30)
    p.process.unlink(p.local / WEATHER / "plugin.json")
    with fails(errno.ENOTEMPTY):
        p.process.rmdir(p.local / WEATHER)
    with fails(errno.ENOTEMPTY):
        p.process.rmdir(p.versions)
    assert p.api.writes() == []
    for name in (OLD, NEW):
        p.api.control("PATCH", f"plugins/{name}", {"delete": True})
    poll(lambda: p.refresh() or p.process.listdir(p.versions) == [])
    p.process.rmdir(p.local / WEATHER)
    assert p.api.writes() == [("DELETE", in_environment(f"{CCPM}/{WEATHER}"))]


def test_a_refused_removal(place):
    """Something runs on it: the file is there again, with the reason beside it."""
    p = place(delete_delay=30)
    p.process.unlink(p.plugin)
    with fails(errno.EINVAL):
        p.process.rmdir(p.plugin.parent)
    assert p.api.calls() == [("DELETE", f"{CUSTOM}/{GATEWAY}")]
    assert sorted(p.process.listdir(p.plugin.parent)) == ["plugin.json", "plugin.json.error"]
    assert p.process.read(p.plugin) == p.text
    assert GATEWAY in p.process.read(p.error).decode()
    assert changes(p).startswith(f"delete {GATEWAY}: refused")


def test_a_removal_that_nobody_answered(place):
    """It is looked for, and is not there any more."""
    p = place(delete_delay=30)
    own = f"{CUSTOM}/{LEDGER}"
    p.api.fault(method="DELETE", unanswered="drop")
    harness.run("rm", "-r", p.plugins / LEDGER)
    assert p.api.calls() == [("DELETE", own), ("GET", own)]
    assert p.process.listdir(p.plugins) == [GATEWAY]


def test_a_removal_that_passes_later(place):
    p = place(delete_delay=30)
    own = f"{CUSTOM}/{LEDGER}"
    p.api.fault(method="DELETE", status=503)
    harness.run("rm", "-r", p.plugins / LEDGER)
    assert p.api.calls() == [("DELETE", own), ("GET", own), ("DELETE", own)]
    assert p.truth(LEDGER) is None


def test_old_lists_after_a_removal(place):
    p = place(delete_delay=0, ttl_plugins=0.1, settle=30)
    list_says(p)
    p.process.unlink(p.plugins / LEDGER / "plugin.json")
    hold(lambda: p.process.listdir(p.plugins) == [GATEWAY], 0.6)
    assert p.api.calls().count(LIST) > 1


def test_the_brake(place):
    p = place(delete_delay=30, max_delete=1)
    harness.run("rm", "-r", p.plugins / LEDGER)
    with fails(errno.EPERM):
        p.process.unlink(p.versions / OLD / "version.json")
    with fails(errno.EPERM):
        p.process.unlink(p.plugin)
    assert p.api.writes() == [("DELETE", f"{CUSTOM}/{LEDGER}")]
    assert any("max_delete" in line for line in p.errors())


# What is not allowed


def test_no_delete(place):
    p = place(no_delete=True, delete_delay=0)
    for path in (p.plugin, p.local / WEATHER / "plugin.json", p.versions / OLD / "version.json"):
        with fails(errno.EPERM):
            p.process.unlink(path)
        with fails(errno.EPERM, errno.ENOTEMPTY):
            p.process.rmdir(path.parent)
        assert p.process.exists(path)
    assert p.api.writes() == []
    p.process.write(p.plugin, changed(p.text, description="new"))
    assert p.api.writes() == [PATCH]


def test_read_only(place):
    p = place(ro=True)
    for call in (lambda: p.process.write(p.plugin, p.text), lambda: p.process.unlink(p.plugin),
                 lambda: p.process.mkdir(p.plugins / "Tides"),
                 lambda: p.process.mkdir(p.versions / "2.0.0"),
                 lambda: p.process.write(p.plugins / GATEWAY / "a.zip", b"x")):
        with fails(errno.EROFS):
            call()
    assert p.api.writes() == []


def test_dry_run(place):
    """Looked at, checked, told, and not sent."""
    p = place(dry_run=True, delete_delay=0)
    p.process.write(p.plugin, changed(p.text, description="new"))
    with fails(errno.EINVAL):
        p.process.write(p.plugin, changed(p.text, cloud="GCP"))
    p.process.unlink(p.plugins / LEDGER / "plugin.json")
    p.process.unlink(p.versions / OLD / "version.json")
    assert p.api.writes() == []
    assert p.process.read(p.plugin) == p.text
    assert sorted(p.process.listdir(p.plugins)) == [GATEWAY, LEDGER]
    told = changes(p)
    own = f"{CUSTOM}/{LEDGER}"
    version = in_environment(f"{CCPM}/{WEATHER}/versions/{OLD}")
    assert told == (
        f"update {GATEWAY}: not sent (dry run)\n  PATCH {PATCH[1]}\n"
        f'  description: {json.dumps(json.loads(p.text)["description"])} -> "new"\n'
        f"delete {LEDGER}: not sent (dry run)\n  DELETE {own}\n"
        f"delete {ENV}/{WEATHER}/{OLD}: not sent (dry run)\n  DELETE {version}\n")
