"""Trading days as plain numbers, cheap enough for every print."""

# 03:00 UTC is after New York's last session (20:00) and before its midnight, when Alpaca's daily
# bars start, in summer and in winter.
BOUNDARY_NS = 3 * 3600 * 1_000_000_000
DAY_NS = 24 * 3600 * 1_000_000_000


def day_of(unix_ns: int) -> int:
    """Return the number of the trading day that a moment belongs to."""
    return (unix_ns - BOUNDARY_NS) // DAY_NS
