"""What an account of ten thousand connectors costs in memory, and whether that grows."""

import pathlib

import pytest

import harness
import samples

MANY = 10000
REFRESHES = 5
SANITIZED = b"__asan_init" in pathlib.Path(harness.CONNECTFS).read_bytes()

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(SANITIZED, reason="a sanitizer's shadow memory is no measure"),
]


def memory(mounted, what):
    """VmHWM, the peak, or VmRSS, in KiB."""
    for line in pathlib.Path(f"/proc/{mounted.pid}/status").read_text().splitlines():
        if line.startswith(what + ":"):
            return int(line.split()[1])
    raise AssertionError(f"no {what}")


def allowed(connectors):
    """In KiB: 16 MiB, and 3 KiB a connector."""
    return 16 * 1024 + 3 * connectors


def account(emulators, connectors):
    api = emulators("--environments", 1, "--clusters", 1, "--connectors", connectors)
    return api, harness.Site(api, *samples.first_cluster(api))


def lines(text):
    return int(text.output.strip())


def test_ten_thousand_connectors(emulators, mount, process, tmp_path):
    """A cold walk, backups, refreshes, and what is composed of all of them."""
    api, site = account(emulators, MANY)
    mounted = mount(api, env=harness.UNFILLED)
    path = mounted.connectors(site)
    peaks = {}

    def note(step):
        peaks[step] = memory(mounted, "VmHWM")
        assert peaks[step] <= allowed(MANY), peaks

    assert lines(harness.run(f"find {mounted.root} -name config.json | wc -l", shell=True)) == MANY
    note("find")
    harness.run(f"cd {path} && find . -name config.json -print0 | xargs -0 cat | wc -c", shell=True)
    note("cat")
    harness.run("rsync", "-a", f"{mounted.root}/", tmp_path / "copy", within=300)
    note("rsync")
    bulk = ("GET", site.base + "?expand=id,info,status")
    for number in range(REFRESHES):
        api.clear()
        process.write(mounted / ".connectfs" / "refresh", b"1\n")
        harness.run(f"cd {path} && find . -type f -print0 | xargs -0 cat | wc -c", shell=True,
                    within=300)
        assert bulk in api.calls(), "it was fetched again"
        note(f"refresh {number + 1}")
    assert peaks[f"refresh {REFRESHES}"] - peaks["refresh 2"] <= 1024, peaks
    assert lines(harness.run(f"wc -l < {mounted.root}/.connectfs/overview", shell=True)) == MANY
    note("overview")
    assert lines(harness.run(f"wc -l < {mounted.root}/.connectfs/overview", shell=True)) == MANY
    note("overview again")
    assert lines(harness.run(f"ls -l {mounted.root}/by-id/ | grep -c -- '->'", shell=True)) == MANY
    note("by-id")
    harness.note_row("Memory at ten thousand connectors, in KiB", ["after", "peak"],
                     ["allowed", allowed(MANY)])
    for step, peak in peaks.items():
        harness.note_row("Memory at ten thousand connectors, in KiB", [], [step, peak])


def test_memory_stays_flat(emulators, mount, process):
    """Every walk asks anew; one in two finds changes."""
    api, site = account(emulators, 300)
    mounted = mount(api, env=harness.UNFILLED, ttl=0.05, ttl_status=0.05)
    path = mounted.connectors(site)
    names = process.listdir(path)
    settled = 0
    for number in range(120):
        if number % 2:
            for name in names[:20]:
                site.patch(name, merge={"kafka.topic": f"topic-{number}" + "x" * (number % 7)})
        harness.run(f"cd {path} && find . -type f -print0 | xargs -0 cat >/dev/null", shell=True)
        if number == 40:
            settled = memory(mounted, "VmRSS")
    assert memory(mounted, "VmRSS") - settled <= 1024, "it grows"
