"""The bars on the streams: which, when, and after which faults."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import date, time
from itertools import takewhile

import pytest

from simulator.faults.armed import ArmedFaults, Fault
from simulator.protocol import rfc3339
from simulator.protocol.wire import Outgoing
from simulator.tape.bar_schedule import SLICES, BarSchedule, Moment, moments
from simulator.tape.hours import AlwaysOpen, MarketHours, NyseHours
from simulator.tape.market import Market

SECOND = rfc3339.SECOND
MINUTE = 60 * SECOND
OPEN = rfc3339.parse("2026-11-23T14:30:00Z")


class Stream:
    """A schedule over a market, with a clock that moves when it sleeps."""

    def __init__(self, hours: MarketHours | None = None, *daily: str) -> None:
        self.now = OPEN
        self.end = OPEN
        self.market = Market(hours or AlwaysOpen())
        self.armed = ArmedFaults(lambda: 0.0)
        self.daily = set(daily)
        self.sent: list[tuple[str, str, int, float]] = []
        """Kind, symbol, volume, and seconds since the opening."""
        self.schedule = BarSchedule(
            self.market, hours or AlwaysOpen(), self.armed, self._publish, lambda _: self.daily
        )
        self._trades: list[dict[str, object]] = []
        self._numbers = iter(range(10**6))

    def trade(self, second: float, symbol: str = "SPY", *, size: int = 100, on: float = 0) -> None:
        """Print a trade with the time `second` since the opening; `on`: only then."""
        at = OPEN + round(second * SECOND)
        made = {"T": "t", "S": symbol, "i": next(self._numbers), "p": 10.0, "s": size, "t": at}
        self._trades.append({**made, "on": OPEN + round((on or second) * SECOND)})

    async def run(self, seconds: float) -> None:
        """Run until a time since the opening."""
        self.end = OPEN + round(seconds * SECOND)
        with suppress(asyncio.CancelledError):
            await self.schedule.run(lambda: self.now, self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.now += round(seconds * SECOND)
        if self.now > self.end:
            raise asyncio.CancelledError
        for trade in [one for one in self._trades if int(str(one["on"])) <= self.now]:
            self._trades.remove(trade)
            self.market.observe(trade)

    def _publish(self, messages: Sequence[Outgoing]) -> None:
        for message in messages:
            fields = message.message
            volume = fields["v"]
            assert isinstance(volume, int)
            after = (self.now - OPEN) / SECOND
            self.sent.append((str(fields["T"]), str(fields["S"]), volume, after))

    @property
    def volumes(self) -> list[tuple[str, str, int]]:
        return [sent[:3] for sent in self.sent]


async def test_a_minute_comes_within_a_second_and_its_late_trades_half_a_minute_later() -> None:
    stream = Stream()
    stream.trade(0)
    stream.trade(59.9, size=10)
    stream.trade(59.95, size=1, on=75)
    await stream.run(110)

    assert stream.volumes == [("b", "SPY", 110), ("u", "SPY", 111)]
    (_, _, _, first), (_, _, _, second) = stream.sent
    assert 60.45 <= first <= 60.95
    assert 28.6 <= second - first <= 29.8


async def test_a_minute_with_no_eligible_trade_sends_nothing() -> None:
    stream = Stream()
    stream.trade(0)
    stream.trade(130)
    await stream.run(190)

    assert [round(after) for *_, after in stream.sent] == [61, 181]


async def test_a_first_trade_that_is_late_sends_an_update_only() -> None:
    stream = Stream()
    stream.trade(59, on=80)
    await stream.run(150)

    assert stream.volumes == [("u", "SPY", 100)]


async def test_a_trade_later_than_the_half_minute_is_in_the_history_alone() -> None:
    stream = Stream()
    stream.trade(0)
    stream.trade(1, on=95)
    await stream.run(200)

    assert stream.volumes == [("b", "SPY", 100)]
    assert [bar["v"] for bar in stream.market.minute_bars("SPY", stream.now)] == [200]


async def test_the_bars_of_all_symbols_come_within_half_a_second_in_no_order_of_names() -> None:
    stream = Stream()
    symbols = [f"S{number}" for number in range(200)]
    for symbol in symbols:
        stream.trade(1, symbol)
    await stream.run(62)

    times = [after for *_, after in stream.sent]
    assert 0.25 <= max(times) - min(times) <= 0.8
    assert Counter(symbol for _, symbol, *_ in stream.sent) == Counter(symbols)
    assert [symbol for _, symbol, *_ in stream.sent] != sorted(symbols)


async def test_a_symbol_keeps_its_place_within_the_minute() -> None:
    stream = Stream()
    for minute in range(3):
        stream.trade(60 * minute)
    await stream.run(185)

    assert len({round(after % 60, 3) for *_, after in stream.sent}) == 1
    assert len(stream.sent) == 3


async def test_the_day_is_sent_each_minute_from_the_first_after_the_opening_on() -> None:
    stream = Stream(NyseHours(), "SPY")
    stream.now = OPEN - 3 * MINUTE
    stream.trade(-150, "SPY")
    stream.trade(1)
    stream.trade(1, "AIG")
    await stream.run(200)

    days = [round(after) for kind, symbol, _, after in stream.sent if kind == "d"]
    assert days == [61, 121, 181]
    assert {symbol for kind, symbol, *_ in stream.sent if kind == "d"} == {"SPY"}
    assert {volume for kind, _, volume, _ in stream.sent if kind == "d"} == {200}


async def test_a_wildcard_gets_the_day_of_all_symbols() -> None:
    stream = Stream(NyseHours(), "*")
    stream.trade(1)
    stream.trade(1, "AIG")
    await stream.run(62)

    assert {symbol for kind, symbol, *_ in stream.sent if kind == "d"} == {"SPY", "AIG"}


@pytest.mark.parametrize("close", [time(16), time(13)])
def test_the_day_is_sent_unchanged_after_the_close_until_midnight(close: time) -> None:
    stream = Stream(NyseHours(early_closes={date(2026, 11, 23): close}), "SPY")
    stream.market.observe({"T": "t", "S": "SPY", "i": 1, "p": 10.0, "s": 1, "t": OPEN + SECOND})

    def days(minute: str) -> list[object]:
        start = rfc3339.parse(minute)
        return [bar.message["v"] for bar in stream.schedule.minute(start, "b")]

    assert days("2026-11-23T14:29:00Z") == []
    assert days("2026-11-24T02:00:00Z") == days("2026-11-24T04:59:00Z") == [1]
    assert days("2026-11-24T05:00:00Z") == []


def test_a_day_that_never_closes_ends_with_its_midnight() -> None:
    stream = Stream(AlwaysOpen(), "SPY")
    stream.market.observe({"T": "t", "S": "SPY", "i": 1, "p": 10.0, "s": 1, "t": OPEN + SECOND})

    last = rfc3339.parse("2026-11-24T04:59:00Z")
    assert [bar.message["T"] for bar in stream.schedule.minute(last, "b")] == ["d"]
    assert stream.schedule.minute(last + MINUTE, "b") == []


async def test_cancels_and_corrections_of_the_last_minute_are_updates() -> None:
    stream = Stream()
    stream.trade(0)
    stream.trade(1, size=10)
    stream.trade(2, "AIG", size=10)
    await stream.run(65)
    for symbol, number in (("SPY", 1), ("AIG", 2)):
        cancel = {"T": "x", "S": symbol, "i": number, "p": 10.0, "s": 10, "t": stream.now}
        stream.market.observe(cancel)
    stream.end = OPEN + 100 * SECOND
    await stream.run(100)

    # AIG's minute has no trade left: Alpaca documents no message for that.
    assert [sent for sent in stream.volumes if sent[0] == "u"] == [("u", "SPY", 100)]


async def test_a_bar_that_was_published_by_hand_is_not_sent_again() -> None:
    stream = Stream()
    stream.trade(0)
    prices = dict.fromkeys("ohlc", 9.0)
    stream.market.observe({"T": "b", "S": "SPY", "t": OPEN, "v": 5, **prices})
    await stream.run(100)

    assert stream.sent == []


async def test_what_a_sleeping_machine_has_missed_is_not_sent_late() -> None:
    stream = Stream()
    for minute in range(10):
        stream.trade(60 * minute)
    real, woke = stream._sleep, False

    async def sleep(seconds: float) -> None:
        nonlocal woke
        await real(seconds if woke else 400.0)
        woke = True

    with suppress(asyncio.CancelledError):
        stream.end = OPEN + 430 * SECOND
        await stream.schedule.run(lambda: stream.now, sleep)

    assert [(kind, round(after)) for kind, _, _, after in stream.sent] == [("b", 400), ("b", 421)]


async def test_lost_and_late_bars_of_a_symbol_and_a_minute() -> None:
    stream = Stream()
    for minute in range(3):
        stream.trade(60 * minute)
        stream.trade(60 * minute, "AIG")
    second = rfc3339.render(OPEN + MINUTE)
    stream.armed.arm(Fault("lost_bars", "bar", f"b {second}", symbol="SPY"), None, None)
    late = Fault("late_bars", "bar", "b", symbol="AIG", delay_seconds=20.0)
    stream.armed.arm(late, None, None)
    await stream.run(190)

    spy = [round(after) for _, symbol, _, after in stream.sent if symbol == "SPY"]
    aig = [round(after) for _, symbol, _, after in stream.sent if symbol == "AIG"]
    assert (spy, aig) == ([61, 181], [81, 121, 181])
    assert stream.schedule.counts["b"] == 5


def test_an_update_shows_a_minute_as_it_is_now() -> None:
    stream = Stream()
    stream.market.observe({"T": "t", "S": "SPY", "i": 1, "p": 10.0, "s": 1, "t": OPEN})

    update = stream.schedule.update("SPY", OPEN).message
    assert (update["T"], update["S"], update["t"], update["v"]) == ("u", "SPY", OPEN, 1)
    with pytest.raises(ValueError, match="SPY has no bar of the minute 2026-11-23T14:31:00Z"):
        stream.schedule.update("SPY", OPEN + MINUTE)


def test_the_moments_go_on_from_any_time() -> None:
    for now in (OPEN, OPEN + SECOND, OPEN + 30 * SECOND, OPEN + MINUTE - 1):
        found = list(takewhile(lambda one: one.at < OPEN + 10 * MINUTE, moments(now)))
        assert [one.at for one in found] == sorted(one.at for one in found)
        assert found[0].at >= now
        assert {one.slice for one in found} == set(range(SLICES))
        assert all(one.minute + MINUTE < one.at < one.minute + 2 * MINUTE for one in found)
        assert isinstance(found[0], Moment)
