"""The spend door: pays for uses from wallets and reserves credits for them, one or a list of them per request."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from counterfoil.api import bare
from counterfoil.api.messenger import Coming, Messenger
from counterfoil.api.metrics import Metrics
from counterfoil.api.problems import Problem
from counterfoil.core.spending import Refusal
from counterfoil.engine.flush import Answer
from counterfoil.engine.setup import Caller
from counterfoil.engine.spend_views import hold_view, preview, spend_view
from counterfoil.engine.spends import ITEMS_MAX, HoldRequest, SettleRequest, Spender, SpendRequest
from counterfoil.engine.views import View
from counterfoil.store.spends import Spend

Request: TypeAlias = SpendRequest | HoldRequest
SPENDS: Final = "/v1/spends"
HOLDS: Final = "/v1/holds"
SETTLE: Final = "/v1/holds/{id}/settle"
RELEASE: Final = "/v1/holds/{id}/release"


class Lists(msgspec.Struct):
    """Tells a list from a single request."""

    spends: msgspec.Raw = msgspec.Raw()
    holds: msgspec.Raw = msgspec.Raw()


class Spends(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A list of uses."""

    spends: list[msgspec.Raw]


class Holds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A list of holds."""

    holds: list[msgspec.Raw]


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A body without fields."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What is taken in: how it is read, singly and in a list named `many`, and what the engine does with it."""

    word: str
    many: str
    single: "msgspec.json.Decoder[Any]"
    listed: "msgspec.json.Decoder[Any]"
    do: Callable[[Spender, str, Any], Coming[Answer]]
    do_all: Callable[[Spender, str, Sequence[Any]], Coming[list[Answer]]]
    dry: Callable[[Spender, str, Sequence[Any]], list[Answer]]


SPEND: Final = Kind(
    "spend",
    "spends",
    msgspec.json.Decoder(SpendRequest),
    msgspec.json.Decoder(Spends),
    Spender.spend,
    Spender.spend_all,
    Spender.dry_spend,
)
HOLD: Final = Kind(
    "hold",
    "holds",
    msgspec.json.Decoder(HoldRequest),
    msgspec.json.Decoder(Holds),
    Spender.hold,
    Spender.hold_all,
    Spender.dry_hold,
)
PEEK: Final = msgspec.json.Decoder(Lists)
SETTLEMENT: Final = msgspec.json.Decoder(SettleRequest)
NOTHING: Final = msgspec.json.Decoder(Nothing)


class Door(ABC):
    """What all of these routes do: who calls, what they sent, and how the engine's answer comes back to the loop."""

    def __init__(self, recognition: bare.Recognition) -> None:
        self._recognition = recognition
        self._messenger: Messenger[Any] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one request in."""
        caller = await self._recognition.caller(scope, "spend")
        try:
            await self._take(scope, receive, send, caller)
        except msgspec.ValidationError as error:
            raise bare.invalid(*bare.fault_of(error)) from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Problem(400, "json_invalid") from error

    @abstractmethod
    async def _take(self, scope: Scope, receive: Receive, send: Send, caller: Caller) -> None:
        """Take the request of a caller who may."""

    async def _bring(self, answer: Coming[Any]) -> Any:
        loop = asyncio.get_running_loop()
        if self._messenger is None or self._messenger.loop is not loop:
            self._messenger = Messenger(loop)
        return await self._messenger.bring(answer)


class TakingIn(Door):
    """Takes uses or holds in."""

    def __init__(self, recognition: bare.Recognition, kind: Kind) -> None:
        super().__init__(recognition)
        self._kind = kind
        self._mark = f'"{kind.many}"'.encode()

    async def _take(self, scope: Scope, receive: Receive, send: Send, caller: Caller) -> None:
        dry_run = bare.flag_of(scope, "dry_run")
        body = await bare.json_body(scope, receive)
        if self._mark in body and bytes(getattr(PEEK.decode(body), self._kind.many)):
            await self._list(scope, send, caller, body, dry_run)
        else:
            await self._single(scope, send, caller, body, dry_run)

    async def _single(self, scope: Scope, send: Send, caller: Caller, body: bytes, dry_run: bool) -> None:
        request = _keyed(self._kind.single.decode(body), bare.key_of(scope), dry_run)
        if bare.may_hold_card(body):
            bare.refuse_cards(request.key, request.feature, request.customer, *request.pools)
        spender: Spender = scope["app"].state.spender
        if dry_run:
            (answer,) = await run_in_threadpool(self._kind.dry, spender, caller.tenant, [request])
            await bare.respond(send, 200, bare.encoded(preview(answer)), bare.JSON)
            return
        answer = await self._bring(self._kind.do(spender, caller.tenant, request))
        await told(scope, send, self._kind.word, 201, answer)

    async def _list(self, scope: Scope, send: Send, caller: Caller, body: bytes, dry_run: bool) -> None:
        if bare.header_of(scope, b"idempotency-key") is not None:
            raise bare.invalid(
                "Idempotency-Key", "names one request; leave the header out of a list, where each has its own key"
            )
        given = getattr(self._kind.listed.decode(body), self._kind.many)
        if not 0 < len(given) <= ITEMS_MAX:
            raise bare.invalid(self._kind.many, f"must be 1 to {ITEMS_MAX} of them")
        looks_closer = bare.may_hold_card(body)
        requests = [self._item(each, looks_closer) for each in given]
        spender: Spender = scope["app"].state.spender
        if dry_run:
            previews = await run_in_threadpool(self._kind.dry, spender, caller.tenant, requests)
            await bare.respond(send, 200, bare.encoded({"data": [preview(each) for each in previews]}), bare.JSON)
            return
        answers = await self._bring(self._kind.do_all(spender, caller.tenant, requests))
        count(scope, self._kind.word, answers)
        data = [self._told(request, each) for request, each in zip(requests, answers, strict=True)]
        await bare.respond(send, 200, bare.encoded({"data": data}), bare.JSON)

    def _item(self, raw: msgspec.Raw, looks_closer: bool) -> Request | Refusal:
        """Read one of a list; what can't be read is refused alone."""
        try:
            request: Request = self._kind.single.decode(raw)
        except msgspec.ValidationError as error:
            param, message = bare.fault_of(error)
            return Refusal(422, "invalid_request", f"{param}: {message}", param)
        if looks_closer:
            try:
                bare.refuse_cards(request.key, request.feature, request.customer, *request.pools)
            except Problem as refused:
                return Refusal(refused.status_code, refused.code, str(refused.detail))
        return request

    def _told(self, request: Request | Refusal, answer: Answer) -> View:
        key = None if isinstance(request, Refusal) else request.key
        if isinstance(answer, Refusal):
            return {"key": key, "status": answer.status, "error": bare.problem_of(answer)}
        return {"key": key, "status": 201, self._kind.word: shown(answer)}


