"""Invoice items: what a customer owes, waiting for an invoice or on a draft of one."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from counterfoil.sandbox import discounts, invoice_fields, prices, tax_rates
from counterfoil.sandbox.call import Call, apply_given
from counterfoil.sandbox.currencies import check_currency
from counterfoil.sandbox.documents import Doc, copy_of
from counterfoil.sandbox.errors import StripeError, invalid, parameter_missing, parameter_unknown
from counterfoil.sandbox.fields import METADATA
from counterfoil.sandbox.lists import CREATED, PAGING, Page, page_of, within
from counterfoil.sandbox.params import Flag, Fraction, Given, Hash, Items, Kind, Need, Text, Whole, uncovered
from counterfoil.sandbox.routing import Route
from counterfoil.sandbox.versions import BASIL, since

MOST = 250
_WHAT: dict[str, Kind] = {
    **METADATA,
    "amount": Whole(),
    "description": Text(),
    "discountable": Flag(),
    "discounts": discounts.GIVEN,
    "period": Hash({"start": Need(Whole()), "end": Need(Whole())}),
    "price_data": Hash({**prices.INLINE, "unit_amount": Whole()}),
    "pricing": Hash({"price": Need(Text())}),
    "quantity": Whole(least=0),
    "tax_rates": Items(),
    "unit_amount_decimal": Fraction(),
    **uncovered("quantity_decimal", "tax_behavior", "tax_code"),
}
LINE: dict[str, Kind] = {**_WHAT, "invoice_item": Text(), **uncovered("tax_amounts")}
"""A line given to an invoice: an item that waits already, or a new one."""
_GONE = ("price", "unit_amount")
"""Parameters that 2025-03-31 replaced by `pricing` and `unit_amount_decimal`."""


def add_item(call: Call, given: Given, customer: Doc, invoice: Doc | None, subscription: Doc | None = None) -> Doc:
    """Create an item, on a draft or waiting for an invoice: for any of the customer's, or a subscription's only."""
    currency = _currency(call, given, customer, invoice)
    price, amount = _priced(call, given, currency)
    item = blank_item(call, customer, currency)
    apply_given(item, given, ("description", "metadata"))
    set_amount(item, price, amount, given.get("quantity", 1))
    item["discountable"] = given.get("discountable", amount >= 0)
    if given.get("period"):
        item["period"] = _period(given["period"])
    _apply_adjustments(call, item, given, customer)
    item["invoice"] = invoice["id"] if invoice else None
    item["_own"] = invoice is not None
    if subscription is not None:
        details = {"subscription": subscription["id"]}
        item["parent"] = {"subscription_details": details, "type": "subscription_details"}
        item["subscription"] = subscription["id"]
    _set_currency(call, customer, currency)
    return call.create(item, "invoiceitem.created")


def line_of(call: Call, item: Doc) -> Doc:
    """The line that an item is on its invoice."""
    return {
        "id": call.world.new_id("il_1"),
        "object": "line_item",
        "amount": item["amount"],
        "amount_excluding_tax": item["amount"],
        "currency": item["currency"],
        "description": item["description"],
        "discount_amounts": [],
        "discountable": item["discountable"],
        "discounts": list(item["discounts"]),
        "invoice": item["invoice"],
        "invoice_item": item["id"],
        "livemode": item["livemode"],
        "metadata": dict(item["metadata"]),
        "parent": {
            "invoice_item_details": {
                "invoice_item": item["id"],
                "proration": False,
                "proration_details": {"credited_items": None},
                "subscription": item["subscription"],
            },
            "subscription_item_details": None,
            "type": "invoice_item_details",
        },
        "period": dict(item["period"]),
        "plan": None,
        "pretax_credit_amounts": [],
        "price": copy_of(item["price"]),
        "pricing": copy_of(item["pricing"]),
        "proration": False,
        "proration_details": {"credited_items": None},
        "quantity": item["quantity"],
        "quantity_decimal": item["quantity_decimal"],
        "subscription": item["subscription"],
        "subtotal": item["amount"],
        "tax_amounts": [],
        "tax_rates": list(item["tax_rates"]),
        "taxes": [],
        "type": "invoiceitem",
        "unit_amount_excluding_tax": item["unit_amount_decimal"],
        "_discounts": list(item["_discounts"]),
        **item.get("_line", {}),
    }


def pending_items(call: Call, customer: str, currency: str) -> list[Doc]:
    """The items that wait for the customer's next invoice, newest first."""
    waiting = [item for item in call.shelf.rows("invoiceitem") if item["customer"] == customer]
    return [item for item in reversed(waiting) if item["invoice"] is None and item["currency"] == currency]


