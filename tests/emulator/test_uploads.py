"""Presigned URLs, and the origin that they lead to."""

import base64
import datetime
import hashlib
import http.client
import json
import urllib.parse

import pytest

from cloud import ENVIRONMENT, form, platform_error, zip_archive
from harness import poll

CONNECT, CCPM = "/connect/v1/presigned-upload-url", "/ccpm/v1/presigned-upload-url"
CLOUDS = ["AWS", "AZURE", "GCP"]


def refused(answer, status, code):
    """Asserts an answer of an object store."""
    assert (answer.status, answer.headers["content-type"]) == (status, "application/xml")
    assert f"<Error><Code>{code}</Code><Message>" in answer.text
    assert f"<RequestId>{answer.headers['x-request-id']}</RequestId>" in answer.text


def arrived(cloud, given):
    [one] = [one for one in cloud.control("GET", "uploads") if one["id"] == given["upload_id"]]
    return one


def kept(content, is_zip=True):
    return {"size": len(content), "sha256": hashlib.sha256(content).hexdigest(), "is_zip": is_zip}


def test_presigned_urls(cloud):
    given = cloud.presign("AWS")
    assert given.pop("upload_id") in given["upload_form_data"]["key"]
    url = urllib.parse.urlsplit(given.pop("upload_url"))
    assert (url.scheme, url.hostname, url.path) == ("http", "127.0.0.1", "/")
    assert url.port != cloud.port
    fields = given.pop("upload_form_data")
    assert given == {"api_version": "connect/v1", "kind": "PresignedUrl", "content_format": "ZIP",
                     "cloud": "AWS"}
    assert sorted(fields) == [
        "bucket", "key", "policy", "x-amz-algorithm", "x-amz-credential", "x-amz-date",
        "x-amz-security-token", "x-amz-signature"]
    policy = json.loads(base64.b64decode(fields["policy"]))
    ends = datetime.datetime.fromisoformat(policy["expiration"].replace("Z", "+00:00"))
    left = (ends - datetime.datetime.now(datetime.timezone.utc)).total_seconds()
    assert 3590 < left <= 3600
    assert {"key": fields["key"]} in policy["conditions"]
    assert ["content-length-range", 1, 1 << 30] in policy["conditions"]


def test_presigned_urls_of_an_environment(cloud):
    given = cloud.presign("GCP", ENVIRONMENT, "JAR")
    assert (given["api_version"], given["content_format"]) == ("ccpm/v1", "JAR")
    assert given["environment"]["id"] == ENVIRONMENT
    assert given["upload_form_data"] == {}
    assert given["upload_id"] in given["upload_url"]


def test_defaults(cloud):
    answer = cloud.api("POST", CONNECT, {"content_format": "JAR"}).json
    assert (answer["cloud"], answer["content_format"]) == ("AWS", "JAR")


@pytest.mark.parametrize("path, body, pointer", [
    (CONNECT, {}, "/content_format"), (CONNECT, {"content_format": "PDF"}, "/content_format"),
    (CONNECT, {"content_format": "ZIP", "cloud": "IBM"}, "/cloud"),
    (CCPM, {"content_format": "ZIP", "cloud": "AWS"}, "/environment"),
    (CCPM, {"content_format": "ZIP", "environment": {"id": ENVIRONMENT}}, "/cloud"),
])
def test_presign_refused(cloud, path, body, pointer):
    platform_error(cloud.api("POST", path, body), 422, "invalid_configuration",
                   "Validation Failed", {"pointer": pointer})


def test_presign_for_an_unknown_environment(cloud):
    platform_error(cloud.api("POST", CCPM, {
        "content_format": "ZIP", "cloud": "AWS", "environment": {"id": "env-none"}}),
        403, "user_unauthorized", "User Access Unauthorized")
    assert cloud.api("POST", CONNECT, "[]").status == 400


@pytest.mark.parametrize("where", CLOUDS)
def test_upload(cloud, where):
    content = zip_archive(size=300000)
    given = cloud.presign(where)
    assert arrived(cloud, given)["archive"] is None
    assert cloud.send_to(given, content).status == {"AWS": 204, "AZURE": 201, "GCP": 200}[where]
    one = arrived(cloud, given)
    assert one["archive"] == kept(content)
    assert (one["received"], one["used"], one["cloud"]) == (len(content), False, where)


@pytest.mark.parametrize("where", CLOUDS)
def test_a_second_upload_replaces_the_first(cloud, where):
    given = cloud.presign(where)
    cloud.send_to(given, zip_archive("first"))
    cloud.send_to(given, zip_archive("second"))
    one = arrived(cloud, given)
    assert one["archive"] == kept(zip_archive("second"))
    assert one["received"] == len(zip_archive("second"))


@pytest.mark.parametrize("content", [
    b"%PDF-1.7" + b"x" * 5000, zip_archive(size=5000)[:-30], zip_archive(size=5000)[30:], b"PK"])
def test_what_is_no_archive(cloud, content):
    given = cloud.presign()
    cloud.send_to(given, content)
    assert arrived(cloud, given)["archive"] == kept(content, False)


