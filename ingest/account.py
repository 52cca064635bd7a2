"""The account while this process leads: its positions and value, announced as they change."""

import asyncio
import time
from collections.abc import Collection

from ingest.bus.announcer import Announcer
from ingest.bus.stored_account import StoredAccount
from ingest.demand.wanted import Demand
from ingest.portfolio.order_log import OrderLog
from ingest.portfolio.portfolio import Portfolio
from ingest.upstream.account_handler import AccountHandler
from ingest.upstream.broker_reports import BrokerReports
from ingest.upstream.stream_holder import StreamHolder
from shared.account import BrokerState
from shared.bus.errors import BusError
from shared.waiting import wait_at_most

BROKER_STATE_SECONDS = 0.1
"""A doubt of the figures, which starts at no event, shows this much late at most."""

RESTORE_RETRY_SECONDS = 0.5

SILENT_SECONDS = 90.0
"""Without a report for this long, the positions may be wrong: three reports have failed."""


class BrokerAccount:
    """Announces the positions and the account, and judges whether the broker's data is current.

    ``changed`` is set by the portfolio and the reports. ``demands`` are those of all markets.
    ``streams_orders``: whether the stream is used at all, or only reports.
    """

    def __init__(
        self,
        *,
        stream: StreamHolder,
        portfolio: Portfolio,
        orders: OrderLog,
        handler: AccountHandler,
        reports: BrokerReports,
        stored: StoredAccount,
        demands: Collection[Demand],
        announcer: Announcer,
        changed: asyncio.Event,
        streams_orders: bool,
    ) -> None:
        self.stream = stream
        self._portfolio = portfolio
        self._orders = orders
        self._handler = handler
        self._reports = reports
        self._stored = stored
        self._demands = demands
        self._announcer = announcer
        self._changed = changed
        self._streams_orders = streams_orders

    async def run(self) -> None:
        """Read the broker's reports and announce changes until cancelled."""
        await self._restore()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._reports.run())
            tasks.create_task(self._announce())

    def republish(self) -> None:
        """Announce every known value again, for a new epoch or an emptied Redis."""
        self._portfolio.repeat_all()

    async def _restore(self) -> None:
        """Start from the values that the last leader published.

        Reports wait for it, so that they do not announce the same orders again.
        """
        while True:
            try:
                account, orders = await self._stored.account(), await self._stored.orders()
            except BusError:  # the lease reports the loss
                await asyncio.sleep(RESTORE_RETRY_SECONDS)
                continue
            if account is not None:
                self._portfolio.restore(account)
            self._orders.restore(orders.updates, orders.whole_since)
            self._handler.announce_lost()
            return

    async def _announce(self) -> None:
        portfolio = self._portfolio
        while True:
            # Cleared before the changes are taken: one that comes later sets it again.
            self._changed.clear()
            self._judge()
            positions, account = portfolio.take_changes()
            for position in positions:
                self._announcer.position(position)
            # After the positions, which its figures include.
            if account is not None:
                self._announcer.account(account)
                held = list(portfolio.symbols())
                for demand in self._demands:
                    demand.set_positions(held)
            # While only prices change, the account is due a moment later and not at every tick.
            due = portfolio.seconds_to_account()
            await wait_at_most(self._changed, BROKER_STATE_SECONDS if due is None else due)

    def _judge(self) -> None:
        """Set whether the broker's data is current, once a report has been requested."""
        reports, read_at = self._reports, self._reports.read_at
        if not reports.reads:
            return
        # REST has never answered this leader; the last leader's values are shown as stale.
        if read_at is None:
            state: BrokerState = "unknown" if self._portfolio.restored is None else "stale"
            self._portfolio.set_state(state, reports.failing)
        # Reports come every few seconds, but an execution between two of them would show late.
        elif self._streams_orders and self._handler.streaming_since is None:
            why = self.stream.health.reason or "it is being connected"
            self._portfolio.set_state("stale", f"the account's stream is disconnected: {why}")
        # The stream brings executions but no dividends, transfers or option exercises.
        elif reports.failing and time.monotonic() - read_at > SILENT_SECONDS:
            self._portfolio.set_state("stale", f"the broker's reports fail: {reports.failing}")
        else:
            self._portfolio.set_state("live", None)
