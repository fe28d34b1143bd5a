"""What every mounted test stands on: the emulator, the mount, and processes that use it.

Everything here has a deadline; CONNECTFS_SLOW=N makes all of them N times as long. Nothing waits
but in poll() and hold(). No call of this process itself touches a mount.
"""

import atexit
import base64
import contextlib
import ctypes
import errno
import http.client
import http.server
import json
import os
import pathlib
import pickle
import re
import select
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

import canonical

HERE = pathlib.Path(__file__).resolve().parent
BUILD = HERE.parent.parent / "build"
CONNECTFS = os.path.abspath(os.environ.get("CONNECTFS") or BUILD / "connectfs")
EMULATOR = os.path.abspath(os.environ.get("CONNECT_EMULATOR") or BUILD / "connect-emulator")
SLOW = float(os.environ.get("CONNECTFS_SLOW") or 1)
with open(CONNECTFS, "rb") as program:
    SANITIZED = b"__asan_init" in program.read()
SUSPICIOUS = re.compile(
    r"\bassert|Assertion|AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:"
    r"|stack smashing|buffer overflow detected|Segmentation|malloc\(\)|free\(\)|double free")
KEY, SECRET = "DEMOKEY", "demo-secret"
# For mounts whose memory is measured: meson has malloc fill, and so touch, what nobody uses.
UNFILLED = {"MALLOC_PERTURB_": "0"}
OBSERVER = "the-test-itself"
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 0x40000

LIBC = ctypes.CDLL(None, use_errno=True)
ALIVE = []  # what has to be ended, oldest first
TABLES = {}  # what tests measured: {title: rows}, printed at the end


class Hang(AssertionError):
    """A call did not come back in time."""


def poll(check, deadline=10, what=None):
    """Calls `check` until what it returns is true, and returns that."""
    end = time.monotonic() + deadline * SLOW
    while True:
        last = check()
        if last:
            return last
        assert time.monotonic() < end, f"not within {deadline * SLOW:g} s: {what or check}"
        time.sleep(0.01)


def hold(check, seconds):
    """Asserts that `check` is true now and stays so for that many seconds (not stretched)."""
    end = time.monotonic() + seconds
    while True:
        assert check(), f"did not stay true for {seconds} s"
        if time.monotonic() > end:
            return
        time.sleep(0.02)


def elapse(seconds):
    """Lets time pass that only a clock can tell, as that of a TTL."""
    hold(lambda: True, seconds)


@contextlib.contextmanager
def takes(at_most=None, at_least=0):
    """Asserts how long a block takes; only the upper limit is stretched."""
    start = time.monotonic()
    yield
    spent = time.monotonic() - start
    assert spent >= at_least, f"took only {spent:.2f} s"
    assert at_most is None or spent <= at_most * SLOW, f"took {spent:.2f} s"


@contextlib.contextmanager
def fails(*numbers):
    """Asserts that a block ends with an OSError of one of these errnos."""
    names = "/".join(errno.errorcode[number] for number in numbers)
    try:
        yield
    except OSError as error:
        assert error.errno in numbers, f"{errno.errorcode.get(error.errno)} instead of {names}"
    else:
        raise AssertionError(f"succeeded instead of {names}")


def note_row(title, head, row):
    """Adds a row to a table that is printed when the tests have ended."""
    TABLES.setdefault(title, [head]).append([str(cell) for cell in row])


def die_with_parent(number=signal.SIGTERM):
    """In a child: also takes signals as usual, which a shell's background jobs do not inherit."""
    for ignored in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_DFL)
    LIBC.prctl(PR_SET_PDEATHSIG, number)


def isolate():
    """Daemons in the background become children of this process. Where it is allowed, the mounts
    live in a namespace of their own: no other process's copy keeps one busy, and nothing stays if
    even this process is killed."""
    LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1)
    if os.geteuid() == 0 and LIBC.unshare(CLONE_NEWNS) == 0:
        LIBC.mount(None, b"/", None, ctypes.c_ulong(MS_REC | MS_PRIVATE), None)


def scratch_directory(name="connectfs-test-"):
    """A new directory that is not under /tmp, where vim and emacs would make no backups."""
    return pathlib.Path(tempfile.mkdtemp(prefix=name, dir="/var/tmp"))


