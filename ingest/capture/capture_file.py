"""The file of a capture: only appended to, and whole up to its last block after a crash."""

import gzip
import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

COMPRESSED = ".gz"
LEVEL = 6

_OWNER_ONLY = 0o600
"""The file has the account's orders and positions."""


class CaptureError(Exception):
    """The file cannot be written; the message names it and the remedy."""


class CaptureFile:
    """Blocks of whole lines. A name that ends in ``.gz`` makes each block a member of gzip.

    Members can be joined, so the file is one gzip file at any time, and a member that a crash has
    torn costs only itself.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self._size = 0
        self._last_block = 0
        """Where the last block begins."""

    @classmethod
    def create(cls, name: str, started: datetime | None = None) -> Self:
        """Return a new file.

        Directives of strftime in ``name``, such as ``%Y%m%d``, are replaced by ``started``, by
        default now, in UTC.

        Raises:
            CaptureError: there is such a file already, or it cannot be created.
        """
        path = Path((started or datetime.now(UTC)).strftime(name))
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
            descriptor = os.open(path, flags, _OWNER_ONLY)
        except FileExistsError:
            raise CaptureError(
                f"{path} exists, and no capture is overwritten: name another file, or remove this "
                "one; a name with %Y%m%d-%H%M%S gets the time of the start"
            ) from None
        except OSError as error:
            reason = error.strerror or repr(error)
            remedy = "name a file in a folder that exists and that this user may write to"
            raise CaptureError(f"{path} cannot be created: {reason}; {remedy}") from error
        return cls(path, descriptor)

    def begin(self, header: bytes) -> None:
        """Write the header.

        Raises:
            CaptureError: it could not be written.
        """
        try:
            self.append(header)
        except OSError as error:
            reason = error.strerror or repr(error)
            raise CaptureError(
                f"{self.path} cannot be written: {reason}; make room, or name a file elsewhere"
            ) from error

    def append(self, lines: bytes) -> None:
        """Write a block.

        Raises:
            OSError: it could not be written; the file ends with the block before.
        """
        block = gzip.compress(lines, LEVEL) if self.path.suffix == COMPRESSED else lines
        try:
            left = memoryview(block)
            while left:
                left = left[os.write(self._descriptor, left) :]
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._descriptor, self._size)
            raise
        self._last_block, self._size = self._size, self._size + len(block)

    def close_with(self, line: bytes) -> bool:
        """Write a last line and close the file; return whether the block before is still there.

        On a full disk that block makes room for the line.
        """
        keeps_all = True
        try:
            self.append(line)
        except OSError:
            # The first block has the header.
            keeps_all = self._last_block == 0
            if not keeps_all:
                self._size = self._last_block
                with suppress(OSError):
                    os.ftruncate(self._descriptor, self._size)
                    self.append(line)
        finally:
            os.close(self._descriptor)
        return keeps_all
