"""How an invoice is finalized and paid: by hand, or by itself an hour after it was made."""

from __future__ import annotations

from counterfoil.sandbox import (
    customer_balance,
    discounts,
    dunning,
    invoice_fields,
    invoice_payments,
    paying,
    payment_methods,
)
from counterfoil.sandbox.call import Call
from counterfoil.sandbox.currencies import LEAST, MOST, formatted
from counterfoil.sandbox.documents import Doc, copy_of
from counterfoil.sandbox.errors import StripeError, invalid

NO_METHOD = (
    "This customer has no attached payment source or default payment method. Please consider adding a default payment "
    "method. For more information, visit "
    "https://stripe.com/docs/billing/subscriptions/payment-methods-setting#payment-method-priority."
)
INVOICE_PAGE = "/_sandbox/invoice/"
NEEDS_ACTION = (
    "This payment requires additional user action before it can be completed successfully. Payment can be completed "
    "using the PaymentIntent associated with the invoice. For more details see: "
    "https://stripe.com/docs/billing/subscriptions/overview#requires-action"
)


def finalize(call: Call, invoice: Doc) -> Doc:
    """Close a draft to changes, apply the customer's balance and expect the rest; nothing left is paid at once."""
    customer = call.shelf.find("customer", invoice["customer"], "customer", 400)
    before, customer_before = copy_of(invoice), copy_of(customer)
    invoice |= invoice_fields.customer_facts(customer)
    invoice_fields.recount(invoice, customer)
    _check_final(call, invoice, customer, before)
    paid = _payment_before(call, invoice)
    if "_prepaid" not in invoice:
        _apply_balance(call, invoice, customer)
    _number(invoice, customer)
    _open(call, invoice)
    if paid is not None:
        invoice_payments.expect(call, invoice, paid)
    elif invoice["amount_due"]:
        method = default_method(call, invoice)
        is_ours = method is not None and method["type"] != "custom"
        invoice_payments.open_default(call, invoice, method if is_ours else None)
    call.save(customer, "customer.updated", customer_before)
    call.shelf.save(invoice)
    call.emit("invoice.finalized", invoice)
    call.emit("invoice.updated", invoice, before)
    discounts.use_up(call, invoice)
    if paid is not None:
        invoice_payments.payment_succeeded(call, paid)
    elif not invoice["amount_due"]:
        invoice_payments.settle(call, invoice, copy_of(invoice))
    elif invoice["next_payment_attempt"]:
        call.schedule(invoice["next_payment_attempt"], "advance_invoice", invoice)
    return invoice


def collect(call: Call, invoice: Doc, method: Doc, attempt: str, is_away: bool) -> Doc:
    """Try to pay what remains; a refusal raises the 402 after it is recorded. `attempt`: automatic or manual."""
    if method["type"] == "custom":
        return _leave_to_others(call, invoice, attempt)
    found = invoice_payments.default_of(call, invoice)
    assert found is not None, f"{invoice['id']} is open and expects no payment"
    _, intent = found
    if intent["status"] in invoice_payments.MOVING:
        raise invalid(f"This invoice can't be paid: its payment is {intent['status'].replace('_', ' ')}.")
    paying.check_usable(method, invoice["customer"])
    intent |= {"_attempt": attempt, "_authenticated": False}
    try:
        paying.pay(call, intent, method, off_session=is_away, refuse_challenge=False)
        if intent["status"] == "requires_action":
            raise StripeError(
                NEEDS_ACTION,
                status=402,
                type="card_error",
                code="invoice_payment_intent_requires_action",
                stored=True,
                payment_intent=intent,
            )
    finally:
        # A debit that comes back in some days is still this attempt; a customer who authenticates makes their own.
        if intent["status"] != "processing":
            intent["_attempt"] = None
            call.shelf.save(intent)
    return invoice


def _leave_to_others(call: Call, invoice: Doc, attempt: str) -> Doc:
    """A method that Stripe can't process: whoever can is told, and says later that it was paid."""
    before = copy_of(invoice)
    invoice_payments.count_attempt(invoice, automatic=attempt == "automatic")
    call.save(invoice, "invoice.updated", before)
    call.emit("invoice.payment_attempt_required", invoice)
    return invoice


