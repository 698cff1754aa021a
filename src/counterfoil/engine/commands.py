"""Commands are news too: an API call is an inbox row, and its stored decision is its stored answer.

One transaction each: put the row (the caller's key makes it itself), read the books under lock, decide, write, answer.
The same key with the same body replays the answer; with another body it is refused; nothing happens twice.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from counterfoil.core.books import Books
from counterfoil.core.effects import Decision, Notify, Post, Reason, Refuse, changes_of, effects_of
from counterfoil.core.facts import Source
from counterfoil.engine import looks
from counterfoil.engine.answers import fix_answers
from counterfoil.engine.apply import Applied, apply
from counterfoil.engine.decide import Moment
from counterfoil.engine.house import House
from counterfoil.engine.load import Scope, load_books
from counterfoil.engine.trace import describe, describe_entry
from counterfoil.store import inbox, subjects
from counterfoil.store.database import Row, Tx
from counterfoil.store.inbox import Answer, News, plain

STATUS_OF_REFUSAL: dict[Reason, int] = {
    Reason.NOT_FOUND: 404,
    Reason.INVALID_REQUEST: 422,
    Reason.PAYMENT_IN_PROGRESS: 409,
    Reason.WALLET_EXISTS: 409,
    Reason.WALLET_NOT_EMPTY: 409,
    Reason.SPEND_TAKEN_BACK: 409,
    Reason.GRANT_IN_USE: 409,
    Reason.PROVIDER_REF_TAKEN: 409,
    Reason.EXTERNAL_ID_TAKEN: 409,
    Reason.CUSTOMER_ERASED: 409,
    Reason.CASE_NOT_OPEN: 409,
    Reason.MONTH_NOT_OVER: 409,
    Reason.MESSAGE_ON_ITS_WAY: 409,
    Reason.PURCHASE_CLOSED: 409,
    Reason.PURCHASE_NOT_SETTLED: 409,
    Reason.PURCHASE_COLLECTED_BY_INVOICE: 409,
    Reason.LINE_BILLED: 409,
    Reason.LINE_MANAGED: 409,
    Reason.REFERENCE_TAKEN: 409,
    Reason.COLLECTED_BY_PROVIDER: 409,
    Reason.NO_PAYMENT_METHOD: 402,
}
"""How a refusal is answered; every other one is 422."""


class IdempotencyMismatch(Exception):
    """This Idempotency-Key was used before with another body. Use a new key for a new request."""

    code = "idempotency_key_reused"


@dataclass(frozen=True, slots=True)
class Request:
    """A command as it came in. `caller` scopes its key: the API key's id, or the operator's name.

    `idempotency_key` None makes every call its own. `body` is the exact body, kept apart as erasable text.
    """

    route: str
    caller: str
    idempotency_key: str | None
    body: bytes
    source: Source = Source.API
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What a command wants: whose books, how to decide, and how to answer.

    `customer` None means a command that has no customer yet; `after` writes what is no subject of the books.
    `answer` reads the books as they are after the decision. `awaits` names the payment whose rest is the final answer.
    """

    customer: str | None
    scope: Scope
    decide: Callable[[Tx, Books | None, Moment], Decision]
    answer: Callable[[Tx, Applied], Answer]
    after: Callable[[Tx, Applied], None] | None = None
    awaits: Callable[[Applied], str | None] = lambda applied: next((each.id for each in applied.payments), None)


@dataclass(frozen=True, slots=True)
class Result:
    """The answer of a command. `final` says that it will never change; `replayed` that it was given before."""

    answer: Answer
    inbox: str
    decision: str | None
    final: bool
    replayed: bool = False
    awaits: str | None = None


