"""The last price of each symbol: the table of the symbols' tapes."""

from collections.abc import Iterable, Set

from ingest.market.adjusted_closes import AdjustedCloses
from ingest.market.market_hours import MarketHours
from ingest.market.previous_close import UnconfirmedSplit
from ingest.market.prints import Cancel, Correction, StreamedPrint, Trade
from ingest.market.snapshot import Snapshot
from ingest.market.symbol_tape import SymbolTape
from ingest.market.tape import NewTape, Tape
from ingest.market.tape_context import TapeContext
from ingest.market.trade_counts import TradeCounts
from shared.price import Price


class LastPrices:
    """Hands each message to its symbol's tape, which has the rules: ``SymbolTape`` of stocks.

    ``is_delayed``: the feed shows its trades fifteen minutes late, and the events say so.
    """

    def __init__(
        self, hours: MarketHours, new_tape: NewTape = SymbolTape, *, is_delayed: bool = False
    ) -> None:
        self._context = TapeContext(hours, is_delayed=is_delayed)
        self._new_tape = new_tape
        self._tapes: dict[str, Tape] = {}
        self._unlisted: set[str] = set()
        self.forgotten = 0
        """The number of tapes that were forgotten: one that is held elsewhere may be among them."""

    @property
    def hours(self) -> MarketHours:
        """The market's hours; they may be replaced."""
        return self._context.hours

    @hours.setter
    def hours(self, hours: MarketHours) -> None:
        self._context.hours = hours

    @property
    def is_delayed(self) -> bool:
        """Whether the feed shows its trades fifteen minutes late."""
        return self._context.is_delayed

    @property
    def counts(self) -> TradeCounts:
        """The trades that did not move the last price, by their reasons."""
        return self._context.counts

    @property
    def by_symbol(self) -> dict[str, Price]:
        """The newest event of each symbol that has one."""
        return {
            symbol: tape.published
            for symbol, tape in self._tapes.items()
            if tape.published is not None
        }

    def last_price(self, symbol: str) -> Price | None:
        """Return a symbol's newest event."""
        tape = self._tapes.get(symbol)
        return None if tape is None else tape.published

    def timestamp_of(self, symbol: str) -> int | None:
        """Return the time (unix ns) of a symbol's newest known trade, eligible or not."""
        tape = self._tapes.get(symbol)
        return None if tape is None or tape.known_ns < 0 else tape.known_ns

    def streamed_ns_of(self, symbol: str) -> int:
        """Return the time (unix ns) of the newest trade that the stream brought; -1 if none."""
        tape = self._tapes.get(symbol)
        return -1 if tape is None else tape.streamed_ns

    def traded_at(self, symbol: str) -> float | None:
        """Return when the stream brought a symbol's newest trade (monotonic s); None: never."""
        tape = self._tapes.get(symbol)
        return None if tape is None else tape.traded_at

    def newest_streamed_ns(self) -> int:
        """Return the time (unix ns) of the trade, of any symbol, that the stream brought last."""
        return self._context.newest_streamed_ns

    def has_price(self, symbol: str) -> bool:
        """Return whether a symbol has a last price."""
        last = self.last_price(symbol)
        return last is not None and last.price is not None

    def begin(self, symbols: Iterable[str]) -> None:
        """Believe REST until the stream brings a trade of these, which it has just got or lost."""
        for symbol in symbols:
            if (tape := self._tapes.get(symbol)) is not None:
                tape.believe_rest()

    def on_trade(self, trade: StreamedPrint, at_ns: int, received_us: int) -> Price | None:
        """Apply a print of the stream, of this time; return the new last price, if it is one.

        Raises:
            ValueError: its price or its time is invalid.
        """
        return self.tape(trade.symbol).on_trade(trade, at_ns, received_us)

    def on_rest_trade(self, trade: Trade, received_us: int) -> Price | None:
        """Apply a print that REST shows, perhaps again; return the new last price, if it is one."""
        return self.tape(trade.symbol).on_rest_trade(trade, received_us)

    def on_cancel(self, cancel: Cancel, received_us: int) -> Price | None:
        """Forget a trade; return the last price if another one is it now."""
        return self.tape(cancel.symbol).on_cancel(cancel, received_us)

    def on_correction(self, correction: Correction, received_us: int) -> Price | None:
        """Replace a trade; return the last price if another one is it now.

        Raises:
            ValueError: the new price is invalid.
        """
        return self.tape(correction.symbol).on_correction(correction, received_us)

    def on_snapshot(
        self,
        symbol: str,
        snapshot: Snapshot | None,
        received_us: int,
        adjusted: AdjustedCloses | None = None,
    ) -> Price | None:
        """Apply a symbol's REST snapshot, None if REST has none.

        Returns the price to publish if it or its previous close is new.
        """
        return self.tape(symbol).on_snapshot(snapshot, received_us, adjusted)

    def take_unconfirmed_split(self, symbol: str) -> UnconfirmedSplit | None:
        """Return, once a day, a split that the adjusted closes claim and the prices do not show."""
        return self.tape(symbol).take_unconfirmed_split()

    def restore(self, price: Price) -> None:
        """Apply a price that an earlier leader published, unless a trade has come since."""
        self.tape(price.symbol).restore(price)

    def on_asset(self, symbol: str, *, listed: bool) -> Price | None:
        """Apply whether Alpaca lists a symbol; return the event to publish if it has no price."""
        if not listed:
            self._unlisted.add(symbol)
        return self.tape(symbol).on_asset(listed=listed)

    def unknown_symbols(self) -> set[str]:
        """Return the symbols that have no price and that Alpaca does not list."""
        found = {symbol: self.last_price(symbol) for symbol in self._unlisted}
        self._unlisted = {
            symbol
            for symbol, last in found.items()
            if last is not None and last.reason == "unknown_symbol"
        }
        return set(self._unlisted)

    def is_eligible(self, trade: Trade) -> bool:
        """Return whether a trade, which was applied before, could move the last price."""
        tape = self._tapes.get(trade.symbol)
        return tape is not None and tape.is_eligible(trade)

    def take_doubtful(self) -> list[str]:
        """Return, once, the symbols whose last price is in doubt: REST is to be asked.

        To be called once a second.
        """
        context = self._context
        awaiting, context.awaiting = context.awaiting, {}
        for symbol in awaiting:
            if (tape := self._tapes.get(symbol)) is not None:
                tape.count_look()
        doubtful, context.doubtful = context.doubtful, {}
        return [
            symbol
            for symbol in doubtful
            if (tape := self._tapes.get(symbol)) is not None and tape.take_doubt()
        ]

    def forget_others(self, wanted: Set[str]) -> None:
        """Forget the symbols that no client wants; Redis keeps their last prices."""
        for symbol in self._tapes.keys() - wanted:
            del self._tapes[symbol]
            self.forgotten += 1

    def tape(self, symbol: str) -> Tape:
        """Return the tape of a symbol, which is started if there is none."""
        tape = self._tapes.get(symbol)
        if tape is None:
            tape = self._tapes[symbol] = self._new_tape(symbol, self._context)
        return tape
