"""Cancels and corrections of a charted symbol's prints, kept for prints that come after them.

A cancel can overtake its print, and REST shows a cancelled print for some time.
"""

from ingest.market.prints import Trade, TradeId
from ingest.market.withdrawal import PrintIdentity, TradeKey, Withdrawal, Withdrawn, corrected

REMEMBERED = 512
"""Reports per symbol: several times those of the largest busts of one symbol."""


class PrintReports:
    """The newest reports of one symbol, oldest first. ``ids``: of the prints that they mean."""

    __slots__ = ("_reports", "ids")

    def __init__(self) -> None:
        self._reports: list[Withdrawal] = []
        self.ids: set[TradeId | None] = set()

    def is_known(self, report: Withdrawal) -> bool:
        """Return whether a report that says the same has come before."""
        return any(each.is_same_report(report) for each in self._of(report.withdrawn.key.id))

    def add(self, report: Withdrawal) -> None:
        """Remember a report."""
        self._reports.append(report)
        self.ids.add(report.withdrawn.key.id)
        if len(self._reports) > REMEMBERED:
            del self._reports[: REMEMBERED // 2]
            self.ids = {each.withdrawn.key.id for each in self._reports}

    def present_form(self, withdrawn: Withdrawn) -> Withdrawn:
        """Return the print that a report means now: an earlier report may have corrected it."""
        for each in self._reports:
            now = each.corrected
            if now is None or each.withdrawn.key != withdrawn.key or not each.covers(withdrawn):
                continue
            key = TradeKey(now.id, now.exchange, now.tape, withdrawn.key.day)
            withdrawn = Withdrawn(key, now.price, now.size, each.at_ns)
        return withdrawn

    def as_reported(self, trade: Trade) -> Trade | None:
        """Return a print as the reports leave it; None if it is cancelled."""
        if trade.id not in self.ids:
            return trade
        at_ns = trade.at_ns
        # In the order of the reports: a corrected print may be corrected again.
        for report in self._reports:
            if report.withdrawn.key.id != trade.id:
                continue
            print_ = PrintIdentity.of(trade)
            if not report.concerns(print_):
                continue
            report.print = print_
            if report.corrected is None:
                return None
            trade = corrected(report.corrected, at_ns)
        return trade

    def _of(self, id_: TradeId | None) -> list[Withdrawal]:
        if id_ not in self.ids:
            return []
        return [each for each in self._reports if each.withdrawn.key.id == id_]
