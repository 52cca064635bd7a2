"""The events that nobody repeats: since when they are missed about what clients watch. Pure."""

from collections.abc import Callable, Iterable, Set


class Unheard:
    """Keeps the watched keys of a kind whose events do not come; times are unix seconds."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def add(self, keys: Iterable[str], since: float) -> None:
        """Note that events about keys are missed, unless an earlier time is known."""
        for key in keys:
            self._since.setdefault(key, since)

    def take_heard(
        self, watched: Set[str], is_heard: Callable[[str], bool]
    ) -> list[tuple[str, float]]:
        """Return, once, the watched keys whose events come again, and since when they did not.

        The keys that nobody watches are forgotten: the histories show what they lack later.
        """
        self._since = {key: at for key, at in self._since.items() if key in watched}
        heard = [(key, since) for key, since in sorted(self._since.items()) if is_heard(key)]
        for key, _ in heard:
            del self._since[key]
        return heard
