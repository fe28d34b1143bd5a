"""Creating connectors: mkdir, and the first good save."""

import errno
import json
import os

import pytest

import canonical
import harness
import samples
from harness import fails, poll
from work import Work

NEW = dict(samples.PLAIN, **{"kafka.topic": "of-a-new-one"})


def new_text(name="new", **settings):
    return canonical.config({**NEW, "name": name,
                             **{key.replace("_", "."): value for key, value in settings.items()}})


def new_directory(w, name="new"):
    directory = w.connectors / name
    w.process.mkdir(directory)
    return directory


# mkdir and rmdir


def test_mkdir_is_local(work):
    w = work()
    directory = new_directory(w)
    assert "new" in w.process.listdir(w.connectors)
    assert w.process.listdir(directory) == []
    with fails(errno.ENOENT):
        w.process.stat(directory / "config.json")
    with fails(errno.EEXIST):
        w.process.mkdir(directory)
    w.process.rmdir(directory)
    assert "new" not in w.process.listdir(w.connectors)
    assert not w.process.exists(directory)
    assert w.api.calls() == []


def test_unused_directories_vanish_with_the_mount(work, mount):
    w = work()
    new_directory(w)
    w.mounted.stop()
    assert w.api.writes() == []
    again = mount(w.api, home=w.mounted.home)
    assert "new" not in w.process.listdir(again.connectors(w.site))


def test_mkdir_of_what_exists(work):
    """Of the API's, of one's own, and of what somebody else has created meanwhile."""
    w = work(ttl=0.2, ttl_negative=0.2)
    new_directory(w, "mine")
    w.site.create("theirs", samples.PLAIN)
    poll(lambda: "theirs" in w.process.listdir(w.connectors), 5)
    before = sorted(w.process.listdir(w.connectors))
    for name in ("plain", "mine", "theirs"):
        with fails(errno.EEXIST):
            w.process.mkdir(w.connectors / name)
    assert sorted(w.process.listdir(w.connectors)) == before
    assert w.process.read(w.connectors / "theirs" / "config.json") == w.site.shown("theirs")
    assert w.process.read(w.config) == w.text and w.api.writes() == []


@pytest.mark.parametrize("name", [" blank", "blank ", "back\\slash", "curly{", "curly}",
                                  "slash%2Fed", "per%25cent", "new%0Aline", "tab\t", "bell\x07"])
def test_names_that_servers_cannot_delete(shared, name):
    with fails(errno.EINVAL):
        shared.process.mkdir(shared.connectors / name)
    assert shared.api.writes() == []
    assert ": not created: the API could not remove it" in shared.errors()[-1]


def test_a_name_that_is_not_encoded(shared):
    with fails(errno.EINVAL):
        shared.process.mkdir(shared.connectors / "per%cent")
    assert "mkdir per%cent: not created: " in shared.errors()[-1]


def test_connectors_keep_their_names(shared):
    with fails(errno.EPERM):
        shared.process.rename(shared.connectors / "plain", shared.connectors / "renamed")
    assert shared.api.writes() == []
    assert shared.errors()[-1].endswith(
        "plain: not renamed: it keeps its name; copy it to a new one and remove it")


@pytest.mark.parametrize("name", ["a b", "Ünï-cødé_1", "a.,&_+|[]-b", "x" * 64])
def test_names_that_are_good(work, name):
    w = work()
    directory = new_directory(w, name)
    w.process.write(directory / "config.json", new_text(name))
    assert w.api.writes() == [w.site.post]
    assert w.site.config(name)["name"] == name
    assert name in w.process.listdir(w.connectors)


@pytest.mark.parametrize("name", ["an*asterisk", "y" * 65])
def test_names_against_the_convention(work, name):
    """The API's to enforce: a warning, no more."""
    w = work()
    new_directory(w, name)
    poll(lambda: [line for line in w.mounted.log().splitlines() if name in line], 2, "a warning")


