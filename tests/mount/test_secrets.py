"""A canary for every secret: it is found nowhere but where its owner put it."""

import base64
import errno
import json
import os
import pathlib
import resource
import shutil
import signal
import subprocess

import pytest

import canonical
import harness
import samples
from harness import fails, hold, poll
from work import Work

# As much as is shown of a text that is no JSON, but for eight bytes.
LEAK = "refused: " + "x" * (1000 - 9 - 8)
# Bytes that JSON escapes, that a URL and that a shell would.
ODD = 'cänary"7\\ 5&e8/f13\t'


def canary(name):
    return f"canary-{name}-5e8f13c7"


class Spied(Work):
    """The connector `plain` of an account in which every secret is known, all of it logged."""

    key, secret = "CANARYKEY7Q2W", canary("of-the-account")

    def __init__(self, emulators, mount, process, args=("-d",), env=None, **options):
        api = emulators(*samples.EMULATOR, "--key", self.key, "--secret", self.secret)
        site = harness.Site(api, *samples.first_cluster(api))
        site.create("plain", {
            **samples.PLAIN, "kafka.api.secret": canary("stored"),
            "a.sasl.jaas.config": canary("jaas"), "a.passphrase": canary("passphrase")})
        self.secrets = api.home / "secrets.json"
        self.secrets.write_text(json.dumps({
            "kafka.api.secret": canary("of-the-file"), "a.passphrase": canary("of-the-file-2"),
            "connectors": {"new": {"kafka.api.key": canary("of-one-connector")}}}))
        self.secrets.chmod(0o600)
        env = {"CONFLUENT_CLOUD_API_KEY": self.key, "CONFLUENT_CLOUD_API_SECRET": self.secret,
               **(env or {})}
        mounted = mount(api, *args, secrets=self.secrets, timeout=2, timeout_write=2,
                        delete_delay=0.3, env=env, **options)
        super().__init__(api, site, mounted, process)

    def text_with(self, secret, **settings):
        return self.changed(kafka_api_secret=secret, a_sasl_jaas_config=secret,
                            a_passphrase=secret, **settings)

    def refuse(self, method, path, body, **more):
        self.api.fault(method=method, path=path, status=more.pop("status", 400), body=body,
                       times=-1, **more)

    def everything(self):
        """{where: bytes} of all that is written down, but what the user himself wrote."""
        found = {"the log": self.mounted.log().encode()}
        for root in (self.mounted / ".connectfs", self.connectors):
            for name, content in self.process.tree(root).items():
                if content is not None and not name.endswith(".rejected"):
                    found[name] = content if isinstance(content, bytes) else content.encode()
        for directory in ("state", "cache", "run"):
            for path in (self.mounted.home / directory).rglob("*"):
                found[str(path)] = path.read_bytes() if path.is_file() else b""
        for path in pathlib.Path("/run/lock").glob("connectfs-*"):
            found[str(path)] = path.read_bytes()
        with open(f"/proc/{self.mounted.pid}/cmdline", "rb") as file:
            found["the command line"] = file.read()
        return found

    def assert_hidden(self, *secrets):
        """None of the account's nor these are anywhere, in any form that JSON gives them."""
        header = base64.b64encode(f"{self.key}:{self.secret}".encode()).decode()
        forms = {form for secret in (self.key, self.secret, header, "canary-", *secrets)
                 for form in (secret, json.dumps(secret)[1:-1],
                              json.dumps(secret, ensure_ascii=False)[1:-1])}
        for where, content in self.everything().items():
            for form in forms:
                assert form.encode() not in content, f"{form} is in {where}"
                assert form.encode() not in where.encode()


@pytest.fixture
def spied(emulators, mount, process):
    return lambda *args, **options: Spied(emulators, mount, process, *args, **options)


def forms(config):
    """The ways in which servers repeat a configuration."""
    compact = json.dumps(config, separators=(",", ":"))
    return {
        "JSON": {"message": "refused: " + json.dumps(config)},
        "escaped": {"error": {"code": 400, "message": "refused: " + json.dumps(compact)}},
        "ASCII": {"message": "refused: " + json.dumps(config, ensure_ascii=True)},
        "list": {"errors": [{"detail": f"refused: {name}: {value}"}
                            for name, value in config.items()]},
        "map": {"error_code": 400, "message": "refused: {" + ", ".join(
            f"{name}={value}" for name, value in config.items()) + "}"},
        "text": "refused: " + compact,
        "cut off": LEAK + config["kafka.api.secret"] + " and so on",
    }


FORMS = list(forms({"kafka.api.secret": ""}))

# What is sent