@pytest.mark.parametrize("where", CLOUDS)
def test_expiry(cloud, where):
    given = cloud.presign(where)
    cloud.control("PATCH", f"uploads/{given['upload_id']}", {"expires_ms": -1})
    status, code = {"AWS": (403, "AccessDenied"), "AZURE": (403, "AuthenticationFailed"),
                    "GCP": (400, "ExpiredToken")}[where]
    refused(cloud.send_to(given, zip_archive()), status, code)
    assert arrived(cloud, given)["archive"] is None


def test_expiry_of_all_new_ones(cloud):
    cloud.settings(upload_expiry_ms=0)
    refused(cloud.send_to(cloud.presign(), zip_archive()), 403, "AccessDenied")


@pytest.mark.parametrize("where", CLOUDS)
@pytest.mark.parametrize("text", ["Basic REVNT0tFWTpkZW1vLXNlY3JldA==", "Bearer x"])
def test_no_credentials(cloud, where, text):
    given = cloud.presign(where)
    refused(cloud.send_to(given, zip_archive(), {"Authorization": text,
                                                 "x-ms-blob-type": "BlockBlob"}),
            400, "InvalidArgument")
    assert arrived(cloud, given)["archive"] is None


@pytest.mark.parametrize("where", CLOUDS)
def test_no_length(cloud, where):
    given = cloud.presign(where)
    url = urllib.parse.urlsplit(given["upload_url"])
    body, kind = form([*given["upload_form_data"].items(), ("file", None)], zip_archive())
    connection = http.client.HTTPConnection("127.0.0.1", url.port, timeout=10)
    connection.request("POST" if where == "AWS" else "PUT", f"{url.path}?{url.query}", iter([body]),
                       {"Content-Type": kind, "Transfer-Encoding": "chunked",
                        "x-ms-blob-type": "BlockBlob"}, encode_chunked=True)
    answer = connection.getresponse()
    assert answer.status == 411 and b"MissingContentLength" in answer.read()
    connection.close()


def fields_of(given):
    return [*given["upload_form_data"].items(), ("file", None)]


def without(name):
    return lambda fields: [pair for pair in fields if pair[0] != name]


def altered(name):
    return lambda fields: [(key, value + "x" if key == name else value) for key, value in fields]


@pytest.mark.parametrize("change, status, code", [
    (lambda fields: [fields[-1], *fields[:-1]], 400, "InvalidArgument"),
    (lambda fields: [*fields, ("more", "x")], 400, "InvalidArgument"),
    (lambda fields: [*fields, ("file", None)], 400, "InvalidArgument"),
    (without("file"), 400, "InvalidArgument"),
    (lambda fields: [("more", "x"), *fields], 403, "AccessDenied"),
    (without("policy"), 403, "AccessDenied"), (without("key"), 403, "AccessDenied"),
    (without("bucket"), 403, "AccessDenied"),
    (without("x-amz-security-token"), 403, "AccessDenied"),
    (altered("policy"), 403, "AccessDenied"), (altered("key"), 403, "AccessDenied"),
    (altered("x-amz-date"), 403, "AccessDenied"),
    (altered("x-amz-signature"), 403, "SignatureDoesNotMatch"),
])
def test_forms_that_are_refused(cloud, change, status, code):
    given = cloud.presign()
    refused(cloud.send_to(given, zip_archive(), fields=change(fields_of(given))), status, code)
    assert arrived(cloud, given)["archive"] is None


def test_another_order_of_fields(cloud):
    given = cloud.presign()
    fields = fields_of(given)
    assert cloud.send_to(given, zip_archive(), fields=[
        *reversed(fields[:-1]), fields[-1]]).status == 204


def test_no_form(cloud):
    given = cloud.presign()
    refused(cloud.send_to(given, zip_archive(), {"Content-Type": "application/zip"}),
            412, "PreconditionFailed")


def test_empty_files(cloud):
    for where in CLOUDS:
        given = cloud.presign(where)
        answer = cloud.send_to(given, b"")
        assert answer.status == 400 and arrived(cloud, given)["archive"] is None


@pytest.mark.parametrize("headers, code", [
    ({}, "MissingRequiredHeader"), ({"x-ms-blob-type": "PageBlob"}, "InvalidHeaderValue")])
def test_azures_header(cloud, headers, code):
    refused(cloud.send_to(cloud.presign("AZURE"), zip_archive(), headers), 400, code)


@pytest.mark.parametrize("where, code", [("AZURE", "AuthenticationFailed"),
                                         ("GCP", "SignatureDoesNotMatch")])
def test_signatures(cloud, where, code):
    given, other = cloud.presign(where), cloud.presign(where)
    url = given["upload_url"]
    for wrong in (url + "0", url.split("?")[0], url.replace(".zip", ".jar"),
                  url.replace(given["upload_id"], other["upload_id"])):
        refused(cloud.send_to(given, zip_archive(), url=wrong), 403, code)


