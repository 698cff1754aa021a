"""Purchases of credits, whoever collects them, and the lines that wait to be billed."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from starlette.responses import Response

from counterfoil.api import schemas
from counterfoil.api.call import Asking, Commanding
from counterfoil.api.commanding import awaited, commanded
from counterfoil.api.door import Door, declare, json_response
from counterfoil.api.filters import Before, CustomerFilter, Since, Status, words
from counterfoil.api.ids import PendingLinePath, PurchasePath, checked, customer_filter, customer_id
from counterfoil.api.paging import Paged, listed
from counterfoil.api.problems import not_found
from counterfoil.api.requests import NewPendingLine, NewPurchase, NoFields
from counterfoil.core.books import Confirmation
from counterfoil.core.lifecycle import PendingLineStatus, PurchaseStatus
from counterfoil.core.money import Money
from counterfoil.engine import looks, purchases
from counterfoil.engine.commands import Result
from counterfoil.engine.looks import look
from counterfoil.engine.operations import Asked
from counterfoil.store.pages import Filter

router = APIRouter(prefix="/v1/purchases", tags=["Purchases"], route_class=Door)
lines = APIRouter(prefix="/v1/pending-lines", tags=["Purchases"], route_class=Door)

BEGINS: Final = {
    "created": PurchaseStatus.PENDING,
    "authorized": PurchaseStatus.AUTHORIZED,
    "settled": PurchaseStatus.SETTLED,
}


@router.post(
    "",
    summary="Buy credits",
    status_code=201,
    response_model=schemas.Purchase,
    openapi_extra=declare("write", 402, 404, 409, moves_money=True),
)
async def create_purchase(body: NewPurchase, command: Commanding) -> Response:
    """Buys credits. The purchase is on the books before anybody is asked for money.

    Answers 201 when it is made and needs nothing more: it is paid, given for nothing, billed later, or collected by
    somebody else. 402 when the payment was refused; 202 while it is under way, with the payment. Credits are never paid
    for with credits.
    """

    def act(asked: Asked) -> Result:
        return purchases.buy(asked, _wanted(body, customer_id(command.call, body.customer, "customer")))

    return await awaited(command, act)


def _wanted(body: NewPurchase, customer: str) -> purchases.NewPurchase:
    method = checked("method", body.payment_method, "payment_method") if body.payment_method else None
    return purchases.NewPurchase(
        customer=customer,
        settlement=body.settlement,
        wallet=checked("wallet", body.wallet, "wallet") if body.wallet else None,
        unit=body.unit,
        pack=body.pack,
        credits=body.credits,
        price=Money(body.price.amount, body.price.currency) if body.price else None,
        currency=body.currency,
        tax_minor=body.tax_minor,
        taxes=body.given,
        plan=body.plan,
        collector=body.collector,
        begins=BEGINS[body.status],
        grant_timing=body.grant_timing,
        expires_after_s=body.expires_after_s,
        priority=body.priority,
        features=None if body.features is None else tuple(body.features),
        invoice_at=body.invoice_at,
        method=method,
        confirmation=Confirmation(body.confirm),
        description=body.description,
        about=body.invoice_description,
        external_id=body.external_id,
    )


@router.get(
    "", summary="List purchases", response_model=schemas.List[schemas.Purchase], openapi_extra=declare("read", 404)
)
def list_purchases(
    call: Asking,
    paging: Paged,
    status: Status = None,
    customer: CustomerFilter = None,
    wallet: Annotated[str | None, Query(max_length=300, description="Only those into this wallet.")] = None,
    since: Since = None,
    before: Before = None,
) -> Response:
    """Lists purchases, the newest first."""
    wanted = Filter(
        customer=customer_filter(call, customer),
        statuses=words(status, PurchaseStatus, "status"),
        parent=checked("wallet", wallet, "wallet") if wallet else None,
        since=since,
        before=before,
    )
    page = paging.page("purchase")
    rows = look(call.house, call.tenant, lambda tx: looks.purchases(tx, page, wanted))
    return json_response(listed(rows, paging.limit))


@router.get("/{id}", summary="Show a purchase", response_model=schemas.Purchase, openapi_extra=declare("read", 404))
def get_purchase(identity: PurchasePath, call: Asking) -> Response:
    """Shows a purchase: what is bought, and how far its money and its credits are."""
    purchase = checked("purchase", identity)
    found = look(call.house, call.tenant, lambda tx: looks.purchase(tx, purchase))
    if found is None:
        raise not_found("purchase", identity)
    return json_response(found)


STEP: Final[dict[str, Any]] = {
    "response_model": schemas.Purchase,
    "openapi_extra": declare("write", 404, 409, moves_money=True),
}


@router.post("/{id}/authorize", summary="Tell that a purchase's money is promised", **STEP)
async def authorize_purchase(identity: PurchasePath, command: Commanding, body: NoFields | None = None) -> Response:
    """Tells that whoever collects an external purchase was promised its money. A repeat says nothing new."""
    purchase = checked("purchase", identity)
    return await commanded(command, lambda asked: purchases.step(asked, purchase, PurchaseStatus.AUTHORIZED))


@router.post("/{id}/settle", summary="Tell that a purchase's money has come", **STEP)
async def settle_purchase(identity: PurchasePath, command: Commanding, body: NoFields | None = None) -> Response:
    """Tells that whoever collects an external purchase has its money: the credits are given. A repeat says nothing
    new; told before `authorize`, it takes that step along."""
    purchase = checked("purchase", identity)
    return await commanded(command, lambda asked: purchases.step(asked, purchase, PurchaseStatus.SETTLED))


@router.post("/{id}/cancel", summary="Cancel a purchase", **STEP)
async def cancel_purchase(identity: PurchasePath, command: Commanding, body: NoFields | None = None) -> Response:
    """Gives a purchase up before its money came. What was billed for it is voided; early credits go back."""
    purchase = checked("purchase", identity)
    return await commanded(command, lambda asked: purchases.cancel(asked, purchase))


@router.post("/{id}/void", summary="Void a purchase", **STEP)
async def void_purchase(identity: PurchasePath, command: Commanding, body: NoFields | None = None) -> Response:
    """Takes back what is left of the credits of a paid purchase. What was paid for that is booked as due back."""
    purchase = checked("purchase", identity)
    return await commanded(command, lambda asked: purchases.void(asked, purchase))


# --- lines that wait to be billed ---


@lines.post(
    "",
    summary="Bill something later",
    status_code=201,
    response_model=schemas.PendingLine,
    openapi_extra=declare("write", 404, moves_money=True),
)
async def create_pending_line(body: NewPendingLine, command: Commanding) -> Response:
    """Writes a flat fee down that is billed when its invoice date comes: one invoice for everything that is due."""

    def act(asked: Asked) -> Result:
        wanted = purchases.NewPendingLine(
            customer=customer_id(command.call, body.customer, "customer"),
            currency=body.currency,
            description=body.description,
            net_minor=body.net,
            tax_minor=body.tax_minor,
            taxes=body.given,
            invoice_at=body.invoice_at,
            about=body.invoice_description,
        )
        return purchases.add_line(asked, wanted)

    return await commanded(command, act)


@lines.get(
    "",
    summary="List pending lines",
    response_model=schemas.List[schemas.PendingLine],
    openapi_extra=declare("read", 404),
)
def list_pending_lines(call: Asking, paging: Paged, status: Status = None, customer: CustomerFilter = None) -> Response:
    """Lists lines that wait to be billed, and what became of them, the newest first."""
    wanted = Filter(customer=customer_filter(call, customer), statuses=words(status, PendingLineStatus, "status"))
    page = paging.page("pending_line")
    rows = look(call.house, call.tenant, lambda tx: looks.pending_lines(tx, page, wanted))
    return json_response(listed(rows, paging.limit))


@lines.get(
    "/{id}", summary="Show a pending line", response_model=schemas.PendingLine, openapi_extra=declare("read", 404)
)
def get_pending_line(identity: PendingLinePath, call: Asking) -> Response:
    """Shows a line that waits to be billed, or what became of it."""
    line = checked("pending_line", identity)
    found = look(call.house, call.tenant, lambda tx: looks.pending_line(tx, line))
    if found is None:
        raise not_found("pending line", identity)
    return json_response(found)


@lines.post(
    "/{id}/cancel",
    summary="Cancel a pending line",
    response_model=schemas.PendingLine,
    openapi_extra=declare("write", 404, 409, moves_money=True),
)
async def cancel_pending_line(identity: PendingLinePath, command: Commanding, body: NoFields | None = None) -> Response:
    """Gives a line up before it is billed. The line of a purchase is given up with its purchase."""
    line = checked("pending_line", identity)
    return await commanded(command, lambda asked: purchases.cancel_line(asked, line))
