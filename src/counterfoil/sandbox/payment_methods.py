"""Payment methods: cards and US bank accounts, made from test ids, tokens or numbers, and their attachment to a
customer.
"""

from __future__ import annotations

import time
from typing import Any

from counterfoil.sandbox.call import Call, apply_given
from counterfoil.sandbox.cards import BANK_ACCOUNTS, Card, card_numbered, card_token, is_card_number
from counterfoil.sandbox.declines import DECLINES
from counterfoil.sandbox.documents import Doc, copy_of
from counterfoil.sandbox.errors import StripeError, invalid, parameter_missing, resource_missing
from counterfoil.sandbox.fields import BILLING_DETAILS, METADATA, billing_details
from counterfoil.sandbox.lists import PAGING, Page, matches, page_of
from counterfoil.sandbox.params import Anything, Choice, Given, Hash, Kind, Need, Text, Whole, uncovered
from counterfoil.sandbox.ports import digest_token
from counterfoil.sandbox.routing import Route

_REDISPLAY = Choice(("always", "limited", "unspecified"))
_CARD = Hash(
    {
        "token": Text(),
        "number": Text(),
        "exp_month": Whole(1, 12),
        "exp_year": Whole(),
        "cvc": Text(4),
        "networks": Anything(),
    }
)
_BANK = Hash(
    {
        "account_number": Text(),
        "routing_number": Text(),
        "account_holder_type": Choice(("individual", "company")),
        "account_type": Choice(("checking", "savings")),
    }
)
_KEPT: dict[str, Kind] = {**METADATA, "allow_redisplay": _REDISPLAY, "billing_details": BILLING_DETAILS}
DATA: dict[str, Kind] = {
    **_KEPT,
    "type": Need(Choice(("card", "custom", "us_bank_account"), clears=False)),
    "card": _CARD,
    "custom": Hash({"type": Need(Text())}),
    "us_bank_account": _BANK,
    **uncovered("customer", "payment_method", "radar_options", "link", "sepa_debit", "paypal"),
}

SPENT = (
    "The provided PaymentMethod was previously used with a PaymentIntent without "
    "Customer attachment, shared with a connected account without "
    "Customer attachment, or was detached from a Customer. It may not be used again. "
    "To use a PaymentMethod multiple times, you must attach it to "
    "a Customer first."
)


def _create(call: Call) -> Doc:
    return build(call, call.given)


def _retrieve(call: Call) -> Doc:
    return resolve(call, call.path["id"], "payment_method", 404)


def _update(call: Call) -> Doc:
    method = call.find("payment_method", "payment_method")
    before = copy_of(method)
    apply_given(method, call.given, ("metadata", "allow_redisplay"))
    if "billing_details" in call.given:
        method["billing_details"] = billing_details(call.given["billing_details"], method["billing_details"])
    for name, value in (call.given.get("card") or {}).items():
        method["card"][name] = value
    return call.save(method, "payment_method.updated", before)


def _list(call: Call) -> Page:
    if call.given.get("customer"):
        call.referred("customer", call.given["customer"], "customer")
    return page_of(call, "payment_method", matches(call.given, "customer", "type", "allow_redisplay"))


def _attach(call: Call) -> Doc:
    method = resolve(call, call.path["id"], "payment_method", 404)
    customer = call.referred("customer", call.given["customer"], "customer")
    return attach_to(call, method, customer)


def _detach(call: Call) -> Doc:
    method = call.find("payment_method", "payment_method")
    if method["customer"] is None:
        raise invalid(
            "The payment method you provided is not attached to a customer so detachment is impossible.",
            "payment_method",
        )
    return detach(call, method)


