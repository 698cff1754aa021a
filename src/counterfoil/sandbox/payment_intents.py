"""Payment intents: the wish to be paid once, whatever it takes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from counterfoil.sandbox import charges, paying, payment_methods
from counterfoil.sandbox.call import Call, apply_given
from counterfoil.sandbox.currencies import check_charge, check_currency
from counterfoil.sandbox.documents import Doc
from counterfoil.sandbox.errors import StripeError, invalid
from counterfoil.sandbox.fields import METADATA, flagged, full_shipping
from counterfoil.sandbox.lists import CREATED, PAGING, Page, matches, page_of
from counterfoil.sandbox.params import Choice, Given, Text, Whole, uncovered
from counterfoil.sandbox.payment_intent_fields import CONFIRM, CREATE, KEPT, blank_intent
from counterfoil.sandbox.routing import Route
from counterfoil.sandbox.search import SEARCH, search_of
from counterfoil.sandbox.versions import ENDIVE, since

_PLAIN = (
    "allowed_payment_method_types",
    "capture_method",
    "description",
    "excluded_payment_method_types",
    "metadata",
    "receipt_email",
    "setup_future_usage",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_group",
)
_UNCONFIRMED = ("requires_payment_method", "requires_confirmation", "requires_action")


def _create(call: Call) -> Doc:
    given = call.given
    _refuse_types(call)
    currency = check_currency(given)
    check_charge(given["amount"], currency)
    if given.get("off_session") and not given.get("confirm"):
        raise invalid(
            "The parameter `off_session` cannot be passed when creating a "
            "PaymentIntent unless `confirm` is set to true.",
            "off_session",
        )
    intent = blank_intent(call, currency)
    method = _apply(call, intent)
    call.create(intent, "payment_intent.created")
    return _confirm_with(call, intent, method) if given.get("confirm") else intent


def open_intent(call: Call, given: Given, **owner: str) -> Doc:
    """Create an intent for another object, which `owner` names by a private key and which confirms it."""
    own = replace(call, given=given)
    intent = blank_intent(own, given["currency"]) | owner
    _apply(own, intent)
    return own.create(intent, "payment_intent.created")


def cancel_intent(call: Call, intent: Doc, reason: str | None) -> Doc:
    """End an intent that has taken nothing; an authorization is given back."""
    if intent["status"] == "requires_capture":
        _release(call, intent)
    intent |= {"status": "canceled", "canceled_at": call.now, "next_action": None, "amount_capturable": 0}
    intent["cancellation_reason"] = reason
    call.shelf.save(intent)
    call.emit("payment_intent.canceled", intent)
    return intent


def _retrieve(call: Call) -> Doc:
    return call.find_intent("payment_intent")


def _update(call: Call) -> Doc:
    intent = call.find_intent("payment_intent")
    _refuse_types(call)
    if intent["status"] not in _UNCONFIRMED and set(call.given) - {
        "metadata",
        "description",
        "receipt_email",
        "expand",
    }:
        raise _unexpected(
            intent,
            f"This PaymentIntent's {_listed(call.given)} could not be updated "
            f"because it has a status of {intent['status']}.",
        )
    if {"amount", "currency", "customer"} & set(call.given):
        check_own(call, intent, "change")
    currency = check_currency(call.given) if call.given.get("currency") else intent["currency"]
    amount = call.chosen("amount", intent["amount"])
    check_charge(amount, currency)
    _apply(call, intent)
    intent |= {"amount": amount, "currency": currency}
    return call.save(intent)


def _confirm(call: Call) -> Doc:
    intent = call.find_intent("payment_intent")
    _refuse_types(call)
    check_own(call, intent, "confirm")
    if intent["status"] not in _UNCONFIRMED:
        raise _unexpected(intent, _why_unconfirmable(intent))
    method = _apply(call, intent)
    return _confirm_with(call, intent, method)


def _capture(call: Call) -> Doc:
    intent = call.find_intent("payment_intent")
    if intent["status"] != "requires_capture":
        message = (
            "This PaymentIntent could not be captured because it has a status of "
            f"{intent['status']}. Only a PaymentIntent with one of the following "
            "statuses may be captured: requires_capture."
        )
        raise _unexpected(intent, message)
    amount = call.chosen("amount_to_capture", intent["amount_capturable"])
    if amount > intent["amount_capturable"]:
        message = (
            "The requested capture amount is greater than the amount you can capture "
            f"for this charge ({intent['amount_capturable']})."
        )
        raise StripeError(message, code="amount_too_large", param="amount_to_capture")
    apply_given(intent, call.given, ("metadata", "statement_descriptor", "statement_descriptor_suffix"))
    charge = call.shelf.find("charge", intent["latest_charge"], "charge")
    charges.capture(call, charge, amount)
    intent |= {"status": "succeeded", "amount_received": amount, "amount_capturable": 0}
    call.shelf.save(intent)
    call.emit("payment_intent.succeeded", intent)
    paying.dispute_if_wont(call, charge)
    return intent


def _cancel(call: Call) -> Doc:
    intent = call.find_intent("payment_intent")
    check_own(call, intent, "cancel")
    if intent["status"] not in (*_UNCONFIRMED, "requires_capture"):
        message = (
            "You cannot cancel this PaymentIntent because it has a status of "
            f"{intent['status']}. Only a PaymentIntent with one of the following "
            "statuses may be canceled: requires_payment_method, requires_capture, "
            "requires_reauthorization, requires_confirmation, requires_action, "
            "processing."
        )
        raise _unexpected(intent, message)
    return cancel_intent(call, intent, call.given.get("cancellation_reason"))


def _list(call: Call) -> Page:
    return page_of(call, "payment_intent", matches(call.given, "customer"))


def _search(call: Call) -> Page:
    return search_of(call, "payment_intent", {"amount", "created", "currency", "customer", "metadata", "status"})


def _confirm_with(call: Call, intent: Doc, method: Doc | None) -> Doc:
    method = method or _own_method(call, intent)
    if method is None:
        message = (
            "You cannot confirm this PaymentIntent because it's missing a payment method. "
            "You can either update the PaymentIntent with a payment "
            "method and then confirm it again, or confirm it again directly with a payment method or ConfirmationToken."
        )
        raise _unexpected(intent, message)
    paying.check_usable(method, intent["customer"])
    _check_type(intent, method)
    if call.given.get("return_url"):
        intent["_return_url"] = call.given["return_url"]
    is_away = flagged(call.given.get("off_session"))
    return paying.pay(call, intent, method, is_away, is_away or bool(call.given.get("error_on_requires_action")))


def _own_method(call: Call, intent: Doc) -> Doc | None:
    return (
        call.shelf.find("payment_method", intent["payment_method"], "payment_method")
        if intent["payment_method"]
        else None
    )


def _apply(call: Call, intent: Doc) -> Doc | None:
    """Set what the caller gave, after all of it is found to be right; returns the payment method if one was given."""
    given = call.given
    customer = (
        call.referred("customer", given["customer"], "customer")["id"] if given.get("customer") else intent["customer"]
    )
    method = _given_method(call)
    if method is not None:
        paying.check_usable(method, customer)
        intent["payment_method"] = method["id"]
        if intent["status"] in ("requires_payment_method", "requires_action"):
            intent |= {"status": "requires_confirmation", "next_action": None, "_authenticated": False}
    intent["customer"] = customer
    apply_given(intent, given, _PLAIN)
    if "shipping" in given:
        intent["shipping"] = full_shipping(given["shipping"])
    _apply_types(intent, given)
    if given.get("payment_method_options"):
        _apply_options(intent, given["payment_method_options"])
    return method


def _apply_types(intent: Doc, given: dict[str, Any]) -> None:
    """Narrow what the intent may be paid with: types by name (older versions), those allowed, those excluded."""
    if given.get("payment_method_types"):
        intent |= {"payment_method_types": given["payment_method_types"], "automatic_payment_methods": None}
    if given.get("allowed_payment_method_types"):
        intent["payment_method_types"] = given["allowed_payment_method_types"]
    excluded = intent["excluded_payment_method_types"] or []
    intent["payment_method_types"] = [kind for kind in intent["payment_method_types"] if kind not in excluded]


def _check_type(intent: Doc, method: Doc) -> None:
    if method["type"] not in intent["payment_method_types"]:
        message = (
            f"The PaymentMethod provided ({method['type']}) is not allowed for this PaymentIntent. Please attach a "
            f"PaymentMethod of one of the following types: {', '.join(intent['payment_method_types'])}."
        )
        raise StripeError(message, code="payment_intent_incompatible_payment_method", payment_intent=intent)


def _apply_options(intent: Doc, given: dict[str, Any]) -> None:
    options = dict(intent["payment_method_options"] or {})
    for kind, chosen in given.items():
        if isinstance(chosen, dict):
            options[kind] = options.get(kind, {}) | chosen
    intent["payment_method_options"] = options


def _given_method(call: Call) -> Doc | None:
    given = call.given
    if given.get("payment_method") and given.get("payment_method_data"):
        raise invalid(
            "You may only specify one of these parameters: payment_method, payment_method_data.", "payment_method"
        )
    if given.get("payment_method_data"):
        return payment_methods.build(call, given["payment_method_data"])
    return (
        payment_methods.resolve(call, given["payment_method"], "payment_method")
        if given.get("payment_method")
        else None
    )


def _release(call: Call, intent: Doc) -> None:
    """Give back an authorization: nothing was taken, so nothing is booked."""
    charge = call.shelf.find("charge", intent["latest_charge"], "charge")
    charge |= {"refunded": True, "amount_refunded": charge["amount"]}
    call.shelf.save(charge)
    call.note("authorization_released", charge)
    call.emit("charge.refunded", charge)


def check_own(call: Call, intent: Doc, verb: str) -> None:
    """An intent of a checkout session is confirmed and canceled through its session, as long as that is open; one that
    an invoice made is changed and canceled through the invoice.
    """
    if intent.get("_invoice") and verb != "confirm":
        raise invalid(
            f"You cannot {verb} this PaymentIntent because it belongs to the invoice {intent['_invoice']}. To cancel "
            "it, void the invoice."
        )
    session = call.shelf.get("checkout.session", intent.get("_session") or "")
    if session is not None and session["status"] == "open":
        kind = "PaymentIntent" if intent["object"] == "payment_intent" else "SetupIntent"
        raise invalid(
            f"You cannot {verb} this {kind} because it was created by a Checkout Session. Expire the Checkout Session "
            f"({session['id']}) to cancel it."
        )


def _refuse_types(call: Call) -> None:
    if "payment_method_types" in call.given and since(call.version, ENDIVE):
        raise types_gone(call.version)


def types_gone(version: str) -> StripeError:
    """Endive took `payment_method_types` away from what can be written."""
    message = (
        "The `payment_method_types` parameter is no longer supported in API "
        f"version {version}. Use `allowed_payment_method_types`, "
        "`excluded_payment_method_types` or automatic payment methods instead."
    )
    return StripeError(message, code="payment_method_types_no_longer_supported", param="payment_method_types")


def _unexpected(intent: Doc, message: str) -> StripeError:
    return StripeError(message, code="payment_intent_unexpected_state", stored=True, payment_intent=intent)


def _why_unconfirmable(intent: Doc) -> str:
    reasons = {
        "succeeded": "it has already succeeded after being previously confirmed",
        "processing": "it has already been confirmed and is processing",
        "requires_capture": "it has already been confirmed and is awaiting capture",
        "canceled": "it has been canceled",
    }
    return f"You cannot confirm this PaymentIntent because {reasons[intent['status']]}."


def _listed(given: dict[str, Any]) -> str:
    return ", ".join(sorted(set(given) - {"expand"}))


_REASONS = Choice(("abandoned", "duplicate", "fraudulent", "requested_by_customer"))
ROUTES = (
    Route("POST", "/v1/payment_intents", _create, CREATE),
    Route("GET", "/v1/payment_intents/search", _search, SEARCH),
    Route("GET", "/v1/payment_intents/{id}", _retrieve, {"client_secret": Text()}, public=True),
    Route("POST", "/v1/payment_intents/{id}", _update, {**KEPT, "amount": Whole(), "currency": Text()}),
    Route("POST", "/v1/payment_intents/{id}/confirm", _confirm, {**CONFIRM, "client_secret": Text()}, public=True),
    Route(
        "POST",
        "/v1/payment_intents/{id}/capture",
        _capture,
        {
            **METADATA,
            "amount_to_capture": Whole(least=1),
            "statement_descriptor": Text(22),
            "statement_descriptor_suffix": Text(22),
            **uncovered(
                "application_fee_amount", "final_capture", "transfer_data", "amount_details", "hooks", "payment_details"
            ),
        },
    ),
    Route("POST", "/v1/payment_intents/{id}/cancel", _cancel, {"cancellation_reason": _REASONS}),
    Route("GET", "/v1/payment_intents", _list, {**PAGING, **CREATED, "customer": Text()}),
)
