"""What a preview adds to an invoice: items that do not exist, other discounts, and invoices without a subscription."""

from __future__ import annotations

from counterfoil.sandbox import discounts, invoice_fields, invoice_items
from counterfoil.sandbox.call import Call
from counterfoil.sandbox.documents import Doc, copy_of
from counterfoil.sandbox.params import Given, Hash, Items, Kind, Text, Whole, uncovered

_GONE = ("invoice_item", "pricing", "tax_amounts")
_ITEM: dict[str, Kind] = {name: kind for name, kind in invoice_items.LINE.items() if name not in _GONE}
EXTRAS: dict[str, Kind] = {
    "discounts": discounts.GIVEN,
    "invoice_items": Items(
        Hash({**_ITEM, "currency": Text(), "price": Text(), "unit_amount": Whole(), **uncovered("invoiceitem")})
    ),
}
"""Parameters of a preview."""


def add_items(apart: Call, given: Given, customer: Doc, subscription: str | None) -> None:
    """Let the items of a preview wait for the next invoice, in a world apart."""
    for entry in given.get("invoice_items") or []:
        item = invoice_items.add_item(apart, entry, customer, None)
        item["subscription"] = subscription
        apart.shelf.save(item)


def discount(apart: Call, given: Given, preview: Doc) -> Doc:
    """Put the discounts that the caller names on a preview, in place of those that it inherits."""
    if "discounts" not in given:
        return preview
    customer = copy_of(apart.shelf.find("customer", preview["customer"], "customer", 400))
    amount = sum(line["amount"] for line in preview["_lines"])
    target = discounts.Target(customer, preview["currency"], amount, {"invoice": preview["id"]})
    preview["_discounts"] = discounts.redeem(apart, given["discounts"], target)
    invoice_fields.recount(preview, customer)
    return preview


def of_customer(apart: Call, customer: Doc) -> Doc | None:
    """The draft of what waits for a customer's next invoice, where no subscription makes one; None without any."""
    currency = customer["currency"] or apart.shelf.account["default_currency"]
    pending = invoice_items.pending_items(apart, customer["id"], currency)
    if not pending:
        return None
    invoice = invoice_fields.blank_invoice(apart, customer, currency)
    invoice["_discounts"] = discounts.inherited(customer, currency)
    invoice_items.take_up(apart, invoice, pending)
    invoice_fields.recount(invoice, customer)
    return invoice
