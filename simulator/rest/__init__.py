"""The REST APIs: market data, trading, and their limits."""
