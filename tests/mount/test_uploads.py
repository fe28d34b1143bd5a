"""Creating custom plugins and versions: an archive and its description, in either order."""

import errno
import json
import os
import signal

import pytest

import harness
from harness import fails, hold, poll
from uploads import (CCPM, CUSTOM, ENV, GATEWAY, LEDGER, LIST, LIST_ENVIRONMENT, PRESIGN,
                     PRESIGN_ENVIRONMENT, STATIONS, TIDES, WEATHER, Place, archive, in_environment,
                     sha256, text)

CREATE = "POST", CUSTOM
CONTENT = archive()


@pytest.fixture
def place(sample_account, mount, process):
    """place(upload_timeout=1): a mount with these options, and what is in it."""
    return lambda **options: Place(sample_account, mount(sample_account, **options), process)


def source(upload):
    return {"location": "PRESIGNED_URL_LOCATION", "upload_id": upload}


def created(p, name="Tides"):
    """The id of the plugin that a directory has become."""
    identifier = p.process.readlink(p.plugins / name)
    assert p.process.listdir(p.plugins / identifier) == ["plugin.json"]
    assert p.process.listdir(p.plugins / name) == ["plugin.json"]
    assert {name, identifier} <= set(p.process.listdir(p.plugins))
    shown = p.process.read(p.plugins / identifier / "plugin.json")
    assert shown == p.process.read(p.plugins / name / "plugin.json")
    assert shown == p.shown(f"{CUSTOM}/{identifier}")
    return identifier


def assert_draft(p, *names, word="", path="Tides"):
    """Nothing was created: the files stay as they were written, with the reason beside them."""
    directory = p.plugins / path
    assert set(p.process.listdir(directory)) == {*names, "plugin.json.error"}
    assert word in p.process.read(directory / "plugin.json.error").decode()
    assert CREATE not in p.api.calls()
    assert path in p.process.listdir(p.plugins)


# Both orders


def test_the_description_first(place):
    p = place()
    directory = p.plugins / "Tides"
    p.process.mkdir(directory)
    assert p.process.listdir(directory) == []
    p.process.write(directory / "plugin.json", text(description="High and low"))
    assert p.process.read(directory / "plugin.json") == text(description="High and low")
    p.api.clear()
    p.process.write(directory / "tides.zip", CONTENT)
    assert p.api.calls() == [LIST, ("POST", PRESIGN), ("POST", "/"), CREATE]
    upload, = p.uploads()
    assert (upload["cloud"], upload["content_format"], upload["used"]) == ("AWS", "ZIP", True)
    assert upload["archive"]["sha256"] == sha256(CONTENT)
    assert p.sent()[0] == {"cloud": "AWS", "content_format": "ZIP"}
    assert p.sent()[-1] == {
        **TIDES, "description": "High and low", "display_name": "Tides", "cloud": "AWS",
        "upload_source": source(upload["id"])}
    identifier = created(p)
    assert p.truth(identifier)["spec"]["display_name"] == "Tides"
    with fails(errno.ENOENT):
        p.process.stat(directory / "tides.zip")
    with fails(errno.ENOENT):
        p.process.stat(p.plugins / identifier / "tides.zip")


def test_the_archive_first(place):
    p = place()
    directory = p.plugins / "Tides"
    p.process.mkdir(directory)
    p.process.write(directory / "tides.jar", CONTENT)
    assert p.api.writes() == []
    assert p.process.read(directory / "tides.jar") == CONTENT
    assert p.process.stat(directory / "tides.jar").st_size == len(CONTENT)
    p.process.write(directory / "plugin.json", text(display_name="Tides of the sea"))
    assert p.api.writes() == [("POST", PRESIGN), ("POST", "/"), CREATE]
    assert p.uploads()[0]["content_format"] == "JAR"
    assert p.truth(created(p))["spec"]["display_name"] == "Tides of the sea"


@pytest.mark.parametrize("cloud, path", [("AZURE", "/azure/"), ("GCP", "/gcp/")])
def test_other_clouds(place, cloud, path):
    """A plain PUT, for Azure with the kind of its blob; the URL is as it was given."""
    p = place()
    p.process.mkdir(p.plugins / "Tides")
    p.process.write(p.plugins / "Tides" / "plugin.json", text(cloud=cloud))
    p.process.write(p.plugins / "Tides" / "tides.zip", CONTENT)
    presign, put, create = [one for one in p.api.requests() if one["method"] != "GET"]
    assert json.loads(presign["body"]) == {"cloud": cloud, "content_format": "ZIP"}
    assert put["method"] == "PUT" and put["path"].startswith(path) and put["query"]
    assert put["headers"].get("x-ms-blob-type") == ("BlockBlob" if cloud == "AZURE" else None)
    assert "Authorization" not in put["headers"] and put["headers"]["Content-Length"] \
        == str(len(CONTENT))
    assert create["path"] == CUSTOM
    assert p.uploads()[0]["archive"]["sha256"] == sha256(CONTENT)
    assert p.truth(created(p))["spec"]["cloud"] == cloud


