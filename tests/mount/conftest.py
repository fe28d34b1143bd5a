"""Fixtures of the mounted tests; what they are made of is in harness.py."""

import os
import signal

import pytest

import harness
import samples
from work import Work

SKIPPED = 77  # to meson


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes more than five seconds")
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        pytest.exit("no /dev/fuse", SKIPPED)
    for program in (harness.CONNECTFS, harness.EMULATOR):
        if not os.access(program, os.X_OK):
            pytest.exit(f"{program} is not built", 1)
    harness.isolate()
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_unconfigure():
    harness.end_all()


def pytest_terminal_summary(terminalreporter):
    for title, rows in harness.TABLES.items():
        terminalreporter.write_line(f"\n{title}\n")
        widths = [max(map(len, column)) for column in zip(*rows)]
        for row in rows:
            terminalreporter.write_line("  ".join(
                cell.ljust(width) if number == 0 else cell.rjust(width)
                for number, (cell, width) in enumerate(zip(row, widths))))


@pytest.fixture(scope="session")
def shared_process():
    """Kept over tests, replaced by the fixture `process` when it is not usable."""
    holder = []
    yield holder
    for one in holder:
        one.stop()


@pytest.fixture
def process(shared_process):
    """A process for file system calls."""
    if not (shared_process and shared_process[0].usable()):
        for one in shared_process:
            one.stop()
        shared_process[:] = [harness.Process()]
    yield shared_process[0]
    if shared_process[0].usable():
        shared_process[0].close_all()
    else:
        shared_process.pop().stop()


@pytest.fixture
def processes():
    """Makes further ones, for what depends on who does it."""
    made = []

    def make():
        made.append(harness.Process())
        return made[-1]

    yield make
    for one in made:
        one.stop()


def _factory(make):
    """A fixture that makes things, and ends them in reverse order, all of them."""
    made, failures = [], []

    def create(*args, **kwargs):
        made.append(make(*args, **kwargs))
        return made[-1]

    yield create
    for one in reversed(made):
        try:
            one.finish()
        except Exception as error:  # the others are ended all the same
            failures.append(error)
    if failures:
        raise failures[0]


def _make_mount(emulator=None, *args, env=None, background=False, home=None, url=None, **options):
    return harness.Mount(emulator, options, args, env, background, home, url)


@pytest.fixture
def emulators():
    """Starts emulators: emulators("--connectors", 5)."""
    yield from _factory(harness.Emulator)


@pytest.fixture
def emulator(emulators):
    return emulators(*samples.EMULATOR)


@pytest.fixture
def sample_account(emulators):
    """That of the demo; nothing provisions for long."""
    return emulators("--provisioning", 0)


@pytest.fixture
def site(emulator):
    """A cluster with the connectors that samples.py describes."""
    return samples.site(emulator)


@pytest.fixture
def mount(emulators):
    """Mounts an emulator: mount(emulator, ttl=1, no_delete=True). After `emulators`: ends first."""
    yield from _factory(_make_mount)


@pytest.fixture(scope="module")
def shared_emulators():
    yield from _factory(harness.Emulator)


@pytest.fixture(scope="module")
def shared_mounts(shared_emulators):
    yield from _factory(_make_mount)


@pytest.fixture
def work(emulator, site, mount, process):
    """work(delete_delay=1) mounts with these options and reads `plain`."""
    return lambda **options: Work(emulator, site, mount(emulator, **options), process,
                                  delay=options.get("delete_delay", 2))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Of 127.0.0.1: the file of it, which is its own authority, and that of its key."""
    home = tmp_path_factory.mktemp("tls")
    harness.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                "-keyout", home / "key.pem", "-out", home / "cert.pem")
    return home / "cert.pem", home / "key.pem"
