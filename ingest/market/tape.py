"""What the tape of a symbol can do, whatever the rules of its market are."""

from collections.abc import Callable
from typing import Protocol

from ingest.market.adjusted_closes import AdjustedCloses
from ingest.market.previous_close import UnconfirmedSplit
from ingest.market.prints import Cancel, Correction, StreamedPrint, Trade
from ingest.market.snapshot import Snapshot
from ingest.market.tape_context import TapeContext
from shared.price import Price


class Tape(Protocol):
    """One symbol's trades and its last price. Times are unix ns, -1 for none.

    ``streamed_ns`` is the time of the newest trade of any kind that the stream brought,
    ``traded_at`` when it came (monotonic s, noted by the stream's reader).
    """

    streamed_ns: int
    traded_at: float | None

    @property
    def published(self) -> Price | None:
        """The newest event of the symbol."""

    @property
    def known_ns(self) -> int:
        """The time of the newest known trade of any kind, whichever source brought it."""

    def on_trade(self, trade: StreamedPrint, at_ns: int, received_us: int) -> Price | None:
        """Apply a print of the stream; return the new last price, if it is one.

        Raises:
            ValueError: its price, size or time is invalid.
        """

    def on_rest_trade(self, trade: Trade, received_us: int) -> Price | None:
        """Apply a print that REST shows, perhaps again; return the new last price, if it is one."""

    def on_cancel(self, cancel: Cancel, received_us: int) -> Price | None:
        """Forget a trade; return the last price if another one is it now."""

    def on_correction(self, correction: Correction, received_us: int) -> Price | None:
        """Replace a trade; return the last price if another one is it now.

        Raises:
            ValueError: the new price or size is invalid.
        """

    def on_snapshot(
        self,
        snapshot: Snapshot | None,
        received_us: int,
        adjusted: AdjustedCloses | None = None,
    ) -> Price | None:
        """Apply a REST snapshot, None if REST has none; return the price to publish, if it is new.

        ``adjusted``: the symbol's closes by daily bars that are adjusted for splits.
        """

    def take_unconfirmed_split(self) -> UnconfirmedSplit | None:
        """Return, once a day, a split that the adjusted closes claim and the prices do not show."""

    def restore(self, price: Price) -> None:
        """Apply a price that an earlier leader published, unless a trade has come since."""

    def on_asset(self, *, listed: bool) -> Price | None:
        """Apply whether Alpaca lists the symbol; return the event to publish if it has no price."""

    def believe_rest(self) -> None:
        """Take REST's trades at once until the stream brings one: it has just got or lost this."""

    def is_eligible(self, trade: Trade) -> bool:
        """Return whether a trade, which ``on_trade`` has applied, could move the last price."""

    def count_look(self) -> None:
        """Count a look, which comes once a second while a trade is awaited."""

    def take_doubt(self) -> bool:
        """Return, once, whether the last price is in doubt and REST is to be asked."""


NewTape = Callable[[str, TapeContext], Tape]
"""Starts the tape of a symbol."""
