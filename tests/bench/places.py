"""Directories that show the connectors, each in its own way."""

import contextlib
import os
import pathlib
import shutil
import subprocess

from servers import BUILD, KEY, SECRET, running


class Process:
    """What a daemon has cost until now."""

    def __init__(self, pid):
        self.proc = pathlib.Path(f"/proc/{pid}")

    def peak(self):
        """The most memory that was resident, in MB."""
        lines = (self.proc / "status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024

    def cpu(self):
        """Seconds of the threads that it has."""
        return sum(int((task / "schedstat").read_text().split()[0]) for task in (self.proc / "task").iterdir()) / 1e9


def children():
    return pathlib.Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()


class Place:
    """`visit()` gives the directory of the connectors, and its Process if it has one."""

    name = "?"


class Tmpfs(Place):
    name = "tmpfs"

    def __init__(self, directory):
        self.directory = directory

    @contextlib.contextmanager
    def visit(self):
        yield self.directory, None


class Mount(Place):
    """A fresh mount for each visit."""

    def __init__(self, work):
        self.work, self.mountpoint = work, work / self.name.replace(" ", "-")
        self.mountpoint.mkdir()

    def command(self):
        raise NotImplementedError

    def env(self):
        return None

    def inside(self):
        return self.mountpoint

    def is_ready(self):
        return os.path.ismount(self.mountpoint)

    @contextlib.contextmanager
    def visit(self):
        with running(self.command(), self.is_ready, env=self.env()) as process:
            try:
                yield self.inside(), Process(process.pid)
            finally:
                subprocess.run(["umount", self.mountpoint], check=True)
                process.wait()


class Connectfs(Mount):
    name = "connectfs"

    def __init__(self, work, api):
        super().__init__(work)
        self.api = api

    def command(self):
        return [BUILD / "connectfs", "-f", "--url", self.api.url, "-o", f"cacert={self.api.certificate}",
                self.mountpoint]

    def env(self):
        return {**os.environ, "CONFLUENT_CLOUD_API_KEY": KEY, "CONFLUENT_CLOUD_API_SECRET": SECRET}

    def inside(self):
        return self.mountpoint / self.api.path


class RcloneMount(Mount):
    name = "rclone mount"

    def __init__(self, work, port):
        super().__init__(work)
        self.port = port

    def command(self):
        return ["rclone", "mount", "--config", "", "--read-only", "--webdav-url", f"http://127.0.0.1:{self.port}",
                ":webdav:", self.mountpoint]


class Davfs(Mount):
    name = "davfs2"

    def __init__(self, work, port):
        super().__init__(work)
        self.port, self.cache, self.conf = port, work / "davfs-cache", work / "davfs2.conf"
        self.conf.write_text(f"ask_auth 0\nuse_locks 0\nbuf_size 256\ncache_dir {self.cache}\n")

    @contextlib.contextmanager
    def visit(self):
        """It goes to the background by itself, as another user; whoever has no parent is a child of this process."""
        shutil.rmtree(self.cache, ignore_errors=True)
        self.cache.mkdir()
        self.cache.chmod(0o777)
        subprocess.run(["mount.davfs", f"http://127.0.0.1:{self.port}", self.mountpoint, "-o", f"ro,conf={self.conf}"],
                       check=True, capture_output=True, stdin=subprocess.DEVNULL)
        pid = next(pid for pid in children() if pathlib.Path(f"/proc/{pid}/comm").read_text() == "mount.davfs\n")
        try:
            yield self.mountpoint, Process(pid)
        finally:
            subprocess.run(["umount", "--internal-only", self.mountpoint], check=True)
            os.waitpid(int(pid), 0)


class Sshfs(Mount):
    name = "sshfs"

    def __init__(self, work, port, key, directory):
        super().__init__(work)
        self.port, self.key, self.directory = port, key, directory

    def command(self):
        return ["sshfs", "-f", "-o", f"ro,port={self.port},IdentityFile={self.key},StrictHostKeyChecking=no,"
                "UserKnownHostsFile=/dev/null,BatchMode=yes", f"root@127.0.0.1:{self.directory}", self.mountpoint]


@contextlib.contextmanager
def peers(servers, directory, flat):
    """The mounts of a directory that are installed, and the port of a server of `flat` for `rclone copy` (or None)."""
    mounts, copy_port = [], None
    with contextlib.ExitStack() as stack:
        if shutil.which("rclone"):
            port = stack.enter_context(servers.rclone("webdav", directory))
            copy_port = stack.enter_context(servers.rclone("http", flat, tls=True))
            mounts.append(RcloneMount(servers.work, port))
            if shutil.which("mount.davfs"):
                mounts.append(Davfs(servers.work, port))
        if shutil.which("sshfs") and shutil.which("sshd"):
            port, key = stack.enter_context(servers.ssh())
            mounts.append(Sshfs(servers.work, port, key, directory))
        yield mounts, copy_port
