"""The parameters that an invoice takes, what it is when it is new, and its sums."""

from __future__ import annotations

from counterfoil.sandbox import discounts, invoice_sums
from counterfoil.sandbox.call import Call
from counterfoil.sandbox.documents import Doc
from counterfoil.sandbox.fields import METADATA
from counterfoil.sandbox.params import Choice, Flag, Hash, Items, Kind, Need, Text, Whole, uncovered

GRACE_S = 3_600
"""How long a draft that advances by itself stays a draft, for those who want to change it."""
SHOWN_LINES = 10

_OFF = Hash({"enabled": Need(Flag())})
_TYPES = Items(Choice(("card", "us_bank_account"), clears=False))
_PAYMENT_SETTINGS = Hash(
    {"payment_method_types": _TYPES, **uncovered("default_mandate", "payment_method_options")},
)
KEPT: dict[str, Kind] = {
    **METADATA,
    "auto_advance": Flag(),
    "automatic_tax": _OFF,
    "automatically_finalizes_at": Whole(),
    "collection_method": Choice(("charge_automatically", "send_invoice"), clears=False),
    "custom_fields": Items(Hash({"name": Need(Text(40)), "value": Need(Text(140))})),
    "days_until_due": Whole(least=0),
    "default_payment_method": Text(),
    "default_tax_rates": Items(),
    "description": Text(1500),
    "discounts": discounts.GIVEN,
    "due_date": Whole(),
    "effective_at": Whole(),
    "footer": Text(),
    "number": Text(26),
    "payment_settings": _PAYMENT_SETTINGS,
    "rendering": Hash({"pdf": Hash({"page_size": Choice(("a4", "auto", "letter"))}), "amount_tax_display": Text()}),
    "statement_descriptor": Text(22),
    **uncovered(
        "account_tax_ids",
        "application_fee_amount",
        "default_source",
        "issuer",
        "on_behalf_of",
        "shipping_cost",
        "shipping_details",
        "transfer_data",
    ),
}
CREATE: dict[str, Kind] = {
    **KEPT,
    "currency": Text(),
    "customer": Need(Text()),
    "pending_invoice_items_behavior": Choice(("exclude", "include"), clears=False),
    "subscription": Text(),
    **uncovered("customer_account", "from_invoice"),
}
PAY: dict[str, Kind] = {
    "off_session": Flag(),
    "paid_out_of_band": Flag(),
    "payment_method": Text(),
    **uncovered("forgive", "mandate", "source"),
}


_NULLS = (
    "account_tax_ids application automatically_finalizes_at custom_fields customer_account "
    "default_payment_method default_source description due_date effective_at ending_balance footer "
    "from_invoice hosted_invoice_url invoice_pdf last_finalization_error latest_revision next_payment_attempt "
    "number on_behalf_of parent receipt_number shipping_cost shipping_details statement_descriptor "
    "_due_days _confirmation_secret "
).split()
_ZEROS = (
    "amount_due amount_overpaid amount_paid amount_paid_off_stripe amount_remaining amount_shipping "
    "attempt_count post_payment_credit_notes_amount pre_payment_credit_notes_amount starting_balance subtotal "
    "subtotal_excluding_tax total total_excluding_tax _on_stripe _off_stripe_owed "
).split()
_EMPTY = (
    "default_tax_rates discounts total_discount_amounts total_pretax_credit_amounts total_taxes _discounts _lines"
).split()
"""What a new one has nothing of: fields that are null, zero or empty."""


def blank_invoice(call: Call, customer: Doc, currency: str) -> Doc:
    """A draft with every field, without lines."""
    invoice: Doc = {
        "id": call.world.new_id("in_1"),
        "object": "invoice",
        **dict.fromkeys(_NULLS),
        **dict.fromkeys(_ZEROS, 0),
        **{name: [] for name in _EMPTY},
        "account_country": call.shelf.account["country"],
        "account_name": "Counterfoil sandbox",
        "attempted": False,
        "auto_advance": False,
        "automatic_tax": {
            "disabled_reason": None,
            "enabled": False,
            "liability": None,
            "provider": None,
            "status": None,
        },
        "billing_reason": "manual",
        "collection_method": "charge_automatically",
        "created": call.now,
        "currency": currency,
        "customer": customer["id"],
        **customer_facts(customer),
        "issuer": {"type": "self"},
        "lines": {},
        "livemode": call.livemode,
        "metadata": {},
        "payment_settings": {"default_mandate": None, "payment_method_options": None, "payment_method_types": None},
        "period_end": call.now,
        "period_start": call.now,
        "rendering": {
            "amount_tax_display": None,
            "pdf": {"page_size": "letter"},
            "template": None,
            "template_version": None,
        },
        "status": "draft",
        "test_clock": customer["test_clock"],
        "status_transitions": dict.fromkeys(("finalized_at", "marked_uncollectible_at", "paid_at", "voided_at")),
        "webhooks_delivered_at": call.now,
        **_before_basil(),
    }
    recount(invoice, customer)
    return invoice


def customer_facts(customer: Doc) -> Doc:
    """What an invoice says of its customer, as they are until it is finalized."""
    names = ("address", "email", "name", "phone", "shipping", "tax_exempt")
    return {f"customer_{name}": customer[name] for name in names} | {"customer_tax_ids": []}


def recount(invoice: Doc, customer: Doc) -> None:
    """Price the lines of a draft, and say what would be due with the customer's balance as it is."""
    invoice_sums.price_lines(invoice)
    invoice["starting_balance"] = usable_balance(customer, invoice["currency"])
    invoice["amount_due"] = max(0, invoice["total"] + invoice["starting_balance"])
    show_lines(invoice)
    count_remaining(invoice)


def count_remaining(invoice: Doc) -> None:
    """What is left of what is due: by all payments, and by those through Stripe alone, which older versions show."""
    invoice["amount_remaining"] = invoice["amount_due"] - invoice["amount_paid"]
    invoice["_on_stripe"] = invoice["amount_paid"] - invoice["amount_paid_off_stripe"]
    invoice["_off_stripe_owed"] = invoice["amount_due"] - invoice["_on_stripe"]


def show_lines(invoice: Doc) -> None:
    """The first lines are part of the invoice; all of them are listed at its `lines`."""
    lines = invoice["_lines"]
    invoice["lines"] = {
        "object": "list",
        "data": lines[:SHOWN_LINES],
        "has_more": len(lines) > SHOWN_LINES,
        "total_count": len(lines),
        "url": f"/v1/invoices/{invoice['id']}/lines",
    }


def usable_balance(customer: Doc, currency: str) -> int:
    """The customer's balance where it is in an invoice's currency, else nothing."""
    return int(customer["balance"]) if customer["currency"] in (None, currency) else 0


def _before_basil() -> Doc:
    """Fields that 2025-03-31 took away, kept for the versions before it."""
    return {
        "application_fee_amount": None,
        "charge": None,
        "discount": None,
        "paid": False,
        "paid_out_of_band": False,
        "payment_intent": None,
        "quote": None,
        "subscription": None,
        "subscription_details": None,
        "tax": None,
        "total_tax_amounts": [],
        "transfer_data": None,
    }
