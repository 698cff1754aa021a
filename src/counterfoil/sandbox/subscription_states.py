"""The status of a subscription: how it follows its invoices, and what is told of it."""

from __future__ import annotations

from counterfoil.sandbox import dunning, invoice_payments, invoices, setup_intents
from counterfoil.sandbox.call import Call
from counterfoil.sandbox.documents import Doc, copy_of
from counterfoil.sandbox.subscription_fields import KIND

ENDED = ("canceled", "incomplete_expired")
_OWING = ("past_due", "unpaid")
INCOMPLETE_S = 23 * 3_600
"""How long the first payment of a subscription may take."""


def save(call: Call, subscription: Doc, before: Doc) -> Doc:
    """Store a changed subscription and tell it, once it is known at all."""
    return call.save(subscription, "customer.subscription.updated" if subscription["_told"] else None, before)


def set_status(call: Call, subscription: Doc, status: str, **more: object) -> None:
    before = copy_of(subscription)
    subscription |= {"status": status, **more}
    save(call, subscription, before)


def invoice_paid(call: Call, invoice: Doc) -> None:
    """A payment starts a subscription that waited for its first, and relieves one whose latest invoice it pays."""
    subscription = _of(call, invoice)
    if subscription is None:
        return
    _keep_method(call, subscription, invoice)
    if subscription["status"] == "incomplete":
        set_status(call, subscription, "active")
    elif invoice["id"] == subscription["_resumption"]:
        resume(call, subscription)
    elif subscription["status"] in _OWING and invoice["id"] == subscription["latest_invoice"]:
        set_status(call, subscription, "active")


def payment_processing(call: Call, intent: Doc) -> None:
    """A bank debit takes longer than a first payment may: the subscription is active meanwhile."""
    invoice = call.shelf.get("invoice", intent.get("_invoice") or "")
    subscription = None if invoice is None else _of(call, invoice)
    if subscription is not None and subscription["status"] == "incomplete":
        set_status(call, subscription, "active")


def invoice_failed(call: Call, invoice: Doc) -> None:
    """A refused payment makes a subscription overdue; the last one ends it as the account has chosen."""
    subscription = _of(call, invoice)
    if subscription is None:
        return
    is_sent = invoice["collection_method"] == "send_invoice"
    if not is_sent and subscription["status"] != "incomplete":
        invoice_payments.set_delinquent(call, invoice, True)
    if subscription["status"] in ("active", "trialing") and not is_sent:
        set_status(call, subscription, "past_due")
    if invoice["id"] == subscription["_resumption"] and subscription.get("_resumes_on_attempt"):
        resume(call, subscription, "past_due")
    if invoice.get("_exhausted") and subscription["status"] == "past_due":
        give_up(call, subscription)


def invoice_closed(call: Call, invoice: Doc) -> None:
    """An invoice was voided or written off: a first one ends its subscription, a latest one is owed no more."""
    subscription = _of(call, invoice)
    if subscription is None:
        return
    if subscription["status"] == "incomplete":
        set_status(call, subscription, "incomplete_expired", ended_at=call.now)
    elif invoice["id"] == subscription["_resumption"]:
        if invoice["status"] == "uncollectible":
            resume(call, subscription)
        else:
            subscription["_resumption"] = None
            call.shelf.save(subscription)
    elif subscription["status"] == "past_due" and invoice["id"] == subscription["latest_invoice"]:
        set_status(call, subscription, "active")


def give_up(call: Call, subscription: Doc) -> None:
    """Nothing more is tried: cancel, leave unpaid, or leave as it is."""
    end = dunning.end_of(call)
    if end == "canceled":
        cancel(call, subscription, "payment_failed")
    elif end == "unpaid":
        set_status(call, subscription, "unpaid")


def cancel(call: Call, subscription: Doc, reason: str | None) -> None:
    """End a subscription now. Its invoices that are open or drafts are no longer collected by themselves."""
    subscription |= {
        "status": "canceled",
        "canceled_at": subscription["canceled_at"] or call.now,
        "ended_at": call.now,
        "pause_collection": None,
    }
    if reason:
        subscription["cancellation_details"]["reason"] = reason
    subscription.pop("status_details", None)
    call.shelf.save(subscription)
    _stop_collecting(call, subscription)
    drop_setup(call, subscription)
    call.emit("customer.subscription.deleted", subscription)


