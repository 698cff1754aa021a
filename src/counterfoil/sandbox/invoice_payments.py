"""Invoice payments: how much of which payment pays which invoice. Several may pay one, and one may pay several."""

from __future__ import annotations

from typing import Any

from counterfoil.sandbox import customer_balance, dunning, invoice_fields, payment_intent_fields, payment_intents
from counterfoil.sandbox.call import Call
from counterfoil.sandbox.documents import Doc, copy_of
from counterfoil.sandbox.errors import invalid, parameter_missing
from counterfoil.sandbox.lists import CREATED, PAGING, Page, page_of, within
from counterfoil.sandbox.params import Choice, Given, Hash, Need, Text, uncovered
from counterfoil.sandbox.routing import Route

KIND = "invoice_payment"
PAYABLE = ("open", "uncollectible")
MOVING = ("processing", "requires_capture")
"""The states of an intent whose money may come without anybody's doing any more."""
REFERENCE_MOST = 25
"""How much of an invoice's id fits into a payment's order reference."""


def open_default(call: Call, invoice: Doc, method: Doc | None) -> Doc:
    """Make the payment that an invoice expects, with its intent, when it is finalized."""
    types = invoice["payment_settings"]["payment_method_types"]
    given: Given = {
        "amount": invoice["amount_due"],
        "currency": invoice["currency"],
        "customer": invoice["customer"],
        "description": "Payment for Invoice",
        "payment_method_types": types
        or payment_intent_fields.default_types(invoice["currency"], {"allow_redirects": "always"}),
        "statement_descriptor": invoice["statement_descriptor"],
        **invoice.get("_payment", {}),
    }
    if method is not None:
        given["payment_method"] = method["id"]
    owner: dict[str, Any] = {"_invoice": invoice["id"], "invoice": invoice["id"], "_attempt": None}
    if invoice.get("_session"):
        owner["_session"] = invoice["_session"]
    if invoice["parent"]:
        owner["payment_details"] = {"customer_reference": None, "order_reference": invoice["id"][:REFERENCE_MOST]}
    intent = payment_intents.open_intent(call, given, **owner)
    invoice["payment_intent"] = intent["id"]
    invoice["_confirmation_secret"] = {"client_secret": intent["client_secret"], "type": "payment_intent"}
    return _open(call, invoice, intent, invoice["amount_due"], is_default=True)


def expect(call: Call, invoice: Doc, intent: Doc) -> Doc:
    """Let a payment that was made before its invoice be the one that pays it."""
    invoice["payment_intent"] = intent["id"]
    intent |= {"invoice": invoice["id"], "_attempt": None}
    charge = call.shelf.get("charge", intent["latest_charge"] or "")
    if charge is not None:
        charge["invoice"] = invoice["id"]
        call.shelf.save(charge)
    return _open(call, invoice, intent, invoice["amount_due"], is_default=True)


def attach(call: Call, invoice: Doc, intent: Doc) -> None:
    """Let another payment pay a part of an invoice; one that has succeeded already counts at once."""
    _check_attachable(call, invoice, intent)
    _open(call, invoice, intent, min(intent["amount"], invoice["amount_remaining"]), is_default=False)
    if intent["status"] == "succeeded":
        payment_succeeded(call, intent)


def payments_of(call: Call, invoice: Doc) -> list[Doc]:
    return [payment for payment in call.shelf.rows(KIND) if payment["invoice"] == invoice["id"]]


def default_of(call: Call, invoice: Doc) -> tuple[Doc, Doc] | None:
    """The payment that an invoice expects, and its intent; None when there is none any more."""
    intent = call.shelf.get("payment_intent", invoice["payment_intent"] or "")
    for identifier in (intent or {}).get("_invoice_payments", ()):
        payment = call.shelf.find(KIND, identifier, KIND)
        if intent is not None and payment["is_default"] and payment["status"] != "canceled":
            return payment, intent
    return None


def cancel_default(call: Call, invoice: Doc, reason: str) -> None:
    """What was expected is expected no more; money that is on its way already is credited when it comes."""
    found = default_of(call, invoice)
    if found is not None and found[0]["status"] == "open" and found[1]["status"] not in MOVING:
        payment_intents.cancel_intent(call, found[1], reason)


def check_idle(call: Call, invoice: Doc, verb: str) -> None:
    """An invoice with a payment on its way, or paid in part, can't be closed otherwise."""
    for payment in payments_of(call, invoice):
        intent = call.shelf.find("payment_intent", payment["payment"]["payment_intent"], "payment_intent")
        is_moving = intent["status"] in MOVING
        if payment["status"] == "open" and (is_moving or not payment["is_default"]):
            raise invalid(f"You can't {verb} this invoice while its payment {payment['id']} is open.")
        if payment["status"] == "paid" and verb == "void":
            raise invalid(f"You can't {verb} this invoice because its payment {payment['id']} is paid.")


