"""One replayed stream: its recorded connections, and the client that has the present one."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from starlette.websockets import WebSocket

from simulator.capture.capture_file import Frame
from simulator.capture.client import NORMAL, Client
from simulator.capture.dialogue import GREETING, Dialogue
from simulator.capture.outline import RecordedConnection
from simulator.rest.guard import refused

NO_CONNECTION: Final = 503
"""HTTP's status for a client that comes after the last recorded connection."""

CUT: Final = 1006
GOING_AWAY: Final = 1001


class ReplayedStream:
    """Serves the clients of one path. The replay calls the `reach_…` methods, in recorded order.

    A client that comes before the replay has reached its recorded connection is greeted and
    answered at once; its data follow when they are due. One that comes while its recorded
    connection is under way, such as one that has ended early and comes back, gets that one from the
    present place on.

    `moved` returns a frame with the times that it is sent with. `is_soon` returns whether a
    recorded time (monotonic ns) is so near that a request may wait for it.
    """

    def __init__(
        self,
        connections: Sequence[RecordedConnection],
        moved: Callable[[Frame], Frame],
        is_soon: Callable[[int], bool],
    ) -> None:
        self.name = connections[0].stream
        self.client: Client | None = None
        self.is_awaited = True
        """Whether the replay waits for its client; False after it has waited in vain."""
        self.is_held_up = False
        """Whether the replay waits for a client of another stream."""
        self.changed = asyncio.Event()
        """Set when a client comes, asks, or ends."""
        self._connections = list(connections)
        self._moved = moved
        self._is_soon = is_soon
        self._reached: RecordedConnection | None = None
        """The connection in which the replay is."""
        self._dialogue = Dialogue()
        self._answered = -1
        """The number of the newest request whose answer the replay has passed."""

    async def serve(self, websocket: WebSocket) -> None:
        """Serve a client until it ends, or reject it as recorded."""
        recorded = self._reached or next(iter(self._connections), None)
        if recorded is None:
            text = "the capture has no further connection"
            await websocket.send_denial_response(refused(NO_CONNECTION, text))
            return
        if recorded.status is not None:
            self.reach_refusal(recorded)
            self.changed.set()
            await websocket.send_denial_response(refused(recorded.status, "rejected as recorded"))
            return
        client = Client(websocket)
        await websocket.accept()
        for frame in recorded.greeting:
            await client.send(self._moved(frame))
        before = self._attach(client, recorded)
        try:
            if before is not None:
                await before.close(GOING_AWAY, "another client has come")
            while await client.next_request():
                await self._on_request(client, recorded)
        finally:
            if self.client is client:
                self.client = None
            self.changed.set()

    def has_refused(self, recorded: RecordedConnection) -> bool:
        """Return whether a client has met a recorded rejection."""
        return recorded not in self._connections

    def reach_refusal(self, recorded: RecordedConnection) -> None:
        """Pass a rejection, whether a client has met it or not."""
        if recorded in self._connections:
            self._connections.remove(recorded)

    async def reach_connection(self, recorded: RecordedConnection) -> None:
        """Begin a connection; the one before it has ended, even if a crash kept that unrecorded."""
        if self._reached is not None and self.client is not None:
            await self._end(CUT, "")
        self._connections.remove(recorded)
        self._reached, self._dialogue, self._answered = recorded, Dialogue(), -1
        if self.client is not None:
            self.client.is_in_step = True

    def has_client(self) -> bool:
        """Return whether there is a client that can get data."""
        return self.client is not None and not self.client.owes

    def has_request(self) -> bool:
        """Return whether the client has made the next request of the recording."""
        client = self.client
        return client is not None and (
            client.waiting > 0 or self._dialogue.requests < client.answered_ahead
        )

    def reach_request(self) -> None:
        """Pass a request, whether the client has made it or not."""
        number, client = self._dialogue.on_sent(), self.client
        if client is not None and number >= client.answered_ahead:
            client.waiting = max(0, client.waiting - 1)

    async def reach_frame(self, frame: Frame) -> None:
        """Send a frame to the client, unless it has it already."""
        answered, client = self._dialogue.on_received(frame), self.client
        if answered == GREETING:
            return
        if answered is not None:
            self._answered = answered
        has_it = answered is not None and answered < (
            0 if client is None else client.answered_ahead
        )
        if client is not None and not client.owes and not has_it:
            await client.send(self._moved(frame))

    async def reach_end(self, code: int, reason: str, *, by_client: bool) -> None:
        """End the connection as recorded.

        A recorded client that ended it itself was followed by the next one, or by the end of the
        recording: then the connection stays open.
        """
        if by_client and not self._connections:
            return
        await self._end(NORMAL if by_client else code, reason)

    async def answer_waiting(self) -> None:
        """Answer each request that has no answer yet: the replay waits for another client."""
        client, recorded = self.client, self._reached
        if client is None or recorded is None or client.owes:
            return
        # Those that have had their turn, but not their recorded answer.
        first = max(self._answered + 1, client.answered_ahead)
        client.answered_ahead = max(client.answered_ahead, self._dialogue.requests)
        for number in range(first, self._dialogue.requests):
            if number in recorded.answers:
                await client.send(self._moved(recorded.answers[number]))
        # Those that wait for their turn.
        while client.waiting:
            client.waiting -= 1
            await self._answer_ahead(client, recorded)

    async def close(self) -> None:
        """End the client's connection, with the simulator."""
        if self.client is not None:
            await self.client.close(GOING_AWAY)

    def _attach(self, client: Client, recorded: RecordedConnection) -> Client | None:
        """Make a client that has been greeted the present one; return the one before, if any."""
        client.is_in_step = recorded is self._reached
        # It signs in and subscribes again, as far as the recording client had done so.
        client.owes = min(2, self._dialogue.requests) if client.is_in_step else 0
        before, self.client, self.is_awaited = self.client, client, True
        self.changed.set()
        return before

    async def _end(self, code: int, reason: str) -> None:
        client, self.client, self._reached = self.client, None, None
        if client is not None:
            await client.end(code, reason)

    async def _on_request(self, client: Client, recorded: RecordedConnection) -> None:
        if client.owes:
            is_sign_in = client.owes == 2 or self._dialogue.requests == 1
            await self._send_answer(client, recorded, 0 if is_sign_in else self._answered)
            client.owes -= 1  # only now may data follow
            self.changed.set()
        elif client.is_in_step and self._is_next_soon(client, recorded):
            client.waiting += 1
            self.changed.set()
        else:
            await self._answer_ahead(client, recorded)

    def _is_next_soon(self, client: Client, recorded: RecordedConnection) -> bool:
        """Return whether a request may wait for its place in the recording."""
        following, times = self._next_request(client) + client.waiting, recorded.requests
        return not self.is_held_up and following < len(times) and self._is_soon(times[following])

    def _next_request(self, client: Client) -> int:
        """Return the number of the next request that a client may make."""
        passed = self._dialogue.requests if client.is_in_step else 0
        return max(passed, client.answered_ahead)

    async def _answer_ahead(self, client: Client, recorded: RecordedConnection) -> None:
        """Answer a request at once.

        Either it is the next recorded one and comes before its place, or the client has asked for
        something that the recording client has not: then it gets the newest answer.
        """
        number = self._next_request(client)
        is_next = number in recorded.answers
        if client.is_in_step:
            is_next = is_next and self.is_held_up and self._is_soon(recorded.requests[number])
        if is_next:
            client.answered_ahead = number + 1
        else:
            number = client.answered_ahead - 1
            number = max(self._answered, number) if client.is_in_step else number
        await self._send_answer(client, recorded, number)

    async def _send_answer(self, client: Client, recorded: RecordedConnection, number: int) -> None:
        """Send the answer to a request, or if it got none, the one before."""
        numbers = [each for each in recorded.answers if each <= number]
        if numbers:
            await client.send(self._moved(recorded.answers[max(numbers)]))
