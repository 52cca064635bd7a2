"""The ingest's settings, and the access to Alpaca that follows from them."""

from dataclasses import dataclass, field
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator

from shared.bus.keys import BAR_HISTORY
from shared.bus.owner import Owner
from shared.bus.settings import MEMORY_URL, BusSettings, RedisUrl
from shared.markets import CRYPTO, OPTIONS, STOCKS
from shared.pasted_values import base_url, key
from shared.settings import SettingsError

Feed = Literal["iex", "sip", "delayed_sip", "boats", "overnight", "test"]
CryptoFeed = Literal["us", "us-1", "eu-1", "off"]
OptionFeed = Literal["indicative", "opra", "off"]

BASIC_PLAN_SYMBOLS = 30


def _stream_url(url: str) -> str:
    return base_url(url, "wss", "ws")


def _rest_url(url: str) -> str:
    return base_url(url, "https", "http")


StreamUrl = Annotated[str, AfterValidator(_stream_url)]
RestUrl = Annotated[str, AfterValidator(_rest_url)]


@dataclass(frozen=True, kw_only=True)
class AlpacaAccess:
    """The keys of one account, and the URLs of the hosts that accept them.

    ``feed`` is Alpaca's name of the stock feed, ``crypto_feed`` and ``option_feed`` are those of
    the others, None if they are not served. The secret is not in ``repr``.
    """

    key: str
    secret: str = field(repr=False)
    feed: str
    stream_url: str
    data_url: str
    trading_url: str
    crypto_feed: str | None = None
    option_feed: str | None = None

    @property
    def owner(self) -> Owner:
        """The account, as far as the settings identify it."""
        return Owner.of_key(self.key, host=urlsplit(self.trading_url).netloc, feed=self.feed)

    @property
    def stock_endpoint(self) -> str:
        """The URL of the stock feed's WebSocket."""
        return f"{self.stream_url}/{STOCKS.streams[self.feed]}"

    def crypto_endpoint(self, feed: str) -> str:
        """Return the URL of a crypto feed's WebSocket."""
        return f"{self.stream_url}/{CRYPTO.streams[feed]}"

    def option_endpoint(self, feed: str) -> str:
        """Return the URL of an option feed's WebSocket."""
        return f"{self.stream_url}/{OPTIONS.streams[feed]}"

    @property
    def news_endpoint(self) -> str:
        """The URL of the news WebSocket."""
        return f"{self.stream_url}/v1beta1/news"

    @property
    def account_endpoint(self) -> str:
        """The URL of the account's WebSocket, which is on the host of the trading API."""
        return f"{self.trading_url.replace('http', 'ws', 1)}/stream"