@pytest.mark.parametrize("place", ["", "environments", "environments/{env}",
                                   "environments/{env}/clusters",
                                   "environments/{env}/clusters/{cluster}",
                                   "environments/{env}/clusters/{cluster}/connector-plugins",
                                   "by-name", ".connectfs"])
def test_nothing_is_created_elsewhere(shared, place):
    directory = shared.mounted / place.format(env=shared.site.env, cluster=shared.site.cluster)
    with fails(errno.EPERM):
        shared.process.mkdir(directory / "new")
    with fails(errno.EPERM):
        shared.process.write(directory / "new.txt", b"x")
    with fails(errno.EPERM):
        shared.process.symlink("target", directory / "new-link")
    assert "new" not in shared.process.listdir(directory)


def test_no_files_beside_connectors(shared):
    with fails(errno.EPERM):
        shared.process.write(shared.connectors / "new.txt", b"x")


@pytest.fixture(scope="module")
def shared_site(shared_emulators):
    return samples.site(shared_emulators(*samples.EMULATOR))


@pytest.fixture(scope="module")
def shared_mount(shared_site, shared_mounts):
    return shared_mounts(shared_site.emulator)


@pytest.fixture
def shared(shared_site, shared_mount, process):
    return Work(shared_site.emulator, shared_site, shared_mount, process)


# The first save


def test_create(work):
    w = work()
    directory = new_directory(w)
    w.process.write(directory / "config.json", new_text())
    assert w.api.writes() == [w.site.post]
    assert w.api.bodies("POST") == [{"name": "new", "config": {**NEW, "name": "new"}}]
    assert w.site.config("new")["kafka.api.secret"] == NEW["kafka.api.secret"]
    assert w.process.read(directory / "config.json") == w.site.shown("new")
    assert w.process.stat(directory / "config.json").st_size == len(w.site.shown("new"))
    assert NEW["kafka.api.secret"].encode() not in w.process.read(directory / "config.json")
    names = {"config.json", "connector.json", "status.json", "state"}
    poll(lambda: all(w.process.exists(directory / name) for name in names), 10)
    assert set(w.process.listdir(directory)) == names
    poll(lambda: w.process.read(directory / "state") in (b"RUNNING\n", b"PROVISIONING\n"), 10)


def test_listing_of_a_new_one(work):
    """What is listed can be looked at, also while the files of a backup may still be put there."""
    w = work()
    directory = new_directory(w)
    w.process.write(directory / "config.json", new_text())
    harness.hold(lambda: all(w.process.exists(directory / name)
                             for name in w.process.listdir(directory)), 2.5)


def test_create_by_rename(work):
    w = work()
    directory = new_directory(w)
    w.process.create(directory / ".config.json.a1b2c3", new_text())
    assert w.api.calls() == []
    w.process.rename(directory / ".config.json.a1b2c3", directory / "config.json")
    assert w.api.writes() == [w.site.post]
    assert w.process.read(directory / "config.json") == w.site.shown("new")


def test_create_with_the_documented_form(work):
    w = work()
    directory = new_directory(w)
    offsets = [{"partition": {"kafka_topic": "a"}, "offset": {"kafka_offset": 9007199254740993}}]
    w.process.write(directory / "config.json", json.dumps(
        {"name": "something else", "config": NEW, "offsets": offsets}).encode())
    assert w.api.writes() == [w.site.post]
    assert w.api.bodies("POST") == [
        {"name": "new", "config": {**NEW, "name": "new"}, "offsets": offsets}]
    sent = [one["body"] for one in w.api.requests() if one["method"] == "POST"]
    assert "9007199254740993" in sent[0]


def test_name_is_the_directorys(work):
    w = work()
    directory = new_directory(w)
    w.process.write(directory / "config.json", new_text("plain"))
    assert w.api.bodies("POST") == [{"name": "new", "config": {**NEW, "name": "new"}}]
    assert w.site.config("new")["name"] == "new"


