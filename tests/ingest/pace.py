"""Other waits and limits for the attempts to connect than in production, and no streamed bars."""

import asyncio

import pytest

from ingest.upstream import reconnect_pace
from ingest.upstream.reconnect_pace import Patience
from simulator.tape.bar_schedule import BarSchedule


def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again at once, whatever the failure."""
    monkeypatch.setattr(reconnect_pace, "FIRST_WAITS", ((0.0, 0.0),))
    for name in ("SLOT_WAIT", "KEPT_SOCKET_SLOT_WAIT", "OTHERS_SLOT_WAIT", "TOO_MANY_WAIT"):
        monkeypatch.setattr(reconnect_pace, name, (0.0, 0.0))
    for name in ("URGENT_WAIT_SECONDS", "LONG_OUTAGE_WAIT_SECONDS", "LONGEST_WAIT_SECONDS"):
        monkeypatch.setattr(reconnect_pace, name, 0.0)


def patient_for(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait so long for each answer while connecting, at every attempt."""
    monkeypatch.setattr(reconnect_pace, "PATIENCE", (Patience(seconds, seconds),))


def no_bars_streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the simulator's stream send no bars at their times: REST alone has them."""

    async def run(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(BarSchedule, "run", run)
