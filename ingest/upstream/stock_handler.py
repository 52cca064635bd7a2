"""The handler of the stock stream: symbols to subscribe, frames to apply, gaps to fill."""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ingest.alpaca.messages import Message, decode
from ingest.demand.channels import TRADES
from ingest.demand.lookups import SYMBOLS_PER_LOOKUP
from ingest.demand.subscription import Subscription, SubscriptionChange
from ingest.demand.wanted import DEMAND_CHANGE_SECONDS, Demand
from ingest.market.lag import Lag
from ingest.market.stream_silence import Silence, StreamSilence
from ingest.market.withheld_trades import WithheldTrades
from ingest.upstream.frame import FrameReader
from ingest.upstream.snapshots import Snapshots
from ingest.upstream.stream_holder import IsAnswering
from ingest.upstream.upstream_error import UpstreamError
from shared.ingest_status import Session
from shared.topics import TRADE, topic

SILENCE_JUDGE_SECONDS = 0.25

SETTLE_SECONDS = 1.5
"""The time after a silence in which late data arrives by itself."""

UNREAD_SECONDS = 5.0
"""The time after which REST knows a print that could not be read."""

PONG_SECONDS = 2.0
"""The network may stall for a moment: lost packets are sent again within this time, several times.
Alpaca answers within a few tenths of a second, after everything that it has sent before."""

ON_ITS_WAY_SECONDS = 0.5
"""How long a trade that REST has may still be on its way, on a connection that answers pings."""

LEAD_NS = 300_000_000
"""A trade that is newer by this than all that the stream has brought does not arrive beside it."""

CLOCKS_SECONDS = 2.0
"""The difference of the exchange's clock and ours, and the time that a trade is on its way."""

UNNOTICED_SECONDS = 120.0
"""Among a thousand silent symbols, REST is asked about each one within this time."""


class _OddSilence(NamedTuple):
    """A silence that has ended and may have swallowed data.

    ``ended`` is monotonic seconds, ``since`` and ``until`` are unix seconds.
    """

    ended: float
    since: float
    until: float


class _Unread(NamedTuple):
    """The prints of a watched tape that could not be read: REST may have them in another form.

    ``first`` and ``newest`` are monotonic seconds, ``since`` is unix seconds.
    """

    first: float
    newest: float
    since: float


