"""The costs of all kinds as a table, and whether one of them is too high. Pure."""

import platform
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from bench.kinds.cost import Cost

MOST_TRADES = 1.5
"""The highest cost of a message, and of a level of a book, in costs of a stock trade."""

_NAME = 30


class Beside(NamedTuple):
    """The cost of a kind in a round, and that of stock trades just before it."""

    cost: Cost
    trade: Cost


class Measured(NamedTuple):
    """The rounds of a kind by messages to a frame. ``is_judged``: the limit applies to it."""

    name: str
    is_judged: bool
    rounds: dict[int, list[Beside]]

    def ratio(self, per_frame: int) -> float:
        """Return the cost in costs of a trade: the median over the rounds."""
        return median(one.cost.each / one.trade.each for one in self.rounds[per_frame])

    @property
    def is_met(self) -> bool:
        """Whether it is within the limit, however many messages a frame has."""
        return all(self.ratio(per_frame) <= MOST_TRADES for per_frame in self.rounds)


def table(kinds: Sequence[Measured]) -> str:
    """Return a line for each kind: the best round, the median, and the ratio to a trade."""
    sizes = list(kinds[0].rounds)
    rounds = len(kinds[0].rounds[sizes[0]])
    python = f"Python {platform.python_version()}, {platform.machine()}"
    titles = "".join(f"{title:>9}" for title in ("best", "median", "/ trade"))
    lines = [
        f"CPU µs for each message, of a book for each level; {rounds} rounds ({python})",
        f"{'':<{_NAME}}" + "".join(f"{f'{size} a frame':>27}" for size in sizes),
        f"{'':<{_NAME}}" + titles * len(sizes) + f"{'events':>9}  ≤ {MOST_TRADES:g}",
    ]
    for kind in kinds:
        columns = "".join(_columns(kind, size) for size in sizes)
        lines.append(f"{kind.name:<{_NAME}}{columns}{_events(kind):>9.2f}  {_verdict(kind)}")
    return "\n".join([*lines, _sentence(kinds)])


def status(kinds: Sequence[Measured]) -> int:
    """Return the exit status: 1 if a kind that is judged costs too much."""
    return int(any(kind.is_judged and not kind.is_met for kind in kinds))


def _columns(kind: Measured, per_frame: int) -> str:
    each = [one.cost.each for one in kind.rounds[per_frame]]
    return f"{min(each):>9.2f}{median(each):>9.2f}{kind.ratio(per_frame):>9.2f}"


def _events(kind: Measured) -> float:
    """Return the events of a message, with the fewest messages to a frame."""
    return median(one.cost.events / one.cost.items for one in kind.rounds[min(kind.rounds)])


def _verdict(kind: Measured) -> str:
    if not kind.is_judged:
        return "not judged"
    return "yes" if kind.is_met else "NO"


def _sentence(kinds: Sequence[Measured]) -> str:
    if wrong := [kind.name for kind in kinds if kind.is_judged and not kind.is_met]:
        return f"More than {MOST_TRADES:g} trades: {'; '.join(wrong)}."
    return f"No kind that is judged costs more than {MOST_TRADES:g} trades."
