"""The charted symbols while this process leads: their bars, from the stream and from REST."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence, Set
from contextlib import suppress

from ingest.bars.bar_changes import Reload
from ingest.bars.bar_events import bar_event, stored_version
from ingest.bars.bar_table import BarTable
from ingest.bars.timeframes import MINUTE_NS
from ingest.bus.announcer import Announcer
from ingest.bus.bar_store import BarStore
from ingest.demand.channels import BARS, DAILY_BARS, TRADES, UPDATED_BARS
from ingest.demand.subscription import Subscription
from ingest.demand.wanted import Demand
from ingest.upstream.bar_rest import BarRest
from shared.bar import KINDS, Timeframe
from shared.bus.errors import BusError
from shared.topics import key_of, kind_of, topic

PUBLISH_SECONDS = 0.1
"""A running bar is shown ten times a second; a client's interval is rarely shorter."""

FOLLOW_SECONDS = 1.0

BEGUN_AT_ONCE = 500
"""Topics whose stored bars are in memory at the same time, when an ingest starts to lead."""

RESTORED = 100
"""The newest stored bars of a topic from which a new leader goes on: more than an hour's."""

POLL_AFTER_NS = 5_000_000_000
"""How long after the end of a minute REST has its bar."""

TIMEFRAMES: Mapping[str, Timeframe] = {kind: timeframe for timeframe, kind in KINDS.items()}


class Charts:
    """Follows the watched topics of bars, which ``table`` makes; ``clock`` gives unix ns.

    ``subscription`` is that of the market's stream.
    """

    def __init__(
        self,
        table: BarTable,
        rest: BarRest,
        store: BarStore,
        demand: Demand,
        subscription: Subscription,
        announcer: Announcer,
        *,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.table = table
        self.subscription = subscription
        self._rest = rest
        self._store = store
        self._demand = demand
        self._announcer = announcer
        self._clock = clock
        self._begun: set[str] = set()
        """The topics whose bars are being made."""
        self._ended: set[str] = set()
        """The topics whose bars are no longer made, until Redis notes it."""
        self._streamed: tuple[Set[str], Set[str]] = frozenset(), frozenset()
        """The symbols whose trades, and whose bars, come at present."""
        rest.publish = self.publish

    async def run(self) -> None:
        """Make bars until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._rest.run())
            tasks.create_task(self._follow())
            tasks.create_task(self._publish())
            tasks.create_task(self._poll())

    def on_subscription(self) -> None:
        """Note what the stream brings now; it may have been lost."""
        acknowledged, now_ns = self.subscription.acknowledged, self._clock()
        bars = acknowledged.get(BARS, set())
        # A feed may lack the revisions.
        if UPDATED_BARS not in self.subscription.given_up:
            bars = bars & acknowledged.get(UPDATED_BARS, set())
        # REST brings those that the stream has no room for.
        bars = bars | self._polled()
        streamed = set(acknowledged[TRADES]), bars
        if streamed != self._streamed:
            self._streamed = streamed
            self.table.on_subscribed(*streamed, now_ns)

    def on_missed(self, since: float, symbol: str | None = None) -> None:
        """Note that the stream, which lives, may have lost data since a time (unix s).

        ``symbol``: of this one; None: of all, also of those of which it brings bars alone.
        """
        for each in self.table.symbols if symbol is None else (symbol,):
            self.table.on_missed(each, int(since * 1e9), self._clock())

    def on_rescaled(self, symbol: str) -> None:
        """Note that a split of a symbol takes effect today."""
        days = self.table.days
        self.table.on_split(symbol, days.start_of(days.day_of(self._clock())))

    def publish(self) -> None:
        """Announce the changes so far, and ask REST for what they lack."""
        now_ns = self._clock()
        for change in self.table.changes(now_ns):
            if isinstance(change, Reload):
                self._rest.on_reload(change)
                continue
            where = topic(KINDS[change.timeframe], change.bar.symbol)
            # The bars that linger have no viewer: those that have ended are stored, and that is it.
            if not change.running or self._demand.watches(where):
                event = bar_event(change)
                self._announcer.bar(change.timeframe, event, running=change.running)
        if needs := self.table.needs(now_ns):
            self._rest.ask(needs)

    def republish(self) -> None:
        """Store all bars again, for an emptied Redis."""
        self._rest.rewrite()

    def _polled(self) -> Set[str]:
        return self.subscription.left_out.get(BARS, frozenset())

    async def _follow(self) -> None:
        """Follow the watched topics until cancelled."""
        while True:
            with suppress(BusError):  # the lease reports the loss
                await self._store.begin()
                await self._follow_charts(self._demand.charts())
            self.on_subscription()
            await self._demand.wait_for_change(FOLLOW_SECONDS)

    async def _follow_charts(self, charts: Mapping[str, Set[str]]) -> None:
        wanted = {topic(kind, symbol) for symbol, kinds in charts.items() for kind in kinds}
        if gone := self._begun - wanted:
            self._begun -= gone
            self._ended |= gone
            self._watch({key_of(where) for where in gone}, charts)
            symbols = {key_of(where) for where in self._begun}
            self.table.forget_others(symbols)
            self._rest.forget_others(symbols)
        # Before a topic begins again: its stored bars would look whole, and lack those since.
        if self._ended:
            await self._store.forget(sorted(self._ended))
            self._ended.clear()
        new = sorted(wanted - self._begun)
        for begin in range(0, len(new), BEGUN_AT_ONCE):
            await self._begin(new[begin : begin + BEGUN_AT_ONCE], charts)

    async def _begin(self, new: Sequence[str], charts: Mapping[str, Set[str]]) -> None:
        # Before the first live bar: the versions of an earlier leader go on from theirs.
        stored = await self._store.read(new, RESTORED)
        self._begun.update(new)
        self._watch({key_of(where) for where in new}, charts)
        for where in new:
            versions = [stored_version(each.bar) for each in stored[where] if not each.running]
            if versions:
                timeframe, now_ns = TIMEFRAMES[kind_of(where)], self._clock()
                self.table.restore(key_of(where), timeframe, versions, now_ns)
        self.publish()

    def _watch(self, symbols: Set[str], charts: Mapping[str, Set[str]]) -> None:
        now_ns = self._clock()
        for symbol in sorted(symbols):
            kinds = charts.get(symbol, ())
            begun = [TIMEFRAMES[k] for k in kinds if topic(k, symbol) in self._begun]
            if begun:
                self.table.watch(symbol, begun, now_ns)

    async def _publish(self) -> None:
        while True:
            self.publish()
            await asyncio.sleep(PUBLISH_SECONDS)

    async def _poll(self) -> None:
        """Fetch each minute the bars that the stream does not bring, until cancelled."""
        while True:
            now_ns = self._clock()
            wait_ns = MINUTE_NS - (now_ns - POLL_AFTER_NS) % MINUTE_NS
            await asyncio.sleep(wait_ns / 1e9)
            daily = self.subscription.left_out.get(DAILY_BARS, frozenset())
            polled = (self._polled() | daily) & self.table.symbols
            if polled:
                await self._rest.poll(sorted(polled))
