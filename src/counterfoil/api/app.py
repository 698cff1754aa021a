"""The HTTP door as one ASGI application: API, webhook door, health, metrics and the page of errors."""

import base64
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from counterfoil.api import errors, health, metrics, spends, webhooks
from counterfoil.api.auth import Callers
from counterfoil.api.envelope import Envelope
from counterfoil.api.metrics import Metrics
from counterfoil.api.openapi import document
from counterfoil.api.problems import Problem, answer, of_framework, of_validation
from counterfoil.api.routes import (
    auto_topup,
    checking,
    collecting,
    customers,
    disputes,
    documents,
    hooks,
    invoices,
    mapping,
    messages,
    methods,
    months,
    operator,
    packs,
    payments,
    purchases,
    refunds,
    road,
    spending,
    wallets,
)
from counterfoil.engine import setup
from counterfoil.engine.clock import SystemClock
from counterfoil.engine.house import House
from counterfoil.engine.intake import IntakeLane
from counterfoil.engine.spends import Spender
from counterfoil.store.database import TRANSIENT, CommitUnknown, DatabaseUnavailable

ROUTERS = (
    customers.router,
    documents.router,
    months.router,
    methods.router,
    wallets.router,
    wallets.lots,
    wallets.units,
    spending.router,
    spending.holds,
    invoices.router,
    payments.router,
    collecting.router,
    disputes.router,
    packs.router,
    purchases.router,
    refunds.router,
    mapping.router,
    auto_topup.router,
    purchases.lines,
    road.router,
    hooks.router,
    hooks.sent,
    checking.router,
    messages.router,
    operator.router,
)


@dataclass(frozen=True, slots=True)
class Options:
    """What whoever starts the application decides. `clock_moved` hears how far business time now runs ahead."""

    clock_moved: Callable[[timedelta], None]


def create_app(house: House, options: Options | None = None) -> FastAPI:
    """Build the application over a house. It owns nothing of the house: close the house's database after it."""
    app = without_house()
    app.state.house = house
    app.state.options = options or Options(lambda ahead: _follow(house, ahead))
    app.state.callers = Callers(lambda key: setup.authenticate(house, key))
    app.state.metrics = Metrics(house)
    app.state.intake = IntakeLane(house)
    app.state.spender = Spender(house)
    return app


def without_house() -> FastAPI:
    """Build the routes alone: enough to describe the application, and nothing that could answer."""
    app = FastAPI(
        title="Counterfoil",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
        telemetry={"tracing": False},
        generate_unique_id_function=lambda route: route.name,
    )
    for router in ROUTERS:
        app.include_router(router)
    bare = _bare_routes()
    app.router.routes[:0] = bare  # First: machines hammer them, and routes are tried one after the other.
    app.state.bare = {each.endpoint: each.path for each in bare}
    app.state.doors = {spends.SPENDS: spends.take_spends, spends.HOLDS: spends.take_holds}
    app.add_middleware(Envelope)
    _handle_errors(app)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Take webhooks and uses in until the application stops; what was taken in by then is stored."""
    yield
    app.state.intake.close()
    app.state.spender.close()


def _follow(house: House, ahead: timedelta) -> None:
    if isinstance(house.clock, SystemClock):
        house.clock.offset = ahead


def _bare_routes() -> list[Route]:
    return [
        Route(spends.SPENDS, spends.take_spends, methods=["POST"]),
        Route(spends.HOLDS, spends.take_holds, methods=["POST"]),
        Route(spends.SETTLE, spends.settle_hold, methods=["POST"]),
        Route(spends.RELEASE, spends.release_hold, methods=["POST"]),
        Route(webhooks.PATH, webhooks.receive, methods=["POST"]),
        Route("/healthz", health.live),
        Route("/readyz", health.ready),
        Route("/metrics", metrics.show),
        Route("/openapi.json", _openapi),
        Route("/docs/errors", _errors),
    ]


def _openapi(request: Request) -> Response:
    return Response(document(request.app), media_type="application/json")


def _errors(request: Request) -> Response:
    """The page that a problem's `type` links to."""
    style = base64.b64encode(hashlib.sha256(errors.STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; frame-ancestors 'none'"
    return HTMLResponse(errors.page(), headers={"Content-Security-Policy": policy})


def _handle_errors(app: FastAPI) -> None:
    """Give every error its problem document."""

    def framework(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return answer(request, of_framework(error))

    def validation(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return answer(request, of_validation(error))

    app.add_exception_handler(HTTPException, framework)
    app.add_exception_handler(RequestValidationError, validation)
    app.add_exception_handler(DatabaseUnavailable, _trouble("database_unavailable"))
    app.add_exception_handler(CommitUnknown, _trouble("commit_unknown"))
    for lost_race in TRANSIENT:
        app.add_exception_handler(lost_race, _trouble("busy"))


def _trouble(code: str) -> Callable[[Request, Exception], Response]:
    def handle(request: Request, error: Exception) -> Response:
        return answer(request, Problem(503, code))

    return handle
