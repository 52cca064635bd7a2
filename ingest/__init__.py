"""The one owner of the Alpaca connection: trades in, topics in Redis out."""
