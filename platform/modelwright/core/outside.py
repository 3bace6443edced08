"""Which addresses on the network the platform may ask for people: none inside, unless the administrator names them.

The platform stands where people of projects do not: beside databases, other machines' management, a cloud's metadata.
So a name is looked up here, each of its addresses must be allowed, and whoever connects goes to the very addresses that
were judged: a name that means something else a moment later gains nothing.
"""

from __future__ import annotations

import ipaddress
import queue
import socket
import threading
from collections.abc import Iterable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
LOOK_UP_SECONDS = 5.0


def _networks(*names: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(map(ipaddress.ip_network, names))


# What Python takes for public depends on its version, so everything that leads inside is named here as well (IANA's
# registries of special addresses); of IPv6 nothing but global unicast is public.
_INSIDE_IPV4 = _networks(
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"),
    *("192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
    *("224.0.0.0/4", "240.0.0.0/4"),
    # The metadata service of a cloud, at a public address.
    "168.63.129.16/32",
)
_PUBLIC_IPV6 = ipaddress.ip_network("2000::/3")
_INSIDE_IPV6 = _networks(
    # Addresses that carry an IPv4 address to whoever translates them: of old, IPv4 as such, translated by SIIT and by
    # NAT64, Teredo (with other protocols of IETF's), 6to4.
    *("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/23", "2002::/16"),
    # Documentation, sites of old, links, unique local addresses, multicast.
    *("2001:db8::/32", "3fff::/20", "fec0::/10", "fe80::/10", "fc00::/7", "ff00::/8"),
)


class Refused(Exception):
    """The address may not be asked, or cannot be found. The text is for people."""


def is_allowed(address: Address, networks: Iterable[Network]) -> bool:
    """Whether it may be asked: a public address, or one of `networks`. Judged is the address that is dialled, not one
    that somebody on the way may make of it."""
    reached = dialled(address)
    for network in networks:
        if any(each.version == network.version and each in network for each in (reached, _mapped(reached))):
            return True
    if isinstance(reached, ipaddress.IPv4Address):
        is_inside = any(reached in network for network in _INSIDE_IPV4)
    else:
        is_inside = reached not in _PUBLIC_IPV6 or any(reached in network for network in _INSIDE_IPV6)
    return not is_inside and reached.is_global and not reached.is_multicast


def dialled(address: Address) -> Address:
    """What the system dials: IPv4 also where it is written as IPv6 (`::ffff:10.0.0.1`)."""
    return address.ipv4_mapped or address if isinstance(address, ipaddress.IPv6Address) else address


def _mapped(address: Address) -> Address:
    """The same address in its other form, which the administrator's network may have."""
    if isinstance(address, ipaddress.IPv6Address):
        return address
    return ipaddress.IPv6Address(0xFFFF_0000_0000 | int(address))


def literal(host: str) -> Address | None:
    """The address that `host` is, None for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def look_up(host: str, port: int, seconds: float = LOOK_UP_SECONDS) -> list[Address]:
    """The name's addresses. Raises Refused.

    What looks names up cannot be told to stop, so it has a thread of its own, which ends by itself when the resolver
    gives up.
    """
    answer: queue.SimpleQueue[list[Address] | Refused] = queue.SimpleQueue()
    threading.Thread(target=_ask_resolver, args=(host, port, answer), daemon=True, name="name-look-up").start()
    try:
        found = answer.get(timeout=seconds)
    except queue.Empty:
        raise Refused(f"The name {host} was not looked up within {seconds:.0f} seconds.") from None
    if isinstance(found, Refused):
        raise found
    return found


def _ask_resolver(host: str, port: int, answer: queue.SimpleQueue[list[Address] | Refused]) -> None:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        # Also what the resolver makes of numbers such as 0x7f000001 is judged by the address that it means.
        places = [ipaddress.ip_address(str(place[0]).partition("%")[0]) for *_, place in found]
    except (OSError, ValueError) as error:
        answer.put(Refused(f"The name {host} cannot be looked up: {getattr(error, 'strerror', None) or error}."))
    else:
        answer.put(list(dict.fromkeys(places)))
