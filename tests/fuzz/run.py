"""Many inputs for one target, and the figures of the run."""

import random
import resource
import time
from typing import NamedTuple

from tests.fuzz.targets import TARGETS

INPUTS_PER_TARGET = 500
"""After this number a target is made again: its memory must not hide that of an input."""


class Figures(NamedTuple):
    """The figures of a run; ``grown_mib`` is the growth of the largest resident memory."""

    inputs: int
    seconds: float
    slowest_ms: float
    largest: int
    grown_mib: float

    def __str__(self) -> str:
        return (
            f"{self.inputs:,} inputs in {self.seconds:.0f} s, the slowest {self.slowest_ms:.0f} ms"
            f", the largest {self.largest:,} bytes, memory grew by {self.grown_mib:.0f} MiB"
        )


def fuzz(name: str, inputs: int, seed: int) -> Figures:
    """Give a target some inputs; the same seed makes the same ones.

    Raises:
        AssertionError: an error escaped, or a good message did not count.
    """
    # No secret is drawn; the same inputs must come again.
    rng = random.Random(f"{name} {seed}")  # noqa: S311
    started, memory = time.perf_counter(), _memory_mib()
    slowest, largest = 0.0, 0
    target = TARGETS[name]()
    for index in range(inputs):
        if index % INPUTS_PER_TARGET == 0:
            target = TARGETS[name]()
        before = time.perf_counter()
        try:
            given = target.run(rng)
        except Exception as error:
            error.add_note(f"input {index} of {name}, seed {seed}")
            raise
        slowest = max(slowest, time.perf_counter() - before)
        largest = max(largest, len(given))
    seconds = time.perf_counter() - started
    return Figures(inputs, seconds, slowest * 1000, largest, _memory_mib() - memory)


def _memory_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
