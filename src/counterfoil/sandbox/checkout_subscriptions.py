"""Checkout sessions that sell subscriptions: the subscription begins when the customer first confirms."""

from __future__ import annotations

from dataclasses import replace

from counterfoil.sandbox import (
    invoice_collecting,
    invoice_payments,
    setup_intents,
    subscription_checks,
    subscription_starts,
    subscription_states,
)
from counterfoil.sandbox.call import Call
from counterfoil.sandbox.documents import Doc, copy_of
from counterfoil.sandbox.errors import StripeError, invalid
from counterfoil.sandbox.fields import METADATA
from counterfoil.sandbox.params import Given, Hash, Text, Whole, uncovered
from counterfoil.sandbox.subscription_fields import CREATE, PRORATION, TRIAL_SETTINGS, billing_mode

DATA = Hash(
    {
        **METADATA,
        "billing_mode": CREATE["billing_mode"],
        "description": Text(500),
        "proration_behavior": PRORATION,
        "trial_end": Whole(least=1),
        "trial_period_days": Whole(least=1, most=730),
        "trial_settings": TRIAL_SETTINGS,
        **uncovered(
            "application_fee_percent",
            "billing_cycle_anchor",
            "default_tax_rates",
            "invoice_settings",
            "on_behalf_of",
            "pending_invoice_item_interval",
            "transfer_data",
        ),
    }
)
"""What a session may say of the subscription that it sells."""
_KEPT = ("description", "metadata", "trial_end", "trial_period_days", "trial_settings")


def check_given(call: Call) -> None:
    """Refuse what a subscription can't be sold with, and what the sandbox does not model of it."""
    given = call.given
    for name in ("payment_intent_data", "setup_intent_data", "customer_creation", "submit_type"):
        if given.get(name):
            raise invalid(f"You can not pass `{name}` in `subscription` mode.", name)
    data = given.get("subscription_data") or {}
    if data.get("trial_end") is not None:
        subscription_checks.check_trial_end(call, data["trial_end"])


def has_trial(given: Given) -> bool:
    data = given.get("subscription_data") or {}
    return bool(data.get("trial_end") or data.get("trial_period_days"))


def remember(call: Call, session: Doc) -> None:
    """Keep on a session what its subscription is to be."""
    data: Given = call.given.get("subscription_data") or {}
    session["_subscription_data"] = {name: data[name] for name in _KEPT if name in data}
    session["_billing_mode"] = billing_mode(replace(call, given=data))


def payment_of(call: Call, session: Doc) -> Doc | None:
    """The intent of a session's first payment, or of the method that is set up for a trial."""
    setup = call.shelf.get("setup_intent", session.get("_setup") or "")
    return setup if setup is not None else call.shelf.get("payment_intent", session.get("_payment") or "")


def confirm(call: Call, session: Doc, items: list[Doc], method: Doc, return_url: str | None) -> None:
    """Pay the first invoice, or set the method up where nothing is due yet. A refusal raises the 402."""
    if not session["amount_total"]:
        _set_up(call, session, method, return_url)
        return
    subscription = call.shelf.get("subscription", session.get("_subscription") or "")
    if subscription is None or subscription["status"] in subscription_states.ENDED:
        subscription = begin(call, session, items, None)
    invoice = call.shelf.find("invoice", subscription["latest_invoice"], "invoice")
    found = invoice_payments.default_of(call, invoice)
    assert found is not None, f"{invoice['id']} expects no payment"
    found[1]["_return_url"] = return_url
    session["_payment"] = found[1]["id"]
    call.shelf.save(session)
    try:
        invoice_collecting.collect(call, invoice, method, "manual", is_away=False)
    except StripeError as error:
        # A challenge is no refusal: the customer goes on to it.
        if error.fields.get("code") != "invoice_payment_intent_requires_action":
            raise


def begin(call: Call, session: Doc, items: list[Doc], method: Doc | None) -> Doc:
    """Start the session's subscription; `method` is what it is paid with later, where nothing is due now."""
    given: Given = {
        **session["_subscription_data"],
        "add_invoice_items": [_given_item(item) for item in items if not item["price"]["recurring"]],
        "customer": session["customer"],
        "discounts": [_given_discount(discount) for discount in session["_discounts"]],
        "items": [_given_item(item) for item in items if item["price"]["recurring"]],
        "payment_behavior": "default_incomplete",
    }
    if method is not None:
        given["default_payment_method"] = method["id"]
    owner = {"_session": session["id"], "billing_mode": copy_of(session["_billing_mode"])}
    subscription = subscription_starts.start(call, given, owner)
    session["_subscription"] = subscription["id"]
    call.shelf.save(session)
    return subscription


def show(call: Call, session: Doc) -> None:
    """Show on a session that is complete what it sold."""
    subscription = call.shelf.get("subscription", session.get("_subscription") or "")
    if subscription is not None:
        session |= {"subscription": subscription["id"], "invoice": subscription["latest_invoice"]}


def expire(call: Call, session: Doc) -> None:
    """A session that nobody completed leaves no subscription behind."""
    subscription = call.shelf.get("subscription", session.get("_subscription") or "")
    if subscription is not None and subscription["status"] == "incomplete":
        subscription_states.expire(call, subscription)
    intent = call.shelf.get("setup_intent", session.get("_setup") or "")
    if intent is not None and intent["status"] not in ("succeeded", "canceled"):
        setup_intents.cancel_intent(call, intent, "abandoned")


def _set_up(call: Call, session: Doc, method: Doc, return_url: str | None) -> None:
    intent = call.shelf.get("setup_intent", session.get("_setup") or "")
    if intent is None:
        given: Given = {"payment_method_types": list(session["payment_method_types"]), "usage": "off_session"}
        given["customer"] = session["customer"]
        intent = setup_intents.open_intent(call, given, _session=session["id"])
        session["_setup"] = intent["id"]
        call.shelf.save(session)
    intent |= {"customer": session["customer"], "payment_method": method["id"], "_return_url": return_url}
    setup_intents.confirm_with(call, intent, method)


def _given_item(item: Doc) -> Given:
    rates = [rate["id"] for rate in item["_rates"]]
    return {"price": item["price"]["id"], "quantity": item["quantity"], "tax_rates": rates}


def _given_discount(discount: Doc) -> Given:
    """What the session was given, to be redeemed by the subscription."""
    if discount["promotion_code"]:
        return {"promotion_code": discount["promotion_code"]}
    return {"coupon": discount["source"]["coupon"]}
