"""The cost of the readers of ``bench/ingest.py``, as a table. Pure."""

import platform
from collections.abc import Mapping, Sequence
from statistics import median
from typing import NamedTuple

SPANS = {1: 1, 10: 3, 100: 5}
"""Trades to a frame, and the factor by which its spans exceed the shortest: the system reports CPU
time in hundredths of a second."""


class Span(NamedTuple):
    """The cost of some ticks: elapsed seconds, and seconds of the reader's and of Valkey's CPU."""

    ticks: int
    wall: float
    cpu: float
    valkey: float


Spans = Mapping[int, Sequence[Span]]
"""The spans of one reader by trades to a frame, one span per round."""


def table(readers: Mapping[str, Spans], checked: str) -> str:
    """Return medians over the rounds; ratios are of CPU within a round.

    ``readers`` are alpaca-py raw, alpaca-py parsed, and ours, by name.
    """
    raw, parsed, ours = readers.values()
    machine = f"Python {platform.python_version()}, {platform.machine()}"
    titles = ("ticks/s", "CPU µs/tick", "per core/s", "/ raw", "/ parsed", "Valkey µs")
    lines = [
        f"medians of {len(ours[1])} spans of {ours[1][0].ticks:,} ticks or more ({machine})",
        f"{'':<32}" + "".join(f"{title:>13}" for title in titles),
    ]
    for size in SPANS:
        for name, by_size in readers.items():
            spans = by_size[size]
            cpu = median(span.cpu / span.ticks for span in spans) * 1e6
            wall = median(span.ticks / span.wall for span in spans)
            figures = f"{wall:>13,.0f}{cpu:>13.2f}{1e6 / cpu:>13,.0f}"
            if by_size is ours:
                valkey = median(span.valkey / span.ticks for span in spans) * 1e6
                figures += f"{_ratio(ours, raw, size):>13.2f}{_ratio(ours, parsed, size):>13.2f}"
                figures += f"{valkey:>13.2f}"
            lines.append(f"  {size:>3} a frame, {name:<18}{figures}")
    return "\n".join([*lines, f"  {checked}"])


def _ratio(ours: Spans, other: Spans, size: int) -> float:
    pairs = zip(ours[size], other[size], strict=True)
    return median(our.cpu / their.cpu for our, their in pairs)
