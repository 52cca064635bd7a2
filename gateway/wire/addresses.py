"""Addresses and networks, compared by their value, however they are spelt."""

from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

EVERY_PEER = "*"
"""Instead of a network: every peer is a proxy."""

_LONGEST = 60
"""Characters of an address with its port, and more."""

_REMEMBERED = 4_096
"""Addresses whose reading is remembered: at most a few hundred KB, as each is short."""

_SITE_PREFIX = 64
"""One line of a provider, and one host, has a network of 2^64 addresses."""


def address_of(text: str) -> Address | None:
    """Return the address that a text spells, with a port or without; None if it is none.

    An IPv4 address that is mapped into IPv6 is an IPv4 address: ``::ffff:192.0.2.1``.
    """
    host = text.strip()
    if len(host) > _LONGEST:
        return None
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    return _parsed(host)


def network_of(text: str) -> Network:
    """Return a network, or a single address as one; IPv4 networks mapped into IPv6 are IPv4.

    Raises:
        ValueError: the text is neither.
    """
    network = ip_network(text)
    mapped = network.network_address
    if isinstance(mapped, IPv6Address) and mapped.ipv4_mapped and network.prefixlen >= 96:
        return IPv4Network((mapped.ipv4_mapped, network.prefixlen - 96))
    return network


def site_of(text: str) -> str:
    """Return the name under which an address is counted; other text as it is.

    IPv6 addresses are counted by their /64: whoever has one has 2^64 of them.
    """
    address = address_of(text)
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, _SITE_PREFIX), strict=False))
    return text if address is None else str(address)


def is_private(text: str) -> bool:
    """Return whether an address, or the /64 of one, is not of the public internet.

    Those of carriers' own networks (100.64.0.0/10) are private too, and text that is no address.
    """
    return len(text) > _LONGEST or _is_private(text)


# A request reads its client's address three times, and most clients come again.
@lru_cache(maxsize=_REMEMBERED)
def _parsed(host: str) -> Address | None:
    try:
        # A zone names an interface of one machine: fe80::1%eth0.
        return _unmapped(ip_address(host.partition("%")[0]))
    except ValueError:
        return None


@lru_cache(maxsize=_REMEMBERED)
def _is_private(text: str) -> bool:
    try:
        return not ip_network(text).is_global
    except ValueError:
        return True


def _unmapped(address: Address) -> Address:
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
