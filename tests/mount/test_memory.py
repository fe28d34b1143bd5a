"""A secret is in the daemon's memory for as long as its request needs it, and not after that."""

import base64
import errno
import json
import os

import pytest

import canonical
import harness
import samples
from harness import fails, poll
from proxy import NEEDS_NGHTTPX, over_http2
from uploads import CUSTOM, PRESIGN, archive, text as plugin
from work import Work


def value(name):
    """A secret that is still recognized when an allocator has used its first bytes."""
    return "x" * 48 + name


KEY, API_SECRET = "MEMORYKEY", value("canary-of-the-account")
OF_FILE = value("canary-of-the-file")
HEADER = base64.b64encode(f"{KEY}:{API_SECRET}".encode())


def regions(pid):
    """Start and end of what a process can read."""
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="surrogateescape") as table:
        for line in table:
            words = line.split()
            if "r" in words[1] and not line.rstrip().endswith(("[vvar]", "[vsyscall]")):
                yield [int(end, 16) for end in words[0].split("-")]


def copies(mounted, needle):
    """How often `needle` stands in the daemon's memory."""
    count = 0
    with open(f"/proc/{mounted.pid}/mem", "rb", buffering=0) as memory:
        for start, end in regions(mounted.pid):
            memory.seek(start)
            parts, left = [], end - start
            while left > 0:
                try:
                    part = memory.read(left)
                except OSError:  # beyond the end of a mapped file, or unmapped since
                    break
                if not part:
                    break
                parts.append(part)
                left -= len(part)
            count += b"".join(parts).count(needle)
    return count


@pytest.fixture(params=["http", "https"])
def account(request, emulators, mount, process, certificate):
    """Mounts, with options, the connector `plain` of an account whose every secret is known."""
    if os.geteuid() != 0:
        pytest.skip("only root may look into the memory of a process that protects it")
    tls = certificate if request.param == "https" else None
    api = emulators(*samples.EMULATOR, "--key", KEY, "--secret", API_SECRET, tls=tls)
    secrets = api.home / "secrets.json"
    secrets.write_text(json.dumps({"kafka.api.secret": OF_FILE}))
    secrets.chmod(0o600)
    site = samples.site(api)

    def make(**options):
        mounted = mount(api, secrets=secrets, cacert=tls[0] if tls else None, delete_delay=0.3,
                        env={"LD_BIND_NOW": 1, "CONFLUENT_CLOUD_API_KEY": KEY,
                             "CONFLUENT_CLOUD_API_SECRET": API_SECRET}, **options)
        if any(end - start > 1 << 40 for start, end in regions(mounted.pid)):
            pytest.skip("a sanitizer keeps what was freed")
        return Work(api, site, mounted, process)

    return make


@pytest.fixture
def w(account):
    return account()


def text_with(w, secret, **settings):
    return w.changed(kafka_api_secret=value(secret), **settings)


def assert_gone(w, *secrets):
    """Soon after the call that needed them has returned."""
    for secret in secrets:
        poll(lambda secret=secret: copies(w.mounted, secret.encode()) == 0, 2, f"no {secret}")
    assert copies(w.mounted, b"canary-of-the-file") == 1, "the secrets file's values, once"


def save_in_place(w, text):
    w.process.write(w.config, text)


def save_by_rename(w, text):
    w.process.write(w.directory / "temp", text)
    w.process.rename(w.directory / "temp", w.config)


def save_by_link(w, text):
    w.process.write(w.directory / "temp", text)
    w.process.unlink(w.config)
    w.process.link(w.directory / "temp", w.config)
    w.process.unlink(w.directory / "temp")


def save_by_fsync(w, text):
    fd = w.process.open(w.config, os.O_WRONLY | os.O_TRUNC)
    w.process.write_fd(fd, text)
    w.process.fsync(fd)
    w.process.close(fd)


def save_a_new_file(w, text):
    w.process.unlink(w.config)
    w.process.create(w.config, text)


def save_as_vim(w, text):
    w.process.rename(w.config, w.directory / "config.json~")
    w.process.create(w.config, text)
    w.process.unlink(w.directory / "config.json~")


def test_the_credentials_own_copies(w):
    """The environment's, what is sent, and what the log hides: requests leave no others."""
    for _ in range(3):
        w.refresh()
        w.process.tree(w.connectors)
    poll(lambda: copies(w.mounted, b"canary-of-the-account") == 3, 2)
    poll(lambda: copies(w.mounted, HEADER) == 2, 2)


