"""Wallets that fill themselves: what was agreed to, and where it stands."""

from typing import Any, Final

from fastapi import APIRouter
from starlette.responses import Response

from counterfoil.api import schemas
from counterfoil.api.call import Asking, Call, Commanding
from counterfoil.api.commanding import commanded
from counterfoil.api.door import Door, declare, json_response
from counterfoil.api.ids import WalletPath, checked
from counterfoil.api.problems import Problem, not_found
from counterfoil.api.requests import AutoTopupTerms, TopupStep
from counterfoil.core.agreed import Consent, Step, Terms
from counterfoil.core.ids import MethodId
from counterfoil.core.money import MoneyError, ServiceUnit, parse_decimal
from counterfoil.engine import auto_topup_views, auto_topups
from counterfoil.engine.commands import Result
from counterfoil.engine.looks import look, unit_of_wallet
from counterfoil.engine.operations import Asked

router = APIRouter(prefix="/v1/wallets/{id}/auto-topup", tags=["Wallets"], route_class=Door)

ANSWERS: Final[dict[str, Any]] = {
    "response_model": schemas.AutoTopup,
    "openapi_extra": declare("write", 402, 404, 409, moves_money=True),
}


@router.put("", summary="Switch auto top-up on, or change its terms", **ANSWERS)
async def set_auto_topup(identity: WalletPath, body: AutoTopupTerms, command: Commanding) -> Response:
    """Has a wallet filled again by itself, within what its owner agreed to.

    Other terms start it anew: what failed before is forgotten. At most one attempt is under way at a time, and it is on
    the books as a purchase before anybody is asked for money.
    """

    def act(asked: Asked) -> Result:
        terms = _terms(body, _unit(command.call, identity))
        return auto_topups.set_auto_topup(asked, identity, lambda _: terms)

    return await commanded(command, act)


@router.get(
    "",
    summary="Show a wallet's auto top-up",
    response_model=schemas.AutoTopup,
    openapi_extra=declare("read", 404),
)
def get_auto_topup(identity: WalletPath, call: Asking) -> Response:
    """Shows what was agreed to, what failed, and what it is waiting for."""
    wallet = checked("wallet", identity)
    found = look(call.house, call.tenant, lambda tx: auto_topup_views.show(tx, wallet, call.house.clock.now()))
    if found is None:
        raise not_found("auto_topup", identity)
    return json_response(found)


@router.delete("", summary="Switch auto top-up off", **ANSWERS)
async def stop_auto_topup(identity: WalletPath, command: Commanding) -> Response:
    """Withdraws the consent: nothing more is bought. An attempt that is under way is given up, unless the provider has
    collected it already."""
    wallet = checked("wallet", identity)
    return await commanded(command, lambda asked: auto_topups.stop_auto_topup(asked, wallet))


def _unit(call: Call, identity: str) -> ServiceUnit:
    wallet = checked("wallet", identity)
    found = look(call.house, call.tenant, lambda tx: unit_of_wallet(tx, wallet))
    if found is None:
        raise not_found("wallet", identity)
    return found[1]


def _terms(body: AutoTopupTerms, unit: ServiceUnit) -> Terms:
    limits = body.limits
    priced = (limits.per_attempt, limits.per_month, *((body.buy.price,) if body.buy.price else ()))
    if len({each.currency for each in priced}) > 1:
        raise Problem(422, "currencies_differ", "Price and limits are in one currency.", param="limits")
    trigger, consent = body.trigger, body.consent
    return Terms(
        trigger=trigger.kind,
        step=_step(body.buy, unit),
        currency=limits.per_attempt.currency,
        attempt_max_minor=limits.per_attempt.amount,
        month_max_minor=limits.per_month.amount,
        consent=Consent(consent.given_by, consent.given_at, consent.text_version),
        below=_scaled(trigger.below, unit, "trigger.below"),
        target=_scaled(trigger.target, unit, "trigger.target"),
        every_s=trigger.every_s,
        method=MethodId(checked("method", body.payment_method, "payment_method")) if body.payment_method else None,
    )


def _step(buy: TopupStep, unit: ServiceUnit) -> Step:
    if (buy.pack is None) == (buy.amount is None) or (buy.amount is None) != (buy.price is None):
        raise Problem(422, "invalid_request", "Name a pack, or an amount with its price.", param="buy")
    return Step(buy.pack, _scaled(buy.amount, unit, "buy.amount"), buy.price.amount if buy.price else None)


def _scaled(text: str | None, unit: ServiceUnit, param: str) -> int | None:
    if text is None:
        return None
    try:
        return parse_decimal(text, unit.scale)
    except MoneyError as error:
        raise Problem(422, "invalid_request", str(error), param=param) from error
