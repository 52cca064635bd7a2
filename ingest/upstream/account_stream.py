"""The connection to the account's events: alpaca-py's ``TradingStream`` without its endless waits.

By default alpaca-py 0.44 waits indefinitely for the answer to the keys and retries wrong keys
forever. It ignores an error inside the stream, and hangs on an event of an unknown form. This class
does none of that.
"""

import json

from alpaca.trading.stream import TradingStream

from ingest.alpaca import codes, trade_updates
from ingest.capture.tap import NO_TAP, Tap
from ingest.demand.subscription import SubscriptionChange
from ingest.upstream.connection import AlpacaConnection
from ingest.upstream.upstream_error import UpstreamError


class AccountStream(AlpacaConnection, TradingStream):
    """One connection to one account's ``/stream``."""

    url_settings = "ALPACA_TRADING_URL"

    def __init__(self, endpoint: str, key: str, secret: str, tap: Tap = NO_TAP) -> None:
        super().__init__(
            api_key=key,
            secret_key=secret,
            raw_data=True,
            url_override=endpoint,
        )
        self.tap = tap

    async def change(self, change: SubscriptionChange) -> None:
        """Request the events of one channel; ``listen`` replaces any earlier channels."""
        request = {"action": "listen", "data": {"streams": [change.channel]}}
        await self.send(json.dumps(request))

    async def _auth(self) -> None:
        """Authenticate as alpaca-py does; a rejection of the keys is permanent."""
        keys = {"key_id": self._api_key, "secret_key": self._secret_key}
        await self.send(json.dumps({"action": "authenticate", "data": keys}))
        frame = await self._answer("answer to the keys")
        answer = trade_updates.decode(frame)[0]
        if isinstance(answer, trade_updates.Error):
            raise UpstreamError(answer.text)
        if not isinstance(answer, trade_updates.Authorization):
            raise UpstreamError(f"an unexpected answer to the keys: {type(answer).__name__}")
        if answer.status != "authorized":
            raise UpstreamError(f"the account's stream answers {answer.status}", codes.AUTH_FAILED)
