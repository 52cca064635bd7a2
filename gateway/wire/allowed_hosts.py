"""The names under which the gateway may be addressed (``ALLOWED_HOSTS``).

A page of another origin can bind its own name to 127.0.0.1 (DNS rebinding). Its requests then count
as same-origin in the browser, so CORS does not apply, but they still carry that name in ``Host``.
"""

import ipaddress
import re
from collections.abc import Iterable

LOOPBACK = ("localhost", "*.localhost", "127.0.0.0/8", "::1")
"""The names of this machine. No other machine can make a browser resolve them differently."""

_LABEL = "[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(\*\.)?{_LABEL}(\.{_LABEL})*")
_HOST = re.compile(r"(\[(?P<six>[0-9a-f:.]+)\]|(?P<name>[^:\[\]]+))(:[0-9]*)?")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def host_entry(text: str) -> str:
    """Return an entry of ``ALLOWED_HOSTS`` in lower case.

    An entry is a name, a name after ``*.`` for all names below it, an address, a network, or ``*``.

    Raises:
        ValueError: the entry is none of these.
    """
    entry = text.lower().removeprefix("[").removesuffix("]")
    if entry == "*" or _network(entry) is not None or _NAME.fullmatch(entry):
        return entry
    raise ValueError(
        f"{text!r} is not a host: expected names such as prices.example or *.prices.example, "
        "addresses or networks, each without a scheme, a port or a path, or * for all"
    )


class AllowedHosts:
    """Decides if a request's ``Host`` is allowed; ``entries`` as ``host_entry`` returns them."""

    def __init__(self, entries: Iterable[str]) -> None:
        entries = tuple(entries)
        networks = {entry: _network(entry) for entry in entries}
        self.allows_all = "*" in entries
        self._networks = [network for network in networks.values() if network is not None]
        names = [entry for entry, network in networks.items() if network is None]
        self._names = frozenset(name for name in names if not name.startswith("*."))
        self._suffixes = tuple(name.removeprefix("*") for name in names if name.startswith("*."))

    def allows(self, host: str) -> bool:
        """Return whether the value of a ``Host`` header is allowed, whatever its port."""
        if self.allows_all:
            return True
        parts = _HOST.fullmatch(host.strip().lower())
        if parts is None:
            return False
        # "localhost." is the same name, written as the root of all names ends it.
        name = parts["six"] or parts["name"].removesuffix(".")
        if name in self._names or name.endswith(self._suffixes):
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return any(address in network for network in self._networks)


def _network(entry: str) -> Network | None:
    try:
        return ipaddress.ip_network(entry)
    except ValueError:
        return None
