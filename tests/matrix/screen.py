"""Programs in a terminal that tmux shows."""

import re
import subprocess

import harness
from harness import poll

SETTINGS = """
set -g remain-on-exit on
set -g exit-empty off
set -g escape-time 0
set -g status off
set -g default-terminal screen-256color
"""


class Terminals:
    """A tmux server of its own."""

    def __init__(self, home):
        self.socket = home / "tmux"
        settings = home / "tmux.conf"
        settings.write_text(SETTINGS)
        harness.ALIVE.append(self)
        self.tmux("-f", settings, "start-server")

    def tmux(self, *words, status=0):
        return harness.run("tmux", "-S", self.socket, *words, status=status).output

    def abort(self):
        if self in harness.ALIVE:
            harness.ALIVE.remove(self)
        subprocess.run(["tmux", "-S", str(self.socket), "kill-server"], capture_output=True,
                       check=False, timeout=10 * harness.SLOW)


class Screen:
    """One command of a shell in one terminal, 200 columns and 30 lines; `seen`: all it has shown.

    Its status goes through a file, for tmux may miss the end of one of two that end at once.
    """

    def __init__(self, terminals, name, command, home, env):
        self.terminals, self.name, self.seen, self.status = terminals, name, [], None
        self.status_file = home / "status"
        words = [word for key, value in env.items() for word in ("-e", f"{key}={value}")]
        terminals.tmux("new-session", "-d", "-x", 200, "-y", 30, "-c", home, *words, "-s", name,
                       "--", "/bin/bash", "-c", f"{command}; echo $? >{self.status_file}")

    def look(self):
        """What it shows now."""
        if self.status_file.exists() and (status := self.status_file.read_text()):
            self.status = int(status)
        text = self.terminals.tmux("capture-pane", "-p", "-t", self.name)
        if not self.seen or self.seen[-1] != text:
            self.seen.append(text)
        return text

    def until(self, check, what, within=15):
        def last():
            return "\n".join(line.rstrip() for line in self.seen[-1].splitlines() if line.strip())
        try:
            poll(check, within, what)
        except AssertionError as error:
            raise AssertionError(f"{error}; the screen:\n{last()}") from None

    def wait(self, pattern, within=15):
        """Until this is shown."""
        def check():
            shown = re.search(pattern, self.look())
            assert shown or self.status is None, f"ended, and never showed {pattern}"
            return shown
        self.until(check, pattern, within)

    def type(self, keys, **words):
        """Keys as editors.py has them; `words` are replaced in them."""
        for key in keys:
            pattern, text = key if isinstance(key, tuple) else (None, key)
            if pattern:
                self.wait(pattern)
            for word, stands_for in words.items():
                text = text.replace(word, stands_for)
            codes = [f"{byte:x}" for byte in text.encode()]
            self.terminals.tmux("send-keys", "-t", self.name, "-H", *codes)

    def end(self, within=15):
        """Waits for its end; the exit status."""
        def check():
            self.look()
            return self.status is not None
        self.until(check, "the program's end", within)
        return self.status

    def close(self):
        self.terminals.tmux("kill-session", "-t", self.name, status=None)
