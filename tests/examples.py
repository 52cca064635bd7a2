"""How many examples Hypothesis tries: few in a developer's loop, more in CI, never by the clock.

``--hypothesis-profile=thorough`` asks for CI's number anywhere.
"""

import math
import os
from typing import Any

from hypothesis import settings

QUICK, THOROUGH = "quick", "thorough"

# A deadline would make every property a test of how busy the machine is.
settings.register_profile(QUICK, max_examples=25, deadline=None)
settings.register_profile(THOROUGH, max_examples=100, deadline=None, print_blob=True)


def load_profile() -> None:
    """Use the thorough profile in CI, else the quick one."""
    settings.load_profile(THOROUGH if os.environ.get("CI") == "true" else QUICK)


def examples(*, times: float = 1, **further: Any) -> settings:
    """Return settings for so many times the profile's number of examples."""
    # Read at the import of a test module: by then the command line has chosen the profile.
    return settings(max_examples=math.ceil(settings().max_examples * times), **further)
