"""What tests of billing have in common: a customer who pays by card, drafts and finalized invoices of amounts."""

from typing import Any

import stripe


def customer(api: stripe.StripeClient, method: str | None = "pm_card_visa", **more: Any) -> stripe.Customer:
    """A customer whose default payment method is `method`."""
    made = api.v1.customers.create({"email": "ada@example.com", **more})  # type: ignore[arg-type]
    if method:
        saved = api.v1.payment_methods.attach(method, {"customer": made.id})
        api.v1.customers.update(made.id, {"invoice_settings": {"default_payment_method": saved.id}})
    return made


def draft(api: stripe.StripeClient, owner: str, *amounts: int, **more: Any) -> stripe.Invoice:
    """A draft with one line for each amount, in this order."""
    invoice = api.v1.invoices.create({"customer": owner, **more})  # type: ignore[arg-type]
    for amount in amounts:
        api.v1.invoice_items.create({"customer": owner, "invoice": invoice.id, "amount": amount, "currency": "usd"})
    return api.v1.invoices.retrieve(invoice.id)


def opened(api: stripe.StripeClient, owner: str, *amounts: int, **more: Any) -> stripe.Invoice:
    return api.v1.invoices.finalize_invoice(draft(api, owner, *amounts, **more).id)


def paid(api: stripe.StripeClient, owner: str, *amounts: int, **more: Any) -> stripe.Invoice:
    return api.v1.invoices.pay(opened(api, owner, *amounts, **more).id)


def shown(api: stripe.StripeClient, invoice: str, *expand: str) -> Any:
    """An invoice as plain data."""
    return api.v1.invoices.retrieve(invoice, {"expand": list(expand)}).to_dict()