def test_unknown_places(cloud):
    port = urllib.parse.urlsplit(cloud.presign()["upload_url"]).port
    assert cloud.ask("GET", "/", port=port).status == 405
    assert cloud.ask("PUT", "/elsewhere", b"x", port=port).status == 404
    assert cloud.ask("GET", "/_emulator/uploads", port=port).status == 404
    assert cloud.ask("GET", "/org/v2/organizations", port=port).status == 404


def test_the_api_is_not_the_store(cloud):
    given = cloud.presign("GCP")
    url = urllib.parse.urlsplit(given["upload_url"])
    assert cloud.api("PUT", f"{url.path}?{url.query}", b"x").status == 404


def test_records(cloud):
    given = cloud.presign("AZURE")
    cloud.control("DELETE", "requests")
    cloud.send_to(given, zip_archive())
    [record] = cloud.control("GET", "requests")
    url = urllib.parse.urlsplit(given["upload_url"])
    assert (record["method"], record["path"], record["query"], record["status"],
            record["authorization"], record["body"]) == ("PUT", url.path, url.query, 201, False, "")
    assert record["headers"]["x-ms-blob-type"] == "BlockBlob"


@pytest.mark.parametrize("where", CLOUDS)
def test_faults(cloud, where):
    given = cloud.presign(where)
    method, path = ("POST", "^/$") if where == "AWS" else ("PUT", "/plugin.zip$")
    cloud.control("POST", "faults", {"method": method, "path": path, "status": 503})
    refused(cloud.send_to(given, zip_archive()), 503, "service_unavailable")
    assert arrived(cloud, given)["archive"] is None
    cloud.control("POST", "faults", {"method": method, "unanswered": "drop"})
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        cloud.send_to(given, zip_archive())
    assert arrived(cloud, given)["archive"] == kept(zip_archive())


@pytest.mark.parametrize("where", CLOUDS)
@pytest.mark.parametrize("bytes_taken", [0, 500000])
def test_a_drop_in_the_middle(cloud, where, bytes_taken):
    given = cloud.presign(where)
    cloud.control("POST", "faults", {"method": "POST" if where == "AWS" else "PUT", "drop": True,
                                     "bytes": bytes_taken})
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        cloud.send_to(given, zip_archive(size=4000000))
    one = poll(lambda: arrived(cloud, given)["archive"] is None and arrived(cloud, given))
    assert bytes_taken // 2 <= one["received"] <= bytes_taken


def test_a_hang_in_the_middle(cloud):
    given = cloud.presign("GCP")
    url = urllib.parse.urlsplit(given["upload_url"])
    cloud.control("POST", "faults", {"method": "PUT", "hang": True, "bytes": 300000})
    connection = http.client.HTTPConnection("127.0.0.1", url.port, timeout=10)
    connection.putrequest("PUT", f"{url.path}?{url.query}")
    connection.putheader("Content-Length", "1000000")
    connection.endheaders(b"x" * 400000)
    poll(lambda: 150000 <= arrived(cloud, given)["received"] <= 300000)
    cloud.control("DELETE", "faults")
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        connection.getresponse()
    connection.close()


def test_half_an_upload(cloud):
    given = cloud.presign("GCP")
    url = urllib.parse.urlsplit(given["upload_url"])
    connection = http.client.HTTPConnection("127.0.0.1", url.port, timeout=10)
    connection.putrequest("PUT", f"{url.path}?{url.query}")
    connection.putheader("Content-Length", "1000000")
    connection.endheaders(b"x" * 400000)
    poll(lambda: arrived(cloud, given)["received"] == 400000)
    [record] = [one for one in cloud.control("GET", "requests") if one["method"] == "PUT"]
    assert record["status"] == 0
    connection.close()
    assert arrived(cloud, given)["archive"] is None
    cloud.send_to(given, zip_archive())
    assert arrived(cloud, given)["archive"] == kept(zip_archive())


def resident(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(next(line for line in file if line.startswith("VmHWM")).split()[1])


@pytest.mark.parametrize("where", ["AWS", "GCP"])
def test_a_long_upload_costs_no_memory(cloud, where):
    given = cloud.presign(where)
    url = urllib.parse.urlsplit(given["upload_url"])
    block, blocks = b"\0" * (1 << 20), 200
    head, kind = form([*given["upload_form_data"].items(), ("file", None)], b"CUT")
    before, after = head.split(b"CUT") if where == "AWS" else (b"", b"")
    start = resident(cloud.emulator.process.pid)
    connection = http.client.HTTPConnection("127.0.0.1", url.port, timeout=60)
    connection.putrequest("POST" if where == "AWS" else "PUT", f"{url.path}?{url.query}")
    connection.putheader("Content-Type", kind)
    connection.putheader("Content-Length", str(len(before) + len(after) + len(block) * blocks))
    connection.endheaders(before or None)
    digest = hashlib.sha256()
    for _ in range(blocks):
        connection.send(block)
        digest.update(block)
    connection.send(after)
    assert connection.getresponse().status in (200, 204)
    connection.close()
    assert arrived(cloud, given)["archive"] == {
        "size": len(block) * blocks, "sha256": digest.hexdigest(), "is_zip": False}
    assert resident(cloud.emulator.process.pid) - start < 8 * 1024
