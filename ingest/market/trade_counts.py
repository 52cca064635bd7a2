"""Counts of the trades that did not move the last price, and of those withdrawn later."""

import msgspec

from ingest.market.conditions import unknown_codes
from ingest.market.prints import Trade

_MOST_CODES = 100


class TradeCounts(msgspec.Struct):
    """Running totals."""

    ineligible: int = 0
    late: int = 0
    repeated: int = 0
    """Streamed again, or after REST or the leader before had shown them."""
    quarantined: int = 0
    """Outside the sessions or far off the last price, including those that were believed later."""

    corrected: int = 0
    cancelled: int = 0
    unknown_conditions: dict[str, int] = msgspec.field(default_factory=dict)
    """By ``tape:code``; beyond a hundred codes under ``other``."""

    def count_ineligible(self, trade: Trade) -> None:
        """Count a trade that its conditions exclude, and its unknown codes."""
        self.ineligible += 1
        unknown = self.unknown_conditions
        for code in unknown_codes(trade.tape, trade.conditions or ()):
            key = f"{trade.tape}:{code}"
            if key not in unknown and len(unknown) >= _MOST_CODES:
                key = "other"
            unknown[key] = unknown.get(key, 0) + 1
