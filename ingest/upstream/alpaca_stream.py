"""The connection to Alpaca's market data: alpaca-py's stream, without what loses data or hangs.

What alpaca-py 0.44 does by default and this does not: wait without limit for the welcome and the
answer to the keys; forget the error's code; lose the rest of a frame when a handler fails; send
all subscriptions again at each change, and deadlock when asked to from its own loop.
"""

import msgpack
from alpaca.data.live.websocket import DataStream

from ingest.alpaca import messages as wire
from ingest.demand.subscription import Change
from ingest.upstream.connection import WEBSOCKET, Connection
from ingest.upstream.feed_error import FeedError


class AlpacaStream(Connection, DataStream):
    """One connection to one feed."""

    def __init__(self, endpoint: str, key: str, secret: str) -> None:
        super().__init__(
            endpoint=endpoint,
            api_key=key,
            secret_key=secret,
            raw_data=True,
            websocket_params=dict(WEBSOCKET),
        )

    async def change(self, change: Change) -> None:
        """Ask for a change of the subscription."""
        await self.send(msgpack.packb({"action": change.action, change.channel: change.symbols}))

    async def _auth(self) -> None:
        """Authenticate as alpaca-py does, keeping the code of a refusal."""
        keys = {"action": "auth", "key": self._api_key, "secret": self._secret_key}
        await self.send(msgpack.packb(keys))  # the reason may have come before the end
        for answer in wire.decode(await self._ws.recv()):
            if isinstance(answer, wire.Error):
                raise FeedError(answer.msg, answer.code)
            if isinstance(answer, wire.Success) and answer.msg == "authenticated":
                return
            raise FeedError(f"an unexpected answer to the keys: {answer}")
        raise FeedError("an empty answer to the keys")
