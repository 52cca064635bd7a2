"""The answers to the gateways' requests, by the kind of request."""

from ingest.upstream.answered import Answered, failed
from ingest.upstream.older_bars import OlderBars
from ingest.upstream.option_chains import OptionChains
from shared.request import BarsRequest, Request


class RequestAnswers:
    """Hands each request to its source; ``chains`` is None if options are not served."""

    def __init__(self, bars: OlderBars, chains: OptionChains | None) -> None:
        self._bars = bars
        self._chains = chains

    async def answer(self, asked: Request) -> Answered:
        """Return the reply to a request; a failure has its reason."""
        if isinstance(asked, BarsRequest):
            return await self._bars.answer(asked)
        if self._chains is None:
            return failed("unsupported", "options are not served: ALPACA_OPTION_FEED is off")
        return await self._chains.answer(asked)
