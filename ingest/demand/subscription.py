"""The difference between the wanted and the acknowledged symbols, one request at a time. No I/O."""

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Literal

from ingest.demand.channels import STOCK_CHANNELS, UpstreamChannel
from ingest.demand.free_slots import FreeSlots
from ingest.demand.learnt_limits import LIMIT_RETRY_SECONDS, LearntLimits
from ingest.demand.priority import share_out
from ingest.demand.rejected_symbols import RejectedSymbols
from ingest.demand.wanted import Want

SYMBOLS_PER_REQUEST = 100
"""Alpaca limits the size of a message; its C# SDK sends the same number."""

_NO_TIME = float("inf")


class Rejection(Enum):
    """Why the vendor rejected a request."""

    SYNTAX = "a symbol or channel that the vendor does not understand"
    SYMBOL_LIMIT = "more symbols than the plan allows"
    NOT_IN_PLAN = "a channel that the plan does not include"
    NO_SUCH_CHANNEL = "a channel that the stream does not have"


_ABOUT_CHANNEL = (Rejection.NOT_IN_PLAN, Rejection.NO_SUCH_CHANNEL)


@dataclass(frozen=True)
class SubscriptionChange:
    """One request to the vendor: one channel, at most ``SYMBOLS_PER_REQUEST`` symbols."""

    action: Literal["subscribe", "unsubscribe"]
    channel: str
    symbols: tuple[str, ...]


