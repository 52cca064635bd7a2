"""RFC-3339 timestamps with nanoseconds, which `datetime` cannot hold."""

import re
from datetime import datetime, timedelta

SECOND = 1_000_000_000
"""Nanoseconds in a second."""

_PATTERN = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d))", re.ASCII
)
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - everything here is UTC, printed with a Z
_ONE_SECOND = timedelta(seconds=1)


def parse(text: str) -> int:
    """Return the Unix time in nanoseconds.

    Raises:
        ValueError: the text is not an RFC-3339 time, or has more than nine fractional digits.
    """
    match = _PATTERN.fullmatch(text)
    if match is None:
        raise ValueError(f"not an RFC 3339 time: {text!r}")
    whole, fraction, sign, hours, minutes = match.groups()
    seconds = (datetime.fromisoformat(whole) - _EPOCH) // _ONE_SECOND
    if sign is not None:
        offset = int(hours) * 3600 + int(minutes) * 60
        seconds += offset if sign == "-" else -offset
    return seconds * SECOND + int((fraction or "").ljust(9, "0"))


def render(nanoseconds: int) -> str:
    """Format a Unix time in nanoseconds as Alpaca does: UTC, `Z`, no trailing zeros."""
    seconds, rest = divmod(nanoseconds, SECOND)
    whole = (_EPOCH + timedelta(seconds=seconds)).isoformat()
    return f"{whole}.{rest:09d}".rstrip("0") + "Z" if rest else f"{whole}Z"
