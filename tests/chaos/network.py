"""The ways of one ingest to Redis and to Alpaca, which a fault can cut."""

from typing import NamedTuple

from tests.link import Link


class Network(NamedTuple):
    """The ways of one ingest to Redis and to Alpaca's market data."""

    redis: Link
    alpaca: Link

    def environment(self) -> dict[str, str]:
        """Return the settings of an ingest that uses them."""
        return {
            "REDIS_URL": f"redis://127.0.0.1:{self.redis.port}/0",
            "ALPACA_STREAM_URL": f"ws://127.0.0.1:{self.alpaca.port}",
            "ALPACA_DATA_URL": f"http://127.0.0.1:{self.alpaca.port}",
        }
