"""``python -m gateway``: one gateway in a separate process."""

import asyncio
import gc
import sys

import structlog

from gateway.service import GatewayService
from gateway.settings import GatewayProcessSettings
from shared import large_blocks, logs, process
from shared.bus.errors import BusUnusableError
from shared.bus.redis_source import RedisSource
from shared.first_error import first_error
from shared.settings import SettingsError

GC_THRESHOLDS = (5_000, 20, 1_000)
"""Ten thousand streams are a million objects, none of them garbage. With Python's own thresholds,
searching them took a third of the CPU of a reconnect storm (bench/fanout, scene e). But the newest
are searched often: a search of 50,000 holds the streams up for 10 ms (bench hostile)."""


def main() -> int:
    """Read the settings, then serve until SIGTERM."""
    try:
        settings = GatewayProcessSettings.load()
    except SettingsError as error:
        return process.refuse("gateway", str(error))
    logs.configure(settings.log_level, settings.log_format, "gateway")
    large_blocks.keep_out_of_heap()
    gc.set_threshold(*GC_THRESHOLDS)
    try:
        service = GatewayService.bind(
            settings, RedisSource(settings.redis_url, settings.redis_namespace)
        )
    except OSError as error:
        return process.refuse(
            "gateway", f"PORT: {settings.host}:{settings.port} cannot be used: {error.strerror}"
        )
    structlog.get_logger().info("gateway_starting", url=f"http://{settings.host}:{service.port}")

    async def run(stop: asyncio.Event) -> int:
        unusable: BusUnusableError | None = None
        try:
            await service.run(stop)
        except* BusUnusableError as group:
            unusable = first_error(group)
        if unusable is None:
            return 0
        structlog.get_logger().error("redis_unusable", message=f"REDIS_URL: {unusable}")
        return process.EXIT_SETTINGS

    return process.run(run)


if __name__ == "__main__":
    sys.exit(main())
