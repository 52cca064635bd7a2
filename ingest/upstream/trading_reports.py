"""The reports about trading itself: statuses (halts, short sales), price bands, imbalances."""

from ingest.alpaca.messages import Imbalance, Message, PriceBands, TradingStatus, nanoseconds
from ingest.demand.wanted import Demand
from ingest.market.halts import concerns_short_sales
from ingest.market.recent_reports import Arrival, RecentReports
from ingest.market.symbol_states import SymbolStates
from ingest.upstream import translation
from ingest.upstream.announcements import Announcements
from ingest.upstream.malformed_data import MalformedData
from shared.topics import IMBALANCE, LULD, STATUS, topic

SHORT_SALES = "short_sales"
"""The order of reports about short sales is another one than that of other statuses."""


class TradingReports:
    """Applies each report once, and none that is older than one that was applied.

    The times are those of ``FrameReader``: ``received_us`` in unix µs, ``monotonic`` seconds.
    """

    def __init__(
        self,
        states: SymbolStates,
        demand: Demand,
        announcer: Announcements,
        malformed: MalformedData,
    ) -> None:
        self.recent = RecentReports()
        """The reports that came before, and the numbers of late and of repeated ones."""
        self._states = states
        self._demand = demand
        self._announcer = announcer
        self._malformed = malformed

    def on_report(self, message: Message, received_us: int, monotonic: float) -> None:
        """Apply a report; any other message has no effect.

        Raises:
            ValueError: its time, or the price of an imbalance, is none.
        """
        match message:
            case TradingStatus():
                self._on_status(message, received_us, monotonic)
            case PriceBands():
                self._on_bands(message, received_us, monotonic)
            case Imbalance():
                self._on_imbalance(message, received_us)

    def _on_status(self, message: TradingStatus, received_us: int, monotonic: float) -> None:
        at_ns = None
        # A halt whose time cannot be read is a halt.
        try:
            at_ns = translation.status_ns(message)
        except ValueError as error:
            self._malformed.note(type(message).__name__, error, message)
        status = translation.trading_status(message, at_ns)
        received_ns = received_us * 1000
        content = (status.code, status.reason_code, status.text, status.reason, status.tape)
        # An older one after a newer one would halt a symbol that trades again.
        kind = SHORT_SALES if concerns_short_sales(status) else STATUS
        arrival = self.recent.add(kind, status.symbol, at_ns, received_ns, *content)
        if arrival is Arrival.NEWS:
            self._states.on_trading_status(status, received_ns, monotonic)

    def _on_bands(self, message: PriceBands, received_us: int, monotonic: float) -> None:
        bands = translation.price_bands(message, received_us)
        at_ns = nanoseconds(message.time)
        content = (bands.limit_up, bands.limit_down, bands.indicator, bands.tape)
        arrival = self.recent.add(LULD, bands.symbol, at_ns, received_us * 1000, *content)
        if arrival is not Arrival.NEWS:
            return
        self._states.halts.on_bands(bands.symbol, bands.indicator, at_ns, monotonic)
        if self._demand.watches(topic(LULD, bands.symbol)):
            self._announcer.luld(bands)

    def _on_imbalance(self, message: Imbalance, received_us: int) -> None:
        if not self._demand.watches(topic(IMBALANCE, message.symbol)):
            return
        event = translation.imbalance(message, received_us)
        at_ns, received_ns = nanoseconds(message.time), received_us * 1000
        content = (event.price, event.tape)
        # Each is an event, and a late one is shown as well: the tape shows late prints, too.
        arrival = self.recent.add(IMBALANCE, event.symbol, at_ns, received_ns, *content)
        if arrival is not Arrival.REPEATED:
            self._announcer.imbalance(event)
