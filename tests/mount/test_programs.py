"""Real programs as users run them: looking around, copying, backing up, restoring."""

import errno
import json
import os
import shutil

import pytest

import canonical
import harness
import samples
from harness import hold, poll


def needs(program):
    return pytest.mark.skipif(not shutil.which(program), reason=f"{program} is not installed")


@pytest.fixture(scope="module")
def api(shared_emulators):
    return shared_emulators("--environments", 2, "--clusters", 1, "--connectors", 4,
                            "--provisioning", 0)


@pytest.fixture(scope="module")
def place(api):
    return samples.site(api)


@pytest.fixture(scope="module")
def mounted(api, place, shared_mounts):
    return shared_mounts(api)


# Looking around


def test_ls(api, place, mounted):
    output = harness.run("ls", "-lR", mounted.root).output
    assert output.count(" config.json\n") == 4 + 4 + 2
    assert ".connectfs" not in output
    listing = harness.run("ls", "-la", mounted.connector(place, "plain")).output
    size = len(place.shown("plain"))
    assert any(line.split()[4] == str(size) and line.startswith("-rw-------")
               for line in listing.splitlines() if line.endswith(" config.json"))


def test_find(mounted, process):
    found = harness.run("find", mounted.root).output.splitlines()
    assert len(found) == len(set(found)) == len(process.tree(mounted.root)) + 1
    big = harness.run("find", mounted.root, "-type", "f", "-empty").output
    assert big == ""
    links = harness.run("find", mounted.root / "by-name", "-type", "l").output.splitlines()
    assert len(links) == 2
    assert harness.run("find", mounted.root, "-name", "config.json", "-newermt",
                       "1 hour ago").output.count("config.json") >= 2


def test_cat(place, mounted):
    assert harness.run("cat", mounted.connector(place, "plain") / "config.json").output.encode() \
        == place.shown("plain")


def test_grep(place, mounted):
    found = harness.run("grep", "-r", "größe-名前", mounted / "environments").output
    assert found.count("\n") == 1 and "/other/config.json" in found
    found = harness.run("grep", "-rlE", '"tasks.max": "[0-9]+"', mounted / "environments").output
    assert found.count("\n") == 4 + 4 + 2


def test_du_wc_diff(mounted, tmp_path):
    """Sizes that programs add up are those of what they read."""
    harness.run("cp", "-r", mounted / "environments", tmp_path / "copy")
    shown = harness.run("du", "-sb", "--apparent-size", mounted / "environments").output
    assert int(shown.split()[0]) > 0
    harness.run("diff", "-r", mounted / "environments", tmp_path / "copy")
    command = "cd {} && find . -type f | sort | xargs wc -c"
    assert harness.run(command.format(mounted / "environments"), shell=True).output \
        == harness.run(command.format(tmp_path / "copy"), shell=True).output


# Backing up


@needs("rsync")
def test_rsync_out(api, mounted, process, tmp_path):
    """Byte for byte; the second run copies nothing, and asks for nothing."""
    process.tree(mounted.root)
    api.clear()
    source, target = f"{mounted.root}/", f"{tmp_path}/backup/"
    harness.run("rsync", "-a", source, target)
    harness.run("diff", "-r", source, target)
    assert harness.run("rsync", "-ai", "--delete", source, target).output == ""
    assert harness.run("rsync", "-ainc", "--delete", source, target).output == ""
    assert api.calls() == []


@needs("rsync")
def test_rsync_out_after_a_remount(emulator, site, mount, tmp_path):
    first = mount(emulator)
    harness.run("rsync", "-a", f"{first.root}/", f"{tmp_path}/backup/")
    first.stop()
    site.patch("plain", merge={"kafka.topic": "ORDERS"})
    second = mount(emulator, home=first.home)
    copied = harness.run("rsync", "-a", "--modify-window=-1", "--out-format=%n",
                         f"{second.root}/", f"{tmp_path}/backup/").output.splitlines()
    files = [name for name in copied if not name.endswith("/")]
    assert len(files) == 1 and files[0].endswith("/plain/config.json")


@needs("tar")
def test_tar_out(mounted, process, tmp_path):
    harness.run("tar", "cf", tmp_path / "backup.tar", "-C", mounted.root, "environments")
    harness.run("tar", "df", tmp_path / "backup.tar", "-C", mounted.root)
    harness.run("tar", "xf", tmp_path / "backup.tar", "-C", tmp_path)
    harness.run("diff", "-r", mounted / "environments", tmp_path / "environments")


