"""Positions under a new leader: those that its account does not list are closed.

A leader announces the positions that were closed before its time by the account that the one before
it has stored. If Redis was emptied in between, it does not know which ones clients still show.
"""

import asyncio
from contextlib import suppress

import msgspec

from gateway.bus.malformed import MalformedData
from gateway.bus.positions import Positions, StoredPositions
from gateway.fanout.channel import Channel
from gateway.fanout.hub import Hub
from gateway.fanout.table_channel import TableChannel
from gateway.wire import events
from shared.bus.errors import BusError
from shared.topics import POSITION

LOOK_SECONDS = 0.5
"""How often a gateway looks for the first account of a new leader."""


class _Position(msgspec.Struct):
    removed: bool = False


_decode = msgspec.json.Decoder(_Position).decode


class ListedPositions:
    """Compares the positions shown here with the first account of each leader."""

    def __init__(self, hub: Hub, positions: Positions, malformed: MalformedData) -> None:
        self._hub = hub
        self._positions = positions
        self._malformed = malformed
        self._compared = 0
        """The epoch of the leader whose account was compared last."""

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            with suppress(BusError):  # the next look compares
                await self._look()
            await asyncio.sleep(LOOK_SECONDS)

    async def _look(self) -> None:
        epoch = self._hub.own_ids.epoch
        if epoch == self._compared:
            return
        if self._channels():
            stored = await self._positions.read()
            # Until the broker has answered the leader, the account is the earlier leader's, or
            # it is unknown which positions are open.
            if stored.account is None or stored.account.event_id.epoch < epoch:
                return
            if stored.symbols is None:
                return
            for channel in self._channels():
                self._close_unlisted(channel, stored)
        self._compared = epoch

    def _channels(self) -> list[Channel]:
        return [each for each in self._hub.channels.values() if each.kind == POSITION]

    def _close_unlisted(self, channel: Channel, stored: StoredPositions) -> None:
        if isinstance(channel, TableChannel):
            stored.fill(channel)
            return
        account, listed, shown = stored.account, stored.symbols, channel.event
        if account is None or listed is None or shown is None or channel.key in listed:
            return
        is_closed = False
        # It was passed on as it was published: nothing has decoded it so far.
        with self._malformed.skipping(channel.topic.encode()):
            is_closed = _decode(shown.payload).removed
        if not is_closed:
            payload = events.closed_position(channel.key, account.event_id)
            channel.apply(account.event_id, payload)
