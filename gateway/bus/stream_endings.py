"""The end of all streams of a principal: its token is no longer valid, or an operator asks."""

import asyncio
import secrets
from collections.abc import Collection

from gateway.bus.inbox import Answer, Inbox, NoAnswerError, Question
from gateway.bus.reports import Reports
from gateway.fanout.hub import Hub
from shared.bus import keys

ENDED_AT_ONCE = 100
"""How many streams are ended before others have a turn: about 3 ms."""


class End(Question, kw_only=True, tag="end"):
    """A request to end all streams of a principal."""

    principal: str


class Ended(Answer, kw_only=True, tag="ended"):
    """How many streams were ended."""

    streams: int


class StreamsHere:
    """Ends streams of this gateway."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def end(self, principals: Collection[str]) -> int:
        """End the streams of some principals with ``bye`` ``expired``; return their number."""
        ended = 0
        for client in [c for c in self._hub.clients.values() if c.principal in principals]:
            if client.left:  # while others were ended
                continue
            self._hub.end(client, "expired")
            ended += 1
            if ended % ENDED_AT_ONCE == 0:
                await asyncio.sleep(0)
        return ended

    async def answer(self, end: End) -> Ended:
        """Do it for another gateway."""
        return Ended(question=end.question, streams=await self.end({end.principal}))


class StreamEndings:
    """Ends streams of all gateways."""

    def __init__(self, inbox: Inbox, reports: Reports, here: StreamsHere) -> None:
        self._inbox = inbox
        self._reports = reports
        self._here = here

    async def end(self, principal: str) -> int:
        """End all streams of a principal; return their number.

        Raises:
            BusError: Redis is unreachable, a gateway does not answer, or one may be unknown:
                streams of that principal may still be open.
        """
        ended = await self._here.end({principal})
        known = {report.gateway_id for report in await self._reports.gateways()}
        others = sorted(known - {self._inbox.gateway_id})
        answers = await asyncio.gather(*(self._ask(other, principal) for other in others))
        silent = [other for other, answer in zip(others, answers, strict=True) if answer is None]
        if silent:
            raise NoAnswerError(
                f"the gateways {' '.join(silent)} did not respond: streams may still be open there"
            )
        if self._reports.may_lack_some:
            raise NoAnswerError(
                "Redis has lost the gateways' reports within the last "
                f"{keys.GATEWAY_SECONDS} s: streams may still be open at some that are not known"
            )
        return ended + sum(answer for answer in answers if answer is not None)

    async def _ask(self, gateway_id: str, principal: str) -> int | None:
        end = End(question=secrets.token_hex(8), asker=self._inbox.gateway_id, principal=principal)
        try:
            ended: Ended | None = await self._inbox.ask(gateway_id, end)
        except NoAnswerError:
            return None
        return 0 if ended is None else ended.streams
