"""Privacy in the access log: its readers must not learn secrets, nor an account's positions.

A client may put a secret anywhere in a URL and spell it in many ways. So a line shows only what the
gateway itself understands: the paths that it serves, and valid values of its own parameters.
"""

import logging
import re
from collections.abc import Callable, Mapping
from typing import get_args
from urllib.parse import unquote_plus

from gateway.http.operations import OPERATIONS
from gateway.wire.principal import MARKET, scope_of
from shared.bar import Timeframe
from shared.symbols import symbol_of
from shared.topics import EVERYTHING, parse_topic

HIDDEN = "[hidden]"
REDACTED = "[redacted]"

_LONGEST_PATH = 200
_LONGEST_QUERY = 2_000

_NUMBER = re.compile(r"\d{1,4}(\.\d{1,6})?")
_CURSOR = re.compile(r"\d{1,19}-\d{1,19}")
_PARTS = frozenset(
    part for each in OPERATIONS for part in each.path.split("/") if not part.startswith("{")
)
"""The parts of all paths, except those that clients choose, such as the id of a stream."""


def shown(url: str) -> str:
    """Return a request's path and query as the log may show them.

    The query is hidden as a whole if it concerns an account, or is very long.
    """
    path, mark, query = url.partition("?")
    # A line of a hundred kilobytes costs the gateway's time, and breaks those that read the log.
    if len(path) > _LONGEST_PATH:
        path = f"/{HIDDEN}"
    if len(query) > _LONGEST_QUERY:
        return f"{_path(path)}?{HIDDEN}"
    topics = unquote_plus(query).replace("=", ",").replace("&", ",").split(",")
    if not mark:
        return _path(path)
    if path.endswith("/positions") or any(scope_of(t.strip()) != MARKET for t in topics):
        return f"{_path(path)}?{HIDDEN}"
    return f"{_path(path)}?{'&'.join(map(_parameter, query.split('&')))}"


def _path(path: str) -> str:
    parts = path.split("/")
    # Cut at the first unknown part: a path of a thousand parts needs no thousand words.
    for known, part in enumerate(parts):
        if part not in _PARTS:
            return "/".join([*parts[:known], HIDDEN])
    return path


def _parameter(text: str) -> str:
    name, mark, value = text.partition("=")
    name = unquote_plus(name)
    if name in _SECRET:
        return f"{name}={REDACTED}"
    is_valid = _VALID.get(name)
    # Neither the value nor the name of another parameter: either may be the secret.
    if not mark or is_valid is None:
        return HIDDEN
    values = unquote_plus(value).split(",")
    return f"{name}={value if all(map(is_valid, values)) else HIDDEN}"


def _is_topic(text: str) -> bool:
    topic, at, seconds = text.partition("@")
    return _raises_nothing(parse_topic, topic) and (not at or _is_number(seconds))


def _is_symbol(text: str) -> bool:
    return text == EVERYTHING or _raises_nothing(symbol_of, text)


def _is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None


def _raises_nothing(parse: Callable[[str], str], text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True


_SECRET = frozenset({"ticket", "token", "access_token"})

_VALID: Mapping[str, Callable[[str], bool]] = {
    "topics": _is_topic,
    "symbols": _is_symbol,
    "timeframe": lambda text: text in get_args(Timeframe),
    "interval": _is_number,
    "limit": _is_number,
    "padding": _is_number,
    "last_event_id": lambda text: _CURSOR.fullmatch(text) is not None,
}
"""The parameters of queries, each with the check of one of its values."""


class Discretion(logging.Filter):
    """Hides secrets and private queries in uvicorn's access log."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Edit a line; none is left out."""
        if isinstance(record.args, tuple) and len(record.args) == 5:
            client, method, url, *rest = record.args
            record.args = (client, method, shown(str(url)), *rest)
        return True


DISCRETION = Discretion()
