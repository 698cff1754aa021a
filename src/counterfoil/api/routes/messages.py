"""Messages to people, and the schedule by which refused payments are tried again."""

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import ConfigDict, Field, StrictInt
from starlette.responses import Response

from counterfoil.api import schemas
from counterfoil.api.call import Asking, Commanding
from counterfoil.api.commanding import commanded
from counterfoil.api.door import Door, declare, json_response
from counterfoil.api.fields import Strict
from counterfoil.api.filters import CustomerFilter, Status, Words, words
from counterfoil.api.ids import MessagePath, checked, customer_filter
from counterfoil.api.paging import Paged, listed
from counterfoil.api.problems import Problem, not_found
from counterfoil.api.schemas_messages import DunningPolicy, Message, WrittenMessage
from counterfoil.core.dunning_terms import LastStep
from counterfoil.core.lifecycle import MessageStatus
from counterfoil.core.messages import Template
from counterfoil.engine import dunning_policies, message_views
from counterfoil.engine.commands import Result
from counterfoil.engine.looks import look
from counterfoil.engine.operations import Asked
from counterfoil.store.pages import Filter

router = APIRouter(prefix="/v1", route_class=Door)


class Schedule(Strict):
    """When a refused payment is tried again, in hours after the first try. The first hour is 0."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"hours": [0, 72, 120, 168]}]})

    hours: Annotated[list[Annotated[StrictInt, Field(ge=0, le=2160)]], Field(min_length=1, max_length=12)]
    then: Literal["leave_open", "uncollectible"] = "leave_open"


@router.get(
    "/messages",
    tags=["Messages"],
    summary="List messages",
    response_model=schemas.List[Message],
    openapi_extra=declare("read", 404),
)
def list_messages(
    call: Asking, paging: Paged, status: Status = None, template: Words = None, customer: CustomerFilter = None
) -> Response:
    """Lists what was written to customers and operators, the newest first, without the words."""
    wanted = Filter(
        customer=customer_filter(call, customer),
        statuses=words(status, MessageStatus, "status"),
        kinds=words(template, Template, "template"),
    )
    page = paging.page("message")
    rows = look(call.house, call.tenant, lambda tx: message_views.listed(tx, page, wanted))
    return json_response(listed(rows, paging.limit))


@router.get(
    "/messages/{id}",
    tags=["Messages"],
    summary="Show a message with its words",
    response_model=WrittenMessage,
    openapi_extra=declare("read", 404),
)
def get_message(identity: MessagePath, call: Asking) -> Response:
    """Shows a message as it was written, and what became of it."""
    message = checked("message", identity)
    found = look(call.house, call.tenant, lambda tx: message_views.shown(tx, message))
    if found is None:
        raise not_found("message", identity)
    return json_response(found)


@router.post(
    "/messages/{id}/resend",
    tags=["Messages"],
    summary="Send a message again",
    response_model=WrittenMessage,
    openapi_extra=declare("write", 404, 409),
)
async def resend_message(identity: MessagePath, command: Commanding) -> Response:
    """Sends the same words again, to the address that the customer has now."""

    def act(asked: Asked) -> Result:
        return message_views.resend(asked, checked("message", identity))

    return await commanded(command, act)


@router.get(
    "/dunning-policy",
    tags=["Messages"],
    summary="Show the schedule of dunning",
    response_model=DunningPolicy,
    openapi_extra=declare("read"),
)
def get_dunning_policy(call: Asking) -> Response:
    """Shows when refused payments of our own invoices are tried again."""
    return json_response(look(call.house, call.tenant, dunning_policies.shown))


@router.put(
    "/dunning-policy",
    tags=["Messages"],
    summary="Declare the schedule of dunning",
    response_model=DunningPolicy,
    openapi_extra=declare("admin"),
)
def set_dunning_policy(body: Schedule, call: Asking) -> Response:
    """Declares the schedule that holds from now on, also for payments that were refused before."""
    try:
        return json_response(dunning_policies.declare(call.house, call.tenant, tuple(body.hours), LastStep(body.then)))
    except dunning_policies.DunningPolicyRefused as error:
        raise Problem(422, error.code, str(error), param="hours") from error
