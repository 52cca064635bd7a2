"""Reading a recorded tape: one message a line, as JSON, gzipped or plain.

Rows look like Alpaca's stream messages. A field that the recording lacks is absent, except two that
do not need to be invented: `z` (the listing tape) comes from a *sidecar* file beside the tape, a
trade's `i` is the number of its row. This module knows neither clocks nor sessions.
"""

import gzip
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple, cast

import msgspec

from simulator.protocol import rfc3339
from simulator.protocol.subscription import CHANNELS, is_symbol
from simulator.tape.hours import midnight

SHIPPED: Final = Path(__file__).parent / "tapes" / "us_consolidated_20131007_open.jsonl.gz"
"""Fifteen minutes from the open of 7 October 2013; see `tapes/SOURCES.md`."""

_KINDS: Final = tuple(kind for kind in CHANNELS if kind not in "no")
# The order of the fields in Alpaca's documentation.
_KEY_ORDER: Final[Mapping[str, tuple[str, ...]]] = {
    "t": ("T", "i", "S", "x", "p", "s", "t", "c", "z"),
    "q": ("T", "S", "bx", "bp", "bs", "ax", "ap", "as", "t", "c", "z"),
}
_NUMBERS: Final[Mapping[str, tuple[str, ...]]] = {
    "t": ("p", "s"),
    "q": ("bp", "bs", "ap", "as"),
    "b": ("o", "h", "l", "c", "v"),
    "u": ("o", "h", "l", "c", "v"),
    "d": ("o", "h", "l", "c", "v"),
}
_WITHOUT_LISTING_TAPE: Final = frozenset({"b", "u", "d"})
_GZIP_MAGIC: Final = b"\x1f\x8b"


class TapeError(ValueError):
    """The tape cannot be replayed; the text names the file, the line and the problem."""


class Row(NamedTuple):
    """One message of a tape.

    `offset` is in nanoseconds since the first row and may go back in a tape kept in order of
    arrival; in `fields`, `t` is the recorded time and `i` is None if the row number replaces it.
    """

    offset: int
    fields: Mapping[str, object]


