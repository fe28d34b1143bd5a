""".connectfs/changes: what a mount changed, and in a dry run what it would have changed."""

import errno
import json
import shutil
import signal
import subprocess

import canonical
import harness
import samples
from harness import fails, hold, poll
from work import changes


def entry(w, action, outcome, request, *settings, name="plain"):
    place = f"{w.site.env}/{w.site.cluster}/{name}"
    return "".join([f"{action} {place}: {outcome}\n", f"  {request[0]} {request[1]}\n",
                    *(f"  {line}\n" for line in settings)])


def new_text(**settings):
    return canonical.config({**samples.PLAIN, "name": "new", **settings})


# What was changed


def test_nothing_was_changed(work):
    w = work()
    w.process.write(w.config, w.text)
    assert changes(w) == ""


def test_an_update(work):
    """Each setting that changes, in order; what stayed is not told."""
    w = work()
    w.process.write(w.config, w.changed("output_data_format", kafka_topic="größer", tasks_max="3",
                                        a_new_one="x\ny"))
    told = entry(w, "update", "done", w.put, 'a.new.one: (not set) -> "x\\ny"',
                 'kafka.topic: "orders" -> "größer"', 'output.data.format: "JSON" -> (not set)',
                 'tasks.max: "1" -> "3"')
    assert changes(w) == told
    assert told.splitlines()[0] in w.mounted.log()


def test_create_pause_resume_and_delete(work):
    w = work()
    w.process.mkdir(w.connectors / "new")
    w.process.write(w.connectors / "new" / "config.json", new_text())
    w.process.write(w.connectors / "new" / "state", b"pause\n")
    w.process.write(w.connectors / "new" / "state", b"resume\n")
    harness.run("rm", "-r", w.connectors / "new")
    settings = []
    for name, value in sorted({**samples.PLAIN, "name": "new"}.items()):
        shown = '"****"'[1:-1] if "key" in name or "secret" in name else json.dumps(value)
        settings.append(f"{name}: (not set) -> {shown}")
    of = w.site.of
    assert changes(w) == (
        entry(w, "create", "done", w.site.post, *settings, name="new")
        + entry(w, "pause", "done", ("PUT", of("new", "/pause")), name="new")
        + entry(w, "resume", "done", ("PUT", of("new", "/resume")), name="new")
        + entry(w, "delete", "done", w.site.delete("new"), name="new"))


def test_what_the_api_refused(work):
    w = work()
    w.api.fault(method="PUT", path="/config$", status=400, body={"message": "not today"})
    with fails(errno.EINVAL):
        w.process.write(w.config, w.changed(tasks_max="2"))
    assert changes(w) == entry(w, "update", "refused (Invalid argument)", w.put,
                               'tasks.max: "1" -> "2"')


def test_what_was_never_sent_is_no_change(work):
    """Refused here, or somebody else was faster: .connectfs/errors tells, no change was made."""
    w = work()
    with fails(errno.EINVAL):
        w.process.write(w.config, b'{"half": ')
    w.theirs(quickstart="USERS")
    with fails(errno.ESTALE):
        w.process.write(w.config, w.changed(tasks_max="2"))
    assert changes(w) == ""


def test_what_nobody_answered(work):
    w = work(timeout_write=1, timeout=1)
    w.api.fault(method="PUT", path="/config$", times=-1, delay_ms=60000)
    with fails(errno.ETIMEDOUT):
        w.process.write(w.config, w.changed(tasks_max="2"))
    assert changes(w) == entry(w, "update", "undecided (Connection timed out)", w.put,
                               'tasks.max: "1" -> "2"')


def test_a_delete_that_fails(work):
    w = work()
    w.api.fault(method="DELETE", status=403, body={"message": "not yours"})
    w.process.unlink(w.config)
    with fails(errno.EACCES):
        w.process.rmdir(w.directory)
    assert changes(w) == entry(w, "delete", "refused (Permission denied)", w.delete)


