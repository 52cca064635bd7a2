"""Every kind of fault: how often, how long, and how it is done.

HTTP 429 is none of them, since it is answered with a wait of 90 s, nor are the errors that end an
ingest for good.
"""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from ingest.bus.lease import BESIDE_STANDBY_SECONDS
from ingest.upstream.reconnect_pace import PATIENCE
from shared.bus.keys import LEASE_MILLISECONDS
from tests.chaos.plan import Fault, Odds, Step
from tests.chaos.programs import Service
from tests.chaos.settings import SPLIT
from tests.chaos.simulated import SIMULATED
from tests.chaos.striking import Strike
from tests.chaos.system import NEWCOMERS, System
from tests.chaos.tape import QUIET

QUIET_AFTER_SECONDS = 0.2
KILLED_WITHIN_SECONDS = 0.5

LEASE_SECONDS = LEASE_MILLISECONDS / 1000 + BESIDE_STANDBY_SECONDS
"""How long a leader that is cut from Redis keeps Alpaca's slot."""
ATTEMPT_SECONDS = PATIENCE[0].connect

AWAY_SECONDS = 0.7
"""Enough for many prints, before the loss of Redis' data and after it."""

Inflict = Callable[[System, float], Awaitable[float]]
"""Does it, for so many seconds; returns the monotonic time from which recovery counts."""


class Kind(NamedTuple):
    """How often a fault is drawn, how long it lasts, and how it is done."""

    odds: Odds
    inflict: Inflict


async def inflict(system: System, step: Step) -> float:
    """Inject all faults of a step; trade the quiet symbols and fill orders in the meantime.

    They are one of a stock, one of a pair and one of a contract.

    Returns the monotonic time from which the recovery of the last one counts.
    """
    async with asyncio.TaskGroup() as tasks:
        struck = [tasks.create_task(_inflict_one(system, fault)) for fault in step]
        await asyncio.sleep(min(fault.after for fault in step) + QUIET_AFTER_SECONDS)
        await system.trading.one_of(QUIET)
        await system.trading.bot.fill_each()
    return max(task.result() for task in struck)


async def _inflict_one(system: System, fault: Fault) -> float:
    await asyncio.sleep(fault.after)
    return await KINDS[fault.kind].inflict(system, fault.seconds)


async def _service(system: System, target: str) -> Service:
    if target == "leader":
        return await system.leader()
    if target == "standby":
        return await system.standby()
    return system.gateways[int(target.removeprefix("gateway_")) - 1]


def _end(target: str, by: signal.Signals) -> Inflict:
    async def do(system: System, _: float) -> float:
        return await (await _service(system, target)).end(by)

    return do


def _pause(target: str) -> Inflict:
    async def do(system: System, seconds: float) -> float:
        return await (await _service(system, target)).pause(seconds)

    return do


def _redis(*command: str) -> Inflict:
    async def do(system: System, _: float) -> float:
        sent = time.monotonic()
        await system.ask(*command)
        return sent

    return do


async def _kill_valkey(system: System, seconds: float) -> float:
    back = await system.valkey.die(seconds)
    system.ledger.emptied.append(time.time_ns())
    return back


async def _flushall(system: System, _: float) -> float:
    sent = time.monotonic()
    await system.ask("FLUSHALL")
    system.ledger.emptied.append(time.time_ns())
    return sent


def _while_away(lose: Inflict) -> Inflict:
    """Lose Redis' data, and publish, while the clients of ordered topics are disconnected."""

    async def do(system: System, seconds: float) -> float:
        clients = list(system.whole_clients)[1:]
        for client in clients:
            client.go_away()
        try:
            await asyncio.sleep(AWAY_SECONDS)
            struck = await lose(system, seconds)
            await asyncio.sleep(AWAY_SECONDS)
        finally:
            for client in clients:
                client.come_back()
        return max(struck, time.monotonic())

    return do


async def _stop_valkey(system: System, seconds: float) -> float:
    return await system.valkey.pause(seconds)


async def _fill_valkey(system: System, seconds: float) -> float:
    """Let Redis reject every write with OOM: what the ingest cannot keep has to become a gap."""
    return await system.valkey.fill(seconds)


async def _stop_ingests(system: System, seconds: float) -> float:
    """Pause both ingests."""
    return max(await asyncio.gather(*(service.pause(seconds) for service in system.ingests)))


async def _cut_leader_from_redis(system: System, seconds: float) -> float:
    """Let the leader's bytes to Redis vanish. The standby cannot lead before the lease ends."""
    link = (await system.leaders_network()).redis
    link.cut()
    system.repair_later(link, seconds)
    return time.monotonic() + min(seconds, LEASE_SECONDS)


