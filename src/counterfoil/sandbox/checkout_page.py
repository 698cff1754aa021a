"""The hosted page of a checkout session, for a person and for a browser test: test card numbers, or a bank account."""

from __future__ import annotations

from html import escape
from urllib.parse import parse_qs

from counterfoil.sandbox import checkout, checkout_sums, payment_methods
from counterfoil.sandbox.call import Call
from counterfoil.sandbox.card_form import CARD, card_of
from counterfoil.sandbox.currencies import formatted
from counterfoil.sandbox.documents import Doc
from counterfoil.sandbox.errors import StripeError
from counterfoil.sandbox.pages import page, redirect
from counterfoil.sandbox.params import Given
from counterfoil.sandbox.wire import Request, Response

_BANK = """<fieldset data-method="us_bank_account"><legend>US bank account</legend>
<label>Routing number <input name="routing_number" inputmode="numeric" placeholder="110000000"></label>
<label>Account number <input name="account_number" inputmode="numeric" placeholder="000123456789"></label>
</fieldset>"""
_CODE = """<form method="post"><label>Promotion code <input name="promotion_code"></label>
<button name="act" value="apply">Apply</button></form>"""
_FIELDS = {"card": ("Card", CARD), "us_bank_account": ("US bank account", _BANK)}


def answer(call: Call, session: Doc, request: Request) -> Response:
    """Show the page, or do what the customer pressed on it."""
    if session["status"] != "open":
        return _over(session, came_back="redirect_status" in parse_qs(request.query))
    if request.method != "POST":
        return _form(call, session, _last_refusal(call, session))
    form = {name: values[-1].strip() for name, values in parse_qs(request.body.decode(errors="replace")).items()}
    try:
        if form.get("act") == "apply":
            checkout_sums.apply_code(call, session, form.get("promotion_code", ""))
            return _form(call, session, None)
        checkout.confirm(call, session, _method(call, session, form), session["url"])
    except StripeError as error:
        return _form(call, session, str(error), error.status, form)
    intent = checkout.intent_of(call, session)
    if intent is not None and intent["next_action"]:
        return redirect(str(intent["next_action"]["redirect_to_url"]["url"]))
    return _over(session, came_back=True)


def _over(session: Doc, came_back: bool) -> Response:
    """A customer who has just finished goes back to the shop; anybody else is told that there is nothing to do."""
    if session["status"] == "complete" and came_back:
        return redirect(session["success_url"].replace("{CHECKOUT_SESSION_ID}", session["id"]))
    if session["status"] == "complete":
        return page("You are all done here", "This checkout is complete.", "")
    return page("This checkout has expired", "Go back to the shop to start again.", _way_back(session))


def _form(call: Call, session: Doc, refusal: str | None, status: int = 200, form: Given | None = None) -> Response:
    due = _due(session)
    alert = f'<p role="alert">{escape(refusal)}</p>' if refusal else ""
    body = f'{_items(call, session)}{_code(session)}{alert}<form method="post">{_inputs(session, form or {})}'
    verb = {"setup": "Save", "subscription": "Subscribe"}.get(session["mode"], f"Pay {due}")
    return page("Checkout", due, f"{body}<button>{escape(verb)}</button></form>{_way_back(session)}", status)


def _due(session: Doc) -> str:
    if session["mode"] == "setup":
        return "Save a payment method"
    return f"{formatted(session['amount_total'], session['currency'])} {session['currency'].upper()}"


def _items(call: Call, session: Doc) -> str:
    rows = [item for _, item in call.shelf.newest_first("item") if item["_session"] == session["id"]]
    shown = (
        f"<li>{item['quantity']} × {escape(item['description'])}: "
        f"{escape(formatted(item['amount_total'], item['currency']))}</li>"
        for item in rows
    )
    return f"<ul>{''.join(shown)}{_adjustments(session)}</ul>" if rows else ""


def _adjustments(session: Doc) -> str:
    """What is taken off, and what tax is in or on the total."""
    details = session["total_details"]
    named = (("Discount", -details["amount_discount"]), ("Tax", details["amount_tax"]))
    return "".join(
        f"<li>{name}: {'-' * (amount < 0)}{escape(formatted(abs(amount), session['currency']))}</li>"
        for name, amount in named
        if amount
    )


def _code(session: Doc) -> str:
    """Where a promotion code is typed in, when the session takes one."""
    return _CODE if session["allow_promotion_codes"] else ""


def _inputs(session: Doc, form: Given) -> str:
    known = (session["customer_details"] or {}).get("email") or form.get("email", "")
    inputs = f'<label>Email <input name="email" type="email" value="{escape(known)}"></label>'
    inputs += f'<label>Name <input name="name" value="{escape(form.get("name", ""))}"></label>'
    if not checkout.wants_method(session):
        return inputs
    types = session["payment_method_types"]
    chosen = form.get("method", types[0])
    if len(types) > 1:
        inputs += "".join(_choice(kind, kind == chosen) for kind in types)
    return inputs + "".join(_FIELDS[kind][1] for kind in types)


def _choice(kind: str, is_chosen: bool) -> str:
    checked = " checked" if is_chosen else ""
    return f'<label><input type="radio" name="method" value="{kind}"{checked}> {_FIELDS[kind][0]}</label>'


def _way_back(session: Doc) -> str:
    return f'<p><a href="{escape(session["cancel_url"])}">Back</a></p>' if session["cancel_url"] else ""


def _method(call: Call, session: Doc, form: Given) -> Doc | None:
    """The payment method that the form describes; None where nothing is due."""
    if not checkout.wants_method(session):
        return None
    types = session["payment_method_types"]
    kind = form.get("method") if form.get("method") in types else types[0]
    given: Given = {"type": kind, "billing_details": {"email": form.get("email"), "name": form.get("name")}}
    if kind == "card":
        given["card"] = card_of(form)
    else:
        given["us_bank_account"] = {
            "account_holder_type": "individual",
            "account_number": form.get("account_number", ""),
            "routing_number": form.get("routing_number") or "110000000",
        }
    return payment_methods.build(call, given)


def _last_refusal(call: Call, session: Doc) -> str | None:
    """Why the customer is back here: the challenge failed, or the card was declined after it."""
    intent = checkout.intent_of(call, session) or {}
    error = intent.get("last_payment_error") or intent.get("last_setup_error")
    return str(error["message"]) if error else None
