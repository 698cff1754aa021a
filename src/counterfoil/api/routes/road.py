"""The road: news of the provider, what was decided about it, what was told, and what a person is asked."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from counterfoil.api import schemas
from counterfoil.api.call import Asking, Commanding
from counterfoil.api.commanding import commanded
from counterfoil.api.door import Door, declare, json_response
from counterfoil.api.filters import CustomerFilter, Status, Subject, Words, words
from counterfoil.api.ids import CasePath, DecisionPath, NoticePath, checked, customer_filter
from counterfoil.api.paging import LIMIT, LIMIT_MAX, Paged, listed, read_cursor, write_cursor
from counterfoil.api.problems import Problem, not_found
from counterfoil.api.requests import CaseAnswer
from counterfoil.core.cases import Resolution
from counterfoil.core.effects import Outcome, Reason
from counterfoil.core.facts import Source
from counterfoil.core.lifecycle import CaseStatus, InboxStatus
from counterfoil.engine import cases as answering
from counterfoil.engine import looks
from counterfoil.engine.commands import Result
from counterfoil.engine.looks import look
from counterfoil.engine.operations import Asked
from counterfoil.engine.views import View
from counterfoil.store import pages
from counterfoil.store.database import Tx
from counterfoil.store.pages import Filter

router = APIRouter(prefix="/v1", route_class=Door)


@router.get(
    "/provider-events",
    tags=["Provider events"],
    summary="List news of the provider",
    response_model=schemas.List[schemas.ProviderEvent],
    openapi_extra=declare("read", 404),
)
def list_provider_events(
    call: Asking,
    paging: Paged,
    status: Status = None,
    source: Words = None,
    kind: Words = None,
    subject: Subject = None,
    customer: CustomerFilter = None,
) -> Response:
    """Lists what the provider sent, replied, or was seen to have, each with its decision, the newest first."""
    wanted = Filter(
        customer=customer_filter(call, customer),
        statuses=words(status, InboxStatus, "status"),
        sources=words(source, Source, "source"),
        kinds=tuple(kind.split(",")) if kind else None,
        parent=subject,
    )
    page = paging.page("inbox")
    rows = look(call.house, call.tenant, lambda tx: looks.notices(tx, page, wanted))
    return json_response(listed(rows, paging.limit))


@router.get(
    "/provider-events/{id}",
    tags=["Provider events"],
    summary="Show one piece of news with its decision",
    response_model=schemas.ProviderEvent,
    openapi_extra=declare("read", 404),
)
def get_provider_event(identity: NoticePath, call: Asking) -> Response:
    """Shows one piece of news; of a webhook also the event as it was sent, unless it was erased."""
    notice = checked("inbox", identity)
    found = look(call.house, call.tenant, lambda tx: looks.notice(tx, notice))
    if found is None:
        raise not_found("provider event", identity)
    return json_response(found)


@router.get(
    "/decisions",
    tags=["Decisions"],
    summary="List decisions",
    response_model=schemas.List[schemas.Decision],
    openapi_extra=declare("read", 404),
)
def list_decisions(
    call: Asking,
    paging: Paged,
    outcome: Words = None,
    reason: Words = None,
    subject: Subject = None,
    customer: CustomerFilter = None,
) -> Response:
    """Lists decisions with their news, the newest first. `subject` is any object of ours or of the provider."""
    wanted = Filter(
        customer=customer_filter(call, customer),
        statuses=words(outcome, Outcome, "outcome"),
        kinds=words(reason, Reason, "reason"),
        parent=subject,
    )
    page = paging.page("decision")
    rows = look(call.house, call.tenant, lambda tx: looks.decisions_page(tx, page, wanted))
    return json_response(listed(rows, paging.limit))


@router.get(
    "/decisions/{id}",
    tags=["Decisions"],
    summary="Show a decision",
    response_model=schemas.Decision,
    openapi_extra=declare("read", 404),
)
def get_decision(identity: DecisionPath, call: Asking) -> Response:
    """Shows a decision: the rule and its version, the inputs used, the reason in a sentence, and every effect."""
    decision = checked("decision", identity)
    found = look(call.house, call.tenant, lambda tx: looks.decision(tx, decision))
    if found is None:
        raise not_found("decision", identity)
    return json_response(found)


@router.get(
    "/events",
    tags=["Events"],
    summary="Read events in their order",
    response_model=schemas.List[schemas.Event],
    openapi_extra=declare("read", 404),
)
def list_events(
    call: Asking,
    after: Annotated[str | None, Query(max_length=300, description="The id of the last event that you read.")] = None,
    cursor: Annotated[str | None, Query(max_length=200, description="`next_cursor` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX, description="How many at most.", examples=[LIMIT])] = LIMIT,
    kind: Words = None,
    customer: CustomerFilter = None,
) -> Response:
    """Reads what happened here, the oldest first. Go on with `after`: no event is missed, none comes twice."""
    last = read_cursor(cursor, "event") if cursor else after
    if last is not None:
        checked("event", last, "after")
    wanted = Filter(
        customer=customer_filter(call, customer),
        kinds=tuple(kind.split(",")) if kind else None,
    )
    end = looks.events_end(call.house, call.tenant)
    rows = look(call.house, call.tenant, lambda tx: _events(tx, last, end, limit, wanted))
    data = rows[:limit]
    more = len(rows) > limit
    return json_response({"data": data, "next_cursor": write_cursor(data[-1]["id"]) if more else None})


def _events(tx: Tx, last: str | None, end: int, limit: int, wanted: Filter) -> list[View]:
    position = pages.event_position(tx, last) if last else 0
    if position is None:
        raise Problem(404, "not_found", "There is no event with the id given as `after`.", param="after")
    return looks.events(tx, position, end, limit, wanted)


@router.get(
    "/cases",
    tags=["Cases"],
    summary="List questions for a person",
    response_model=schemas.List[schemas.Case],
    openapi_extra=declare("read", 404),
)
def list_cases(
    call: Asking,
    paging: Paged,
    status: Status = None,
    question: Words = None,
    subject: Subject = None,
    customer: CustomerFilter = None,
) -> Response:
    """Lists what a person is asked, the newest first."""
    wanted = Filter(
        customer=customer_filter(call, customer),
        statuses=words(status, CaseStatus, "status"),
        kinds=words(question, Reason, "question"),
        parent=subject,
    )
    page = paging.page("case")
    rows = look(call.house, call.tenant, lambda tx: looks.cases(tx, page, wanted))
    return json_response(listed(rows, paging.limit))


@router.get(
    "/cases/{id}",
    tags=["Cases"],
    summary="Show a question for a person",
    response_model=schemas.Case,
    openapi_extra=declare("read", 404),
)
def get_case(identity: CasePath, call: Asking) -> Response:
    """Shows a question for a person."""
    case = checked("case", identity)
    found = look(call.house, call.tenant, lambda tx: looks.case(tx, case))
    if found is None:
        raise not_found("case", identity)
    return json_response(found)


@router.post(
    "/cases/{id}/resolve",
    tags=["Cases"],
    summary="Answer a question",
    response_model=schemas.Case,
    openapi_extra=declare("fix", 404, 409),
)
async def resolve_case(identity: CasePath, body: CaseAnswer, command: Commanding) -> Response:
    """Answers a question. It moves no money: a refund or a claim is a command of its own. A claim answers by itself."""

    def act(asked: Asked) -> Result:
        return answering.resolve_case(asked, checked("case", identity), Resolution(body.resolution), body.note)

    return await commanded(command, act)
