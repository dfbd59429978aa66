"""Where calls to partners may go: not into our own network, and not in clear through others'.

A partner's address is given by people and changed by name servers, so it is looked up here, judged and
then used as it was judged: a name that leads into our own network is refused unless the installation
allows it.
"""

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

import httpx2

from adapters.kit.retry import Undelivered

_NAT64: Final = IPv6Network("64:ff9b::/96")
_NAT64_OF_ONE_NETWORK: Final = IPv6Network("64:ff9b:1::/48")
_IPV4_COMPATIBLE: Final = IPv6Network("::/96")


class JudgedTransport(httpx2.AsyncBaseTransport):
    """Looks a host up, judges its addresses, and connects to the one that was judged."""

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._inner = httpx2.AsyncHTTPTransport(
            verify=True, limits=httpx2.Limits(max_connections=8, max_keepalive_connections=4)
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        url = request.url
        if url.scheme not in ("http", "https"):
            raise Undelivered(
                "bad-address", f"{url.scheme!r} is not a way to a partner", final=True
            )
        address = await permitted_address(url.host, url.port, allow_private=self._allow_private)
        must_be_encrypted(url.scheme, url.host, address)
        # The certificate must still be the name's; the header "Host" was made from the name before.
        request.extensions = {**request.extensions, "sni_hostname": url.host}
        request.url = url.copy_with(host=address)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


async def permitted_address(host: str, port: int | None, *, allow_private: bool) -> str:
    """An address of the host. Raises ``Undelivered`` when it has none, or one that is not for partners."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            host, port or 443, type=socket.SOCK_STREAM
        )
    except OSError as error:
        raise Undelivered("not-reached", f"{host}: {error}", final=False) from error
    addresses = [str(each[4][0]).partition("%")[0] for each in found]
    if not allow_private and not all(map(_public, addresses)):
        raise Undelivered(
            "private-address",
            f"{host} is in a private network; TICKETLEDGER_ALLOW_PRIVATE_PARTNERS=true permits that",
            final=True,
        )
    return addresses[0]


def must_be_encrypted(scheme: str, host: str, address: str) -> None:
    """Refuse to call a public address in clear. Raises ``Undelivered``."""
    if scheme == "http" and _public(address):
        what = f"{host} must be called by https: secrets and tickets would travel in clear"
        raise Undelivered("not-encrypted", what, final=True)


def _public(address: str) -> bool:
    ip = ip_address(address)
    if isinstance(ip, IPv6Address):
        if ip in _NAT64_OF_ONE_NETWORK:
            return False
        ip = _embedded(ip) or ip
    return ip.is_global and not ip.is_multicast


def _embedded(ip: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that one of IPv6 may lead to: the network in between translates or unpacks it."""
    if ip.ipv4_mapped or ip.sixtofour:
        return ip.ipv4_mapped or ip.sixtofour
    if ip in _NAT64 or ip in _IPV4_COMPATIBLE:
        return IPv4Address(int(ip) & 0xFFFF_FFFF)
    return None
