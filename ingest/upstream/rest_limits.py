"""The limits that alpaca-py's REST clients lack."""

from typing import Any

from alpaca.common.rest import RESTClient
from requests.adapters import HTTPAdapter

CONNECT_READ_SECONDS = (3.0, 5.0)


class _LimitedAdapter(HTTPAdapter):
    def send(self, *args: Any, **kwargs: Any) -> Any:
        kwargs["timeout"] = kwargs.get("timeout") or CONNECT_READ_SECONDS
        return super().send(*args, **kwargs)


def limit(client: RESTClient) -> None:
    """Give every request a timeout, and leave retries to us.

    alpaca-py sets none and would hang for ever; at 429 and 504 it would sleep in its thread.
    """
    for scheme in ("http://", "https://"):
        client._session.mount(scheme, _LimitedAdapter())  # noqa: SLF001 - it offers no other way
    client._retry = 0  # noqa: SLF001 - its constructor takes 0 for "as usual"
