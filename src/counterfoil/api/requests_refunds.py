"""What may be sent about money that goes back."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from counterfoil.api.fields import AnyId, LongText, Minor, Strict
from counterfoil.core.refunded import Destination

Because = Literal["requested_by_customer", "duplicate", "fraudulent", "other"]


class RefundPart(Strict):
    """How much of which leg goes back, in minor units, and where to. `source` is where it came from: the charge, or the
    lots of the wallet. Without `leg`, of the only one that has money left; without `amount`, all that is left of it."""

    leg: AnyId | None = None
    amount: Minor | None = None
    destination: Destination = Destination.SOURCE
    wallet: AnyId | None = None


class NewRefund(Strict):
    """A refund of a payment. Of a payment in several legs, `parts` says how it is split."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"parts": [{"amount": 1000}], "reason": "requested_by_customer"}]}
    )

    parts: Annotated[list[RefundPart], Field(max_length=20)] = []
    reason: Because | None = None


class NewPurchaseRefund(Strict):
    """A refund of a purchase, in minor units: all that is left of it when no `amount` is said."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"amount": 1000, "reason": "requested_by_customer"}]})

    amount: Minor | None = None
    destination: Destination = Destination.SOURCE
    leg: AnyId | None = None
    wallet: AnyId | None = None
    reason: Because | None = None


class CreditLine(Strict):
    """How much of one line of an invoice is taken off, tax included, in minor units."""

    line: AnyId
    amount: Minor


class NewCreditNote(Strict):
    """A credit note: an `amount`, tax included, spread over the invoice's lines in proportion, or `lines` by name."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"amount": 1000, "reason": "Two seats less"}]})

    amount: Minor | None = None
    lines: Annotated[list[CreditLine], Field(max_length=250)] = []
    reason: LongText = ""
