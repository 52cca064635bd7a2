"""A capture served again: byte for byte, in order, with its ends, to a client that may differ."""

import asyncio
from pathlib import Path

import httpx
import msgpack
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.simulator.capture.written import (
    ACKNOWLEDGED,
    AUTH,
    AUTHENTICATED,
    STOCKS,
    SUBSCRIBE,
    WELCOME,
    Capture,
    client_of,
    received,
    replaying,
    state,
    subscribe,
    trade,
    until_ended,
    until_waiting,
)

NEWS = "/v1beta1/news"
ACCOUNT = "/stream"


async def test_frames_come_byte_for_byte_in_their_kind(tmp_path: Path) -> None:
    odd = [b"\x91\x81\xa1T\xa1t\x00", '[ {"T":"t"} ]', "", b"\xff", b"x" * 3_000_000]
    capture = Capture().session(*odd)
    async with replaying(capture, tmp_path) as simulator, client_of(simulator) as client:
        answers = await subscribe(client)
        assert [await client.recv() for _ in odd] == odd
        await until_ended(simulator)

    assert [msgpack.unpackb(each) for each in answers] == [WELCOME, AUTHENTICATED, ACKNOWLEDGED]


async def test_nothing_that_came_after_a_request_is_sent_before_it(tmp_path: Path) -> None:
    capture = Capture().session(trade(1))
    capture.frame("sent", {"action": "subscribe", "trades": ["IBM"]})
    # Data that were on their way came before the answer.
    capture.frame("received", trade(2)).frame("received", ACKNOWLEDGED)
    capture.frame("received", trade(3))
    async with replaying(capture, tmp_path) as simulator, client_of(simulator) as client:
        await until_waiting(simulator, "stocks: a request")
        assert state(simulator)["row"] == 4
        await subscribe(client)
        assert await received(client, 1) == [trade(1)]
        await until_waiting(simulator, "stocks: a request")
        assert state(simulator)["row"] == 9
        await client.send(msgpack.packb({"anything": "else"}))
        assert await received(client, 3) == [trade(2), ACKNOWLEDGED, trade(3)]
        await until_ended(simulator)


async def test_the_streams_wait_for_each_other(tmp_path: Path) -> None:
    capture = Capture().session(trade(1))
    capture.session(trade(2), connection=2, path=NEWS, stream="news")
    capture.frame("received", trade(3))
    async with replaying(capture, tmp_path) as simulator, client_of(simulator) as stocks:
        await subscribe(stocks)
        assert await received(stocks, 1) == [trade(1)]
        await until_waiting(simulator, "news: a connection")
        async with client_of(simulator, NEWS) as news:
            await subscribe(news)
            assert await received(news, 1) == [trade(2)]
            assert await received(stocks, 1) == [trade(3)]


@pytest.mark.parametrize(
    ("code", "reason", "seen"),
    [(1006, "", None), (1001, "", (1001, "")), (4000, "slow", (4000, "slow")), (1005, "", None)],
)
async def test_a_recorded_end_comes_as_it_was_and_then_the_next_connection(
    tmp_path: Path, code: int, reason: str, seen: tuple[int, str] | None
) -> None:
    capture = Capture().session(trade(1)).end(code=code, reason=reason)
    capture.session(trade(2), connection=2)
    async with replaying(capture, tmp_path) as simulator:
        async with client_of(simulator) as client:
            await subscribe(client)
            await received(client, 1)
            with pytest.raises(ConnectionClosed) as ended:
                await client.recv()
        close = ended.value.rcvd
        assert (None if close is None else (close.code, close.reason)) == seen
        async with client_of(simulator) as client:
            await subscribe(client)
            assert await received(client, 1) == [trade(2)]


async def test_a_recorded_rejection_rejects_one_attempt(tmp_path: Path) -> None:
    capture = Capture().session(trade(1)).end()
    for number, status in ((2, 503), (3, 429)):
        capture.add(kind="refused", stream="stocks", connection=number, path=STOCKS, status=status)
    # The network gave no answer: that cannot be replayed.
    capture.add(kind="refused", stream="stocks", connection=4, path=STOCKS, reason="no route")
    capture.session(trade(2), connection=5)
    async with replaying(capture, tmp_path) as simulator:
        async with client_of(simulator) as client:
            await subscribe(client)
            await received(client, 1)
            with pytest.raises(ConnectionClosed):
                await client.recv()
        for status in (503, 429):
            with pytest.raises(InvalidStatus) as rejected:
                async with client_of(simulator):
                    pass
            assert rejected.value.response.status_code == status
        async with client_of(simulator) as client:
            await subscribe(client)
            assert await received(client, 1) == [trade(2)]