class Settling(Door):
    """Settles holds."""

    async def _take(self, scope: Scope, receive: Receive, send: Send, caller: Caller) -> None:
        bare.refuse_query(scope)
        body = await bare.json_body(scope, receive)
        spender: Spender = scope["app"].state.spender
        hold = str(scope["path_params"]["id"])
        answer = await self._bring(spender.settle(caller.tenant, hold, SETTLEMENT.decode(body)))
        await told(scope, send, "settle", 200, answer)


class Releasing(Door):
    """Lets holds go."""

    async def _take(self, scope: Scope, receive: Receive, send: Send, caller: Caller) -> None:
        bare.refuse_query(scope)
        body = await bare.json_body(scope, receive)
        if body:
            NOTHING.decode(body)
        spender: Spender = scope["app"].state.spender
        answer = await self._bring(spender.release(caller.tenant, str(scope["path_params"]["id"])))
        await told(scope, send, "release", 200, answer)


RECOGNITION: Final = bare.Recognition()
take_spends: Final = TakingIn(RECOGNITION, SPEND)
take_holds: Final = TakingIn(RECOGNITION, HOLD)
settle_hold: Final = Settling(RECOGNITION)
release_hold: Final = Releasing(RECOGNITION)


async def told(scope: Scope, send: Send, word: str, status: int, answer: Answer) -> None:
    """Answer with what the engine said."""
    count(scope, word, [answer])
    if isinstance(answer, Refusal):
        await bare.refuse(scope, send, answer)
        return
    replayed = (bare.REPLAYED,) if answer.replayed else ()
    await bare.respond(send, status, bare.encoded(shown(answer)), bare.JSON, *replayed)


def shown(answer: Any) -> View:
    """Show a spend or a hold."""
    return spend_view(answer) if isinstance(answer, Spend) else hold_view(answer)


def count(scope: Scope, word: str, answers: "Sequence[Answer]") -> None:
    """Count answers by how they ended."""
    metrics: Metrics = scope["app"].state.metrics
    for each in answers:
        metrics.spent(word, each.code if isinstance(each, Refusal) else "replayed" if each.replayed else "accepted")


def _keyed(request: Any, header: str | None, dry_run: bool) -> Any:
    """Give a request the key of its header. A dry run takes none."""
    if request.key is not None:
        if header not in (None, request.key):
            raise bare.invalid("key", "differs from the Idempotency-Key; send it once")
        return request
    if header is None and not dry_run:
        raise Problem(400, "idempotency_key_missing", param="Idempotency-Key")
    return msgspec.structs.replace(request, key=header or "dry-run")
