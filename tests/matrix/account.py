"""An account, mounted once, in which every row has a connector of its own."""

import json
import re

import harness
import samples
from harness import poll
from screen import Terminals

REASON = "the queue is purple"
PUT = {"method": "PUT", "path": "/config$", "times": -1}
CONFIG = dict(samples.PLAIN, **{"kafka.topic": "first", "quickstart": "PAGEVIEWS"})
TTL = 0.3


class Variant:
    def __init__(self, says, fault=None, latency=0, options=None, again=False, reformed=False):
        self.says, self.fault, self.latency, self.options = says, fault, latency, options or {}
        self.refuses = fault is not None and "status" in fault
        self.again = again  # a second save in the same session, for screen editors alone
        self.reformed = reformed  # the first one is not in the form that is shown


VARIANTS = {
    "plain": Variant("nothing goes wrong"),
    "refused": Variant("every PUT is answered with 400",
                       dict(PUT, status=400, body={"error_code": 400, "message": REASON})),
    "lost": Variant("every PUT is carried out, but its answer lost", dict(PUT, unanswered="drop")),
    "slow": Variant("every answer takes 300 ms", latency=300),
    "again": Variant("a second save in the same session, after the cache has expired",
                     options={"ttl": TTL, "ttl_status": TTL}, again=True),
    "reformed": Variant("the same, and the first save is not in the form that is shown",
                        options={"ttl": TTL, "ttl_status": TTL}, again=True, reformed=True),
}


class Account:
    def __init__(self, variant, rows):
        self.variant = variant
        self.emulator = harness.Emulator(*samples.EMULATOR)
        self.site = samples.site(self.emulator)
        self.names = {}
        for number, row in enumerate(rows):
            self.names[row.name] = f"{number:03}" + re.sub("[^A-Za-z0-9]+", "-", " " + row.name)
            self.site.create(self.names[row.name], CONFIG)
        self.mounted = harness.Mount(self.emulator, variant.options)
        self.terminals = Terminals(self.mounted.home)
        if variant.fault:
            self.emulator.fault(**variant.fault)
        self.emulator.settings(latency_ms=variant.latency)

    def finish(self):
        """The daemon ends well, and nothing is sent at its end."""
        self.terminals.abort()
        self.emulator.settings(latency_ms=0)
        before = len(self.emulator.writes())
        self.mounted.finish()
        late = self.emulator.writes()[before:]
        self.emulator.finish()
        assert not late, f"sent at the unmount: {late}"

    def calls(self):
        """{connector: [method]} of all that was asked of it alone, whatever was answered."""
        found = {}
        for one in self.emulator.requests():
            name = one["path"].removeprefix(self.site.base).strip("/").split("/")[0]
            if one["method"] == "POST":
                name = json.loads(one["body"])["name"]
            found.setdefault(name, []).append(one["method"])
        return found


class Place:
    """What one row works on: a connector, and a directory outside of the mount."""

    def __init__(self, account, row, process):
        self.account, self.process = account, process
        self.site, self.name = account.site, account.names[row.name]
        self.directory = account.mounted.connector(self.site, self.name)
        self.config = self.directory / "config.json"
        self.home = account.mounted.home / "work" / self.name
        self.created, self.text = self.site.config(self.name), self.site.shown(self.name)
        for name in ("", "tmp", "src"):
            (self.home / name).mkdir()
        for name in ("new.json", "src/config.json"):
            (self.home / name).write_bytes(self.edited("second"))
        self.env = {"HOME": self.home, "TMPDIR": self.home / "tmp", "dir": self.directory,
                    "old": self.config, "new": self.home / "new.json"}

    def edited(self, topic):
        """The text of config.json with this topic."""
        return self.text.replace(b'"first"', b'"%s"' % topic.encode())

    def topic(self):
        """What the server has stored."""
        return self.site.config(self.name)["kafka.topic"]

    def outlast(self):
        """Lets the cache expire, and somebody else look until it was filled again."""
        def looks():
            return sum(one["method"] == "GET" and
                       (one["path"].startswith(self.site.of(self.name)) or "expand" in
                        (one["query"] or "")) for one in self.account.emulator.requests())
        before = looks()
        harness.elapse(TTL)
        poll(lambda: self.process.read(self.config) and looks() > before, 10, "a refresh")

    # What has to hold.

    def assert_saved(self, topic):
        """Stored, with its secrets, and shown as the API shows it."""
        stored, shown = self.site.config(self.name), self.process.read(self.config)
        assert stored == dict(self.created, **{"kafka.topic": topic}), f"stored: {stored}"
        assert self.site.shown(self.name) == self.edited(topic)
        assert shown == self.edited(topic), f"shown: {shown}"

    def kept(self):
        """What is there of config.json.error and config.json.rejected: {name: content}"""
        return {name: self.process.read(self.directory / name)
                for name in self.process.listdir(self.directory)
                if name in ("config.json.error", "config.json.rejected")}

    def assert_nothing_kept(self):
        assert not self.kept(), f"kept: {self.kept()}"

    def assert_refused(self, in_form, keeps):
        """The server's content is shown; the text that was refused is kept, and the reason."""
        self.assert_saved("first")
        log = self.account.mounted.log().splitlines()
        assert any(self.site.of(self.name) in line and REASON in line for line in log), "no log"
        kept = self.kept()
        if not keeps:
            assert not kept, f"kept: {kept}"
            return
        assert REASON in kept.get("config.json.error", b"").decode(), f"kept: {kept}"
        text = kept.get("config.json.rejected", b"")
        assert text == self.edited("second") or not in_form and \
            json.loads(text) == json.loads(self.edited("second")), f"kept: {kept}"
