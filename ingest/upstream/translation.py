"""Alpaca's market data in our own terms: the streams' messages and REST's rows alike.

Another vendor needs a decoder beside ``ingest.alpaca``, and translations like this one and those of
its neighbours.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias, TypeVar

from msgspec.msgpack import Ext

from ingest.alpaca import codes, messages, rest_rows
from ingest.alpaca.bounds import LARGEST_PRICE, LATEST_NS
from ingest.alpaca.messages import nanoseconds
from ingest.alpaca.tolerant import bounded
from ingest.demand.subscription import Rejection
from ingest.market.bars import Bar, Close
from ingest.market.halts import TradingStatus
from ingest.market.prints import Cancel, Correction, Trade, is_size
from ingest.market.quotes import Quote
from ingest.market.rest_prints import Fate, RestPrint
from ingest.market.snapshot import NewestCloses, Snapshot
from ingest.market.trading_day import DAY_NS
from shared import rfc3339
from shared.imbalance import Imbalance
from shared.luld import Luld

_FATES = {fate.value: fate for fate in Fate}
"""By the ``update`` of REST's rows."""

SUBSCRIPTION_REJECTIONS: Mapping[int, Rejection] = MappingProxyType(
    {
        codes.INVALID_SYNTAX: Rejection.SYNTAX,
        codes.SYMBOL_LIMIT: Rejection.SYMBOL_LIMIT,
        codes.INSUFFICIENT_SUBSCRIPTION: Rejection.NOT_IN_PLAN,
        codes.INVALID_ACTION: Rejection.NO_SUCH_CHANNEL,
    }
)
"""Alpaca's codes that can answer a change of the subscription."""


OnProblem: TypeAlias = Callable[[str], None]
"""Gets the problem of each field or row of REST's that is left out."""

_Row = TypeVar("_Row")
_Part = TypeVar("_Part")


def _ignore(_problem: str) -> None:
    pass


def correction(message: messages.Correction) -> Correction:
    """Translate a correction.

    Raises:
        ValueError: its time is not a timestamp.
    """
    # The time is that of the report. The print's own time is in no field: the tape finds it by id.
    return Correction(
        symbol=message.symbol,
        original_id=message.original_id,
        original_price=message.original_price,
        original_size=message.original_size,
        id=message.id,
        price=message.price,
        size=message.size,
        at_ns=nanoseconds(message.time),
        exchange=message.exchange,
        conditions=message.conditions,
        tape=message.tape,
    )


def cancel(message: messages.Cancel) -> Cancel:
    """Translate the withdrawal of a print.

    Raises:
        ValueError: its time is not a timestamp.
    """
    return Cancel(
        symbol=message.symbol,
        id=message.id,
        price=message.price,
        size=message.size,
        at_ns=nanoseconds(message.time),
        exchange=message.exchange,
        action=message.action,
        tape=message.tape,
    )


def quote(message: messages.Quote) -> Quote:
    """Translate a quote of the stream.

    Raises:
        ValueError: its time is not a timestamp.
    """
    return _quote(message.symbol, message, nanoseconds(message.time))


def report_ns(message: messages.PriceBands | messages.Imbalance, received_us: int) -> int:
    """Return the time of a report in unix ns.

    Raises:
        ValueError: it is not a timestamp, or more than a day later than the receipt (unix µs).
    """
    at_ns = nanoseconds(message.time)
    if at_ns > received_us * 1000 + DAY_NS:
        raise ValueError(f"{at_ns} ns is more than a day after the receipt")
    return at_ns


def imbalance(message: messages.Imbalance, received_us: int) -> Imbalance:
    """Translate an imbalance.

    Raises:
        ValueError: its time is not one of a report.
    """
    return Imbalance(
        symbol=message.symbol,
        price=message.price,
        tape=message.tape,
        timestamp=rfc3339.from_nanoseconds(report_ns(message, received_us)),
        received=received_us,
    )


