"""Setup attempts: each try to save a payment method by a setup intent, and how it went."""

from __future__ import annotations

from counterfoil.sandbox.call import Call
from counterfoil.sandbox.documents import Doc, copy_of
from counterfoil.sandbox.lists import CREATED, PAGING, Page, matches, page_of
from counterfoil.sandbox.params import Need, Text
from counterfoil.sandbox.routing import Route

KIND = "setup_attempt"


def record(call: Call, intent: Doc, method: Doc, status: str, error: Doc | None = None) -> None:
    """Note how the present attempt of an intent stands; one that awaits the customer goes on, others are over.

    The intent is the caller's to save.
    """
    latest = call.shelf.get(KIND, intent["latest_attempt"] or "")
    goes_on = latest is not None and latest["status"] == "requires_action"
    attempt = latest if latest is not None and goes_on else _blank(call, intent, method)
    attempt |= {"status": status, "setup_error": None if error is None else copy_of(error)}
    call.shelf.save(attempt)
    intent["latest_attempt"] = attempt["id"]


def abandon(call: Call, intent: Doc) -> None:
    """Nobody will finish an attempt whose intent was canceled."""
    latest = call.shelf.get(KIND, intent["latest_attempt"] or "")
    if latest is not None and latest["status"] == "requires_action":
        latest["status"] = "abandoned"
        call.shelf.save(latest)


def _list(call: Call) -> Page:
    call.referred("setup_intent", call.given["setup_intent"], "setup_intent")
    return page_of(call, KIND, matches(call.given, "setup_intent"))


def _blank(call: Call, intent: Doc, method: Doc) -> Doc:
    kind = method["type"]
    card = (
        {
            "brand": method["card"]["brand"],
            "checks": dict(method["card"]["checks"]),
            "country": method["card"]["country"],
            "exp_month": method["card"]["exp_month"],
            "exp_year": method["card"]["exp_year"],
            "fingerprint": method["card"]["fingerprint"],
            "funding": method["card"]["funding"],
            "last4": method["card"]["last4"],
            "network": method["card"]["brand"],
            "three_d_secure": None,
            "wallet": None,
        }
        if kind == "card"
        else {}
    )
    return {
        "id": call.world.new_id("setatt_1"),
        "object": KIND,
        "application": None,
        "created": call.now,
        "customer": intent["customer"],
        "customer_account": None,
        "flow_directions": None,
        "livemode": call.livemode,
        "on_behalf_of": None,
        "payment_method": method["id"],
        "payment_method_details": {kind: card, "type": kind},
        "setup_error": None,
        "setup_intent": intent["id"],
        "status": "requires_confirmation",
        "usage": intent["usage"],
    }


ROUTES = (Route("GET", "/v1/setup_attempts", _list, {**PAGING, **CREATED, "setup_intent": Need(Text())}),)
