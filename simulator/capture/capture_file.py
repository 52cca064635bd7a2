"""Reading a capture: JSON lines, plain or in members of gzip, up to the last whole line.

The format is described in `docs/simulator.md`. A crash may have torn the end of the file.
"""

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

FORMAT: Final = "tapecast-capture"
VERSION: Final = 1

_GZIP_MAGIC: Final = b"\x1f\x8b"
_GZIP: Final = 31
_PIECE_BYTES: Final = 1 << 18


class CaptureError(ValueError):
    """The capture cannot be replayed; the text names the file, the line and the problem."""


class Frame(NamedTuple):
    """One WebSocket message, and whether it is text."""

    payload: bytes
    is_text: bool


class Record(msgspec.Struct, frozen=True, gc=False):
    """One line. Its `kind` decides which fields it has; times are in nanoseconds.

    `at` is Unix time, `monotonic` that of the recording machine.
    """

    kind: str
    at: int
    monotonic: int
    format: str | None = None
    version: int | None = None
    feed: str | None = None
    stream: str = ""
    connection: int = 0
    method: str = "GET"
    path: str = ""
    status: int | None = None
    duration: int = 0
    by: str | None = None
    code: int = 1006
    reason: str = ""
    text: str | None = None
    base64: bytes | None = None

    @property
    def frame(self) -> Frame:
        """Its frame, or the body of its response."""
        if self.text is not None:
            return Frame(self.text.encode(), is_text=True)
        return Frame(self.base64 or b"", is_text=False)


_decode = msgspec.json.Decoder(Record).decode


class CaptureFile:
    """The records of a file, in order; may be read several times.

    `is_torn`: the last reading has found an end that is not whole. Records of unknown kinds are
    among the others.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_torn = False

    def records(self) -> Iterator[Record]:
        """Yield the records, the header first.

        Raises:
            CaptureError: the file is missing, no capture, of another version, or damaged before
                its end.
        """
        self.is_torn = False
        number, damage = 0, None
        for number, line in enumerate(self._lines(), start=1):
            # Only the last line may be torn.
            if damage is not None:
                raise CaptureError(f"{self.path}, line {number - 1}: {damage}")
            try:
                record = _decode(line)
            except msgspec.DecodeError as error:
                damage = str(error)
                continue
            if number == 1:
                self._check(record)
            yield record
        if number == 0 or (number == 1 and damage is not None):
            raise CaptureError(f"{self.path}: no capture of `python -m ingest --record`")
        self.is_torn = self.is_torn or damage is not None

    def _check(self, header: Record) -> None:
        if header.kind != "capture" or header.format != FORMAT:
            raise CaptureError(f"{self.path}: no capture of `python -m ingest --record`")
        if header.version != VERSION:
            raise CaptureError(
                f"{self.path}: version {header.version}, expected {VERSION}: "
                "use the simulator of the version that has recorded it"
            )

    def _lines(self) -> Iterator[bytes]:
        rest = b""
        for piece in self._pieces():
            *lines, rest = (rest + piece).split(b"\n")
            yield from lines
        if rest:
            self.is_torn = True

    def _pieces(self) -> Iterator[bytes]:
        try:
            with self.path.open("rb") as file:
                first = file.read(_PIECE_BYTES)
                if not first.startswith(_GZIP_MAGIC):
                    yield first
                    while piece := file.read(_PIECE_BYTES):
                        yield piece
                    return
                member = zlib.decompressobj(_GZIP)
                piece = first
                while piece:
                    yield member.decompress(piece)
                    # Each block is a member.
                    piece = member.unused_data or file.read(_PIECE_BYTES)
                    if member.eof and piece:
                        member = zlib.decompressobj(_GZIP)
                self.is_torn = not member.eof
        except zlib.error:
            # Behind a torn member, the start of the next one cannot be found.
            self.is_torn = True
        except OSError as error:
            raise CaptureError(f"{self.path}: {error.strerror or error}") from error
