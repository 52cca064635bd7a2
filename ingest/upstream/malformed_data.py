"""Data of one source that could not be read or applied: counted, logged, and shown as an alarm."""

import time
from collections.abc import Callable

import structlog

from ingest.alpaca.tolerant import bounded

log = structlog.get_logger()

SERIES_SECONDS = 300.0
"""After a pause of this length, the next problem is the first one of another series."""


class MalformedData:
    """The problems of a stream, or of REST: ``count`` since the start, ``first`` of this series.

    A whole series is mostly one problem: Alpaca has changed a form. ``first`` is a bounded text.
    """

    def __init__(self, source: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.source = source
        self.count = 0
        self.escaped: str | None = None
        """The newest problem that no rule expects."""
        self.first: str | None = None
        self._monotonic = monotonic
        self._last_at = self._last_escaped_at = -SERIES_SECONDS

    def note(self, kind: str, problem: object, content: object = None) -> None:
        """Count data of another form; ``kind`` names its type, ``content`` is shown in the log."""
        text = bounded(f"{kind}: {problem}" if kind else problem)
        fields = {"source": self.source, "problem": text, "content": bounded(repr(content))}
        # A line for each of a million messages would fill the disk, and repeat the first one.
        if self._count(text):
            log.warning(
                "data_malformed",
                message="data of Alpaca has another form; it is left out",
                **fields,
            )
        else:
            log.debug("data_malformed", **fields)

    def note_escaped(self, kind: str, error: Exception) -> None:
        """Count data whose application failed with an error that no rule expects."""
        text = bounded(f"{kind}: {error!r}")
        self.escaped = text
        self._count(text)
        now = self._monotonic()
        is_first = now - self._last_escaped_at >= SERIES_SECONDS
        self._last_escaped_at = now
        # The traceback names the place. One of each series is enough to find the fault, but none of
        # the series of other problems, which may last for days.
        if is_first:
            log.error(
                "data_failed",
                message="data of Alpaca could not be applied; it is left out, please report this",
                source=self.source,
                problem=text,
                exc_info=error,
            )
        else:
            log.debug("data_failed", source=self.source, problem=text)

    def _count(self, text: str) -> bool:
        """Count a problem; return whether it is the first one of a series."""
        now = self._monotonic()
        is_first = now - self._last_at >= SERIES_SECONDS
        self._last_at = now
        self.count += 1
        if is_first:
            self.first = text
        return is_first
