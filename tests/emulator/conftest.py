"""Fixtures of the emulator's tests."""

import pytest

from cloud import Cloud


@pytest.fixture
def clouds():
    """Starts emulators: clouds("--connectors", 5)."""
    made = []

    def start(*args):
        made.append(Cloud(*args))
        return made[-1]

    yield start
    for one in made:
        one.finish()


@pytest.fixture
def cloud(clouds):
    """The sample account; nothing provisions for long."""
    return clouds("--provisioning", 0)
