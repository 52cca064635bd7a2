"""``python -m gateway``: one gateway as a process of its own."""

import asyncio
import gc
import sys

import structlog

from gateway.service import GatewayService
from gateway.settings import GatewayProcessSettings
from shared import logs, process
from shared.bus.redis_source import RedisSource
from shared.settings import SettingsError

GC_THRESHOLDS = (50_000, 20, 100)
"""Ten thousand streams are a million objects, none of them garbage: with Python's own thresholds a
third of the CPU of a reconnect storm went into looking (bench/fanout, scene e)."""


def main() -> int:
    """Read the settings, then serve until SIGTERM."""
    try:
        settings = GatewayProcessSettings.load()
    except SettingsError as error:
        return process.refuse("gateway", str(error))
    logs.configure(settings.log_level, settings.log_format, "gateway")
    gc.set_threshold(*GC_THRESHOLDS)
    assert settings.redis_url is not None  # noqa: S101 - checked by the settings
    service = GatewayService(settings, RedisSource(settings.redis_url))
    try:
        port = service.bind()
    except OSError as error:
        return process.refuse(
            "gateway", f"PORT: {settings.host}:{settings.port} cannot be used: {error.strerror}"
        )
    structlog.get_logger().info("gateway starting", url=f"http://{settings.host}:{port}")

    async def run(stop: asyncio.Event) -> int:
        await service.run(stop)
        return 0

    return process.run(run)


if __name__ == "__main__":
    sys.exit(main())
