"""What a checkout session sells: its line items and their sums."""

from __future__ import annotations

from counterfoil.sandbox import checkout_subscriptions, checkout_sums, prices, subscription_items
from counterfoil.sandbox.call import Call, apply_given
from counterfoil.sandbox.documents import Doc, copy_of
from counterfoil.sandbox.errors import invalid, parameter_missing
from counterfoil.sandbox.params import Given

MOST = 100


def price_items(call: Call) -> list[tuple[Doc, Given]]:
    """The price of each item given, found or made; all of one currency, and recurring only where that is sold."""
    given = call.given.get("line_items") or []
    if len(given) > MOST:
        raise invalid(f"A Checkout Session can have at most {MOST} line items.", "line_items")
    units = [_checked(call, item, f"line_items[{position}]") for position, item in enumerate(given)]
    if len({currency for currency, _ in units}) > 1:
        raise invalid("All prices on a Checkout Session must have the same currency.", "line_items")
    if units and not call.given.get("discounts"):
        checkout_sums.check_total(sum(total for _, total in units), units[0][0])
    priced = [(_price(call, item), item) for item in given]
    if call.given["mode"] == "subscription":
        _check_subscribed([price for price, _ in priced])
    return priced


def _check_subscribed(priced: list[Doc]) -> None:
    recurring = [price for price in priced if price["recurring"]]
    if not recurring:
        message = (
            "You must provide at least one recurring price in `subscription` mode when using prices. Use `payment` "
            "mode for one-time prices."
        )
        raise invalid(message, "line_items")
    subscription_items.check_fit(recurring, "line_items")


def add_items(call: Call, session: Doc, priced: list[tuple[Doc, Given]]) -> None:
    """Store the items of a session and sum them up on it."""
    items = [_item(call, session, price, given) for price, given in priced]
    checkout_sums.sum_up(call, session, items)
    # Lists are newest first and an item list is in the order given: the last one is stored first.
    for item in reversed(items):
        call.shelf.save(item)


def _checked(call: Call, item: Given, path: str) -> tuple[str, int]:
    """The currency and amount of an item that Stripe would take."""
    if item.get("price") and item.get("price_data"):
        raise invalid(f"You may only specify one of these parameters: {path}[price], {path}[price_data].", path)
    if item.get("quantity") is None:
        raise parameter_missing(f"{path}[quantity]")
    if item.get("price"):
        price = call.referred("price", item["price"], f"{path}[price]")
        if not price["active"]:
            raise invalid("The price specified is inactive. This field only accepts active prices.", f"{path}[price]")
        currency, unit, recurring = price["currency"], price["unit_amount_decimal"], price["recurring"]
    elif item.get("price_data"):
        currency, unit = prices.check_price(call, item["price_data"])
        recurring = item["price_data"].get("recurring")
    else:
        raise parameter_missing(f"{path}[price]")
    if recurring and call.given["mode"] != "subscription":
        message = (
            "You specified `payment` mode but passed a recurring price. Either switch to `subscription` mode or use "
            "only one-time prices."
        )
        raise invalid(message, path)
    is_free_now = recurring and checkout_subscriptions.has_trial(call.given)
    return currency, 0 if is_free_now else prices.total_of(unit, item["quantity"])


def _price(call: Call, item: Given) -> Doc:
    if item.get("price"):
        return call.shelf.find("price", item["price"], "price")
    return prices.create_price(call, item["price_data"], active=False)


def _item(call: Call, session: Doc, price: Doc, given: Given) -> Doc:
    product = call.shelf.find("product", price["product"], "product")
    is_free_now = price["recurring"] and checkout_subscriptions.has_trial(call.given)
    amount = 0 if is_free_now else prices.total_of(price["unit_amount_decimal"], given["quantity"])
    item: Doc = {
        "id": call.world.new_id("li_1"),
        "object": "item",
        "adjustable_quantity": None,
        "amount_discount": 0,
        "amount_subtotal": amount,
        "amount_tax": 0,
        "amount_total": amount,
        "currency": price["currency"],
        "description": product["name"],
        "metadata": {},
        "price": copy_of(price),
        "quantity": given["quantity"],
        "_session": session["id"],
    }
    apply_given(item, given, ("metadata",))
    return item
