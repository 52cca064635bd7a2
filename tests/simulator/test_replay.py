import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.protocol.wire import Outgoing
from simulator.tape.recording import Row, Sidecar, Tape
from simulator.tape.replay import Replay

START = 1_700_000_000_000_000_000
MS = 1_000_000


class Time:
    """A clock that moves when the replay sleeps, and ends the run after a while."""

    def __init__(self, *, stop_after: int, oversleep: int = 0) -> None:
        self.now = START
        self._end = START + stop_after
        self._oversleep = oversleep

    def clock(self) -> int:
        return self.now

    async def sleep(self, seconds: float) -> None:
        if seconds > 0:
            self.now += max(1, round(seconds * 1_000_000_000)) + self._oversleep
        if self.now > self._end:
            raise asyncio.CancelledError


class Listening:
    def __init__(self, time: Time) -> None:
        self._time = time
        self.batches: list[tuple[int, list[int]]] = []
        self.ids: list[object] = []

    def publish(self, messages: Sequence[Outgoing]) -> None:
        times = [message.message["t"] for message in messages]
        self.batches.append((self._time.now, [time for time in times if isinstance(time, int)]))
        self.ids += [message.message.get("i") for message in messages]

    @property
    def times(self) -> list[int]:
        return [time - START for _, batch in self.batches for time in batch]


def tape(*offsets: int, **fields: object) -> Tape:
    rows = [Row(at, {"T": "t", "i": None, "S": "SPY", "t": 0, **fields}) for at in offsets]
    return Tape(Path("made.jsonl"), tuple(rows), Sidecar())


async def play(
    made: Tape,
    *,
    for_: int = 10_000 * MS,
    oversleep: int = 0,
    **options: Any,
) -> tuple[Listening, Replay]:
    time = Time(stop_after=for_, oversleep=oversleep)
    heard = Listening(time)
    options = {"loop": False, **options}
    replay = Replay(made, heard.publish, clock=time.clock, sleep=time.sleep, **options)
    with suppress(asyncio.CancelledError):
        await replay.run()
    return heard, replay


async def test_times_move_to_now_and_gaps_are_kept() -> None:
    heard, replay = await play(tape(0, 5 * MS, 5 * MS, 900 * MS))

    assert heard.times == [0, 5 * MS, 5 * MS, 900 * MS]
    assert [len(batch) for _, batch in heard.batches] == [1, 2, 1]
    assert replay.state() == {"row": 4, "loop": 0, "rows": 4}


async def test_a_shift_by_minutes_keeps_the_tapes_minutes_in_each_round() -> None:
    # START is 20 s after a minute. The tape begins 10 s before one, and ends 5 s after the next.
    recorded = 90 * 60_000 * MS + 50_000 * MS
    rows = tuple(
        Row(at, {"T": "t", "i": None, "S": "SPY", "t": recorded + at})
        for at in (0, 9_000 * MS, 11_000 * MS, 31_000 * MS, 75_000 * MS)
    )
    made = Tape(Path("made.jsonl"), rows, Sidecar())
    heard, replay = await play(made, shift="minutes", loop=True, for_=150_000 * MS)

    first = START // (60_000 * MS)
    minutes = [(START + offset) // (60_000 * MS) - first for offset in heard.times]
    assert minutes == [-1, -1, 0, 0, 1, 1, 1, 2, 2]
    assert heard.times[0] == replay.begins - START == -30_000 * MS
    # What is past at the start is published at once, with its times.
    assert heard.batches[0] == (START, [START + at * MS for at in (-30_000, -21_000, -19_000)])
    assert all(max(batch) <= at for at, batch in heard.batches)


async def test_at_another_speed_nothing_is_aligned() -> None:
    heard, replay = await play(tape(0, 900 * MS), speed=2, shift="minutes")

    assert replay.begins == START
    assert heard.times == [0, 450 * MS]


async def test_speed_divides_the_gaps() -> None:
    heard, _ = await play(tape(0, 5 * MS, 900 * MS), speed=10)

    assert heard.times == [0, MS // 2, 90 * MS]


async def test_what_is_late_goes_out_in_one_batch_with_its_own_times() -> None:
    heard, _ = await play(tape(0, 10 * MS, 20 * MS, 30 * MS, 500 * MS), oversleep=25 * MS)

    assert [len(batch) for _, batch in heard.batches] == [1, 3, 1]
    assert heard.times == [0, 10 * MS, 20 * MS, 30 * MS, 500 * MS]


async def test_a_loop_starts_over_with_growing_times_and_new_ids() -> None:
    heard, replay = await play(tape(0, 10 * MS, 20 * MS), loop=True, for_=75 * MS)

    assert heard.times == [0, 10 * MS, 20 * MS, 30 * MS, 40 * MS, 50 * MS, 60 * MS, 70 * MS]
    assert heard.ids == [1, 2, 3, 4, 5, 6, 7, 8]
    assert replay.state() == {"row": 2, "loop": 2, "rows": 3}


async def test_a_tape_in_order_of_arrival_keeps_its_order_and_its_late_times() -> None:
    heard, _ = await play(tape(0, 50 * MS, 30 * MS, 60 * MS))

    assert heard.times == [0, 50 * MS, 30 * MS, 60 * MS]
    assert [at - START for at, _ in heard.batches] == [0, 50 * MS, 60 * MS]


async def test_ids_of_the_tape_are_kept() -> None:
    heard, _ = await play(tape(0, 1, i=77))

    assert heard.ids == [77, 77]


async def test_ids_can_repeat_in_each_round_and_thrice_on_the_exchange_d() -> None:
    venues = ("D", "D", "V", "D", "D", "V")
    rows = tuple(
        Row(at * MS, {"T": "t", "i": None, "S": "SPY", "t": 0, "x": venue})
        for at, venue in enumerate(venues)
    )
    made = Tape(Path("made.jsonl"), rows, Sidecar())
    heard, _ = await play(made, loop=True, repeat_ids=True, for_=2 * len(venues) * MS)

    assert heard.ids[:12] == [1, 1, 1, 1, 2, 2] * 2


@pytest.mark.parametrize("offsets", [(0,), (0, 0, 0)])
async def test_a_loop_without_any_gap_still_takes_time(offsets: tuple[int, ...]) -> None:
    heard, replay = await play(tape(*offsets), loop=True, for_=10_000 * MS)

    assert replay.round > 1
    assert len(heard.times) == len(offsets) * (replay.round + 1) or replay.row == 0


@given(
    st.lists(st.integers(0, 10**9), min_size=1, max_size=30),
    st.floats(0.1, 1000),
    st.integers(0, 10**8),
)
def test_nothing_is_sent_before_it_is_due(gaps: list[int], speed: float, oversleep: int) -> None:
    offsets = [sum(gaps[:n]) for n in range(len(gaps))]
    heard, _ = asyncio.run(play(tape(*offsets), speed=speed, oversleep=oversleep, for_=10**12))

    assert len(heard.times) == len(gaps)
    assert all(max(batch) <= at for at, batch in heard.batches)
    assert heard.times == sorted(heard.times)
