"""Whether the faults of a run have struck anything: one that finds no connection proves nothing."""

from collections import Counter

ENOUGH = 4
"""Of fewer faults all may have come while an earlier one still lasted."""


class Strikes:
    """Counts the faults at Alpaca's connections, by kind."""

    def __init__(self) -> None:
        self._all: Counter[str] = Counter()
        self._missed: Counter[str] = Counter()

    def note(self, kind: str, *, missed: bool) -> None:
        """Count a fault; ``missed``: there was no connection to strike."""
        self._all[kind] += 1
        self._missed[kind] += missed

    def __str__(self) -> str:
        shown = [
            f"{kind} {n} of {self._all[kind]}" for kind, n in sorted(self._missed.items()) if n
        ]
        return f"faults that found no connection: {', '.join(shown) or 'none'}"

    @property
    def idle_kinds(self) -> list[str]:
        """The kinds of which many faults have struck nothing at all."""
        return [k for k, n in sorted(self._all.items()) if n >= ENOUGH and self._missed[k] == n]
