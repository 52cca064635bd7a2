"""The admission of prints to a symbol's history: at once, after confirmation, or not.

A print far off the others, or from the future, waits in quarantine until other prints or REST's
bars confirm it (``quarantine`` has the rules).
"""

from ingest.market import quarantine
from ingest.market.conditions import Eligibility
from ingest.market.previous_close import PreviousCloses
from ingest.market.snapshot import NewestCloses
from ingest.market.tape_context import TapeContext
from ingest.market.tape_entries import Entry
from ingest.market.tape_history import TapeHistory
from ingest.market.trading_day import day_of

BAR_DELAY_US = 120 * 1_000_000
"""A minute's bar exists soon after the minute: a quarantined print is looked up for this time."""

_ALWAYS = Eligibility.ALWAYS


class Admission:
    """Adds credible prints of one symbol to its history, and holds the others back.

    ``last_ns`` and ``last_price`` are the time (unix ns) and the price of the last price, -1 and 0
    for none.
    """

    __slots__ = ("_closes", "_context", "_history")

    def __init__(self, history: TapeHistory, closes: PreviousCloses, context: TapeContext) -> None:
        self._history = history
        self._closes = closes
        self._context = context

    def accept(self, entry: Entry, rule: Eligibility, last_ns: int) -> None:
        """Add a credible trade. The quarantined ones before a newer one were wrong."""
        history = self._history
        if rule is _ALWAYS and history.quarantined and entry.at_ns >= last_ns:
            history.refute(*history.quarantined)
            history.quarantined.clear()
        history.insert(entry, rule)

    def doubt(self, entry: Entry, rule: Eligibility, last_ns: int, received_us: int) -> bool:
        """Hold an incredible print back; return whether REST may confirm it."""
        self._context.counts.quarantined += 1
        # A trade that counts only as its day's first cannot confirm a level, nor can a late one.
        if rule is not _ALWAYS or entry.at_ns < last_ns:
            self._history.refute(entry)
            return False
        history = self._history
        if self._context.is_ahead(entry.at_ns, last_ns, received_us):
            # Others with a wrong time cannot confirm it: an exchange's clock is wrong for all.
            history.quarantined = [*history.quarantined, entry][-quarantine.PATIENCE :]
        else:
            self._quarantine(entry)
        return True

    def judge_quarantined(
        self, closes: NewestCloses, last_ns: int, last_price: float, received_us: int
    ) -> bool:
        """Accept or drop prints as REST's closes show; return whether to look them up again."""
        waiting, self._history.quarantined = self._history.quarantined, []
        for entry in waiting:
            verdict = quarantine.confirmed(entry, closes)
            # The snapshot may have brought the previous close after a split: it explains the print.
            if verdict is None and not self.is_incredible(entry, last_ns, last_price, received_us):
                verdict = True
            if verdict is None:
                self._history.quarantined.append(entry)
            elif verdict:
                self._history.insert(entry, _ALWAYS)
            else:
                self._history.refute(entry)
        return any(
            received_us - (each.event.received or 0) < BAR_DELAY_US
            for each in self._history.quarantined
        )

    def is_incredible(
        self, entry: Entry, last_ns: int, last_price: float, received_us: int
    ) -> bool:
        """Return whether a print has to wait until something confirms it."""
        if self._context.is_ahead(entry.at_ns, last_ns, received_us):
            return True
        references = self._references(entry, last_ns, last_price)
        return bool(references) and all(
            quarantine.is_far_off(entry.price, reference) for reference in references
        )

    def _references(self, entry: Entry, last_ns: int, last_price: float) -> list[float]:
        """Return the prices that a print is compared with: it has to be near one of them.

        A late one is compared with the prices before and after it: it becomes the last price if
        those after it are withdrawn.
        """
        if neighbours := self._history.neighbours(entry):
            return neighbours
        # The first print of a day: the previous close is adjusted for a split on this morning,
        # yesterday's last price is not.
        day = entry.day
        if close := self._closes.by_day.get(day) or self._closes.choose(day, entry.price):
            return [close]
        # For a late print of an earlier day, today's price is no measure.
        is_of_past = day < day_of(last_ns)
        return [last_price] if last_price and not is_of_past else []

    def _quarantine(self, entry: Entry) -> None:
        """Hold a print back, or accept it together with those that confirm it."""
        history = self._history
        waiting = [*quarantine.still_quarantined(history.quarantined, entry.at_ns), entry]
        level = quarantine.believed(waiting)
        history.quarantined = [] if level else waiting
        for each in level:
            history.insert(each, _ALWAYS)