def price_bands(message: messages.PriceBands, received_us: int) -> Luld:
    """Translate price bands; a bound of 0 is none, which halts and closed markets have.

    Raises:
        ValueError: its time is not one of a report.
    """
    return Luld(
        symbol=message.symbol,
        limit_up=message.limit_up if message.limit_up > 0 else None,
        limit_down=message.limit_down if message.limit_down > 0 else None,
        indicator=message.indicator,
        tape=message.tape,
        timestamp=rfc3339.from_nanoseconds(report_ns(message, received_us)),
        received=received_us,
    )


def streamed_bar(message: messages.Bar) -> Bar:
    """Translate a bar of the stream.

    Raises:
        ValueError: its time is not a timestamp.
    """
    return Bar(
        symbol=message.symbol,
        at_ns=_either_time(message.time),
        open=message.open,
        high=message.high,
        low=message.low,
        close=message.close,
        volume=message.volume,
        trade_count=message.trade_count,
        vwap=message.vwap,
    )


def order_book_time(message: messages.OrderBook) -> int:
    """Return the time (unix ns) of a message about an order book, which is read as it is otherwise.

    Raises:
        ValueError: its time is not a timestamp.
    """
    return _either_time(message.time)


def status_ns(message: messages.TradingStatus) -> int | None:
    """Return the time of a trading status in unix ns; None if it has none.

    Raises:
        ValueError: it is not a timestamp.
    """
    at_ns = None if message.time is None else nanoseconds(message.time)
    return None if at_ns is None or at_ns < 0 else at_ns  # Go writes the year 1 for no time


def trading_status(message: messages.TradingStatus, at_ns: int | None) -> TradingStatus:
    """Translate a halt, a resumption or an indication; ``at_ns``: its time, if it is readable."""
    return TradingStatus(
        symbol=message.symbol,
        code=message.code,
        reason_code=message.reason_code,
        reason=message.reason,
        tape=message.tape,
        text=message.text,
        at_ns=at_ns,
    )


def print_of_row(symbol: str, row: Any, on_problem: OnProblem = _ignore) -> RestPrint | None:
    """Translate a row of REST's trades; None if it has no valid price or size.

    Raises:
        ValueError: the row has another form.
    """
    found, problems = rest_rows.read_trade(row)
    for problem in problems:
        on_problem(problem)
    if not _is_price(found.price) or not is_size(found.size):
        return None
    # REST keeps a withdrawn print and marks it. The stream sends a cancel or a correction instead,
    # which this ingest may have missed. A print without a mark, or with an unknown one, stands.
    return RestPrint(_rest_trade(symbol, found), _FATES.get(found.update or "", Fate.STANDS))


def snapshot(
    symbol: str,
    row: Any,
    *,
    with_quote: bool = True,
    on_problem: OnProblem = _ignore,
) -> Snapshot:
    """Translate a symbol's REST snapshot, on request without its quote.

    A trade or a close without a valid price is absent. So is a quote or a bar of another form.

    Raises:
        ValueError: the newest trade has another form.
    """
    if not with_quote and isinstance(row, dict):
        row = {name: value for name, value in row.items() if name != "latestQuote"}
    found, problems = rest_rows.read_snapshot(row)
    last, best = found.latest_trade, found.latest_quote
    trade = None if last is None or not _is_price(last.price) else _rest_trade(symbol, last)

    def part(translate: Callable[[_Row], _Part | None], row: _Row | None) -> _Part | None:
        try:
            return None if row is None else translate(row)
        except ValueError as error:
            problems.append(bounded(error))
            return None

    whole = Snapshot(
        trade=trade,
        quote=part(lambda q: _quote(symbol, q, rfc3339.to_nanoseconds(q.time)), best),
        day=part(lambda bar: _bar(symbol, bar), found.daily_bar),
        closes=NewestCloses(
            minute=part(_close, found.minute_bar),
            day=part(_close, found.daily_bar),
            # A symbol has no previous bar on its first day of trading.
            previous_day=part(_close, found.prev_daily_bar),
        ),
    )
    for problem in problems:
        on_problem(problem)
    return whole


