"""The opening of a WebSocket: rejected with an HTTP status, or served until it ends."""

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from simulator.account_stream import AccountConnection
from simulator.armed import ArmedFaults
from simulator.endpoint import Endpoint
from simulator.guard import TOO_MANY, failed
from simulator.settings import SimulatorSettings
from simulator.slots import Slots
from simulator.stream import MarketDataConnection
from simulator.subscription import ACCOUNT


def stream_route(
    endpoint: Endpoint, settings: SimulatorSettings, slots: Slots, armed: ArmedFaults
) -> WebSocketRoute:
    """Return the route of a stream.

    A second connection to the account's stream is rejected here; one to market data is rejected
    after it has sent its keys.
    """
    feed, terms = endpoint.feed, settings.terms
    is_account = feed is ACCOUNT
    kind = AccountConnection if is_account else MarketDataConnection

    async def stream(websocket: WebSocket) -> None:
        fault = armed.take("upgrade", feed.name)
        status = None if fault is None else fault.code
        if status is None and is_account and not slots.claim(feed.name, terms.key):
            status = TOO_MANY
        if status is not None:
            endpoint.upgrades_refused[status] += 1
            await websocket.send_denial_response(failed(status))
            return
        connection = kind(websocket, endpoint, terms, slots, armed, settings.outbox_bytes)
        if fault is not None:
            connection.mute()
        await connection.run(settings.auth_timeout_seconds)

    return WebSocketRoute(feed.path, stream)
