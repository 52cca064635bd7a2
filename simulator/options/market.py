"""The options as replayed so far, per contract: the newest trades, the latest quote, bars.

Pure; the source of `/v1beta1/options` and of the value of the account's contracts. Between the rows
of the tape nothing is invented.
"""

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from math import isfinite
from typing import Final, TypeGuard

from simulator.options.bar_conditions import effects_of_option
from simulator.options.contract import Contract, contract_of
from simulator.options.today import ListedContract, date_of
from simulator.protocol.option_feeds import is_option_symbol
from simulator.protocol.wire import Message, json_fields
from simulator.tape.bars import MINUTE
from simulator.tape.hours import midnight
from simulator.tape.symbol_bars import SymbolBars

_REMEMBERED_TRADES: Final = 2000
"""The limit for each contract."""


@dataclass
class _Traded:
    trades: deque[Message] = field(default_factory=lambda: deque(maxlen=_REMEMBERED_TRADES))
    bars: SymbolBars = field(default_factory=lambda: SymbolBars(effects_of_option))


@dataclass
class _Known:
    contract: Contract
    listed: ListedContract | None = None
    quote: Message | None = None
    traded: _Traded | None = None
    """Most contracts never trade."""

    def latest_trade(self) -> Message | None:
        # among several of the same time, the one that arrived last
        trades = () if self.traded is None else reversed(self.traded.trades)
        return max(trades, key=_time, default=None)

    def days(self) -> list[Message]:
        """Return the bars of the known days, oldest first."""
        before = [] if self.listed is None else [self.listed.bar]
        return [*before, *(() if self.traded is None else self.traded.bars.days())]


