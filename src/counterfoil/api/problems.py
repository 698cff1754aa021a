"""Errors as problem documents (RFC 9457), all of one shape, whoever raised them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from counterfoil.api.errors import ENTRIES
from counterfoil.engine.commands import problem

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_S: Final = 1
ERRORS_MAX: Final = 20
"""How many faults of one request are named. Whoever sends more of them is not helped by a list."""


class Problem(HTTPException):
    """An error whose code has an entry in the catalogue of errors."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str | None = None,
        *,
        param: str | None = None,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, detail or ENTRIES[code].means, headers)
        self.code, self.param, self.errors = code, param, errors


def not_found(noun: str, text: str, param: str | None = None) -> Problem:
    """There is no such thing, or it is somebody else's. The text comes from outside: only what looks like an id is
    repeated."""
    named = f" {text}" if text.isascii() and text.isprintable() and len(text) <= 64 else ""
    return Problem(404, "not_found", f"There is no {noun}{named}.", param=param)


def document(raised: Problem) -> dict[str, Any]:
    """Give the problem document of an error, without its request's id."""
    entry = ENTRIES[raised.code]
    body = problem(raised.status_code, raised.code, raised.detail, param=raised.param, retryable=entry.retryable)
    return body | ({"errors": list(raised.errors)} if raised.errors else {})


def answer(request: Request, raised: Problem) -> Response:
    """Answer with a problem document."""
    body = document(raised) | {"request_id": request.state.request_id}
    headers = dict(raised.headers or {})
    if ENTRIES[raised.code].retryable:
        headers.setdefault("Retry-After", str(RETRY_AFTER_S))
    return Response(json.dumps(body, ensure_ascii=False), raised.status_code, headers, MEDIA_TYPE)


def of_framework(raised: HTTPException) -> Problem:
    """Give an error of the framework's routing one of our codes."""
    if isinstance(raised, Problem):
        return raised
    code = {404: "not_found", 405: "method_not_allowed", 400: "json_invalid"}.get(raised.status_code)
    detail = {"not_found": "There is nothing at this path."}.get(code or "")
    return Problem(raised.status_code, code or "invalid_request", detail, headers=raised.headers)


def of_validation(raised: RequestValidationError) -> Problem:
    """Name every field that was not accepted. What was sent is never repeated: it may be a secret."""
    errors = [_fault(each) for each in raised.errors()[:ERRORS_MAX]]
    first = errors[0]
    return Problem(422, "invalid_request", f"{first['param']}: {first['message']}", param=first["param"], errors=errors)


def _fault(error: Mapping[str, Any]) -> dict[str, str]:
    return {"param": _path(error["loc"][1:]) or str(error["loc"][0]), "message": _message(error)}


def _message(error: Mapping[str, Any]) -> str:
    if error["type"] == "extra_forbidden":
        return "is not a known field"
    text: str = error["msg"].removeprefix("Value error, ")
    return text[:1].lower() + text[1:]


def _path(parts: Iterable[str | int]) -> str:
    """Write a location as people do: lines[0].net. Names come from outside and are kept short."""
    path = ""
    for part in parts:
        path += f"[{part}]" if isinstance(part, int) else f".{_shown(part)}"
    return path.removeprefix(".")


def _shown(name: str) -> str:
    return name if name.isascii() and name.isprintable() and len(name) <= 64 else "(a name that is not shown)"
