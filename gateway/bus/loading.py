"""Waiting until the stored values of topics have been read from Redis."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from gateway.fanout.channel import Channel
from gateway.fanout.client import Client

SNAPSHOT_SECONDS = 2.0
"""How long the stored values of new topics are waited for; then ``price: null`` says why."""


async def loaded(client: Client, channels: Sequence[Channel]) -> None:
    """Wait for the values of channels, no longer than the limit or than the client stays."""
    loop = asyncio.get_running_loop()
    waiting = [channel.loaded for channel in channels if not channel.loaded.is_set()]
    if not waiting:
        return
    with suppress(TimeoutError):
        async with asyncio.timeout(SNAPSHOT_SECONDS) as limit:
            client.on_leave = lambda: limit.reschedule(loop.time())
            try:
                for event in waiting:
                    await event.wait()
            finally:
                client.on_leave = None
