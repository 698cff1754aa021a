"""Charges: the record of one try to take money."""

from __future__ import annotations

from counterfoil.sandbox import balance
from counterfoil.sandbox.call import Call, apply_given
from counterfoil.sandbox.declines import Decline
from counterfoil.sandbox.documents import Doc, copy_of
from counterfoil.sandbox.fields import METADATA, SHIPPING, full_shipping
from counterfoil.sandbox.lists import CREATED, PAGING, Page, matches, page_of
from counterfoil.sandbox.params import Choice, Hash, Text
from counterfoil.sandbox.payment_methods import behaviour
from counterfoil.sandbox.receipt_page import RECEIPT
from counterfoil.sandbox.routing import Route
from counterfoil.sandbox.search import SEARCH, search_of

AUTHORIZATION_S = 7 * 86_400
"""How long an uncaptured card authorization holds."""


def new_charge(call: Call, intent: Doc, method: Doc, authenticated: bool) -> Doc:
    """A charge for a payment intent, not yet decided and not yet stored."""
    bank = method["type"] == "us_bank_account"
    return {
        "id": call.world.new_id("py_3" if bank else "ch_3"),
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": 0,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": dict(method["billing_details"]),
        "calculated_statement_descriptor": None if bank else "SANDBOX",
        "captured": False,
        "created": call.now,
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "destination": None,
        "dispute": None,
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "fraud_details": {},
        "invoice": intent["invoice"],
        "livemode": call.livemode,
        "metadata": dict(intent["metadata"]),
        "on_behalf_of": None,
        "order": None,
        "outcome": None,
        "paid": False,
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": _bank_details(method) if bank else _card_details(call, intent, method, authenticated),
        "radar_options": {},
        "receipt_email": intent["receipt_email"],
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "review": None,
        "shipping": intent["shipping"],
        "source": None,
        "source_transfer": None,
        "statement_descriptor": intent["statement_descriptor"],
        "statement_descriptor_suffix": intent["statement_descriptor_suffix"],
        "status": "pending",
        "transfer_data": None,
        "transfer_group": intent["transfer_group"],
    }


def decline(call: Call, charge: Doc, refusal: Decline) -> Doc:
    """The issuer refused: the charge is kept as failed."""
    blocked = refusal.decline_code == "fraudulent"
    charge |= {"status": "failed", "failure_code": refusal.code, "failure_message": refusal.message}
    charge["outcome"] = {
        "advice_code": refusal.advice,
        "network_advice_code": None,
        "network_decline_code": None if blocked else "01",
        "network_status": "not_sent_to_network" if blocked else "declined_by_network",
        "reason": "highest_risk_level" if blocked else refusal.decline_code,
        "risk_level": "highest" if blocked else "normal",
        "risk_score": 87 if blocked else 12,
        "seller_message": _seller_message(blocked),
        "type": "blocked" if blocked else "issuer_declined",
    }
    call.shelf.save(charge)
    call.note("charge_failed", charge)
    call.emit("charge.failed", charge)
    return charge


def approve(call: Call, charge: Doc, capture: str) -> Doc:
    """The issuer approved. `capture` is the intent's method: money is only authorized when it is captured manually.

    An asynchronous capture succeeds a moment before it is in the balance, a synchronous one tells of both at once.
    """
    charge |= {"status": "succeeded", "paid": True, "outcome": _approved(charge), "receipt_url": _receipt(call, charge)}
    if capture == "manual":
        _hold_capture(call, charge)
        call.note("authorization", charge)
    else:
        charge |= {"captured": True, "amount_captured": charge["amount"]}
        call.note("charge", charge)
    if capture == "automatic":
        _book(call, charge)
    call.shelf.save(charge)
    call.emit("charge.succeeded", charge)
    if capture == "automatic_async":
        settle(call, charge)
    return charge


def settle(call: Call, charge: Doc) -> None:
    """Book a captured charge in the balance; the transaction appears on the charge a moment after it succeeded."""
    before = copy_of(charge)
    _book(call, charge)
    call.save(charge, "charge.updated", before)


def _book(call: Call, charge: Doc) -> None:
    bank = charge["payment_method_details"]["type"] == "us_bank_account"
    method = call.shelf.get("payment_method", charge["payment_method"])
    at_once = method is not None and not bank and behaviour(method).available_at_once
    amount = charge["amount_captured"]
    fee = balance.processing_fee(amount, charge["currency"], bank)
    wait_s = 0 if at_once else balance.PENDING_S
    posted = balance.post(call, charge, "payment" if bank else "charge", amount, fee, charge["description"], wait_s)
    charge["balance_transaction"] = posted["id"]


