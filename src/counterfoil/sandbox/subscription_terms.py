"""What is taken off a subscription's price and put on it: its discounts and tax rates, and those of its items."""

from __future__ import annotations

from counterfoil.sandbox import discounts, tax_rates
from counterfoil.sandbox.call import Call
from counterfoil.sandbox.documents import Doc
from counterfoil.sandbox.errors import invalid, parameter_unknown
from counterfoil.sandbox.params import Given
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


def hand_over(call: Call, subscription: Doc, invoice: Doc, customer: Doc) -> None:
    """Put on an invoice what its subscription has; where that has no discount, its customer's counts."""
    own = discounts.named(call, subscription["discounts"])
    invoice["_discounts"] = own or discounts.inherited(customer, invoice["currency"])
    invoice["default_tax_rates"] = list(subscription["default_tax_rates"])


def mark_source(call: Call, item: Doc, source: Doc) -> None:
    """Put on what becomes a line what its subscription item has."""
    source["_discounts"] = discounts.named(call, item["discounts"])
    source["discounts"] = [discount["id"] for discount in source["_discounts"]]
    source["tax_rates"] = list(item["tax_rates"])


def check_prorations(call: Call, subscription: Doc) -> None:
    """How much of a discount is in a part of a period depends on more than the sandbox models."""
    customer = call.shelf.get("customer", subscription["customer"]) or {}
    items = [call.shelf.get("subscription_item", one["id"]) or one for one in subscription["items"].get("data", [])]
    if subscription["discounts"] or customer.get("discount") or any(item["discounts"] for item in items):
        raise not_covered("prorations of discounted subscriptions", "proration_behavior")


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