class DailyBar(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A recorded bar of one day, in dollars and shares, by its wire keys."""

    o: float
    h: float
    l: float  # noqa: E741 - Alpaca's key
    c: float
    v: float
    n: int | None = None
    vw: float | None = None


class Sidecar(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The data of a tape that are not in its rows: `NAME.json` next to `NAME.jsonl.gz`.

    `tapes` maps a symbol to its listing tape letter. `previous_daily_bars` maps a symbol to
    the bar of the trading day before the recording.
    """

    tapes: dict[str, str] = {}
    previous_daily_bars: dict[str, DailyBar] = {}


@dataclass(frozen=True)
class Tape:
    """A whole recording, in memory and in the order of the file."""

    path: Path
    rows: tuple[Row, ...]
    sidecar: Sidecar

    minutes: Mapping[str, Sequence[Mapping[str, object]]] = field(default_factory=dict)
    """The minute bars of the sidecar's day by symbol; `t` is nanoseconds since its midnight."""

    @property
    def start(self) -> int:
        """The recorded time of the first row, in Unix nanoseconds."""
        return cast("int", self.rows[0].fields["t"])

    @property
    def first_prices(self) -> Mapping[str, float]:
        """The price of each symbol's first trade, in dollars."""
        prices: dict[str, float] = {}
        for row in self.rows:
            if row.fields["T"] == "t":
                prices.setdefault(cast("str", row.fields["S"]), cast("float", row.fields["p"]))
        return prices

    @property
    def symbols(self) -> frozenset[str]:
        """Every symbol that has at least one row."""
        return frozenset(cast("str", row.fields["S"]) for row in self.rows)


def read_tape(path: Path) -> Tape:
    """Read a tape and its sidecar, if it has one.

    Raises:
        TapeError: a file is missing or unreadable, or a line is not a message.
    """
    sidecar = _read_sidecar(path)
    rows = read_rows(path, lambda line: parse_row(line, sidecar))
    return Tape(path, rows, sidecar, _read_minutes(path))


def read_rows(path: Path, parse: Callable[[bytes], Mapping[str, object]]) -> tuple[Row, ...]:
    """Read the rows of a tape; `parse` reads a line, `t` in nanoseconds.

    `parse` raises ValueError if the line is not a message.

    Raises:
        TapeError: the file is missing, unreadable or empty, or a line is not a message.
    """
    rows: list[Row] = []
    start = None
    for number, line in enumerate(_lines(path), start=1):
        try:
            fields = parse(line)
        except ValueError as error:
            raise TapeError(f"{path}, line {number}: {error}") from error
        time = cast("int", fields["t"])
        start = time if start is None else start
        rows.append(Row(time - start, fields))
    if not rows:
        raise TapeError(f"{path}: the tape is empty")
    return tuple(rows)


def parse_row(line: bytes, sidecar: Sidecar) -> dict[str, object]:
    """Read one line as a message, `t` in nanoseconds, keys in Alpaca's order.

    Raises:
        ValueError: it is not a JSON object, or a field is missing or invalid.
    """
    row, kind = decode_row(line, _KINDS)
    symbol = row.get("S")
    if not is_symbol(symbol):
        raise ValueError(f'"S" is {symbol!r}, expected a symbol')
    check_numbers(row, _NUMBERS.get(kind, ()))
    if kind == "t":
        row.setdefault("i", None)
    if kind not in _WITHOUT_LISTING_TAPE and symbol in sidecar.tapes:
        row.setdefault("z", sidecar.tapes[symbol])
    order = _KEY_ORDER.get(kind, ())
    return {key: row[key] for key in order if key in row} | row


def decode_row(line: bytes, kinds: Sequence[str]) -> tuple[dict[str, object], str]:
    """Read one line as a message, `t` in nanoseconds, and return it with its `T`.

    Raises:
        ValueError: it is not a JSON object, or its `T` or `t` is missing or invalid.
    """
    try:
        row = msgspec.json.decode(line, type=dict[str, object])
    except msgspec.DecodeError as error:
        raise ValueError(f"not a JSON object: {error}") from error
    kind = row.get("T")
    if not isinstance(kind, str) or kind not in kinds:
        raise ValueError(f'"T" is {kind!r}, expected one of {" ".join(kinds)}')
    row["t"] = rfc3339.parse(str(row.get("t")))
    return row, kind


def check_numbers(row: Mapping[str, object], names: Sequence[str]) -> None:
    """Check that fields are numbers that are not negative.

    Raises:
        ValueError: one is not; the text names it.
    """
    for name in names:
        value = row.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise ValueError(f'"{name}" is {value!r}, expected 0 or more')


def _read_sidecar(path: Path) -> Sidecar:
    sidecar = path.with_name(_name(path) + ".json")
    if sidecar == path or not sidecar.is_file():
        return Sidecar()
    try:
        return msgspec.json.decode(sidecar.read_bytes(), type=Sidecar)
    except (OSError, msgspec.DecodeError) as error:
        raise TapeError(f"{sidecar}: {error}") from error


def _read_minutes(tape: Path) -> Mapping[str, Sequence[Mapping[str, object]]]:
    """Read `NAME.minutes.jsonl.gz` next to `NAME.jsonl.gz`, if it is there."""
    path = tape.with_name(_name(tape) + ".minutes.jsonl.gz")
    found: dict[str, list[Mapping[str, object]]] = {}
    if path == tape or not path.is_file():
        return found
    days: set[int] = set()
    for number, line in enumerate(_lines(path), start=1):
        try:
            bar = parse_row(line, Sidecar())
        except ValueError as error:
            raise TapeError(f"{path}, line {number}: {error}") from error
        time = cast("int", bar["t"])
        days.add(midnight(time))
        if bar.pop("T") != "b" or len(days) > 1:
            raise TapeError(f"{path}, line {number}: expected minute bars of one day")
        bar["t"] = time - midnight(time)
        found.setdefault(cast("str", bar.pop("S")), []).append(bar)
    return found


def _name(tape: Path) -> str:
    return tape.name.removesuffix(".gz").removesuffix(".jsonl")


def _lines(path: Path) -> Iterator[bytes]:
    return iter(read_whole(path).splitlines())


def read_whole(path: Path) -> bytes:
    """Read a file, gzipped or plain.

    Raises:
        TapeError: it is missing or damaged.
    """
    try:
        raw = path.read_bytes()
        return gzip.decompress(raw) if raw.startswith(_GZIP_MAGIC) else raw
    except OSError as error:  # a missing file, or gzip.BadGzipFile
        raise TapeError(f"{path}: {error.strerror or error}") from error
    except (EOFError, zlib.error) as error:
        raise TapeError(f"{path}: damaged gzip: {error}") from error
