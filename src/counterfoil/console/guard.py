"""What every answer of the console carries, and what no request may do: the browser is told to trust us alone.

Styles and scripts come from our own files; the few attributes that htmx reads carry the page's nonce, so that markup
that somebody smuggled in does nothing. Nobody may put our pages into a frame, and no other site may make a visitor's
browser change anything here.
"""

from collections.abc import Callable
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
OWN_SITES: Final = frozenset({"same-origin", "none"})
"""What a browser says of requests that our own pages, or the visitor's own hands, made."""


def policy(nonce: str) -> str:
    """Give the content security policy of one answer."""
    rules = (
        "default-src 'none'",
        f"script-src 'self' 'nonce-{nonce}'",
        "style-src 'self'",
        "font-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types htmx",
    )
    return "; ".join(rules)


HEADERS: Final = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}


class Guard:
    """ASGI middleware: a nonce and a request id per request, the headers above on every answer, no foreign posts."""

    def __init__(self, app: ASGIApp, secret: Callable[[], str], refuse: Callable[[Request], Response]) -> None:
        self._app = app
        self._secret = secret
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state["nonce"] = self._secret()
        state.setdefault("request_id", f"req_{self._secret()[:26]}")

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add_headers(message, state["nonce"], state["request_id"])
            await send(message)

        request = Request(scope, receive)
        app = self._refuse(request) if _is_foreign(request) else self._app
        await app(scope, receive, guarded)


def _add_headers(message: Message, nonce: str, request_id: str) -> None:
    headers = MutableHeaders(scope=message)
    headers["Content-Security-Policy"] = policy(nonce)
    headers.setdefault("Cache-Control", "no-store")
    headers.setdefault("Request-Id", request_id)
    for name, value in HEADERS.items():
        headers[name] = value


def _is_foreign(request: Request) -> bool:
    """Say whether another site sent a request that changes something. Browsers say where a request comes from."""
    if request.method in SAFE:
        return False
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in OWN_SITES
    origin = request.headers.get("Origin")
    return origin is not None and origin.rpartition("//")[2] != request.headers.get("Host")
