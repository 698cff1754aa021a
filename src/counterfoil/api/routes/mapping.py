"""How your application writes our invoices into the metadata of the payments that it makes itself."""

from fastapi import APIRouter
from starlette.responses import Response

from counterfoil.api import schemas_orders
from counterfoil.api.call import Asking
from counterfoil.api.door import Door, declare, json_response
from counterfoil.api.requests_orders import NewMapping
from counterfoil.core.mapping import MetadataMapping
from counterfoil.engine import mappings
from counterfoil.engine.looks import look
from counterfoil.store.mappings import current

router = APIRouter(prefix="/v1/metadata-mapping", tags=["Orders"], route_class=Door)


@router.put(
    "",
    summary="Declare how metadata name invoices",
    response_model=schemas_orders.Mapping,
    openapi_extra=declare("admin"),
)
def declare_metadata_mapping(body: NewMapping, call: Asking) -> Response:
    """Declares under which metadata key, and in which forms, your application names our invoices on payments and
    checkouts that it makes at the provider itself. Such a payment is claimed for the invoices that it names when its
    customer, currency and amount fit; anything else is kept apart, and a person is asked.
    """
    wanted = MetadataMapping(version=body.version, key=body.key, forms=tuple(body.forms))
    return json_response(mappings.show(mappings.declare(call.house, call.tenant, wanted)))


@router.get(
    "",
    summary="Show how metadata name invoices",
    response_model=schemas_orders.Mapping,
    openapi_extra=declare("read"),
)
def get_metadata_mapping(call: Asking) -> Response:
    """Shows the mapping that holds. Without a key, metadata of foreign payments are not read at all."""
    return json_response(mappings.show(look(call.house, call.tenant, current)))