class Subscription:
    """The symbols that one stream is subscribed to, with at most one change in flight.

    It lives as long as the leadership; ``begin`` starts each connection. ``limit`` is the plan's
    number of symbols (None: no limit), or a lower one that a rejection has taught. ``channels``
    are those of the stream, ``limits`` the plan's numbers of symbols of separate ones. An optional
    channel is given up at its first rejection. If it has symbols of its own (it follows no other),
    one of them may be to blame, or a limit of the plan after all. ``monotonic`` gives seconds.
    """

    def __init__(
        self,
        limit: int | None,
        *,
        channels: Sequence[UpstreamChannel] = STOCK_CHANNELS,
        limits: Mapping[str, int] = MappingProxyType({}),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limit = limit
        self.over_limit: list[str] = []
        """Watched symbols without a slot, the most important first."""
        self.partly_over_limit: list[str] = []
        """Watched symbols that have a slot, but not on each of their channels."""
        self.left_out: dict[str, frozenset[str]] = {}
        """By channel that needs no slot: the wanted symbols that the vendor has no room for."""
        self.given_up: set[str] = set()
        """Optional channels that the vendor has rejected."""
        self.stuck = False
        """Whether the last request changed nothing: an immediate retry would only repeat it."""
        self._plan_limit = limit
        self._counts_each_channel = False
        self._limit_retry_at = _NO_TIME
        self._channels = {channel.name: channel for channel in channels}
        self._counted = [channel.name for channel in channels if channel.counted]
        self._shared = [each for each in self._counted if not self._channels[each].separate]
        self._free = [each.name for each in channels if not each.counted and not each.follows]
        self._monotonic = monotonic
        self._rejected = RejectedSymbols([*self._counted, *self._free])
        self._free_slots = FreeSlots(monotonic)
        self._limits = LearntLimits(monotonic, limits)
        """The limits of separate channels."""
        self._settled: Sequence[Want] | None = None
        """The wanted symbols for which no change was needed at the last look."""
        self._settled_until = _NO_TIME
        self.begin()

    def begin(self) -> None:
        """Start a connection: it has no subscription yet. Learnt limits and rejections stay."""
        self.acknowledged: dict[str, set[str]] = {channel: set() for channel in self._channels}
        self.stuck = False
        self._settled = None
        self._request_size = SYMBOLS_PER_REQUEST
        self._in_flight: SubscriptionChange | None = None
        self._to_renew: dict[str, set[str]] = {channel: set() for channel in self._channels}
        """Symbols to unsubscribe and to subscribe again, until they are acknowledged again."""

    @property
    def rejected(self) -> set[str]:
        """The symbols that the stream does not accept; other sources may have them."""
        if not self._rejected:
            return set()
        first = self._counted[0]
        there = self.acknowledged[first] | self._to_renew[first]
        return self._rejected.symbols_of(first) | (self._rejected_symbols - there)

    @property
    def partly_rejected(self) -> set[str]:
        """The symbols that the stream accepts on its first channel, and on another one not."""
        return self._rejected_symbols - self.rejected

    @property
    def _rejected_symbols(self) -> set[str]:
        """The symbols that at least one of the counted channels rejects."""
        return self._rejected.symbols_of(*self._counted)

    def renew(self, channel: str, symbols: Iterable[str]) -> None:
        """Unsubscribe acknowledged symbols of a channel and subscribe to them again.

        The vendor may have lost a subscription that it acknowledged
        (https://github.com/alpacahq/alpaca-trade-api-csharp/issues/724). The symbols keep their
        slots meanwhile.
        """
        if renewed := self.acknowledged[channel].intersection(symbols):
            self._to_renew[channel].update(renewed)
            self._settled = None

    def concerns_change(self, rejection: Rejection) -> bool:
        """Return whether a rejection is about the change in flight, not about the connection."""
        change = self._in_flight
        # The vendor rejects trades or quotes with these only if the whole feed is not allowed:
        # that ends the connection. An optional channel may be missing from the plan or the feed.
        if rejection in (Rejection.NOT_IN_PLAN, Rejection.NO_SUCH_CHANNEL):
            return change is not None and self._channels[change.channel].optional
        return True

    def next_change(self, wanted: Sequence[Want]) -> SubscriptionChange | None:
        """Return the change to request now, or None while one is in flight or none is needed."""
        if self._in_flight is not None:
            return None
        now = self._monotonic()
        # In each second of a wide market, thousands of symbols are wanted and subscribed already.
        if wanted is self._settled and now < self._settled_until:
            return None
        self._rejected.forget_unwanted(wanted, now)
        possible = self._rejected.possible(wanted, now)
        limit = self.limit
        # A plan may grow while the ingest runs: one more symbol than the learnt limit tests it.
        if limit is not None and now >= self._limit_retry_at:
            limit += 1
        renewed = self._to_renew
        shares = share_out(
            possible,
            {name: there | renewed[name] for name, there in self.acknowledged.items()},
            limit,
            list(self._channels.values()),
            counts_each_channel=self._counts_each_channel,
            limits=self._limits.of_all(self._counted),
            barred=self._rejected.waiting(now),
        )
        self.over_limit, self.partly_over_limit = shares.over_limit, shares.partly_over_limit
        target = self._target(shares.symbols, limit)
        self.left_out = {
            name: frozenset(shares.symbols[name]).difference(target.get(name, ()))
            for name in self._free
        }
        # One that lost its slot or its viewers while it was renewed keeps no claim to a slot.
        for name, symbols in renewed.items():
            symbols &= self.acknowledged[name].union(target.get(name, ()))
        self._in_flight = self._renewal() or self._next_step(target, limit)
        if self._in_flight is None:
            self._settled = wanted
            limit_retry_at = self._limit_retry_at if now < self._limit_retry_at else _NO_TIME
            retrying = (self._rejected, self._free_slots, self._limits)
            retries = [each.next_retry_at(now) for each in retrying]
            self._settled_until = min(limit_retry_at, *retries)
        return self._in_flight

    def on_acknowledged(self, acknowledged: Mapping[str, Collection[str]]) -> None:
        """Accept the vendor's answer: per channel the whole set, which is the only truth.

        A channel that the answer does not name has no symbols, unless answers may not name it.
        """
        change, self._in_flight = self._in_flight, None
        self._settled = None
        before = self.acknowledged
        self.acknowledged = {
            name: set(acknowledged.get(name, ()))
            if name in acknowledged or not channel.unnamed
            else _after(before[name], change, name)
            for name, channel in self._channels.items()
        }
        # The test of one more symbol has succeeded: the plan has grown.
        if self.limit is not None and self._slots(self.acknowledged) > self.limit:
            self._unlearn_limit()
        for channel, symbols in self.acknowledged.items():
            self._free_slots.on_acknowledged(channel, len(symbols))
            self._limits.on_acknowledged(channel, len(symbols))
            # A symbol that was rejected may be listed by now.
            for symbol in symbols - before[channel]:
                self._rejected.discard(channel, symbol)
                self._to_renew[channel].discard(symbol)
        self.stuck = False
        if change is None:  # after an internal reconnect the vendor sends the set again
            return
        now_there = self.acknowledged[change.channel]
        if change.action == "unsubscribe":
            # One that remains there is not asked for again and again.
            self._to_renew[change.channel] -= now_there.intersection(change.symbols)
            self.stuck = now_there.issuperset(change.symbols)
        elif now_there.isdisjoint(change.symbols):
            # Some feeds acknowledge a request and ignore its symbols instead of rejecting it.
            self.stuck = True
            if change.channel in self._free and not now_there:
                self._free_slots.learn(change.channel, 0)
            else:
                self._reject(change)
        else:
            # The bad symbol was in the other half, so the next request may be larger again.
            self._request_size = min(2 * self._request_size, SYMBOLS_PER_REQUEST)

    def on_rejected(self, rejection: Rejection) -> tuple[str, ...]:
        """Accept a rejection, which changes nothing at the vendor; later requests are smaller.

        Returns the symbols of the rejected request if it cannot be made smaller, else nothing.
        """
        change, self._in_flight = self._in_flight, None
        self.stuck, self._settled = False, None
        if change is None:  # a late answer to a request of the connection before
            return ()
        channel = self._channels[change.channel]
        optional = channel.optional and (channel.follows is not None or rejection in _ABOUT_CHANNEL)
        if not optional and change.action == "unsubscribe":
            # No symbol is to blame, and the same request would be rejected again.
            self._to_renew[change.channel].difference_update(change.symbols)
            self.stuck = True
            return ()
        if optional:
            self.given_up.add(change.channel)
            return ()
        if rejection is Rejection.SYMBOL_LIMIT:
            return self._on_symbol_limit(change)
        return self._reject(change)

    def _on_symbol_limit(self, change: SubscriptionChange) -> tuple[str, ...]:
        if change.channel in self._free:
            # Prices need not pay for it: the plan may count this channel, or have none of it.
            self._request_size = max(1, len(change.symbols) // 2)
            if len(change.symbols) == 1:
                self._free_slots.learn(change.channel, len(self.acknowledged[change.channel]))
            return ()
        if self._channels[change.channel].separate:
            union = self.acknowledged[change.channel].union(change.symbols)
            self._limits.learn(change.channel, len(union) - 1)
        elif self._free_slots.suspect(self._beyond_counted()):
            return ()
        else:
            self._learn_limit(change)
        self._request_size = max(1, len(change.symbols) // 2)
        return change.symbols if len(change.symbols) == 1 else ()

    def _beyond_counted(self) -> set[str]:
        """Return the symbols that are only on channels that need no slot."""
        counted = {symbol for name in self._counted for symbol in self.acknowledged[name]}
        return {symbol for name in self._free for symbol in self.acknowledged[name]} - counted

    def _reject(self, change: SubscriptionChange) -> tuple[str, ...]:
        channel = self._channels[change.channel]
        if channel.optional and channel.follows is not None:
            self.given_up.add(change.channel)
            return ()
        if len(change.symbols) > 1:
            # One bad symbol spoils the whole request: halves find it in a few requests.
            self._request_size = len(change.symbols) // 2
            return ()
        symbol = change.symbols[0]
        self._to_renew[change.channel].discard(symbol)
        self._rejected.add(change.channel, symbol, self._monotonic())
        return change.symbols

    def _renewal(self) -> SubscriptionChange | None:
        """Return the unsubscription of symbols to renew, if any of them is still subscribed."""
        for channel, symbols in self._to_renew.items():
            if there := symbols & self.acknowledged[channel]:
                some = tuple(sorted(there)[:SYMBOLS_PER_REQUEST])
                return SubscriptionChange("unsubscribe", channel, some)
        return None

    def _target(
        self, symbols: Mapping[str, Sequence[str]], limit: int | None
    ) -> dict[str, Sequence[str]]:
        """Return the symbols that each channel should have."""
        target: dict[str, Sequence[str]] = {}
        counted = {symbol for name in self._counted for symbol in symbols[name]}
        for name, channel in self._channels.items():
            if name in self.given_up:
                continue
            if name in self._free:
                there = self.acknowledged[name]
                target[name] = self._free_slots.fitting(name, symbols[name], there, counted, limit)
            elif channel.follows is None:
                target[name] = symbols[name]
            else:
                leader = self.acknowledged[channel.follows]
                target[name] = [each for each in symbols[channel.follows] if each in leader]
        return target

    def _next_step(
        self, target: Mapping[str, Sequence[str]], limit: int | None
    ) -> SubscriptionChange | None:
        """Return the first change on the way to the target.

        New symbols come first: old ones only cost bandwidth, unless the new ones need their slots.
        """
        leave = self._unsubscribe(target)
        both = {each: self.acknowledged[each].union(target.get(each, ())) for each in self._counted}
        if leave and limit is not None and self._slots(both) > limit:
            return leave
        for name, most in self._limits.of_all(both).items():
            if len(both[name]) > most and (leave_full := self._unsubscribe({name: target[name]})):
                return leave_full
        # Slots that symbols without a slot may have taken are freed before others need them.
        if leave and self._free_slots.counts and leave.channel not in self._counted:
            return leave
        return self._subscribe(target) or leave

    def _unsubscribe(self, target: Mapping[str, Sequence[str]]) -> SubscriptionChange | None:
        for channel, symbols in target.items():
            if unwanted := self.acknowledged[channel].difference(symbols):
                return SubscriptionChange(
                    "unsubscribe", channel, tuple(sorted(unwanted)[:SYMBOLS_PER_REQUEST])
                )
        return None

    def _subscribe(self, target: Mapping[str, Sequence[str]]) -> SubscriptionChange | None:
        for channel, symbols in target.items():
            there = self.acknowledged[channel]
            if new := [symbol for symbol in symbols if symbol not in there]:
                # A symbol that was rejected before goes alone: it must not spoil another's request.
                untried = [symbol for symbol in new if not self._rejected.has(channel, symbol)]
                return SubscriptionChange(
                    "subscribe", channel, tuple(untried[: self._request_size] or new[:1])
                )
        # All are subscribed: later symbols need not pay for an earlier bad one.
        self._request_size = SYMBOLS_PER_REQUEST
        return None

    def _learn_limit(self, change: SubscriptionChange) -> None:
        """Learn from a rejected request that the plan has fewer slots than it needs.

        If the request names no new symbol, only another channel of subscribed symbols, the vendor
        counts each channel.
        """
        both = dict(self.acknowledged)
        both[change.channel] = both[change.channel].union(change.symbols)
        if self._slots(both) == self._slots(self.acknowledged):
            self._counts_each_channel = True
        self.limit = self._slots(both) - 1
        self._limit_retry_at = self._monotonic() + LIMIT_RETRY_SECONDS

    def _unlearn_limit(self) -> None:
        """Return to the plan's limit: more symbols are acknowledged than the learnt limit."""
        self.limit, self._counts_each_channel = self._plan_limit, False
        self._limit_retry_at = _NO_TIME

    def _slots(self, symbols: Mapping[str, Collection[str]]) -> int:
        """Return the number of slots that symbols take."""
        if self._counts_each_channel:
            return sum(len(symbols[channel]) for channel in self._shared)
        return len({symbol for channel in self._shared for symbol in symbols[channel]})


def _after(there: set[str], change: SubscriptionChange | None, channel: str) -> set[str]:
    """Return the symbols that a channel has if a change was accepted."""
    if change is None or change.channel != channel:
        return there
    symbols = set(change.symbols)
    return there | symbols if change.action == "subscribe" else there - symbols
