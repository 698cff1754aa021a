"""Payments: our attempts to collect invoices, in legs."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from counterfoil.api import schemas
from counterfoil.api.call import Asking, Commanding
from counterfoil.api.commanding import awaited
from counterfoil.api.door import Door, declare, json_response
from counterfoil.api.filters import Before, CustomerFilter, Since, Status, words
from counterfoil.api.ids import PaymentPath, checked, customer_filter
from counterfoil.api.paging import Paged, listed
from counterfoil.api.problems import not_found
from counterfoil.api.requests import NewPayment, NoFields
from counterfoil.core.books import Confirmation
from counterfoil.core.ids import InvoiceId, MethodId, ProviderRef
from counterfoil.core.launch import Launch
from counterfoil.core.lifecycle import PaymentStatus
from counterfoil.engine import looks, operations
from counterfoil.engine.looks import look
from counterfoil.store.pages import Filter

router = APIRouter(prefix="/v1/payments", tags=["Payments"], route_class=Door)


@router.post(
    "",
    summary="Pay invoices",
    response_model=schemas.Payment,
    openapi_extra=declare("write", 402, 404, 409, moves_money=True),
)
async def create_payment(body: NewPayment, command: Commanding) -> Response:
    """Launches the payment of one or several invoices of one customer: credits first, the provider for the rest.

    Answers 200 when it is paid and 402 when it was refused, as soon as that is known or within `Prefer: wait=n`; else
    202 with the payment as it stands. With `confirm: client` the 202 carries the provider's `client_secret`, with which
    the customer's browser confirms. Repeat the request with its key to learn more, or look at the payment.
    """
    method = checked("method", body.payment_method, "payment_method") if body.payment_method else None
    launch = Launch(
        invoices=tuple(InvoiceId(checked("invoice", each, "invoices")) for each in body.invoices),
        method=MethodId(method) if method else None,
        use_credits=body.use_credits,
        use_balance=body.use_balance,
        return_url=body.return_url,
        confirmation=Confirmation(body.confirm),
        provider_ref=ProviderRef(body.provider_ref) if body.provider_ref else None,
    )
    return await awaited(command, lambda asked: operations.pay(asked, launch))


@router.get(
    "", summary="List payments", response_model=schemas.List[schemas.Payment], openapi_extra=declare("read", 404)
)
def list_payments(
    call: Asking,
    paging: Paged,
    status: Status = None,
    customer: CustomerFilter = None,
    invoice: Annotated[str | None, Query(max_length=300, description="Only those of this invoice.")] = None,
    since: Since = None,
    before: Before = None,
) -> Response:
    """Lists payments, the newest first."""
    wanted = Filter(
        customer=customer_filter(call, customer),
        statuses=words(status, PaymentStatus, "status"),
        parent=checked("invoice", invoice, "invoice") if invoice else None,
        since=since,
        before=before,
    )
    page = paging.page("payment")
    rows = look(call.house, call.tenant, lambda tx: looks.payments(tx, page, wanted))
    return json_response(listed(rows, paging.limit))


@router.get("/{id}", summary="Show a payment", response_model=schemas.Payment, openapi_extra=declare("read", 404))
def get_payment(identity: PaymentPath, call: Asking) -> Response:
    """Shows a payment with its legs, and what it asks of the customer when it waits for one."""
    payment = checked("payment", identity)
    found = look(call.house, call.tenant, lambda tx: looks.payment(tx, payment))
    if found is None:
        raise not_found("payment", identity)
    return json_response(found)


@router.post(
    "/{id}/cancel",
    summary="Cancel a payment",
    response_model=schemas.Payment,
    openapi_extra=declare("write", 402, 404, 409, moves_money=True),
)
async def cancel_payment(identity: PaymentPath, command: Commanding, body: NoFields | None = None) -> Response:
    """Gives a payment up: what is open at the provider is canceled first, then reserved credits return."""
    payment = checked("payment", identity)
    return await awaited(command, lambda asked: operations.cancel_payment(asked, payment))
