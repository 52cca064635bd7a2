"""Reads the broker's positions, account and orders by REST: at start, after events, regularly."""

import asyncio
import time
from collections.abc import Callable

import structlog

from ingest.alpaca.account_rows import read_account, read_positions
from ingest.demand.wanted import Demand
from ingest.portfolio.asset_class import CRYPTO
from ingest.portfolio.order_log import FILLS, OrderLog, changed_at
from ingest.portfolio.portfolio import Portfolio
from ingest.upstream import account_translation
from ingest.upstream.account_handler import AccountHandler
from ingest.upstream.alpaca_rest import ORDERS_AT_ONCE, AlpacaRest
from ingest.upstream.announcements import Announcements
from ingest.upstream.blocking_calls import RestError
from ingest.upstream.order_translation import orders
from ingest.upstream.report_reading import AccountReading, PositionsReading, ReportReading
from shared import rfc3339
from shared.order import Order
from shared.topics import ORDERS
from shared.waiting import wait_at_most

log = structlog.get_logger()

BROKER_REPORT_SECONDS = 30.0

REST_ONLY_REPORT_SECONDS = 5.0
"""The same while REST is the only source: no stream, or a position with no price of the tape."""

REPORT_SPACING_SECONDS = 2.0
"""The shortest time from one report to the next, for each three requests of the first. With a
request for orders now and then, reports use at most 100 of the account's 200 requests a minute."""

REQUESTS_PER_SPACING = 3
"""Positions, account, and one of them again if the first two show anything new."""

CLAIMS_SECONDS = 2.0
"""After a loss of Redis' data, gateways write their values back before they claim any symbol. A
symbol that was looked up before that, without a claim, could show an older price."""


class BrokerReports:
    """Reads positions, account and orders. ``failing``: why the newest report failed."""

    def __init__(
        self,
        rest: AlpacaRest,
        demand: Demand,
        portfolio: Portfolio,
        orders: OrderLog,
        announcer: Announcements,
        handler: AccountHandler,
        on_read: Callable[[], None] = lambda: None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.failing: str | None = None
        self.reads = 0
        self.read_at: float | None = None
        """The monotonic time at which a report was last requested with success."""
        self._rest = rest
        self._demand = demand
        self._portfolio = portfolio
        self._orders = orders
        self._announcer = announcer
        self._handler = handler
        self._on_read = on_read
        self._monotonic = monotonic
        self._clock_ns = clock_ns
        self._requests = 0
        self._reading = ReportReading(
            self._read_positions, self._read_account, portfolio.holdings.explains
        )
        self._orders_at = -BROKER_REPORT_SECONDS
        self._orders_streaming_since: float | None = None

    async def run(self) -> None:
        """Read until cancelled; while Alpaca does not answer, the last values stay."""
        await self._demand.wait_for_change(CLAIMS_SECONDS)
        while True:
            began = self._monotonic()
            self._handler.report_due.clear()
            try:
                await self._read(began)
            except RestError as error:
                self._note_failure(error.kind)
            except ValueError as error:
                self._rest.malformed.note("account", error)
                self._note_failure(str(error))
            except Exception as error:
                # The boundary for the errors that no rule expects: the last figures stay.
                self._rest.malformed.note_escaped("account", error)
                self._note_failure(f"the report cannot be applied: {error!r}")
            else:
                self.failing, self.read_at = None, began
            self.reads += 1
            self._on_read()
            await wait_at_most(self._handler.report_due, self._seconds_to_next())
            pause = REPORT_SPACING_SECONDS * max(1.0, self._requests / REQUESTS_PER_SPACING)
            await asyncio.sleep(began + pause - self._monotonic())

    def _seconds_to_next(self) -> float:
        """Return the longest time to the next report if nothing happens meanwhile."""
        streams = self._handler.streaming_since is not None
        slow = streams and not self._portfolio.relies_on_broker
        seconds = BROKER_REPORT_SECONDS if slow else REST_ONLY_REPORT_SECONDS
        to_orders = self._portfolio.holdings.witness.seconds_to_orders
        return seconds if to_orders is None else min(seconds, to_orders)

    def _note_failure(self, why: str) -> None:
        if self.failing is None:
            log.warning("broker_report_failed", error=why)
        self.failing = why

    async def _read(self, began: float) -> None:
        as_of = rfc3339.from_unix(self._clock_ns() / 1e9)
        streaming_since = self._handler.streaming_since
        report, self._requests = await self._reading.read(as_of)
        if not self._portfolio.on_report(report, streaming_since):
            self._handler.report_due.set()
        witness = self._portfolio.holdings.witness
        is_new_stream = streaming_since is None or streaming_since != self._orders_streaming_since
        if (
            is_new_stream
            or began - self._orders_at >= BROKER_REPORT_SECONDS
            or witness.seconds_to_orders == 0
        ):
            await self._read_orders()
            witness.end_waiting()
            self._orders_at, self._orders_streaming_since = began, streaming_since

    async def _read_positions(self) -> PositionsReading:
        asked_at, as_of = self._monotonic(), rfc3339.from_unix(self._clock_ns() / 1e9)
        rows, unreadable = read_positions(await self._rest.positions())
        holdings, without_sum = account_translation.positions(rows, as_of)
        for _ in (*unreadable, *without_sum):
            # The account's data belongs in no log; ``unpriced`` names the symbol.
            self._rest.malformed.note("position", "the rows of a symbol cannot be read")
        # A row that cannot be read may have no class of assets, which decides the spelling.
        pairs = (account_translation.tape_symbol(symbol, CRYPTO) for symbol in unreadable)
        owned = self._portfolio.holdings.by_symbol
        spelt = [p if p in owned else s for p, s in zip(pairs, unreadable, strict=True)]
        return PositionsReading(holdings, [*spelt, *without_sum], asked_at)

    async def _read_account(self) -> AccountReading:
        asked_at = self._monotonic()
        row = read_account(await self._rest.account())
        return AccountReading(account_translation.account(row), asked_at)

    async def _read_orders(self) -> None:
        handler = self._handler
        rows = orders(
            await self._rest.orders(), lambda problem: self._rest.malformed.note("orders", problem)
        )
        now, lost_ns = self._clock_ns(), handler.lost_ns
        streaming_since_ns = now if handler.streaming_since is None else handler.streaming_since_ns
        news = self._orders.on_orders(rows, now, streaming_since_ns)
        if len(news) >= ORDERS_AT_ONCE:  # and there may have been more
            since, until = rfc3339.from_nanoseconds(lost_ns), rfc3339.from_nanoseconds(now)
            self._announcer.gap([ORDERS], since, until, "upstream_lost")
        for event in news:
            self._announcer.order(event)
            # A fill from before the stream was there is no sign against the stream.
            if event.event in FILLS and changed_at(event.order) > streaming_since_ns:
                for symbol in _symbols_of(event.order):
                    self._portfolio.holdings.witness.on_unstreamed_fill(symbol)


def _symbols_of(order: Order) -> list[str]:
    """Return the symbols whose quantities a fill changes: a multi-leg order has none of its own."""
    return [each.symbol for each in ([order] if order.symbol else order.legs) if each.symbol]
