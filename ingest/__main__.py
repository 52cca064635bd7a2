"""``python -m ingest``: the process that owns the connections to Alpaca."""

import asyncio
import sys
from collections.abc import Sequence

import structlog

from ingest.bus.lease import AnotherOwnerError
from ingest.capture.capture_file import CaptureError
from ingest.record_option import Recording, add_record
from ingest.service import IngestService
from ingest.settings import IngestProcessSettings
from ingest.upstream.upstream_error import UpstreamError
from shared import large_blocks, logs, process
from shared.bus.errors import BusUnusableError
from shared.bus.redis_source import RedisSource
from shared.option_parser import OptionParser
from shared.settings import SettingsError


def main(arguments: Sequence[str] = ()) -> int:
    """Read the options and the settings, then lead or stand by until SIGTERM."""
    parser = OptionParser("ingest", "The process that owns the connections to Alpaca.")
    add_record(parser)
    record: str | None = parser.parse_args(arguments).record
    try:
        settings = IngestProcessSettings.load()
    except SettingsError as error:
        return process.refuse("ingest", str(error))
    logs.configure(settings.log_level, settings.log_format, "ingest")
    large_blocks.keep_out_of_heap()
    source = RedisSource(settings.redis_url, settings.redis_namespace)
    try:
        recording = Recording(record, settings.access)
    except CaptureError as error:
        return process.refuse("ingest", str(error))
    service = IngestService(settings, settings.access, source, recording.recorder)

    async def run(stop: asyncio.Event) -> int:
        try:
            async with recording:
                await service.run(stop)
        except UpstreamError as error:
            structlog.get_logger().error("alpaca_rejected", error=str(error), code=error.code)
            return process.EXIT_SETTINGS
        except AnotherOwnerError as error:
            structlog.get_logger().error("redis_has_another_account", message=str(error))
            return process.EXIT_SETTINGS
        except BusUnusableError as error:
            structlog.get_logger().error("redis_unusable", message=f"REDIS_URL: {error}")
            return process.EXIT_SETTINGS
        return 0

    return process.run(run)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
