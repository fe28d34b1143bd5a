#!/usr/bin/python3
"""Times calls from inside one process: timed.py stat DIRECTORY | timed.py edit FILE. Prints seconds."""

import json
import os
import statistics
import sys
import time

EDITS = 5


def stat(directory):
    """All files once, when they are known."""
    paths = [os.path.join(top, name) for top, _, names in os.walk(directory) for name in names]
    for path in paths:
        os.stat(path)
    start = time.perf_counter()
    for path in paths:
        os.stat(path)
    return time.perf_counter() - start


def edit(path):
    """One setting changes, in place; the median of EDITS."""
    times = []
    for _ in range(EDITS):
        with open(path, encoding="utf-8") as file:
            config = json.load(file)
        config["tasks.max"] = str(int(config["tasks.max"]) % 9 + 1)
        text = json.dumps(config, indent=2).encode()
        start = time.perf_counter()
        descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC)
        os.write(descriptor, text)
        os.close(descriptor)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


if __name__ == "__main__":
    print({"stat": stat, "edit": edit}[sys.argv[1]](sys.argv[2]))
