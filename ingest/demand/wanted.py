"""The wanted symbols: those that gateways watch, and for a while those that they no longer do."""

import asyncio
import itertools
from collections.abc import Callable, Iterable, Mapping, Set
from functools import lru_cache
from typing import NamedTuple

from ingest.demand.channels import LULDS, PRICED, TRADES, channel_of_kind
from shared.markets import STOCKS, Market, market_of
from shared.topics import (
    BARS,
    IMBALANCE,
    NEWS,
    ORDERS,
    TRADE,
    key_of,
    kind_of,
)
from shared.waiting import wait_at_most

LINGER_SECONDS = 30.0
"""A symbol stays subscribed for this time after its last viewer: pages are reloaded."""

RECLAIM_SECONDS = 5.0
"""A topic counts as watched for this time after its last claim. Emptying Redis removes all claims,
and the gateways repeat them a second later: the events between are published, and in histories."""

MAX_SYMBOLS = 10_000
"""Further symbols are left out: a hostile client must not make this table grow for ever."""

DEMAND_CHANGE_SECONDS = 1.0
"""The longest wait for a change of the demand: a lingering symbol expires without causing one."""


class Want(NamedTuple):
    """A wanted symbol.

    ``channels`` are names of upstream channels. ``viewers`` are those of its most watched topic,
    over all gateways. A ``lingering`` symbol had viewers until a moment ago.
    """

    symbol: str
    channels: frozenset[str]
    position: bool
    viewers: int
    lingering: bool


