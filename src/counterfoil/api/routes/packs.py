"""What is on sale: packs of credits, and the policy that purchases are held to."""

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from counterfoil.api import schemas
from counterfoil.api.call import Asking, Call
from counterfoil.api.door import Door, declare, json_response
from counterfoil.api.problems import Problem, not_found
from counterfoil.api.requests import NewCatalogue
from counterfoil.engine import catalogue, looks
from counterfoil.engine.looks import look
from counterfoil.engine.units import UnitDiffers
from counterfoil.engine.views import policy_view

router = APIRouter(prefix="/v1/packs", tags=["Packs"], route_class=Door)

PackPath = Annotated[
    str, Path(alias="code", description="The pack: `pack-2500`.", examples=["pack-2500"], max_length=300)
]


@router.post(
    "",
    summary="Declare what is on sale",
    response_model=schemas.Catalogue,
    openapi_extra=declare("admin", 409),
)
def declare_packs(body: NewCatalogue, call: Asking) -> Response:
    """Declares packs and the policy of purchases. What says nothing new stays as it is, so it may be repeated.

    A pack that says something new becomes its next version: what was bought before keeps the terms of its own.
    """
    try:
        declared = catalogue.declare(call.house, call.tenant, body.model_dump())
    except catalogue.PackDiffers as error:
        raise Problem(409, "pack_differs", param="packs") from error
    except UnitDiffers as error:
        raise Problem(409, "unit_differs", param="units") from error
    except catalogue.CatalogueUnreadable as error:
        raise Problem(422, "catalogue_unreadable", str(error), param="packs") from error
    return json_response(_catalogue(call) | {"added": list(declared.added)})


def _catalogue(call: Call) -> dict[str, object]:
    packs = look(call.house, call.tenant, looks.packs)
    policy = look(call.house, call.tenant, looks.purchase_policy)
    return {"object": "catalogue", "packs": packs, "policy": policy_view(policy)}


@router.get("", summary="Show what is on sale", response_model=schemas.Catalogue, openapi_extra=declare("read"))
def list_packs(call: Asking) -> Response:
    """Shows the current version of every pack, and the policy that purchases are held to."""
    return json_response(_catalogue(call))


@router.get(
    "/{code}",
    summary="List the versions of a pack",
    response_model=schemas.List[schemas.Pack],
    openapi_extra=declare("read", 404),
)
def list_versions(code: PackPath, call: Asking) -> Response:
    """Lists every version of a pack, the newest first."""
    found = look(call.house, call.tenant, lambda tx: looks.pack(tx, code))
    if not found:
        raise not_found("pack", code)
    return json_response({"data": found, "next_cursor": None})
