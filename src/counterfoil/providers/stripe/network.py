"""The SDK over the real network: kept connections for each thread, our own time-outs, and nothing from outside.

Importing this module loads the SDK, so import it where it is used.
"""

import ipaddress
from collections.abc import Mapping
from threading import local
from typing import Any
from urllib.parse import urlsplit

import requests
import stripe


class NetworkClient(stripe.HTTPClient):
    """An HTTP client of the SDK for any number of threads and accounts.

    Proxies of the environment are honoured, except towards this machine, where a sandbox is. A redirect is not
    followed: it would turn an instruction into a question, and its answer into ours.
    """

    name = "requests"

    def __init__(self, connect_s: float, read_s: float) -> None:
        super().__init__()
        self._timeout = (connect_s, read_s)
        self._own = local()

    def request(  # type: ignore[override]  # as in the SDK's own clients, which leave `_usage` out too
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """Send one request. Raises APIConnectionError."""
        return self._client(is_local(url)).request(method, url, headers, post_data)

    def close(self) -> None:
        """Close this thread's connections. Those of other threads close when their threads end."""
        for client in self._clients().values():
            client.close()  # type: ignore[no-untyped-call]

    def _client(self, is_direct: bool) -> stripe.RequestsClient:
        clients = self._clients()
        if is_direct not in clients:
            clients[is_direct] = stripe.RequestsClient(timeout=self._timeout, session=_session(is_direct))
        return clients[is_direct]

    def _clients(self) -> dict[bool, stripe.RequestsClient]:
        """Give this thread's clients: sessions must not be shared between threads."""
        found: dict[bool, stripe.RequestsClient] = self._own.__dict__.setdefault("clients", {})
        return found


def is_local(url: str) -> bool:
    """Say whether an address is this machine's own."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _session(is_direct: bool) -> requests.Session:
    session = requests.Session()
    session.trust_env = not is_direct
    session.max_redirects = 0
    # With an authentication of its own, the session does not look for one in ~/.netrc to put in the key's place.
    session.auth = _as_it_is
    return session


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