def test_a_plugin_of_an_environment(place):
    """It has no archive: its description is enough. Its versions have."""
    p = place()
    p.process.mkdir(p.local / "Tides")
    p.process.write(p.local / "Tides" / "plugin.json", b"{}")
    assert p.api.calls() == [LIST_ENVIRONMENT, LIST_ENVIRONMENT, ("POST", CCPM)]
    assert p.sent() == [{"spec": {
        "display_name": "Tides", "cloud": "AWS", "environment": {"id": ENV}}}]
    identifier = p.process.readlink(p.local / "Tides")
    assert sorted(p.process.listdir(p.local)) == sorted(["Tides", WEATHER, identifier])
    assert sorted(p.process.listdir(p.local / "Tides")) == ["plugin.json", "versions"]
    assert p.process.listdir(p.local / "Tides" / "versions") == []

    directory = p.local / "Tides" / "versions" / "1.0.0"
    p.process.mkdir(directory)
    p.process.write(directory / "tides.zip", CONTENT)
    p.api.clear()
    p.process.write(directory / "version.json", json.dumps(STATIONS).encode())
    assert p.api.writes() == [("POST", PRESIGN_ENVIRONMENT), ("POST", "/"),
                              ("POST", f"{CCPM}/{identifier}/versions")]
    upload, = p.uploads()
    assert p.sent()[0] == {
        "cloud": "AWS", "content_format": "ZIP", "environment": {"id": ENV}}
    assert p.sent()[-1] == {"spec": {
        **STATIONS["spec"], "version": "1.0.0", "environment": {"id": ENV},
        "upload_source": source(upload["id"])}}
    version = p.process.readlink(directory)
    poll(lambda: json.loads(p.process.read(directory / "version.json"))["status"]["phase"]
         == "READY", 30)
    assert p.process.read(directory / "version.json") == p.shown(
        in_environment(f"{CCPM}/{identifier}/versions/{version}"))


def test_a_damaged_archive_fails(place):
    """What is no archive although it ends like one is refused by the API, after a while."""
    p = place(ttl_status=0.2)
    directory = p.versions / "2.0.0"
    p.process.mkdir(directory)
    p.process.write(directory / "version.json", json.dumps(STATIONS).encode())
    p.process.write(directory / "weather.zip", b"XX" + CONTENT[2:])
    status = {}

    def ended():
        status.update(json.loads(p.process.read(directory / "version.json"))["status"])
        return status["phase"] != "PROCESSING"

    poll(ended, 10)
    assert status["phase"] == "FAILED" and "archive" in status["error_message"]


# What comes along


def test_cp_r(place):
    """A prepared directory, whatever the order of its files."""
    p = place()
    prepared = p.mounted.home / "work" / "tides"
    p.process.mkdir(prepared)
    p.process.write(prepared / "plugin.json", text())
    p.process.write(prepared / "tides.zip", CONTENT)
    harness.run("cp", "-r", prepared, p.plugins / "Tides")
    assert p.api.writes() == [("POST", PRESIGN), ("POST", "/"), CREATE]
    created(p)


@pytest.mark.parametrize("options", [["-a"], ["-rt", "--fsync"], ["-a", "--delay-updates"]])
def test_rsync(place, options):
    p = place()
    prepared = p.mounted.home / "work" / "tides"
    p.process.mkdir(prepared)
    p.process.write(prepared / "plugin.json", text())
    p.process.write(prepared / "tides.zip", CONTENT)
    harness.run("rsync", *options, f"{prepared}/", p.plugins / "Tides")
    assert p.api.writes() == [("POST", PRESIGN), ("POST", "/"), CREATE]
    assert p.uploads()[0]["archive"]["sha256"] == sha256(CONTENT)
    created(p)


