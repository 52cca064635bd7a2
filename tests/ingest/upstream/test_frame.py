"""What a frame means: every message for itself."""

from collections.abc import Callable
from typing import Any

import msgpack
import msgspec
import pytest

from ingest.alpaca import messages as wire
from ingest.alpaca.unreadable import BadFrameError
from ingest.bars.bar_table import BarTable
from ingest.bus.announcer import Announcer
from ingest.bus.outbox import Outbox
from ingest.demand.subscription import Subscription
from ingest.demand.wanted import Demand, Want
from ingest.market.lag import Lag
from ingest.market.last_price import LastPrices
from ingest.market.symbol_states import SymbolStates
from ingest.upstream.frame import FrameReader
from ingest.upstream.upstream_error import UpstreamError
from tests.ingest.trades import NOON, rest_snapshot, two_days

NOW_US = NOON // 1000 + 25_000
AT = msgpack.Timestamp.from_unix_nano(NOON)


def want(*symbols: str) -> list[Want]:
    return [Want(each, frozenset({"trades"}), False, 1, False) for each in symbols]


def trade(symbol: Any = "SPY", price: Any = 100.5, **fields: Any) -> dict[str, Any]:
    given = {"T": "t", "S": symbol, "i": 1, "x": "V", "p": price, "s": 100, "c": ["@"]}
    return {**given, "t": AT, "z": "B", **fields}


class Stage:
    """A reader with what it writes to; everything is subscribed."""

    def __init__(self) -> None:
        self.demand = Demand(lambda: 0.0)
        self.prices = LastPrices(two_days())
        self.states = SymbolStates("iex", self.prices.has_price, self.prices.traded_at)
        self.lag = Lag()
        self.subscription = Subscription(None)
        self.outbox = Outbox()
        self.bars = BarTable(lambda: self.prices.hours)
        self.reader = FrameReader(
            self.prices,
            self.states,
            self.lag,
            self.demand,
            self.subscription,
            Announcer(self.outbox),
            self.bars,
        )
        self.subscription.on_acknowledged({"trades": ["SPY", "IBM", "BAD"]})

    def apply(self, *messages: Any) -> bool:
        frame: bytes = msgpack.packb(list(messages))
        return self.reader.apply(wire.decode(frame), NOW_US, 0.0)

    def events(self) -> list[tuple[str, str | None, dict[str, Any]]]:
        taken = self.outbox.take(100)
        return [(each.topic, each.event, msgspec.json.decode(each.body)) for each in taken]

    def published(self) -> list[tuple[str, Any]]:
        return [(body["symbol"], body.get("price")) for _, _, body in self.events()]


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


def test_a_halt_with_odd_texts_halts(stage: Stage) -> None:
    odd = {"T": "s", "S": "SPY", "sc": "H", "t": 5, "z": "C", "rm": "x" * 100_000, "sm": []}
    stage.apply(odd)

    assert stage.states.halts.unsettled() == {"SPY"}
    assert stage.reader.malformed.count == 1


def at(seconds: int) -> msgpack.Timestamp:
    """Return a time some seconds after noon, which is also the time of receipt."""
    return msgpack.Timestamp.from_unix_nano(NOON + seconds * 10**9)


def halt(code: str, seconds: int = 0, **fields: Any) -> dict[str, Any]:
    given = {"T": "s", "S": "SPY", "sc": code, "sm": "", "rc": "", "rm": "", "t": at(seconds)}
    return {**given, "z": "C", **fields}


def bands(indicator: Any = "B", seconds: int = 0, **fields: Any) -> dict[str, Any]:
    given = {"T": "l", "S": "SPY", "u": 110.5, "d": 99.5, "i": indicator, "t": at(seconds)}
    return {**given, "z": "B", **fields}


def imbalance(price: Any = 9.75, seconds: int = 0, **fields: Any) -> dict[str, Any]:
    return {"T": "i", "S": "SPY", "p": price, "t": at(seconds), "z": "B", **fields}


REPORTS: dict[str, Callable[..., dict[str, Any]]] = {
    "luld": lambda **fields: bands(**fields),
    "imbalance": lambda **fields: imbalance(**fields),
}

MALFORMED_REPORTS: list[dict[str, Any]] = [
    {"t": None},
    {"t": 5},
    {"t": "2026-11-16T17:00:00Z"},
    {"t": msgpack.ExtType(5, b"12345678")},
    {"t": msgpack.Timestamp(253_402_300_800)},
    {"t": at(2 * 24 * 3600)},
    {"S": None},
    {"S": []},
    {"S": "S" * 33},
]


@pytest.mark.parametrize("kind", REPORTS)
@pytest.mark.parametrize("bad", MALFORMED_REPORTS, ids=repr)
def test_a_malformed_report_is_counted_and_takes_no_other_with_it(
    stage: Stage, kind: str, bad: dict[str, Any]
) -> None:
    stage.demand.update({f"{kind}:SPY": 1, "price:SPY": 1})
    stage.apply(REPORTS[kind](**bad), REPORTS[kind](), trade())

    assert [topic for topic, _, _ in stage.events()] == [f"{kind}:SPY", "price:SPY"]
    assert stage.reader.malformed.count == 1


