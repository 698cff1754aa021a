"""The invoice that a checkout session may leave behind: of what was sold, paid by the session's payment."""

from __future__ import annotations

from counterfoil.sandbox import checkout_sums, invoice_collecting, invoice_fields, invoice_items
from counterfoil.sandbox.call import Call
from counterfoil.sandbox.documents import Doc, copy_of
from counterfoil.sandbox.fields import METADATA
from counterfoil.sandbox.params import Flag, Given, Hash, Items, Need, Text, uncovered

_DATA = Hash(
    {
        **METADATA,
        "custom_fields": Items(Hash({"name": Need(Text(40)), "value": Need(Text(140))})),
        "description": Text(1500),
        "footer": Text(),
        **uncovered("account_tax_ids", "issuer", "rendering_options"),
    }
)
CREATION = Hash({"enabled": Need(Flag()), "invoice_data": _DATA})
_NAMES = ("account_tax_ids", "custom_fields", "description", "footer", "issuer", "rendering_options")


def creation_shown(given: Given) -> Doc:
    """What a session says of the invoice that it makes, or does not make."""
    asked = given.get("invoice_creation") or {}
    data = {**dict.fromkeys(_NAMES), "metadata": {}, **(asked.get("invoice_data") or {})}
    return {"enabled": bool(asked.get("enabled")), "invoice_data": data}


def is_wanted(session: Doc) -> bool:
    return bool((session["invoice_creation"] or {}).get("enabled")) and session["invoice"] is None


def issue(call: Call, session: Doc, intent: Doc | None) -> None:
    """Invoice what a session sold; `intent` has paid it, None where nothing was due. The session is the caller's to
    save.
    """
    customer = call.shelf.find("customer", session["customer"], "customer", 400)
    invoice = invoice_fields.blank_invoice(call, customer, session["currency"])
    data = session["invoice_creation"]["invoice_data"]
    invoice |= {name: data[name] for name in ("custom_fields", "description", "footer")}
    invoice |= {"metadata": dict(data["metadata"] or {}), "_discounts": [copy_of(one) for one in session["_discounts"]]}
    invoice["_prepaid"] = intent["id"] if intent is not None else ""
    sold = [_sold(call, customer, item) for item in checkout_sums.items_of(call, session)]
    invoice_items.take_up(call, invoice, sold)
    invoice_fields.recount(invoice, customer)
    call.create(invoice, "invoice.created")
    session["invoice"] = invoice["id"]
    invoice_collecting.finalize(call, invoice)


def _sold(call: Call, customer: Doc, item: Doc) -> Doc:
    """What was sold, as an item of an invoice."""
    source = invoice_items.blank_item(call, customer, item["currency"])
    invoice_items.set_amount(source, item["price"], item["amount_subtotal"], item["quantity"])
    source |= {"description": item["description"], "tax_rates": list(item["_rates"]), "_own": True}
    return call.create(source, "invoiceitem.created")
