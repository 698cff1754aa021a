"""Customers: who pays, all that is known of them, and whether anything may be collected."""

from fastapi import APIRouter
from starlette.responses import Response

from counterfoil.api import schemas, schemas_hooks
from counterfoil.api.call import Asking, Call, Commanding
from counterfoil.api.commanding import Act, commanded
from counterfoil.api.door import Door, declare, json_response
from counterfoil.api.filters import Before, Since, Subject, Words
from counterfoil.api.ids import CustomerPath, checked, customer_id
from counterfoil.api.paging import Paged, listed
from counterfoil.api.problems import not_found
from counterfoil.api.requests import CustomerChanges, NewCustomer, NoFields, Standing
from counterfoil.api.schemas_collecting import CustomerState
from counterfoil.engine import customers as changing
from counterfoil.engine import hooks, looks, operations
from counterfoil.engine.commands import Result
from counterfoil.engine.looks import look
from counterfoil.store.pages import Filter

router = APIRouter(prefix="/v1/customers", tags=["Customers"], route_class=Door)


@router.post(
    "",
    summary="Create a customer",
    status_code=201,
    response_model=schemas.Customer,
    openapi_extra=declare("write", 404, 409),
)
async def create_customer(body: NewCustomer, command: Commanding) -> Response:
    """Creates a customer here and, unless `provider_ref` names one, at the provider."""
    if body.provider_account is not None:
        checked("account", body.provider_account, "provider_account")
    wanted = operations.NewCustomer(
        account=body.provider_account,
        external_id=body.external_id,
        provider_ref=body.provider_ref,
        name=body.name,
        email=body.email,
        metadata=dict(body.metadata),
        locale=body.locale,
        billing=body.billing.model_dump() if body.billing else None,
    )
    return await commanded(command, lambda asked: operations.create_customer(asked, wanted))


@router.get("", summary="List customers", response_model=schemas.List[schemas.Customer], openapi_extra=declare("read"))
def list_customers(call: Asking, paging: Paged, since: Since = None, before: Before = None) -> Response:
    """Lists customers, the newest first."""
    wanted = Filter(since=since, before=before)
    page = paging.page("customer")
    rows = look(call.house, call.tenant, lambda tx: looks.customers(tx, page, wanted))
    return json_response(listed(rows, paging.limit))


@router.get("/{id}", summary="Show a customer", response_model=schemas.Customer, openapi_extra=declare("read", 404))
def get_customer(identity: CustomerPath, call: Asking) -> Response:
    """Shows a customer. Personal fields are null once they are erased."""
    customer = customer_id(call, identity)
    found = look(call.house, call.tenant, lambda tx: looks.customer(tx, customer))
    if found is None:
        raise not_found("customer", identity)
    return json_response(found)


@router.patch(
    "/{id}",
    summary="Change a customer's personal fields",
    response_model=schemas.Customer,
    openapi_extra=declare("write", 404, 409),
)
async def update_customer(identity: CustomerPath, body: CustomerChanges, command: Commanding) -> Response:
    """Changes name, e-mail and metadata; the provider's copy of name and e-mail follows. What is left out stays."""
    changes = changing.Changes(body.model_dump(include=body.model_fields_set))

    def act(asked: operations.Asked) -> Result:
        return changing.update_customer(asked, customer_id(command.call, identity), changes)

    return await commanded(command, act)


@router.delete(
    "/{id}/personal-data",
    summary="Erase a customer's personal data",
    response_model=schemas.Customer,
    openapi_extra=declare("write", 404),
)
async def erase_customer(identity: CustomerPath, command: Commanding) -> Response:
    """Erases name, e-mail, metadata and whatever was sent about the customer, for ever. Invoices, payments and the
    journal stay; they know the customer by its id. Erasing again erases what came in since."""

    def act(asked: operations.Asked) -> Result:
        return changing.erase_customer(asked, customer_id(command.call, identity))

    return await commanded(command, act)


@router.post(
    "/{id}/pause", summary="Pause a customer", response_model=schemas.Customer, openapi_extra=declare("write", 404)
)
async def pause_customer(identity: CustomerPath, command: Commanding, body: NoFields | None = None) -> Response:
    """Pauses a customer: nothing is collected and no order leaves for the provider until it is resumed."""
    return await commanded(command, _pausing(command.call, identity, paused=True))


@router.post(
    "/{id}/resume", summary="Resume a customer", response_model=schemas.Customer, openapi_extra=declare("write", 404)
)
async def resume_customer(identity: CustomerPath, command: Commanding, body: NoFields | None = None) -> Response:
    """Resumes a customer that was paused. Orders that waited leave now."""
    return await commanded(command, _pausing(command.call, identity, paused=False))


@router.put(
    "/{id}/standing",
    summary="Say what you know of a customer",
    response_model=schemas.Customer,
    openapi_extra=declare("write", 404),
)
async def put_standing(identity: CustomerPath, body: Standing, command: Commanding) -> Response:
    """Says whether the address is verified, and whether nothing is to be sold to the customer. Purchases look at it
    before anything else; auto top-ups too."""

    def act(asked: operations.Asked) -> Result:
        found = customer_id(command.call, identity)
        return changing.note_standing(asked, found, email_verified=body.email_verified, risk=body.risk)

    return await commanded(command, act)


def _pausing(call: Call, identity: str, *, paused: bool) -> Act:
    return lambda asked: changing.pause_customer(asked, customer_id(call, identity), paused=paused)


@router.get(
    "/{id}/state",
    summary="Show everything about a customer in one answer",
    response_model=CustomerState,
    openapi_extra=declare("read", 404),
)
def get_customer_state(identity: CustomerPath, call: Asking) -> Response:
    """Shows methods, wallets, open invoices, what is owed and what is held back, all at one instant."""
    customer = customer_id(call, identity)
    found = look(call.house, call.tenant, lambda tx: looks.customer_state(tx, call.house, customer))
    if found is None:
        raise not_found("customer", identity)
    return json_response(found)


@router.get(
    "/{id}/activity",
    summary="List what was done for a customer, and who was told",
    response_model=schemas.List[schemas_hooks.Activity],
    openapi_extra=declare("read", 404),
)
def get_customer_activity(
    identity: CustomerPath, call: Asking, paging: Paged, kind: Words = None, subject: Subject = None
) -> Response:
    """Lists every side effect once, the newest first: what, when, why, who caused it, and how many were told."""
    customer = customer_id(call, identity)
    page = paging.page("event")
    wanted = Filter(kinds=tuple(kind.split(",")) if kind else None, parent=subject)
    rows = look(
        call.house,
        call.tenant,
        lambda tx: hooks.activity(tx, customer, page, wanted) if looks.customer(tx, customer) else None,
    )
    if rows is None:
        raise not_found("customer", identity)
    return json_response(listed(rows, paging.limit))


@router.get(
    "/{id}/timeline",
    summary="List what happened to a customer and why",
    response_model=schemas.List[schemas.Decision],
    openapi_extra=declare("read", 404),
)
def get_customer_timeline(identity: CustomerPath, call: Asking, paging: Paged) -> Response:
    """Lists every decision about the customer with its news, the newest first, those without an effect too."""
    customer = customer_id(call, identity)
    page = paging.page("decision")
    rows = look(
        call.house,
        call.tenant,
        lambda tx: looks.decisions_page(tx, page, Filter(customer=customer)) if looks.customer(tx, customer) else None,
    )
    if rows is None:
        raise not_found("customer", identity)
    return json_response(listed(rows, paging.limit))
