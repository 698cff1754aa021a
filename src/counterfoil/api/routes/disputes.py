"""Payments that their payers contest."""

from fastapi import APIRouter
from starlette.responses import Response

from counterfoil.api import schemas, schemas_disputes
from counterfoil.api.call import Asking
from counterfoil.api.door import Door, declare, json_response
from counterfoil.api.filters import CustomerFilter, Status, Subject, words
from counterfoil.api.ids import DisputePath, checked, customer_filter
from counterfoil.api.paging import Paged, listed
from counterfoil.api.problems import not_found
from counterfoil.core.lifecycle import DisputeStatus
from counterfoil.engine import dispute_views
from counterfoil.engine.looks import look
from counterfoil.store.pages import Filter

router = APIRouter(prefix="/v1/disputes", tags=["Disputes"], route_class=Door)


@router.get(
    "",
    summary="List disputes",
    response_model=schemas.List[schemas_disputes.Dispute],
    openapi_extra=declare("read", 404),
)
def list_disputes(
    call: Asking,
    paging: Paged,
    status: Status = None,
    customer: CustomerFilter = None,
    subject: Subject = None,
) -> Response:
    """Lists payments that their payers contest, the newest first; `subject` narrows to a payment or an invoice."""
    statuses = words(status, DisputeStatus, "status")
    wanted = Filter(customer=customer_filter(call, customer), statuses=statuses, parent=subject)
    page = paging.page("dispute")
    rows = look(call.house, call.tenant, lambda tx: dispute_views.show_page(tx, page, wanted))
    return json_response(listed(rows, paging.limit))


@router.get(
    "/{id}", summary="Show a dispute", response_model=schemas_disputes.Dispute, openapi_extra=declare("read", 404)
)
def get_dispute(identity: DisputePath, call: Asking) -> Response:
    """Shows where a dispute stands, until when evidence is taken, and which credits are held for it."""
    dispute = checked("dispute", identity)
    found = look(call.house, call.tenant, lambda tx: dispute_views.show(tx, dispute))
    if found is None:
        raise not_found("dispute", identity)
    return json_response(found)
