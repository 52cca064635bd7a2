"""Reading recorded options: a tape of trades and quotes, and chains.

A tape has one row a line, in the shape of Alpaca's stream. A chain has all contracts of a stock on
one day, in the shape of Alpaca's `snapshots`, and the open interest of some.
Fields that the recordings lack, but that each of Alpaca's messages has, get the constants of the
examples in Alpaca's documentation: exchanges and conditions. See `tape/tapes/SOURCES.md`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

import msgspec

from simulator.options.contract import Contract, contract_of
from simulator.protocol import rfc3339
from simulator.protocol.rfc3339 import SECOND
from simulator.tape.hours import EASTERN
from simulator.tape.recording import (
    SHIPPED,
    DailyBar,
    Sidecar,
    Tape,
    TapeError,
    check_numbers,
    decode_row,
    read_rows,
    read_whole,
)

SHIPPED_OPTION_TAPE: Final = SHIPPED.with_name("options_spy_20230803_minute.jsonl.gz")
"""A day of four contracts on SPY, one quote a minute."""

SHIPPED_OPTION_CHAINS: Final = (
    SHIPPED.with_name("option_chain_spy_20240104.json.gz"),
    SHIPPED.with_name("option_chain_goog_20151223.json.gz"),
)
"""36 contracts on SPY and 2192 on GOOG."""

# The order of the fields in Alpaca's documentation.
_KEY_ORDER: Final[Mapping[str, Sequence[str]]] = {
    "t": ("T", "S", "t", "p", "s", "x", "c"),
    "q": ("T", "S", "t", "bx", "bp", "bs", "ax", "ap", "as", "c"),
}
_FILLED_IN: Final[Mapping[str, Mapping[str, str]]] = {
    "t": {"x": "N", "c": "S"},
    "q": {"bx": "C", "ax": "C", "c": "A"},
}
_NUMBERS: Final[Mapping[str, Sequence[str]]] = {"t": ("p", "s"), "q": ("bp", "bs", "ap", "as")}


@dataclass(frozen=True)
class RecordedContract:
    """A contract of a chain on the recorded day.

    `implied_volatility` is a fraction. It and the `greeks` are None if the recording has no value.
    `open_interest` is in contracts, None if unknown.
    """

    contract: Contract
    bar: DailyBar
    implied_volatility: float | None = None
    greeks: Mapping[str, float] | None = None
    open_interest: int | None = None


@dataclass(frozen=True)
class Chain:
    """The contracts of a stock on one day."""

    day: date
    contracts: Sequence[RecordedContract]


class _DatedBar(DailyBar, frozen=True, kw_only=True):
    t: str


class _Greeks(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    delta: float
    gamma: float
    rho: float
    theta: float
    vega: float


class _Snapshot(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    daily_bar: _DatedBar
    implied_volatility: float
    greeks: _Greeks


class _ChainFile(msgspec.Struct, frozen=True):
    snapshots: dict[str, _Snapshot]
    open_interest: dict[str, int] = {}


def read_option_tape(path: Path) -> Tape:
    """Read a tape of options.

    Raises:
        TapeError: the file is missing, unreadable or empty, or a line is not a message.
    """
    return Tape(path, read_rows(path, parse_option_row), Sidecar())


def parse_option_row(line: bytes) -> dict[str, object]:
    """Read one line as a message, `t` in nanoseconds, keys in Alpaca's order.

    Raises:
        ValueError: it is not a JSON object, or a field is missing or invalid.
    """
    row, kind = decode_row(line, tuple(_KEY_ORDER))
    contract_of(str(row.get("S")))
    check_numbers(row, _NUMBERS[kind])
    whole = {**_FILLED_IN[kind], **row}
    return {key: whole[key] for key in _KEY_ORDER[kind]} | whole


def read_chain(path: Path) -> Chain:
    """Read a chain.

    Raises:
        TapeError: the file is missing, damaged, or no chain of one day.
    """
    raw = read_whole(path)
    try:
        return _chain_of(msgspec.json.decode(raw, type=_ChainFile))
    except ValueError as error:  # msgspec's errors too
        raise TapeError(f"{path}: {error}") from error


def _chain_of(file: _ChainFile) -> Chain:
    days = {_date(each.daily_bar.t) for each in file.snapshots.values()}
    if len(days) != 1:
        raise ValueError(f"expected contracts of one day, found {len(days)} days")
    contracts = [
        _recorded(contract_of(symbol), each, file.open_interest.get(symbol))
        for symbol, each in file.snapshots.items()
    ]
    return Chain(days.pop(), contracts)


def _recorded(
    contract: Contract, snapshot: _Snapshot, open_interest: int | None
) -> RecordedContract:
    fields = {name: getattr(snapshot.daily_bar, name) for name in DailyBar.__struct_fields__}
    # The recording has zeros if its model found no volatility; Alpaca leaves both fields out.
    is_found = snapshot.implied_volatility > 0
    return RecordedContract(
        contract,
        DailyBar(**fields),
        snapshot.implied_volatility if is_found else None,
        msgspec.structs.asdict(snapshot.greeks) if is_found else None,
        open_interest,
    )


def _date(text: str) -> date:
    """Return the date in New York of a time as text."""
    return datetime.fromtimestamp(rfc3339.parse(text) // SECOND, UTC).astimezone(EASTERN).date()
