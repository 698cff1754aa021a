"""What the bare doors answer, for the OpenAPI document: holds, and how the items of a list ended."""

from typing import Any, Literal

from counterfoil.api.schemas import Answer, Draw, Spend, Time


class Hold(Answer):
    """Credits reserved for a use. Amounts are decimal strings in `unit`; `reserved` is in draw order."""

    id: str
    object: Literal["hold"]
    key: str
    wallet: str
    unit: str
    amount: str
    reserved: list[Draw]
    settled: str | None
    status: str
    feature: str | None
    pools: list[str]
    rule: str
    spend: Spend | None
    expires_at: Time
    created_at: Time
    ended_at: Time | None


class HoldAnswer(Answer):
    """How one hold of a list ended: `status` is what it would have been answered alone."""

    key: str | None
    status: int
    hold: Hold | None = None
    error: dict[str, Any] | None = None


class HoldAnswers(Answer):
    """How the holds of a list ended, in the order in which they were sent."""

    data: list[HoldAnswer]


class SpendAnswer(Answer):
    """How one use of a list ended: `status` is what it would have been answered alone."""

    key: str | None
    status: int
    spend: Spend | None = None
    error: dict[str, Any] | None = None


class SpendAnswers(Answer):
    """How the uses of a list ended, in the order in which they were sent."""

    data: list[SpendAnswer]
