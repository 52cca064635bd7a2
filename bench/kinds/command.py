"""``python -m bench ingest --kinds``: the ingest's CPU for a message of each kind.

All go through the same steps in this process, from a frame's bytes to the event in the outbox.
Stock trades are measured just before each kind, with as many messages to a frame, so that a busier
minute of the machine does not count for one kind alone.
"""

import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from bench.kinds import report
from bench.kinds.kind import Kind, MissingEventsError
from bench.kinds.kinds import all_kinds
from bench.kinds.report import Beside, Measured

FRAMES = (1, 100)
"""Messages to a frame."""

MESSAGES = 4_800
"""The messages of one figure: whole pauses and minutes of all symbols."""


def main(rounds: int) -> int:
    """Measure, print, and return the exit status: 1 if a kind costs too much."""
    try:
        found = compare(all_kinds(), rounds, MESSAGES)
    except MissingEventsError as error:
        print(f"Nothing was measured: {error}", file=sys.stderr)
        return 1
    print(report.table(found))
    return report.status(found)


def compare(kinds: Sequence[Kind], rounds: int, messages: int) -> list[Measured]:
    """Measure the kinds in turns, each beside the first one.

    Raises:
        MissingEventsError: messages of a kind have not given their events.
    """
    found = [Measured(kind.name, kind.is_judged, {size: [] for size in FRAMES}) for kind in kinds]
    with _own_objects_apart():
        # The first round warms up the processor's caches and does not count.
        for number in range(rounds + 1):
            for size in FRAMES:
                for kind, measured in zip(kinds, found, strict=True):
                    trade = kinds[0].measure(size, messages)
                    beside = Beside(kind.measure(size, messages), trade)
                    if number:
                        measured.rounds[size].append(beside)
    return found


@contextmanager
def _own_objects_apart() -> Iterator[None]:
    """Keep the garbage collector from the recordings, which no ingest has in its memory."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
