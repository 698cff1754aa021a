"""Promotion codes: what a customer types in to be given a coupon, and who may."""

from __future__ import annotations

import re

from counterfoil.sandbox import coupons
from counterfoil.sandbox.call import Call, apply_given
from counterfoil.sandbox.currencies import check_currency, check_options
from counterfoil.sandbox.documents import Doc, copy_of
from counterfoil.sandbox.errors import StripeError, invalid, parameter_missing, parameter_unknown
from counterfoil.sandbox.fields import METADATA
from counterfoil.sandbox.lists import CREATED, PAGING, Page, matches, page_of
from counterfoil.sandbox.params import Choice, Flag, Given, Hash, Keyed, Need, Text, Whole, uncovered
from counterfoil.sandbox.routing import Route
from counterfoil.sandbox.versions import CLOVER, since

KIND = "promotion_code"
_CODE = re.compile(r"[A-Za-z0-9-]{1,500}")
_OPTIONS = Keyed(Hash({"minimum_amount": Whole(least=1)}))
_RESTRICTIONS = Hash(
    {
        "first_time_transaction": Flag(),
        "minimum_amount": Whole(least=1),
        "minimum_amount_currency": Text(),
        "currency_options": _OPTIONS,
    }
)


def code_named(call: Call, text: str) -> Doc | None:
    """The active code that a customer typed in, whatever its case."""
    return next((code for code in call.shelf.rows(KIND) if code["active"] and _same(code["code"], text)), None)


def check_redeemable(call: Call, code: Doc, customer: Doc | None, currency: str | None, amount: int | None) -> None:
    """Refuse a code to those whom it is not for. `amount`: what it would be taken off, None where not known yet."""
    owner = None if customer is None else customer["id"]
    if not code["active"]:
        raise _refused("it is not active")
    if code["customer"] is not None and code["customer"] != owner:
        raise _refused("it belongs to another customer")
    rules = code["restrictions"]
    if rules["first_time_transaction"] and owner is not None and _has_paid(call, owner):
        raise _refused("the associated customer has prior transactions")
    least = {name: option.get("minimum_amount") for name, option in (code.get("_minimums") or {}).items()}
    if least and amount is not None and (currency not in least or amount < (least[currency] or 0)):
        raise _refused("the associated minimum amount is not met")


def count_redemption(call: Call, code: Doc) -> None:
    code["times_redeemed"] += 1
    if code["max_redemptions"] is not None and code["times_redeemed"] >= code["max_redemptions"]:
        code["active"] = False
    call.shelf.save(code)


def expire_code(call: Call, identifier: str) -> None:
    """The last moment at which a code could be redeemed is over."""
    code = call.shelf.get(KIND, identifier)
    if code is not None and code["active"]:
        before = copy_of(code)
        code["active"] = False
        call.save(code, "promotion_code.updated", before)


def _create(call: Call) -> Doc:
    given = call.given
    coupon = _coupon(call)
    coupons.check_redeemable(coupon, "promotion[coupon]")
    customer = call.referred("customer", given["customer"], "customer")["id"] if given.get("customer") else None
    if given.get("expires_at") is not None and given["expires_at"] <= call.now:
        raise invalid("The `expires_at` timestamp must be in the future.", "expires_at")
    text = _text(call, customer)
    code = _blank(call, coupon, text, customer)
    code["restrictions"] |= _restrictions(given.get("restrictions") or {})
    code["_minimums"] = _minimums(code, given.get("restrictions") or {})
    apply_given(code, given, ("active", "expires_at", "max_redemptions", "metadata"))
    if code["expires_at"] is not None:
        call.schedule(code["expires_at"], "expire_promotion_code", code)
    return call.create(code, "promotion_code.created")


def _retrieve(call: Call) -> Doc:
    return call.find(KIND, "promotion_code")


def _update(call: Call) -> Doc:
    code = call.find(KIND, "promotion_code")
    if call.given.get("active"):
        _check_revivable(call, code)
    before = copy_of(code)
    apply_given(code, call.given, ("active", "metadata"))
    code["_minimums"] = _minimums(code, call.given.get("restrictions") or {})
    return call.save(code, "promotion_code.updated", before)


def _list(call: Call) -> Page:
    given = call.given
    keep = matches(given, "active", "customer")

    def wanted(code: Doc) -> bool:
        is_named = given.get("code") is None or _same(code["code"], given["code"])
        return keep(code) and is_named and given.get("coupon") in (None, code["promotion"]["coupon"])

    return page_of(call, KIND, wanted)


