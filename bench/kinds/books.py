"""Order books: the levels of two recorded crypto markets, through the real ``BookFeed``.

A level is cheap and an event is dear, so the pace counts: at that of the recordings a third of the
levels make an event; fifty times as fast, ten events a second and pair stand for many changes. A
whole book is counted apart from the changes after it: its levels are sorted at once.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from bench.kinds.cost import Cost, Meter, metered
from bench.kinds.jumping_loop import JumpingLoop
from bench.kinds.kind import MissingEventsError
from bench.kinds.parts import MarketPart
from bench.kinds.rows import Row, books_of, frames
from ingest.book_feed import BookFeed
from ingest.bus.outbox import Publication
from shared.book import TOP_LEVELS
from shared.markets import CRYPTO
from shared.topics import BOOK
from simulator.crypto.book import Book
from simulator.crypto.book_tape import read_book_tape

MESSAGES_OF_A_RECORDING = 1_200
"""A recording is replayed once in place of about so many messages of another kind."""

SETTLE_SECONDS = 0.2
"""After this time every change has been announced."""

_SECOND_NS = 1_000_000_000
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class TimedFrame(NamedTuple):
    """A frame's bytes, when it comes (s after the first one), and its levels."""

    data: bytes
    at: float
    levels: int


class Books:
    """The levels of a recording: those of changes at a pace, or those of the whole books.

    ``pace``: how often the time of the recording passes in the same time; None: the whole books.
    """

    def __init__(self, market: str, recording: Path, pace: int | None) -> None:
        scene = "whole" if pace is None else f"{pace} x"
        self.name, self.is_judged = f"level of a book, {market}, {scene}", True
        self._pace = pace
        self._rows = books_of(read_book_tape(recording))
        self._pairs = sorted({row["S"] for row in self._rows})

    def measure(self, per_frame: int, messages: int) -> Cost:
        """Replay the recording, several times if there are to be many messages."""
        times = max(1, messages // MESSAGES_OF_A_RECORDING)
        with asyncio.Runner(loop_factory=JumpingLoop) as runner:
            costs = [runner.run(self._replay(per_frame)) for _ in range(times)]
        return Cost(*(sum(each) for each in zip(*costs, strict=True)))

    async def _replay(self, per_frame: int) -> Cost:
        """Have a feed follow the books from before the subscription to the last change."""
        now, meter = asyncio.get_running_loop().time, Meter()
        part = MarketPart(CRYPTO, self._pairs, [BOOK], monotonic=now)
        whole = [row for row in self._rows if row.get("r")]
        changes = [row for row in self._rows if not row.get("r") and self._pace is not None]
        pace = self._pace or 1
        async with asyncio.TaskGroup() as tasks:
            assert part.books is not None
            following = tasks.create_task(_follow(part.books, meter))
            await asyncio.sleep(SETTLE_SECONDS)
            part.subscribe()
            await asyncio.sleep(SETTLE_SECONDS)
            part.take()  # each book's first event: it is not valid yet
            # Whole books and changes are measured one after the other: the changes come later.
            of_whole, events = await _play(part, meter, _timed(whole, 1, 1))
            of_changes, later = await _play(part, meter, _timed(changes, per_frame, pace))
            following.cancel()
        self._check([*events, *later], [*whole, *changes], part)
        return of_whole if self._pace is None else of_changes

    def _check(self, events: Iterable[Publication], rows: Iterable[Row], part: MarketPart) -> None:
        """Compare the last event of each pair with its book.

        Raises:
            MissingEventsError: one is not valid, or has other levels.
        """
        shown: dict[str, object] = {}
        for event in map(_decode, (each.body for each in events)):
            if not event["valid"]:
                raise MissingEventsError(
                    f"{self.name}: {event['symbol']}: {event['reason']} {part.problem}"
                )
            shown[event["symbol"]] = [event["bids"], event["asks"]]
        books = defaultdict[str, Book](Book)
        for row in rows:
            books[row["S"]].apply(row, 0)
        wrong = [symbol for symbol, book in books.items() if shown.get(symbol) != _top(book)]
        if wrong:
            raise MissingEventsError(
                f"{self.name}: the last events of {', '.join(wrong)} are not their books. "
                f"{part.problem}"
            )


async def _follow(books: BookFeed, meter: Meter) -> None:
    await metered(books.run(), meter)


async def _play(
    part: MarketPart, meter: Meter, played: Sequence[TimedFrame]
) -> tuple[Cost, list[Publication]]:
    """Apply frames at their times; return their cost, with that of their events, and these."""
    now, before = asyncio.get_running_loop().time, meter.cpu
    began = now()
    for frame in played:
        await asyncio.sleep(max(0.0, began + frame.at - now()))
        with meter:
            part.apply(frame.data)
    await asyncio.sleep(SETTLE_SECONDS)
    events = part.take()
    return Cost(meter.cpu - before, sum(each.levels for each in played), len(events)), events


def _timed(rows: Sequence[Row], per_frame: int, pace: int) -> list[TimedFrame]:
    found: list[TimedFrame] = []
    at = 0.0
    for start in range(0, len(rows), per_frame):
        some = rows[start : start + per_frame]
        # A message can be older than the one before it; it comes after it all the same.
        at = max(at, (some[-1]["t"] - rows[0]["t"]) / _SECOND_NS / pace)
        levels = sum(len(row["b"]) + len(row["a"]) for row in some)
        found.append(TimedFrame(frames(some, per_frame)[0], at, levels))
    return found


def _top(book: Book) -> list[list[list[float]]]:
    """Return the best levels of both sides, as an event has them."""
    whole: Any = book.message("")
    sides = [whole["b"][:TOP_LEVELS], whole["a"][:TOP_LEVELS]]
    return [[[level["p"], level["s"]] for level in side] for side in sides]
