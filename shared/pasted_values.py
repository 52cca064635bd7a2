"""Settings as people paste them: repaired, or rejected with the remedy."""

from urllib.parse import SplitResult, urlsplit

_QUOTES = "\"'`\u201c\u201d\u2018\u2019\u201e\u201a\u00ab\u00bb"
_HAS_QUOTES = "has quotes around it, or in it: remove them"


def base_url(text: str, *schemes: str) -> str:
    """Return ``scheme://host[:port]``; blanks around it and slashes behind it do not count.

    ``schemes``: the allowed ones, the usual one first.

    Raises:
        ValueError: it is not a base URL; the message has the remedy.
    """
    url = text.strip()
    _reject_quotes(url)
    parts = _split(url)
    host = parts.netloc
    if not parts.scheme or not parts.hostname or any(each.isspace() for each in url):
        raise ValueError(f"{url!r} is not a base URL such as {schemes[0]}://host")
    # ALPACA_TRADING_URL=wss://… or ALPACA_STREAM_URL=https://…: the host is right.
    if parts.scheme not in schemes:
        raise ValueError(f"{url!r} starts with {parts.scheme}://: set {schemes[0]}://{host}")
    # The ingest adds version and feed. Alpaca answers 404 to /v2/v2/account
    # (alpaca-trade-api-js issue 104).
    path = parts.path.rstrip("/")
    if path or parts.query or parts.fragment:
        end = url[url.index(host) + len(host) :]
        raise ValueError(f"{url!r} ends in {end}: set {parts.scheme}://{host}")
    return f"{parts.scheme}://{host}"


def key(text: str) -> str:
    """Return a key with no blanks around it; a file of secrets often ends with a newline.

    Raises:
        ValueError: no key of Alpaca's has this form. The message does not contain the key.
    """
    found = text.strip()
    _reject_quotes(found)
    if not all("!" <= each <= "~" for each in found):
        raise ValueError("has a blank or another character that no key has: paste it again")
    return found


def bare(text: str) -> str:
    """Return a value with no blanks around it.

    Raises:
        ValueError: it has quotes around it. The message does not contain the value.
    """
    found = text.strip()
    # Docker's --env-file takes quotes literally. A token would contain them, and reject all users.
    if len(found) > 1 and found[0] in _QUOTES and found[-1] in _QUOTES:
        raise ValueError(_HAS_QUOTES)
    return found


def _split(url: str) -> SplitResult:
    parts = urlsplit(url)
    # The port is read to check it: urlsplit accepts anything there.
    _ = parts.port
    return parts


def _reject_quotes(text: str) -> None:
    if any(each in _QUOTES for each in text):
        raise ValueError(_HAS_QUOTES)
