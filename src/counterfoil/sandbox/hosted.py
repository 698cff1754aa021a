"""The hosted pages: which address shows which object, and how a challenge ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from counterfoil.sandbox import (
    bank_verification,
    billing_portal,
    checkout,
    checkout_page,
    invoice_page,
    microdeposits,
    pages,
    paying,
    receipt_page,
    setup_intents,
)
from counterfoil.sandbox.call import Call
from counterfoil.sandbox.checkout_fields import CHECKOUT
from counterfoil.sandbox.documents import Doc
from counterfoil.sandbox.errors import invalid
from counterfoil.sandbox.invoice_collecting import INVOICE_PAGE
from counterfoil.sandbox.pages import CHALLENGE
from counterfoil.sandbox.wire import Request, Response

Find: TypeAlias = Callable[[str, str], tuple[Call, Doc]]
"""Give the account that has an object, and the object, by kind and id; refuses when there is none."""


def answer(request: Request, find: Find) -> Response | None:
    """Show a hosted page, or do what the customer pressed on it; None for any other address."""
    for prefix, (kind_of, show) in _PAGES.items():
        if request.route_path.startswith(prefix):
            identifier = request.route_path.removeprefix(prefix)
            return show(*find(kind_of(identifier), identifier), request)
    return None


def kind_of_intent(identifier: str) -> str:
    return "setup_intent" if identifier.startswith("seti_") else "payment_intent"


def finish_challenge(call: Call, intent: Doc, succeeded: bool) -> Doc:
    """The customer passed or failed the challenge of an intent."""
    if microdeposits.under_way(intent):
        raise invalid(f"{intent['id']} awaits the verification of micro-deposits, not a challenge.")
    finish = setup_intents.authenticate if intent["object"] == "setup_intent" else paying.authenticate
    return finish(call, intent, succeeded)


def _challenge(call: Call, intent: Doc, request: Request) -> Response:
    if request.method != "POST":
        return pages.challenge_page(intent)
    succeeded = pages.outcome_of(request) == "succeed"
    intent = finish_challenge(call, intent, succeeded)
    return pages.way_back(intent, succeeded and intent["status"] not in ("requires_payment_method", "canceled"))


_PAGES: dict[str, tuple[Callable[[str], str], Callable[[Call, Doc, Request], Response]]] = {
    CHALLENGE: (kind_of_intent, _challenge),
    CHECKOUT: (lambda _: checkout.KIND, checkout_page.answer),
    billing_portal.PORTAL: (lambda _: billing_portal.KIND, billing_portal.answer),
    INVOICE_PAGE: (lambda _: "invoice", invoice_page.answer),
    microdeposits.VERIFY_PAGE: (kind_of_intent, bank_verification.answer),
    receipt_page.RECEIPT: (lambda _: "charge", receipt_page.answer),
}
