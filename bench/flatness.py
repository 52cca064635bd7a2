"""Whether a figure that was sampled at equal intervals has stopped growing."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

ENOUGH_SAMPLES = 8
"""Fewer do not make quarters that can be compared."""


@dataclass(frozen=True)
class Allowance:
    """How much a figure may grow in the second half: so much, or such a share of it."""

    absolute: float
    share: float

    def of(self, value: float) -> float:
        """Return the growth that is allowed at a value."""
        return max(self.absolute, self.share * value)


def growth(samples: Sequence[float]) -> float:
    """Return by how much a figure grew over the second half of its samples.

    Quarters are compared by their medians, since clients come and go, and the distance of two
    quarters is half of that half.
    """
    quarter = len(samples) // 4
    third, last = samples[-2 * quarter : -quarter], samples[-quarter:]
    return 2 * (median(last) - median(third))


def is_flat(samples: Sequence[float], allowed: Allowance) -> bool:
    """Return whether a figure grew over its second half by no more than is allowed."""
    return len(samples) >= ENOUGH_SAMPLES and growth(samples) <= allowed.of(samples[-1])
