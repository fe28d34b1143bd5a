"""HTTP/2 in front of an emulator, as the API speaks it."""

import contextlib
import shutil
import socket
import subprocess

import pytest

import harness

NEEDS_NGHTTPX = pytest.mark.skipif(not shutil.which("nghttpx"), reason="nghttpx is not installed")


@contextlib.contextmanager
def over_http2(api, certificate, directory):
    """The URL of nghttpx, which passes everything on to the emulator."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    (directory / "nghttpx.conf").write_text("")
    with open(directory / "errors", "wb") as errors:
        proxy = subprocess.Popen(
            ["nghttpx", f"--frontend=127.0.0.1,{port}", f"--backend=127.0.0.1,{api.port}",
             "--workers=1", f"--conf={directory}/nghttpx.conf", certificate[1], certificate[0]],
            stderr=errors, env=harness.environment(), preexec_fn=harness.die_with_parent)

    def answers():
        assert proxy.poll() is None, (directory / "errors").read_text()
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", port)) == 0
    try:
        harness.poll(answers, 5, "a proxy")
        yield f"https://127.0.0.1:{port}"
    finally:
        harness.stop_process(proxy)
