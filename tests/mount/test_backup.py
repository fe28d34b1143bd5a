"""Backups: what each program copies, in its own words, and what it asks the API for.

An unchanged tree costs nothing the second time, after a remount and after a crash; a change of one
value that keeps the length is always found. At the end stands a table of how much was copied.
"""

import json
import re
import shutil

import pytest

import harness
import samples
from harness import elapse
from state_files import wait_until_saved

TABLE = "Files that were copied"
STAGES = ("program", "first run", "second", "remounted", "killed", "changed by API", "by save")


class Rsync:
    """rsync -a; times to the nanosecond."""

    blind = 0
    below = ""  # what it copies, or tells of

    def __init__(self, home):
        self.home = home

    def run(self, mounted):
        output = harness.run("rsync", "-a", "--delete", "--modify-window=-1", "--stats",
                             "--out-format=%i %n", f"{mounted.root}/", f"{self.home}/copy/").output
        copied = [line.split(" ", 1)[1] for line in output.splitlines()
                  if line.startswith(">f")]
        [count] = re.findall(r"^Number of regular files transferred: (\d+)", output, re.M)
        assert int(count) == len(copied)
        assert "*deleting" not in output
        return copied


class Tar(Rsync):
    """tar --listed-incremental, but for the device: each mount has one of its own."""

    below = "environments"

    def run(self, mounted):
        output = harness.run("tar", "-cvf", self.home / "archive", "--no-check-device",
                             f"--listed-incremental={self.home}/list", "-C", mounted.root,
                             "environments").output
        return [line for line in output.splitlines() if not line.endswith("/")]


class Git(Rsync):
    """git with the mount as its work tree: what the index takes for changed is read again."""

    below = "environments"

    def git(self, mounted, *args, status=0):
        return harness.run(
            "git", *args, status=status, HOME=self.home, GIT_CONFIG_GLOBAL="/dev/null",
            GIT_DIR=self.home / "git", GIT_WORK_TREE=mounted.root, GIT_AUTHOR_NAME="t",
            GIT_AUTHOR_EMAIL="t@t", GIT_COMMITTER_NAME="t", GIT_COMMITTER_EMAIL="t@t").output

    def run(self, mounted):
        new = not (self.home / "git").exists()
        if new:
            self.git(mounted, "init", "-q")
        stale = self.git(mounted, "diff-files", "--name-only").splitlines()
        added = re.findall("^add '(.*)'$", self.git(mounted, "add", "-Av", "environments"), re.M)
        self.git(mounted, "commit", "-qm", "backup", "-uno", status=None if not added else 0)
        assert self.git(mounted, "status", "--porcelain", "environments") == ""
        assert new or stale == added
        return added


class Restic(Rsync):
    """restic backup: by size, mtime, ctime and inode."""

    def run(self, mounted):
        settings = {"HOME": self.home, "RESTIC_PASSWORD": "x", "RESTIC_REPOSITORY": self.home / "r"}
        if not (self.home / "r").exists():
            harness.run("restic", "init", "-q", **settings)
        output = harness.run("restic", "backup", "--json", "-vv", mounted.root, **settings).output
        messages = [json.loads(line) for line in output.splitlines()]
        summary = messages[-1]
        copied = [message["item"] for message in messages
                  if message.get("action") in ("new", "modified")
                  and not message["item"].endswith("/")]
        assert summary["files_new"] + summary["files_changed"] == len(copied)
        assert (summary["data_blobs"] > 0) == (len(copied) > 0)
        return copied


class Borg(Rsync):
    """borg create: by size, ctime and inode; what bears the newest time is always read again."""

    count, newest = 0, None

    def borg(self, *args):
        return harness.run("borg", *args, HOME=self.home, BORG_BASE_DIR=self.home,
                           BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK="yes")

    def chunks(self):
        info = json.loads(self.borg("info", "--json", self.home / "r").output)
        return info["cache"]["stats"]["total_unique_chunks"]

    def run(self, mounted):
        if self.count == 0:
            self.borg("init", "-e", "none", self.home / "r")
        before, again = self.chunks(), self.newest
        self.count += 1
        listed = self.borg("create", "--list", "--filter=AMCE", f"{self.home / 'r'}::{self.count}",
                           mounted.root).errors
        copied = re.findall("^[AMCE] (.*)$", listed, re.M)
        self.newest = harness.run("find", mounted.root, "-type", "f", "-printf", "%C@ %p\\n").output
        self.newest = max(line.split(" ", 1) for line in self.newest.splitlines())[1]
        if self.chunks() - before == 1:  # the archive's own
            assert copied == [again]
            return []
        return [path for path in copied if path != again] or copied


