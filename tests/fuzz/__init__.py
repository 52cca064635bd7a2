"""Mutated input for each decoder of Alpaca's bytes: nothing of it may end the process."""
