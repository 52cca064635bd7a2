"""Holding several connections, and deciding if the failure of one ends the others."""

import asyncio
from collections.abc import Sequence

import structlog

from ingest.upstream.connection import CLOSE_SECONDS
from ingest.upstream.stream_holder import StreamHolder
from ingest.upstream.upstream_error import UpstreamError
from shared.cancellation import cancel

log = structlog.get_logger()

SHUT_SECONDS = CLOSE_SECONDS + 1
"""How long a stream may take to end after its cancellation."""


def ends_program(error: BaseException, *, market_data_left: bool) -> bool:
    """Return whether the end of one stream ends the program.

    An ``UpstreamError`` that leaves a stream's ``run`` is permanent: the keys are wrong, or the
    plan does not include the stream. A plan can exclude news and still include prices, so the
    others continue while one of them brings market data. If none does, an operator has to act. The
    program then stops, because an exit status is noticed where a log line is not. The account's
    stream is no reason to continue: its positions would show prices that never move.

    Any other error is a defect of ours. It ends the program at once, rather than leaving a stream
    dead that the status still reports as live.
    """
    return not (isinstance(error, UpstreamError) and market_data_left)


class StreamGroup:
    """The streams of a leadership: those with market data, and any others."""

    def __init__(self, market: Sequence[StreamHolder], others: Sequence[StreamHolder]) -> None:
        self._market = market
        self._others = others

    async def run(self) -> None:
        """Hold every stream until cancelled; close all of them at the end.

        Raises:
            UpstreamError: no stream with market data is left.
        """
        market = {asyncio.create_task(each.run()): each for each in self._market}
        others = {asyncio.create_task(each.run()): each for each in self._others}
        tasks = [*market, *others]
        running = set(tasks)
        try:
            while True:
                ended, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                # A stream that no client has needed yet does not count, because it has not shown
                # that it works. Idle news must not keep an ingest alive whose prices have failed.
                left = any(market[task].in_use for task in market.keys() & running)
                # In the order of the list: if several fail together, the stocks' error is raised.
                for task in filter(ended.__contains__, tasks):
                    error = task.exception()
                    if error is not None and ends_program(error, market_data_left=left):
                        raise error
                    log.error("stream_failed_permanently", error=str(error))
        finally:
            await cancel(*tasks, patience=SHUT_SECONDS)
            # Reading an error marks it as seen. Two streams can fail in the same turn of the loop,
            # and asyncio would log the second as "never retrieved".
            for task in tasks:
                if not task.cancelled():
                    task.exception()
