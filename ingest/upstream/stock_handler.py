"""The stocks' ``StreamHandler``: their subscription, their silence, and repairs after a loss."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ingest.alpaca.messages import Message, decode
from ingest.demand.channels import TRADES
from ingest.demand.lookups import SYMBOLS_PER_LOOKUP
from ingest.demand.subscription import Change, Subscription
from ingest.demand.wanted import Demand
from ingest.market.lag import Lag
from ingest.market.stream_silence import Silence, StreamSilence
from ingest.upstream.frame import FrameReader
from ingest.upstream.snapshots import Snapshots
from ingest.upstream.upstream_error import UpstreamError
from shared.ingest_status import Session

DEMAND_SECONDS = 1.0
JUDGE_SECONDS = 0.5

CATCH_UP_SECONDS = 5.0
"""So long after a silence what was only late has come."""

CLOCKS_SECONDS = 2.0
"""By so much the exchange's clock and ours may differ, and a trade may be on its way."""


class _Odd(NamedTuple):
    """A silence that has ended: when, in monotonic seconds; since when and until, in unix s."""

    ended: float
    since: float
    until: float


class StockHandler:
    """Knows nothing of sockets.

    ``session`` gives the market's present session, ``traded_at`` the exchange's time (unix ns) of
    the newest trade that is known of a symbol.
    """

    name = "stocks"

    def __init__(
        self,
        demand: Demand,
        subscription: Subscription,
        reader: FrameReader,
        silence: StreamSilence,
        lag: Lag,
        snapshots: Snapshots,
        session: Callable[[], Session],
        traded_at: Callable[[str], int | None],
        *,
        monotonic: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._demand = demand
        self._subscription = subscription
        self._reader = reader
        self._silence = silence
        self._lag = lag
        self._snapshots = snapshots
        self._session = session
        self._traded_at = traded_at
        self._monotonic = monotonic
        self._clock = clock
        self._heard_at = clock()
        self._probes = 0
        self._odd: deque[_Odd] = deque()
        self._acknowledged_at: dict[str, float] = {}

    def decode(self, frame: bytes | str) -> Sequence[Message]:
        """Return the messages of a frame.

        Raises:
            BadFrameError: it is no msgpack array.
        """
        return decode(frame)

    async def needed(self) -> None:
        """Return at once: a connection that stands saves the first viewer a second."""

    def connected(self) -> None:
        """Begin without a subscription."""
        self._subscription.begin()
        self._acknowledged_at = {}
        self._silence.begin(self._monotonic())
        self._lag.begin()
        self._heard_at = self._clock()

    def lost(self) -> None:
        """Have fetched what happens from now on, once the symbol is on the stream again."""
        heard = self._heard_at
        self._snapshots.lost({s: max(heard, at) for s, at in self._acknowledged_at.items()})
        self._acknowledged_at = {}
        self._subscription.begin()

    def next_change(self) -> Change | None:
        """Return the next difference between what is wanted and what is subscribed."""
        return self._subscription.next_change(self._demand.wanted())

    @property
    def stuck(self) -> bool:
        """Whether the last answer changed nothing."""
        return self._subscription.stuck

    async def demand_changed(self) -> None:
        """Return when the demand changes, or after a second: lingering symbols run out."""
        await self._demand.wait_for_change(DEMAND_SECONDS)

    def apply(self, messages: Sequence[Message], received_us: int) -> bool:
        """Take a frame; return whether it answers a change.

        Raises:
            UpstreamError: Alpaca ends the connection.
        """
        now = self._monotonic()
        answered = self._reader.apply(messages, received_us, now)
        if answered:
            self._silence.on_subscribed(now)
            self._note_acknowledged(received_us / 1e6)
        else:
            if self._silence.is_odd(now):
                self._odd.append(_Odd(now, self._heard_at, received_us / 1e6))
            self._silence.on_data(now, len(messages))
            self._heard_at = received_us / 1e6
        return answered

    def _catch_up(self, now: float) -> None:
        """Fetch what odd silences may have swallowed, of symbols that have not traded since.

        The others are right again; REST, ahead of the stream, would take live prices' place.
        """
        while self._odd and now - self._odd[0].ended >= CATCH_UP_SECONDS:
            odd = self._odd.popleft()
            for symbol, at in self._acknowledged_at.items():
                if (self._traded_at(symbol) or 0) / 1e9 < odd.until:
                    self._snapshots.miss(symbol, max(odd.since, at))

    async def watch(self) -> None:
        """Judge the silence twice a second, and ask REST where it is suspicious.

        Raises:
            UpstreamError: trades happen that this connection does not bring.
        """
        while True:
            await asyncio.sleep(JUDGE_SECONDS)
            self._catch_up(self._monotonic())
            subscribed = sorted(self._subscription.acknowledged[TRADES])
            verdict = self._silence.judge(self._monotonic(), self._session(), len(subscribed))
            if verdict is Silence.SUSPECT:
                newer = await self._ask_rest(subscribed)
                self._silence.on_probe(self._monotonic(), newer=newer)
            elif verdict is Silence.MUTE:
                quiet = self._clock() - self._heard_at
                raise UpstreamError(f"mute: nothing came for {quiet:.0f} s while the market trades")

    async def _ask_rest(self, subscribed: Sequence[str]) -> bool | None:
        """Say whether REST knows a trade that this connection has not brought; None if it fails."""
        heard_at = self._heard_at
        newest = await self._snapshots.probe(self._some_of(subscribed))
        if newest is None:
            return None
        for symbol, at in newest.items():
            since = max(heard_at, self._acknowledged_at.get(symbol, heard_at))
            if at / 1e9 > since + CLOCKS_SECONDS:
                await asyncio.sleep(CLOCKS_SECONDS)  # it may be on its way
                return self._heard_at == heard_at
        return False

    def _some_of(self, subscribed: Sequence[str]) -> list[str]:
        """Return as many symbols as one request takes, others each time."""
        start = self._probes % max(len(subscribed), 1)
        self._probes += SYMBOLS_PER_LOOKUP
        return [*subscribed[start:], *subscribed[:start]][:SYMBOLS_PER_LOOKUP]

    def _note_acknowledged(self, now: float) -> None:
        before = self._acknowledged_at
        held = self._subscription.acknowledged[TRADES]
        self._acknowledged_at = {symbol: before.get(symbol, now) for symbol in held}
        self._snapshots.subscribed(held)
