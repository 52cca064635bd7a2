"""What a connection reports to the recorder."""

from typing import Protocol

Frame = bytes | str


class Tap(Protocol):
    """Notes what happens on the connections of one stream, of which it knows one at a time."""

    def refused(self, endpoint: str, status: int | None, reason: str) -> None:
        """Note an attempt that gave no connection; ``status`` is HTTP's, if there was an answer."""

    def connected(self, endpoint: str) -> None:
        """Note a new connection."""

    def received(self, frame: Frame) -> None:
        """Note a frame of Alpaca's."""

    def sent(self, frame: Frame) -> None:
        """Note a frame of the ingest's."""

    def lost(self, code: int, reason: str) -> None:
        """Note that the connection has ended, with the code of Alpaca's close, or 1006."""

    def closed(self) -> None:
        """Note that the ingest closes the connection, unless it has ended."""


class NoTap:
    """A tap that notes nothing."""

    def refused(self, endpoint: str, status: int | None, reason: str) -> None:
        """Note nothing."""

    def connected(self, endpoint: str) -> None:
        """Note nothing."""

    def received(self, frame: Frame) -> None:
        """Note nothing."""

    def sent(self, frame: Frame) -> None:
        """Note nothing."""

    def lost(self, code: int, reason: str) -> None:
        """Note nothing."""

    def closed(self) -> None:
        """Note nothing."""


NO_TAP = NoTap()
