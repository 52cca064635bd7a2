"""How far the stream's times are ahead of this machine's clock.

A print from the future has a wrong time, or this machine's clock is behind. One print cannot show
which: an exchange with a wrong clock is one of many, a clock that is behind shows in every print.
"""

from collections import deque

AHEAD_NS = 5_000_000_000
"""A print whose time is ahead by more is doubtful: it would make all later prints late for as long
as it is ahead. Exchanges' clocks are right to milliseconds. A host's clock that is not synchronised
drifts by seconds."""

AGREEING_PRINTS = 3
"""The prints in a row that show that this machine's clock is behind."""


class ClockLead:
    """The lead of the stream's newest prints; times and spans in nanoseconds."""

    __slots__ = ("_lead_ns", "_leads", "_newest_ns")

    def __init__(self) -> None:
        self._lead_ns = 0
        self._leads: deque[int] = deque(maxlen=AGREEING_PRINTS)
        self._newest_ns = -1
        """The stream's newest credible print, as of the last print that was ahead."""

    def of(self, newest_streamed_ns: int) -> int:
        """Return the lead; 0 if a print has come meanwhile that was not ahead."""
        return self._lead_ns if newest_streamed_ns == self._newest_ns else 0

    def add(self, lead_ns: int, newest_streamed_ns: int) -> None:
        """Add the lead of a print that is ahead. ``newest_streamed_ns`` is the credible one."""
        if newest_streamed_ns != self._newest_ns:
            # A print that was not ahead came between: this machine's clock is right.
            self._leads.clear()
            self._lead_ns, self._newest_ns = 0, newest_streamed_ns
        self._leads.append(lead_ns)
        # The clock is behind by what all of them show. REST's trades are older than the stream's.
        self._lead_ns = min(self._leads) if len(self._leads) == AGREEING_PRINTS else 0

    def confirm(self, at_ns: int) -> None:
        """Note that a credible print is ahead of the clock too."""
        self._newest_ns = at_ns
