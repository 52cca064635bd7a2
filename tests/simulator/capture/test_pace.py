"""The pauses of a capture: kept, divided, and stopped while the replay waits for the client."""

import pytest

from simulator.capture.pace import Pace
from simulator.protocol.rfc3339 import SECOND

START = 1000 * SECOND


class Loop:
    """A clock that moves only when it is slept on."""

    def __init__(self) -> None:
        self.now = 50.0

    def time(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


def pace(loop: Loop, speed: float = 1.0, begin_in: float = 0.0, *, is_anchored: bool) -> Pace:
    return Pace(START, speed, begin_in, is_anchored=is_anchored, time=loop.time, sleep=loop.sleep)


@pytest.mark.parametrize(("speed", "expected"), [(1.0, 57.0), (2.0, 53.5), (0.5, 64.0)])
async def test_pauses_are_kept_divided_by_the_speed(speed: float, expected: float) -> None:
    loop = Loop()
    kept = pace(loop, speed, is_anchored=False)
    await kept.until(START + 3 * SECOND)
    await kept.until(START + 7 * SECOND)

    assert loop.now == expected


@pytest.mark.parametrize(("is_anchored", "expected"), [(False, 68.0), (True, 63.0)])
async def test_a_wait_for_the_client_stops_the_time_unless_times_are_those_of_now(
    is_anchored: bool, expected: float
) -> None:
    loop = Loop()
    kept = pace(loop, is_anchored=is_anchored)
    await kept.until(START + 3 * SECOND)
    loop.now += 10
    assert kept.position == START + 3 * SECOND, "the next record is not known yet"
    kept.resume()
    await kept.until(START + 8 * SECOND)

    assert loop.now == expected


@pytest.mark.parametrize(("begin_in", "expected"), [(30.0, 82.0), (-30.0, 50.0)])
async def test_the_beginning_may_be_later_or_past(begin_in: float, expected: float) -> None:
    loop = Loop()
    await pace(loop, begin_in=begin_in, is_anchored=True).until(START + 2 * SECOND)

    assert loop.now == expected


async def test_the_position_is_between_the_newest_record_and_the_next() -> None:
    loop, seen = Loop(), []

    async def sleep(seconds: float) -> None:
        loop.now += seconds / 2
        seen.append(kept.position)
        loop.now += seconds / 2

    kept = Pace(START, 2.0, 0.0, is_anchored=False, time=loop.time, sleep=sleep)
    assert kept.position == START
    await kept.until(START + 8 * SECOND)

    assert seen == [START + 4 * SECOND]
    assert kept.position == START + 8 * SECOND
    # A record that is older than the one before, by the machine that recorded, is due at once.
    await kept.until(START + 5 * SECOND)
    assert kept.position == START + 8 * SECOND
