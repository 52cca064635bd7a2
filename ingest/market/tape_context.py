"""The values that the tapes of all symbols share: the hours, the counts and the stream's clock."""

from ingest.market.clock_lead import AHEAD_NS, ClockLead
from ingest.market.market_hours import MarketHours
from ingest.market.trade_counts import TradeCounts


class TapeContext:
    """The values that the tapes of all symbols share. Times are unix ns, -1 for none.

    ``is_delayed``: the feed shows its trades fifteen minutes late.
    """

    __slots__ = (
        "_lead",
        "awaiting",
        "counts",
        "doubtful",
        "hours",
        "is_delayed",
        "newest_streamed_ns",
    )

    def __init__(self, hours: MarketHours, *, is_delayed: bool = False) -> None:
        self.hours = hours
        self.is_delayed = is_delayed
        self.counts = TradeCounts()
        self._lead = ClockLead()
        self.awaiting: dict[str, None] = {}
        self.doubtful: dict[str, None] = {}
        """The symbols that expect a trade of the stream, and those whose last price may be in
        doubt, in order: so a look at them need not search thousands."""
        self.newest_streamed_ns = -1
        """The time of the trade, of any symbol, that the stream brought last, unless that time is
        too far ahead to be believed."""

    def expect(self, symbol: str) -> None:
        """Note that the stream is still to bring a trade of a symbol that REST shows."""
        self.awaiting[symbol] = None

    def doubt(self, symbol: str) -> None:
        """Note that REST is to be asked about a symbol's last price."""
        self.doubtful[symbol] = None

    def is_ahead(self, at_ns: int, last_ns: int, received_us: int) -> bool:
        """Return whether a time is in the future, by this machine's clock and by the stream's.

        ``last_ns`` is the time of the symbol's last price.
        """
        if at_ns <= received_us * 1000 + AHEAD_NS:
            return False
        newest_ns = self.newest_streamed_ns
        # This machine's clock may be behind: then the stream's prints show the time.
        now_ns = received_us * 1000 + self._lead.of(newest_ns)
        return at_ns > max(now_ns, last_ns, newest_ns) + AHEAD_NS

    def compare_clocks(self, at_ns: int, last_ns: int, received_us: int) -> None:
        """Count a print from the future, of the stream or of REST, as a sign of a slow clock."""
        if self.is_ahead(at_ns, last_ns, received_us):
            self._lead.add(at_ns - received_us * 1000, self.newest_streamed_ns)

    def note_streamed(self, at_ns: int, received_us: int) -> None:
        """Note the time of a credible print of the stream."""
        self.newest_streamed_ns = at_ns
        if at_ns > received_us * 1000 + AHEAD_NS:
            self._lead.confirm(at_ns)