def environment(**extra):
    """Variables for a program under test: nothing of this host's proxies and accounts."""
    kept = {key: value for key, value in os.environ.items()
            if not re.search("proxy|^CONFLUENT|^XDG|^PYTEST", key, re.I)}
    kept.update(LC_ALL="C.UTF-8", TZ="UTC", no_proxy="*")
    kept.update({key: str(value) for key, value in extra.items() if value is not None})
    return kept


def stop_process(process, number=signal.SIGTERM, deadline=5):
    """Ends a process that was started here; the exit status."""
    if process.poll() is None:
        process.send_signal(number)
        try:
            process.wait(deadline * SLOW)
        except subprocess.TimeoutExpired:
            process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
    return process.returncode


def end_all():
    """The last resort, also when pytest is interrupted."""
    while ALIVE:
        with contextlib.suppress(Exception):
            ALIVE.pop().abort()


atexit.register(end_all)


# --- Processes ---------------------------------------------------------------------------------


class Call:
    """A call that a Process is making."""

    def __init__(self, process, name):
        self.process, self.name, self.answer = process, name, None

    def done(self, within=0):
        if self.answer is None and not select.select([self.process.pipe.stdout], [], [], within)[0]:
            return False
        if self.answer is None:
            try:
                self.answer = pickle.load(self.process.pipe.stdout)
            except EOFError:
                self.answer = False, OSError(errno.EIO, "the process ended")
            self.process.current = None
        return True

    def result(self, within=30):
        if not self.done(within * SLOW):
            self.process.abort()
            raise Hang(f"{self.name} hangs")
        good, value = self.answer
        if good:
            return value
        raise value


class Process:
    """A process of its own for file system calls: the functions of worker.py and of os.

    process.read(path) waits, process.start("read", path) returns a Call.
    """

    def __init__(self):
        self.current = None
        self.pipe = subprocess.Popen(
            [sys.executable, "-SE", str(HERE / "worker.py")], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, cwd="/", env=environment(), preexec_fn=die_with_parent)
        ALIVE.append(self)

    @property
    def pid(self):
        return self.pipe.pid

    def start(self, name, *args, **kwargs):
        assert self.current is None, "this process is busy"
        self.pipe.stdin.write(pickle.dumps((name, args, kwargs)))
        self.pipe.stdin.flush()
        self.current = Call(self, name)
        return self.current

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *args, **kwargs: self.start(name, *args, **kwargs).result()

    def usable(self):
        return self.current is None and self.pipe.poll() is None

    def stop(self):
        self.pipe.stdin.close()
        if self.current is not None:
            self.pipe.kill()
        try:
            self.pipe.wait(5 * SLOW)
        except subprocess.TimeoutExpired:
            self.abort()
        self.pipe.stdout.close()
        if self in ALIVE:
            ALIVE.remove(self)

    def abort(self):
        self.pipe.kill()
        try:
            self.pipe.wait(1)
        except subprocess.TimeoutExpired:
            abort_mounts()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.pipe.wait(5)


class Result:
    def __init__(self, status, output, errors):
        self.status, self.output, self.errors = status, output, errors

    def __repr__(self):
        return f"status {self.status}\n{self.output}\n{self.errors}"


def run(*command, status=0, within=60, shell=False, stdin=None, cwd="/", **env):
    """Runs a program as users do; asserts its exit status (None: any)."""
    command = ["/bin/bash", "-c", command[0]] if shell else [str(part) for part in command]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=cwd, env=environment(**env),
        start_new_session=True, preexec_fn=die_with_parent)
    try:
        output, errors = process.communicate(stdin, within * SLOW)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        abort_mounts()
        process.communicate()
        raise Hang(f"{command} hangs") from None
    result = Result(process.returncode, output.decode(errors="replace"),
                    errors.decode(errors="replace"))
    assert status is None or process.returncode == status, f"{command}: {result}"
    return result


# --- The emulator ------------------------------------------------------------------------------


