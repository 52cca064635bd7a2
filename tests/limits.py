"""How long tests wait: one unit for every limit, scaled by ``TEST_TIME_FACTOR``.

A limit ends a test that hangs; no test passes or fails by the time that it takes. So limits are
generous, and a machine that is slower still sets the factor instead of changing tests.
"""

import os

FACTOR = float(os.environ.get("TEST_TIME_FACTOR") or "1")
"""How many times longer every test waits than on a developer's machine."""


def limit(seconds: float) -> float:
    """Return a limit in seconds, scaled for this machine."""
    return seconds * FACTOR


LIMIT_SECONDS = limit(60)
"""How long a test waits for one event that must happen."""

TEST_SECONDS = limit(300)
"""How long one test may run in all: longer than the waits in it, which fail with better words."""
