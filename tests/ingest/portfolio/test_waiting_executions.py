"""The order of executions, by the quantities after them."""

from decimal import Decimal

from ingest.portfolio.execution import Execution
from ingest.portfolio.waiting_executions import WaitingExecutions
from shared import rfc3339
from tests.ingest.demand.wants import Clock


class Order:
    """Executions of AAA that come one after the other, each at a second of the broker's clock."""

    def __init__(self, *executions: tuple[int, int, float]) -> None:
        self.waiting = WaitingExecutions(Clock())
        for delta, qty, at in executions:
            numbers = Decimal(delta), Decimal(100), Decimal(qty)
            each = Execution("AAA", "us_equity", *numbers, rfc3339.from_unix(1.8e9 + at))
            self.waiting.note(each)
            self.waiting.add(each)

    def after(self, known: int) -> tuple[list[int], list[int]]:
        """Return the quantities after the fitting executions and after the others."""
        fitting, left = self.waiting.fitting({"AAA": Decimal(known)})
        return [int(each.qty) for each in fitting], [int(each.qty) for each in left]


def test_executions_fit_in_the_order_of_their_quantities_whatever_that_of_their_arrival() -> None:
    assert Order((5, 15, 2), (10, 10, 1)).after(0) == ([10, 15], [])


def test_one_without_the_one_before_it_waits() -> None:
    assert Order((5, 15, 2)).after(0) == ([], [15])


def test_those_that_the_known_quantity_contains_are_no_longer_waiting() -> None:
    assert Order((10, 10, 1), (5, 15, 2)).after(15) == ([], [])


def test_of_two_of_one_moment_their_quantities_show_which_is_the_newest() -> None:
    assert Order((-1, -1, 1), (2, 1, 1)).after(0) == ([-1, 1], [])
    assert Order((2, 1, 1), (-1, -1, 1)).after(0) == ([-1, 1], [])