def prepare(p, order):
    """A plugin of an environment with a version, as somebody has prepared it."""
    prepared = p.mounted.home / "work" / "tides"
    files = {"plugin.json": b'{"spec": {"description": "High and low"}}',
             "versions/1.0.0/version.json": json.dumps(STATIONS).encode(),
             "versions/1.0.0/tides.zip": CONTENT}
    p.process.makedirs(prepared / "versions" / "1.0.0")
    for name in order:
        p.process.write(prepared / name, files[name])
    return prepared


FIRST, THEN = "plugin.json", ["versions/1.0.0/version.json", "versions/1.0.0/tides.zip"]


def assert_prepared(p, writes):
    identifier = p.process.readlink(p.local / "Tides")
    versions = f"{CCPM}/{identifier}/versions"
    assert writes == [("POST", CCPM), ("POST", PRESIGN_ENVIRONMENT), ("POST", "/"),
                      ("POST", versions)]
    assert p.truth(identifier)["spec"]["description"] == "High and low"
    version = p.process.readlink(p.local / "Tides" / "versions" / "1.0.0")
    assert p.truth(version)["archive"]["sha256"] == sha256(CONTENT)
    assert p.process.listdir(p.local / "Tides" / "versions" / "1.0.0") == ["version.json"]


@pytest.mark.parametrize("first", THEN)
def test_cp_of_a_plugin_with_its_versions(place, first):
    """In the order in which people name them; the version's files in either."""
    p = place()
    prepared = prepare(p, [FIRST, *THEN])
    source, target = prepared / "versions" / "1.0.0", p.local / "Tides" / "versions" / "1.0.0"
    p.process.mkdir(p.local / "Tides")
    harness.run("cp", prepared / "plugin.json", p.local / "Tides")
    p.process.mkdir(target)
    for name in sorted(THEN, key=lambda one: one != first):
        harness.run("cp", prepared / name, target)
    assert sorted(p.process.listdir(source)) == ["tides.zip", "version.json"]
    assert_prepared(p, p.api.writes())


@pytest.mark.parametrize("command", [["cp", "-r"], ["rsync", "-rt"], ["rsync", "-a"]])
def test_a_copy_of_a_whole_plugin(place, command):
    """What cannot be sent yet is refused, and said; the copy that is made again brings it. Where cp
    happens to begin with the description, it does not know the directory that there is then."""
    p = place()
    prepared = prepare(p, [*THEN, FIRST])
    done = harness.run(*command, f"{prepared}/.", p.local / "Tides", status=None)
    if done.status:
        late = command[0] == "cp" and "File exists" in done.errors
        assert "versions" in done.errors and (late or "Operation not permitted" in done.errors)
        assert p.api.writes() == [("POST", CCPM)]
        assert late or any("versions: nothing can be put there before" in line
                           for line in p.errors())
        assert sorted(p.process.listdir(p.local / "Tides")) == ["plugin.json", "versions"]
        harness.run(*command, f"{prepared}/.", p.local / "Tides")
    assert_prepared(p, [call for call in p.api.writes() if call[0] == "POST"])


def test_from_within(place):
    """Who is in a directory that gets its name from the API goes on as everybody else."""
    p = place()
    directory = p.local / "Tides"
    p.process.mkdir(directory)
    within = p.process.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    ino = p.process.fstat(within).st_ino
    p.process.write(directory / "plugin.json", b'{"spec": {"description": "High and low"}}')
    p.process.mkdir("versions/1.0.0", dir_fd=within)
    assert "1.0.0" in p.process.listdir(directory / "versions")
    p.process.write(directory / "versions" / "1.0.0" / "version.json",
                    json.dumps(STATIONS).encode())
    p.process.write(directory / "versions" / "1.0.0" / "tides.zip", CONTENT)
    assert_prepared(p, p.api.writes())
    assert p.process.readlink("versions/1.0.0", dir_fd=within)
    assert p.process.fstat(within).st_ino == ino


def test_versions_before_their_plugin(place):
    """Nothing looks as if it had been sent."""
    p = place()
    directory = p.local / "Tides"
    p.process.mkdir(directory)
    with fails(errno.EPERM):
        p.process.mkdir(directory / "versions")
    with fails(errno.ENOENT):
        p.process.mkdir(directory / "versions" / "1.0.0")
    assert p.process.listdir(directory) == ["plugin.json.error"]
    assert "versions" in p.process.read(directory / "plugin.json.error").decode()
    p.process.mkdir(directory / "scratch")
    p.process.rename(directory / "scratch", directory / "others")
    with fails(errno.EINVAL):
        p.process.rename(directory / "others", directory / "versions")
    p.process.write(directory / "plugin.json", b"{}")
    assert sorted(p.process.listdir(directory)) == ["others", "plugin.json", "versions"]
    p.process.mkdir(directory / "versions" / "1.0.0")
    assert p.process.listdir(directory / "versions") == ["1.0.0"]