def test_secrets_are_not_told(work):
    """Neither what sounds like one, nor what is masked live, nor what the answer masks."""
    w = work()
    canary = "canary-4711-value"
    w.process.write(w.config, w.changed(kafka_api_secret=canary))
    assert changes(w) == entry(w, "update", "done", w.put, "kafka.api.secret: **** -> ****")
    assert canary not in w.mounted.log()


def test_what_only_the_answer_masks(work):
    """A name that does not sound like a secret's."""
    w = work()
    web = {**{key: value for key, value in samples.PLAIN.items() if key.startswith("kafka.a")},
           "connector.class": "HttpSink", "name": "web", "topics": "a", "tasks.max": "1",
           "http.api.url": "https://there", "headers": "Authorization: canary"}
    w.process.mkdir(w.connectors / "web")
    w.process.write(w.connectors / "web" / "config.json", canonical.config(web))
    assert w.site.config("web")["headers"] == web["headers"]
    config = w.connectors / "web" / "config.json"
    w.process.write(config, w.process.read(config).replace(b'"tasks.max": "1"', b'"tasks.max": "2"'))
    w.process.write(config, canonical.config({**json.loads(w.process.read(config)),
                                              "headers": "Authorization: canary2"}))
    told = changes(w)
    assert '  headers: (not set) -> ****\n' in told
    assert told.endswith(entry(w, "update", "done", w.site.put("web"), "headers: **** -> ****",
                               name="web"))
    assert "canary" not in told


def test_a_long_value_is_cut(work):
    w = work()
    w.process.write(w.config, w.changed(kafka_topic="ü" * 2000))
    assert changes(w) == entry(w, "update", "done", w.put,
                               f'kafka.topic: "orders" -> "{"ü" * 500}"...')


def test_only_the_newest_are_kept(work):
    """As many as fit in a megabyte."""
    w = work()
    for number in range(60):
        many = {f"s{number}_{n}": "v" * 900 for n in range(60)}
        w.process.write(w.config, w.changed(**many))
        w.text = w.process.read(w.config)
        w.process.write(w.config, w.changed(*many))
        w.text = w.process.read(w.config)
    text = w.process.read(w.mounted / ".connectfs" / "changes")
    assert 900_000 < len(text) <= 1 << 20
    assert b"s59.59" in text and b"s0.0" not in text


# A dry run


def test_dry_update(work):
    """It succeeds, nothing is sent, and the server's content stays."""
    w = work(dry_run=True)
    before = w.process.stat(w.config)
    w.process.write(w.config, w.changed(tasks_max="2", kafka_api_secret="another-secret"))
    assert w.api.calls() == [w.look]
    assert changes(w) == entry(w, "update", "not sent (dry run)", w.put,
                               "kafka.api.secret: **** -> ****", 'tasks.max: "1" -> "2"')
    w.assert_untouched()
    w.assert_clean()
    assert w.process.stat(w.config) == before
    assert "not sent (dry run)" in w.mounted.log()


def test_dry_update_by_rename(work):
    w = work(dry_run=True)
    w.process.write(w.directory / "t", w.changed(tasks_max="2"))
    w.process.rename(w.directory / "t", w.config)
    assert changes(w) == entry(w, "update", "not sent (dry run)", w.put, 'tasks.max: "1" -> "2"')
    w.assert_untouched()
    w.assert_clean()


def test_dry_refusals_are_the_same(work):
    w = work(dry_run=True)
    text = w.changed(tasks_max="2")
    w.theirs(quickstart="USERS")
    with fails(errno.ESTALE):
        w.process.write(w.config, text)
    with fails(errno.EINVAL):
        w.process.write(w.config, b'["no settings"]')
    assert changes(w) == ""
    assert w.api.writes() == []


def test_dry_create(work):
    """What would have been created stays until it is removed, and is not told twice."""
    w = work(dry_run=True, delete_delay=0.2)
    new = w.connectors / "new"
    w.process.mkdir(new)
    w.process.write(new / "config.json", new_text())
    told = changes(w)
    assert told.startswith(entry(w, "create", "not sent (dry run)", w.site.post, name="new"))
    assert '  kafka.topic: (not set) -> "orders"\n' in told
    assert samples.PLAIN["kafka.api.secret"] not in told
    hold(lambda: w.process.read(new / "config.json") == new_text(), 0.6)
    harness.run("rm", "-r", new)
    assert not w.process.exists(new)
    assert changes(w) == told
    assert w.api.writes() == []


