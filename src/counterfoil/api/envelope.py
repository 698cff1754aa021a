"""What every request gets, whatever its route: an id, a bound on its body, a line in the log, and always an answer."""

import time
from typing import Any, Final

import structlog
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from counterfoil.api.metrics import Metrics
from counterfoil.api.problems import Problem, answer
from counterfoil.engine.intake import BODY_MAX

log = structlog.get_logger("counterfoil.api")

QUIET: Final = frozenset({"/healthz", "/readyz", "/metrics"})
STORED: Final = frozenset({"/v1/spends", "/v1/holds", "/v1/holds/{id}/settle", "/v1/holds/{id}/release"})
"""What machines hammer. What was accepted there is a row that says more than a line would, and the line would cost as
much as the row; what was refused is not stored, and has its line."""


class Envelope:
    """The outermost layer of the application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        await _Exchange(self._app, scope, receive, send).run()


class _Exchange:
    """One request and its answer."""

    def __init__(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        self._app, self._scope, self._receive, self._send = app, scope, receive, send
        self._request_id: str = scope["app"].state.house.new_id("request")
        self._metrics: Metrics = scope["app"].state.metrics
        self._read = 0
        self._status: int | None = None

    async def run(self) -> None:
        self._scope.setdefault("state", {})["request_id"] = self._request_id
        began = time.monotonic()
        try:
            await self._handled()
        except Exception:
            # The outer loop: nothing may leave a caller without an answer, or us without a trace.
            log.exception("request_failed", request_id=self._request_id, route=self._route)
            if self._status is None:
                failed = answer(Request(self._scope), Problem(500, "internal_error"))
                await failed(self._scope, self._receive, self._sealed)
        finally:
            self._note(time.monotonic() - began)

    async def _handled(self) -> None:
        """Hand the request to the framework; what machines hammer goes straight to its door, which needs none."""
        app = self._scope["app"]
        door = app.state.doors.get(self._scope["path"]) if self._scope["method"] == "POST" else None
        if door is None:
            await self._app(self._scope, self._bounded, self._sealed)
            return
        self._scope["endpoint"] = door
        try:
            await door(self._scope, self._bounded, self._sealed)
        except Exception as error:
            # The framework's own table of handlers: one answer to an error, whichever way the request took.
            handler = next((app.exception_handlers[each] for each in type(error).__mro__ if _has(app, each)), None)
            if handler is None or self._status is not None:
                raise
            await handler(Request(self._scope), error)(self._scope, self._receive, self._sealed)

    async def _bounded(self) -> Message:
        """Read on, but never more than the bound; a body that announces more is not read at all."""
        if self._read == 0 and _announced(self._scope) > BODY_MAX:
            raise Problem(413, self._too_large)
        message = await self._receive()
        self._read += len(message.get("body", b""))
        if self._read > BODY_MAX:
            raise Problem(413, self._too_large)
        return message

    @property
    def _too_large(self) -> str:
        return "webhook_too_large" if self._scope["path"].startswith("/webhooks/") else "body_too_large"

    async def _sealed(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            headers = MutableHeaders(scope=message)
            self._request_id = headers.setdefault("Request-Id", self._request_id)
            headers.setdefault("Cache-Control", "no-store")
            headers.setdefault("X-Content-Type-Options", "nosniff")
        await self._send(message)

    @property
    def _route(self) -> str:
        """The path's template, never the path: it may hold what must not be logged."""
        bare: dict[object, str] = self._scope["app"].state.bare
        path = getattr(self._scope.get("route"), "path_format", None) or bare.get(self._scope.get("endpoint"))
        return path or "(none)"

    def _note(self, seconds: float) -> None:
        method, route, status = _known(self._scope["method"]), self._route, self._status or 500
        self._metrics.note(method, route, str(status), seconds)
        if route not in QUIET and not (route in STORED and status < 400):
            tenant = self._scope["state"].get("tenant")
            log.info(
                "request",
                method=method,
                route=route,
                status=status,
                ms=round(seconds * 1000, 1),
                request_id=self._request_id,
                tenant=tenant,
            )


def _has(app: Any, error: type) -> bool:
    return error is not Exception and error in app.exception_handlers


def _known(method: str) -> str:
    return method if method in ("GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS") else "OTHER"


def _announced(scope: Scope) -> int:
    text = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    return int(text) if text.isdigit() else 0
