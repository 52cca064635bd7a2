"""The faults of bars on the streams: missing, late, revised at will, or counted as symbols."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from simulator.faults.armed import ArmedFaults, Fault
from simulator.protocol import rfc3339
from simulator.protocol.endpoint import Endpoint
from simulator.protocol.subscription import CHANNELS

_KINDS: Final = ("b", "u", "d")
_MINUTE: Final = 60 * rfc3339.SECOND


class BarFaults:
    """Breaks the bars of one simulator; all raise ValueError for invalid arguments."""

    def __init__(
        self,
        armed: ArmedFaults,
        market_data: Mapping[str, Endpoint],
        send_update: Callable[[str, int | None], int],
    ) -> None:
        """`send_update` sends `u` of a symbol's minute, by default the newest that is over."""
        self._armed = armed
        self._market_data = market_data
        self._send_update = send_update

    def lost_bars(
        self,
        *,
        symbol: str,
        kind: str = "b",
        minute: str | None = None,
        count: int | None = None,
        seconds: float | None = None,
    ) -> None:
        """Do not send the next bars of a symbol; REST has them.

        `kind` is `b`, `u` or `d`; `minute` is the minute's start, by default any.
        """
        self._arm_bars("lost_bars", symbol, kind, minute, count, seconds)

    def late_bars(
        self,
        *,
        symbol: str,
        delay_seconds: float,
        kind: str = "b",
        minute: str | None = None,
        count: int | None = None,
        seconds: float | None = None,
    ) -> None:
        """Send the next bars of a symbol later."""
        if not 0 < delay_seconds < float("inf"):
            raise ValueError(f"delay_seconds is {delay_seconds}, expected a number above 0")
        self._arm_bars("late_bars", symbol, kind, minute, count, seconds, delay_seconds)

    def updated_bar(self, *, symbol: str, minute: str | None = None) -> int:
        """Send `u` of a minute as it is now, by default of the newest that is over.

        Returns the number of connections.
        """
        return self._send_update(symbol, None if minute is None else _minute(minute))

    def counted_bars(self, feed: str | None = None) -> int:
        """Count the symbols of bars against the plan's limit: 405 beyond it, until `clear`."""
        endpoints = chosen(self._market_data, feed)
        for endpoint in endpoints:
            endpoint.counts_bars = True
        return sum(len(endpoint.listeners) for endpoint in endpoints)

    def _arm_bars(
        self,
        name: str,
        symbol: str,
        kind: str,
        minute: str | None,
        count: int | None,
        seconds: float | None,
        delay_seconds: float = 0.0,
    ) -> None:
        if kind not in _KINDS:
            channels = ", ".join(f"{each} ({CHANNELS[each]})" for each in _KINDS)
            raise ValueError(f"kind is {kind!r}, expected one of {channels}")
        target = kind if minute is None else f"{kind} {rfc3339.render(_minute(minute))}"
        fault = Fault(name, "bar", target, symbol=symbol, delay_seconds=delay_seconds)
        self._armed.arm(fault, count, seconds)


def chosen(endpoints: Mapping[str, Endpoint], feed: str | None) -> Sequence[Endpoint]:
    """Return the endpoint of a feed; None means all.

    Raises:
        ValueError: there is no such feed.
    """
    if feed is None:
        return list(endpoints.values())
    if feed not in endpoints:
        raise ValueError(f"feed is {feed!r}, expected one of {', '.join(endpoints)}")
    return [endpoints[feed]]


def _minute(text: str) -> int:
    try:
        return rfc3339.parse(text) // _MINUTE * _MINUTE
    except ValueError as error:
        raise ValueError(f"minute is {text!r}, expected RFC-3339 text") from error
