"""What a frame means: every message for itself."""

from typing import Any

import msgspec
import pytest

from ingest.bus.outbox import Outbox
from ingest.demand.subscription import Subscription
from ingest.market.last_price import LastPrices
from ingest.upstream.feed_error import FeedError
from ingest.upstream.frame import FrameReader
from tests.ingest.trades import NOON, trade, two_days

NOW_US = NOON // 1000 + 25_000


class Stage:
    """A reader with what it writes to."""

    def __init__(self) -> None:
        self.prices = LastPrices(two_days())
        self.subscription = Subscription(None)
        self.outbox = Outbox()
        self.reader = FrameReader(self.prices, self.subscription, self.outbox)

    def apply(self, *messages: dict[str, Any]) -> bool:
        return self.reader.apply(messages, NOW_US)

    def published(self) -> list[tuple[str, Any]]:
        bodies = [msgspec.json.decode(each.body) for each in self.outbox.take(100)]
        return [(body["symbol"], body["price"]) for body in bodies]


@pytest.fixture
def stage() -> Stage:
    return Stage()


MALFORMED = [
    {"T": "t"},
    trade(symbol="BAD") | {"t": "2026-11-16T17:00:00Z"},
    trade(symbol="BAD") | {"p": None},
    trade(symbol="BAD") | {"p": "100"},
    trade(symbol="BAD") | {"p": float("inf")},
    trade(symbol="BAD") | {"p": float("nan")},
    trade(symbol="BAD") | {"c": 7},
    trade(symbol="BAD") | {"c": [[]]},
    trade(symbol="BAD") | {"z": []},
    trade(symbol="BAD") | {"S": []},
    trade(symbol="BAD") | {"S": None},
    trade(symbol="BAD") | {"s": "many"},
]


@pytest.mark.parametrize("bad", MALFORMED, ids=repr)
def test_a_malformed_trade_is_counted_and_takes_no_other_with_it(
    stage: Stage, bad: dict[str, Any]
) -> None:
    assert not stage.apply(trade(symbol="SPY"), bad, trade(symbol="IBM", price=7))

    assert stage.published() == [("SPY", 100.5), ("IBM", 7)]
    assert stage.reader.malformed == 1
    assert (stage.reader.frames, stage.reader.ticks) == (1, 3)


def test_a_price_beyond_reckoning_does_not_end_the_feed(stage: Stage) -> None:
    snapshot = {"minuteBar": {"t": "2026-11-16T16:00:00Z", "c": 1e-9}}
    closes = {"prevDailyBar": {"t": "2026-11-13T05:00:00Z", "c": 1e-9}}
    stage.prices.on_snapshot("SPY", snapshot | closes, NOW_US)

    stage.apply(trade(price=1e30), trade(symbol="IBM", price=7))

    assert stage.published() == [("IBM", 7)]
    assert stage.reader.malformed == 1


def test_of_a_traded_price_the_life_key_is_due(stage: Stage) -> None:
    stage.apply(trade())
    (publication,) = stage.outbox.take(10)

    assert publication.topic == "price:SPY"
    assert publication.traded


def test_a_new_epoch_publishes_every_known_price_but_not_as_traded(stage: Stage) -> None:
    stage.apply(trade(symbol="SPY"), trade(symbol="IBM", price=7))
    stage.outbox.take(1000)
    stage.reader.publish_all()

    publications = stage.outbox.take(10)
    assert [each.topic for each in publications] == ["price:SPY", "price:IBM"]
    assert not any(each.traded for each in publications)


def test_lag_is_receive_time_minus_exchange_time(stage: Stage) -> None:
    assert stage.reader.lag_ms is None
    stage.apply(trade())

    assert stage.reader.lag_ms == pytest.approx(25, abs=0.001)


def test_unknown_kinds_are_counted_by_kind(stage: Stage) -> None:
    stage.apply({"T": "?"}, {"T": "?"}, {}, {"T": 7}, trade(), {"T": "success", "msg": "x"})

    assert stage.reader.unknown == {"?": 2, "None": 1, "7": 1}
    assert stage.published() == [("SPY", 100.5)]


def test_the_acknowledgement_is_the_truth_and_counts_as_an_answer(stage: Stage) -> None:
    assert stage.apply({"T": "subscription", "trades": ["SPY", "IBM"]})
    assert stage.subscription.acknowledged == {"SPY", "IBM"}
    assert stage.apply({"T": "subscription", "trades": None})
    assert stage.subscription.acknowledged == set()


@pytest.mark.parametrize("trades", [7, "SPY", [["SPY"]], [7], {"SPY": 1}], ids=repr)
def test_an_acknowledgement_of_another_form_answers_nothing(stage: Stage, trades: object) -> None:
    stage.subscription.on_acknowledged(["SPY"])

    assert not stage.apply({"T": "subscription", "trades": trades}, trade())
    assert stage.subscription.acknowledged == {"SPY"}
    assert stage.published() == [("SPY", 100.5)]


@pytest.mark.parametrize("code", [400, 405])
def test_a_refused_change_is_an_answer_and_the_connection_stands(stage: Stage, code: int) -> None:
    stage.subscription.next_change(["SPY", "IBM"])

    assert stage.apply({"T": "error", "code": code, "msg": "no"}, trade())
    assert stage.published() == [("SPY", 100.5)]
    change = stage.subscription.next_change(["SPY", "IBM"])
    assert change is not None
    assert change.symbols == ("SPY",), "the next one is smaller"


def test_a_symbol_that_alone_is_refused_gets_its_event_with_the_reason(stage: Stage) -> None:
    stage.subscription.next_change(["BAD"])
    stage.apply({"T": "error", "code": 400, "msg": "invalid syntax"})

    (publication,) = stage.outbox.take(10)
    body = msgspec.json.decode(publication.body)
    assert (body["symbol"], body["price"], body["reason"]) == ("BAD", None, "unknown_symbol")
    assert not publication.traded
    assert (stage.subscription.rejected, stage.subscription.limit) == ({"BAD"}, None)


def test_a_symbol_beyond_the_limit_keeps_its_price(stage: Stage) -> None:
    stage.subscription.next_change(["SPY"])
    stage.apply({"T": "error", "code": 405, "msg": "symbol limit exceeded"})

    assert stage.published() == []
    assert stage.subscription.limit == 0


def test_already_authenticated_is_nothing_to_worry_about(stage: Stage) -> None:
    assert not stage.apply({"T": "error", "code": 403, "msg": "already authenticated"})


@pytest.mark.parametrize("code", [401, 402, 404, 406, 407, 409, 410, 411, 412, 413, 500, 599])
def test_other_errors_end_the_connection_with_their_code(stage: Stage, code: int) -> None:
    with pytest.raises(FeedError, match="Alpaca's words") as caught:
        stage.apply({"T": "error", "code": code, "msg": "Alpaca's words"})

    assert caught.value.code == code


@pytest.mark.parametrize("error", [{}, {"code": "406"}, {"code": []}, {"msg": 7}], ids=repr)
def test_an_error_without_a_code_ends_the_connection_too(
    stage: Stage, error: dict[str, Any]
) -> None:
    with pytest.raises(FeedError):
        stage.apply({"T": "error", **error})
