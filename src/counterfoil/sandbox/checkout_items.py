"""What a checkout session sells: its line items and their sums."""

from __future__ import annotations

from counterfoil.sandbox import checkout_sums, prices
from counterfoil.sandbox.call import Call, apply_given
from counterfoil.sandbox.documents import Doc, copy_of
from counterfoil.sandbox.errors import invalid, parameter_missing
from counterfoil.sandbox.params import Given

MOST = 100


def price_items(call: Call) -> list[tuple[Doc, Given]]:
    """The price of each item given, found or made; all of one currency, none of them recurring."""
    given = call.given.get("line_items") or []
    if len(given) > MOST:
        raise invalid(f"A Checkout Session can have at most {MOST} line items.", "line_items")
    units = [_checked(call, item, f"line_items[{position}]") for position, item in enumerate(given)]
    if len({currency for currency, _ in units}) > 1:
        raise invalid("All prices on a Checkout Session must have the same currency.", "line_items")
    if units and not call.given.get("discounts"):
        checkout_sums.check_total(sum(total for _, total in units), units[0][0])
    return [(_price(call, item), item) for item in given]


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
    if recurring:
        message = (
            "You specified `payment` mode but passed a recurring price. Either switch to `subscription` mode or use "
            "only one-time prices."
        )
        raise invalid(message, path)
    return currency, prices.total_of(unit, item["quantity"])


def _price(call: Call, item: Given) -> Doc:
    if item.get("price"):
        return call.shelf.find("price", item["price"], "price")
    return prices.create_price(call, item["price_data"], active=False)


def _item(call: Call, session: Doc, price: Doc, given: Given) -> Doc:
    product = call.shelf.find("product", price["product"], "product")
    amount = prices.total_of(price["unit_amount_decimal"], given["quantity"])
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
