"""A capture as a server: the routes of its streams and of its REST."""

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from simulator.capture.capture_file import CaptureFile, Frame
from simulator.capture.exchange import Question
from simulator.capture.outline import Outline, outline_of
from simulator.capture.replay import CaptureReplay
from simulator.capture.rest_answers import RestAnswers
from simulator.capture.restamp import Restamp
from simulator.capture.settings import CaptureSettings
from simulator.protocol.rfc3339 import SECOND
from simulator.tape import hours
from simulator.tape.bars import MINUTE
from simulator.tape.hours import MarketHours
from simulator.tape.shift import first_start

REST_EARLY_SECONDS: Final = 2.0
"""How much earlier than the recording client a client may ask REST for the next response: but not
before an act of that client, which may be the reason for the question."""

_METHODS: Final = ("GET", "POST", "PATCH", "PUT", "DELETE")


class CapturedAlpaca:
    """Alpaca as a capture shows it. Keys are not checked.

    `clock` returns Unix nanoseconds. With a shift, the market's hours are `market_hours`: the
    recorded ones are those of another day.
    """

    def __init__(
        self,
        file: CaptureFile,
        outline: Outline,
        settings: CaptureSettings,
        speed: float,
        market_hours: MarketHours,
        clock: Callable[[], int],
    ) -> None:
        self.feed = outline.feed
        """The stock feed of the recording, such as `iex`."""
        self.path = file.path
        self.replay = CaptureReplay(file, outline, speed, settings.patience_seconds, self._moved)
        self._outline = outline
        self._settings = settings
        self._speed = speed
        self._hours = market_hours
        self._clock = clock
        self._answers = RestAnswers(outline.exchanges)
        self._begins: int | None = None
        self._restamp: Restamp | None = None

    @classmethod
    async def load(
        cls,
        settings: CaptureSettings,
        speed: float,
        market_hours: MarketHours,
        clock: Callable[[], int],
    ) -> "CapturedAlpaca":
        """Read a capture.

        Raises:
            CaptureError: it cannot be read.
        """
        file = CaptureFile(settings.path)
        outline = await asyncio.to_thread(outline_of, file)
        return cls(file, outline, settings, speed, market_hours, clock)

    def routes(self) -> list[BaseRoute]:
        """Return the routes: the streams by their recorded paths, and all of REST."""
        return [
            *(WebSocketRoute(path, self._serve) for path in self.replay.streams),
            *([] if self._settings.shift == "none" else self._hour_routes()),
            Route("/{path:path}", self._rest, methods=list(_METHODS)),
        ]

    def state(self) -> dict[str, object]:
        """Return the progress, as `GET /simulator/state` shows it."""
        replay = self.replay
        return {
            "row": replay.row,
            "rows": self._outline.records,
            "waits_for": replay.waits_for,
            "has_ended": replay.has_ended,
            "is_torn": self._outline.is_torn,
        }

    async def _serve(self, websocket: WebSocket) -> None:
        self._begin()
        begin_in = 0.0 if self._begins is None else (self._begins - self._clock()) / SECOND
        self.replay.begin(begin_in, is_anchored=self._begins is not None)
        await self.replay.streams[websocket.url.path].serve(websocket)

    async def _rest(self, request: Request) -> Response:
        self._begin()
        target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        question = Question.of(request.method, target)
        ahead = round(REST_EARLY_SECONDS * self._speed * SECOND)
        replay = self.replay
        latest = min(replay.position + ahead, replay.next_act)
        answer = self._answers.take(question, replay.position, latest)
        if answer is None:
            text = f"the capture has no {request.method} {request.url.path}"
            return JSONResponse({"message": text}, 404)
        await asyncio.sleep(answer.duration / SECOND / self._speed)
        body = answer.body
        if self._restamp is not None:
            body = self._restamp.body(body, question.timeframe)
        return Response(body, answer.status, media_type="application/json")

    def _begin(self) -> None:
        """Determine the shift, at the first contact of any client."""
        shift, outline = self._settings.shift, self._outline
        if shift == "none" or self._begins is not None:
            return
        # A short capture begins in the past, too: REST is asked at once, and what it has must not
        # be in the future.
        span, now = max(outline.end - outline.start, MINUTE), self._clock()
        self._begins = first_start(shift, outline.start_at, span, now, self._hours)
        self._restamp = Restamp(outline.start_at, self._begins - outline.start_at)

    def _moved(self, frame: Frame) -> Frame:
        return frame if self._restamp is None else self._restamp.frame(frame)

    def _hour_routes(self) -> list[BaseRoute]:
        async def show_clock(_request: Request) -> Response:
            now = datetime.fromtimestamp(self._clock() / SECOND, UTC)
            return JSONResponse(hours.clock(self._hours, now))

        async def show_calendar(request: Request) -> Response:
            try:
                days = [date.fromisoformat(request.query_params[n]) for n in ("start", "end")]
            except (KeyError, ValueError):
                return JSONResponse({"message": "start and end must be dates"}, 400)
            return Response(
                msgspec.json.encode(list(hours.calendar(self._hours, *days))),
                media_type="application/json",
            )

        return [Route("/v2/clock", show_clock), Route("/v2/calendar", show_calendar)]
