"""`/stream`: what a client of the account's updates sees."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, Self, cast

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from simulator import DEFAULT_KEY, DEFAULT_SECRET
from simulator.service import Simulator, SimulatorSettings
from simulator.streams.account_session import AccountSession
from simulator.streams.session import Terms
from tests.limits import LIMIT_SECONDS
from tests.simulator.client import endpoint_state, until

AUTHENTICATE = {
    "action": "authenticate",
    "data": {"key_id": DEFAULT_KEY, "secret_key": DEFAULT_SECRET},
}
LISTEN = {"action": "listen", "data": {"streams": ["trade_updates"]}}
AUTHORIZED = {
    "stream": "authorization",
    "data": {"status": "authorized", "action": "authenticate"},
}
QUIET_SECONDS = 0.2
"""How long a test listens to a silence; a wait that ends too early can only pass."""


class AccountClient:
    """Sends text, and reads the JSON in binary frames."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, message: object) -> None:
        await self.connection.send(json.dumps(message))

    async def receive(self) -> dict[str, Any]:
        async with asyncio.timeout(LIMIT_SECONDS):
            raw = await self.connection.recv()
        assert isinstance(raw, bytes)
        return cast("dict[str, Any]", json.loads(raw))

    async def ask(self, message: object) -> dict[str, Any]:
        await self.send(message)
        return await self.receive()

    async def listening(self) -> Self:
        assert await self.ask(AUTHENTICATE) == AUTHORIZED
        assert (await self.ask(LISTEN))["stream"] == "listening"
        return self

    async def end(self) -> int | None:
        """Return the code of the server's close, None if it sent none."""
        try:
            while True:
                await self.receive()
        except ConnectionClosed as closed:
            return None if closed.rcvd is None else closed.rcvd.code

    async def assert_silence(self) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(QUIET_SECONDS):
                await self.connection.recv()


@asynccontextmanager
async def open_account(simulator: Simulator) -> AsyncIterator[AccountClient]:
    async with connect(f"{simulator.stream_url}/stream", close_timeout=1) as connection:
        yield AccountClient(connection)


async def refused(simulator: Simulator) -> int:
    with pytest.raises(InvalidStatus) as caught:
        async with open_account(simulator):
            pass
    return caught.value.response.status_code


@pytest.mark.parametrize(
    "keys", [AUTHENTICATE, {"action": "auth", "key": DEFAULT_KEY, "secret": DEFAULT_SECRET}]
)
async def test_both_ways_to_authenticate_let_in(quiet: Simulator, keys: dict[str, Any]) -> None:
    async with open_account(quiet) as client:
        assert await client.ask(keys) == AUTHORIZED
        assert endpoint_state(quiet, "account")["sessions"] == 1


async def test_a_fill_is_told_with_the_whole_order(quiet: Simulator) -> None:
    async with open_account(quiet) as client:
        await client.listening()
        order_id = await quiet.fill("BAC", Decimal(10), Decimal("13.9"))
        new, fill = [(await client.receive())["data"] for _ in range(2)]

    assert (new["event"], new["order"]["status"]) == ("new", "new")
    assert new.keys() == {"event", "timestamp", "order"}
    assert (fill["event"], fill["price"], fill["qty"]) == ("fill", "13.9", "10")
    assert (fill["position_qty"], fill["order"]["id"]) == ("147", order_id)
    assert fill["order"]["filled_avg_price"] == "13.9"
    state = endpoint_state(quiet, "account")
    assert (state["messages_sent"], state["sessions_peak"]) == (2, 1)


async def test_listen_replaces_the_streams(quiet: Simulator) -> None:
    async with open_account(quiet) as client:
        await client.listening()
        assert endpoint_state(quiet, "account")["streams"] == ["trade_updates"]
        other = {"action": "listen", "data": {"streams": ["account_updates"]}}
        assert (await client.ask(other))["data"] == {"streams": []}
        await quiet.fill("BAC", Decimal(10), Decimal("13.9"))
        assert (await client.ask(LISTEN))["data"] == {"streams": ["trade_updates"]}
        await quiet.fill("BAC", Decimal(1), Decimal("13.9"))

        assert (await client.receive())["data"]["order"]["qty"] == "1", "nothing is sent again"


async def test_wrong_keys_are_unauthorized_and_the_end(quiet: Simulator) -> None:
    async with open_account(quiet) as client:
        wrong = {"action": "authenticate", "data": {"key_id": DEFAULT_KEY, "secret_key": "x"}}
        answer = await client.ask(wrong)
        assert (answer["data"]["status"], answer["data"]["action"]) == (
            "unauthorized",
            "authenticate",
        )
        assert await client.end() == 1000
    assert endpoint_state(quiet, "account")["refused"] == {"402": 1}


def test_who_listens_before_the_keys_is_unauthorized() -> None:
    session = AccountSession(Terms("k", "s", "basic", None))
    [answer] = session.receive(LISTEN).replies

    assert answer["data"] == {"status": "unauthorized", "action": "listen"}
    assert session.streams == []


