"""Payment methods: saved ways to pay. The card itself is entered at the provider; here is only its token."""

from fastapi import APIRouter
from starlette.responses import Response

from counterfoil.api import schemas
from counterfoil.api.call import Asking, Commanding
from counterfoil.api.commanding import commanded
from counterfoil.api.door import Door, declare, json_response
from counterfoil.api.filters import CustomerFilter
from counterfoil.api.ids import MethodPath, checked, customer_filter, customer_id
from counterfoil.api.paging import Paged, listed
from counterfoil.api.problems import not_found
from counterfoil.api.requests import NewMethod
from counterfoil.engine import looks, operations
from counterfoil.engine.commands import Result
from counterfoil.engine.looks import look
from counterfoil.store.pages import Filter

router = APIRouter(prefix="/v1/payment-methods", tags=["Payment methods"], route_class=Door)


@router.post(
    "",
    summary="Save a payment method",
    status_code=202,
    response_model=schemas.PaymentMethod,
    openapi_extra=declare("write", 404),
)
async def create_payment_method(body: NewMethod, command: Commanding) -> Response:
    """Asks the provider to save the method. It can be charged once its status is `saved`."""

    def act(asked: operations.Asked) -> Result:
        customer = customer_id(command.call, body.customer, "customer")
        return operations.add_method(asked, customer, body.token, make_default=body.default)

    return await commanded(command, act)


@router.get(
    "",
    summary="List payment methods",
    response_model=schemas.List[schemas.PaymentMethod],
    openapi_extra=declare("read", 404),
)
def list_payment_methods(call: Asking, paging: Paged, customer: CustomerFilter = None) -> Response:
    """Lists saved payment methods, detached ones too, the newest first."""
    wanted = Filter(customer=customer_filter(call, customer))
    page = paging.page("method")
    rows = look(call.house, call.tenant, lambda tx: looks.methods(tx, page, wanted))
    return json_response(listed(rows, paging.limit))


@router.get(
    "/{id}",
    summary="Show a payment method",
    response_model=schemas.PaymentMethod,
    openapi_extra=declare("read", 404),
)
def get_payment_method(identity: MethodPath, call: Asking) -> Response:
    """Shows a payment method, also while the provider is being asked to save it."""
    method = checked("method", identity)
    found = look(call.house, call.tenant, lambda tx: looks.method(tx, method))
    if found is None:
        raise not_found("payment method", identity)
    return json_response(found)