def test_numbers_become_strings(work):
    w = work()
    directory = new_directory(w)
    text = new_text().replace(b'"tasks.max": "1"', b'"tasks.max": 1, "flag": true')
    w.process.write(directory / "config.json", text)
    assert w.api.bodies("POST")[0]["config"]["tasks.max"] == "1"
    assert w.api.bodies("POST")[0]["config"]["flag"] == "true"


OWN = ["cloud.environment", "cloud.provider", "connector.crn", "kafka.endpoint", "kafka.region",
       "kafka.dedicated", "kafka.max.partition.validation.disable", "schema.registry.url",
       "valid.kafka.api.key", "confluent.custom.plugin.type", "confluent.resource.connector.tier",
       "config.internal.some.thing", "config.internal.x"]


def test_the_apis_own_settings_are_left_out(work):
    w = work()
    directory = new_directory(w)
    content = dict(NEW, name="new", **{name: "of another cluster" for name in OWN})
    w.process.write(directory / "config.json", canonical.config(content))
    assert w.api.bodies("POST") == [{"name": "new", "config": {**NEW, "name": "new"}}]


def test_no_setting_is_required_here(work):
    """What is missing is the API's to say: custom connectors have no connector.class."""
    w = work()
    directory = new_directory(w)
    with fails(errno.EINVAL, errno.EIO):
        w.process.write(directory / "config.json", b'{"confluent.custom.plugin.id": "ccp-none"}')
    assert w.api.bodies("POST") == [
        {"name": "new", "config": {"confluent.custom.plugin.id": "ccp-none", "name": "new"}}]


def test_settings_after_a_create(work):
    """A created connector is saved, changed and removed as any other."""
    w = work()
    directory = new_directory(w)
    w.process.write(directory / "config.json", new_text())
    shown = w.process.read(directory / "config.json")
    w.api.clear()
    w.process.write(directory / "config.json", shown.replace(b"of-a-new-one", b"of-a-second"))
    assert w.api.calls() == [w.site.look("new"), w.site.put("new")]
    w.api.clear()
    w.process.unlink(directory / "config.json")
    w.process.rmdir(directory)
    assert w.api.writes() == [w.site.delete("new")]
    assert w.site.get("new") is None


# Refusals


def test_refused_create(work):
    w = work()
    directory = new_directory(w)
    text = new_text(tasks_max="many")
    with fails(errno.EINVAL):
        w.process.write(directory / "config.json", text)
    assert w.api.writes() == [w.site.post]
    assert w.process.read(directory / "config.json.rejected") == text
    assert b"tasks.max" in w.process.read(directory / "config.json.error")
    assert w.site.get("new") is None
    w.process.write(directory / "config.json", new_text())
    assert w.site.get("new")
    assert not w.process.exists(directory / "config.json.error")
    assert not w.process.exists(directory / "config.json.rejected")


def test_empty_and_incomplete_drafts(work):
    w = work(delete_delay=0.3)
    directory = new_directory(w)
    w.process.write(directory / "config.json", b"")
    with fails(errno.EINVAL):
        w.process.write(directory / "config.json", b'{"name": ')
    poll(lambda: not w.process.exists(directory / "config.json"), 5, "the draft's end")
    assert w.process.read(directory / "config.json.rejected") == b'{"name": '
    assert w.api.writes() == []


def test_created_elsewhere_meanwhile(work):
    """EEXIST; theirs is not overwritten."""
    w = work()
    directory = new_directory(w)
    w.site.create("new", samples.OTHER)
    with fails(errno.EEXIST):
        w.process.write(directory / "config.json", new_text())
    assert w.site.config("new")["kafka.topic"] == samples.OTHER["kafka.topic"]
    assert w.site.get("new")["puts"] == 0
    assert w.api.writes() == [w.site.post]
    poll(lambda: w.process.read(directory / "config.json") == w.site.shown("new"), 10)


