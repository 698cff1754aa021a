"""An invoice of 100 on its way: 30 by credits, 70 by card; and what the provider may say about the card."""

from dataclasses import replace
from typing import Any

from core.factories import (
    ACCOUNT,
    CUSTOMER,
    METHOD,
    NOW,
    books,
    grant,
    intent,
    invoice,
    invoice_id,
    line,
    wallet,
)
from core.world import World
from counterfoil.core.books import (
    Allocation,
    Books,
    Confirmation,
    Hold,
    Invoice,
    Leg,
    LegKind,
    Payment,
)
from counterfoil.core.effects import Decision
from counterfoil.core.facts import LEG_MARK, IntentFact, IntentStatus
from counterfoil.core.ids import HoldId, LegId, PaymentId, ProviderRef, WalletId, typeid
from counterfoil.core.lifecycle import HoldStatus, InvoiceStatus, LegStatus, PaymentStatus
from counterfoil.core.settlement import decide_intent
from counterfoil.core.status import invoice_payment_status, payment_status
from counterfoil.core.terms import ClaimStatus

PAYMENT = PaymentId(typeid("pmt", 1))
CREDIT, CARD = LegId(typeid("leg", 1)), LegId(typeid("leg", 2))
PI = ProviderRef("pi_1")
CONFIRMATIONS = list(Confirmation)
CARD_STATES = [
    LegStatus.WAITING,
    LegStatus.PROCESSING,
    LegStatus.REQUIRES_ACTION,
    LegStatus.SETTLED,
    LegStatus.REFUSED,
    LegStatus.CANCELED,
    LegStatus.RETURNED,
]


def part_paid(
    status: LegStatus = LegStatus.PROCESSING,
    confirmation: Confirmation = Confirmation.SERVER,
    ref: ProviderRef | None = PI,
    **changes: Any,
) -> Books:
    """100 owed: 30 are reserved of a lot of 30 that was bought for 24, a card leg is to bring 70."""
    settled = status in (LegStatus.SETTLED, LegStatus.RETURNED)
    card = Leg(
        CARD,
        PAYMENT,
        LegKind.PROVIDER,
        status,
        7_000,
        "USD",
        NOW,
        2,
        account=ACCOUNT,
        method=METHOD,
        provider_ref=ref,
        charge_ref=ProviderRef("ch_1") if settled else None,
        received_minor=7_000 if settled else 0,
        settled_at=NOW if settled else None,
        claim=ClaimStatus.CHECKED if confirmation is Confirmation.HOST else None,
    )
    credit_status = LegStatus.SETTLED if settled else LegStatus.RESERVED
    credit = Leg(CREDIT, PAYMENT, LegKind.CREDIT, credit_status, 3_000, "USD", NOW, 1, wallet().id, 30_000_000)
    held = Hold(
        HoldId(typeid("hold", 1)),
        CREDIT,
        WalletId(wallet().id),
        grant(1, 30).id,
        30_000_000,
        3_000,
        HoldStatus.SETTLED if settled else HoldStatus.OPEN,
    )
    lot = grant(1, 30, cost_minor=2_400)
    owed = invoice(status=InvoiceStatus.OPEN, payment_status=PaymentStatus.PROCESSING)
    if settled:
        owed = replace(
            owed,
            status=InvoiceStatus.PAID,
            payment_status=PaymentStatus.SUCCEEDED,
            paid_minor=10_000,
            paid_at=NOW,
            paid_with="credits and visa 4242",
        )
        lot = replace(lot, remaining=0, released_minor=2_400)
    made: dict[str, Any] = {
        "wallets": (wallet(),),
        "grants": (lot if settled else replace(lot, held=lot.amount),),
        "holds": (held,),
        "invoices": (owed,),
        "payments": (
            Payment(
                PAYMENT,
                CUSTOMER,
                ACCOUNT,
                PaymentStatus.SUCCEEDED if settled else PaymentStatus.PROCESSING,
                10_000,
                "USD",
                NOW,
                confirmation,
                settled_at=NOW if settled else None,
            ),
        ),
        "legs": (replace(credit, settled_at=NOW) if settled else credit, card),
        "allocations": (Allocation(CREDIT, invoice_id(), 3_000), Allocation(CARD, invoice_id(), 7_000)),
    }
    return restated(books(**({"lines": (line(1),)} | made | changes)))


def restated(held: Books) -> Books:
    """Let payment and invoice say what the legs make of them."""
    payments = tuple(replace(each, status=payment_status(held, each)) for each in held.payments)
    invoices = tuple(replace(each, payment_status=invoice_payment_status(held, each)) for each in held.invoices)
    return replace(held, payments=payments, invoices=invoices)


def hear(held: Books, fact: IntentFact) -> tuple[Decision, World]:
    world = World(held)
    return world.decide(lambda read: decide_intent(read, fact, NOW, world.new_id)), world


def ours(status: IntentStatus, amount: int = 7_000, **changes: Any) -> IntentFact:
    """A payment that we made: it carries our mark."""
    return intent(PI, status, amount, metadata={LEG_MARK: CARD}, **changes)


def card_of(world: World) -> Leg:
    return next(leg for leg in world.books.legs if leg.id == CARD)


def invoice_of(world: World) -> Invoice:
    return world.books.invoices[0]
