"""The tapes of a client against the ledger: each print once, or a gap. Pure."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from typing import Any

from simulator.faults.odd_frames import ODD_NS
from simulator.protocol import rfc3339
from tests.chaos.follower import NEVER, Complain, Follower, order_of
from tests.chaos.gaps import Gaps
from tests.chaos.ledger import Ledger, Print, Values
from tests.chaos.markets import is_option_symbol, is_other

HANDOVER_NS = 10_000_000_000
"""A hand-over may follow when Redis is emptied, and takes seconds."""


class Trades(Follower):
    """Follows the tapes of one client. ``now`` is the time of the machine in unix nanoseconds."""

    def __init__(
        self, name: str, symbols: Collection[str], ledger: Ledger, complain: Complain
    ) -> None:
        super().__init__(name, complain)
        self.newest: dict[str, int] = {}
        """The exchange time of the newest print received, by symbol."""
        self._symbols = frozenset(symbols)
        self._ledger = ledger
        self._order = NEVER
        self._prints: set[tuple[Print, Values]] = set()
        """The prints received, each as printed or as corrected."""
        self._retractions: defaultdict[str, set[Print]] = defaultdict(set)
        """The prints that were retracted while they were here, by the kind of event."""
        self._early: defaultdict[str, set[Print]] = defaultdict(set)
        """The prints that were retracted before they came."""
        self._since: dict[str, int] = {}
        """The time of publication of the first print received, by symbol."""
        self._checked: Counter[tuple[str, bool]] = Counter()
        """How many prints, and how many retractions, have been found complete."""
        self._gaps = {symbol: Gaps() for symbol in symbols}

    @property
    def gaps(self) -> int:
        """How many gaps there have been."""
        return sum(gaps.count for gaps in self._gaps.values())

    def event(self, kind: str, data: Mapping[str, Any]) -> None:
        """Check an event of a tape."""
        match kind:
            case "trade":
                self._in_order(kind, data)
                self._trade(data)
            case "correction" | "cancel":
                self._in_order(kind, data)
                self._retraction(kind, data)
            case "gap":
                for topic in data["topics"]:
                    self._gap(topic, data)

    def missing(self, before: int) -> list[str]:
        """Return the prints published before a time that are neither here nor in a gap.

        Those that are here or in a gap are not looked at again.
        """
        found: dict[str, None] = {}  # a retracted print is looked at twice
        for symbol, since in self._since.items():
            for is_retraction in (False, True):
                rows = (self._ledger.retractions if is_retraction else self._ledger.prints)[symbol]
                index = self._checked[symbol, is_retraction]
                for print_ in rows[index:]:
                    if _time(print_, is_retraction) >= before:
                        break
                    problem = self._missing(print_) if print_.published > since else None
                    if problem:
                        found[f"{self._name}: {problem}"] = None
                        break
                    self._checked[symbol, is_retraction] += 1
        return list(found)

    def forgive(self, before: int) -> None:
        """Accept the losses before a time, which have been complained of."""
        for symbol in self._since:
            for is_retraction in (False, True):
                rows = (self._ledger.retractions if is_retraction else self._ledger.prints)[symbol]
                index = self._checked[symbol, is_retraction]
                while index < len(rows) and _time(rows[index], is_retraction) < before:
                    index += 1
                self._checked[symbol, is_retraction] = index

    def _missing(self, print_: Print) -> str | None:
        """Return the words for a print of which something is missing."""
        is_here = (print_, print_.values) in self._prints
        is_replaced = print_.corrected is not None and (print_, print_.corrected) in self._prints
        is_cancelled = print_ in self._retractions["cancel"]
        if print_.retracted is None:
            is_complete = is_here
        elif print_.corrected is None:
            # A print that the stream lost and that was voided since need not be shown at all.
            is_complete = not is_here or is_cancelled
        else:
            is_complete = print_ in self._retractions["correction"] or (
                is_replaced and (is_cancelled or not is_here)
            )
        times = (print_.published, print_.at, print_.retracted or print_.published)
        is_excused = self._is_swallowed(print_.symbol, times) or self._is_forgotten(print_)
        if is_complete or is_excused or self._gaps[print_.symbol].cover(times):
            return None
        shown = {"here": is_here, "replaced": is_replaced, "cancelled": is_cancelled}
        return f"{print_} is incomplete: {shown}, and no gap covers it"

    def _is_forgotten(self, print_: Print) -> bool:
        """Return whether a print was retracted when no ingest could know that it had been shown."""
        return print_.retracted is not None and any(
            print_.published < at and abs(print_.retracted - at) < HANDOVER_NS
            for at in self._ledger.emptied
        )

    def _is_swallowed(self, symbol: str, times: Collection[int]) -> bool:
        return any(
            start <= at <= end
            for start, end, of in self._ledger.swallowed
            for at in times
            if of == symbol or (of is None and not is_other(symbol))
        )

    def _in_order(self, kind: str, data: Mapping[str, Any]) -> None:
        order = order_of(data["event_id"])
        if order <= self._order:
            self.wrong(f"{kind} {dict(data)} after {'-'.join(map(str, self._order))}")
        self._order = max(order, self._order)
        if gaps := self._gaps.get(str(data["symbol"])):
            gaps.close(rfc3339.parse(data["timestamp"]))

    def _trade(self, data: Mapping[str, Any]) -> None:
        symbol, at = str(data["symbol"]), rfc3339.parse(data["timestamp"])
        # A print of an odd frame, which the ledger does not know. Its id may be unreadable.
        if at == ODD_NS:
            return
        trade_id = None if data["id"] is None else int(data["id"])
        values = Values(trade_id, data["price"], data["size"])
        print_ = self._ledger.of(symbol, data["exchange"], at, values)
        if symbol not in self._symbols or print_ is None:
            self.wrong(f"a trade that was never printed: {dict(data)}")
            return
        self.newest[symbol] = max(at, self.newest.get(symbol, 0))
        self._since.setdefault(symbol, print_.published)
        if (print_, values) in self._prints:
            self.wrong(f"a print came twice: {dict(data)}")
        elif values == print_.corrected and print_ in self._retractions["correction"]:
            self.wrong(f"a correction came as a trade as well: {dict(data)}")
        self._prints.add((print_, values))
        if (tuple(data["conditions"]), data["tape"]) != (print_.conditions, print_.tape):
            self.wrong(f"conditions or tape differ: {dict(data)} and {print_}")
        if data["eligible"] != print_.counts:
            self.wrong(f"eligible differs: {dict(data)} and {print_}")
        marks = (data.get("taker_side"), data.get("delayed", False))
        if marks != (print_.taker, is_option_symbol(symbol)):
            self.wrong(f"taker_side or delayed differs: {dict(data)} and {print_}")

    def _retraction(self, kind: str, data: Mapping[str, Any]) -> None:
        """Check a cancel or a correction: once, and before its print at most once more.

        A print that is fetched after its cancel is shown and cancelled again, in this order.
        """
        print_ = self._retracted(kind, data)
        if print_ is None:
            self.wrong(f"a {kind} that was never published: {dict(data)}")
            return
        is_here = (print_, print_.values) in self._prints
        known = (self._retractions if is_here else self._early)[kind]
        # It changes nothing any more, and a missing one would.
        may_repeat = any((print_.retracted or 0) < at for at in self._ledger.emptied)
        if print_ in known and not may_repeat:
            self.wrong(f"a {kind} came twice: {dict(data)}")
        elif kind == "cancel" and print_ in self._retractions["correction"] and not may_repeat:
            self.wrong(f"a cancel of a print that was corrected: {dict(data)}")
        elif is_here and kind == "correction" and (print_, print_.corrected) in self._prints:
            self.wrong(f"a correction of values that came as a trade: {dict(data)}")
        known.add(print_)

    def _retracted(self, kind: str, data: Mapping[str, Any]) -> Print | None:
        """Return the print that a cancel or a correction means."""
        original = Values(int(data["original_id"]), data["original_price"], data["original_size"])
        for print_ in self._ledger.retractions[str(data["symbol"])]:
            if (print_.exchange, print_.values) == (data["exchange"], original):
                if kind == "cancel":
                    return print_
                if print_.corrected == Values(int(data["id"]), data["price"], data["size"]):
                    return print_
        return None

    def _gap(self, topic: str, data: Mapping[str, Any]) -> None:
        kind, _, symbol = topic.partition(":")
        if kind != "trade":
            return
        if symbol not in self._symbols:
            self.wrong(f"a gap of {topic}, which it did not ask for")
            return
        self._gaps[symbol].add(data, self.newest.get(symbol, 0))


def _time(print_: Print, is_retraction: bool) -> int:
    """Return the time (unix ns) at which a print or its retraction was published."""
    return (is_retraction and print_.retracted) or print_.published
