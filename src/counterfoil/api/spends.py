"""The spend door: pays for uses from wallets, one or a list of them per request."""

import asyncio
from typing import Any, Final

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from counterfoil.api import bare
from counterfoil.api.messenger import Messenger
from counterfoil.api.metrics import Metrics
from counterfoil.api.problems import Problem
from counterfoil.core.spending import Refusal
from counterfoil.engine.setup import Caller
from counterfoil.engine.spend_views import preview, spend_view
from counterfoil.engine.spends import ITEMS_MAX, Answer, Spender, SpendRequest
from counterfoil.store.spends import Spend

PATH: Final = "/v1/spends"


class Peek(msgspec.Struct):
    """Tells a list of uses from a single one."""

    spends: msgspec.Raw = msgspec.Raw()


class Batch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A list of uses."""

    spends: list[msgspec.Raw]


SINGLE: Final = msgspec.json.Decoder(SpendRequest)
PEEK: Final = msgspec.json.Decoder(Peek)
BATCH: Final = msgspec.json.Decoder(Batch)


class SpendDoor:
    """Takes uses in."""

    def __init__(self) -> None:
        self._recognition = bare.Recognition()
        self._messenger: Messenger[Any] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one request in."""
        caller = await self._recognition.caller(scope, "spend")
        dry_run = bare.flag_of(scope, "dry_run")
        body = await bare.json_body(scope, receive)
        try:
            if b'"spends"' in body and bytes(PEEK.decode(body).spends):
                await self._batch(scope, send, caller, body, dry_run)
            else:
                await self._single(scope, send, caller, SINGLE.decode(body), body, dry_run)
        except msgspec.ValidationError as error:
            raise bare.invalid(*bare.fault_of(error)) from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Problem(400, "json_invalid") from error

    async def _single(
        self, scope: Scope, send: Send, caller: Caller, request: SpendRequest, body: bytes, dry_run: bool
    ) -> None:
        request = _keyed(request, bare.key_of(scope), dry_run)
        if bare.may_hold_card(body):
            bare.refuse_cards(request.key, request.feature, request.customer)
        spender: Spender = scope["app"].state.spender
        if dry_run:
            (answer,) = await run_in_threadpool(spender.dry_run, caller.tenant, [request])
            await bare.respond(send, 200, bare.encoded(preview(answer)), bare.JSON)
            return
        answer = await self._here().bring(spender.spend(caller.tenant, request))
        _count(scope, [answer])
        if isinstance(answer, Refusal):
            await bare.refuse(scope, send, answer)
            return
        replayed = (bare.REPLAYED,) if answer.replayed else ()
        await bare.respond(send, 201, bare.encoded(spend_view(answer)), bare.JSON, *replayed)

    async def _batch(self, scope: Scope, send: Send, caller: Caller, body: bytes, dry_run: bool) -> None:
        if bare.header_of(scope, b"idempotency-key") is not None:
            raise bare.invalid("Idempotency-Key", "stands for one use; in a list each has its own key")
        given = BATCH.decode(body).spends
        if not 0 < len(given) <= ITEMS_MAX:
            raise bare.invalid("spends", f"must be 1 to {ITEMS_MAX} uses")
        looks_closer = bare.may_hold_card(body)
        requests = [_item(each, looks_closer) for each in given]
        spender: Spender = scope["app"].state.spender
        if dry_run:
            previews = await run_in_threadpool(spender.dry_run, caller.tenant, requests)
            await bare.respond(send, 200, bare.encoded({"data": [preview(each) for each in previews]}), bare.JSON)
            return
        answers = await self._here().bring(spender.spend_all(caller.tenant, requests))
        _count(scope, answers)
        data = [_told(request, each) for request, each in zip(requests, answers, strict=True)]
        await bare.respond(send, 200, bare.encoded({"data": data}), bare.JSON)

    def _here(self) -> Messenger[Any]:
        loop = asyncio.get_running_loop()
        if self._messenger is None or self._messenger.loop is not loop:
            self._messenger = Messenger(loop)
        return self._messenger


receive: Final = SpendDoor()


def _keyed(request: SpendRequest, header: str | None, dry_run: bool) -> SpendRequest:
    """Give a request the key of its header. A dry run takes none."""
    if request.key is not None:
        if header not in (None, request.key):
            raise bare.invalid("key", "differs from the Idempotency-Key; send it once")
        return request
    if header is None and not dry_run:
        raise Problem(400, "idempotency_key_missing", param="Idempotency-Key")
    return msgspec.structs.replace(request, key=header or "dry-run")


def _item(raw: msgspec.Raw, looks_closer: bool) -> SpendRequest | Refusal:
    """Read one use of a list; what can't be read is refused alone."""
    try:
        request = SINGLE.decode(raw)
    except msgspec.ValidationError as error:
        param, message = bare.fault_of(error)
        return Refusal(422, "invalid_request", f"{param}: {message}", param)
    if looks_closer:
        try:
            bare.refuse_cards(request.key, request.feature, request.customer)
        except Problem as refused:
            return Refusal(refused.status_code, refused.code, str(refused.detail))
    return request


def _told(request: SpendRequest | Refusal, answer: Answer) -> dict[str, Any]:
    if isinstance(answer, Spend):
        return {"key": answer.key, "status": 201, "spend": spend_view(answer)}
    key = request.key if isinstance(request, SpendRequest) else None
    return {"key": key, "status": answer.status, "error": bare.problem_of(answer)}


def _count(scope: Scope, answers: "list[Answer]") -> None:
    metrics: Metrics = scope["app"].state.metrics
    for each in answers:
        metrics.spent(each.code if isinstance(each, Refusal) else "replayed" if each.replayed else "accepted")
