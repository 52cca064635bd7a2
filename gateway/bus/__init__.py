"""Everything that a gateway reads from Redis and writes to it. No other package knows Redis."""
