"""Restores of a backup: over what is live, only what differs is sent; onto nothing, all of it."""

import json
import shutil

import pytest

import harness
import samples
from harness import elapse, hold, poll

DELAY = 0.4
RESTORED = 2.2  # read-only files may be put beside a new connector for two seconds


class Rsync:
    """rsync -a, which takes times within one second for the same"""

    blind = 1.1

    def __init__(self, home):
        self.home = home
        self.copy = home / "copy"

    def save(self, source):
        harness.run("rsync", "-a", f"{source}/", f"{self.copy}/")

    def restore(self, target):
        harness.run("rsync", "-a", f"{self.copy}/", f"{target}/")


class Tar(Rsync):
    """tar x, which unlinks what it replaces"""

    blind = 0

    def save(self, source):
        harness.run("tar", "-cf", self.copy, "-C", source, ".")

    def restore(self, target):
        harness.run("tar", "-xf", self.copy, "-C", target)


class Cp(Rsync):
    """cp -r, in place; it may not overwrite read-only files"""

    blind = 0

    def save(self, source):
        harness.run("cp", "-r", source, self.copy)

    def restore(self, target):
        result = harness.run("cp", "-r", f"{self.copy}/.", target, status=None)
        for line in result.errors.splitlines():
            assert line.endswith(("/connector.json': Permission denied",
                                  "/status.json': Permission denied")), line


class Git(Rsync):
    """git checkout, with the live tree as its work tree"""

    blind = 0

    def git(self, tree, *args):
        harness.run("git", *args, cwd=tree, HOME=self.home, GIT_CONFIG_GLOBAL="/dev/null",
                    GIT_DIR=self.home / "git", GIT_WORK_TREE=tree, GIT_AUTHOR_NAME="t",
                    GIT_AUTHOR_EMAIL="t@t", GIT_COMMITTER_NAME="t", GIT_COMMITTER_EMAIL="t@t")

    def save(self, source):
        self.git(source, "init", "-q")
        self.git(source, "add", "-A")
        self.git(source, "commit", "-qm", "backup")

    def restore(self, target):
        self.git(target, "checkout", "-qf", "HEAD", "--", ".")


TOOLS = [pytest.param(kind, id=program, marks=pytest.mark.skipif(
    not shutil.which(program), reason=f"{program} is not installed"))
    for program, kind in (("rsync", Rsync), ("tar", Tar), ("cp", Cp), ("git", Git))]


def accounts_secrets(site):
    """A secrets file's content with all that the API shows as asterisks."""
    return {"connectors": {
        name: {key: value for key, value in site.config(name).items()
               if set(json.loads(site.shown(name))[key]) == {"*"}} for name in names(site)}}


def names(site):
    return sorted(site.emulator.account()[site.env][site.cluster])


def mounted_with(mount, api, home, secrets):
    path = home / "secrets.json"
    path.write_text(json.dumps(secrets))
    path.chmod(0o600)
    return mount(api, secrets=path, delete_delay=DELAY, ttl=600, ttl_status=600)


@pytest.mark.parametrize("kind", TOOLS)
def test_over_the_live_tree(emulators, mount, process, tmp_path, kind):
    """One was changed, one removed, one created and one paused since."""
    api = emulators("--environments", 1, "--clusters", 1, "--connectors", 4, "--provisioning", 0)
    site = samples.site(api)
    mounted = mounted_with(mount, api, tmp_path, accounts_secrets(site))
    tree, tool = mounted.connectors(site), kind(tmp_path)
    tool.save(tree)
    before = {name: site.config(name) for name in names(site)}
    assert api.writes() == []
    elapse(tool.blind)
    site.patch("plain", merge={"kafka.topic": "ORDERS"})
    site.patch("other", delete=True)
    site.patch("connector-000001", state="PAUSED")
    site.create("newcomer", samples.PLAIN)
    process.write(mounted / ".connectfs" / "refresh", b"1")
    poll(lambda: sorted(process.listdir(tree)) == names(site), 10)
    process.tree(tree)
    api.clear()
    tool.restore(tree)
    assert sorted(call for call in api.calls() if call[0] != "GET") \
        == [site.post, site.put("plain")]
    assert [call for call in api.calls() if call[0] == "GET" and "plain" in call[1]] \
        == [site.look("plain")]
    assert {name: site.config(name) for name in before} == before
    assert site.config("newcomer")
    assert site.get("connector-000001")["state"] == "PAUSED"
    hold(lambda: len(api.writes()) == 2, DELAY + 0.3)
    # Once more: nothing is left to do.
    elapse(RESTORED)
    process.tree(tree)
    api.clear()
    tool.restore(tree)
    hold(lambda: api.writes() == [], DELAY + 0.3)
    assert [call for call in api.calls() if "other" not in call[1]] == []
    for name in names(site):
        assert sorted(process.listdir(tree / name)) \
            == ["config.json", "connector.json", "state", "status.json"]


