"""Plain values for tests: a clock that stands still, ids that count, and subjects with sensible fields."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from counterfoil.core.books import (
    Books,
    Customer,
    Grant,
    GrantSource,
    Invoice,
    Line,
    LineKind,
    Method,
    Wallet,
)
from counterfoil.core.bought import Purchase, Settlement
from counterfoil.core.facts import ChargeFee, IntentFact, IntentStatus, Refusal
from counterfoil.core.ids import (
    PREFIXES,
    AccountId,
    CustomerId,
    GrantId,
    InvoiceId,
    LineId,
    MethodId,
    ProviderRef,
    PurchaseId,
    WalletId,
    typeid,
)
from counterfoil.core.lifecycle import InvoiceStatus, PaymentStatus, PurchaseStatus, WalletStatus
from counterfoil.core.money import USD_CREDIT, Money, ServiceUnit

NOW = datetime(2026, 6, 14, 4, 4, tzinfo=UTC)
ACCOUNT = AccountId(typeid("pacc", 1))
CUSTOMER = CustomerId(typeid("cust", 1))
CUSTOMER_REF = ProviderRef("cus_dana0001")
METHOD = MethodId(typeid("pmeth", 1))
ISK_CREDIT = ServiceUnit("isk-credit", 6, 100, "ISK")
JPY_CREDIT = ServiceUnit("jpy-credit", 6, 1, "JPY")
KWD_CREDIT = ServiceUnit("kwd-credit", 6, 1000, "KWD")
PEGGED = {"USD": USD_CREDIT, "ISK": ISK_CREDIT, "JPY": JPY_CREDIT, "KWD": KWD_CREDIT}
ONE = USD_CREDIT.one


@dataclass(slots=True)
class Counting:
    """Makes ids that count up, so that a failed example reads well and sorts by age."""

    _numbers: "count[int]" = field(default_factory=lambda: count(1000))

    @classmethod
    def starting(cls, first: int) -> "Counting":
        return cls(count(first))

    def __call__(self, noun: str) -> str:
        return typeid(PREFIXES[noun], next(self._numbers))


def customer(**changes: Any) -> Customer:
    return replace(Customer(CUSTOMER, ACCOUNT, NOW, "dana", CUSTOMER_REF), **changes)


def method(number: int = 1, **changes: Any) -> Method:
    made = Method(
        MethodId(typeid("pmeth", number)),
        CUSTOMER,
        ACCOUNT,
        ProviderRef(f"pm_card{number}"),
        "card",
        NOW,
        "visa",
        "4242",
        is_default=number == 1,
    )
    return replace(made, **changes)


def wallet(number: int = 1, unit: ServiceUnit = USD_CREDIT, **changes: Any) -> Wallet:
    made = Wallet(
        WalletId(typeid("wlt", number)), CUSTOMER, unit, WalletStatus.ACTIVE, NOW - timedelta(days=100 - number)
    )
    return replace(made, **changes)


def grant(number: int, whole: int, cost_minor: int = 0, owner: int = 1, **changes: Any) -> Grant:
    """A lot of `whole` units of scale 6; bought when it has a cost, promotional otherwise."""
    made = Grant(
        id=GrantId(typeid("grant", number)),
        wallet=WalletId(typeid("wlt", owner)),
        source=GrantSource.PURCHASE if cost_minor else GrantSource.PROMOTIONAL,
        amount=whole * ONE,
        remaining=whole * ONE,
        cost_minor=cost_minor,
        cost_currency="USD",
        effective_at=NOW - timedelta(days=30),
        created_at=NOW - timedelta(days=30),
    )
    return replace(made, **changes)


def invoice_id(number: int = 1) -> InvoiceId:
    return InvoiceId(typeid("inv", number))


def invoice(number: int = 1, total: int = 10_000, currency: str = "USD", **changes: Any) -> Invoice:
    """An open invoice; minor units."""
    made = Invoice(
        id=invoice_id(number),
        customer=CUSTOMER,
        account=ACCOUNT,
        currency=currency,
        status=InvoiceStatus.OPEN,
        payment_status=PaymentStatus.PENDING,
        created_at=NOW,
        total_minor=total,
        number=f"INV-{number:06d}",
        finalized_at=NOW,
    )
    return replace(made, **changes)


def line(number: int, owner: int = 1, net: int = 10_000, tax: int = 0, kind: LineKind = LineKind.GOODS) -> Line:
    return Line(LineId(typeid("line", number)), invoice_id(owner), number, kind, "Seats", net, tax)


def purchase(number: int = 1, **changes: Any) -> Purchase:
    """2,500 credits for 50 USD and a fee of 2.50 on top, collected by somebody else."""
    made = Purchase(
        id=PurchaseId(typeid("prch", number)),
        customer=CUSTOMER,
        account=ACCOUNT,
        wallet=WalletId(typeid("wlt", 1)),
        settlement=Settlement.EXTERNAL,
        status=PurchaseStatus.PENDING,
        quantity=2500,
        currency="USD",
        net_minor=5000,
        fee_minor=250,
        created_at=NOW,
    )
    return replace(made, **changes)


def books(**shelves: Any) -> Books:
    """The books of dana, who has one saved card unless told otherwise."""
    given: dict[str, Any] = {"customer": customer(), "methods": (method(),)} | shelves
    return Books(**given)


def intent(
    ref: str,
    status: IntentStatus,
    amount: int = 7_000,
    currency: str = "USD",
    *,
    received: int | None = None,
    **changes: Any,
) -> IntentFact:
    """The provider's payment. A succeeded one has received its amount and has a charge, unless told otherwise."""
    has_money = status is IntentStatus.SUCCEEDED
    made = IntentFact(
        ref=ProviderRef(ref),
        status=status,
        amount=Money(amount, currency),
        received=Money(received if received is not None else amount if has_money else 0, currency),
        customer_ref=CUSTOMER_REF,
        charge_ref=ProviderRef(ref.replace("pi_", "ch_")) if has_money else None,
    )
    return replace(made, **changes)


def declined(ref: str, amount: int = 7_000, code: str = "card_declined", **changes: Any) -> IntentFact:
    return intent(ref, IntentStatus.NEEDS_METHOD, amount, refusal=Refusal(code, "insufficient_funds"), **changes)


def fee(ref: str, minor: int = 233, currency: str = "USD") -> ChargeFee:
    return ChargeFee(ProviderRef(ref), Money(minor, currency))