def begin_to_create(w):
    """A close that has sent its POST and waits for the answer; a second descriptor."""
    directory = new_directory(w)
    w.api.settings(latency_ms=500)
    fd = w.process.open(directory / "config.json", os.O_WRONLY | os.O_CREAT)
    w.process.write_fd(fd, new_text())
    second = w.process.open(directory / "config.json", os.O_RDWR)
    w.process.begin("close", fd)
    poll(lambda: w.api.writes() == [w.site.post], 5)
    return directory, second


def test_saved_again_while_it_is_created(work):
    """An autosave, or an editor that was interrupted: an update of what it creates itself."""
    w = work()
    directory, fd = begin_to_create(w)
    text = new_text(kafka_topic="again")
    w.process.write_fd(fd, text)
    w.process.ftruncate(fd, len(text))
    w.process.close(fd)
    w.process.finish()
    assert w.api.writes() == [w.site.post, w.site.put("new")]
    assert w.site.config("new")["kafka.topic"] == "again"
    assert w.process.read(directory / "config.json") == w.site.shown("new")
    assert not w.process.exists(directory / "config.json.error")


def test_offsets_given_again_while_it_is_created(work):
    w = work()
    directory, fd = begin_to_create(w)
    text = json.dumps({"name": "new", "config": json.loads(new_text(kafka_topic="again")),
                       "offsets": []}).encode()
    w.process.write_fd(fd, text)
    w.process.ftruncate(fd, len(text))
    with fails(errno.EINVAL):
        w.process.close(fd)
    w.process.finish()
    assert w.api.writes() == [w.site.post]
    assert b"offsets" in w.process.read(directory / "config.json.error")
    assert w.process.read(directory / "config.json.rejected") == text


def test_saved_by_another_while_it_is_created(work, processes):
    """Who did not create it meets what is there."""
    w = work()
    directory, fd = begin_to_create(w)
    other = processes()
    other.create(directory / "temporary", new_text(kafka_topic="of-another"))
    with fails(errno.EEXIST):
        other.rename(directory / "temporary", directory / "config.json")
    w.process.finish()
    w.process.close(fd)
    assert w.api.writes() == [w.site.post, w.site.post]
    assert w.site.config("new")["kafka.topic"] == json.loads(new_text())["kafka.topic"]


def test_refused_with_400_although_it_exists(work):
    """After any refusal the mount looks whether it is there."""
    w = work()
    directory = new_directory(w)
    w.site.create("new", samples.OTHER)
    w.api.fault(method="POST", path="/connectors$", status=400, body={"message": "no"})
    with fails(errno.EEXIST):
        w.process.write(directory / "config.json", new_text())
    assert w.site.config("new")["kafka.topic"] == samples.OTHER["kafka.topic"]


@pytest.mark.parametrize("setting", ["kafka_api_secret", "something_else"])
def test_masks_in_a_new_one(work, setting):
    w = work()
    directory = new_directory(w)
    with fails(errno.EINVAL):
        w.process.write(directory / "config.json", new_text(**{setting: "*****"}))
    assert w.api.writes() == []
    poll(lambda: w.process.exists(directory / "config.json.error"), 10)
    assert setting.replace("_", ".").encode() in w.process.read(directory / "config.json.error")


def test_status_of_refusals(work):
    w = work(timeout_write=2)
    for status, number in ((403, errno.EACCES), (402, errno.EDQUOT), (422, errno.EINVAL)):
        w.api.fault(method="POST", path="/connectors$", status=status, body={"message": "no"})
        directory = new_directory(w, f"new-{status}")
        with fails(number):
            w.process.write(directory / "config.json", new_text())
        assert w.site.get(f"new-{status}") is None


