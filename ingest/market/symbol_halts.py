"""The halts of each symbol, from all sources, and whether a halt can be unknown. Pure.

Alpaca sends a status once, when trading halts or resumes. A halt from before the subscription is
therefore unknown, until one of these shows whether the symbol trades:

- a status;
- the indicator of its price bands, which by the UTP specification is ``D`` while trading is halted
  or paused, and ``A``, ``B`` or ``E`` while it is not;
- a trade that comes later than exchanges report prints from before a halt;
- in the overnight session the attribute ``overnight_halted`` of Alpaca's assets.

A halt that follows from the bands or the assets is *supposed*: one trade ends it.
"""

from collections.abc import Callable, Set
from typing import NamedTuple

from ingest.market.clock_lead import AHEAD_NS
from ingest.market.halts import TradingStatus, trading_change
from ingest.market.market_hours import MarketHours
from ingest.market.short_sales import ShortSale, ShortSales
from shared import rfc3339
from shared.symbol_status import SymbolStatus

LATE_REPORT_SECONDS = 30.0
"""The time for which exchanges report prints from before a halt. Later prints show that the halt is
over and that its end was missed, perhaps with the connection."""

MOST_CODES = 100

BANDS_SUSPENDED = "Trading is halted or paused: its price bands are suspended."
LISTED_AS_HALTED = "Alpaca's assets list it as halted in the overnight session."

_SUSPENDED = "D"
_IN_FORCE = frozenset("ABE")


class Halt:
    """A halt with its reason; ``is_supposed``: no status has reported it."""

    __slots__ = ("_looks_with_trades", "_trades_count_from", "is_supposed", "reason")

    def __init__(self, reason: str | None, *, is_supposed: bool = False) -> None:
        self.reason = reason
        self.is_supposed = is_supposed
        self._trades_count_from: float | None = None
        """Monotonic seconds; None until the first look at it, which knows the time."""
        self._looks_with_trades = 0

    def look(self, now: float, *, has_traded: float | None) -> None:
        """Count the looks that find a new trade after the time for late reports.

        ``has_traded``: when a trade since the last look came, monotonic seconds.
        """
        if self._trades_count_from is None:
            self._trades_count_from = now + LATE_REPORT_SECONDS
        elif has_traded is not None and has_traded > self._trades_count_from:
            self._looks_with_trades += 1

    @property
    def is_over(self) -> bool:
        """Whether trades show that the symbol trades again.

        One alone may be a late report; a halt that is only supposed is worth less.
        """
        return self._looks_with_trades > (0 if self.is_supposed else 1)


class Report(NamedTuple):
    """The fields of a ``status`` event beside the state."""

    notice: str | None = None
    short_sale_restricted: bool | None = None
    short_sale_as_of: str | None = None