@pytest.mark.parametrize("secret", [canary("saved"), ODD], ids=["plain", "odd"])
def test_saved(spied, secret):
    w = spied()
    w.process.write(w.config, w.text_with(secret, kafka_topic="ORDERS"))
    assert w.site.config("plain")["a.passphrase"] == secret
    changes = w.process.read(w.mounted / ".connectfs" / "changes").decode()
    assert 'kafka.topic: "orders" -> "ORDERS"' in changes and "a.passphrase: **** ->" in changes
    w.assert_hidden(secret)
    w.mounted.stop()
    assert_not_in(w.mounted.log(), secret)


def assert_not_in(text, *secrets):
    for secret in secrets:
        assert secret not in text and json.dumps(secret)[1:-1] not in text


def test_not_saved_in_a_dry_run(spied):
    w = spied(dry_run=True)
    w.process.write(w.config, w.text_with(canary("saved"), kafka_topic="ORDERS"))
    assert b"kafka.topic" in w.process.read(w.mounted / ".connectfs" / "changes")
    w.assert_hidden()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("secret", [canary("saved"), ODD], ids=["plain", "odd"])
def test_refused_and_repeated(spied, form, secret):
    """The server repeats what was sent: the reason stays, the secrets do not."""
    w = spied()
    text = w.text_with(secret, kafka_topic="ORDERS")
    w.refuse("PUT", "/plain/config$", forms(json.loads(text))[form])
    with fails(errno.EINVAL):
        w.process.write(w.config, text)
    assert b"refused: " in w.process.read(w.error)
    assert any("refused: " in line for line in w.errors())
    assert w.process.read(w.rejected) == text
    w.assert_hidden(secret)


@pytest.mark.parametrize("form", FORMS)
def test_what_is_stored_is_repeated(spied, form):
    """What only the server knows, which it had in the place of the asterisks."""
    w = spied()
    text = w.changed(kafka_topic="ORDERS")
    w.refuse("PUT", "/plain/config$", forms({
        **w.site.config("plain"), "kafka.topic": "ORDERS"})[form])
    with fails(errno.EINVAL):
        w.process.write(w.config, text)
    assert b"refused: " in w.process.read(w.error)
    if form not in ("list", "cut off"):  # prose, which may say anything
        assert b"ORDERS" in w.process.read(w.error)
        w.assert_hidden()


@pytest.mark.parametrize("form", FORMS)
def test_created_with_the_file(spied, form):
    """From the secrets file, once refused and repeated, then taken."""
    w = spied()
    directory = w.connectors / "new"
    masked = {**samples.PLAIN, "kafka.api.key": "****", "kafka.api.secret": "****",
              "a.passphrase": "****"}
    w.refuse("POST", "/connectors$", forms({
        **masked, "kafka.api.key": canary("of-one-connector"), "a.passphrase":
        canary("of-the-file-2"), "kafka.api.secret": canary("of-the-file")})[form])
    w.process.mkdir(directory)
    with fails(errno.EINVAL):
        w.process.write(directory / "config.json", canonical.config(masked))
    assert b"refused: " in w.process.read(directory / "config.json.error")
    w.assert_hidden()
    w.api.clear_faults()
    w.process.write(directory / "config.json", canonical.config(masked))
    assert w.site.config("new")["kafka.api.key"] == canary("of-one-connector")
    w.assert_hidden()
    harness.run("rm", "-r", directory)
    assert w.process.listdir(w.mounted / ".connectfs" / "deleted") == ["new.json"]
    w.assert_hidden()


def test_create_that_is_refused(spied):
    """Nothing has told yet which settings are secret: their names have to."""
    w = spied()
    w.refuse("POST", "/connectors$", {"message": "no such topic"})
    w.process.mkdir(w.connectors / "new")
    content = {**samples.PLAIN, **{name: canary("typed") for name in (
        "kafka.api.key", "kafka.api.secret", "a.password", "a.passphrase", "a.sasl.jaas.config",
        "basic.auth.user.info", "a.credentials.json", "a.secret.access.key", "an.auth.token")}}
    with fails(errno.EINVAL):
        w.process.write(w.connectors / "new" / "config.json", canonical.config(content))
    assert b"kafka.topic" in w.process.read(w.mounted / ".connectfs" / "changes")
    w.assert_hidden()


def test_conflict(spied):
    """Both changed the same secret, and another one under it."""
    w = spied()
    w.theirs(kafka_api_secret=canary("theirs"), a_sasl_jaas_config=canary("theirs"), quickstart="USERS")
    with fails(errno.ESTALE):
        w.process.write(w.config, w.text_with(canary("mine")))
    assert b"quickstart" in w.process.read(w.error)
    w.assert_hidden()


