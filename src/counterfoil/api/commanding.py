"""Runs a command and answers it: at once, or when its payment rests, whichever comes first.

The engine's answer is given as it was stored, byte for byte, so that a replay is the same answer.
"""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from counterfoil.api.call import Command
from counterfoil.api.problems import MEDIA_TYPE, Problem
from counterfoil.engine.commands import IdempotencyMismatch, Result, look_again
from counterfoil.engine.looks import client_secret
from counterfoil.engine.operations import Asked

Act = Callable[[Asked], Result]

FIRST_LOOK_S: Final = 0.02
LAST_LOOK_S: Final = 0.25


async def commanded(command: Command, act: Act) -> Response:
    """Run a command whose answer is final at once."""
    return _respond(command, await run_in_threadpool(_run, command, act))


async def awaited(command: Command, act: Act) -> Response:
    """Run a command about a payment, and wait for the payment a while."""
    result = await run_in_threadpool(_run, command, act)
    result = await _settled(command, result)
    response = _respond(command, result)
    if response.status_code == 202 and not command.dry_run:
        return await run_in_threadpool(_pending, command, result, response)
    return response


def _run(command: Command, act: Act) -> Result:
    try:
        return act(command.asked)
    except IdempotencyMismatch as error:
        raise Problem(422, "idempotency_key_reused", param="Idempotency-Key") from error


async def _settled(command: Command, result: Result) -> Result:
    """Look again, more and more slowly, until the payment rests, asks for its customer, or the time is up."""
    until, pause = time.monotonic() + command.wait_s, FIRST_LOOK_S
    call = command.call
    replayed = result.replayed
    while not _is_answered(result) and (left := until - time.monotonic()) > 0:
        await asyncio.sleep(min(pause, left))
        pause = min(pause * 1.5, LAST_LOOK_S)
        result = await run_in_threadpool(look_again, call.house, call.tenant, result.inbox)
    return Result(result.answer, result.inbox, result.decision, result.final, replayed, result.awaits)


def _is_answered(result: Result) -> bool:
    """Say whether it is the caller's turn: the payment rests, or its customer has something to confirm."""
    if result.final:
        return True
    shown = _collecting(json.loads(result.answer.body))
    if shown is None:
        return False
    is_confirmable = shown["confirm"] == "client" and any(leg.get("provider_ref") for leg in shown["legs"])
    return shown["status"] == "requires_action" or is_confirmable


def _collecting(shown: dict[str, Any]) -> dict[str, Any] | None:
    """Give the payment of an answer: a payment itself, or the one that collects a purchase. Refunds have none."""
    if shown["object"] == "refund_group":
        return None
    return shown.get("payment") if shown["object"] == "purchase" else shown


def _respond(command: Command, result: Result) -> Response:
    """Give the stored answer. A refusal names the request that it was first given to, so that a replay is equal."""
    status, body = result.answer.status, result.answer.body
    headers = {"Idempotency-Replayed": "true"} if result.replayed else {}
    if command.waits_by_preference:
        headers["Preference-Applied"] = f"wait={command.wait_s:g}"
    if status < 400 or _is_subject(body):
        return Response(body, status, headers, "application/json")
    request_id = result.inbox or command.call.request_id
    problem = json.loads(body) | {"request_id": request_id}
    if not result.replayed:
        headers["Request-Id"] = request_id
    return Response(_text(problem), status, headers, MEDIA_TYPE)


def _is_subject(body: str) -> bool:
    """Tell a payment that was refused (402, still a payment) from a command that was."""
    return "object" in json.loads(body)


def _pending(command: Command, result: Result, response: Response) -> Response:
    """Complete the answer of what is under way: where to look, and what a browser needs to confirm it."""
    shown = json.loads(result.answer.body)
    payment = _collecting(shown)
    secret = client_secret(command.call.house, command.call.tenant, payment) if payment else None
    body = shown | ({"client_secret": secret} if secret else {})
    headers = {name: value for name, value in response.headers.items() if name not in ("content-length",)}
    noun = shown["object"].removesuffix("_group")
    headers |= {"Location": f"/v1/{noun}s/{shown['id']}", "Retry-After": "1"}
    return Response(_text(body), 202, headers)


def _text(body: Any) -> str:
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False)
