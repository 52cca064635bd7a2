"""The account's ``StreamHandler``: orders and executions in, events and changed positions out."""

import asyncio
import time
from collections.abc import Callable, Sequence

import structlog

from ingest.alpaca import trade_updates
from ingest.alpaca.trade_updates import TradeUpdate
from ingest.alpaca.unreadable import BadFrameError, LostFields, Malformed
from ingest.demand.subscription import SubscriptionChange
from ingest.portfolio.order_log import OrderLog
from ingest.portfolio.portfolio import Portfolio
from ingest.upstream.announcements import Announcements
from ingest.upstream.malformed_data import MalformedData
from ingest.upstream.order_translation import (
    executions,
    order_update,
    remove_unreadable_times,
)
from ingest.upstream.stream_holder import IsAnswering
from ingest.upstream.upstream_error import Retry, UpstreamError
from shared import rfc3339
from shared.topics import ORDERS

log = structlog.get_logger()

COMPARE_SECONDS = 1.0


class AccountHandler:
    """Applies the account's stream without any knowledge of sockets.

    ``report_due`` is set when the account should be read by REST.
    """

    name = "account"
    stuck = False
    is_urgent = True
    """Its events say that the account is out of date until the stream is back."""

    def __init__(
        self,
        portfolio: Portfolio,
        orders: OrderLog,
        announcer: Announcements,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.report_due = asyncio.Event()
        self.malformed = MalformedData(self.name)
        self.streaming_since: float | None = None
        """The monotonic time since which the stream has delivered; None while it does not."""
        self.streaming_since_ns = 0
        """The same in unix ns, of the last time."""
        self.lost_ns = clock_ns()
        """The unix time in ns at which it last stopped delivering."""
        self._portfolio = portfolio
        self._orders = orders
        self._announcer = announcer
        self._monotonic = monotonic
        self._clock_ns = clock_ns
        self._requested = False

    def decode(self, frame: bytes | str) -> Sequence[trade_updates.Message]:
        """Return the messages of a frame.

        Raises:
            BadFrameError: it contains no messages.
        """
        try:
            return trade_updates.decode(frame)
        except BadFrameError:
            self._note_possible_execution()
            raise

    async def needed(self) -> None:
        """Return at once: the account's stream is always needed, so that no fill is missed."""

    @property
    def is_idle(self) -> bool:
        """Whether it is not needed at present: once it was needed, it stays open."""
        return False

    def connected(self) -> None:
        """Start a connection, which delivers nothing before the client listens to a channel."""
        self._requested = False

    def lost(self) -> None:
        """Note that the stream has ended; the account's events have reported it."""
        if self.streaming_since is not None:
            self.streaming_since, self.lost_ns = None, self._clock_ns()
        self.report_due.set()

    def on_bad_frame(self) -> None:
        """Do nothing: the count of malformed data reports it."""

    async def prepare(self) -> None:
        """Return at once: nothing precedes the subscription."""

    def next_change(self) -> SubscriptionChange | None:
        """Return, once, the request to listen to the one channel."""
        if self._requested:
            return None
        self._requested = True
        return SubscriptionChange("subscribe", trade_updates.CHANNEL, ())

    async def demand_changed(self) -> None:
        """Wait until cancelled: there is nothing else to request."""
        await asyncio.Event().wait()

    async def watch(self, _: IsAnswering) -> None:
        """Compare the stream with REST's reports and orders.

        Raises:
            UpstreamError: the stream has not brought an execution.
        """
        while True:
            await asyncio.sleep(COMPARE_SECONDS)
            if self._portfolio.holdings.witness.take_lacking() is not None:
                raise UpstreamError(
                    "REST's positions and orders have an execution that the account's stream lacks"
                )

    def apply(self, messages: Sequence[trade_updates.Message], received_us: int) -> bool:  # noqa: ARG002
        """Apply a frame; return whether it answers a change.

        Raises:
            UpstreamError: Alpaca ends the connection.
        """
        answered = False
        for message in messages:
            try:
                answered = self._on_message(message) or answered
            except UpstreamError:
                raise
            except ValueError as error:  # an update with no valid time
                self._note_malformed(type(message).__name__, error)
            except Exception as error:
                # The boundary for the errors that no rule expects: prices depend on this process.
                self.malformed.note_escaped(type(message).__name__, error)
                self._note_possible_execution()
        return answered

    def _on_message(self, message: trade_updates.Message) -> bool:
        """Apply a message; return whether it answers a change."""
        match message:
            case TradeUpdate():
                self._on_trade_update(message)
            case trade_updates.Listening(streams) if trade_updates.CHANNEL in streams:
                self.streaming_since, self.streaming_since_ns = (
                    self._monotonic(),
                    self._clock_ns(),
                )
                self._portfolio.holdings.witness.on_connected()
                self._portfolio.holdings.on_streaming()
                # The stream repeats no change from before it: REST has those.
                self.report_due.set()
                return True
            case trade_updates.Listening(_, error):
                # Alpaca leaves out a stream that it does not offer to this account. Each try
                # counts towards the limit of connections.
                reason = error or "no reason given"
                raise UpstreamError(
                    f"Alpaca does not offer {trade_updates.CHANNEL}: {reason}",
                    retry=Retry.MUCH_LATER,
                )
            case trade_updates.Error(text):
                raise UpstreamError(text)
            case Malformed("error", problem):
                raise UpstreamError(f"an error of another form: {problem}")
            case Malformed(kind, problem):
                self._note_malformed(kind, problem)
                self._portfolio.holdings.witness.on_message(None)
            case LostFields(kind, problem):
                self.malformed.note(kind, problem)
        return False

    def _on_trade_update(self, update: TradeUpdate) -> None:
        problems = remove_unreadable_times(update)
        received_ns = self._clock_ns()
        # Both before either is applied: an update counts as a whole or not at all.
        order, changes = order_update(update, received_ns), executions(update, received_ns)
        for problem in problems:
            self.malformed.note(trade_updates.CHANNEL, problem)
        self._portfolio.holdings.witness.on_message(order.symbol)
        event = self._orders.on_update(order)
        self.announce_lost()
        if event is not None:
            self._announcer.order(event)
        if changes is None:
            self._note_malformed(order.event, "an execution that cannot be read in full")
        self._portfolio.on_execution(*(changes or ()))
        self.report_due.set()

    def announce_lost(self) -> None:
        """Announce the executions that no update has brought, as a ``gap``."""
        for lost in self._orders.take_lost():
            since, until = map(rfc3339.from_nanoseconds, lost)
            self._announcer.gap([ORDERS], since, until, "upstream_lost")

    def _note_malformed(self, kind: str, problem: object) -> None:
        self.malformed.note(kind, problem)
        self._note_possible_execution()

    def _note_possible_execution(self) -> None:
        """Note that an execution may have come that could not be read: REST knows its effect."""
        self._portfolio.holdings.on_unreadable_execution()
        self.report_due.set()
