"""Discounts: a coupon that was given to a customer, a subscription, an invoice, a line or a checkout session.

Whoever bills asks here: `redeem` reads a `discounts` parameter (`GIVEN`), `inherited` says what an invoice takes over
from its customer, and `use_up` ends what was for one invoice only. What they come to is counted in `invoice_sums`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from counterfoil.sandbox import coupons, promotion_codes
from counterfoil.sandbox.call import Call
from counterfoil.sandbox.documents import Doc, copy_of
from counterfoil.sandbox.errors import StripeError, invalid, parameter_unknown, resource_missing
from counterfoil.sandbox.params import Given, Hash, Items, Text
from counterfoil.sandbox.periods import Rhythm
from counterfoil.sandbox.routing import Route
from counterfoil.sandbox.versions import BASIL, since

KIND = "discount"
MOST = 20
GIVEN = Items(Hash({"coupon": Text(), "discount": Text(), "promotion_code": Text()}))
"""The parameter by which discounts are given to whatever is billed."""


@dataclass(frozen=True, slots=True)
class Target:
    """What discounts are given to. `amount` is what they are taken off, None where that is not known yet.

    `owner` names the object that a discount is on: invoice, invoice_item, subscription, subscription_item or
    checkout_session.
    """

    customer: Doc | None = None
    currency: str | None = None
    amount: int | None = None
    owner: dict[str, str] = field(default_factory=dict)


def redeem(call: Call, given: list[Given], target: Target, param: str = "discounts") -> list[Doc]:
    """Give coupons, promotion codes or discounts that exist already to a target, in the order given: all or none."""
    if len(given) > MOST:
        raise invalid(f"You can have at most {MOST} discounts here.", param)
    paths = [f"{param}[{position}]" for position in range(len(given))]
    for entry, path in zip(given, paths, strict=True):
        _check_one(call, entry, target, path)
    return [_redeem_one(call, entry, target, path) for entry, path in zip(given, paths, strict=True)]


def proposed(call: Call, given: list[Given], target: Target) -> list[Doc]:
    """Discounts that a customer has in view, and is only given when they pay: `count` says that they did."""
    return [
        _redeem_one(call, entry, target, f"discounts[{position}]", counts=False) for position, entry in enumerate(given)
    ]


def count(call: Call, discount: Doc) -> None:
    """A proposed discount was used."""
    coupon = call.shelf.get("coupon", discount["source"]["coupon"])
    if coupon is not None and not coupon.get("deleted"):
        coupons.count_redemption(call, coupon)
    code = call.shelf.get("promotion_code", discount["promotion_code"] or "")
    if code is not None:
        promotion_codes.count_redemption(call, code)


def replaced(call: Call, current: list[Doc], given: list[Given], target: Target) -> list[Doc]:
    """What an update's `discounts` leave on a bill: those it names, and no others."""
    chosen = redeem(call, given, target)
    kept = {discount["id"] for discount in chosen}
    for discount in current:
        if discount["id"] not in kept and any(discount[name] == owner for name, owner in target.owner.items()):
            _entomb(call, discount)
    return [copy_of(discount) for discount in chosen]


def inherited(customer: Doc, currency: str) -> list[Doc]:
    """What an invoice that is told nothing takes over from its customer, unless it is in another currency."""
    discount = customer["discount"]
    return [copy_of(discount)] if discount and coupons.fits(discount["coupon"], currency) else []


def give_customer(call: Call, customer: Doc) -> None:
    """Do what `coupon` or `promotion_code` says of a customer; 2025-03-31 took both parameters away.

    The customer is stored by the caller, who then calls `tell_customer`.
    """
    names: list[str] = [name for name in ("coupon", "promotion_code") if name in call.given]
    if not names:
        return
    if since(call.version, BASIL):
        raise parameter_unknown(names)
    if len(names) > 1:
        raise invalid("You may only specify one of these parameters: coupon, promotion_code.", "promotion_code")
    chosen = call.given[names[0]]
    target = Target(customer, customer["currency"])
    customer["discount"] = _redeem_one(call, {names[0]: chosen}, target, "") if chosen else None


def tell_customer(call: Call, customer: Doc, before: Doc | None) -> None:
    """Tell by events what became of a customer's discount."""
    old: Doc | None = (before or {}).get("discount")
    new: Doc | None = customer["discount"]
    if (old or {}).get("id") == (new or {}).get("id"):
        return
    if old is None and new is not None:
        call.emit("customer.discount.created", new)
    elif old is not None and new is None:
        _bury(call, old)
    elif old is not None and new is not None:
        _entomb(call, old)
        call.emit("customer.discount.updated", new, old)


def named(call: Call, identifiers: list[str]) -> list[Doc]:
    """The living discounts behind ids, in their order."""
    found = [call.shelf.get(KIND, identifier) for identifier in identifiers]
    return [copy_of(discount) for discount in found if discount is not None and not discount.get("deleted")]


def end(call: Call, discount: Doc) -> Doc:
    """Take a discount away from who has it; returns its tombstone, which still says what it was."""
    customer = call.shelf.get("customer", discount["customer"] or "")
    if customer is not None and (customer.get("discount") or {}).get("id") == discount["id"]:
        before = copy_of(customer)
        customer["discount"] = None
        call.save(customer, "customer.updated", before)
    subscription = call.shelf.get("subscription", discount["subscription"] or "")
    if subscription is not None and discount["id"] in subscription["discounts"]:
        left = named(call, [one for one in subscription["discounts"] if one != discount["id"]])
        subscription |= {"discounts": [one["id"] for one in left], "discount": left[0] if left else None}
        call.shelf.save(subscription)
    item = call.shelf.get("subscription_item", discount["subscription_item"] or "")
    if item is not None and not item.get("deleted"):
        item["discounts"] = [one for one in item["discounts"] if one != discount["id"]]
        call.shelf.save(item)
    return _bury(call, discount)


