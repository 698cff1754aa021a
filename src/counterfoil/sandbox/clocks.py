"""Which test clock an object lives by: that of its customer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from counterfoil.sandbox.accounts import Shelf
from counterfoil.sandbox.documents import Doc
from counterfoil.sandbox.errors import StripeError
from counterfoil.sandbox.params import Given

KIND = "test_helpers.test_clock"

_KINDS = {
    "cn": "credit_note",
    "cs": "checkout.session",
    "ch": "charge",
    "cus": "customer",
    "dp": "dispute",
    "du": "dispute",
    "ii": "invoiceitem",
    "in": "invoice",
    "inpay": "invoice_payment",
    "pi": "payment_intent",
    "pm": "payment_method",
    "py": "charge",
    "pyr": "refund",
    "re": "refund",
    "seti": "setup_intent",
    "si": "subscription_item",
    "sub": "subscription",
}
"""Objects that belong to a customer, by the start of their ids."""

_WAYS = ("customer", "subscription", "invoice", "payment_intent", "charge")
"""Fields and parameters that lead to a customer."""


def named(given: Given) -> list[Any]:
    """The ids in a request's parameters that can lead to a test clock."""
    return [given.get("test_clock"), *(given.get(name) for name in _WAYS)]


def clock_of(shelf: Shelf, identifiers: Iterable[Any]) -> str | None:
    """The test clock that the objects of these ids live by, None for those of business time."""
    if not shelf.tables.count(shelf.table(KIND)):
        return None
    found = (_clock_of(shelf, identifier) for identifier in identifiers if isinstance(identifier, str))
    return next((clock for clock in found if clock is not None), None)


def check_still(shelf: Shelf, clock: str | None) -> None:
    """Refuse to change anything while its time is moving."""
    doc = shelf.get(KIND, clock or "")
    if doc is not None and doc.get("status") == "advancing":
        raise underway()


def underway() -> StripeError:
    message = "Test clock advancement underway - cannot perform modifications until the test clock is ready."
    return StripeError(message, status=429, code="rate_limit", should_retry=False)


def _clock_of(shelf: Shelf, identifier: str) -> str | None:
    """Follow an object to its customer; no object is more than three steps away from one."""
    for _ in range(4):
        prefix = identifier.partition("_")[0]
        if prefix == "clock":
            return identifier if shelf.get(KIND, identifier) is not None else None
        doc = shelf.get(_KINDS.get(prefix, ""), identifier)
        if doc is None or prefix == "cus":
            return None if doc is None else doc.get("test_clock")
        way = _way(doc)
        if way is None:
            return None
        identifier = way
    return None


def _way(doc: Doc) -> str | None:
    return next((doc[name] for name in _WAYS if isinstance(doc.get(name), str)), None)