def subscription_of(call: Call, customer: Doc) -> Doc | None:
    """The subscription that the parameters name, which must be the customer's."""
    if not call.given.get("subscription"):
        return None
    subscription = call.referred("subscription", call.given["subscription"], "subscription")
    if subscription["customer"] != customer["id"]:
        message = f"The subscription {subscription['id']} does not belong to the customer {customer['id']}."
        raise invalid(message, "subscription")
    return subscription


def draft_of(call: Call, identifier: str, param: str = "invoice") -> Doc:
    """The draft that a parameter names; a finalized invoice is closed to changes."""
    invoice = call.referred("invoice", identifier, param)
    if invoice["status"] != "draft":
        raise not_editable(invoice)
    return invoice


def not_editable(invoice: Doc) -> StripeError:
    message = (
        f"This invoice ({invoice['id']}) has a status of {invoice['status']}: only draft invoices can be changed "
        "in this way."
    )
    return StripeError(message, code="invoice_not_editable")


def take_up(call: Call, invoice: Doc, items: list[Doc], first: bool = False) -> None:
    """Put items on a draft, each as a line; pending ones stand before those that were added to it later."""
    if len(invoice["_lines"]) + len(items) > MOST:
        raise invalid(f"An invoice can have at most {MOST} invoice items.", "invoice")
    lines = []
    for item in items:
        item["invoice"] = invoice["id"]
        lines.append(line_of(call, item))
        call.shelf.save(item)
    invoice["_lines"] = lines + invoice["_lines"] if first else invoice["_lines"] + lines


def _create(call: Call) -> Doc:
    given = call.given
    _refuse_gone(call)
    invoice = draft_of(call, given["invoice"]) if given.get("invoice") else None
    if not given.get("customer") and invoice is None:
        raise parameter_missing("customer")
    customer = call.referred("customer", given.get("customer") or (invoice or {})["customer"], "customer")
    if invoice is not None and invoice["customer"] != customer["id"]:
        raise invalid(f"The invoice {invoice['id']} does not belong to the customer {customer['id']}.", "invoice")
    subscription = subscription_of(call, customer)
    item = add_item(call, given, customer, invoice, subscription)
    if invoice is not None:
        before = copy_of(invoice)
        take_up(call, invoice, [item])
        invoice_fields.recount(invoice, customer)
        call.save(invoice, "invoice.updated", before)
    return item


def _retrieve(call: Call) -> Doc:
    return call.find("invoiceitem")


def _update(call: Call) -> Doc:
    given = call.given
    _refuse_gone(call)
    item = call.find("invoiceitem")
    invoice = draft_of(call, item["invoice"]) if item["invoice"] else None
    change_item(call, item, given)
    if invoice is not None:
        _redraw(call, invoice, item)
    return item


def change_item(call: Call, item: Doc, given: Given) -> None:
    """Give an item another amount, price, text, period, discount or tax. Its line is the caller's to draw anew."""
    if {"amount", "pricing", "price", "price_data", "quantity", "unit_amount", "unit_amount_decimal"} & set(given):
        merged = _merged(item, given)
        price, amount = _priced(call, merged, item["currency"])
        set_amount(item, price, amount, merged.get("quantity", 1))
    apply_given(item, given, ("description", "discountable", "metadata"))
    if given.get("period"):
        item["period"] = _period(given["period"])
    _apply_adjustments(call, item, given, call.shelf.find("customer", item["customer"], "customer", 400))
    call.shelf.save(item)


