"""Wallets, the lots in them, and the units that they count."""

from datetime import datetime
from typing import Any, Final

from fastapi import APIRouter
from starlette.responses import Response

from counterfoil.api import schemas
from counterfoil.api.call import Asking, Call, Commanding
from counterfoil.api.commanding import commanded
from counterfoil.api.door import Door, declare, json_response
from counterfoil.api.fields import Instant
from counterfoil.api.filters import CustomerFilter
from counterfoil.api.ids import GrantPath, WalletPath, checked, customer_filter, customer_id
from counterfoil.api.paging import Paged, listed
from counterfoil.api.problems import Problem, not_found
from counterfoil.api.requests import NewGrant, NewUnit, NewWallet, NoFields, WalletTerms
from counterfoil.core.ids import WalletId
from counterfoil.core.lifecycle import WalletStatus
from counterfoil.core.money import MoneyError, ServiceUnit, parse_decimal
from counterfoil.core.wallets import Issue, Terms
from counterfoil.engine import looks, operations
from counterfoil.engine.commands import Result
from counterfoil.engine.looks import look, unit_view
from counterfoil.engine.units import UnitDiffers, declare_unit
from counterfoil.store.pages import Filter

router = APIRouter(prefix="/v1/wallets", tags=["Wallets"], route_class=Door)
lots = APIRouter(prefix="/v1/grants", tags=["Wallets"], route_class=Door)
units = APIRouter(prefix="/v1/units", tags=["Units"], route_class=Door)


@router.post(
    "",
    summary="Open a wallet",
    status_code=201,
    response_model=schemas.Wallet,
    openapi_extra=declare("write", 404, 409),
)
async def create_wallet(body: NewWallet, command: Commanding) -> Response:
    """Opens a wallet. A customer has one open wallet per unit, so that a balance has one answer."""

    def act(asked: operations.Asked) -> Result:
        customer = customer_id(command.call, body.customer, "customer")
        return operations.open_wallet(asked, customer, body.unit, lambda unit: _terms(body, unit))

    return await commanded(command, act)


@router.get("", summary="List wallets", response_model=schemas.List[schemas.Wallet], openapi_extra=declare("read", 404))
def list_wallets(call: Asking, paging: Paged, customer: CustomerFilter = None) -> Response:
    """Lists wallets with what they can spend now, the newest first."""
    wanted = Filter(customer=customer_filter(call, customer))
    page = paging.page("wallet")
    rows = look(call.house, call.tenant, lambda tx: looks.wallets(tx, call.house, page, wanted))
    return json_response(listed(rows, paging.limit))


@router.get("/{id}", summary="Show a wallet", response_model=schemas.Wallet, openapi_extra=declare("read", 404))
def get_wallet(identity: WalletPath, call: Asking) -> Response:
    """Shows a wallet: what its live lots hold, what is held of it, and what is left to spend."""
    wallet = checked("wallet", identity)
    found = look(call.house, call.tenant, lambda tx: looks.wallet(tx, call.house, wallet))
    if found is None:
        raise not_found("wallet", identity)
    return json_response(found)


@router.get(
    "/{id}/balance",
    summary="Show what a wallet held at an instant",
    response_model=schemas.WalletBalance,
    openapi_extra=declare("read", 404),
)
def get_balance(identity: WalletPath, call: Asking, at: Instant | None = None) -> Response:
    """Shows lots less debt as the books count them at that instant, now when none is named; holds are not taken off."""
    _, unit = _wallet(call, identity)
    moment = at or call.house.clock.now()
    return json_response(look(call.house, call.tenant, lambda tx: looks.balance_at(tx, identity, unit, moment)))


@router.get(
    "/{id}/statement",
    summary="List what moved a wallet",
    response_model=schemas.List[schemas.StatementRow],
    openapi_extra=declare("read", 404),
)
def list_statement(identity: WalletPath, call: Asking, paging: Paged) -> Response:
    """Lists what moved a wallet, each with the balance after it, the newest first. A row once given never changes."""
    _, unit = _wallet(call, identity)
    page = paging.page("decision", "spend")
    rows = look(call.house, call.tenant, lambda tx: looks.statement(tx, identity, unit, page))
    return json_response(listed(rows, paging.limit))


@router.post(
    "/{id}/grants",
    summary="Issue a lot into a wallet",
    status_code=201,
    response_model=schemas.Grant,
    openapi_extra=declare("write", 404, moves_money=True),
)
async def create_grant(identity: WalletPath, body: NewGrant, command: Commanding) -> Response:
    """Issues credits. What was paid for them is pinned, and is what their use will recognise as revenue."""

    def act(asked: operations.Asked) -> Result:
        customer, unit = _wallet(command.call, identity)
        return operations.issue_grant(asked, customer, _issue(identity, body, unit, asked.house.clock.now()))

    return await commanded(command, act)


def _issue(wallet: str, body: NewGrant, unit: ServiceUnit, now: datetime) -> Issue:
    return Issue(
        wallet=WalletId(wallet),
        source=body.source,
        amount=_scaled(body.amount, unit),
        cost_minor=body.cost.amount if body.cost else 0,
        cost_currency=body.cost.currency if body.cost else None,
        effective_at=body.effective_at or now,
        priority=body.priority,
        expires_at=body.expires_at,
        features=tuple(body.features),
        pool=body.pool or "",
    )


@router.get(
    "/{id}/grants",
    summary="List the lots of a wallet",
    response_model=schemas.List[schemas.Grant],
    openapi_extra=declare("read", 404),
)
def list_grants(identity: WalletPath, call: Asking, paging: Paged) -> Response:
    """Lists the lots of a wallet, used-up and expired ones too, the newest first."""
    _, unit = _wallet(call, identity)
    page = paging.page("grant")
    rows = look(call.house, call.tenant, lambda tx: looks.grants(tx, page, Filter(parent=identity), unit))
    return json_response(listed(rows, paging.limit))


