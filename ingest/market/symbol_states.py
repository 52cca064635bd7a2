"""Each symbol's state, the reason for it, and its changes: the ``status`` events.

A symbol has the first of these states that applies:

``rejected``  no price will come
``closed``    no symbol trades now
``polled``    the symbol is not on the stream, so its halts are unknown
``halted``    no trade can be missing
``stale``     trades may exist that did not arrive
``quiet``     there are no trades: the stream is silent, and REST agrees
``live``      trades arrive

The silence of the stream alone makes no symbol quiet: the stream may withhold it. Until REST has
answered, a symbol keeps its state, and a new one has none.

If a halt of a silent symbol would be unknown, the reason says that the symbol may be halted.
"""

from collections.abc import Callable, Set
from typing import NamedTuple

from ingest.market.halts import TradingStatus
from ingest.market.market_hours import MarketHours
from ingest.market.symbol_halts import Report, SymbolHalts
from ingest.market.usual_gap import UsualGap
from shared import rfc3339
from shared.ingest_status import Session
from shared.symbol_status import SymbolState, SymbolStatus

STREAM_LOST_SECONDS = 2.0
"""A connection that is back sooner changes no symbol's state."""

UNACKNOWLEDGED_SECONDS = 5.0
QUIET_GAPS = 5
LEAST_QUIET_SECONDS, MOST_QUIET_SECONDS = 15.0, 300.0

UNCONFIRMED_SECONDS = 30.0
"""The time for which a silent symbol keeps its state while REST fails."""

UNREADABLE_SECONDS = 5.0
"""The time after an unreadable trade from which on REST should know it."""

_HALTS_ARE_FOUND = frozenset[Session]({"regular", "overnight"})
"""The sessions in which a source beside the statuses shows halts: price bands, or the assets."""

NEW_SYMBOL_SECONDS = 5.0
"""Each new symbol is looked up anyway, a little before or after the first look at its state."""

ASK_AGAIN_SECONDS = 10.0
"""The time after which a question about a silent symbol is repeated."""

MAY_BE_HALTED_SECONDS = 60.0
"""The time with no trade and no quote of both sides, in one regular session and on one connection,
after which a symbol may be halted. A stock that trades is quoted on both sides."""

DOUBTFUL_SYMBOLS = 500
"""So many symbols at once are ones whose halts are looked for elsewhere."""


class _Unread(NamedTuple):
    """When the stream brought unreadable trades of a symbol (monotonic seconds)."""

    first_at: float
    newest_at: float


class StatesView(NamedTuple):
    """The other facts that decide a state, at one moment; ``acknowledged`` for trades.

    ``rejected``: Alpaca does not know the symbol. ``refused``: only the stream does not accept it.
    ``withheld``: the stream withholds its trades; ``lasting``: those that a new subscription did
    not help. ``disputed``: REST has shown a trade that the stream may still bring. ``heard``:
    acknowledged for statuses. ``stream_failed``: the stream has ended permanently, and REST polls
    every symbol.
    """

    stream_live: bool
    stream_reason: str | None
    session: Session
    wanted: Set[str]
    acknowledged: Set[str]
    over_limit: Set[str]
    rejected: Set[str]
    refused: Set[str] = frozenset()
    withheld: Set[str] = frozenset()
    lasting: Set[str] = frozenset()
    disputed: Set[str] = frozenset()
    heard: Set[str] = frozenset()
    rest_fails: bool = False
    stream_failed: bool = False


class _Verdict(NamedTuple):
    state: SymbolState
    reason: str | None


_LIVE = _Verdict("live", None)
_QUIET = _Verdict("quiet", "No trades at present: the last price stands.")
_CLOSED = _Verdict("closed", "The market is closed.")
_POLLED = _Verdict("polled", "The plan's live symbols are taken: looked up every few seconds.")
_STREAM_FAILED = _Verdict(
    "polled", "Alpaca's stream has ended permanently: looked up every few seconds."
)
_REFUSED = _Verdict("polled", "Alpaca's stream does not take it: looked up every few seconds.")
_REJECTED = _Verdict("rejected", "Alpaca does not know this symbol.")
_UNSTREAMED = _Verdict("stale", "There was a trade that the stream has not brought.")
_WITHHELD = _Verdict("stale", "Alpaca's stream withholds its trades: looked up every few seconds.")
_UNREADABLE = _Verdict("stale", "The stream brought a trade that could not be read.")
_UNCONFIRMED = _Verdict("stale", "No trades, and REST cannot confirm that there were none.")
_MAY_BE_HALTED = _Verdict(
    "quiet",
    "The symbol may be halted: there are no trades and no quote of both sides, and no report "
    "shows whether it trades.",
)
_UNCONFIRMED_HALT = _Verdict(
    "stale",
    "No trades, and REST cannot confirm that there were none: the symbol may be halted.",
)
_UNACKNOWLEDGED = _Verdict("stale", "Alpaca has not confirmed the subscription.")


