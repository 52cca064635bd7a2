"""What a frame means: every message for itself."""

from typing import Any

import msgpack
import pytest

from ingest.alpaca import messages as wire
from ingest.alpaca.unreadable import BadFrameError
from ingest.demand.wanted import Want
from ingest.upstream.upstream_error import UpstreamError
from tests.ingest.trades import NOON, rest_snapshot
from tests.ingest.upstream.frame_stage import AT, NOW_US, Stage, trade


def want(*symbols: str) -> list[Want]:
    return [Want(each, frozenset({"trades"}), False, 1, False) for each in symbols]


@pytest.fixture
def stage() -> Stage:
    return Stage()


MALFORMED = [
    {"T": "t"},
    trade("BAD", t="2026-11-16T17:00:00Z"),
    trade("BAD", None),
    trade("BAD", "100"),
    trade("BAD", float("inf")),
    trade("BAD", float("nan")),
    trade("BAD", -1),
    trade("BAD", 0),
    trade("BAD", 1e30),
    trade("BAD", 2**64 - 1),
    trade([]),
    trade(None),
    trade("B" * 33),
    trade("BAD", t=msgpack.ExtType(5, b"12345678")),
    trade("BAD", t=msgpack.Timestamp(253_402_300_800)),
    {**trade("BAD"), "t": None},
]

ODD_FIELDS = [
    {"s": None},
    {"s": "many"},
    {"s": float("nan")},
    {"s": float("inf")},
    {"s": 1e300},
    {"c": 7},
    {"c": [[]]},
    {"c": ["@"] * 100_000},
    {"c": ["@" * 1_000_000]},
    {"i": "1"},
    {"i": {}},
    {"x": 5},
    {"z": []},
    {"s": [], "c": {"@": 1}, "i": 1.5, "x": b"V", "z": 7},
]


@pytest.mark.parametrize("bad", MALFORMED, ids=repr)
def test_a_malformed_trade_is_counted_and_takes_no_other_with_it(
    stage: Stage, bad: dict[str, Any]
) -> None:
    assert not stage.apply(trade(), bad, trade("IBM", 7))

    assert stage.published() == [("SPY", 100.5), ("IBM", 7)]
    assert stage.reader.malformed.count == 1
    assert stage.reader.frames == 1


@pytest.mark.parametrize("odd", ODD_FIELDS, ids=lambda odd: repr(odd)[:40])
def test_an_optional_field_of_another_form_costs_the_field_and_not_the_price(
    stage: Stage, odd: dict[str, Any]
) -> None:
    stage.apply(trade("IBM", 7), trade(**odd))

    assert stage.published() == [("IBM", 7), ("SPY", 100.5)]
    assert stage.reader.malformed.count == 1


def test_a_price_whose_size_cannot_be_read_has_none(stage: Stage) -> None:
    stage.demand.update({"trade:SPY": 1})
    stage.apply(trade(s=None))
    events = {topic: body for topic, _, body in stage.events()}

    assert events["price:SPY"]["size"] is None
    assert events["trade:SPY"]["size"] is None


@pytest.mark.parametrize(
    ("given", "kept"), [("@", ["@"]), (["@", None], ["@"]), ({}, []), (None, [])]
)
def test_the_readable_conditions_count(stage: Stage, given: Any, kept: list[str]) -> None:
    stage.apply(trade(c=given))

    [(_, _, price)] = stage.events()
    assert price["conditions"] == kept


def test_one_condition_as_text_is_the_form_of_options_and_no_problem(stage: Stage) -> None:
    stage.apply(trade(c="I"))

    assert stage.published() == []
    assert stage.reader.malformed.count == 0


@pytest.mark.parametrize("fields", [{"bp": None}, {"bp": "x"}, {"bs": []}, {"bp": 1e30}])
def test_a_side_of_a_quote_that_cannot_be_read_is_absent(
    stage: Stage, fields: dict[str, Any]
) -> None:
    stage.demand.update({"quote:SPY": 1})
    quote = {"T": "q", "S": "SPY", "bp": 1.0, "bs": 2, "ap": 1.1, "as": 3, "t": AT, "c": 5}
    stage.apply({**quote, **fields})

    [(_, _, best)] = stage.events()
    assert (best["bid"], best["ask"]) == (None, 1.1)
    assert stage.reader.malformed.count == 1


