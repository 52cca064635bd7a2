"""Lag is a median, and its alarm neither jumps at single prints nor flaps."""

from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.market.lag import EXPECTED_MS, Lag

SECOND_US = 1_000_000
START = 1_800_000_000 * SECOND_US


class Tape:
    """Trades that come ten a second, and a look each second."""

    def __init__(self, lag: Lag | None = None) -> None:
        self.lag = lag or Lag()
        self.now = START

    def trade(self, late_ms: float) -> None:
        self.lag.add(self.now, round((self.now / 1e3 - late_ms) * 1e6))

    def play(self, seconds: int, late_ms: float, trades: int = 10) -> bool:
        """Bring so many trades each second; return whether there is an alarm at the end."""
        for _ in range(seconds):
            for _ in range(trades):
                self.now += SECOND_US // 10
                self.trade(late_ms)
            self.now += SECOND_US // 10 * (10 - trades)
            self.lag.look(self.now)
        return self.lag.alarm


def test_lag_is_the_median_of_recent_trades() -> None:
    tape = Tape()
    assert tape.lag.look(tape.now) is None
    for late in (20.0, 30.0, 900_000.0):
        tape.trade(late)

    assert tape.lag.look(tape.now) == pytest.approx(30, abs=0.01)
    assert tape.lag.ms == pytest.approx(30, abs=0.01)
    assert tape.lag.look(tape.now + 11 * SECOND_US) is None


def test_lasting_lag_raises_an_alarm_and_lasting_recovery_withdraws_it() -> None:
    tape = Tape()

    assert not tape.play(60, late_ms=20)
    assert tape.play(20, late_ms=8000)
    assert tape.play(30, late_ms=3000)  # better, but not yet well
    assert not tape.play(20, late_ms=20)


def test_a_short_lag_raises_none() -> None:
    tape = Tape()
    for _ in range(10):
        assert not tape.play(12, late_ms=20)
        assert not tape.play(3, late_ms=8000)


def test_single_prints_that_were_reported_late_raise_none() -> None:
    tape = Tape()
    for _ in range(30):
        assert not tape.play(3, late_ms=60_000, trades=1)
        assert not tape.play(9, late_ms=0, trades=0)
    for _ in range(30):
        tape.trade(600_000)
        tape.trade(600_000)
        assert not tape.play(1, late_ms=20)


def test_a_feed_that_is_late_by_nature_is_measured_against_it() -> None:
    tape = Tape(Lag(EXPECTED_MS["delayed_sip"]))

    assert not tape.play(30, late_ms=15 * 60_000 + 500)
    assert tape.lag.ms == pytest.approx(15 * 60_000 + 500, abs=1)
    assert tape.play(30, late_ms=15 * 60_000 + 6000)


def test_trades_that_come_before_they_happen_show_a_clock_that_is_behind() -> None:
    tape = Tape()
    assert not tape.play(5, late_ms=-90_000, trades=0)
    assert not tape.lag.is_clock_behind
    found = []
    for late_ms in (-90_000, -1500, 20):  # -1500 is better, but not yet right
        tape.play(20, late_ms)
        found.append((tape.lag.is_clock_behind, tape.lag.alarm))
    assert found == [(True, False), (True, False), (False, False)]


def test_a_delayed_feed_that_comes_early_shows_a_clock_that_is_behind() -> None:
    tape = Tape(Lag(EXPECTED_MS["delayed_sip"]))
    found = []
    for late_ms in (14 * 60_000, 5 * 60_000, 15 * 60_000):
        tape.play(20, late_ms)
        found.append((tape.lag.is_clock_behind, tape.lag.alarm))
    assert found == [(False, False), (True, False), (False, False)]


@pytest.mark.parametrize(("late_ms", "trades"), [(-1900.0, 10), (-90_000.0, 0)])
def test_a_clock_that_is_nearly_right_raises_no_alarm(late_ms: float, trades: int) -> None:
    tape = Tape()
    tape.trade(-90_000)  # a single print with a wrong time
    tape.play(20, late_ms, trades)
    assert not tape.lag.is_clock_behind


def test_a_silence_withdraws_the_alarm_and_a_new_connection_starts_without_trades() -> None:
    tape = Tape()
    assert tape.play(20, late_ms=8000)
    tape.lag.begin()

    assert tape.lag.look(tape.now) is None
    assert not tape.play(5, late_ms=0, trades=0)


@given(st.lists(st.tuples(st.integers(0, 20), st.floats(-1000, 20_000)), max_size=40))
def test_an_alarm_is_never_raised_below_the_limit_nor_withdrawn_above_half_of_it(
    course: list[tuple[int, float]],
) -> None:
    tape = Tape()
    for seconds, late_ms in course:
        for _ in range(seconds):
            before = tape.lag.alarm
            after = tape.play(1, late_ms)
            if after and not before:
                assert tape.lag.ms is not None
                assert tape.lag.ms > 5000
            if before and not after:
                assert tape.lag.ms is None or tape.lag.ms < 2500


@given(st.lists(st.floats(-1000, 1e6), min_size=1, max_size=400))
def test_the_newest_256_trades_count(lates: list[float]) -> None:
    tape = Tape()
    for late in lates:
        tape.trade(late)

    assert tape.lag.look(tape.now) == pytest.approx(median(lates[-256:]), abs=0.01)
