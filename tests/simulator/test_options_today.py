"""Recorded contracts, moved to today."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.options.contract import contract_of
from simulator.options.recording import (
    SHIPPED_OPTION_CHAINS,
    SHIPPED_OPTION_TAPE,
    read_chain,
    read_option_tape,
)
from simulator.options.today import date_of, days_to_move, listed_today, renamed_today
from simulator.protocol.rfc3339 import parse, render
from simulator.tape.hours import NyseHours
from tests.simulator.option_data import DAY


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-11-23T15:00:00Z", "SPY261225C00430000"),  # Monday: recorded on Thursday the 26th
        ("2026-11-26T15:00:00Z", "SPY261225C00430000"),
        ("2026-11-27T15:00:00Z", "SPY270101C00430000"),
        ("2026-11-27T04:59:59Z", "SPY261225C00430000"),  # still Thursday in New York
    ],
)
def test_a_tape_gets_symbols_that_expire_from_today_on_the_same_weekday(
    now: str, expected: str
) -> None:
    tape = renamed_today(read_option_tape(SHIPPED_OPTION_TAPE), parse(now))

    assert min(tape.symbols) == expected
    assert len(tape.symbols) == 4
    assert len(tape.rows) == 1810


@given(st.dates(date(2000, 1, 1), date(2090, 1, 1)), st.integers(0, 40_000))
def test_expiries_move_by_the_fewest_whole_weeks_that_reach_today(
    recorded: date, later: int
) -> None:
    today = recorded + timedelta(days=later)
    days = days_to_move(recorded, today)

    assert days % 7 == 0
    assert today <= recorded + timedelta(days=days) < today + timedelta(days=7)


def test_no_contract_of_a_chain_has_expired_and_its_bars_are_the_last_trading_days() -> None:
    chain = read_chain(SHIPPED_OPTION_CHAINS[0])
    now = parse("2026-11-23T15:00:00Z")
    listed = list(listed_today(chain, now, NyseHours()))

    first = listed[0]
    assert first.recorded.contract.symbol == "SPY261127C00315000"
    assert {each.recorded.contract.expiration.isoweekday() for each in listed} == {5}
    assert min(each.recorded.contract.expiration for each in listed) == date(2026, 11, 27)
    assert first.bar == (
        {"o": 153.925, "h": 156.06, "l": 151.695, "c": 152.305, "v": 0}
        | {"t": parse("2026-11-20T05:00:00Z")}
    )


def test_the_nearest_expiry_is_a_week_away_at_most_and_those_of_the_tape_a_month() -> None:
    chains = [read_chain(path) for path in SHIPPED_OPTION_CHAINS]
    tape = read_option_tape(SHIPPED_OPTION_TAPE)
    left: list[set[int]] = []
    for day in range(7):
        now = parse("2026-11-23T15:00:00Z") + day * DAY
        today = date_of(now)
        listed = [each for chain in chains for each in listed_today(chain, now, NyseHours())]
        nearest = min(each.recorded.contract.expiration for each in listed)
        symbols = renamed_today(tape, now).symbols
        left.append({(nearest - today).days})
        left.append({(contract_of(symbol).expiration - today).days for symbol in symbols})

    assert all(len(days) == 1 for days in left)
    assert set.union(*left[::2]) <= set(range(1, 8))
    assert set.union(*left[1::2]) == set(range(29, 36))


def test_the_bars_of_a_market_that_never_trades_are_yesterdays() -> None:
    never = NyseHours(frozenset(date.fromordinal(day) for day in range(739_000, 740_000)))
    chain = read_chain(SHIPPED_OPTION_CHAINS[0])
    listed = next(iter(listed_today(chain, parse("2026-11-23T15:00:00Z"), never)))

    assert render(int(str(listed.bar["t"]))) == "2026-11-22T05:00:00Z"
