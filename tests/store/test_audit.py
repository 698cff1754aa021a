"""Every invariant passes on good books, and finds a breach that somebody wrote around every guard."""


from core.factories import fee, intent
from counterfoil.core.effects import Act, Change
from counterfoil.core.facts import IntentStatus
from counterfoil.core.ids import InvoiceId, PaymentId
from counterfoil.core.invariants import INVARIANTS
from store.road import Road


def pay_by_credits_and_card(road: Road) -> tuple[InvoiceId, PaymentId]:
    """100 dollars: 30 by credits that were bought for 24, 70 by card, of which the provider keeps 2.33."""
    road.fund(30, cost_minor=2_400)
    invoice = road.bill(10_000)
    launched = road.pay(invoice)
    assert isinstance(launched, Act)
    payment = PaymentId(next(each.after.id for each in launched.effects if isinstance(each, Change)))
    leg = next(each.after for each in launched.effects if isinstance(each, Change) and each.after.id.startswith("leg_"))
    metadata = {"counterfoil_leg": provider_leg(launched)}
    road.hear(intent("pi_1", IntentStatus.NEEDS_CONFIRMATION, metadata=metadata), payment)
    road.hear(intent("pi_1", IntentStatus.SUCCEEDED, charge_fee=fee("txn_1")), payment)
    assert leg
    return invoice, payment


def provider_leg(launched: Act) -> str:
    legs = [each.after for each in launched.effects if isinstance(each, Change)]
    return next(each.id for each in legs if getattr(each, "kind", None) == "provider")


def test_good_books_keep_every_invariant(road: Road) -> None:
    pay_by_credits_and_card(road)

    report = road.audit()

    assert report.breaches == ()
    assert set(report.checked) == set(INVARIANTS)
    assert all(rows > 0 for rows in report.checked.values())
