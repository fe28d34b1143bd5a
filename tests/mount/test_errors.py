"""Reading: every failure, its errno, and the right number of attempts."""

import errno
import json
import re
import subprocess

import pytest

import canonical
import harness
import samples
from harness import fails, poll, takes

BULK = "/connectors$"
REQUEST_ID = re.compile(r"\b[0-9a-f]{32}\b")


@pytest.fixture(scope="module")
def api(shared_emulators):
    return shared_emulators(*samples.EMULATOR)


@pytest.fixture(scope="module")
def place(api):
    return samples.site(api)


@pytest.fixture(scope="module")
def mounted(api, place, shared_mounts):
    """Nothing is cached beyond a moment, nothing is stale: each test meets the API."""
    return shared_mounts(api, ttl=0, ttl_status=0, ttl_plugins=0, ttl_negative=0, stale=0,
                         timeout=2)


@pytest.fixture
def failing(api, place, mounted, process):
    """failing(fault…): the attempts at the bulk answer, and the errno."""
    def attempt(numbers, **fault):
        process.listdir(mounted / "environments" / place.env / "clusters")
        process.stat(mounted.cluster(place))
        api.clear()
        api.fault(method="GET", path=BULK, **{"times": -1, **fault})
        with fails(*numbers):
            process.listdir(mounted.connectors(place))
        return [call for call in api.calls() if call == ("GET", place.base + BULK_QUERY)]
    yield attempt
    api.clear_faults()


BULK_QUERY = "?expand=id,info,status"


@pytest.mark.parametrize("status, number", [
    (400, errno.EINVAL), (402, errno.EDQUOT), (403, errno.EACCES), (404, errno.EIO),
    (405, errno.EIO), (413, errno.EFBIG), (418, errno.EIO), (422, errno.EINVAL),
    (501, errno.EIO),
])
def test_status_that_is_an_answer(failing, mounted, status, number):
    attempts = failing([number], status=status, body={
        "error_code": status, "message": f"said with {status}"})
    assert len(attempts) == 1
    assert f"said with {status}" in mounted.log()


@pytest.mark.parametrize("status, number", [
    (429, errno.EBUSY), (500, errno.EIO), (502, errno.EIO), (503, errno.EIO), (504, errno.EIO),
])
def test_status_that_is_repeated(failing, status, number):
    with takes(at_most=4):
        attempts = failing([number, errno.ETIMEDOUT], status=status, body="a proxy's words")
    assert 2 <= len(attempts) <= 30


def test_the_key_is_no_longer_good(failing):
    """The credentials are read again, once; they are the same."""
    attempts = failing([errno.EACCES], status=401,
                       body={"error": {"code": 401, "message": "Unauthorized"}})
    assert 1 <= len(attempts) <= 2


def test_a_proxys_404(failing):
    assert len(failing([errno.EIO], status=404, body="<html>no</html>",
                       headers={"Content-Type": "text/html"})) >= 1


def test_dropped(failing):
    assert len(failing([errno.EIO, errno.ETIMEDOUT], drop=True)) >= 2


def test_hanging(failing):
    with takes(at_least=1.8, at_most=4):
        assert len(failing([errno.ETIMEDOUT], hang=True)) == 1


def test_hanging_at_a_known_name(api, place, mounted, process):
    """The kernel looks twice at a name that it knew; its caller waits once."""
    path = mounted.connector(place, "plain") / "config.json"
    process.read(path)
    api.clear()
    api.fault(method="GET", path="/config$", times=-1, hang=True)
    with takes(at_least=1.8, at_most=3.5):
        with fails(errno.ETIMEDOUT):
            process.read(path)
    assert api.calls() == [place.look("plain")]
    api.clear_faults()


def test_trickling(failing):
    with takes(at_most=4):
        failing([errno.ETIMEDOUT], trickle_ms=400)


def test_truncated(failing):
    assert len(failing([errno.EBADMSG, errno.EIO, errno.ETIMEDOUT], truncate=100)) >= 1