@needs("git")
def test_git_on_a_backup(work, tmp_path):
    """One commit a change, none without one."""
    w = work()
    settings = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@t",
                "GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@t", "HOME": tmp_path}

    def commit():
        harness.run("rsync", "-a", "--delete", "--exclude=.git", f"{w.mounted.root}/environments/",
                    f"{tmp_path}/repository/")
        return harness.run(
            "git add -A && { git diff --cached --quiet || git commit -qm backup; } "
            "&& git status --porcelain && git log --oneline --stat -1",
            shell=True, cwd=tmp_path / "repository", **settings).output

    (tmp_path / "repository").mkdir()
    harness.run("git", "init", "-q", cwd=tmp_path / "repository", **settings)
    first = commit()
    assert commit() == first
    w.process.write(w.config, w.changed(kafka_topic="changed"))
    last = commit()
    assert last != first and "1 file changed, 1 insertion(+), 1 deletion(-)" in last


@needs("git")
def test_git_with_the_mount_as_its_tree(work, tmp_path):
    """git --work-tree on the mount: status is clean, checkout restores with one PUT."""
    w = work(delete_delay=0.4)
    settings = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@t",
                "GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@t", "HOME": tmp_path,
                "GIT_DIR": tmp_path / "git", "GIT_WORK_TREE": w.connectors}
    harness.run("git", "init", "-q", cwd=tmp_path, **settings)
    harness.run("git", "add", "-A", **settings)
    harness.run("git", "commit", "-qm", "all", **settings)
    assert harness.run("git", "status", "--porcelain", **settings).output == ""
    assert w.api.writes() == []
    w.process.write(w.config, w.changed(kafka_topic="changed"))
    assert harness.run("git", "status", "--porcelain", **settings).output.split() \
        == ["M", "plain/config.json"]
    w.api.clear()
    harness.run("git", "checkout", "--", "plain/config.json", **settings)
    assert w.api.calls() == [w.look, w.put]
    assert w.process.read(w.config) == w.text
    hold(lambda: w.api.writes() == [w.put], 0.6)


# Restoring


@needs("rsync")
def test_rsync_back_in(work, tmp_path):
    """What is unchanged sends nothing; a change in the backup is one PUT."""
    w = work()
    backup = tmp_path / "backup"
    harness.run("rsync", "-a", f"{w.connectors}/", f"{backup}/")
    w.api.clear()
    harness.run("rsync", "-a", f"{backup}/", f"{w.connectors}/")
    assert w.api.writes() == []
    (backup / "plain" / "config.json").write_bytes(w.changed(kafka_topic="from-the-backup"))
    harness.run("rsync", "-a", f"{backup}/", f"{w.connectors}/")
    assert w.api.writes() == [w.put]
    assert w.site.config("plain")["kafka.topic"] == "from-the-backup"
    assert harness.run("rsync", "-ai", f"{backup}/", f"{w.connectors}/").output == ""
    assert w.api.writes() == [w.put]
    w.assert_clean()


def secrets(tmp_path):
    path = tmp_path / "secrets.json"
    path.write_text(json.dumps({"kafka.api.key": "RESTOREDKEY",
                                "kafka.api.secret": "restored-secret"}))
    path.chmod(0o600)
    return path


@needs("rsync")
def test_rsync_restores_what_was_deleted(work, tmp_path):
    w = work(secrets=secrets(tmp_path))
    backup = tmp_path / "backup"
    harness.run("rsync", "-a", f"{w.connectors}/", f"{backup}/")
    harness.run("rm", "-r", w.directory)
    w.api.clear()
    harness.run("rsync", "-a", f"{backup}/", f"{w.connectors}/")
    assert w.api.writes() == [w.site.post]
    assert w.site.config("plain")["kafka.topic"] == "orders"
    assert w.site.config("plain")["kafka.api.secret"] == "restored-secret"
    poll(lambda: w.process.read(w.state) == b"RUNNING\n", 10)
    w.assert_clean()


@needs("rsync")
def test_rsync_delete_into_the_mount(work, tmp_path):
    """A connector that the backup lacks is removed: one DELETE."""
    w = work()
    backup = tmp_path / "backup"
    harness.run("rsync", "-a", f"{w.connectors}/", f"{backup}/")
    shutil.rmtree(backup / "other")
    w.api.clear()
    harness.run("rsync", "-a", "--delete", f"{backup}/", f"{w.connectors}/")
    assert w.api.writes() == [w.site.delete("other")]