def pay_out_of_band(call: Call, invoice: Doc) -> Doc:
    """The money came some other way: take the whole remainder for paid."""
    invoice_payments.check_idle(call, invoice, "pay")
    before = copy_of(invoice)
    invoice["amount_paid_off_stripe"] += invoice["amount_remaining"]
    invoice |= {"amount_paid": invoice["amount_due"], "paid_out_of_band": True}
    invoice_fields.count_remaining(invoice)
    invoice_payments.settle(call, invoice, before)
    return invoice


def advance_invoice(call: Call, identifier: str) -> None:
    """An invoice's hour has come: finalize the draft, then send it or try to pay it."""
    invoice = call.shelf.get("invoice", identifier)
    if invoice is None or invoice.get("deleted") or not _is_due(call, invoice):
        return
    try:
        if invoice["status"] == "draft":
            finalize(call, invoice)
            if invoice["collection_method"] == "send_invoice" and invoice["auto_advance"]:
                call.emit("invoice.sent", invoice)
        if invoice["status"] == "open" and invoice["next_payment_attempt"] is not None:
            _collect_by_itself(call, invoice)
    except StripeError:
        # What went wrong is on the invoice and told by its events; nobody waits for an answer.
        return


def default_method(call: Call, invoice: Doc) -> Doc | None:
    """What an invoice is paid with unless another method is named: its own, its subscription's, else its customer's
    default.
    """
    customer = call.shelf.get("customer", invoice["customer"]) or {}
    subscription = call.shelf.get("subscription", invoice["subscription"] or "") or {}
    defaults = (
        invoice["default_payment_method"],
        subscription.get("default_payment_method"),
        (customer.get("invoice_settings") or {}).get("default_payment_method"),
    )
    for identifier in defaults:
        method = call.shelf.get("payment_method", identifier or "")
        if method is not None and method["customer"] == invoice["customer"]:
            return method
    return None


def schedule_advance(call: Call, invoice: Doc) -> None:
    """Say when a draft goes on by itself, and see to it."""
    if invoice["status"] != "draft":
        return
    due = invoice["automatically_finalizes_at"] if invoice["auto_advance"] else None
    if invoice["auto_advance"] and due is None:
        due = invoice["created"] + invoice_fields.GRACE_S
    due = due if due is None else max(due, call.now)
    charges = invoice["collection_method"] == "charge_automatically"
    invoice |= {"automatically_finalizes_at": due, "next_payment_attempt": due if charges else None}
    if due is not None:
        call.schedule(due, "advance_invoice", invoice)


def _is_due(call: Call, invoice: Doc) -> bool:
    """False for a timer that was set before its invoice changed its mind."""
    due = invoice["automatically_finalizes_at"] if invoice["status"] == "draft" else invoice["next_payment_attempt"]
    return bool(invoice["auto_advance"]) and due is not None and int(due) <= call.now


def _collect_by_itself(call: Call, invoice: Doc) -> None:
    method = default_method(call, invoice)
    if method is not None:
        collect(call, invoice, method, "automatic", is_away=True)
        return
    miss_method(call, invoice)


def miss_method(call: Call, invoice: Doc) -> None:
    """An attempt fails for want of anything to pay with."""
    before = copy_of(invoice)
    invoice_payments.count_attempt(invoice, automatic=True)
    dunning.plan_retry(call, invoice)
    call.save(invoice, "invoice.updated", before)
    call.emit("invoice.payment_failed", invoice)


def _check_final(call: Call, invoice: Doc, customer: Doc, before: Doc) -> None:
    """Refuse what can't be finalized; the invoice says why, also to those who did not ask."""
    error = _flaw(call, invoice, customer)
    if error is None:
        return
    invoice["last_finalization_error"] = dict(error.fields)
    call.save(invoice)
    call.emit("invoice.updated", invoice, before)
    call.emit("invoice.finalization_failed", invoice)
    raise error


