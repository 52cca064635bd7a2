"""A market while this process leads: everything that depends on time, and the facts to report."""

import asyncio
import time
from collections.abc import Set

import structlog

from ingest.book_feed import BookFeed
from ingest.bus.announcer import Announcer
from ingest.charts import Charts
from ingest.demand.channels import STATUSES, TRADES
from ingest.demand.subscription import Subscription
from ingest.demand.wanted import Demand
from ingest.market.alarms import NAMED_AT_MOST, REST_FAILURE_SECONDS
from ingest.market.lag import Lag
from ingest.market.last_price import LastPrices
from ingest.market.market_hours import MarketHours
from ingest.market.symbol_states import StatesView, SymbolStates
from ingest.market.withheld_trades import WithheldTrades
from ingest.market_facts import MarketFacts
from ingest.upstream.asset_halts import AssetHalts
from ingest.upstream.frame import FrameReader
from ingest.upstream.hours_refresh import HoursRefresh
from ingest.upstream.imbalance_gaps import ImbalanceGaps
from ingest.upstream.market_rest import MarketRest
from ingest.upstream.snapshots import Snapshots
from ingest.upstream.stream_holder import StreamHolder
from ingest.upstream.withheld_bars import WithheldBars
from shared.ingest_status import Session, TapeCounts

log = structlog.get_logger()

EVALUATE_SECONDS = 1.0

QUIET_TURNS = 10
"""In every tenth turn REST is asked for some of the symbols without a recent trade, in each session
in which the feed trades: the stream may withhold them."""
_NOTHING: Set[str] = frozenset()

QUIET_AT_ONCE = 100
QUIET_NS = 15_000_000_000


