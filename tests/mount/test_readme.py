"""The recipes of README.md, as they stand there, on the sample account."""

import pathlib
import re

import pytest

import harness

README = pathlib.Path(__file__).resolve().parent.parent.parent / "README.md"
ENV, CLUSTER = "env-3k9dpz", "lkc-7n2kvd"


def recipe(beginning):
    """The block of code behind the paragraph that begins so."""
    found = re.findall(r"^" + re.escape(beginning) + r"(?:.+\n)*\n```\n((?:.*\n)*?)```$",
                       README.read_text(encoding="utf-8"), re.M)
    assert len(found) == 1, beginning
    return found[0]


class Account:
    """The sample account, mounted on ~/connectors."""

    def __init__(self, api, mounted):
        self.api, self.mounted = api, mounted
        self.site = harness.Site(api, ENV, CLUSTER)
        (mounted.home / "connectors").symlink_to(mounted.root)
        api.clear()

    def run(self, script):
        """As one types it; each command must succeed."""
        return harness.run("set -e\n" + script, shell=True, HOME=self.mounted.home).output


@pytest.fixture
def account(emulators, mount):
    api = emulators("--provisioning", 0)
    return Account(api, mount(api))


def test_from_a_template(account):
    output = account.run(recipe("Start a connector from a template."))
    template, verdict = output.rsplit("}\n", 1)
    assert '"connector.class": "DatagenSource",\n  "name": "",\n' in template
    assert verdict == "0\n", "no errors"
    validate = "PUT", f"{account.site.plugins}/DatagenSource/config/validate"
    assert account.api.writes() == [validate, validate, account.site.post]
    settings = {"connector.class": "DatagenSource", "name": "made-up", "tasks.max": "1",
                "kafka.topic": "orders", "quickstart": "ORDERS", "kafka.api.key": "…",
                "kafka.api.secret": "…", "kafka.auth.mode": "KAFKA_API_KEY",
                "output.data.format": "JSON"}
    assert account.api.bodies("PUT") == [{}, settings]
    assert account.api.bodies("POST") == [{"name": "made-up", "config": settings}]
    stored = account.site.config("made-up")
    assert {key: stored[key] for key in settings} == settings


def test_at_a_glance(account):
    lines = account.run(recipe("All of them at a glance")).splitlines()
    assert len(lines) == 12
    assert "FAILED" in lines[0] and not any("FAILED" in line for line in lines[1:])