def _merged(item: Doc, given: Given) -> Given:
    """What an item is after an update: a new amount or price replaces the old one, a new quantity multiplies it."""
    kept = {} if "amount" in given else {"quantity": item["quantity"]}
    merged = {"description": item["description"], **kept, **given}
    if not {"amount", "pricing", "price", "price_data", "unit_amount", "unit_amount_decimal"} & set(given):
        merged["unit_amount_decimal"] = item["unit_amount_decimal"]
    return merged


def _delete(call: Call) -> Doc:
    item = call.find("invoiceitem")
    invoice = draft_of(call, item["invoice"]) if item["invoice"] else None
    if invoice is not None:
        before = copy_of(invoice)
        invoice["_lines"] = [line for line in invoice["_lines"] if line.get("invoice_item") != item["id"]]
        invoice_fields.recount(invoice, call.shelf.find("customer", invoice["customer"], "customer"))
        call.save(invoice, "invoice.updated", before)
    stub = call.shelf.bury(item)
    call.emit("invoiceitem.deleted", item)
    return stub


def _list(call: Call) -> Page:
    given = call.given

    def keep(item: Doc) -> bool:
        return (
            given.get("customer") in (None, item["customer"])
            and given.get("invoice") in (None, item["invoice"])
            and given.get("pending") in (None, item["invoice"] is None)
            and within(item["date"], given.get("created"))
        )

    return page_of(call, "invoiceitem", keep)


def _redraw(call: Call, invoice: Doc, item: Doc) -> None:
    before = copy_of(invoice)
    changed = line_of(call, item)
    invoice["_lines"] = [
        changed | {"id": line["id"]} if line.get("invoice_item") == item["id"] else line for line in invoice["_lines"]
    ]
    invoice_fields.recount(invoice, call.shelf.find("customer", invoice["customer"], "customer"))
    call.save(invoice, "invoice.updated", before)


def _refuse_gone(call: Call) -> None:
    gone = [name for name in _GONE if name in call.given]
    if gone and since(call.version, BASIL):
        raise parameter_unknown(gone)


def _currency(call: Call, given: Given, customer: Doc, invoice: Doc | None) -> str:
    """An item's currency: as given, its price's, else its invoice's or customer's."""
    named = _named_price(call, given)
    data = given.get("price_data") or {}
    default = (invoice or customer)["currency"] or call.shelf.account["default_currency"]
    asked = given.get("currency") or data.get("currency") or (named["currency"] if named else default)
    currency = check_currency({"currency": asked})
    if named is not None and named["currency"] != currency:
        raise invalid(f"The price {named['id']} is in {named['currency']}, not in {currency}.", "currency")
    if invoice is not None and invoice["currency"] != currency:
        raise invalid(f"The invoice {invoice['id']} is in {invoice['currency']}, not in {currency}.", "currency")
    return currency


def _named_price(call: Call, given: Given) -> Doc | None:
    pricing = given.get("pricing") or {}
    named = pricing.get("price") or given.get("price")
    if not named:
        return None
    price = call.referred("price", named, "pricing[price]" if pricing else "price")
    if price["type"] != "one_time":
        raise invalid(
            "The price specified is set to `type=recurring` but this field only accepts prices with `type=one_time`.",
            "pricing[price]" if pricing else "price",
        )
    return price


def _priced(call: Call, given: Given, currency: str) -> tuple[Doc, int]:
    """The price that an item names or brings, and its whole amount; exactly one way of saying it is allowed."""
    quantity = given.get("quantity", 1)
    named = _named_price(call, given)
    ways = ("amount", "price_data", "unit_amount", "unit_amount_decimal")
    said = [name for name in ways if given.get(name) is not None] + (["pricing"] if named else [])
    if len(said) > 1:
        raise invalid(f"You may only specify one of these parameters: {', '.join(said)}.", said[1])
    if not said:
        raise parameter_missing("amount")
    if named is not None:
        return named, prices.total_of(named["unit_amount_decimal"], quantity)
    if said == ["price_data"]:
        price = prices.create_price(call, given["price_data"], active=False)
        return price, prices.total_of(price["unit_amount_decimal"], quantity)
    if said == ["amount"] and quantity != 1:
        raise invalid("`amount` is for the whole item: use `unit_amount_decimal` with a quantity.", "quantity")
    unit = str(given[said[0]])
    return _price_for(call, currency, unit, given.get("description")), prices.total_of(unit, quantity)


