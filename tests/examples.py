"""How many examples Hypothesis tries: few in a developer's loop, more in CI, never by the clock.

CI draws the same examples of a commit each time, so that its result can be repeated. A developer's
runs draw others each time. ``--hypothesis-profile=thorough`` asks for CI's examples anywhere, and
``--hypothesis-profile=explore`` for many new ones.
"""

import math
import os
from typing import Any

from hypothesis import settings

QUICK, THOROUGH, EXPLORE = "quick", "thorough", "explore"

# A deadline would make every property a test of how busy the machine is.
# Each profile says how it draws: the default of Hypothesis depends on the environment's ``CI``.
for _name, _examples, _same in ((QUICK, 25, False), (THOROUGH, 100, True), (EXPLORE, 2000, False)):
    settings.register_profile(
        _name, max_examples=_examples, derandomize=_same, deadline=None, print_blob=not _same
    )


def load_profile() -> None:
    """Use the thorough profile in CI, else the quick one."""
    settings.load_profile(THOROUGH if os.environ.get("CI") == "true" else QUICK)


def examples(*, times: float = 1, **further: Any) -> settings:
    """Return settings for so many times the profile's number of examples."""
    # Read at the import of a test module: by then the command line has chosen the profile.
    return settings(max_examples=math.ceil(settings().max_examples * times), **further)
