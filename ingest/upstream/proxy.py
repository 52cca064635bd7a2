"""The proxy of a network, by the variables that REST uses: one choice for both."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from alpaca.common.rest import RESTClient
from requests.utils import get_environ_proxies, prepend_scheme_if_needed, select_proxy


def proxy_for(endpoint: str) -> str | None:
    """Return the URL of the proxy for a WebSocket or a REST endpoint; None for a direct connection.

    ``HTTPS_PROXY`` serves ``https`` and ``wss``, ``HTTP_PROXY`` the others; ``NO_PROXY`` excepts
    hosts. A host of this machine never has a proxy.
    """
    if is_loopback(endpoint):
        return None
    url = endpoint.replace("ws", "http", 1) if endpoint.startswith("ws") else endpoint
    proxy = select_proxy(url, get_environ_proxies(url))
    return None if proxy is None else prepend_scheme_if_needed(proxy, "http")


def without_credentials(proxy: str) -> str:
    """Return a proxy's host and port: its URL may contain a password."""
    return urlsplit(proxy).netloc.rpartition("@")[2]


def reach_loopback_directly(client: RESTClient, url: str) -> None:
    """Ignore the proxy variables for a client of this machine's own REST, as for a WebSocket."""
    # requests would ask the proxy of the network for 127.0.0.1, which is another machine there.
    if is_loopback(url):
        client._session.trust_env = False  # noqa: SLF001 - it offers no other way


def is_loopback(url: str) -> bool:
    """Return whether a URL's host is this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