@pytest.mark.parametrize("cloud", ["AWS", "AZURE", "GCP"])
@pytest.mark.parametrize("command", [["cp", "-r"], ["rsync", "-a"]])
def test_a_copy_for_each_cloud(place, cloud, command):
    p = place()
    prepared = p.mounted.home / "work" / "tides"
    p.process.mkdir(prepared)
    p.process.write(prepared / "tides.jar", CONTENT)
    p.process.write(prepared / "plugin.json", text(cloud=cloud))
    harness.run(*command, f"{prepared}/.", p.plugins / "Tides")
    presign, upload, create = p.api.writes()
    assert presign == ("POST", PRESIGN) and create == CREATE
    assert upload[0] == ("POST" if cloud == "AWS" else "PUT")
    one, = p.uploads()
    assert (one["cloud"], one["content_format"], one["used"]) == (cloud, "JAR", True)
    assert one["archive"]["sha256"] == sha256(CONTENT)
    assert p.truth(created(p))["spec"]["cloud"] == cloud


def by_program(p, command):
    """Brings both files, and asserts that one plugin was created of them."""
    prepared = p.mounted.home / "work" / "tides"
    p.process.mkdir(prepared)
    p.process.write(prepared / "plugin.json", text())
    p.process.write(prepared / "tides.zip", CONTENT)
    done = harness.run(f"set -e -o pipefail; {command}", shell=True, status=None, S=prepared,
                       T=p.plugins / "Tides")
    assert p.api.writes() == [("POST", PRESIGN), ("POST", "/"), CREATE]
    assert p.uploads()[0]["archive"]["sha256"] == sha256(CONTENT)
    created(p)
    return done


@pytest.mark.parametrize("command", [
    "cp -a $S $T", "mv $S $T", "mkdir $T; cp -p $S/* $T",
    "mkdir $T; dd if=$S/tides.zip of=$T/tides.zip bs=1000; tee $T/plugin.json <$S/plugin.json",
    "mkdir $T; tar -C $S -cf - . | tar -C $T -xf -",
    "mkdir $T; tar -C $S -cf - tides.zip plugin.json | tar -C $T -xf -",
    "cd $S; zip -q ../both plugin.json tides.zip; unzip -q ../both -d $T",
    "cd $S; zip -q ../both tides.zip plugin.json; unzip -q ../both -d $T",
    "rsync -a --partial-dir=.partial $S/ $T", "cd $S; mkdir $T; find . -type f | cpio -pd $T",
    "mkdir $T; cp $S/plugin.json $T; curl -sS -o $T/tides.zip file://$S/tides.zip",
    "python3 -c 'import shutil, sys; shutil.copytree(*sys.argv[1:])' $S $T"])
def test_programs(place, command):
    assert by_program(place(), command).status == 0


@pytest.mark.parametrize("command", [
    "mkdir $T; install -m 644 $S/plugin.json $S/tides.zip $T", "rsync -a --inplace $S/ $T"])
def test_programs_that_come_back_to_the_archive(place, command):
    """It is gone when they set its mode or time by its name, and they say so."""
    done = by_program(place(), command)
    assert done.status != 0 and "tides.zip" in done.errors


def test_what_the_api_adds_is_left_out(place):
    """A copy of what is shown of another plugin makes a new one."""
    p = place()
    shown = p.process.read(p.plugin)
    p.process.mkdir(p.plugins / "Copy")
    p.process.write(p.plugins / "Copy" / "gateway.zip", CONTENT)
    p.process.write(p.plugins / "Copy" / "plugin.json", shown)
    body = p.sent()[-1]
    assert body.pop("upload_source") == source(p.uploads()[0]["id"])
    given = json.loads(shown)
    for name in ("api_version", "kind", "id", "metadata", "content_format", "upload_source"):
        del given[name]
    assert body == given
    created(p, "Copy")


# Names


