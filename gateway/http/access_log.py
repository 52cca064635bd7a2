"""Lines of the access log without what is held: symbols of positions are nobody's who reads it."""

import logging
from urllib.parse import unquote_plus

from gateway.wire.principal import MARKET, scope_of

HIDDEN = "[hidden]"


def shown(url: str) -> str:
    """Return the path and query of a request; no query that asks for something of an account."""
    path, mark, query = url.partition("?")
    topics = unquote_plus(query).replace("=", ",").replace("&", ",").split(",")
    private = path.endswith("/positions") or any(scope_of(t.strip()) != MARKET for t in topics)
    return f"{path}?{HIDDEN}" if mark and private else url


class Discretion(logging.Filter):
    """Has uvicorn's access log show no more than that."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change a line; none is left out."""
        if isinstance(record.args, tuple) and len(record.args) == 5:
            client, method, url, *rest = record.args
            record.args = (client, method, shown(str(url)), *rest)
        return True


DISCRETION = Discretion()