class Emulator:
    """A Confluent Cloud of its own on a private port."""

    def __init__(self, *args, tls=None):
        self.home = scratch_directory("connectfs-emulator-")
        self.args, self.tls = args, tls
        self.port, self.process = 0, None
        ALIVE.append(self)
        self.start()

    def start(self):
        """Starts it, again on the port that it had."""
        port_file = self.home / "port"
        port_file.unlink(missing_ok=True)
        command = [EMULATOR, "--listen", f"127.0.0.1:{self.port}", "--port-file", port_file,
                   "--exit-with-parent", *map(str, self.args)]
        if self.tls:
            command += ["--tls-cert", self.tls[0], "--tls-key", self.tls[1]]
        with open(self.home / "stderr", "ab") as errors:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors,
                env=environment(), cwd=self.home)
        poll(lambda: port_file.exists() or self.process.poll() is not None, 10, "a port")
        assert port_file.exists(), (self.home / "stderr").read_text()
        text = port_file.read_text().strip()
        self.port = int(text.rsplit(":", 1)[-1])

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def stop(self):
        status = stop_process(self.process)
        errors = (self.home / "stderr").read_text(errors="replace")
        assert status in (0, -signal.SIGTERM), f"the emulator ended with {status}: {errors}"
        assert not SUSPICIOUS.search(errors), errors

    def finish(self):
        try:
            self.stop()
        finally:
            self.abort()

    def abort(self):
        if self in ALIVE:
            ALIVE.remove(self)
        self.process.kill()
        self.process.wait(5)
        shutil.rmtree(self.home, ignore_errors=True)

    def ask(self, method, path, body=None, headers=None):
        """One HTTP request; (status, text)."""
        if self.tls:
            connection = http.client.HTTPSConnection(
                "127.0.0.1", self.port, timeout=10 * SLOW, context=ssl._create_unverified_context())
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10 * SLOW)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def control(self, method, path, body=None):
        text = None if body is None else json.dumps(body)
        status, answer = self.ask(method, "/_emulator/" + path, text,
                                  {"Content-Type": "application/json"})
        assert 200 <= status < 300, f"{method} /_emulator/{path} {text}: {status} {answer}"
        return json.loads(answer) if answer.strip() else None

    def api(self, path, method="GET", body=None):
        """What the API itself answers, as text; requests() leaves it out."""
        login = base64.b64encode(f"{KEY}:{SECRET}".encode()).decode()
        status, text = self.ask(method, path, None if body is None else json.dumps(body), {
            "Authorization": "Basic " + login, "User-Agent": OBSERVER})
        assert status == 200, f"{path}: {status} {text}"
        return text

    # What arrived.

    def requests(self):
        return [one for one in self.control("GET", "requests")
                if OBSERVER not in one["headers"].values()]

    def clear(self):
        self.control("DELETE", "requests")

    def calls(self):
        """[(method, path and query)] in the order of arrival; commas are shown as such."""
        return [(one["method"], one["path"] + ("?" + one["query"].replace("%2C", ",")
                                               if one.get("query") else ""))
                for one in self.requests()]

    def writes(self):
        """calls() without what only reads."""
        return [call for call in self.calls() if call[0] != "GET"]

    def bodies(self, method):
        """The JSON bodies of the requests of a method."""
        return [json.loads(one["body"]) for one in self.requests() if one["method"] == method]

    # What it does.

    def fault(self, **what):
        self.control("POST", "faults", what)

    def faults(self):
        return self.control("GET", "faults")

    def clear_faults(self):
        self.control("DELETE", "faults")

    def settings(self, **what):
        self.control("PUT", "settings", what)

    def connector(self, cluster, name):
        """The truth, unmasked; None where there is no such connector."""
        status, text = self.ask("GET", f"/_emulator/connectors/{cluster}/{quote(name)}")
        assert status in (200, 404), text
        return json.loads(text) if status == 200 else None

    def patch(self, cluster, name, **what):
        """Another client's change."""
        self.control("PATCH", f"connectors/{cluster}/{quote(name)}", what)

    def hide(self, cluster, names, *where):
        self.control("POST", "lists",
                     {"cluster": cluster, "hide": names, "hide_from": list(where)})

    def account(self):
        return self.control("GET", "account")


def quote(name):
    return urllib.parse.quote(name, safe="")


