"""Each symbol's state, the reason for it, and its changes: the ``status`` events.

A symbol has the first of these states that applies:

``rejected``  no price will come
``closed``    no symbol trades now
``polled``    the symbol is not on the stream, so its halts are unknown
``halted``    no trade can be missing
``stale``     trades may exist that did not arrive
``quiet``     there are no trades
``live``      trades arrive
"""

from collections.abc import Set
from dataclasses import dataclass
from typing import NamedTuple

from ingest.market.halts import TradingStatus, trading_change
from ingest.market.usual_gap import UsualGap
from shared import rfc3339
from shared.ingest_status import Session
from shared.symbol_status import SymbolState, SymbolStatus
from shared.topics import pair_of

STREAM_LOST_SECONDS = 2.0
"""A connection that is back sooner changes no symbol's state."""

UNACKNOWLEDGED_SECONDS = 5.0
QUIET_GAPS = 5
LEAST_QUIET_SECONDS, MOST_QUIET_SECONDS = 15.0, 300.0

LATE_REPORT_SECONDS = 30.0
"""The time for which exchanges report prints from before a halt. Later prints show that the halt is
over and that its end was missed, perhaps with the connection."""


class StatesView(NamedTuple):
    """The other facts that decide a state, at one moment; ``acknowledged`` for trades."""

    stream_live: bool
    stream_reason: str | None
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
    """Monotonic seconds; None until the first look at it, which knows the time."""
    looks_with_trades: int = 0

    def look(self, now: float, *, has_traded: float | None) -> None:
        """Count the looks that find a new trade after the time for late reports.

        ``has_traded``: when a trade since the last look came, monotonic seconds.
        """
        if self.trades_count_from is None:
            self.trades_count_from = now + LATE_REPORT_SECONDS
        elif has_traded is not None and has_traded > self.trades_count_from:
            self.looks_with_trades += 1

    @property
    def is_over(self) -> bool:
        """Whether trades show that the symbol trades again: one alone may be a late report."""
        return self.looks_with_trades > 1


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
        """Start to learn again: each session has its own usual pace."""
        self.gap = UsualGap()
        self.quiet_after = LEAST_QUIET_SECONDS

    def learn(self, traded: float, comparable_since: float) -> None:
        """Learn from the newest trade since the last look, if no interruption lies before it."""
        if self.seen is not None and self.seen >= comparable_since:
            self.gap.learn(min(traded - self.seen, MOST_QUIET_SECONDS))
            usual = QUIET_GAPS * self.gap.seconds
            self.quiet_after = min(max(usual, LEAST_QUIET_SECONDS), MOST_QUIET_SECONDS)
        self.seen = traded


