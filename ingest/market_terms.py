"""What distinguishes the markets: their feeds, channels, limits, hours and sources."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from ingest.alpaca import messages, option_messages
from ingest.alpaca.messages import Message
from ingest.capture.tap import Tap
from ingest.demand.channels import (
    CRYPTO_CHANNELS,
    OPTION_CHANNELS,
    QUOTES,
    STOCK_CHANNELS,
    TEST_CHANNELS,
    UpstreamChannel,
)
from ingest.demand.wanted import Demand
from ingest.market.lag import EXPECTED_MS
from ingest.market.last_price import LastPrices
from ingest.market.market_hours import REGULAR, TRADES_IN, MarketHours
from ingest.market.trading_day import PAIR_DAYS, STOCK_DAYS, TradingDays
from ingest.settings import AlpacaAccess, IngestSettings
from ingest.upstream.alpaca_rest import AlpacaRest
from ingest.upstream.alpaca_stream import AlpacaStream
from ingest.upstream.crypto_rest import CryptoRest
from ingest.upstream.hours_refresh import HoursRefresh
from ingest.upstream.market_rest import MarketRest
from ingest.upstream.option_rest import INDICATIVE, OptionRest
from shared.markets import MarketName

TEST_FEED = "test"

OPTION_QUOTES: Mapping[str, int] = MappingProxyType({INDICATIVE: 200, "opra": 1_000})
"""The contracts whose quotes the plans of these feeds allow."""


@dataclass(frozen=True)
class MarketTerms:
    """What distinguishes a market. ``connect`` makes the connection of an attempt.

    ``feed`` is Alpaca's name of it, ``limit`` the plan's number of symbols (None: no limit),
    ``limits`` those of single channels, ``expected_lag_ms`` the delay of its prints.
    ``is_indicative``: its quotes are derived ones. ``decode`` returns the messages of a frame.
    ``hours`` makes the reader of its sessions, if it has some. ``always_needed``: see
    ``MarketHandler``. ``asset_rest`` lists assets that are halted, if trading in this market can be
    halted at all.
    """

    name: MarketName
    feed: str
    rest: MarketRest
    demand: Demand
    prices: LastPrices
    days: TradingDays
    channels: Sequence[UpstreamChannel]
    limit: int | None
    connect: Callable[[], AlpacaStream]
    expected_lag_ms: float = 0.0
    hours: HoursRefresh | None = None
    always_needed: bool = False
    has_books: bool = False
    asset_rest: AlpacaRest | None = None
    is_indicative: bool = False
    limits: Mapping[str, int] = field(default_factory=dict)
    decode: Callable[[bytes | str], Sequence[Message]] = messages.decode


class TermsMaker:
    """Makes the terms of the markets of one leadership; ``tap`` records a stream, by its name."""

    def __init__(
        self,
        settings: IngestSettings,
        access: AlpacaAccess,
        rest: AlpacaRest,
        demands: Mapping[MarketName, Demand],
        prices: Mapping[MarketName, LastPrices],
        tap: Callable[[str], Tap],
    ) -> None:
        self._settings = settings
        self._access = access
        self._rest = rest
        self._demands = demands
        self._prices = prices
        self._tap = tap

    def stocks(self, on_hours: Callable[[], None]) -> MarketTerms:
        """Return the stocks' terms; ``on_hours`` is called when their hours have been read."""
        access, prices = self._access, self._prices["stocks"]

        def apply(hours: MarketHours) -> None:
            prices.hours = hours
            # Options trade in the regular session of their stocks.
            if "options" in self._prices:
                self._prices["options"].hours = hours.within(REGULAR)
            on_hours()

        return MarketTerms(
            name="stocks",
            feed=access.feed,
            rest=self._rest,
            demand=self._demands["stocks"],
            prices=prices,
            days=STOCK_DAYS,
            channels=TEST_CHANNELS if access.feed == TEST_FEED else STOCK_CHANNELS,
            limit=self._settings.symbol_limit,
            connect=self._connector("stocks", access.stock_endpoint),
            # A delayed feed is expected to lag by fifteen minutes.
            expected_lag_ms=EXPECTED_MS.get(access.feed, 0.0),
            hours=HoursRefresh(self._rest, apply, TRADES_IN[access.feed]),
            always_needed=True,
            asset_rest=self._rest,
        )

    def crypto(self, feed: str) -> MarketTerms:
        """Return the pairs' terms."""
        return MarketTerms(
            name="crypto",
            feed=feed,
            rest=CryptoRest(self._rest, feed),
            demand=self._demands["crypto"],
            prices=self._prices["crypto"],
            days=PAIR_DAYS,
            channels=CRYPTO_CHANNELS,
            limit=None,
            connect=self._connector("crypto", self._access.crypto_endpoint(feed)),
            has_books=True,
        )

    def options(self, feed: str) -> MarketTerms:
        """Return the options' terms."""
        rest = OptionRest(self._rest, feed)
        return MarketTerms(
            name="options",
            feed=feed,
            rest=rest,
            demand=self._demands["options"],
            prices=self._prices["options"],
            days=STOCK_DAYS,
            channels=OPTION_CHANNELS,
            limit=None,
            limits={QUOTES: OPTION_QUOTES[feed]},
            connect=self._connector("options", self._access.option_endpoint(feed)),
            expected_lag_ms=rest.delay_seconds * 1000,
            is_indicative=feed == INDICATIVE,
            decode=option_messages.decode,
        )

    def _connector(self, stream: str, endpoint: str) -> Callable[[], AlpacaStream]:
        access = self._access

        # An object of alpaca-py serves one connection; each attempt makes a new one.
        def connect() -> AlpacaStream:
            return AlpacaStream(endpoint, access.key, access.secret, self._tap(stream))

        return connect
