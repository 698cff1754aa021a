"""Values that are shown only on request and follow from what an object has anyway."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from counterfoil.sandbox.documents import Doc


def _invoice_credit(customer: Doc) -> Doc:
    """The balance per currency, as `balance` has it: negative is credit."""
    return {customer["currency"]: customer["balance"]} if customer["currency"] else {}


def _tax(customer: Doc) -> Doc:
    """No location is known for automatic tax, which the sandbox does not compute."""
    return {"automatic_tax": "unrecognized_location", "ip_address": None, "location": None, "provider": "stripe"}


def _nothing(customer: Doc) -> None:
    return None


COMPUTED: dict[str, dict[str, Callable[[Doc], Any]]] = {
    "customer": {"cash_balance": _nothing, "invoice_credit_balance": _invoice_credit, "tax": _tax}
}
"""By kind and name: how the value is made."""
