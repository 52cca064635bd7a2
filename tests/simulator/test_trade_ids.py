"""Ids that repeat, as Alpaca's tapes number prints."""

from simulator.protocol import rfc3339
from simulator.tape.trade_ids import TradeIds

FRIDAY = rfc3339.parse("2013-11-08T16:00:00Z")
MONDAY = rfc3339.parse("2013-11-11T14:30:00Z")


def test_ids_start_again_for_each_symbol_exchange_and_day() -> None:
    ids = TradeIds()

    assert [ids.next("IDS", "V", FRIDAY) for _ in range(3)] == [1, 2, 3]
    assert ids.next("IDS", "P", FRIDAY) == ids.next("SPY", "V", FRIDAY) == 1
    assert ids.next("IDS", "V", MONDAY) == 1
    ids.restart()
    assert ids.next("IDS", "V", FRIDAY) == 1


def test_the_three_facilities_behind_exchange_d_use_the_same_ids() -> None:
    ids = TradeIds()

    assert [ids.next("TRF", "D", FRIDAY) for _ in range(7)] == [1, 1, 1, 2, 2, 2, 3]