def test_too_many_requests(work):
    """Certainly not carried out: repeated."""
    w = work()
    directory = new_directory(w)
    w.api.fault(method="POST", path="/connectors$", status=429, headers={"Retry-After": "1"})
    with harness.takes(at_least=1):
        w.process.write(directory / "config.json", new_text())
    assert w.api.writes() == [w.site.post] * 2


def test_conflict_for_another_reason(work):
    w = work(timeout_write=1)
    directory = new_directory(w)
    w.api.fault(method="POST", path="/connectors$", times=-1, status=409,
                body={"error_code": 409, "message": "a rebalance is under way"})
    with fails(errno.EBUSY, errno.ETIMEDOUT):
        w.process.write(directory / "config.json", new_text())
    assert w.site.get("new") is None
    assert b"rebalance" in w.process.read(directory / "config.json.error")


def test_carried_out_but_never_answered(work):
    """Settled by looking, not by a second POST."""
    w = work()
    directory = new_directory(w)
    w.api.fault(method="POST", path="/connectors$", unanswered="drop")
    w.process.write(directory / "config.json", new_text())
    assert w.api.writes() == [w.site.post]
    assert w.process.read(directory / "config.json") == w.site.shown("new")


def test_dropped_before_it_was_carried_out(work):
    """Nobody knows: it is looked for, and sent again at most when it is not there."""
    w = work(timeout_write=2)
    directory = new_directory(w)
    w.api.fault(method="POST", path="/connectors$", drop=True)
    try:
        w.process.write(directory / "config.json", new_text())
        assert w.site.get("new")
    except OSError as error:
        assert error.errno in (errno.EIO, errno.ETIMEDOUT)
        assert w.process.read(directory / "config.json.rejected") == new_text()
    calls = w.api.calls()
    assert any(call[0] == "GET" for call in calls[calls.index(w.site.post):])


@pytest.mark.parametrize("status", [500, 503])
def test_server_errors(work, status):
    """Not repeated blindly."""
    w = work(timeout_write=2)
    directory = new_directory(w)
    w.api.fault(method="POST", path="/connectors$", times=-1, status=status,
                body={"error_code": status, "message": "on fire"})
    with fails(errno.EIO, errno.ETIMEDOUT):
        w.process.write(directory / "config.json", new_text())
    assert b"on fire" in w.process.read(directory / "config.json.error")
    assert w.site.get("new") is None


# Secrets from a file


def secrets_file(tmp_path, content):
    path = tmp_path / "secrets.json"
    path.write_text(json.dumps(content))
    path.chmod(0o600)
    return path


def test_secrets_file(work, tmp_path):
    """The more specific value first; nothing of it is shown or logged."""
    w = work(secrets=secrets_file(tmp_path, {
        "kafka.api.secret": "general-91xx", "db.password": "general-92xx",
        "connectors": {"new": {"kafka.api.secret": "special-93xx"}}}))
    for name, secret in (("new", "special-93xx"), ("newer", "general-91xx")):
        directory = new_directory(w, name)
        w.process.write(directory / "config.json",
                        new_text(name, kafka_api_secret="****", db_password="*********"))
        assert w.site.config(name)["kafka.api.secret"] == secret
        assert w.site.config(name)["db.password"] == "general-92xx"
    seen = w.mounted.log() + str(w.process.tree(w.mounted / ".connectfs")) \
        + str(w.process.read(w.connectors / "new" / "config.json"))
    for secret in ("special-93xx", "general-91xx", "general-92xx"):
        assert secret not in seen


def test_secrets_file_in_messages(work, tmp_path):
    w = work(secrets=secrets_file(tmp_path, {"plain.name": "general-94xx"}))
    directory = new_directory(w)
    w.api.fault(method="POST", path="/connectors$", status=400,
                body={"message": "bad value general-94xx of plain.name"})
    with fails(errno.EINVAL):
        w.process.write(directory / "config.json", new_text(plain_name="****"))
    assert w.api.bodies("POST")[0]["config"]["plain.name"] == "general-94xx"
    assert b"general-94xx" not in w.process.read(directory / "config.json.error")
    assert "general-94xx" not in w.mounted.log()


