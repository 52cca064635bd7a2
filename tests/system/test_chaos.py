"""A short chaos run: what ``make chaos`` does for ten minutes, with the faults that matter most."""

import asyncio
import sys

import psutil

from tests.chaos.faults import KINDS
from tests.chaos.plan import read
from tests.chaos.run import Terms, run
from tests.limits import LIMIT_SECONDS
from tests.services import until

PLAN = (
    "kill_leader@0.1,stop_valkey:1.5@0.1,kill_gateway_1@0.1+drop_subscribers@0,term_leader@0.1,"
    "flushall@0.1,term_gateway_2@0+kill_standby@0,close@0.1,"
    "kill_valkey_while_away:0.2@0.1,slow_client@0.1+news_close@0,"
    "malformed@0+garbage@0.1+huge@0.2,retract_unheard@0.1+torn_report@0.1,"
    "late_updates:1@0+coins@0.1+odd_frame@0.2"
)


async def test_nothing_is_broken_by_twelve_steps_and_nothing_is_left_behind() -> None:
    steps = read(PLAN, KINDS)
    said: list[str] = []
    before = psutil.Process().children(recursive=True)

    verdict = await run(Terms(steps, seed=1), said.append)

    assert verdict.broken == [], "\n".join(said)
    assert [recovery.step for recovery in verdict.recoveries] == steps
    assert verdict.prices_compared > 80
    assert verdict.states_compared > 80
    assert psutil.Process().children(recursive=True) == before


async def test_a_run_that_is_stopped_leaves_nothing_behind() -> None:
    command = [sys.executable, "-m", "tests.chaos", "--replay", "stop_leader:60@0"]
    running = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
    children: list[psutil.Process] = []

    def leader_is_stopped() -> bool:
        children[:] = psutil.Process(running.pid).children(recursive=True)
        return any(child.status() == psutil.STATUS_STOPPED for child in children)

    try:
        await until(leader_is_stopped)
        running.terminate()
        async with asyncio.timeout(LIMIT_SECONDS):
            assert await running.wait() == 130
    finally:
        if running.returncode is None:
            running.kill()
            await running.wait()
    assert len(children) >= 5
    _, alive = psutil.wait_procs(children, timeout=LIMIT_SECONDS)
    assert alive == []