def _flaw(call: Call, invoice: Doc, customer: Doc) -> StripeError | None:
    currency = invoice["currency"]
    if 0 < invoice["amount_due"] < LEAST.get(currency, 1) and customer["currency"] not in (None, currency):
        message = f"Amount must be at least {formatted(LEAST[currency], currency)} {currency}"
        return StripeError(message, code="amount_too_small", stored=True)
    if invoice["amount_due"] > MOST:
        message = f"Amount must be no more than {formatted(MOST, currency)}"
        return StripeError(message, code="amount_too_large", stored=True)
    if invoice["number"] is not None and _is_taken(call, invoice):
        message = f"The invoice number {invoice['number']} is already used by another invoice."
        return StripeError(message, param="number", stored=True)
    return None


def _is_taken(call: Call, invoice: Doc) -> bool:
    return any(
        other["number"] == invoice["number"] and other["id"] != invoice["id"] and other["status"] != "draft"
        for other in call.shelf.rows("invoice")
    )


def _payment_before(call: Call, invoice: Doc) -> Doc | None:
    """The payment that was made before its invoice, as a checkout session's is; the customer's balance is no part of
    it.
    """
    if "_prepaid" in invoice:
        invoice |= {"amount_due": invoice["total"], "ending_balance": 0, "starting_balance": 0}
        invoice_fields.count_remaining(invoice)
    return call.shelf.get("payment_intent", invoice.get("_prepaid") or "")


def _apply_balance(call: Call, invoice: Doc, customer: Doc) -> None:
    """Use the customer's credit, or add what they owe; a rest too small to be charged waits on their balance."""
    currency, start = invoice["currency"], invoice["starting_balance"]
    due = max(0, invoice["total"] + start)
    end = min(0, invoice["total"] + start)
    if end != start:
        customer_balance.move(call, customer, end - start, currency, "applied_to_invoice", invoice["id"])
    if 0 < due < LEAST.get(currency, 1):
        customer_balance.move(call, customer, due, currency, "invoice_too_small", invoice["id"])
        due, end = 0, due
    invoice |= {"amount_due": due, "ending_balance": end}
    invoice_fields.count_remaining(invoice)


def _number(invoice: Doc, customer: Doc) -> None:
    """Give an invoice the next number of its customer, unless it was given one."""
    if invoice["number"] is None:
        invoice["number"] = f"{customer['invoice_prefix']}-{customer['next_invoice_sequence']:04}"
        customer["next_invoice_sequence"] += 1


def _open(call: Call, invoice: Doc) -> None:
    account, mode = call.shelf.account["id"], "live" if call.livemode else "test"
    page = f"{account}/{mode}_{invoice['id']}"
    invoice |= {
        "status": "open",
        "automatically_finalizes_at": None,
        "effective_at": invoice["effective_at"] or call.now,
        "hosted_invoice_url": f"{call.world.settings.public_url}{INVOICE_PAGE}{invoice['id']}",
        "invoice_pdf": f"https://pay.stripe.com/invoice/{page}/pdf?s=ap",
        "last_finalization_error": None,
        "next_payment_attempt": _next_attempt(call, invoice),
    }
    invoice["status_transitions"]["finalized_at"] = call.now
    if invoice["_due_days"] is not None:
        invoice["due_date"] = call.now + invoice["_due_days"] * 86_400


def _next_attempt(call: Call, invoice: Doc) -> int | None:
    if not invoice["auto_advance"] or invoice["collection_method"] == "send_invoice":
        return None
    return max(call.now, int(invoice["created"]) + invoice_fields.GRACE_S)


def method_to_pay_with(call: Call, invoice: Doc) -> Doc:
    """The method that the caller names, else the default; without any, the call is refused."""
    if call.given.get("payment_method"):
        method = call.referred("payment_method", call.given["payment_method"], "payment_method")
        if method["customer"] != invoice["customer"]:
            raise payment_methods.not_of_customer(method["id"])
        return method
    found = default_method(call, invoice)
    if found is None:
        raise StripeError(NO_METHOD, code="resource_missing")
    return found
