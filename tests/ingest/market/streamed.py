"""Prints that the stream brings two seconds after noon, and the last price that they make."""

from typing import Any

from ingest.market.last_price import LastPrices
from ingest.market.prints import Trade
from ingest.market.symbol_tape import SymbolTape
from tests.ingest.trades import NOON, trade

NOW_US = NOON // 1000 + 2_000_000


def streamed(prices: LastPrices, *args: Any, **named: Any) -> Trade:
    """Bring a print, made as by ``trade``; return it."""
    print_ = trade(*args, **named)
    prices.on_trade(print_, print_.at_ns, NOW_US)
    return print_


def last_of(prices: LastPrices) -> float | None:
    """Return the last price of SPY, which has one."""
    return prices.by_symbol["SPY"].price


def tape_of(prices: LastPrices) -> SymbolTape:
    """Return the tape of SPY."""
    tape = prices.tape("SPY")
    assert isinstance(tape, SymbolTape)
    return tape
