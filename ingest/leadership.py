"""Leading: everything that runs while this process holds the lease, and the order of its end."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress

from ingest.bus.lease import Lease
from ingest.bus.publisher import Publisher
from ingest.bus.status_writer import StatusWriter
from ingest.upstream.stream_group import SHUT_SECONDS, StreamGroup
from shared.bus.errors import BusError
from shared.cancellation import cancel

DRAIN_SECONDS = 1.0

Work = Callable[[], Coroutine[None, None, None]]


class Leadership:
    """Runs the parts that ``ingest.composition`` has made.

    ``works`` run until they are cancelled. ``republish``: each announces its known values again.
    """

    def __init__(
        self,
        *,
        lease: Lease,
        publisher: Publisher,
        status: StatusWriter,
        streams: StreamGroup,
        works: Sequence[Work],
        republish: Sequence[Callable[[], None]],
    ) -> None:
        self._lease = lease
        self._publisher = publisher
        self._status = status
        self._streams = streams
        self._works = works
        self._republish = republish

    async def run(self, stop: asyncio.Event) -> None:
        """Lead until ``stop`` is set, then end in order.

        The WebSockets are closed first, which frees Alpaca's slot; then the outbox is drained; the
        lease is released last. A standby that gets it finds the slot free and the values stored.

        Raises:
            LeaseLostError: this process no longer leads; in an exception group.
            UpstreamError: no stream with market data is left; in an exception group.
        """
        self._lease.republish_due.clear()  # no value is known yet
        try:
            await self._lead(stop)
        finally:
            with suppress(BusError):  # it expires by itself
                await self._while_leading(self._lease.release)

    async def _lead(self, stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as tasks:
            streams = tasks.create_task(self._hold_streams())
            works = [
                tasks.create_task(work())
                for work in (
                    self._lease.renew,
                    self._publisher.run,
                    self._status.run,
                    self._republish_when_due,
                    *self._works,
                )
            ]
            await stop.wait()
            # The renewal continues meanwhile: closing can take longer than the lease lasts.
            await cancel(streams, patience=SHUT_SECONDS)
            with suppress(TimeoutError):  # Redis is unreachable; a new leader asks REST
                async with asyncio.timeout(DRAIN_SECONDS):
                    await self._publisher.drain()
            # Only now: the publisher drains the outbox, and the lease must be held until then.
            await cancel(*works)

    async def _hold_streams(self) -> None:
        try:
            await self._streams.run()
        finally:
            # The last status has to show why the streams ended. It is written here, because after
            # the release of the lease the script would reject it.
            await self._while_leading(self._status.write)

    async def _while_leading(self, act: Work) -> None:
        """Do something that Redis accepts from the holder of the lease, for as long as it is held.

        A Redis that does not answer would otherwise delay the end beyond that of the lease.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(self._lease.valid_seconds):
                await act()

    async def _republish_when_due(self) -> None:
        while True:
            await self._lease.republish_due.wait()
            self._lease.republish_due.clear()
            for republish in self._republish:
                republish()