@router.patch(
    "/{id}",
    summary="Change what happens to use that no lot covers",
    response_model=schemas.Wallet,
    openapi_extra=declare("write", 404),
)
async def change_wallet(identity: WalletPath, body: WalletTerms, command: Commanding) -> Response:
    """Changes the terms of a wallet. Use beyond its lots is refused, owed up to a limit, or given away; what is owed
    already stays owed, and the next lots cover it."""
    wallet = checked("wallet", identity)

    def act(asked: operations.Asked) -> Result:
        _, unit = _wallet(command.call, identity)
        return operations.change_wallet(asked, wallet, _terms(body, unit))

    return await commanded(command, act)


def _terms(body: NewWallet | WalletTerms, unit: ServiceUnit) -> Terms:
    limit = None if body.debt_limit is None else _scaled(body.debt_limit, unit, "debt_limit")
    levels = tuple(_scaled(each, unit, "alert_below") for each in body.alert_below)
    return Terms(body.overdraft, limit, body.shortfall, tuple(body.alert_percents), levels, body.overflow)


MOVED: Final[dict[str, Any]] = {"response_model": schemas.Wallet, "openapi_extra": declare("write", 404, 409)}


@router.post("/{id}/suspend", summary="Suspend a wallet", **MOVED)
async def suspend_wallet(identity: WalletPath, command: Commanding, body: NoFields | None = None) -> Response:
    """Stops spending from a wallet. What it holds stays and expires as ever; resume it to spend again."""
    return await _move(identity, command, WalletStatus.SUSPENDED)


@router.post("/{id}/resume", summary="Resume a wallet", **MOVED)
async def resume_wallet(identity: WalletPath, command: Commanding, body: NoFields | None = None) -> Response:
    """Lets a suspended wallet be spent from again."""
    return await _move(identity, command, WalletStatus.ACTIVE)


@router.post("/{id}/close", summary="Close a wallet", **MOVED)
async def close_wallet(identity: WalletPath, command: Commanding, body: NoFields | None = None) -> Response:
    """Closes an empty wallet for good. The customer may open another one in the same unit."""
    return await _move(identity, command, WalletStatus.CLOSED)


@router.post(
    "/{id}/forgive-debt",
    summary="Give away what a wallet owes",
    response_model=schemas.Wallet,
    openapi_extra=declare("write", 404, moves_money=True),
)
async def forgive_debt(identity: WalletPath, command: Commanding, body: NoFields | None = None) -> Response:
    """Gives away what a wallet owes, so that it may be spent from again. No later lot pays for it."""
    wallet = checked("wallet", identity)
    return await commanded(command, lambda asked: operations.forgive_debt(asked, wallet))


async def _move(identity: str, command: Commanding, to: WalletStatus) -> Response:
    wallet = checked("wallet", identity)
    return await commanded(command, lambda asked: operations.move_wallet(asked, wallet, to))


@lots.get("/{id}", summary="Show a lot", response_model=schemas.Grant, openapi_extra=declare("read", 404))
def get_grant(identity: GrantPath, call: Asking) -> Response:
    """Shows a lot: what is left of it, what of that is held, and what left it unused."""
    grant = checked("grant", identity)
    found = look(call.house, call.tenant, lambda tx: looks.grant(tx, grant))
    if found is None:
        raise not_found("grant", identity)
    return json_response(found)


@lots.post(
    "/{id}/void",
    summary="Void a lot",
    response_model=schemas.Grant,
    openapi_extra=declare("write", 404, 409, moves_money=True),
)
async def void_grant(identity: GrantPath, command: Commanding, body: NoFields | None = None) -> Response:
    """Takes back what is left of a lot. What was paid for that is booked as due back to the customer."""
    grant = checked("grant", identity)
    return await commanded(command, lambda asked: operations.void_grant(asked, grant))


def _wallet(call: Call, identity: str) -> tuple[str, ServiceUnit]:
    """Give whose wallet it is and what it counts."""
    wallet = checked("wallet", identity)
    found = look(call.house, call.tenant, lambda tx: looks.unit_of_wallet(tx, wallet))
    if found is None:
        raise not_found("wallet", identity)
    return found


def _scaled(amount: str, unit: ServiceUnit, param: str = "amount") -> int:
    try:
        return parse_decimal(amount, unit.scale)
    except MoneyError as error:
        message = f"must be a decimal number with at most {unit.scale} places that the books can hold"
        raise Problem(
            422,
            "invalid_request",
            f"{param}: {message}",
            param=param,
            errors=({"param": param, "message": message},),
        ) from error


@units.post(
    "",
    summary="Declare a service unit",
    status_code=201,
    response_model=schemas.Unit,
    responses={200: {"model": schemas.Unit, "description": "It was declared so before."}},
    openapi_extra=declare("admin", 409),
)
def create_unit(body: NewUnit, call: Asking) -> Response:
    """Declares what a wallet can count. Declaring the same again is no change; a unit never changes its meaning."""
    face = body.face
    unit = ServiceUnit(body.code, body.scale, face.amount if face else None, face.currency if face else None)
    try:
        new = declare_unit(call.house, call.tenant, unit)
    except UnitDiffers as error:
        raise Problem(409, "unit_differs", param="code") from error
    return json_response(unit_view(unit), 201 if new else 200)


@units.get("", summary="List service units", response_model=schemas.List[schemas.Unit], openapi_extra=declare("read"))
def list_units(call: Asking) -> Response:
    """Lists every declared unit."""
    return json_response({"data": look(call.house, call.tenant, looks.units), "next_cursor": None})
