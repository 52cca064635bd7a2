"""The crypto side of a simulator: the market of its pairs, their streams, and their tape's replay.

All crypto streams get the same. After each book that changes the best bid or offer they get a
quote with them, which recordings of books lack.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Final

from simulator.crypto.book_tape import first_prices, quoted_pairs, trade_ids
from simulator.crypto.pair_market import AroundTheClock, PairMarket
from simulator.faults.armed import ArmedFaults
from simulator.protocol.endpoint import Endpoint
from simulator.protocol.subscription import CRYPTO_FEEDS, WILDCARD
from simulator.protocol.wire import Message, Outgoing
from simulator.tape.bar_schedule import BarSchedule
from simulator.tape.recording import Tape
from simulator.tape.replay import Replay, progress

FIRST_ID: Final = 3_400_000_000_000_000_000
"""Added to the recorded ids of trades: Alpaca's are as large, and doubles cannot hold them."""


class Venue:
    """The pairs of one simulator."""

    def __init__(
        self,
        endpoints: Mapping[str, Endpoint],
        armed: ArmedFaults,
        observe: Callable[[Message], None],
        *,
        is_invented: bool,
    ) -> None:
        """Set up the venue.

        Args:
            endpoints: The streams by name, of which it serves those of crypto.
            armed: The faults that withhold or delay bars.
            observe: Called with each message that is about to be sent; it records those of pairs
                in `market`.
            is_invented: Whether there are bars from before the first price of each pair.
        """
        self.market = PairMarket(is_invented=is_invented)
        self.bars = BarSchedule(self.market, AroundTheClock(), armed, self.send, self.subscribed)
        self.replay: Replay | None = None
        self._endpoints = {feed.name: endpoints[feed.name] for feed in CRYPTO_FEEDS}
        self._observe = observe
        self._quoted: frozenset[str] = frozenset()
        self._ids_of_a_round = 0
        for endpoint in self._endpoints.values():
            endpoint.whole_books = self._whole_books

    def load(
        self,
        tape: Tape,
        clock: Callable[[], int],
        sleep: Callable[[float], Awaitable[None]],
        *,
        speed: float,
        loop: bool,
    ) -> Replay:
        """Announce the pairs of a tape, and return its replay, which starts now.

        `clock` returns Unix nanoseconds.
        """
        ids = trade_ids(tape)
        self._ids_of_a_round = max(ids) - min(ids) + 1 if ids else 0
        self._quoted = quoted_pairs(tape)
        self.market.expect(tape.symbols, {})
        self.replay = Replay(
            tape, self._publish_replayed, clock=clock, sleep=sleep, speed=speed, loop=loop
        )
        self.market.expect_trades(first_prices(tape), self.replay.begins)
        return self.replay

    def publish(self, messages: Iterable[Outgoing], feeds: Collection[str] | None = None) -> None:
        """Record messages and send them, with the quotes that follow; by default to all streams."""
        sent: list[Outgoing] = []
        for outgoing in messages:
            self._observe(outgoing.message)
            sent.append(outgoing)
            quote = self._quote_after(outgoing.message)
            if quote is not None:
                self._observe(quote)
                sent.append(Outgoing(quote))
        self.send(sent, feeds)

    def send(self, messages: Sequence[Outgoing], feeds: Collection[str] | None = None) -> None:
        """Send messages, by default to all crypto streams."""
        for name, endpoint in self._endpoints.items():
            if feeds is None or name in feeds:
                endpoint.publish(messages)

    def subscribed(self, channel: str) -> set[str]:
        """Return the pairs, or `*`, to which any session subscribes on a channel."""
        return set().union(*(one.subscribed(channel) for one in self._endpoints.values()))

    def listeners(self) -> int:
        """Return the number of open connections."""
        return sum(len(endpoint.listeners) for endpoint in self._endpoints.values())

    def state(self) -> dict[str, object]:
        """Return its part of `GET /simulator/state`."""
        books = self.market.books()
        return {
            "replay": progress(self.replay),
            "bars": dict(self.bars.counts),
            "levels": {name: [one.depth("b"), one.depth("a")] for name, one in books.items()},
        }

    def _publish_replayed(self, messages: Sequence[Outgoing]) -> None:
        self.publish(map(self._numbered, messages))

    def _numbered(self, outgoing: Outgoing) -> Outgoing:
        """Return a trade with an id that no earlier round of the tape had."""
        number = outgoing.message.get("i")
        if not isinstance(number, int) or self.replay is None:
            return outgoing
        rounds = self.replay.round * self._ids_of_a_round
        return Outgoing({**outgoing.message, "i": FIRST_ID + number + rounds})

    def _quote_after(self, message: Message) -> Message | None:
        symbol = message.get("S")
        is_book = message["T"] == "o" and isinstance(symbol, str) and symbol not in self._quoted
        return self.market.requote(str(symbol)) if is_book else None

    def _whole_books(self, wanted: Collection[str], before: Collection[str]) -> Sequence[Outgoing]:
        """Return the books that a session gets because it now also wants them."""
        return [
            Outgoing(book.message(symbol))
            for symbol, book in self.market.books().items()
            if _is_among(symbol, wanted) and not _is_among(symbol, before)
        ]


def _is_among(symbol: str, wanted: Collection[str]) -> bool:
    return WILDCARD in wanted or symbol in wanted
