"""Which invented symbols walk: those that a session names, at a bounded pace, and no tape's."""

import asyncio
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Any

from simulator.protocol.rfc3339 import SECOND
from simulator.protocol.wire import Outgoing
from simulator.tape.inventor import FULL_PACE_SYMBOLS, MOST_SYMBOLS, Inventor
from simulator.tape.walk import StockWalk

START = 1_700_000_000 * SECOND


class Stage:
    """An inventor whose clock moves when it sleeps. `named` are the symbols of the sessions."""

    def __init__(self, *named: str, taken: Collection[str] = (), limit: int = MOST_SYMBOLS) -> None:
        self.named = set(named)
        self.now = self._end = START
        self.sent: list[Any] = []
        self.inventor = Inventor(
            lambda symbol: symbol not in taken,
            StockWalk,
            self._publish,
            lambda: self.named,
            clock=lambda: self.now,
            sleep=self._sleep,
            limit=limit,
        )
        self.inventor.follow()

    def name(self, *symbols: str) -> None:
        """Let the sessions subscribe to these symbols, and to no others."""
        self.named = set(symbols)
        self.inventor.follow()

    def play(self, seconds: float) -> None:
        """Let time pass."""
        self._end = self.now + round(seconds * SECOND)

        async def run() -> None:
            with suppress(asyncio.CancelledError):
                await self.inventor.run()

        asyncio.run(run())

    def trades(self) -> Counter[object]:
        """Return the number of trades so far by symbol."""
        return Counter(each["S"] for each in self.sent if each["T"] == "t")

    def _publish(self, messages: Sequence[Outgoing]) -> None:
        self.sent += [each.message for each in messages]

    async def _sleep(self, seconds: float) -> None:
        self.now += round(seconds * SECOND)
        if self.now > self._end:
            raise asyncio.CancelledError


def test_a_symbol_trades_at_once_and_then_one_to_three_times_a_second() -> None:
    stage = Stage("AAPL", "MSFT")
    assert [(each["T"], each["S"], each["t"]) for each in stage.sent] == [
        *(("q", "AAPL", START), ("t", "AAPL", START)),
        *(("q", "MSFT", START), ("t", "MSFT", START)),
    ]

    stage.play(100)
    assert set(stage.trades()) == {"AAPL", "MSFT"}
    assert all(70 < count < 330 for count in stage.trades().values())
    times = [each["t"] for each in stage.sent]
    assert times == sorted(times)


def test_two_runs_send_the_same() -> None:
    one, other = (Stage("AAPL", "MSFT", "F") for _ in range(2))
    for stage in (one, other):
        stage.play(30)

    assert one.sent == other.sent


def test_a_symbol_that_no_session_names_any_more_stands_still_and_continues_later() -> None:
    stage = Stage("AAPL")
    stage.play(10)
    before = stage.trades()["AAPL"]
    stage.name("MSFT")
    stage.play(10)
    assert stage.trades()["AAPL"] == before
    assert stage.trades()["MSFT"] > 5

    stage.name("AAPL")
    assert stage.trades()["AAPL"] == before + 1
    stage.play(10)
    ids = [each["i"] for each in stage.sent if each["T"] == "t" and each["S"] == "AAPL"]
    assert ids == list(range(1, stage.trades()["AAPL"] + 1))
    assert len(ids) > before + 5


def test_a_request_takes_a_standing_symbol_one_trade_further_if_it_is_due() -> None:
    stage = Stage()
    for _ in range(3):
        stage.inventor.look_up(["AAPL", "AAPL"])
    assert stage.trades() == {"AAPL": 1}

    stage.play(10)
    assert stage.trades() == {"AAPL": 1}
    for _ in range(3):
        stage.inventor.look_up(["AAPL"])
    assert stage.trades() == {"AAPL": 2}


def test_symbols_that_have_data_are_untouched() -> None:
    stage = Stage("SPY", "AAPL", taken=["SPY"])
    stage.inventor.look_up(["SPY"])
    stage.play(10)

    assert set(stage.trades()) == {"AAPL"}
    assert [stage.inventor.invents(symbol) for symbol in ("SPY", "AAPL", "MSFT")] == [
        *(False, True, True)
    ]
    assert stage.inventor.symbols() == ["AAPL"]


def test_the_number_of_symbols_is_bounded_also_within_one_request() -> None:
    stage = Stage("A", limit=3)
    stage.inventor.look_up(["B", "C", "D", "E"])
    stage.name("A", "D", "F")
    stage.play(10)

    assert stage.inventor.symbols() == ["A", "B", "C"]
    assert set(stage.trades()) == {"A", "B", "C"}
    assert not stage.inventor.invents("D")
    assert stage.inventor.invents("C")


def test_a_limit_of_none_invents_nothing() -> None:
    stage = Stage("AAPL", limit=0)
    stage.inventor.look_up(["MSFT"])
    stage.play(1)

    assert (stage.sent, stage.inventor.invents("AAPL")) == ([], False)


def test_many_symbols_walk_more_slowly_and_all_of_them() -> None:
    symbols = [f"S{number}" for number in range(5 * FULL_PACE_SYMBOLS)]
    few, many = Stage(*symbols[:FULL_PACE_SYMBOLS]), Stage(*symbols)
    for stage in (few, many):
        stage.play(20)

    # The first trades come at once, in addition.
    rate = (many.trades().total() - len(symbols)) / few.trades().total()
    assert 0.7 < rate < 1.3
    assert all(count > 1 for count in many.trades().values())
