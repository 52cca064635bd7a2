"""The wanted symbols, and the requests to Alpaca that follow from them."""
