"""One run: the plan, the steps, the settling, the verdict."""

import gc
import random
import signal
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import httpx

from simulator.protocol import rfc3339
from tests.chaos import report
from tests.chaos.faults import inflict
from tests.chaos.follower import Complain
from tests.chaos.ledger import Last, Ledger
from tests.chaos.markets import CONTRACTS_FEED, PAIRS_FEED, STOCKS_FEED
from tests.chaos.plan import Step, written
from tests.chaos.report import Recovery
from tests.chaos.simulated import SPARE_PRICES
from tests.chaos.system import System, running_system, until
from tests.chaos.tape import QUIET, Tape
from tests.limits import limit

START_SECONDS = limit(120)
RECOVERY_SECONDS = limit(90)
SETTLE_SECONDS = limit(90)
"""A silence that was short enough to be the market's is seen through by REST within that."""
GHOST_SLACK_SECONDS = 1.0
"""An ingest that waits for the slot asks again within this time."""
SHOWN_COMPLAINTS = 6
"""The limit for one step: every client often sees one cause in every symbol."""


class Terms(NamedTuple):
    """What a run is made of.

    ``retractions``: the tape has cancels and corrections. ``quiet``: after each step every client
    has to be right about the symbols that traded while something was wrong and then no more.
    """

    steps: Sequence[Step]
    seed: int
    retractions: bool = True
    quiet: bool = True
    keep_going: bool = False


class Verdict(NamedTuple):
    """The broken invariants, if any, and everything that was measured."""

    broken: list[str]
    recoveries: list[Recovery]
    prices_compared: int
    states_compared: int
    """The number of events of the account that claimed to be right."""
    too_slow: list[str]
    """The requirements on the times of recovery that were not met."""


Say = Callable[[str], None]


class _Complaints:
    """Keeps all of them, and shows the first of each step."""

    def __init__(self, say: Say) -> None:
        self.all: list[str] = []
        self.shown = 0
        self._say = say

    def __call__(self, what: str) -> None:
        self.all.append(what)
        self.shown += 1
        if self.shown <= SHOWN_COMPLAINTS:
            self._say(f"BROKEN: {what}")


async def run(terms: Terms, say: Say) -> Verdict:
    """Run it all; leave nothing behind."""
    complain = _Complaints(say)
    broken = complain.all
    dice = random.Random(terms.seed)  # noqa: S311 - has to be drawn again from its seed
    tape = Tape(Ledger(), dice, retractions=terms.retractions)
    recoveries: list[Recovery] = []
    compared = 0
    gc.disable()  # but between the steps
    async with running_system(tape, complain) as system:
        if await system.recovered(0, START_SECONDS) is None:
            complain("no client has a price after the start")
        for number, step in enumerate(terms.steps, 1):
            if broken and not terms.keep_going:
                break
            recovery = await _go_through(system, step, terms, complain)
            recoveries.append(recovery)
            complain.shown = 0
            say(f"{number:4} {recovery}")
            _collect_garbage()
        if not broken or terms.keep_going:
            compared = await _settle(system, terms, complain)
        for kind in system.strikes.idle_kinds:
            complain(f"no fault of the kind {kind} has found a connection")
        states = _claims(system)
        for line in _conclusion(system, recoveries, compared):
            say(line)
        if broken:
            for service in system.services:
                say(f"--- {service.name}\n{service.output()}")
    return Verdict(broken, recoveries, compared, states, report.too_slow(recoveries))


def _collect_garbage() -> None:
    """Collect the garbage of a step between two steps, and leave older objects alone.

    The simulator and all clients run in this process. Its ledgers grow to millions of objects, and
    a collection of all of them stops it for a second or more, which looks like a slow recovery.
    """
    gc.collect()
    gc.freeze()


async def _go_through(system: System, step: Step, terms: Terms, complain: Complain) -> Recovery:
    async with system.staleness() as stale:
        found = await _recover(system, step, terms, complain)
    seconds = found.seconds
    # Such a fault lasts, but not for the prices: their recovery cannot wait for its end.
    if all(fault.kind in SPARE_PRICES for fault in step):
        seconds = max(seconds, stale.stocks.seconds)
    return found._replace(
        seconds=seconds,
        stale_seconds=stale.stocks.seconds,
        others_stale_seconds=stale.others.seconds,
    )


