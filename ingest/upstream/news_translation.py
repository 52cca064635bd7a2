"""Alpaca's articles in our own terms: plain text, and addresses that a page can link to."""

import html
import re
from urllib.parse import urlsplit

from msgspec.msgpack import Ext

from ingest.alpaca import messages
from ingest.alpaca.messages import nanoseconds
from shared import rfc3339
from shared.news import News
from shared.symbols import with_slash

_MARKUP = re.compile(r"<[A-Za-z/!][^<>]*>")
"""A tag or a comment. Headlines also have ``<`` and ``>`` as signs: "EPS <$0.10, Sales >$5M"."""


MOST_SYMBOLS = 100
"""Some articles name thousands of symbols. Each is a topic, and the list is part of each event."""


def article(message: messages.News) -> News:
    """Translate an article: without markup, with its entities resolved.

    Raises:
        ValueError: a time is invalid.
    """
    # A symbol that is named twice must not get the article twice.
    symbols = list(dict.fromkeys(map(with_slash, message.symbols)))
    return News(
        id=str(message.id),
        headline=_plain_text(message.headline),
        summary=_plain_text(message.summary),
        author=_plain_text(message.author),
        source=message.source,
        url=_web_address(message.url),
        symbols=symbols[:MOST_SYMBOLS],
        symbol_count=len(symbols),
        created_at=_utc(message.created_at),
        updated_at=_utc(message.updated_at),
    )


def _plain_text(markup: str) -> str:
    # Headlines contain entities such as ``&#39;``. They are resolved last, because ``&lt;b&gt;``
    # is text and not markup.
    return html.unescape(_MARKUP.sub("", markup)).strip()


def _web_address(url: str | None) -> str | None:
    """Return an address that a page may make a link of; other schemes would run as a script."""
    try:
        return url if url and urlsplit(url).scheme in ("http", "https") else None
    except ValueError:  # brackets of an IPv6 address that do not match
        return None


def _utc(moment: Ext | str) -> str:
    # News may have text where the other messages have msgpack timestamps.
    at_ns = rfc3339.to_nanoseconds(moment) if isinstance(moment, str) else nanoseconds(moment)
    return rfc3339.from_nanoseconds(at_ns)
