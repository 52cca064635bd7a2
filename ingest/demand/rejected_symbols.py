"""The symbols that the channels of a stream reject, and when each is tried again. No I/O."""

from collections.abc import Sequence
from dataclasses import dataclass

from ingest.demand.wanted import Want

FIRST_REJECTION_SECONDS, LONGEST_REJECTION_SECONDS = 30.0, 600.0
"""The time until a rejected symbol is tried again doubles with each rejection, up to the longest.
The stream also rejects symbols that exist: one listed today, or for a fault of the server."""


@dataclass
class _Rejected:
    """How often a channel has rejected a symbol, and when it is tried again (monotonic)."""

    times: int
    retry_at: float


class RejectedSymbols:
    """Remembers by channel and symbol: a stream may have a symbol's trades and not its quotes.

    ``channels``: those whose rejections are remembered, the most important first. ``now`` is
    monotonic seconds.
    """

    def __init__(self, channels: Sequence[str]) -> None:
        self._channels = channels
        self._rejected: dict[tuple[str, str], _Rejected] = {}

    def __len__(self) -> int:
        return len(self._rejected)

    def symbols_of(self, *channels: str) -> set[str]:
        """Return the symbols that at least one of the channels rejects."""
        return {symbol for channel, symbol in self._rejected if channel in channels}

    def waiting(self, now: float) -> set[tuple[str, str]]:
        """Return the pairs of channel and symbol that are not to be tried again yet."""
        return {key for key, each in self._rejected.items() if each.retry_at > now}

    def has(self, channel: str, symbol: str) -> bool:
        """Return whether a channel has rejected a symbol, even if it is to be tried again now."""
        return (channel, symbol) in self._rejected

    def add(self, channel: str, symbol: str, now: float) -> None:
        """Count a rejection."""
        before = self._rejected.get((channel, symbol))
        times = 1 if before is None else before.times + 1
        wait = min(FIRST_REJECTION_SECONDS * 2.0 ** (times - 1), LONGEST_REJECTION_SECONDS)
        self._rejected[channel, symbol] = _Rejected(times, now + wait)

    def discard(self, channel: str, symbol: str) -> None:
        """Forget the rejections of a symbol that the channel has accepted."""
        self._rejected.pop((channel, symbol), None)

    def forget_unwanted(self, wanted: Sequence[Want], now: float) -> None:
        """Forget rejected symbols that no client wants, once their retry is due."""
        if any(each.retry_at <= now for each in self._rejected.values()):
            symbols = {want.symbol for want in wanted}
            self._rejected = {
                key: each
                for key, each in self._rejected.items()
                if each.retry_at > now or key[1] in symbols
            }

    def next_retry_at(self, now: float) -> float:
        """Return when the next symbol is to be tried again; infinity if none is waiting."""
        later = (each.retry_at for each in self._rejected.values() if each.retry_at > now)
        return min(later, default=float("inf"))

    def possible(self, wanted: Sequence[Want], now: float) -> Sequence[Want]:
        """Return the wants without the channels whose rejection is not to be tried again yet.

        A symbol that is rejected on its first channel is not requested on the others either.
        """
        waiting = self.waiting(now)
        if not waiting:
            return wanted
        symbols = {symbol for _, symbol in waiting}
        possible = []
        for want in wanted:
            if want.symbol not in symbols:
                possible.append(want)
                continue
            own = [channel for channel in self._channels if channel in want.channels]
            rejected = {channel for channel in own if (channel, want.symbol) in waiting}
            if own and own[0] not in rejected:
                possible.append(want._replace(channels=want.channels - rejected))
        return possible