def expire(call: Call, subscription: Doc) -> None:
    """The first payment never came: the subscription never was, and its invoice is void."""
    invoice = call.shelf.get("invoice", subscription["latest_invoice"] or "")
    if invoice is not None and invoice["status"] == "open":
        invoices.void_invoice(call, invoice)
    if subscription["status"] == "incomplete":
        set_status(call, subscription, "incomplete_expired", ended_at=call.now)
    drop_setup(call, subscription)


def expire_incomplete(call: Call, identifier: str) -> None:
    """A day without the first payment, less the hour that Stripe keeps."""
    subscription = call.shelf.get(KIND, identifier)
    if subscription is not None and subscription["status"] == "incomplete":
        expire(call, subscription)


def drop_resumption(call: Call, identifier: str) -> None:
    """Nobody paid for the resumption in time: it is off, and the subscription stays paused."""
    invoice = call.shelf.get("invoice", identifier)
    subscription = None if invoice is None else _of(call, invoice)
    if invoice is None or subscription is None or subscription["_resumption"] != identifier:
        return
    if invoice["status"] == "open" and not invoice["attempted"]:
        invoices.void_invoice(call, invoice)


def resume(call: Call, subscription: Doc, status: str = "active") -> None:
    """A paused subscription bills again."""
    before = copy_of(subscription)
    subscription |= {"status": status, "_resumption": None}
    subscription.pop("status_details", None)
    call.shelf.save(subscription)
    call.emit("customer.subscription.updated", subscription, before)
    call.emit("customer.subscription.resumed", subscription)


def pause(call: Call, subscription: Doc, reason: str) -> None:
    """No period begins and nothing is billed until the subscription is resumed."""
    before = copy_of(subscription)
    subscription["status"] = "paused"
    subscription["status_details"] = {
        "paused": {"subscription": {"type": reason}, "transitioned_at": call.now, "type": "subscription"}
    }
    call.shelf.save(subscription)
    call.emit("customer.subscription.updated", subscription, before)
    call.emit("customer.subscription.paused", subscription)


def setup_succeeded(call: Call, intent: Doc) -> None:
    """The customer has set a method up for a subscription that had none."""
    subscription = call.shelf.get(KIND, intent.get("_subscription") or "")
    if subscription is None or subscription["pending_setup_intent"] != intent["id"]:
        return
    before = copy_of(subscription)
    subscription["pending_setup_intent"] = None
    if _keeps_methods(subscription):
        subscription["default_payment_method"] = intent["payment_method"]
    save(call, subscription, before)


def customer_deleted(call: Call, customer: Doc) -> None:
    """Who is gone subscribes to nothing."""
    for subscription in call.shelf.rows(KIND):
        if subscription["customer"] != customer["id"] or subscription["status"] in ENDED:
            continue
        if subscription["status"] == "incomplete":
            set_status(call, subscription, "incomplete_expired", ended_at=call.now)
        else:
            cancel(call, subscription, "cancellation_requested")


def drop_setup(call: Call, subscription: Doc) -> None:
    intent = call.shelf.get("setup_intent", subscription["pending_setup_intent"] or "")
    if intent is not None and intent["status"] not in ("succeeded", "canceled"):
        setup_intents.cancel_intent(call, intent, "abandoned")


def _keep_method(call: Call, subscription: Doc, invoice: Doc) -> None:
    """What paid becomes the subscription's default, where it was asked to."""
    intent = call.shelf.get("payment_intent", invoice["payment_intent"] or "") or {}
    method = call.shelf.get("payment_method", intent.get("payment_method") or "")
    is_kept = _keeps_methods(subscription) or bool(subscription.get("_session"))
    if not is_kept or method is None or method["customer"] != subscription["customer"]:
        return
    before = copy_of(subscription)
    subscription["default_payment_method"] = method["id"]
    save(call, subscription, before)


def _keeps_methods(subscription: Doc) -> bool:
    return bool(subscription["payment_settings"]["save_default_payment_method"] == "on_subscription")


def _stop_collecting(call: Call, subscription: Doc) -> None:
    for invoice in call.shelf.rows("invoice"):
        if invoice["subscription"] == subscription["id"] and invoice["status"] in ("draft", "open"):
            before = copy_of(invoice)
            invoice |= {"auto_advance": False, "automatically_finalizes_at": None, "next_payment_attempt": None}
            call.save(invoice, "invoice.updated", before)


def _of(call: Call, invoice: Doc) -> Doc | None:
    """The living subscription that an invoice is of; one made by hand leaves its subscription alone."""
    if invoice["billing_reason"] == "manual":
        return None
    subscription = call.shelf.get(KIND, invoice["subscription"] or "")
    return None if subscription is None or subscription["status"] in ENDED else subscription
