"""Prints and the reports that withdraw them, in any order, twice, and with ids that repeat."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from ingest.market.conditions import Eligibility, eligibility
from ingest.market.last_price import LastPrices
from ingest.market.prints import Cancel, Correction, Trade
from ingest.market.trading_day import day_of
from tests.ingest.trades import (
    NOON,
    SECOND,
    cancel_of,
    correction_of,
    rest_snapshot,
    trade,
    two_days,
)

TOMORROW = 24 * 3600 * SECOND
NOW_US = (NOON + TOMORROW + SECOND) // 1000
CODES = ("@", "F", "I", "4", "Z")


@dataclass
class Life:
    """A print, its correction if it has one, and its cancel, which names its last form."""

    first: Trade
    correction: Correction | None
    cancel: Cancel | None

    def messages(self) -> list[Trade | Correction | Cancel]:
        return [each for each in (self.first, self.correction, self.cancel) if each is not None]

    def form(self, came: list[Trade | Correction | Cancel]) -> Trade | None:
        """Return the print as those messages that came leave it."""
        form = self.first
        if self.correction is not None and self.correction in came:
            form = corrected_form(form, self.correction)
        # A correction of the conditions alone leaves the values that the cancel names.
        is_void = self.cancel in came and self.names(form)
        return None if is_void else form

    def names(self, form: Trade) -> bool:
        """Return whether the cancel names this form of the print."""
        cancel = self.cancel
        return cancel is not None and (cancel.id, cancel.price) == (form.id, form.price)


def corrected_form(wrong: Trade, correction: Correction) -> Trade:
    return structs.replace(
        wrong, id=correction.id, price=correction.price, conditions=correction.conditions
    )


@st.composite
def lives(draw: st.DrawFn) -> list[Life]:
    """Draw prints with few ids and few times; every price is unique."""
    found = []
    for index in range(draw(st.integers(1, 8))):
        at = NOON + draw(st.integers(0, 4)) + draw(st.sampled_from([0, 0, TOMORROW]))
        first = last = trade(
            at,
            100 + index,
            [draw(st.sampled_from(CODES))],
            number=draw(st.integers(1, 3)),
            exchange=draw(st.sampled_from("DDV")),
            size=draw(st.sampled_from([10, 100])),
        )
        correction = cancel = None
        if draw(st.booleans()):
            number, code = draw(st.integers(1, 3)), draw(st.sampled_from(CODES))
            price = 100 + index + draw(st.sampled_from([0, 0.5]))
            correction = correction_of(first, price, number=number, conditions=[code], at=at + 9)
            last = corrected_form(first, correction)
        if draw(st.booleans()):
            cancel = cancel_of(last, at + 10)
        found.append(Life(first, correction, cancel))
    return found


def expected(found: list[Life], came: list[Trade | Correction | Cancel]) -> float | None:
    """Return the newest regular print of the newest day, else the first of the others."""
    forms = [
        (came.index(life.first), form)
        for life in found
        if life.first in came and (form := life.form(came)) is not None
    ]
    counted = [
        (order, form, rule)
        for order, form in forms
        if (rule := eligibility("B", form.conditions, "regular")) is not Eligibility.NEVER
    ]
    today = max((day_of(form.at_ns) for _, form, _ in counted), default=0)
    counted = [each for each in counted if day_of(each[1].at_ns) == today]
    regular = [
        (form.at_ns, order, form.price)
        for order, form, rule in counted
        if rule is Eligibility.ALWAYS
    ]
    if regular:
        return max(regular)[2]
    return min(((order, form.price) for order, form, _ in counted), default=(0, None))[1]


def apply(prices: LastPrices, message: Trade | Correction | Cancel) -> None:
    if isinstance(message, Trade):
        prices.on_trade(message, message.at_ns, NOW_US)
    elif isinstance(message, Cancel):
        prices.on_cancel(message, NOW_US)
    else:
        prices.on_correction(message, NOW_US)


def draw_order(data: st.DataObject, found: list[Life]) -> list[Trade | Correction | Cancel]:
    """Draw an order of all messages; some come twice."""
    once = [message for life in found for message in life.messages()]
    again = data.draw(st.lists(st.sampled_from(once), max_size=6))
    return data.draw(st.permutations(once + again))


@given(lives(), st.data())
def test_in_any_order_of_prints_and_reports_the_last_price_is_that_of_those_that_came(
    found: list[Life], data: st.DataObject
) -> None:
    prices = LastPrices(two_days())
    prices.on_snapshot("SPY", rest_snapshot({}), NOW_US)
    came: list[Trade | Correction | Cancel] = []
    for message in draw_order(data, found):
        apply(prices, message)
        came.append(message)

        price = expected(found, came)
        if price is not None:
            assert prices.by_symbol["SPY"].price == price


@given(lives(), st.data())
def test_a_print_that_rest_shows_too_counts_once_and_not_after_its_cancel(
    found: list[Life], data: st.DataObject
) -> None:
    # REST gives no order within a moment: every print has a time of its own.
    found = [
        Life(
            *(each and structs.replace(each, **moved(each, index)) for each in vars(life).values())
        )
        for index, life in enumerate(found)
    ]
    prices = LastPrices(two_days())
    prices.on_snapshot("SPY", rest_snapshot({}), NOW_US)
    came: list[Trade | Correction | Cancel] = []
    for message in draw_order(data, found):
        if isinstance(message, Trade) and data.draw(st.booleans()):
            prices.begin(["SPY"])
            prices.on_rest_trade(message, NOW_US)
        else:
            apply(prices, message)
        came.append(message)

        price = expected(found, came)
        if price is not None:
            assert prices.by_symbol["SPY"].price == price


def moved(message: Trade | Correction | Cancel, index: int) -> dict[str, int]:
    return {"at_ns": message.at_ns + 100 * index}


@given(st.integers(1, 120), st.data())
def test_after_a_bust_in_any_order_the_print_before_it_is_the_last_price(
    count: int, data: st.DataObject
) -> None:
    prices = LastPrices(two_days())
    base = trade(NOON, 100, number=0)
    prices.on_trade(base, base.at_ns, NOW_US)
    busted = [trade(NOON + n, 100 + n / 100, number=n % 50) for n in range(1, count + 1)]
    random = data.draw(st.randoms(use_true_random=False))
    messages: list[Trade | Cancel] = [*busted, *(cancel_of(each, NOON + 999) for each in busted)]
    random.shuffle(messages)
    for message in [*messages, *random.sample(busted, count // 2)]:
        apply(prices, message)
    for each in random.sample(busted, count // 2):
        prices.on_rest_trade(each, NOW_US)

    assert prices.by_symbol["SPY"].price == 100
