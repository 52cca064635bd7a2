"""Wanted against acknowledged: the next smallest change to ask Alpaca for. No I/O."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ingest.alpaca.messages import Subscribed
from ingest.demand.priority import share_out
from ingest.demand.wanted import QUOTES, TRADES, Want

STATUSES = "statuses"
CHANNELS = (TRADES, QUOTES, STATUSES)
TEST_CHANNELS = (TRADES, QUOTES)
"""What Alpaca's test stream has."""

SYMBOLS_AT_ONCE = 100
"""Alpaca limits the size of a message; its C# SDK sends as many."""

RETRY_SECONDS = 600.0
"""A rejected symbol, and one symbol more than a learnt limit, is tried again after so long."""

INVALID_SYNTAX = 400
SYMBOL_LIMIT = 405
INSUFFICIENT = 409
INVALID_ACTION = 410

_COUNTED = (TRADES, QUOTES)
_NEVER = float("inf")


@dataclass(frozen=True)
class Change:
    """One request to Alpaca: one channel, at most ``SYMBOLS_AT_ONCE`` symbols."""

    action: Literal["subscribe", "unsubscribe"]
    channel: str
    symbols: tuple[str, ...]


class Subscription:
    """What this feed is subscribed to, one change in flight at a time.

    It lives as long as the leadership; ``begin`` starts each connection. ``limit`` is the plan's
    number of symbols (None: any), or a lower one that a refusal has taught. ``channels`` are those
    that the feed has; ``statuses`` follows the trades and is given up at its first refusal.
    ``monotonic`` gives seconds.
    """

    def __init__(
        self,
        limit: int | None,
        *,
        channels: Collection[str] = CHANNELS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limit = limit
        self.over_limit: list[str] = []
        """Watched symbols without a slot, the most important first."""
        self.unquoted: list[str] = []
        """Symbols whose quotes are watched and for which there is a slot for trades only."""
        self.statuses_refused = False
        self.stuck = False
        """The last request changed nothing: asking again at once would only repeat it."""
        self._plan_limit = limit
        self._counts_pairs = False
        self._more_at = _NEVER
        self._channels = frozenset(channels)
        self._monotonic = monotonic
        self._retry_at: dict[str, float] = {}
        self.begin()

    def begin(self) -> None:
        """Start a connection: it has no subscription. What was learnt stays."""
        self.acknowledged: dict[str, set[str]] = {channel: set() for channel in CHANNELS}
        self.stuck = False
        self._at_once = SYMBOLS_AT_ONCE
        self._in_flight: Change | None = None

    @property
    def rejected(self) -> set[str]:
        """The symbols that Alpaca does not take."""
        return set(self._retry_at)

    def answers(self, code: int) -> bool:
        """Say whether an error's code is about the change in flight, not about the connection."""
        change = self._in_flight
        if code in (INSUFFICIENT, INVALID_ACTION):
            return change is not None and change.channel == STATUSES
        return code in (INVALID_SYNTAX, SYMBOL_LIMIT)

    def next_change(self, wanted: Sequence[Want]) -> Change | None:
        """Return the change to ask for now, or None while one is in flight or none is needed."""
        if self._in_flight is not None:
            return None
        now = self._monotonic()
        self._forget_rejected(wanted, now)
        possible = [want for want in wanted if self._retry_at.get(want.symbol, 0.0) <= now]
        limit = self.limit
        if limit is not None and now >= self._more_at:
            limit += 1
        shares = share_out(possible, self.acknowledged, limit, counts_pairs=self._counts_pairs)
        self.over_limit, self.unquoted = shares.over_limit, shares.unquoted
        self._in_flight = self._step(self._target(shares.symbols), limit)
        return self._in_flight

    def on_acknowledged(self, answer: Subscribed) -> None:
        """Take Alpaca's answer, which is the whole set: the only truth there is."""
        change, self._in_flight = self._in_flight, None
        before = self.acknowledged
        self.acknowledged = {each: set(getattr(answer, each) or ()) for each in CHANNELS}
        if self.limit is not None and self._size(self.acknowledged) > self.limit:
            self._unlearn_limit()
        for channel, symbols in self.acknowledged.items():
            for symbol in symbols - before[channel]:
                self._retry_at.pop(symbol, None)
        self.stuck = False
        if change is None:
            return
        held = self.acknowledged[change.channel]
        if change.action == "unsubscribe":
            self.stuck = held.issuperset(change.symbols)
        elif held.isdisjoint(change.symbols):
            self.stuck = True
            self._refuse(change)
        else:
            self._at_once = min(2 * self._at_once, SYMBOLS_AT_ONCE)

    def on_refused(self, code: int) -> tuple[str, ...]:
        """Take a refusal, which leaves everything as it was, and try smaller from now on.

        Returns the symbols of the refused request if it cannot be made smaller, else nothing.
        """
        change, self._in_flight = self._in_flight, None
        self.stuck = False
        if change is None:
            return ()
        if change.channel != STATUSES and change.action == "unsubscribe":
            self.stuck = True
            return ()
        if change.channel != STATUSES and code == SYMBOL_LIMIT:
            self._learn_limit(change)
            self._at_once = max(1, len(change.symbols) // 2)
            return change.symbols if len(change.symbols) == 1 else ()
        return self._refuse(change)

    def _refuse(self, change: Change) -> tuple[str, ...]:
        if change.channel == STATUSES:
            self.statuses_refused = True
            return ()
        if len(change.symbols) > 1:
            self._at_once = len(change.symbols) // 2
            return ()
        self._retry_at[change.symbols[0]] = self._monotonic() + RETRY_SECONDS
        return change.symbols

    def _forget_rejected(self, wanted: Sequence[Want], now: float) -> None:
        """Forget those that nobody wants once their time has come."""
        if any(at <= now for at in self._retry_at.values()):
            symbols = {want.symbol for want in wanted}
            self._retry_at = {s: at for s, at in self._retry_at.items() if at > now or s in symbols}

    def _target(self, symbols: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
        """Return what each channel should have: statuses of those whose trades there are."""
        held = self.acknowledged[TRADES]
        target = {**symbols, STATUSES: [each for each in symbols[TRADES] if each in held]}
        refused = {STATUSES} if self.statuses_refused else set()
        return {each: target[each] for each in CHANNELS if each in self._channels - refused}

    def _step(self, target: Mapping[str, Sequence[str]], limit: int | None) -> Change | None:
        """Return the first change on the way to the target.

        New symbols go before old ones, which only cost bandwidth, unless they need their slots.
        """
        leave = self._unsubscribe(target)
        both = {each: self.acknowledged[each].union(target.get(each, ())) for each in _COUNTED}
        if leave and limit is not None and self._size(both) > limit:
            return leave
        return self._subscribe(target) or leave

    def _unsubscribe(self, target: Mapping[str, Sequence[str]]) -> Change | None:
        for channel, symbols in target.items():
            if gone := self.acknowledged[channel].difference(symbols):
                return Change("unsubscribe", channel, tuple(sorted(gone)[:SYMBOLS_AT_ONCE]))
        return None

    def _subscribe(self, target: Mapping[str, Sequence[str]]) -> Change | None:
        for channel, symbols in target.items():
            held = self.acknowledged[channel]
            if new := [symbol for symbol in symbols if symbol not in held]:
                # One that was rejected before goes alone: it shall spoil no other's request.
                fresh = [symbol for symbol in new if symbol not in self._retry_at]
                return Change("subscribe", channel, tuple(fresh[: self._at_once] or new[:1]))
        self._at_once = SYMBOLS_AT_ONCE
        return None

    def _learn_limit(self, change: Change) -> None:
        """A refused request tells a number of slots that there are not.

        If it brought no new symbol, only more channels for symbols that have one, then slots are
        counted per channel.
        """
        both = dict(self.acknowledged)
        both[change.channel] = both[change.channel].union(change.symbols)
        if self._size(both) == self._size(self.acknowledged):
            self._counts_pairs = True
        self.limit = self._size(both) - 1
        self._more_at = self._monotonic() + RETRY_SECONDS

    def _unlearn_limit(self) -> None:
        """More is held than the learnt limit: the plan has grown."""
        self.limit, self._counts_pairs, self._more_at = self._plan_limit, False, _NEVER

    def _size(self, held: Mapping[str, Collection[str]]) -> int:
        """Return how many slots symbols take."""
        if self._counts_pairs:
            return sum(len(held[channel]) for channel in _COUNTED)
        return len({symbol for channel in _COUNTED for symbol in held[channel]})
