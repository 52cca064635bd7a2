"""The newest quote of each symbol, so that REST's does not replace a newer one. Pure.

The stream's own quotes need no such guard. In a recorded arrival order of the consolidated feed,
one quote of twelve is older than another before it, by up to 0.35 ms, and the order of arrival is
right.
"""

from typing import NamedTuple

from shared.quote import Quote
from shared.rfc3339 import sortable


class _Newest(NamedTuple):
    """``time`` is the newest time of any quote, without its ``Z``; ``received`` is unix µs."""

    time: str
    received: int


class NewestQuotes:
    """Remembers two times for each symbol that has had a quote."""

    def __init__(self) -> None:
        self._newest: dict[str, _Newest] = {}

    def add(self, quote: Quote) -> None:
        """Add a quote of the stream, or one that an earlier leader has published."""
        time = sortable(quote.timestamp)
        known = self._newest.get(quote.symbol)
        if known is not None and known.time > time:
            time = known.time
        self._newest[quote.symbol] = _Newest(time, quote.received)

    def is_news(self, quote: Quote, asked_us: int) -> bool:
        """Return whether REST's answer to a request of ``asked_us`` (unix µs) has a newer quote.

        A quote that the stream has brought since then may be newer than the answer.
        """
        known = self._newest.get(quote.symbol)
        if known is None:
            return True
        return known.received < asked_us and sortable(quote.timestamp) >= known.time
