"""REST's bar of the day so far, and which prints it contains."""

from typing import NamedTuple

from ingest.bars.bar_conditions import Effect, day_effect, minute_effect
from ingest.market.bars import Bar
from ingest.market.prints import StreamedPrint

ON_ITS_WAY_NS = 50_000_000
"""A print may come this much later by the stream than by REST, or the other way round."""

_PRICE, _HIGH_LOW = int(Effect.PRICE), int(Effect.HIGH_LOW)


class DaySnapshot(NamedTuple):
    """A snapshot's bar of the day; None if the day has none yet. Times are unix nanoseconds.

    ``latest_ns`` is the time of the snapshot's latest trade, -1 for none; ``asked_ns`` that of the
    request.
    """

    bar: Bar | None
    latest_ns: int
    asked_ns: int

    def contains(self, trade: StreamedPrint, at_ns: int, received_ns: int) -> bool:
        """Return whether the bar contains a print that came before the answer.

        The latest trade is the newest that can be a price. Of the others, such as odd lots, the
        answer does not say which it contains: those from before the request.
        """
        # One from before the request is in it, and perhaps in a corrected form.
        if received_ns >= self.asked_ns and self._is_beyond(trade):
            return False
        if at_ns <= self.latest_ns:
            return True
        return at_ns < self.asked_ns and not minute_effect(trade.tape, trade.conditions) & _PRICE

    def may_contain(self, trade: StreamedPrint, at_ns: int) -> bool:
        """Return whether the bar contains a print that comes after the answer.

        One that is older was reported late: REST did not know it either.
        """
        is_on_its_way = self.latest_ns - ON_ITS_WAY_NS < at_ns <= self.latest_ns
        return is_on_its_way and not self._is_beyond(trade)

    def _is_beyond(self, trade: StreamedPrint) -> bool:
        """Return whether the bar's high or low shows that a print is not in it.

        So a print that was reported late, while the answer was on its way, moves high and low.
        """
        bar = self.bar
        if bar is None or bar.low <= trade.price <= bar.high:
            return False
        return bool(day_effect(trade.tape, trade.conditions) & _HIGH_LOW)
