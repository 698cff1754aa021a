"""Looks at spends and holds. They are taken in by the bare doors of `api.spends`."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from counterfoil.api import schemas, schemas_spending
from counterfoil.api.call import Asking, Call, Commanding
from counterfoil.api.commanding import commanded
from counterfoil.api.door import Door, declare, json_response
from counterfoil.api.ids import checked, path_of
from counterfoil.api.paging import Paged, listed
from counterfoil.api.problems import not_found
from counterfoil.api.requests import WrongSpend
from counterfoil.engine import corrections, looks
from counterfoil.engine.flush import Held, hold_of
from counterfoil.engine.looks import look
from counterfoil.engine.spend_views import hold_view, spend_view
from counterfoil.store import holds as held
from counterfoil.store import spends

router = APIRouter(prefix="/v1/spends", tags=["Spends"], route_class=Door)
holds = APIRouter(prefix="/v1/holds", tags=["Spends"], route_class=Door)

SpendPath = Annotated[str, path_of("spend", "spnd_01h455vb4pex5vsknk084sn02q")]
HoldPath = Annotated[str, path_of("hold", "hold_01h455vb4pex5vsknk084sn02q")]
WalletFilter = Annotated[
    str,
    Query(
        max_length=300, description="The wallet whose spends are wanted.", examples=["wlt_01h455vb4pex5vsknk084sn02q"]
    ),
]


@router.get(
    "", summary="List a wallet's spends", response_model=schemas.List[schemas.Spend], openapi_extra=declare("read", 404)
)
def list_spends(call: Asking, paging: Paged, wallet: WalletFilter) -> Response:
    """Lists what was spent of a wallet, the newest first."""
    identity = _wallet(call, wallet)
    page = paging.page("spend")
    found = look(call.house, call.tenant, lambda tx: spends.of_wallet(tx, identity, page))
    return json_response(listed([spend_view(each) for each in found], paging.limit))


@router.get("/{id}", summary="Show a spend", response_model=schemas.Spend, openapi_extra=declare("read", 404))
def get_spend(identity: SpendPath, call: Asking) -> Response:
    """Shows a spend: the lots that paid for it, and what was left after it."""
    spend = checked("spend", identity)
    found = look(call.house, call.tenant, lambda tx: spends.by_id(tx, [spend]).get(spend))
    if found is None:
        raise not_found("spend", identity)
    return json_response(spend_view(found))


@router.post(
    "/{id}/correct",
    summary="Take a spend back, or a part of it",
    status_code=201,
    response_model=schemas.Correction,
    openapi_extra=declare("write", 404, 409, moves_money=True),
)
async def correct_spend(identity: SpendPath, command: Commanding, body: WrongSpend | None = None) -> Response:
    """Gives back what was drawn for a use that did not happen: what was owed is owed no more, then the lots get their
    share, the last drawn first. The share of a lot that has expired since expires at once."""
    spend = checked("spend", identity)
    amount = body.amount if body else None
    return await commanded(command, lambda asked: corrections.correct_spend(asked, spend, amount))


@holds.get(
    "",
    summary="List a wallet's holds",
    response_model=schemas.List[schemas_spending.Hold],
    openapi_extra=declare("read", 404),
)
def list_holds(call: Asking, paging: Paged, wallet: WalletFilter) -> Response:
    """Lists what was held of a wallet, the newest first, without the spends that settled it."""
    identity = _wallet(call, wallet)
    page = paging.page("hold")
    found = look(call.house, call.tenant, lambda tx: held.of_wallet(tx, identity, page))
    return json_response(listed([hold_view(Held(each)) for each in found], paging.limit))


@holds.get("/{id}", summary="Show a hold", response_model=schemas_spending.Hold, openapi_extra=declare("read", 404))
def get_hold(identity: HoldPath, call: Asking) -> Response:
    """Shows a hold: what each lot reserves of it, how it ended, and the spend that settled it."""
    hold = checked("hold", identity)
    found = look(call.house, call.tenant, lambda tx: hold_of(tx, hold))
    if found is None:
        raise not_found("hold", identity)
    return json_response(hold_view(found))


def _wallet(call: Call, text: str) -> str:
    identity = checked("wallet", text, "wallet")
    if look(call.house, call.tenant, lambda tx: looks.unit_of_wallet(tx, identity)) is None:
        raise not_found("wallet", text, "wallet")
    return identity