def test_a_name_is_used_again(place):
    """Once its link has gone, by itself or with the plugin."""
    p = place()
    made = []
    for _ in range(3):
        p.process.mkdir(p.plugins / "Tides")
        p.process.write(p.plugins / "Tides" / "plugin.json", text())
        p.process.write(p.plugins / "Tides" / "tides.zip", CONTENT)
        made.append(created(p))
        with fails(errno.EEXIST):
            p.process.mkdir(p.plugins / "Tides")
        if len(made) < 3:
            p.process.unlink(p.plugins / "Tides")
    assert len(set(made)) == 3
    harness.run("rm", "-r", p.plugins / made[2])
    assert sorted(p.process.listdir(p.plugins)) == sorted([GATEWAY, LEDGER, *made[:2]])
    p.process.mkdir(p.plugins / "Tides")
    assert p.process.listdir(p.plugins / "Tides") == []


@pytest.mark.parametrize("how", ["refresh", "SIGHUP"])
def test_what_drops_the_caches_drops_no_draft(place, how):
    p = place()
    p.process.mkdir(p.plugins / "Tides")
    p.process.write(p.plugins / "Tides" / "plugin.json", text())
    p.api.clear()
    if how == "SIGHUP":
        os.kill(p.mounted.pid, signal.SIGHUP)
    poll(lambda: (how == "SIGHUP" or p.refresh() is None) and p.process.listdir(p.plugins)
         and LIST in p.api.calls())
    assert "Tides" in p.process.listdir(p.plugins)
    assert p.process.read(p.plugins / "Tides" / "plugin.json") == text()
    p.process.write(p.plugins / "Tides" / "tides.zip", CONTENT)
    created(p)


def test_many_at_once(place):
    """Each is made of its own archive."""
    p = place()
    prepared = p.mounted.home / "work"
    contents = {f"Tides {number}": archive(300000, seed=number) for number in range(12)}
    for name, content in contents.items():
        p.process.mkdir(prepared / name)
        p.process.write(prepared / name / "plugin.json", text())
        p.process.write(prepared / name / "tides.zip", content)
    harness.run(f"printf '%s\\n' {prepared}/Tides* | "
                f"xargs -d '\\n' -P 6 -I {{}} cp -r {{}} {p.plugins}/", shell=True)
    assert len(p.api.writes()) == 3 * len(contents)
    for name, content in contents.items():
        made = p.truth(p.process.readlink(p.plugins / name))
        assert made["spec"]["display_name"] == name
        assert made["archive"]["sha256"] == sha256(content)


# Refusals


def test_a_refused_create_keeps_both(place):
    """What is corrected is sent with the upload that is there already."""
    p = place()
    directory = p.plugins / "Tides"
    p.process.mkdir(directory)
    p.process.write(directory / "tides.zip", CONTENT)
    wrong = text(connector_type="NEITHER")
    with fails(errno.EINVAL):
        p.process.write(directory / "plugin.json", wrong)
    assert p.api.writes() == [("POST", PRESIGN), ("POST", "/"), CREATE]
    assert sorted(p.process.listdir(directory)) == ["plugin.json", "plugin.json.error", "tides.zip"]
    assert p.process.read(directory / "plugin.json") == wrong
    assert p.process.read(directory / "tides.zip") == CONTENT
    assert "this is not known" in p.process.read(directory / "plugin.json.error").decode()
    hold(lambda: "plugin.json" in p.process.listdir(directory), 3)
    p.process.write(directory / "plugin.json", text())
    assert p.api.writes()[3:] == [CREATE]
    assert len(p.uploads()) == 1
    created(p)


def test_a_changed_archive_is_uploaded_anew(place):
    p = place()
    directory = p.plugins / "Tides"
    p.process.mkdir(directory)
    p.process.write(directory / "plugin.json", text())
    p.api.fault(path=CUSTOM, method="POST", status=400, body={"errors": [{"detail": "not today"}]})
    with fails(errno.EINVAL):
        p.process.write(directory / "tides.zip", CONTENT)
    other = archive(seed=2)
    p.process.write(directory / "tides.zip", other)
    assert [one["archive"]["sha256"] for one in p.uploads()] == [sha256(CONTENT), sha256(other)]
    assert [one["used"] for one in p.uploads()] == [False, True]
    created(p)


def test_an_incomplete_description(place):
    p = place()
    directory = p.plugins / "Tides"
    p.process.mkdir(directory)
    p.process.write(directory / "tides.zip", CONTENT)
    with fails(errno.EINVAL):
        p.process.write(directory / "plugin.json", text()[:-1])
    assert_draft(p, "plugin.json", "tides.zip", word="not complete, valid JSON")
    assert p.process.read(directory / "plugin.json") == text()[:-1]
    p.process.write(directory / "plugin.json", text())
    created(p)


