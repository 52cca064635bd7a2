"""The number of events that have arrived, counted in the chunks as they are read. Pure."""

_END = b"\n\n"
_LINE_FEED = 10


class EventCount:
    """Counts the blank lines that end events, on connections numbered below ``connections``.

    The JSON of an event is one line and HTTP's own lines end with CR LF. So two consecutive line
    feeds always mean the end of an event, and there are no three. The two may arrive in two reads.
    """

    def __init__(self, connections: int) -> None:
        self._ended_in_line_feed = bytearray(connections)

    def take(self, connection: int, buffer: bytearray, size: int) -> int:
        """Return the number of events that end in the first ``size`` (at least 1) bytes."""
        ends = buffer.count(_END, 0, size)
        if self._ended_in_line_feed[connection] and buffer[0] == _LINE_FEED:
            ends += 1
        self._ended_in_line_feed[connection] = buffer[size - 1] == _LINE_FEED
        return ends
