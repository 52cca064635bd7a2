"""``python -m standalone``: Valkey, ingest, gateway and, if there are no keys, the simulator.

The only module that imports them all: the quickest way to try Tapecast, and to develop it.
"""

import asyncio
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, Self

import structlog
from pydantic import Field, model_validator

from gateway.composition import Surroundings
from gateway.service import GatewayService
from gateway.settings import GatewaySettings
from ingest.bus.lease import AnotherOwnerError
from ingest.capture.capture_file import CaptureError
from ingest.record_option import Recording, add_record
from ingest.service import IngestService
from ingest.settings import AlpacaAccess, IngestSettings
from ingest.upstream.upstream_error import UpstreamError
from shared import logs, process
from shared.bus.errors import BusUnusableError
from shared.bus.redis_source import RedisSource
from shared.bus.settings import MEMORY_URL
from shared.bus.valkey_server import ValkeyError, ValkeyServer
from shared.first_error import first_error
from shared.option_parser import OptionParser
from shared.settings import SettingsError
from simulator import DEFAULT_KEY, DEFAULT_SECRET
from simulator.capture.capture_file import CaptureError as UnreadableCaptureError
from simulator.capture.settings import CaptureSettings
from simulator.crypto.book_tape import GEMINI
from simulator.options.recording import SHIPPED_OPTION_CHAINS, SHIPPED_OPTION_TAPE
from simulator.service import Simulator, SimulatorSettings

SIMULATOR_PORT = 7300

EXAMPLE_ORDER = '{"symbol":"BAC","qty":"137","side":"buy","type":"market","time_in_force":"day"}'
EXAMPLE_SYMBOLS = "SPY,IBM,BAC,AIG"


class StandaloneSettings(GatewaySettings, IngestSettings):
    """The settings of all parts, none of them required: see ``docs/reference.md``."""

    # No balancer stands before it, and Ctrl-C should not take five seconds.
    lame_duck_seconds: float = Field(0, ge=0, le=300)

    @model_validator(mode="after")
    def _both_keys_or_none(self) -> Self:
        kind = "ALPACA_PAPER_" if self.alpaca_paper else "ALPACA_"
        pair = (
            (self.alpaca_paper_api_key, self.alpaca_paper_secret_key)
            if self.alpaca_paper
            else (self.alpaca_api_key, self.alpaca_secret_key)
        )
        if (pair[0] is None) != (pair[1] is None):
            missing = "API_KEY" if pair[0] is None else "SECRET_KEY"
            raise ValueError(f"{kind}{missing} is not set: set both keys, or neither")
        return self


class Options(NamedTuple):
    """The command line: the capture to write, and the one to replay."""

    record: str | None = None
    replay: CaptureSettings | None = None


async def run(settings: StandaloneSettings, options: Options, stop: asyncio.Event) -> int:
    """Run everything until ``stop`` is set; return the exit status."""
    async with AsyncExitStack() as parts:
        url, valkey = settings.redis_url, None
        if url is None:
            valkey = await parts.enter_async_context(ValkeyServer())
            url = valkey.url
        source = RedisSource(url, settings.redis_namespace)
        access, simulator = settings.access, None
        if access is None or options.replay is not None:
            simulator = await _simulator(parts, settings, options.replay)
            access = _simulated_access(simulator, settings)
        # Bound before anything is started, so that a port in use ends the program with its reason.
        gateway = GatewayService.bind(settings, source, _surroundings(simulator))
        recording = await parts.enter_async_context(Recording(options.record, access))
        print(_welcome(settings, source, gateway.port, valkey, simulator), flush=True)  # noqa: T201
        ended = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as tasks:
                servers = [tasks.create_task(part.run()) for part in (valkey,) if part is not None]
                if simulator is not None:
                    servers.append(tasks.create_task(simulator.serve_forever()))
                ingest_service = IngestService(settings, access, source, recording.recorder)
                ingest = tasks.create_task(ingest_service.run(ended))
                # Each part ends before the parts that it needs for that: the gateway sends its
                # streams a "bye", then the ingest releases its lease, then Valkey stops.
                await tasks.create_task(gateway.run(stop))
                ended.set()
                await ingest
                for server in servers:
                    server.cancel()
        except* UpstreamError as group:
            structlog.get_logger().error("alpaca_rejected", error=str(first_error(group)))
            return_status = process.EXIT_SETTINGS
        except* AnotherOwnerError as group:
            error = first_error(group)
            structlog.get_logger().error("redis_has_another_account", message=str(error))
            return_status = process.EXIT_SETTINGS
        except* BusUnusableError as group:
            reason = f"REDIS_URL: {first_error(group)}"
            structlog.get_logger().error("redis_unusable", message=reason)
            return_status = process.EXIT_SETTINGS
        else:
            return_status = 0
    return return_status


