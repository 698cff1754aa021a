"""What the provider's payment means: identity, history, money; in whatever order and however often it comes."""

from dataclasses import replace
from itertools import permutations, product

import pytest

from behaviours import behaviour
from core.factories import (
    ACCOUNT,
    CUSTOMER,
    NOW,
    declined,
    fee,
    intent,
    invoice_id,
)
from core.part_paid import (
    CARD,
    CARD_STATES,
    CONFIRMATIONS,
    CREDIT,
    PAYMENT,
    PI,
    card_of,
    hear,
    invoice_of,
    ours,
    part_paid,
)
from core.world import World
from counterfoil.core.books import (
    Allocation,
    Confirmation,
)
from counterfoil.core.effects import Act, Park, Post, Reason, Skip, effects_of
from counterfoil.core.facts import LEG_MARK, IntentFact, IntentStatus
from counterfoil.core.ids import LegId, PaymentId, ProviderRef, typeid
from counterfoil.core.launch import Launch, decide_launch
from counterfoil.core.lifecycle import HoldStatus, InvoiceStatus, LegStatus, PaymentStatus
from counterfoil.core.settlement import decide_intent

# --- the happy end ---


@behaviour("R-CO-1", "R-CO-6", "R-LG-24")
def test_money_settles_the_leg_the_credits_the_payment_and_the_invoice_in_one_decision() -> None:
    decision, world = hear(part_paid(), ours(IntentStatus.SUCCEEDED, charge_fee=fee("txn_1")))

    assert decision.why.reason is Reason.INTENT_SETTLED
    paid = invoice_of(world)
    assert (paid.status, paid.payment_status) == (InvoiceStatus.PAID, PaymentStatus.SUCCEEDED)
    assert (paid.paid_minor, paid.due_minor, paid.paid_at, paid.paid_with) == (10_000, 0, NOW, "credits and visa 4242")
    assert {leg.id: leg.status for leg in world.books.legs} == {CREDIT: "settled", CARD: "settled"}
    assert (card_of(world).received_minor, card_of(world).charge_ref) == (7_000, "ch_1")
    assert world.books.payments[0].status is PaymentStatus.SUCCEEDED
    assert (world.books.grants[0].remaining, world.books.grants[0].released_minor) == (0, 2_400)
    assert world.books.holds[0].status is HoldStatus.SETTLED
    assert set(world.journal) == {f"leg:{CARD}:settled", f"leg:{CREDIT}:settled", "fee:txn_1"}
    assert world.balance(f"receivable:{CUSTOMER}") == 10_000
    assert world.balance(f"clearing:{ACCOUNT}") == -(7_000 - 233)
    assert world.balance("promotion_cost") == -600, "credits worth 30 were sold for 24"
    assert set(world.told) == {f"invoice.paid:{paid.id}", f"payment.succeeded:{PAYMENT}"}
    assert world.told[f"payment.succeeded:{PAYMENT}"].data == {"amount_minor": 10_000, "currency": "USD"}


@behaviour("R-SU-8", "R-CO-10")
def test_what_is_told_commits_with_what_happened() -> None:
    decision, _ = hear(part_paid(), ours(IntentStatus.SUCCEEDED))

    assert isinstance(decision, Act)
    kinds = {type(each).__name__ for each in decision.effects}
    assert {"Post", "Change", "Notify"} <= kinds


@behaviour("R-CO-9", "R-LG-14")
@pytest.mark.parametrize("times", [2, 3])
def test_the_same_news_again_changes_nothing(times: int) -> None:
    _, world = hear(part_paid(), ours(IntentStatus.SUCCEEDED, charge_fee=fee("txn_1")))
    before = (world.books, dict(world.journal))

    again = [
        world.decide(
            lambda held: decide_intent(held, ours(IntentStatus.SUCCEEDED, charge_fee=fee("txn_1")), NOW, world.new_id)
        )
        for _ in range(times)
    ]

    assert {(type(each), each.why.reason) for each in again} == {(Skip, Reason.ALREADY_SETTLED)}
    assert (world.books, world.journal) == before


def test_a_fee_that_becomes_known_later_is_booked_once() -> None:
    _, world = hear(part_paid(), ours(IntentStatus.SUCCEEDED))

    for reason in (Reason.FEE_BOOKED, Reason.ALREADY_SETTLED):
        late = ours(IntentStatus.SUCCEEDED, charge_fee=fee("txn_1"))
        assert world.decide(lambda held, f=late: decide_intent(held, f, NOW, world.new_id)).why.reason is reason  # type: ignore[misc]

    assert world.balance("provider_fees") == -233


# --- every state against every status ---


