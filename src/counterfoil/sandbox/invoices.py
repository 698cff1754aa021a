"""Invoices: drafts that become open, then paid, void or uncollectible."""

from __future__ import annotations

from counterfoil.sandbox import (
    customer_balance,
    discounts,
    invoice_collecting,
    invoice_fields,
    invoice_items,
    invoice_lines,
    invoice_payments,
    tax_rates,
)
from counterfoil.sandbox.call import Call, apply_given
from counterfoil.sandbox.currencies import check_currency
from counterfoil.sandbox.documents import Doc, copy_of
from counterfoil.sandbox.errors import StripeError, invalid, parameter_missing
from counterfoil.sandbox.invoice_fields import CREATE, KEPT, PAY
from counterfoil.sandbox.lists import CREATED, PAGING, Page, matches, page_of, within
from counterfoil.sandbox.params import Choice, Flag, Range, Text, uncovered
from counterfoil.sandbox.payment_methods import not_of_customer
from counterfoil.sandbox.routing import Route
from counterfoil.sandbox.search import SEARCH, search_of

_PLAIN = ("custom_fields", "description", "effective_at", "footer", "metadata", "number", "statement_descriptor")
_FINAL = ("auto_advance", "default_payment_method", "metadata", "payment_settings")
"""What can still be changed once an invoice is finalized."""


def _create(call: Call) -> Doc:
    given = call.given
    customer = call.referred("customer", given["customer"], "customer")
    default = customer["currency"] or call.shelf.account["default_currency"]
    invoice = invoice_fields.blank_invoice(
        call, customer, check_currency({"currency": given.get("currency") or default})
    )
    _apply(call, invoice, customer)
    subscription = invoice_items.subscription_of(call, customer)
    if subscription is not None:
        _look_back(invoice, subscription)
    if given.get("pending_invoice_items_behavior") == "include":
        pending = invoice_items.pending_items(call, customer["id"], invoice["currency"])
        pending = [item for item in pending if subscription is None or item["subscription"] == subscription["id"]]
        invoice_items.take_up(call, invoice, pending, first=True)
    _apply_discounts(call, invoice, customer)
    invoice_fields.recount(invoice, customer)
    invoice_collecting.schedule_advance(call, invoice)
    call.create(invoice, "invoice.created")
    if customer["currency"] is None:
        before = copy_of(customer)
        customer["currency"] = invoice["currency"]
        call.save(customer, "customer.updated", before)
    return invoice


def _retrieve(call: Call) -> Doc:
    return call.find("invoice", "invoice")


def _update(call: Call) -> Doc:
    invoice = call.find("invoice", "invoice")
    customer = call.shelf.get("customer", invoice["customer"]) or {}
    if invoice["status"] != "draft" and set(call.given) - set(_FINAL):
        raise StripeError(
            f"Finalized invoices can't be updated in this way: {', '.join(sorted(set(call.given) - set(_FINAL)))}.",
            code="invoice_not_editable",
        )
    before = copy_of(invoice)
    _apply(call, invoice, customer)
    if {"default_tax_rates", "discounts"} & set(call.given):
        _apply_discounts(call, invoice, customer)
        invoice_fields.recount(invoice, customer)
    if {"auto_advance", "automatically_finalizes_at", "collection_method"} & set(call.given):
        invoice_collecting.schedule_advance(call, invoice)
    return call.save(invoice, "invoice.updated", before)


def _delete(call: Call) -> Doc:
    invoice = call.find("invoice", "invoice")
    if invoice["status"] != "draft":
        raise StripeError(
            "You can only delete draft invoices. To cancel a finalized invoice, void it.", code="invoice_not_editable"
        )
    for item in call.shelf.rows("invoiceitem"):
        if item["invoice"] == invoice["id"]:
            invoice_lines.release(call, item)
    stub = call.shelf.bury(invoice)
    call.emit("invoice.deleted", invoice)
    return stub


def _list(call: Call) -> Page:
    keep = matches(call.given, "collection_method", "customer", "status", "subscription")
    due = call.given.get("due_date")
    return page_of(call, "invoice", lambda doc: keep(doc) and (due is None or within(doc["due_date"] or 0, due)))


def _search(call: Call) -> Page:
    fields = {
        "created",
        "currency",
        "customer",
        "metadata",
        "number",
        "receipt_number",
        "status",
        "subscription",
        "total",
    }
    return search_of(call, "invoice", fields)


def _finalize(call: Call) -> Doc:
    invoice = call.find("invoice", "invoice")
    if invoice["status"] != "draft":
        raise StripeError(
            "This invoice is already finalized, you can't re-finalize a non-draft invoice.", code="invoice_not_editable"
        )
    if "auto_advance" in call.given:
        invoice["auto_advance"] = call.given["auto_advance"]
    return invoice_collecting.finalize(call, invoice)


