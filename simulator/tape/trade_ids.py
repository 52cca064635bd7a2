"""Trade ids as Alpaca's tapes number prints: they repeat. Pure.

An id starts at 1 for each symbol, exchange and day. Exchange `D` stands for three reporting
facilities, each with its own sequence, so that ids repeat there within a day. Seen in Alpaca's
consolidated stream of 23 August 2021, where `D` interleaves ids near 80721, 17913 and 712 of AAPL.
"""

from collections import Counter
from typing import Final

from simulator.tape.hours import midnight

_FACILITIES: Final = 3


class TradeIds:
    """Numbers the prints of any number of symbols."""

    def __init__(self) -> None:
        self._printed: Counter[tuple[object, object, int]] = Counter()

    def next(self, symbol: object, exchange: object, at: int) -> int:
        """Return the id of the next print; `at` is its time in Unix nanoseconds."""
        key = (symbol, exchange, midnight(at))
        before = self._printed[key]
        self._printed[key] += 1
        return 1 + (before // _FACILITIES if exchange == "D" else before)

    def restart(self) -> None:
        """Start all sequences at 1 again, as on a new day."""
        self._printed.clear()
