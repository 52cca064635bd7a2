"""``python -m bench fanout``: runs the scenes and reports."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import psutil
from redis.asyncio import Redis

from bench.fanout import machine, nginx, page, report
from bench.fanout.load import load_client
from bench.fanout.requirements import verdicts
from bench.fanout.results import Results
from bench.fanout.scenes import SCENES, Bench
from bench.fanout.servers import NCHAN, OURS, QUEUES, Start, gateways, nchan, queue_per_client
from shared.bus.valkey_server import ValkeyServer
from tests.programs import ROOT

REDIS_SECONDS = 10.0
ALL_CLIENTS = 10_000


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench fanout", description=__doc__)
    parser.add_argument("--scene", nargs="+", choices=SCENES, default=list(SCENES), metavar="a-g")
    parser.add_argument("--seconds", type=float, default=10, help="of each window of traffic")
    parser.add_argument("--clients", type=int, default=ALL_CLIENTS, help="at most, in every scene")
    parser.add_argument("--write", action="store_true", help=f"write {page.PAGE}")
    given = parser.parse_args(arguments)
    whole = set(given.scene) == set(SCENES) and given.clients >= ALL_CLIENTS
    if given.write and not (whole and nginx.missing() is None):
        parser.error(f"{page.PAGE} shows all scenes, clients and servers of one run")
    return given


async def play(scenes: Sequence[str], seconds: float, most: int, *, pinned: bool) -> Results:
    """Run scenes one after the other, and print each when it has ended."""
    results = Results()
    async with AsyncExitStack() as parts:
        valkey = await parts.enter_async_context(ValkeyServer())
        redis = await parts.enter_async_context(
            Redis.from_url(valkey.url, protocol=2, socket_timeout=REDIS_SECONDS)
        )
        starts: dict[str, Start] = {OURS: lambda: gateways(redis, valkey.url)}
        if nginx.missing() is None:
            starts[NCHAN] = nchan
        starts[QUEUES] = lambda: queue_per_client(redis, valkey.url)
        bench = Bench(
            load=await parts.enter_async_context(load_client()),
            redis=redis,
            url=valkey.url,
            starts=starts,
            others=(psutil.Process(), psutil.Process(valkey.pid)),
            pinned=pinned,
            seconds=seconds,
            most=most,
        )
        for scene in scenes:
            await SCENES[scene](bench, results)
            print(
                f"{scene}: {report.TITLES[scene]}\n\n{report.tables(scene, results)}\n", flush=True
            )
    return results


async def _until_told(given: argparse.Namespace, *, pinned: bool) -> Results:
    """Run the scenes; end everything on SIGTERM as on Ctrl-C."""
    playing = asyncio.current_task()
    assert playing is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, playing.cancel)
    return await play(given.scene, given.seconds, given.clients, pinned=pinned)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit status."""
    given = _arguments(arguments)
    machine.raise_file_limit()
    pinned = machine.keep_first_core_for_servers()
    missing = nginx.missing()
    if missing is not None:
        print(f"{NCHAN} is left out: {missing}", flush=True)
    try:
        results = asyncio.run(_until_told(given, pinned=pinned))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 1
    if given.clients >= ALL_CLIENTS:
        print(f"{report.requirements(verdicts(results))}\n")
    print(report.disturbance(results))
    if given.write:
        content = page.text(
            results,
            machine=machine.described(),
            day=datetime.now(UTC).date(),
            command=f"python -m bench fanout --seconds {given.seconds:g} --write",
            pinned=pinned,
        )
        (ROOT / page.PAGE).write_text(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