@pytest.mark.parametrize(
    "garbage", ["no json", "[]", '{"action": "dance"}', '{"action": "listen"}']
)
async def test_what_is_no_message_is_an_error_and_the_end(quiet: Simulator, garbage: str) -> None:
    async with open_account(quiet) as client:
        await client.ask(AUTHENTICATE)
        await client.connection.send(garbage)
        answer = await client.receive()
        assert answer == {"action": "error", "data": {"error_message": "invalid syntax"}}
        assert await client.end() == 1000


async def test_a_second_connection_is_429_until_the_first_has_gone(quiet: Simulator) -> None:
    async with open_account(quiet):
        assert await refused(quiet) == 429
    await until(lambda: endpoint_state(quiet, "account")["connections"] == 0)
    async with open_account(quiet) as client:
        await client.listening()


async def test_a_connection_that_was_cut_keeps_its_slot() -> None:
    settings = SimulatorSettings(tape=None, ghost_seconds=3600)
    async with Simulator(settings) as simulator:
        async with open_account(simulator) as client:
            await client.listening()
            assert simulator.faults.reset("account") == 1
            assert await client.end() is None
        await until(lambda: endpoint_state(simulator, "account")["connections"] == 0)

        assert await refused(simulator) == 429


async def test_who_sends_no_keys_in_time_is_sent_away() -> None:
    settings = SimulatorSettings(tape=None, auth_timeout_seconds=0.05)
    async with Simulator(settings) as simulator, open_account(simulator) as client:
        assert (await client.receive())["data"] == {"error_message": "auth timeout"}
        assert await client.end() == 1000


async def test_an_upgrade_can_be_refused(quiet: Simulator) -> None:
    quiet.faults.refuse_upgrade("account", status=503)
    assert await refused(quiet) == 503
    async with open_account(quiet) as client:
        await client.listening()


async def test_it_can_be_mute_from_the_start_after_the_keys_and_later(quiet: Simulator) -> None:
    quiet.faults.mute_after_connect("account")
    async with open_account(quiet) as client:
        await client.send(AUTHENTICATE)
        await client.assert_silence()
    await until(lambda: endpoint_state(quiet, "account")["connections"] == 0)
    quiet.faults.mute_after_auth("account")
    async with open_account(quiet) as client:
        await client.send(AUTHENTICATE)
        await client.assert_silence()
    await until(lambda: endpoint_state(quiet, "account")["connections"] == 0)
    async with open_account(quiet) as client:
        await client.listening()
        assert quiet.faults.mute("account", seconds=3600) == 1
        await quiet.fill("BAC", Decimal(1), Decimal(13))
        await client.assert_silence()


async def test_the_right_keys_can_be_refused_and_a_listen_ignored(quiet: Simulator) -> None:
    quiet.faults.refuse_auth("account")
    async with open_account(quiet) as client:
        assert (await client.ask(AUTHENTICATE))["data"]["status"] == "unauthorized"
        assert await client.end() == 1000
    await until(lambda: endpoint_state(quiet, "account")["connections"] == 0)
    quiet.faults.ignore_subscribe("account")
    async with open_account(quiet) as client:
        await client.ask(AUTHENTICATE)
        await client.send(LISTEN)
        await client.assert_silence()
        assert (await client.ask(LISTEN))["stream"] == "listening"


async def test_a_failure_in_the_stream_is_an_error_and_the_end(quiet: Simulator) -> None:
    async with open_account(quiet) as client:
        await client.listening()
        assert quiet.faults.error("account") == 1
        assert await client.receive() == {
            "action": "error",
            "data": {"error_message": "internal error"},
        }
        assert await client.end() == 1000


@pytest.mark.parametrize(
    ("fault", "code"), [("reset", None), ("fin", None), ("close", 1000), ("half_open", None)]
)
async def test_the_connection_can_end_in_every_way(
    quiet: Simulator, fault: str, code: int | None
) -> None:
    async with open_account(quiet) as client:
        await client.listening()
        assert getattr(quiet.faults, fault)("account") == 1
        if fault == "half_open":
            await quiet.fill("BAC", Decimal(1), Decimal(13))
            await client.assert_silence()
            client.connection.transport.abort()
        else:
            assert await client.end() == code


async def test_anything_can_be_sent_on_it(quiet: Simulator) -> None:
    async with open_account(quiet) as client:
        await client.listening()
        quiet.faults.send("account", b"bytes")
        quiet.faults.send_text("account", "text")
        quiet.faults.garbage("account")
        quiet.faults.send_messages(None, [{"T": "t", "S": "BAC"}])  # market data, not for it
        quiet.faults.send_text("account", "last")

        received = [await client.connection.recv() for _ in range(4)]
    assert (received[0], received[1], received[3]) == (b"bytes", "text", "last")


async def test_the_simulators_end_is_told() -> None:
    async with Simulator(SimulatorSettings(tape=None)) as simulator:
        connection = await connect(f"{simulator.stream_url}/stream")
        client = await AccountClient(connection).listening()
    assert await client.end() == 1001
