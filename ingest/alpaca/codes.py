"""Alpaca's error codes that the ingest handles separately.

Source: https://docs.alpaca.markets/docs/streaming-market-data
"""

INVALID_SYNTAX = 400
AUTH_FAILED = 402
ALREADY_AUTHENTICATED = 403
SYMBOL_LIMIT = 405
CONNECTION_LIMIT = 406
INSUFFICIENT_SUBSCRIPTION = 409
INVALID_ACTION = 410