async def _recover(system: System, step: Step, terms: Terms, complain: Complain) -> Recovery:
    started = time.monotonic()
    struck = await inflict(system, step)
    since = time.time_ns()
    recovered = await system.recovered(since, RECOVERY_SECONDS)
    if recovered is None:
        complain(f"no recovery from {written([step])} within {RECOVERY_SECONDS:g} s")
        recovered = time.monotonic()
    freed = system.simulator.slot_free_at(STOCKS_FEED)
    refused = system.simulator.slot_refused_at(STOCKS_FEED)
    # An ingest was refused nearly to the end: it was the slot that it waited for.
    is_ghost = started < refused and freed - GHOST_SLACK_SECONDS < refused
    right = recovered
    when = f"after {written([step])}"
    if terms.quiet:
        right = await _none_left(lambda: system.differences(QUIET), when, complain)
    others = await _none_left(lambda: system.without_others(since), when, complain)
    whole = await _none_left(lambda: system.incomplete(since), when, complain)
    system.forgive(since)
    await system.repaired()
    seconds = [max(0.0, each - struck) for each in (recovered, right, whole, others)]
    ghost = max(0.0, recovered - max(freed, struck)) if is_ghost else None
    return Recovery(step, seconds[0], seconds[1], seconds[2], ghost, others_seconds=seconds[3])


async def _none_left(problems: Callable[[], list[str]], when: str, complain: Complain) -> float:
    """Wait until nothing is wrong any more, and return the time of that; complain of the rest."""
    found = await until(lambda: not problems(), SETTLE_SECONDS)
    for each in problems() if found is None else ():
        complain(f"{when}: {each}")
    return found or time.monotonic()


async def _settle(system: System, terms: Terms, complain: Complain) -> int:
    """End the trading, wait until every price is right, and return how many were compared."""
    await system.trading.close()
    watched = {symbol for client in system.clients for symbol in client.symbols}
    if not terms.quiet:
        watched.difference_update(QUIET)
    await _none_left(lambda: system.differences(watched), "at the end", complain)
    await _none_left(system.unsettled, "at the end", complain)
    # Day bars are read when another ingest starts to lead, and not at each trade.
    await (await system.leader()).end(signal.SIGTERM)
    await _none_left(system.old_bars, "at the end", complain)
    compared = sum(len(watched.intersection(client.symbols)) for client in system.clients)
    for url in system.urls:
        try:
            stored = await system.stored(url)
        except httpx.HTTPError as error:
            complain(f"GET /api/prices of {url}: {error!r}")
            continue
        compared += len(watched)
        for symbol in sorted(watched):
            if _shown(stored[symbol]) != (last := system.ledger.last(symbol)):
                complain(f"GET /api/prices of {url}: {stored[symbol]}, not {last}")
    return compared


def _shown(price: dict[str, Any]) -> Last | None:
    if price["price"] is None:
        return None
    return Last(rfc3339.parse(price["timestamp"]), price["price"])


def _conclusion(system: System, recoveries: Sequence[Recovery], compared: int) -> list[str]:
    feeds = (STOCKS_FEED, PAIRS_FEED, CONTRACTS_FEED)
    return [
        *report.recoveries(recoveries),
        *(report.upstream(feed, system.simulator.stream_state(feed)) for feed in feeds),
        str(system.strikes),
        *report.memory(system.services),
        (
            f"{system.trading.messages} messages published, {system.events} events at "
            f"{len(system.clients) + len(system.whole_clients)} clients, {compared} last prices "
            f"compared; {system.trading.bot.fills} fills, {_claims(system)} states of the account, "
            f"{_orders(system)} events of orders, {_articles(system)} articles, "
            f"{_views(system)} order books and {_gaps(system)} gaps checked"
        ),
    ]


def _claims(system: System) -> int:
    return sum(client.account.claims for client in system.whole_clients)


def _gaps(system: System) -> int:
    return sum(client.gaps for client in system.whole_clients)


def _orders(system: System) -> int:
    return sum(client.orders.received for client in system.whole_clients)


def _articles(system: System) -> int:
    return sum(client.news.received for client in system.whole_clients)


def _views(system: System) -> int:
    return sum(client.order_book.views for client in system.whole_clients)