def test_garbage(failing):
    assert len(failing([errno.EBADMSG], garbage=True)) >= 1


@pytest.mark.parametrize("body", [
    "", "null", "[]", '"text"', "7", '{"plain"', '{"plain": 1}', '{"plain": []}',
    '{"plain": {"info": []}}', '{"plain": {"info": {"name": "plain", "config": []}}}',
    '{"plain": {"info": {"name": "plain", "config": "x"}, "id": {"id": "lcc-1"}}}',
    '{"plain": {"info": {"name": 7, "config": {}}, "id": {"id": 7}}}', "{} {}", "<html></html>",
])
def test_unexpected_shape(failing, body):
    """Not tolerated where a name, an id or a configuration should be."""
    failing([errno.EBADMSG], body_only=body)


@pytest.mark.parametrize("body", [
    '{"data": 7}', '{"data": [7]}', '{"data": [{}]}', '{"data": [{"id": 7}]}', "[]", "x",
    '{"data": [{"id": "env-1"}], "metadata": {"next": 7}}',
])
def test_unexpected_shape_of_a_list(emulator, mount, process, body):
    mounted = mount(emulator, timeout=1, stale=0, ttl_topology=0)
    emulator.fault(path="/org/v2/environments", times=-1, body_only=body)
    with fails(errno.EBADMSG):
        process.listdir(mounted / "environments")


def test_repeated_with_success(api, place, mounted, process):
    for fault in ({"status": 503}, {"status": 429}, {"status": 500}, {"drop": True}):
        api.clear()
        api.fault(method="GET", path=BULK, **fault)
        assert "plain" in process.listdir(mounted.connectors(place))
        assert api.calls().count(("GET", place.base + BULK_QUERY)) == 2


@pytest.mark.parametrize("header", ["Retry-After", "X-RateLimit-Reset"])
def test_waiting_as_asked(api, place, mounted, process, header):
    api.fault(method="GET", path=BULK, status=429, headers={header: "1"})
    with takes(at_least=0.95, at_most=2.5):
        assert "plain" in process.listdir(mounted.connectors(place))


@pytest.mark.parametrize("header", ["Retry-After", "X-RateLimit-Reset"])
def test_waiting_would_be_too_long(failing, header):
    with takes(at_most=1):
        assert len(failing([errno.EBUSY], status=429, headers={header: "30"})) == 1


def test_an_answer_that_is_too_large(emulator, site, mount, process):
    mounted = mount(emulator, max_answer="1K")
    with fails(errno.EFBIG):
        process.listdir(mounted.connectors(site))


def test_nobody_listens(emulator, site, mount, process):
    mounted = mount(emulator, timeout=1, stale=0, ttl=0, ttl_topology=0)
    process.stat(mounted.connectors(site))
    emulator.stop()
    with fails(errno.ECONNREFUSED, errno.ETIMEDOUT):
        process.listdir(mounted.connectors(site))
    emulator.start()
    poll(lambda: process.exists(mounted.connectors(site)), 10)


def test_every_error_is_told(api, place, mounted, process):
    """One log line, and one in .connectfs/errors, with method, path, status, message, id."""
    api.fault(method="GET", path=BULK, status=400,
              body={"errors": [{"detail": "the moon is in the way"}]})
    with fails(errno.EINVAL):
        process.listdir(mounted.connectors(place))
    lines = [line for line in mounted.log().splitlines() if "the moon" in line]
    assert len(lines) == 1
    for word in ("GET", place.base, "400"):
        assert word in lines[0]
    request_id = REQUEST_ID.search(lines[0]).group()
    shown = process.read(mounted / ".connectfs" / "errors").decode().splitlines()
    assert len([line for line in shown if "the moon" in line and request_id in line]) == 1
    last = json.loads(process.read(mounted / ".connectfs" / "status.json"))
    assert "the moon" in json.dumps(last)