async def _cut_leader_from_alpaca(system: System, seconds: float) -> float:
    """Reset the leader's connections to Alpaca, and let the bytes of new ones vanish.

    That shows only when the first attempt has reached its limit.
    """
    link = (await system.leaders_network()).alpaca
    link.cut(reset=True)
    system.repair_later(link, seconds)
    return time.monotonic() + min(seconds, ATTEMPT_SECONDS)


async def _kill_everything(system: System, seconds: float) -> float:
    """Kill all programs and Valkey in a random order; return when all have started again."""
    before = [(service, service.starts) for service in system.services]

    async def end(service: Service) -> None:
        await asyncio.sleep(system.trading.dice.uniform(0, KILLED_WITHIN_SECONDS))
        await service.end(signal.SIGKILL)

    async with asyncio.TaskGroup() as tasks:
        for service in system.services:
            tasks.create_task(end(service))
        await asyncio.sleep(system.trading.dice.uniform(0, KILLED_WITHIN_SECONDS))
        await _kill_valkey(system, seconds)
    system.ledger.forgotten = time.time_ns()
    await asyncio.gather(*(service.is_back(starts) for service, starts in before))
    return time.monotonic()


async def _new_symbols(system: System, _: float) -> float:
    system.join_with_new_symbols()
    return time.monotonic()


async def _wrong_adjustment(system: System, seconds: float) -> float:
    """Adjust bars for splits that never were, and let clients ask for them for the first time."""
    for symbol, ratio in (*zip(NEWCOMERS, (2.0, 0.5, 4.0, 3.0), strict=False), ("IBM", 0.1)):
        system.simulator.faults.adjustment(symbol, ratio=ratio, seconds=seconds)
    system.join_with_new_symbols()
    return time.monotonic()


async def _late_adjustment(system: System, seconds: float) -> float:
    """Adjust no bar for the split of today, while another ingest reads them."""
    system.split_is_late()
    system.simulator.faults.adjustment(SPLIT, seconds=seconds)
    return await (await system.leader()).end(signal.SIGTERM)


async def _fewer_symbols(system: System, _: float) -> float:
    system.leave()
    return time.monotonic()


def _at_simulator(kind: str, strike: Strike) -> Inflict:
    async def do(system: System, seconds: float) -> float:
        struck = time.monotonic()
        lasts = await strike(system.simulator.faults, system.trading, seconds)
        system.strikes.note(kind, missed=lasts is None)
        return struck + (lasts or 0.0)

    return do


PROGRAMS: dict[str, Kind] = {
    f"{verb}_{target}": kind
    for target, weight in (("leader", 4), ("standby", 2), ("gateway_1", 2), ("gateway_2", 2))
    for verb, kind in (
        ("kill", Kind(Odds(weight), _end(target, signal.SIGKILL))),
        ("term", Kind(Odds(weight), _end(target, signal.SIGTERM))),
        ("stop", Kind(Odds(weight, (1, 5)), _pause(target))),
    )
}
STORE: dict[str, Kind] = {
    "kill_valkey": Kind(Odds(4, (0, 2)), _kill_valkey),
    "stop_valkey": Kind(Odds(4, (1, 4)), _stop_valkey),
    "drop_subscribers": Kind(Odds(3), _redis("CLIENT", "KILL", "TYPE", "pubsub")),
    "drop_redis_clients": Kind(Odds(3), _redis("CLIENT", "KILL", "TYPE", "normal")),
    "stall_valkey": Kind(Odds(1, (5, 12)), _stop_valkey),
    "full_valkey": Kind(Odds(3, (1, 6)), _fill_valkey),
    "flushall": Kind(Odds(4), _flushall),
    "kill_valkey_while_away": Kind(Odds(3, (0, 2)), _while_away(_kill_valkey)),
    "flushall_while_away": Kind(Odds(3), _while_away(_flushall)),
}
DEMAND: dict[str, Kind] = {
    "new_symbols": Kind(Odds(4), _new_symbols),
    "fewer_symbols": Kind(Odds(3), _fewer_symbols),
    "wrong_adjustment": Kind(Odds(2, (3, 8)), _wrong_adjustment),
    "late_adjustment": Kind(Odds(1, (3, 8)), _late_adjustment),
}
NETWORK: dict[str, Kind] = {
    "stop_ingests": Kind(Odds(2, (1, 5)), _stop_ingests),
    "cut_leader_from_redis": Kind(Odds(2, (1, 12)), _cut_leader_from_redis),
    "cut_leader_from_alpaca": Kind(Odds(2, (1, 12)), _cut_leader_from_alpaca),
    "kill_everything": Kind(Odds(1, (0, 1)), _kill_everything),
}
UPSTREAM: dict[str, Kind] = {
    name: Kind(odds, _at_simulator(name, strike)) for name, (odds, strike) in SIMULATED.items()
}
KINDS: dict[str, Kind] = {**PROGRAMS, **STORE, **NETWORK, **DEMAND, **UPSTREAM}