ENDED_THE_INGEST = {
    "year 10000 in a message of an unknown type": (
        "9182a154a17aa174c70cff000000000000003afff44180"
    ),
    "a quote at 2^63 - 1 s": (
        "9188a154a171a153a3535059a26270cb3ff0000000000000a2627301"
        "a26170cb3ff199999999999aa2617301a163c0a174c70cff000000007fffffffffffffff"
    ),
    "a trade at 2^63 - 1 s": "9184a154a174a153a3535059a17001a174c70cff000000007fffffffffffffff",
    "a cancel at -2^63 s": "9184a154a178a153a3535059a16901a174c70cff000000008000000000000000",
    "1,000 nested arrays": "91" * 1000 + "c0",
    "100,000 nested maps": "91" + "81a16b" * 100_000 + "c0",
    "a nested field that is not read": (
        "9185a154a174a153a3535059a17001a174d6ff00000001a172" + "91" * 5000 + "c0"
    ),
}


@pytest.mark.parametrize("name", ENDED_THE_INGEST)
def test_no_frame_ends_the_process(stage: Stage, name: str) -> None:
    stage.demand.update({"quote:SPY": 1, "trade:SPY": 1})
    try:
        stage.reader.apply(wire.decode(bytes.fromhex(ENDED_THE_INGEST[name])), NOW_US, 0.0)
    except BadFrameError:
        return
    assert stage.reader.malformed.count + stage.reader.unknown.total() <= 1
    stage.apply(trade())
    assert stage.published()[-1] == ("SPY", 100.5)


def test_messages_beside_a_nested_one_count(stage: Stage) -> None:
    good = msgpack.packb(trade())
    frame = b"\x93" + good + b"\x91" * 5000 + b"\xc0" + msgpack.packb(trade("IBM", 7))
    stage.reader.apply(wire.decode(frame), NOW_US, 0.0)

    assert stage.published() == [("SPY", 100.5), ("IBM", 7)]
    assert stage.reader.malformed.count == 1


def test_a_nested_field_that_is_not_read_costs_nothing(stage: Stage) -> None:
    packed = msgpack.packb({**trade(), "r": 0})
    stage.reader.apply(wire.decode(b"\x91" + packed[:-1] + b"\x91" * 5000 + b"\xc0"), NOW_US, 0.0)

    assert stage.published() == [("SPY", 100.5)]


