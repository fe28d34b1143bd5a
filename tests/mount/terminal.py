"""Runs a program in a terminal, answering what it shows."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

import harness


def run(command, steps=(), within=30, cwd="/", meanwhile=None, **env):
    """Each step is (pattern, keys): when the pattern has been shown, the keys are typed.

    `meanwhile` is called again and again. Returns (status, everything that was shown).
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 300, 0, 0))

    def begin():
        harness.die_with_parent(signal.SIGHUP)
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    process = subprocess.Popen(
        [str(word) for word in command], stdin=theirs, stdout=theirs, stderr=theirs, cwd=cwd,
        env=harness.environment(TERM="xterm", **env), start_new_session=True, preexec_fn=begin)
    os.close(theirs)
    shown, since, steps = b"", 0, list(steps)
    end = time.monotonic() + within * harness.SLOW
    try:
        while True:
            if meanwhile:
                meanwhile()
            if select.select([ours], [], [], 0.05)[0]:
                try:
                    part = os.read(ours, 1 << 16)
                except OSError:  # EIO: the last one has closed the terminal
                    part = b""
                if not part:
                    break
                shown += part
            if steps and re.search(steps[0][0].encode(), shown[since:], re.S):
                since = len(shown)
                os.write(ours, steps.pop(0)[1].encode())
            if time.monotonic() > end:
                raise harness.Hang(f"{command}: waits for {steps[:1]} after {shown!r}")
        process.wait(5 * harness.SLOW)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            try:
                process.wait(2)
            except subprocess.TimeoutExpired:
                harness.abort_mounts()
                process.wait(5)
        os.close(ours)
    assert not steps, f"{command}: never showed {steps[0][0]}: {shown!r}"
    return process.returncode, shown.decode(errors="replace")
