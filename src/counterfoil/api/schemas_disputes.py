"""Answers about disputes."""

from typing import Literal

from counterfoil.api.schemas import Answer, Money, Time, Units


class HeldLot(Answer):
    """Credits of one lot that are held while a dispute is open."""

    wallet: str
    grant: str
    credits: Units


class Dispute(Answer):
    """A payment that its payer contests. `status`: inquiry, open, won, lost or closed; `provider_status` is its word.

    `lost` is what is gone for good; `provider_fee_minor` what the provider keeps for itself, in minor units of the
    currency of its own books.
    """

    id: str
    object: Literal["dispute"]
    customer: str
    payment: str
    leg: str
    invoices: list[str]
    status: str
    reason: str
    amount: Money
    lost: Money
    provider_fee_minor: int
    held: list[HeldLot]
    blocks_spending: bool
    evidence_due_at: Time | None
    provider_ref: str
    provider_status: str
    opened_at: Time
    closed_at: Time | None
