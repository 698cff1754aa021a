"""Subscription items: what a subscription bills each period, and how many of it."""

from __future__ import annotations

from counterfoil.sandbox import prices
from counterfoil.sandbox.call import Call
from counterfoil.sandbox.documents import Doc, copy_of
from counterfoil.sandbox.errors import invalid, parameter_missing
from counterfoil.sandbox.params import Given
from counterfoil.sandbox.periods import Rhythm, rhythm_of
from counterfoil.sandbox.subscription_fields import not_covered

KIND = "subscription_item"
MOST = 20


def price_of(call: Call, given: Given, path: str) -> Doc:
    """The recurring price that an item names or brings along."""
    named = given.get("price") or given.get("plan")
    if named and given.get("price_data"):
        raise invalid(f"You may only specify one of these parameters: {path}[price], {path}[price_data].", path)
    if named:
        return _named_price(call, named, f"{path}[price]")
    if not given.get("price_data"):
        raise parameter_missing(f"{path}[price]")
    return prices.create_price(call, given["price_data"], active=False)


def check_fit(priced: list[Doc], param: str = "items") -> Rhythm:
    """Prices of one subscription share a currency and are different; the sandbox wants one rhythm of them too."""
    if not priced:
        raise parameter_missing(param)
    if len(priced) > MOST:
        raise invalid(f"A subscription can have at most {MOST} items.", param)
    if len({price["currency"] for price in priced}) > 1:
        raise invalid("All prices on a subscription must have the same currency.", param)
    if len({price["id"] for price in priced}) < len(priced):
        raise invalid(
            "Cannot add multiple subscription items with the same price. Change the quantity of the one item instead.",
            param,
        )
    rhythms = {rhythm_of(price) for price in priced}
    if len(rhythms) > 1:
        raise not_covered("prices with different intervals on one subscription", param)
    return rhythms.pop()


def new_item(call: Call, subscription: Doc, price: Doc, given: Given) -> Doc:
    """An item with every field, not yet stored."""
    return {
        "id": call.world.new_id("si_", 14),
        "object": KIND,
        "billing_thresholds": None,
        "created": call.now,
        "current_period_end": subscription["current_period_end"],
        "current_period_start": subscription["current_period_start"],
        "current_trial": None,
        "discounts": [],
        "metadata": {key: value for key, value in (given.get("metadata") or {}).items() if value != ""},
        "plan": plan_of(price),
        "price": copy_of(price),
        "quantity": given.get("quantity", 1),
        "subscription": subscription["id"],
        "tax_rates": [],
        "_debits": [],
    }


def set_price(item: Doc, price: Doc, quantity: int) -> None:
    item |= {"price": copy_of(price), "plan": plan_of(price), "quantity": quantity}


def items_of(call: Call, subscription: Doc) -> list[Doc]:
    """The living items of a subscription, oldest first."""
    ids = [item["id"] for item in subscription["items"].get("data", [])]
    return [call.shelf.find(KIND, identifier, KIND) for identifier in ids]


def show_items(call: Call, subscription: Doc, items: list[Doc]) -> None:
    """Store items with the subscription's period on them; they are shown as part of the subscription."""
    names = ("current_period_end", "current_period_start")
    for item in items:
        item |= {name: subscription[name] for name in names}
        call.shelf.save(item)
    subscription["items"] = {
        "object": "list",
        "data": [copy_of(item) for item in items],
        "has_more": False,
        "url": f"/v1/subscription_items?subscription={subscription['id']}",
    }


def rhythm(subscription: Doc) -> Rhythm:
    """How often a subscription bills."""
    return rhythm_of(subscription["items"]["data"][0]["price"])


def amount_of(item: Doc) -> int:
    """What an item costs for a whole period."""
    return prices.total_of(item["price"]["unit_amount_decimal"], item["quantity"])


def plan_of(price: Doc) -> Doc:
    """A price in the form that it had before prices existed."""
    recurring = price["recurring"]
    return {
        "id": price["id"],
        "object": "plan",
        "active": price["active"],
        "aggregate_usage": None,
        "amount": price["unit_amount"],
        "amount_decimal": price["unit_amount_decimal"],
        "billing_scheme": price["billing_scheme"],
        "created": price["created"],
        "currency": price["currency"],
        "interval": recurring["interval"],
        "interval_count": recurring["interval_count"],
        "livemode": price["livemode"],
        "metadata": dict(price["metadata"]),
        "meter": None,
        "nickname": price["nickname"],
        "product": price["product"],
        "tiers_mode": None,
        "transform_usage": None,
        "trial_period_days": None,
        "usage_type": "licensed",
    }


def _named_price(call: Call, identifier: str, param: str) -> Doc:
    price = call.referred("price", identifier, param)
    if price["type"] != "recurring":
        raise invalid(
            "The price specified is set to `type=one_time` but this field only accepts prices with `type=recurring`.",
            param,
        )
    if not price["active"]:
        raise invalid("The price specified is inactive. This field only accepts active prices.", param)
    return price