async def test_a_client_that_comes_early_is_answered_at_once_and_gets_data_when_due(
    tmp_path: Path,
) -> None:
    capture = Capture().session(trade(1))
    capture.session(trade(2), connection=2, path=NEWS, stream="news")
    async with replaying(capture, tmp_path) as simulator, client_of(simulator, NEWS) as news:
        answers = await subscribe(news)
        assert [msgpack.unpackb(each) for each in answers] == [WELCOME, AUTHENTICATED, ACKNOWLEDGED]
        await until_waiting(simulator, "stocks: a connection")
        assert state(simulator)["row"] == 2
        async with client_of(simulator) as stocks:
            await subscribe(stocks)
            assert await received(stocks, 1) == [trade(1)]
            assert await received(news, 1) == [trade(2)]
            await until_ended(simulator)


async def test_a_wait_for_one_stream_keeps_no_answer_from_the_client_of_another(
    tmp_path: Path,
) -> None:
    capture = Capture().connect().frame("received", WELCOME).frame("sent", AUTH)
    capture.frame("received", AUTHENTICATED).frame("sent", SUBSCRIBE)
    capture.session(trade(2), connection=2, path=NEWS, stream="news")
    capture.frame("received", ACKNOWLEDGED).frame("received", trade(1))
    capture.frame("sent", SUBSCRIBE).frame("received", [{"T": "subscription"}])
    async with replaying(capture, tmp_path) as simulator, client_of(simulator) as stocks:
        answers = await subscribe(stocks)
        assert [msgpack.unpackb(each) for each in answers] == [WELCOME, AUTHENTICATED, ACKNOWLEDGED]
        await until_waiting(simulator, "news: a connection")
        async with client_of(simulator, NEWS) as news:
            await subscribe(news)
            assert await received(news, 1) == [trade(2)]
            assert await received(stocks, 1) == [trade(1)]
            await stocks.send(msgpack.packb(SUBSCRIBE))
            assert await received(stocks, 1) == [[{"T": "subscription"}]]


async def test_a_client_that_comes_back_early_gets_the_same_connection_from_there_on(
    tmp_path: Path,
) -> None:
    capture = Capture().session(trade(1))
    capture.frame("sent", SUBSCRIBE).frame("received", [{"T": "subscription", "trades": ["IBM"]}])
    capture.frame("received", trade(2)).session(connection=2, path=NEWS, stream="news")
    capture.frame("received", trade(3)).end().session(trade(4), connection=3)
    async with replaying(capture, tmp_path) as simulator:
        async with client_of(simulator) as client:
            await subscribe(client)
            await received(client, 1)
            await client.send(msgpack.packb(SUBSCRIBE))
            await received(client, 2)
            await until_waiting(simulator, "news: a connection")
        async with client_of(simulator) as client, client_of(simulator, NEWS) as news:
            answers = await subscribe(client)
            # The last answer is the whole state.
            assert msgpack.unpackb(answers[-1]) == [{"T": "subscription", "trades": ["IBM"]}]
            await subscribe(news)
            assert await received(client, 1) == [trade(3)]
            with pytest.raises(ConnectionClosed):
                await client.recv()
        async with client_of(simulator) as client:
            await subscribe(client)
            assert await received(client, 1) == [trade(4)]


async def test_a_frame_waits_for_a_client_that_has_ended(tmp_path: Path) -> None:
    capture = Capture().session(trade(1))
    capture.session(trade(2), connection=2, path=NEWS, stream="news")
    capture.frame("received", trade(3))
    async with replaying(capture, tmp_path) as simulator, client_of(simulator, NEWS) as news:
        async with client_of(simulator) as client:
            await subscribe(client)
            await received(client, 1)
        await subscribe(news)
        assert await received(news, 1) == [trade(2)]
        await until_waiting(simulator, "stocks: a connection")
        async with client_of(simulator) as client:
            await subscribe(client)
            assert await received(client, 1) == [trade(3)]


async def test_a_request_that_was_not_recorded_gets_the_newest_recorded_answer(
    tmp_path: Path,
) -> None:
    capture = Capture().session(trade(1))
    async with replaying(capture, tmp_path) as simulator, client_of(simulator) as client:
        await subscribe(client)
        await received(client, 1)
        for symbol in ("IBM", "BAC"):
            await client.send(msgpack.packb({"action": "subscribe", "trades": [symbol]}))
            assert await received(client, 1) == [ACKNOWLEDGED]


async def test_a_connection_that_the_recording_client_ended_last_stays_open(
    tmp_path: Path,
) -> None:
    capture = Capture().session(trade(1)).end(by="ingest", code=1000)
    async with replaying(capture, tmp_path) as simulator, client_of(simulator) as client:
        await subscribe(client)
        await received(client, 1)
        await until_ended(simulator)
        await client.send(msgpack.packb(SUBSCRIBE))
        assert await received(client, 1) == [ACKNOWLEDGED]


