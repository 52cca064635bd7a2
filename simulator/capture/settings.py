"""The settings of a replayed capture."""

from dataclasses import dataclass
from pathlib import Path

from simulator.tape.shift import SHIFTS, Shift


@dataclass(frozen=True)
class CaptureSettings:
    """The file, and the times with which it is replayed.

    `shift` "none" sends each frame byte for byte. "minutes" and "days" move its times to now, see
    `simulator/capture/restamp.py`. `patience_seconds` is how long the replay waits for a
    connection or a request that the recording client made.
    """

    path: Path
    shift: Shift = "none"
    patience_seconds: float = 5.0

    def __post_init__(self) -> None:
        if self.shift not in SHIFTS:
            raise ValueError(f"shift is {self.shift!r}, expected one of {', '.join(SHIFTS)}")
        if not 0 <= self.patience_seconds < float("inf"):
            raise ValueError(f"patience is {self.patience_seconds}, expected 0 seconds or more")
