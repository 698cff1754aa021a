"""The receipt of a charge, as its customer sees it."""

from __future__ import annotations

from html import escape

from counterfoil.sandbox.call import Call
from counterfoil.sandbox.currencies import formatted
from counterfoil.sandbox.documents import Doc
from counterfoil.sandbox.pages import page
from counterfoil.sandbox.wire import Request, Response

RECEIPT = "/_sandbox/receipt/"


def answer(call: Call, charge: Doc, request: Request) -> Response:
    """Say what was paid, with what, and what has been given back."""
    if not charge["paid"]:
        return page("No receipt", "This payment did not succeed.", "")
    rows = [
        ("Amount", _money(charge, "amount_captured" if charge["captured"] else "amount")),
        ("Payment method", _method(charge)),
        ("Description", charge["description"] or "–"),
    ]
    if charge["amount_refunded"] and charge["captured"]:
        rows.append(("Refunded", _money(charge, "amount_refunded")))
    cells = "".join(f"<tr><td>{escape(name)}</td><td>{escape(text)}</td></tr>" for name, text in rows)
    return page("Receipt", charge["id"], f"<table>{cells}</table>")


def _method(charge: Doc) -> str:
    details = charge["payment_method_details"]
    kind = details["type"]
    name = details[kind].get("brand") or details[kind].get("bank_name") or kind
    return f"{name} •••• {details[kind]['last4']}"


def _money(charge: Doc, name: str) -> str:
    return f"{formatted(charge[name], charge['currency'])} {charge['currency'].upper()}"
