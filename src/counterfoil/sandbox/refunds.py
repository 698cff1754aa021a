"""Refunds: money given back, whole or in parts, never more than was taken."""

from __future__ import annotations

from counterfoil.sandbox import balance, payment_methods
from counterfoil.sandbox.call import Call, apply_given
from counterfoil.sandbox.currencies import check_unit, formatted
from counterfoil.sandbox.documents import Doc, copy_of
from counterfoil.sandbox.errors import StripeError, invalid
from counterfoil.sandbox.fields import METADATA
from counterfoil.sandbox.lists import CREATED, PAGING, Page, matches, page_of
from counterfoil.sandbox.params import Choice, Text, Whole, uncovered
from counterfoil.sandbox.routing import Route


def _create(call: Call) -> Doc:
    charge = _charge(call)
    check_refundable(call, charge)
    return refund_charge(call, charge, _amount(call, charge))


def refund_charge(call: Call, charge: Doc, amount: int) -> Doc:
    """Give an amount of a charge back, for the reason and with the metadata that `call` gives."""
    refund = _blank(call, charge, amount)
    before = copy_of(charge)
    if refund["status"] == "succeeded":
        refund["balance_transaction"] = _post(call, refund, charge)["id"]
    call.shelf.save(refund)
    call.note("refund", refund)
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    call.shelf.save(charge)
    call.emit("refund.created", refund)
    call.emit("charge.refunded", charge, before)
    if refund["_fate"] != "succeeds":
        call.schedule(call.now + call.world.settings.refund_settles_s, "settle_refund", refund)
    return refund


def settle_refund(call: Call, identifier: str) -> None:
    """A refund that was on its way arrives, or comes back."""
    refund = call.shelf.get("refund", identifier)
    if refund is None or refund["_fate"] == "succeeds":
        return
    before = copy_of(refund)
    charge = call.shelf.find("charge", refund["charge"], "charge")
    if refund["_fate"] == "pends":
        refund |= {"status": "succeeded", "_fate": "succeeds"}
        refund["balance_transaction"] = _post(call, refund, charge)["id"]
    else:
        _fail(call, refund, charge)
    call.shelf.save(refund)
    _tell_update(call, refund, before)


def _fail(call: Call, refund: Doc, charge: Doc) -> None:
    refund |= {"status": "failed", "failure_reason": "expired_or_canceled_card", "_fate": "succeeds"}
    kind = "payment_failure_refund" if charge["id"].startswith("py_") else "refund_failure"
    refund["failure_balance_transaction"] = balance.post(
        call, refund, kind, refund["amount"], description="REFUND FAILURE"
    )["id"]
    charge["amount_refunded"] -= refund["amount"]
    charge["refunded"] = False
    call.shelf.save(charge)
    call.note("refund_failed", refund)
    call.emit("refund.failed", refund)


def _retrieve(call: Call) -> Doc:
    return call.find("refund")


def _update(call: Call) -> Doc:
    refund = call.find("refund")
    before = copy_of(refund)
    apply_given(refund, call.given, ("metadata",))
    call.shelf.save(refund)
    if refund != before:
        _tell_update(call, refund, before)
    return refund


def _cancel(call: Call) -> Doc:
    """Only refunds that await the customer can be canceled, and those of cards and bank debits never do."""
    refund = call.find("refund")
    raise invalid(
        f"Refund {refund['id']} has a status of {refund['status']} and can't be "
        "canceled. Only a refund that requires action can."
    )


def _list(call: Call) -> Page:
    return page_of(call, "refund", matches(call.given, "charge", "payment_intent"))


def _of_charge(call: Call) -> Page:
    charge = call.find("charge")
    return page_of(call, "refund", lambda doc: bool(doc["charge"] == charge["id"]))


def _tell_update(call: Call, refund: Doc, before: Doc) -> None:
    call.emit("charge.refund.updated", refund, before)
    call.emit("refund.updated", refund, before)


def _charge(call: Call) -> Doc:
    """The charge to refund, by its id or by its intent's."""
    if call.given.get("charge"):
        charge = call.referred("charge", call.given["charge"], "charge")
    elif call.given.get("payment_intent"):
        charge = _charge_of_intent(call, call.given["payment_intent"])
    else:
        raise invalid(
            "One of the following params should be provided for this request: payment_intent or charge.",
            "payment_intent",
            "parameter_missing",
        )
    return charge


