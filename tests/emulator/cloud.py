"""An emulator, and how the tests talk to it: plain HTTP, one connection a request."""

import http.client
import io
import json
import pathlib
import sys
import urllib.parse
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "mount"))
import harness  # noqa: E402

ORGANIZATION = "5e3c1a90-7c44-4d1f-b6a2-2f0d8e6b9a17"
ENVIRONMENT, CLUSTER = "env-3k9dpz", "lkc-7n2kvd"
CONNECT = f"/connect/v1/environments/{ENVIRONMENT}/clusters/{CLUSTER}"


class Answer:
    """Status, headers by lower-case name, and the body as text and as JSON."""

    def __init__(self, response, text):
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.text = text
        self.json = json.loads(text) if text and "json" in self.headers["content-type"] else None


class Cloud:
    """The sample account unless `args` say otherwise."""

    def __init__(self, *args):
        self.emulator = harness.Emulator(*args)
        self.port = self.emulator.port

    def finish(self):
        self.emulator.finish()

    def ask(self, method, path, body=None, headers=None, port=None):
        connection = http.client.HTTPConnection(
            "127.0.0.1", port or self.port, timeout=10 * harness.SLOW)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return Answer(response, response.read().decode())
        finally:
            connection.close()

    def api(self, method, path, body=None, **headers):
        """With credentials; a body that is no text is sent as JSON."""
        if body is not None and not isinstance(body, (str, bytes)):
            body = json.dumps(body)
        return self.ask(method, path, body, {
            "Authorization": f"Bearer {harness.SECRET}", "Content-Type": "application/json",
            **{name.replace("_", "-"): value for name, value in headers.items()}})

    def get(self, path, **query):
        return self.api("GET", path + ("?" + urllib.parse.urlencode(query, True) if query else ""))

    def control(self, method, path, body=None):
        return self.emulator.control(method, path, body)

    def settings(self, **values):
        self.control("PUT", "settings", values)

    def upload(self, content, cloud="AWS", environment=None, **more):
        """Uploads an archive as a client should; the id of the upload."""
        given = self.presign(cloud, environment, **more)
        answer = self.send_to(given, content)
        assert answer.status == {"AWS": 204, "AZURE": 201, "GCP": 200}[cloud], answer.text
        return given["upload_id"]

    def presign(self, cloud="AWS", environment=None, content_format="ZIP"):
        body = {"cloud": cloud, "content_format": content_format}
        path, status = "/connect/v1/presigned-upload-url", 200
        if environment:
            body["environment"] = {"id": environment}
            path, status = "/ccpm/v1/presigned-upload-url", 201
        answer = self.api("POST", path, body)
        assert answer.status == status, answer.text
        return answer.json

    def send_to(self, given, content, headers=None, fields=None, url=None):
        """A request to where a presigned URL leads."""
        url = urllib.parse.urlsplit(url or given["upload_url"])
        path = url.path + ("?" + url.query if url.query else "")
        if given["cloud"] == "AWS":
            fields = fields or [*given["upload_form_data"].items(), ("file", None)]
            body, kind = form(fields, content)
            return self.ask("POST", path, body, {"Content-Type": kind, **(headers or {})}, url.port)
        usual = {"x-ms-blob-type": "BlockBlob"} if given["cloud"] == "AZURE" else {}
        return self.ask("PUT", path, content, usual if headers is None else headers, url.port)

    def pages(self, path, size, **query):
        """Follows the links of a list: its pages, each a list of members."""
        answer = self.get(path, page_size=size, **query)
        found = [answer.json["data"]]
        while "next" in answer.json["metadata"]:
            link = urllib.parse.urlsplit(answer.json["metadata"]["next"])
            assert link.path == path
            answer = self.get(f"{link.path}?{link.query}")
            found.append(answer.json["data"])
        return found


def platform_error(answer, status, code, title, source=None):
    """Asserts the envelope of org, cmk, ccpm and custom plugins; returns the detail."""
    assert answer.status == status, answer.text
    [error] = answer.json["errors"]
    assert error.pop("id") == answer.headers["x-request-id"]
    detail = error.pop("detail")
    assert detail
    assert error == {"status": str(status), "code": code, "title": title, "source": source or {}}
    return detail


def connect_error(answer, status):
    """Asserts the envelope of connect/v1; returns the message."""
    assert answer.status == status, answer.text
    assert set(answer.json) == {"error"} and set(answer.json["error"]) == {"code", "message"}
    assert answer.json["error"]["code"] == status
    return answer.json["error"]["message"]


def zip_archive(*names, size=100):
    """An archive with a file of that many bytes for each name."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names or ("plugin.jar",):
            archive.writestr(zipfile.ZipInfo(name), b"x" * size)
    return out.getvalue()


def form(fields, content, name="plugin.zip"):
    """A multipart form: fields as pairs, the file where a value is None; body and type."""
    parts = []
    for key, value in fields:
        head = f'Content-Disposition: form-data; name="{key}"'
        if value is None:
            head += f'; filename="{name}"\r\nContent-Type: application/octet-stream'
        parts.append(b"--of-the-form\r\n%s\r\n\r\n%s\r\n" % (
            head.encode(), content if value is None else value.encode()))
    return b"".join(parts) + b"--of-the-form--\r\n", "multipart/form-data; boundary=of-the-form"