def settle(call: Call, invoice: Doc, before: Doc) -> None:
    """Nothing is left to pay: close the invoice as paid and tell it."""
    invoice |= {"status": "paid", "paid": True, "attempted": True, "auto_advance": False, "next_payment_attempt": None}
    invoice["status_transitions"]["paid_at"] = call.now
    call.shelf.save(invoice)
    cancel_default(call, invoice, "automatic")
    set_delinquent(call, invoice, False)
    call.emit("invoice.updated", invoice, before)
    call.emit("invoice.paid", invoice)
    call.emit("invoice.payment_succeeded", invoice)


def count_attempt(invoice: Doc, automatic: bool) -> None:
    """Any attempt is the first one; after that, only automatic ones count."""
    if automatic or not invoice["attempt_count"]:
        invoice["attempt_count"] += 1
    invoice |= {"attempted": True, "next_payment_attempt": None}


def payment_succeeded(call: Call, intent: Doc) -> None:
    """Give a payment's money to the invoices that it is for; what is too much becomes the customer's credit."""
    left = intent["amount_received"]
    payments = _open_payments(call, intent)
    for payment in payments:
        invoice = call.shelf.find("invoice", payment["invoice"], "invoice")
        taken = min(left, invoice["amount_remaining"]) if invoice["status"] in PAYABLE else 0
        left -= taken
        is_last = payment is payments[-1]
        _credit(call, payment, invoice, intent, taken, left if is_last else 0)


def payment_canceled(call: Call, intent: Doc) -> None:
    for payment in _open_payments(call, intent):
        payment["status"] = "canceled"
        payment["status_transitions"]["canceled_at"] = call.now
        call.shelf.save(payment)


def payment_processing(call: Call, intent: Doc) -> None:
    """A debit is on its way: the invoice was attempted, and is paid or open in some days."""
    invoice = _default_invoice(call, intent)
    if invoice is not None:
        before = copy_of(invoice)
        count_attempt(invoice, intent["_attempt"] == "automatic")
        call.save(invoice, "invoice.updated", before)


def payment_failed(call: Call, intent: Doc) -> None:
    """The expected payment was refused, or a debit came back: the invoice stays open."""
    invoice = _default_invoice(call, intent)
    if invoice is not None:
        _tell_failure(call, invoice, intent, "invoice.payment_failed")
        expect_rest(call, invoice)
    elif intent.get("_invoice"):
        # Another payment has paid the invoice since this debit set out.
        payment_intents.cancel_intent(call, intent, "automatic")


def payment_challenged(call: Call, intent: Doc) -> None:
    """The customer must authenticate; for an attempt without them that is a failure too."""
    invoice = _default_invoice(call, intent)
    if invoice is None:
        return
    names = ("invoice.payment_action_required", "invoice.payment_failed")
    _tell_failure(call, invoice, intent, *(names if intent["_attempt"] else names[:1]))


def _tell_failure(call: Call, invoice: Doc, intent: Doc, *names: str) -> None:
    before = copy_of(invoice)
    count_attempt(invoice, intent["_attempt"] == "automatic")
    dunning.plan_retry(call, invoice)
    invoice["charge"] = intent["latest_charge"]
    call.shelf.save(invoice)
    call.emit("invoice.updated", invoice, before)
    for name in names:
        call.emit(name, invoice)


def _credit(call: Call, payment: Doc, invoice: Doc, intent: Doc, taken: int, excess: int) -> None:
    """Book what one payment pays of one invoice."""
    before = copy_of(invoice)
    payment |= {"status": "paid", "amount_paid": taken}
    payment["status_transitions"]["paid_at"] = call.now
    call.save(payment, "invoice_payment.paid")
    invoice["amount_paid"] += taken
    if payment["is_default"]:
        invoice["charge"] = intent["latest_charge"]
        count_attempt(invoice, intent["_attempt"] == "automatic")
    invoice_fields.count_remaining(invoice)
    if excess:
        _give_back(call, invoice, excess)
    if invoice["status"] in PAYABLE and not invoice["amount_remaining"]:
        settle(call, invoice, before)
        return
    call.save(invoice, "invoice.updated", before)
    expect_rest(call, invoice)


def _give_back(call: Call, invoice: Doc, excess: int) -> None:
    """More than the invoice was paid: the customer has it as credit."""
    invoice["amount_overpaid"] += excess
    customer = call.shelf.get("customer", invoice["customer"])
    if customer is None or customer.get("deleted"):
        return
    before = copy_of(customer)
    customer_balance.move(call, customer, -excess, invoice["currency"], "invoice_overpaid", invoice["id"])
    call.save(customer, "customer.updated", before)
    call.emit("invoice.overpaid", invoice)