@behaviour("R-CO-14", "R-LG-25", "R-SU-3")
@pytest.mark.parametrize(
    ("state", "status", "confirmation"),
    [*product(CARD_STATES, IntentStatus, CONFIRMATIONS)],
)
def test_no_news_moves_anything_against_its_lifecycle(
    state: LegStatus, status: IntentStatus, confirmation: Confirmation
) -> None:
    """The world applies every change under the tables of `lifecycle`, and checks the sums after it."""
    facts = [ours(status), ours(status, received=0), ours(status, charge_fee=fee("txn_1"))]
    if status is IntentStatus.NEEDS_METHOD:
        facts.append(declined(PI, metadata={LEG_MARK: CARD}))

    for fact in facts:
        decision, world = hear(part_paid(state, confirmation), fact)

        assert decision.why.about
        assert [each for each in world.breaches() if each.invariant not in ("I4", "I5", "I7")] == []
        if state in (LegStatus.SETTLED, LegStatus.RETURNED):
            assert invoice_of(world) == part_paid(state).invoices[0], "paid stays paid"
            assert card_of(world).status is state


@behaviour("R-LG-25")
@pytest.mark.parametrize("late", [IntentStatus.PROCESSING, IntentStatus.NEEDS_ACTION, IntentStatus.CANCELED])
def test_late_news_never_undoes_a_settlement(late: IntentStatus) -> None:
    decision, world = hear(part_paid(LegStatus.SETTLED), ours(late))

    assert isinstance(decision, Skip)
    assert decision.why.reason is Reason.ALREADY_SETTLED
    assert world.books == part_paid(LegStatus.SETTLED)


@behaviour("R-LG-25")
def test_a_late_refusal_never_undoes_a_settlement() -> None:
    decision, world = hear(part_paid(LegStatus.SETTLED), declined(PI, metadata={LEG_MARK: CARD}))

    assert isinstance(decision, Skip)
    assert world.books == part_paid(LegStatus.SETTLED)


@behaviour("R-LG-25")
@pytest.mark.parametrize("state", [LegStatus.REFUSED, LegStatus.CANCELED])
def test_success_after_a_refused_try_settles_after_all(state: LegStatus) -> None:
    decision, world = hear(part_paid(state), ours(IntentStatus.SUCCEEDED))

    assert decision.why.reason is Reason.LATE_SUCCESS
    assert invoice_of(world).status is InvoiceStatus.PAID
    assert world.books.payments[0].status is PaymentStatus.SUCCEEDED


@behaviour("R-SU-9")
def test_a_refusal_fails_the_payment_and_keeps_the_credits_for_a_retry() -> None:
    decision, world = hear(part_paid(), declined(PI, metadata={LEG_MARK: CARD}))

    assert decision.why.reason is Reason.INTENT_REFUSED
    assert (card_of(world).status, card_of(world).refusal_code) == (LegStatus.REFUSED, "insufficient_funds")
    assert world.books.payments[0].status is PaymentStatus.FAILED
    assert invoice_of(world).payment_status is PaymentStatus.FAILED
    assert invoice_of(world).status is InvoiceStatus.OPEN
    assert world.books.grants[0].held == 30_000_000
    assert world.timers == {("release-credits", PAYMENT), ("tell-customer", PAYMENT)}
    assert world.journal == {}


@behaviour("R-CO-5", "R-CO-6", "R-CO-14", "R-SU-3")
@pytest.mark.parametrize(
    "order",
    list(
        permutations(
            [
                IntentStatus.PROCESSING,
                IntentStatus.NEEDS_ACTION,
                IntentStatus.NEEDS_CONFIRMATION,
                IntentStatus.SUCCEEDED,
            ]
        )
    ),
)
def test_every_order_of_the_looks_ends_in_the_same_books(order: tuple[IntentStatus, ...]) -> None:
    world = World(part_paid())
    for status in (*order, *order[::-1]):
        world.decide(lambda held, s=status: decide_intent(held, ours(s), NOW, world.new_id))  # type: ignore[misc]

    assert invoice_of(world).status is InvoiceStatus.PAID
    assert {leg.status for leg in world.books.legs} == {LegStatus.SETTLED}
    assert set(world.journal) == {f"leg:{CARD}:settled", f"leg:{CREDIT}:settled"}


# --- money that is not what was asked for ---


@behaviour("R-CO-18")
def test_more_than_was_owed_is_kept_for_the_customer_and_told() -> None:
    decision, world = hear(part_paid(confirmation=Confirmation.HOST), intent(PI, IntentStatus.SUCCEEDED, 9_500))

    assert decision.why.reason is Reason.OVERPAID
    assert invoice_of(world).status is InvoiceStatus.PAID
    assert invoice_of(world).paid_minor == 10_000
    assert world.balance(f"customer_balance:{CUSTOMER}") == 2_500
    assert (Reason.OVERPAID, PI) in world.cases


