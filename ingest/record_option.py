"""``--record FILE``: the option of a program, and the recorder for as long as the program runs."""

import argparse
import asyncio
from types import TracebackType
from typing import Self

from ingest.capture.capture_file import CaptureFile
from ingest.capture.recorder import Recorder
from ingest.settings import AlpacaAccess


def add_record(parser: argparse.ArgumentParser) -> None:
    """Add the option to the command line of a program."""
    parser.add_argument(
        "--record",
        metavar="FILE",
        help="write everything that Alpaca sends to a new file, compressed if its name ends in "
        ".gz; %%Y%%m%%d-%%H%%M%%S in the name becomes the time of the start in UTC",
    )


class Recording:
    """The recorder of a process, which ends it with ``async with``; without a file there is none.

    Raises:
        CaptureError: the file cannot be written.
    """

    def __init__(self, file: str | None, access: AlpacaAccess) -> None:
        self.recorder: Recorder | None = None
        if file is not None:
            keys = (access.key, access.secret)
            self.recorder = Recorder(CaptureFile.create(file), keys, access.feed)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.recorder is not None:
            # It waits for the disk.
            await asyncio.to_thread(self.recorder.close)
