"""Explanations are pure: the same subjects and the same story give the same equation, and its terms add up."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from core.factories import CUSTOMER, NOW, ONE, books, grant, invoice, invoice_id, wallet
from counterfoil.core import alerts, buying, gathering, provider_invoices, wallets, watching
from counterfoil.core.books import Allocation, Confirmation, Grant, Leg, LegKind, Payment
from counterfoil.core.equation import Equation, Term, amount_text
from counterfoil.core.explain import (
    Flow,
    explain_customer,
    explain_grant,
    explain_invoice,
    explain_leg,
    explain_payment,
    explain_wallet,
)
from counterfoil.core.ids import AccountId, LegId, PaymentId, typeid
from counterfoil.core.journal import MONEY_ACCOUNTS, SERVICE_ACCOUNTS
from counterfoil.core.lifecycle import InvoiceStatus, LegStatus, PaymentStatus
from counterfoil.core.orders import Instruction
from counterfoil.core.story import (
    ACCOUNT_NAMES,
    ENTRY_TITLES,
    MOVEMENTS,
    TIMERS,
    VERBS,
    Step,
    attribute,
    effect_class,
    moved,
    tally,
)

PAYMENT = PaymentId(typeid("pmt", 1))
BY_CARD = LegId(typeid("leg", 1))
BY_CREDITS = LegId(typeid("leg", 2))


def card_leg(amount: int = 7_000, received: int | None = None, status: LegStatus = LegStatus.SETTLED) -> Leg:
    return Leg(
        BY_CARD,
        PAYMENT,
        LegKind.PROVIDER,
        status,
        amount,
        "USD",
        NOW,
        account=AccountId(typeid("pacc", 1)),
        received_minor=amount if received is None else received,
    )


def payment(amount: int = 7_000, status: PaymentStatus = PaymentStatus.SUCCEEDED) -> Payment:
    account = AccountId(typeid("pacc", 1))
    return Payment(PAYMENT, CUSTOMER, account, status, amount, "USD", NOW, Confirmation.SERVER)


def step(number: int, *effects: dict[str, Any], **changes: Any) -> Step:
    at = NOW + timedelta(seconds=number)
    made = Step(
        f"pevt_{number}", "webhook", "charge.succeeded", "pi_1", at, at, decision=f"dec_{number}", decided_at=at
    )
    return replace(made, effects=effects, **changes)


def posted(leg: str, word: str = "settled", amount: int = 7_000) -> dict[str, Any]:
    posting = {"debit": "clearing:pacc_1", "credit": f"receivable:{CUSTOMER}", "unit": "USD", "amount": amount}
    return {"effect": "post", "entry": f"leg:{leg}:{word}", "postings": [posting]}


def counted(owner: str, before: int, after: int) -> dict[str, Any]:
    changed = {"from": {"paid_minor": before}, "to": {"paid_minor": after}}
    return {"effect": "change", "subject": "invoice", "id": owner, **changed}


# --- equations ---


def _lot(number: int, amount: int, used: float, held: float, start: int, life: int | None) -> Grant:
    remaining = amount - int(amount * used)
    effective = NOW + timedelta(days=start)
    return replace(
        grant(number, 1),
        amount=amount,
        remaining=remaining,
        held=int(remaining * held),
        effective_at=effective,
        expires_at=effective + timedelta(days=life) if life else None,
    )


lots = st.lists(
    st.builds(
        _lot,
        st.integers(1, 50),
        st.integers(1, 10**12),
        st.floats(0, 1),
        st.floats(0, 1),
        st.integers(-40, 40),
        st.none() | st.integers(1, 80),
    ),
    max_size=6,
    unique_by=lambda lot: lot.id,
)


@given(lots)
def test_what_a_wallet_can_spend_is_granted_less_used_held_and_expired_whatever_its_lots(own: list[Grant]) -> None:
    equation = explain_wallet(wallet(), own, NOW).equations[0]

    assert equation.adds_up
    assert equation.result.amount == sum(each.free for each in own if _live(each))


def _live(lot: Grant) -> bool:
    return lot.effective_at <= NOW and (lot.expires_at is None or lot.expires_at > NOW)


def test_a_reserved_share_of_an_expired_lot_counts_as_held_not_as_expired() -> None:
    lot = replace(grant(1, 30), held=10 * ONE, expires_at=NOW)

    equation = explain_grant(lot, wallet(), NOW).equations[0]

    assert equation.text == snapshot("30.00 granted − 0.00 used − 10.00 held − 20.00 expired = 0.00 available")


def test_credits_that_are_not_effective_yet_are_told_apart() -> None:
    later = replace(grant(1, 30), effective_at=NOW + timedelta(days=1))

    told = explain_wallet(wallet(), [later], NOW)

    assert told.finding == snapshot("0.00 usd-credit can be spent: 30.00 granted, 30.00 not effective yet.")


def test_an_equation_that_does_not_add_up_says_so() -> None:
    broken = Equation("x", "USD", 2, Term("total", "billed", 10_000), (Term("provider", "card", 7_000),))

    assert not broken.adds_up
    assert broken.text == "100.00 billed ≠ 70.00 card"


def test_an_invoice_whose_paid_amount_has_no_source_is_reported_and_not_bent_to_fit() -> None:
    paid = invoice(
        status=InvoiceStatus.PAID, paid_minor=10_000, payment_status=PaymentStatus.SUCCEEDED, paid_with="card"
    )

    told = explain_invoice(books(invoices=(paid,)), paid, {})

    assert told.finding == snapshot(
        "Invoice INV-000001 over 100.00 USD does not add up: 100.00 billed ≠ 0.00 due. Run `counterfoil verify`."
    )


def test_money_beyond_what_was_asked_is_told_as_kept_for_the_customer() -> None:
    leg = card_leg(7_000, received=8_000)
    held = books(
        invoices=(invoice(total=7_000),),
        payments=(payment(),),
        legs=(leg,),
        allocations=(Allocation(leg.id, invoice_id(), 7_000),),
    )

    told = explain_leg(held, leg, {(leg.id, invoice_id()): 7_000})

    assert told.equations[0].text == snapshot("80.00 received = 70.00 INV-000001 + 10.00 kept for the customer")


def test_a_payment_that_brought_less_says_what_was_not_collected() -> None:
    leg = card_leg(7_000, received=5_000)

    told = explain_payment(books(payments=(payment(),), legs=(leg,)), payment())

    assert told.equations[0].text == snapshot("70.00 asked for = 50.00 provider + 20.00 not collected")


def test_a_customer_without_a_bill_owes_nothing_and_has_no_equation() -> None:
    told = explain_customer(CUSTOMER, [], [], [])

    assert (told.finding, told.equations) == ("This customer was billed nothing yet.", ())


def test_what_a_customer_owes_is_told_per_currency() -> None:
    owed = [Flow("USD", "billed", 10_000, 1), Flow("EUR", "billed", 500, 2), Flow("USD", "collected", -7_000, 1)]

    told = explain_customer(CUSTOMER, owed, [], [])

    assert [each.text for each in told.equations] == snapshot(
        ["5.00 billed = 5.00 owed", "100.00 billed − 70.00 collected = 30.00 owed"]
    )


@pytest.mark.parametrize(
    ("amount", "scale", "text"),
    [(30_000_000, 6, "30.00"), (125, 6, "0.000125"), (1_500_000, 6, "1.50"), (7_000, 2, "70.00"), (7_000, 0, "7000")],
)
def test_amounts_are_never_rounded_and_lose_only_the_zeros_of_a_fine_scale(amount: int, scale: int, text: str) -> None:
    assert amount_text(amount, scale) == text


# --- the story ---


def test_each_invoice_knows_which_leg_paid_it_also_when_one_leg_pays_two() -> None:
    first, second = invoice_id(1), invoice_id(2)
    decided = step(1, posted(BY_CARD), counted(first, 0, 4_000), counted(second, 1_000, 4_000))
    credits = step(2, posted(BY_CREDITS), counted(second, 4_000, 7_000))

    assert attribute([credits, decided]) == {
        (BY_CARD, first): 4_000,
        (BY_CARD, second): 3_000,
        (BY_CREDITS, second): 3_000,
    }


def test_a_leg_that_was_returned_paid_nothing_in_the_end() -> None:
    paid = step(1, posted(BY_CREDITS), counted(invoice_id(), 0, 3_000))
    back = step(2, posted(BY_CREDITS, "returned"), counted(invoice_id(), 3_000, 0))

    assert attribute([paid, back]) == {}


def test_a_step_moved_money_changed_something_or_changed_nothing() -> None:
    assert effect_class([posted(BY_CARD), counted(invoice_id(), 0, 1)]) == "money"
    assert effect_class([counted(invoice_id(), 0, 1)]) == "state"
    assert effect_class([]) == "none"


def test_what_was_taken_back_moves_a_negative_amount() -> None:
    (back,) = moved(step(1, posted(BY_CREDITS, "returned", 3_000)))

    assert (back.kind, back.amount, back.unit) == ("returned", -3_000, "USD")


def test_a_story_counts_repeated_deliveries_and_news_that_wait() -> None:
    steps = [step(1, outcome="applied", deliveries=2), step(2, outcome="no_effect"), step(3, outcome=None)]

    assert tally(steps) == snapshot(
        {"notices": 3, "deliveries": 4, "applied": 1, "no_effect": 1, "waiting": 1, "parked": 0, "refused": 0}
    )


def test_every_account_of_the_chart_and_every_movement_has_a_name() -> None:
    assert set(ACCOUNT_NAMES) == MONEY_ACCOUNTS | SERVICE_ACCOUNTS
    assert {*MOVEMENTS.values(), "credits_used"} == set(ENTRY_TITLES)


def test_every_instruction_and_every_timer_has_words() -> None:
    woken = {
        *(watching.WATCH_TIMER, alerts.ALERT_TIMER, buying.GIVE_UP_TIMER, gathering.GATHER_TIMER),
        *(provider_invoices.ABANDON_TIMER, wallets.BEGIN_TIMER, wallets.END_TIMER),
    }

    assert set(VERBS) == {each.__name__ for each in get_args(Instruction)}
    assert woken <= set(TIMERS)