def expect_rest(call: Call, invoice: Doc) -> None:
    """The expected payment follows what remains, unless its money is on the way."""
    found = default_of(call, invoice)
    if found is None or found[0]["status"] != "open" or found[1]["status"] in MOVING:
        return
    payment, intent = found
    payment["amount_requested"] = intent["amount"] = invoice["amount_remaining"]
    call.shelf.save(payment)
    call.shelf.save(intent)


def set_delinquent(call: Call, invoice: Doc, is_delinquent: bool) -> None:
    """A customer is delinquent from an automatic payment that fails, or a day that passes, until they pay."""
    customer = call.shelf.get("customer", invoice["customer"])
    if customer is not None and not customer.get("deleted") and customer["delinquent"] != is_delinquent:
        before = copy_of(customer)
        customer["delinquent"] = is_delinquent
        call.save(customer, "customer.updated", before)


def _open_payments(call: Call, intent: Doc) -> list[Doc]:
    found = [call.shelf.find(KIND, identifier, KIND) for identifier in intent.get("_invoice_payments", ())]
    return [payment for payment in found if payment["status"] == "open"]


def _default_invoice(call: Call, intent: Doc) -> Doc | None:
    invoice = call.shelf.get("invoice", intent.get("_invoice") or "")
    return invoice if invoice is not None and invoice["status"] in PAYABLE else None


def _check_attachable(call: Call, invoice: Doc, intent: Doc) -> None:
    if invoice["status"] not in PAYABLE:
        raise invalid(f"You can only attach payments to open invoices; this one is {invoice['status']}.", "invoice")
    for name in ("customer", "currency"):
        if intent[name] != invoice[name]:
            raise invalid(f"The PaymentIntent must have the same {name} as the invoice.", "payment_intent")
    if intent["status"] == "canceled":
        raise invalid("A canceled PaymentIntent can't be attached to an invoice.", "payment_intent")
    if intent["amount"] > invoice["amount_remaining"]:
        raise invalid(
            f"The amount of the PaymentIntent ({intent['amount']}) is more than what remains of the invoice "
            f"({invoice['amount_remaining']}).",
            "payment_intent",
        )
    attached = [call.shelf.find(KIND, identifier, KIND) for identifier in intent.get("_invoice_payments", ())]
    if intent.get("_session") or any(payment["invoice"] == invoice["id"] for payment in attached):
        raise invalid(f"The PaymentIntent {intent['id']} is already in use and can't be attached.", "payment_intent")
    if sum(payment["amount_requested"] for payment in attached) + 1 > intent["amount"]:
        raise invalid(f"The PaymentIntent {intent['id']} is wholly used by other invoices.", "payment_intent")


def _open(call: Call, invoice: Doc, intent: Doc, amount: int, is_default: bool) -> Doc:
    payment: Doc = {
        "id": call.world.new_id("inpay_1"),
        "object": KIND,
        "amount_paid": None,
        "amount_requested": amount,
        "created": call.now,
        "currency": invoice["currency"],
        "invoice": invoice["id"],
        "is_default": is_default,
        "livemode": call.livemode,
        "payment": {"payment_intent": intent["id"], "type": "payment_intent"},
        "status": "open",
        "status_transitions": {"canceled_at": None, "paid_at": None},
    }
    intent.setdefault("_invoice_payments", []).append(payment["id"])
    call.shelf.save(intent)
    return call.create(payment)


def _retrieve(call: Call) -> Doc:
    return call.find(KIND)


def _list(call: Call) -> Page:
    given = call.given
    payment = given.get("payment") or {}
    if payment.get("type") == "payment_intent" and not payment.get("payment_intent"):
        raise parameter_missing("payment[payment_intent]")
    wanted = payment.get("payment_intent")

    def keep(row: Doc) -> bool:
        return (
            given.get("invoice") in (None, row["invoice"])
            and given.get("status") in (None, row["status"])
            and wanted in (None, row["payment"]["payment_intent"])
            and within(row["created"], given.get("created"))
        )

    return page_of(call, KIND, keep)


ROUTES = (
    Route(
        "GET",
        "/v1/invoice_payments",
        _list,
        {
            **PAGING,
            **CREATED,
            "invoice": Text(),
            "payment": Hash(
                {
                    "type": Need(Choice(("payment_intent",), clears=False)),
                    "payment_intent": Text(),
                    **uncovered("payment_record"),
                }
            ),
            "status": Choice(("open", "paid", "canceled"), clears=False),
        },
    ),
    Route("GET", "/v1/invoice_payments/{id}", _retrieve),
)