def _pay(call: Call) -> Doc:
    invoice = call.find("invoice", "invoice")
    if invoice["status"] == "paid":
        raise invalid("Invoice is already paid")
    if invoice["status"] == "void":
        raise invalid("This invoice is void, so it can't be paid.")
    if invoice["status"] == "draft":
        invoice_collecting.finalize(call, invoice)
    if invoice["status"] == "paid":
        return invoice
    if call.given.get("paid_out_of_band"):
        return invoice_collecting.pay_out_of_band(call, invoice)
    method = invoice_collecting.method_to_pay_with(call, invoice)
    return invoice_collecting.collect(call, invoice, method, "manual", call.chosen("off_session", True))


def _attach_payment(call: Call) -> Doc:
    invoice = call.find("invoice", "invoice")
    if not call.given.get("payment_intent"):
        raise parameter_missing("payment_intent")
    intent = call.referred("payment_intent", call.given["payment_intent"], "payment_intent")
    invoice_payments.attach(call, invoice, intent)
    return invoice


def _send(call: Call) -> Doc:
    invoice = call.find("invoice", "invoice")
    if invoice["collection_method"] != "send_invoice":
        raise invalid("You can only manually send an invoice if its collection method is 'send_invoice'.")
    if invoice["status"] in ("void", "uncollectible"):
        raise invalid(f"You can't send an invoice that is {invoice['status']}.")
    if not invoice["customer_email"]:
        raise invalid("Missing email. In order to send an invoice, its customer must have a valid email.")
    if invoice["status"] == "draft":
        invoice_collecting.finalize(call, invoice)
    call.emit("invoice.sent", invoice)
    return invoice


def _void(call: Call) -> Doc:
    return void_invoice(call, call.find("invoice", "invoice"))


def void_invoice(call: Call, invoice: Doc) -> Doc:
    """Take a finalized invoice back; what it moved on the customer's balance moves back."""
    if invoice["status"] not in ("open", "uncollectible"):
        raise invalid(f"You can only void open or uncollectible invoices; this one is {invoice['status']}.")
    invoice_payments.check_idle(call, invoice, "void")
    before = copy_of(invoice)
    invoice |= {"status": "void", "auto_advance": False, "next_payment_attempt": None}
    invoice["status_transitions"]["voided_at"] = call.now
    call.shelf.save(invoice)
    invoice_payments.cancel_default(call, invoice, "void_invoice")
    _return_balance(call, invoice)
    call.emit("invoice.updated", invoice, before)
    call.emit("invoice.voided", invoice)
    return invoice


def _mark_uncollectible(call: Call) -> Doc:
    return write_off(call, call.find("invoice", "invoice"), "user_forgiven")


def write_off(call: Call, invoice: Doc, reason: str) -> Doc:
    """Give an open invoice up; it can still be paid."""
    if invoice["status"] != "open":
        raise invalid(f"You can only mark open invoices as uncollectible; this one is {invoice['status']}.")
    invoice_payments.check_idle(call, invoice, "write off")
    before = copy_of(invoice)
    invoice |= {"status": "uncollectible", "auto_advance": False, "next_payment_attempt": None}
    invoice["status_details"] = {"uncollectible": {"reason": reason}}
    invoice["status_transitions"]["marked_uncollectible_at"] = call.now
    call.shelf.save(invoice)
    call.emit("invoice.updated", invoice, before)
    call.emit("invoice.marked_uncollectible", invoice)
    return invoice


def _apply(call: Call, invoice: Doc, customer: Doc) -> None:
    given = call.given
    if (given.get("automatic_tax") or {}).get("enabled"):
        raise StripeError("The sandbox does not cover automatic tax, which Stripe has.", param="automatic_tax[enabled]")
    method = _default_method(call, invoice)
    _apply_collection(call, invoice, customer)
    apply_given(invoice, given, _PLAIN)
    invoice["default_payment_method"] = method
    for name in ("auto_advance", "automatically_finalizes_at"):
        if name in given:
            invoice[name] = given[name]
    if "automatically_finalizes_at" in given:
        invoice["auto_advance"] = True
    if given.get("payment_settings"):
        invoice["payment_settings"]["payment_method_types"] = (
            given["payment_settings"].get("payment_method_types") or None
        )
    if given.get("rendering"):
        invoice["rendering"] |= given["rendering"]
    if "custom_fields" in given:
        invoice["custom_fields"] = given["custom_fields"] or None
    if "default_tax_rates" in given:
        invoice["default_tax_rates"] = tax_rates.rates_of(call, given["default_tax_rates"], "default_tax_rates")


