"""Contents of Redis that Tapecast did not write, or another version did: counted and left out."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec
import structlog

from shared.bus.errors import BusRejectedError

log = structlog.get_logger()

SERIES_SECONDS = 300.0
"""After a pause of this length, the next problem is the first one of another series."""

TEXT_LENGTH = 200

WRONG_TYPE = "WRONGTYPE"
"""The code of Redis' answer about a key of another type."""

PROBLEMS = (ValueError, msgspec.DecodeError, LookupError, TypeError, ArithmeticError)
"""A value that is no JSON or no text, a field that is absent, a row of another length, too large a
number."""


class MalformedStored:
    """Counts what could not be read; ``first`` is the first problem of this series.

    Whoever can write to Redis can store anything under any key. One such value must neither end a
    reader nor keep it from the values after it. ``monotonic`` gives seconds.
    """

    source = "redis"

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.count = 0
        self.first: str | None = None
        self._monotonic = monotonic
        self._last_at = -SERIES_SECONDS

    @contextmanager
    def skipping(self, where: str, *, is_private: bool = False) -> Iterator[None]:
        """Count contents that cannot be decoded or lack a field, and continue after the block.

        A key of another type counts likewise. ``where``: the key or channel. ``is_private``: the
        log and the alarm do not quote the contents.
        """
        try:
            yield
        except BusRejectedError as error:
            if error.code != WRONG_TYPE:
                raise
            self.note(where, error)
        except PROBLEMS as error:
            self.note(where, error, is_private=is_private)

    def note(self, where: str, problem: object, *, is_private: bool = False) -> None:
        """Count one problem; the first one of a series is logged as a warning."""
        now = self._monotonic()
        is_first = now - self._last_at >= SERIES_SECONDS
        self._last_at = now
        self.count += 1
        # The name of a missing field is all that a KeyError has.
        words = f"lacks {problem}" if isinstance(problem, KeyError) else str(problem)
        text = f"{where}: " + ("another form" if is_private else words[:TEXT_LENGTH])
        # A foreign entry is found at each reading. A line for each would fill the disk.
        if is_first:
            self.first = text
            message = f"Redis has contents that Tapecast cannot read; left out: {text}"
            log.warning("stored_malformed", message=message, where=where)
        else:
            log.debug("stored_malformed", message=text, where=where)
