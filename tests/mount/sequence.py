"""Random sequences of file system calls: made from a seed, and made short once one fails.

A sequence is a list of steps: the number of a process, a call, its arguments. Descriptors and
mappings are named by slots of their process, so that the other steps still mean something when one
is left out.
"""

import os
import random
import re

SLOTS = 3


class Name(str):
    """A path below the directory that is worked in."""

    def __repr__(self):
        return f"Name({str(self)!r})"


class Fd(int):
    """A slot for a descriptor."""

    def __repr__(self):
        return f"Fd({int(self)})"


class Map(int):
    """A slot for a mapping."""

    def __repr__(self):
        return f"Map({int(self)})"


def fd(chance):
    return Fd(chance.randrange(SLOTS))


def mapping(chance):
    return Map(chance.randrange(SLOTS))


def one_of(*choices):
    return lambda chance: chance.choice(choices)


def make(kinds, seed, length, processes):
    """A sequence of these kinds of calls, {call: (how often, makers of its arguments)}."""
    chance = random.Random(seed)
    calls = list(kinds)
    often = [kinds[call][0] for call in calls]
    return [(chance.randrange(processes), call,
             tuple(maker(chance) for maker in kinds[call][1:]))
            for call in chance.choices(calls, often, k=length)]


def shrink(steps, fails):
    """Leaves out all that is not needed for `fails(steps)` to be true."""
    size = len(steps) // 2
    while size >= 1:
        at = 0
        while at < len(steps):
            fewer = steps[:at] + steps[at + size:]
            if fails(fewer):
                steps = fewer
            else:
                at += size
        size //= 2
    return steps


def short(value):
    """As source text; long runs of one byte as such."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{short(key)}: {short(one)}" for key, one in value.items()) + "}"
    if isinstance(value, tuple):
        return "(" + "".join(short(one) + ", " for one in value) + ")"
    if isinstance(value, bytes):
        runs = [run.group() for run in re.finditer(rb"(.)\1{15,}|(?:(?!(.)\2{15}).)+", value, re.S)]
        return " + ".join(f"{run[:1]!r} * {len(run)}" if len(run) > 15 and len(set(run)) == 1
                          else repr(run) for run in runs) or "b''"
    return repr(value)


def spell(steps):
    """The steps as source text."""
    return "[\n" + "".join(f"    {short(step)},\n" for step in steps) + "]"


def asked_for(seed, length):
    """CONNECTFS_MODEL=SEED:LENGTH in place of a test's own."""
    given = os.environ.get("CONNECTFS_MODEL")
    return tuple(map(int, given.split(":"))) if given else (seed, length)
