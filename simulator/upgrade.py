"""The opening of a WebSocket: rejected with an HTTP status, or served until it ends."""

from typing import Final

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from simulator.faults.armed import ArmedFaults
from simulator.protocol.endpoint import Endpoint
from simulator.protocol.subscription import ACCOUNT
from simulator.rest.guard import TOO_MANY, failed, refused
from simulator.settings import SimulatorSettings
from simulator.streams.account_stream import AccountConnection
from simulator.streams.market_data_stream import MarketDataConnection
from simulator.streams.slots import Slots

NOT_FOUND: Final = 404


def stream_routes(
    endpoint: Endpoint, settings: SimulatorSettings, slots: Slots, armed: ArmedFaults
) -> list[WebSocketRoute]:
    """Return the routes of a stream: its path, and the same with a slash at the end.

    alpaca-trade-api 3.2 connects to ``/stream/`` and repeats a rejected upgrade without a pause.

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

    return [WebSocketRoute(path, stream) for path in (feed.path, f"{feed.path}/")]


def unknown_stream() -> WebSocketRoute:
    """Return the route that answers 404, as Alpaca does, to a WebSocket on any other path."""

    async def reject(websocket: WebSocket) -> None:
        # Starlette's own answer would be 403, which reads as a matter of keys.
        await websocket.send_denial_response(refused(NOT_FOUND, "endpoint not found"))

    return WebSocketRoute("/{path:path}", reject)
