"""What may be expected of each symbol's price now, and why: the ``status`` events.

The first of these that is true: ``rejected`` (nothing will ever come), ``closed`` (nothing can come
for anybody), ``polled`` (the stream knows nothing of the symbol, so nothing of its halts),
``halted`` (no trade can be missing), ``stale``, ``quiet``, ``live``.
"""

from collections.abc import Set
from dataclasses import dataclass
from typing import NamedTuple

from ingest.market.halts import TradingStatus, trading_change
from ingest.market.usual_gap import UsualGap
from shared import rfc3339
from shared.ingest_status import Session
from shared.symbol_status import SymbolState, SymbolStatus

FEED_AWAY_SECONDS = 2.0
"""A connection that is back sooner was a blip; nobody is told."""

UNACKNOWLEDGED_SECONDS = 5.0
QUIET_GAPS = 5
LEAST_QUIET_SECONDS, MOST_QUIET_SECONDS = 15.0, 300.0

LATE_REPORT_SECONDS = 30.0
"""Prints from before a halt are reported until then. Later ones say that it is over, and that its
end was missed, perhaps with the connection."""


class View(NamedTuple):
    """What else decides, as it is at one moment; ``acknowledged`` for trades."""

    feed_live: bool
    feed_reason: str | None
    session: Session
    wanted: Set[str]
    acknowledged: Set[str]
    over_limit: Set[str]
    rejected: Set[str]


class _Verdict(NamedTuple):
    state: SymbolState
    reason: str | None


_LIVE = _Verdict("live", None)
_QUIET = _Verdict("quiet", "No trades at present: the last price stands.")
_CLOSED = _Verdict("closed", "The market is closed.")
_POLLED = _Verdict("polled", "The plan's live symbols are taken: looked up every few seconds.")
_REJECTED = _Verdict("rejected", "Alpaca does not know this symbol.")
_MISSED = _Verdict("stale", "There was a trade that the stream has not brought.")
_UNACKNOWLEDGED = _Verdict("stale", "Alpaca has not confirmed the subscription.")


@dataclass
class _Halt:
    verdict: _Verdict
    trades_count_from: float | None = None
    """None until the first look at it, which knows the time."""
    looks_with_trades: int = 0


class _Symbol:
    """One symbol as it was at the last look."""

    __slots__ = ("excused_at", "gap", "quiet_after", "seen", "status", "verdict")

    def __init__(self, now: float) -> None:
        self.verdict: _Verdict | None = None
        self.status: SymbolStatus | None = None
        self.excused_at = now
        """When it was last acknowledged, or not yet expected to be."""
        self.seen: float | None = None
        self.forget_gaps()

    def forget_gaps(self) -> None:
        """Start learning anew: in another session something else is usual."""
        self.gap = UsualGap()
        self.quiet_after = LEAST_QUIET_SECONDS

    def learn(self, traded: float, comparable_since: float) -> None:
        """Take the newest trade since the last look; gaps with an interruption teach nothing."""
        if self.seen is not None and self.seen >= comparable_since:
            self.gap.learn(min(traded - self.seen, MOST_QUIET_SECONDS))
            usual = QUIET_GAPS * self.gap.seconds
            self.quiet_after = min(max(usual, LEAST_QUIET_SECONDS), MOST_QUIET_SECONDS)
        self.seen = traded


