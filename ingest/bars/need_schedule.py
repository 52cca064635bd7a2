"""The bars' questions to REST: which to ask next, and together with which others. No I/O."""

from collections.abc import Callable, Iterable, Mapping, Set
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from ingest.bars.bar_changes import DayNeed, FillNeed, MinutesNeed, Need, TradesNeed
from ingest.bars.timeframes import MINUTE_NS

SYMBOLS_PER_REQUEST = 100

REQUESTS_AT_ONCE = 2
"""Prices have the other threads."""

SPREAD_NS = 10 * MINUTE_NS
"""Spans that begin this far apart are asked for separately: one request covers all of them."""

FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 1.0, 30.0

TRIES = 5
"""After this number of failures a span of minutes counts as lost. A history is tried for ever."""

_Key: TypeAlias = tuple[int, str, object]


class _Asking(NamedTuple):
    """A question that is due at a monotonic time, after ``failures`` failed tries."""

    need: Need
    due: float
    failures: int = 0


class NeedSchedule:
    """Each batch of ``take`` comes back through ``done`` or ``failed``. ``monotonic``: seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._asking: dict[_Key, _Asking] = {}
        self._under_way = 0

    def add(self, needs: Iterable[Need]) -> None:
        """Accept new questions; one that is asked already is asked once."""
        now = self._monotonic()
        for need in needs:
            self._asking.setdefault(_key(need), _Asking(need, now))

    def forget_others(self, symbols: Set[str]) -> None:
        """Forget the questions about all symbols but these."""
        self._asking = {k: each for k, each in self._asking.items() if each.need.symbol in symbols}

    def take(self) -> list[tuple[Need, int]]:
        """Return the questions of one request, each with its failures; none if none is due."""
        # First: ten thousand charts ask at once, and most looks come while requests are under way.
        if self._under_way >= REQUESTS_AT_ONCE:
            return []
        now = self._monotonic()
        due = sorted((k for k, each in self._asking.items() if each.due <= now), key=_order)
        if not due:
            return []
        first = due[0]
        begin_ns = _begin_ns(self._asking[first].need)
        batch, symbols = list[tuple[Need, int]](), set[str]()
        for key in due:
            need = self._asking[key].need
            if key[0] != first[0] or (isinstance(need, FillNeed) and key[2] != first[2]):
                continue
            if abs(_begin_ns(need) - begin_ns) > SPREAD_NS:
                continue
            if len(symbols | {need.symbol}) > SYMBOLS_PER_REQUEST:
                break
            symbols.add(need.symbol)
            batch.append((need, self._asking.pop(key).failures))
        self._under_way += 1
        return batch

    def done(self) -> None:
        """Note that a batch was answered."""
        self._under_way -= 1

    def failed(self, batch: Iterable[tuple[Need, int]]) -> list[MinutesNeed]:
        """Note that a batch was not answered; return the spans that are lost."""
        self._under_way -= 1
        now, lost = self._monotonic(), list[MinutesNeed]()
        for need, failures in batch:
            tried = failures + 1
            if isinstance(need, MinutesNeed) and tried >= TRIES:
                lost.append(need)
                continue
            # The bar of the stream is there by then.
            if isinstance(need, TradesNeed) and tried > 1:
                continue
            wait = min(FIRST_RETRY_SECONDS * 2.0**failures, LONGEST_RETRY_SECONDS)
            self._asking.setdefault(_key(need), _Asking(need, now + wait, tried))
        return lost


_URGENCY: Mapping[type, int] = MappingProxyType(
    {MinutesNeed: 0, FillNeed: 1, DayNeed: 2, TradesNeed: 3}
)

_FILLED: Mapping[str, int] = MappingProxyType({"1Min": 0, "5Min": 1, "1Day": 2, "15Min": 3})
"""The order of the histories: most charts show minutes or days. Hours reach back furthest."""


def _key(need: Need) -> _Key:
    match need:
        case FillNeed():
            detail: object = need.timeframe
        case DayNeed():
            detail = ""
        case MinutesNeed() | TradesNeed():
            detail = (need.begin_ns, need.end_ns)
    return _URGENCY[type(need)], need.symbol, detail


def _order(key: _Key) -> tuple[int, int, str, str]:
    # By span before symbol: the histories of one timeframe, and of one span, go together.
    return key[0], _FILLED.get(str(key[2]), 4), str(key[2]), key[1]


def _begin_ns(need: Need) -> int:
    return need.begin_ns if isinstance(need, MinutesNeed | TradesNeed) else 0
