"""The SDK over a function instead of a network, for a seeded world whose sandbox lives in the same process.

Importing this module loads the SDK, so import it where it is used.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import stripe

Transport: TypeAlias = Callable[[str, str, Mapping[str, str], bytes], tuple[int, Mapping[str, str], bytes]]
"""Takes method, address, headers and body; gives status, headers and body.

It raises ConnectionRefusedError when nothing was sent, and any other OSError (TimeoutError, ConnectionResetError) when
a request left and no whole reply came.
"""


class InProcessClient(stripe.HTTPClient):
    """An HTTP client of the SDK whose network is a function. As safe between threads as the function is."""

    name = "in-process"

    def __init__(self, transport: Transport) -> None:
        super().__init__()
        self._transport = transport

    def request(  # type: ignore[override]  # as in the SDK's own clients, which leave `_usage` out too
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """Send one request. Raises APIConnectionError, as the SDK's own clients do."""
        body = post_data.encode() if isinstance(post_data, str) else b""
        try:
            status, reply_headers, reply = self._transport(method.upper(), url, dict(headers or {}), body)
        except OSError as error:
            raise stripe.APIConnectionError(f"{type(error).__name__} in process") from error  # type: ignore[no-untyped-call]
        return reply, status, {name.lower(): value for name, value in reply_headers.items()}

    def close(self) -> None:
        """There is nothing to close."""
