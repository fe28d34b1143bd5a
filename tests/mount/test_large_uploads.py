"""Archives that are larger than the memory that their upload may take."""

import hashlib
import json
import pathlib
import random
import re
import shutil
import subprocess
import zipfile

import pytest

import harness
import uploads
from uploads import CUSTOM, GATEWAY, PRESIGN, PRESIGN_ENVIRONMENT, STATIONS, Place

MIB = 1 << 20
LIMIT = 64 * MIB
SANITIZED = b"__asan_init" in pathlib.Path(harness.CONNECTFS).read_bytes()
DESCRIPTION = {"connector_class": "com.example.connect.tides.TidesSource",
               "connector_type": "SOURCE"}


@pytest.fixture
def place(sample_account, mount, process):
    return lambda **options: Place(sample_account, mount(sample_account, **options), process)


def make_archive(path, size):
    """A ZIP file of that many bytes and some; its hash."""
    bytes_of = random.Random(7).randbytes
    with zipfile.ZipFile(path, "w") as file, file.open("lib/plugin.jar", "w") as member:
        for _ in range(size // MIB):
            member.write(bytes_of(MIB))
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def peak(mounted):
    """The most memory that the daemon has had resident, in bytes."""
    with open(f"/proc/{mounted.pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read())[1]) * 1024


def assert_small(mounted, what):
    harness.note_row("peak memory of uploads", ["archive", "MiB"],
                     [what, f"{peak(mounted) / MIB:.1f}"])
    # A sanitizer keeps what was freed for a while.
    assert SANITIZED or peak(mounted) < LIMIT


def is_held(pid):
    """Whether a tracer keeps one of its threads from going on."""
    states = (task / "stat" for task in pathlib.Path(f"/proc/{pid}/task").iterdir())
    return any(state.read_text().rpartition(")")[2].split()[0] == "t" for state in states)


@pytest.mark.parametrize("cloud", ["AWS", "AZURE", "GCP"])
def test_200_mib(place, cloud):
    """It is never in memory, and arrives as it is."""
    p = place()
    archive = p.mounted.home / "work" / "tides.zip"
    digest = make_archive(archive, 200 * MIB)
    p.process.mkdir(p.plugins / "Tides")
    p.process.write(p.plugins / "Tides" / "plugin.json",
                    json.dumps({**DESCRIPTION, "cloud": cloud}).encode())
    harness.run("cp", archive, p.plugins / "Tides")
    upload, = p.uploads()
    assert (upload["archive"]["size"], upload["archive"]["sha256"], upload["used"]) \
        == (archive.stat().st_size, digest, True)
    assert [path for _, path in p.api.writes()][0::2] == [PRESIGN, CUSTOM]
    assert len(p.api.writes()) == 3
    assert_small(p.mounted, f"200 MiB, {cloud}")


def test_200_mib_that_come_first(place):
    """The archive of a version waits for its description; what is in the spool can be read."""
    p = place()
    archive = p.mounted.home / "work" / "weather.jar"
    digest = make_archive(archive, 200 * MIB)
    directory = p.versions / "2.0.0"
    p.process.mkdir(directory)
    harness.run("rsync", "-a", archive, directory)
    harness.run("cmp", archive, directory / "weather.jar")
    assert p.api.writes() == []
    p.process.write(directory / "version.json", json.dumps(STATIONS).encode())
    assert p.api.writes()[0] == ("POST", PRESIGN_ENVIRONMENT)
    assert len(p.api.writes()) == 3
    upload, = p.uploads()
    assert upload["archive"]["sha256"] == digest
    assert_small(p.mounted, "200 MiB, read before")


def test_an_upload_that_begins_anew(place):
    """The storage drops it halfway; the next attempt begins at its first byte."""
    p = place()
    archive = p.mounted.home / "work" / "tides.zip"
    digest = make_archive(archive, 64 * MIB)
    p.process.mkdir(p.plugins / "Tides")
    p.process.write(p.plugins / "Tides" / "plugin.json", json.dumps(DESCRIPTION).encode())
    p.api.clear()
    p.api.fault(method="POST", path="^/$", drop=True, bytes=32 * MIB)
    harness.run("cp", archive, p.plugins / "Tides")
    assert p.api.writes() == [("POST", PRESIGN), ("POST", "/"), ("POST", "/"), ("POST", CUSTOM)]
    upload, = p.uploads()
    assert upload["archive"]["sha256"] == digest
    assert_small(p.mounted, "64 MiB, twice")


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_a_disk_that_hangs(place):
    """Where an archive is written to; everybody else is served meanwhile."""
    p, text = place(), uploads.archive()
    p.process.mkdir(p.plugins / "Tides")
    tracer = subprocess.Popen(
        ["strace", "-f", "-p", str(p.mounted.pid), "-e", "trace=pwrite64",
         "-e", "inject=pwrite64:delay_enter=60s", "-o", "/dev/null"], stderr=subprocess.PIPE,
        env=harness.environment(), preexec_fn=harness.die_with_parent)
    try:
        assert b"attached" in tracer.stderr.readline()
        p.process.begin("write", p.plugins / "Tides" / "tides.zip", text)
        harness.poll(lambda: is_held(p.mounted.pid), 10, "the write")
        assert p.process.read(p.plugin) == p.shown(f"{CUSTOM}/{GATEWAY}")
        assert p.process.listdir(p.mounted / "environments")
        assert is_held(p.mounted.pid)
    finally:
        tracer.terminate()
        tracer.communicate()
    p.process.finish()
    assert p.process.read(p.plugins / "Tides" / "tides.zip") == text