def test_dry_clone_and_restore(work, tmp_path):
    """cp -r and rsync -a of a backup end well, also a second time."""
    w = work(dry_run=True, delete_delay=0.2)
    backup = tmp_path / "backup"
    harness.run("rsync", "-a", f"{w.connectors}/", f"{backup}/")
    (backup / "other" / "config.json").write_bytes(new_text(name="other"))
    shutil.copytree(backup / "plain", backup / "new")
    (backup / "new" / "config.json").write_bytes(new_text())
    harness.run("cp", "-r", backup / "new", w.connectors / "copied")
    harness.run("rsync", "-a", f"{backup}/", f"{w.connectors}/")
    heads = [line for line in changes(w).splitlines() if "dry run" in line]
    place = f"{w.site.env}/{w.site.cluster}"
    assert heads == [f"create {place}/copied: not sent (dry run)",
                     f"create {place}/new: not sent (dry run)",
                     f"update {place}/other: not sent (dry run)"]
    hold(lambda: w.process.read(w.connectors / "new" / "config.json") == new_text(), 0.5)
    assert w.api.writes() == []


def test_dry_removal(work):
    """It succeeds; the connector is there again."""
    w = work(dry_run=True)
    harness.run("rm", "-r", w.directory)
    assert changes(w) == entry(w, "delete", "not sent (dry run)", w.delete)
    w.assert_untouched()
    w.assert_clean()
    assert w.process.listdir(w.mounted / ".connectfs" / "deleted") == []


def test_dry_removal_by_the_delay(work):
    w = work(dry_run=True, delete_delay=0.2)
    w.process.unlink(w.config)
    poll(lambda: changes(w) == entry(w, "delete", "not sent (dry run)", w.delete), 5)
    poll(lambda: w.process.exists(w.config), 5)
    w.assert_untouched()


def test_dry_removals_are_braked(work):
    """As many as the mount would have sent."""
    w = work(dry_run=True, max_delete=1, delete_delay=0)
    w.process.unlink(w.config)
    poll(lambda: w.process.exists(w.config), 5)
    with fails(errno.EPERM):
        w.process.unlink(w.config)
    assert w.api.writes() == []


def test_dry_pause(work):
    w = work(dry_run=True)
    w.process.write(w.state, b"pause\n")
    assert changes(w) == entry(w, "pause", "not sent (dry run)", ("PUT", w.site.of("plain", "/pause")))
    assert w.process.read(w.state) == b"RUNNING\n"
    assert w.api.writes() == []


def test_dry_editor(work):
    """vim is content, also with a second save."""
    w = work(dry_run=True)
    for number in (2, 3):
        harness.run("vim", "-es", "-u", "NONE", "-c", f'%s/"tasks.max": "1"/"tasks.max": "{number}"/',
                    "-c", "wq", w.config)
    assert changes(w) == "".join(
        entry(w, "update", "not sent (dry run)", w.put, f'tasks.max: "1" -> "{number}"')
        for number in (2, 3))
    w.assert_untouched()


def test_a_rename_that_is_interrupted_in_a_dry_run(work):
    """What would have been created is the file itself, under both names."""
    w = work(dry_run=True, validate=True)
    directory = w.connectors / "new"
    w.process.mkdir(directory)
    w.process.write(directory / "t", new_text())
    w.api.fault(path="validate", delay_ms=1000)
    mover = subprocess.Popen(["mv", directory / "t", directory / "config.json"],
                             stderr=subprocess.DEVNULL, preexec_fn=harness.die_with_parent)
    poll(lambda: any("validate" in target for _, target in w.api.calls()), 5, "a question")
    mover.send_signal(signal.SIGINT)
    assert mover.wait(20 * harness.SLOW) == -signal.SIGINT
    poll(lambda: changes(w), 5, "the change that was held back")
    text = new_text(kafka_topic="other")
    w.process.write(directory / "t", text)
    assert w.process.read(directory / "config.json") == text