def end_in_time(call: Call, identifier: str) -> None:
    """A discount's months are over."""
    discount = call.shelf.get(KIND, identifier)
    if discount is not None and not discount.get("deleted"):
        end(call, discount)


def use_up(call: Call, invoice: Doc) -> None:
    """A coupon for one invoice has had it, once it took something off: such a discount leaves who has it."""
    taken = {part["discount"] for part in invoice["total_discount_amounts"] if part["amount"]}
    of_lines = [discount for line in invoice["_lines"] for discount in line.get("_discounts", ())]
    for discount in [*invoice["_discounts"], *of_lines]:
        if discount["id"] in taken and discount["coupon"]["duration"] == "once" and not _is_of_one_bill(discount):
            end_in_time(call, discount["id"])


def _redeem_one(call: Call, entry: Given, target: Target, path: str, counts: bool = True) -> Doc:
    kind, param = _said(entry, path)
    if kind == "discount":
        return _existing(call, entry["discount"], target, param)
    coupon, code = _redeemable(call, kind, entry[kind], target, param)
    discount = call.shelf.save(_blank(call, coupon, code, target))
    if discount["end"] is not None and not _is_of_one_bill(discount):
        call.schedule(discount["end"], "end_discount", discount)
    if counts:
        count(call, discount)
    return discount


def _check_one(call: Call, entry: Given, target: Target, path: str) -> None:
    kind, param = _said(entry, path)
    if kind == "discount":
        _existing(call, entry["discount"], target, param)
    else:
        _redeemable(call, kind, entry[kind], target, param)


def _said(entry: Given, path: str) -> tuple[str, str]:
    """Which of its three ways an entry goes, and the name of the parameter that says so."""
    said = [name for name in ("coupon", "discount", "promotion_code") if entry.get(name)]
    if len(said) != 1:
        raise invalid("You must pass exactly one of coupon, discount or promotion_code.", path or None)
    return said[0], f"{path}[{said[0]}]" if path else said[0]


def _redeemable(call: Call, kind: str, identifier: str, target: Target, param: str) -> tuple[Doc, Doc | None]:
    """The coupon, and the promotion code where it is by one, after all that could speak against it."""
    code = None
    if kind == "promotion_code":
        code = call.referred(kind, identifier, param)
        promotion_codes.check_redeemable(call, code, target.customer, target.currency, target.amount)
        identifier = code["promotion"]["coupon"]
    coupon = call.referred("coupon", identifier, param)
    coupons.check_redeemable(coupon, param)
    _check_currency(coupon, target, param)
    return coupon, code


def _check_currency(coupon: Doc, target: Target, param: str) -> None:
    if target.currency is not None and not coupons.fits(coupon, target.currency):
        message = (
            f"The coupon {coupon['id']} takes off {coupon['currency']}, so it can't be used for {target.currency}."
        )
        raise StripeError(message, param=param)


def _is_of_one_bill(discount: Doc) -> bool:
    """True for a discount that goes with its invoice or session, and ends for nobody else."""
    return any(discount[name] for name in ("checkout_session", "invoice", "invoice_item"))


def _existing(call: Call, identifier: str, target: Target, param: str) -> Doc:
    discount = call.referred(KIND, identifier, param)
    owner = target.customer["id"] if target.customer else None
    if discount["customer"] not in (None, owner):
        raise resource_missing(KIND, identifier, param, 400)
    _check_currency(discount["coupon"], target, param)
    return discount


def _bury(call: Call, discount: Doc) -> Doc:
    stub = _entomb(call, discount)
    call.emit("customer.discount.deleted", discount)
    return stub


def _entomb(call: Call, discount: Doc) -> Doc:
    """A discount that ended still says what it was, but no longer when it would have ended."""
    return call.shelf.save({name: value for name, value in discount.items() if name != "end"} | {"deleted": True})


def _delete(call: Call) -> Doc:
    customer = call.find("customer", "customer")
    if customer["discount"] is None:
        raise StripeError(f"No active discount for customer: {customer['id']}", status=404, code="resource_missing")
    return end(call, customer["discount"])


def _blank(call: Call, coupon: Doc, code: Doc | None, target: Target) -> Doc:
    months = coupon["duration_in_months"]
    names = ("checkout_session", "invoice", "invoice_item", "subscription", "subscription_item")
    return {
        "id": call.world.new_id("di_1"),
        "object": KIND,
        **dict.fromkeys(names),
        "coupon": copy_of(coupon),
        "customer": target.customer["id"] if target.customer else None,
        "customer_account": None,
        "end": Rhythm("month", months).step(call.now, 1) if months else None,
        "promotion_code": code["id"] if code else None,
        "source": {"coupon": coupon["id"], "type": "coupon"},
        "start": call.now,
        **target.owner,
    }


def _delete_of_subscription(call: Call) -> Doc:
    subscription = call.find("subscription", "subscription")
    found = named(call, subscription["discounts"])
    if not found:
        message = f"No active discount for subscription: {subscription['id']}"
        raise StripeError(message, status=404, code="resource_missing")
    before = copy_of(subscription)
    ended = [end(call, discount) for discount in found]
    call.save(subscription, "customer.subscription.updated", before)
    return ended[0]


ROUTES = (
    Route("DELETE", "/v1/customers/{id}/discount", _delete),
    Route("DELETE", "/v1/subscriptions/{id}/discount", _delete_of_subscription),
)
