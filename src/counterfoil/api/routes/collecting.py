"""What collecting is held to: the tenant's policy about surplus, balances and reserved credits."""

from fastapi import APIRouter
from starlette.responses import Response

from counterfoil.api.call import Asking
from counterfoil.api.door import Door, declare, json_response
from counterfoil.api.requests_collecting import NewCollectionPolicy
from counterfoil.api.schemas_collecting import CollectionPolicy as Shown
from counterfoil.core.terms import CollectionPolicy
from counterfoil.engine import collecting
from counterfoil.engine.collecting_views import policy_view
from counterfoil.engine.looks import look
from counterfoil.store.collecting import policy

router = APIRouter(prefix="/v1/collection-policy", tags=["Payments"], route_class=Door)


@router.get(
    "",
    summary="Show what collecting is held to",
    response_model=Shown,
    openapi_extra=declare("read"),
)
def get_collection_policy(call: Asking) -> Response:
    """Shows the policy that holds now."""
    return json_response(policy_view(look(call.house, call.tenant, policy)))


@router.put(
    "",
    summary="Declare what collecting is held to",
    response_model=Shown,
    openapi_extra=declare("admin"),
)
def declare_collection_policy(body: NewCollectionPolicy, call: Asking) -> Response:
    """Holds collecting to a policy from now on. What says nothing new stays the version that it is."""
    wanted = CollectionPolicy(
        overpayment=body.overpayment,
        double_payment=body.double_payment,
        uses_balance=body.use_balance,
        credits_kept_for_s=body.credits_kept_for_s,
    )
    return json_response(policy_view(collecting.declare_policy(call.house, call.tenant, wanted)))
