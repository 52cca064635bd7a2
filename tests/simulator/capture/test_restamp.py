"""The times of a capture, moved to now: minutes stay minutes, days stay days."""

import json
from pathlib import Path
from typing import Any

import httpx
import msgpack
import pytest

from simulator.capture.capture_file import Frame
from simulator.capture.restamp import Restamp
from simulator.protocol import rfc3339
from simulator.protocol.rfc3339 import SECOND
from tests.simulator.capture.written import AT, Capture, client_of, replaying, subscribe

START = rfc3339.parse("2026-10-30T14:30:00Z")
"""A Friday, 10:30 in New York; two days later its clocks are set back."""

MINUTES = Restamp(START, 600 * 60 * SECOND)
DAYS = Restamp(START, rfc3339.parse("2026-11-02T15:30:00Z") - START)


def moved(restamp: Restamp, message: object, *, packed: bool = False) -> Any:
    """Return a message as it comes after a change of its times."""
    if packed:
        return msgpack.unpackb(restamp.frame(Frame(msgpack.packb(message), False)).payload)
    frame = restamp.frame(Frame(json.dumps(message).encode(), True))
    assert frame.is_text
    return json.loads(frame.payload)


@pytest.mark.parametrize(
    ("restamp", "before", "after"),
    [
        (MINUTES, "2026-10-30T14:30:01.00000025Z", "2026-10-31T00:30:01.00000025Z"),
        (MINUTES, "2026-10-30T10:30:01-04:00", "2026-10-31T00:30:01Z"),
        (DAYS, "2026-10-30T14:30:01.5Z", "2026-11-02T15:30:01.5Z"),
        (MINUTES, "2026-10-30", "2026-10-30"),
        (MINUTES, "2026-10-30T14:30:01Z is when it happened", None),
    ],
)
def test_every_time_is_moved_whatever_its_field(
    restamp: Restamp, before: str, after: str | None
) -> None:
    message = [{"T": "t", "t": before, "S": "SPY"}, {"data": {"order": {"filled_at": before}}}]

    found = moved(restamp, message)
    assert found[0] == {"T": "t", "t": after or before, "S": "SPY"}
    assert found[1] == {"data": {"order": {"filled_at": after or before}}}


def test_msgpacks_timestamps_keep_their_nanoseconds_and_everything_else_stays() -> None:
    at = msgpack.Timestamp.from_unix_nano(START + 123_456_789)
    message = [{"T": "t", "i": 1 << 60, "p": 1.1, "c": [" ", "I"], "t": at, "raw": b"\xff"}]

    found = moved(MINUTES, message, packed=True)
    assert found[0].pop("t").to_unix_nano() == START + 123_456_789 + 600 * 60 * SECOND
    assert found == [{k: v for k, v in message[0].items() if k != "t"}]
    assert list(found[0]) == [name for name in message[0] if name != "t"]


@pytest.mark.parametrize("content", [b"\xc1", b"\x91", b"[" * 2000, b"not json", b""])
def test_a_frame_that_cannot_be_decoded_stays_as_it_is(content: bytes) -> None:
    for is_text in (False, True):
        assert MINUTES.frame(Frame(content, is_text)) == Frame(content, is_text)
    assert MINUTES.body(content, None) == content


def test_the_bar_of_a_day_stays_at_a_midnight() -> None:
    day, minute = "2026-10-30T04:00:00Z", "2026-10-30T14:30:00Z"
    snapshot = {
        "SPY": {"dailyBar": {"t": day}, "prevDailyBar": {"t": day}, "minuteBar": {"t": day}}
    }

    assert moved(DAYS, [{"T": "d", "t": day}, {"T": "b", "t": minute}]) == [
        {"T": "d", "t": "2026-11-02T05:00:00Z"},
        {"T": "b", "t": "2026-11-02T15:30:00Z"},
    ]
    # Ten hours later it is the same day in New York.
    assert moved(MINUTES, snapshot) == {
        "SPY": {
            "dailyBar": {"t": day},
            "prevDailyBar": {"t": day},
            "minuteBar": {"t": "2026-10-30T14:00:00Z"},
        }
    }


@pytest.mark.parametrize(
    ("timeframe", "after"),
    [
        ("1Min", "2026-10-30T14:37:00Z"),
        ("5Min", "2026-10-30T14:35:00Z"),
        ("15T", "2026-10-30T14:30:00Z"),
        ("1Hour", "2026-10-30T14:00:00Z"),
        ("1Day", "2026-10-30T14:30:00Z"),
        ("nonsense", "2026-10-30T14:37:00Z"),
        (None, "2026-10-30T14:37:00Z"),
    ],
)
def test_larger_bars_of_rest_stay_at_the_start_of_such_a_bar(
    timeframe: str | None, after: str
) -> None:
    restamp = Restamp(START, 7 * 60 * SECOND)
    body = json.dumps({"bars": {"SPY": [{"t": "2026-10-30T14:30:00Z", "o": 1}]}}).encode()

    assert json.loads(restamp.body(body, timeframe))["bars"]["SPY"] == [{"t": after, "o": 1}]


def test_half_a_character_in_a_text_costs_nothing() -> None:
    body = rb'{"t":"2026-10-30T14:30:00Z","headline":"\ud83d"}'

    assert b"2026-10-31T00:30:00Z" in MINUTES.body(body, None)


DAY = 24 * 3600 * SECOND


@pytest.mark.parametrize(
    ("shift", "passed", "begins"),
    [
        # The first minute is that of the clock; its past part comes at once.
        ("minutes", 3 * DAY + 3600 * SECOND + 7 * SECOND, 3 * DAY + 3600 * SECOND),
        ("days", 3 * DAY, 3 * DAY),
    ],
)
async def test_a_shifted_replay_has_times_of_now_and_the_hours_of_the_simulator(
    tmp_path: Path, shift: str, passed: int, begins: int
) -> None:
    times = [AT + 60_000_000, AT + 70_000_000]
    packed = [{"T": "t", "t": msgpack.Timestamp.from_unix_nano(times[0])}]
    capture = Capture().session(packed, json.dumps([{"T": "t", "t": rfc3339.render(times[1])}]))
    capture.rest("/v2/clock", {"is_open": False})
    capture.rest("/v2/account", {"created_at": rfc3339.render(AT)})
    capture.seconds += 30
    capture.add(kind="stop", reason="the ingest has ended")
    connected = AT + 10_000_000
    async with (
        replaying(capture, tmp_path, shift=shift, now=connected + passed) as simulator,
        httpx.AsyncClient(base_url=simulator.rest_url) as http,
    ):
        account = (await http.get("/v2/account")).json()["created_at"]
        clock = (await http.get("/v2/clock")).json()
        days = (await http.get("/v2/calendar?start=2026-11-30&end=2026-12-01")).json()
        wrong = await http.get("/v2/calendar?start=x")
        async with client_of(simulator) as client:
            await subscribe(client)
            first, second = msgpack.unpackb(await client.recv()), json.loads(await client.recv())

    assert rfc3339.parse(account) == AT + begins
    assert first[0]["t"].to_unix_nano() == times[0] + begins
    assert rfc3339.parse(second[0]["t"]) == times[1] + begins
    assert clock["is_open"]
    assert rfc3339.parse(clock["timestamp"]) // 1000 == (connected + passed) // 1000
    assert [each["open"] for each in days] == ["00:00", "00:00"]
    assert wrong.status_code == 400
