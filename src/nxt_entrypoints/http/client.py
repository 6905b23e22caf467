"""Who is on the other end of the connection [R8]."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import attrs

Network = IPv4Network | IPv6Network
UNKNOWN = "unknown"


def networks(cidrs: Sequence[str]) -> tuple[Network, ...]:
    """Read ``security.trustedProxies``.

    Raises:
        ValueError: One is no network.
    """
    return tuple(ip_network(cidr, strict=False) for cidr in cidrs)


def client_address(peer: str | None, forwarded_for: Sequence[str], trusted: Sequence[Network]) -> str:
    """Return the last hop that no trusted proxy is: what the client can't forge.

    Args:
        peer: Address of the TCP peer; None for a local socket.
        forwarded_for: Values of all ``X-Forwarded-For`` headers, in order.
        trusted: From which peers the header is believed.
    """
    hop = _read(peer)
    if hop is None:
        return UNKNOWN
    hops = [part.strip() for value in forwarded_for for part in value.split(",")]
    while hops and any(hop.address in network for network in trusted):
        before = _read(hops.pop())
        if before is None:
            break
        hop = before
    return hop.text


def bucket_of(address: str) -> str:
    """Return what a rate limit counts: an IPv4 address, or the /64 that one IPv6 subscriber has."""
    hop = _read(address)
    is_wide = hop is not None and isinstance(hop.address, IPv6Address)
    return str(ip_network((address, 64), strict=False)) if is_wide else address


@attrs.frozen
class _Hop:
    address: IPv4Address | IPv6Address
    text: str


@lru_cache(maxsize=4096)
def _read(text: str | None) -> _Hop | None:
    try:
        parsed = ip_address(text or "")
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    address = mapped or parsed
    return _Hop(address, str(address))