@behaviour("R-CO-18")
def test_credits_that_are_no_longer_owed_go_back_instead_of_paying_twice() -> None:
    """A part was paid by other money while the card was asked: the card's share leaves less than the credits cover."""
    partly = replace(part_paid().invoices[0], paid_minor=5_000)

    decision, world = hear(part_paid(invoices=(partly,)), ours(IntentStatus.SUCCEEDED))

    assert decision.why.reason is Reason.OVERPAID
    assert invoice_of(world).status is InvoiceStatus.PAID
    assert {leg.id: leg.status for leg in world.books.legs} == {CREDIT: "released", CARD: "settled"}
    assert (world.books.grants[0].remaining, world.books.grants[0].held) == (30_000_000, 0)
    assert world.balance(f"customer_balance:{CUSTOMER}") == 2_000


@behaviour("R-CO-18")
def test_less_than_was_asked_for_leaves_the_invoice_open_for_the_rest() -> None:
    decision, world = hear(part_paid(confirmation=Confirmation.HOST), intent(PI, IntentStatus.SUCCEEDED, 2_000))

    assert decision.why.reason is Reason.UNDERPAID
    held = invoice_of(world)
    assert (held.status, held.paid_minor, held.due_minor) == (InvoiceStatus.OPEN, 5_000, 5_000)
    assert (held.paid_at, held.paid_with) == (None, None)
    assert world.told[f"payment.succeeded:{PAYMENT}"].data["amount_minor"] == 5_000, "what came, not what was hoped for"
    rest = decide_launch(world.books, Launch((invoice_id(),)), NOW, world.new_id)
    assert rest.why.inputs["provider_minor"] == 5_000


@behaviour("R-CO-19")
def test_a_second_payment_of_a_paid_invoice_is_recorded_and_kept_to_be_refunded() -> None:
    paid = part_paid(LegStatus.SETTLED)
    second = replace(
        part_paid().legs[1],
        id=LegId(typeid("leg", 3)),
        payment=PaymentId(typeid("pmt", 2)),
        provider_ref=ProviderRef("pi_2"),
    )
    held = replace(
        paid,
        legs=(*paid.legs, second),
        payments=(*paid.payments, replace(part_paid().payments[0], id=second.payment, amount_minor=7_000)),
        allocations=(*paid.allocations, Allocation(second.id, invoice_id(), 7_000)),
    )

    decision, world = hear(held, intent("pi_2", IntentStatus.SUCCEEDED))

    assert decision.why.reason is Reason.DUPLICATE_PAYMENT
    assert world.balance(f"customer_balance:{CUSTOMER}") == 7_000
    assert world.balance(f"receivable:{CUSTOMER}") == 0, "nothing was owed, so nothing is paid twice"
    assert (Reason.DUPLICATE_PAYMENT, "pi_2") in world.cases
    assert invoice_of(world) == paid.invoices[0]


@pytest.mark.parametrize(
    ("fact", "reason"),
    [
        (ours(IntentStatus.SUCCEEDED, currency="EUR"), Reason.CURRENCY_MISMATCH),
        (ours(IntentStatus.SUCCEEDED, 1), Reason.AMOUNT_MISMATCH),
        (ours(IntentStatus.SUCCEEDED, 7_001), Reason.AMOUNT_MISMATCH),
        (ours(IntentStatus.SUCCEEDED, customer_ref=ProviderRef("cus_other")), Reason.CUSTOMER_MISMATCH),
    ],
)
@pytest.mark.parametrize("again", [1, 2])
def test_a_payment_that_is_not_what_we_asked_for_pays_nothing(fact: IntentFact, reason: Reason, again: int) -> None:
    """An event that pays one cent for a hundred dollars settles nothing: the money is kept apart and a person asked."""
    world = World(part_paid())
    for _ in range(again):
        world.intents[PI] = fact
        decision = world.decide(lambda held: decide_intent(held, fact, NOW, world.new_id))
        assert isinstance(decision, Park)
        assert decision.why.reason is reason

    assert invoice_of(world) == part_paid().invoices[0]
    assert card_of(world).status is LegStatus.PROCESSING
    assert world.balance(f"suspense:{PI}") == fact.received.minor
    assert list(world.cases) == [(reason, PI)]


def test_a_success_that_collected_nothing_is_put_to_a_person() -> None:
    decision, world = hear(part_paid(), ours(IntentStatus.SUCCEEDED, received=0))

    assert isinstance(decision, Park)
    assert card_of(world).status is LegStatus.PROCESSING
    assert world.journal == {}


def test_money_that_waited_in_suspense_settles_from_there() -> None:
    world = World(part_paid(confirmation=Confirmation.HOST, suspense=((PI, 7_000),)))
    decision = decide_intent(world.books, intent(PI, IntentStatus.SUCCEEDED), NOW, world.new_id)

    entry = next(each.entry for each in effects_of(decision) if isinstance(each, Post) and CARD in each.entry.key)
    assert [(str(p.debit), str(p.credit), p.amount) for p in entry.postings] == [
        (f"suspense:{PI}", f"receivable:{CUSTOMER}", 7_000)
    ]
