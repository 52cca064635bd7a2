"""The ticks and their audience: the same for every server, from one seed. Pure."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

from shared import message, price, rfc3339
from shared.event_id import EventId
from shared.price import Price

SEED = 4


def symbols(count: int) -> list[str]:
    """Return the names of ``count`` symbols."""
    return [f"S{number:03d}" for number in range(count)]


@dataclass(frozen=True)
class Audience:
    """The symbols that each client watches."""

    watched: tuple[tuple[str, ...], ...]

    @classmethod
    def drawn(cls, clients: int, of: Sequence[str], each: int, seed: int = SEED) -> Self:
        """Draw ``each`` symbols for every client."""
        draw = random.Random(seed)  # noqa: S311 - a seeded choice, no secret
        return cls(tuple(tuple(sorted(draw.sample(of, each))) for _ in range(clients)))

    def watchers(self) -> Counter[str]:
        """Return the number of clients that watch each symbol."""
        return Counter(symbol for each in self.watched for symbol in each)


class Tick(NamedTuple):
    """A price as the ingest publishes it: ``body`` is the JSON with its ``event_id``."""

    symbol: str
    event_id: EventId
    body: bytes

    @property
    def packed(self) -> bytes:
        """The message on the symbol's channel in Redis."""
        return message.pack(self.event_id, self.body)


class Tape:
    """Invented trades of symbols in random order; ``clock`` returns unix ns.

    ``received`` in a tick is the time of its creation, which is that of its publication.
    """

    def __init__(
        self, traded: Sequence[str], clock: Callable[[], int], seed: int = SEED, *, epoch: int = 1
    ) -> None:
        self._symbols = traded
        self._clock = clock
        self._epoch = epoch
        self._random = random.Random(seed)  # noqa: S311 - likewise
        self._count = 0
        self.published: Counter[str] = Counter()
        self.newest: dict[str, int] = {}
        """The ``seq`` of each symbol's last tick."""

    def ticks(self, count: int) -> list[Tick]:
        """Return ``count`` ticks of random symbols, published now."""
        return [self._tick(symbol) for symbol in self._random.choices(self._symbols, k=count)]

    def one_of_each(self) -> list[Tick]:
        """Return a tick of every symbol: the values that are stored before the clients connect."""
        return [self._tick(symbol) for symbol in self._symbols]

    def offered(self, audience: Audience) -> int:
        """Return the number of events offered to an audience so far."""
        watchers = audience.watchers()
        return sum(count * watchers[symbol] for symbol, count in self.published.items())

    def _tick(self, symbol: str) -> Tick:
        self._count += 1
        self.published[symbol] += 1
        self.newest[symbol] = self._count
        now = self._clock()
        last = round(100 + self._random.random() * 400, 2)
        change = round(self._random.uniform(-9, 9), 2)
        body = price.encode(
            Price(
                symbol=symbol,
                price=last,
                size=float(self._random.randrange(1, 500)),
                exchange="V",
                conditions=("@", "I"),
                tape="B",
                session="regular",
                timestamp=rfc3339.from_nanoseconds(now),
                previous_close=round(last - change, 2),
                change=change,
                change_percent=round(change / last, 6),
                received=now // 1000,
            )
        )
        event_id = EventId(self._epoch, self._count)
        return Tick(symbol, event_id, message.stamp(event_id, body))
