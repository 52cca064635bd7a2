"""The trades that REST shows before the stream brings them.

REST is mostly ahead of the stream. The stream's trades are published one after the other, so REST's
newer ones wait for it, unless the stream has missed them.
"""

PASSED_NS = 3_000_000_000
"""The stream has missed a trade if it has brought one, of any symbol, that is newer by this."""

LOOKS = 5
"""The looks, a second apart, after which a trade that REST shows is missed as well. Looks and not
seconds: while this process is stopped, the stream waits with it."""


class RestLead:
    """Whether one symbol's stream is still to bring the trades that REST shows.

    Times are unix ns, -1 for none. ``last_ns`` is the time of the last price, ``known_ns`` that of
    the newest known trade of any kind. ``unstreamed_ns`` is the time of the newest last price that
    REST or Redis brought, and not the stream as it is now connected and subscribed.
    """

    __slots__ = ("_awaited_ns", "_looks", "unstreamed_ns")

    def __init__(self) -> None:
        self.unstreamed_ns = -1
        self._awaited_ns = -1
        """The time of a trade that REST shows and the stream has yet to bring."""
        self._looks = 0

    def will_stream(self, at_ns: int, last_ns: int, newest_streamed_ns: int) -> bool:
        """Return whether the stream will bring a trade of this time that REST shows.

        If REST's trade were applied at once, those on their way would be late, and no client would
        see them. ``newest_streamed_ns`` is the time of the stream's newest trade of any symbol.
        """
        return (
            # The stream has brought the last price, so it brings this symbol.
            last_ns > self.unstreamed_ns
            # An older trade is not on its way any more: the stream has brought a newer one.
            and at_ns >= last_ns
            and newest_streamed_ns - at_ns < PASSED_NS
        )

    def expect(self, at_ns: int, known_ns: int) -> None:
        """Expect a trade of this time from the stream, unless an earlier one is still expected."""
        if self._awaited_ns <= known_ns:
            self._awaited_ns, self._looks = at_ns, 0

    def awaits(self, known_ns: int) -> bool:
        """Return whether a trade that REST shows is still to come by the stream."""
        return self._awaited_ns > known_ns

    def count_look(self, last_ns: int, known_ns: int) -> bool:
        """Count a look; return whether an awaited trade has not come for several.

        Then REST's trades count at once again, and REST is to be asked.
        """
        if not self.awaits(known_ns):
            return False
        self._looks += 1
        if self._looks <= LOOKS:
            return False
        self._awaited_ns, self.unstreamed_ns = -1, last_ns
        return True