@pytest.mark.parametrize("save", [save_in_place, save_by_rename, save_by_link, save_by_fsync,
                                  save_a_new_file, save_as_vim])
def test_after_a_save(w, save):
    save(w, text_with(w, "canary-first"))
    assert w.site.config("plain")["kafka.api.secret"] == value("canary-first")
    assert_gone(w, "canary-first")
    save(w, text_with(w, "canary-second", kafka_topic="two"))
    assert w.site.config("plain")["kafka.api.secret"] == value("canary-second")
    assert_gone(w, "canary-first", "canary-second")


def test_while_it_is_needed(w):
    """That the search finds what is there: an unsent draft; it is gone with it."""
    fd = w.process.open(w.config, os.O_WRONLY | os.O_TRUNC)
    w.process.write_fd(fd, text_with(w, "canary-draft"))
    assert copies(w.mounted, b"canary-draft") == 1
    w.process.close(fd)
    assert_gone(w, "canary-draft")


def test_after_a_large_save(w):
    """More than libcurl sends in one piece."""
    many = {f"comment_{number}": "x" * 1000 for number in range(150)}
    save_in_place(w, text_with(w, "canary-large", **many))
    assert w.api.writes() == [w.put]
    assert_gone(w, "canary-large")


def test_after_an_unfinished_draft(w):
    """Kept as config.json.rejected, in one copy; gone with that."""
    text = text_with(w, "canary-unfinished")[:-3]
    with fails(errno.EINVAL):
        save_in_place(w, text)
    poll(lambda: w.process.exists(w.rejected) and copies(w.mounted, b"canary-unfinished") == 1, 5)
    assert w.process.read(w.rejected) == text
    w.process.unlink(w.rejected)
    assert_gone(w, "canary-unfinished")


def test_after_a_refused_save(w):
    """The user's text is kept in one copy; what the server repeated, in none."""
    w.api.fault(method="PUT", path="/config$", status=400, body={
        "error_code": 400, "message": "refused",
        "errors": [{"detail": "no", "value": value("canary-echoed")}] * 50})
    text = text_with(w, "canary-refused")
    with fails(errno.EINVAL):
        save_in_place(w, text)
    poll(lambda: copies(w.mounted, b"canary-refused") == 1, 2)
    assert_gone(w, "canary-echoed")
    save_in_place(w, text_with(w, "canary-accepted"))
    w.assert_clean()
    assert_gone(w, "canary-refused", "canary-accepted", "canary-echoed")


def test_after_a_conflict(w):
    w.site.patch("plain", merge={"quickstart": "USERS"})
    with fails(errno.ESTALE):
        save_in_place(w, text_with(w, "canary-late"))
    poll(lambda: copies(w.mounted, b"canary-late") == 1, 2)
    harness.run("rm", w.rejected, w.error)
    assert_gone(w, "canary-late")


def test_after_repeated_attempts(w):
    w.api.fault(method="PUT", path="/config$", status=503, times=2)
    save_in_place(w, text_with(w, "canary-repeated"))
    assert w.api.writes() == [w.put] * 3
    assert_gone(w, "canary-repeated")


def test_after_a_lost_answer(w):
    w.api.fault(method="PUT", path="/config$", unanswered="drop")
    save_in_place(w, text_with(w, "canary-lost", kafka_topic="lost"))
    assert w.site.config("plain")["kafka.api.secret"] == value("canary-lost")
    assert_gone(w, "canary-lost")


def test_after_a_create(w):
    """With values of its own, and with the secrets file's."""
    for name, secret in (("new", value("canary-created")), ("other-new", "****")):
        w.process.mkdir(w.connectors / name)
        w.process.write(w.connectors / name / "config.json", canonical.config(
            dict(samples.PLAIN, **{"kafka.api.secret": secret})))
    assert w.site.config("new")["kafka.api.secret"] == value("canary-created")
    assert w.site.config("other-new")["kafka.api.secret"] == OF_FILE
    assert_gone(w, "canary-created")


@pytest.mark.parametrize("option", ["validate", "dry_run"])
def test_after_a_save_with(account, option):
    w = account(**{option: True})
    save_in_place(w, text_with(w, "canary-asked", kafka_topic="ORDERS"))
    assert_gone(w, "canary-asked")
    if option == "validate":
        with fails(errno.EINVAL):
            save_in_place(w, text_with(w, "canary-invalid", quickstart="NO_SUCH"))
        poll(lambda: copies(w.mounted, b"canary-invalid") == 1, 2)
        harness.run("rm", w.rejected, w.error)
        assert_gone(w, "canary-invalid")


