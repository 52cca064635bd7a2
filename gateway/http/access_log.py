"""Privacy in the access log: its readers must not learn which positions an account holds."""

import logging
from urllib.parse import unquote_plus

from gateway.wire.principal import MARKET, scope_of

HIDDEN = "[hidden]"


def shown(url: str) -> str:
    """Return a request's path and query; the query is hidden if it concerns an account."""
    path, mark, query = url.partition("?")
    topics = unquote_plus(query).replace("=", ",").replace("&", ",").split(",")
    private = path.endswith("/positions") or any(scope_of(t.strip()) != MARKET for t in topics)
    return f"{path}?{HIDDEN}" if mark and private else url


class Discretion(logging.Filter):
    """Hides the private queries in uvicorn's access log."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Edit a line; none is left out."""
        if isinstance(record.args, tuple) and len(record.args) == 5:
            client, method, url, *rest = record.args
            record.args = (client, method, shown(str(url)), *rest)
        return True


DISCRETION = Discretion()
