"""The prints that the tapes have shown recently, and which of them were withdrawn. Pure.

The stream, REST and the history of an earlier leader each bring prints, cancels and corrections, in
any order and more than once. A print is identified by symbol, exchange, id and its own time: see
``shown_prints``.
"""

from collections.abc import Sequence

from msgspec import structs

from ingest.market.shown_prints import SAME_ID_PRINTS, PrintName, ShownPrint, ShownPrints
from shared import rfc3339
from shared.trade import Cancel, Correction, Trade, Withdrawal

PRINTS_REMEMBERED = 50_000
"""For all tapes together: about 24 MB (measured with tracemalloc)."""
PRINTS_KEPT = 48_000
"""The number that is left after the tapes with the most prints have lost their oldest."""

EARLY_WITHDRAWALS = 1000
"""Cancels and corrections whose prints are unknown, for all tapes together."""

_NO_TAPE = ShownPrints()


class RecentPrints:
    """The newest prints of each tape; a busy tape costs no quiet one its prints.

    ``early`` holds the withdrawals of prints that no tape has shown, by symbol, exchange and id.
    """

    def __init__(self, bound: int = PRINTS_REMEMBERED, kept: int = PRINTS_KEPT) -> None:
        self.early: dict[tuple[str, str | None, str], list[Withdrawal]] = {}
        self._bound = bound
        self._kept = kept
        self._count = 0
        self._tapes: dict[str, ShownPrints] = {}

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
            if any(each.is_of(print_, corrected=corrected) for each in tape.named(name)):
                return False
            # An id of an earlier day, or of another facility.
            tape.append(name, ShownPrint(print_.timestamp, print_.price, print_.size))
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
        return any(each.is_of(print_, corrected=False) for each in known)

    def known_since(self, symbol: str) -> int | None:
        """Return the time (unix ns) after which every print that the tape has shown is known.

        None: there are none from before.
        """
        return self._tapes.get(symbol, _NO_TAPE).known_since()

    def time_of_newest(self, symbol: str, count: int) -> int | None:
        """Return the time (unix ns) of the oldest of a symbol's ``count`` newest prints."""
        return self._tapes.get(symbol, _NO_TAPE).time_of_newest(count)

    def withdraw(self, event: Withdrawal) -> Withdrawal | None:
        """Withdraw a print; return the event to publish, None if there is none.

        The event gets the time of the print. There is none if the withdrawal was published before,
        or if the tape has not shown the print and the withdrawal names its time: then REST brought
        it. The stream's withdrawal of an unknown print may concern one that is forgotten.
        """
        tape = self._tape(event.symbol)
        named = tape.named((event.exchange, event.original_id))
        meant = [each for each in named if each.is_meant_by(event)]
        # A correction of conditions alone names the same values before and after.
        if isinstance(event, Correction) and any(each.is_result_of(event) for each in meant):
            return None
        # It came before its print, or the tape was not watched when the print came.
        if not meant:
            return self._add_early(event, tape)
        standing = [each for each in meant if not each.withdrawn]
        # The stream, REST and the history each repeat a withdrawal.
        if not standing:
            return None
        newest = max(standing, key=lambda each: rfc3339.sortable(each.timestamp))
        return self._apply(event, tape, newest)

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

    def _take_early_of(self, tape: ShownPrints, symbol: str, name: PrintName) -> Withdrawal | None:
        """Return, once, the withdrawal of the newest print of a name."""
        for event in self.early.get((symbol, *name), ()):
            shown = tape.named(name)[-1]
            if shown.is_meant_by(event):
                early = self.early[(symbol, *name)]
                early.remove(event)
                if not early:
                    del self.early[(symbol, *name)]
                return self._apply(event, tape, shown)
        return None

    def _tape(self, symbol: str) -> ShownPrints:
        tape = self._tapes.get(symbol)
        if tape is None:
            tape = self._tapes[symbol] = ShownPrints()
        return tape

    def _apply(self, event: Withdrawal, tape: ShownPrints, shown: ShownPrint) -> Withdrawal:
        """Withdraw a shown print, and show its corrected form; return the event to publish."""
        shown.withdrawn = True
        # A later cancel or correction names the corrected print.
        if isinstance(event, Correction):
            name = (event.exchange, event.id)
            corrected = ShownPrint(shown.timestamp, event.price, event.size, corrected=True)
            named = tape.named(name)
            # REST may have shown the replacement as a print before: then the wrong print just goes.
            if any(each.has_values_of(corrected) and not each.withdrawn for each in named):
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

    def _add_early(self, event: Withdrawal, tape: ShownPrints) -> Withdrawal | None:
        """Keep a withdrawal for its print; return it if that may be one that is forgotten."""
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


def _is_repeated(event: Withdrawal, earlier: Withdrawal) -> bool:
    """Return whether two withdrawals of one exchange and id are of one print."""
    at, before = event.original_timestamp, earlier.original_timestamp
    if at is None and before is None:
        return event == structs.replace(earlier, received=event.received)
    # One names the time of the print, and the other may mean a print of that time.
    print_of, other = (event, earlier) if before is None else (earlier, event)
    return _as_shown(print_of).is_meant_by(other)


def _as_shown(event: Withdrawal) -> ShownPrint:
    """Return the print that a withdrawal names."""
    return ShownPrint(
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
