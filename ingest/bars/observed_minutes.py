"""Which minutes of a symbol are known in full: by the stream of bars, or by REST's answers.

A larger bar is shown only if all its minutes are known: a hole in it would be a wrong price, and a
minute without a bar is ordinary, so a hole cannot be seen in the bars themselves.
"""

from typing import NamedTuple

from ingest.bars.timeframes import FINAL_AFTER_NS, MINUTE_NS, minute_of, next_minute


class _Hole(NamedTuple):
    begin_ns: int
    end_ns: int


class ObservedMinutes:
    """Times are unix nanoseconds; spans are half-open and bounded by minutes."""

    __slots__ = ("_asked", "_complete_from_ns", "_given_up", "_holes", "_lost_from_ns", "_required")

    def __init__(self) -> None:
        self._complete_from_ns: int | None = None
        """The first minute that is known, but for the holes."""
        self._required: int | None = None
        """The first minute that is required, until the stream is there."""
        self._lost_from_ns: int | None = None
        """The first minute that is unknown since the stream was lost."""
        self._holes: list[_Hole] = []
        self._asked: list[_Hole] = []
        self._given_up: list[_Hole] = []

    def begin(self, now_ns: int) -> None:
        """Note that the stream brings bars from now on: the running minute's is the first."""
        first = minute_of(now_ns)
        if self._lost_from_ns is not None:
            self._open(self._lost_from_ns, first)
            self._lost_from_ns = None
        elif self._complete_from_ns is None:
            self._complete_from_ns = first
            if self._required is not None:
                self.require(self._required)

    def lose(self, now_ns: int) -> None:
        """Note that the stream was lost: minutes that might have been revised are unknown too."""
        if self._complete_from_ns is None or self._lost_from_ns is not None:
            return
        self._lost_from_ns = max(_unsure_from(now_ns), self._complete_from_ns)

    def require(self, from_ns: int) -> None:
        """Require the minutes from a moment on."""
        from_ns = minute_of(from_ns)
        if self._complete_from_ns is None:
            self._required = from_ns if self._required is None else min(self._required, from_ns)
        elif from_ns < self._complete_from_ns:
            self._open(from_ns, self._complete_from_ns)
            self._complete_from_ns = from_ns

    def miss(self, since_ns: int, now_ns: int) -> None:
        """Require again what the stream may have lost since a moment although it lives.

        That is nothing if it does not bring bars, and more since the loss if it is lost.
        """
        if self._complete_from_ns is None:
            return
        unsure_from = max(_unsure_from(since_ns), self._complete_from_ns)
        if self._lost_from_ns is None:
            self._open(unsure_from, minute_of(now_ns))
        else:
            self._lost_from_ns = min(self._lost_from_ns, unsure_from)

    def take_holes(self) -> list[tuple[int, int]]:
        """Return the spans that REST has to be asked for and has not been."""
        new = [hole for hole in self._holes if hole not in self._asked]
        self._asked = list(self._holes)
        return [(hole.begin_ns, hole.end_ns) for hole in new]

    def close(self, begin_ns: int, end_ns: int, *, given_up: bool = False) -> None:
        """Note that a span is known now, or that it never will be."""
        self._holes = [part for hole in self._holes for part in _rest_of(hole, begin_ns, end_ns)]
        self._asked = [hole for hole in self._asked if hole in self._holes]
        self._given_up = [
            part for each in self._given_up for part in _rest_of(each, begin_ns, end_ns)
        ]
        if given_up:
            self._given_up.append(_Hole(begin_ns, end_ns))

    def is_known(self, begin_ns: int, end_ns: int) -> bool:
        """Return whether all minutes of a span are known or given up."""
        first, lost = self._complete_from_ns, self._lost_from_ns
        return (
            first is not None
            and first <= begin_ns
            and (lost is None or end_ns <= lost)
            and not _overlaps(self._holes, begin_ns, end_ns)
        )

    def is_given_up(self, begin_ns: int, end_ns: int) -> bool:
        """Return whether a minute of a span will never be known."""
        return _overlaps(self._given_up, begin_ns, end_ns)

    def is_awaited(self, start_ns: int) -> bool:
        """Return whether REST is to be asked for a minute, or the stream to come back for it."""
        end_ns, lost = start_ns + MINUTE_NS, self._lost_from_ns
        return (lost is not None and lost < end_ns) or _overlaps(self._holes, start_ns, end_ns)

    def forget_before(self, start_ns: int) -> None:
        """Forget the minutes that start before a moment; they are required no longer."""
        if self._complete_from_ns is not None:
            self._complete_from_ns = max(self._complete_from_ns, start_ns)
        if self._lost_from_ns is not None:
            self._lost_from_ns = max(self._lost_from_ns, start_ns)
        self._holes = [part for each in self._holes for part in _rest_of(each, -1, start_ns)]
        self._given_up = [part for each in self._given_up for part in _rest_of(each, -1, start_ns)]

    def _open(self, begin_ns: int, end_ns: int) -> None:
        if begin_ns < end_ns:
            # What is open already was asked for, or will be.
            parts = [_Hole(begin_ns, end_ns)]
            for hole in self._holes:
                parts = [each for part in parts for each in _rest_of(part, *hole)]
            self._holes += parts


def _unsure_from(lost_ns: int) -> int:
    """Return the first minute that might have been revised after a loss."""
    return next_minute(lost_ns - FINAL_AFTER_NS - MINUTE_NS + 1)


def _rest_of(hole: _Hole, begin_ns: int, end_ns: int) -> list[_Hole]:
    """Return the parts of a hole outside a span."""
    parts = (
        _Hole(hole.begin_ns, min(hole.end_ns, begin_ns)),
        _Hole(max(hole.begin_ns, end_ns), hole.end_ns),
    )
    return [part for part in parts if part.begin_ns < part.end_ns]


def _overlaps(holes: list[_Hole], begin_ns: int, end_ns: int) -> bool:
    return any(hole.begin_ns < end_ns and begin_ns < hole.end_ns for hole in holes)
