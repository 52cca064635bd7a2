"""The ledgers have everything that the simulator sends of pairs and contracts, as REST has it."""

import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from simulator.options.delay import DELAY
from simulator.protocol.rfc3339 import SECOND
from simulator.service import Simulator
from tests.chaos.ledger import Last, Ledger, Print, Quote, Values
from tests.chaos.markets import BOOK_PAIR, PAIRS
from tests.chaos.order_books import BookLedger
from tests.chaos.other_tape import OtherTape
from tests.chaos.record import Record
from tests.chaos.sent import Sent
from tests.chaos.settings import settings
from tests.chaos.tape import BUSY, PROBE, QUIET, Tape, closes
from tests.simulator.client import until

PAIR, CALL = BOOK_PAIR, "SPY301220C00500000"


class Listener:
    """Notes messages; contracts have the price 4.5."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.book = BookLedger(PAIR)
        self.prices: list[tuple[str, float, int]] = []
        self.sent = Sent(self.ledger, self.book, lambda _: 4.5, self._price, lambda: 9)

    def _price(self, symbol: str, price: float, at: int) -> None:
        self.prices.append((symbol, price, at))


@pytest.fixture
def heard() -> Listener:
    return Listener()


def test_a_trade_of_a_pair_is_a_print_and_a_price(heard: Listener) -> None:
    heard.sent.note({"T": "t", "S": PAIR, "p": 58.5, "s": 0.5, "t": 7, "i": 3**40, "tks": "S"})

    [print_] = heard.ledger.prints[PAIR]
    assert (print_.at, print_.published, print_.taker) == (7, 9, "sell")
    assert heard.ledger.of(PAIR, None, 7, Values(3**40, 58.5, 0.5)) is print_
    assert heard.ledger.last(PAIR) == Last(7, 58.5)
    assert heard.prices == [(PAIR, 58.5, 9)]


def test_a_trade_of_a_contract_is_a_print_and_its_price_is_the_brokers(heard: Listener) -> None:
    heard.sent.note({"T": "t", "S": CALL, "p": 4.0, "s": 3, "t": 7, "x": "N", "c": "B"})

    [print_] = heard.ledger.prints[CALL]
    assert heard.ledger.of(CALL, "N", 7, Values(None, 4.0, 3)) is print_
    assert (print_.conditions, print_.counts) == (("B",), False)
    assert heard.prices == [(CALL, 4.5, 9)]


def test_a_side_of_a_quote_that_is_zero_is_absent(heard: Listener) -> None:
    heard.sent.note({"T": "q", "S": PAIR, "t": 7, "bp": 0, "bs": 0, "ap": 58.5, "as": 2.0})

    assert heard.ledger.quotes[PAIR] == [Quote(7, None, None, 58.5, 2.0)]
    assert heard.prices == []


@pytest.mark.parametrize("symbol", ["SPY", "FILLER/USD", ["no symbol"], None])
def test_other_symbols_are_not_noted(heard: Listener, symbol: Any) -> None:
    heard.sent.note({"T": "t", "S": symbol, "p": 1.0, "s": 1, "t": 7})

    assert (heard.ledger.prints, heard.prices) == ({}, [])


@asynccontextmanager
async def recording() -> AsyncIterator[tuple[Record, OtherTape, list[str]]]:
    complaints: list[str] = []
    dice = random.Random(3)  # noqa: S311 - a seed, no secret
    tape = Tape(Ledger(), dice, retractions=False)
    record = Record(tape, settings(tape, closes(tape, (PROBE, *BUSY, *QUIET))), complaints.append)
    async with record.simulator as simulator:
        yield record, OtherTape(simulator, dice), complaints


def rest_of(simulator: Simulator, symbol: str) -> list[tuple[object, ...]]:
    market = simulator.crypto.market if symbol in PAIRS else simulator.options
    trades = market.trades(symbol)
    return sorted((each["t"], each.get("i"), each["p"], each["s"]) for each in trades)


def of_ledger(prints: list[Print]) -> list[tuple[object, ...]]:
    shown = (print_.values for print_ in prints)
    times = (print_.at for print_ in prints)
    return sorted((at, v.trade_id, v.price, v.size) for at, v in zip(times, shown, strict=True))


async def test_the_ledgers_have_what_rest_has_of_tapes_and_messages_by_hand() -> None:
    async with recording() as (record, other_tape, complaints):
        simulator, ledger = record.simulator, record.ledger
        symbols = (*PAIRS, *simulator.replayed_options)
        for _ in range(300):
            await simulator.publish(other_tape.anything(symbols, time.time_ns()))
        await until(lambda: record.order_book.newest.at > 0)
        simulator.end_replays()

        for symbol in symbols:
            assert of_ledger(ledger.prints[symbol]) == rest_of(simulator, symbol)
        for symbol in simulator.replayed_options:
            assert all(each.published - each.at > DELAY - SECOND for each in ledger.prints[symbol])
            assert record.books.newest_price(symbol) is not None
        book = simulator.crypto.market.book(PAIR)
        assert book is not None
        best, shown = book.best, record.order_book.newest
        assert (shown.bids[0], shown.asks[0]) == (best[:2], best[2:])

    assert complaints == []


async def test_the_walk_has_late_prints_prints_that_set_no_price_and_quotes_of_contracts() -> None:
    async with recording() as (record, other_tape, _):
        contracts = tuple(record.simulator.replayed_options)
        now = 10**18
        made = [other_tape.anything((*PAIRS, *contracts), now) for _ in range(2000)]
        trades = [each for each in made if each["T"] == "t"]
        late = [each for each in trades if each["t"] not in (now, now - DELAY)]

    assert {each["S"] for each in made if each["T"] == "q"} == {*contracts}
    assert {each["S"] for each in late} == {*PAIRS, *contracts}
    assert {each["c"] for each in trades if "c" in each} == {*"SIaBEtu"}
    ids = [each["i"] for each in trades if "i" in each]
    assert len(ids) == len({*ids})
