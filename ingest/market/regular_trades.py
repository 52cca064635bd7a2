"""The regular trades of one symbol, the newest of a bounded number, packed until one is needed.

A wide market has thousands of symbols with more than a hundred trades each. Nearly all of them are
only forgotten later. As objects they would take six times the memory, and a tick would cost twice
as much: the processor would fetch a dozen of old objects to free them (``bench ingest --symbols``).
"""

from bisect import bisect_right
from collections.abc import Iterator

import msgspec

from ingest.market.past_prints import PastPrints
from ingest.market.previous_close import change
from ingest.market.prints import TradeId
from ingest.market.tape_entries import Entry
from shared import rfc3339
from shared.ingest_status import Session
from shared.price import Price

DEPTH = 128
"""A bust withdraws dozens of trades at once. If all of these are withdrawn, REST is asked."""

TRIMMED_AT_ONCE = 32
"""To remove the oldest trade at each new one would move all others."""

FULL = DEPTH + TRIMMED_AT_ONCE
"""The number of trades at which the oldest are forgotten."""


class _Packed(msgspec.Struct, array_like=True, gc=False):
    """A packed trade; the other fields of its event follow from these.

    Numbers are integers or not, as they were received.
    """

    at_ns: int
    id: TradeId | None
    order: int
    price: int | float
    size: int | float | None
    exchange: str | None
    conditions: tuple[str, ...]
    tape: str | None
    session: Session
    previous_close: int | float | None
    received: int


_UINT64 = 0xCF
_ID_AT = 10
"""The place of the id in a packed trade: after the array's byte, and the nine of a time that needs
64 bits, as all since 1970 and four seconds do. Values packed by MessagePack are no prefixes of
others, so the bytes are equal if the ids are."""

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(_Packed).decode


def packed(at_ns: int, id_: TradeId | None, event: Price, order: int) -> bytes:
    """Return a trade packed. Its event must have a price, and the text of ``at_ns`` as its time."""
    return _pack(
        (
            at_ns,
            id_,
            order,
            event.price,
            event.size,
            event.exchange,
            event.conditions,
            event.tape,
            event.session,
            event.previous_close,
            event.received,
        )
    )


class RegularTrades:
    """Entries in order of exchange time, and for equal times in order of arrival.

    An entry that was read is the same object from then on, so it can be changed. ``past`` gets the
    prints that are forgotten, if it is set.
    """

    __slots__ = ("_symbol", "past", "trades")

    def __init__(self, symbol: str) -> None:
        self._symbol = symbol
        self.trades: list[Entry | bytes] = []
        """It stays the same list. Nearly every print appends a packed trade to it at once, and
        calls ``forget_oldest`` if it is full then."""
        self.past: PastPrints | None = None

    def __len__(self) -> int:
        return len(self.trades)

    def __getitem__(self, place: int) -> Entry:
        trade = self.trades[place]
        if isinstance(trade, bytes):
            trade = self.trades[place] = self._entry(trade)
        return trade

    def __delitem__(self, place: int) -> None:
        del self.trades[place]

    def __iter__(self) -> Iterator[Entry]:
        return map(self.__getitem__, range(len(self.trades)))

    def insert(self, entry: Entry) -> None:
        """Add a trade at its place."""
        # Most trades are the newest: the search would unpack several.
        place = _place(entry)
        if not self.trades or place > _place(self[-1]):
            self.trades.append(entry)
        else:
            self.trades.insert(bisect_right(self.trades, place, key=_place), entry)
        if len(self.trades) >= FULL:
            self.forget_oldest()

    def places_of(self, id_: TradeId | None) -> Iterator[int]:
        """Yield the places of the trades that have an id, the newest first."""
        # A report names one print of many: only that one is unpacked.
        packed_id = _pack(id_)
        for place in range(len(self.trades) - 1, -1, -1):
            trade = self.trades[place]
            if isinstance(trade, bytes) and trade[1] == _UINT64:
                has_it = trade.startswith(packed_id, _ID_AT)
            else:
                has_it = _known(trade).id == id_
            if has_it:
                yield place

    def since(self, at_ns: int) -> Iterator[Entry]:
        """Yield the trades of a time and after it, the newest first."""
        for place in range(len(self.trades) - 1, -1, -1):
            entry = self[place]
            if entry.at_ns < at_ns:
                return
            yield entry

    def around(self, at_ns: int) -> list[Entry]:
        """Return the trade before a time, or of that time, and the one after it."""
        if not self.trades or at_ns >= self[-1].at_ns:
            return [self[-1]] if self.trades else []
        after = bisect_right(self.trades, at_ns, key=_time)
        return [self[place] for place in range(max(after - 1, 0), after + 1)]

    def _entry(self, packed: bytes) -> Entry:
        """Return a packed trade as it was before."""
        known = _unpack(packed)
        close = known.previous_close
        difference, fraction = (None, None) if close is None else change(known.price, close)
        event = Price(
            self._symbol,
            known.price,
            known.size,
            known.exchange,
            known.conditions,
            known.tape,
            known.session,
            rfc3339.from_nanoseconds(known.at_ns),
            close,
            difference,
            fraction,
            known.received,
        )
        return Entry(known.at_ns, known.id, event, known.order)

    def forget_oldest(self) -> None:
        """Forget the oldest trades."""
        if self.past is not None:
            self.past.add([self[place] for place in range(TRIMMED_AT_ONCE)])
        del self.trades[:TRIMMED_AT_ONCE]


def _time(trade: Entry | bytes) -> int:
    return _known(trade).at_ns


def _place(trade: Entry | bytes) -> tuple[int, int]:
    known = _known(trade)
    return known.at_ns, known.order


def _known(trade: Entry | bytes) -> Entry | _Packed:
    return _unpack(trade) if isinstance(trade, bytes) else trade
