"""The ``news`` event: an article, or a later version of it."""

from typing import Literal, TypeAlias

import msgspec

Label: TypeAlias = Literal["negative", "neutral", "positive"]


class Sentiment(msgspec.Struct, kw_only=True):
    """What a headline says, by our own model: ``score`` from -1 (bad) to 1 (good)."""

    score: float
    label: Label


class News(msgspec.Struct, kw_only=True):
    """An article as plain text, with HTML removed; ``updated_at`` orders the versions of an ``id``.

    Times are RFC 3339. ``symbols`` are at most the first 100 of the ``symbol_count`` different ones
    that the article names. ``sentiment`` is None if the model abstains. The JSON gets ``event_id``
    when it is published.
    """

    id: str
    headline: str
    summary: str
    author: str
    source: str
    url: str | None
    symbols: list[str]
    symbol_count: int = 0
    created_at: str
    updated_at: str
    sentiment: Sentiment | None = None


encode = msgspec.json.Encoder().encode