class Site:
    """One cluster of an emulator: its paths in the API and its connectors."""

    def __init__(self, emulator, env, cluster):
        self.emulator, self.env, self.cluster = emulator, env, cluster
        self.base = f"/connect/v1/environments/{env}/clusters/{cluster}/connectors"
        self.plugins = self.base[:-len("connectors")] + "connector-plugins"

    def of(self, name, end=""):
        """The API's path of a connector: of("S3_Sink", "/config")."""
        return f"{self.base}/{quote(name)}{end}"

    def create(self, name, config, **more):
        self.emulator.patch(self.cluster, name, create=dict(config, name=name))
        if more:
            self.emulator.patch(self.cluster, name, **more)

    def get(self, name):
        return self.emulator.connector(self.cluster, name)

    def config(self, name):
        """The stored configuration."""
        found = self.get(name)
        return found and found["config"]

    def shown(self, name):
        """config.json as the API has it now."""
        return canonical.config(canonical.parse(self.emulator.api(self.of(name, "/config"))))

    def patch(self, name, **what):
        self.emulator.patch(self.cluster, name, **what)

    def look(self, name):
        return "GET", self.of(name, "/config")

    def put(self, name):
        return "PUT", self.of(name, "/config")

    def delete(self, name):
        return "DELETE", self.of(name)

    @property
    def post(self):
        return "POST", self.base


class Listener:
    """Another host, which answers every request with `status` and `body`."""

    def __init__(self, status=200, body="{}"):
        outer = self
        self.seen = []
        self.status, self.body = status, body

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self):
                outer.seen.append((self.command, self.path, self.headers.get("Authorization")))
                self.send_response(outer.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(outer.body)))
                self.end_headers()
                self.wfile.write(outer.body.encode())

            do_GET = do_PUT = do_POST = do_DELETE = answer

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


# --- The mount ---------------------------------------------------------------------------------


class StartFailure(AssertionError):
    """connectfs ended instead of mounting."""


def option_list(options):
    """ttl=1, no_delete=True -> ttl=1,no_delete"""
    return ",".join(key if value is True else f"{key}={value}"
                    for key, value in options.items() if value is not None and value is not False)


def is_mounted(path):
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as table:
        return any(line.split()[4] == str(path) for line in table)


