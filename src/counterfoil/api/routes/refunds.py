"""Money that goes back: refunds of payments and of purchases."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from counterfoil.api.call import Asking, Commanding
from counterfoil.api.commanding import awaited
from counterfoil.api.door import Door, declare, json_response
from counterfoil.api.filters import Before, CustomerFilter, Since, Status, words
from counterfoil.api.ids import PaymentPath, PurchasePath, RefundPath, checked, customer_filter
from counterfoil.api.paging import Paged, listed
from counterfoil.api.problems import not_found
from counterfoil.api.requests_refunds import NewPurchaseRefund, NewRefund, RefundPart
from counterfoil.api.schemas import List
from counterfoil.api.schemas_refunds import Refund, RefundGroup
from counterfoil.core.ids import LegId, WalletId, noun_of
from counterfoil.core.lifecycle import RefundStatus
from counterfoil.core.refunding import Part
from counterfoil.engine import refunds
from counterfoil.engine.looks import look
from counterfoil.store.pages import Filter

router = APIRouter(prefix="/v1", tags=["Refunds"], route_class=Door)


@router.post(
    "/payments/{id}/refunds",
    summary="Refund a payment",
    status_code=201,
    response_model=RefundGroup,
    openapi_extra=declare("refund", 402, 404, 409, moves_money=True),
)
async def refund_payment(identity: PaymentPath, command: Commanding, body: NewRefund) -> Response:
    """Gives money of a payment back, never more of a leg than it brought.

    Answers 201 when it went, 402 when the provider refused (nothing moved, and `fallbacks` says where it can go
    instead), 202 while it is under way there. Credits that had paid return to their lots at once.
    """
    payment = checked("payment", identity)
    parts = tuple(_part(each) for each in body.parts)
    return await awaited(command, lambda asked: refunds.refund_payment(asked, payment, parts, body.reason))


@router.post(
    "/purchases/{id}/refund",
    summary="Refund a purchase",
    status_code=201,
    response_model=RefundGroup,
    openapi_extra=declare("refund", 402, 404, 409, moves_money=True),
)
async def refund_purchase(identity: PurchasePath, command: Commanding, body: NewPurchaseRefund) -> Response:
    """Gives money of a purchase back, and takes its share of the credits: unspent ones first, what was spent is owed.

    Of a purchase that somebody else collected it records what they gave back.
    """
    purchase = checked("purchase", identity)
    part = _part(RefundPart(leg=body.leg, amount=body.amount, destination=body.destination, wallet=body.wallet))
    return await awaited(command, lambda asked: refunds.refund_purchase(asked, purchase, part, body.reason))


def _part(each: RefundPart) -> Part:
    leg = checked("leg", each.leg, "leg") if each.leg else None
    wallet = checked("wallet", each.wallet, "wallet") if each.wallet else None
    return Part(LegId(leg) if leg else None, each.amount, each.destination, WalletId(wallet) if wallet else None)


@router.get("/refunds", summary="List refunds", response_model=List[Refund], openapi_extra=declare("read", 404))
def list_refunds(
    call: Asking,
    paging: Paged,
    status: Status = None,
    customer: CustomerFilter = None,
    of: Annotated[str | None, Query(max_length=300, description="Only those of this payment, leg or purchase.")] = None,
    since: Since = None,
    before: Before = None,
) -> Response:
    """Lists refunds, the newest first."""
    wanted = Filter(
        customer=customer_filter(call, customer),
        statuses=words(status, RefundStatus, "status"),
        parent=_of(of) if of else None,
        since=since,
        before=before,
    )
    page = paging.page("refund")
    rows = look(call.house, call.tenant, lambda tx: refunds.page_of(tx, page, wanted))
    return json_response(listed(rows, paging.limit))


def _of(text: str) -> str:
    noun = noun_of(text)
    return checked(noun if noun in ("leg", "purchase") else "payment", text, "of")


@router.get("/refunds/{id}", summary="Show a refund", response_model=Refund, openapi_extra=declare("read", 404))
def get_refund(identity: RefundPath, call: Asking) -> Response:
    """Shows a refund: of what, where to, and how far it is."""
    refund = checked("refund", identity)
    found = look(call.house, call.tenant, lambda tx: refunds.refund(tx, refund))
    if found is None:
        raise not_found("refund", identity)
    return json_response(found)
