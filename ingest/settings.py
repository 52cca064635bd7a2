"""The ingest's settings, and the access to Alpaca that follows from them."""

from dataclasses import dataclass, field
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator

from shared.bus.settings import MEMORY_URL, BusSettings, RedisUrl
from shared.settings import SettingsError

Feed = Literal["iex", "sip", "delayed_sip", "boats", "overnight", "test"]

BASIC_PLAN_SYMBOLS = 30


def _stream_url(url: str) -> str:
    return _checked(url, "wss", "ws")


def _rest_url(url: str) -> str:
    return _checked(url, "https", "http")


def _checked(url: str, *schemes: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in schemes or not parts.netloc:
        raise ValueError(f"{url!r} is not a base URL such as {schemes[0]}://host")
    return url


StreamUrl = Annotated[str, AfterValidator(_stream_url)]
RestUrl = Annotated[str, AfterValidator(_rest_url)]


_V1_BETA_FEEDS = ("boats", "overnight")


@dataclass(frozen=True, kw_only=True)
class AlpacaAccess:
    """The keys of one account, and the URLs of the hosts that accept them.

    ``feed`` is Alpaca's name of the stock feed. The secret is not in ``repr``.
    """

    key: str
    secret: str = field(repr=False)
    feed: str
    stream_url: str
    data_url: str
    trading_url: str

    @property
    def stock_endpoint(self) -> str:
        """The URL of the stock feed's WebSocket."""
        version = "v1beta1" if self.feed in _V1_BETA_FEEDS else "v2"
        return f"{self.stream_url.rstrip('/')}/{version}/{self.feed}"

    @property
    def news_endpoint(self) -> str:
        """The URL of the news WebSocket."""
        return f"{self.stream_url.rstrip('/')}/v1beta1/news"

    @property
    def account_endpoint(self) -> str:
        """The URL of the account's WebSocket, which is on the host of the trading API."""
        return f"{self.trading_url.rstrip('/').replace('http', 'ws', 1)}/stream"


class IngestSettings(BusSettings):
    """The ingest's settings; see ``docs/reference.md``."""

    alpaca_paper: bool = True
    alpaca_paper_api_key: SecretStr | None = None
    alpaca_paper_secret_key: SecretStr | None = None
    alpaca_api_key: SecretStr | None = None
    alpaca_secret_key: SecretStr | None = None
    alpaca_feed: Feed = "iex"
    alpaca_symbol_limit: int | None = Field(None, ge=1)
    alpaca_stream_url: StreamUrl = "wss://stream.data.alpaca.markets"
    alpaca_data_url: RestUrl = "https://data.alpaca.markets"
    alpaca_trading_url: RestUrl | None = None
    alpaca_trade_updates: bool = True
    price_ttl_seconds: float = Field(5, gt=0, le=3600)

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
        )

    @property
    def symbol_limit(self) -> int | None:
        """How many symbols the plan allows; None is no limit."""
        if self.alpaca_symbol_limit is not None:
            return self.alpaca_symbol_limit
        # Alpaca has no request for the plan. IEX is the feed of the Basic plan; a user who has a
        # larger plan and IEX sets the limit.
        return BASIC_PLAN_SYMBOLS if self.alpaca_feed == "iex" else None

    def _default_trading_url(self) -> str:
        host = "paper-api" if self.alpaca_paper else "api"
        return f"https://{host}.alpaca.markets"


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