@pytest.mark.parametrize("price", [None, "9.75", -1, 0, 1e30, float("nan"), float("inf"), [], {}])
def test_an_imbalance_whose_price_cannot_be_read_is_none(stage: Stage, price: Any) -> None:
    stage.demand.update({"imbalance:SPY": 1})
    stage.apply(imbalance(price), imbalance(10.5))

    assert [body["price"] for _, _, body in stage.events()] == [10.5]
    assert stage.reader.malformed.count == 1


def test_an_imbalance_that_lacks_its_tape_has_none(stage: Stage) -> None:
    stage.demand.update({"imbalance:SPY": 1})
    stage.apply(imbalance(z=[]), {k: v for k, v in imbalance(10).items() if k != "z"})

    assert [body["tape"] for _, _, body in stage.events()] == [None, None]
    assert stage.reader.malformed.count == 1


def test_imbalances_are_published_while_a_client_watches_them(stage: Stage) -> None:
    stage.apply(imbalance())
    stage.demand.update({"imbalance:SPY": 1})
    stage.apply(imbalance(), imbalance(S="IBM"))

    ((topic, event, body),) = stage.events()
    assert (topic, event) == ("imbalance:SPY", None)
    assert body == {
        "symbol": "SPY",
        "price": 9.75,
        "tape": "B",
        "timestamp": "2026-11-16T17:00:00Z",
        "received": NOW_US,
    }


def test_a_repeated_imbalance_is_published_once_and_a_late_one_is_an_event(stage: Stage) -> None:
    stage.demand.update({"imbalance:SPY": 1})
    stage.apply(imbalance(9), imbalance(9), imbalance(8, -1), imbalance(9), imbalance(10))

    assert [body["price"] for _, _, body in stage.events()] == [9, 8, 10]
    assert (stage.reader.reports.late, stage.reader.reports.repeated) == (1, 2)


def test_late_and_repeated_bands_are_counted_and_replace_no_newer_ones(stage: Stage) -> None:
    stage.demand.update({"luld:SPY": 1})
    stage.apply(bands(u=1), bands(u=1), bands("D", -1, u=2), bands(seconds=1, u=3))

    assert [body["limit_up"] for _, _, body in stage.events()] == [1, 3]
    assert (stage.reader.reports.late, stage.reader.reports.repeated) == (1, 1)
    assert stage.states.halts.of("SPY") is None


def test_bands_of_a_symbol_whose_bands_nobody_watches_show_its_halt(stage: Stage) -> None:
    stage.apply(bands("D"))

    assert stage.events() == []
    assert stage.states.halts.supposed() == {"SPY"}


def test_a_late_or_repeated_status_is_counted_and_halts_nothing(stage: Stage) -> None:
    stage.apply(halt("H"), halt("T", 2), halt("Q", 1), halt("H"), halt("T", 2))

    assert stage.states.halts.of("SPY") is None
    assert (stage.reader.reports.late, stage.reader.reports.repeated) == (1, 2)


def test_a_report_of_short_sales_is_not_late_because_of_a_halt(stage: Stage) -> None:
    restriction = halt("E", -2, z="A", sm="Short Sale Restriction")
    stage.apply(halt("2", -1, z="A"), restriction, {**restriction, "t": at(-3)})

    report = stage.states.halts.report("SPY")
    assert (report.short_sale_restricted, report.short_sale_as_of) == (True, "2026-11-16T16:59:58Z")
    assert stage.reader.reports.late == 1


def test_a_halt_whose_time_is_none_halts_and_is_counted(stage: Stage) -> None:
    stage.apply(halt("H", t=msgpack.ExtType(5, b"12345678")))

    assert stage.states.halts.of("SPY") is not None
    assert stage.reader.malformed.count == 1


@pytest.mark.parametrize(
    "odd", [{"sc": None}, {"sc": []}, {"sc": "H" * 100}, {"S": None}, {"S": 7}], ids=repr
)
def test_a_status_with_no_code_or_symbol_is_counted_and_halts_nothing(
    stage: Stage, odd: dict[str, Any]
) -> None:
    stage.apply(halt("H", **odd), trade())

    assert stage.states.halts.unsettled() == set()
    assert stage.published() == [("SPY", 100.5)]
    assert stage.reader.malformed.count == 1


@pytest.mark.parametrize("name", ["sm", "rc", "rm", "z", "t"])
@pytest.mark.parametrize("odd", [None, 5, [], "x" * 2000], ids=lambda odd: repr(odd)[:9])
def test_a_text_of_a_halt_that_cannot_be_read_is_absent(stage: Stage, name: str, odd: Any) -> None:
    stage.apply(halt("H", **{name: odd}))

    found = stage.states.halts.of("SPY")
    assert found is not None
    assert found.reason == "Trading is halted."
    assert stage.reader.malformed.count == (odd is not None or name not in "zt")


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
