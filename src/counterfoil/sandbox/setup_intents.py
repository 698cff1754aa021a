"""Setup intents: a payment method saved, and authenticated where its issuer wants it, before anything is paid."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from counterfoil.sandbox import microdeposits, paying, payment_methods, setup_attempts
from counterfoil.sandbox.call import Call, apply_given
from counterfoil.sandbox.declines import DECLINES
from counterfoil.sandbox.documents import Doc, copy_of
from counterfoil.sandbox.errors import DOC_URL, StripeError, invalid
from counterfoil.sandbox.fields import METADATA
from counterfoil.sandbox.lists import CREATED, PAGING, Page, matches, page_of
from counterfoil.sandbox.params import Anything, Choice, Flag, Given, Hash, Items, Kind, Need, Text, uncovered
from counterfoil.sandbox.payment_intents import check_own, types_gone
from counterfoil.sandbox.routing import Route
from counterfoil.sandbox.versions import ENDIVE, since

_OPTIONS = Hash(
    {
        "card": Anything(),
        "us_bank_account": Hash(
            {
                "verification_method": Choice(("automatic", "instant", "microdeposits")),
                **uncovered("financial_connections", "mandate_options", "networks"),
            }
        ),
    }
)
_KEPT: dict[str, Kind] = {
    **METADATA,
    "allowed_payment_method_types": Items(),
    "customer": Text(),
    "description": Text(1000),
    "excluded_payment_method_types": Items(),
    "payment_method": Text(),
    "payment_method_data": Hash(payment_methods.DATA),
    "payment_method_options": _OPTIONS,
    "payment_method_types": Items(),
    **uncovered("attach_to_self", "customer_account", "flow_directions", "payment_method_configuration"),
}
_CONFIRM: dict[str, Kind] = {
    "allowed_payment_method_types": Items(),
    "mandate_data": Anything(),
    "payment_method": Text(),
    "payment_method_data": Hash(payment_methods.DATA),
    "payment_method_options": _OPTIONS,
    "return_url": Text(),
    "use_stripe_sdk": Flag(),
    **uncovered("confirmation_token"),
}
_CREATE: dict[str, Kind] = {
    **_KEPT,
    **_CONFIRM,
    "automatic_payment_methods": Hash({"enabled": Need(Flag()), "allow_redirects": Choice(("always", "never"))}),
    "confirm": Flag(),
    "usage": Choice(("off_session", "on_session")),
    **uncovered("on_behalf_of", "single_use"),
}
_PLAIN = ("allowed_payment_method_types", "description", "excluded_payment_method_types", "metadata")
_OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")


def _create(call: Call) -> Doc:
    _refuse_types(call)
    intent = _blank(call)
    method = _apply(call, intent)
    call.create(intent, "setup_intent.created")
    return confirm_with(call, intent, method) if call.given.get("confirm") else intent


def open_intent(call: Call, given: Given, **owner: str) -> Doc:
    """Create an intent for another object, which `owner` names by a private key and which confirms it."""
    own = replace(call, given=given)
    intent = _blank(own) | owner
    _apply(own, intent)
    return own.create(intent, "setup_intent.created")


def cancel_intent(call: Call, intent: Doc, reason: str | None) -> Doc:
    intent |= {"status": "canceled", "cancellation_reason": reason, "next_action": None}
    setup_attempts.abandon(call, intent)
    call.shelf.save(intent)
    call.emit("setup_intent.canceled", intent)
    return intent


def _retrieve(call: Call) -> Doc:
    return call.find_intent("setup_intent")


def _update(call: Call) -> Doc:
    intent = call.find_intent("setup_intent")
    _refuse_types(call)
    if intent["status"] not in _OPEN:
        raise _unexpected(
            intent, f"This SetupIntent could not be updated because it has a status of {intent['status']}."
        )
    _apply(call, intent)
    return call.save(intent)


def _confirm(call: Call) -> Doc:
    intent = call.find_intent("setup_intent")
    check_own(call, intent, "confirm")
    if intent["status"] not in _OPEN:
        raise _unexpected(intent, f"You cannot confirm this SetupIntent because it has a status of {intent['status']}.")
    return confirm_with(call, intent, _apply(call, intent))


def _cancel(call: Call) -> Doc:
    intent = call.find_intent("setup_intent")
    check_own(call, intent, "cancel")
    if intent["status"] not in _OPEN:
        raise _unexpected(intent, f"You cannot cancel this SetupIntent because it has a status of {intent['status']}.")
    return cancel_intent(call, intent, call.given.get("cancellation_reason"))


def _list(call: Call) -> Page:
    return page_of(call, "setup_intent", matches(call.given, "customer", "payment_method"))


def authenticate(call: Call, intent: Doc, succeeded: bool) -> Doc:
    """The customer passed or failed the challenge."""
    if intent["status"] != "requires_action":
        raise invalid(f"SetupIntent {intent['id']} awaits no authentication (status: {intent['status']}).")
    method = call.shelf.find("payment_method", intent["payment_method"], "payment_method")
    intent["next_action"] = None
    if succeeded:
        return _succeed(call, intent, method)
    code = "setup_intent_authentication_failure"
    message = paying.AUTHENTICATION_FAILED.replace("PaymentIntent", "SetupIntent")
    error = {
        "code": code,
        "doc_url": DOC_URL + code.replace("_", "-"),
        "message": message,
        "type": "invalid_request_error",
    }
    _fail(call, intent, method, error)
    return intent


def confirm_with(call: Call, intent: Doc, method: Doc | None) -> Doc:
    """Save a method for later; a refusal raises the 402 after it is recorded."""
    if method is None and intent["payment_method"]:
        method = call.shelf.find("payment_method", intent["payment_method"], "payment_method")
    if method is None:
        message = (
            "You cannot confirm this SetupIntent because it's missing a payment method. "
            "Update the SetupIntent with a payment method and then "
            "confirm it again."
        )
        raise _unexpected(intent, message)
    if call.given.get("return_url"):
        intent["_return_url"] = call.given["return_url"]
    if method["type"] == "us_bank_account" and microdeposits.awaited(intent, method):
        return microdeposits.start(call, intent, method)
    if method["type"] == "us_bank_account":
        return _succeed(call, intent, method)
    card = payment_methods.behaviour(method)
    if card.attach_decline:
        refusal = DECLINES[card.attach_decline]
        _fail(call, intent, method, refusal.error_fields())
        raise refusal.error(setup_intent=intent, payment_method=method)
    if card.challenge in ("always", "until_set_up"):
        return _challenge(call, intent, method)
    return _succeed(call, intent, method)


def _challenge(call: Call, intent: Doc, method: Doc) -> Doc:
    intent |= {"status": "requires_action", "next_action": paying.next_action(call, intent)}
    setup_attempts.record(call, intent, method, "requires_action")
    call.shelf.save(intent)
    call.emit("setup_intent.requires_action", intent)
    return intent


def _succeed(call: Call, intent: Doc, method: Doc) -> Doc:
    if intent["customer"]:
        payment_methods.attach_to(call, method, call.shelf.find("customer", intent["customer"], "customer", 400))
    method["_set_up"] = method["_set_up"] or intent["usage"] == "off_session"
    call.shelf.save(method)
    intent |= {"status": "succeeded", "last_setup_error": None}
    setup_attempts.record(call, intent, method, "succeeded")
    call.shelf.save(intent)
    call.emit("setup_intent.succeeded", intent)
    return intent


def _fail(call: Call, intent: Doc, method: Doc, error: dict[str, Any]) -> None:
    intent |= {"status": "requires_payment_method", "payment_method": None}
    intent["last_setup_error"] = {**error, "payment_method": copy_of(method)}
    setup_attempts.record(call, intent, method, "failed", intent["last_setup_error"])
    call.shelf.save(intent)
    call.emit("setup_intent.setup_failed", intent)


def _apply(call: Call, intent: Doc) -> Doc | None:
    given = call.given
    if given.get("customer"):
        intent["customer"] = call.referred("customer", given["customer"], "customer")["id"]
    method = _given_method(call)
    if method is not None:
        paying.check_usable(method, intent["customer"])
        intent["payment_method"] = method["id"]
        intent["status"] = "requires_confirmation"
    apply_given(intent, given, _PLAIN)
    bank = (given.get("payment_method_options") or {}).get("us_bank_account")
    if bank:
        intent["payment_method_options"] = {**intent["payment_method_options"], "us_bank_account": bank}
    if given.get("payment_method_types"):
        intent |= {"payment_method_types": given["payment_method_types"], "automatic_payment_methods": None}
    return method


def _given_method(call: Call) -> Doc | None:
    given = call.given
    if given.get("payment_method_data"):
        return payment_methods.build(call, given["payment_method_data"])
    return (
        payment_methods.resolve(call, given["payment_method"], "payment_method")
        if given.get("payment_method")
        else None
    )


def _blank(call: Call) -> Doc:
    identifier = call.world.new_id("seti_1", 24)
    types = call.given.get("payment_method_types")
    off = call.given.get("automatic_payment_methods", {"enabled": True})
    automatic = (
        None
        if types or not off["enabled"]
        else {"allow_redirects": off.get("allow_redirects") or "always", "enabled": True}
    )
    return {
        "id": identifier,
        "object": "setup_intent",
        "allowed_payment_method_types": None,
        "application": None,
        "automatic_payment_methods": automatic,
        "cancellation_reason": None,
        "client_secret": f"{identifier}_secret_{call.world.token(31)}",
        "created": call.now,
        "customer": None,
        "customer_account": None,
        "description": None,
        "excluded_payment_method_types": None,
        "flow_directions": None,
        "last_setup_error": None,
        "latest_attempt": None,
        "livemode": call.livemode,
        "managed_payments": None,
        "mandate": None,
        "metadata": {},
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {
            "card": {"mandate_options": None, "network": None, "request_three_d_secure": "automatic"}
        },
        "payment_method_types": types or (["card", "us_bank_account"] if automatic else ["card"]),
        "single_use_mandate": None,
        "status": "requires_payment_method",
        "usage": call.given.get("usage") or "off_session",
    }


def _refuse_types(call: Call) -> None:
    if "payment_method_types" in call.given and since(call.version, ENDIVE):
        raise types_gone(call.version)


def _unexpected(intent: Doc, message: str) -> StripeError:
    return StripeError(message, code="setup_intent_unexpected_state", stored=True, setup_intent=intent)


ROUTES = (
    Route("POST", "/v1/setup_intents", _create, _CREATE),
    Route("GET", "/v1/setup_intents/{id}", _retrieve, {"client_secret": Text()}, public=True),
    Route("POST", "/v1/setup_intents/{id}", _update, _KEPT),
    Route("POST", "/v1/setup_intents/{id}/confirm", _confirm, {**_CONFIRM, "client_secret": Text()}, public=True),
    Route(
        "POST",
        "/v1/setup_intents/{id}/cancel",
        _cancel,
        {"cancellation_reason": Choice(("abandoned", "duplicate", "requested_by_customer"))},
    ),
    Route(
        "GET",
        "/v1/setup_intents",
        _list,
        {
            **PAGING,
            **CREATED,
            "customer": Text(),
            "payment_method": Text(),
            **uncovered("attach_to_self", "customer_account"),
        },
    ),
)
