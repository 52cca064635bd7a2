"""The connection to Alpaca's market data: alpaca-py's stream without the faults that lose data.

By default alpaca-py 0.44 waits indefinitely for the welcome and for the answer to the keys. It
forgets the code of an error, and loses the rest of a frame if a handler fails. It sends all
subscriptions again at each change, and deadlocks if its own loop requests a change. This class does
none of that.
"""

from types import MappingProxyType

import msgpack
from alpaca.data.live.websocket import DataStream

from ingest.alpaca import messages as wire
from ingest.capture.tap import NO_TAP, Tap
from ingest.demand.subscription import SubscriptionChange
from ingest.upstream.connection import AlpacaConnection
from ingest.upstream.upstream_error import UpstreamError


class AlpacaStream(AlpacaConnection, DataStream):
    """One connection to one feed."""

    headers = MappingProxyType({"Content-Type": "application/msgpack"})
    url_settings = "ALPACA_FEED and ALPACA_STREAM_URL"

    def __init__(self, endpoint: str, key: str, secret: str, tap: Tap = NO_TAP) -> None:
        super().__init__(
            endpoint=endpoint,
            api_key=key,
            secret_key=secret,
            raw_data=True,
        )
        self.tap = tap

    async def change(self, change: SubscriptionChange) -> None:
        """Request a change of the subscription."""
        await self.send(msgpack.packb({"action": change.action, change.channel: change.symbols}))

    async def _connect(self) -> None:
        """Connect, and wait for the welcome."""
        await super()._connect()
        await self._receive("connected", "welcome")

    async def _auth(self) -> None:
        """Authenticate as alpaca-py does, but keep the code of a rejection."""
        keys = {"action": "auth", "key": self._api_key, "secret": self._secret_key}
        # Alpaca may have closed the connection already. The reason then waits to be received, so
        # sending must not raise.
        await self.send(msgpack.packb(keys))
        await self._receive("authenticated", "answer to the keys")

    async def _receive(self, success: str, name: str) -> None:
        """Receive a frame that starts with a success of this text; ``name`` is for errors.

        Raises:
            UpstreamError: it starts with an error or another message, is empty, or does not come.
            BadFrameError: it contains no messages.
        """
        # alpaca-py would decode text as msgpack: some relays speak JSON
        # (https://github.com/alpacahq/alpaca-trade-api-csharp/issues/243).
        answers = wire.decode(await self._answer(name))
        if not answers:
            raise UpstreamError(f"an empty {name}")
        answer = answers[0]
        if isinstance(answer, wire.Error):
            raise UpstreamError(answer.msg, answer.code)
        if not isinstance(answer, wire.Success) or answer.msg != success:
            raise UpstreamError(f"an unexpected {name}: {answer}")
