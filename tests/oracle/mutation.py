"""A recorded day made worse, from a seed: what feeds, exchanges and networks do to prints.

Late prints, duplicates, cancels (repeated, unknown, ahead of their print), corrections of price,
size and conditions, busts of several prints, unknown conditions, ids that several reporting
facilities use at once, and a second day whose ids start again.
"""

import random
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from tests.oracle.rules import SECOND
from tests.oracle.truth import Message

_DAY = 24 * 3600 * SECOND
_MILLISECOND = SECOND // 1000
_UNKNOWN_ID = 9_000_000_000
_BUST = 8
_FACILITIES_APART = 40


class Arrival(NamedTuple):
    """A message and the time (unix ns) at which it comes; ``order`` decides between equal times."""

    at: int
    order: int
    message: Message


class Mutated(NamedTuple):
    """The messages in the order of their arrival, and how many of each fault there are."""

    arrivals: list[Arrival]
    faults: Counter[str]


def plain(messages: Sequence[Message]) -> Mutated:
    """Return the messages as they were recorded, each 20 ms after the newest time so far."""
    arrivals, newest = [], 0
    for order, message in enumerate(messages):
        newest = max(newest, message["t"])
        arrivals.append(Arrival(newest + 20 * _MILLISECOND, order, message))
    return Mutated(arrivals, Counter())


def mutated(messages: Sequence[Message], seed: int) -> Mutated:
    """Return two days: the recorded one and the same a day later, both with faults."""
    dice = random.Random(seed)  # noqa: S311 - a test must be able to repeat it
    faults: Counter[str] = Counter()
    later = [{**message, "t": message["t"] + _DAY} for message in messages]
    drawn: list[tuple[int, Message]] = []
    for day in (messages, later):
        _Day(dice, faults, drawn).add(day)
    arrivals = [Arrival(at, order, message) for order, (at, message) in enumerate(drawn)]
    return Mutated(sorted(arrivals), faults)


