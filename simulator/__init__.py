"""Alpaca's stock stream and a little of its REST on loopback, replayed from a recorded tape."""

from typing import Final

DEFAULT_KEY: Final = "PKSIMULATOR"
DEFAULT_SECRET: Final = "simulator-secret"  # noqa: S105 - an invented key pair for loopback
