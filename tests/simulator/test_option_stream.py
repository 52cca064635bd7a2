"""The streams of options, `/v1beta1/indicative` and `/v1beta1/opra`."""

from typing import Any

import msgpack
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from simulator import DEFAULT_KEY, DEFAULT_SECRET
from simulator.options.recording import SHIPPED_OPTION_TAPE, read_option_tape
from simulator.protocol import rfc3339
from simulator.protocol.option_feeds import OPTION_FEEDS
from simulator.protocol.wire import Format
from simulator.service import Simulator, SimulatorSettings
from tests.simulator.client import KEYS, endpoint_state, open_stream, until
from tests.simulator.option_data import CALL, MINUTE, OTHER, quote, trade

AUTH = {"action": "auth", "key": DEFAULT_KEY, "secret": DEFAULT_SECRET}
WRONG_FORMAT = {
    "T": "error",
    "code": 412,
    "msg": "option messages are only available in MsgPack format",
}


def contracts(count: int) -> list[str]:
    return [f"SPY261127C{number:08d}" for number in range(count)]


def subscribe(**channels: list[str]) -> dict[str, object]:
    return {"action": "subscribe", **channels}


async def test_trades_and_quotes_have_one_condition_as_text_no_id_and_no_tape(
    quiet: Simulator,
) -> None:
    at = "2026-11-23T15:00:00.123456789Z"
    async with open_stream(quiet, "indicative") as client:
        await client.sign_in()
        answer = await client.ask(subscribe(trades=[CALL], quotes=[CALL]))
        await quiet.publish(trade(CALL, 0.66, 13, t=at))
        await quiet.publish(quote(CALL, 0.66, 0.67, t=at))
        print_, offer = await client.receive_data(2)

    time = msgpack.Timestamp.from_unix_nano(rfc3339.parse(at))
    assert answer == {"T": "subscription", "trades": [CALL], "quotes": [CALL]}
    assert print_ == trade(CALL, 0.66, 13, t=time)
    assert offer == quote(CALL, 0.66, 0.67, t=time)


@pytest.mark.parametrize("feed", OPTION_FEEDS)
@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/cbor"])
async def test_the_first_message_in_another_format_is_answered_with_412(
    quiet: Simulator, feed: str, content_type: str
) -> None:
    headers = {"Content-Type": content_type}
    async with open_stream(quiet, feed, Format.JSON, headers) as client:
        assert await client.control() == {"T": "success", "msg": "connected"}
        assert [await client.ask(AUTH) for _ in range(2)] == [WRONG_FORMAT] * 2
        state = endpoint_state(quiet, feed)

    assert (state["sessions_total"], state["refused"]) == (0, {"412": 2})


async def test_keys_in_the_headers_are_a_first_message(quiet: Simulator) -> None:
    async with open_stream(quiet, "indicative", Format.JSON, KEYS) as client:
        assert await client.control() == {"T": "success", "msg": "connected"}
        assert await client.control() == WRONG_FORMAT
    async with open_stream(quiet, "indicative", Format.MSGPACK, KEYS) as client:
        assert await client.control() == {"T": "success", "msg": "connected"}
        assert await client.control() == {"T": "success", "msg": "authenticated"}


async def test_opra_needs_the_plan(quiet: Simulator) -> None:
    async with open_stream(quiet, "opra") as client:
        await client.control()
        assert (await client.ask(AUTH))["code"] == 409
    async with (
        Simulator(SimulatorSettings(tape=None, plan="plus")) as simulator,
        open_stream(simulator, "opra") as opra,
        open_stream(simulator, "indicative") as indicative,
    ):
        for client in (opra, indicative):
            await client.sign_in()
            await client.ask(subscribe(trades=["*"]))
        await simulator.publish(trade(CALL, 1.5))
        assert [(await client.receive_data(1))[0]["S"] for client in (opra, indicative)] == [
            CALL,
            CALL,
        ]
        await simulator.publish(trade(OTHER, 1.5), "indicative")
        await simulator.publish(trade(CALL, 1.6), "opra")
        assert [(await client.receive_data(1))[0]["S"] for client in (opra, indicative)] == [
            CALL,
            OTHER,
        ]


