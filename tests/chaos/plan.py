"""The faults and their times: drawn from a seed before the run, written and read as one line."""

import random
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

_FAULT = re.compile(r"(?P<kind>[a-z_0-9]+)(:(?P<seconds>\d+(\.\d+)?))?@(?P<after>\d+(\.\d+)?)")
_TOGETHER = (0.6, 0.28, 0.12)
"""How often a step has one, two, three faults."""


class Fault(NamedTuple):
    """One thing that goes wrong: ``after`` so many seconds of its step, for ``seconds``."""

    kind: str
    seconds: float = 0.0
    after: float = 0.0

    def __str__(self) -> str:
        lasts = f":{self.seconds:g}" if self.seconds else ""
        return f"{self.kind}{lasts}@{self.after:g}"


Step = tuple[Fault, ...]
"""Faults that overlap; the next step begins when the system has recovered from all of them."""


class Odds(NamedTuple):
    """How often a kind is drawn beside the others, and how long it lasts, in seconds."""

    weight: float
    lasts: tuple[float, float] = (0.0, 0.0)


def draw(seed: int, count: int, odds: Mapping[str, Odds]) -> list[Step]:
    """Return steps of ``count`` faults in all; the same for the same arguments."""
    dice = random.Random(seed)  # noqa: S311 - has to be drawn again from its seed
    kinds, weights = list(odds), [each.weight for each in odds.values()]
    steps: list[Step] = []
    while (left := count - sum(map(len, steps))) > 0:
        size = min(left, dice.choices((1, 2, 3), _TOGETHER)[0])
        names = dice.choices(kinds, weights, k=size)
        steps.append(tuple(_drawn(name, odds[name], dice) for name in names))
    return steps


def _drawn(kind: str, odds: Odds, dice: random.Random) -> Fault:
    return Fault(kind, round(dice.uniform(*odds.lasts), 1), round(dice.uniform(0, 0.6), 2))


def written(steps: Sequence[Step]) -> str:
    """Return a plan as ``--replay`` takes it: ``kill_leader@0.3,fin@0.1+stop_valkey:2.5@0.4``."""
    return ",".join("+".join(map(str, step)) for step in steps)


def read(text: str, known: Mapping[str, object]) -> list[Step]:
    """Return the steps of a written plan.

    Raises:
        ValueError: a fault is unknown or not written as above.
    """
    return [tuple(_read(word, known) for word in step.split("+")) for step in text.split(",")]


def _read(word: str, known: Mapping[str, object]) -> Fault:
    match = _FAULT.fullmatch(word.strip())
    if match is None:
        raise ValueError(f"{word!r} is no fault: expected kill_leader@0.3 or stop_leader:2.5@0.3")
    if match["kind"] not in known:
        raise ValueError(f"{match['kind']!r} is no fault; there are: {', '.join(sorted(known))}")
    return Fault(match["kind"], float(match["seconds"] or 0), float(match["after"]))
