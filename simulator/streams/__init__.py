"""The WebSockets: market data, news and the account."""
