"""Bars that Redis does not have, from the ingest."""

import asyncio
from collections.abc import Callable, Sequence

from gateway.bus.ingest_requests import IngestRequestError, IngestRequests
from gateway.bus.older_bars import BarQuery, OlderBarsAnswer
from shared.bus.errors import BusError
from shared.first_error import first_error
from shared.request import BARS_AT_MOST, BarsReply, BarsRequest


class IngestBars:
    """Requests them: an answer that is too long for one request takes several, at the same time.

    ``leads`` returns whether an ingest reports. If none does, nobody waits for one.
    """

    def __init__(self, requests: IngestRequests, leads: Callable[[], bool]) -> None:
        self._requests = requests
        self._leads = leads

    async def read(self, query: BarQuery) -> OlderBarsAnswer:
        """Return the bars; those that the feed has, up to now.

        Raises:
            IngestRequestError: the ingest has not replied with bars.
            BusError: Redis is unreachable.
        """
        # In order, so that two gateways divide the same symbols alike.
        symbols = sorted(query.symbols)
        size = max(1, BARS_AT_MOST // query.limit)
        groups = [symbols[begin : begin + size] for begin in range(0, len(symbols), size)]
        try:
            async with asyncio.TaskGroup() as tasks:
                asking = [tasks.create_task(self._ask(query, group)) for group in groups]
        except* (IngestRequestError, BusError) as errors:
            raise first_error(errors) from None
        replies = [task.result() for task in asking]
        return OlderBarsAnswer(
            bars={
                symbol: [(start, bytes(body)) for start, body in bars]
                for reply in replies
                for symbol, bars in reply.bars.items()
            },
            complete_from={s: at for reply in replies for s, at in reply.complete_from.items()},
        )

    async def _ask(self, query: BarQuery, symbols: Sequence[str]) -> BarsReply:
        asked = BarsRequest(
            symbols=tuple(symbols),
            timeframe=query.timeframe,
            start=query.start,
            end=query.end,
            limit=query.limit,
            adjustment=query.adjustment,
        )
        reply = await (self._requests.ask if self._leads() else self._requests.kept)(asked)
        assert isinstance(reply, BarsReply)  # noqa: S101 - the kind of the request
        return reply
