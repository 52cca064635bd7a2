"""What a frame means: every message for itself."""

from typing import Any

import msgpack
import msgspec
import pytest

from ingest.alpaca import messages as wire
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
        self.states = SymbolStates()
        self.lag = Lag()
        self.subscription = Subscription(None)
        self.outbox = Outbox()
        self.reader = FrameReader(
            self.prices,
            self.states,
            self.lag,
            self.demand,
            self.subscription,
            Announcer(self.outbox),
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
    trade("BAD", c=7),
    trade("BAD", c=[[]]),
    trade("BAD", z=[]),
    trade([]),
    trade(None),
    trade("BAD", s="many"),
    trade("BAD", t=msgpack.ExtType(5, b"12345678")),
]


@pytest.mark.parametrize("bad", MALFORMED, ids=repr)
def test_a_malformed_trade_is_counted_and_takes_no_other_with_it(
    stage: Stage, bad: dict[str, Any]
) -> None:
    assert not stage.apply(trade(), bad, trade("IBM", 7))

    assert stage.published() == [("SPY", 100.5), ("IBM", 7)]
    assert stage.reader.malformed == 1
    assert stage.reader.frames == 1


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

    assert stage.reader.unknown == {"?": 2, "None": 1, "7": 1}
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


def test_a_symbol_that_alone_is_refused_gets_its_event_with_the_reason(stage: Stage) -> None:
    stage.subscription.next_change(want("WORSE"))
    stage.apply({"T": "error", "code": 400, "msg": "invalid syntax"})

    (publication,) = stage.outbox.take(10)
    body = msgspec.json.decode(publication.body)
    assert (body["symbol"], body["price"], body["reason"]) == ("WORSE", None, "unknown_symbol")
    assert not publication.traded
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
