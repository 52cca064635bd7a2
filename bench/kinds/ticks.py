"""Messages that give their event at once, trading statuses, and withdrawals of prints."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import count, islice

from bench.kinds import rows
from bench.kinds.cost import Cost, Meter
from bench.kinds.kind import apply, checked, watched
from bench.kinds.parts import Part
from bench.kinds.rows import Row, Stamps, frames, numbered
from bench.tape_frames import spread
from ingest.market.regular_trades import FULL
from shared.markets import STOCKS
from shared.topics import PRICE, STATUS, TRADE

MESSAGES_OF_A_TAPE = 24
"""A message that needs a full tape is measured once in place of so many others: it takes long."""


class Ticks:
    """Messages that give an event each at once. ``event`` is its name."""

    def __init__(
        self, name: str, event: str, part: Part, given: Iterator[Row], *, is_judged: bool = True
    ) -> None:
        self.name, self.is_judged = name, is_judged
        self._event, self._part, self._given = event, part, given
        self._stamps = Stamps()

    def measure(self, per_frame: int, messages: int) -> Cost:
        """Apply so many messages, each of the present time."""
        meter = Meter()
        some = self._stamps.put(islice(self._given, messages))
        apply(self._part, frames(some, per_frame), meter)
        return checked(self, meter, messages, self._part.count(), self._event, self._part)


class Statuses:
    """Trading statuses, each of which changes the state that clients see.

    All symbols get one in turns; then the market looks at their states, as it does once a second.
    """

    def __init__(self, symbols: Sequence[str]) -> None:
        self.name, self.is_judged = "trading status", True
        self._symbols = symbols
        self._part = watched(STOCKS, symbols, PRICE, STATUS)
        self._given = rows.endless(rows.statuses(symbols))
        self._trades = numbered(rows.equal_trades(symbols))
        self._stamps = Stamps()

    def measure(self, per_frame: int, messages: int) -> Cost:
        """Apply the statuses of whole pauses, after which all symbols trade again."""
        # A symbol that has no recent trade would not be live at the end of a pause.
        self._part.feed(self._frames(self._trades, len(self._symbols)))
        self._part.look()
        self._part.take()
        meter, events, sent = Meter(), Counter[str](), 0
        while sent < messages:
            for _ in rows.PAUSE:
                apply(self._part, self._frames(self._given, per_frame), meter, self._part.look)
                events += self._part.count()
                sent += len(self._symbols)
        return checked(self, meter, sent, events, STATUS, self._part)

    def _frames(self, given: Iterator[Row], per_frame: int) -> list[bytes]:
        return frames(self._stamps.put(islice(given, len(self._symbols))), per_frame)


class Withdrawals:
    """Cancels or corrections, each of a print in the middle of another symbol's tape.

    The tape is full, and nothing has read its prints since they came. Clients watch the prices and
    the tapes. ``withdraw`` returns the message that withdraws a print.
    """

    def __init__(self, name: str, event: str, symbols: int, withdraw: Callable[[Row], Row]) -> None:
        self.name, self.is_judged = name, True
        self._event, self._symbols, self._withdraw = event, symbols, withdraw
        tape = spread(rows.trades(), symbols)
        self._part = watched(STOCKS, {row["S"] for row in tape}, PRICE, TRADE)
        self._given = numbered(tape)
        self._stamps = Stamps()

    def measure(self, per_frame: int, messages: int) -> Cost:
        """Apply one message for each symbol, or several if there are to be many messages."""
        meter, events, sent = Meter(), Counter[str](), 0
        while sent * MESSAGES_OF_A_TAPE < messages:
            prints = list(islice(self._given, FULL * self._symbols))
            self._part.feed(frames(self._stamps.put(prints), self._symbols))
            reports = [self._withdraw(each) for each in _middle(prints)]
            apply(self._part, frames(self._stamps.put(reports), per_frame), meter)
            events += self._part.count()
            sent += len(reports)
        return checked(self, meter, sent, events, self._event, self._part)


def corrections(name: str, event: str, symbols: int) -> Withdrawals:
    """Return corrections, each with another id."""
    ids = count(2 * rows.FIRST_ID)
    return Withdrawals(name, event, symbols, lambda row: rows.correction_of(row, next(ids)))


def _middle(prints: Sequence[Row]) -> Iterator[Row]:
    """Yield a print of each symbol that half a tape of newer ones has followed."""
    newer, found = Counter[str](), set[str]()
    for row in reversed(prints):
        symbol = row["S"]
        if newer[symbol] >= FULL // 2 and symbol not in found and row["c"] in rows.REGULAR:
            found.add(symbol)
            yield row
        newer[symbol] += 1
