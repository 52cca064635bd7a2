"""Keys and addresses: everything that a connection to Alpaca needs."""

from dataclasses import dataclass, field

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
