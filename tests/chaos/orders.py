"""The order events of a client against the broker's: each update once, or a gap. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from simulator.protocol import rfc3339
from tests.chaos.follower import Complain
from tests.chaos.ordered_topic import OrderedTopic

ORDERS = "orders"

ODD_ORDER = "odd"
"""The order of the simulator's odd frames, which never was."""


@dataclass(eq=False)
class Update:
    """A change of an order: its own time, and that of its publication, in unix nanoseconds."""

    order_id: str
    event: str
    status: str
    filled: Decimal
    at: int
    published: int


class OrderLedger:
    """Every update of every order, in the order in which they happened."""

    def __init__(self, clock: Callable[[], int]) -> None:
        """``clock`` returns unix nanoseconds."""
        self.updates: list[Update] = []
        self._clock = clock
        self._of: dict[str, list[Update]] = {}

    def add(self, data: Mapping[str, Any]) -> None:
        """Note an update, as the broker sends it."""
        order = data["order"]
        update = Update(
            order["id"],
            data["event"],
            order["status"],
            Decimal(order["filled_qty"]),
            rfc3339.parse(order["updated_at"]),
            self._clock(),
        )
        self.updates.append(update)
        self._of.setdefault(update.order_id, []).append(update)

    def of(self, order_id: str) -> Sequence[Update]:
        """Return the updates of an order, oldest first."""
        return self._of.get(order_id, ())


class Orders(OrderedTopic):
    """Follows the orders of one client, which is there before the first order.

    An update that the stream lost is here, too, if REST has shown the order in this state or in a
    later one: an event that is ``recovered`` stands for all changes up to its own. So does any
    later update for changes that executed nothing: REST then has nothing that is not announced.
    """

    def __init__(
        self, name: str, ledger: OrderLedger, emptied: Sequence[int], complain: Complain
    ) -> None:
        """``emptied``: the times (unix ns) at which Redis lost its data."""
        super().__init__(name, ORDERS, ORDERS, emptied, complain)
        self._ledger = ledger
        self._here: set[Update] = set()
        self._recovered: dict[str, int] = {}
        """How many updates of an order are those up to the newest state that REST has shown."""
        self._checked = 0

    def _check(self, data: Mapping[str, Any]) -> None:
        if data["order"]["id"] != ODD_ORDER:
            self._update(data)

    def missing(self, before: int) -> list[str]:
        """Return the first update before a time (unix ns) that is neither here nor in a gap."""
        updates = self._ledger.updates
        while self._checked < len(updates) and (each := updates[self._checked]).published < before:
            is_known = self._is_shown(each) or self._is_repeated(each)
            if not is_known and not self.gaps.cover((each.at, each.published)):
                return [f"{self._name}: {each} did not come, and no gap covers it"]
            self._checked += 1
        return []

    def forgive(self, before: int) -> None:
        """Accept the losses before a time, which have been complained of."""
        self._checked = sum(each.published < before for each in self._ledger.updates)

    def _is_shown(self, update: Update) -> bool:
        up_to = self._recovered.get(update.order_id, 0)
        return update in self._here or update in self._ledger.of(update.order_id)[:up_to]

    def _is_repeated(self, update: Update) -> bool:
        """Return whether a later update repeats the order, and this one executed nothing."""
        of_order = self._ledger.of(update.order_id)
        place = of_order.index(update)
        executed = of_order[place - 1].filled if place else 0
        is_later_here = any(each in self._here for each in of_order[place + 1 :])
        return update.filled == executed and is_later_here

    def _update(self, data: Mapping[str, Any]) -> None:
        of_order = self._ledger.of(data["order"]["id"])
        update = next((each for each in of_order if _is(each, data)), None)
        if update is None:
            self.wrong(f"an update that never was: {dict(data)}")
            return
        self.received += 1
        may_repeat = self._may_repeat(update.published)
        later = [each for each in of_order[of_order.index(update) + 1 :] if self._is_shown(each)]
        if self._is_shown(update) and not may_repeat:
            self.wrong(f"an update came twice: {dict(data)}")
        elif later and not may_repeat:
            self.wrong(f"an order went back: {dict(data)} after {later[-1]}")
        if data["recovered"]:
            shown = of_order.index(update) + 1
            self._recovered[update.order_id] = max(shown, self._recovered.get(update.order_id, 0))
        else:
            self._here.add(update)
            self.gaps.close(update.at)
        self._newest_at = max(update.at, self._newest_at)


def _is(update: Update, data: Mapping[str, Any]) -> bool:
    """Return whether an event shows an update: the stream's, or REST's of the order after it."""
    order = data["order"]
    shown = (rfc3339.parse(order["updated_at"]), order["status"], Decimal(str(order["filled_qty"])))
    is_same = shown == (update.at, update.status, update.filled)
    return is_same and (data["recovered"] or data["event"] == update.event)
