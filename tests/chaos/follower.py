"""The common part of all checks of a client: its streams, their greeting, and the order of ids."""

from collections.abc import Callable, Mapping
from typing import Any

Complain = Callable[[str], None]
Order = tuple[int, ...]

NEVER: Order = (0, 0)


class Follower:
    """Follows one client over all its streams; ``complain`` gets each broken invariant."""

    def __init__(self, name: str, complain: Complain) -> None:
        self.streams = 0
        self._name = name
        self._complain = complain

    def opened(self) -> None:
        """A new stream has begun."""
        self.streams += 1

    def event(self, kind: str, data: Mapping[str, Any]) -> None:
        """Check an event of the open stream."""
        raise NotImplementedError

    def wrong(self, what: str) -> None:
        """Complain of something on the open stream."""
        self._complain(f"{self._name}, stream {self.streams}: {what}")


class Greeting(Follower):
    """Each stream begins with ``hello``, and ``ready`` comes once."""

    def __init__(self, name: str, complain: Complain) -> None:
        super().__init__(name, complain)
        self.ready = False
        self._greeted = False

    def opened(self) -> None:
        """A new stream has begun."""
        super().opened()
        self.ready = self._greeted = False

    def event(self, kind: str, _: Mapping[str, Any]) -> None:
        """Check the greeting."""
        if self._greeted == (kind == "hello"):
            self.wrong(f"{kind} where hello comes first and once")
        self._greeted = True
        if kind == "ready":
            if self.ready:
                self.wrong("ready twice on one stream")
            self.ready = True


class NewestIds:
    """The newest event id of each key, over all streams of a client.

    ``copied``: live events are copies with the next id, and a stream begins with the originals.
    """

    def __init__(self, *, copied: bool = False) -> None:
        self._copied = copied
        self.here: set[str] = set()
        """The keys that the open stream has brought."""
        self._newest: dict[str, Order] = {}

    def opened(self) -> None:
        """A new stream has begun: it may repeat the newest value of each key."""
        self.here.clear()

    def problem(self, key: str, event_id: str) -> str | None:
        """Note an id; return the words for it if it is older than one before."""
        order, first = order_of(event_id), key not in self.here
        newest = self._newest.get(key, NEVER)
        self.here.add(key)
        self._newest[key] = max(order, newest)
        if first and self._copied and (order[0], order[1] + 1) == newest:
            return None
        if order < newest or (order == newest and not first):
            return f"{key} {event_id} after {'-'.join(map(str, newest))}"
        return None


def order_of(event_id: str) -> Order:
    """Return an event id as numbers that can be compared."""
    return tuple(map(int, event_id.split("-")))
