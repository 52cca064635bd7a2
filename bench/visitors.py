"""Clients that come and go: each opens a stream of random topics, changes it, and leaves."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

TRADED = ("SPY", "IBM", "BAC", "AIG")
QUIET = tuple(f"Q{a}{b}{c}" for a in "ABCDEFGH" for b in "ABCDEFGH" for c in "ABCDEFGH")[:508]
SYMBOLS = (*TRADED, *QUIET)
"""512 symbols: four that the tape has, and others that cost as much."""

KINDS = ("price", "status", "quote", "trade", "bar.1Day", "news", "position")
OTHERS = ("news:*", "position:*", "account", "orders")
MOST_TOPICS = 12
TICKET_SHARE, PATCH_SHARE = 0.4, 0.95
STAY_SECONDS = 12.0
"""The mean of the random time for which a client reads."""

LIMIT_SECONDS = 60.0
"""How long a client waits for an answer or an event."""


@dataclass
class Visits:
    """The answers to clients by method and status, ``PATCH 200``, and the errors of connections."""

    answers: Counter[str] = field(default_factory=Counter)
    open: int = 0

    @property
    def failure_share(self) -> float:
        """The share of the answers that are failures."""
        return sum(self.failures.values()) / max(1, self.answers.total())

    @property
    def failures(self) -> dict[str, int]:
        """The answers that are no success; a change may come before its stream has started."""
        return {
            name: count
            for name, count in self.answers.items()
            if not name.endswith((" 200", " 201")) and name != "PATCH 409"
        }


class Visitors:
    """Clients of gateways with a token, by bare sockets."""

    def __init__(self, ports: Sequence[int], token: str, randomness: random.Random) -> None:
        self.visits = Visits()
        self._ports = ports
        self._token = token
        self._random = randomness

    async def come(self, per_second: float) -> None:
        """Let clients come, so many a second on average, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                tasks.create_task(self._visit())
                await asyncio.sleep(self._random.expovariate(per_second))

    async def _visit(self) -> None:
        self.visits.open += 1
        try:
            async with asyncio.timeout(10 * STAY_SECONDS + LIMIT_SECONDS):
                await self._stream()
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            self.visits.answers[repr(error)] += 1
        finally:
            self.visits.open -= 1

    async def _stream(self) -> None:
        topics = self._topics()
        path = f"/api/stream?topics={','.join(topics)}"
        header = self._authorization
        if self._random.random() < TICKET_SHARE:
            answer = await self._ask("POST", "/api/stream/ticket", {"topics": topics})
            if "ticket" not in answer:  # rejected, and counted by its status
                return
            path += f"&ticket={answer['ticket']}"
            header = ""
        reader, writer = await self._connect()
        try:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{header}\r\n".encode())
            status = await reader.readuntil(b"\r\n\r\n")
            self.visits.answers[f"GET {int(status.split()[1])}"] += 1
            if status.split()[1] != b"200":
                return
            # The chunk of ``hello``: its size, three lines, and the JSON on the last of them.
            hello = json.loads((await reader.readuntil(b"\n\n")).partition(b"data: ")[2])
            if "stream_id" not in hello:  # ``bye``: the gateway is busy, or connects to Redis
                self.visits.answers["GET bye"] += 1
                return
            reading = asyncio.create_task(_read(reader))
            try:
                await self._stay(hello["stream_id"], topics)
            finally:
                reading.cancel()
                await asyncio.wait([reading])
        finally:
            writer.close()

    async def _stay(self, stream_id: str, topics: Sequence[str]) -> None:
        stay = min(self._random.expovariate(1 / STAY_SECONDS), 10 * STAY_SECONDS)
        await asyncio.sleep(stay / 2)
        if self._random.random() < PATCH_SHARE:
            change = {"add": self._topics(), "remove": topics[:1]}
            await self._ask("PATCH", f"/api/stream/{stream_id}", change)
        await asyncio.sleep(stay / 2)

    async def _ask(self, method: str, path: str, body: object) -> dict[str, str]:
        reader, writer = await self._connect()
        data = json.dumps(body)
        writer.write(
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{self._authorization}"
            f"Connection: close\r\nContent-Length: {len(data)}\r\n\r\n{data}".encode()
        )
        try:
            head, _, answer = (await reader.read()).partition(b"\r\n\r\n")
        finally:
            writer.close()
        if not head:
            raise ConnectionResetError(f"no answer to {method}")
        self.visits.answers[f"{method} {int(head.split()[1])}"] += 1
        found: dict[str, str] = json.loads(answer)
        return found

    @property
    def _authorization(self) -> str:
        return f"Authorization: Bearer {self._token}\r\n"

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self._random.choice(self._ports))

    def _topics(self) -> list[str]:
        count = self._random.randint(1, MOST_TOPICS)
        some = {
            f"{self._random.choice(KINDS)}:{self._random.choice(SYMBOLS)}" for _ in range(count)
        }
        return [*some, *self._random.sample(OTHERS, self._random.randint(0, 2))]


async def _read(reader: asyncio.StreamReader) -> None:
    while await reader.read(65536):
        pass
