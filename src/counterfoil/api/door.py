"""What every route under /v1 does before it runs: who calls, may they, and is the body fit to be read."""

import json
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Final

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from counterfoil.api.call import Call
from counterfoil.api.problems import Problem
from counterfoil.api.reading import check_text, read_json
from counterfoil.engine.setup import Caller

SCOPE: Final = "x-scope"
"""Names a route's scope in the OpenAPI document; the door asks for what it says there."""
MOVES_MONEY: Final = "x-moves-money"
"""Marks the routes that need an Idempotency-Key."""
ERRORS: Final = "x-errors"
BODIED: Final = frozenset({"POST", "PATCH", "PUT"})


class _Read(Request):
    """A request whose body was read already, strictly."""

    async def json(self) -> Any:
        return self.state.document


class Door(APIRoute):
    """A route of authenticated callers."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Put the door before the route."""
        handle = super().get_route_handler()
        declared = self.openapi_extra or {}
        scope, moves_money = declared[SCOPE], declared.get(MOVES_MONEY, False)
        known = frozenset(_query_names(self.dependant))

        async def enter(request: Request) -> Response:
            caller = await run_in_threadpool(_caller, request, scope)
            _check_query(request, known)
            request.state.document = await _document(request) if request.method in BODIED else None
            request.state.needs_key = moves_money
            request.state.call = Call(
                house=request.app.state.house,
                caller=caller,
                request_id=request.state.request_id,
                route=f"{request.method} {self.path_format}",
                params={name: str(value) for name, value in request.path_params.items()},
                document=request.state.document,
            )
            read = _Read(request.scope, request.receive)
            read._body = await request.body()  # a server gives the bytes once; reading them again would wait for ever
            return await handle(read)

        return enter


def _query_names(dependant: Dependant) -> Iterator[str]:
    """Give the names of the query parameters that a route, or anything it depends on, declares."""
    yield from (each.alias for each in dependant.query_params)
    for each in dependant.dependencies:
        yield from _query_names(each)


def _caller(request: Request, scope: str) -> Caller:
    """Recognize who calls, and refuse whoever may not."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise Problem(401, "api_key_missing", headers={"WWW-Authenticate": "Bearer"})
    caller = refuse_unknown(request.app.state.callers.find(key.strip()))
    request.state.tenant = caller.tenant
    refuse_unscoped(caller, scope)
    return caller


def refuse_unknown(caller: Caller | None) -> Caller:
    """Refuse a key that is nobody's. Raises Problem."""
    if caller is None:
        raise Problem(401, "api_key_unknown", headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
    return caller


def refuse_unscoped(caller: Caller, scope: str) -> None:
    """Refuse whoever may not. Raises Problem."""
    if scope not in caller.scopes:
        told = f'Bearer error="insufficient_scope", scope="{scope}"'
        detail = f"This API key lacks the scope {scope!r}."
        raise Problem(403, "scope_missing", detail, headers={"WWW-Authenticate": told})


def _check_query(request: Request, known: frozenset[str]) -> None:
    """Refuse parameters that are not known: a misspelt dry_run must not become a real run."""
    for name, value in request.query_params.multi_items():
        check_text(value, name if name in known else "query")
        if name not in known:
            fault = {"param": name[:64], "message": "is not a known parameter"}
            raise Problem(422, "invalid_request", f"{name[:64]!r} is not a known parameter.", errors=(fault,))
    for name in known:
        if len(request.query_params.getlist(name)) > 1:
            raise Problem(422, "invalid_request", f"{name!r} is given more than once.", param=name)
    for name, value in request.path_params.items():
        _check_path(name, str(value))


def _check_path(name: str, value: str) -> None:
    try:
        check_text(value, name)
    except Problem as refused:
        if refused.status_code == 400:
            raise Problem(404, "not_found") from refused
        raise


async def _document(request: Request) -> Any:
    body = await request.body()
    if not body:
        return None
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Problem(415, "content_type_not_json")
    return read_json(body)


def declare(scope: str, *errors: int, moves_money: bool = False) -> dict[str, Any]:
    """Give what a route says about itself in the OpenAPI document, and the door reads: the scope that it asks for, and
    the errors that it can answer beside those of every route."""
    return {SCOPE: scope, ERRORS: list(errors), **({MOVES_MONEY: True} if moves_money else {})}


def json_response(body: Any, status: int = 200) -> Response:
    """Answer with JSON."""
    return Response(json.dumps(body, separators=(",", ":"), ensure_ascii=False), status, media_type="application/json")