class _DryRun(Exception):
    """Carries the preview out of a transaction that is rolled back."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer


def run(house: House, tenant: str, request: Request, plan: Plan) -> Result:
    """Run a command, or replay its answer. Raises IdempotencyMismatch."""
    # The row's id is made once: a second try after an unknown commit then finds its own row and replays.
    identity = house.new_id("inbox")
    try:
        result = house.transact(tenant, lambda tx: _run(tx, house, request, plan, identity))
    except _DryRun as dry:
        return Result(dry.answer, "", None, final=True)
    return look_again(house, tenant, result.inbox, replayed=True) if result.replayed else result


def _run(tx: Tx, house: House, request: Request, plan: Plan, identity: str) -> Result:
    moment = Moment(house.clock.now(), house.new_id)
    digest = hashlib.sha256(request.body).digest()
    news_id, new = inbox.put(tx, _news(request, moment, identity))
    if not new:
        return _replay(tx, news_id, digest)
    books = load_books(tx, plan.customer, plan.scope) if plan.customer else None
    decision = plan.decide(tx, books, moment)
    customer = plan.customer or applied_customer(decision)
    applied = apply(tx, news_id, decision, customer, moment.now, house.new_id)
    if plan.after and not isinstance(decision, Refuse):
        plan.after(tx, applied)
    if _is_about_erased(tx, books, decision):
        inbox.drop_body(tx, news_id)  # it may say again what was erased
    if request.dry_run:
        raise _DryRun(Answer(200, plain(preview(decision))))
    return _answered(tx, news_id, digest, plan, applied)


def _is_about_erased(tx: Tx, books: Books | None, decision: Decision) -> bool:
    """Say whether a command was about a customer whose personal data were erased, or refused because of one."""
    if books:
        return books.customer.erased_at is not None
    named = (subjects.customer(tx, each) for each in decision.why.about if each.startswith("cust_"))
    return any(each.erased_at for each in named if each)


def _news(request: Request, moment: Moment, identity: str) -> News:
    key = request.idempotency_key
    return News(
        id=identity,
        source=request.source,
        kind=request.route,
        identity=f"api:{request.caller}:{request.route}:{key}" if key else f"api:{identity}",
        occurred_at=moment.now,
        received_at=moment.now,
        detail={"caller": request.caller},
        body=request.body,
    )


def _answered(tx: Tx, news_id: str, digest: bytes, plan: Plan, applied: Applied) -> Result:
    """Store the first answer and, when nothing is awaited any more, the same as the final one."""
    refused = isinstance(applied.decision, Refuse)
    awaits = None if refused else plan.awaits(applied)
    answer = refusal_answer(applied) if refused else plan.answer(tx, applied)
    final = awaits is None or answer.status != 202
    inbox.put_command(tx, news_id, digest, awaits, answer, answer if final else None)
    fix_answers(tx, applied)
    return Result(answer, news_id, applied.id, final, awaits=awaits)


def refusal_answer(applied: Applied) -> Answer:
    """Answer a refusal as a problem document (RFC 9457)."""
    decision = applied.decision
    assert isinstance(decision, Refuse)
    status = STATUS_OF_REFUSAL.get(decision.why.reason, 422)
    body = problem(status, decision.why.reason, decision.why.sentence, param=decision.param)
    return Answer(status, plain(body | {"explain": f"/v1/decisions/{applied.id}"}))


def problem(
    status: int, code: str, detail: str, *, param: str | None = None, retryable: bool = False
) -> dict[str, Any]:
    """Make a problem document. `type` is the page that says what to do."""
    title = code.replace("_", " ").capitalize()
    base = {"type": f"/docs/errors#{code}", "title": title, "status": status, "code": code, "detail": detail}
    return base | {"retryable": retryable} | ({"param": param} if param else {})


def _replay(tx: Tx, news_id: str, digest: bytes) -> Result:
    row = inbox.command_of(tx, news_id)
    assert row is not None, "a command without its answer"
    if bytes(row["request_hash"]) != digest:
        raise IdempotencyMismatch(str(IdempotencyMismatch.__doc__))
    return current(tx, row, news_id, replayed=True)


def current(tx: Tx, row: Row, news_id: str, *, replayed: bool = False) -> Result:
    """Read a stored answer: the final one when there is one, else what it waits for, as it stands now."""
    if row["final_body"] is not None:
        answer = Answer(row["final_status"], row["final_body"])
        return Result(answer, news_id, None, final=True, replayed=replayed, awaits=row["awaits"])
    seen = looks.awaited(tx, row["awaits"])
    answer = Answer(202, plain(seen) if seen else row["first_body"])
    return Result(answer, news_id, None, final=False, replayed=replayed, awaits=row["awaits"])


def look_again(house: House, tenant: str, news_id: str, *, replayed: bool = False) -> Result:
    """Read the answer of a command as it is by now, at one instant and without holding anything up."""

    def read(tx: Tx) -> Result:
        row = inbox.command_of(tx, news_id)
        assert row is not None, "a command without its answer"
        return current(tx, row, news_id, replayed=replayed)

    return looks.look(house, tenant, read)


def preview(decision: Decision) -> dict[str, Any]:
    """Show what a decision would do: entries, orders, messages and changes, made by the same code as the real run."""
    effects = effects_of(decision)
    why = decision.why
    return {
        "object": "preview",
        "outcome": type(decision).__name__.lower(),
        "rule": why.rule,
        "reason": why.reason,
        "sentence": why.sentence,
        "entries": [describe_entry(each.entry) for each in effects if isinstance(each, Post)],
        "messages": [each.kind for each in effects if isinstance(each, Notify)],
        "effects": [described for each in effects for described in describe(each)],
    }


def applied_customer(decision: Decision) -> str | None:
    """Give the customer that a decision created, when the command had none before."""
    return next((each.id for each in changes_of(effects_of(decision)) if each.id.startswith("cust_")), None)
