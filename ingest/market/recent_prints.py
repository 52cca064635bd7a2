"""The prints that the tapes have shown recently, and which of them were withdrawn. Pure.

The stream, REST and the history of an earlier leader each bring prints, cancels and corrections, in
any order and more than once. A print is identified by symbol, exchange, id and its own time: ids
start again each day, and FINRA's ``D`` stands for several facilities that number independently.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from itertools import islice

import msgspec
from msgspec import structs

from ingest.market.trading_day import day_of
from shared import rfc3339
from shared.trade import Cancel, Correction, Trade, Withdrawal

PRINTS_REMEMBERED = 50_000
"""For all tapes together: about 20 MB."""
PRINTS_KEPT = 48_000
"""The number that is left after the tapes with the most prints have lost their oldest."""

SAME_ID_PRINTS = 8
"""Prints of one exchange and id: the three facilities of ``D`` over some days."""

EARLY_WITHDRAWALS = 1000
"""Cancels and corrections whose prints are unknown, for all tapes together."""

START_PRINTS = 10
"""One of the oldest prints in a history may have come late: the newest of these is its start."""

CLOCKS_NS = 1_000_000_000
"""A report may seem older than its print by the difference of two clocks."""

_Name = tuple[str | None, str]


class _Shown(msgspec.Struct, gc=False):
    """A print that a tape has shown. ``corrected``: a correction brought it, not a trade."""

    timestamp: str
    price: float
    size: float | None
    corrected: bool = False
    withdrawn: bool = False


class _Tape:
    """The prints of one symbol by exchange and id, in order of arrival."""

    __slots__ = ("forgotten_until", "is_recalled", "shown")

    def __init__(self) -> None:
        self.shown: OrderedDict[_Name, Trade | tuple[_Shown, ...]] = OrderedDict()
        """A print as it was published, or all prints of a name once one of them is not ordinary."""
        self.is_recalled = False
        self.forgotten_until: str | None = None
        """The time of the newest print that was forgotten, without its ``Z``."""

    def named(self, name: _Name) -> tuple[_Shown, ...]:
        """Return the prints of an exchange and id, in order of arrival."""
        shown = self.shown.get(name, ())
        if isinstance(shown, Trade):
            shown = self.shown[name] = (_Shown(shown.timestamp, shown.price, shown.size),)
        return shown

    def append(self, name: _Name, shown: _Shown) -> None:
        """Add a print to those of its name, as the newest of all."""
        named = self.named(name)
        if len(named) == SAME_ID_PRINTS:
            self._forget(named[0].timestamp)
            named = named[1:]
        self.shown[name] = (*named, shown)
        self.shown.move_to_end(name)

    def forget_before(self, recalled: Iterable[Trade]) -> None:
        """Note that prints from before these are not known."""
        times = [rfc3339.sortable(each.timestamp) for each in islice(recalled, START_PRINTS)]
        self.forgotten_until = max([*times, self.forgotten_until or ""]) or None

    def forget_oldest(self, kept: int) -> None:
        """Keep only the prints that came last."""
        times = []
        while len(self.shown) > kept:
            _, prints = self.shown.popitem(last=False)
            if isinstance(prints, Trade):
                times.append(prints.timestamp)
            else:
                times += [each.timestamp for each in prints]
        if times:
            self._forget(max(times, key=rfc3339.sortable))

    def _forget(self, timestamp: str) -> None:
        time = rfc3339.sortable(timestamp)
        if self.forgotten_until is None or time > self.forgotten_until:
            self.forgotten_until = time

    def known_since(self) -> int | None:
        """Return the time (unix ns) after which all shown prints are known; None if always."""
        return None if self.forgotten_until is None else _ns(f"{self.forgotten_until}Z")


_NO_TAPE = _Tape()


class RecentPrints:
    """The newest prints of each tape; a busy tape costs no quiet one its prints.

    ``early`` holds the withdrawals of prints that no tape has shown, by symbol, exchange and id.
    """

    def __init__(self, bound: int = PRINTS_REMEMBERED, kept: int = PRINTS_KEPT) -> None:
        self.early: dict[tuple[str, str | None, str], list[Withdrawal]] = {}
        self._bound = bound
        self._kept = kept
        self._count = 0
        self._tapes: dict[str, _Tape] = {}

    def recall(
        self,
        symbol: str,
        events: Sequence[Trade | Withdrawal],
        *,
        is_whole: bool,
        whole_since_ns: int | None = None,
    ) -> list[Withdrawal]:
        """Add the events that an earlier leader has published of a symbol, oldest first.

        ``is_whole``: there were no events before; at least none since ``whole_since_ns`` (unix ns),
        when Redis was empty, if that is given. From then on, missed prints can complete the
        tape. Returns the withdrawals that are to be published now, since they waited for this.
        """
        waiting = self._remove_early(symbol)
        tape = self._tape(symbol)
        for event in events:
            if isinstance(event, Trade):
                self.add(event)
            else:
                self.withdraw(event)
        # A tape that is watched again: this process has published all of it, and remembers more.
        if not is_whole and not tape.is_recalled:
            tape.forget_before([event for event in events if isinstance(event, Trade)])
        elif whole_since_ns is not None and not tape.is_recalled:
            tape.forgotten_until = rfc3339.sortable(rfc3339.from_nanoseconds(whole_since_ns))
        tape.is_recalled = True
        withdrawn = (self.withdraw(event) for event in waiting)
        return [event for event in withdrawn if event is not None]

    def recalls(self, symbol: str) -> bool:
        """Return whether the earlier prints of a symbol are known."""
        tape = self._tapes.get(symbol)
        return tape is not None and tape.is_recalled

    def add(self, print_: Trade, corrected: bool = False) -> bool:
        """Add a print; return whether it is a new one.

        ``corrected``: REST shows it as the replacement of another one.
        """
        tape = self._tapes.get(print_.symbol) or self._tape(print_.symbol)
        name = (print_.exchange, print_.id or print_.timestamp)
        if name in tape.shown:
            if any(_is_same(each, print_, corrected=corrected) for each in tape.named(name)):
                return False
            # An id of an earlier day, or of another facility.
            tape.append(name, _Shown(print_.timestamp, print_.price, print_.size))
            return True
        # The event itself: an object of its own for each print would cost as much as all the rest.
        tape.shown[name] = print_
        self._count += 1
        if self._count > self._bound:
            self._forget_oldest()
        return True

    def is_known(self, print_: Trade) -> bool:
        """Return whether a tape has shown a print, as far as it is remembered."""
        tape = self._tapes.get(print_.symbol, _NO_TAPE)
        known = tape.named((print_.exchange, print_.id or print_.timestamp))
        return any(_is_same(each, print_, corrected=False) for each in known)

    def known_since(self, symbol: str) -> int | None:
        """Return the time (unix ns) after which every print that the tape has shown is known.

        None: there are none from before.
        """
        return self._tapes.get(symbol, _NO_TAPE).known_since()

    def time_of_newest(self, symbol: str, count: int) -> int | None:
        """Return the time (unix ns) of the oldest of a symbol's ``count`` newest prints."""
        times: list[str] = []
        for prints in islice(reversed(self._tapes.get(symbol, _NO_TAPE).shown.values()), count):
            # Beside the newest print of an id there may be one of an earlier hour or day.
            each_of = (prints,) if isinstance(prints, Trade) else prints
            times += [rfc3339.sortable(each.timestamp) for each in each_of]
        return _ns(f"{sorted(times)[-count:][0]}Z") if times else None

    def withdraw(self, event: Withdrawal) -> Withdrawal | None:
        """Withdraw a print; return the event to publish, None if there is none.

        The event gets the time of the print. There is none if the withdrawal was published before,
        or if the tape has not shown the print and the withdrawal names its time: then REST brought
        it. The stream's withdrawal of an unknown print may concern one that is forgotten.
        """
        tape = self._tape(event.symbol)
        named = tape.named((event.exchange, event.original_id))
        meant = [each for each in named if _means(event, each)]
        # A correction of conditions alone names the same values before and after.
        if isinstance(event, Correction) and any(_is_result(event, each) for each in meant):
            return None
        # It came before its print, or the tape was not watched when the print came.
        if not meant:
            return self._add_early(event, tape)
        standing = [each for each in meant if not each.withdrawn]
        # The stream, REST and the history each repeat a withdrawal.
        if not standing:
            return None
        newest = max(standing, key=lambda each: rfc3339.sortable(each.timestamp))
        return self._withdrawn(event, tape, newest)

    def take_early(self, print_: Trade) -> list[Withdrawal]:
        """Return, once, the withdrawals that came before a print, which has just been added.

        The corrected print may have been withdrawn in its turn.
        """
        taken: list[Withdrawal] = []
        tape, name = self._tape(print_.symbol), (print_.exchange, print_.id or "")
        while (event := self._take_early_of(tape, print_.symbol, name)) is not None:
            taken.append(event)
            if isinstance(event, Cancel):
                break
            name = (event.exchange, event.id)
        return taken

    def _take_early_of(self, tape: _Tape, symbol: str, name: _Name) -> Withdrawal | None:
        """Return, once, the withdrawal of the newest print of a name."""
        for event in self.early.get((symbol, *name), ()):
            shown = tape.named(name)[-1]
            if _means(event, shown):
                early = self.early[(symbol, *name)]
                early.remove(event)
                if not early:
                    del self.early[(symbol, *name)]
                return self._withdrawn(event, tape, shown)
        return None

    def _tape(self, symbol: str) -> _Tape:
        tape = self._tapes.get(symbol)
        if tape is None:
            tape = self._tapes[symbol] = _Tape()
        return tape

    def _withdrawn(self, event: Withdrawal, tape: _Tape, shown: _Shown) -> Withdrawal:
        shown.withdrawn = True
        # A later cancel or correction names the corrected print.
        if isinstance(event, Correction):
            name = (event.exchange, event.id)
            corrected = _Shown(shown.timestamp, event.price, event.size, corrected=True)
            named = tape.named(name)
            # REST may have shown the replacement as a print before: then the wrong print just goes.
            if any(_is_equal(each, corrected) and not each.withdrawn for each in named):
                event = _as_cancel(event)
            else:
                self._count += not named
                tape.append(name, corrected)
        return structs.replace(
            event,
            original_price=shown.price,
            original_size=shown.size,
            original_timestamp=shown.timestamp,
        )

    def _add_early(self, event: Withdrawal, tape: _Tape) -> Withdrawal | None:
        name = (event.symbol, event.exchange, event.original_id)
        early = self.early.setdefault(name, [])
        if any(_is_repeated(event, each) for each in early):
            return None
        early.append(event)
        # Cancels of prints that no client was shown are common: clients have just started to watch.
        del early[:-SAME_ID_PRINTS]
        if len(self.early) > EARLY_WITHDRAWALS:
            del self.early[next(iter(self.early))]
        # Only the earlier leader's events show whether it has published this already.
        if not tape.is_recalled:
            return None
        at, forgotten = event.original_timestamp, tape.forgotten_until
        if at is None or (forgotten is not None and rfc3339.sortable(at) <= forgotten):
            return event
        return None

    def _remove_early(self, symbol: str) -> list[Withdrawal]:
        names = [name for name in self.early if name[0] == symbol]
        return [event for name in names for event in self.early.pop(name)]

    def _forget_oldest(self) -> None:
        """Forget the oldest prints of the tapes that have the most.

        A quiet symbol keeps its few prints, however many others trade: REST shows them again.
        """
        level, left = 0, self._kept
        sizes = sorted(len(tape.shown) for tape in self._tapes.values())
        for place, size in enumerate(sizes):
            level = left // (len(sizes) - place)
            if size > level:
                break
            left -= size
        for tape in self._tapes.values():
            tape.forget_oldest(level)
        self._count = sum(len(tape.shown) for tape in self._tapes.values())


