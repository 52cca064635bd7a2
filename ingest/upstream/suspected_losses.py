"""Odd silences and unreadable prints: the data that they may hide is fetched a moment later."""

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

SETTLE_SECONDS = 1.5
"""The time after a silence in which late data arrives by itself."""

UNREAD_SECONDS = 5.0
"""The time after which REST knows a print that could not be read."""

CLOCKS_SECONDS = 2.0
"""The difference of the exchange's clock and ours, and the time that a trade is on its way."""


class OddSilence(NamedTuple):
    """A silence that has ended and may have swallowed data.

    ``ended`` is monotonic seconds, ``since`` and ``until`` are unix seconds.
    """

    ended: float
    since: float
    until: float


class _Unread(NamedTuple):
    """The prints of a watched tape that could not be read: REST may have them in another form.

    ``first`` and ``newest`` are monotonic seconds, ``since`` is unix seconds.
    """

    first: float
    newest: float
    since: float


class SuspectedLosses:
    """Collects them until their time has come; ``now`` is monotonic seconds."""

    def __init__(self) -> None:
        self._odd: deque[OddSilence] = deque()
        self._unread: dict[str, _Unread] = {}

    def on_odd_silence(self, silence: OddSilence) -> None:
        """Note a silence that has ended."""
        self._odd.append(silence)

    def take_settled(self, now: float) -> list[OddSilence]:
        """Return, once, the silences after which late data has had its time to arrive."""
        settled = []
        while self._odd and now - self._odd[0].ended >= SETTLE_SECONDS:
            settled.append(self._odd.popleft())
        return settled

    def on_unread(self, symbols: Iterable[str], now: float, received_at: float) -> None:
        """Note the watched tapes of which a print received at a time (unix s) is unreadable."""
        for symbol in symbols:
            earlier = self._unread.get(symbol, _Unread(now, now, received_at - CLOCKS_SECONDS))
            self._unread[symbol] = earlier._replace(newest=now)

    def take_known_to_rest(self, now: float, unix: float) -> dict[str, float]:
        """Return the tapes whose unreadable prints REST knows by now, each since a time (unix s).

        A tape with newer ones comes again later.
        """
        due = {}
        for symbol, unread in list(self._unread.items()):
            if now - unread.first < UNREAD_SECONDS:
                continue
            due[symbol] = unread.since
            del self._unread[symbol]
            # REST may not know the newest of them yet.
            if unread.newest > now - UNREAD_SECONDS:
                since = unix - UNREAD_SECONDS - CLOCKS_SECONDS
                self._unread[symbol] = _Unread(unread.newest, unread.newest, since)
        return due

    def take_unread(self) -> dict[str, float]:
        """Return, once, all tapes with unreadable prints, each since a time (unix s)."""
        unread, self._unread = self._unread, {}
        return {symbol: each.since for symbol, each in unread.items()}
