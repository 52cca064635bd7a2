"""The handler of a market's stream: symbols to subscribe, frames to apply, gaps to fill."""

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from ingest.alpaca.messages import Message, decode
from ingest.demand.channels import TRADES
from ingest.demand.subscription import Subscription, SubscriptionChange
from ingest.demand.wanted import DEMAND_CHANGE_SECONDS, Demand
from ingest.market.lag import Lag
from ingest.market.last_price import LastPrices
from ingest.market.stream_silence import StreamSilence
from ingest.market.withheld_trades import WithheldTrades
from ingest.upstream.frame import FrameReader
from ingest.upstream.imbalance_gaps import ImbalanceGaps
from ingest.upstream.mute_stream import MuteStream
from ingest.upstream.snapshots import Snapshots
from ingest.upstream.stream_holder import IsAnswering
from ingest.upstream.stream_times import StreamTimes
from ingest.upstream.suspected_losses import OddSilence, SuspectedLosses
from shared.ingest_status import Session
from shared.topics import TRADE, topic

SILENCE_JUDGE_SECONDS = 0.25

UNNOTICED_SECONDS = 120.0
"""Among a thousand silent symbols, REST is asked about each one within this time."""


class BarMaker(Protocol):
    """Makes bars of the stream's data, beside the prices."""

    def on_subscription(self) -> None:
        """Note that other symbols may be subscribed than before."""

    def on_missed(self, since: float, symbol: str | None = None) -> None:
        """Note that the stream, which lives, may have lost data since a time (unix s).

        ``symbol``: of this one; None: of all.
        """


class BookMaker(Protocol):
    """Makes order books of the stream's messages; ``now`` is monotonic seconds."""

    def on_unreadable(self, symbol: str, now: float, /) -> None:
        """Note that a message about a book is lost; an empty symbol: about any of them."""

    def on_subscription(self, now: float, /) -> None:
        """Note the subscribed books."""

    def on_lost(self) -> None:
        """Note that the connection has ended."""


