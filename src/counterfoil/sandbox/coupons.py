"""Coupons: what is taken off, for how long, and how often it may be given."""

from __future__ import annotations

from counterfoil.sandbox.call import Call, apply_given
from counterfoil.sandbox.currencies import check_currency, check_options
from counterfoil.sandbox.documents import Doc, copy_of
from counterfoil.sandbox.errors import StripeError, invalid, parameter_missing
from counterfoil.sandbox.fields import METADATA
from counterfoil.sandbox.lists import CREATED, PAGING, Page, matches, page_of
from counterfoil.sandbox.params import Choice, Fraction, Given, Hash, Items, Keyed, Kind, Need, Text, Whole
from counterfoil.sandbox.routing import Route

KIND = "coupon"
_OPTIONS = Keyed(Hash({"amount_off": Need(Whole(least=1))}))
_CREATE: dict[str, Kind] = {
    **METADATA,
    "amount_off": Whole(least=1),
    "applies_to": Hash({"products": Items()}),
    "currency": Text(),
    "currency_options": _OPTIONS,
    "duration": Choice(("forever", "once", "repeating"), clears=False),
    "duration_in_months": Whole(least=1),
    "id": Text(),
    "max_redemptions": Whole(least=1),
    "name": Text(40),
    "percent_off": Fraction(),
    "redeem_by": Whole(),
}


def check_redeemable(coupon: Doc, param: str) -> None:
    """A coupon that has expired, or was given often enough, is given no more."""
    if not coupon["valid"]:
        raise StripeError(f"Coupon expired: {coupon['id']}", code="coupon_expired", param=param)


def count_redemption(call: Call, coupon: Doc) -> None:
    """Somebody was given the coupon."""
    coupon["times_redeemed"] += 1
    _weigh(call, coupon)
    call.shelf.save(coupon)


def expire_coupon(call: Call, identifier: str) -> None:
    """The last day on which a coupon could be redeemed is over."""
    coupon = call.shelf.get(KIND, identifier)
    if coupon is not None and not coupon.get("deleted"):
        _weigh(call, coupon)
        call.shelf.save(coupon)


def promotions_of(call: Call, coupon: Doc) -> list[Doc]:
    return [code for code in call.shelf.rows("promotion_code") if code["promotion"]["coupon"] == coupon["id"]]


def _create(call: Call) -> Doc:
    given = call.given
    _check(call, given)
    coupon = _blank(call, given)
    apply_given(coupon, given, ("max_redemptions", "metadata", "name", "redeem_by"))
    _add_options(coupon, given)
    if coupon["redeem_by"] is not None:
        call.schedule(coupon["redeem_by"] + 1, "expire_coupon", coupon)
    return call.create(coupon, "coupon.created")


def _retrieve(call: Call) -> Doc:
    return call.find(KIND, "coupon")


def _update(call: Call) -> Doc:
    coupon = call.find(KIND, "coupon")
    before = copy_of(coupon)
    apply_given(coupon, call.given, ("metadata", "name"))
    _add_options(coupon, call.given)
    _weigh(call, coupon)
    return call.save(coupon, "coupon.updated", before)


def _delete(call: Call) -> Doc:
    """Nobody can be given it any more; those who were keep their discount."""
    coupon = call.find(KIND, "coupon")
    for code in promotions_of(call, coupon):
        code["active"] = False
        call.shelf.save(code)
    stub = call.shelf.bury(coupon)
    call.emit("coupon.deleted", coupon | {"valid": False})
    return stub


def _list(call: Call) -> Page:
    return page_of(call, KIND, matches(call.given))


def fits(coupon: Doc, currency: str) -> bool:
    """True for a coupon that can take something off in a currency."""
    return coupon["currency"] in (None, currency) or currency in (coupon.get("_currency_options") or {})


def _add_options(coupon: Doc, given: Given) -> None:
    """What a coupon takes off in other currencies than its own; an option once given stays."""
    if not given.get("currency_options"):
        return
    if coupon["amount_off"] is None:
        raise invalid("You can only set currency_options on coupons with amount_off.", "currency_options")
    own = {coupon["currency"]: {"amount_off": coupon["amount_off"]}}
    asked = check_options(given["currency_options"])
    coupon["_currency_options"] = (coupon.get("_currency_options") or own) | asked | own


def _weigh(call: Call, coupon: Doc) -> None:
    """Say whether a coupon can still be redeemed; its promotion codes are active only as long as it is."""
    most, until = coupon["max_redemptions"], coupon["redeem_by"]
    is_spent = most is not None and coupon["times_redeemed"] >= most
    coupon["valid"] = not is_spent and (until is None or call.now <= until)
    for code in promotions_of(call, coupon):
        code["coupon"] = copy_of(coupon)
        code["active"] = code["active"] and coupon["valid"]
        call.shelf.save(code)


def _check(call: Call, given: Given) -> None:
    percent, amount = given.get("percent_off"), given.get("amount_off")
    if percent is None and amount is None:
        raise invalid("You must provide either amount_off or percent_off.", "percent_off", "parameter_missing")
    if percent is not None and amount is not None:
        raise invalid("You can only specify one of amount_off or percent_off.", "amount_off")
    if amount is not None and not given.get("currency"):
        raise parameter_missing("currency")
    if percent is not None and not 0 < float(percent) <= 100:
        raise invalid("Invalid percent_off: must be greater than 0 and at most 100.", "percent_off")
    _check_duration(given)
    if given.get("redeem_by") is not None and given["redeem_by"] <= call.now:
        raise invalid("Coupon redeem_by must be in the future.", "redeem_by")
    for position, product in enumerate((given.get("applies_to") or {}).get("products") or []):
        call.referred("product", product, f"applies_to[products][{position}]")
    wanted = given.get("id")
    if wanted and call.shelf.get(KIND, wanted) is not None:
        raise StripeError("Coupon already exists.", code="resource_already_exists", param="id")


def _check_duration(given: Given) -> None:
    repeats = given.get("duration") == "repeating"
    if repeats and given.get("duration_in_months") is None:
        raise parameter_missing("duration_in_months")
    if not repeats and given.get("duration_in_months") is not None:
        raise invalid(
            "You can only set duration_in_months when the coupon's duration is 'repeating'.", "duration_in_months"
        )


def _blank(call: Call, given: Given) -> Doc:
    percent = given.get("percent_off")
    products = (given.get("applies_to") or {}).get("products")
    return {
        "id": given.get("id") or call.world.token(8),
        "object": KIND,
        "amount_off": given.get("amount_off"),
        "created": call.now,
        "currency": check_currency(given) if given.get("amount_off") is not None else None,
        "duration": given.get("duration") or "once",
        "duration_in_months": given.get("duration_in_months"),
        "livemode": call.livemode,
        "max_redemptions": None,
        "metadata": {},
        "name": None,
        "percent_off": None if percent is None else float(percent),
        "redeem_by": None,
        "times_redeemed": 0,
        "valid": True,
        "_currency_options": None,
        "_applies_to": {"products": products} if products else None,
    }


ROUTES = (
    Route("POST", "/v1/coupons", _create, _CREATE),
    Route("GET", "/v1/coupons/{id}", _retrieve),
    Route("POST", "/v1/coupons/{id}", _update, {**METADATA, "currency_options": _OPTIONS, "name": Text(40)}),
    Route("DELETE", "/v1/coupons/{id}", _delete),
    Route("GET", "/v1/coupons", _list, {**PAGING, **CREATED}),
)
