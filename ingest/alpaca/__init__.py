"""Alpaca's messages, decoded. Imports none of our own types."""
