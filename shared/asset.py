"""The list of the assets that Alpaca trades, as Redis keeps it."""

from typing import Literal, TypeAlias

import msgspec

AssetType: TypeAlias = Literal["stock", "crypto"]


class Asset(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """An asset. ``exchange`` is Alpaca's name of the listing exchange, such as ``NASDAQ``."""

    symbol: str
    name: str
    exchange: str
    type: AssetType


class AssetList(msgspec.Struct, frozen=True, kw_only=True):
    """All active assets; ``as_of`` is the time at which Alpaca was asked, RFC 3339."""

    as_of: str
    assets: list[Asset]


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(list[Asset]).decode