@pytest.mark.parametrize(("plan", "limit"), [("basic", 200), ("plus", 1000)])
async def test_quotes_have_a_limit_and_trades_none(plan: str, limit: int) -> None:
    async with (
        Simulator(SimulatorSettings(tape=None, plan=plan)) as simulator,
        open_stream(simulator, "indicative") as client,
    ):
        await client.sign_in()
        many = contracts(limit + 1)
        allowed = await client.ask(subscribe(quotes=many[:limit], trades=many))
        refused = await client.ask(subscribe(quotes=many[limit:], trades=["SPY261127P00001000"]))
        again = await client.ask({"action": "unsubscribe"})

    assert (len(allowed["quotes"]), len(allowed["trades"])) == (limit, limit + 1)
    assert refused == {"T": "error", "code": 405, "msg": "symbol limit exceeded"}
    assert again == allowed


async def test_the_limits_of_channels_can_be_set() -> None:
    settings = SimulatorSettings(tape=None, option_limits={"trades": 1, "quotes": 2})
    async with (
        Simulator(settings) as simulator,
        open_stream(simulator, "indicative") as client,
    ):
        await client.sign_in()
        allowed = await client.ask(subscribe(trades=[CALL], quotes=[CALL, OTHER]))
        codes = [
            (await client.ask(subscribe(trades=[OTHER])))["code"],
            (await client.ask(subscribe(quotes=contracts(1))))["code"],
            (await client.ask(subscribe(trades=["*"])))["code"],
        ]
        assert await client.ask(subscribe()) == allowed
    assert codes == [405, 405, 405]


async def test_the_stocks_limit_does_not_count_contracts() -> None:
    async with (
        Simulator(SimulatorSettings(tape=None, symbol_limit=1)) as simulator,
        open_stream(simulator, "indicative") as client,
    ):
        await client.sign_in()
        answer = await client.ask(subscribe(quotes=contracts(2), trades=contracts(3)))
    assert (len(answer["quotes"]), len(answer["trades"])) == (2, 3)


async def test_a_star_is_allowed_for_trades_and_not_for_quotes(quiet: Simulator) -> None:
    async with open_stream(quiet, "indicative") as client:
        await client.sign_in()
        before = await client.ask(subscribe(trades=["*"], quotes=[CALL]))
        refused = await client.ask(subscribe(quotes=["*"], trades=[OTHER]))
        after = await client.ask({"action": "unsubscribe", "quotes": ["*"]})
        await quiet.publish(trade(OTHER, 1.5))
        [received] = await client.receive_data(1)

    assert before == after == {"T": "subscription", "trades": ["*"], "quotes": [CALL]}
    assert refused == {
        "T": "error",
        "code": 413,
        "msg": "star subscription is not allowed for option quotes",
    }
    assert received["S"] == OTHER


@pytest.mark.parametrize("channel", ["bars", "updatedBars", "dailyBars", "statuses", "news"])
async def test_other_channels_are_refused(quiet: Simulator, channel: str) -> None:
    async with open_stream(quiet, "indicative") as client:
        await client.sign_in()
        assert (await client.ask(subscribe(**{channel: [CALL]})))["code"] == 410


@pytest.mark.parametrize(
    "symbol", ["SPY", "SPY   261127C00330000", "spy261127C00330000", "BTC/USD", "", 5, None]
)
async def test_another_form_of_symbol_is_invalid_syntax(quiet: Simulator, symbol: Any) -> None:
    async with open_stream(quiet, "indicative") as client:
        await client.sign_in()
        assert (await client.ask(subscribe(trades=[CALL, symbol])))["code"] == 400
        assert (await client.ask(subscribe()))["trades"] == []
    async with open_stream(quiet) as stocks:
        await stocks.sign_in()
        assert (await stocks.ask(subscribe(trades=[CALL])))["code"] == 400


