"""Purchases of credits, whoever collects them."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from counterfoil.api import schemas
from counterfoil.api.call import Asking
from counterfoil.api.door import Door, declare, json_response
from counterfoil.api.filters import Before, CustomerFilter, Since, Status, words
from counterfoil.api.ids import PurchasePath, checked, customer_filter
from counterfoil.api.paging import Paged, listed
from counterfoil.api.problems import not_found
from counterfoil.core.lifecycle import PurchaseStatus
from counterfoil.engine import looks
from counterfoil.engine.looks import look
from counterfoil.store.pages import Filter

router = APIRouter(prefix="/v1/purchases", tags=["Purchases"], route_class=Door)


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
