"""All that concerns the account while this process leads, put together."""

import asyncio
import time
from collections.abc import Callable

from ingest.bus.announcer import Announcer
from ingest.bus.stored_account import StoredAccount
from ingest.demand.wanted import Demand
from ingest.portfolio.order_log import OrderLog
from ingest.portfolio.portfolio import Portfolio
from ingest.settings import IngestSettings
from ingest.upstream.account_stream import AccountStream
from ingest.upstream.alpaca_rest import AlpacaRest
from ingest.upstream.broker import BrokerSide
from ingest.upstream.broker_reports import BrokerReports
from ingest.upstream.feed import Feed
from ingest.upstream.feed_health import FeedHealth
from shared.account import BrokerState
from shared.bus.errors import BusError
from shared.price import Price
from shared.waiting import wait_at_most

LOOK_SECONDS = 1.0

RETRY_SECONDS = 0.5

SILENT_SECONDS = 90.0
"""After so long without a report nobody knows whether the positions are right."""


class BrokerDesk:
    """The account's stream and reports, the positions that come of them, and what is told."""

    def __init__(
        self,
        settings: IngestSettings,
        rest: AlpacaRest,
        stored: StoredAccount,
        demand: Demand,
        announcer: Announcer,
        price_of: Callable[[str], Price | None],
    ) -> None:
        self._changed = asyncio.Event()
        self.portfolio = Portfolio(price_of, time.monotonic, self._changed.set)
        self.health = FeedHealth()
        self._settings = settings
        self._stored = stored
        self._demand = demand
        self._announcer = announcer
        self._orders = OrderLog(time.time_ns())
        self._side = BrokerSide(self.portfolio, self._orders, announcer)
        self.feed = Feed(self._connect, self._side, self.health)
        self._reports = BrokerReports(
            rest, demand, self.portfolio, self._orders, announcer, self._side, self._changed.set
        )

    async def run(self) -> None:
        """Ask, listen and tell until cancelled."""
        await self._restore()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._reports.run())
            tasks.create_task(self._tell())

    def publish_all(self) -> None:
        """Announce everything that is known, for a new epoch or an empty Redis."""
        self.portfolio.repeat_all()

    async def _restore(self) -> None:
        """Begin where the last leader ended."""
        while True:
            try:
                before, orders = await self._stored.account(), await self._stored.orders()
            except BusError:  # the lease reports the loss
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if before is not None:
                self.portfolio.restore(before)
            self._orders.restore(orders)
            return

    async def _tell(self) -> None:
        portfolio = self.portfolio
        while True:
            self._changed.clear()
            self._judge()
            positions, account = portfolio.take_changes()
            for position in positions:
                self._announcer.position(position)
            if account is not None:
                self._announcer.account(account)
                self._demand.set_positions(portfolio.stocks())
            due = portfolio.seconds_to_account()
            await wait_at_most(self._changed, LOOK_SECONDS if due is None else due)

    def _judge(self) -> None:
        """Say whether the broker can be heard, once it has been asked."""
        reports, read_at = self._reports, self._reports.read_at
        if not reports.reads:
            return
        if read_at is None:
            state: BrokerState = "unknown" if self.portfolio.restored is None else "stale"
            self.portfolio.set_state(state, reports.failing)
        elif self._side.streaming_since is None and self._settings.alpaca_trade_updates:
            why = self.health.reason or "it is being connected"
            self.portfolio.set_state("stale", f"the account's stream is away: {why}")
        elif reports.failing and time.monotonic() - read_at > SILENT_SECONDS:
            self.portfolio.set_state("stale", f"the broker's reports fail: {reports.failing}")
        else:
            self.portfolio.set_state("live", None)

    def _connect(self) -> AccountStream:
        credentials = self._settings.credentials
        assert credentials is not None  # noqa: S101 - whoever made the settings has checked them
        return AccountStream(self._settings.account_endpoint, *credentials)
