"""The times of a capture, moved to now by whole minutes or whole days. Pure.

Every time in a frame or a body is moved, whatever its field: RFC 3339 text and msgpack's
timestamps. Then the contents are encoded again. An undecodable frame stays as it is.
"""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgpack

from simulator.capture.capture_file import Frame
from simulator.protocol import rfc3339
from simulator.protocol.rfc3339 import SECOND
from simulator.tape.hours import EASTERN

_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
_SPAN: Final = re.compile(r"(\d+)(Min|T|Hour|H)")
_DAYS: Final = re.compile(r"\d+(Day|D|Week|W|Month|M)")
_UNITS: Final = {"Min": 60, "T": 60, "Hour": 3600, "H": 3600}
_DAY_BARS: Final = frozenset({"dailyBar", "prevDailyBar"})


class Restamp:
    """Moves times by `shift` nanoseconds; `start` is the recorded Unix time of the beginning.

    The bar of a day begins at a midnight, and is moved by whole days. The bars of five minutes and
    more that REST returns are moved to the nearest start of such a bar before.
    """

    def __init__(self, start: int, shift: int) -> None:
        self._shift = shift
        self._days = (_local(start + shift).date() - _local(start).date()).days

    def frame(self, frame: Frame) -> Frame:
        """Return a frame with other times."""
        try:
            found = json.loads(frame.payload)
        except (ValueError, RecursionError):
            return self._packed(frame)
        return Frame(_json(self._moved(found, span=0)), frame.is_text)

    def body(self, body: bytes, timeframe: str | None) -> bytes:
        """Return the body of a response; `timeframe` is that of the bars in it."""
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):
            return body
        return _json(self._moved(found, span=_span_of(timeframe)))

    def _packed(self, frame: Frame) -> Frame:
        try:
            found = msgpack.unpackb(frame.payload, strict_map_key=False)
            packed: bytes = msgpack.packb(self._moved(found, span=0))
        except (msgpack.exceptions.UnpackException, ValueError, TypeError, RecursionError):
            return frame
        return Frame(packed, frame.is_text)

    def _moved(self, value: Any, *, span: int) -> Any:
        """Return a value with other times; `span` is that of bars in ns, -1 for days."""
        match value:
            case dict():
                inner = -1 if value.get("T") == "d" else span
                return {
                    key: self._moved(each, span=-1 if key in _DAY_BARS else inner)
                    for key, each in value.items()
                }
            case list():
                return [self._moved(each, span=span) for each in value]
            case msgpack.Timestamp():
                return msgpack.Timestamp.from_unix_nano(self._time(value.to_unix_nano(), span))
            case str() if _TIME.match(value):
                try:
                    return rfc3339.render(self._time(rfc3339.parse(value), span))
                except ValueError:  # a headline
                    return value
        return value

    def _time(self, at: int, span: int) -> int:
        if span >= 0:
            moved = at + self._shift
            return moved - moved % span if span else moved
        wall = _local(at) + timedelta(days=self._days)
        return int(wall.timestamp()) * SECOND + at % SECOND


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "surrogatepass"
    )


def _span_of(timeframe: str | None) -> int:
    if timeframe is None:
        return 0
    if _DAYS.fullmatch(timeframe):
        return -1
    found = _SPAN.fullmatch(timeframe)
    return 0 if found is None else int(found[1]) * _UNITS[found[2]] * SECOND


def _local(at: int) -> datetime:
    return datetime.fromtimestamp(at // SECOND, UTC).astimezone(EASTERN)