@pytest.mark.parametrize("kind", TOOLS)
def test_nothing_has_changed(emulators, mount, process, tmp_path, kind):
    """No request at all."""
    api = emulators("--environments", 1, "--clusters", 1, "--connectors", 4, "--provisioning", 0)
    site = samples.site(api)
    mounted = mounted_with(mount, api, tmp_path, {})
    tool = kind(tmp_path)
    tool.save(mounted.connectors(site))
    api.clear()
    tool.restore(mounted.connectors(site))
    hold(lambda: api.calls() == [], DELAY + 0.3)


@pytest.mark.parametrize("kind", TOOLS)
def test_onto_an_empty_cluster(emulators, mount, process, tmp_path, kind):
    """With a secrets file, what comes of it is what there was: one POST each, and that once."""
    api = emulators("--environments", 1, "--clusters", 1, "--connectors", 4, "--provisioning", 0)
    lost = samples.site(api)
    mounted = mounted_with(mount, api, tmp_path, {})
    tool = kind(tmp_path)
    tool.save(mounted.connectors(lost))
    before = {name: lost.config(name) for name in names(lost)}
    secrets = accounts_secrets(lost)
    mounted.stop()
    empty = emulators("--environments", 1, "--clusters", 1, "--connectors", 0, "--provisioning", 0)
    site = harness.Site(empty, lost.env, lost.cluster)
    assert names(site) == []
    mounted = mounted_with(mount, empty, tmp_path, secrets)
    tree = mounted.connectors(site)
    tool.restore(tree)
    assert empty.writes() == [site.post] * len(before)
    assert sorted(body["name"] for body in empty.bodies("POST")) == sorted(before)
    assert not [body for body in empty.bodies("POST") if "offsets" in body]
    assert {name: site.config(name) for name in before} == before
    assert sorted(process.listdir(tree)) == sorted(before)
    elapse(RESTORED)
    for name in before:
        assert process.read(tree / name / "config.json") == site.shown(name)
        assert sorted(process.listdir(tree / name)) \
            == ["config.json", "connector.json", "state", "status.json"]
    empty.clear()
    tool.restore(tree)
    hold(lambda: empty.writes() == [], DELAY + 0.3)
    assert {name: site.config(name) for name in before} == before
    assert {site.get(name)["puts"] for name in before} == {0}


@pytest.mark.parametrize("kind", TOOLS)
def test_without_the_secrets(emulators, mount, process, tmp_path, kind):
    """Nothing is created half: each is refused, kept, and says which settings it lacks."""
    api = emulators("--environments", 1, "--clusters", 1, "--connectors", 0, "--provisioning", 0)
    site = samples.site(api)
    mounted = mounted_with(mount, api, tmp_path, {})
    tool, tree = kind(tmp_path), mounted.connectors(site)
    tool.save(tree)
    text = process.read(tree / "plain" / "config.json")
    mounted.stop()
    empty = emulators("--environments", 1, "--clusters", 1, "--connectors", 0, "--provisioning", 0)
    mounted = mounted_with(mount, empty, tmp_path, {})
    tree = mounted.connectors(site)
    try:
        tool.restore(tree)
        told = False
    except AssertionError:
        told = True
    assert told == (kind is not Git), "only git does not look at what close() says"
    assert empty.writes() == []
    assert process.read(tree / "plain" / "config.json.rejected") == text
    reason = process.read(tree / "plain" / "config.json.error").decode()
    assert "kafka.api.key" in reason and "kafka.api.secret" in reason and "-o secrets=" in reason
