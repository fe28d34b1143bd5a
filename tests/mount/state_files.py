"""Where an account's times are kept between mounts."""

import time

from harness import poll

SAVED = 15  # seconds within which what is new is in the file


def state_file(home):
    """Where the account's times are kept below XDG_STATE_HOME."""
    found = [path for path in (home / "connectfs").iterdir() if not path.suffix]
    assert len(found) == 1, found
    return found[0]


def state_files(home):
    """The endings of what stands there."""
    path = state_file(home)
    return {one.name[len(path.name):] for one in path.parent.iterdir()}


def wait_until_saved(process, mounted, home=None):
    """What was seen until now is in the state file."""
    home, now = home or mounted.home / "state", time.time_ns()
    process.stat(mounted / ".connectfs" / "status.json")  # which is always new
    poll(lambda: list((home / "connectfs").glob("*[0-9a-f]"))
         and state_file(home).stat().st_mtime_ns > now, SAVED, "times in the state file")
