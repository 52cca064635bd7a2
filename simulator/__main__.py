"""`python -m simulator`: the simulator in the foreground, until SIGINT or SIGTERM."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from simulator import DEFAULT_KEY, DEFAULT_SECRET
from simulator.account.ledger import CASH, HOLDINGS
from simulator.capture.capture_file import CaptureError
from simulator.capture.settings import CaptureSettings
from simulator.crypto.book_tape import GEMINI
from simulator.options.recording import SHIPPED_OPTION_CHAINS, SHIPPED_OPTION_TAPE
from simulator.service import Simulator
from simulator.settings import SimulatorSettings
from simulator.tape.hours import AlwaysOpen, NyseHours
from simulator.tape.recording import SHIPPED, TapeError
from simulator.tape.shift import SHIFTS

_HOURS = {"always": AlwaysOpen, "nyse": NyseHours}


def parse_arguments(arguments: Sequence[str]) -> SimulatorSettings:
    """Read the command line; on a mistake, print it and exit with 2."""
    parser = argparse.ArgumentParser(
        prog="python -m simulator",
        description="Alpaca's streams and a little REST on loopback, from recorded tapes.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=7300, help="port to listen on; 0 = any")
    _add_tapes(parser)
    _add_capture(parser)
    flag = argparse.BooleanOptionalAction
    parser.add_argument("--plan", choices=("basic", "plus"), default="basic", help="the plan")
    _add_bars(parser)
    parser.add_argument("--news", action=flag, default=True, help="whether the plan has news")
    parser.add_argument("--symbol-limit", type=int, help="instead of the plan's own limit")
    parser.add_argument(
        "--crypto-symbol-limit", type=int, help="the limit on pairs; by default there is none"
    )
    parser.add_argument(
        "--ghost-seconds",
        type=float,
        default=0.0,
        help="how long a dropped connection keeps its slot; at Alpaca about 90",
    )
    parser.add_argument("--hours", choices=tuple(_HOURS), default="always", help="market hours")
    parser.add_argument("--cash", type=int, default=CASH, help="the account's dollars at the start")
    parser.add_argument(
        "--positions", action=flag, default=True, help="whether it starts with positions"
    )
    parser.add_argument("--key", default=DEFAULT_KEY, help="the API key to accept")
    parser.add_argument("--secret", default=DEFAULT_SECRET, help="its secret")
    given = vars(parser.parse_args(arguments))
    given["hours"] = _HOURS[given["hours"]]()
    given["cash"] = Decimal(given["cash"])
    given["positions"] = HOLDINGS if given["positions"] else ()
    if given.pop("options"):
        given |= {"option_tape": SHIPPED_OPTION_TAPE, "option_chains": SHIPPED_OPTION_CHAINS}
    try:
        return SimulatorSettings(**_with_capture(given))
    except ValueError as error:
        parser.error(str(error))


def _add_tapes(parser: argparse.ArgumentParser) -> None:
    """Add the recordings, and how they are replayed."""
    flag = argparse.BooleanOptionalAction
    parser.add_argument("--tape", type=Path, default=SHIPPED, help="a .jsonl or .jsonl.gz file")
    parser.add_argument(
        "--crypto-tape",
        type=lambda text: None if text == "none" else Path(text),
        default=GEMINI,
        help="a .jsonl or .jsonl.gz file of pairs, or none",
    )
    parser.add_argument(
        "--options", action=flag, default=True, help="whether it has the recorded options"
    )
    parser.add_argument(
        "--invent",
        action=flag,
        default=False,
        dest="invents",
        help="whether symbols that are on no tape have invented trades and quotes",
    )
    parser.add_argument("--speed", type=float, default=1.0, help="the divisor of the tape's pauses")
    parser.add_argument("--loop", action=flag, default=True, help="restart at the tape's end")
    parser.add_argument(
        "--repeat-ids", action=flag, default=False, help="whether invented trade ids repeat"
    )


def _add_capture(parser: argparse.ArgumentParser) -> None:
    """Add the options of a capture."""
    parser.add_argument(
        "--replay",
        type=Path,
        metavar="FILE",
        help="a capture that an ingest has recorded, in the place of tape, account and market",
    )
    parser.add_argument(
        "--patience",
        type=float,
        default=CaptureSettings.patience_seconds,
        help="seconds for which a capture waits for a client's connection or request",
    )


def _with_capture(given: dict[str, Any]) -> dict[str, Any]:
    """Return the settings with those of a capture, if one is to be replayed."""
    file, patience, shift = given.pop("replay"), given.pop("patience"), given["shift"]
    given["shift"] = shift or "minutes"
    if file is not None:
        given["replay"] = CaptureSettings(file, shift or "none", patience)
    return given


def _add_bars(parser: argparse.ArgumentParser) -> None:
    """Add the options on which bars depend."""
    parser.add_argument(
        "--shift",
        choices=SHIFTS,
        help="what moves the times to now at speed 1; of a tape minutes, of a capture none "
        "(default)",
    )
    parser.add_argument(
        "--history",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="whether REST has bars from before the tape",
    )


async def serve(settings: SimulatorSettings) -> None:
    """Run until a signal arrives or a part of the simulator fails."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with Simulator(settings) as simulator:
        sys.stdout.write(
            f"simulator: {simulator.stream_url} (REST {simulator.rest_url}), "
            f"{_source(settings)}, key {settings.key}, secret {settings.secret}\n"
        )
        sys.stdout.flush()
        serving = asyncio.create_task(simulator.serve_forever())
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if serving.done():
            serving.result()
        serving.cancel()


def _source(settings: SimulatorSettings) -> str:
    if settings.replay is not None:
        return f"capture {settings.replay.path}"
    return f"tape {settings.tape}, crypto tape {settings.crypto_tape}"


def main(arguments: Sequence[str]) -> int:
    """Return the exit code: 0 after a signal, 2 if tape, capture or address is unusable."""
    settings = parse_arguments(arguments)
    try:
        asyncio.run(serve(settings))
    except (TapeError, CaptureError, OSError) as error:
        sys.stderr.write(f"simulator: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
