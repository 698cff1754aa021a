"""The console: read-only pages for people, from the same explanations that the API and the command line give."""

from collections.abc import Callable
from typing import Final

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from counterfoil.console import anything, customers, events, finding, invoices, pay, purchases, signing, wallets
from counterfoil.console.guard import Guard
from counterfoil.console.render import page
from counterfoil.console.texts import ENGLISH
from counterfoil.console.visits import Visitor, login_url, visitor_of
from counterfoil.engine import commands
from counterfoil.engine.explain import NotFound
from counterfoil.engine.house import House
from counterfoil.store.database import DatabaseUnavailable

__all__ = ["create_console", "login_url"]

log = structlog.get_logger("counterfoil.console")

Shown = Callable[[Request, Visitor], Response]
"""A page for somebody who is signed in."""


def create_console(house: House) -> Starlette:
    """Build the console of a house, to be mounted at `/`. Its house may serve several tenants: a visit has one."""
    app = Starlette(
        routes=_routes(),
        middleware=[
            Middleware(Guard, secret=house.ids.secret, refuse=lambda request: problem(request, 403, "error.403")),
            Middleware(GZipMiddleware, minimum_size=1000),
        ],
        exception_handlers={
            HTTPException: _refused,
            NotFound: _not_found,
            DatabaseUnavailable: _database_gone,
        },
    )
    app.state.house = house
    return app


class _Kept(StaticFiles):
    """Files of ours, whose address changes with their content: browsers need not ask again."""

    def file_response(self, *arguments: object, **options: object) -> Response:
        """Serve a file."""
        response = super().file_response(*arguments, **options)  # type: ignore[arg-type]
        scope: Scope = arguments[2]  # type: ignore[assignment]
        if b"v=" in scope["query_string"] or str(scope["path"]).endswith(".woff2"):
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def _signed_in(shown: Shown) -> Callable[[Request], Response]:
    """Let a page be seen by visitors only; everybody else is asked to sign in, and comes back to it afterwards."""

    def serve(request: Request) -> Response:
        visitor = visitor_of(request.app.state.house, request)
        if visitor is None:
            return signing.asked(request)
        request.state.visitor = visitor
        try:
            return shown(request, visitor)
        except (HTTPException, NotFound, DatabaseUnavailable):
            raise
        except Exception:
            # The outer loop of a page: whatever went wrong ends up in the log, under an id that the page shows.
            log.exception("page_failed", request_id=request.state.request_id, path=request.url.path)
            return problem(request, 500, "error.500")

    return serve


def _home(request: Request, visitor: Visitor) -> Response:
    return RedirectResponse("/customers", 303)


def _routes() -> list[Route | Mount]:
    return [
        Route("/", _signed_in(_home)),
        Route("/customers", _signed_in(customers.listing)),
        Route("/customers/{id}", _signed_in(customers.one)),
        Route("/invoices", _signed_in(invoices.listing)),
        Route("/invoices/{id}", _signed_in(invoices.one)),
        Route("/wallets/{id}", _signed_in(wallets.one)),
        Route("/purchases", _signed_in(purchases.listing)),
        Route("/purchases/{id}", _signed_in(purchases.one)),
        Route("/events", _signed_in(events.listing)),
        Route("/events/{id}", _signed_in(events.one)),
        Route("/events/{id}/payload", _signed_in(events.payload)),
        Route("/explain/{id}", _signed_in(anything.one)),
        Route("/find", _signed_in(finding.find)),
        Route("/pay/{token}", pay.show, methods=["GET"]),
        Route("/pay/{token}", pay.ask, methods=["POST"]),
        Route("/sign-in", signing.form, methods=["GET"]),
        Route("/sign-in", signing.enter, methods=["POST"]),
        Route("/sign-in/{token}", signing.by_link, methods=["GET"]),
        Route("/sign-out", _signed_in(signing.leave), methods=["POST"]),
        Route("/theme", signing.theme, methods=["POST"]),
        Mount("/static", _Kept(packages=[("counterfoil.console", "static")])),
    ]


# --- what went wrong, on a page or as a problem document, whichever was asked for ---

CODES: Final = {
    403: "foreign_site",
    404: "not_found",
    405: "method_not_allowed",
    422: "invalid_request",
    500: "internal_error",
    503: "database_unavailable",
}


def problem(request: Request, status: int, key: str, detail: str | None = None) -> Response:
    """Answer with what went wrong, why, and the request id that finds it in the log."""
    said = detail or ENGLISH[f"{key}.detail"]
    request_id = request.state.request_id
    if "text/html" not in request.headers.get("Accept", "text/html"):
        body = commands.problem(status, CODES[status], said, retryable=status == 503) | {"request_id": request_id}
        return JSONResponse(body, status, media_type="application/problem+json")
    values = {"status": status, "title_key": key, "detail": said, "request_id": request_id}
    return page(request, "error.html", values, visitor=getattr(request.state, "visitor", None), status=status)


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = error.status_code if error.status_code in CODES else 422
    return problem(request, status, f"error.{status}")


def _not_found(request: Request, error: Exception) -> Response:
    return problem(request, 404, "error.404", str(error))


def _database_gone(request: Request, error: Exception) -> Response:
    log.warning("database_unavailable", request_id=request.state.request_id, error=str(error))
    return problem(request, 503, "error.503")