class Rclone(Rsync):
    """rclone sync: by size and mtime."""

    def run(self, mounted):
        errors = harness.run(
            "rclone", "sync", "--links", "-v", "--use-json-log", "--stats-log-level", "NOTICE",
            "--stats", "1h", mounted.root, self.home / "copy", HOME=self.home,
            RCLONE_CONFIG="/dev/null").errors
        messages = [json.loads(line) for line in errors.splitlines()]
        copied = [message["object"] for message in messages
                  if message["msg"].startswith("Copied")]
        assert messages[-1]["stats"]["transfers"] == len(copied)
        assert messages[-1]["stats"]["deletes"] == messages[-1]["stats"]["errors"] == 0
        return [path for path in copied if not path.endswith(".rclonelink")]


class Unison(Rsync):
    """unison: by mtime and inode; it takes times that differ by a second for the same."""

    blind = 2.1
    below = "environments"

    def run(self, mounted):
        (self.home / "copy").mkdir(exist_ok=True)
        result = harness.run("unison", mounted.root, self.home / "copy", "-batch", "-auto", "-ui",
                             "text", "-times", "-perms", "0", "-log=false", HOME=self.home,
                             UNISON=self.home / "u")
        copied = re.findall(r"^\[BGN\] (?:Copying|Updating file) (.*) from /", result.errors
                            + result.output, re.M)
        told = re.findall(r"\((\d+) items? transferred, 0 skipped, 0 failed\)",
                          result.errors + result.output)
        assert told == [str(len(copied))] if copied else "Nothing to do" in result.errors
        if "environments" in copied:  # all at once
            return [path for path in (self.home / "copy" / "environments").rglob("*")
                    if path.is_file()]
        return copied


def tool(kind, program, *marks):
    missing = pytest.mark.skipif(not shutil.which(program), reason=f"{program} is not installed")
    return pytest.param(kind, id=program, marks=[missing, *marks])


TOOLS = [tool(Rsync, "rsync"), tool(Tar, "tar"), tool(Git, "git"),
         tool(Restic, "restic", pytest.mark.slow), tool(Borg, "borg", pytest.mark.slow),
         tool(Rclone, "rclone", pytest.mark.slow), tool(Unison, "unison", pytest.mark.slow)]


@pytest.mark.parametrize("kind", TOOLS)
def test_backup(request, emulators, mount, process, tmp_path, kind):
    api = emulators("--environments", 2, "--clusters", 1, "--connectors", 6, "--provisioning", 0)
    site = samples.site(api)
    options = {"ttl": 600, "ttl_status": 600}
    mounted = mount(api, **options)
    program = kind(tmp_path)
    numbers = []

    def run():
        api.clear()
        copied = program.run(mounted)
        numbers.append(len(copied))
        assert api.writes() == []
        return copied

    # The first run: everything, in requests that do not depend on the number of connectors.
    copied = run()
    fresh = sorted(api.calls())
    assert not [call for call in fresh if "/connectors/" in call[1]]
    assert len(fresh) == len(set(fresh))
    everything = process.tree(mounted.root / program.below)
    assert len(copied) == len([text for text in everything.values() if isinstance(text, bytes)])
    # The second one: nothing, and no request.
    assert run() == []
    assert api.calls() == []
    # A crash some seconds later, and a clean remount: nothing.
    wait_until_saved(process, mounted)
    mounted.crash()
    mounted = mount(api, home=mounted.home, **options)
    assert run() == []
    assert sorted(api.calls()) == fresh
    mounted.stop()
    mounted = mount(api, home=mounted.home, **options)
    assert run() == []
    assert sorted(api.calls()) == fresh
    # One value of the same length, changed by another client.
    path = mounted.connector(site, "plain") / "config.json"
    size = process.stat(path).st_size
    elapse(program.blind)
    site.patch("plain", merge={"kafka.topic": "ORDERS"})
    process.write(mounted / ".connectfs" / "refresh", b"1")
    [changed] = run()
    assert str(changed).endswith("/plain/config.json")
    small = [call for call in api.calls() if "/connectors/" in call[1]]
    assert len(small) <= 2 * len(samples.clusters_of(api))
    assert not {call for call in api.calls() if call not in small} - set(fresh) \
        - {("GET", "/org/v2/environments?page_size=100")}
    # And through the mount.
    elapse(program.blind)
    process.write(path, process.read(path).replace(b'"kafka.topic": "ORDERS"',
                                                   b'"kafka.topic": "orderz"'))
    assert site.config("plain")["kafka.topic"] == "orderz"
    [changed] = run()
    assert str(changed).endswith("/plain/config.json")
    assert api.calls() == []
    assert process.stat(path).st_size == size
    assert run() == []
    first, second, killed, remounted, *rest = numbers
    harness.note_row(TABLE, STAGES, [request.node.callspec.id, first, second, remounted, killed,
                                     *rest[:2]])