class MarketHandler:
    """Applies the stream without any knowledge of sockets.

    ``name`` is the stream's in logs and reports. ``bars`` and ``books`` are made of the stream's
    data, too. ``always_needed``: the connection is open whether clients watch one of its symbols or
    not.
    """

    def __init__(
        self,
        name: str,
        demand: Demand,
        subscription: Subscription,
        reader: FrameReader,
        silence: StreamSilence,
        lag: Lag,
        withheld: WithheldTrades,
        snapshots: Snapshots,
        prices: LastPrices,
        bars: BarMaker,
        imbalances: ImbalanceGaps,
        books: BookMaker | None = None,
        *,
        decode: Callable[[bytes | str], Sequence[Message]] = decode,
        always_needed: bool = True,
        monotonic: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self.malformed = reader.malformed
        self._always_needed = always_needed
        self._decode = decode
        self._demand = demand
        self._subscription = subscription
        self._reader = reader
        self._silence = silence
        self._lag = lag
        self._withheld = withheld
        self._snapshots = snapshots
        self._prices = prices
        self._bars, self._books, self._imbalances = bars, books, imbalances
        self._monotonic, self._clock = monotonic, clock
        self._times = StreamTimes(clock())
        self._losses = SuspectedLosses()
        self._mute = self._new_mute_stream()

    def _new_mute_stream(self) -> MuteStream:
        return MuteStream(
            self._silence,
            self._lag,
            self._snapshots,
            self._times,
            self._session,
            lambda: self._subscription.acknowledged[TRADES],
            self._prices.streamed_ns_of,
            self._prices.newest_streamed_ns,
            monotonic=self._monotonic,
            clock=self._clock,
        )

    def decode(self, frame: bytes | str) -> Sequence[Message]:
        """Return the messages of a frame.

        Raises:
            BadFrameError: it is not a msgpack array.
        """
        return self._decode(frame)

    async def needed(self) -> None:
        """Return once a client watches a symbol, or at once if the connection is always needed.

        An open connection saves the first viewer a second.
        """
        while self.is_idle:
            await self._demand.wait_for_change(DEMAND_CHANGE_SECONDS)

    @property
    def is_idle(self) -> bool:
        """Whether the connection is not needed at present."""
        return not self._always_needed and not self._demand.wanted()

    def connected(self) -> None:
        """Start a connection, which has no subscription."""
        self._subscription.begin()
        self._silence.begin(self._monotonic())
        self._lag.begin()
        self._times.begin(self._clock())

    def lost(self) -> None:
        """Schedule the trades from now on, to be fetched once their symbol is subscribed again."""
        last = self._times.newest_data
        self._mute.lost()
        # A symbol can only miss trades from the time on at which it was subscribed.
        since = {
            s: max(min(last, self._unnoticed_since(s)), at)
            for s, at in self._times.acknowledged.items()
        }
        # The living stream withheld these, and could not read those: their prints are missing since
        # earlier.
        for earlier in (self._withheld.on_stream_lost(), self._losses.take_unread()):
            for symbol, at in earlier.items():
                since[symbol] = min(at, since.get(symbol, at))
                self._bars.on_missed(at, symbol)
        self._snapshots.on_stream_lost(since)
        self._imbalances.lost(last)
        self._times.end()
        self._subscription.begin()
        self._bars.on_subscription()
        if self._books is not None:
            self._books.on_lost()

    def on_bad_frame(self) -> None:
        """Note that a whole frame could not be read."""
        if self._books is not None:
            self._books.on_unreadable("", self._monotonic())

    def _unnoticed_since(self, symbol: str) -> float:
        """Return since when (unix s) the connection may have withheld prints of a watched tape.

        A symbol is found to be withheld some time later.
        """
        if not self._demand.watches(topic(TRADE, symbol)):
            return math.inf
        brought_until = self._withheld.brought_until(symbol)
        return max(brought_until, self._times.newest_data - UNNOTICED_SECONDS)

    async def prepare(self) -> None:
        """Apply the stored values of new symbols: their first trade may be a late one."""
        await self._snapshots.stored.restore_wanted()

    def next_change(self) -> SubscriptionChange | None:
        """Return the next difference between the wanted and the subscribed symbols."""
        return self._subscription.next_change(self._demand.wanted())

    @property
    def stuck(self) -> bool:
        """Whether the last answer changed nothing."""
        return self._subscription.stuck

    @property
    def is_urgent(self) -> bool:
        """Whether clients watch symbols while the market trades, or may do so."""
        return self._session() != "closed" and bool(self._demand.wanted())

    async def demand_changed(self) -> None:
        """Return when the demand changes, or after a second: lingering symbols run out."""
        await self._demand.wait_for_change(DEMAND_CHANGE_SECONDS)

    def apply(self, messages: Sequence[Message], received_us: int) -> bool:
        """Apply a frame; return whether it answers a change.

        Raises:
            UpstreamError: Alpaca ends the connection.
        """
        now = self._monotonic()
        answered = self._reader.apply(messages, received_us, now)
        if self._reader.unread:
            self._losses.on_unread(self._reader.take_unread(), now, received_us / 1e6)
        # An answer of Alpaca's shows that the connection lives, not that data flows.
        if answered:
            self._silence.on_subscribed(now)
            self._note_acknowledged(received_us / 1e6)
        else:
            # Alpaca may have dropped data in the interruption, although the connection stayed open.
            if self._silence.is_odd(now):
                since, until = self._times.newest_data, received_us / 1e6
                self._losses.on_odd_silence(OddSilence(now, since, until))
            self._silence.on_data(now, len(messages))
            self._times.newest_data = received_us / 1e6
        return answered

    async def watch(self, is_answering: IsAnswering) -> None:
        """Fetch prints that may be lost and judge the silence, four times a second.

        Raises:
            UpstreamError: the market has trades that this connection does not bring.
        """
        while True:
            await asyncio.sleep(SILENCE_JUDGE_SECONDS)
            self._fetch_losses(self._monotonic())
            await self._mute.check(is_answering)

    def _fetch_losses(self, now: float) -> None:
        """Fetch the prints that odd silences may have swallowed, or that could not be read.

        After a silence, a symbol that has traded since then has the right price again; a watched
        tape lacks its prints all the same.
        """
        for odd in self._losses.take_settled(now):
            self._bars.on_missed(odd.since)
            for symbol, at in self._times.acknowledged.items():
                has_traded = (self._prices.timestamp_of(symbol) or 0) / 1e9 >= odd.until
                if not has_traded or self._demand.watches(topic(TRADE, symbol)):
                    self._snapshots.open_gap(symbol, max(odd.since, at))
        for symbol, since in self._losses.take_known_to_rest(now, self._clock()).items():
            self._bars.on_missed(since, symbol)
            self._snapshots.open_gap(symbol, since)

    def _session(self) -> Session:
        # Asked for at each call: ``HoursRefresh`` replaces the hours.
        return self._prices.hours.session_now(int(self._clock() * 1e9))

    def _note_acknowledged(self, now: float) -> None:
        subscribed = self._subscription.acknowledged[TRADES]
        self._times.on_acknowledged(subscribed, now)
        self._withheld.on_subscribed(subscribed, int(now * 1e9), self._monotonic())
        self._snapshots.on_subscribed(subscribed)
        self._imbalances.on_acknowledged()
        self._bars.on_subscription()
        if self._books is not None:
            self._books.on_subscription(self._monotonic())