def test_an_error_that_no_rule_expects_costs_its_message_alone(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("no rule expects this")

    monkeypatch.setattr(stage.states, "on_trading_status", fail)
    stage.apply(trade(), {"T": "s", "S": "SPY", "sc": "H"}, trade("IBM", 7))

    assert stage.published() == [("SPY", 100.5), ("IBM", 7)]
    assert (
        stage.reader.malformed.first == "TradingStatus: ZeroDivisionError('no rule expects this')"
    )


class FailingBooks:
    """Fails half-way through each message, and remembers the books that are unreadable."""

    def __init__(self) -> None:
        self.unreadable: list[str] = []

    def on_message(self, *_: object) -> None:
        raise ZeroDivisionError("half of the levels are applied")

    def on_unreadable(self, symbol: str, *_: object) -> None:
        self.unreadable.append(symbol)


def test_a_book_of_which_a_message_fails_half_way_is_unreadable() -> None:
    books = FailingBooks()
    stage = Stage(books)
    stage.apply({"T": "o", "S": "BTC/USD", "t": AT, "b": [{"p": 1.5, "s": 1}], "a": []}, trade())

    assert books.unreadable == ["BTC/USD"]
    assert stage.published() == [("SPY", 100.5)]
    assert stage.reader.malformed.count == 1


@pytest.mark.parametrize("odd", [{"p": None}, {"t": 5}, {"t": msgpack.Timestamp(2**62)}], ids=repr)
def test_a_symbol_whose_trade_cannot_be_read_has_traded_at_an_unknown_price(
    stage: Stage, odd: dict[str, Any]
) -> None:
    stage.apply(trade(), trade(**odd), trade("IBM", 7))

    assert stage.states._unread.keys() == {"SPY"}


def test_of_a_traded_price_the_life_key_is_due(stage: Stage) -> None:
    stage.apply(trade())
    (publication,) = stage.outbox.take(10)

    assert publication.topic == "price:SPY"
    assert publication.traded


def test_lag_is_receive_time_minus_exchange_time(stage: Stage) -> None:
    stage.apply(trade())

    assert stage.lag.look(NOW_US) == pytest.approx(25, abs=0.001)


def test_what_nobody_has_subscribed_to_is_counted_and_goes_nowhere(stage: Stage) -> None:
    stage.apply(trade("BAC"), trade())

    assert stage.published() == [("SPY", 100.5)]
    assert stage.reader.unsubscribed == 1


def test_the_tape_is_published_only_while_somebody_watches_it(stage: Stage) -> None:
    stage.apply(trade(i=7))
    stage.demand.update({"trade:SPY": 1})
    stage.apply(trade(i=52983525029461, c=["I"]), trade("IBM"))

    tape = [body for topic, _, body in stage.events() if topic == "trade:SPY"]
    assert [(each["id"], each["eligible"]) for each in tape] == [("52983525029461", False)]


def test_the_tape_shows_each_print_of_the_next_day_although_its_ids_start_again(
    stage: Stage,
) -> None:
    stage.demand.update({"trade:SPY": 1})
    for day, count in ((0, 30), (1, 40)):
        at = msgpack.Timestamp.from_unix_nano(NOON + day * 24 * 3600 * 10**9)
        stage.apply(*(trade(i=number, t=at) for number in range(1, count + 1)))
        tape = [body["id"] for topic, _, body in stage.events() if topic == "trade:SPY"]
        assert tape == [str(number) for number in range(1, count + 1)]


def test_of_two_prints_with_one_id_a_cancel_names_the_one_whose_price_it_has(stage: Stage) -> None:
    # FINRA's D stands for several facilities. Recorded: AAPL, 23 August 2021, ids 17913 and 712.
    stage.demand.update({"trade:SPY": 1})
    at = [msgpack.Timestamp.from_unix_nano(NOON + step) for step in (0, 1, 2)]
    common: dict[str, Any] = {"i": 17913, "x": "D"}
    stage.apply(trade(price=100.0, t=at[0], **common), trade(price=100.5, t=at[1], **common))
    stage.apply({"T": "x", "S": "SPY", "p": 100.0, "s": 100, "a": "C", "t": at[2], **common})

    tape = [(event, body) for topic, event, body in stage.events() if topic == "trade:SPY"]
    assert [event or body["price"] for event, body in tape] == [100.0, 100.5, "cancel"]
    assert tape[2][1]["original_timestamp"] == tape[0][1]["timestamp"]


def test_a_cancelled_trade_gives_the_one_before_it_back(stage: Stage) -> None:
    stage.demand.update({"trade:SPY": 1})
    later = msgpack.Timestamp.from_unix_nano(NOON + 1_000)
    stage.apply(trade(i=1), trade(price=500 / 3, i=2, t=later))
    stage.events()
    stage.apply({"T": "x", "S": "SPY", "i": 2, "x": "V", "a": "C", "t": later, "z": "B"})

    (price, cancel) = stage.events()
    assert (price[0], price[2]["price"]) == ("price:SPY", 100.5)
    assert (cancel[:2], cancel[2]["original_id"]) == (("trade:SPY", "cancel"), "2")


def test_a_corrected_trade_has_its_new_price(stage: Stage) -> None:
    stage.demand.update({"trade:SPY": 1})
    stage.apply(trade(i=1))
    stage.events()
    corrected = {"oi": 1, "op": 100.5, "os": 100, "ci": 2, "cp": 100.25, "cs": 100, "cc": ["@"]}
    stage.apply({"T": "c", "S": "SPY", "x": "V", "t": AT, "z": "B", **corrected})

    (price, correction) = stage.events()
    assert (price[0], price[2]["price"]) == ("price:SPY", 100.25)
    assert (correction[:2], correction[2]["id"]) == (("trade:SPY", "correction"), "2")


def test_a_quote_is_published_while_it_is_watched(stage: Stage) -> None:
    quote = {"T": "q", "S": "SPY", "bp": 1.5, "bs": 0, "ap": 1.6, "as": 2, "t": AT}
    stage.apply(quote)
    assert stage.events() == []
    stage.demand.update({"quote:SPY": 1})
    stage.apply(quote)

    ((topic, _, body),) = stage.events()
    assert (topic, body["bid"], body["ask"]) == ("quote:SPY", None, 1.6)


def test_unknown_kinds_are_counted_by_kind(stage: Stage) -> None:
    stage.apply({"T": "?"}, {"T": "?"}, {}, {"T": 7}, trade(), {"T": "success", "msg": "x"})

    assert stage.reader.unknown == {"?": 2}
    assert stage.reader.malformed.count == 2
    assert stage.published() == [("SPY", 100.5)]


def test_the_acknowledgement_is_the_truth_and_counts_as_an_answer(stage: Stage) -> None:
    assert stage.apply({"T": "subscription", "trades": ["SPY", "IBM"]})
    assert stage.subscription.acknowledged["trades"] == {"SPY", "IBM"}
    assert stage.apply({"T": "subscription", "trades": None})
    assert stage.subscription.acknowledged["trades"] == set()


@pytest.mark.parametrize("trades", [7, "SPY", [["SPY"]], [7], {"SPY": 1}], ids=repr)
def test_an_acknowledgement_of_another_form_answers_nothing(stage: Stage, trades: object) -> None:
    assert not stage.apply({"T": "subscription", "trades": trades}, trade())
    assert stage.subscription.acknowledged["trades"] == {"SPY", "IBM", "BAD"}
    assert stage.published() == [("SPY", 100.5)]


@pytest.mark.parametrize("code", [400, 405])
def test_a_refused_change_is_an_answer_and_the_connection_stands(stage: Stage, code: int) -> None:
    stage.subscription.next_change(want("SPY", "IBM", "BAD", "BAC", "AIG"))

    assert stage.apply({"T": "error", "code": code, "msg": "no"}, trade())
    assert stage.published() == [("SPY", 100.5)]
    change = stage.subscription.next_change(want("SPY", "IBM", "BAD", "BAC", "AIG"))
    assert change is not None
    assert change.symbols == ("AIG",), "the next one is smaller"


def test_a_symbol_that_the_stream_rejects_keeps_its_price(stage: Stage) -> None:
    stage.subscription.next_change(want("WORSE"))
    stage.apply({"T": "error", "code": 400, "msg": "invalid syntax"})

    assert stage.outbox.take(10) == []
    assert (stage.subscription.rejected, stage.subscription.limit) == ({"WORSE"}, None)


def test_a_symbol_beyond_the_limit_keeps_its_price(stage: Stage) -> None:
    stage.subscription.next_change(want("SPY", "IBM", "BAD", "BAC"))
    stage.apply({"T": "error", "code": 405, "msg": "symbol limit exceeded"})

    assert stage.published() == []
    assert stage.subscription.limit == 3


def test_already_authenticated_is_nothing_to_worry_about(stage: Stage) -> None:
    assert not stage.apply({"T": "error", "code": 403, "msg": "already authenticated"})


@pytest.mark.parametrize("code", [401, 402, 404, 406, 407, 409, 410, 411, 412, 413, 500, 599])
def test_other_errors_end_the_connection_with_their_code(stage: Stage, code: int) -> None:
    with pytest.raises(UpstreamError, match="Alpaca's words") as caught:
        stage.apply({"T": "error", "code": code, "msg": "Alpaca's words"})

    assert caught.value.code == code


@pytest.mark.parametrize("error", [{}, {"code": "406"}, {"code": []}, {"msg": 7}], ids=repr)
def test_an_error_without_a_code_ends_the_connection_too(
    stage: Stage, error: dict[str, Any]
) -> None:
    with pytest.raises(UpstreamError):
        stage.apply({"T": "error", **error})


@pytest.mark.parametrize("symbols", [["IBM"], ["SPY", "IBM", "BAC"]])
def test_what_rest_shows_is_left_to_the_stream_while_that_has_the_symbol(
    stage: Stage, symbols: list[str]
) -> None:
    stage.apply(trade(price=100))
    newer = {"t": "2026-11-16T17:00:01Z", "p": 101, "s": 100, "i": 2, "x": "V", "z": "B"}
    stage.apply({"T": "subscription", "trades": symbols})
    found = stage.prices.on_snapshot("SPY", rest_snapshot({"latestTrade": newer}), NOW_US)

    assert (found is None) == ("SPY" in symbols)


def test_a_symbol_that_was_forgotten_and_trades_again_has_a_price_again(stage: Stage) -> None:
    stage.apply(trade())
    stage.prices.forget_others(frozenset())
    stage.apply(trade(price=101, i=2))

    assert stage.published() == [("SPY", 100.5), ("SPY", 101)]
    assert stage.prices.by_symbol.keys() == {"SPY"}
    last = stage.prices.last_price("SPY")
    assert last is not None
    assert last.price == 101


def test_a_print_of_a_symbol_that_has_left_the_subscription_is_only_counted(stage: Stage) -> None:
    stage.apply(trade())
    left = {"T": "subscription", "trades": ["IBM"]}
    stage.apply(trade(price=101, i=2), left, trade(price=102, i=3))
    stage.apply(trade(price=103, i=4))
    stage.subscription.begin()
    stage.apply(trade("IBM", 7))

    assert stage.published() == [("SPY", 100.5), ("SPY", 101)]
    assert stage.reader.unsubscribed == 3


def test_the_reader_notes_when_a_symbol_has_traded(stage: Stage) -> None:
    stage.apply(trade(), {**trade("IBM"), "t": None})

    assert stage.prices.traded_at("SPY") == 0.0
    assert stage.prices.traded_at("IBM") is None
    assert stage.prices.traded_at("UNSEEN") is None
