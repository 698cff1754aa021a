"""The private interface behind a checkout page, which Stripe's own CLI uses to pay without a browser."""

from __future__ import annotations

from counterfoil.sandbox import checkout, payment_methods
from counterfoil.sandbox.call import Call
from counterfoil.sandbox.documents import Doc
from counterfoil.sandbox.errors import StripeError
from counterfoil.sandbox.params import Anything, Hash, Kind, Text, Whole
from counterfoil.sandbox.routing import Route

_BROWSER: dict[str, Kind] = {
    name: Anything()
    for name in ("consent", "eid", "guid", "init_checksum", "js_checksum", "key", "muid", "sid", "version")
}
"""What Stripe's page sends about the browser; it changes nothing."""


def _retrieve(call: Call) -> Doc:
    return _page(call, call.find(checkout.KIND, "session"))


def _confirm(call: Call) -> Doc:
    session = call.find(checkout.KIND, "session")
    given = call.given
    checkout.check_open(session)
    expected = given.get("expected_amount")
    if expected is not None and session["mode"] != "setup" and expected != session["amount_total"]:
        message = f"The amount of this Checkout Session is {session['amount_total']}, not {expected}."
        raise StripeError(message, code="checkout_amount_mismatch", param="expected_amount")
    checkout.confirm(call, session, _method(call), given.get("return_url"))
    return _page(call, session)


def _method(call: Call) -> Doc | None:
    given = call.given
    if given.get("payment_method_data"):
        return payment_methods.build(call, given["payment_method_data"])
    if given.get("payment_method"):
        return payment_methods.resolve(call, given["payment_method"], "payment_method")
    return None


def _page(call: Call, session: Doc) -> Doc:
    total = session["amount_total"] or 0
    return {
        "id": session["_page"],
        "object": "payment_page",
        "session_id": session["id"],
        "amount_total": session["amount_total"],
        "cancel_url": session["cancel_url"],
        "client_reference_id": session["client_reference_id"],
        "currency": session["currency"],
        "customer_email": session["customer_email"],
        "livemode": session["livemode"],
        "mode": session["mode"],
        "payment_intent": _intent(call, session, "payment_intent"),
        "payment_method_types": session["payment_method_types"],
        "payment_status": session["payment_status"],
        "setup_intent": _intent(call, session, "setup_intent"),
        "status": session["status"],
        "success_url": session["success_url"],
        "total_summary": {"due": total, "subtotal": total, "total": total},
        "url": session["url"],
    }


def _intent(call: Call, session: Doc, kind: str) -> Doc | None:
    """The session's intent, where it is of this kind."""
    intent = checkout.intent_of(call, session)
    return intent if intent is not None and intent["object"] == kind else None


ROUTES = (
    Route("GET", "/v1/payment_pages/{id}", _retrieve, {"key": Anything()}, public=True),
    Route(
        "POST",
        "/v1/payment_pages/{id}/confirm",
        _confirm,
        {
            **_BROWSER,
            "expected_amount": Whole(),
            "expected_payment_method_type": Text(),
            "payment_method": Text(),
            "payment_method_data": Hash(payment_methods.DATA),
            "return_url": Text(),
        },
        public=True,
    ),
)