class SymbolStates:
    """Keeps the wanted symbols' states; ``now`` is monotonic seconds, ``unix`` is unix seconds."""

    def __init__(self) -> None:
        self._traded: dict[str, float] = {}
        self._symbols: dict[str, _Symbol] = {}
        self._halts: dict[str, _Halt] = {}
        self._lacking: dict[str, float | None] = {}
        """Symbols of which REST has a newer trade, with the time of the stream's newest."""
        self._session: Session = "unknown"
        self._stream_lost_at: float | None = None
        self._stream_lost: _Verdict | None = None
        self._comparable_since = 0.0

    def on_trade(self, symbol: str, now: float) -> None:
        """Record that a symbol traded; for several trades in a frame the last call is enough."""
        self._traded[symbol] = now

    def on_known_trade(self, symbol: str, traded_at: float) -> None:
        """Record the monotonic time of a trade that REST has, for a symbol new on the stream."""
        self._traded.setdefault(symbol, traded_at)

    def on_trading_status(self, status: TradingStatus) -> None:
        """Apply a halt or a resumption; other statuses change nothing."""
        change = trading_change(status)
        if change is None:
            return
        if change.is_halted:
            self._halts[status.symbol] = _Halt(_Verdict("halted", change.reason))
        else:
            self._halts.pop(status.symbol, None)

    def restore_halt(self, symbol: str, reason: str | None) -> None:
        """Apply a halt from before this stream, unless the stream has brought a newer one."""
        self._halts.setdefault(symbol, _Halt(_Verdict("halted", reason)))

    def mark_stale(self, symbol: str) -> None:
        """Mark a symbol stale: REST has a trade that the stream missed. Its next trade ends it."""
        self._lacking[symbol] = self._traded.get(symbol)

    def mark_fresh(self, symbol: str) -> None:
        """Mark a symbol fresh: the stream has brought every trade that REST has."""
        self._lacking.pop(symbol, None)

    def evaluate(self, now: float, unix: float, view: StatesView) -> list[SymbolStatus]:
        """Return the states that have changed, or whose reason has, since the last call."""
        self._note(now, view)
        changes = []
        symbols, traded = self._symbols, self._traded
        # Once a second for up to 10,000 symbols: nothing here waits or searches.
        for name in view.wanted:
            symbol = symbols.get(name)
            if symbol is None:
                symbol = symbols[name] = _Symbol(now)
            last = traded.get(name)
            verdict = self._verdict_beside_stream(name, view)
            if verdict is None:
                self._note_trades(name, symbol, last, now)
                verdict = self._verdict_of_stream(name, symbol, last, now, view)
            else:
                symbol.excused_at = now
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

    def _note(self, now: float, view: StatesView) -> None:
        """Note the changes that concern all symbols at once."""
        # The gap across an opening or a close says nothing about the pace of either session.
        if view.session != self._session:
            self._session = view.session
            self._begin_comparable(now)
            for symbol in self._symbols.values():
                symbol.forget_gaps()
        # No symbol flickers for a reconnection of a second, and none learns from the gap it made.
        if view.stream_live:
            if self._stream_lost_at is not None:
                self._begin_comparable(now)
            self._stream_lost_at = self._stream_lost = None
        elif self._stream_lost_at is None:
            self._stream_lost_at = now
        elif self._stream_lost is None and now - self._stream_lost_at > STREAM_LOST_SECONDS:
            why = f": {view.stream_reason}" if view.stream_reason else ""
            self._stream_lost = _Verdict("stale", f"Alpaca's stream is disconnected{why}.")

    def _begin_comparable(self, now: float) -> None:
        self._comparable_since = now
        self._lacking.clear()  # REST's last trades follow every reconnection

    def _verdict_beside_stream(self, name: str, view: StatesView) -> _Verdict | None:
        """Return a symbol's state if the stream has no part in it."""
        # Rejected first: of such a symbol nothing will come in any session.
        if name in view.rejected:
            return _rejected(name)
        if view.session == "closed":
            return _CLOSED
        # Halts come by the stream: those of a polled symbol are unknown.
        return _POLLED if name in view.over_limit else None

    def _note_trades(self, name: str, symbol: _Symbol, last: float | None, now: float) -> None:
        """Let a symbol's newest trade end its halt, and the lack of a trade that REST has."""
        halt = self._halts.get(name)
        # A resumption may be lost with the connection, or with a slot that the symbol had to give
        # up: then trades end the halt.
        if halt is not None:
            halt.look(now, has_traded=None if last == symbol.seen else last)
            if halt.is_over:
                del self._halts[name]
        if self._lacking and name in self._lacking and self._lacking[name] != last:
            del self._lacking[name]

    def _verdict_of_stream(
        self, name: str, symbol: _Symbol, last: float | None, now: float, view: StatesView
    ) -> _Verdict:
        """Return a symbol's state as the stream shows it, ``last`` being its newest trade."""
        # A halted symbol has no trades: neither a lost stream nor silence makes its price stale.
        if name in self._halts:
            verdict = self._halts[name].verdict
        elif self._stream_lost is not None:
            verdict = self._stream_lost
        elif name not in view.acknowledged:
            return self._unacknowledged(symbol, last, now)
        elif name in self._lacking:
            verdict = _MISSED
        elif last is None or now - last > symbol.quiet_after:
            verdict = _QUIET
        else:
            verdict = _LIVE
        symbol.excused_at = now
        return verdict

    def _unacknowledged(self, symbol: _Symbol, last: float | None, now: float) -> _Verdict:
        # Each new symbol is unacknowledged for a moment: only a long wait is worth a state.
        if now - symbol.excused_at > UNACKNOWLEDGED_SECONDS:
            return _UNACKNOWLEDGED
        # The connection is back and the subscription will follow: "live" would flicker.
        if symbol.verdict is not None and symbol.verdict.state == "stale":
            return symbol.verdict
        return _QUIET if last is None or now - last > symbol.quiet_after else _LIVE

    def _forget_others(self, wanted: Set[str]) -> None:
        for name in self._symbols.keys() - wanted:
            del self._symbols[name]
            self._halts.pop(name, None)
        for name in self._traded.keys() - wanted:
            del self._traded[name]
        for name in self._lacking.keys() - wanted:
            del self._lacking[name]


def _rejected(name: str) -> _Verdict:
    pair = pair_of(name)
    if pair is None:
        return _REJECTED
    return _Verdict("rejected", f"Alpaca does not know this symbol; the pair is {pair}.")


def _change(name: str, symbol: _Symbol, verdict: _Verdict, unix: float) -> SymbolStatus:
    # A state keeps its start if only the reason changes: "stale since" counts from the loss.
    is_same_state = symbol.verdict is not None and symbol.verdict.state == verdict.state
    since = symbol.status.since if symbol.status and is_same_state else rfc3339.from_unix(unix)
    symbol.verdict = verdict
    symbol.status = SymbolStatus(
        symbol=name, state=verdict.state, reason=verdict.reason, since=since
    )
    return symbol.status
