"""The proof that a subscription has delivered everything that was published before a moment."""

import asyncio

from redis.asyncio.client import PubSub

from shared.bus.errors import BusUnreachableError, bus_errors
from shared.bus.redis_source import COMMAND_TIMEOUT_SECONDS


class Barrier:
    """Numbered pings on the subscription's connection, which Redis answers in order.

    The pong comes after every message that was published before the ping. A connection's own pings
    have no number.
    """

    def __init__(self) -> None:
        self._pubsub: PubSub | None = None
        self._number = 0
        self._waiting: dict[int, asyncio.Event] = {}

    def attach(self, pubsub: PubSub) -> None:
        """Use a connection from now on."""
        self._pubsub = pubsub

    def detach(self) -> None:
        """Use no connection: there is none. Those that wait for a pong wait until their limit."""
        self._pubsub = None
        self._waiting.clear()

    def on_pong(self, data: bytes) -> None:
        """Note a pong."""
        if data.isdigit() and (reached := self._waiting.get(int(data))):
            reached.set()

    async def reach(self) -> None:
        """Wait until every message that was published before now has been received.

        Raises:
            BusUnreachableError: there is no connection, or Redis does not answer in time.
        """
        if self._pubsub is None:
            raise BusUnreachableError("the subscription is not connected")
        self._number += 1
        number, reached = self._number, asyncio.Event()
        self._waiting[number] = reached
        try:
            with bus_errors():
                async with asyncio.timeout(COMMAND_TIMEOUT_SECONDS):
                    await self._pubsub.ping(str(number))
                    await reached.wait()
        # redis-py's, if the connection was lost and another one is being made.
        except RuntimeError as error:
            raise BusUnreachableError(str(error)) from error
        finally:
            self._waiting.pop(number, None)
