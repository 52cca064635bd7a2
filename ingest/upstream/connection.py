"""Time limits, errors with their codes and an orderly end, which alpaca-py's streams lack."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any

from alpaca.common.utils import get_default_user_agent
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.protocol import State

from ingest.alpaca.tolerant import ANOTHER_FORM
from ingest.alpaca.unreadable import BadFrameError
from ingest.capture.tap import NO_TAP, Tap
from ingest.upstream.reconnect_pace import PATIENCE, Patience
from ingest.upstream.upstream_error import Retry, UpstreamError, from_http
from ingest.upstream.websocket_client import HttpAnswerError, open_websocket

CLOSE_SECONDS = 1.0
"""The limit for Alpaca's answer to the close. The next attempt waits for it; the close itself stays
in the kernel's buffer, and reaches a peer that was only slow."""

NO_CLOSE_FRAME = 1006
"""The code of a connection that was cut (RFC 6455)."""


class AlpacaConnection:
    """A mixin that precedes one of alpaca-py's streams in the bases of a class.

    Use: ``open``, then ``frame`` until it raises, then ``shut``. An ``open`` that fails may be
    repeated if the connection ``awaits_slot``.
    """

    headers: Mapping[str, str] = MappingProxyType({})
    """Headers of the upgrade, beside alpaca-py's name and version."""
    url_settings: str
    """The settings that the endpoint follows from, for messages."""

    tap: Tap = NO_TAP
    """Gets every frame, for a capture."""

    _endpoint: str
    _ws: Any  # alpaca-py declares None
    _patience: Patience = PATIENCE[0]
    _was_greeted = False
    _is_slot_taken = False

    async def _start_ws(self) -> None:
        await super()._start_ws()  # type: ignore[misc]

    async def _auth(self) -> None:
        raise NotImplementedError

    async def _connect(self) -> None:
        """Open the WebSocket, through the network's proxy if there is one."""
        headers = {**self.headers, "User-Agent": get_default_user_agent()}
        try:
            self._ws = await open_websocket(self._endpoint, headers)
        except HttpAnswerError as error:
            self.tap.refused(self._endpoint, error.status, str(error))
            raise
        except (UpstreamError, WebSocketException, OSError) as error:
            self.tap.refused(self._endpoint, None, str(error) or repr(error))
            raise
        self.tap.connected(self._endpoint)

    async def close(self) -> None:
        """Close as alpaca-py does."""
        await super().close()  # type: ignore[misc]

    @property
    def awaits_slot(self) -> bool:
        """Whether the next ``open`` sends the keys again on the same socket.

        After 406 Alpaca keeps the socket for about ten seconds. A new connection would take longer,
        and counts as another attempt, of which Alpaca allows so many a minute.
        """
        return self._is_slot_taken and self._ws is not None and self._ws.state is State.OPEN

    async def open(self, patience: Patience = PATIENCE[0]) -> None:
        """Connect and authenticate, within the limits of ``patience``.

        Raises:
            UpstreamError: the connection failed or the keys were rejected; the socket is closed,
                unless it ``awaits_slot``.
        """
        before, is_greeted = _cancellations(), self.awaits_slot
        self._patience, self._is_slot_taken = patience, False
        # Each branch closes the socket: an abandoned one would hold Alpaca's only slot for about
        # ninety seconds, and every new attempt would get 406. One that awaits the slot has none.
        try:
            async with asyncio.timeout(patience.connect):
                await (self._auth() if is_greeted else self._start_ws())
        except TimeoutError:
            await self.shut()
            text = f"Alpaca did not answer within {patience.connect:g} s"
            raise UpstreamError(text, was_greeted=False) from None
        except HttpAnswerError as error:
            await self.shut()
            raise from_http(error.status, self.url_settings) from error
        except (WebSocketException, OSError, BadFrameError, *ANOTHER_FORM) as error:
            await self.shut()
            text = f"no connection to Alpaca: {error or repr(error)}"
            raise UpstreamError(text, was_greeted=False) from error
        except UpstreamError as error:
            self._is_slot_taken = error.retry is Retry.LATER
            if not self.awaits_slot:
                await self.shut()
            raise
        except BaseException:  # a cancellation
            await self.shut()
            raise
        _stop_if_cancelled_since(before)

    async def greets(self) -> bool:
        """Return whether Alpaca greets a new connection, which is closed again.

        Without keys it has no session, and uses no slot.
        """
        try:
            async with asyncio.timeout(self._patience.connect):
                await self._connect()
        except (
            TimeoutError,
            HttpAnswerError,
            UpstreamError,
            WebSocketException,
            OSError,
            BadFrameError,
            *ANOTHER_FORM,
        ):
            return False
        finally:
            await self.shut()
        return True

    async def _answer(self, name: str) -> bytes | str:
        """Return the answer to a step of opening, called ``name`` in errors.

        Raises:
            UpstreamError: it does not come. A server that has accepted the connection answers
                sooner than a new one is made, so this limit is shorter than that of the whole.
        """
        try:
            async with asyncio.timeout(self._patience.answer):
                answer: bytes | str = await self._ws.recv()
        except ConnectionClosed as error:
            self._note_lost(error)
            raise
        except TimeoutError:
            limit = self._patience.answer
            text = f"Alpaca sent no {name} within {limit:g} s"
            raise UpstreamError(text, was_greeted=self._was_greeted) from None
        self.tap.received(answer)
        self._was_greeted = True
        return answer

    async def frame(self) -> bytes | str:
        """Return the next frame; does not suspend while one is buffered.

        Raises:
            UpstreamError: the connection is lost.
        """
        try:
            frame: bytes | str = await self._ws.recv()
        except ConnectionClosed as error:
            self._note_lost(error)
            raise UpstreamError(f"the connection to Alpaca was lost: {error}") from error
        self.tap.received(frame)
        return frame

    async def send(self, request: bytes | str) -> None:
        """Send a request; the answer comes as a frame."""
        # Before it is sent, so that a capture has it before its answer.
        self.tap.sent(request)
        # The reader of the frames gets the same error together with its reason.
        with suppress(ConnectionClosed):
            await self._ws.send(request)

    async def is_answering(self, seconds: float) -> bool:
        """Return whether the answer to a ping comes within so many seconds.

        The answer comes after everything that the peer has sent before it.
        """
        try:
            async with asyncio.timeout(seconds):
                await (await self._ws.ping())
        except (TimeoutError, ConnectionClosed):
            return False
        return True

    def _note_lost(self, error: ConnectionClosed) -> None:
        close = error.rcvd
        if close is None:
            self.tap.lost(NO_CLOSE_FRAME, "")
        else:
            self.tap.lost(close.code, close.reason)

    async def shut(self) -> None:
        """Close with a WebSocket close, which frees Alpaca's only slot at once."""
        # alpaca-py's close() drops the socket even if it is interrupted. It is kept here, so that
        # the connection to a peer that does not answer the close can be aborted.
        before, socket = _cancellations(), self._ws
        self.tap.closed()
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.close()
        except (TimeoutError, ConnectionClosed, OSError):
            if socket is not None and socket.transport is not None:
                socket.transport.abort()
        _stop_if_cancelled_since(before)


def _cancellations() -> int:
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


def _stop_if_cancelled_since(before: int) -> None:
    """Raise the cancellation that websockets may have swallowed.

    It uses ``asyncio.wait_for``, which does so on Python 3.11. Only a new request counts: a task
    group leaves its own request behind when one of its tasks fails.
    """
    if _cancellations() > before:
        raise asyncio.CancelledError