@needs("tar")
@pytest.mark.parametrize("option", ["-p", "--unlink-first", "--overwrite"])
def test_tar_over_the_mount(work, tmp_path, option):
    """Nothing changed, nothing sent; a change is one PUT, no DELETE.

    tar itself complains of directories it cannot unlink and read-only files it cannot overwrite.
    """
    w = work(delete_delay=0.4)
    archive = tmp_path / "backup.tar"
    harness.run("tar", "cf", archive, "-C", w.connectors, ".")
    harness.run("tar", "xf", archive, option, "-C", w.connectors,
                status=0 if option == "-p" else None)
    hold(lambda: w.api.writes() == [], 0.6)
    w.process.write(w.config, w.changed(kafka_topic="changed-since"))
    w.api.clear()
    harness.run("tar", "xf", archive, option, "-C", w.connectors,
                status=0 if option == "-p" else None)
    hold(lambda: w.api.writes() == [w.put], 0.6)
    assert w.site.config("plain")["kafka.topic"] == "orders"


@needs("tar")
def test_tar_creates(work, tmp_path):
    w = work(secrets=secrets(tmp_path))
    archive = tmp_path / "backup.tar"
    harness.run("tar", "cf", archive, "-C", w.connectors, "plain")
    harness.run("tar", "xf", archive, "--transform", "s/^plain/twin/", "-C", w.connectors)
    assert w.api.writes() == [w.site.post]
    assert w.site.config("twin")["kafka.topic"] == "orders"


def test_cp_back_and_clone(work, tmp_path):
    w = work(secrets=secrets(tmp_path))
    harness.run("cp", "-a", w.directory, tmp_path / "backup")
    assert (tmp_path / "backup" / "config.json").read_bytes() == w.text
    assert os.stat(tmp_path / "backup" / "config.json").st_mtime_ns \
        == w.process.stat(w.config).st_mtime_ns
    harness.run("cp", tmp_path / "backup" / "config.json", w.config)
    assert w.api.writes() == []
    harness.run("cp", "-r", tmp_path / "backup", w.connectors / "clone")
    assert w.api.writes() == [w.site.post]
    assert w.site.config("clone")["name"] == "clone"


# The most used ways; tests/matrix has all of them, and what they do when something goes wrong.
@pytest.mark.parametrize("command", [
    "cp {new} {old}", "install -m 600 {new} {old}", "mv {new} {old}", "cat {new} > {old}",
    "tee {old} < {new} > /dev/null", "dd if={new} of={old} status=none",
    "cp {new} {old}.tmp; mv {old}.tmp {old}", "sponge {old} < {new}",
])
def test_ways_to_put_a_file(work, command):
    """One PUT each, no DELETE, and what was put is what is shown."""
    w = work(delete_delay=0.4)
    new = w.mounted.home / "work" / "config.json"
    new.write_bytes(w.changed(kafka_topic="put-there"))
    harness.run(command.format(new=new, old=w.config), shell=True)
    assert w.api.writes() == [w.put]
    assert w.process.read(w.config) == w.shown()
    assert w.site.config("plain")["kafka.topic"] == "put-there"
    assert w.site.config("plain")["kafka.api.secret"] == samples.PLAIN["kafka.api.secret"]
    hold(lambda: w.api.writes() == [w.put] and w.process.exists(w.config), 0.6)


# Editing with tools


@pytest.mark.parametrize("command", [
    "sed -i s/orders/edited/ {old}", "sed -i.bak s/orders/edited/ {old}",
    "perl -pi -e s/orders/edited/ {old}", """jq '."kafka.topic" = "edited"' {old} | sponge {old}""",
    """jq -c '."kafka.topic" = "edited"' {old} > {old}.tmp && mv {old}.tmp {old}""",
])
def test_editing_tools(work, command):
    w = work(delete_delay=0.4)
    harness.run(command.format(old=w.config), shell=True)
    assert w.api.calls() == [w.look, w.put]
    assert w.process.read(w.config) == w.shown()
    assert json.loads(w.process.read(w.config)) == json.loads(w.changed(kafka_topic="edited"))
    hold(lambda: w.api.writes() == [w.put] and w.process.exists(w.config), 0.6)


