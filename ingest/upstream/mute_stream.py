"""Whether the stock stream is mute: its silence, REST's newest trades and a ping decide."""

import asyncio
import time
from collections.abc import Callable, Sequence, Set

from ingest.demand.lookups import SYMBOLS_PER_LOOKUP
from ingest.market.lag import Lag
from ingest.market.stream_silence import Silence, StreamSilence
from ingest.upstream.snapshots import Snapshots
from ingest.upstream.stream_holder import IsAnswering
from ingest.upstream.stream_times import StreamTimes
from ingest.upstream.suspected_losses import CLOCKS_SECONDS
from ingest.upstream.upstream_error import UpstreamError
from shared.ingest_status import Session

PONG_SECONDS = 2.0
"""The network may stall for a moment: lost packets are sent again within this time, several times.
Alpaca answers within a few tenths of a second, after everything that it has sent before."""

ON_ITS_WAY_SECONDS = 0.5
"""How long a trade that REST has may still be on its way, on a connection that answers pings."""

LEAD_NS = 300_000_000
"""A trade that is newer by this than all that the stream has brought does not arrive beside it."""


class MuteStream:
    """Judges a connection.

    ``session`` returns the market's present session, ``subscribed`` the symbols whose trades the
    connection should bring. ``streamed_at`` returns the exchange's time (unix ns) of the newest
    trade of a symbol that the stream has brought (-1 if none), ``newest_streamed_at`` that of any
    symbol. ``monotonic`` gives seconds, ``clock`` unix seconds.
    """

    def __init__(
        self,
        silence: StreamSilence,
        lag: Lag,
        snapshots: Snapshots,
        times: StreamTimes,
        session: Callable[[], Session],
        subscribed: Callable[[], Set[str]],
        streamed_at: Callable[[str], int],
        newest_streamed_at: Callable[[], int],
        *,
        monotonic: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._silence = silence
        self._lag = lag
        self._snapshots = snapshots
        self._times = times
        self._session = session
        self._subscribed = subscribed
        self._streamed_at = streamed_at
        self._newest_streamed_at = newest_streamed_at
        self._monotonic = monotonic
        self._clock = clock
        # Our clock minus the exchange's, and the time that a trade is on its way, when last known.
        self._lag_seconds: float | None = None
        self._probes = 0

    def lost(self) -> None:
        """Note that the connection has ended; its lag is still that of the next one."""
        if self._lag.ms is not None:
            self._lag_seconds = self._lag.ms / 1000

    async def check(self, is_answering: IsAnswering) -> None:
        """Judge the silence, and ask REST if it is suspicious.

        Raises:
            UpstreamError: the market has trades that this connection does not bring.
        """
        # A quiet market looks like a mute stream: REST tells them apart.
        if self._judge() is Silence.SUSPECT:
            newer = await self._lacks_trades(is_answering)
            self._silence.on_probe(self._monotonic(), newer=newer)
        if self._judge() is Silence.MUTE:
            quiet = self._clock() - self._times.newest_data
            raise UpstreamError(f"mute: no data for {quiet:.1f} s while the market trades")

    def _judge(self) -> Silence:
        return self._silence.judge(self._monotonic(), self._session(), len(self._subscribed()))

    async def _lacks_trades(self, is_answering: IsAnswering) -> bool | None:
        """Return whether this connection brings nothing although it should; None if unknown.

        Two signs are needed. A connection that does not answer a ping, and brings nothing although
        it usually does, is dead. One that answers is mute if REST has a trade that does not come:
        the answer comes after all that was sent before it, so the trade is not on its way.
        """
        asked_at = self._times.newest_data
        asking = asyncio.create_task(self._newest_at_rest())
        try:
            if not await is_answering(PONG_SECONDS):
                return self._times.newest_data == asked_at
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
        return self._times.newest_data == asked_at

    async def _newest_at_rest(self) -> dict[str, int] | None:
        return await self._snapshots.probe(self._some_of(sorted(self._subscribed())))

    def _is_due(self, symbol: str, at_ns: int) -> bool:
        """Return whether the stream should have brought a trade that REST shows."""
        # Exchange times: our clock may differ from the exchange's.
        streamed_ns = max(self._streamed_at(symbol), self._newest_streamed_at())
        # A trade from before the subscription was never due on this stream.
        since = self._times.acknowledged.get(symbol)
        if since is None:
            return False
        lag = self._lag.ms / 1000 if self._lag.ms is not None else self._lag_seconds
        slack = ON_ITS_WAY_SECONDS - (lag or 0.0)
        if lag is None:  # a delayed feed brings earlier trades after the subscription
            slack = CLOCKS_SECONDS - self._lag.least_expected_seconds
        return at_ns > streamed_ns + LEAD_NS and at_ns / 1e9 > since + slack

    def _some_of(self, subscribed: Sequence[str]) -> list[str]:
        """Return the symbols of one request, different ones each time."""
        start = self._probes % max(len(subscribed), 1)
        self._probes += SYMBOLS_PER_LOOKUP
        return [*subscribed[start:], *subscribed[:start]][:SYMBOLS_PER_LOOKUP]
