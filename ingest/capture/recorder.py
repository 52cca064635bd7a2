"""The recorder: takes records from the event loop and from REST's threads, and writes them.

A thread encodes and writes twice a second, so that neither the disk nor the compression makes the
event loop wait. Nothing that happens here ends the ingest: if a record cannot be written, the
recording stops, and the ingest reports it.
"""

import threading
import time
from collections.abc import Callable, Iterable
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import structlog

from ingest.capture.capture_file import CaptureFile
from ingest.capture.masking import Mask
from ingest.capture.record import FORMAT, VERSION, Kind, Record, line_of
from ingest.capture.tap import Frame

log = structlog.get_logger()

WRITE_SECONDS = 0.5

WAITING_BYTES = 64 * 1024 * 1024
"""A disk that is slower than the market for long fills the memory up to here."""

BLOCK_RECORDS = 2000
YIELD_RECORDS = 100
"""The event loop gets the interpreter after so many records."""

CLOSE_SECONDS = 5.0

CLOSED_BY_US = 1000


class Recorder:
    """Writes to a new file. ``lost`` counts the records that it lacks because recording stopped.

    ``secrets`` are masked in everything. ``clock`` gives unix ns, ``monotonic`` ns.

    Raises:
        CaptureError: not even the header can be written.
    """

    def __init__(
        self,
        file: CaptureFile,
        secrets: Iterable[str],
        feed: str,
        *,
        clock: Callable[[], int] = time.time_ns,
        monotonic: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.lost = 0
        self.stopped: str | None = None
        """Why the recording has stopped, if it has."""
        self._file = file
        self._mask = Mask(secrets)
        self._clock = clock
        self._monotonic = monotonic
        self._numbers = count(1)
        self._lock = threading.Lock()
        self._waiting: list[Record] = []
        self._waiting_bytes = 0
        self._last_block = 0
        """The number of records in the last block."""
        self._ending = threading.Event()
        # At once: without its header it would be no capture, and a full disk is noticed here.
        header = Record(
            kind="capture",
            at=clock(),
            monotonic=monotonic(),
            format=FORMAT,
            version=VERSION,
            feed=feed,
        )
        file.begin(line_of(header))
        self._thread = threading.Thread(target=self._write, name="recorder", daemon=True)
        self._thread.start()

    @property
    def path(self) -> str:
        """The name of the file."""
        return str(self._file.path)

    def tap(self, stream: str) -> "StreamTap":
        """Return the tap of a new connection object of a stream."""
        return StreamTap(self, stream)

    def next_number(self) -> int:
        """Return the number of another connection."""
        with self._lock:
            return next(self._numbers)

    def exchange(self, method: str, path: str, status: int, body: bytes, duration: int) -> None:
        """Add a request to REST with its response; ``path`` includes the query.

        May be called from any thread.
        """
        fields: dict[str, Any] = {"method": method, "path": path, "status": status}
        self.add("rest", len(body), **fields, duration=duration, **_content(body, is_text=True))

    def add(self, kind: Kind, size: int, **fields: Any) -> None:
        """Add a record; ``size`` is that of its contents in bytes."""
        with self._lock:
            if self.stopped is not None:
                self.lost += 1
                return
            self._waiting_bytes += size
            # The times are taken within the lock: the order of the file is that of its times.
            self._waiting.append(
                Record(kind=kind, at=self._clock(), monotonic=self._monotonic(), **fields)
            )
            is_full = self._waiting_bytes > WAITING_BYTES
        if is_full:
            self._stop(f"the disk is too slow: {WAITING_BYTES >> 20} MiB waited to be written", 0)

    def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Write everything, and a mark that the capture ends here; give up after so long."""
        self._ending.set()
        self._thread.join(seconds)

    def _write(self) -> None:
        """Write the waiting records until the end; no other thread touches the file."""
        while not self._ending.wait(WRITE_SECONDS) and self.stopped is None:
            self._write_waiting()
        if self.stopped is None:
            self._write_waiting()
        reason = self.stopped or "the ingest has ended"
        at, monotonic = self._clock(), self._monotonic()
        mark = Record(kind="stop", at=at, monotonic=monotonic, reason=reason)
        if not self._file.close_with(line_of(mark)):
            with self._lock:
                self.lost += self._last_block

    def _write_waiting(self) -> None:
        with self._lock:
            waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
        for begin in range(0, len(waiting), BLOCK_RECORDS):
            block = waiting[begin : begin + BLOCK_RECORDS]
            try:
                self._file.append(b"".join(self._lines(block)))
            except OSError as error:
                self._stop(error.strerror or repr(error), len(waiting) - begin)
                return
            self._last_block = len(block)

    def _lines(self, records: Iterable[Record]) -> Iterable[bytes]:
        for number, record in enumerate(records):
            if number % YIELD_RECORDS == 0:
                time.sleep(0)
            yield line_of(self._mask.masked(record))

    def _stop(self, reason: str, unwritten: int) -> None:
        """Record nothing from now on; so many records of the writer's are lost."""
        with self._lock:
            if self.stopped is not None:
                return
            self.stopped = reason
            self.lost += unwritten + len(self._waiting)
            self._waiting, self._waiting_bytes = [], 0
        log.error(
            "recording_stopped",
            message="the capture ends here; the ingest continues",
            file=self.path,
            error=reason,
        )


class StreamTap:
    """The connections of one stream: each gets a number."""

    def __init__(self, recorder: Recorder, stream: str) -> None:
        self._recorder = recorder
        self._stream = stream
        self._number: int | None = None

    def refused(self, endpoint: str, status: int | None, reason: str) -> None:
        """Note an attempt that gave no connection; ``status`` is HTTP's, if there was an answer."""
        number = self._recorder.next_number()
        self._add("refused", number, path=_path(endpoint), status=status, reason=reason)

    def connected(self, endpoint: str) -> None:
        """Note a new connection."""
        self._number = self._recorder.next_number()
        self._add("connect", self._number, path=_path(endpoint))

    def received(self, frame: Frame) -> None:
        """Note a frame of Alpaca's."""
        self._add("received", self._number, len(frame), **_content(frame))

    def sent(self, frame: Frame) -> None:
        """Note a frame of the ingest's."""
        if self._number is not None:
            self._add("sent", self._number, len(frame), **_content(frame))

    def lost(self, code: int, reason: str) -> None:
        """Note that the connection has ended, with the code of Alpaca's close, or 1006."""
        self._end(by="alpaca", code=code, reason=reason)

    def closed(self) -> None:
        """Note that the ingest closes the connection, unless it has ended."""
        self._end(by="ingest", code=CLOSED_BY_US)

    def _end(self, **fields: Any) -> None:
        number, self._number = self._number, None
        if number is not None:
            self._add("end", number, **fields)

    def _add(self, kind: Kind, number: int | None, size: int = 0, **fields: Any) -> None:
        self._recorder.add(kind, size, stream=self._stream, connection=number, **fields)


def _content(content: Frame, *, is_text: bool = False) -> dict[str, Frame]:
    """Return the field of a frame; ``is_text``: bytes that are text are shown as text."""
    if isinstance(content, str):
        return {"text": content}
    if is_text:
        try:
            return {"text": content.decode()}
        except UnicodeDecodeError:
            pass
    return {"base64": content}


def _path(endpoint: str) -> str:
    return urlsplit(endpoint).path or "/"
