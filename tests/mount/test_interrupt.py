"""Signals while a call waits for the API."""

import errno
import os
import signal
import subprocess
import sys
import time

import pytest

import harness
from harness import fails, poll, takes


def cat(path):
    return subprocess.Popen(["cat", path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, preexec_fn=harness.die_with_parent)


def hanging_read(w):
    """A cat of a file whose answer hangs."""
    w.refresh()
    w.api.clear()
    w.api.fault(path="/", times=-1, hang=True)
    reader = cat(w.config)
    poll(lambda: w.api.calls(), 5, "a request")
    return reader


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP,
                                    signal.SIGKILL])
def test_a_hanging_cat_ends_at_once(work, number):
    w = work()
    reader = hanging_read(w)
    start = time.monotonic()
    reader.send_signal(number)
    try:
        reader.wait(5 * harness.SLOW)
    except subprocess.TimeoutExpired:
        w.mounted.kill_daemon()
        raise
    assert reader.returncode == -number
    assert time.monotonic() - start < 1 * harness.SLOW
    w.api.clear_faults()
    assert w.process.read(w.config) == w.text


def test_a_handled_signal_is_eintr(work):
    """Python's handler runs, and the call says EINTR (which Python repeats unless it raises)."""
    w = work()
    w.refresh()
    w.api.fault(path="/", times=-1, hang=True)
    program = (
        "import os, signal, sys\n"
        "def stop(*_): raise SystemExit(42)\n"
        "signal.signal(signal.SIGINT, stop)\n"
        "print('ready', flush=True)\n"
        "os.stat(sys.argv[1])\n")
    reader = subprocess.Popen([sys.executable, "-SE", "-c", program, w.config],
                              stdout=subprocess.PIPE, preexec_fn=harness.die_with_parent)
    reader.stdout.readline()
    poll(lambda: w.api.faults() and any(call for call in w.api.calls()), 5)
    reader.send_signal(signal.SIGINT)
    with takes(at_most=1):
        try:
            assert reader.wait(5 * harness.SLOW) == 42
        except subprocess.TimeoutExpired:
            w.mounted.kill_daemon()
            raise


def test_another_reader_goes_on(work, processes):
    """One of two who wait for the same answer is interrupted; the other gets it."""
    w = work()
    w.refresh()
    w.api.settings(latency_ms=1000)
    first = cat(w.config)
    second = processes().start("read", w.config)
    poll(lambda: w.api.calls(), 5)
    first.send_signal(signal.SIGINT)
    assert first.wait(5 * harness.SLOW) == -signal.SIGINT
    assert second.result() == w.text


# libc's own calls, which Python does not repeat after an EINTR as it does with its own.
RAW_READ = """
import ctypes, os, signal, sys
number, interval = int(sys.argv[2]), float(sys.argv[3])
hits = 0
def tick(*_):
    global hits
    hits += 1
signal.signal(number, tick)
signal.siginterrupt(number, False)
libc = ctypes.CDLL(None, use_errno=True)
buffer = ctypes.create_string_buffer(1 << 16)
print("ready", flush=True)
signal.setitimer(signal.ITIMER_REAL, interval, interval)
fd = libc.open(os.fsencode(sys.argv[1]), os.O_RDONLY)
failed = ctypes.get_errno() if fd < 0 else 0
size = libc.read(fd, buffer, 1 << 16)
failed = failed or (ctypes.get_errno() if size < 0 else 0)
signal.setitimer(signal.ITIMER_REAL, 0)
print(size, failed, hits > 0)
"""


def test_a_timer_does_not_disturb(work):
    """10 ms, SA_RESTART, during a read of 300 ms."""
    w = work()
    w.refresh()
    w.api.settings(latency_ms=300)
    result = harness.run(sys.executable, "-SE", "-c", RAW_READ, w.config, int(signal.SIGALRM),
                         0.01, within=20)
    assert result.output.split() == ["ready", str(len(w.text)), "0", "True"]
    assert len(w.api.calls()) <= 4, "the request is not sent anew for every signal"


@pytest.mark.parametrize("number", [signal.SIGWINCH, signal.SIGURG, signal.SIGUSR1])
def test_other_signals_do_not_disturb(work, number):
    w = work()
    w.refresh()
    w.api.settings(latency_ms=500)
    reader = subprocess.Popen(
        [sys.executable, "-SE", "-c", RAW_READ, w.config, str(int(number)), "0"],
        stdout=subprocess.PIPE, preexec_fn=harness.die_with_parent)
    reader.stdout.readline()
    poll(lambda: w.api.calls(), 5)
    for _ in range(3):
        reader.send_signal(number)
    output = reader.communicate(timeout=20 * harness.SLOW)[0].decode()
    assert output.split() == [str(len(w.text)), "0", "True"]
    assert reader.returncode == 0