def test_the_last_hundred_errors(emulator, site, mount, process):
    mounted = mount(emulator, ttl=0, ttl_negative=0, stale=0)
    process.stat(mounted.connectors(site))
    for number in range(105):
        emulator.clear()
        emulator.fault(method="GET", path=BULK, status=400, body={"message": f"number-{number}-x"})

        def failed():
            with fails(errno.EINVAL):
                process.listdir(mounted.connectors(site))
            return emulator.calls()
        poll(failed, 5)
    lines = process.read(mounted / ".connectfs" / "errors").decode().splitlines()
    assert len(lines) == 100
    assert "number-5-x" in lines[0] and "number-104-x" in lines[-1]


# Tolerated oddities


def both_lists(emulator, change):
    """The first page of the list of environments, changed."""
    answer = json.loads(emulator.api("/org/v2/environments?page_size=100"))
    change(answer)
    emulator.fault(path="/org/v2/environments", times=-1, body_only=json.dumps(answer))


def no_metadata(answer):
    del answer["metadata"]
    for one in answer["data"]:
        del one["metadata"]


def unknown_members(answer):
    answer["surprise"] = [{"a": 1}]
    answer["data"][0]["surprise"] = {"deep": [None, {}]}


def empty_next(answer):
    answer["metadata"] = {"next": ""}


def null_next(answer):
    answer["metadata"] = {"next": None}


def repeated_entry(answer):
    answer["data"].append(answer["data"][0])


@pytest.mark.parametrize("change", [no_metadata, unknown_members, empty_next, null_next,
                                    repeated_entry])
def test_tolerated_in_a_list(emulator, mount, process, change):
    mounted = mount(emulator, ttl_topology=0, stale=0)
    both_lists(emulator, change)
    assert sorted(process.listdir(mounted / "environments")) == sorted(emulator.account())


@pytest.mark.parametrize("body", ['{"data": null}', '{"data": []}',
                                  '{"data": null, "metadata": null}'])
def test_no_data(emulator, mount, process, body):
    env = samples.first_cluster(emulator)[0]
    mounted = mount(emulator, ttl_topology=0, stale=0)
    emulator.fault(path="/cmk/v2/clusters", times=-1, body_only=body)
    assert process.listdir(mounted / "environments" / env / "clusters") == []


def test_relative_next(emulator, mount, process):
    mounted = mount(emulator, ttl_topology=0)
    first = ('{"data": [{"id": "env-first"}], '
             '"metadata": {"next": "/org/v2/environments?page_token=t2"}}')
    second = '{"data": [{"id": "env-second"}], "metadata": {}}'
    emulator.fault(path="/org/v2/environments", query="page_token=t2", times=-1, status=200,
                   body=second)
    emulator.fault(path="/org/v2/environments", times=-1, body_only=first)
    assert sorted(process.listdir(mounted / "environments")) == ["env-first", "env-second"]


def test_next_that_leads_in_a_circle(emulator, mount, process):
    mounted = mount(emulator, ttl_topology=0, timeout=2, stale=0)
    emulator.fault(path="/org/v2/environments", times=-1, status=200, body=json.dumps(
        {"data": [{"id": "env-first"}],
         "metadata": {"next": emulator.url + "/org/v2/environments?page_token=same"}}))
    with takes(at_most=6):
        try:
            assert process.listdir(mounted / "environments") == ["env-first"]
        except OSError as error:
            assert error.errno in (errno.EBADMSG, errno.EIO, errno.ETIMEDOUT, errno.EFBIG)
    assert len(emulator.calls()) < 1000, "not as many as the deadline allows"


def test_next_that_leads_nowhere(emulator, mount, process):
    """What is on the pages behind it is not taken for absent."""
    mounted = mount(emulator, ttl_topology=0, stale=0)
    names = process.listdir(mounted / "environments")
    emulator.fault(path="/org/v2/environments", times=2, body_only=json.dumps(
        {"data": [{"id": name} for name in names[1:]],
         "metadata": {"next": emulator.url + "/org/v2/environments?page_token=a|b"}}))
    with fails(errno.EBADMSG):
        process.listdir(mounted / "environments")
    with fails(errno.EBADMSG):
        process.lstat(mounted / "environments" / names[0])
    assert process.listdir(mounted / "environments") == names


