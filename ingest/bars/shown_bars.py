"""The versions of one topic's bars that were shown, which give the next its number and its marks.

Clients draw by three rules that this order of versions makes sound (lightweight-charts 5.2 throws
otherwise): a bar at least as new as the newest is appended or replaced; an older one exists
already; one marked late is inserted.
"""

from ingest.bars.bar_changes import BarChange
from ingest.bars.timeframes import Timeframe
from ingest.market.bars import Bar

TRIMMED_AT_ONCE = 16

REVISIONS_KEPT = 64
"""The bars that were revised and are forgotten otherwise."""


class ShownBars:
    """``most``: the ended bars whose versions are kept, at least.

    ``newest_ns`` is the start of the newest bar shown, ``running_ns`` that of the running one, -1
    for none. Before a bar newer than the running one is shown, the caller has to end that: a client
    that connects just then would never see it otherwise, and a conflated stream may skip it.

    Bars that start before ``live_from_ns`` are history: clients read them, and no event brings them
    unless they are revised.
    """

    __slots__ = (
        "_forgotten",
        "_forgotten_before_ns",
        "_most",
        "_running",
        "_timeframe",
        "_versions",
        "live_from_ns",
        "newest_ns",
        "running_ns",
    )

    def __init__(self, timeframe: Timeframe, most: int, live_from_ns: int = -1) -> None:
        self._most = most
        self._timeframe = timeframe
        self.live_from_ns = live_from_ns
        self._versions: dict[int, BarChange] = {}
        self._running: BarChange | None = None
        self._forgotten: dict[int, int] = {}
        self._forgotten_before_ns = -1
        self.newest_ns = -1
        self.running_ns = -1

    def ended(self, start_ns: int) -> BarChange | None:
        """Return the newest version of a bar that has ended; None if none was shown."""
        return self._versions.get(start_ns)

    def brings(self, start_ns: int) -> bool:
        """Return whether an event may bring this bar."""
        return start_ns >= self.live_from_ns or start_ns in self._versions

    @property
    def running(self) -> BarChange | None:
        """The newest version of the running bar; None if there is none."""
        return self._running

    @property
    def versions(self) -> list[BarChange]:
        """The newest versions of the ended bars that are kept, in no order."""
        return list(self._versions.values())

    @property
    def unfinished(self) -> list[int]:
        """The starts of the ended bars that are not final yet."""
        return [start for start, version in self._versions.items() if not version.final]

    def run(self, bar: Bar, *, partial: bool) -> BarChange | None:
        """Return a running bar's next version; None if it shows nothing new."""
        if bar.at_ns < self.newest_ns or bar.at_ns in self._versions:
            return None
        change = BarChange(self._timeframe, bar, running=True, partial=partial)
        if change == self._running:
            return None
        self._running = change
        self.running_ns = self.newest_ns = bar.at_ns
        return change

    def end(self, bar: Bar, *, final: bool, partial: bool = False) -> BarChange | None:
        """Return an ended bar's next version; None if the bar was shown so before."""
        start = bar.at_ns
        before = self._versions.get(start)
        late, revision = False, 0
        if before is not None:
            final = final or before.final
            if before.bar == bar and before.final == final:
                return None
            revision = before.revision + 1
        elif start < self._forgotten_before_ns:
            # Whether it was shown is forgotten: to insert a bar that is there replaces it.
            late, revision = True, self._forgotten.get(start, 0) + 1
        else:
            late = start < self.newest_ns and start != self.running_ns
        change = BarChange(self._timeframe, bar, revision, final, late=late, partial=partial)
        self._note(start, change)
        return change

    def drop_running(self) -> None:
        """Forget the running bar: all its trades were withdrawn, and it ends as no bar."""
        self.running_ns, self._running = -1, None

    def restore(self, bar: Bar, revision: int, *, final: bool) -> bool:
        """Take over a stored version; return whether it was not known here."""
        start = bar.at_ns
        before = self._versions.get(start)
        if before is not None and before.revision >= revision:
            return False
        self._note(start, BarChange(self._timeframe, bar, revision, final))
        return True

    def forget_before(self, start_ns: int) -> None:
        """Forget the bars that start before a moment, as if none had been shown: history again."""
        self.live_from_ns = max(self.live_from_ns, start_ns)
        self._versions = {
            start: version for start, version in self._versions.items() if start >= start_ns
        }
        if self.running_ns < start_ns:
            self.drop_running()
        self._forgotten.clear()
        self._forgotten_before_ns = -1

    def _note(self, start: int, change: BarChange) -> None:
        self._versions[start] = change
        if start > self.newest_ns:
            self.newest_ns = start
        if start == self.running_ns:
            self.running_ns, self._running = -1, None
        if len(self._versions) > self._most + TRIMMED_AT_ONCE:
            self._trim()

    def _trim(self) -> None:
        """Forget the oldest ended bars; revisions of theirs are numbered on."""
        for start in sorted(self._versions)[: -self._most]:
            if revision := self._versions.pop(start).revision:
                self._forgotten[start] = revision
            self._forgotten_before_ns = max(self._forgotten_before_ns, start + 1)
        while len(self._forgotten) > REVISIONS_KEPT:
            del self._forgotten[next(iter(self._forgotten))]
