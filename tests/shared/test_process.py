import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shared import process
from tests.limits import LIMIT_SECONDS

ROOT = Path(__file__).parents[2]

SLOW_TO_END = """
import asyncio, sys
from shared import process

async def main(stop):
    print("up", flush=True)
    await stop.wait()
    print("stopping", flush=True)
    if {hangs}:
        await asyncio.Event().wait()
    return {status}

sys.exit(process.run(main))
"""


async def _started(*, status: int, hangs: bool) -> asyncio.subprocess.Process:
    running = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        SLOW_TO_END.format(status=status, hangs=hangs),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert await _line(running) == "up"
    return running


async def _line(running: asyncio.subprocess.Process) -> str:
    assert running.stdout is not None
    async with asyncio.timeout(LIMIT_SECONDS):
        return (await running.stdout.readline()).decode().strip()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_lets_the_process_finish_with_its_own_status(number: signal.Signals) -> None:
    running = await _started(status=7, hangs=False)

    running.send_signal(number)
    _, errors = await asyncio.wait_for(running.communicate(), LIMIT_SECONDS)

    assert running.returncode == 7
    assert errors == b""


THREADS_THAT_HANG = """
import asyncio, sys, threading
from shared import process

async def main(stop):
    threading.Thread(target=threading.Event().wait).start()
    asyncio.get_running_loop().run_in_executor(None, threading.Event().wait)
    sys.stdout.write("last words")
    sys.stderr.write("last log")
    return 7

sys.exit(process.run(main))
"""


def test_no_thread_delays_the_end_and_no_last_word_is_lost() -> None:
    command = [sys.executable, "-c", THREADS_THAT_HANG]
    ran = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=LIMIT_SECONDS
    )

    assert (ran.returncode, ran.stdout, ran.stderr) == (7, "last words", "last log")


async def test_a_second_signal_ends_a_process_that_hangs_while_stopping() -> None:
    running = await _started(status=0, hangs=True)
    running.send_signal(signal.SIGTERM)
    assert await _line(running) == "stopping"

    running.send_signal(signal.SIGINT)
    await asyncio.wait_for(running.communicate(), LIMIT_SECONDS)

    assert running.returncode == 1


def test_a_refusal_lists_the_problems_and_is_a_configuration_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert process.refuse("gateway", "PORT: taken\nHOST: unknown") == os.EX_CONFIG

    assert capsys.readouterr().err == "gateway cannot start:\n  PORT: taken\n  HOST: unknown\n"


def test_a_failure_inside_comes_out() -> None:
    ran = subprocess.run(
        [
            sys.executable,
            "-c",
            (
                "from shared import process\nasync def main(_): raise ValueError('broken')\n"
                "process.run(main)"
            ),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_SECONDS,
    )

    assert ran.returncode == 1
    assert "ValueError: broken" in ran.stderr
