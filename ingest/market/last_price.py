"""The last price of each symbol, as the tape's rules make it."""

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ingest.market.conditions import Eligibility, eligibility, unknown_codes
from ingest.market.market_hours import MarketHours
from shared import rfc3339
from shared.price import Price

# 03:00 UTC lies after New York's last session (20:00) and before its midnight, where Alpaca's
# daily bars begin, in summer and in winter.
_DAY_BOUNDARY_NS = 3 * 3600 * 1_000_000_000
_DAY_NS = 24 * 3600 * 1_000_000_000


class LastPrices:
    """Turns trades into ``Price`` events; keeps the newest of each symbol."""

    def __init__(self, hours: MarketHours) -> None:
        self.hours = hours
        self.by_symbol: dict[str, Price] = {}
        self.ineligible = 0
        self.late = 0
        self.unknown_codes: dict[str, int] = {}
        self._times: dict[str, int] = {}
        self._previous_close: dict[str, dict[int, float]] = {}

    def on_trade(self, trade: Mapping[str, Any], received_us: int) -> Price | None:
        """Take a trade in Alpaca's wire form (``T: t``); return the new last price, if it is one.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: the message has another form.
        """
        symbol, size = trade["S"], trade["s"]
        if not isinstance(symbol, str) or not isinstance(size, int | float):
            raise TypeError("a symbol is text and a size a number")
        at: int = trade["t"].to_unix_nano()
        conditions: list[str] = trade.get("c") or []
        session = self.hours.session_at(at)
        last_at = self._times.get(symbol, -1)
        rule = eligibility(trade.get("z"), conditions, session)
        if rule is not Eligibility.ALWAYS and not (
            rule is Eligibility.FIRST_ONLY and day_of(at) != day_of(last_at)
        ):
            self.ineligible += 1
            for code in unknown_codes(trade.get("z"), conditions):
                self.unknown_codes[code] = self.unknown_codes.get(code, 0) + 1
            return None
        if at < last_at:
            self.late += 1
            return None
        price = Price(
            symbol=symbol,
            price=_number(trade["p"]),
            size=size,
            exchange=trade.get("x"),
            conditions=conditions,
            tape=trade.get("z"),
            session=session,
            timestamp=rfc3339.from_nanoseconds(at),
            received=received_us,
        )
        self._remember(price, at)
        return price

    def restore(self, price: Price) -> None:
        """Take a price that an earlier leader published, unless the stream has brought one."""
        if price.timestamp is not None and price.symbol not in self._times:
            self.by_symbol[price.symbol] = price
            self._times[price.symbol] = rfc3339.to_nanoseconds(price.timestamp)

    def on_snapshot(
        self, symbol: str, snapshot: Mapping[str, Any] | None, received_us: int
    ) -> Price | None:
        """Take a symbol's REST snapshot, or None where Alpaca does not know the symbol.

        Returns the price to publish: the last trade if it is eligible, else the close of the last
        minute bar, unless the stream has brought a newer one already.
        """
        if snapshot is None:
            if symbol in self._times:
                return None
            unknown = Price(symbol=symbol, reason="unknown_symbol")
            self.by_symbol[symbol] = unknown
            return unknown
        self._learn_previous_close(symbol, snapshot, day_of(received_us * 1000))
        price, at = self._price_of(symbol, snapshot, received_us)
        if price is None or at < self._times.get(symbol, -1):
            return self._with_previous_close(symbol)
        self._remember(price, at)
        return price

    def _with_previous_close(self, symbol: str) -> Price | None:
        """Return the stream's price if the snapshot has taught its previous close."""
        last, at = self.by_symbol.get(symbol), self._times.get(symbol)
        if last is None or at is None:
            return None
        before = last.previous_close
        self._remember(last, at)
        return None if last.previous_close == before else last

    def _price_of(
        self, symbol: str, snapshot: Mapping[str, Any], received_us: int
    ) -> tuple[Price | None, int]:
        trade = snapshot.get("latestTrade") or {}
        bar = snapshot.get("minuteBar") or {}
        if trade:
            at = rfc3339.to_nanoseconds(trade["t"])
            session = self.hours.session_at(at)
            conditions = trade.get("c") or []
            rule = eligibility(trade.get("z"), conditions, session)
            first = not bar or day_of(rfc3339.to_nanoseconds(bar["t"])) != day_of(at)
            if rule is Eligibility.ALWAYS or (rule is Eligibility.FIRST_ONLY and first):
                return Price(
                    symbol=symbol,
                    price=_number(trade["p"]),
                    size=trade["s"],
                    exchange=trade.get("x"),
                    conditions=conditions,
                    tape=trade.get("z"),
                    session=session,
                    timestamp=trade["t"],
                    received=received_us,
                ), at
        if bar:
            at = rfc3339.to_nanoseconds(bar["t"])
            return Price(
                symbol=symbol,
                price=_number(bar["c"]),
                session=self.hours.session_at(at),
                timestamp=bar["t"],
                received=received_us,
            ), at
        return None, -1

    def _learn_previous_close(self, symbol: str, snapshot: Mapping[str, Any], today: int) -> None:
        """Before the open the daily bar is still the last day's: its close is today's base."""
        daily = snapshot.get("dailyBar") or {}
        before = snapshot.get("prevDailyBar") or {}
        closes: dict[int, float] = {}
        if daily:
            bar_day = day_of(rfc3339.to_nanoseconds(daily["t"]))
            if bar_day != today:
                closes[today] = daily["c"]
            if before:
                closes[bar_day] = before["c"]
        elif before:
            closes[today] = before["c"]
        self._previous_close[symbol] = closes

    def _remember(self, price: Price, at: int) -> None:
        previous = self._previous_close.get(price.symbol, {}).get(day_of(at))
        if previous is not None and price.price is not None:
            base = Decimal(str(previous))
            change = Decimal(str(price.price)) - base
            price.previous_close = previous
            price.change = float(change)
            price.change_percent = float(round(change / base, 6)) if base else None
        self.by_symbol[price.symbol] = price
        self._times[price.symbol] = at


def day_of(unix_ns: int) -> int:
    """Return the number of the trading day that a moment belongs to."""
    return (unix_ns - _DAY_BOUNDARY_NS) // _DAY_NS


def _number(price: object) -> float:
    if not isinstance(price, int | float) or not math.isfinite(price) or price <= 0:
        raise ValueError(f"{price!r} is no price")
    return price
