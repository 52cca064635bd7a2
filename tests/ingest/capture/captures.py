"""A recorder on a file of a test, and its file read again."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ingest.capture.capture_file import CaptureFile
from ingest.capture.recorder import Recorder
from simulator import DEFAULT_KEY, DEFAULT_SECRET
from simulator.capture import capture_file
from simulator.capture.capture_file import Record
from tests.limits import LIMIT_SECONDS

KEYS = (DEFAULT_KEY, DEFAULT_SECRET)


@contextmanager
def recording(path: Path, keys: tuple[str, ...] = KEYS) -> Iterator[Recorder]:
    """Record to a new file until the block is left."""
    recorder = Recorder(CaptureFile.create(str(path)), keys, "iex")
    try:
        yield recorder
    finally:
        recorder.close(LIMIT_SECONDS)


def records(path: Path, *kinds: str) -> list[Record]:
    """Return the records of a capture, or those of some kinds."""
    found = capture_file.CaptureFile(path).records()
    return [each for each in found if not kinds or each.kind in kinds]


def frames(path: Path, kind: str = "received") -> list[bytes | str]:
    """Return the frames of a kind as they came."""
    found = [each.frame for each in records(path, kind)]
    return [each.payload.decode() if each.is_text else each.payload for each in found]
