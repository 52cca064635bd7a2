"""A symbol that cannot be claimed is stale; its published state comes back when it can."""

import json
from typing import Any

from gateway.fanout.status_channel import StatusChannel
from gateway.wire.event import Event
from shared import message, symbol_status
from shared.event_id import NEVER, EventId
from shared.symbol_status import SymbolState, SymbolStatus

NOW = "2013-10-09T13:30:00Z"


def channel(state: SymbolState | None = None, seq: int = 1) -> StatusChannel:
    """Return a channel whose stored value has been read: a state, or none."""
    made = StatusChannel("status:SPY")
    made.loaded.set()
    if state is not None:
        publish(made, state, seq)
    return made


def publish(made: StatusChannel, state: SymbolState, seq: int) -> bool:
    status = SymbolStatus(symbol="SPY", state=state, reason=None, since=NOW)
    event_id = EventId(1, seq)
    return made.apply(event_id, message.stamp(event_id, symbol_status.encode(status)))


def shown(made: StatusChannel) -> tuple[str, str] | None:
    """Return the state that clients are shown, and the id of its event."""
    event: Event | None = made.event
    if event is None:
        return None
    data: dict[str, Any] = json.loads(event.payload)
    assert data["event_id"] == "{}-{}".format(*event.event_id)
    return data["state"], data["event_id"]


def test_a_mark_is_newer_than_the_state_and_the_state_comes_back_newer_than_the_mark() -> None:
    spy = channel("live", seq=3)

    spy.mark(EventId(1, 8), "Redis rejects the claim: OOM", NOW)
    marked = shown(spy)
    spy.unmark(EventId(1, 9))

    assert (marked, shown(spy)) == (("stale", "1-8"), ("live", "1-9"))


def test_a_mark_states_its_reason() -> None:
    spy = channel()

    spy.mark(EventId(1, 8), "Redis rejects the claim: OOM", NOW)

    assert spy.event is not None
    assert json.loads(spy.event.payload) == {
        "event_id": "1-8",
        "symbol": "SPY",
        "state": "stale",
        "reason": "Redis rejects the claim: OOM",
        "since": NOW,
        "notice": None,
        "short_sale_restricted": None,
        "short_sale_as_of": None,
    }


def test_a_symbol_without_a_state_can_be_marked_before_any_event() -> None:
    spy = channel()

    spy.mark(NEVER, "OOM", NOW)
    marked = shown(spy)
    publish(spy, "live", 1)

    assert (marked, shown(spy)) == (("stale", "0-0"), ("live", "1-1"))


def test_a_state_that_the_ingest_publishes_later_stands_while_attempts_to_claim_go_on() -> None:
    spy = channel("quiet", seq=3)
    spy.mark(EventId(1, 8), "OOM", NOW)

    publish(spy, "live", 9)  # another gateway has claimed the symbol
    spy.mark(EventId(1, 10), "OOM", NOW)
    spy.unmark(EventId(1, 11))

    assert shown(spy) == ("live", "1-9")


def test_a_mark_waits_for_the_stored_state_and_for_a_newer_id() -> None:
    unread, newest = StatusChannel("status:SPY"), channel("live", seq=3)

    unread.mark(EventId(1, 8), "OOM", NOW)
    newest.mark(EventId(1, 3), "OOM", NOW)

    assert (shown(unread), shown(newest)) == (None, ("live", "1-3"))
    newest.mark(EventId(1, 4), "OOM", NOW)
    assert shown(newest) == ("stale", "1-4")


def test_only_the_published_state_is_written_back_to_redis() -> None:
    spy, never = channel("live", seq=3), channel()
    published = spy.packed()

    spy.mark(EventId(1, 8), "OOM", NOW)
    never.mark(EventId(1, 8), "OOM", NOW)

    assert published is not None
    assert (spy.packed(), never.packed()) == (published, None)
    spy.unmark(EventId(1, 9))
    assert spy.packed() == published


def test_a_published_state_of_another_version_leaves_the_mark() -> None:
    spy = channel()
    spy.apply(EventId(1, 3), b'{"event_id":"1-3","symbol":"SPY"}')

    spy.mark(EventId(1, 8), "OOM", NOW)
    spy.unmark(EventId(1, 9))

    assert shown(spy) == ("stale", "1-8")
