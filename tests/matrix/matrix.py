#!/usr/bin/python3
"""The programs of rows.py on a real mount: what they sent, in a table.

One run is one part: as root or as an ordinary user, in one variant of account.py. Status 1: a row
failed; 77: none did, but something was skipped.
"""

import argparse
import concurrent.futures
import ctypes
import json
import os
import pathlib
import pwd
import queue
import re
import shutil
import signal
import stat
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[1:1] = [str(HERE.parent / "mount"), str(HERE)]

import harness  # noqa: E402
from account import VARIANTS, Account  # noqa: E402
from rows import ROWS, Command  # noqa: E402
from trial import Trial  # noqa: E402

SKIPPED = 77  # to meson
MS_BIND = 0x1000
USER = "nobody"
GRACE = 2  # seconds; the default of delete_delay
METHODS = ("PUT", "POST", "DELETE")


def rows_of(variant, only):
    return [row for row in ROWS if re.search(only, row.name)
            and not (VARIANTS[variant].again and isinstance(row, Command))]


def try_all(variant, rows, jobs):
    """Runs the rows on one mount, so many at once: [Trial]"""
    account = Account(VARIANTS[variant], rows)
    trials = [Trial(account, row) for row in rows]
    processes = queue.Queue()

    def attempt(trial):
        process = processes.get()
        if not process.usable():
            process.stop()
            process = harness.Process()
        try:
            trial.check(trial.run, process)
        finally:
            processes.put(process)

    for _ in range(jobs):
        processes.put(harness.Process())
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        list(pool.map(attempt, trials))
    harness.elapse(GRACE + 0.5 * harness.SLOW)
    while not processes.empty():
        processes.get().stop()
    calls, process = account.calls(), harness.Process()
    for trial in trials:
        trial.settle(process, calls.get(account.names[trial.row.name], []))
    sent = sum(len(trial.writes) for trial in trials)
    assert sent == len(account.emulator.writes()), f"sent for no row: {calls}"
    process.stop()
    account.finish()
    return trials


def run(who, variant, only, jobs):
    """One part of the matrix, as it is written to a file."""
    start = time.monotonic()
    trials = try_all(variant, rows_of(variant, only), jobs)
    rows = [{"name": trial.row.name, "sent": [trial.writes.count(method) for method in METHODS],
             "result": trial.result(), "failures": trial.failures} for trial in trials]
    return {"who": who, "variant": variant, "seconds": time.monotonic() - start, "rows": rows}


def table(parts):
    """The parts side by side, one block for each user, and what failed."""
    lines, failures = [], []
    for who in sorted({part["who"] for part in parts}):
        columns = sorted((part for part in parts if part["who"] == who),
                         key=lambda part: list(VARIANTS).index(part["variant"]))
        cells = {}
        for number, part in enumerate(columns):
            for row in part["rows"]:
                cell = " ".join(map(str, row["sent"])) + " " + row["result"]
                cells.setdefault(row["name"], [""] * len(columns))[number] = cell
                failures += [f"{who}, {part['variant']}, {row['name']}: {text}"
                             for text in row["failures"]]
        widths = [max([12, *(len(row[number]) for row in cells.values())])
                  for number in range(len(columns))]
        lines += [f"As {who}: PUTs, POSTs, DELETEs, result", ""]
        lines += [f"  {part['variant']:10}{VARIANTS[part['variant']].says} "
                  f"({len(part['rows'])} programs, {part['seconds']:.0f} s)" for part in columns]
        names = [part["variant"] for part in columns]
        for name, row in [("", names), *((row.name, cells[row.name]) for row in ROWS
                                         if row.name in cells)]:
            lines.append(f"{name:32}" + "  ".join(
                f"{cell:{width}}" for cell, width in zip(row, widths)).rstrip())
        lines.append("")
    return "\n".join(lines + failures)


def allow_fuse():
    """For an ordinary user, where /dev/fuse is root's alone: only in this namespace of mounts."""
    if stat.S_IMODE(os.stat("/dev/fuse").st_mode) & 0o006 == 0o006:
        return None
    home = harness.scratch_directory()
    device = home / "fuse"
    os.mknod(device, stat.S_IFCHR, os.stat("/dev/fuse").st_rdev)
    device.chmod(0o666)
    bound = harness.LIBC.mount(os.fsencode(device), b"/dev/fuse", None, ctypes.c_ulong(MS_BIND),
                               None)
    assert bound == 0, "/dev/fuse cannot be bound"
    return home


def run_as_user(arguments, out):
    """Starts this program anew, as an ordinary user who can read what it consists of."""
    account = pwd.getpwnam(USER)
    home = harness.scratch_directory("connectfs-matrix-")
    device = allow_fuse()
    try:
        home.chmod(0o755)
        for name in ("mount", "matrix"):
            (home / name).mkdir()
            for path in (HERE.parent / name).glob("*.py"):
                shutil.copy(path, home / name)
        for program in (harness.CONNECTFS, harness.EMULATOR):
            shutil.copy(program, home)
        for path in [*home.rglob("*")]:
            path.chmod(0o755)
        (home / "out").mkdir()
        shutil.chown(home / "out", account.pw_uid, account.pw_gid)
        process = subprocess.Popen(
            [sys.executable, home / "matrix" / "matrix.py", *arguments, "--out", home / "out"],
            user=account.pw_uid, group=account.pw_gid, extra_groups=[], cwd="/",
            preexec_fn=harness.die_with_parent, env=harness.environment(
                HOME=home / "out", CONNECTFS=home / "connectfs",
                CONNECT_EMULATOR=home / "connect-emulator"))
        try:
            status = process.wait()
        finally:
            harness.stop_process(process, deadline=30)
        for path in (home / "out").glob("*.json") if out else ():
            shutil.copyfile(path, out / path.name)
        return status
    finally:
        shutil.rmtree(home, ignore_errors=True)
        if device:
            subprocess.run(["umount", "/dev/fuse"], check=False)
            shutil.rmtree(device)


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--as", dest="who", choices=["root", "user"],
                        default="user" if os.geteuid() else "root")
    parser.add_argument("--variant", choices=list(VARIANTS), default="plain")
    parser.add_argument("--only", default="", help="rows whose names match this")
    parser.add_argument("--jobs", type=int, default=2, help="rows at once")
    parser.add_argument("--out", type=pathlib.Path, help="a directory, for the result as JSON")
    parser.add_argument("--table", type=pathlib.Path, help="print what is in such a directory")
    options = parser.parse_args()
    if not rows_of(options.variant, options.only):
        parser.error("--only leaves nothing")
    return options


def main():
    options = parse()
    if options.table:
        print(table([json.loads(path.read_text()) for path in options.table.glob("*.json")]))
        return 0
    usable = os.access("/dev/fuse", os.R_OK | os.W_OK)
    if not usable or options.who == "root" and os.geteuid() != 0:
        print("skipped: no /dev/fuse, or this is not root")
        return SKIPPED
    if options.out:
        options.out.mkdir(exist_ok=True)
    harness.isolate()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if options.who == "user" and os.geteuid() == 0:
        return run_as_user(["--as", "user", "--variant", options.variant, "--only", options.only,
                            "--jobs", str(options.jobs)], options.out)
    part = run(options.who, options.variant, options.only, options.jobs)
    print(table([part]))
    if options.out:
        (options.out / f"{options.who}-{options.variant}.json").write_text(json.dumps(part))
    results = {row["result"] for row in part["rows"]}
    skipped = any(one.startswith("skipped") for one in results)
    return 1 if "FAILED" in results else SKIPPED if skipped else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    finally:
        harness.end_all()
