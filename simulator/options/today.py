"""Recorded contracts as they would be listed today. Pure.

The expiries of a recording are past. They move by whole weeks, so that weekdays stay: by the fewest
with which the recorded day would be today or later. So a contract has up to six days more left than
in the recording, never less, and none expires on the day on which the simulator starts.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Final, cast

import msgspec

from simulator.options.contract import contract_of
from simulator.options.recording import Chain, RecordedContract
from simulator.protocol.rfc3339 import SECOND
from simulator.protocol.wire import Message
from simulator.tape.hours import EASTERN, MarketHours, midnight
from simulator.tape.recording import Tape

_WEEK_DAYS: Final = 7
_SEARCH_DAYS: Final = 30


@dataclass(frozen=True)
class ListedContract:
    """A contract with the recorded data of a day, which is `bar`'s: `t` in Unix nanoseconds."""

    recorded: RecordedContract
    bar: Message


def days_to_move(recorded: date, today: date) -> int:
    """Return by how many days the expiries of a recording move."""
    weeks = -(-(today - recorded).days // _WEEK_DAYS)
    return weeks * _WEEK_DAYS


def listed_today(chain: Chain, now: int, hours: MarketHours) -> Iterable[ListedContract]:
    """Yield the contracts of a chain, with its day as the trading day before today.

    `now` is in Unix nanoseconds.
    """
    today = date_of(now)
    days = days_to_move(chain.day, today)
    before = _start(_trading_day_before(today, hours))
    for each in chain.contracts:
        moved = replace(each, contract=each.contract.moved(days))
        yield ListedContract(moved, {**msgspec.to_builtins(each.bar), "t": before})


def renamed_today(tape: Tape, now: int) -> Tape:
    """Return a tape with today's symbols; `now` is in Unix nanoseconds."""
    days = days_to_move(date_of(tape.start), date_of(now))
    names = {symbol: contract_of(symbol).moved(days).symbol for symbol in tape.symbols}
    rows = (
        row._replace(fields={**row.fields, "S": names[cast("str", row.fields["S"])]})
        for row in tape.rows
    )
    return replace(tape, rows=tuple(rows))


def date_of(nanoseconds: int) -> date:
    """Return the date in New York of a Unix time in nanoseconds."""
    return datetime.fromtimestamp(nanoseconds // SECOND, UTC).astimezone(EASTERN).date()


def _trading_day_before(day: date, hours: MarketHours) -> date:
    before = (day - timedelta(days=days) for days in range(1, _SEARCH_DAYS))
    open_ = (each for each in before if hours.trading_day(each) is not None)
    return next(open_, day - timedelta(days=1))


def _start(day: date) -> int:
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=EASTERN)
    return midnight(int(noon.timestamp()) * SECOND)
