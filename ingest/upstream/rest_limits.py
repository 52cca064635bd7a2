"""The time limits that alpaca-py's REST clients lack."""

from typing import Any

from alpaca.common.rest import RESTClient
from requests.adapters import HTTPAdapter

CONNECT_READ_SECONDS = (3.0, 5.0)


class _LimitedAdapter(HTTPAdapter):
    def send(self, *args: Any, **kwargs: Any) -> Any:
        kwargs["timeout"] = kwargs.get("timeout") or CONNECT_READ_SECONDS
        return super().send(*args, **kwargs)


def limit(client: RESTClient) -> None:
    """Give every request of a client a timeout, and switch its retries off.

    alpaca-py sets no timeout, so a request could hang for ever. After HTTP 429 and 504 it would
    sleep in its thread, and the ingest could neither cancel it nor count the retry.
    """
    for scheme in ("http://", "https://"):
        client._session.mount(scheme, _LimitedAdapter())  # noqa: SLF001 - it offers no other way
    client._retry = 0  # noqa: SLF001 - its constructor takes 0 for "as usual"
