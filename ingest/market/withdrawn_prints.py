"""Cancels and corrections of a symbol's prints, kept so that no withdrawn print is believed again.

A print may come again after its cancel (REST shows a busted print for some time, and a stream may
repeat one), or for the first time (a cancel can overtake its print).
"""

from collections import OrderedDict
from collections.abc import Iterator

from ingest.market.prints import Trade
from ingest.market.tape_history import Found, TapeHistory
from ingest.market.withdrawal import (
    PrintIdentity,
    TradeKey,
    Withdrawal,
    Withdrawn,
    corrected,
)

REMEMBERED_IDS = 512
"""A symbol's withdrawn ids: several times those of the largest busts of one symbol. As many again
of prints that the tape does not have, or has no longer."""

REMEMBERED_PER_ID = 16
"""The reports on one id. FINRA's facilities repeat ids within a day."""


class WithdrawnPrints:
    """The reports of one symbol by the id of the print.

    The newest ids of prints that have not come are kept, and as many of prints that have come.

    ``latest_pending_ns`` is the latest time that a print can have whose report has come before it.
    """

    __slots__ = ("_by_key", "_history", "latest_pending_ns")

    def __init__(self, history: TapeHistory) -> None:
        self._history = history
        self._by_key: OrderedDict[TradeKey, list[Withdrawal]] = OrderedDict()
        self.latest_pending_ns = -1

    def place_of(self, report: Withdrawal) -> Found | None:
        """Remember a report; return the place of the print that it means.

        None if the history does not have the print, or if the report came before.
        """
        history = self._history
        past = history.remember_past()
        earlier = self._same_as(report)
        if earlier is not None and earlier.reported_ns == report.reported_ns:
            return None
        found = history.find(report.withdrawn)
        if found is None:
            report.withdrawn = self._present_form(report.withdrawn)
            # The same report once more, by the stream or by REST, which gives the print's time.
            if (earlier := self._same_as(report)) is not None:
                earlier.learn_time(report.withdrawn.at_ns)
                return None
            found = history.find(report.withdrawn) or history.find_nameless(report.withdrawn)
        if found is None:
            report.print = past.find(report.withdrawn)
            if report.print is None:
                self.latest_pending_ns = max(self.latest_pending_ns, report.latest_ns)
        # A price out of Redis or a bar's close only resembles the withdrawn trade.
        elif found.entry.id is not None:
            report.print = found.entry.identity
        self._add(report)
        return found

    def is_void(self, trade: Trade) -> bool:
        """Return whether a print is cancelled, or is known in its corrected form."""
        if not self._by_key:
            return False
        report = self._concerning(PrintIdentity.of(trade))
        return report is not None and (report.corrected is None or report.print is not None)

    def as_reported(self, trade: Trade) -> Trade | None:
        """Return a print as the reports that came before it leave it; None if it is void."""
        if not self._by_key:
            return trade
        report = self._concerning(PrintIdentity.of(trade))
        # A print that was withdrawn before has come again: a corrected form of it is known.
        if report is not None and report.print is not None:
            return None
        return self.after_pending(trade)

    def after_pending(self, trade: Trade) -> Trade | None:
        """Apply the reports that came before a print or its corrected form; None if it is void."""
        valid = trade
        # Each report is applied once. Its corrected form may have been withdrawn in its turn.
        while (report := self._pending(print_ := PrintIdentity.of(valid))) is not None:
            report.print = print_
            if report.corrected is None:
                return None
            valid = corrected(report.corrected, trade.at_ns)
        return valid

    def include_price(self, price: float, start_ns: int, end_ns: int) -> bool:
        """Return whether a withdrawn print of a span of time had a price."""
        return any(
            each.print is not None
            and each.print.price == price
            and start_ns <= each.print.at_ns < end_ns
            for reports in self._by_key.values()
            for each in reports
        )

    def _add(self, report: Withdrawal) -> None:
        """Remember a report."""
        key = report.withdrawn.key
        reports = self._by_key.setdefault(key, [])
        reports.append(report)
        del reports[:-REMEMBERED_PER_ID]
        self._by_key.move_to_end(key)
        if len(self._by_key) > REMEMBERED_IDS:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        """Forget the oldest pending ids and the oldest applied ones, if there are too many."""
        # They evict only their like. In a bust of more prints than the history has, the cancels of
        # the others come last, and REST still shows one of the newest prints. On a day of many
        # busts, the cancels that were applied must not evict one that has overtaken its print.
        pending: list[TradeKey] = []
        applied: list[TradeKey] = []
        for key, reports in self._by_key.items():
            is_pending = all(each.print is None for each in reports)
            (pending if is_pending else applied).append(key)
        for key in (*pending[:-REMEMBERED_IDS], *applied[:-REMEMBERED_IDS]):
            del self._by_key[key]

    def _same_as(self, report: Withdrawal) -> Withdrawal | None:
        """Return the earlier report that says the same, if there is one."""
        return next(
            (each for each in self._of(report.withdrawn.key) if each.is_same_report(report)), None
        )

    def _concerning(self, print_: PrintIdentity) -> Withdrawal | None:
        """Return the report that withdrew a print, if there is one."""
        reports = [each for each in self._of(print_.key) if each.concerns(print_)]
        # If the print has come before, its report was applied then.
        applied = (each for each in reports if each.print is not None)
        return next(applied, reports[0] if reports else None)

    def _pending(self, print_: PrintIdentity) -> Withdrawal | None:
        """Return a report that came before its print, which has come now."""
        reports = self._of(print_.key)
        return next(
            (each for each in reports if each.print is None and each.concerns(print_)), None
        )

    def _present_form(self, withdrawn: Withdrawn) -> Withdrawn:
        """Return the print that a report means now.

        A report may name a print by the values that it had before a correction.
        """
        for _ in range(REMEMBERED_PER_ID):
            earlier = next(
                (each for each in self._of(withdrawn.key) if each.covers(withdrawn)), None
            )
            if earlier is None or earlier.corrected is None:
                return withdrawn
            now = earlier.corrected
            key = TradeKey(now.id, now.exchange, now.tape, withdrawn.key.day)
            present = Withdrawn(key, now.price, now.size, earlier.at_ns)
            # Only the conditions were corrected.
            if present[:3] == withdrawn[:3]:
                return withdrawn
            withdrawn = present
        return withdrawn

    def _of(self, key: TradeKey) -> Iterator[Withdrawal]:
        return reversed(self._by_key.get(key, ()))