async def test_each_endpoint_allows_one_connection(quiet: Simulator) -> None:
    async with (
        open_stream(quiet, "indicative") as first,
        open_stream(quiet, "indicative") as second,
        open_stream(quiet) as stocks,
    ):
        await first.sign_in()
        await stocks.sign_in()
        await second.control()
        assert (await second.ask(AUTH))["code"] == 406


async def test_faults_strike_the_endpoint_that_they_name(quiet: Simulator) -> None:
    quiet.faults.refuse_upgrade("indicative", status=503)
    with pytest.raises(InvalidStatus):
        async with open_stream(quiet, "indicative"):
            pass
    quiet.faults.refuse_auth("indicative", code=406)
    quiet.faults.refuse_subscribe("indicative", code=405)
    async with open_stream(quiet, "indicative") as client, open_stream(quiet) as stocks:
        await stocks.sign_in()
        await client.control()
        assert (await client.ask(AUTH))["code"] == 406
        assert (await client.ask(AUTH))["msg"] == "authenticated"
        assert (await client.ask(subscribe(trades=[CALL])))["code"] == 405
        await client.ask(subscribe(trades=[CALL, OTHER]))
        assert quiet.faults.withhold("indicative", symbol=CALL) == 1
        for symbol in (CALL, OTHER):
            await quiet.publish(trade(symbol, 1.5))
        assert [one["S"] for one in await client.receive_data(1)] == [OTHER]
        assert quiet.faults.error("indicative", code=500) == 1
        assert (await client.control())["code"] == 500
        assert quiet.faults.close("indicative", code=1001) == 1
        with pytest.raises(ConnectionClosed):
            await client.receive()
        await stocks.ask(subscribe())


async def test_odd_frames_reach_a_client(quiet: Simulator) -> None:
    async with open_stream(quiet, "indicative") as client:
        await client.sign_in()
        quiet.faults.odd_frame("indicative", kind="null_size", symbol=CALL)
        [odd] = await client.receive()
        quiet.faults.send_messages("indicative", [{"T": "q", "S": CALL, "bp": None}])
        [sent] = await client.receive()
        quiet.faults.garbage("indicative")
        garbage = await client.connection.recv()

    assert (odd["S"], odd["s"]) == (CALL, None)
    assert (sent["S"], sent["bp"]) == (CALL, None)
    assert isinstance(garbage, bytes)
    assert quiet.options.quote(CALL) is not None


ODD: list[dict[str, Any]] = [
    trade(CALL, 1.5, p=None, s=None, c=None, x=None),
    trade(CALL, 1.5, p="much", s=["many"], c=["S"]),
    trade(CALL, 1e300, 2**40),
    trade(CALL, 1.5, c="S" * 100_000),
    trade(CALL, 1.5, extra={"nested": [1]}),
    trade(CALL, 1.5, t="2026-11-23T14:00:00Z"),
    {"T": "t", "S": CALL},
]


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: str(odd)[:50])
async def test_a_handmade_message_is_sent_as_it_is_as_often_as_it_is_published(
    quiet: Simulator, odd: dict[str, Any]
) -> None:
    async with open_stream(quiet, "indicative") as client:
        await client.sign_in()
        await client.ask(subscribe(trades=[CALL]))
        for _ in range(2):
            await quiet.publish(odd, "indicative")
        await quiet.publish(trade(CALL, 2.5))
        *received, last = await client.receive_data(3)

    assert [{**one, "t": None} for one in received] == [{**odd, "t": None}] * 2
    assert last["p"] == 2.5
    assert quiet.options.price(CALL) == 2.5