class Demand:
    """The demand of all gateways and of the open positions for the symbols of one market.

    Topics of other symbols, such as news, count as watched too, but make no symbol wanted.
    ``monotonic`` gives seconds.
    """

    def __init__(self, monotonic: Callable[[], float], market: Market = STOCKS) -> None:
        self.market = market
        self.left_out = 0
        """The number of wanted symbols beyond ``MAX_SYMBOLS``."""
        self._changed = asyncio.Event()
        self._monotonic = monotonic
        self._claimed: Mapping[str, int] = {}
        self._unclaimed_at: dict[str, float] = {}
        """When the last claim of a topic ended, for those that still count as watched."""
        self._watched: Set[str] = frozenset()
        self.tapes: Set[str] = frozenset()
        """The symbols whose ``trade`` topics are watched: each print is looked up here, since its
        topic, which ``watches`` needs, would cost more."""
        self._charts: Mapping[str, Set[str]] | None = None
        self._left_charts: dict[str, float] = {}
        """When the last claim of a topic of bars ended, for those that linger."""
        self._viewers: dict[tuple[str, str], int] = {}
        self._positions: frozenset[str] = frozenset()
        self._may_be_halted: frozenset[str] = frozenset()
        self._left_at: dict[tuple[str, str], float] = {}
        self._recorded: frozenset[str] = frozenset()
        self._news: frozenset[str] = frozenset()
        self._wanted: list[Want] | None = None
        self._symbols: frozenset[str] = frozenset()
        self._only_charted: frozenset[str] = frozenset()

    def update(self, claimed: Mapping[str, int]) -> None:
        """Accept the topics that gateways claim now, each with its viewers over all gateways."""
        # Gateways repeat their claims each second, thousands of them in a wide market: a waiting
        # task wakes up for a change only.
        if claimed == self._claimed:
            self._expire_claims()
            return
        now = self._monotonic()
        for topic in self._claimed.keys() - claimed.keys():
            self._unclaimed_at[topic] = now
            if kind_of(topic) in BARS:
                self._left_charts[topic] = now
        for topic in claimed:
            self._unclaimed_at.pop(topic, None)
            self._left_charts.pop(topic, None)
        self._claimed, self._charts = dict(claimed), None
        self._expire_claims()
        self._note_watched()
        self._change(_viewers_of(claimed, self.market), self._positions)

    def set_positions(self, symbols: Iterable[str]) -> None:
        """Accept the symbols of the open positions: they are always wanted, and come first.

        Those of other markets are left out.
        """
        positions = frozenset(each for each in symbols if market_of(each) is self.market)
        if positions != self._positions:
            self._change(self._viewers, positions)

    def set_may_be_halted(self, symbols: Iterable[str]) -> None:
        """Accept the symbols that may be halted: of those that are wanted, the bands are as well.

        Price bands show whether a symbol trades.
        """
        may_be_halted = frozenset(symbols)
        if may_be_halted != self._may_be_halted:
            self._may_be_halted, self._wanted = may_be_halted, None
            self._wake()

    def watches(self, topic: str) -> bool:
        """Return whether a client watches a topic, or did until ``RECLAIM_SECONDS`` ago."""
        return topic in self._watched

    def charts(self) -> Mapping[str, Set[str]]:
        """Return the kinds of bars that are watched of each symbol, or were a moment ago.

        They linger as the channels do: the stream brings their bars all the same. It is the same
        mapping until the charts change; callers must not modify it.
        """
        limit = self._monotonic() - LINGER_SECONDS
        while self._left_charts and next(iter(self._left_charts.values())) <= limit:
            del self._left_charts[next(iter(self._left_charts))]
            self._charts = None
        if self._charts is None:
            charts: dict[str, set[str]] = {}
            for each in itertools.chain(self._claimed, self._left_charts):
                if kind_of(each) in BARS and _pair_of(each, self.market) is not None:
                    charts.setdefault(key_of(each), set()).add(kind_of(each))
            self._charts = charts
        return self._charts

    def recorded_topics(self) -> frozenset[str]:
        """Return the watched topics whose histories may lack what happened between two leaders."""
        self._expire_claims()
        return self._recorded

    def news_symbols(self) -> frozenset[str]:
        """Return the symbols whose news clients watch; ``*`` among them means all news."""
        self._expire_claims()
        return self._news

    def wanted(self) -> list[Want]:
        """Return the wanted symbols: positions, then the most watched first, then lingering ones.

        It is the same list until the demand changes; callers must not modify it.
        """
        limit = self._monotonic() - LINGER_SECONDS
        # The dict is in the order of leaving, so the oldest entry is the first to expire.
        while self._left_at and next(iter(self._left_at.values())) <= limit:
            del self._left_at[next(iter(self._left_at))]
            self._wanted = None
        if self._wanted is None:
            everything = self._wants()
            self._wanted = everything[:MAX_SYMBOLS]
            self.left_out = len(everything) - len(self._wanted)
            self._symbols = frozenset(want.symbol for want in self._wanted)
            self._only_charted = frozenset(
                want.symbol for want in self._wanted if PRICED.isdisjoint(want.channels)
            )
        return self._wanted

    def symbols(self) -> frozenset[str]:
        """Return the symbols of ``wanted``; the same set until the demand changes."""
        self.wanted()
        return self._symbols

    def only_charted(self) -> frozenset[str]:
        """Return those of ``symbols`` whose price no client watches."""
        self.wanted()
        return self._only_charted

    async def wait_for_change(self, seconds: float) -> None:
        """Wait for a change of the demand, at most ``seconds``; any number of tasks may wait."""
        await wait_at_most(self._changed, seconds)

    def _expire_claims(self) -> None:
        """Forget the topics whose claims ended ``RECLAIM_SECONDS`` ago."""
        limit = self._monotonic() - RECLAIM_SECONDS
        expired = [topic for topic, at in self._unclaimed_at.items() if at <= limit]
        for topic in expired:
            del self._unclaimed_at[topic]
        if expired:
            self._note_watched()

    def _note_watched(self) -> None:
        """Note the watched topics, by the kinds that are read more often than they change."""
        self._watched = self._claimed.keys() | self._unclaimed_at.keys()
        self.tapes = {key_of(topic) for topic in self._watched if kind_of(topic) == TRADE}
        kinds = (TRADE, NEWS, ORDERS, IMBALANCE)
        self._recorded = frozenset(t for t in self._watched if kind_of(t) in kinds)
        self._news = frozenset(key_of(t) for t in self._watched if kind_of(t) == NEWS)

    def _change(self, viewers: dict[tuple[str, str], int], positions: frozenset[str]) -> None:
        before = self._viewers.keys() | {(symbol, TRADES) for symbol in self._positions}
        after = viewers.keys() | {(symbol, TRADES) for symbol in positions}
        now = self._monotonic()
        for pair in after:
            self._left_at.pop(pair, None)
        for pair in sorted(before - after):
            self._left_at[pair] = now
        while len(self._left_at) > MAX_SYMBOLS:
            del self._left_at[next(iter(self._left_at))]
        self._viewers, self._positions, self._wanted = viewers, positions, None
        self._wake()

    def _wake(self) -> None:
        """Wake the tasks that wait for a change."""
        # A new event for later waiters: clearing this one could hide the change from a task that
        # has not run yet.
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _wants(self) -> list[Want]:
        channels: dict[str, set[str]] = {symbol: {TRADES} for symbol in self._positions}
        viewers: dict[str, int] = {}
        for (symbol, channel), count in self._viewers.items():
            channels.setdefault(symbol, set()).add(channel)
            viewers[symbol] = max(count, viewers.get(symbol, 0))
        for symbol, channel in self._left_at:
            channels.setdefault(symbol, set()).add(channel)
        for symbol in self._may_be_halted & channels.keys():
            channels[symbol].add(LULDS)
        wants = (
            Want(
                symbol,
                frozenset(each),
                position := symbol in self._positions,
                viewers.get(symbol, 0),
                not position and symbol not in viewers,
            )
            for symbol, each in channels.items()
        )
        return sorted(wants, key=lambda w: (not w.position, w.lingering, -w.viewers, w.symbol))


def _viewers_of(claimed: Mapping[str, int], market: Market) -> dict[tuple[str, str], int]:
    """Return the viewers of a market's symbols by channel: those of the most watched topic."""
    viewers: dict[tuple[str, str], int] = {}
    for topic, count in claimed.items():
        pair = _pair_of(topic, market)
        if pair is not None:
            viewers[pair] = max(count, viewers.get(pair, 0))
    return viewers


@lru_cache(maxsize=4 * MAX_SYMBOLS)
def _pair_of(topic: str, market: Market) -> tuple[str, str] | None:
    """Return the symbol and the channel of a market that a topic needs; None if none."""
    channel, symbol = channel_of_kind(market.name, kind_of(topic)), key_of(topic)
    return None if channel is None or market_of(symbol) is not market else (symbol, channel)
