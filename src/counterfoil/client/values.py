"""What Counterfoil answers, as frozen values. Quantities are Decimals, never floats; times are aware.

`raw` is the whole answer: fields that were added after this client was written are there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

Raw = Mapping[str, Any]
Quantity = Decimal | int | str
"""An amount of a service unit as a caller gives it. A float is refused: 0.1 is not a tenth of anything."""


def quantity_text(amount: Quantity) -> str:
    """Write a quantity as the API takes it, in full and without an exponent. Raises TypeError and ValueError."""
    if isinstance(amount, bool | float) or not isinstance(amount, Decimal | int | str):
        raise TypeError(f"an amount is a Decimal, an int or a decimal string, not {type(amount).__name__} {amount!r}")
    try:
        number = Decimal(amount)
    except InvalidOperation:
        raise ValueError(f"{amount!r} is no decimal number") from None
    if not number.is_finite() or number < 0:
        raise ValueError(f"an amount is a number of 0 or more, not {amount!r}")
    return f"{number:f}"


@dataclass(frozen=True, slots=True)
class Draw:
    """What one lot gave to a spend."""

    grant: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Spent:
    """A spend that is in the books. `debt` and `written_off` are what no lot covered, by the wallet's policy."""

    id: str
    key: str
    wallet: str
    unit: str
    amount: Decimal
    draws: tuple[Draw, ...]
    debt: Decimal
    written_off: Decimal
    balance_after: Decimal
    occurred_at: datetime | None
    recorded_at: datetime | None
    raw: Raw = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Hold:
    """Credits that are kept for one use until it is settled, released, or the hold expires by itself."""

    id: str
    wallet: str
    amount: Decimal
    settled: Decimal | None
    status: str
    expires_at: datetime | None
    spent: Spent | None
    raw: Raw = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Wallet:
    """A wallet now. `available` is what can be spent: the balance less what holds keep."""

    id: str
    customer: str
    unit: str
    status: str
    balance: Decimal
    held: Decimal
    available: Decimal
    debt: Decimal
    raw: Raw = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Balance:
    """What a wallet held at an instant: lots less debt."""

    wallet: str
    unit: str
    balance: Decimal
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Purchase:
    """The intent to buy credits, and how far it came. Paid, settled and fulfilled are three different facts."""

    id: str
    customer: str
    status: str
    wallet: str | None
    invoice: str | None
    grant: str | None
    settled_at: datetime | None
    fulfilled_at: datetime | None
    raw: Raw = field(repr=False, compare=False)

    @property
    def is_fulfilled(self) -> bool:
        """Say whether the credits are in the wallet."""
        return self.fulfilled_at is not None

    @property
    def pay_url(self) -> str | None:
        """Give where the customer confirms the payment, None when nothing is asked of them."""
        payment = self.raw.get("payment") or {}
        return (payment.get("next_action") or {}).get("url")

    @property
    def failure(self) -> str | None:
        """Say why the payment was refused, None when it was not."""
        failure = self.raw.get("failure") or {}
        return failure.get("message") or failure.get("code")


@dataclass(frozen=True, slots=True)
class Method:
    """A payment method. `status` is pending until the provider says saved or refused; `refusal` says why."""

    id: str
    status: str
    refusal: str | None
    raw: Raw = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class CustomerState:
    """Everything about a customer at one instant. `restrictions` say why spending is stopped, if it is."""

    customer: Raw
    wallets: tuple[Wallet, ...]
    restrictions: tuple[Raw, ...]
    raw: Raw = field(repr=False, compare=False)


# --- reading them ---


def read_spent(body: Raw) -> Spent:
    """Read a spend."""
    return Spent(
        id=body["id"],
        key=body["key"],
        wallet=body["wallet"],
        unit=body["unit"],
        amount=number(body["amount"]),
        draws=tuple(Draw(each["grant"], number(each["amount"])) for each in body["draws"]),
        debt=number(body.get("debt")),
        written_off=number(body.get("written_off")),
        balance_after=number(body["balance_after"]),
        occurred_at=instant(body.get("occurred_at")),
        recorded_at=instant(body.get("recorded_at")),
        raw=body,
    )


def read_hold(body: Raw) -> Hold:
    """Read a hold."""
    settled, spent = body.get("settled"), body.get("spend")
    return Hold(
        id=body["id"],
        wallet=body["wallet"],
        amount=number(body["amount"]),
        settled=None if settled is None else number(settled),
        status=body["status"],
        expires_at=instant(body.get("expires_at")),
        spent=read_spent(spent) if isinstance(spent, Mapping) else None,
        raw=body,
    )


def read_wallet(body: Raw) -> Wallet:
    """Read a wallet."""
    return Wallet(
        id=body["id"],
        customer=body["customer"],
        unit=body["unit"],
        status=body["status"],
        balance=number(body["balance"]),
        held=number(body["held"]),
        available=number(body["available"]),
        debt=number(body.get("debt")),
        raw=body,
    )


def read_balance(body: Raw) -> Balance:
    """Read a balance."""
    return Balance(body["wallet"], body["balance"]["unit"], number(body["balance"]), instant(body["at"]))


def read_purchase(body: Raw) -> Purchase:
    """Read a purchase."""
    return Purchase(
        id=body["id"],
        customer=body["customer"],
        status=body["status"],
        wallet=body.get("wallet"),
        invoice=body.get("invoice"),
        grant=body.get("grant"),
        settled_at=instant(body.get("settled_at")),
        fulfilled_at=instant(body.get("fulfilled_at")),
        raw=body,
    )


def read_method(body: Raw) -> Method:
    """Read a payment method."""
    return Method(body["id"], body.get("status", "saved"), body.get("refusal"), body)


def read_state(body: Raw) -> CustomerState:
    """Read all that is known of a customer."""
    wallets = tuple(read_wallet(each) for each in body["wallets"])
    return CustomerState(body["customer"], wallets, tuple(body["restrictions"]), body)


def number(value: Any) -> Decimal:
    """Read a quantity: a decimal string, one with its unit, or nothing, which is zero."""
    if isinstance(value, Mapping):
        value = value["quantity"]
    return Decimal(0) if value is None else Decimal(str(value))


def instant(value: str | None) -> datetime | None:
    """Read an aware time, or none."""
    return None if value is None else datetime.fromisoformat(value)