def daemons_of(path):
    """The process ids of the daemons of a mount point."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                with open(f"/proc/{entry}/cmdline", "rb") as file:
                    words = file.read().split(b"\0")
                if words[0].endswith(b"connectfs") and os.fsencode(path) in words:
                    found.append(int(entry))
    return found


class Mount:
    """A mounted account, with the directories that belong to it.

    A background mount is found by its command line. `home`: the directories of an earlier mount,
    as after a reboot.
    """

    def __init__(self, emulator, options=None, args=(), env=None, background=False, home=None,
                 url=None):
        self.emulator = emulator
        self.home = home or scratch_directory()
        self.owns_home = home is None
        self.root = self.home / "mnt"
        self.log_file = self.home / "log"
        for name in ("mnt", "state", "cache", "run", "work"):
            (self.home / name).mkdir(exist_ok=True)
        (self.home / "run").chmod(0o700)
        self.pid, self.process, self.status = None, None, None
        self.stopped = False
        self.background = background
        command = [CONNECTFS, *([] if background else ["-f"]), *args]
        if url or emulator:
            command += ["--url", url or emulator.url]
        if options:
            command += ["-o", option_list(options)]
        self.command = [*map(str, command), str(self.root)]
        self.env = {
            "HOME": self.home, "XDG_STATE_HOME": self.home / "state",
            "XDG_CACHE_HOME": self.home / "cache", "XDG_RUNTIME_DIR": self.home / "run",
            "CONFLUENT_CLOUD_API_KEY": KEY, "CONFLUENT_CLOUD_API_SECRET": SECRET, **(env or {})}
        ALIVE.append(self)
        try:
            self.start()
        except BaseException:
            self.abort()
            raise

    def start(self):
        with open(self.log_file, "ab") as log:
            # A file in the place of a pipe: nobody has to drain it, and a daemon may keep it.
            process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.home,
                env=environment(**self.env),
                preexec_fn=None if self.background else die_with_parent)
        self.process = process
        if self.background:
            try:
                status = process.wait(30 * SLOW)
            except subprocess.TimeoutExpired:
                process.kill()
                raise StartFailure(f"does not go to the background: {self.log()}") from None
            if status != 0:
                raise StartFailure(f"status {status}: {self.log()}")
            self.pid = poll(lambda: daemons_of(self.root), 2, "a daemon")[0]
            return
        self.pid = process.pid
        poll(lambda: is_mounted(self.root) or process.poll() is not None, 30, "a mount")
        if process.poll() is not None:
            raise StartFailure(f"status {process.returncode}: {self.log()}")

    def log(self):
        return self.log_file.read_text(errors="replace")

    def running(self):
        """Whether the daemon is there; its status is noted when it has gone."""
        if not self.background:
            self.status = self.process.poll()
            return self.status is None
        if self.status is not None:
            return False
        try:  # it became a child of this process, which is a subreaper
            pid, status = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:
            self.status = 0
            return False
        if pid:
            self.status = os.waitstatus_to_exitcode(status)
        return not pid

    def send_signal(self, number):
        os.kill(self.pid, number)

    # Paths.

    def __truediv__(self, name):
        return self.root / name

    def cluster(self, site):
        return self.root / "environments" / site.env / "clusters" / site.cluster

    def connectors(self, site):
        return self.cluster(site) / "connectors"

    def connector(self, site, name):
        return self.connectors(site) / name

    # The end.

    def unmount(self):
        """As a user does; waits for the daemon."""
        def attempt():
            done = subprocess.run(["fusermount3", "-u", str(self.root)], capture_output=True,
                                  check=False, timeout=30 * SLOW)
            return done.returncode == 0 or not is_mounted(self.root)
        poll(attempt, 5, "fusermount3 -u")
        self.wait()

    def wait(self, deadline=15):
        """For the daemon's end; its exit status."""
        poll(lambda: not self.running(), deadline, f"the end of the daemon: {self.log()}")
        return self.status

    def crash(self, number=signal.SIGKILL):
        """Ends it without its doing anything about it, or finds it ended; its exit status."""
        if self.running():
            self.send_signal(number)
        self.wait()
        subprocess.run(["fusermount3", "-uz", str(self.root)], capture_output=True, check=False)
        self.stopped = True
        return self.status

    def stop(self):
        """Unmounts and checks that the daemon ended well."""
        if self.stopped:
            return
        self.stopped = True
        if self.emulator and self.emulator.process.poll() is None:
            self.emulator.clear_faults()
        if self.running():
            self.unmount()
        log = self.log()
        assert self.status == 0, f"the daemon ended with {self.status}: {log}"
        assert not SUSPICIOUS.search(log), log
        assert not is_mounted(self.root), "still mounted"

    def finish(self):
        try:
            self.stop()
        finally:
            self.abort()

    def kill_daemon(self):
        """Whoever waits for the mount gets ENOTCONN then."""
        for pid in {self.pid, *daemons_of(self.root)} - {None}:
            with contextlib.suppress(OSError):
                if self.background or self.process.poll() is None:
                    os.kill(pid, signal.SIGKILL)

    def abort(self):
        if self in ALIVE:
            ALIVE.remove(self)
        if self.pid is not None and self.status is None:
            self.kill_daemon()
        if is_mounted(self.root):
            subprocess.run(["fusermount3", "-uz", str(self.root)], capture_output=True,
                           check=False, timeout=10)
        if self.process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(5)
        if self.owns_home and not is_mounted(self.root):
            shutil.rmtree(self.home, ignore_errors=True)


def abort_mounts():
    for thing in ALIVE:
        if isinstance(thing, Mount):
            thing.kill_daemon()


def start_fails(*args, url=None, options=None, env=None, root=None, within=30, foreground=False):
    """Starts connectfs where it must refuse, as a user sees it: the Result, status not 0."""
    home = scratch_directory()
    try:
        (home / "mnt").mkdir()
        root = root or home / "mnt"
        command = [CONNECTFS, *(["-f"] if foreground else []), *args]
        command += ["--url", url] if url else []
        command += ["-o", option_list(options)] if options else []
        variables = {"HOME": home, "XDG_STATE_HOME": home, "XDG_CACHE_HOME": home,
                     "XDG_RUNTIME_DIR": home, "CONFLUENT_CLOUD_API_KEY": KEY,
                     "CONFLUENT_CLOUD_API_SECRET": SECRET, **(env or {})}
        before = set(daemons_of(root))
        result = run(*command, root, status=None, within=within, **variables)
        leftovers = set(daemons_of(root)) - before
        for pid in leftovers:
            os.kill(pid, signal.SIGKILL)
        mounted = is_mounted(home / "mnt")
        if mounted:
            subprocess.run(["fusermount3", "-uz", str(home / "mnt")], check=False)
        assert result.status != 0, f"started: {result}"
        assert not leftovers and not mounted, "left a daemon or a mount"
        assert not SUSPICIOUS.search(result.errors), result
        return result
    finally:
        shutil.rmtree(home, ignore_errors=True)
