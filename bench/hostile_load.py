"""The attacker's process: sends attacks at a rate, and searches the answers for secrets.

It gives way to other processes (``nice``), so that the open streams wait for the gateway and not
for the attacker's share of the CPU.
"""

import asyncio
import os
import random
import re
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress

import msgspec

from bench.hostile_requests import Attack, Attacker

READ_SECONDS = 2.0
"""How long an answer is waited for: broken requests get none before the gateway's limit of 10 s."""

UNREAD_SECONDS = 5.0
MOST_BYTES = 2 * 2**20

_STATUS = re.compile(rb"^HTTP/1\.1 (\d{3}) ", re.MULTILINE)
_INSIDE = re.compile(rb'event: (hello|price|position)|"(prices|positions|ticket|gateways)":')
"""Nothing of this is in an answer to a request without a token."""


class Task(msgspec.Struct):
    """The work of one attacker. ``secrets`` must appear in no answer."""

    port: int
    tokens: list[str]
    secrets: list[str]
    requests: int
    per_second: float
    at_once: int
    seed: int
    nice: int


class Answers(msgspec.Struct):
    """The answers by kind of attack and status, and the violations."""

    answers: dict[str, dict[str, int]]
    broken_in: list[str]
    leaks: list[str]


class Load:
    """Sends attacks each on a separate connection, some at the same time."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._attacker = Attacker(task.tokens, random.Random(task.seed))  # noqa: S311 - repeatable
        self._secrets = [secret.encode() for secret in task.secrets]
        self._answers: dict[str, Counter[str]] = {}
        self._broken_in: list[str] = []
        self._leaks: list[str] = []

    async def run(self) -> Answers:
        """Send all attacks, and return the answers."""
        loop, free = asyncio.get_running_loop(), asyncio.Semaphore(self._task.at_once)
        started = loop.time()
        async with asyncio.TaskGroup() as tasks:
            for number in range(self._task.requests):
                # At a rate, whatever the answers take: a slow gateway is not attacked less.
                due = started + number / self._task.per_second
                if due > loop.time():
                    await asyncio.sleep(due - loop.time())
                await free.acquire()
                sending = tasks.create_task(self._send(self._attacker.draw()))
                sending.add_done_callback(lambda _: free.release())
        return Answers(
            {kind: dict(counts) for kind, counts in self._answers.items()},
            self._broken_in,
            self._leaks,
        )

    async def _send(self, attack: Attack) -> None:
        answer = b""
        with suppress(OSError):
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", self._task.port, limit=MOST_BYTES
            )
            try:
                answer = await self._exchange(attack, reader, writer)
            finally:
                writer.transport.abort()
        self._judge(attack, answer)

    async def _exchange(
        self, attack: Attack, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bytes:
        writer.write(attack.sent)
        if attack.unread:
            await asyncio.sleep(UNREAD_SECONDS)
            return b""
        answer = bytearray()
        with suppress(TimeoutError):
            async with asyncio.timeout(READ_SECONDS):
                while (data := await reader.read(65536)) and len(answer) < MOST_BYTES:
                    answer += data
        return bytes(answer)

    def _judge(self, attack: Attack, answer: bytes) -> None:
        statuses = [found.decode() for found in _STATUS.findall(answer)] or ["none"]
        self._answers.setdefault(attack.kind, Counter()).update(statuses[:1])
        if _INSIDE.search(answer):
            self._broken_in.append(f"{attack.kind}: {attack.sent[:200]!r} → {answer[:200]!r}")
        if any(secret in answer for secret in self._secrets):
            self._leaks.append(f"{attack.kind}: {attack.sent[:200]!r} → {answer[:200]!r}")


def main(arguments: Sequence[str]) -> int:
    """Attack as the JSON in the first argument says; print the answers as JSON."""
    task = msgspec.json.decode(arguments[0], type=Task)
    os.nice(task.nice)
    answers = asyncio.run(Load(task).run())
    print(msgspec.json.encode(answers).decode(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
