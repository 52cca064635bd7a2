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


WIDE_FRAME = 100
"""Trades to a frame while the number of symbols varies: a wide market is a busy one."""


class Width(NamedTuple):
    """The cost of ticks of a number of symbols: alpaca-py's raw handler, and the ingest.

    ``resident``: the ingest's memory in bytes. ``checked``: what it has read and published.
    """

    symbols: int
    raw: Sequence[Span]
    ours: Sequence[Span]
    resident: int
    checked: str


Spans = Mapping[int, Sequence[Span]]
"""The spans of one reader by trades to a frame, one span per round."""


def table(readers: Mapping[str, Spans], checked: str) -> str:
    """Return medians over the rounds; ratios are of CPU within a round.

    ``readers`` are alpaca-py raw, alpaca-py parsed, and ours, by name.
    """
    raw, parsed, ours = readers.values()
    titles = ("ticks/s", "CPU µs/tick", "per core/s", "/ raw", "/ parsed", "Valkey µs")
    lines = [
        f"medians of {len(ours[1])} spans of {ours[1][0].ticks:,} ticks or more ({_machine()})",
        f"{'':<32}" + "".join(f"{title:>13}" for title in titles),
    ]
    for size in SPANS:
        for name, by_size in readers.items():
            spans = by_size[size]
            cpu = _per_tick(spans)
            wall = median(span.ticks / span.wall for span in spans)
            figures = f"{wall:>13,.0f}{cpu:>13.2f}{1e6 / cpu:>13,.0f}"
            if by_size is ours:
                valkey = median(span.valkey / span.ticks for span in spans) * 1e6
                figures += (
                    f"{_paired(spans, raw[size]):>13.2f}{_paired(spans, parsed[size]):>13.2f}"
                )
                figures += f"{valkey:>13.2f}"
            lines.append(f"  {size:>3} a frame, {name:<18}{figures}")
    return "\n".join([*lines, f"  {checked}"])


def width_table(widths: Sequence[Width]) -> str:
    """Return medians over the rounds; ratios are of CPU within a round.

    The last column compares the ingest's cost with that of the first number of symbols.
    """
    first = widths[0]
    titles = (
        "raw µs/tick",
        "CPU µs/tick",
        "per core/s",
        "ticks/s",
        "Valkey µs",
        "RSS MiB",
        "/ raw",
    )
    ticks = f"{len(first.ours)} spans of {first.ours[0].ticks:,} ticks"
    lines = [
        f"medians of {ticks}, {WIDE_FRAME} a frame ({_machine()})",
        f"{'':<16}" + "".join(f"{title:>13}" for title in (*titles, f"/ {first.symbols} symbols")),
    ]
    for width in widths:
        cpu = _per_tick(width.ours)
        lines.append(
            f"{width.symbols:>8,} symbols"
            f"{_per_tick(width.raw):>13.2f}{cpu:>13.2f}{1e6 / cpu:>13,.0f}"
            f"{median(span.ticks / span.wall for span in width.ours):>13,.0f}"
            f"{median(span.valkey / span.ticks for span in width.ours) * 1e6:>13.2f}"
            f"{width.resident / 2**20:>13.1f}"
            f"{_paired(width.ours, width.raw):>13.2f}{_paired(width.ours, first.ours):>13.2f}"
        )
    return "\n".join([*lines, *(f"  {width.checked}" for width in widths)])


def _machine() -> str:
    return f"Python {platform.python_version()}, {platform.machine()}"


def _per_tick(spans: Sequence[Span]) -> float:
    return median(span.cpu / span.ticks for span in spans) * 1e6


def _paired(ours: Sequence[Span], others: Sequence[Span]) -> float:
    """Return the median, over the rounds, of the ratio of two costs per tick."""
    pairs = zip(ours, others, strict=True)
    return median((our.cpu / our.ticks) / (their.cpu / their.ticks) for our, their in pairs)