@pytest.mark.parametrize("is_torn", [False, True])
async def test_a_connection_with_another_after_it_ends_whoever_ended_it(
    tmp_path: Path, is_torn: bool
) -> None:
    capture = Capture().session(trade(1))
    if not is_torn:  # a crash of the ingest leaves no end
        capture.end(by="ingest", code=1000)
    capture.session(trade(2), connection=2)
    async with replaying(capture, tmp_path) as simulator:
        async with client_of(simulator) as client:
            await subscribe(client)
            await received(client, 1)
            with pytest.raises(ConnectionClosed) as ended:
                await client.recv()
        assert (ended.value.rcvd is None) == is_torn
        async with client_of(simulator) as client:
            await subscribe(client)
            assert await received(client, 1) == [trade(2)]


async def test_after_the_last_connection_a_client_is_rejected(tmp_path: Path) -> None:
    capture = Capture().session().end(code=1001)
    async with replaying(capture, tmp_path) as simulator:
        async with client_of(simulator) as client:
            await subscribe(client)
            with pytest.raises(ConnectionClosed):
                await client.recv()
        with pytest.raises(InvalidStatus) as rejected:
            async with client_of(simulator):
                pass
    assert rejected.value.response.status_code == 503


async def test_what_no_client_does_is_waited_for_only_for_a_time(tmp_path: Path) -> None:
    capture = Capture().session(connection=2, path=NEWS, stream="news").session(trade(1))
    capture.frame("sent", SUBSCRIBE).frame("received", trade(2))
    async with (
        replaying(capture, tmp_path, patience=0.05) as simulator,
        client_of(simulator) as client,
    ):
        await subscribe(client)
        # The news were given up, and so is the second request.
        assert await received(client, 2) == [trade(1), trade(2)]
        await until_ended(simulator)
        assert state(simulator)["waits_for"] is None


async def test_a_newcomer_takes_the_place_of_a_client(tmp_path: Path) -> None:
    capture = Capture().session(trade(1))
    async with replaying(capture, tmp_path) as simulator, client_of(simulator) as first:
        await subscribe(first)
        await received(first, 1)
        async with client_of(simulator) as second:
            with pytest.raises(ConnectionClosed) as ended:
                await first.recv()
            await subscribe(second)
    assert ended.value.rcvd is not None
    assert ended.value.rcvd.code == 1001


async def test_the_accounts_stream_is_replayed_too(tmp_path: Path) -> None:
    capture = Capture().connect(path=ACCOUNT, stream="account")
    authorized = b'{"stream":"authorization","data":{"status":"authorized"}}'
    listening = b'{"stream":"listening","data":{"streams":["trade_updates"]}}'
    update = b'{"stream":"trade_updates","data":{"event":"fill"}}'
    for kind, content in (
        ("sent", '{"action":"authenticate"}'),
        ("received", authorized),
        ("sent", '{"action":"listen"}'),
        ("received", update),
        ("received", listening),
    ):
        capture.frame(kind, content, stream="account")
    async with replaying(capture, tmp_path) as simulator, client_of(simulator, ACCOUNT) as client:
        await until_waiting(simulator, "account: a request")
        await client.send('{"action":"authenticate"}')
        assert await client.recv() == authorized
        await until_waiting(simulator, "account: a request")
        await client.send('{"action":"listen"}')
        assert [await client.recv(), await client.recv()] == [update, listening]


async def test_its_progress_is_shown_and_no_market_is_simulated(tmp_path: Path) -> None:
    capture = Capture().session(trade(1))
    async with (
        replaying(capture, tmp_path) as simulator,
        client_of(simulator) as client,
        httpx.AsyncClient(base_url=simulator.rest_url) as http,
    ):
        await subscribe(client)
        await received(client, 1)
        await until_ended(simulator)
        shown = (await http.get("/simulator/state")).json()["capture"]
        other = await http.get("/v2/stocks/snapshots?symbols=SPY")
        with pytest.raises(InvalidStatus) as unknown:
            async with client_of(simulator, "/v2/sip"):
                pass

    assert shown == {
        "row": 8,
        "rows": 8,
        "waits_for": None,
        "has_ended": True,
        "is_torn": False,
    }
    assert (other.status_code, other.json()) == (
        404,
        {"message": "the capture has no GET /v2/stocks/snapshots"},
    )
    assert unknown.value.response.status_code == 404


async def test_the_simulator_ends_while_the_replay_waits(tmp_path: Path) -> None:
    capture = Capture().session(trade(1))
    async with replaying(capture, tmp_path) as simulator, client_of(simulator) as client:
        await client.send(msgpack.packb(AUTH))
        await until_waiting(simulator, "stocks: a request")
        ending = asyncio.create_task(client.wait_closed())
        await asyncio.sleep(0)
    await ending
