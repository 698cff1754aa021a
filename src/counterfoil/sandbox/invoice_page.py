"""The hosted page of an invoice, on which a customer sees what they owe and pays it by card."""

from __future__ import annotations

from html import escape

from counterfoil.sandbox import invoice_payments, paying, payment_methods
from counterfoil.sandbox.call import Call
from counterfoil.sandbox.card_form import CARD, card_of
from counterfoil.sandbox.currencies import formatted
from counterfoil.sandbox.documents import Doc
from counterfoil.sandbox.errors import StripeError
from counterfoil.sandbox.pages import alert, form_of, page, redirect
from counterfoil.sandbox.wire import Request, Response

_STANDING = {
    "draft": "This invoice is not final yet.",
    "paid": "This invoice is paid. Thank you.",
    "void": "This invoice is void: nothing is owed.",
    "open": "",
    "uncollectible": "",
}


def answer(call: Call, invoice: Doc, request: Request) -> Response:
    """Show what is owed, or try to pay it with the card that was typed in."""
    found = invoice_payments.default_of(call, invoice)
    if found is None or invoice["status"] not in ("open", "uncollectible"):
        return _shown(call, invoice)
    _, intent = found
    if intent["status"] == "processing":
        return _shown(call, invoice, "A payment of this invoice is on its way.")
    if request.method != "POST":
        error = intent["last_payment_error"]
        return _shown(call, invoice, form=_form(invoice), refusal=str(error["message"]) if error else None)
    try:
        _pay(call, invoice, intent, form_of(request))
    except StripeError as error:
        return _shown(call, invoice, form=_form(invoice), refusal=str(error), status=error.status)
    if intent["next_action"]:
        return redirect(str(intent["next_action"]["redirect_to_url"]["url"]))
    return redirect(str(invoice["hosted_invoice_url"]))


def _pay(call: Call, invoice: Doc, intent: Doc, form: dict[str, str]) -> None:
    """The customer is there: what their card wants to know they can answer, on the challenge page and back here."""
    method = payment_methods.build(call, {"type": "card", "card": card_of(form)})
    intent |= {"_return_url": invoice["hosted_invoice_url"], "_authenticated": False}
    paying.pay(call, intent, method, off_session=False, refuse_challenge=False)


def _form(invoice: Doc) -> str:
    return f'<form method="post">{CARD}<button>Pay {escape(_money(invoice, "amount_remaining"))}</button></form>'


def _shown(
    call: Call, invoice: Doc, text: str = "", *, form: str = "", refusal: str | None = None, status: int = 200
) -> Response:
    said = text or _STANDING[invoice["status"]] or f"{_money(invoice, 'amount_remaining')} due"
    title = f"Invoice {invoice['number']}" if invoice["number"] else "Invoice"
    return page(title, said, (alert(refusal) if refusal else "") + _table(call, invoice) + form, status)


def _table(call: Call, invoice: Doc) -> str:
    rows = [(line["description"] or "", formatted(line["amount"], invoice["currency"])) for line in _lines(invoice)]
    rows += [("Total", _money(invoice, "total"))]
    if invoice["amount_paid"]:
        rows.append(("Paid", _money(invoice, "amount_paid")))
    cells = "".join(f"<tr><td>{escape(name)}</td><td>{escape(amount)}</td></tr>" for name, amount in rows)
    return f"<table>{cells}</table>"


def _lines(invoice: Doc) -> list[Doc]:
    lines: list[Doc] = invoice["_lines"]
    return lines


def _money(invoice: Doc, name: str) -> str:
    return f"{formatted(invoice[name], invoice['currency'])} {invoice['currency'].upper()}"
