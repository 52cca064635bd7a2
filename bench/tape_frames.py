"""The shipped tape's trades as WebSocket frames, encoded once and stamped again at each sending."""

import string
import struct
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import count, cycle, islice
from typing import Any

import msgpack
from websockets.frames import Frame, Opcode

from simulator.protocol.wire import Format, join
from simulator.tape.recording import SHIPPED, read_tape

BLOCK_TRADES = 1_000
"""Trades per write: a multiple of every frame size that is measured."""

BETWEEN_TRADES_NS = 137
"""The shortest time between two trades: a symbol's times must not decrease."""

_SOME_ID = 1 << 40  # packed in nine bytes, as Alpaca's are
_SOME_TIME = msgpack.Timestamp(1, 1)  # packed in eight bytes, as all present times are
_ID_AT = len(b"\x89\xa1T\xa1t\xa1i\xcf")
_TIME_KEY = b"\xa1t\xd7\xff"
_UINT64 = struct.Struct(">Q")
_SECOND_NS = 1_000_000_000
_LETTERS = string.ascii_uppercase


class Stamp:
    """Ids that increase by one, and current times that do not decrease, over all blocks."""

    def __init__(self) -> None:
        self.id = _SOME_ID
        self._at = 0

    def put(self, block: bytearray, places: Sequence[tuple[int, int]]) -> bytes:
        """Write a new id and time at each position of a block, and return the block."""
        at = max(time.time_ns(), self._at)
        for id_place, time_place in places:
            self.id += 1
            at += BETWEEN_TRADES_NS
            seconds, nanoseconds = divmod(at, _SECOND_NS)
            _UINT64.pack_into(block, id_place, self.id)
            _UINT64.pack_into(block, time_place, nanoseconds << 34 | seconds)
        self._at = at
        return bytes(block)


class Block:
    """Frames of trades that are written at once. ``places``: the positions of ids and times."""

    def __init__(self, trades: Sequence[dict[str, Any]], per_frame: int) -> None:
        self.trades = len(trades)
        self.places: list[tuple[int, int]] = []
        self.data = bytearray()
        for start in range(0, len(trades), per_frame):
            self._append([_encode(trade) for trade in trades[start : start + per_frame]])

    def _append(self, encoded: list[bytes]) -> None:
        whole = join(encoded, Format.MSGPACK)
        frame = Frame(Opcode.BINARY, whole).serialize(mask=False)
        place = len(self.data) + len(frame) - sum(map(len, encoded))
        self.data += frame
        for each in encoded:
            self.places.append((place + _ID_AT, place + each.index(_TIME_KEY) + len(_TIME_KEY)))
            place += len(each)


class TapeFrames:
    """The tape, repeated endlessly, in frames of a number of trades."""

    def __init__(self, trades: Sequence[dict[str, Any]], per_frame: int) -> None:
        whole_blocks = len(trades) - len(trades) % BLOCK_TRADES
        self._blocks = cycle(
            [
                Block(trades[start : start + BLOCK_TRADES], per_frame)
                for start in range(0, whole_blocks, BLOCK_TRADES)
            ]
        )

    def blocks(self, trades: int) -> Iterator[Block]:
        """Yield blocks with ``count`` trades in total, a multiple of ``BLOCK_TRADES``."""
        return islice(self._blocks, trades // BLOCK_TRADES)


def tape_trades() -> list[dict[str, Any]]:
    """Return the shipped tape's trades by their wire keys, in order."""
    return [dict(row.fields) for row in read_tape(SHIPPED).rows if row.fields["T"] == "t"]


def spread(trades: Sequence[dict[str, Any]], symbols: int) -> list[dict[str, Any]]:
    """Return the trades in order, each symbol's spread over several in turns.

    There are ``symbols`` in all, and each gets about as many trades as any other: the widest
    market that this number of symbols can be, since hardly any two trades of a batch are of one
    symbol. Each keeps the prices of its part of the tape.

    Raises:
        ValueError: they are fewer than those of the tape.
    """
    counts = Counter(trade["S"] for trade in trades)
    if symbols < len(counts):
        raise ValueError(f"{symbols} symbols are fewer than the {len(counts)} of the tape")
    shares = {s: max(1, symbols * trades_of // len(trades)) for s, trades_of in counts.items()}
    busiest = max(counts, key=lambda symbol: counts[symbol])
    shares[busiest] += symbols - sum(shares.values())
    names = map(symbol_of, count())
    turns = {symbol: cycle([symbol, *islice(names, share - 1)]) for symbol, share in shares.items()}
    return [{**trade, "S": next(turns[trade["S"]])} for trade in trades]


def symbol_of(number: int) -> str:
    """Return one of 17,576 symbols of four letters that the tape does not have."""
    first, rest = divmod(number, 26 * 26)
    return f"Z{_LETTERS[first]}{_LETTERS[rest // 26]}{_LETTERS[rest % 26]}"


def _encode(trade: dict[str, Any]) -> bytes:
    packed: bytes = msgpack.packb({**trade, "i": _SOME_ID, "t": _SOME_TIME})
    return packed
