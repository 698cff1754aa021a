"""What may be sent about collecting: payments that others took, and the policy."""

from typing import Annotated

from pydantic import ConfigDict, Field, StrictInt

from counterfoil.api.fields import Flag, Instant, ShortText, Strict
from counterfoil.api.requests import Price
from counterfoil.core.terms import Surplus


class NewExternalPayment(Strict):
    """Money for an invoice that somebody else took. `reference` names it there, and is recorded once."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "amount": {"amount": 10000, "currency": "USD"},
                    "reference": "2026-06-14/0042",
                    "method": "bank transfer",
                    "received_at": "2026-06-14T04:04:00Z",
                }
            ]
        }
    )

    amount: Price
    reference: ShortText
    method: ShortText
    received_at: Instant


class NewCollectionPolicy(Strict):
    """What collecting is held to. What is left out is as it is without any policy."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"overpayment": "balance", "double_payment": "refund", "use_balance": True}]}
    )

    overpayment: Surplus = Surplus.BALANCE
    double_payment: Surplus = Surplus.REFUND
    use_balance: Flag = True
    credits_kept_for_s: Annotated[StrictInt, Field(ge=0, le=90 * 86_400)] = 86_400
