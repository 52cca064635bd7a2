"""Alpaca's messages and endpoints, as the simulator serves them."""