class _Day:
    def __init__(
        self, dice: random.Random, faults: Counter[str], drawn: list[tuple[int, Message]]
    ) -> None:
        self._dice = dice
        self._faults = faults
        self._drawn = drawn
        self._facilities: dict[tuple[str, int], int] = {}
        self._used: set[tuple[str, int, int]] = set()
        self._values: Counter[tuple[object, ...]] = Counter()
        self._recent: dict[str, list[tuple[int, Message]]] = {}

    def add(self, messages: Sequence[Message]) -> None:
        newest = 0
        for message in messages:
            newest = max(newest, message["t"])
            came = newest + 20 * _MILLISECOND
            if message["T"] != "t":
                self._drawn.append((came, message))
                continue
            self._trade(self._renumbered(message), came)

    def _renumbered(self, message: Message) -> Message:
        """Return a print with the id that its facility gives it.

        FINRA's ``D`` stands for three facilities, each of which counts for itself. The recorded
        Alpaca stream of 2021-08-23 shows that their ids collide.
        """
        if message["x"] != "D":
            return message
        facility = self._dice.randrange(3)
        number = self._facilities.get((message["S"], facility), facility * _FACILITIES_APART) + 1
        # Recordings have times in ms: two prints of one id must not share one.
        while (message["S"], number, message["t"]) in self._used:
            number += 1
        self._used.add((message["S"], number, message["t"]))
        self._facilities[message["S"], facility] = number
        self._faults["facility"] += 1
        return {**message, "i": number}

    def _trade(self, message: Message, came: int) -> None:
        dice, chance = self._dice, self._dice.random()
        if chance < 0.05:
            came += self._note("late", dice.randrange(200 * _MILLISECOND))
        elif chance < 0.06:
            came += self._note("very late", dice.randrange(SECOND, 9 * SECOND))
        if dice.random() < 0.005:
            self._note("unknown condition")
            message = {**message, "c": [*message["c"], "?"]}
        elif dice.random() < 0.02:
            self._note("odd lot")
            message = {**message, "c": [*message["c"], "I"], "s": 10}
        self._drawn.append((came, message))
        self._values[_values(message)] += 1
        if dice.random() < 0.01:
            self._drawn.append((came + self._note("duplicate", 0), message))
        if dice.random() < 0.005:
            pause = dice.randrange(SECOND // 10, 5 * SECOND)
            self._drawn.append((came + self._note("later duplicate", pause), message))
        if self._retract(message, came):
            return
        recent = self._recent.setdefault(message["S"], [])
        recent.append((came, message))
        if len(recent) == 400:
            self._bust([each for _, each in recent[-_BUST:]], max(at for at, _ in recent) + 1)
            recent.clear()

    def _retract(self, message: Message, came: int) -> bool:
        """Cancel or correct a print, perhaps; return whether it did."""
        dice, chance = self._dice, self._dice.random()
        after = dice.choice((_MILLISECOND, SECOND // 5, 20 * SECOND))
        at = came + dice.randrange(1, after)
        if chance < 0.02:
            self._drawn.append((at + self._note("cancel", 0), _cancel(message, at)))
            if dice.random() < 0.2:
                self._drawn.append((at + self._note("second cancel", 1), _cancel(message, at)))
        elif chance < 0.022 and not self._is_ambiguous(message):
            early = came - self._note("early cancel", dice.randrange(1, SECOND // 10))
            self._drawn.append((early, _cancel(message, early)))
        elif chance < 0.042:
            self._correct(message, at)
        else:
            if chance < 0.047:
                self._note("unknown cancel")
                self._drawn.append((at, _cancel({**message, "i": _UNKNOWN_ID}, at)))
            return False
        return True

    def _is_ambiguous(self, message: Message) -> bool:
        """Return whether an early cancel of a print could mean an earlier print as well."""
        return self._values[_values(message)] > 1

    def _correct(self, message: Message, at: int) -> None:
        dice = self._dice
        new: dict[str, Any] = {"i": message["i"], "p": message["p"], "s": message["s"]}
        new["c"] = list(message["c"])
        kind = dice.choice(("price", "size", "to odd lot", "to round lot"))
        if kind == "price":
            new["p"] = round(message["p"] * dice.uniform(0.99, 1.01), 2)
        elif kind == "size":
            new["s"] = message["s"] + 7
        elif kind == "to odd lot":
            new["c"] = [*message["c"], "I"]
        else:
            new["c"] = [code for code in message["c"] if code != "I"]
            new["s"] = message["s"] + 100
        if dice.random() < 0.5:
            new["i"] = _UNKNOWN_ID + self._faults.total()
        self._note(f"correction of {kind}")
        self._drawn.append((at, _correction(message, new, at)))
        corrected = {**message, **new}
        if dice.random() < 0.2:
            self._note("cancel of a correction")
            self._drawn.append((at + SECOND, _cancel(corrected, at + SECOND)))

    def _bust(self, prints: list[Message], at: int) -> None:
        """Cancel the newest prints, newest or oldest first."""
        order = prints if self._dice.random() < 0.5 else list(reversed(prints))
        for step, message in enumerate(order):
            self._note("bust")
            self._drawn.append((at + step, _cancel(message, at + step)))

    def _note(self, fault: str, nanoseconds: int = 0) -> int:
        self._faults[fault] += 1
        return nanoseconds


def _values(message: Message) -> tuple[object, ...]:
    """Return the values by which a cancel names a print."""
    return tuple(message[key] for key in ("S", "x", "i", "p", "s"))


def _cancel(message: Message, at: int) -> Message:
    named = {key: message[key] for key in ("S", "i", "x", "p", "s", "z")}
    return {"T": "x", **named, "a": "C", "t": at}


def _correction(message: Message, new: Message, at: int) -> Message:
    original = {"oi": message["i"], "op": message["p"], "os": message["s"], "oc": message["c"]}
    corrected = {"ci": new["i"], "cp": new["p"], "cs": new["s"], "cc": new["c"]}
    place = {key: message[key] for key in ("S", "x", "z")}
    return {"T": "c", **place, **original, **corrected, "t": at}
