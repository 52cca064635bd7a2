"""The writing end of a stream, as the fan-out sees it."""

from typing import Protocol

STALL_BYTES = 64 * 1024
"""A client with more bytes than this waiting in the process does not read; see ``Stalled``."""


class Sink(Protocol):
    """The writing end of one stream. Nothing here waits."""

    def write(self, data: bytes, packet: bytes) -> None:
        """Send whole events, or queue them if the peer does not read.

        ``packet`` is ``data`` as the encoder packs it for a connection that adds nothing. It is
        made once for all clients that are sent the same.
        """

    def buffered(self) -> int:
        """Return the number of bytes that wait in this process for a slow peer."""

    def close(self) -> None:
        """Complete the response, after the buffered bytes."""

    def abort(self) -> None:
        """Cut the connection and drop the buffered bytes."""
