"""The known state of orders, against which REST's list reveals missed updates. Pure."""

from collections import OrderedDict
from collections.abc import Iterable
from typing import NamedTuple

from shared import rfc3339
from shared.order import Leg, Order, OrderUpdate

REMEMBERED = 2_000

ON_ITS_WAY_NS = 5_000_000_000
"""The time in which the stream may still deliver an update that REST already shows."""

FILLS = frozenset({"fill", "partial_fill"})
"""The events of an execution."""

_TOLERANCE = 1e-9
"""The difference of two quantities, computed as floats, that is none."""

_EVENTS = {"filled": "fill", "partially_filled": "partial_fill"}
"""The events that lead to a status, if they have another name."""


class _Known(NamedTuple):
    status: str | None
    filled: float
    at: int
    recovered: bool


class LostExecutions(NamedTuple):
    """Executions of an order between two times (unix ns) that no update has brought."""

    since: int
    until: int


class OrderLog:
    """The newest state of each order that was announced.

    ``begun``: unix ns; an older update that no leader announced stays unannounced.
    """

    def __init__(self, begun: int) -> None:
        self._begun = begun
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._early: list[OrderUpdate] = []
        """The updates that came before ``restore``: what preceded them is not known yet."""
        self._is_restored = False
        self._lost: list[LostExecutions] = []

    def restore(self, updates: Iterable[OrderUpdate], whole_since: int | None = None) -> None:
        """Accept the updates that earlier leaders announced, oldest first.

        ``whole_since``: unix ns; the updates are all that were announced since then. A change after
        that which is not among them is news. None: a change after the newest of them is.
        """
        received, self._known = self._known, OrderedDict()
        for update in updates:
            self._note(update)
            self._begun = rfc3339.to_nanoseconds(update.timestamp)
        if whole_since is not None:
            self._begun = min(self._begun, whole_since)
        early, self._early, self._is_restored = self._early, [], True
        checked: set[str] = set()
        for update in early:
            if update.order.id not in checked:
                self._note_lost(update)
            checked.add(update.order.id)
        # The stream may have delivered newer updates while Redis was read.
        self._known |= received

    def on_update(self, update: OrderUpdate) -> OrderUpdate | None:
        """Record a trade update; return it, or None if REST has already shown as much."""
        known, changed = self._known.get(update.order.id), _changed_at(update)
        if known is not None and known.recovered and changed <= known.at:
            return None
        if self._is_restored:
            self._note_lost(update)
        else:
            self._early.append(update)
        self._note(update)
        return update

    def take_lost(self) -> list[LostExecutions]:
        """Return, once, the losses that updates have revealed.

        An order is filled in parts, and the broker's stream or the leader before this one ended
        after one of them. If the next update of the order comes before REST's list is read, the
        list has nothing new.
        """
        lost, self._lost = self._lost, []
        return lost

    def on_orders(
        self, rows: Iterable[Order], now_ns: int, streaming_since_ns: int
    ) -> list[OrderUpdate]:
        """Accept REST's orders; return the updates that the stream has missed, oldest first.

        Both times are unix ns. ``streaming_since_ns``: since then the stream has had no break.

        Raises:
            ValueError: a time is invalid.
        """
        news = []
        for row in sorted(rows, key=changed_at):
            at, known = changed_at(row), self._known.get(row.id)
            # Not news: an unknown order that changed before ``begun``, or a known state.
            if at < self._begun if known is None else _same(known, row):
                continue
            # REST is often ahead of the stream, whose update has the execution's price.
            if at >= streaming_since_ns and at > now_ns - ON_ITS_WAY_NS:
                continue
            event = recovered_event(row)
            self._note(event)
            news.append(event)
        return news

    def _note_lost(self, update: OrderUpdate) -> None:
        """Note a loss if the order had more executions before an update than were announced."""
        before, known = _executed_before(update), self._known.get(update.order.id)
        if before is None:
            return
        if known is not None:
            if before > known.filled + _TOLERANCE * max(1.0, before):
                self._lost.append(LostExecutions(known.at, _changed_at(update)))
            return
        # An order from before the beginning, or the successor of another, may start with some, and
        # among thousands it may be forgotten.
        submitted, is_heir = update.order.submitted_at, update.order.replaces is not None
        if before <= _TOLERANCE or submitted is None or is_heir or len(self._known) >= REMEMBERED:
            return
        if (since := rfc3339.to_nanoseconds(submitted)) >= self._begun:
            self._lost.append(LostExecutions(since, _changed_at(update)))

    def _note(self, event: OrderUpdate) -> None:
        at = _changed_at(event)
        self._note_state(event.order, at, recovered=event.recovered)
        # The stream announces a leg of a bracket with its order, for example as held, and its later
        # changes on their own. Such a change may be lost (Lean.Brokerages.Alpaca #28), so it stays
        # news even if the order's own events show it.
        for leg in () if event.recovered else event.order.legs:
            if leg.id not in self._known:
                changed = rfc3339.to_nanoseconds(leg.updated_at) if leg.updated_at else at
                self._note_state(leg, changed, recovered=False)

    def _note_state(self, order: Leg, at: int, *, recovered: bool) -> None:
        self._known[order.id] = _Known(order.status, order.filled_qty or 0, at, recovered)
        self._known.move_to_end(order.id)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)


def _executed_before(update: OrderUpdate) -> float | None:
    """Return the quantity that was executed before an update; None if that is unreadable."""
    filled = update.order.filled_qty
    if filled is None or update.event not in FILLS:
        return filled
    return None if update.qty is None else filled - update.qty


def recovered_event(row: Order) -> OrderUpdate:
    """Return the event for an order whose state in REST is newer than the announced one.

    Raises:
        ValueError: its time is invalid.
    """
    status = row.status or ""
    return OrderUpdate(
        event=_EVENTS.get(status, status),
        symbol=row.symbol or "",
        timestamp=rfc3339.from_nanoseconds(changed_at(row)),
        order=row,
        recovered=True,
    )


def changed_at(order: Leg) -> int:
    """Return the time of an order's last change, unix ns.

    Raises:
        ValueError: it has no valid time.
    """
    return rfc3339.to_nanoseconds(order.updated_at or order.submitted_at or "")


def _changed_at(update: OrderUpdate) -> int:
    return rfc3339.to_nanoseconds(update.order.updated_at or update.timestamp)


def _same(known: _Known, row: Order) -> bool:
    # An unreadable filled quantity is no news.
    filled = known.filled if row.filled_qty is None else row.filled_qty
    return (known.status, known.filled) == (row.status, filled)