class _Symbol:
    """One symbol as it was at the last look."""

    __slots__ = (
        "ask_at",
        "excused_at",
        "gap",
        "quiet_after",
        "report",
        "seen",
        "silent_since",
        "status",
        "verdict",
    )

    def __init__(self, now: float) -> None:
        self.verdict: _Verdict | None = None
        self.report = Report()
        self.status: SymbolStatus | None = None
        self.excused_at = now
        """When it was last acknowledged, or not yet expected to be."""
        self.seen: float | None = None
        self.silent_since: float | None = now - NEW_SYMBOL_SECONDS
        """When its present silence had lasted longer than usual."""
        self.ask_at = now + NEW_SYMBOL_SECONDS
        """When REST is to be asked about the silence."""
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
    """Keeps the wanted symbols' states; ``now`` is monotonic seconds, ``unix`` is unix seconds.

    ``feed`` is Alpaca's name of it. ``has_price`` returns whether a symbol's last price is known,
    ``traded_at`` when the stream brought its newest trade (monotonic seconds; None if it has not),
    ``hours`` the market's hours. ``has_halts``: whether trading in this market can be halted.
    """

    def __init__(
        self,
        feed: str,
        has_price: Callable[[str], bool],
        traded_at: Callable[[str], float | None],
        hours: Callable[[], MarketHours] = MarketHours,
        *,
        has_halts: bool = True,
    ) -> None:
        self.halts = SymbolHalts(hours)
        self._no_trade = _Verdict("quiet", f"No trade on the feed {feed} is known yet.")
        self._has_halts = has_halts
        self._has_price = has_price
        self._traded_at = traded_at
        self._traded_by_rest: dict[str, float] = {}
        self._confirmed: dict[str, float] = {}
        """When REST was last asked for a symbol and answered."""
        self._unread: dict[str, _Unread] = {}
        """The unreadable trades that the stream brought, until a readable one or REST ends that."""
        self._unreadable: set[str] = set()
        """Symbols about which REST's last answer could not be used."""
        self._to_ask: list[str] = []
        self._unquoted: set[str] = set()
        """Symbols that had no quote of both sides when REST was last asked for one."""
        self._doubtful: list[str] = []
        self._symbols: dict[str, _Symbol] = {}
        self._session: Session | None = None
        self._stream_lost_at: float | None = None
        self._stream_lost: _Verdict | None = None
        self._comparable_since = 0.0

    def on_unreadable_trade(self, symbol: str, now: float) -> None:
        """Record that a symbol traded and that the price is unknown, until REST says otherwise."""
        unread = self._unread.get(symbol)
        self._unread[symbol] = _Unread(now if unread is None else unread.first_at, now)

    def on_rest_answer(
        self,
        symbol: str,
        asked_at: float,
        traded_at: float | None,
        *,
        is_quoted: bool | None = None,
    ) -> None:
        """Record the monotonic times of a question to REST and of the newest trade that it shows.

        ``traded_at``: None if REST has no trade of the symbol. ``is_quoted``: whether the symbol
        has a quote of both sides that is no older than ``MAY_BE_HALTED_SECONDS``; None if REST was
        not asked for it.
        """
        self._confirmed[symbol] = asked_at
        self._unreadable.discard(symbol)
        if is_quoted is False:
            self._unquoted.add(symbol)
        elif is_quoted:
            self._unquoted.discard(symbol)
        if traded_at is not None:
            self._traded_by_rest[symbol] = traded_at

    def on_unusable_answer(self, symbol: str) -> None:
        """Record that REST rejects a symbol, or that its answer has another form."""
        self._confirmed.pop(symbol, None)
        self._unreadable.add(symbol)

    def on_trading_status(self, status: TradingStatus, received_ns: int, now: float) -> None:
        """Apply a trading status; ``received_ns``: when it came, unix ns."""
        self.halts.on_status(status, received_ns, now)

    def take_silent(self) -> list[str]:
        """Return, once, the silent symbols about which REST is to be asked."""
        silent, self._to_ask = self._to_ask, []
        return silent

    def doubtful(self) -> list[str]:
        """Return silent symbols whose halts would be unknown, and those with a supposed halt.

        As of the last look, at most ``DOUBTFUL_SYMBOLS``; those that are not quoted come first.
        """
        supposed = self.halts.supposed() & self._symbols.keys()
        unquoted = self._unquoted | supposed
        doubtful = sorted({*self._doubtful, *supposed}, key=lambda s: (s not in unquoted, s))
        return doubtful[:DOUBTFUL_SYMBOLS]

    def evaluate(self, now: float, unix: float, view: StatesView) -> list[SymbolStatus]:
        """Return the states that have changed, or whose reason has, since the last call."""
        self._note(now, unix, view)
        changes = []
        symbols, traded_at, halts_changed = self._symbols, self._traded_at, self.halts.changed
        lively, others = view.acknowledged if self._may_be_live(view) else (), self._others(view)
        # Once a second for up to 10,000 symbols: nothing here waits or searches.
        for name in view.wanted:
            symbol = symbols.get(name)
            if symbol is None:
                symbol = symbols[name] = _Symbol(now)
            last = traded_at(name)
            # Most symbols of a busy market are live and remain so: only the time to learn is left.
            if (
                symbol.verdict is _LIVE
                and last is not None
                and now - last <= symbol.quiet_after
                and name in lively
                and name not in others
            ):
                symbol.excused_at, symbol.silent_since = now, None
                if last != symbol.seen:
                    symbol.learn(last, self._comparable_since)
                continue
            verdict = self._verdict_beside_stream(name, view)
            if verdict is None:
                self.halts.look(name, now, has_traded=None if last == symbol.seen else last)
                verdict = self._verdict_of_stream(name, symbol, last, now, view)
            else:
                symbol.excused_at, symbol.silent_since = now, None
            if last is not None and last != symbol.seen:
                symbol.learn(last, self._comparable_since)
            if verdict is None:  # a new symbol, and REST has not answered yet
                continue
            is_other = verdict is not symbol.verdict and verdict != symbol.verdict
            is_due = name in halts_changed or symbol.status is None
            report = self.halts.report(name) if is_due else symbol.report
            if is_other or report != symbol.report:
                changes.append(_change(name, symbol, verdict, report, unix))
        self.halts.settle()
        most = max(len(symbols), len(self._confirmed), len(self._unreadable), len(self.halts))
        if most > len(view.wanted):
            self._forget_others(view.wanted)
        return changes

    def _may_be_live(self, view: StatesView) -> bool:
        """Return whether a subscribed symbol that trades is live, unless it is one of others."""
        return view.session != "closed" and self._stream_lost is None

    def _others(self, view: StatesView) -> Set[str]:
        """Return the symbols whose state does not follow from their trades alone."""
        return {
            *view.rejected,
            *view.over_limit,
            *view.refused,
            *view.withheld,
            *self.halts.unsettled(),
            *self._unread,
        }

    def publish_all(self) -> list[SymbolStatus]:
        """Return every symbol's state, for a new epoch or an empty Redis."""
        return [each.status for each in self._symbols.values() if each.status is not None]

    def _note(self, now: float, unix: float, view: StatesView) -> None:
        """Note the changes that concern all symbols at once."""
        self._doubtful = []
        self.halts.follow(view.heard, now, unix)
        # The gap across an opening or a close says nothing about the pace of either session.
        if self._session is None:
            self._session = view.session
        elif view.session != self._session:
            # The session that becomes known, once the hours are read, has begun before.
            if "unknown" not in (self._session, view.session):
                self.halts.begin_session()
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
        # An answer from before does not cover the time since then.
        for symbol in self._symbols.values():
            symbol.ask_at = now

    def _verdict_beside_stream(self, name: str, view: StatesView) -> _Verdict | None:
        """Return a symbol's state if the stream has no part in it."""
        # Rejected first: of such a symbol nothing will come in any session.
        if name in view.rejected:
            return _REJECTED
        if view.session == "closed":
            return _CLOSED
        # Halts come by the stream: those of a polled symbol are unknown.
        if name in view.over_limit:
            return _POLLED
        if name in view.refused:
            return _REFUSED
        return _STREAM_FAILED if view.stream_failed else None

    def _verdict_of_stream(
        self, name: str, symbol: _Symbol, last: float | None, now: float, view: StatesView
    ) -> _Verdict | None:
        """Return a symbol's state as the stream and REST show it; None if it is not known yet.

        ``last``: when the stream brought its newest trade.
        """
        verdict: _Verdict | None
        halt = self.halts.of(name)
        # A halted symbol has no trades: neither a lost stream nor silence makes its price stale.
        if halt is not None:
            verdict = _Verdict("halted", halt.reason)
        elif self._stream_lost is not None:
            verdict = self._stream_lost
        elif name in view.withheld:
            # While it is subscribed again, it is unacknowledged for a moment.
            verdict = _WITHHELD if name in view.lasting else _UNSTREAMED
        elif name not in view.acknowledged:
            return self._unacknowledged(name, symbol, last, now, view)
        else:
            verdict = self._verdict_by_trades(name, symbol, last, now, view)
        symbol.excused_at = now
        return verdict

    def _verdict_by_trades(
        self, name: str, symbol: _Symbol, last: float | None, now: float, view: StatesView
    ) -> _Verdict | None:
        """Return the state that the trades of a subscribed symbol show."""
        if name in self._unread:
            unread = self._follow_unread(name, symbol, last, now, view)
            if unread is not None:
                return unread
        by_rest = self._traded_by_rest.get(name)
        newest = by_rest if last is None else last if by_rest is None else max(last, by_rest)
        if newest is not None and now - newest <= symbol.quiet_after:
            symbol.silent_since = None
            return _LIVE
        # Also if it traded and fell silent between two looks: this process was stopped for a while.
        if symbol.silent_since is None or (newest is not None and newest > symbol.silent_since):
            symbol.silent_since = symbol.ask_at = now
        # An answer from before the silence, a reconnection or a new session does not cover it.
        since = max(symbol.silent_since, self._comparable_since)
        may_be_halted = self._note_doubt(name, newest, now - since, view.session)
        if view.rest_fails:
            since = max(since, now - UNCONFIRMED_SECONDS)
        if self._confirmed.get(name, -1.0) >= since and name not in view.disputed:
            if may_be_halted and name in self._unquoted:
                return _MAY_BE_HALTED
            return _QUIET if self._has_price(name) else self._no_trade
        if now >= symbol.ask_at:
            symbol.ask_at = now + ASK_AGAIN_SECONDS
            self._to_ask.append(name)
        has_waited = now - since >= UNCONFIRMED_SECONDS
        if has_waited and (view.rest_fails or name in self._unreadable):
            return _UNCONFIRMED_HALT if may_be_halted else _UNCONFIRMED
        return symbol.verdict

    def _note_doubt(
        self, name: str, newest: float | None, silence: float, session: Session
    ) -> bool:
        """Note a silent symbol whose halt would be unknown; return whether it may be halted.

        ``newest``: when its newest trade came. ``silence``: the seconds with no trade since.
        """
        if not self._has_halts or session not in _HALTS_ARE_FOUND:
            return False
        if self.halts.is_known(name, newest):
            return False
        self._doubtful.append(name)
        return session == "regular" and silence >= MAY_BE_HALTED_SECONDS

    def _follow_unread(
        self, name: str, symbol: _Symbol, last: float | None, now: float, view: StatesView
    ) -> _Verdict | None:
        """Return the state of a symbol whose newest trade is unreadable; forget an older one."""
        unread = self._unread[name]
        confirmed = self._confirmed.get(name, -1.0)
        # REST has no newer trade than the stream: the unreadable message was no valid trade.
        is_void = confirmed >= unread.newest_at + UNREADABLE_SECONDS and name not in view.disputed
        if is_void or (last is not None and last > unread.newest_at):
            del self._unread[name]
            return None
        # By the first of them: a busy symbol may bring one each second.
        if now >= max(unread.first_at + UNREADABLE_SECONDS, symbol.ask_at):
            symbol.ask_at = now + ASK_AGAIN_SECONDS
            self._to_ask.append(name)
        return _UNREADABLE

    def _unacknowledged(
        self, name: str, symbol: _Symbol, last: float | None, now: float, view: StatesView
    ) -> _Verdict | None:
        # Each new symbol is unacknowledged for a moment: only a long wait is worth a state.
        if now - symbol.excused_at > UNACKNOWLEDGED_SECONDS:
            return _UNACKNOWLEDGED
        # The connection is back and the subscription will follow: "live" would flicker.
        if symbol.verdict is not None and symbol.verdict.state == "stale":
            return symbol.verdict
        return self._verdict_by_trades(name, symbol, last, now, view)

    def _forget_others(self, wanted: Set[str]) -> None:
        for name in self._symbols.keys() - wanted:
            del self._symbols[name]
        for times in (self._traded_by_rest, self._confirmed, self._unread):
            for name in times.keys() - wanted:
                del times[name]
        self.halts.forget_others(wanted)
        self._unreadable &= wanted
        self._unquoted &= wanted


def _change(
    name: str, symbol: _Symbol, verdict: _Verdict, report: Report, unix: float
) -> SymbolStatus:
    # A state keeps its start if only the reason changes: "stale since" counts from the loss.
    is_same_state = symbol.verdict is not None and symbol.verdict.state == verdict.state
    since = symbol.status.since if symbol.status and is_same_state else rfc3339.from_unix(unix)
    symbol.verdict, symbol.report = verdict, report
    symbol.status = SymbolStatus(
        symbol=name,
        state=verdict.state,
        reason=verdict.reason,
        since=since,
        notice=report.notice,
        short_sale_restricted=report.short_sale_restricted,
        short_sale_as_of=report.short_sale_as_of,
    )
    return symbol.status