@pytest.mark.parametrize("cloud, path", [("AWS", "/"), ("GCP", "/gcp/mine/plugin.zip")])
def test_after_an_upload(w, cloud, path):
    """Whoever has a presigned URL, or the fields of its form, may upload."""
    directory = w.mounted / "custom-connector-plugins" / "Tides"
    url = f"{path}?signature={value('canary-of-the-url')}"
    ticket = {"upload_id": "mine", "upload_url": w.api.url + url,
              "upload_form_data": {"policy": "x" * 1500 + "canary-of-the-form"}}
    w.api.fault(path=PRESIGN, status=200, body=ticket)
    w.api.fault(path=f"^{path}$", status=200)
    w.process.mkdir(directory)
    w.process.write(directory / "plugin.json", plugin(cloud=cloud))
    with fails(errno.EINVAL):
        w.process.write(directory / "plugin.zip", archive())
    assert [path for _, path in w.api.writes()] == [PRESIGN, url, CUSTOM]
    assert_gone(w, "canary-of-the-url", "canary-of-the-form")


def test_after_a_question(w):
    """What is asked goes with the question; the server does not repeat it, so nothing stays."""
    path = w.mounted.cluster(w.site) / "connector-plugins" / "DatagenSource" / "validate.json"
    w.api.fault(method="PUT", path="/validate$", status=200, body={"name": "x", "configs": []})
    w.process.write(path, text_with(w, "canary-question"))
    assert b"configs" in w.process.read(path)
    assert_gone(w, "canary-question")


@pytest.mark.slow
@NEEDS_NGHTTPX
def test_over_http2(emulators, mount, process, certificate, tmp_path):
    """As the API speaks it: what is sent does not stay in the frames of a connection that does."""
    if os.geteuid() != 0:
        pytest.skip("only root may look into the memory of a process that protects it")
    api = emulators(*samples.EMULATOR, "--key", KEY, "--secret", API_SECRET)
    site = samples.site(api)
    with over_http2(api, certificate, tmp_path) as url:
        mounted = mount(api, url=url, cacert=certificate[0], env={
            "LD_BIND_NOW": 1, "CONFLUENT_CLOUD_API_KEY": KEY,
            "CONFLUENT_CLOUD_API_SECRET": API_SECRET})
        w = Work(api, site, mounted, process)
        save_in_place(w, w.changed(tasks_max="2"))
        assert [(one["method"], one["headers"]["Via"]) for one in api.requests()] \
            == [("GET", "2 nghttpx"), ("PUT", "2 nghttpx")]
        assert json.loads(process.read(mounted / ".connectfs" / "status.json"))["connections"] == 1
        w.text = process.read(w.config)
        api.clear()
        save_in_place(w, text_with(w, "canary-over-2"))
        assert w.site.config("plain")["kafka.api.secret"] == value("canary-over-2")
        assert [(one["method"], one["headers"]["Via"]) for one in api.requests()] \
            == [("GET", "2 nghttpx"), ("PUT", "1.1 nghttpx")]
        poll(lambda: copies(mounted, b"canary-over-2") == 0, 2)
        w.refresh()
        process.tree(w.connectors)
        assert {one["headers"]["Via"] for one in api.requests() if one["method"] == "GET"} \
            == {"2 nghttpx"}
        mounted.stop()


def test_after_scratch(w):
    """A file beside it: while it is there, read or not; and no longer."""
    path = w.directory / "notes"
    w.process.write(path, b"canary-scratch")
    assert w.process.read(path) == b"canary-scratch"
    assert copies(w.mounted, b"canary-scratch") == 1
    w.process.unlink(path)
    assert_gone(w, "canary-scratch")


def test_after_a_question(w):
    """Refused, it is kept in one copy; gone with the next one that is answered."""
    plugin = w.mounted.cluster(w.site) / "connector-plugins" / samples.PLAIN["connector.class"]
    w.api.fault(method="PUT", path="/validate$", status=400)
    with fails(errno.EINVAL):
        w.process.write(plugin / "validate.json", text_with(w, "canary-asked"))
    poll(lambda: copies(w.mounted, b"canary-asked") == 1, 2)
    w.process.write(plugin / "validate.json", text_with(w, "canary-answered"))
    assert w.process.listdir(plugin) == ["plugin.json"]
    assert_gone(w, "canary-asked", "canary-answered")
