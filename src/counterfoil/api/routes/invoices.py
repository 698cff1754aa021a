"""Invoices of our own: drafted, finalized, paid, taken back."""

from fastapi import APIRouter
from starlette.responses import Response

from counterfoil.api import schemas
from counterfoil.api.call import Asking, Commanding
from counterfoil.api.commanding import awaited, commanded
from counterfoil.api.door import Door, declare, json_response
from counterfoil.api.filters import Before, CustomerFilter, Since, Status, words
from counterfoil.api.ids import InvoicePath, checked, customer_filter, customer_id
from counterfoil.api.paging import Paged, listed
from counterfoil.api.problems import not_found
from counterfoil.api.requests import InvoiceChanges, NewInvoice, NoFields, PayInvoice
from counterfoil.api.requests_collecting import NewExternalPayment
from counterfoil.core.books import Confirmation, LineKind
from counterfoil.core.external import ExternalPayment
from counterfoil.core.ids import InvoiceId, MethodId
from counterfoil.core.invoicing import NewLine
from counterfoil.core.launch import Launch
from counterfoil.core.lifecycle import InvoiceStatus
from counterfoil.core.money import Money
from counterfoil.engine import collecting, looks, operations
from counterfoil.engine.commands import Result
from counterfoil.engine.looks import look
from counterfoil.store.pages import Filter

router = APIRouter(prefix="/v1/invoices", tags=["Invoices"], route_class=Door)


@router.post(
    "",
    summary="Draft an invoice",
    status_code=201,
    response_model=schemas.Invoice,
    openapi_extra=declare("write", 404),
)
async def create_invoice(body: NewInvoice, command: Commanding) -> Response:
    """Writes a draft. It owes nothing until it is finalized."""
    lines = tuple(
        NewLine(LineKind(each.kind), each.description, each.net, each.tax_minor, taxes=each.given)
        for each in body.lines
    )

    def act(asked: operations.Asked) -> Result:
        customer = customer_id(command.call, body.customer, "customer")
        wanted = operations.NewInvoice(
            customer, body.currency, lines, body.description, body.due_at, body.collect_at_due
        )
        return operations.create_invoice(asked, wanted)

    return await commanded(command, act)


@router.get(
    "", summary="List invoices", response_model=schemas.List[schemas.Invoice], openapi_extra=declare("read", 404)
)
def list_invoices(
    call: Asking,
    paging: Paged,
    status: Status = None,
    customer: CustomerFilter = None,
    since: Since = None,
    before: Before = None,
) -> Response:
    """Lists invoices, the newest first."""
    wanted = Filter(
        customer=customer_filter(call, customer),
        statuses=words(status, InvoiceStatus, "status"),
        since=since,
        before=before,
    )
    page = paging.page("invoice")
    rows = look(call.house, call.tenant, lambda tx: looks.invoices(tx, page, wanted))
    return json_response(listed(rows, paging.limit))


@router.get("/{id}", summary="Show an invoice", response_model=schemas.Invoice, openapi_extra=declare("read", 404))
def get_invoice(identity: InvoicePath, call: Asking) -> Response:
    """Shows an invoice: what it bills, what is paid, reserved and still due."""
    invoice = checked("invoice", identity)
    found = look(call.house, call.tenant, lambda tx: looks.invoice(tx, invoice))
    if found is None:
        raise not_found("invoice", identity)
    return json_response(found)


@router.patch(
    "/{id}",
    summary="Change an invoice's description",
    response_model=schemas.Invoice,
    openapi_extra=declare("write", 404),
)
async def update_invoice(identity: InvoicePath, body: InvoiceChanges, command: Commanding) -> Response:
    """Changes what you wrote about an invoice. Its lines never change; void it and write another."""
    invoice = checked("invoice", identity)
    return await commanded(command, lambda asked: operations.update_invoice(asked, invoice, body.description))


@router.post(
    "/{id}/finalize",
    summary="Finalize a draft",
    response_model=schemas.Invoice,
    openapi_extra=declare("write", 404, moves_money=True),
)
async def finalize_invoice(identity: InvoicePath, command: Commanding, body: NoFields | None = None) -> Response:
    """Makes a draft a debt: it gets its number and is booked."""
    invoice = checked("invoice", identity)
    return await commanded(command, lambda asked: operations.finalize_invoice(asked, invoice))


@router.post(
    "/{id}/pay",
    summary="Pay an invoice",
    response_model=schemas.Payment,
    openapi_extra=declare("write", 402, 404, 409, moves_money=True),
)
async def pay_invoice(identity: InvoicePath, command: Commanding, body: PayInvoice | None = None) -> Response:
    """Launches the payment of one invoice: credits first, the provider for the rest. Answers as `POST /v1/payments`."""
    invoice = checked("invoice", identity)
    wanted = body or PayInvoice()
    method = checked("method", wanted.payment_method, "payment_method") if wanted.payment_method else None
    launch = Launch(
        invoices=(InvoiceId(invoice),),
        method=MethodId(method) if method else None,
        use_credits=wanted.use_credits,
        use_balance=wanted.use_balance,
        return_url=wanted.return_url,
        confirmation=Confirmation(wanted.confirm),
    )
    return await awaited(command, lambda asked: operations.pay(asked, launch))


@router.post(
    "/{id}/void",
    summary="Void an invoice",
    response_model=schemas.Invoice,
    openapi_extra=declare("write", 404, moves_money=True),
)
async def void_invoice(identity: InvoicePath, command: Commanding, body: NoFields | None = None) -> Response:
    """Takes an invoice back. Credits and balance that were to pay it return; twice is once.

    While a payment may still collect it, that is given up first: the invoice then has `void_asked_at`, and is void as
    soon as the provider has answered.
    """
    invoice = checked("invoice", identity)
    return await commanded(command, lambda asked: operations.void_invoice(asked, invoice))


@router.post(
    "/{id}/mark-uncollectible",
    summary="Write an invoice off",
    response_model=schemas.Invoice,
    openapi_extra=declare("write", 404, 409, moves_money=True),
)
async def write_off_invoice(identity: InvoicePath, command: Commanding, body: NoFields | None = None) -> Response:
    """Gives a debt up: what is still due is a loss. Money that comes for it after all makes the loss smaller."""
    invoice = checked("invoice", identity)
    return await commanded(command, lambda asked: collecting.write_off(asked, invoice))


@router.post(
    "/{id}/external-payments",
    summary="Record a payment that others took",
    status_code=201,
    response_model=schemas.Payment,
    openapi_extra=declare("write", 404, 409, moves_money=True),
)
async def record_payment(identity: InvoicePath, body: NewExternalPayment, command: Commanding) -> Response:
    """Records money for an invoice that came by bank transfer, in cash or in another way beside the provider.

    It is recorded whatever the invoice owes by now: a part leaves the rest collectable, more than is due is kept for
    the customer, and a person is told of both. Its reference is recorded once.
    """
    invoice = checked("invoice", identity)
    wanted = ExternalPayment(
        invoice=InvoiceId(invoice),
        amount=Money(body.amount.amount, body.amount.currency),
        reference=body.reference,
        means=body.method,
        received_at=body.received_at,
    )
    return await commanded(command, lambda asked: collecting.record_external(asked, wanted))