async def _simulator(
    parts: AsyncExitStack, settings: StandaloneSettings, replay: CaptureSettings | None
) -> Simulator:
    """Start it on its documented port, or on a free one."""
    needs_plus = settings.alpaca_feed == "sip" or settings.option_feed == "opra"
    simulated = SimulatorSettings(
        port=SIMULATOR_PORT,
        plan="plus" if needs_plus else "basic",
        history=True,
        crypto_tape=GEMINI,
        option_tape=SHIPPED_OPTION_TAPE,
        option_chains=SHIPPED_OPTION_CHAINS,
        invents=True,
        replay=replay,
    )
    try:
        return await parts.enter_async_context(Simulator(simulated))
    except OSError:  # another standalone runs on this machine
        return await parts.enter_async_context(Simulator(replace(simulated, port=0)))


def _surroundings(simulator: Simulator | None) -> Surroundings:
    """Return those of the gateway, which then names the symbols that the simulator invents."""
    return Surroundings() if simulator is None else Surroundings(is_invented=simulator.is_invented)


def _simulated_access(simulator: Simulator, settings: StandaloneSettings) -> AlpacaAccess:
    return AlpacaAccess(
        key=DEFAULT_KEY,
        secret=DEFAULT_SECRET,
        # A capture has the feed of its recording.
        feed=settings.alpaca_feed if simulator.captured is None else simulator.captured.feed,
        stream_url=simulator.stream_url,
        data_url=simulator.rest_url,
        trading_url=simulator.rest_url,
        crypto_feed=settings.crypto_feed,
        option_feed=settings.option_feed,
    )


def _welcome(
    settings: StandaloneSettings,
    source: RedisSource,
    port: int,
    valkey: ValkeyServer | None,
    simulator: Simulator | None,
) -> str:
    url = f"http://{'[::1]' if settings.host == '::1' else settings.host}:{port}"
    header = '-H "Authorization: Bearer $API_TOKEN" ' if settings.grants else ""
    if simulator is None:
        account = "paper" if settings.alpaca_paper else "live"
        feed = f"Alpaca's {settings.alpaca_feed} feed with your {account} keys"
    elif simulator.captured is not None:
        feed = f"the simulator, which replays {simulator.captured.path}"
    else:
        feed = (
            "the simulator, a morning of October 2013 recorded and replayed as if it were now, "
            "and half a minute of ten pairs of June 2021; prices of other symbols are invented "
            "(no ALPACA_PAPER_API_KEY in the environment or .env)"
        )
    if valkey is not None:
        key = source.keyspace.value("price:SPY")
        store = f"embedded Valkey; to inspect it: redis-cli -p {valkey.port} GET {key}"
    elif source.url.startswith(MEMORY_URL):
        store = "in the memory of this process (fakeredis)"
    else:
        store = source.address
    orders = (
        ""
        if simulator is None or simulator.captured is not None
        else (
            f"  trade   curl -H 'APCA-API-KEY-ID: {DEFAULT_KEY}' "
            f"-H 'APCA-API-SECRET-KEY: {DEFAULT_SECRET}' -d '{EXAMPLE_ORDER}' "
            f"{simulator.rest_url}/v2/orders\n"
        )
    )
    return (
        f"\nTapecast\n"
        f"  prices  {feed}\n"
        f"  store   {store}\n"
        f"  page    {url}/\n"
        f"  stream  curl -N {header}'{url}/api/stream/prices?symbols={EXAMPLE_SYMBOLS}'\n"
        f"  held    curl -N {header}{url}/api/stream/positions\n"
        f"{orders}"
    )


def _parse(arguments: Sequence[str]) -> Options:
    """Read the command line; on a mistake, print it and exit with 2."""
    parser = OptionParser("standalone", "Everything in one process.")
    add_record(parser)
    parser.add_argument(
        "--replay",
        type=Path,
        metavar="FILE",
        help="what such a file has recorded, moved to now, in the place of Alpaca",
    )
    given = parser.parse_args(arguments)
    replay = None if given.replay is None else CaptureSettings(given.replay, "minutes")
    return Options(given.record, replay)


def main(arguments: Sequence[str] = ()) -> int:
    """Read the options and the settings, then run until SIGINT or SIGTERM."""
    options = _parse(arguments)
    try:
        settings = StandaloneSettings.load()
    except SettingsError as error:
        return process.refuse("standalone", str(error))
    logs.configure(settings.log_level, settings.log_format, "standalone")

    async def guarded(stop: asyncio.Event) -> int:
        try:
            return await run(settings, options, stop)
        except (ValkeyError, CaptureError, UnreadableCaptureError) as error:
            return process.refuse("standalone", str(error))
        except OSError as error:
            return process.refuse(
                "standalone",
                f"PORT: {settings.host}:{settings.port} cannot be used: {error.strerror}; "
                "stop the program that listens there, or set another PORT",
            )

    return process.run(guarded)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
