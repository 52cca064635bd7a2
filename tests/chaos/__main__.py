"""``make chaos``: random faults, and exit status 0 if nothing was broken by them."""

import argparse
import asyncio
import signal
import sys
import time

from tests.chaos import plan
from tests.chaos.faults import KINDS
from tests.chaos.run import Terms, Verdict, run


def say(line: str) -> None:
    """Print at once, also into a pipe."""
    print(line, flush=True)  # noqa: T201 - this is a command


def main() -> int:
    """Run the command line; return the exit status."""
    arguments = _parser().parse_args()
    try:
        steps = (
            plan.read(arguments.replay, KINDS)
            if arguments.replay
            else plan.draw(
                arguments.seed, arguments.faults, {name: kind.odds for name, kind in KINDS.items()}
            )
        )
    except ValueError as error:
        sys.exit(str(error))
    count = sum(map(len, steps))
    say(f"{count} faults in {len(steps)} steps, seed {arguments.seed}: {plan.written(steps)}")
    say("     recovery  no price     quiet    others     whole  faults")
    terms = Terms(
        steps,
        arguments.seed,
        retractions=not arguments.no_retractions,
        quiet=not arguments.no_quiet,
        keep_going=arguments.keep_going,
    )
    begun = time.monotonic()
    try:
        verdict = asyncio.run(_until_told(terms))
    except (KeyboardInterrupt, asyncio.CancelledError):
        say("stopped; everything is ended")
        return 130
    return _conclude(verdict, terms, count, time.monotonic() - begun)


async def _until_told(terms: Terms) -> Verdict:
    """Run it; SIGTERM ends everything as Ctrl-C does."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await run(terms, say)


def _conclude(verdict: Verdict, terms: Terms, count: int, seconds: float) -> int:
    for line in verdict.too_slow:
        say(f"TOO SLOW: {line}")
    if not verdict.broken and verdict.too_slow:
        say(f"FAILED after {seconds:.0f} s: nothing was broken, but the recovery was too slow")
        return 1
    if not verdict.broken:
        say(f"ok: {count} faults in {seconds:.0f} s, nothing was broken by them")
        return 0
    done = plan.written([recovery.step for recovery in verdict.recoveries])
    say(f"FAILED after {seconds:.0f} s: {len(verdict.broken)} complaints, the first:")
    say(verdict.broken[0])
    flags = ("" if terms.retractions else " --no-retractions") + (
        "" if terms.quiet else " --no-quiet"
    )
    say(f"replay: python -m tests.chaos --seed {terms.seed}{flags} --replay '{done}'")
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--faults", type=int, default=200, help="how many (%(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="of the plan and the tape")
    parser.add_argument("--replay", metavar="PLAN", help="a written plan instead of a drawn one")
    parser.add_argument("--no-retractions", action="store_true", help="no cancels or corrections")
    parser.add_argument("--no-quiet", action="store_true", help="ask nothing of quiet symbols")
    parser.add_argument("--keep-going", action="store_true", help="do not stop at a failure")
    return parser


if __name__ == "__main__":
    sys.exit(main())
