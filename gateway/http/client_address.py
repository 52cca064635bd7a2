"""The address of a client: that of its peer, or the one that a trusted proxy states."""

from collections.abc import Sequence

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.wire.addresses import EVERY_PEER, Address, address_of, network_of, site_of

MAX_HOPS = 20
"""How many proxies one after another are followed; a head has room for thousands of addresses."""


def counted_as(request: HTTPConnection) -> str:
    """Return the name under which a request's client is counted: its address, or its /64."""
    return site_of(request.client.host if request.client is not None else "")


class ClientAddress:
    """Puts the client's address into each request; ``proxies`` are those that are trusted.

    In ``X-Forwarded-For`` each proxy appends the address of its own peer. So the client is the last
    address that is no trusted proxy's; what stands before it may be invented. Text that is no
    address counts as the end of the list.
    """

    def __init__(self, app: ASGIApp, proxies: Sequence[str]) -> None:
        self._app = app
        self._trusts_all = EVERY_PEER in proxies
        self._proxies = [network_of(each) for each in proxies if each != EVERY_PEER]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, with its client's address in ``scope["client"]``."""
        if scope["type"] == "http" and scope["client"] is not None:
            host, port = scope["client"]
            peer = address_of(host)
            if peer is not None:
                client = self._client(peer, scope) if self._is_proxy(peer) else peer
                # The port is that of the connection to the proxy, so it says nothing of the client.
                scope["client"] = (str(client), port if client == peer else 0)
        await self._app(scope, receive, send)

    def _client(self, proxy: Address, scope: Scope) -> Address:
        stated = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
        hops = b",".join(stated).decode("latin-1").rsplit(",", MAX_HOPS)[-MAX_HOPS:]
        client = proxy
        for hop in reversed(hops):
            address = address_of(hop)
            if address is None:
                break
            client = address
            if not self._is_proxy(address):
                break
        return client

    def _is_proxy(self, address: Address) -> bool:
        return self._trusts_all or any(address in network for network in self._proxies)