def test_gzip_without_its_header(emulator, site, mount, process):
    content = site.shown("plain")
    emulator.fault(path="/connectors", times=-1, gzip_unlabelled=True)
    mounted = mount(emulator)
    assert process.read(mounted.connector(site, "plain") / "config.json") == content


def test_gzip_is_asked_for(emulator, site, mount, process):
    mounted = mount(emulator)
    process.listdir(mounted.connectors(site))
    for one in emulator.requests():
        headers = {key.lower(): value for key, value in one["headers"].items()}
        assert "gzip" in headers["accept-encoding"]
        assert one["authorization"]


def test_connectors_without_a_status(emulator, site, mount, process):
    """null, absent or {}: the configuration is shown all the same."""
    answer = json.loads(emulator.api(site.base + BULK_QUERY))
    answer["plain"]["status"] = None
    del answer["other"]["status"]
    emulator.fault(path=BULK, times=-1, body_only=json.dumps(answer))
    mounted = mount(emulator)
    for name in ("plain", "other"):
        shown = process.read(mounted.connector(site, name) / "config.json")
        assert shown == canonical.config(answer[name]["info"]["config"])


# Other hosts


def test_redirect_to_the_same_origin(emulator, site, mount, process):
    mounted = mount(emulator)
    emulator.fault(path=BULK, redirect=emulator.url + site.base + BULK_QUERY)
    assert "plain" in process.listdir(mounted.connectors(site))


def test_redirect_to_another_host(emulator, site, mount, process):
    """EPROTO, and no credentials; in truth no request at all."""
    foreign = harness.Listener()
    try:
        mounted = mount(emulator, timeout=2)
        emulator.fault(path=BULK, times=-1, redirect=foreign.url + site.base)
        with fails(errno.EPROTO):
            process.listdir(mounted.connectors(site))
        assert foreign.seen == []
    finally:
        foreign.stop()


def test_a_put_is_not_redirected(emulator, site, mount, process):
    foreign = harness.Listener()
    try:
        mounted = mount(emulator, timeout_write=2)
        path = mounted.connector(site, "plain") / "config.json"
        content = dict(json.loads(process.read(path)), **{"kafka.topic": "elsewhere"})
        emulator.fault(method="PUT", path="/config$", times=-1, redirect=foreign.url + "/x")
        with fails(errno.EPROTO):
            process.write(path, canonical.config(content))
        assert foreign.seen == []
    finally:
        foreign.stop()


def test_next_on_another_host(emulator, mount, process):
    """The link is used for its page token alone."""
    foreign = harness.Listener(body='{"data": [{"id": "env-evil"}]}')
    try:
        mounted = mount(emulator, ttl_topology=0)
        link = foreign.url + "/elsewhere?page_token=t2&page_size=1"
        emulator.fault(path="/org/v2/environments", query="page_token=t2", times=-1, status=200,
                       body='{"data": [{"id": "env-second"}], "metadata": {}}')
        emulator.fault(path="/org/v2/environments", times=-1, body_only=json.dumps(
            {"data": [{"id": "env-first"}], "metadata": {"next": link}}))
        assert sorted(process.listdir(mounted / "environments")) == ["env-first", "env-second"]
        assert foreign.seen == []
    finally:
        foreign.stop()


# TLS


def test_tls(emulators, mount, process, certificate):
    api = emulators(*samples.EMULATOR, tls=certificate)
    site = samples.site(api)
    mounted = mount(api, cacert=certificate[0])
    assert process.read(mounted.connector(site, "plain") / "config.json") == site.shown("plain")


def test_tls_of_an_unknown_authority(emulators, certificate):
    api = emulators(*samples.EMULATOR, tls=certificate)
    result = harness.start_fails(url=api.url, options={"timeout": 2})
    assert "certificate" in result.errors.lower() or "tls" in result.errors.lower()
    assert api.calls() == []
