"""A clock that stands still until a test sets it, for several processes at once.

A minute of bars lasts a minute, and its bars are final half a minute later. A test that sets the
clock of the simulator and of the ingest decides itself in which second of which minute something
happens, however busy the machine is.

``python -m tests.set_clock FILE PROGRAM`` runs a program by it. Only the wall clock is set:
monotonic time, by which programs wait and measure, goes on, and so does Redis' own clock.
"""

import mmap
import runpy
import struct
import sys
import time
from pathlib import Path

_NANOSECONDS = struct.Struct("q")
"""In the machine's own order, which is copied as one word: no reader sees half of it."""


class SetClock:
    """Returns unix nanoseconds when called; all processes that map the same file agree."""

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), _NANOSECONDS.size)

    @classmethod
    def create(cls, path: Path, now_ns: int) -> "SetClock":
        """Return a new clock in a file."""
        path.write_bytes(_NANOSECONDS.pack(now_ns))
        return cls(path)

    def __call__(self) -> int:
        found: int = _NANOSECONDS.unpack_from(self._shared)[0]
        return found

    def set(self, now_ns: int) -> None:
        """Set the time, which must not decrease."""
        assert now_ns >= self()
        _NANOSECONDS.pack_into(self._shared, 0, now_ns)


def main() -> None:
    """Run a program by a clock: before its modules are imported, as they keep the functions."""
    _, path, program, *arguments = sys.argv
    clock = SetClock(Path(path))
    time.__dict__["time_ns"] = clock
    time.__dict__["time"] = lambda: clock() / 1e9
    sys.argv = [program, *arguments]
    runpy.run_module(program, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