def _price_for(call: Call, currency: str, unit: str, description: str | None) -> Doc:
    """The hidden price behind an amount: one per product and amount, told to nobody."""
    name = description or "Invoice item"
    for price in call.shelf.rows("price"):
        if price.get("_hidden") == [name, currency, unit]:
            return price
    product = call.shelf.save(prices.new_product(call, name) | {"active": False})
    price = prices.blank_price(call, product, currency, unit)
    return call.shelf.save(price | {"active": False, "_hidden": [name, currency, unit]})


def set_amount(item: Doc, price: Doc, amount: int, quantity: int) -> None:
    """Say what an item comes to, and of which price."""
    unit = price["unit_amount_decimal"]
    exact = Decimal(unit)
    item |= {
        "amount": amount,
        "net_amount": amount,
        "price": copy_of(price),
        "pricing": {
            "price_details": {"price": price["id"], "product": price["product"]},
            "type": "price_details",
            "unit_amount_decimal": unit,
        },
        "quantity": quantity,
        "quantity_decimal": str(quantity),
        "unit_amount": int(exact.quantize(Decimal(1), ROUND_HALF_UP)) if exact == int(exact) else None,
        "unit_amount_decimal": unit,
    }


def _apply_adjustments(call: Call, item: Doc, given: Given, customer: Doc) -> None:
    """The item's own discounts and tax rates, as given."""
    if "tax_rates" in given:
        item["tax_rates"] = tax_rates.rates_of(call, given["tax_rates"], "tax_rates")
    if "discounts" in given:
        target = discounts.Target(customer, item["currency"], item["amount"], {"invoice_item": item["id"]})
        item["_discounts"] = discounts.replaced(call, item["_discounts"], given["discounts"], target)
        item["discounts"] = [discount["id"] for discount in item["_discounts"]]


def _set_currency(call: Call, customer: Doc, currency: str) -> None:
    """A customer takes the currency of what they are first billed in."""
    if customer["currency"] is None:
        before = copy_of(customer)
        customer["currency"] = currency
        call.save(customer, "customer.updated", before)


def _period(given: Given) -> Doc:
    if given["end"] < given["start"]:
        raise invalid("The period must end after it starts.", "period[end]")
    return {"end": given["end"], "start": given["start"]}


def blank_item(call: Call, customer: Doc, currency: str) -> Doc:
    """An item of nothing with every field, not yet stored."""
    return {
        "id": call.world.new_id("ii_1"),
        "object": "invoiceitem",
        "amount": 0,
        "currency": currency,
        "customer": customer["id"],
        "customer_account": None,
        "date": call.now,
        "description": None,
        "discountable": True,
        "discounts": [],
        "invoice": None,
        "livemode": call.livemode,
        "metadata": {},
        "net_amount": 0,
        "parent": None,
        "period": {"end": call.now, "start": call.now},
        "plan": None,
        "price": None,
        "pricing": None,
        "proration": False,
        "quantity": 1,
        "quantity_decimal": "1",
        "subscription": None,
        "tax_rates": [],
        "test_clock": customer["test_clock"],
        "unit_amount": None,
        "unit_amount_decimal": None,
        "_discounts": [],
        "_own": False,
    }


_PATH = "/v1/invoiceitems"
_OLDER: dict[str, Kind] = {"price": Text(), "unit_amount": Whole()}
ROUTES = (
    Route(
        "POST",
        _PATH,
        _create,
        {**_WHAT, **_OLDER, "currency": Text(), "customer": Text(), "invoice": Text()}
        | {"subscription": Text(), **uncovered("customer_account")},
    ),
    Route("GET", _PATH + "/{id}", _retrieve),
    Route("POST", _PATH + "/{id}", _update, {**_WHAT, **_OLDER, **uncovered("invoicing_rules")}),
    Route("DELETE", _PATH + "/{id}", _delete),
    Route(
        "GET",
        _PATH,
        _list,
        {**PAGING, **CREATED, "customer": Text(), "invoice": Text(), "pending": Flag()},
    ),
)
