"""The run of the Redis server: a server that starts again may have lost its newest data."""

from typing import Any

from redis.asyncio import Redis

from shared.bus.errors import BusRejectedError, bus_errors

UNKNOWN_RUN = ""


async def server_run(client: Redis) -> str:
    """Return the id of the server's present run; ``UNKNOWN_RUN`` if it does not report one.

    Raises:
        BusUnreachableError: Redis does not answer.
    """
    try:
        with bus_errors():
            answer: Any = await client.info(section="server")
    except BusRejectedError:  # fakeredis has none; a hosted server may forbid the command
        return UNKNOWN_RUN
    return str(answer.get("run_id", UNKNOWN_RUN))
