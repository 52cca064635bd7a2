"""A chart that draws bars as lightweight-charts 5.2 does, and throws where that throws.

``update`` of a bar older than the newest throws unless it is called as a historical update, and
that throws if there is no bar of this time (measured in Chromium with the npm build).
"""

from collections.abc import Mapping

from ingest.bars.bar_changes import BarChange
from ingest.market.bars import Bar

FORGOTTEN_AFTER = 32
"""Of bars before so many, it is forgotten whether they were shown: a revision is inserted."""


class DrawingError(Exception):
    """The library would have thrown."""


class Chart:
    """One topic's bars by start, drawn by the three rules for clients."""

    def __init__(self) -> None:
        self.bars: dict[int, Bar] = {}

    def draw(self, change: BarChange) -> None:
        """Draw a version of a bar."""
        if change.late:
            self.bars[change.bar.at_ns] = change.bar
            return
        newest = max(self.bars, default=-1)
        if change.bar.at_ns < newest and change.bar.at_ns not in self.bars:
            raise DrawingError(f"{change} is older than {newest} and was never shown")
        self.bars[change.bar.at_ns] = change.bar


class Topic:
    """What a topic has published: its events, and its newest running bar for clients that come.

    ``stored``: the newest revisions that were stored before, by start.
    """

    def __init__(self, stored: Mapping[int, int] | None = None) -> None:
        self.events: list[BarChange] = []
        self.stored = dict(stored or {})

    def publish(self, change: BarChange) -> None:
        """Publish a version; its number and marks follow from those before it."""
        before = [each for each in self.events if not each.running]
        same = [each for each in before if each.bar.at_ns == change.bar.at_ns]
        newest = max((each.bar.at_ns for each in self.events), default=-1)
        if change.running:
            assert not same, "a bar that has ended runs again"
            assert change.bar.at_ns >= newest, "a bar runs although a newer one was shown"
            assert (change.revision, change.final, change.late) == (0, False, False)
        else:
            assert change.revision == len(same) + self.stored.get(change.bar.at_ns, -1) + 1
            assert change.final or not any(each.final for each in same), "it was final before"
            assert not same or not change.late or len(before) > FORGOTTEN_AFTER
        self.events.append(change)

    def chart_from(self, number: int) -> Chart:
        """Return the chart of a client that connects after some events and takes the rest.

        It reads the ended bars and the newest running one, if that is newer.
        """
        chart, first = Chart(), self.events[:number]
        ended = sorted((each for each in first if not each.running), key=_start_and_revision)
        for each in ended:
            chart.bars[each.bar.at_ns] = each.bar
        running = [each for each in first if each.running]
        if running and running[-1].bar.at_ns > max(chart.bars, default=-1):
            chart.draw(running[-1])
        for each in self.events[number:]:
            chart.draw(each)
        return chart

    def conflated_chart(self) -> Chart:
        """Return the chart of a client that gets a running bar only before an ended one.

        Its window is long: all running bars but the last are skipped, and those that ended.
        """
        chart = Chart()
        for each in self.events:
            if not each.running:
                chart.draw(each)
        if self.events and self.events[-1].running:
            chart.draw(self.events[-1])
        return chart


def _start_and_revision(change: BarChange) -> tuple[int, int]:
    return change.bar.at_ns, change.revision
