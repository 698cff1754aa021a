"""What is taken off a subscription's price and put on it: its discounts and tax rates, and those of its items."""

from __future__ import annotations

from counterfoil.sandbox import discounts, pricing, tax_rates
from counterfoil.sandbox.call import Call
from counterfoil.sandbox.documents import Doc
from counterfoil.sandbox.errors import invalid, parameter_unknown
from counterfoil.sandbox.params import Given
from counterfoil.sandbox.pricing import Part
from counterfoil.sandbox.subscription_fields import not_covered
from counterfoil.sandbox.versions import BASIL, since


def apply(call: Call, subscription: Doc) -> None:
    """Give a subscription what the caller says; those discounts that it is not left with end."""
    given = call.given
    if "default_tax_rates" in given:
        rates = tax_rates.rates_of(call, given["default_tax_rates"], "default_tax_rates")
        subscription["default_tax_rates"] = rates
    chosen = _chosen(call)
    if chosen is None:
        return
    customer = call.shelf.find("customer", subscription["customer"], "customer", 400)
    target = discounts.Target(customer, subscription["currency"], None, {"subscription": subscription["id"]})
    current = discounts.named(call, subscription["discounts"])
    kept = discounts.replaced(call, current, chosen, target)
    _show(subscription, kept)
    for discount in kept:
        if discount["id"] not in [one["id"] for one in current]:
            call.emit("customer.discount.created", discount)
    for discount in current:
        if discount["id"] not in subscription["discounts"]:
            call.emit("customer.discount.deleted", discount)


def redeems(given: Given) -> bool:
    """True when a new subscription, or one of its items, is given a coupon."""
    entries = [given, *(given.get("items") or []), *(given.get("add_invoice_items") or [])]
    return any(entry.get(name) for entry in entries for name in ("coupon", "discounts", "promotion_code"))


def apply_to_item(call: Call, subscription: Doc, item: Doc, given: Given, path: str = "items") -> None:
    """Give one item its own discounts and tax rates."""
    if "tax_rates" in given:
        item["tax_rates"] = tax_rates.rates_of(call, given["tax_rates"], f"{path}[tax_rates]")
    if "discounts" in given:
        customer = call.shelf.find("customer", subscription["customer"], "customer", 400)
        owner = {"subscription": subscription["id"], "subscription_item": item["id"]}
        target = discounts.Target(customer, subscription["currency"], None, owner)
        current = discounts.named(call, item["discounts"])
        item["discounts"] = [one["id"] for one in discounts.replaced(call, current, given["discounts"], target)]


def hand_over(call: Call, subscription: Doc, invoice: Doc) -> None:
    """Put on an invoice what its subscription has; where that has no discount, its customer's counts."""
    invoice["_discounts"] = _of_bill(call, subscription)
    invoice["default_tax_rates"] = list(subscription["default_tax_rates"])


def mark_source(call: Call, item: Doc, source: Doc) -> None:
    """Put on what becomes a line what its subscription item has."""
    source["_discounts"] = discounts.named(call, item["discounts"])
    source["discounts"] = [discount["id"] for discount in source["_discounts"]]
    source["tax_rates"] = list(item["tax_rates"])


def net_of(call: Call, subscription: Doc, item: Doc, amount: int) -> int:
    """What the discounts of the moment leave of an item's amount for a whole period."""
    own = discounts.named(call, item["discounts"])
    part = Part(amount, product=item["price"]["product"], discounts=own)
    priced = pricing.price_parts([part], subscription["currency"], _of_bill(call, subscription))[0]
    return amount - sum(priced.discounts.values())


def included(call: Call, subscription: Doc, item: Doc) -> Doc:
    """The discounts that are in the amount of a proration already: they are named, and take off no more."""
    inside = [*discounts.named(call, item["discounts"]), *_of_bill(call, subscription)]
    return {"_discounts": inside, "discounts": [discount["id"] for discount in inside]}


def check_prorations(call: Call, subscription: Doc) -> None:
    """A share of a percentage is a percentage of the share; how other discounts are shared is not modelled."""
    flexible = subscription["billing_mode"]["flexible"] or {}
    items = [call.shelf.get("subscription_item", one["id"]) or one for one in subscription["items"].get("data", [])]
    own = [discount for item in items for discount in discounts.named(call, item["discounts"])]
    for discount in [*own, *_of_bill(call, subscription)]:
        coupon = discount["coupon"]
        if flexible.get("proration_discounts") == "itemized":
            raise not_covered("prorations with itemized discounts", "proration_behavior")
        if coupon["percent_off"] is None or coupon["duration"] == "once":
            what = "that are not a percentage" if coupon["percent_off"] is None else "for one invoice only"
            raise not_covered(f"prorations with discounts {what}", "proration_behavior")


def _of_bill(call: Call, subscription: Doc) -> list[Doc]:
    """The discounts of a subscription, else of its customer."""
    customer = call.shelf.get("customer", subscription["customer"])
    own = discounts.named(call, subscription["discounts"])
    return own or (
        discounts.inherited(customer, subscription["currency"]) if customer and "discount" in customer else []
    )


def _chosen(call: Call) -> list[Given] | None:
    """The discounts that the caller names, in the words of their version; None where they say nothing of them."""
    given = call.given
    old: list[str] = [name for name in ("coupon", "promotion_code") if name in given]
    if old and since(call.version, BASIL):
        raise parameter_unknown(old)
    if len(old) > 1 or (old and "discounts" in given):
        names = ", ".join([*old, "discounts"][:2])
        raise invalid(f"You may only specify one of these parameters: {names}.", old[-1])
    if old:
        return [{old[0]: given[old[0]]}] if given[old[0]] else []
    return list(given["discounts"]) if "discounts" in given else None


def _show(subscription: Doc, kept: list[Doc]) -> None:
    subscription["discounts"] = [discount["id"] for discount in kept]
    subscription["discount"] = kept[0] if kept else None