def _is_same(shown: _Shown, print_: Trade, *, corrected: bool) -> bool:
    """Return whether a print of the same exchange and id is the one that was shown."""
    values = (shown.price, shown.size) == (print_.price, print_.size)
    # Whether REST shows a replacement at the time of the print or of the report is not documented.
    if corrected and values and shown.corrected:
        return day_of(_ns(shown.timestamp)) == day_of(_ns(print_.timestamp))
    # If there is no id, several prints of one exchange can share a time.
    return shown.timestamp == print_.timestamp and (
        values or (print_.id is not None and not corrected)
    )


def _means(event: Withdrawal, shown: _Shown) -> bool:
    """Return whether a withdrawal means a print of its exchange and id."""
    at, price, size = event.original_timestamp, event.original_price, event.original_size
    if price not in (None, shown.price):
        return False
    if at is not None:
        return at == shown.timestamp
    # The stream names no time: of several prints with one id, it means the one whose values it
    # names, on the day of the report and before it.
    reported, printed = _ns(event.timestamp), _ns(shown.timestamp)
    return (
        (shown.size is None or size in (None, shown.size))
        and printed <= reported + CLOCKS_NS
        and day_of(printed) == day_of(reported)
    )


def _is_result(correction: Correction, shown: _Shown) -> bool:
    """Return whether a print that keeps its id already has the corrected values."""
    return (
        shown.corrected
        and not shown.withdrawn
        and correction.id == correction.original_id
        and (correction.price, correction.size) == (shown.price, shown.size)
    )


def _is_equal(one: _Shown, other: _Shown) -> bool:
    return (one.timestamp, one.price, one.size) == (other.timestamp, other.price, other.size)


def _is_repeated(event: Withdrawal, earlier: Withdrawal) -> bool:
    """Return whether two withdrawals of one exchange and id are of one print."""
    at, before = event.original_timestamp, earlier.original_timestamp
    if at is None and before is None:
        return event == structs.replace(earlier, received=event.received)
    # One names the time of the print, and the other may mean a print of that time.
    print_of, other = (event, earlier) if before is None else (earlier, event)
    return _means(other, _as_shown(print_of))


def _as_shown(event: Withdrawal) -> _Shown:
    """Return the print that a withdrawal names."""
    return _Shown(
        event.original_timestamp or "", event.original_price or 0, event.original_size or 0
    )


def _as_cancel(correction: Correction) -> Cancel:
    return Cancel(
        symbol=correction.symbol,
        original_id=correction.original_id,
        action=None,
        exchange=correction.exchange,
        tape=correction.tape,
        timestamp=correction.timestamp,
        received=correction.received,
    )


def _ns(timestamp: str) -> int:
    return rfc3339.to_nanoseconds(timestamp)
