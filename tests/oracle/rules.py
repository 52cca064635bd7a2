"""Which prints may be a last price, read from the published tables and not from the ingest.

Source: the consolidated rules of CTA and UTP (https://www.ctaplan.com, https://www.utpplan.com).
"""

from datetime import UTC, datetime, time
from typing import Literal
from zoneinfo import ZoneInfo

Rule = Literal["always", "first", "never"]
"""``first``: it counts only until the day has a print that always counts."""

SECOND = 1_000_000_000

_NEW_YORK = ZoneInfo("America/New_York")
_CTA_ALWAYS = frozenset(" @FEXO56KADSY1L9")
_UTP_ALWAYS = _CTA_ALWAYS | {"B"}
_FIRST = frozenset("Z4PG")


def rule_of(tape: str | None, conditions: list[str], session: str) -> Rule:
    """Return how a print counts; all of its codes must allow it."""
    # A bunched trade on Nasdaq's tape, an average price on the others. If the tape is unknown, it
    # may be the average price.
    always = _UTP_ALWAYS if tape in ("C", "O") else _CTA_ALWAYS
    found: Rule = "always"
    for code in conditions:
        if code == "T":
            if session == "regular":
                return "never"
        elif code in _FIRST:
            found = "first"
        elif code and code not in always:
            return "never"
    return found


def session_at(at_ns: int) -> str:
    """Return the session of a moment on an ordinary trading day."""
    clock = datetime.fromtimestamp(at_ns // SECOND, UTC).astimezone(_NEW_YORK).time()
    if time(9, 30) <= clock < time(16):
        return "regular"
    if time(4) <= clock < time(9, 30):
        return "pre"
    return "post" if time(16) <= clock < time(20) else "closed"


def day_at(at_ns: int) -> str:
    """Return New York's date of a moment."""
    return datetime.fromtimestamp(at_ns // SECOND, UTC).astimezone(_NEW_YORK).date().isoformat()