class MarketData:
    """Looks up a market's prices, and evaluates the states of its symbols once a second.

    ``hours`` reads the sessions of a market that has some.
    """

    def __init__(
        self,
        *,
        stream: StreamHolder,
        snapshots: Snapshots,
        hours: HoursRefresh | None,
        demand: Demand,
        prices: LastPrices,
        states: SymbolStates,
        withheld: WithheldTrades,
        lag: Lag,
        subscription: Subscription,
        reader: FrameReader,
        announcer: Announcer,
        bars: Charts,
        books: BookFeed | None,
        imbalances: ImbalanceGaps,
        asset_halts: AssetHalts | None,
        rest: MarketRest,
    ) -> None:
        self.stream = stream
        self.bars = bars
        self._books = books
        self._imbalances = imbalances
        self._asset_halts = asset_halts
        self.rest = rest
        self.rest_malformed = snapshots.malformed
        """The rows of REST that could not be read, those of the account included."""
        self._snapshots = snapshots
        self._hours = hours
        self._demand = demand
        self._prices = prices
        self._states = states
        self._withheld = withheld
        self._lag = lag
        self._subscription = subscription
        self._reader = reader
        self._announcer = announcer
        self._withheld_bars = WithheldBars(bars)
        self._sorted: list[str] = []
        self._sorted_of: Set[str] | None = None

    def market_hours(self) -> MarketHours:
        """Return the newest calendar."""
        return self._prices.hours

    async def run(self) -> None:
        """Refresh the hours, look up prices, make bars and books, and evaluate until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            if self._hours is not None:
                tasks.create_task(self._hours.run())
            if self._books is not None:
                tasks.create_task(self._books.run())
            tasks.create_task(self.bars.run())
            tasks.create_task(self._snapshots.run())
            if self._asset_halts is not None:
                tasks.create_task(self._asset_halts.run())
            tasks.create_task(self._watch())

    def catch_up(self, symbol: str, since: float) -> None:
        """Look up all prints of a symbol since a time (unix s)."""
        self._snapshots.open_gap(symbol, since)

    def continue_imbalance_gap(self, symbol: str, since: float) -> None:
        """Announce, once imbalances of a symbol come, a gap from a time (unix s) on."""
        self._imbalances.continue_gap(symbol, since)

    def on_listed(self, symbols: Set[str]) -> None:
        """Accept the symbols of the newest list of assets."""
        self._snapshots.on_listed(symbols)

    def republish(self) -> None:
        """Announce every known value again, for a new epoch or an emptied Redis."""
        # Not "traded": the key that expires means that the symbol has traded just now.
        for last in self._prices.by_symbol.values():
            self._announcer.price(last, traded=False)
        for status in self._states.publish_all():
            self._announcer.status(status)
        self.bars.republish()
        if self._books is not None:
            self._books.republish()

    async def _watch(self) -> None:
        """Apply once a second, until cancelled, the changes that no message announces."""
        turns = 0
        while True:
            self._follow_withheld(time.monotonic())
            view = self._view()
            for status in self._states.evaluate(time.monotonic(), time.time(), view):
                self._announcer.status(status)
            # Prices of symbols that no client watches would grow old, and be shown as new later.
            wanted = self._demand.symbols()
            self._prices.forget_others(wanted)
            self._withheld.forget_others(wanted)
            # With no recent trade the lag becomes unknown, and no message would cause that.
            self._lag.look(time.time_ns() // 1000)
            self._snapshots.look_up(self._prices.take_doubtful())
            self._snapshots.confirm(self._states.take_silent())
            turns += 1
            if turns % QUIET_TURNS == 0:
                self._look_for_halts(view.session)
                if view.session != "closed":
                    self._snapshots.confirm(self._some_quiet_ones(turns // QUIET_TURNS))
            await asyncio.sleep(EVALUATE_SECONDS)

    def _look_for_halts(self, session: Session) -> None:
        """Look elsewhere for halts of which no status can tell: they may have begun earlier."""
        if self._asset_halts is None:
            return
        doubtful = self._states.doubtful()
        # There are price bands in the regular session only.
        self._demand.set_may_be_halted(doubtful if session == "regular" else ())
        self._asset_halts.follow(doubtful if session == "overnight" else ())

    def _follow_withheld(self, now: float) -> None:
        """Fetch the prints that the stream withholds, and subscribe again to their symbols."""
        withheld = self._withheld
        withheld.look()
        found, ended = withheld.take_found(), withheld.take_ended()
        # Until the stream brings a trade of them again, REST is the only source.
        self._prices.begin(found)
        self._withheld_bars.follow(found, ended, withheld.symbols)
        for symbol, since in (found | ended).items():
            self._snapshots.open_gap(symbol, since)
        if found:
            log.warning(
                "trades_withheld",
                message="REST has trades that the stream does not bring; REST looks them up",
                symbols=sorted(found)[:NAMED_AT_MOST],
                count=len(found),
            )
        renewals = withheld.take_renewals(now)
        self._subscription.renew(TRADES, renewals)
        if self._books is not None and renewals:
            self._books.on_withheld(renewals, now)

    def facts(self) -> MarketFacts:
        """Return the present state."""
        hours, subscription = self._prices.hours, self._subscription
        wanted = self._demand.symbols()
        return MarketFacts(
            session=hours.session_now(time.time_ns()),
            next_open=hours.next_open(),
            next_close=hours.next_close(),
            lag_ms=self._lag.ms,
            lag_alarm=self._lag.alarm,
            is_clock_behind=self._lag.is_clock_behind,
            subscribed=self._subscribed(),
            over_limit=subscription.over_limit,
            limit=subscription.limit,
            left_out=self._demand.left_out,
            rejected=sorted(rejected := self._rejected(wanted)),
            refused=sorted(subscription.rejected - rejected),
            withheld=sorted(self._withheld.symbols),
            tape=self._tape(),
            rest_failing_seconds=self._snapshots.failing_seconds,
            rest_error=self._snapshots.error,
        )

    def _tape(self) -> TapeCounts:
        reader, counts = self._reader, self._prices.counts
        return TapeCounts(
            frames=reader.frames,
            ticks=reader.ticks,
            ineligible=counts.ineligible,
            late=counts.late,
            repeated=counts.repeated,
            quarantined=counts.quarantined,
            corrected=counts.corrected,
            cancelled=counts.cancelled,
            malformed=reader.malformed.count,
            unsubscribed=reader.unsubscribed,
            unknown_conditions=dict(counts.unknown_conditions),
            unknown_messages=dict(reader.unknown),
            unknown_statuses=dict(self._states.halts.unknown_codes),
            late_reports=reader.reports.recent.late,
            repeated_reports=reader.reports.recent.repeated,
        )

    def _subscribed(self) -> list[str]:
        """Return the subscribed symbols in order; the same list until they change."""
        subscribed = self._subscription.acknowledged[TRADES]
        if subscribed is not self._sorted_of:
            self._sorted_of, self._sorted = subscribed, sorted(subscribed)
        return self._sorted

    def _rejected(self, wanted: Set[str]) -> set[str]:
        """Return the wanted symbols that have no price and that Alpaca does not list."""
        return self._prices.unknown_symbols() & wanted

    def _view(self) -> StatesView:
        acknowledged, wanted = self._subscription.acknowledged[TRADES], self._demand.symbols()
        # A chart needs no trades: it is no fault if a symbol that is only charted has none.
        if charted := self._demand.only_charted():
            wanted -= charted - acknowledged
        return StatesView(
            # One that no client needed until now is being connected.
            stream_live=self.stream.health.live or not self.stream.in_use,
            stream_reason=self.stream.health.reason,
            session=self._prices.hours.session_now(time.time_ns()),
            wanted=wanted,
            acknowledged=acknowledged,
            over_limit=set(self._subscription.over_limit),
            rejected=self._rejected(wanted),
            refused=self._subscription.rejected,
            withheld=self._withheld.symbols,
            lasting=self._withheld.lasting,
            disputed=self._withheld.disputed,
            heard=self._subscription.acknowledged.get(STATUSES, _NOTHING),
            rest_fails=self._snapshots.failing_seconds >= REST_FAILURE_SECONDS,
            stream_failed=self.stream.health.failed,
        )

    def _some_quiet_ones(self, turn: int) -> list[str]:
        """Return some of the subscribed symbols with no recent streamed trade, others each turn."""
        recently = time.time_ns() - int(self.rest.delay_seconds * 1e9) - QUIET_NS
        quiet = [
            symbol
            for symbol in self._subscribed()
            if self._prices.streamed_ns_of(symbol) < recently
        ]
        # A window that moves on with each turn, and starts again from the front at the end.
        start = turn * QUIET_AT_ONCE % max(len(quiet), 1)
        return (quiet + quiet)[start : start + min(QUIET_AT_ONCE, len(quiet))]