def _look_back(invoice: Doc, subscription: Doc) -> None:
    """An invoice that is made by hand for what waits for a subscription; its cycle goes on as it would."""
    details = {"metadata": dict(subscription["metadata"])}
    parent = {**details, "subscription": subscription["id"]}
    invoice |= {
        "parent": {"quote_details": None, "subscription_details": parent, "type": "subscription_details"},
        "period_end": subscription["current_period_end"],
        "period_start": subscription["current_period_start"],
        "subscription": subscription["id"],
        "subscription_details": details,
    }


def _apply_discounts(call: Call, invoice: Doc, customer: Doc) -> None:
    """The discounts that the caller gives, else, when the invoice is new, those of its customer."""
    if "discounts" in call.given:
        amount = sum(line["amount"] for line in invoice["_lines"])
        target = discounts.Target(customer, invoice["currency"], amount, {"invoice": invoice["id"]})
        invoice["_discounts"] = discounts.replaced(call, invoice["_discounts"], call.given["discounts"], target)
    elif call.shelf.get("invoice", invoice["id"]) is None:
        invoice["_discounts"] = discounts.inherited(customer, invoice["currency"])


def _apply_collection(call: Call, invoice: Doc, customer: Doc) -> None:
    """How an invoice is collected: a sent one has a day until which it is due, and a customer who can be written to."""
    given = call.given
    collection = given.get("collection_method", invoice["collection_method"])
    days, due = given.get("days_until_due"), given.get("due_date")
    if collection == "charge_automatically" and (days is not None or due is not None):
        raise invalid(
            "You can only set `days_until_due` or `due_date` if the invoice's collection method is 'send_invoice'.",
            "days_until_due" if days is not None else "due_date",
        )
    if days is not None and due is not None:
        raise invalid("You may only specify one of these parameters: days_until_due, due_date.", "due_date")
    if collection == "send_invoice" and days is None and due is None and invoice["due_date"] is None:
        raise invalid(
            "If `collection_method` is 'send_invoice', you must set `days_until_due` or `due_date`.", "days_until_due"
        )
    if collection == "send_invoice" and not customer.get("email"):
        raise invalid(
            "Missing email. In order to create invoices that are sent to the customer, the customer must have a valid "
            "email.",
            "collection_method",
        )
    invoice["collection_method"] = collection
    if days is not None:
        invoice |= {"_due_days": days, "due_date": invoice["created"] + days * 86_400}
    if due is not None:
        invoice |= {"_due_days": None, "due_date": due}


def _default_method(call: Call, invoice: Doc) -> str | None:
    current: str | None = invoice["default_payment_method"]
    if "default_payment_method" not in call.given:
        return current
    if not call.given["default_payment_method"]:
        return None
    method = call.referred("payment_method", call.given["default_payment_method"], "default_payment_method")
    if method["customer"] != invoice["customer"]:
        raise not_of_customer(method["id"])
    return str(method["id"])


def _return_balance(call: Call, invoice: Doc) -> None:
    """A void invoice takes nothing: what it moved on the customer's balance moves back."""
    customer = call.shelf.get("customer", invoice["customer"])
    moved = sum(row["amount"] for row in call.shelf.rows(customer_balance.KIND) if row["invoice"] == invoice["id"])
    if customer is None or customer.get("deleted") or not moved:
        return
    before = copy_of(customer)
    customer_balance.move(call, customer, -moved, invoice["currency"], "unapplied_from_invoice", invoice["id"])
    call.save(customer, "customer.updated", before)


_PATH = "/v1/invoices"
ROUTES = (
    Route("POST", _PATH, _create, CREATE),
    Route("GET", _PATH + "/search", _search, SEARCH),
    Route("GET", _PATH + "/{id}", _retrieve),
    Route("POST", _PATH + "/{id}", _update, KEPT),
    Route("DELETE", _PATH + "/{id}", _delete),
    Route("POST", _PATH + "/{id}/finalize", _finalize, {"auto_advance": Flag()}),
    Route("POST", _PATH + "/{id}/pay", _pay, PAY),
    Route(
        "POST",
        _PATH + "/{id}/attach_payment",
        _attach_payment,
        {"payment_intent": Text(), **uncovered("payment_record")},
    ),
    Route("POST", _PATH + "/{id}/send", _send),
    Route("POST", _PATH + "/{id}/void", _void),
    Route("POST", _PATH + "/{id}/mark_uncollectible", _mark_uncollectible),
    Route(
        "GET",
        _PATH,
        _list,
        {
            **PAGING,
            **CREATED,
            "collection_method": Choice(("charge_automatically", "send_invoice"), clears=False),
            "customer": Text(),
            "due_date": Range(),
            "status": Choice(("draft", "open", "paid", "uncollectible", "void"), clears=False),
            "subscription": Text(),
        },
    ),
)
