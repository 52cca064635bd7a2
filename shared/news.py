"""The ``news`` event: an article, or a later version of it."""

import msgspec


class News(msgspec.Struct, kw_only=True):
    """An article as plain text, with HTML removed; ``updated_at`` orders the versions of an ``id``.

    Times are RFC 3339. The JSON gets ``event_id`` when it is published.
    """

    id: str
    headline: str
    summary: str
    author: str
    source: str
    url: str | None
    symbols: list[str]
    created_at: str
    updated_at: str


encode = msgspec.json.Encoder().encode
