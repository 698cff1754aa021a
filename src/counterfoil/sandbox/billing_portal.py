"""Billing portal sessions: a page where a customer sees their invoices and chooses how to pay."""

from __future__ import annotations

from html import escape
from urllib.parse import parse_qs

from counterfoil.sandbox import payment_methods
from counterfoil.sandbox.call import Call
from counterfoil.sandbox.currencies import formatted
from counterfoil.sandbox.documents import Doc, copy_of
from counterfoil.sandbox.errors import StripeError
from counterfoil.sandbox.pages import page
from counterfoil.sandbox.params import Choice, Hash, Need, Text, uncovered
from counterfoil.sandbox.ports import digest_token
from counterfoil.sandbox.routing import Route
from counterfoil.sandbox.wire import Request, Response

KIND = "billing_portal.session"
PORTAL = "/_sandbox/portal/"
LASTS_S = 300
"""How long a link opens the portal when nobody has used it."""

_NEW_CARD = """<form method="post"><fieldset><legend>Add a card</legend>
<label>Card number <input name="number" inputmode="numeric" autocomplete="cc-number"></label>
</fieldset><button name="act" value="add">Add card</button></form>"""


def answer(call: Call, session: Doc, request: Request) -> Response:
    """Show a customer's billing, or do what they pressed."""
    customer = call.shelf.get("customer", session["customer"])
    if customer is None or customer.get("deleted") or (call.now >= session["_until"] and not session["_opened"]):
        return page("This link has expired", "Go back to the shop to get a new one.", _way_back(session), 410)
    session["_opened"] = True
    call.shelf.save(session)
    refusal = _act(call, customer, request) if request.method == "POST" else None
    alert = f'<p role="alert">{escape(refusal)}</p>' if refusal else ""
    body = f"{alert}{_methods(call, customer)}{_NEW_CARD}{_invoices(call, customer)}{_way_back(session)}"
    return page("Billing", customer["email"] or customer["id"], body, 402 if refusal else 200)


def _act(call: Call, customer: Doc, request: Request) -> str | None:
    """Do what was pressed; returns why it could not be done."""
    form = {name: values[-1].strip() for name, values in parse_qs(request.body.decode(errors="replace")).items()}
    method = call.shelf.get("payment_method", form.get("method", ""))
    is_own = method is not None and method.get("customer") == customer["id"]
    try:
        if form.get("act") == "add":
            card = {"number": form.get("number", ""), "exp_month": 12, "exp_year": 2034}
            made = payment_methods.build(call, {"type": "card", "card": card})
            payment_methods.check_attach(made)
            payment_methods.attach_to(call, made, customer)
        elif form.get("act") == "default" and method is not None and is_own:
            before = copy_of(customer)
            customer["invoice_settings"]["default_payment_method"] = method["id"]
            call.save(customer, "customer.updated", before)
        elif form.get("act") == "remove" and method is not None and is_own:
            payment_methods.detach(call, method)
    except StripeError as error:
        return str(error)
    return None


def _methods(call: Call, customer: Doc) -> str:
    default = customer["invoice_settings"]["default_payment_method"]
    rows = "".join(
        f"<li>{escape(_named(method))}{' (default)' if method['id'] == default else ''}"
        f'<form method="post"><input type="hidden" name="method" value="{method["id"]}">'
        '<button name="act" value="default">Make default</button><button name="act" value="remove">Remove</button>'
        "</form></li>"
        for method in payment_methods.methods_of(call, customer["id"])
    )
    return f"<h2>Payment methods</h2><ul>{rows}</ul>"


def _named(method: Doc) -> str:
    if method["type"] == "card":
        return f"{method['card']['brand']} ending in {method['card']['last4']}"
    if method["type"] == "custom":
        return str(method["custom"]["display_name"])
    return f"bank account ending in {method[method['type']]['last4']}"


def _invoices(call: Call, customer: Doc) -> str:
    own = [one for one in call.shelf.rows("invoice") if one["customer"] == customer["id"] and one["status"] != "draft"]
    rows = "".join(
        f"<li>{escape(str(one['number']))}: {escape(formatted(one['total'], one['currency']))} "
        f"{one['currency'].upper()}, {one['status']}</li>"
        for one in reversed(own)
    )
    return f"<h2>Invoices</h2><ul>{rows}</ul>"


def _way_back(session: Doc) -> str:
    return f'<p><a href="{escape(session["return_url"])}">Back</a></p>' if session["return_url"] else ""


def _create(call: Call) -> Doc:
    given = call.given
    customer = call.referred("customer", given["customer"], "customer")
    flow = given.get("flow_data")
    identifier = call.world.new_id("bps_1")
    return call.create(
        {
            "id": identifier,
            "object": KIND,
            "configuration": "bpc_1" + digest_token(call.shelf.key, 23),
            "created": call.now,
            "customer": customer["id"],
            "customer_account": None,
            "flow": None if flow is None else _flow(flow["type"]),
            "livemode": call.livemode,
            "locale": given.get("locale"),
            "on_behalf_of": None,
            "return_url": given.get("return_url"),
            "url": f"{call.world.settings.public_url}{PORTAL}{identifier}",
            "_opened": False,
            "_until": call.now + LASTS_S,
        }
    )


def _flow(kind: str) -> Doc:
    return {
        "after_completion": {"hosted_confirmation": None, "redirect": None, "type": "portal_homepage"},
        "subscription_cancel": None,
        "subscription_update": None,
        "subscription_update_confirm": None,
        "type": kind,
    }


ROUTES = (
    Route(
        "POST",
        "/v1/billing_portal/sessions",
        _create,
        {
            "customer": Need(Text()),
            "flow_data": Hash(
                {
                    "type": Need(Choice(("payment_method_update",), clears=False)),
                    **uncovered("after_completion", "subscription_cancel", "subscription_pause")
                    | uncovered("subscription_update", "subscription_update_confirm"),
                }
            ),
            "locale": Text(),
            "return_url": Text(),
            **uncovered("after_expiration", "configuration", "customer_account", "on_behalf_of"),
        },
    ),
)
