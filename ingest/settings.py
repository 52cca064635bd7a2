"""The ingest's settings."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator

from shared.settings import MEMORY_URL, CommonSettings

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


class IngestSettings(CommonSettings):
    """What the ingest needs to know; see ``docs/reference.md``."""

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
    def credentials(self) -> tuple[str, str] | None:
        """Key and secret of the account in use, or None unless both are there."""
        key, secret = (
            (self.alpaca_paper_api_key, self.alpaca_paper_secret_key)
            if self.alpaca_paper
            else (self.alpaca_api_key, self.alpaca_secret_key)
        )
        if key is None or secret is None:
            return None
        return key.get_secret_value(), secret.get_secret_value()

    @property
    def symbol_limit(self) -> int | None:
        """How many symbols the plan allows; None is no limit."""
        if self.alpaca_symbol_limit is not None:
            return self.alpaca_symbol_limit
        return BASIC_PLAN_SYMBOLS if self.alpaca_feed == "iex" else None

    @property
    def stream_endpoint(self) -> str:
        """The URL of the feed's WebSocket."""
        version = "v1beta1" if self.alpaca_feed in ("boats", "overnight") else "v2"
        return f"{self.alpaca_stream_url.rstrip('/')}/{version}/{self.alpaca_feed}"

    @property
    def news_endpoint(self) -> str:
        """The URL of the news' WebSocket."""
        return f"{self.alpaca_stream_url.rstrip('/')}/v1beta1/news"

    @property
    def account_endpoint(self) -> str:
        """The URL of the account's WebSocket; it is on the host of its REST API."""
        return f"{self.trading_url.rstrip('/').replace('http', 'ws', 1)}/stream"

    @property
    def trading_url(self) -> str:
        """The base URL of the REST API with the clock, the calendar and the account."""
        if self.alpaca_trading_url is not None:
            return self.alpaca_trading_url
        host = "paper-api" if self.alpaca_paper else "api"
        return f"https://{host}.alpaca.markets"


class IngestProcessSettings(IngestSettings):
    """The settings of an ingest that is a process of its own."""

    @field_validator(
        "alpaca_paper_api_key", "alpaca_paper_secret_key", "alpaca_api_key", "alpaca_secret_key"
    )
    @classmethod
    def _keys_in_use(cls, key: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        is_paper = str(info.field_name).startswith("alpaca_paper_")
        if key is None and is_paper == info.data.get("alpaca_paper", True):
            raise ValueError(
                "not set: create keys in Alpaca's dashboard; "
                "to try everything without keys run: python -m standalone"
            )
        return key

    @field_validator("redis_url")
    @classmethod
    def _shared_redis(cls, url: str | None) -> str:
        if url is None:
            raise ValueError("not set: the ingest publishes to Redis, e.g. redis://127.0.0.1:6379")
        if url.startswith(MEMORY_URL):
            raise ValueError(
                f"{MEMORY_URL} lives in one process and no gateway would see it; "
                "use it with: python -m standalone"
            )
        return url
