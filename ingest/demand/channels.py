"""The channels of an upstream stream as data: a new kind of message is one more row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from shared.markets import MarketName
from shared.topics import BARS as BAR_KINDS
from shared.topics import BOOK, DAY_BAR, IMBALANCE, LULD, PRICE, QUOTE, STATUS, TRADE

TRADES = "trades"
QUOTES = "quotes"
STATUSES = "statuses"
LULDS = "lulds"
IMBALANCES = "imbalances"
BARS = "bars"
UPDATED_BARS = "updatedBars"
DAILY_BARS = "dailyBars"
ORDERBOOKS = "orderbooks"

MINUTES = BAR_KINDS - {DAY_BAR}
"""The kinds of bars that are made of minutes."""


@dataclass(frozen=True)
class UpstreamChannel:
    """One channel of a stream, by the name that a subscribe request uses.

    ``kinds`` are the kinds of topics whose viewers need the channel. ``counted``: its symbols take
    slots of the plan's symbol limit. ``follows``: the channel has no viewers; it is subscribed for
    the symbols that are acknowledged on the named channel. ``optional``: if Alpaca rejects the
    channel, the ingest gives it up and blames no symbol. ``beside``: its symbols are subscribed on
    the named channel as well, as far as slots are free: they take none from others. ``unnamed``:
    the vendor's answers may not name it, and a request counts as accepted unless it is rejected.
    ``separate``: a counted channel whose slots are its own, so that no other one takes them.
    """

    name: str
    kinds: frozenset[str] = frozenset()
    counted: bool = True
    follows: str | None = None
    optional: bool = False
    beside: str | None = None
    unnamed: bool = False
    separate: bool = False


STOCK_CHANNELS: Sequence[UpstreamChannel] = (
    UpstreamChannel(TRADES, kinds=frozenset({PRICE, STATUS, TRADE})),
    UpstreamChannel(QUOTES, kinds=frozenset({QUOTE})),
    # Halts concern the symbols that trade here. Some feeds lack the channel (405, 409, 410).
    UpstreamChannel(STATUSES, counted=False, follows=TRADES, optional=True),
    # Whether bands take slots is unknown. They are of the symbols that trade, and also subscribed
    # for those that may be halted.
    UpstreamChannel(LULDS, kinds=frozenset({LULD}), counted=False, optional=True),
    # The documented answers list all other channels, and this one in none of them.
    UpstreamChannel(
        IMBALANCES, kinds=frozenset({IMBALANCE}), counted=False, optional=True, unnamed=True
    ),
    # No slot is needed for bars: 518 symbols were accepted on a plan of 30. Larger bars are folded
    # from those of minutes. Only trades move a bar before its end.
    UpstreamChannel(BARS, kinds=MINUTES, counted=False, optional=True, beside=TRADES),
    UpstreamChannel(UPDATED_BARS, counted=False, follows=BARS, optional=True),
    UpstreamChannel(
        DAILY_BARS, kinds=frozenset({DAY_BAR}), counted=False, optional=True, beside=TRADES
    ),
)
"""The channels of a stock stream, the most important first: the order in which they get slots."""

CRYPTO_CHANNELS: Sequence[UpstreamChannel] = (
    *STOCK_CHANNELS[:2],
    # On the Basic plan ten symbols had books in 2022; the number is undocumented now.
    UpstreamChannel(ORDERBOOKS, kinds=frozenset({BOOK}), counted=False, optional=True),
    *STOCK_CHANNELS[-3:],
)
"""The channels of a crypto stream: it has no statuses, bands, corrections and cancels."""

OPTION_CHANNELS: Sequence[UpstreamChannel] = (
    # No limit for trades is known. Quotes have one: 200 contracts on the Basic plan.
    UpstreamChannel(TRADES, kinds=frozenset({PRICE, STATUS, TRADE}), separate=True),
    UpstreamChannel(QUOTES, kinds=frozenset({QUOTE}), separate=True),
)
"""The channels of an option stream, all that it has."""

CHANNELS: Mapping[MarketName, Sequence[UpstreamChannel]] = MappingProxyType(
    {"stocks": STOCK_CHANNELS, "crypto": CRYPTO_CHANNELS, "options": OPTION_CHANNELS}
)
"""The channels of each market's stream."""

TEST_CHANNELS: Sequence[UpstreamChannel] = STOCK_CHANNELS[:2]
"""The channels of Alpaca's test stream."""


PRICED = frozenset({TRADES, QUOTES})
"""The channels of symbols whose price clients see."""


def channel_of_kind(market: MarketName, kind: str) -> str | None:
    """Return the name of the channel that a market's topics of a kind need, or None."""
    return _CHANNEL_OF_KIND.get((market, kind))


_CHANNEL_OF_KIND = {
    (market, kind): channel.name
    for market, channels in CHANNELS.items()
    for channel in channels
    for kind in channel.kinds
}
