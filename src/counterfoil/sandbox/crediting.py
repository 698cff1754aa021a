"""Where the money of a credit note goes: off what is still owed, then back to the customer in up to four ways."""

from __future__ import annotations

from dataclasses import replace

from counterfoil.sandbox import customer_balance, invoice_fields, invoice_payments, refunds
from counterfoil.sandbox.call import Call
from counterfoil.sandbox.currencies import formatted
from counterfoil.sandbox.documents import Doc, copy_of
from counterfoil.sandbox.errors import invalid
from counterfoil.sandbox.params import Given


def split(invoice: Doc, total: int) -> Doc:
    """How much of a note lowers what is owed, and how much was paid already."""
    before = min(total, invoice["amount_remaining"]) if invoice["status"] in invoice_payments.PAYABLE else 0
    kinds = {(True, False): "pre_payment", (False, True): "post_payment", (True, True): "mixed"}
    kind = kinds[before > 0, total > before]
    return {"pre_payment_amount": before, "post_payment_amount": total - before, "type": kind}


def check_shares(call: Call, invoice: Doc, note: Doc, linked: list[Given]) -> None:
    """What was paid must go back somehow: refunds, credit on the balance and money outside add up to it."""
    parts = [call.given.get(name) or 0 for name in ("credit_amount", "out_of_band_amount", "refund_amount")]
    given = sum(parts) + sum(amount for _, amount in _refunds(call, invoice, linked))
    if given != note["post_payment_amount"]:
        currency = note["currency"]
        message = (
            f"The sum of credit amount, refund amount and out of band amount ({formatted(given, currency)}) must equal "
            f"the post payment amount of the credit note ({formatted(note['post_payment_amount'], currency)})."
        )
        raise invalid(message)
    if call.given.get("refund_amount"):
        _charge_for(call, invoice, call.given["refund_amount"])


def settle(call: Call, invoice: Doc, note: Doc, linked: list[Given]) -> None:
    """Issue a note: give back what was paid, tell of the note, and lower what is owed."""
    for refund, amount in _refunds(call, invoice, linked):
        _account_for(note, refund, amount)
    if call.given.get("refund_amount"):
        _refund(call, invoice, note, call.given["refund_amount"])
    if call.given.get("credit_amount"):
        _credit(call, note, call.given["credit_amount"])
    call.create(note, "credit_note.created")
    before = copy_of(invoice)
    invoice["pre_payment_credit_notes_amount"] += note["pre_payment_amount"]
    invoice["post_payment_credit_notes_amount"] += note["post_payment_amount"]
    _owe(call, invoice, -note["pre_payment_amount"], before)


def owe_again(call: Call, invoice: Doc, amount: int) -> None:
    """A void note lowers nothing."""
    before = copy_of(invoice)
    invoice["pre_payment_credit_notes_amount"] -= amount
    _owe(call, invoice, amount, before)


def _owe(call: Call, invoice: Doc, change: int, before: Doc) -> None:
    invoice["amount_due"] += change
    invoice_fields.count_remaining(invoice)
    if change and not invoice["amount_remaining"]:
        invoice_payments.settle(call, invoice, before)
        return
    call.save(invoice, "invoice.updated", before)
    invoice_payments.expect_rest(call, invoice)


def _refunds(call: Call, invoice: Doc, linked: list[Given]) -> list[tuple[Doc, int]]:
    """The refunds that a note links to, each with its share in the note."""
    intents = {payment["payment"]["payment_intent"] for payment in invoice_payments.payments_of(call, invoice)}
    found: list[tuple[Doc, int]] = []
    for position, link in enumerate(linked):
        refund = call.referred("refund", link.get("refund"), f"refunds[{position}][refund]")
        amount = int(link.get("amount_refunded") or refund["amount"])
        if refund["payment_intent"] not in intents or amount > refund["amount"]:
            message = f"The refund {refund['id']} is not one of this invoice's payments, or is smaller than {amount}."
            raise invalid(message, f"refunds[{position}][refund]")
        found.append((refund, amount))
    return found


def _account_for(note: Doc, refund: Doc, amount: int) -> None:
    note["refund"] = note["refund"] or refund["id"]
    note["refunds"].append(
        {"amount_refunded": amount, "payment_record_refund": None, "refund": refund["id"], "type": "refund"}
    )


def _refund(call: Call, invoice: Doc, note: Doc, amount: int) -> None:
    reasons = {"duplicate": "duplicate", "fraudulent": "fraudulent"}
    own = replace(call, given={"reason": reasons.get(note["reason"] or "", "requested_by_customer")})
    _account_for(note, refunds.refund_charge(own, _charge_for(call, invoice, amount), amount), amount)


def _charge_for(call: Call, invoice: Doc, amount: int) -> Doc:
    """The charge of the invoice from which an amount can still be given back."""
    for payment in invoice_payments.payments_of(call, invoice):
        intent = call.shelf.find("payment_intent", payment["payment"]["payment_intent"], "payment_intent")
        charge = call.shelf.get("charge", intent["latest_charge"] or "")
        if payment["status"] == "paid" and charge is not None:
            refunds.check_refundable(call, charge)
            if amount <= refunds.refundable(charge):
                return charge
    raise invalid(
        f"The refund amount ({formatted(amount, invoice['currency'])}) is more than any payment of this invoice can "
        "give back.",
        "refund_amount",
    )


def _credit(call: Call, note: Doc, amount: int) -> None:
    customer = call.shelf.find("customer", note["customer"], "customer", 400)
    before = copy_of(customer)
    moved = customer_balance.move(call, customer, -amount, note["currency"], "credit_note")
    moved["credit_note"] = note["id"]
    call.shelf.save(moved)
    note["customer_balance_transaction"] = moved["id"]
    call.save(customer, "customer.updated", before)