def capture(call: Call, charge: Doc, amount: int) -> Doc:
    """Take an authorized amount, or a part of it; what is not taken counts as given back, without a refund of it."""
    charge |= {"captured": True, "amount_captured": amount, "amount_refunded": charge["amount"] - amount}
    call.shelf.save(charge)
    call.note("charge", charge, amount)
    call.emit("charge.captured", charge)
    settle(call, charge)
    return charge


def _approved(charge: Doc) -> Doc:
    return {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": "approved_by_network",
        "reason": None,
        "risk_level": "not_assessed" if charge["payment_method_details"]["type"] == "us_bank_account" else "normal",
        **({} if charge["payment_method_details"]["type"] == "us_bank_account" else {"risk_score": 12}),
        "seller_message": "Payment complete.",
        "type": "authorized",
    }


def _seller_message(blocked: bool) -> str:
    if blocked:
        return "Stripe blocked this payment as too risky."
    return "The bank did not return any further details with this decline."


def _receipt(call: Call, charge: Doc) -> str:
    return f"{call.world.settings.public_url}{RECEIPT}{charge['id']}"


def _hold_capture(call: Call, charge: Doc) -> None:
    until = call.now + AUTHORIZATION_S
    charge["payment_method_details"]["card"]["capture_before"] = until
    call.schedule(until, "expire_authorization", charge)


def _card_details(call: Call, intent: Doc, method: Doc, authenticated: bool) -> Doc:
    card = method["card"]
    return {
        "card": {
            "amount_authorized": intent["amount"],
            "authorization_code": call.world.token(6).upper(),
            "brand": card["brand"],
            "checks": dict(card["checks"]),
            "country": card["country"],
            "exp_month": card["exp_month"],
            "exp_year": card["exp_year"],
            "extended_authorization": {"status": "disabled"},
            "fingerprint": card["fingerprint"],
            "funding": card["funding"],
            "incremental_authorization": {"status": "unavailable"},
            "installments": None,
            "last4": card["last4"],
            "mandate": None,
            "multicapture": {"status": "unavailable"},
            "network": card["brand"],
            "network_token": {"used": False},
            "network_transaction_id": call.world.token(15).upper(),
            "overcapture": {"maximum_amount_capturable": intent["amount"], "status": "unavailable"},
            "regulated_status": card["regulated_status"],
            "three_d_secure": _authentication(call) if authenticated else None,
            "wallet": None,
        },
        "type": "card",
    }


def _authentication(call: Call) -> Doc:
    return {
        "authentication_flow": "challenge",
        "electronic_commerce_indicator": "05",
        "exemption_indicator": None,
        "result": "authenticated",
        "result_reason": None,
        "transaction_id": call.world.token(24),
        "version": "2.2.0",
    }


def _bank_details(method: Doc) -> Doc:
    bank = method["us_bank_account"]
    names = ("account_holder_type", "account_type", "bank_name", "fingerprint", "last4", "routing_number")
    return {"type": "us_bank_account", "us_bank_account": {name: bank[name] for name in names}}


def _retrieve(call: Call) -> Doc:
    return call.find("charge")


def _update(call: Call) -> Doc:
    charge = call.find("charge")
    before = copy_of(charge)
    apply_given(charge, call.given, ("description", "metadata", "receipt_email", "transfer_group"))
    if call.given.get("customer"):
        charge["customer"] = call.referred("customer", call.given["customer"], "customer")["id"]
    if "shipping" in call.given:
        charge["shipping"] = full_shipping(call.given["shipping"])
    if call.given.get("fraud_details"):
        charge["fraud_details"] = call.given["fraud_details"]
    return call.save(charge, "charge.updated", before)


def _list(call: Call) -> Page:
    return page_of(call, "charge", matches(call.given, "customer", "payment_intent", "transfer_group"))


def _search(call: Call) -> Page:
    card = ("brand", "exp_month", "exp_year", "fingerprint", "last4")
    fields = {"amount", "created", "currency", "customer", "disputed", "metadata", "refunded", "status"}
    fields |= {"billing_details.address.postal_code", *(f"payment_method_details.card.{name}" for name in card)}
    return search_of(call, "charge", fields)


ROUTES = (
    Route("GET", "/v1/charges/search", _search, SEARCH),
    Route("GET", "/v1/charges/{id}", _retrieve),
    Route(
        "POST",
        "/v1/charges/{id}",
        _update,
        {
            **METADATA,
            "customer": Text(),
            "description": Text(),
            "fraud_details": Hash({"user_report": Choice(("fraudulent", "safe"))}),
            "receipt_email": Text(),
            "shipping": SHIPPING,
            "transfer_group": Text(),
        },
    ),
    Route(
        "GET",
        "/v1/charges",
        _list,
        {**PAGING, **CREATED, "customer": Text(), "payment_intent": Text(), "transfer_group": Text()},
    ),
)
