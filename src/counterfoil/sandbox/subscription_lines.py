"""What a subscription puts on invoices: lines for a whole period, a trial, or a part of a period."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from counterfoil.sandbox import invoice_items, subscription_terms
from counterfoil.sandbox.call import Call
from counterfoil.sandbox.currencies import SYMBOLS, THREE_DECIMAL, ZERO_DECIMAL, formatted
from counterfoil.sandbox.documents import Doc
from counterfoil.sandbox.periods import shown_day
from counterfoil.sandbox.subscription_items import amount_of, plan_of

Span = tuple[int, int]
"""A period: its start and its end."""


def period_line(call: Call, subscription: Doc, item: Doc, span: Span, amount: int, is_partial: bool = False) -> Doc:
    """The line of an item for a period that begins."""
    what = _described(call, item)
    return _line(call, subscription, item, span, amount, what, is_partial)


def trial_line(call: Call, subscription: Doc, item: Doc, span: Span) -> Doc:
    """The line of an item for a trial: nothing is due, and the customer sees what for."""
    return _line(call, subscription, item, span, 0, f"Trial period for {product_name(call, item)}", False)


def whole_lines(call: Call, subscription: Doc, items: list[Doc], span: Span) -> list[Doc]:
    """The lines of all items for a whole period, the newest item first."""
    return [period_line(call, subscription, item, span, amount_of(item)) for item in reversed(items)]


def pending_proration(
    call: Call, subscription: Doc, item: Doc, span: Span, amount: int, credited: Doc | None = None
) -> Doc:
    """A part of a period as an invoice item that waits for the next invoice: a credit below zero, a charge above.

    The wording says since when: `Unused time on …` or `Remaining time on …`. `credited` names what is given back.
    """
    customer = call.shelf.find("customer", subscription["customer"], "customer", 400)
    pending = invoice_items.blank_item(call, customer, subscription["currency"])
    invoice_items.set_amount(pending, item["price"], amount, item["quantity"])
    many = f"{item['quantity']} × " if item["quantity"] != 1 else ""
    word = "Unused" if credited is not None else "Remaining"
    pending |= {
        "description": f"{word} time on {many}{product_name(call, item)} after {shown_day(span[0])}",
        "discountable": False,
        "parent": {
            "subscription_details": {"subscription": subscription["id"], "subscription_item": item["id"]},
            "type": "subscription_details",
        },
        "period": {"end": span[1], "start": span[0]},
        "plan": plan_of(item["price"]),
        "proration": True,
        "subscription": subscription["id"],
        "subscription_item": item["id"],
        "tax_rates": list(item["tax_rates"]),
        **subscription_terms.included(call, subscription, item),
        "_line": _parents(subscription, item, True, (credited or {}).get("items"), pending["id"], "invoiceitem"),
    }
    return call.create(pending, "invoiceitem.created")


def product_name(call: Call, item: Doc) -> str:
    product = call.shelf.get("product", item["price"]["product"]) or {}
    return str(product.get("name") or item["price"]["product"])


def _line(call: Call, subscription: Doc, item: Doc, span: Span, amount: int, description: str, is_partial: bool) -> Doc:
    """A line that no invoice item stands behind."""
    customer = call.shelf.find("customer", subscription["customer"], "customer", 400)
    source = invoice_items.blank_item(call, customer, subscription["currency"])
    invoice_items.set_amount(source, item["price"], amount, item["quantity"])
    source |= {
        "description": description,
        "metadata": dict(subscription["metadata"]),
        "period": {"end": span[1], "start": span[0]},
        "_line": _parents(subscription, item, is_partial, None, None, "subscription"),
    }
    subscription_terms.mark_source(call, item, source)
    line = invoice_items.line_of(call, source)
    del line["invoice_item"]
    return line


def _parents(subscription: Doc, item: Doc, is_partial: bool, credited: Any, invoice_item: str | None, kind: str) -> Doc:
    """Where a line comes from, in the fields of newer and of older versions."""
    details = {"credited_items": credited}
    return {
        "parent": {
            "invoice_item_details": None,
            "subscription_item_details": {
                "invoice_item": invoice_item,
                "proration": is_partial,
                "proration_details": details,
                "subscription": subscription["id"],
                "subscription_item": item["id"],
            },
            "type": "subscription_item_details",
        },
        "plan": plan_of(item["price"]),
        "proration": is_partial,
        "proration_details": details,
        "subscription": subscription["id"],
        "subscription_item": item["id"],
        "type": kind,
    }


def _described(call: Call, item: Doc) -> str:
    """`2 × Pro (at $10.00 / month)`."""
    price, recurring = item["price"], item["price"]["recurring"]
    every = recurring["interval"]
    if recurring["interval_count"] > 1:
        every = f"every {recurring['interval_count']} {every}s"
    name = product_name(call, item)
    return f"{item['quantity']} × {name} (at {_unit(price)} / {every})"


def _unit(price: Doc) -> str:
    if price["unit_amount"] is not None:
        return formatted(price["unit_amount"], price["currency"])
    # An amount of a fraction of a cent is shown to its last digit.
    places = 0 if price["currency"] in ZERO_DECIMAL else 3 if price["currency"] in THREE_DECIMAL else 2
    exact = Decimal(price["unit_amount_decimal"]).scaleb(-places)
    return f"{SYMBOLS.get(price['currency'], '')}{exact.normalize():f}"