def resolve(call: Call, identifier: str, param: str, status: int = 400) -> Doc:
    """The payment method that an id names; a test id (`pm_card_x`, `pm_usBankAccount_x`) mints a fresh one each
    time.
    """
    if call.livemode or not identifier.startswith(("pm_card_", "pm_usBankAccount_")):
        return call.shelf.find("payment_method", identifier, param, status)
    if identifier.startswith("pm_card_"):
        card = card_token(identifier)
        if card is not None:
            return _store(call, card_method(call, card, {}))
    else:
        name = identifier.removeprefix("pm_usBankAccount_")
        if name in BANK_ACCOUNTS:
            return _store(call, _bank_method(call, BANK_ACCOUNTS[name][0], {}))
    raise resource_missing("PaymentMethod", identifier, param, status)


def build(call: Call, given: Given) -> Doc:
    """Make a payment method from its parameters."""
    kind = given["type"]
    details = given.get(kind)
    if details is None:
        raise parameter_missing(kind)
    makers = {"card": _card_from, "custom": _custom_from, "us_bank_account": _bank_from}
    method = makers[kind](call, details)
    apply_given(method, given, ("metadata",))
    method["allow_redisplay"] = given.get("allow_redisplay") or "unspecified"
    method["billing_details"] = billing_details(given.get("billing_details"))
    return _store(call, method)


def attach_to(call: Call, method: Doc, customer: Doc) -> Doc:
    """Attach a method to a customer; the issuer may refuse, and a used-up method never attaches."""
    if method["customer"] == customer["id"]:
        return method
    if method["customer"] is not None:
        raise invalid("The payment method you provided has already been attached to a customer.", "payment_method")
    if method["_spent"]:
        raise invalid(SPENT, "payment_method")
    check_attach(method)
    method["customer"] = customer["id"]
    if method["type"] == "card":
        method["card"]["checks"]["cvc_check"] = "pass"
    call.shelf.save(method)
    call.emit("payment_method.attached", method)
    return method


def check_attach(method: Doc) -> None:
    """Refuse a card whose issuer declines the check that attaching makes."""
    reason = behaviour(method).attach_decline if method["type"] == "card" else None
    if reason:
        raise DECLINES[reason].error()


def detach(call: Call, method: Doc) -> Doc:
    """Take a method from its customer; it can never be used again."""
    method["customer"] = None
    method["_spent"] = True
    for customer in call.shelf.rows("customer"):
        if customer["invoice_settings"]["default_payment_method"] == method["id"]:
            before = copy_of(customer)
            customer["invoice_settings"]["default_payment_method"] = None
            call.save(customer, "customer.updated", before)
    call.shelf.save(method)
    call.emit("payment_method.detached", method)
    return method


def methods_of(call: Call, customer: str) -> list[Doc]:
    return [method for method in call.shelf.rows("payment_method") if method["customer"] == customer]


def not_of_customer(identifier: str) -> StripeError:
    message = (
        f"The customer does not have a payment method with the ID {identifier}. "
        "The payment method must be attached to the customer."
    )
    return StripeError(message, code="resource_missing", param="payment_method")


def behaviour(method: Doc) -> Card:
    """How a card method's number behaves."""
    return card_numbered(str(method["_number"]))


def bank_outcome(method: Doc) -> str | None:
    """How a debit of a bank method ends: None settles, else the failure, `processing` or `dispute`."""
    return next((outcome for number, outcome in BANK_ACCOUNTS.values() if number == method["_number"]), None)