def test_a_tool_meets_a_refusal(work):
    """sed -i: its rename fails, and it says so; nothing is lost."""
    w = work()
    w.api.fault(method="PUT", path="/config$", times=-1, status=400, body={"message": "no edits"})
    result = harness.run("sed", "-i", "s/orders/refused/", w.config, status=None)
    assert result.status != 0 and "Invalid argument" in result.errors
    w.assert_refused(w.changed(kafka_topic="refused"), "no edits")


def test_a_tool_with_a_backup_meets_a_refusal(work):
    """sed -i.bak leaves config.json missing: it comes back."""
    w = work(delete_delay=0.4)
    w.api.fault(method="PUT", path="/config$", times=-1, status=400, body={"message": "no edits"})
    result = harness.run("sed", "-i.bak", "s/orders/refused/", w.config, status=None)
    assert result.status != 0
    poll(lambda: w.process.exists(w.config) and w.process.read(w.config) == w.text, 6)
    w.assert_refused(w.changed(kafka_topic="refused"), "no edits")
    assert w.api.writes() == [w.put]


def test_a_loop_over_many(api, place, mounted, process):
    """One PUT a connector that has the setting."""
    api.clear()
    path = mounted.connectors(place)
    before = {name: json.loads(process.read(path / name / "config.json"))
              for name in process.listdir(path)}
    harness.run(f"""cd {path} && for name in */; do
        jq '."a.new.setting" = "all"' "$name/config.json" | sponge "$name/config.json"
    done""", shell=True)
    assert len(api.writes()) == len(before)
    for name, content in before.items():
        assert json.loads(process.read(path / name / "config.json")) \
            == dict(content, **{"a.new.setting": "all"})
        assert canonical.config(dict(content, **{"a.new.setting": "all"})) \
            == place.shown(name)


def test_restore_into_another_cluster(emulators, mount, tmp_path):
    """The settings that belong to the first cluster are left out; the API sets its own."""
    api = emulators("--environments", 1, "--clusters", 2, "--connectors", 1,
                    "--provisioning", 0)
    env, clusters = samples.clusters_of(api)[0]
    first, second = (harness.Site(api, env, cluster) for cluster in clusters)
    first.create("plain", samples.PLAIN)
    mounted = mount(api, secrets=secrets(tmp_path))
    harness.run("cp", "-r", mounted.connector(first, "plain"), mounted.connectors(second))
    assert api.writes() == [second.post]
    assert second.config("plain")["kafka.topic"] == "orders"
    sent = api.bodies("POST")[0]["config"]
    assert not set(sent) & {"cloud.environment", "cloud.provider", "kafka.endpoint", "kafka.region"}


def test_many_at_once(work, processes):
    """Readers, listers, savers and refreshers at once, for a while; the last save is what is."""
    w = work(ttl=0.05, ttl_status=0.05, delete_delay=0.2)
    loops = [
        f"cat {w.config} >/dev/null", f"ls -lR {w.connectors} >/dev/null",
        f"echo > {w.mounted.root}/.connectfs/refresh", f"touch {w.directory}/a; rm {w.directory}/a",
        f"mkdir {w.connectors}/new; rmdir {w.connectors}/new",
        f"sed -i s/orders/orders/ {w.config}", f"cat {w.directory}/status.json >/dev/null",
    ]
    script = w.mounted.home / "work" / "script"
    script.write_text("#!/bin/bash\nend=$((SECONDS + 3))\n" + "\n".join(
        f"(while [ $SECONDS -lt $end ]; do {loop}; done) 2>/dev/null &" for loop in loops)
        + "\nwait\n")
    script.chmod(0o700)
    saver = processes()
    running = processes().start("system", str(script))
    number = 0
    while not running.done():
        number += 1
        try:
            text = saver.read(w.config)
            saver.write(w.directory / "mine", text.replace(b"ORDERS", b"ORDERS"))
            saver.rename(w.directory / "mine", w.config)
        except OSError as error:
            assert error.errno in (errno.ENOENT, errno.ESTALE, errno.EINVAL, errno.EBUSY), error
    assert running.result() == 0 and number > 10
    poll(lambda: w.process.exists(w.config), 5)
    w.process.write(w.config, w.changed(kafka_topic="the-last"))
    assert w.site.config("plain")["kafka.topic"] == "the-last"
    assert w.process.read(w.config) == w.shown()
    assert "DELETE" not in [call[0] for call in w.api.calls()]
