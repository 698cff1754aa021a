"""Starting a payment: credits first, exact parts, one collector, and nothing deducted when it is refused."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from behaviours import behaviour
from core.factories import (
    ACCOUNT,
    CUSTOMER,
    ISK_CREDIT,
    JPY_CREDIT,
    KWD_CREDIT,
    METHOD,
    NOW,
    ONE,
    PEGGED,
    Counting,
    books,
    customer,
    declined,
    grant,
    invoice,
    invoice_id,
    line,
    method,
    wallet,
)
from core.world import World
from counterfoil.core.books import Books, Confirmation, Leg, LegKind, Payment
from counterfoil.core.effects import (
    Act,
    Allocate,
    Change,
    Decision,
    Instruct,
    Observe,
    Park,
    Post,
    Reason,
    Refuse,
    Skip,
    effects_of,
)
from counterfoil.core.ids import MethodId, ProviderRef
from counterfoil.core.launch import Launch, decide_due, decide_launch
from counterfoil.core.lifecycle import InvoiceStatus, LegStatus, PaymentStatus, WalletStatus
from counterfoil.core.money import USD_CREDIT, Money, chargeable, smallest_charge
from counterfoil.core.orders import CancelIntent, CreateIntent


def launch(held: Books, *invoices: int, **wanted: Any) -> Decision:
    ids = tuple(invoice_id(each) for each in invoices or (1,))
    return decide_launch(held, Launch(ids, **wanted), NOW, Counting())


def legs_in(decision: Decision) -> list[Leg]:
    """The legs as the decision leaves them, in their order."""
    last = {each.after.id: each.after for each in effects_of(decision) if isinstance(each, Change)}
    return sorted((each for each in last.values() if isinstance(each, Leg)), key=lambda leg: leg.position)


def parts(decision: Decision) -> list[tuple[str, int, str]]:
    return [(leg.kind, leg.amount_minor, leg.status) for leg in legs_in(decision)]


def instructions(decision: Decision) -> list[Any]:
    return [each.order.instruction for each in effects_of(decision) if isinstance(each, Instruct)]


# --- how an invoice is split ---


@behaviour("R-SU-6")
def test_credits_pay_what_they_can_and_the_card_the_rest() -> None:
    decision = launch(books(wallets=(wallet(),), grants=(grant(1, 30),), invoices=(invoice(),)))

    assert parts(decision) == [("credit", 3_000, "reserved"), ("provider", 7_000, "processing")]
    assert decision.why.reason is Reason.PAYMENT_LAUNCHED
    assert instructions(decision) == [
        CreateIntent(legs_in(decision)[1].id, CUSTOMER, Money(7_000, "USD"), METHOD, "INV-000001")
    ]
    assert not [each for each in effects_of(decision) if isinstance(each, Post)], "nothing is booked before it is paid"


@behaviour("R-SU-4")
def test_several_wallets_contribute_each_by_a_leg_of_its_own() -> None:
    second = replace(ISK_CREDIT, code="usd-bonus", face_currency="USD")
    held = books(
        wallets=(wallet(2, second), wallet(1), wallet(3, ISK_CREDIT)),
        grants=(grant(1, 30), grant(2, 20, owner=2), grant(3, 99, owner=3)),
        invoices=(invoice(),),
    )

    decision = launch(held)

    assert parts(decision) == [
        ("credit", 3_000, "reserved"),
        ("credit", 2_000, "reserved"),
        ("provider", 5_000, "processing"),
    ]
    assert [leg.wallet for leg in legs_in(decision)[:2]] == [wallet(1).id, wallet(2).id]


@behaviour("R-SU-5")
def test_credits_that_cover_everything_pay_at_once_and_the_provider_is_not_asked() -> None:
    world = World(books(wallets=(wallet(),), grants=(grant(1, 100),), invoices=(invoice(),)))

    decision = world.decide(lambda held: decide_launch(held, Launch((invoice_id(),)), NOW, world.new_id))

    assert decision.why.reason is Reason.PAID_BY_CREDITS
    assert parts(decision) == [("credit", 10_000, "settled")]
    assert instructions(decision) == []
    paid = world.books.invoices[0]
    assert (paid.status, paid.payment_status, paid.paid_minor) == ("paid", "succeeded", 10_000)
    assert (paid.paid_at, paid.paid_with) == (NOW, "credits")
    assert world.books.payments[0].status is PaymentStatus.SUCCEEDED
    assert world.books.grants[0].remaining == 0
    assert set(world.told) == {f"invoice.paid:{paid.id}", f"payment.succeeded:{world.books.payments[0].id}"}


@behaviour("R-SU-2")
def test_a_retry_charges_only_what_is_left() -> None:
    world = World(books(wallets=(wallet(),), grants=(grant(1, 30),), invoices=(invoice(),)))
    world.decide(lambda held: decide_launch(held, Launch((invoice_id(),)), NOW, world.new_id))
    world.send_all("declined")
    world.send_all("declined")
    world.books = replace(world.books, grants=(*world.books.grants, grant(2, 20)))

    decision = world.decide(lambda held: decide_launch(held, Launch((invoice_id(),)), NOW, world.new_id))

    assert parts(decision) == [("credit", 2_000, "reserved"), ("provider", 5_000, "waiting")]
    assert len(world.books.payments) == 1, "a retry is the same payment"
    assert [type(each) for each in instructions(decision)] == [CancelIntent], "first the refused object is given up"


@behaviour("R-SU-7")
def test_the_invoice_is_in_processing_while_only_its_credits_are_sure() -> None:
    world = World(books(wallets=(wallet(),), grants=(grant(1, 30),), invoices=(invoice(),)))

    world.decide(lambda held: decide_launch(held, Launch((invoice_id(),)), NOW, world.new_id))

    assert world.books.invoices[0].payment_status is PaymentStatus.PROCESSING
    assert world.books.payments[0].status is PaymentStatus.PROCESSING


def test_credits_can_be_left_out() -> None:
    held = books(wallets=(wallet(),), grants=(grant(1, 30),), invoices=(invoice(),))

    assert parts(launch(held, use_credits=False)) == [("provider", 10_000, "processing")]


@pytest.mark.parametrize(
    "lot",
    [
        grant(1, 30, held=30 * ONE),
        grant(1, 30, remaining=0),
        grant(1, 30, effective_at=NOW + timedelta(seconds=1)),
        grant(1, 30, expires_at=NOW),
        grant(1, 30, remaining=9_999),
        grant(1, 30, owner=2),
    ],
)
def test_credits_that_are_not_there_pay_nothing(lot: Any) -> None:
    held = books(wallets=(wallet(),), grants=(lot,), invoices=(invoice(),))

    assert parts(launch(held)) == [("provider", 10_000, "processing")]


@pytest.mark.parametrize("status", [WalletStatus.SUSPENDED, WalletStatus.CLOSED])
def test_a_wallet_that_is_not_active_pays_nothing(status: WalletStatus) -> None:
    held = books(wallets=(wallet(status=status),), grants=(grant(1, 30),), invoices=(invoice(),))

    assert parts(launch(held)) == [("provider", 10_000, "processing")]


def test_one_payment_collects_several_invoices_and_says_how_much_of_each() -> None:
    held = books(wallets=(wallet(),), grants=(grant(1, 30),), invoices=(invoice(1, 2_000), invoice(2, 5_000)))

    decision = launch(held, 1, 2)

    assert parts(decision) == [("credit", 3_000, "reserved"), ("provider", 4_000, "processing")]
    spread = [each.allocation for each in effects_of(decision) if isinstance(each, Allocate)]
    assert [(each.invoice, each.minor) for each in spread] == [
        (invoice_id(1), 2_000),
        (invoice_id(2), 1_000),
        (invoice_id(2), 4_000),
    ]


CURRENCY_STEPS = {"USD": 1, "JPY": 1, "ISK": 100, "KWD": 10}


@behaviour("R-SU-6")
@given(
    currency=st.sampled_from(sorted(PEGGED)),
    steps=st.lists(st.integers(1, 10**6), min_size=1, max_size=3),
    lots=st.lists(st.integers(1, 10**13), max_size=4),
)
def test_the_parts_add_up_exactly_in_every_currency(currency: str, steps: list[int], lots: list[int]) -> None:
    """Whatever is worth less than what the provider can be asked in is left in the wallet, and never lost."""
    invoices = tuple(invoice(n, step * CURRENCY_STEPS[currency], currency) for n, step in enumerate(steps, start=1))
    assume(sum(each.total_minor for each in invoices) >= smallest_charge(currency).minor)
    grants = tuple(
        grant(n, 1, amount=units, remaining=units, cost_currency=currency) for n, units in enumerate(lots, start=1)
    )
    lines = tuple(line(n, n, each.total_minor) for n, each in enumerate(invoices, start=1))
    world = World(books(wallets=(wallet(unit=PEGGED[currency]),), grants=grants, invoices=invoices, lines=lines))
    wanted = Launch(tuple(each.id for each in invoices))

    decision = world.decide(lambda held: decide_launch(held, wanted, NOW, world.new_id))

    assert isinstance(decision, Act)
    legs = legs_in(decision)
    assert sum(leg.amount_minor for leg in legs) == sum(each.total_minor for each in invoices)
    for each in invoices:
        assert sum(a.minor for a in world.books.allocations if a.invoice == each.id) == each.total_minor
    for leg in legs:
        assert sum(a.minor for a in world.books.allocations if a.leg == leg.id) == leg.amount_minor
        assert leg.kind is LegKind.CREDIT or chargeable(Money(leg.amount_minor, currency))
    # These lots and invoices came without a history, so the journal knows nothing of them (I4).
    assert [each for each in world.breaches() if each.invariant != "I4"] == []


@pytest.mark.parametrize(
    ("unit", "currency", "total", "units", "expected"),
    [
        # 40 ISK owed, 15.50 in credits: the provider takes whole krónur only, so 15 are used and 25 charged.
        (ISK_CREDIT, "ISK", 4_000, 15_500_000, [1_500, 2_500]),
        (JPY_CREDIT, "JPY", 500, 120_900_000, [120, 380]),
        (KWD_CREDIT, "KWD", 5_000, 1_234_567, [1_230, 3_770]),
        (KWD_CREDIT, "KWD", 5_005, 1_234_567, [1_225, 3_780]),
        # 0.20 would be left, and the provider takes 0.50 and more.
        (USD_CREDIT, "USD", 10_020, 100_000_000, [9_970, 50]),
        (JPY_CREDIT, "JPY", 500, 480_000_000, [450, 50]),
    ],
)
def test_credits_leave_a_remainder_that_the_provider_can_be_asked_for(
    unit: Any, currency: str, total: int, units: int, expected: list[int]
) -> None:
    lot = grant(1, 1, amount=units, remaining=units, cost_currency=currency)
    held = books(wallets=(wallet(unit=unit),), grants=(lot,), invoices=(invoice(1, total, currency),))

    assert [leg.amount_minor for leg in legs_in(launch(held))] == expected


@pytest.mark.parametrize(("currency", "total"), [("ISK", 4_010), ("UGX", 50), ("KWD", 5_124), ("BHD", 1), ("USD", 49)])
def test_what_no_provider_can_be_asked_for_is_refused(currency: str, total: int) -> None:
    decision = launch(books(invoices=(invoice(1, total, currency),)))

    assert_refused(decision, Reason.AMOUNT_NOT_CHARGEABLE)


# --- refusals ---


def assert_refused(decision: Decision, reason: Reason) -> None:
    assert isinstance(decision, Refuse)
    assert decision.why.reason is reason
    assert effects_of(decision) == (), "nothing is deducted when refused"


DRAFT: dict[str, Any] = {"status": InvoiceStatus.DRAFT, "finalized_at": None}
PAID: dict[str, Any] = {"status": InvoiceStatus.PAID, "paid_minor": 10_000}


@behaviour("R-SU-2")
@pytest.mark.parametrize(
    ("held", "wanted", "reason"),
    [
        ({"invoices": ()}, {}, Reason.NOT_FOUND),
        ({"invoices": (invoice(**DRAFT),)}, {}, Reason.INVOICE_NOT_OPEN),
        ({"invoices": (invoice(status=InvoiceStatus.VOID),)}, {}, Reason.INVOICE_NOT_OPEN),
        ({"invoices": (invoice(**PAID),)}, {}, Reason.NOTHING_DUE),
        ({"customer": customer(paused=True)}, {}, Reason.CUSTOMER_PAUSED),
        ({"methods": ()}, {}, Reason.NO_PAYMENT_METHOD),
        ({"methods": (method(attached=False, is_default=False),)}, {}, Reason.NO_PAYMENT_METHOD),
        ({"methods": (method(attached=False, is_default=False),)}, {"method": METHOD}, Reason.METHOD_NOT_USABLE),
        ({}, {"method": MethodId("pmeth_other")}, Reason.NOT_FOUND),
    ],
)
def test_what_can_t_be_collected_is_refused(held: dict[str, Any], wanted: dict[str, Any], reason: Reason) -> None:
    credits = {"wallets": (wallet(),), "grants": (grant(1, 30),), "invoices": (invoice(),)}

    assert_refused(launch(books(**(credits | held)), **wanted), reason)


def test_no_invoice_or_the_same_twice_is_refused() -> None:
    held = books(invoices=(invoice(),))

    assert_refused(decide_launch(held, Launch(()), NOW, Counting()), Reason.INVALID_REQUEST)
    assert_refused(launch(held, 1, 1), Reason.INVALID_REQUEST)


def test_two_currencies_are_two_payments() -> None:
    assert_refused(launch(books(invoices=(invoice(1), invoice(2, 100, "EUR"))), 1, 2), Reason.CURRENCIES_DIFFER)


def test_more_than_the_books_can_hold_is_refused() -> None:
    held = books(invoices=(invoice(1, 2**63 - 1), invoice(2, 2**63 - 1)))

    assert_refused(launch(held, 1, 2), Reason.AMOUNT_NOT_CHARGEABLE)


@behaviour("R-SU-1")
@pytest.mark.parametrize("status", [LegStatus.PROCESSING, LegStatus.REQUIRES_ACTION, LegStatus.WAITING])
def test_both_paths_are_guarded_while_a_payment_is_under_way(status: LegStatus) -> None:
    world = launched_world()
    world.books = replace(world.books, legs=tuple(replace(leg, status=status) for leg in world.books.legs))

    by_hand = launch(world.books)
    by_schedule = decide_due(world.books, invoice_id(), NOW, Counting())

    assert_refused(by_hand, Reason.PAYMENT_IN_PROGRESS)
    assert isinstance(by_schedule, Skip)
    assert by_schedule.why.reason is Reason.PAYMENT_IN_PROGRESS


def launched_world(*invoices: int) -> World:
    held = tuple(invoice(each, 1_000 * each) for each in invoices or (1,))
    world = World(books(invoices=held))
    wanted = Launch(tuple(each.id for each in held))
    world.decide(lambda read: decide_launch(read, wanted, NOW, world.new_id))
    return world


def test_a_failed_payment_is_continued_as_a_whole_or_not_at_all() -> None:
    world = launched_world(1, 2)
    world.send_all("declined")
    world.send_all("declined")

    assert_refused(launch(world.books, 1), Reason.PAYMENT_IN_PROGRESS)
    assert isinstance(launch(world.books, 1, 2), Act)


def test_an_uncollectible_invoice_may_still_be_paid() -> None:
    assert isinstance(launch(books(invoices=(invoice(status=InvoiceStatus.UNCOLLECTIBLE),))), Act)


def test_credits_beyond_what_is_owed_are_not_used_up() -> None:
    """Money that came late paid a part for which credits are still reserved."""
    world = World(books(wallets=(wallet(),), grants=(grant(1, 90),), invoices=(invoice(),)))
    world.decide(lambda held: decide_launch(held, Launch((invoice_id(),)), NOW, world.new_id))
    world.send_all("declined")
    world.send_all("declined")
    late = replace(world.books.invoices[0], paid_minor=5_000)
    world.books = replace(world.books, invoices=(late,))

    assert_refused(launch(world.books), Reason.PAYMENT_IN_PROGRESS)


# --- how it is asked for ---


def test_the_named_method_is_charged_else_the_default_else_the_oldest() -> None:
    older = method(2, created_at=NOW - timedelta(days=9))
    newest = method(3, created_at=NOW + timedelta(days=9))

    def charged(held: Books, **wanted: Any) -> str | None:
        created = instructions(launch(held, **wanted))[0]
        assert isinstance(created, CreateIntent)
        return created.method

    plain = {"invoices": (invoice(),)}
    assert charged(books(methods=(older, method(), newest), **plain)) == METHOD
    assert charged(books(methods=(method(is_default=False), older, newest), **plain)) == older.id
    assert charged(books(methods=(older, method(), newest), **plain), method=newest.id) == newest.id
    assert charged(books(methods=(), **plain), confirmation=Confirmation.CLIENT) is None


def test_a_retry_follows_the_way_it_is_asked_for() -> None:
    """The browser could not do it, so the saved card is charged: the payment must not wait for the browser."""
    world = World(books(invoices=(invoice(),)))
    world.decide(
        lambda held: decide_launch(held, Launch((invoice_id(),), confirmation=Confirmation.CLIENT), NOW, world.new_id)
    )
    world.send_all()
    ref = next(iter(world.intents))
    world.answer(ref, "declined")
    world.hear(ref)

    world.decide(lambda held: decide_launch(held, Launch((invoice_id(),)), NOW, world.new_id))
    world.settle_down()

    assert world.books.payments[0].confirmation is Confirmation.SERVER
    assert world.books.invoices[0].status is InvoiceStatus.PAID


def test_a_claim_only_watches_what_the_host_made() -> None:
    decision = launch(
        books(invoices=(invoice(),), wallets=(wallet(),), grants=(grant(1, 30),)), provider_ref=ProviderRef("pi_host")
    )

    assert decision.why.reason is Reason.PAYMENT_CLAIMED
    assert parts(decision) == [("provider", 10_000, "processing")]
    assert instructions(decision) == []
    looks = [each for each in effects_of(decision) if isinstance(each, Observe)]
    assert [(each.account, each.kind, each.ref) for each in looks] == [(ACCOUNT, "payment_intent", "pi_host")]


def test_a_claimed_checkout_is_looked_at_as_a_checkout() -> None:
    decision = launch(books(invoices=(invoice(),)), provider_ref=ProviderRef("cs_test_1"))

    assert [each.kind for each in effects_of(decision) if isinstance(each, Observe)] == ["checkout.session"]


def test_a_claim_gives_up_what_was_refused_before() -> None:
    world = launched_world(1)
    world.send_all("declined")
    world.send_all("declined")

    decision = launch(world.books, provider_ref=ProviderRef("pi_host"))

    assert [type(each) for each in instructions(decision)] == [CancelIntent]
    assert [leg.status for leg in legs_in(decision)] == [LegStatus.PROCESSING]


def test_an_object_that_is_being_given_up_is_not_given_up_twice() -> None:
    world = launched_world(1)
    world.send_all("declined")
    world.send_all("declined")
    world.decide(lambda held: decide_launch(held, Launch((invoice_id(),)), NOW, world.new_id))
    ref = next(iter(world.intents))

    world.decide(lambda held: decide_launch(held, Launch((invoice_id(),)), NOW, world.new_id))
    world.hear(ref)

    cancels = [each for each in world.books.orders if isinstance(each.instruction, CancelIntent)]
    assert len(cancels) == 1
    assert declined(ref).refusal is not None


# --- the scheduler ---


@behaviour("R-SU-1")
def test_the_scheduler_starts_what_a_person_would() -> None:
    held = books(wallets=(wallet(),), grants=(grant(1, 30),), invoices=(invoice(),))

    assert decide_due(held, invoice_id(), NOW, Counting()) == launch(held)


def test_a_due_invoice_that_can_t_be_collected_is_put_to_a_person() -> None:
    decision = decide_due(books(methods=(), invoices=(invoice(),)), invoice_id(), NOW, Counting())

    assert isinstance(decision, Park)
    assert decision.why.reason is Reason.NO_PAYMENT_METHOD


@pytest.mark.parametrize(
    "held", [{"invoices": ()}, {"invoices": (invoice(**PAID),)}, {"invoices": (invoice(**DRAFT),)}]
)
def test_a_due_invoice_that_was_seen_to_is_no_news(held: dict[str, Any]) -> None:
    assert isinstance(decide_due(books(**held), invoice_id(), NOW, Counting()), Skip)


def test_the_payment_holds_what_was_due() -> None:
    decision = launch(books(invoices=(invoice(paid_minor=4_000),)))

    made = [each.after for each in effects_of(decision) if isinstance(each, Change) and isinstance(each.after, Payment)]
    assert [each.amount_minor for each in made][:1] == [6_000]
    assert decision.why.inputs["draw_order"] == "draw-order@2"
