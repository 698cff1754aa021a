"""Requests and responses as values, and the form encoding in every dialect that Stripe's SDKs use."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

CORS = {
    "Access-Control-Allow-Credentials": "true",
    "Access-Control-Allow-Headers": (
        "Authorization, Content-Type, Idempotency-Key, Stripe-Account, Stripe-Version, X-Stripe-Client-User-Agent"
    ),
    "Access-Control-Allow-Methods": "GET, HEAD, PUT, PATCH, POST, DELETE",
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Request-Id, Stripe-Manage-Version, Stripe-Should-Retry",
    "Access-Control-Max-Age": "300",
}
"""What lets a browser with a publishable key read an answer, on any page."""

ConnectionFault: TypeAlias = Literal["timeout", "reset", "refused"]
Form: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. `path` may carry a query string; header names match in any case."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def header(self, name: str) -> str | None:
        wanted = name.lower()
        return next((value for key, value in self.headers.items() if key.lower() == wanted), None)

    @property
    def route_path(self) -> str:
        """The path alone: decoded, without query and trailing slash."""
        path = unquote(urlsplit(self.path).path)
        return path.rstrip("/") or "/"

    @property
    def query(self) -> str:
        return urlsplit(self.path).query


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP response, or what happens to the connection instead of it.

    `fault`: timeout = no answer ever comes (after `delay_s`, 0 = the connection closes at once); reset = the headers
    and a part of the body come, then the connection breaks; refused = nothing listens. `delay_s` without a fault:
    the answer comes that much later.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    fault: ConnectionFault | None = None
    delay_s: float = 0.0

    def json(self) -> Any:
        return msgspec.json.decode(self.body)


def json_body(value: object) -> bytes:
    """Encode as Stripe does: indented, so that a person can read a capture."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2)


def basic_user(authorization: str) -> str | None:
    """The user name of a basic Authorization header (Stripe takes the API key there), None when it is not one."""
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(rest.strip(), validate=True).decode().partition(":")[0]
    except ValueError:
        return ""


def decode_form(text: str) -> Form:
    """Nest `a[b]`, `a[]`, `a[0]` and `a[0][b]`.

    Arrays stay maps of positions: only the parameter's declaration knows arrays from hashes.
    """
    form: Form = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        _place(form, _segments(name), value)
    return form


def _segments(name: str) -> list[str]:
    head, bracket, rest = name.partition("[")
    if not bracket or not rest.endswith("]"):
        return [name]
    return [head, *rest[:-1].split("][")]


def _place(form: Form, segments: list[str], value: str) -> None:
    here = form
    for position, segment in enumerate(segments[:-1]):
        key = segment or _open_position(here, segments[position + 1])
        below = here.get(key)
        if not isinstance(below, dict):
            below = here[key] = {}
        here = below
    here[segments[-1] or str(len(here))] = value


def _open_position(items: Form, following: str) -> str:
    """The element of `a[][b]` that a value belongs to: the last one, or a new one when that already has a `b`."""
    if not items:
        return "0"
    last = str(len(items) - 1)
    element = items.get(last)
    if isinstance(element, dict) and following and following not in element:
        return last
    return str(len(items))
