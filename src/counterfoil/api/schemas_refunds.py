"""What is answered about money that goes back, for the OpenAPI document."""

from typing import Any, Literal

from counterfoil.api.schemas import Answer, Money, Time


class LineBack(Answer):
    """What of an invoice's line is given back."""

    invoice_line: str
    net: Money
    tax: Money


class Refund(Answer):
    """Money that goes back of one leg, or of a purchase that somebody else collected. One that failed names in
    `fallbacks` where the money can go instead; it can be refunded again from that moment on."""

    id: str
    object: Literal["refund"]
    customer: str
    payment: str | None
    leg: str | None
    purchases: list[str]
    status: Literal["processing", "succeeded", "failed", "canceled"]
    amount: Money
    tax: Money
    destination: Literal["source", "balance", "wallet", "manual"]
    made_by: Literal["counterfoil", "provider"]
    reason: str | None
    lines: list[LineBack]
    wallet: str | None
    grant: str | None
    provider_ref: str | None
    failure: dict[str, Any] | None
    fallbacks: list[str]
    succeeded_at: Time | None
    ended_at: Time | None
    created_at: Time


class RefundGroup(Answer):
    """The refunds of one command. `id` is the first of them."""

    id: str
    object: Literal["refund_group"]
    payment: str | None
    status: Literal["processing", "succeeded", "failed", "canceled"]
    refunds: list[Refund]


class CreditNote(Answer):
    """A document that takes something off an invoice. What was owed is owed no more; what was paid is the customer's
    balance."""

    id: str
    object: Literal["credit_note"]
    customer: str
    invoice: str
    number: str
    total: Money
    tax: Money
    debt_reduced: Money
    to_balance: Money
    lines: list[LineBack]
    reason: str
    created_at: Time