class OptionMarket:
    """The contracts of this run, each with its data."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}

    def list_contracts(self, contracts: Iterable[ListedContract]) -> None:
        """Announce contracts with recorded data."""
        for each in contracts:
            contract = each.recorded.contract
            self._known[contract.symbol] = _Known(contract, each)

    def expect(self, symbols: Iterable[str]) -> None:
        """Announce the contracts of a tape.

        Raises:
            ValueError: a symbol is invalid.
        """
        for symbol in symbols:
            self._known.setdefault(symbol, _Known(contract_of(symbol)))

    def observe(self, message: Message) -> None:
        """Record a message that is being sent; one with invalid fields changes nothing."""
        symbol, time, kind = message.get("S"), message.get("t"), message.get("T")
        if not is_option_symbol(symbol) or not isinstance(time, int):
            return
        known = self._known_as(symbol)
        if known is None:
            return
        if kind == "q" and (known.quote is None or time >= _time(known.quote)):
            known.quote = message
        if kind == "t" and all(_is_number(message.get(name)) for name in "ps"):
            traded = known.traded = known.traded or _Traded()
            traded.trades.append(message)
            traded.bars.add(message, time, midnight(time), is_regular=True)

    def knows(self, symbol: str) -> bool:
        """Return whether a contract is listed, or has had a message."""
        return symbol in self._known

    def symbols(self) -> Collection[str]:
        """Return the contracts that are listed, or have had a message."""
        return self._known.keys()

    def contracts(self) -> Sequence[Contract]:
        """Return the same contracts, sorted by symbol."""
        return [self._known[symbol].contract for symbol in sorted(self._known)]

    def quote(self, symbol: str) -> Message | None:
        """Return the latest quote, None before the first."""
        known = self._known.get(symbol)
        return None if known is None else known.quote

    def latest_trade(self, symbol: str) -> Message | None:
        """Return the latest trade, None before the first."""
        known = self._known.get(symbol)
        return None if known is None else known.latest_trade()

    def price(self, symbol: str) -> float | None:
        """Return the price of the latest trade, or the mid of the quote if that is newer.

        In dollars; None before both.
        """
        trade, quote = self.latest_trade(symbol), self.quote(symbol)
        mid = None if quote is None else _mid(quote)
        if trade is None or (quote is not None and mid is not None and _is_newer(quote, trade)):
            return mid
        return _number(trade, "p")

    def previous_close(self, symbol: str, now: int) -> float | None:
        """Return the close of the newest day before today in dollars, None if there is none."""
        day = self.previous_day(symbol, now)
        return None if day is None else _number(day, "c")

    def previous_day(self, symbol: str, now: int) -> Message | None:
        """Return the bar of the newest day before today, None if there is none."""
        known, today = self._known.get(symbol), midnight(now)
        days = [] if known is None else known.days()
        return next((day for day in reversed(days) if _time(day) < today), None)

    def open_interest(self, symbol: str) -> tuple[int, date] | None:
        """Return the recorded open interest in contracts, and its day; None if there is none."""
        known = self._known.get(symbol)
        listed = None if known is None else known.listed
        if listed is None or listed.recorded.open_interest is None:
            return None
        return listed.recorded.open_interest, date_of(_time(listed.bar))

    def snapshot(self, symbol: str, now: int) -> dict[str, object] | None:
        """Return a contract's snapshot as Alpaca's REST shows it, None for an unknown one.

        Unknown parts are absent. `now` is in nanoseconds: the bar of a minute is shown once that
        minute is over.
        """
        known = self._known.get(symbol)
        if known is None:
            return None
        days = known.days()
        shown = {
            "latestTrade": known.latest_trade(),
            "latestQuote": known.quote,
            "minuteBar": _newest_minute(known, now),
            "dailyBar": days[-1] if days else None,
            "prevDailyBar": days[-2] if len(days) > 1 else None,
            **_greeks(known, now),
        }
        return json_fields({key: _shown(value) for key, value in shown.items() if value})

    def trades(self, symbol: str) -> list[Message]:
        """Return the newest trades, oldest first."""
        known = self._known.get(symbol)
        traded = None if known is None else known.traded
        trades = () if traded is None else traded.trades
        return [_nameless(trade) for trade in sorted(trades, key=_time)]

    def minutes(self, symbol: str, start: int, end: int, now: int) -> Iterator[Message]:
        """Yield the bars of minutes that are over and start in a span (`end` excluded)."""
        known = self._known.get(symbol)
        if known is not None and known.traded is not None:
            yield from known.traded.bars.minutes(start, min(end, now - MINUTE + 1))

    def traded_days(self, symbol: str) -> Sequence[Message]:
        """Return the bars of the days since the first trade, oldest first."""
        known = self._known.get(symbol)
        return () if known is None or known.traded is None else known.traded.bars.days()

    def _known_as(self, symbol: str) -> _Known | None:
        known = self._known.get(symbol)
        if known is None:
            try:
                known = self._known[symbol] = _Known(contract_of(symbol))
            except ValueError:  # its expiry is no date
                return None
        return known


def _newest_minute(known: _Known, now: int) -> Message | None:
    return None if known.traded is None else known.traded.bars.newest_minute(now - MINUTE + 1)


def _greeks(known: _Known, now: int) -> dict[str, object]:
    """Return the volatility and the greeks, which Alpaca has under these conditions only.

    The contract does not expire today, and no side of its latest quote is zero.
    """
    listed = known.listed
    if listed is None or known.contract.expiration <= date_of(now):
        return {}
    if known.quote is not None and not (known.quote.get("bp") and known.quote.get("ap")):
        return {}
    recorded = listed.recorded
    return {"impliedVolatility": recorded.implied_volatility, "greeks": recorded.greeks}


def _mid(quote: Message) -> float | None:
    """Return the middle of a quote, exact in decimals; None if a side is missing or crossed."""
    bid, ask = quote.get("bp"), quote.get("ap")
    if not _is_number(bid) or not _is_number(ask) or not 0 <= bid <= ask or not ask:
        return None
    return float((Decimal(str(bid)) + Decimal(str(ask))) / 2)


def _is_newer(message: Message, other: Message) -> bool:
    return _time(message) > _time(other)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and isfinite(value)


def _number(message: Message, name: str) -> float:
    value = message[name]
    return value if isinstance(value, int | float) else 0


def _time(message: Message) -> int:
    time = message["t"]
    return time if isinstance(time, int) else 0


def _shown(value: object) -> object:
    return json_fields(_nameless(value)) if isinstance(value, Mapping) else value


def _nameless(message: Message) -> Message:
    return {key: value for key, value in message.items() if key not in ("T", "S")}
