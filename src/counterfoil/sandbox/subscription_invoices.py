"""The invoices of a subscription: drafted for a period or a change, and billed at once or an hour later."""

from __future__ import annotations

from dataclasses import dataclass

from counterfoil.sandbox import (
    invoice_collecting,
    invoice_fields,
    invoice_items,
    prorations,
    subscription_items,
    subscription_terms,
)
from counterfoil.sandbox.call import Call
from counterfoil.sandbox.documents import Doc, copy_of
from counterfoil.sandbox.errors import StripeError
from counterfoil.sandbox.subscription_lines import Span

_DESCRIPTIONS = {"subscription_create": "Subscription creation"}
"""How the payment of an invoice is described, by the reason of the invoice; the others are updates."""


@dataclass(frozen=True, slots=True)
class Bill:
    """What an invoice is to be: why, for which lines, and for the period that it looks back on."""

    reason: str
    lines: list[Doc]
    period: Span
    takes_pending: bool = True
    proration_date: int | None = None


def draft(call: Call, subscription: Doc, bill: Bill) -> Doc:
    """Make the draft of an invoice, with whatever waits for the subscription's next one."""
    customer = call.shelf.find("customer", subscription["customer"], "customer", 400)
    invoice = invoice_fields.blank_invoice(call, customer, subscription["currency"])
    _take_over(invoice, subscription, bill)
    subscription_terms.hand_over(call, subscription, invoice)
    for line in bill.lines:
        line["invoice"] = invoice["id"]
        invoice["_lines"].append(line)
    if bill.takes_pending:
        invoice_items.take_up(call, invoice, pending_of(call, subscription), first=True)
    invoice_fields.recount(invoice, customer)
    _note_debits(call, bill.lines)
    return invoice


def pending_of(call: Call, subscription: Doc) -> list[Doc]:
    """What waits for the next invoice of a subscription: its own, and what waits for any invoice of the customer."""
    waiting = invoice_items.pending_items(call, subscription["customer"], subscription["currency"])
    return [item for item in waiting if item["subscription"] in (None, subscription["id"])]


def issue(call: Call, subscription: Doc, invoice: Doc) -> None:
    """Store a draft as the subscription's latest invoice, and tell it. One that is sent goes on by itself."""
    if invoice["collection_method"] == "send_invoice" and invoice["billing_reason"] != "subscription_cycle":
        invoice["auto_advance"] = True
    invoice_collecting.schedule_advance(call, invoice)
    call.create(invoice, "invoice.created")
    subscription["latest_invoice"] = invoice["id"]
    call.shelf.save(subscription)


def collect_now(call: Call, invoice: Doc, behavior: str) -> StripeError | None:
    """Finalize an issued draft at once and try to collect it; returns why it could not be collected.

    `behavior`: default_incomplete leaves the trying to the customer. An invoice that is sent waits for its hour.
    """
    if invoice["collection_method"] == "send_invoice":
        return None
    try:
        invoice_collecting.finalize(call, invoice)
        if invoice["status"] == "paid" or behavior == "default_incomplete":
            return None
        method = invoice_collecting.default_method(call, invoice)
        if method is None:
            invoice_collecting.miss_method(call, invoice)
            return StripeError(invoice_collecting.NO_METHOD, code="resource_missing")
        invoice_collecting.collect(call, invoice, method, "automatic", bool(call.given.get("off_session")))
    except StripeError as error:
        return error
    return None


def _take_over(invoice: Doc, subscription: Doc, bill: Bill) -> None:
    """What an invoice has of its subscription."""
    details = {"metadata": dict(subscription["metadata"])}
    parent = {**details, "subscription": subscription["id"]}
    invoice |= {
        "billing_reason": bill.reason,
        "collection_method": subscription["collection_method"],
        "custom_fields": subscription["invoice_settings"]["custom_fields"],
        "description": subscription["invoice_settings"]["description"],
        "footer": subscription["invoice_settings"]["footer"],
        "period_end": bill.period[1],
        "period_start": bill.period[0],
        "subscription": subscription["id"],
        "subscription_details": copy_of(details),
        "_payment": {"description": _DESCRIPTIONS.get(bill.reason, "Subscription update")},
    }
    if bill.reason == "subscription_create":
        invoice["_payment"]["setup_future_usage"] = "off_session"
    if subscription.get("_session"):
        invoice["_session"] = subscription["_session"]
    if bill.proration_date is not None:
        invoice["subscription_proration_date"] = parent["subscription_proration_date"] = bill.proration_date
    invoice["parent"] = {"quote_details": None, "subscription_details": parent, "type": "subscription_details"}
    types = subscription["payment_settings"]["payment_method_types"]
    invoice["payment_settings"]["payment_method_types"] = types
    if subscription["collection_method"] == "send_invoice":
        days = subscription["days_until_due"]
        invoice |= {"_due_days": days, "due_date": invoice["created"] + days * 86_400}


def _note_debits(call: Call, lines: list[Doc]) -> None:
    """Each item remembers the line that debits its period, and what its discounts leave of it."""
    for line in lines:
        item = call.shelf.get(subscription_items.KIND, line["subscription_item"])
        if item is not None and line["type"] == "subscription":
            net = line["amount"] - sum(part["amount"] for part in line["discount_amounts"])
            span = (line["period"]["start"], line["period"]["end"])
            prorations.remember(item, net, span, line=line, rate=(net, line["amount"]))
            call.shelf.save(item)
