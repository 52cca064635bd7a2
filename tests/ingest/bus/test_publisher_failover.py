"""A server answers in the middle of a series of batches that it is not the master."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ingest.bus import lease as lease_module
from ingest.bus import publisher
from shared.bus.redis_source import RedisSource
from shared.bus.valkey_server import ValkeyServer
from tests.ingest.bus.stage import Stage, printed, publishing
from tests.limits import LIMIT_SECONDS
from tests.redis_servers import master_and_replica, moving_address
from tests.services import until
from tests.tcp_server import closing, copy, tcp_server

COUNT = 40
HALF = COUNT // 2


@pytest.fixture(autouse=True)
def batches_are_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher, "BATCH", 4)
    monkeypatch.setattr(publisher, "PUBLISH_RETRY_SECONDS", 0.02)
    monkeypatch.setattr(lease_module, "LEASE_RENEW_SECONDS", 0.05)


async def numbers(stage: Stage) -> list[int]:
    return [body["n"] for _, body, _ in await stage.history("trade:SPY")]


class OneAnswer:
    """A forwarder that answers one batch itself, with ``error``, once it is armed."""

    def __init__(self, target: int, error: bytes) -> None:
        self.is_armed = False
        self.connections = 0
        self._target = target
        self._error = error

    async def forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        there, onward = await asyncio.open_connection("127.0.0.1", self._target)

        async def to_server() -> None:
            while some := await reader.read(1 << 20):
                if self.is_armed and b"EVALSHA" in some and b"trade:SPY" in some:
                    self.is_armed = False
                    writer.write(b"-%b\r\n" % self._error)
                else:
                    onward.write(some)
            onward.close()

        async with closing(onward):
            await asyncio.gather(to_server(), copy(there, writer))


@asynccontextmanager
async def one_answer(target: int, error: bytes) -> AsyncIterator[tuple[OneAnswer, RedisSource]]:
    between = OneAnswer(target, error)
    async with tcp_server(between.forward) as port:
        yield between, RedisSource(f"redis://127.0.0.1:{port}/0")


@pytest.mark.parametrize(
    "error", [b"READONLY You can't write against a read only replica.", b"MOVED 1 127.0.0.1:1"]
)
async def test_a_batch_that_the_wrong_server_rejects_is_sent_on_another_connection(
    valkey: ValkeyServer, error: bytes
) -> None:
    async with one_answer(valkey.port, error) as (between, source), publishing(source) as stage:
        await stage.publish(*(printed(number) for number in range(HALF)))
        before, between.is_armed = between.connections, True
        await stage.publish(*(printed(number) for number in range(HALF, COUNT)))

        assert not between.is_armed
        assert between.connections > before
        assert await numbers(stage) == list(range(COUNT))
        assert (stage.publisher.published, stage.outbox.lost) == (COUNT, 0)
        assert stage.publisher.rejection is None


async def test_a_master_that_is_demoted_between_batches_costs_no_event_and_repeats_none(
    tmp_path: Path,
) -> None:
    async with (
        master_and_replica(tmp_path) as (old, new),
        moving_address(old.port) as (address, url),
        publishing(RedisSource(url)) as stage,
    ):
        await stage.publish(*(printed(number) for number in range(HALF)))
        assert await old.client.wait(1, round(1000 * LIMIT_SECONDS)) == 1  # the replica has them
        await old.follow(new)
        for number in range(HALF, COUNT):
            stage.outbox.offer(printed(number))
        await until(lambda: stage.publisher.waiting_seconds > 0)
        assert stage.publisher.published == HALF
        await new.follow(None)
        address.target = new.port
        await until(lambda: stage.publisher.published == COUNT)

        assert await numbers(stage) == list(range(COUNT))
        assert stage.outbox.lost == 0
        assert await new.is_used()
