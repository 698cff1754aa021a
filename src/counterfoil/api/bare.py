"""The bare doors of authenticated callers: routes that machines hammer, without the framework's share of the cost.

They behave as the other routes do: the same keys and scopes, the same strictness, the same problem documents.
"""

import asyncio
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec
from starlette.types import Receive, Scope, Send

from counterfoil.api.auth import Callers
from counterfoil.api.call import read_key
from counterfoil.api.cards import holds_card_number
from counterfoil.api.door import refuse_unknown, refuse_unscoped
from counterfoil.api.errors import ENTRIES
from counterfoil.api.messenger import read_body
from counterfoil.api.problems import MEDIA_TYPE, Problem
from counterfoil.core.spending import Refusal
from counterfoil.engine.commands import problem
from counterfoil.engine.setup import Caller

JSON: Final = (b"content-type", b"application/json")
PROBLEM: Final = (b"content-type", MEDIA_TYPE.encode())
REPLAYED: Final = (b"idempotency-replayed", b"true")
MANY_DIGITS: Final = re.compile(rb"[0-9](?:[ \-.]?[0-9]){12}")
"""What a card number has at least. Most bodies have no such thing, and need no closer look."""
PLACE: Final = re.compile(r" - at `\$\.?([^`]*)`$")
FIELD: Final = re.compile(r"field `([A-Za-z0-9_]{1,64})`")


class Recognition:
    """Recognizes callers without holding the loop: who was recognized a moment ago is known, others are asked for
    once, however many requests come with the same key."""

    def __init__(self) -> None:
        self._asked: dict[str, asyncio.Future[Caller | None]] = {}

    async def caller(self, scope: Scope, needed: str) -> Caller:
        """Give who calls, and refuse whoever may not."""
        header = header_of(scope, b"authorization") or ""
        scheme, _, key = header.partition(" ")
        key = key.strip()
        if scheme.lower() != "bearer" or not key:
            raise Problem(401, "api_key_missing", headers={"WWW-Authenticate": "Bearer"})
        callers: Callers = scope["app"].state.callers
        caller = callers.fresh(key) or refuse_unknown(await self._find(callers, key))
        scope["state"]["tenant"] = caller.tenant
        refuse_unscoped(caller, needed)
        return caller

    async def _find(self, callers: Callers, key: str) -> Caller | None:
        asked = self._asked.get(key)
        if asked is None:
            loop = asyncio.get_running_loop()
            asked = self._asked[key] = loop.run_in_executor(None, callers.find, key)
            asked.add_done_callback(lambda _: self._asked.pop(key, None))
        return await asyncio.shield(asked)


def header_of(scope: Scope, name: bytes) -> str | None:
    """Give a header."""
    for each, value in scope["headers"]:
        if each == name:
            text: str = value.decode("latin-1")
            return text
    return None


def key_of(scope: Scope) -> str | None:
    """Give the Idempotency-Key, None when there is none. Raises Problem."""
    header = header_of(scope, b"idempotency-key")
    return None if header is None else read_key(header)


def flag_of(scope: Scope, name: str) -> bool:
    """Give the one parameter that a bare route knows. A misspelt dry_run must not become a real run."""
    if not scope["query_string"]:
        return False
    given = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    for each, _ in given:
        if each != name:
            shown = each[:64] if each.isascii() and each.isprintable() else "(a name that is not shown)"
            fault = {"param": shown, "message": "is not a known parameter"}
            raise Problem(422, "invalid_request", f"{shown!r} is not a known parameter.", errors=(fault,))
    if len(given) > 1:
        raise Problem(422, "invalid_request", f"{name!r} is given more than once.", param=name)
    value = given[0][1].lower()
    if value not in ("true", "false", "1", "0"):
        raise Problem(422, "invalid_request", f"{name}: must be true or false", param=name)
    return value in ("true", "1")


def refuse_query(scope: Scope) -> None:
    """Refuse every parameter: the route knows none."""
    if scope["query_string"]:
        flag_of(scope, "")


async def json_body(scope: Scope, receive: Receive) -> bytes:
    """Read a body that has to be JSON. Raises Problem."""
    body = await read_body(receive)
    kind = header_of(scope, b"content-type") or ""
    if body and kind != "application/json" and kind.partition(";")[0].strip().lower() != "application/json":
        raise Problem(415, "content_type_not_json")
    return body


def may_hold_card(body: bytes) -> bool:
    """Say whether the texts of a body need a closer look."""
    return not body.isascii() or MANY_DIGITS.search(body) is not None


def refuse_cards(*texts: str | None) -> None:
    """Refuse a card number, whichever field it stands in. Raises Problem."""
    if any(text and holds_card_number(text) for text in texts):
        raise Problem(422, "card_number_refused")


def fault_of(error: msgspec.ValidationError) -> tuple[str, str]:
    """Name the field that was not accepted, and what it must be. What was sent is never repeated."""
    text = str(error)
    found = PLACE.search(text)
    param = found[1] if found and len(found[1]) <= 64 else ""
    said = PLACE.sub("", text)
    named = FIELD.search(said)
    if "unknown field" in said:
        return named[1] if named else "body", "is not a known field"
    if "missing required field" in said and named:
        return named[1], "is missing"
    return param or "body", said[:1].lower() + said[1:]


def invalid(param: str, message: str) -> Problem:
    """One field was not accepted."""
    fault = {"param": param, "message": message}
    return Problem(422, "invalid_request", f"{param}: {message}", param=param, errors=(fault,))


def problem_of(refusal: Refusal) -> dict[str, Any]:
    """Give the problem document of a refusal: what happened, and what to do about it."""
    entry = ENTRIES[refusal.code]
    body = problem(refusal.status, refusal.code, refusal.detail, param=refusal.param, retryable=entry.retryable)
    sums = {} if refusal.needed is None else {"balance": refusal.balance, "needed": refusal.needed}
    return body | sums | {"remedy": refusal.remedy or entry.remedy}


async def refuse(scope: Scope, send: Send, refusal: Refusal) -> None:
    """Answer with the problem document of a refusal."""
    body = problem_of(refusal) | {"request_id": scope["state"]["request_id"]}
    again = ((b"retry-after", b"1"),) if ENTRIES[refusal.code].retryable else ()
    await respond(send, refusal.status, msgspec.json.encode(body), PROBLEM, *again)


async def respond(send: Send, status: int, body: bytes, *headers: tuple[bytes, bytes]) -> None:
    """Answer."""
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(b"content-length", str(len(body)).encode()), *headers],
        }
    )
    await send({"type": "http.response.body", "body": body})


def encoded(view: Mapping[str, Any]) -> bytes:
    """Write JSON."""
    return msgspec.json.encode(view)