@pytest.mark.parametrize("text", [
    '{{"kafka.api.secret": "{0}', '{{"kafka.api.secret": "{0}"', '{{"kafka.api.secret": "{0}"}} {0}',
    '{{"kafka.api.secret": {0}}}', '{{"kafka.api.secret": {{"nested": "{0}"}}}}',
    '{{"kafka.api.secret": ["{0}"]}}', '["{0}"]', '"{0}"', "{0}",
    '{{"a.password": "{0}", "a.password": "{0}"}}', '{{"a.password": "{0}\\ud800"}}'])
def test_text_that_is_not_sent(spied, text):
    """Unfinished, or nothing that can be sent."""
    w = spied()
    with fails(errno.EINVAL):
        w.process.write(w.config, text.format(canary("typed")).encode())
    poll(lambda: w.process.exists(w.error) and w.process.read(w.config) == w.text, 5)
    assert len(w.errors()) == 1
    w.assert_hidden()


# What is asked


@pytest.mark.parametrize("form", FORMS)
def test_validation_repeats(spied, form):
    """A verdict with the value in it, and a question that is refused."""
    w = spied(validate=True)
    text = w.text_with(canary("asked"), kafka_topic="ORDERS")
    w.api.fault(method="PUT", path="/validate$", status=200, body={
        "name": "DatagenSource", "error_count": 1, "configs": [{
            "definition": {"name": name}, "value": {
                "name": name, "value": value, "errors": [f"refused: {value} is too short"],
                "recommended_values": [value, "more"]}}
            for name, value in json.loads(text).items()]})
    with fails(errno.EINVAL):
        w.process.write(w.config, text)
    assert b"refused: ORDERS is too short" in w.process.read(w.error)
    w.assert_hidden()
    w.refuse("PUT", "/validate$", forms(json.loads(text))[form])
    with fails(errno.EINVAL):
        w.process.write(w.config, text.replace(b"ORDERS", b"0RDERS"))
    assert b"refused: " in w.process.read(w.error)
    w.assert_hidden()


REQUESTS = {
    "listing": ("GET", "/connectors$", lambda w: w.process.listdir(w.connectors)),
    "look": ("GET", "/plain/config$", lambda w: w.process.write(
        w.config, w.changed(kafka_topic="ORDERS"))),
    "removal": ("DELETE", "/plain$", lambda w: harness.run("rm", "-r", w.directory)),
    "pause": ("PUT", "/pause$", lambda w: w.process.write(w.state, b"pause\n")),
    "topology": ("GET", "/environments$", lambda w: w.process.listdir(w.mounted / "environments")),
}


@pytest.mark.parametrize("form", ["message", "text", "cut off"])
@pytest.mark.parametrize("request_", REQUESTS)
def test_credentials_are_repeated(spied, request_, form):
    """And values of the secrets file, whatever was asked."""
    w = spied(stale=0)
    method, path, act = REQUESTS[request_]
    header = base64.b64encode(f"{w.key}:{w.secret}".encode()).decode()
    text = f"refused: key {w.key} and {w.secret}, {header} for " \
        + json.dumps({"a": [canary("of-the-file"), canary("of-one-connector")]})
    w.refuse(method, path, {"message": {"message": text}, "text": text,
                            "cut off": LEAK + w.secret}[form])
    w.refresh()
    with pytest.raises((OSError, AssertionError)):
        act(w)
    poll(lambda: any("refused: " in line for line in w.errors()), 5)
    w.api.clear_faults()
    w.assert_hidden()


@pytest.fixture
def listener():
    made = harness.Listener()
    yield made
    made.stop()


@pytest.fixture
def token(tmp_path):
    """A bearer token, and the file that it is in."""
    path = tmp_path / "credentials.json"
    text = canary("token") + ".eyJhbGciOi-_J9"
    path.write_text(json.dumps({"token": text}))
    path.chmod(0o600)
    return text, path


def test_a_bearer_token_at_the_start(listener, token):
    """Refused and repeated."""
    listener.status, listener.body = 401, json.dumps({"message": "refused: Bearer " + token[0]})
    result = harness.start_fails("-d", url=listener.url, options={"credentials": token[1]})
    assert listener.seen[0][2] == "Bearer " + token[0]
    assert "refuses these credentials" in result.errors
    assert_not_in(result.errors + result.output, token[0])


@pytest.mark.parametrize("status", [401, 403])
def test_a_bearer_token_later(listener, mount, process, token, status):
    listener.body = json.dumps({"data": [], "metadata": {}})
    mounted = mount(None, "-d", url=listener.url, credentials=token[1], stale=0)
    assert process.listdir(mounted / "environments") == []
    listener.status, listener.body = status, json.dumps({"message": "refused: Bearer " + token[0]})
    process.write(mounted / ".connectfs" / "refresh", b"1")
    with fails(errno.EACCES):
        process.listdir(mounted / "environments")
    told = process.read(mounted / ".connectfs" / "errors").decode()
    assert "refused: " in told
    mounted.stop()
    assert "refused: " in mounted.log()
    assert_not_in(told + mounted.log(), token[0])