def newest_trade_ns(snapshot: Any) -> int | None:
    """Return the time (unix ns) of the newest trade in a symbol's REST snapshot; None if none.

    Raises:
        ValueError: the trade has another form.
    """
    found = rest_rows.read_newest_trade(snapshot)
    return None if found is None else rfc3339.to_nanoseconds(found.time)


def closes(
    rows: Mapping[str, Sequence[Any]], on_problem: OnProblem = _ignore
) -> dict[str, list[Close]]:
    """Translate REST's bars by symbol; rows without a valid close are skipped."""
    found: dict[str, list[Close]] = {}
    for symbol, bars in rows.items():
        found[symbol] = []
        for row in bars:
            try:
                close = _close(rest_rows.read_bar(row)[0])
            except ValueError as error:  # one bad row must not cost a symbol its previous close
                on_problem(bounded(error))
                continue
            if close is not None:
                found[symbol].append(close)
    return found


def bars(symbol: str, rows: Sequence[Any], on_problem: OnProblem = _ignore) -> list[Bar]:
    """Translate a symbol's rows of REST's bars; rows of another form are left out.

    So are rows that lack a price or a volume: REST has none of a span without eligible trades.
    """
    found = []
    for row in rows:
        try:
            bar, problems = rest_rows.read_bar(row)
            found.append(_bar(symbol, bar))
        except ValueError as error:
            on_problem(bounded(error))
            continue
        for problem in problems:
            on_problem(problem)
    return found


def _either_time(time: Ext | str) -> int:
    return rfc3339.to_nanoseconds(time) if isinstance(time, str) else nanoseconds(time)


def _is_price(price: float) -> bool:
    return 0 < price < LARGEST_PRICE


def _rest_trade(symbol: str, row: rest_rows.Trade) -> Trade:
    return Trade(
        symbol,
        row.price,
        row.size,
        rfc3339.to_nanoseconds(row.time),
        row.id,
        row.exchange,
        row.conditions,
        row.tape,
        row.taker_side,
    )


def _quote(symbol: str, found: messages.Quote | rest_rows.Quote, at_ns: int) -> Quote:
    return Quote(
        symbol=symbol,
        bid=found.bid,
        bid_size=found.bid_size,
        bid_exchange=found.bid_exchange,
        ask=found.ask,
        ask_size=found.ask_size,
        ask_exchange=found.ask_exchange,
        at_ns=at_ns,
        conditions=found.conditions,
        tape=found.tape,
    )


def _bar(symbol: str, row: rest_rows.Bar) -> Bar:
    # Only the daily bar needs them: of the others no more than the close is used.
    open_, high, low, volume = row.open, row.high, row.low, row.volume
    if open_ is None or high is None or low is None or volume is None:
        raise ValueError(f"{row!r} lacks a value")
    if not all(map(_is_price, (open_, high, low, row.close))):
        raise ValueError(f"{row!r} has an invalid price")
    return Bar(
        symbol=symbol,
        at_ns=rfc3339.start_to_nanoseconds(row.time),
        open=open_,
        high=high,
        low=low,
        close=row.close,
        volume=volume,
        trade_count=row.trade_count,
        vwap=row.vwap,
    )


def _close(row: rest_rows.Bar) -> Close | None:
    if not _is_price(row.close):
        return None
    at_ns = rfc3339.to_nanoseconds(row.time)
    # Its day in New York must be one that ``datetime`` can express. Go's zero is of year 1.
    if not 0 <= at_ns <= LATEST_NS - DAY_NS:
        raise ValueError(f"{row.time} is not the time of a bar")
    return Close(at_ns, row.close)