def _coupon(call: Call) -> Doc:
    """The coupon behind a new code: `coupon` until 2025-09-30, `promotion[coupon]` since."""
    given = call.given
    wrong = "coupon" if since(call.version, CLOVER) else "promotion"
    if wrong in given:
        raise parameter_unknown([wrong])
    if not since(call.version, CLOVER):
        if not given.get("coupon"):
            raise parameter_missing("coupon")
        return call.referred("coupon", given["coupon"], "coupon")
    promotion = given.get("promotion")
    if not promotion:
        raise parameter_missing("promotion")
    if not promotion.get("coupon"):
        raise parameter_missing("promotion[coupon]")
    return call.referred("coupon", promotion["coupon"], "promotion[coupon]")


def _text(call: Call, customer: str | None) -> str:
    """The code itself, unique among the active ones that the same customer could use."""
    text = str(call.given.get("code") or call.world.token(8).upper())
    if not _CODE.fullmatch(text):
        raise invalid("Invalid code: it may only contain letters, digits and dashes.", "code")
    for other in call.shelf.rows(KIND):
        rivals = None in (customer, other["customer"]) or customer == other["customer"]
        if other["active"] and rivals and _same(other["code"], text):
            raise StripeError("An active promotion code with `code: " + text + "` already exists.", param="code")
    return text


def _restrictions(given: Given) -> Doc:
    least, currency = given.get("minimum_amount"), given.get("minimum_amount_currency")
    if (least is None) != (currency is None):
        raise parameter_missing(f"restrictions[minimum_amount{'' if least is None else '_currency'}]")
    named = (
        {"minimum_amount": least, "minimum_amount_currency": check_currency({"currency": currency})} if least else {}
    )
    return named | {"first_time_transaction": bool(given.get("first_time_transaction"))}


def _minimums(code: Doc, given: Given) -> Doc | None:
    """The least amount in each currency, where there is any."""
    rules = code["restrictions"]
    own = {rules["minimum_amount_currency"]: {"minimum_amount": rules["minimum_amount"]}}
    known = code.get("_minimums") or (own if rules["minimum_amount"] else {})
    return known | check_options(given.get("currency_options") or {}, "restrictions[currency_options]") or None


def _check_revivable(call: Call, code: Doc) -> None:
    """A code becomes active again only while it, and its coupon, could still be redeemed."""
    coupon = call.shelf.get("coupon", code["promotion"]["coupon"])
    is_spent = code["max_redemptions"] is not None and code["times_redeemed"] >= code["max_redemptions"]
    is_over = code["expires_at"] is not None and code["expires_at"] <= call.now
    if coupon is None or coupon.get("deleted") or not coupon["valid"] or is_spent or is_over:
        raise invalid("This promotion code can no longer be redeemed, so it can't be activated.", "active")


def _same(first: str, second: str) -> bool:
    return first.lower() == second.lower()


def _has_paid(call: Call, customer: str) -> bool:
    paid = (intent for intent in call.shelf.rows("payment_intent") if intent["status"] == "succeeded")
    settled = (invoice for invoice in call.shelf.rows("invoice") if invoice["status"] == "paid")
    return any(doc["customer"] == customer for docs in (paid, settled) for doc in docs)


def _refused(why: str) -> StripeError:
    return invalid(f"This promotion code cannot be redeemed because {why}.", "promotion_code")


def _blank(call: Call, coupon: Doc, text: str, customer: str | None) -> Doc:
    return {
        "id": call.world.new_id("promo_1"),
        "object": KIND,
        "active": True,
        "code": text,
        "coupon": copy_of(coupon),
        "created": call.now,
        "customer": customer,
        "customer_account": None,
        "expires_at": None,
        "livemode": call.livemode,
        "max_redemptions": None,
        "metadata": {},
        "promotion": {"coupon": coupon["id"], "type": "coupon"},
        "restrictions": {
            "first_time_transaction": False,
            "minimum_amount": None,
            "minimum_amount_currency": None,
        },
        "times_redeemed": 0,
    }


ROUTES = (
    Route(
        "POST",
        "/v1/promotion_codes",
        _create,
        {
            **METADATA,
            "active": Flag(),
            "code": Text(500),
            "coupon": Text(),
            "customer": Text(),
            "expires_at": Whole(),
            "max_redemptions": Whole(least=1),
            "promotion": Hash({"coupon": Text(), "type": Need(Choice(("coupon",), clears=False))}),
            "restrictions": _RESTRICTIONS,
            **uncovered("customer_account"),
        },
    ),
    Route("GET", "/v1/promotion_codes/{id}", _retrieve),
    Route(
        "POST",
        "/v1/promotion_codes/{id}",
        _update,
        {**METADATA, "active": Flag(), "restrictions": Hash({"currency_options": _OPTIONS})},
    ),
    Route(
        "GET",
        "/v1/promotion_codes",
        _list,
        {**PAGING, **CREATED, "active": Flag(), "code": Text(), "coupon": Text(), "customer": Text()},
    ),
)
