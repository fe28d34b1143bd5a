"""A connector that a test works on."""

import json
import re

import canonical

STAMP = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ ", re.M)


def changes(w):
    """The audit trail, without the times that every entry begins with."""
    text = w.process.read(w.mounted / ".connectfs" / "changes").decode()
    entries = [line for line in text.splitlines() if not line.startswith(" ")]
    assert all(STAMP.match(line) for line in entries), text
    return STAMP.sub("", text)


class Work:
    """The connector `plain`, shown and read once, on a mount of its own; the log is empty."""

    def __init__(self, emulator, site, mounted, process, name="plain", delay=2):
        self.api, self.site, self.mounted, self.process = emulator, site, mounted, process
        self.delay = delay  # the grace time, delete_delay
        self.directory = mounted.connector(site, name)
        self.config = self.directory / "config.json"
        self.error = self.directory / "config.json.error"
        self.rejected = self.directory / "config.json.rejected"
        self.state = self.directory / "state"
        self.connectors = mounted.connectors(site)
        self.text = process.read(self.config)
        self.look, self.put, self.delete = site.look(name), site.put(name), site.delete(name)
        self.bulk = "GET", site.base + "?expand=id,info,status"
        emulator.clear()

    def changed(self, *without, **settings):
        """The text with settings replaced; _ stands for a dot in their names."""
        content = json.loads(self.text)
        content.update((key.replace("_", "."), value) for key, value in settings.items())
        for key in without:
            del content[key.replace("_", ".")]
        return canonical.config(content)

    def theirs(self, **settings):
        """Another client's change; _ stands for a dot."""
        self.site.patch("plain", merge={key.replace("_", "."): value
                                        for key, value in settings.items()})

    def refresh(self):
        """Drops every cache of the mount."""
        self.process.write(self.mounted / ".connectfs" / "refresh", b"1\n")

    def errors(self):
        """.connectfs/errors, as lines."""
        return self.process.read(self.mounted / ".connectfs" / "errors").decode().splitlines()

    def shown(self):
        """What the API shows now, as config.json should."""
        return self.site.shown("plain")

    def assert_untouched(self):
        """Nothing was sent, and the server's content is shown."""
        assert self.api.writes() == []
        assert self.process.read(self.config) == self.text

    def assert_refused(self, text, *words):
        """The server's content is shown, `text` is kept, and the reason has these words."""
        assert self.process.read(self.config) == self.text
        assert self.process.read(self.rejected) == text
        reason = self.process.read(self.error).decode()
        assert reason.strip(), "a reason"
        for word in words:
            assert word in reason
        assert {"config.json.error", "config.json.rejected"} \
            <= set(self.process.listdir(self.directory))

    def assert_clean(self):
        """Nothing is left of any refusal."""
        assert set(self.process.listdir(self.directory)) \
            == {"config.json", "connector.json", "status.json", "state"}
