"""The streams of options, and the form of their symbols. Pure.

Sources: docs.alpaca.markets/docs/real-time-option-data for the channels and the errors,
docs.alpaca.markets/docs/about-market-data-api for the plans' limits. A limit of the channel of
trades is not documented.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final, TypeGuard

from simulator.protocol.subscription import Feed

OPTION_SYMBOL: Final = re.compile(r"([A-Z]{1,5}[0-9]?)([0-9]{6})([CP])([0-9]{8})", re.ASCII)
"""Root, expiry, type and strike in thousandths of a dollar: the OCC's symbol with no padding."""

OPTION_CHANNELS: Final = ("trades", "quotes")

INDICATIVE: Final = Feed(
    "indicative",
    "/v1beta1/indicative",
    OPTION_CHANNELS,
    symbols=OPTION_SYMBOL,
    starless=("quotes",),
    is_msgpack_only=True,
)
OPRA: Final = replace(INDICATIVE, name="opra", path="/v1beta1/opra", plans=frozenset({"plus"}))
OPTION_FEEDS: Final = (INDICATIVE.name, OPRA.name)
"""Their names."""

QUOTE_LIMITS: Final[Mapping[str, int]] = {"basic": 200, "plus": 1000}
"""The number of contracts whose quotes a plan allows."""


def option_feeds(plan: str, limits: Mapping[str, int]) -> tuple[Feed, Feed]:
    """Return both streams for a plan; `limits` replaces or adds limits of channels."""
    allowed = {"quotes": QUOTE_LIMITS[plan], **limits}
    return replace(INDICATIVE, channel_limits=allowed), replace(OPRA, channel_limits=allowed)


def is_option_symbol(value: object) -> TypeGuard[str]:
    """Return whether this has the form of a contract's symbol, such as `SPY230901C00470000`."""
    return isinstance(value, str) and OPTION_SYMBOL.fullmatch(value) is not None
