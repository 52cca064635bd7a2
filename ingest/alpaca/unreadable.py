"""The outcomes of decoding that are no message of Alpaca's, of every stream alike."""

import msgspec


class BadFrameError(Exception):
    """A frame that contains no messages."""


class Unknown(msgspec.Struct, frozen=True):
    """A message of an unknown kind."""

    kind: str


class Malformed(msgspec.Struct, frozen=True):
    """A message of a known kind in another form; ``symbol`` is its symbol, if that is readable."""

    kind: str
    problem: str
    symbol: str = ""


class LostFields(msgspec.Struct, frozen=True):
    """Fields of another form in the message before this one, which lacks them."""

    kind: str
    problem: str
