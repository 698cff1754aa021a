"""Our instructions in the provider's parameters. Pure; which calls they make is decided in `provider`."""

from typing import Final

from counterfoil.core.facts import INVOICE_MARK, LEG_MARK, LINE_MARK, REFUND_MARK
from counterfoil.core.ids import ProviderRef
from counterfoil.core.orders import (
    AddInvoiceLine,
    AttachMethod,
    ConfirmIntent,
    CreateCustomer,
    CreateIntent,
    CreateInvoice,
    CreateRefund,
)
from counterfoil.providers.port import Refs
from counterfoil.providers.stripe.calls import Params

CUSTOMER_MARK: Final = "counterfoil_customer"
"""Metadata key under which our own customer id travels."""
WITH_FEE: Final = ("latest_charge.balance_transaction",)
"""What a payment is expanded by, so that its charge and the provider's fee come with it."""


def customer_params(instruction: CreateCustomer, refs: Refs) -> Params:
    """Parameters of a new customer. What we don't know is left out, never sent empty."""
    known = {"email": refs.email, "name": refs.name}
    return {name: value for name, value in known.items() if value} | {"metadata": {CUSTOMER_MARK: instruction.customer}}


def customer_update_params(refs: Refs) -> Params:
    """Parameters that make a customer's name and e-mail like ours. What we don't have is sent empty: it is cleared."""
    return {"email": refs.email or "", "name": refs.name or ""}


def token_params(instruction: AttachMethod) -> Params:
    """Parameters that turn a card token into a payment method."""
    return {"type": "card", "card": {"token": instruction.token}}


def attach_params(refs: Refs) -> Params:
    """Parameters that save a payment method for the customer."""
    return {"customer": needed(refs.customer_ref, "customer")}


def default_params(method_ref: ProviderRef) -> Params:
    """Parameters that make a saved method the one that the provider's own invoices use, too."""
    return {"invoice_settings": {"default_payment_method": method_ref}}


def intent_params(instruction: CreateIntent, refs: Refs) -> Params:
    """Parameters of an unconfirmed payment, marked as ours before any money can move.

    Which methods it accepts is left to the account's settings (`payment_method_types` can't be written any more since
    2026-09-30). Confirmed by us, nobody is there to follow a redirect, so such methods are left out.
    """
    methods: dict[str, object] = {"enabled": True}
    params: dict[str, object] = {
        "amount": instruction.amount.minor,
        "currency": instruction.amount.currency.lower(),
        "customer": needed(refs.customer_ref, "customer"),
        "description": instruction.description,
        "metadata": {LEG_MARK: instruction.leg, CUSTOMER_MARK: instruction.customer},
        "automatic_payment_methods": methods,
    }
    if instruction.method is not None:
        methods["allow_redirects"] = "never"
        params["payment_method"] = needed(refs.method_ref, "payment method")
    if not instruction.description:
        del params["description"]
    return params


def confirm_params(instruction: ConfirmIntent, refs: Refs) -> Params:
    """Parameters that collect a payment while the customer is away."""
    method = needed(refs.method_ref, f"payment method {instruction.method}")
    return {"payment_method": method, "off_session": True, "expand": WITH_FEE}


def invoice_params(instruction: CreateInvoice, refs: Refs) -> Params:
    """Parameters of an empty draft: marked as ours, never advancing by itself, without what waits for other bills."""
    return {
        "customer": needed(refs.customer_ref, "customer"),
        "currency": instruction.currency.lower(),
        "auto_advance": False,
        "collection_method": "charge_automatically",
        "pending_invoice_items_behavior": "exclude",
        "description": instruction.description or None,
        "metadata": {INVOICE_MARK: instruction.invoice, CUSTOMER_MARK: instruction.customer},
    }


def line_params(instruction: AddInvoiceLine, refs: Refs) -> Params:
    """Parameters of one line of a draft."""
    return {
        "customer": needed(refs.customer_ref, "customer"),
        "invoice": instruction.ref,
        "amount": instruction.amount.minor,
        "currency": instruction.amount.currency.lower(),
        "description": instruction.description or None,
        "metadata": {LINE_MARK: instruction.line, INVOICE_MARK: instruction.invoice},
    }


REASONS: Final = frozenset({"duplicate", "fraudulent", "requested_by_customer"})
"""The reasons that the provider knows; any other is ours alone."""


def refund_params(instruction: CreateRefund) -> Params:
    """Parameters of a refund, marked as ours: of one payment there may be many."""
    params: dict[str, object] = {
        "payment_intent": instruction.ref,
        "amount": instruction.amount.minor,
        "metadata": {REFUND_MARK: instruction.refund, LEG_MARK: instruction.leg},
    }
    return params | ({"reason": instruction.reason} if instruction.reason in REASONS else {})


def needed(ref: ProviderRef | None, what: str) -> ProviderRef:
    """Give a reference that dispatch must have resolved before it sends."""
    assert ref is not None, f"the {what} has no id at the provider yet"
    return ref