class SymbolHalts:
    """Knows the halts; ``now`` is monotonic seconds, ``hours`` returns the market's hours."""

    def __init__(self, hours: Callable[[], MarketHours]) -> None:
        self.unknown_codes: dict[str, int] = {}
        """The statuses that no table has, by ``tape:code``; beyond a hundred as ``other``."""
        self.changed: set[str] = set()
        """Symbols whose ``report`` has changed, until ``settle``."""
        self._halts: dict[str, Halt] = {}
        self._notices: dict[str, str] = {}
        self._short_sales = ShortSales(hours)
        self._status_ns: dict[str, int] = {}
        """The exchange's time of each symbol's newest status."""
        self._heard: Set[str] = frozenset()
        self._heard_since: dict[str, float] = {}
        """Since when the stream brings the statuses of a symbol."""
        self._shown_at: dict[str, float] = {}
        """When a report last showed whether a symbol trades."""

    def on_status(self, status: TradingStatus, received_ns: int, now: float) -> None:
        """Apply a status; ``received_ns``: when it came, unix ns."""
        symbol, change = status.symbol, trading_change(status)
        # A time from the future would outlive all bands.
        if status.at_ns is not None and status.at_ns <= received_ns + AHEAD_NS:
            self._status_ns[symbol] = status.at_ns
        if not change.is_known:
            self._count_unknown(status)
        if change.is_halted is not None:
            self._shown_at[symbol] = now
        if change.is_halted:
            self._halts[symbol] = Halt(change.sentence)
            self._note(symbol, None)
            return
        if change.is_halted is False:
            self._halts.pop(symbol, None)
        if change.restricts_short_sales is not None:
            at_ns = received_ns if status.at_ns is None else min(status.at_ns, received_ns)
            if self._short_sales.report(symbol, ShortSale(change.restricts_short_sales, at_ns)):
                self.changed.add(symbol)
        self._note(symbol, change.sentence)

    def on_bands(self, symbol: str, indicator: str | None, at_ns: int, now: float) -> None:
        """Apply the indicator of price bands of a time (unix ns), unless a status is newer."""
        if at_ns < self._status_ns.get(symbol, at_ns):
            return
        halt = self._halts.get(symbol)
        if indicator == _SUSPENDED:
            self._shown_at[symbol] = now
            if halt is None:
                self._halts[symbol] = Halt(BANDS_SUSPENDED, is_supposed=True)
        elif indicator in _IN_FORCE:
            self._shown_at[symbol] = now
            self._end_supposed(symbol)

    def on_listing(self, symbol: str, is_halted: bool) -> None:
        """Apply whether Alpaca's assets list a symbol as halted in this overnight session."""
        if not is_halted:
            self._end_supposed(symbol)
        elif symbol not in self._halts:
            self._halts[symbol] = Halt(LISTED_AS_HALTED, is_supposed=True)

    def restore_halt(self, symbol: str, reason: str | None) -> None:
        """Apply a halt from before this stream, unless the stream has brought a newer one."""
        self._halts.setdefault(symbol, Halt(reason))

    def restore_short_sales(self, status: SymbolStatus) -> None:
        """Apply an earlier leader's report of short sales, unless there is one already.

        Raises:
            ValueError: its time has another form.
        """
        if (
            status.short_sale_restricted is not None
            and status.short_sale_as_of is not None
            and self._short_sales.of(status.symbol) is None
        ):
            at_ns = rfc3339.to_nanoseconds(status.short_sale_as_of)
            self._short_sales.report(status.symbol, ShortSale(status.short_sale_restricted, at_ns))
            self.changed.add(status.symbol)

    def follow(self, heard: Set[str], now: float, unix: float) -> None:
        """Accept the symbols whose statuses the stream brings; forget outdated reports."""
        if heard is not self._heard:  # the same set until Alpaca acknowledges others
            since = self._heard_since
            self._heard_since = {symbol: since.get(symbol, now) for symbol in heard}
            self._heard = heard
        if self._short_sales:
            self.changed.update(self._short_sales.expire(int(unix * 1e9)))

    def begin_session(self) -> None:
        """Forget what holds for one session only."""
        self.changed.update(self._notices)
        self._notices.clear()
        for symbol in [s for s, h in self._halts.items() if h.reason == LISTED_AS_HALTED]:
            del self._halts[symbol]

    def look(self, symbol: str, now: float, *, has_traded: float | None) -> None:
        """Let a symbol's newest trade end its halt.

        ``has_traded``: when a trade since the last look came, monotonic seconds. A resumption may
        be lost with the connection, or with a slot that the symbol had to give up.
        """
        halt = self._halts.get(symbol)
        if halt is not None:
            halt.look(now, has_traded=has_traded)
            if halt.is_over:
                del self._halts[symbol]

    def of(self, symbol: str) -> Halt | None:
        """Return the halt of a symbol; None if none is known."""
        return self._halts.get(symbol)

    def is_known(self, symbol: str, traded_at: float | None) -> bool:
        """Return whether a halt of a symbol would be known.

        ``traded_at``: when its newest trade came, monotonic seconds. Since then, or since another
        report, the stream must have brought its statuses.
        """
        since = self._heard_since.get(symbol)
        if since is None:
            return False
        if self._shown_at.get(symbol, since - 1) >= since:
            return True
        return traded_at is not None and traded_at >= since + LATE_REPORT_SECONDS

    def report(self, symbol: str) -> Report:
        """Return the fields of a ``status`` event beside the state."""
        short_sale = self._short_sales.of(symbol)
        if short_sale is None:
            return Report(self._notices.get(symbol))
        as_of = rfc3339.from_nanoseconds(short_sale.at_ns)
        return Report(self._notices.get(symbol), short_sale.is_restricted, as_of)

    def unsettled(self) -> set[str]:
        """Return the symbols that are halted, or whose ``report`` has changed."""
        return self._halts.keys() | self.changed

    def supposed(self) -> set[str]:
        """Return the symbols whose halts are supposed."""
        return {symbol for symbol, halt in self._halts.items() if halt.is_supposed}

    def settle(self) -> None:
        """Note that the changes have been published."""
        self.changed.clear()

    def forget_others(self, wanted: Set[str]) -> None:
        """Forget the symbols that are not wanted."""
        for known in (self._halts, self._notices, self._status_ns, self._shown_at):
            for symbol in known.keys() - wanted:
                del known[symbol]
        self._short_sales.forget_others(wanted)
        self.changed &= wanted

    def __len__(self) -> int:
        """Return for how many symbols something is known, at most."""
        return max(
            len(self._halts),
            len(self._notices),
            len(self._status_ns),
            len(self._shown_at),
            len(self._short_sales),
        )

    def _end_supposed(self, symbol: str) -> None:
        halt = self._halts.get(symbol)
        if halt is not None and halt.is_supposed:
            del self._halts[symbol]

    def _note(self, symbol: str, notice: str | None) -> None:
        if self._notices.get(symbol) == notice:
            return
        if notice is None:
            del self._notices[symbol]
        else:
            self._notices[symbol] = notice
        self.changed.add(symbol)

    def _count_unknown(self, status: TradingStatus) -> None:
        key = f"{status.tape}:{status.code}"
        if key not in self.unknown_codes and len(self.unknown_codes) >= MOST_CODES:
            key = "other"
        self.unknown_codes[key] = self.unknown_codes.get(key, 0) + 1