def card_method(call: Call, card: Card, given: Given) -> Doc:
    today = time.gmtime(call.now)
    method = _blank(call, "card", card.number)
    method["card"] = {
        "brand": card.brand,
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "unchecked"},
        "country": card.country,
        "display_brand": "american_express" if card.brand == "amex" else card.brand,
        "exp_month": given.get("exp_month") or today.tm_mon,
        "exp_year": given.get("exp_year") or today.tm_year + 1,
        "fingerprint": fingerprint(call, card.number),
        "funding": card.funding,
        "generated_from": None,
        "last4": card.number[-4:],
        "networks": {"available": [card.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }
    return method


def fingerprint(call: Call, number: str) -> str:
    """The same for one number in one account, whatever payment method it is in."""
    return digest_token(f"{call.shelf.account['id']}:{number}", 16)


def _store(call: Call, method: Doc) -> Doc:
    return call.create(method)


def _card_from(call: Call, details: dict[str, Any]) -> Doc:
    if details.get("token"):
        card = None if call.livemode else card_token(details["token"])
        if card is None:
            raise resource_missing("token", details["token"], "card[token]", 400)
        return card_method(call, card, {})
    for name in ("number", "exp_month", "exp_year"):
        if details.get(name) is None:
            raise parameter_missing(f"card[{name}]")
    number = details["number"].replace(" ", "").replace("-", "")
    if not is_card_number(number):
        raise _bad_card("incorrect_number", "Your card number is incorrect.", "number")
    _check_expiry(call, details)
    return card_method(call, card_numbered(number), _full_year(details))


def _full_year(details: dict[str, Any]) -> dict[str, Any]:
    year = details["exp_year"]
    return details | {"exp_year": year + 2000 if year < 100 else year}


def _check_expiry(call: Call, details: dict[str, Any]) -> None:
    today = time.gmtime(call.now)
    year, month = _full_year(details)["exp_year"], details["exp_month"]
    if year < today.tm_year or year > today.tm_year + 50:
        raise _bad_card("invalid_expiry_year", "Your card's expiration year is invalid.", "exp_year")
    if (year, month) < (today.tm_year, today.tm_mon):
        raise _bad_card("invalid_expiry_month", "Your card's expiration month is invalid.", "exp_month")


def _bad_card(code: str, message: str, param: str) -> StripeError:
    return StripeError(message, status=402, type="card_error", code=code, param=param)


def _custom_from(call: Call, details: dict[str, Any]) -> Doc:
    """A method that somebody else than Stripe processes."""
    method = _blank(call, "custom", "")
    method["custom"] = {"display_name": "Custom payment method", "logo": None, "type": details["type"]}
    return method


def _bank_from(call: Call, details: dict[str, Any]) -> Doc:
    for name in ("account_number", "routing_number", "account_holder_type"):
        if not details.get(name):
            raise parameter_missing(f"us_bank_account[{name}]")
    return _bank_method(call, details["account_number"], details)


def _bank_method(call: Call, number: str, details: dict[str, Any]) -> Doc:
    method = _blank(call, "us_bank_account", number)
    method["us_bank_account"] = {
        "account_holder_type": details.get("account_holder_type", "individual"),
        "account_type": details.get("account_type") or "checking",
        "bank_name": "STRIPE TEST BANK",
        "financial_connections_account": None,
        "fingerprint": fingerprint(call, number),
        "last4": number[-4:],
        "networks": {"preferred": "ach", "supported": ["ach"]},
        "routing_number": details.get("routing_number", "110000000"),
        "status_details": {},
    }
    return method


def _blank(call: Call, kind: str, number: str) -> Doc:
    return {
        "id": call.world.new_id("pm_1"),
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": billing_details(None),
        "created": call.now,
        "customer": None,
        "customer_account": None,
        "livemode": call.livemode,
        "metadata": {},
        "type": kind,
        "_number": number,
        "_spent": False,
        "_set_up": False,
    }


ROUTES = (
    Route("POST", "/v1/payment_methods", _create, DATA, public=True),
    Route("GET", "/v1/payment_methods/{id}", _retrieve),
    Route(
        "POST",
        "/v1/payment_methods/{id}",
        _update,
        {**_KEPT, "card": Hash({"exp_month": Whole(1, 12), "exp_year": Whole(), "networks": Anything()})},
    ),
    Route(
        "GET", "/v1/payment_methods", _list, {**PAGING, "customer": Text(), "type": Text(), "allow_redisplay": Text()}
    ),
    Route("POST", "/v1/payment_methods/{id}/attach", _attach, {"customer": Need(Text())}),
    Route("POST", "/v1/payment_methods/{id}/detach", _detach),
)