@pytest.mark.parametrize("name, text", [
    ("credentials", '{{"key": "{0}", "secret": "{0}'),
    ("credentials", '{{"key": "{0}", "secret": "{0} "}}'),
    ("credentials", '{{"key": "{0}"}}'), ("credentials", '{{"{0}": "{0}", "token": 7}}'),
    ("credentials", "{0}"), ("secrets", '{{"a.password": "{0}'), ("secrets", '"{0}"'),
    ("secrets", '{{"a.password": ["{0}"]}}'), ("secrets", '{{"connectors": {{"x": "{0}"}}}}')])
def test_files_that_are_no_good(emulator, tmp_path, name, text):
    """The start ends with the reason, and without what is in them."""
    path = tmp_path / "file"
    path.write_text(text.format(canary("in-a-file")))
    path.chmod(0o600)
    result = harness.start_fails("-d", url=emulator.url, options={name: path})
    assert str(path) in result.errors
    assert_not_in(result.errors + result.output, "canary-")


def test_a_file_that_others_may_read(emulator, tmp_path):
    path = tmp_path / "file"
    path.write_text(json.dumps({"a.password": canary("in-a-file")}))
    path.chmod(0o640)
    result = harness.start_fails(url=emulator.url, options={"secrets": path})
    assert "others may read it" in result.errors
    assert_not_in(result.errors, "canary-")


# The process


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT])
def test_no_core_dump(spied, number):
    """Of a crash, although the limit that it was started with allows one."""
    limit = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (limit[1], limit[1]))
    try:
        # A sanitizer would take the signal for itself.
        w = spied(env={"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":handle_segv=0"})
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, limit)
    assert w.mounted.crash(number) == -number
    assert [path for path in w.mounted.home.rglob("core*") if path.is_file()] == []


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("gdb"), reason="gdb is not installed")
def test_nobody_may_look_into_it(spied):
    """Not dumpable: neither a core handler nor another process of its user gets its memory."""
    if os.geteuid() != 0:
        pytest.skip("only root may ask it")
    w = spied()
    pr_get_dumpable = 3
    told = harness.run("gdb", "-batch", "-p", w.mounted.pid, "-ex",
                       f"print (int)prctl({pr_get_dumpable})", HOME=w.mounted.home).output
    assert "$1 = 0" in told.splitlines()


def test_a_core_dump_would_be_seen(tmp_path):
    """That the test above can fail: a program that takes no care leaves one where it ran."""
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    with open("/proc/sys/kernel/core_pattern", encoding="ascii") as file:
        pattern = file.read()
    if pattern.startswith(("|", "/")) or hard == 0:
        pytest.skip("this host writes no core files where a program runs")
    child = subprocess.Popen(["sleep", "60"], cwd=tmp_path, preexec_fn=lambda: resource.setrlimit(
        resource.RLIMIT_CORE, (hard, hard)))
    child.send_signal(signal.SIGABRT)
    child.wait(10)
    assert list(tmp_path.glob("core*"))


def test_descriptors_are_not_inherited(emulators, mount, process, tmp_path):
    """A credential command has its three and no other: not the connections, not /dev/fuse."""
    api = emulators(*samples.EMULATOR)
    program = tmp_path / "helper"
    program.write_text(f"#!/bin/sh\nls -l /proc/self/fd > {tmp_path}/fds.$$\n"
                       f"mv {tmp_path}/fds.$$ {tmp_path}/run.$$\n"
                       f"echo '{json.dumps({'key': harness.KEY, 'secret': harness.SECRET})}'\n")
    program.chmod(0o700)
    mounted = mount(api, credential_command=program)
    mounted.send_signal(signal.SIGHUP)  # run again, now with connections and /dev/fuse open
    runs = poll(lambda: len(found := list(tmp_path.glob("run.*"))) == 2 and found, 5)
    for path in runs:
        listed = [line.split() for line in path.read_text().splitlines() if "->" in line]
        # The last one is that of ls itself, which reads the directory.
        assert [words[-3] for words in listed] == ["0", "1", "2", "3"]
        assert listed[0][-1] == "/dev/null" and listed[2][-1] == str(mounted.log_file)


def test_nothing_before_the_check_of_the_host(listener):
    """Plain http to another host is refused before anything is sent, be it to a proxy."""
    result = harness.start_fails(url="http://192.0.2.7", options={"timeout": 1}, env={
        "CONFLUENT_CLOUD_API_SECRET": canary("of-the-account"), "http_proxy": listener.url,
        "no_proxy": ""})
    assert listener.seen == []
    assert "plain http" in result.errors
    assert_not_in(result.errors + result.output, "canary-")
