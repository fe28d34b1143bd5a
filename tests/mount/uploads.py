"""Custom plugins below a mount, and what a plugin is made of."""

import base64
import hashlib
import io
import json
import random
import zipfile

import canonical
from harness import KEY, OBSERVER, SECRET

CUSTOM, CCPM = "/connect/v1/custom-connector-plugins", "/ccpm/v1/plugins"
PRESIGN, PRESIGN_ENVIRONMENT = "/connect/v1/presigned-upload-url", "/ccpm/v1/presigned-upload-url"
# The sample account's.
GATEWAY, LEDGER, WEATHER = "ccp-4r7k2p", "ccp-9mz0dq", "ccp-w2x6jh"
OLD, NEW = "ver-1c8n5q", "ver-6f3t9z"
ENV = "env-3k9dpz"

# Descriptions of new ones: what nothing else tells.
TIDES = {"connector_class": "com.example.connect.tides.TidesSource", "connector_type": "SOURCE"}
STATIONS = {"spec": {"connector_classes": [
    {"class_name": "com.example.connect.weather.StationSource", "type": "SOURCE"}]}}


def in_environment(path, env=ENV):
    return f"{path}?environment={env}"


LIST = "GET", CUSTOM + "?page_size=100"
LIST_ENVIRONMENT = "GET", in_environment(CCPM) + "&page_size=100"
LIST_VERSIONS = "GET", in_environment(f"{CCPM}/{WEATHER}/versions")


def archive(size=5000, seed=1):
    """A ZIP file of about that size."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("lib/plugin.jar", random.Random(seed).randbytes(size))
    return out.getvalue()


def text(**members):
    """The description of a new plugin."""
    return json.dumps({**TIDES, **members}).encode()


def sha256(content):
    return hashlib.sha256(content).hexdigest()


class Place:
    """Where the plugins of the sample account are below a mount; the log is empty."""

    def __init__(self, api, mounted, process):
        self.api, self.mounted, self.process = api, mounted, process
        self.plugins = mounted / "custom-connector-plugins"
        self.local = mounted / "environments" / ENV / "plugins"
        self.versions = self.local / WEATHER / "versions"
        self.plugin = self.plugins / GATEWAY / "plugin.json"
        self.uploads_before = len(api.control("GET", "uploads"))
        api.clear()

    def shown(self, path):
        """A file as it should be shown now, by the API's path of what it shows."""
        return canonical.render(canonical.parse(self.api.api(path)))

    def post(self, path, body):
        """What another client creates."""
        status, text = self.api.ask("POST", path, json.dumps(body), {
            "Authorization": "Basic " + base64.b64encode(f"{KEY}:{SECRET}".encode()).decode(),
            "Content-Type": "application/json", "User-Agent": OBSERVER})
        assert status in (201, 202), text
        return json.loads(text)

    def theirs(self, name=GATEWAY, **members):
        """Another client's change."""
        self.api.control("PATCH", f"plugins/{name}", {"set": members})

    def refresh(self):
        self.process.write(self.mounted / ".connectfs" / "refresh", b"1\n")

    def truth(self, name):
        """What the emulator has of a plugin or version; None: nothing."""
        found = [one for one in self.api.control("GET", "plugins") if one["id"] == name]
        return found[0] if found else None

    def uploads(self):
        """Those that a mount has made."""
        return self.api.control("GET", "uploads")[self.uploads_before:]

    def sent(self):
        """The bodies of the API's requests that had one."""
        return [json.loads(one["body"]) for one in self.api.requests() if one["body"]]

    def errors(self):
        return self.process.read(self.mounted / ".connectfs" / "errors").decode().splitlines()