class SymbolStates:
    """Keeps the wanted symbols' states; ``now`` is monotonic seconds, ``unix`` the time's."""

    def __init__(self) -> None:
        self._traded: dict[str, float] = {}
        self._symbols: dict[str, _Symbol] = {}
        self._halts: dict[str, _Halt] = {}
        self._missed: dict[str, float | None] = {}
        self._session: Session = "unknown"
        self._feed_lost_at: float | None = None
        self._feed_away: _Verdict | None = None
        self._comparable_since = 0.0

    def on_trade(self, symbol: str, now: float) -> None:
        """Take that a symbol's trade came; of many in a frame the last call is enough."""
        self._traded[symbol] = now

    def on_known_trade(self, symbol: str, traded_at: float) -> None:
        """Take the monotonic time of a trade that REST knows, for a symbol new on the stream."""
        self._traded.setdefault(symbol, traded_at)

    def on_trading_status(self, status: TradingStatus) -> None:
        """Take a halt or a resumption; other statuses change nothing."""
        change = trading_change(status)
        if change is None:
            return
        if change.is_halted:
            self._halts[status.symbol] = _Halt(_Verdict("halted", change.reason))
        else:
            self._halts.pop(status.symbol, None)

    def restore_halt(self, symbol: str, reason: str | None) -> None:
        """Take a halt that is known from before this stream, unless the stream has spoken."""
        self._halts.setdefault(symbol, _Halt(_Verdict("halted", reason)))

    def mark_stale(self, symbol: str) -> None:
        """Take that REST knows a trade that the stream has not brought; its next trade ends it."""
        self._missed[symbol] = self._traded.get(symbol)

    def mark_fresh(self, symbol: str) -> None:
        """Take that the stream has brought whatever REST knows."""
        self._missed.pop(symbol, None)

    def evaluate(self, now: float, unix: float, view: View) -> list[SymbolStatus]:
        """Return the symbols whose state or reason is another than at the last call."""
        self._note(now, view)
        changes = []
        symbols, traded = self._symbols, self._traded
        for name in view.wanted:
            symbol = symbols.get(name)
            if symbol is None:
                symbol = symbols[name] = _Symbol(now)
            last = traded.get(name)
            verdict = self._verdict(name, symbol, last, now, view)
            if last is not None and last != symbol.seen:
                symbol.learn(last, self._comparable_since)
            if verdict is not symbol.verdict and verdict != symbol.verdict:
                changes.append(_change(name, symbol, verdict, unix))
        if len(symbols) > len(view.wanted) or len(traded) > len(view.wanted):
            self._forget_others(view.wanted)
        return changes

    def publish_all(self) -> list[SymbolStatus]:
        """Return every symbol's state, for a new epoch or an empty Redis."""
        return [each.status for each in self._symbols.values() if each.status is not None]

    def _note(self, now: float, view: View) -> None:
        """See what has changed for all symbols at once."""
        if view.session != self._session:
            self._session = view.session
            self._begin_comparable(now)
            for symbol in self._symbols.values():
                symbol.forget_gaps()
        if view.feed_live:
            if self._feed_lost_at is not None:
                self._begin_comparable(now)
            self._feed_lost_at = self._feed_away = None
        elif self._feed_lost_at is None:
            self._feed_lost_at = now
        elif self._feed_away is None and now - self._feed_lost_at > FEED_AWAY_SECONDS:
            why = f": {view.feed_reason}" if view.feed_reason else ""
            self._feed_away = _Verdict("stale", f"Alpaca's stream is disconnected{why}.")

    def _begin_comparable(self, now: float) -> None:
        self._comparable_since = now
        self._missed.clear()  # REST's last trades follow every reconnection

    def _verdict(
        self, name: str, symbol: _Symbol, last: float | None, now: float, view: View
    ) -> _Verdict:
        verdict = _LIVE
        if name in view.rejected:
            verdict = _REJECTED
        elif view.session == "closed":
            verdict = _CLOSED
        elif name in view.over_limit:
            verdict = _POLLED
        elif name in self._halts and self._is_halted(name, symbol, last, now):
            verdict = self._halts[name].verdict
        elif self._feed_away is not None:
            verdict = self._feed_away
        elif name not in view.acknowledged:
            return self._unacknowledged(symbol, last, now)
        elif self._missed and self._is_missing(name, last):
            verdict = _MISSED
        elif last is None or now - last > symbol.quiet_after:
            verdict = _QUIET
        symbol.excused_at = now
        return verdict

    def _unacknowledged(self, symbol: _Symbol, last: float | None, now: float) -> _Verdict:
        if now - symbol.excused_at > UNACKNOWLEDGED_SECONDS:
            return _UNACKNOWLEDGED
        if symbol.verdict is not None and symbol.verdict.state == "stale":
            return symbol.verdict  # the connection is back, the subscription about to be
        return _QUIET if last is None or now - last > symbol.quiet_after else _LIVE

    def _is_halted(self, name: str, symbol: _Symbol, last: float | None, now: float) -> bool:
        halt = self._halts[name]
        if halt.trades_count_from is None:
            halt.trades_count_from = now + LATE_REPORT_SECONDS
        elif last is not None and last != symbol.seen and last > halt.trades_count_from:
            halt.looks_with_trades += 1
            if halt.looks_with_trades > 1:  # one may be reported later still
                del self._halts[name]
                return False
        return True

    def _is_missing(self, name: str, last: float | None) -> bool:
        if name not in self._missed:
            return False
        if self._missed[name] != last:
            del self._missed[name]
            return False
        return True

    def _forget_others(self, wanted: Set[str]) -> None:
        for name in self._symbols.keys() - wanted:
            del self._symbols[name]
            self._halts.pop(name, None)
        for name in self._traded.keys() - wanted:
            del self._traded[name]
        for name in self._missed.keys() - wanted:
            del self._missed[name]


def _change(name: str, symbol: _Symbol, verdict: _Verdict, unix: float) -> SymbolStatus:
    is_same_state = symbol.verdict is not None and symbol.verdict.state == verdict.state
    since = symbol.status.since if symbol.status and is_same_state else rfc3339.from_unix(unix)
    symbol.verdict = verdict
    symbol.status = SymbolStatus(
        symbol=name, state=verdict.state, reason=verdict.reason, since=since
    )
    return symbol.status