@pytest.mark.parametrize("name", ["tides.pdf", "tides.tar.gz", "tides.7z"])
def test_a_wrong_file(place, name):
    """What was meant to be the archive is named in the error."""
    p = place()
    directory = p.plugins / "Tides"
    p.process.mkdir(directory)
    p.process.write(directory / "plugin.json", text())
    with fails(errno.EINVAL):
        p.process.write(directory / name, CONTENT)
    assert_draft(p, "plugin.json", word=name)
    assert p.api.writes() == []


@pytest.mark.parametrize("content", [CONTENT[:-30], b"%PDF-1.7 no archive at all" * 20, b"PK"],
                         ids=["cut off", "another", "short"])
def test_a_file_that_is_no_archive(place, content):
    """Cut off, or another thing under a good name: nothing is sent of it."""
    p = place()
    directory = p.plugins / "Tides"
    p.process.mkdir(directory)
    p.process.write(directory / "plugin.json", text())
    with fails(errno.EINVAL):
        p.process.write(directory / "tides.zip", content)
    assert_draft(p, "plugin.json", "tides.zip", word="tides.zip: it is no complete archive")
    assert p.api.writes() == []
    p.process.write(directory / "tides.zip", CONTENT)
    created(p)


def test_several_archives(place):
    p = place()
    directory = p.plugins / "Tides"
    p.process.mkdir(directory)
    p.process.write(directory / "one.zip", CONTENT)
    p.process.write(directory / "two.jar", CONTENT)
    with fails(errno.EINVAL):
        p.process.write(directory / "plugin.json", text())
    assert_draft(p, "plugin.json", "one.zip", "two.jar", word="several archives")
    assert p.api.writes() == []
    p.process.unlink(directory / "one.zip")
    p.process.write(directory / "plugin.json", text())
    created(p)


def test_an_archive_beside_what_exists(place):
    p = place()
    for directory in (p.plugins / "ccp-4r7k2p", p.local / WEATHER, p.versions / "ver-1c8n5q"):
        before = p.process.listdir(directory)
        with fails(errno.EPERM):
            p.process.write(directory / "more.zip", CONTENT)
        with fails(errno.EPERM):
            p.process.write(directory / ".more.jar.AbCdEf", CONTENT)
        p.process.write(directory / "scratch", b"x")
        with fails(errno.EPERM):
            p.process.rename(directory / "scratch", directory / "more.zip")
        p.process.unlink(directory / "scratch")
        assert p.process.listdir(directory) == before
    assert p.api.writes() == []
    p.process.mkdir(p.local / "Tides")
    with fails(errno.EPERM):
        p.process.write(p.local / "Tides" / "tides.zip", CONTENT)


# Uploads that go wrong


def test_an_expired_url(place):
    """Another one is asked for, once."""
    p = place()
    directory = p.plugins / "Tides"
    p.process.mkdir(directory)
    p.process.write(directory / "plugin.json", text())
    p.api.settings(upload_expiry_ms=-1)
    with fails(errno.EACCES):
        p.process.write(directory / "tides.zip", CONTENT)
    assert p.api.writes() == [("POST", PRESIGN), ("POST", "/")] * 2
    assert_draft(p, "plugin.json", "tides.zip", word="the storage answered 403")
    p.api.settings(upload_expiry_ms=3600000)
    p.api.clear()
    p.api.fault(method="POST", path="^/$", status=403, body="<Error><Message>Policy expired.")
    p.process.write(directory / "plugin.json", text())
    assert p.api.writes() == [("POST", PRESIGN), ("POST", "/")] * 2 + [CREATE]
    created(p)


def test_an_upload_is_interrupted(place, processes):
    """Ctrl-C ends it at once, and nothing is created."""
    p = place()
    directory = p.plugins / "Tides"
    p.process.mkdir(directory)
    p.process.write(directory / "plugin.json", text())
    p.api.fault(method="POST", path="^/$", times=-1, hang=True)
    writer = processes()
    call = writer.start("write", directory / "tides.zip", CONTENT)
    poll(lambda: ("POST", "/") in p.api.calls())
    with harness.takes(at_most=2):
        os.kill(writer.pid, signal.SIGINT)
        call.done(10)
    poll(lambda: "plugin.json.error" in p.process.listdir(directory))
    assert_draft(p, "plugin.json", "tides.zip", word="interrupted")
    p.api.clear_faults()
    p.process.write(directory / "plugin.json", text())
    created(p)