@pytest.mark.parametrize("symbol", [None, ["SPY"], {"S": 1}, 7, "SPY"])
async def test_a_handmade_message_with_an_odd_symbol_comes_to_those_that_want_all(
    quiet: Simulator, symbol: object
) -> None:
    async with open_stream(quiet, "indicative") as client:
        await client.sign_in()
        await client.ask(subscribe(trades=[CALL]))
        await quiet.publish(trade(CALL, 1.5, S=symbol), "indicative")
        await client.ask(subscribe(trades=["*"]))
        await quiet.publish(trade(CALL, 1.6, S=symbol), "indicative")
        [received] = await client.receive_data(1)

    assert (received["S"], received["p"]) == (symbol, 1.6)
    assert endpoint_state(quiet, "indicative")["messages_sent"] == 1
    assert not quiet._market.knows("SPY")


async def test_the_state_shows_the_channels_and_the_contracts(quiet: Simulator) -> None:
    async with open_stream(quiet, "indicative") as client:
        await client.sign_in()
        await client.ask(subscribe(trades=["*"], quotes=[OTHER, CALL]))
        await quiet.publish(trade(CALL, 1.5))
        await client.receive_data(1)
        state = endpoint_state(quiet, "indicative")

    assert (state["trades"], state["quotes"], state["sessions"]) == (["*"], [CALL, OTHER], 1)
    assert state["messages_sent"] == 1
    assert endpoint_state(quiet, "opra")["connections"] == 0
    assert quiet.state()["options"] == {
        "replay": {"row": 0, "loop": 0, "rows": 0},
        "replayed": [],
        "contracts": 1,
    }


async def test_the_replay_sends_the_rows_of_the_tape_in_order_and_nothing_else() -> None:
    settings = SimulatorSettings(tape=None, option_tape=SHIPPED_OPTION_TAPE, speed=2000)
    tape = read_option_tape(SHIPPED_OPTION_TAPE)
    async with Simulator(settings) as simulator, open_stream(simulator, "indicative") as client:
        await client.sign_in()
        names = list(simulator.replayed_options)
        await client.ask(subscribe(trades=names, quotes=names))
        received = await client.receive_data(50)
        shown: Any = simulator.state()["options"]

    recorded = dict(zip(sorted(tape.symbols), names, strict=True))
    rows = [{**row.fields, "S": recorded[str(row.fields["S"])], "t": 0} for row in tape.rows]
    seen = [{**one, "t": 0} for one in received]
    starts = [at for at, row in enumerate(rows) if row == seen[0]]
    assert any(
        all(one == rows[(at + step) % len(rows)] for step, one in enumerate(seen)) for at in starts
    )
    assert (shown["replay"]["rows"], shown["contracts"]) == (1810, 4)
    assert shown["replayed"] == names
    for kind in "tq":  # trades of this feed are late
        times = [one["t"].to_unix_nano() for one in received if one["T"] == kind]
        assert times == sorted(times)


async def test_a_tape_of_options_that_does_not_loop_ends_with_its_last_row() -> None:
    settings = SimulatorSettings(tape=None, option_tape=SHIPPED_OPTION_TAPE, speed=1e6, loop=False)
    async with Simulator(settings) as simulator:

        def progress() -> Any:
            shown: Any = simulator.state()["options"]
            return shown["replay"]

        await until(lambda: progress()["row"] == 1810)
        quotes = [simulator.options.quote(name) for name in simulator.replayed_options]
        assert progress()["loop"] == 0

    assert [each and each["bp"] for each in quotes] == [23.18, 0.71, 1.76, 18.74]


async def test_at_speed_1_rows_keep_their_place_in_the_minute() -> None:
    settings = SimulatorSettings(tape=None, option_tape=SHIPPED_OPTION_TAPE)
    async with Simulator(settings) as simulator:
        [first, *_] = simulator.replayed_options
        await until(lambda: simulator.options.quote(first) is not None)
        quote_ = simulator.options.quote(first)

    assert quote_ is not None
    time = quote_["t"]
    assert isinstance(time, int)
    assert time % MINUTE == MINUTE - 1_000_000
