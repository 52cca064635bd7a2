"""The crypto streams over real sockets: their protocol, their books, their tape."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from simulator.crypto.book import Book
from simulator.crypto.book_tape import GEMINI, read_book_tape, trade_ids
from simulator.crypto.venue import FIRST_ID
from simulator.faults.odd_frames import odd_frames
from simulator.protocol import rfc3339
from simulator.protocol.wire import Format
from simulator.service import Simulator, SimulatorSettings
from simulator.tape.recording import TapeError
from tests.limits import LIMIT_SECONDS
from tests.simulator.client import Frame, StreamClient, endpoint_state, open_stream, until

AUTH = {"action": "auth", "key": "PKSIMULATOR", "secret": "simulator-secret"}
FEEDS = ("crypto", "us-1", "eu-1")
TIME = "2026-11-22T15:28:52.011856266Z"
TRADE = {"T": "t", "S": "BTC/USD", "p": 64000.5, "s": 0.25, "i": 2**62 + 1, "tks": "S"}
BOOK: dict[str, Any] = {
    "T": "o",
    "S": "BTC/USD",
    "b": [{"p": 64000, "s": 0.5}, {"p": 63999.5, "s": 1.25}],
    "a": [{"p": 64001, "s": 2}],
    "r": True,
}
CHANNELS = ["trades", "quotes", "orderbooks", "bars", "updatedBars", "dailyBars"]


@pytest.fixture
async def stopped() -> AsyncIterator[Simulator]:
    """Return a simulator whose time stands still, so that it sends no bar by itself."""
    now = rfc3339.parse(TIME)
    async with Simulator(SimulatorSettings(tape=None), clock=lambda: now) as simulator:
        yield simulator


@asynccontextmanager
async def signed_in(
    simulator: Simulator,
    feed: str = "crypto",
    form: Format = Format.MSGPACK,
    ping_interval: float | None = 20,
    **channels: object,
) -> AsyncIterator[StreamClient]:
    async with open_stream(simulator, feed, form, ping_interval=ping_interval) as client:
        await client.sign_in()
        if channels:
            answer = await client.ask({"action": "subscribe", **channels})
            assert answer["T"] == "subscription"
        yield client


def write(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def short_tape(folder: Path) -> Path:
    """Write a tape of 40 ms: a book, a change of it, and a trade with a recorded id."""
    times = [f"2021-06-24T00:14:26.{ms:03}Z" for ms in (0, 20, 40)]
    change = {"T": "o", "S": "BTC/USD", "b": [{"p": 64000, "s": 0}], "a": []}
    return write(
        folder / "short.jsonl",
        BOOK | {"t": times[0]},
        change | {"t": times[1]},
        TRADE | {"t": times[2], "i": 7},
    )


@pytest.mark.parametrize("feed", FEEDS)
@pytest.mark.parametrize("form", Format)
async def test_each_endpoint_acknowledges_the_whole_state(
    quiet: Simulator, feed: str, form: Format
) -> None:
    async with signed_in(quiet, feed, form, trades=["BTC/USD"]) as client:
        request = {"action": "subscribe", "orderbooks": ["ETH/USD"], "bars": ["*"]}
        answer = await client.ask(request | {"dailyBars": ["BTC/USD"]})
        left = await client.ask({"action": "unsubscribe", "bars": ["*"], "trades": ["BTC/USD"]})

    assert list(answer) == ["T", *CHANNELS]
    shown = [["BTC/USD"], [], ["ETH/USD"], ["*"], [], ["BTC/USD"]]
    assert [answer[name] for name in CHANNELS] == shown
    assert [left[name] for name in CHANNELS] == [[], [], ["ETH/USD"], [], [], ["BTC/USD"]]


async def test_each_endpoint_allows_one_connection(quiet: Simulator) -> None:
    async with signed_in(quiet), signed_in(quiet, "us-1"), open_stream(quiet, "crypto") as second:
        await second.control()

        assert (await second.ask(AUTH))["code"] == 406
    refused = [endpoint_state(quiet, feed)["refused"] for feed in FEEDS]
    assert refused == [{"406": 1}, {}, {}]


@pytest.mark.parametrize("symbol", ["AAPL", "BTCUSD", "btc/usd", "BTC/US", "B/USD", "BTC/USD/X", 7])
async def test_only_pairs_are_accepted(quiet: Simulator, symbol: object) -> None:
    async with signed_in(quiet, trades=["BTC/USD"]) as client:
        wrong = {"action": "subscribe", "trades": ["ETH/USD", symbol]}

        assert (await client.ask(wrong))["code"] == 400
        assert (await client.ask({"action": "subscribe"}))["trades"] == ["BTC/USD"]


async def test_a_pair_is_no_symbol_of_the_stock_streams(quiet: Simulator) -> None:
    async with open_stream(quiet) as client:
        await client.sign_in()

        assert (await client.ask({"action": "subscribe", "trades": ["BTC/USD"]}))["code"] == 400
        assert (await client.ask({"action": "subscribe", "orderbooks": ["SPY"]}))["code"] == 410


@pytest.mark.parametrize("channel", ["statuses", "lulds", "news", "corrections"])
async def test_the_channels_of_stocks_are_410(quiet: Simulator, channel: str) -> None:
    async with signed_in(quiet) as client:
        assert (await client.ask({"action": "subscribe", channel: ["BTC/USD"]}))["code"] == 410


async def test_pairs_have_no_limit_by_default(quiet: Simulator) -> None:
    many = [f"C{number}/USD" for number in range(500)]
    async with signed_in(quiet) as client:
        answer = await client.ask({"action": "subscribe", "trades": many, "orderbooks": many})

    assert len(answer["orderbooks"]) == 500


async def test_pairs_may_have_a_limit_of_their_own() -> None:
    settings = SimulatorSettings(tape=None, crypto_symbol_limit=2, symbol_limit=1)
    async with Simulator(settings) as simulator, signed_in(simulator) as client:
        two = {"action": "subscribe", "orderbooks": ["A1/USD"], "trades": ["A2/USD"]}
        assert (await client.ask(two | {"bars": ["A3/USD"]}))["T"] == "subscription"

        assert (await client.ask({"action": "subscribe", "quotes": ["A3/USD"]}))["code"] == 405
        assert (await client.ask({"action": "subscribe", "orderbooks": ["*"]}))["code"] == 405
        simulator.faults.counted_bars("crypto")
        assert (await client.ask({"action": "subscribe", "bars": ["A1/USD"]}))["code"] == 405


@pytest.mark.parametrize("form", Format)
async def test_a_trade_arrives_with_its_large_id_and_every_nanosecond(
    quiet: Simulator, form: Format
) -> None:
    async with signed_in(quiet, form=form, trades=["BTC/USD"]) as client:
        await quiet.publish(TRADE | {"t": TIME})
        [trade] = await client.receive()

    time = trade.pop("t")
    assert trade == TRADE
    assert time == TIME if form is Format.JSON else time.to_unix_nano() == rfc3339.parse(TIME)


async def test_all_endpoints_get_the_same_and_the_stock_streams_nothing(quiet: Simulator) -> None:
    async with (
        signed_in(quiet, trades=["*"]) as one,
        signed_in(quiet, "us-1", trades=["*"]) as two,
        signed_in(quiet, "eu-1", trades=["*"]) as three,
        open_stream(quiet) as stocks,
    ):
        await stocks.sign_in()
        await stocks.ask({"action": "subscribe", "bars": ["*"]})
        await quiet.publish(TRADE)
        bar = {"T": "b", "S": "SPY", "o": 1, "h": 1, "l": 1, "c": 1, "v": 1}
        await quiet.publish(bar)
        received = [await client.receive() for client in (one, two, three)]

        assert [[message["i"] for message in frame] for frame in received] == [[TRADE["i"]]] * 3
        assert [message["S"] for message in await stocks.receive()] == ["SPY"]


@pytest.mark.parametrize("form", Format)
async def test_the_first_message_of_a_subscription_to_a_book_is_all_of_it(
    quiet: Simulator, form: Format
) -> None:
    await quiet.publish(BOOK | {"t": TIME})
    change = {"T": "o", "S": "BTC/USD", "b": [{"p": 64000, "s": 0}], "a": [{"p": 64002, "s": 1}]}
    await quiet.publish(change)
    async with (
        signed_in(quiet, "us-1", orderbooks=["ETH/USD"]) as other,
        signed_in(quiet, form=form, orderbooks=["BTC/USD"]) as client,
    ):
        [whole] = await client.receive()
        await quiet.publish(change | {"a": []})
        await quiet.publish(BOOK | {"S": "ETH/USD"})
        [delta] = await client.receive()

        assert [each["S"] for each in await other.receive()] == ["ETH/USD"]
    assert list(whole) == ["T", "S", "t", "b", "a", "r"]
    assert whole["b"] == [{"p": 63999.5, "s": 1.25}]
    assert whole["a"] == [{"p": 64001, "s": 2}, {"p": 64002, "s": 1}]
    assert (whole["r"], "r" in delta) == (True, False)
    assert (delta["b"], delta["a"]) == (change["b"], [])


async def test_each_new_subscription_gets_the_book_but_not_one_that_is_there_already(
    quiet: Simulator,
) -> None:
    for pair in ("BTC/USD", "ETH/USD"):
        await quiet.publish(BOOK | {"S": pair})
    marker = {"T": "t", "S": "BTC/USD", "p": 1, "s": 1}

    async def books(client: StreamClient, action: str, *pairs: str) -> list[str]:
        await client.ask({"action": action, "orderbooks": pairs})
        await quiet.publish(marker)
        found: Frame = []
        while not found or found[-1]["T"] != "t":
            found += await client.receive()
        return [message["S"] for message in found[:-1]]

    async with signed_in(quiet, trades=["BTC/USD"]) as client:
        assert await books(client, "subscribe", "BTC/USD", "NO/USD") == ["BTC/USD"]
        assert await books(client, "subscribe", "BTC/USD") == []
        assert await books(client, "subscribe", "*") == ["ETH/USD"]
        assert await books(client, "unsubscribe", "*") == []
        assert await books(client, "subscribe", "ETH/USD") == ["ETH/USD"]
        assert await books(client, "unsubscribe", "BTC/USD") == []
        assert await books(client, "subscribe", "BTC/USD") == ["BTC/USD"]


async def test_a_quote_follows_a_book_that_changes_the_best_bid_or_offer(quiet: Simulator) -> None:
    unchanged: dict[str, Any] = {"T": "o", "S": "BTC/USD", "b": [{"p": 63000, "s": 7}], "a": []}
    changes: list[dict[str, Any]] = [
        BOOK | {"t": TIME},
        unchanged,
        unchanged | {"b": [{"p": 64000, "s": 0.75}]},
        unchanged | {"b": [], "a": [{"p": 64001, "s": 0}]},
        unchanged | {"b": None},
        BOOK,
    ]
    async with signed_in(quiet, quotes=["BTC/USD"], orderbooks=["BTC/USD"]) as client:
        for change in changes:
            await quiet.publish(change)
        received = await client.receive_data(len(changes) + 4)

    assert [message["T"] for message in received] == list("oqooqoqooq")
    quotes = [message for message in received if message["T"] == "q"]
    assert [(one["bp"], one["bs"], one["ap"], one["as"]) for one in quotes] == [
        (64000, 0.5, 64001, 2),
        (64000, 0.75, 64001, 2),
        (64000, 0.75, 0, 0),
        (64000, 0.5, 64001, 2),
    ]
    assert list(quotes[0]) == ["T", "S", "bp", "bs", "ap", "as", "t"]
    assert quotes[0]["t"] == received[0]["t"]


async def test_a_late_book_makes_a_quote_that_is_the_newest(quiet: Simulator) -> None:
    await quiet.publish(BOOK)
    async with signed_in(quiet, quotes=["BTC/USD"]) as client:
        await quiet.publish(BOOK | {"t": TIME, "b": []})
        [quote] = await client.receive()

    newest = quiet.crypto.market.quote("BTC/USD")
    assert newest is not None
    assert (quote["bp"], quote["t"].to_unix_nano()) == (newest["bp"], newest["t"]) != (0, TIME)


async def test_malformed_messages_are_sent_as_they_are_and_change_nothing(
    quiet: Simulator,
) -> None:
    odd: list[dict[str, Any]] = [
        {"T": "o", "S": "BTC/USD", "b": None, "a": "none", "r": True},
        {"T": "o", "S": "BTC/USD", "r": True},
        {"T": "o", "S": "BTC/USD", "b": [{"p": "x"}, 7], "a": [], "r": "yes"},
        {"T": "t", "S": "BTC/USD", "p": None, "s": "many", "i": "one"},
        {"T": "q", "S": "BTC/USD", "bp": None, "ap": -1},
    ]
    channels: dict[str, Any] = {name: ["BTC/USD"] for name in ("trades", "quotes", "orderbooks")}
    await quiet.publish(BOOK)
    async with signed_in(quiet, form=Format.JSON, **channels) as client:
        [whole] = await client.receive()
        for message in odd:
            await quiet.publish(message | {"t": TIME})
        received = await client.receive_data(len(odd))
    async with signed_in(quiet, orderbooks=["BTC/USD"]) as client:
        [again] = await client.receive()

    assert received == [message | {"t": TIME} for message in odd]
    assert (again["b"], again["a"]) == (whole["b"], whole["a"])


async def test_messages_of_pairs_are_published_over_http(quiet: Simulator) -> None:
    async with (
        signed_in(quiet, trades=["*"]) as client,
        signed_in(quiet, "us-1", trades=["*"], orderbooks=["*"]) as other,
        httpx.AsyncClient() as http,
    ):
        body = [TRADE | {"feed": "crypto"}, BOOK]
        answer = await http.post(f"{quiet.rest_url}/simulator/publish", json=body)

        assert answer.json() == {"published": 2}
        assert [message["i"] for message in await client.receive()] == [TRADE["i"]]
        assert [message["T"] for message in await other.receive()] == ["o"]


async def test_the_state_shows_the_channels_and_the_books(quiet: Simulator) -> None:
    await quiet.publish(BOOK)
    async with signed_in(quiet, orderbooks=["ETH/USD", "BTC/USD"], quotes=["*"]):
        state = endpoint_state(quiet, "crypto")

        assert (state["orderbooks"], state["quotes"]) == (["BTC/USD", "ETH/USD"], ["*"])
        assert (state["trades"], state["sessions"]) == ([], 1)
    crypto: Any = quiet.state()["crypto"]
    assert crypto["levels"] == {"BTC/USD": [2, 1]}
    assert crypto["replay"] == {"row": 0, "loop": 0, "rows": 0}


async def test_bars_are_sent_for_pairs_with_trades_and_with_quotes_alone(
    stopped: Simulator,
) -> None:
    minute = 60 * rfc3339.SECOND
    start = rfc3339.parse("2026-11-22T15:28:00Z")
    quote = {"T": "q", "S": "ETH/USD", "bp": 90, "bs": 1, "ap": 110, "as": 1}
    channels: dict[str, Any] = {name: ["*"] for name in ("bars", "updatedBars", "dailyBars")}
    async with signed_in(stopped, **channels) as client:
        await stopped.publish(TRADE | {"t": start + 1})
        await stopped.publish(quote | {"t": start + 2})
        assert await stopped.send_bars(start) == 4
        first = await client.receive_data(4)
        assert await stopped.send_bars(start) == 2, "d only: no bar is sent again"
        await client.receive_data(2)
        await stopped.publish(TRADE | {"S": "ETH/USD", "t": start + 3})
        assert await stopped.send_bars(start, "u") == 1
        [update] = await client.receive()
        assert await stopped.send_bars(start + minute) == 3, "b of ETH/USD: quotes hold on"

    found = {(message["T"], message["S"]): message for message in first}
    assert sorted(found) == [(kind, pair) for kind in "bd" for pair in ("BTC/USD", "ETH/USD")]
    trades, quotes = found["b", "BTC/USD"], found["b", "ETH/USD"]
    assert [trades[name] for name in ("o", "c", "v", "n", "vw")] == [
        64000.5,
        64000.5,
        0.25,
        1,
        64000.5,
    ]
    assert [quotes[name] for name in ("o", "c", "v", "n", "vw")] == [100, 100, 0, 0, 0]
    assert trades["t"].to_unix_nano() == start
    assert found["d", "ETH/USD"]["t"].to_unix_nano() == rfc3339.parse("2026-11-22T06:00:00Z")
    assert (update["T"], update["S"], update["v"]) == ("u", "ETH/USD", 0.25)


async def test_the_bars_of_pairs_are_sent_just_after_the_minute() -> None:
    minute = rfc3339.parse("2026-11-22T15:29:00Z")
    now = minute + 400_000_000
    async with (
        Simulator(SimulatorSettings(tape=None), clock=lambda: now) as simulator,
        signed_in(simulator, bars=["BTC/USD"]) as client,
    ):
        await simulator.publish(TRADE | {"t": minute - 1})
        now += 600_000_000
        async with asyncio.timeout(LIMIT_SECONDS):
            [bar] = await client.receive()

    assert (bar["T"], bar["v"]) == ("b", 0.25)
    assert bar["t"].to_unix_nano() == minute - 60 * rfc3339.SECOND


async def drained(simulator: Simulator, client: StreamClient) -> Frame:
    """Return everything that the client was sent so far."""
    await simulator.publish(TRADE | {"S": "LAST/USD"})
    received: Frame = []
    async with asyncio.timeout(LIMIT_SECONDS):
        while not received or received[-1]["S"] != "LAST/USD":
            received += await client.receive()
    return received[:-1]


@pytest.mark.parametrize("form", Format)
async def test_a_client_follows_the_books_of_the_shipped_tape(form: Format) -> None:
    settings = SimulatorSettings(tape=None, crypto_tape=GEMINI, speed=40, loop=False)
    recorded = read_book_tape(GEMINI)
    books: dict[str, Book] = {}
    tops: dict[str, list[tuple[float, ...]]] = {}
    quotes: dict[str, list[tuple[float, ...]]] = {pair: [] for pair in recorded.symbols}
    async with (
        Simulator(settings) as simulator,
        signed_in(simulator, form=form, trades=["*"], quotes=["*"], orderbooks=["*"]) as client,
    ):
        await until(lambda: replayed(simulator)["row"] == len(recorded.rows))
        received = await drained(simulator, client)
        held = {pair: book.message(pair) for pair, book in simulator.crypto.market.books().items()}

    for message in received:
        pair = message["S"]
        if message["T"] == "o":
            assert message.get("r", False) is (pair not in books), "the first is the whole book"
            book = books.setdefault(pair, Book())
            assert book.apply(message, held[pair]["t"])  # type: ignore[arg-type]
            assert 0 < book.best.bid < book.best.ask
            if tops.setdefault(pair, [])[-1:] != [book.best]:
                tops[pair].append(book.best)
        elif message["T"] == "q":
            quotes[pair].append(tuple(message[name] for name in ("bp", "bs", "ap", "as")))
    ids = [message["i"] for message in received if message["T"] == "t"]
    assert {pair: book.message(pair) for pair, book in books.items()} == held
    assert held.keys() == recorded.symbols
    for pair, found in quotes.items():
        assert tops[pair][len(tops[pair]) - len(found) :] == found
    expected = [FIRST_ID + number for number in trade_ids(recorded)]
    assert ids == expected[len(expected) - len(ids) :]
    assert min(expected) > 2**53


def replayed(simulator: Simulator) -> dict[str, int]:
    crypto: Any = simulator.state()["crypto"]
    shown: dict[str, int] = crypto["replay"]
    return shown


async def test_each_round_resets_the_book_and_has_new_ids_of_trades(tmp_path: Path) -> None:
    settings = SimulatorSettings(tape=None, crypto_tape=short_tape(tmp_path))
    async with (
        Simulator(settings) as simulator,
        signed_in(simulator, orderbooks=["*"], trades=["*"]) as client,
    ):
        everything: Frame = []
        while sum(message["T"] == "t" for message in everything) < 4:
            everything += await client.receive()

    kinds = [message["T"] for message in everything]
    received = everything[kinds.index("t") + 1 :][:6]
    assert [message["T"] for message in received] == list("ootoot")
    assert [message.get("r", False) for message in received] == [True, False, False] * 2
    assert [received[0][side] for side in "ba"] == [BOOK["b"], BOOK["a"]]
    first, second = received[2]["i"], received[5]["i"]
    assert second - first == 1
    assert first > FIRST_ID + 7


async def test_recorded_quotes_are_sent_instead_of_the_books_own(tmp_path: Path) -> None:
    at = "2021-06-24T00:14:26Z"
    quote = {"T": "q", "S": "BTC/USD", "t": at, "bp": 1, "bs": 2, "ap": 3, "as": 4}
    tape = write(tmp_path / "quoted.jsonl", BOOK | {"t": at}, quote)
    settings = SimulatorSettings(tape=None, crypto_tape=tape, loop=False)
    async with Simulator(settings) as simulator:
        await until(lambda: replayed(simulator)["row"] == 2)
        async with signed_in(simulator, quotes=["*"], orderbooks=["*"], trades=["*"]) as client:
            await simulator.publish(BOOK | {"b": []})
            received = await drained(simulator, client)

        assert [message["T"] for message in received] == ["o", "o"]
        assert simulator.crypto.market.quote("BTC/USD")["bp"] == 1  # type: ignore[index]


async def test_a_missing_tape_of_pairs_is_an_error() -> None:
    with pytest.raises(TapeError, match="nowhere"):
        async with Simulator(SimulatorSettings(tape=None, crypto_tape=Path("nowhere.jsonl"))):
            pass


# the faults


async def closing(client: StreamClient) -> int | None:
    try:
        async with asyncio.timeout(LIMIT_SECONDS):
            while True:
                await client.receive()
    except ConnectionClosed as closed:
        return None if closed.rcvd is None else closed.rcvd.code


@pytest.mark.parametrize(
    ("name", "arguments", "code"),
    [
        ("close", {"code": 1011}, 1011),
        ("reset", {}, None),
        ("fin", {}, None),
        ("error", {"code": 407}, 1000),
    ],
)
async def test_a_connection_can_be_ended(
    quiet: Simulator, name: str, arguments: dict[str, Any], code: int | None
) -> None:
    async with signed_in(quiet) as client, signed_in(quiet, "us-1", trades=["*"]) as other:
        assert getattr(quiet.faults, name)("crypto", **arguments) == 1
        assert await closing(client) == code
        await quiet.publish(TRADE)

        assert len(await other.receive()) == 1


async def test_an_upgrade_can_be_refused(quiet: Simulator) -> None:
    quiet.faults.refuse_upgrade("crypto", status=503)
    async with signed_in(quiet, "us-1"):
        with pytest.raises(InvalidStatus):
            async with open_stream(quiet, "crypto"):
                pass
    async with signed_in(quiet):
        pass


async def test_keys_and_a_subscribe_can_be_refused(quiet: Simulator) -> None:
    quiet.faults.refuse_auth("crypto", code=406)
    quiet.faults.refuse_subscribe("crypto", code=500)
    async with open_stream(quiet, "crypto") as client:
        await client.control()
        assert (await client.ask(AUTH))["code"] == 406
        assert (await client.ask(AUTH))["T"] == "success"
        assert (await client.ask({"action": "subscribe", "trades": ["*"]}))["code"] == 500
        assert (await client.ask({"action": "subscribe"}))["trades"] == []


@pytest.mark.parametrize("name", ["mute", "half_open"])
async def test_a_mute_connection_sends_nothing_more(quiet: Simulator, name: str) -> None:
    async with (
        signed_in(quiet, trades=["*"], ping_interval=None) as client,
        signed_in(quiet, "eu-1", trades=["*"]) as other,
    ):
        assert getattr(quiet.faults, name)("crypto") == 1
        await quiet.publish(TRADE)
        await other.receive()

        assert endpoint_state(quiet, "crypto")["messages_sent"] == 0
        client.connection.transport.abort()


async def test_a_withheld_pair_is_sent_again_with_its_book_after_a_new_subscribe(
    quiet: Simulator,
) -> None:
    await quiet.publish(BOOK)
    async with signed_in(quiet, orderbooks=["BTC/USD"], trades=["BTC/USD", "ETH/USD"]) as client:
        await client.receive()
        quiet.faults.withhold("crypto", symbol="BTC/USD")
        await quiet.publish(BOOK | {"b": []})
        await quiet.publish(TRADE)
        await quiet.publish(TRADE | {"S": "ETH/USD"})
        assert [message["S"] for message in await client.receive()] == ["ETH/USD"]
        await client.ask({"action": "unsubscribe", "orderbooks": ["BTC/USD"]})
        await client.ask({"action": "subscribe", "orderbooks": ["BTC/USD"]})
        [whole] = await client.receive()

        assert (whole["r"], whole["b"]) == (True, [])
        assert endpoint_state(quiet, "crypto")["withheld"] == []


async def test_odd_frames_are_about_books_too(quiet: Simulator) -> None:
    own = odd_frames("crypto").keys() - odd_frames("iex").keys()
    assert odd_frames("us-1").keys() > odd_frames("iex").keys()
    async with signed_in(quiet) as client:
        for kind in sorted(own - {"nested_levels"}):  # msgpack cannot read so many levels
            assert quiet.faults.odd_frame("crypto", kind=kind, symbol="BTC/USD") == 1
            [message] = await client.receive()
            assert (message["T"], message["S"]) == ("t" if "id" in kind else "o", "BTC/USD")


async def test_frames_at_will_reach_a_crypto_stream(quiet: Simulator) -> None:
    faults = quiet.faults
    async with signed_in(quiet) as client:
        assert faults.malformed("crypto", messages=[TRADE, BOOK]) == 1
        assert [message["T"] for message in await client.receive()] == ["t", "t", "o"]
        assert faults.unknown_type("crypto") == 1
        assert [message["T"] for message in await client.receive()] == ["unheard-of"]
        assert faults.huge("crypto", messages=[BOOK], size=50_000) == 1
        received = await client.receive()
        assert {message["S"] for message in received[1:]} == {"FILLER/USD"}
        assert faults.garbage("crypto") == 1
        assert await client.connection.recv() == b"\xc1\xff\x00\xfe garbage"
    held = quiet.crypto.market.book("BTC/USD")
    assert held is not None
    assert held.best.ask == 64001, "REST has what was sent"


async def test_bars_of_pairs_can_be_lost_late_and_updated(stopped: Simulator) -> None:
    start = rfc3339.parse("2026-11-22T15:28:00Z")
    await stopped.publish(TRADE | {"t": start})
    await stopped.publish(TRADE | {"t": start, "S": "ETH/USD"})
    async with signed_in(stopped, bars=["*"], updatedBars=["*"]) as client:
        stopped.faults.lost_bars(symbol="BTC/USD", minute="2026-11-22T15:28:00Z")
        assert await stopped.send_bars(start) == 1
        assert [message["S"] for message in await client.receive()] == ["ETH/USD"]
        struck = stopped.faults.updated_bar(symbol="BTC/USD", minute="2026-11-22T15:28:00Z")
        [update] = await client.receive()

    assert (struck, update["T"], update["v"]) == (1, "u", 0.25)
    with pytest.raises(ValueError, match="NO/USD has no bar"):
        stopped.faults.updated_bar(symbol="NO/USD")


async def test_a_fault_is_injected_over_http(quiet: Simulator) -> None:
    async with signed_in(quiet) as client, httpx.AsyncClient() as http:
        url = f"{quiet.rest_url}/simulator/faults"
        answer = await http.post(url, json={"fault": "close", "feed": "crypto", "code": 4000})
        wrong = await http.post(url, json={"fault": "close", "feed": "us"})

        assert answer.json()["connections"] == 1
        assert await closing(client) == 4000
    assert wrong.status_code == 400
    assert "crypto, us-1, eu-1" in wrong.json()["message"]