class StockHandler:
    """Applies the stream without any knowledge of sockets.

    ``session`` returns the market's present session. Of a symbol's trades ``traded_at`` returns the
    exchange's time (unix ns) of the newest known one, ``streamed_at`` that of the newest one that
    the stream has brought (-1 if none); ``newest_streamed_at`` returns that of any symbol.
    """

    name = "stocks"

    def __init__(
        self,
        demand: Demand,
        subscription: Subscription,
        reader: FrameReader,
        silence: StreamSilence,
        lag: Lag,
        withheld: WithheldTrades,
        snapshots: Snapshots,
        session: Callable[[], Session],
        traded_at: Callable[[str], int | None],
        streamed_at: Callable[[str], int],
        newest_streamed_at: Callable[[], int],
        *,
        monotonic: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.malformed = reader.malformed
        self._demand = demand
        self._subscription = subscription
        self._reader = reader
        self._silence = silence
        self._lag = lag
        self._withheld = withheld
        self._snapshots = snapshots
        self._session = session
        self._traded_at = traded_at
        self._streamed_at = streamed_at
        self._newest_streamed_at = newest_streamed_at
        self._monotonic = monotonic
        self._clock = clock
        self._last_message_at = clock()
        # Our clock minus the exchange's, and the time that a trade is on its way, when last known.
        self._lag_seconds: float | None = None
        self._probes = 0
        self._odd: deque[_OddSilence] = deque()
        self._unread: dict[str, _Unread] = {}
        self._acknowledged_at: dict[str, float] = {}

    def decode(self, frame: bytes | str) -> Sequence[Message]:
        """Return the messages of a frame.

        Raises:
            BadFrameError: it is not a msgpack array.
        """
        return decode(frame)

    async def needed(self) -> None:
        """Return at once: an open connection saves the first viewer a second."""

    def connected(self) -> None:
        """Start a connection, which has no subscription."""
        self._subscription.begin()
        self._acknowledged_at = {}
        self._silence.begin(self._monotonic())
        self._lag.begin()
        self._last_message_at = self._clock()

    def lost(self) -> None:
        """Schedule the trades from now on, to be fetched once their symbol is subscribed again."""
        last = self._last_message_at
        if self._lag.ms is not None:
            self._lag_seconds = self._lag.ms / 1000
        # A symbol can only miss trades from the time on at which it was subscribed.
        since = {
            s: max(min(last, self._unnoticed_since(s)), at)
            for s, at in self._acknowledged_at.items()
        }
        # The living stream withheld these: their prints are missing since earlier.
        for symbol, at in self._withheld.on_stream_lost().items():
            since[symbol] = min(at, since.get(symbol, at))
        for symbol, unread in self._unread.items():
            since[symbol] = min(unread.since, since.get(symbol, unread.since))
        self._unread.clear()
        self._snapshots.on_stream_lost(since)
        self._acknowledged_at = {}
        self._subscription.begin()

    def _unnoticed_since(self, symbol: str) -> float:
        """Return since when (unix s) the connection may have withheld prints of a watched tape.

        A symbol is found to be withheld some time later.
        """
        if not self._demand.watches(topic(TRADE, symbol)):
            return math.inf
        brought_until = self._withheld.brought_until(symbol)
        return max(brought_until, self._last_message_at - UNNOTICED_SECONDS)

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
            self._note_unread(now, received_us / 1e6)
        # An answer of Alpaca's shows that the connection lives, not that data flows.
        if answered:
            self._silence.on_subscribed(now)
            self._note_acknowledged(received_us / 1e6)
        else:
            # Alpaca may have dropped data in the interruption, although the connection stayed open.
            if self._silence.is_odd(now):
                self._odd.append(_OddSilence(now, self._last_message_at, received_us / 1e6))
            self._silence.on_data(now, len(messages))
            self._last_message_at = received_us / 1e6
        return answered

    def _catch_up(self, now: float) -> None:
        """Fetch the trades that odd silences may have swallowed.

        A symbol that has traded since has the right price again; a watched tape lacks its prints
        all the same.
        """
        while self._odd and now - self._odd[0].ended >= SETTLE_SECONDS:
            odd = self._odd.popleft()
            for symbol, at in self._acknowledged_at.items():
                has_traded = (self._traded_at(symbol) or 0) / 1e9 >= odd.until
                if not has_traded or self._demand.watches(topic(TRADE, symbol)):
                    self._snapshots.open_gap(symbol, max(odd.since, at))

    def _note_unread(self, now: float, received_at: float) -> None:
        for symbol in self._reader.take_unread():
            earlier = self._unread.get(symbol, _Unread(now, now, received_at - CLOCKS_SECONDS))
            self._unread[symbol] = earlier._replace(newest=now)

    def _fetch_unread(self, now: float) -> None:
        """Fetch the prints of watched tapes that could not be read, or announce their loss."""
        for symbol, unread in list(self._unread.items()):
            if now - unread.first < UNREAD_SECONDS:
                continue
            self._snapshots.open_gap(symbol, unread.since)
            del self._unread[symbol]
            # REST may not know the newest of them yet.
            if unread.newest > now - UNREAD_SECONDS:
                since = self._clock() - UNREAD_SECONDS - CLOCKS_SECONDS
                self._unread[symbol] = _Unread(unread.newest, unread.newest, since)

    async def watch(self, is_answering: IsAnswering) -> None:
        """Judge the silence four times a second, and ask REST if it is suspicious.

        Raises:
            UpstreamError: the market has trades that this connection does not bring.
        """
        while True:
            await asyncio.sleep(SILENCE_JUDGE_SECONDS)
            self._catch_up(self._monotonic())
            self._fetch_unread(self._monotonic())
            # A quiet market looks like a mute stream: REST tells them apart.
            if self._judge() is Silence.SUSPECT:
                newer = await self._lacks_trades(is_answering)
                self._silence.on_probe(self._monotonic(), newer=newer)
            if self._judge() is Silence.MUTE:
                quiet = self._clock() - self._last_message_at
                raise UpstreamError(f"mute: no data for {quiet:.1f} s while the market trades")

    def _judge(self) -> Silence:
        subscribed = len(self._subscription.acknowledged[TRADES])
        return self._silence.judge(self._monotonic(), self._session(), subscribed)

    async def _lacks_trades(self, is_answering: IsAnswering) -> bool | None:
        """Return whether this connection brings nothing although it should; None if unknown.

        Two signs are needed. A connection that does not answer a ping, and brings nothing although
        it usually does, is dead. One that answers is mute if REST has a trade that does not come:
        the answer comes after all that was sent before it, so the trade is not on its way.
        """
        asked_at = self._last_message_at
        asking = asyncio.create_task(self._newest_at_rest())
        try:
            if not await is_answering(PONG_SECONDS):
                return self._last_message_at == asked_at
            newest = await asking
        finally:
            asking.cancel()
            await asyncio.wait([asking])
        if newest is None:
            return None
        if not any(self._is_due(symbol, at_ns) for symbol, at_ns in newest.items()):
            return False
        # Again, because REST's trade may be newer than the first answer.
        await is_answering(PONG_SECONDS)
        await asyncio.sleep(ON_ITS_WAY_SECONDS)
        return self._last_message_at == asked_at

    async def _newest_at_rest(self) -> dict[str, int] | None:
        subscribed = sorted(self._subscription.acknowledged[TRADES])
        return await self._snapshots.probe(self._some_of(subscribed))

    def _is_due(self, symbol: str, at_ns: int) -> bool:
        """Return whether the stream should have brought a trade that REST shows."""
        # Exchange times: our clock may differ from the exchange's.
        streamed_ns = max(self._streamed_at(symbol), self._newest_streamed_at())
        # A trade from before the subscription was never due on this stream.
        since = self._acknowledged_at.get(symbol)
        if since is None:
            return False
        lag = self._lag.ms / 1000 if self._lag.ms is not None else self._lag_seconds
        slack = CLOCKS_SECONDS if lag is None else ON_ITS_WAY_SECONDS - lag
        return at_ns > streamed_ns + LEAD_NS and at_ns / 1e9 > since + slack

    def _some_of(self, subscribed: Sequence[str]) -> list[str]:
        """Return the symbols of one request, different ones each time."""
        start = self._probes % max(len(subscribed), 1)
        self._probes += SYMBOLS_PER_LOOKUP
        return [*subscribed[start:], *subscribed[:start]][:SYMBOLS_PER_LOOKUP]

    def _note_acknowledged(self, now: float) -> None:
        before = self._acknowledged_at
        subscribed = self._subscription.acknowledged[TRADES]
        self._acknowledged_at = {symbol: before.get(symbol, now) for symbol in subscribed}
        self._withheld.on_subscribed(subscribed, int(now * 1e9), self._monotonic())
        self._snapshots.on_subscribed(subscribed)
