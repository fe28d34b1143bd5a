"""Every list and file beside the connectors, under everything that an API can do wrong.

All kinds are read at the same time, each with an emulator and a mount of its own, because most of
these faults last until the deadline.
"""

import errno

import pytest

import harness
import samples
import uploads
from harness import takes

ENV, CLUSTER = "env-3k9dpz", "lkc-7n2kvd"
CLUSTER_PATH = f"environments/{ENV}/clusters/{CLUSTER}"

# What is read, and the request that this makes.
KINDS = {
    "organization": ("organization.json", "GET", "/organizations$"),
    "runtimes": ("custom-connector-runtimes.json", "GET", "/custom-connector-runtimes$"),
    "custom plugins": ("custom-connector-plugins/", "GET", "/custom-connector-plugins$"),
    "plugins": (f"environments/{ENV}/plugins/", "GET", "/ccpm/v1/plugins$"),
    "versions": (f"environments/{ENV}/plugins/{uploads.WEATHER}/versions/", "GET", "/versions$"),
    "managed plugins": (f"{CLUSTER_PATH}/connector-plugins/", "GET", "/connector-plugins$"),
    "template": (f"{CLUSTER_PATH}/connector-plugins/DatagenSource/template.json", "PUT",
                 "/config/validate$"),
    "tasks": (f"{CLUSTER_PATH}/connectors/plain/tasks.json", "GET", "/tasks$"),
}


class Kind:
    """One of them, on a mount where every fault reaches the reader."""

    def __init__(self, name, api, mounted):
        self.api, self.mounted, self.process = api, mounted, harness.Process()
        self.path, self.method, self.request = KINDS[name]

    def call(self, **fault):
        """Starts to read it, with nothing in any cache."""
        self.api.fault(method=self.method, path=self.request, **fault)
        self.process.write(self.mounted / ".connectfs" / "refresh", b"1\n")
        self.api.clear()
        return self.process.start("listdir" if self.path.endswith("/") else "read",
                                  self.mounted / self.path)

    def asked(self):
        end = self.request.rstrip("$")
        return sum(one["method"] == self.method and one["path"].endswith(end)
                   for one in self.api.requests())


@pytest.fixture(scope="module")
def kinds(shared_emulators, shared_mounts):
    made = {}
    for name in KINDS:
        api = shared_emulators("--provisioning", 0)
        harness.Site(api, ENV, CLUSTER).create("plain", samples.PLAIN)
        made[name] = Kind(name, api, shared_mounts(
            api, ttl_status=60, ttl_negative=0, stale=0, timeout=2))
    yield made
    for kind in made.values():
        kind.process.stop()


@pytest.fixture
def read(kinds):
    """read(fault…): {kind: its content, or the errno} and {kind: attempts}."""
    def attempt(times=-1, **fault):
        calls = {name: kind.call(times=times, **fault) for name, kind in kinds.items()}
        found = {}
        for name, call in calls.items():
            try:
                found[name] = call.result()
            except OSError as error:
                found[name] = errno.errorcode[error.errno]
        return found, {name: kind.asked() for name, kind in kinds.items()}
    yield attempt
    for kind in kinds.values():
        kind.api.clear_faults()


def all_fail(found, *names):
    assert {name: value for name, value in found.items() if value not in names} == {}


@pytest.mark.parametrize("status, name", [
    (400, "EINVAL"), (402, "EDQUOT"), (403, "EACCES"), (405, "EIO"), (413, "EFBIG"),
    (418, "EIO"), (422, "EINVAL"), (501, "EIO"),
])
def test_status_that_is_an_answer(read, kinds, status, name):
    found, attempts = read(status=status, body={
        "error_code": status, "message": f"said with {status}"})
    all_fail(found, name)
    assert attempts == dict.fromkeys(KINDS, 1)
    for kind in kinds.values():
        assert f"said with {status}" in kind.mounted.log()


def test_404(read):
    """Of one connector or plugin it says that it is gone; of a list it says nothing."""
    found, _ = read(status=404, body={"error": {"code": 404, "message": "no"}})
    gone = {"template", "tasks"}
    assert found == {name: "ENOENT" if name in gone else "EIO" for name in KINDS}


def test_a_proxys_404(read):
    all_fail(read(status=404, body="<html>no</html>", headers={"Content-Type": "text/html"})[0],
             "EIO")


def test_the_key_is_no_longer_good(read):
    found, attempts = read(status=401, body={"error": {"code": 401, "message": "Unauthorized"}})
    all_fail(found, "EACCES")
    assert set(attempts.values()) <= {1, 2}


@pytest.mark.parametrize("fault, name", [
    ({"status": 429}, "EBUSY"), ({"status": 500}, "EIO"), ({"status": 503}, "EIO"),
    ({"drop": True}, "EIO"),
], ids=str)
def test_repeated(read, fault, name):
    with takes(at_most=5):
        found, attempts = read(**fault)
    all_fail(found, name, "ETIMEDOUT")
    assert all(2 <= number <= 30 for number in attempts.values()), attempts


@pytest.mark.parametrize("fault", [
    {"status": 429}, {"status": 500}, {"status": 503}, {"drop": True}, {"truncate": 20}], ids=str)
def test_repeated_with_success(read, fault):
    good, attempts = read(times=0, status=500)
    assert attempts == dict.fromkeys(KINDS, 1)
    found, attempts = read(times=1, **fault)
    assert found == good
    assert attempts == dict.fromkeys(KINDS, 2)


@pytest.mark.parametrize("fault", [{"hang": True}, {"trickle_ms": 400}], ids=str)
def test_too_slow(read, fault):
    with takes(at_most=5):
        found, attempts = read(**fault)
    all_fail(found, "ETIMEDOUT")
    assert attempts == dict.fromkeys(KINDS, 1)


@pytest.mark.parametrize("fault", [
    {"garbage": True}, {"body_only": ""}, {"body_only": "null"}, {"body_only": "7"},
    {"body_only": "{} {}"}, {"body_only": '{"data": 7}'}, {"body_only": "<html></html>"}], ids=str)
def test_an_answer_that_is_none(read, fault):
    found, _ = read(**fault)
    all_fail(found, "EBADMSG")
