"""Customers: who pays."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from counterfoil.sandbox import customer_balance, discounts, payment_methods
from counterfoil.sandbox.call import Call, apply_given
from counterfoil.sandbox.documents import Doc, copy_of
from counterfoil.sandbox.errors import invalid
from counterfoil.sandbox.fields import ADDRESS, METADATA, SHIPPING, full_address, full_shipping
from counterfoil.sandbox.lists import CREATED, PAGING, Page, matches, page_of
from counterfoil.sandbox.params import Anything, Choice, Given, Hash, Items, Kind, Text, Whole, uncovered
from counterfoil.sandbox.routing import Route
from counterfoil.sandbox.search import SEARCH, search_of

_INVOICE_SETTINGS = Hash(
    {
        "custom_fields": Items(Hash({"name": Text(), "value": Text()})),
        "default_payment_method": Text(),
        "footer": Text(),
        "rendering_options": Anything(),
    }
)
_FIELDS: dict[str, Kind] = {
    **METADATA,
    "address": ADDRESS,
    "balance": Whole(),
    "coupon": Text(),
    "description": Text(),
    "email": Text(512),
    "invoice_prefix": Text(12),
    "invoice_settings": _INVOICE_SETTINGS,
    "name": Text(),
    "next_invoice_sequence": Whole(least=1),
    "phone": Text(),
    "preferred_locales": Items(),
    "promotion_code": Text(),
    "shipping": SHIPPING,
    "tax_exempt": Choice(("none", "exempt", "reverse")),
    **uncovered("business_name", "cash_balance", "individual_name", "source", "tax", "validate"),
}
_PLAIN = ("description", "email", "metadata", "name", "next_invoice_sequence", "phone", "preferred_locales")


def create_customer(call: Call, given: Given) -> Doc:
    """Create a customer for another object, such as the checkout session that they came by."""
    own = replace(call, given=given)
    customer = _blank(own)
    _apply(own, customer)
    return own.create(customer, "customer.created")


def check_email(email: str | None, param: str = "email") -> None:
    name, at, domain = (email or "").partition("@")
    if email and not (name and at and "." in domain and " " not in email):
        raise invalid(f"Invalid email address: {email}", param, "email_invalid")


def _create(call: Call) -> Doc:
    customer = _blank(call)
    method = _method_to_attach(call)
    _apply(call, customer)
    if method is not None:
        payment_methods.check_attach(method)
    discounts.give_customer(call, customer)
    call.create(customer, "customer.created")
    discounts.tell_customer(call, customer, None)
    if method is not None:
        _adopt(call, customer, payment_methods.attach_to(call, method, customer))
    return customer


def _adopt(call: Call, customer: Doc, method: Doc) -> None:
    """A default that was named by the test id of the method attached just now is that method."""
    if customer["invoice_settings"]["default_payment_method"] not in (None, method["id"]):
        before = copy_of(customer)
        customer["invoice_settings"]["default_payment_method"] = method["id"]
        call.save(customer, "customer.updated", before)


def _retrieve(call: Call) -> Doc:
    """A deleted customer is answered as a stub, not refused."""
    stub = call.shelf.get("customer", call.path["id"])
    return stub if stub is not None else call.find("customer")


def _update(call: Call) -> Doc:
    customer = call.find("customer")
    before = copy_of(customer)
    _apply(call, customer)
    discounts.give_customer(call, customer)
    call.save(customer, "customer.updated", before)
    discounts.tell_customer(call, customer, before)
    return customer


def _delete(call: Call) -> Doc:
    return delete_customer(call, call.find("customer"))


def delete_customer(call: Call, customer: Doc) -> Doc:
    """Forget a customer with their payment methods; what is left is a stub."""
    for method in payment_methods.methods_of(call, customer["id"]):
        payment_methods.detach(call, method)
    stub = call.shelf.bury(customer)
    call.emit("customer.deleted", customer)
    return stub


def _list(call: Call) -> Page:
    """Customers of a test clock are shown only to those who ask for its customers."""
    clock = call.given.get("test_clock")
    keep = matches(call.given, "email")
    return page_of(call, "customer", lambda doc: doc["test_clock"] == clock and keep(doc))


def _search(call: Call) -> Page:
    return search_of(call, "customer", {"created", "email", "metadata", "name", "phone"})


def _methods(call: Call) -> Page:
    customer = call.find("customer")
    wanted = call.given.get("type")
    return page_of(
        call, "payment_method", lambda doc: doc["customer"] == customer["id"] and wanted in (None, doc["type"])
    )


def _method(call: Call) -> Doc:
    customer = call.find("customer")
    method = call.shelf.find("payment_method", call.path["method"], "payment_method")
    if method["customer"] != customer["id"]:
        raise invalid(
            f"The payment method {method['id']} is not attached to the customer {customer['id']}.", "payment_method"
        )
    return method


def _blank(call: Call) -> Doc:
    named = call.given.get("test_clock")
    clock = call.referred("test_helpers.test_clock", named, "test_clock")["id"] if named else None
    return {
        "id": call.world.new_id("cus_", 14),
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": call.now,
        "currency": None,
        "customer_account": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": None,
        "invoice_prefix": call.world.token(8).upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": call.livemode,
        "metadata": {},
        "name": None,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": clock,
    }


def _apply(call: Call, customer: Doc) -> None:
    given = call.given
    check_email(given.get("email"))
    settings = _settings(call, customer)
    apply_given(customer, given, _PLAIN)
    customer["invoice_settings"] = settings
    if "address" in given:
        customer["address"] = full_address(given["address"])
    if "shipping" in given:
        customer["shipping"] = full_shipping(given["shipping"])
    if given.get("invoice_prefix"):
        customer["invoice_prefix"] = given["invoice_prefix"].upper()
    if "tax_exempt" in given:
        customer["tax_exempt"] = given["tax_exempt"] or "none"
    if given.get("balance", customer["balance"]) != customer["balance"]:
        currency = customer["currency"] or call.shelf.account["default_currency"]
        customer_balance.move(call, customer, given["balance"] - customer["balance"], currency)


def _settings(call: Call, customer: Doc) -> Doc:
    """The invoice settings after this call; a default payment method must be one of this customer's."""
    given: dict[str, Any] = call.given.get("invoice_settings") or {}
    default = given.get("default_payment_method")
    if default and default != call.given.get("payment_method"):
        method = call.referred("payment_method", default, "invoice_settings[default_payment_method]")
        if method["customer"] != customer["id"]:
            raise payment_methods.not_of_customer(default)
    settings: Doc = customer["invoice_settings"] | given
    return settings


def _method_to_attach(call: Call) -> Doc | None:
    given = call.given.get("payment_method")
    return payment_methods.resolve(call, given, "payment_method") if given else None


ROUTES = (
    Route(
        "POST",
        "/v1/customers",
        _create,
        {**_FIELDS, "payment_method": Text(), "test_clock": Text(), **uncovered("tax_id_data")},
    ),
    Route("GET", "/v1/customers/search", _search, SEARCH),
    Route("GET", "/v1/customers/{id}", _retrieve),
    Route("POST", "/v1/customers/{id}", _update, {**_FIELDS, **uncovered("default_source")}),
    Route("DELETE", "/v1/customers/{id}", _delete),
    Route("GET", "/v1/customers", _list, {**PAGING, **CREATED, "email": Text(), "test_clock": Text()}),
    Route("GET", "/v1/customers/{id}/payment_methods", _methods, {**PAGING, "type": Text(), "allow_redisplay": Text()}),
    Route("GET", "/v1/customers/{id}/payment_methods/{method}", _method),
)
