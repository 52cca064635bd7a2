"""REST's marked rows as prints and withdrawals."""

from ingest.market.prints import Cancel, Correction, Trade
from ingest.market.rest_prints import Fate, RestPrint, steps_of
from tests.ingest.trades import NOON, SECOND, trade

FOUND = NOON + 9 * SECOND


def test_prints_that_stand_stay_as_they_are() -> None:
    prints = [RestPrint(trade()), RestPrint(trade(number=2), Fate.CORRECTED)]
    assert steps_of(prints, FOUND) == prints


def test_a_void_print_is_its_own_cancel() -> None:
    print_ = trade(NOON, 100.5, number=7)
    assert steps_of([RestPrint(print_, Fate.CANCELED)], FOUND) == [
        Cancel("SPY", 7, 100.5, 100, FOUND, "V", "C", "B", print_at_ns=NOON)
    ]


def test_a_wrong_print_and_its_replacement_are_a_correction_if_they_are_surely_one() -> None:
    wrong, right = trade(price=100, number=7), trade(price=101, number=7, conditions=["F"])
    rows = [RestPrint(right, Fate.CORRECTED), RestPrint(wrong, Fate.INCORRECT)]
    [step] = steps_of(rows, FOUND)
    assert step == Correction(
        "SPY", 7, 100, 100, 7, 101, 100, FOUND, "V", ("F",), "B", print_at_ns=NOON
    )


def test_a_wrong_print_and_a_replacement_of_another_id_are_a_cancel_and_a_print() -> None:
    wrong, right = trade(price=100, number=7), RestPrint(trade(number=8), Fate.CORRECTED)
    cancel, print_ = steps_of([RestPrint(wrong, Fate.INCORRECT), right], FOUND)
    assert isinstance(cancel, Cancel)
    assert (cancel.id, cancel.action, print_) == (7, None, right)


def test_a_void_print_without_an_id_cannot_be_named() -> None:
    nameless: Trade = trade(number=None)
    assert steps_of([RestPrint(nameless, Fate.CANCELED)], FOUND) == []