def test_secrets_file_for_an_existing_connector(work, tmp_path):
    """Where the live one has the setting masked the mask itself is sent."""
    w = work(secrets=secrets_file(tmp_path, {"new.secret": "general-95xx"}))
    w.process.write(w.config, w.changed(new_secret="***", kafka_topic="other"))
    assert w.site.config("plain")["new.secret"] == "general-95xx"
    assert w.site.config("plain")["kafka.api.secret"] == samples.PLAIN["kafka.api.secret"]


# Clones and restores


def test_clone_with_cp(work, tmp_path):
    w = work(secrets=secrets_file(tmp_path, {
        "kafka.api.key": samples.PLAIN["kafka.api.key"], "kafka.api.secret": "of-the-clone"}))
    harness.run("cp", "-r", w.directory, w.connectors / "clone")
    assert w.api.writes() == [w.site.post]
    expected = {**samples.PLAIN, "name": "clone", "kafka.api.secret": "of-the-clone"}
    sent = w.api.bodies("POST")[0]["config"]
    assert {key: sent[key] for key in expected} == expected
    assert not set(sent) & set(OWN)
    poll(lambda: w.process.read(w.connectors / "clone" / "state") == b"RUNNING\n", 10)


def test_read_only_files_of_a_backup(work):
    """Scratch in a new directory, and no hindrance once the connector exists."""
    w = work()
    directory = new_directory(w)
    w.process.create(directory / "connector.json", b"{}")
    w.process.create(directory / "state", b"PAUSED\n")
    assert w.process.read(directory / "connector.json") == b"{}"
    w.process.write(directory / "config.json", new_text())
    w.process.create(directory / "status.json.tmp", b"{}")
    w.process.rename(directory / "status.json.tmp", directory / "status.json")
    w.process.write(directory / "status.json", b'{"old": true}')
    assert w.api.writes() == [w.site.post]
    poll(lambda: b"new" in w.process.read(directory / "connector.json")
         and b"RUNNING" in w.process.read(directory / "status.json"), 10, "the server's content")
    assert w.api.writes() == [w.site.post]
    assert w.process.read(directory / "state") == b"RUNNING\n"


def test_new_one_is_visible_to_everyone(work, processes):
    w = work()
    directory = new_directory(w)
    other = processes()
    assert not other.exists(directory / "config.json")
    w.process.write(directory / "config.json", new_text())
    assert other.read(directory / "config.json") == w.site.shown("new")
    assert os.path.basename(directory) in other.listdir(w.connectors)


def test_an_unanswered_create_that_turns_up(work):
    """Refused, as nobody knows; then it is there: so is its file, and nothing was refused."""
    w = work(ttl=0.2, timeout_write=0.5)
    directory = new_directory(w)
    w.api.fault(method="POST", hang=True, times=-1)
    with fails(errno.ETIMEDOUT):
        w.process.write(directory / "config.json", new_text())
    assert w.process.read(directory / "config.json.rejected") == new_text()
    w.site.create("new", json.loads(new_text()))
    poll(lambda: w.process.listdir(w.connectors) and w.process.exists(directory / "config.json"),
         10, "the file")
    assert w.process.read(directory / "config.json") == w.site.shown("new")
    assert not w.process.exists(directory / "config.json.rejected")
    assert w.process.listdir(w.connectors).count("new") == 1


def test_a_directory_that_somebody_else_creates(work):
    """mkdir here, a POST elsewhere: the name is listed once."""
    w = work(ttl=0.1)
    new_directory(w)
    w.site.create("new", json.loads(new_text()))
    w.api.clear()
    poll(lambda: w.process.listdir(w.connectors) and len(w.api.calls()) > 1, 10, "a refresh")
    assert sorted(w.process.listdir(w.connectors)).count("new") == 1