def check_refundable(call: Call, charge: Doc) -> None:
    """Refuse what was not captured, what a bank took back, and what was given back already."""
    if not charge["paid"] or not charge["captured"]:
        raise invalid(
            f"Charge {charge['id']} has not been captured, so it can't be refunded. Cancel its PaymentIntent instead.",
            "charge",
        )
    if charge["disputed"] and _is_withdrawn(call, charge):
        raise StripeError(
            f"Charge {charge['id']} has been charged back; cannot issue a refund.",
            code="charge_disputed",
            param="charge",
            stored=True,
        )
    if charge["refunded"]:
        message = f"Charge {charge['id']} has already been refunded."
        raise StripeError(message, code="charge_already_refunded", stored=True)


def refundable(charge: Doc) -> int:
    """What of a charge has not been given back."""
    return int(charge["amount"] - charge["amount_refunded"])


def _is_withdrawn(call: Call, charge: Doc) -> bool:
    dispute = call.shelf.get("dispute", charge["dispute"])
    return dispute is not None and not dispute["is_charge_refundable"]


def _charge_of_intent(call: Call, identifier: str) -> Doc:
    intent = call.referred("payment_intent", identifier, "payment_intent")
    charge = call.shelf.get("charge", intent["latest_charge"] or "")
    if charge is None or not charge["paid"]:
        raise invalid(
            f"This PaymentIntent ({identifier}) does not have a successful charge to refund.", "payment_intent"
        )
    return charge


def _amount(call: Call, charge: Doc) -> int:
    left = refundable(charge)
    amount: int = call.given.get("amount", left)
    if amount > left:
        message = (
            f"Refund amount ({formatted(amount, charge['currency'])}) is greater than unrefunded amount on charge "
            f"({formatted(left, charge['currency'])})"
        )
        raise invalid(message, "amount")
    check_unit(amount, charge["currency"])
    return amount


def _post(call: Call, refund: Doc, charge: Doc) -> Doc:
    bank = charge["id"].startswith("py_")
    return balance.post(
        call, refund, "payment_refund" if bank else "refund", -refund["amount"], description="REFUND FOR CHARGE"
    )


def _blank(call: Call, charge: Doc, amount: int) -> Doc:
    bank = charge["id"].startswith("py_")
    method = call.shelf.get("payment_method", charge["payment_method"])
    fate = "pends" if bank or method is None else payment_methods.behaviour(method).refund
    return {
        "id": call.world.new_id("pyr_1" if bank else "re_3"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": call.now,
        "currency": charge["currency"],
        "customer": charge["customer"],
        "customer_account": None,
        "destination_details": _destination(bank),
        "metadata": {key: value for key, value in (call.given.get("metadata") or {}).items() if value},
        "payment_intent": charge["payment_intent"],
        "payment_method": charge["payment_method"],
        "reason": call.given.get("reason"),
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "pending" if fate == "pends" else "succeeded",
        "transfer_reversal": None,
        "_fate": fate,
    }


def _destination(bank: bool) -> Doc:
    if bank:
        return {"type": "us_bank_transfer", "us_bank_transfer": {"reference": None, "reference_status": None}}
    return {
        "card": {"reference_status": "pending", "reference_type": "acquirer_reference_number", "type": "refund"},
        "type": "card",
    }


_REASONS = Choice(("duplicate", "fraudulent", "requested_by_customer"))
ROUTES = (
    Route(
        "POST",
        "/v1/refunds",
        _create,
        {
            **METADATA,
            "amount": Whole(least=1),
            "charge": Text(),
            "payment_intent": Text(),
            "reason": _REASONS,
            **uncovered(
                "currency", "customer", "instructions_email", "origin", "refund_application_fee", "reverse_transfer"
            ),
        },
    ),
    Route("GET", "/v1/refunds/{id}", _retrieve),
    Route("POST", "/v1/refunds/{id}", _update, METADATA),
    Route("POST", "/v1/refunds/{id}/cancel", _cancel),
    Route("GET", "/v1/refunds", _list, {**PAGING, **CREATED, "charge": Text(), "payment_intent": Text()}),
    Route("GET", "/v1/charges/{id}/refunds", _of_charge, PAGING),
)
