"""Which addresses a webhook may be sent to: public ones, and nothing of the network that we stand in.

A name is resolved once, every answer is checked, and the connection goes to the address that was checked: a name that
answers differently the next time is not asked a next time.
"""

import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias
from urllib.parse import urlsplit

PORTS: Final = frozenset({443, 8443})
URL_MAX: Final = 2_000
HOST: Final = re.compile(r"(?=.{1,253}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
NUMERIC: Final = re.compile(r"(\d+|0x[0-9a-f]*)\Z")
"""The last label of what is read as a number by some and as a name by others (`127.1`, `0x7f000001`)."""
PLAIN: Final = re.compile(r"[!-\[\]-~]+")
"""Visible ASCII without the backslash, which some read as a slash."""

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver: TypeAlias = Callable[[str, int], Sequence[str]]
"""Gives the addresses of a name. Raises OSError when there is none."""

GLOBAL_V6: Final = ipaddress.ip_network("2000::/3")
"""The only part of IPv6 that is handed out. IPv4 in its disguises (mapped, compatible, NAT64) stands outside of it."""
SPECIAL: Final = tuple(
    ipaddress.ip_network(each)
    for each in (
        "192.0.0.0/24",  # protocols, and what Oracle tells its machines
        "192.88.99.0/24",  # relays of 6to4
        "168.63.129.16/32",  # what Azure tells its machines is at a public address
        "2001::/23",  # Teredo, ORCHID and other protocols
        "2001:db8::/32",
        "2002::/16",  # 6to4: any IPv4 address in disguise
        "3fff::/20",
    )
)


class AddressRefused(Exception):
    """Nothing is sent to this address. Webhooks go to public https addresses, on port 443 or 8443."""

    code = "webhook_url_refused"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes: the name it is for, and the port."""

    scheme: str
    host: str
    port: int


def target_of(url: str, *, may_stay_here: bool = False) -> Target:
    """Read a webhook's address. Raises AddressRefused; no name is resolved."""
    if len(url) > URL_MAX or not PLAIN.fullmatch(url):
        raise AddressRefused("the address has to be written in visible ASCII, within 2,000 characters")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise AddressRefused(f"the address can't be read: {error}") from None
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise AddressRefused("the address has to begin with https:// and name a host")
    if "@" in parts.netloc or parts.fragment:
        raise AddressRefused("the address may hold no user, no password and no fragment")
    target = Target(parts.scheme, parts.hostname, (443 if parts.scheme == "https" else 80) if port is None else port)
    _check(target, may_stay_here=may_stay_here)
    return target


def _check(target: Target, *, may_stay_here: bool) -> None:
    literal = literal_of(target.host)
    if literal is None and (not HOST.fullmatch(target.host) or NUMERIC.match(target.host.rpartition(".")[2])):
        raise AddressRefused(f"{target.host[:100]} is no host name; write others than ASCII in Punycode")
    here = may_stay_here and (target.host == "localhost" or (literal is not None and literal.is_loopback))
    if here:
        return
    if target.scheme != "https":
        raise AddressRefused("the address has to begin with https://")
    if target.port not in PORTS:
        raise AddressRefused(f"port {target.port} is none of {', '.join(map(str, sorted(PORTS)))}")
    if literal is not None and not is_public(literal):
        raise AddressRefused(f"{literal} is no public address")


def literal_of(host: str) -> Address | None:
    """Read a host that is an address written out; None when it is a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def is_public(address: Address) -> bool:
    """Say whether an address is one of the public internet, and nothing that leads into a network around it."""
    if any(address in each for each in SPECIAL):
        return False
    if isinstance(address, ipaddress.IPv6Address):
        return address in GLOBAL_V6 and address.scope_id is None
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def pinned(target: Target, resolve: Resolver, *, may_stay_here: bool = False) -> str:
    """Resolve a name, once, and give the address to connect to. Raises AddressRefused, OSError.

    One answer that may not be reached refuses all of them.
    """
    found = [ipaddress.ip_address(each.partition("%")[0]) for each in resolve(target.host, target.port)]
    if not found:
        raise OSError("the name has no address")
    if may_stay_here and all(each.is_loopback for each in found):
        return str(found[0])
    for each in found:
        if not is_public(each):
            raise AddressRefused(f"{target.host} leads to {each}, which is no public address")
    if target.scheme != "https" or target.port not in PORTS:
        raise AddressRefused(f"{target.host} is not on this machine, so it needs https and port 443 or 8443")
    return str(found[0])


def system_resolver(host: str, port: int) -> list[str]:
    """Ask the system for the addresses of a name."""
    return [str(answer[4][0]) for answer in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