def test_an_interrupted_save_goes_on(work):
    """What was already sent is carried out and recorded; the caller does not wait."""
    w = work()
    w.api.fault(method="PUT", path="/config$", delay_ms=1500)
    new = w.mounted.home / "work" / "new"
    new.write_bytes(w.changed(kafka_topic="interrupted"))
    writer = subprocess.Popen(["cp", new, w.config], stderr=subprocess.PIPE,
                              preexec_fn=harness.die_with_parent)
    poll(lambda: w.put in w.api.calls(), 5)
    with takes(at_most=1):
        writer.send_signal(signal.SIGINT)
        writer.wait(5 * harness.SLOW)
    poll(lambda: w.site.config("plain")["kafka.topic"] == "interrupted", 10)
    poll(lambda: w.process.read(w.config) == w.shown(), 10)
    assert w.api.writes() == [w.put]


def test_an_interrupted_save_before_it_was_sent(work):
    """Interrupted while it looks: nothing is sent later behind the user's back, or all of it."""
    w = work(timeout_write=5)
    w.api.fault(method="GET", path="/connectors/plain/config$", hang=True)
    new = w.mounted.home / "work" / "new"
    new.write_bytes(w.changed(kafka_topic="interrupted"))
    writer = subprocess.Popen(["cp", new, w.config], stderr=subprocess.PIPE,
                              preexec_fn=harness.die_with_parent)
    poll(lambda: w.look in w.api.calls(), 5)
    with takes(at_most=1):
        writer.send_signal(signal.SIGINT)
        writer.wait(5 * harness.SLOW)
    w.api.clear_faults()
    poll(lambda: w.process.read(w.config) == w.shown(), 10)


def test_interrupted_listing(work):
    w = work()
    w.refresh()
    w.api.fault(path="/", times=-1, hang=True)
    w.api.clear()
    lister = subprocess.Popen(["ls", w.connectors], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              preexec_fn=harness.die_with_parent)
    poll(lambda: w.api.calls(), 5)
    with takes(at_most=1):
        lister.send_signal(signal.SIGINT)
        lister.wait(5 * harness.SLOW)
    assert lister.returncode == -signal.SIGINT


def test_a_killed_writer_sends_nothing_half(work, processes):
    """The kernel closes its descriptors: an incomplete draft is not sent."""
    w = work(delete_delay=0.3)
    writer = processes()
    fd = writer.open(w.config, os.O_WRONLY | os.O_TRUNC)
    writer.write_fd(fd, w.text[:50])
    writer.pipe.kill()
    writer.pipe.wait(5)
    poll(lambda: w.process.read(w.config) == w.text, 5)
    assert w.api.writes() == []


def test_etimedout_and_not_eintr(work):
    """Without a signal the deadline ends it."""
    w = work(timeout=0.5, stale=0)
    w.refresh()
    w.api.fault(path="/", times=-1, hang=True)
    with takes(at_most=2):
        with fails(errno.ETIMEDOUT):
            w.process.read(w.config)


SAVE = """
import os, signal, sys
class Stop(Exception): pass
def stop(*_): raise Stop
signal.signal(signal.SIGINT, stop)
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_TRUNC)
os.write(fd, sys.argv[2].encode())
try:
    os.fsync(fd)
except Stop:
    print("interrupted", flush=True)
os.close(fd)
"""


@pytest.mark.parametrize("status", [200, 400])
def test_close_after_an_interrupted_fsync(work, status):
    """It waits for what fsync has begun, and tells what came of it."""
    w = work()
    w.api.fault(method="PUT", delay_ms=1000, **({"status": status} if status != 200 else {}))
    text = w.changed(kafka_topic="mine")
    saver = subprocess.Popen([sys.executable, "-SE", "-c", SAVE, w.config, text],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             preexec_fn=harness.die_with_parent)
    poll(lambda: w.put in w.api.calls(), 5, "a PUT")
    saver.send_signal(signal.SIGINT)
    output, errors = saver.communicate(timeout=20 * harness.SLOW)
    assert output == b"interrupted\n"
    assert (b"Invalid argument" in errors) == (status == 400)
    assert w.api.writes() == [w.put]
    assert w.process.read(w.config) == w.shown()
    assert w.process.exists(w.rejected) == (status == 400)
