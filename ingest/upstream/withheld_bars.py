"""The bars of symbols that the stream withholds: REST is asked for them while that lasts."""

import time
from collections.abc import Callable, Mapping, Set

from ingest.upstream.market_handler import BarMaker

ASK_SECONDS = 60.0
"""A minute of a withheld symbol is in a chart this much later, at most, than at REST."""


class WithheldBars:
    """Tells the maker of bars; ``clock`` gives unix seconds."""

    def __init__(self, bars: BarMaker, clock: Callable[[], float] = time.time) -> None:
        self._bars = bars
        self._clock = clock
        self._asked_until: dict[str, float] = {}
        """The time up to which the bars of each withheld symbol have been asked for."""

    def follow(
        self, found: Mapping[str, float], ended: Mapping[str, float], withheld: Set[str]
    ) -> None:
        """Take the symbols that are ``withheld`` now, and those that are so since the last call.

        ``found`` and ``ended`` have the time (unix s) since which prints may be missing. To be
        called once a second.
        """
        now, asked = self._clock(), self._asked_until
        missed = dict(found)
        for symbol, since in ended.items():
            # A symbol may have been found and have ended since the last call.
            missed[symbol] = min(since, missed.get(symbol, since), asked.pop(symbol, since))
        for symbol in withheld:
            if now - asked.setdefault(symbol, now) >= ASK_SECONDS:
                missed.setdefault(symbol, asked[symbol])
                asked[symbol] = now
        for symbol in asked.keys() - withheld:
            del asked[symbol]
        for symbol, since in missed.items():
            self._bars.on_missed(since, symbol)
