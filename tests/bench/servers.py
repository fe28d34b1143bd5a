"""The programs that the bench stands on, each for as long as a `with` lasts."""

import contextlib
import json
import os
import pathlib
import socket
import subprocess
import sys
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("BUILD", HERE.parents[1] / "build")).resolve()
KEY, SECRET = "DEMOKEY", "demo-secret"


def cpus():
    """(those of the servers, that of what is measured)."""
    have = sorted(os.sched_getaffinity(0))
    return ",".join(map(str, have[:-1] or have)), have[-1]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def running(command, ready, env=None, on=None):
    """A process that is `ready()`, on the CPUs `on`."""
    command = [*(["taskset", "-c", on] if on else []), *map(str, command)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               env=env)
    try:
        end = time.monotonic() + 60
        while not ready():
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"does not start: {' '.join(command)}")
            time.sleep(0.005)
        yield process
    finally:
        process.terminate()
        process.wait()


class Servers:
    """Starts servers on the CPUs `on`, behind lines of `rtt` milliseconds; what they need is written to `work`."""

    def __init__(self, work, rtt, on):
        self.work, self.rtt, self.on = work, rtt, on
        self.key, self.certificate = work / "key.pem", work / "cert.pem"

    @contextlib.contextmanager
    def line(self, port):
        """The port of a line to another port."""
        if self.rtt == 0:
            yield port
            return
        file = self.work / f"line-{port}"
        with running([sys.executable, HERE / "relay.py", port, self.rtt, file], file.exists, on=self.on):
            yield int(file.read_text())

    @contextlib.contextmanager
    def server(self, port, *command):
        with running(command, lambda: listens(port), on=self.on), self.line(port) as far:
            yield far

    @contextlib.contextmanager
    def api(self, connectors):
        """The emulator behind nghttpx, which speaks TLS and HTTP/2."""
        port_file = self.work / "port"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                        "-nodes", "-keyout", self.key, "-out", self.certificate, "-days", "2", "-subj", "/CN=127.0.0.1",
                        "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
        emulator = [BUILD / "connect-emulator", "--environments", 1, "--clusters", 1, "--connectors", connectors,
                    "--provisioning", 0, "--port-file", port_file]
        with running(emulator, port_file.exists, on=self.on):
            front, back = free_port(), port_file.read_text().strip()
            with self.server(front, "nghttpx", f"--frontend=127.0.0.1,{front}", f"--backend=127.0.0.1,{back}",
                             "--no-ocsp", "--workers=1", "--conf=/dev/null", "--errorlog-file=/dev/null", self.key,
                             self.certificate) as port:
                yield Api(f"http://127.0.0.1:{back}/_emulator", f"https://127.0.0.1:{port}", self.certificate)

    def rclone(self, protocol, directory, tls=False):
        """The port of a server of a directory, within `api()`."""
        port = free_port()
        options = ["--key", self.key, "--cert", self.certificate] if tls else []
        return self.server(port, "rclone", "serve", protocol, "--config", "", "--read-only", *options, "--addr",
                           f"127.0.0.1:{port}", directory)

    @contextlib.contextmanager
    def ssh(self):
        """The port of an SSH server, and the file of the key that it takes."""
        key, host, config, port = self.work / "ssh-key", self.work / "ssh-host", self.work / "sshd_config", free_port()
        for path in (key, host):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
        config.write_text(f"HostKey {host}\nAuthorizedKeysFile {key}.pub\nStrictModes no\nPermitRootLogin yes\n"
                          f"UsePAM no\nSubsystem sftp internal-sftp\nPidFile none\nListenAddress 127.0.0.1:{port}\n")
        with self.server(port, "/usr/sbin/sshd", "-D", "-f", config) as far:
            yield far, key


class Api:
    """The account, which has one cluster."""

    def __init__(self, control, url, certificate):
        self.control, self.url = control, url
        self.certificate = certificate
        with urllib.request.urlopen(f"{control}/account") as answer:
            environment, clusters = next(iter(json.load(answer).items()))
        cluster, self.names = next(iter(clusters.items()))
        self.path = f"environments/{environment}/clusters/{cluster}/connectors"
        self.connectors = f"{url}/connect/v1/{self.path}"
        self.curl = f"curl -s -u {KEY}:{SECRET} --cacert {certificate}"
        self.bulk = f"{self.curl} --compressed '{self.connectors}?expand=id,info,status'"

    def count(self):
        """The requests since the last time."""
        with urllib.request.urlopen(f"{self.control}/requests") as answer:
            count = len(json.load(answer))
        urllib.request.urlopen(urllib.request.Request(f"{self.control}/requests", method="DELETE")).close()
        return count
