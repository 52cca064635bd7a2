"""Times as text: RFC 3339 in UTC, with all digits of the source."""

import re
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import lru_cache
from operator import itemgetter

_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T([01]\d|2[0-3]):([0-5]\d):([0-5]\d|6[01])"
    r"(?:\.(\d{1,9}))?(?:(Z)|([+-])([01]\d|2[0-3]):([0-5]\d))",
    re.IGNORECASE | re.ASCII,
)

_FIRST_SECOND, _LAST_SECOND = -62_135_596_800, 253_402_300_799
"""The years 1 to 9999, which RFC 3339 can express."""

_SHOWN_CHARACTERS = 40
_EPOCH_DAY = date(1970, 1, 1).toordinal()

sortable: Callable[[str], str] = itemgetter(slice(None, -1))
"""Return a time in UTC as text that sorts: no ``Z``, since fractions have different lengths."""


# A chart's history has hundreds of whole seconds, and those of many symbols have the same.
@lru_cache(maxsize=4096)
def _whole(seconds: int) -> str:
    # The C library fails for other years in its own way, or writes them in a form of its own.
    if not _FIRST_SECOND <= seconds <= _LAST_SECOND:
        raise ValueError(f"{seconds} s is not a time of the years 1 to 9999")
    year, month, day, hour, minute, second, *_ = time.gmtime(seconds)
    # not strftime: it writes year 1, which stands for "no time" in Go, without its zeros
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"


def from_nanoseconds(unix_ns: int) -> str:
    """Return unix nanoseconds as text; trailing zeros are dropped, as Alpaca does.

    Raises:
        ValueError: the year has not four digits, or is 0.
    """
    seconds, nanoseconds = divmod(unix_ns, 1_000_000_000)
    if not nanoseconds:
        return _whole(seconds) + "Z"
    # Called for each trade: ``str`` takes two thirds of the time that a format with zeros takes.
    digits = str(nanoseconds) if nanoseconds >= 100_000_000 else f"{nanoseconds:09}"
    return f"{_whole(seconds)}.{digits.rstrip('0')}Z"


def to_nanoseconds(text: str) -> int:
    """Return RFC 3339 text as unix nanoseconds.

    Raises:
        ValueError: the text is not an RFC 3339 time, or not one of the years 1 to 9999 in UTC.
    """
    found = _RFC3339.fullmatch(text)
    if not found:
        raise ValueError(f"{text[:_SHOWN_CHARACTERS]!r} is not an RFC 3339 time")
    year, month, day, hour, minute, second, fraction, _, sign, hours, minutes = found.groups()
    # By hand: ``strptime`` takes ten times as long, and REST's answers have thousands of times.
    days = date(int(year), int(month), int(day)).toordinal() - _EPOCH_DAY
    seconds = days * 86_400 + int(hour) * 3600 + int(minute) * 60 + int(second)
    if sign:
        offset = int(hours) * 3600 + int(minutes) * 60
        seconds -= offset if sign == "+" else -offset
    # The offset may lead into the year 0 or 10000.
    if not _FIRST_SECOND <= seconds <= _LAST_SECOND:
        raise ValueError(f"{text!r} is not a time of the years 1 to 9999 in UTC")
    return seconds * 1_000_000_000 + int((fraction or "0").ljust(9, "0"))


@lru_cache(maxsize=4096)
def start_to_nanoseconds(text: str) -> int:
    """Return the start of a bar as unix nanoseconds: thousands of bars have the same one.

    Raises:
        ValueError: as ``to_nanoseconds``.
    """
    return to_nanoseconds(text)


def from_unix(seconds: float) -> str:
    """Return unix seconds as text with milliseconds."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
