"""A kind of messages that is measured, and the steps that all kinds have in common."""

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from typing import Protocol

from bench.kinds.cost import Cost, Meter
from bench.kinds.parts import MarketPart, Part
from shared.markets import Market


class MissingEventsError(Exception):
    """Messages have not given their events: the figures would be those of something else."""


class Kind(Protocol):
    """Messages of one kind. ``is_judged``: whether the limit applies to it."""

    name: str
    is_judged: bool

    def measure(self, per_frame: int, messages: int) -> Cost:
        """Apply about so many messages in frames of ``per_frame``, and return their cost.

        Raises:
            MissingEventsError: some of them have not given their event.
        """


def watched(
    market: Market,
    symbols: Collection[str],
    *kinds: str,
    clock: Callable[[], int] = time.time_ns,
) -> MarketPart:
    """Return a part of an ingest: clients watch these kinds, and everything is subscribed."""
    part = MarketPart(market, symbols, kinds, clock=clock)
    part.subscribe()
    part.take()
    return part


def apply(
    part: Part, frames: Iterable[bytes], meter: Meter, then: Callable[[], None] = lambda: None
) -> None:
    """Apply frames, and do then what the product does after some time; measure both."""
    with meter:
        for frame in frames:
            part.apply(frame)
        then()


def checked(
    kind: Kind, meter: Meter, sent: int, events: Counter[str], event: str, part: Part
) -> Cost:
    """Return the cost of messages, each of which has to have given an event of this name.

    Raises:
        MissingEventsError: it has not.
    """
    found = events[event]
    if found != sent:
        raise MissingEventsError(
            f"{kind.name}: {sent:,} messages gave {found:,} events {event}. {part.problem}"
        )
    return Cost(meter.cpu, sent, events.total())