class IngestSettings(BusSettings):
    """The ingest's settings; see ``docs/reference.md``."""

    alpaca_paper: bool = True
    alpaca_paper_api_key: SecretStr | None = None
    alpaca_paper_secret_key: SecretStr | None = None
    alpaca_api_key: SecretStr | None = None
    alpaca_secret_key: SecretStr | None = None
    alpaca_feed: Feed = "iex"
    alpaca_crypto_feed: CryptoFeed = "us"
    alpaca_option_feed: OptionFeed = "indicative"
    alpaca_symbol_limit: int | None = Field(None, ge=1)
    alpaca_stream_url: StreamUrl = "wss://stream.data.alpaca.markets"
    alpaca_data_url: RestUrl = "https://data.alpaca.markets"
    alpaca_trading_url: RestUrl | None = None
    alpaca_trade_updates: bool = True
    price_ttl_seconds: float = Field(5, gt=0, le=3600)
    bar_history: int = Field(BAR_HISTORY, ge=10, le=10_000)

    @field_validator(
        "alpaca_paper_api_key", "alpaca_paper_secret_key", "alpaca_api_key", "alpaca_secret_key"
    )
    @classmethod
    def _pasted_keys(cls, given: SecretStr | None) -> SecretStr | None:
        # A value of blanks is unset, like an empty one.
        found = "" if given is None else key(given.get_secret_value())
        return SecretStr(found) if found else None

    @field_validator("alpaca_paper_api_key", "alpaca_api_key")
    @classmethod
    def _keys_of_the_account(
        cls, given: SecretStr | None, info: ValidationInfo
    ) -> SecretStr | None:
        # Many users have both pairs set: those of the account that is not in use do not matter.
        paper = str(info.field_name).startswith("alpaca_paper_")
        if given is not None and paper == info.data.get("alpaca_paper", True):
            _reject_other_account(given.get_secret_value(), paper=paper)
        return given

    @field_validator("alpaca_trading_url")
    @classmethod
    def _host_of_the_account(cls, url: str | None, info: ValidationInfo) -> str | None:
        paper = info.data.get("alpaca_paper", True)
        if url is not None and urlsplit(url).hostname == _trading_host(paper=not paper):
            kind, other = ("live", "false") if paper else ("paper", "true")
            raise ValueError(f"is the {kind} account's: remove it, or set ALPACA_PAPER={other}")
        return url

    @property
    def access(self) -> AlpacaAccess | None:
        """The access to the account in use; None unless its key and secret are both set."""
        key, secret = (
            (self.alpaca_paper_api_key, self.alpaca_paper_secret_key)
            if self.alpaca_paper
            else (self.alpaca_api_key, self.alpaca_secret_key)
        )
        if key is None or secret is None:
            return None
        return AlpacaAccess(
            key=key.get_secret_value(),
            secret=secret.get_secret_value(),
            feed=self.alpaca_feed,
            stream_url=self.alpaca_stream_url,
            data_url=self.alpaca_data_url,
            trading_url=self.alpaca_trading_url or self._default_trading_url(),
            crypto_feed=self.crypto_feed,
            option_feed=self.option_feed,
        )

    @property
    def crypto_feed(self) -> str | None:
        """The feed of the pairs; None if they are not served."""
        return None if self.alpaca_crypto_feed == "off" else self.alpaca_crypto_feed

    @property
    def option_feed(self) -> str | None:
        """The feed of the options; None if they are not served."""
        return None if self.alpaca_option_feed == "off" else self.alpaca_option_feed

    @property
    def symbol_limit(self) -> int | None:
        """How many symbols the plan allows; None is no limit."""
        if self.alpaca_symbol_limit is not None:
            return self.alpaca_symbol_limit
        # Alpaca has no request for the plan. IEX is the feed of the Basic plan; a user who has a
        # larger plan and IEX sets the limit.
        return BASIC_PLAN_SYMBOLS if self.alpaca_feed == "iex" else None

    def _default_trading_url(self) -> str:
        return f"https://{_trading_host(paper=self.alpaca_paper)}"


class IngestProcessSettings(IngestSettings):
    """The settings of ``python -m ingest``: keys and a shared Redis are required."""

    redis_url: RedisUrl = Field(default="", repr=False)  # "" is not set: _shared_redis rejects it

    @property
    def access(self) -> AlpacaAccess:
        """The access to the account in use.

        Raises:
            SettingsError: the keys are not set. Settings that were validated have them.
        """
        access = super().access
        if access is None:
            raise SettingsError("Alpaca's keys are not set")
        return access

    @field_validator(
        "alpaca_paper_api_key", "alpaca_paper_secret_key", "alpaca_api_key", "alpaca_secret_key"
    )
    @classmethod
    def _keys_in_use(cls, key: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        # Only the keys of the account in use are required: many users have no live account.
        is_paper = str(info.field_name).startswith("alpaca_paper_")
        if key is None and is_paper == info.data.get("alpaca_paper", True):
            raise ValueError(
                "not set: create keys in Alpaca's dashboard; "
                "to try everything without keys run: tapecast run"
            )
        return key

    @field_validator("redis_url", mode="before")
    @classmethod
    def _shared_redis(cls, url: str) -> str:
        # An unset variable reaches this validator as the empty default.
        if not url:
            raise ValueError("not set: the ingest publishes to Redis, e.g. redis://127.0.0.1:6379")
        if url.startswith(MEMORY_URL):
            raise ValueError(
                f"{MEMORY_URL} lives in one process and no gateway would see it; "
                "use it with: tapecast run"
            )
        return url


def _trading_host(*, paper: bool) -> str:
    return "paper-api.alpaca.markets" if paper else "api.alpaca.markets"


def _reject_other_account(key: str, *, paper: bool) -> None:
    """Reject a key of the other kind of account.

    Alpaca's paper keys start with ``PK``, live ones with ``AK``
    (https://github.com/alpacahq/alpaca-trade-api-go/issues/17). Keys with another start pass.
    """
    if paper and key.startswith("AK"):
        raise ValueError(
            "starts with AK, so it is a live key: set it as ALPACA_API_KEY with "
            "ALPACA_PAPER=false, or create a paper key"
        )
    if not paper and key.startswith("PK"):
        raise ValueError(
            "starts with PK, so it is a paper key: set it as ALPACA_PAPER_API_KEY with "
            "ALPACA_PAPER=true, or create a live key"
        )
