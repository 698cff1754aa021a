"""Subjects are written as the rule saw them or not at all, and come back as they were."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from psycopg.errors import CheckViolation, ForeignKeyViolation, UniqueViolation

from core.factories import ACCOUNT, CUSTOMER, NOW, customer, grant, invoice, line, method, purchase, wallet
from counterfoil.core.agreed import AutoTopup, Trigger
from counterfoil.core.books import (
    Allocation,
    Case,
    Confirmation,
    Hold,
    Leg,
    LegKind,
    LineKind,
    Payment,
    Subject,
)
from counterfoil.core.bought import PendingLine
from counterfoil.core.contested import Dispute
from counterfoil.core.ids import (
    AutoTopupId,
    CaseId,
    CreditNoteId,
    DisputeId,
    HoldId,
    LegId,
    OrderId,
    PaymentId,
    PayoutId,
    PendingLineId,
    ProviderRef,
    RefundId,
    SalesOrderId,
    typeid,
)
from counterfoil.core.lifecycle import (
    AutoTopupStatus,
    CaseStatus,
    DisputeStatus,
    HoldStatus,
    InvoiceStatus,
    LegStatus,
    OrderStatus,
    PaymentStatus,
    PendingLineStatus,
    RefundStatus,
    SalesOrderStatus,
    WalletStatus,
)
from counterfoil.core.money import Money
from counterfoil.core.ordered import Collect, SalesOrder
from counterfoil.core.orders import CancelIntent, ConfirmIntent, CreateIntent, Order
from counterfoil.core.paid_out import Payout
from counterfoil.core.refunded import CreditNote, Destination, GivenBack, LineBack, LotBack, MadeBy, Refund
from counterfoil.store import auto_topups, disputes, payouts, purchases, refunds, sales_orders, subjects
from counterfoil.store.database import Database
from counterfoil.store.subjects import TABLES, SubjectMoved
from store.road import TENANT

PAYMENT = Payment(
    PaymentId(typeid("pmt", 1)), CUSTOMER, ACCOUNT, PaymentStatus.PROCESSING, 10_000, "USD", NOW, Confirmation.CLIENT
)
CREDIT_LEG = Leg(
    LegId(typeid("leg", 1)),
    PAYMENT.id,
    LegKind.CREDIT,
    LegStatus.RESERVED,
    3_000,
    "USD",
    NOW,
    1,
    wallet().id,
    30_000_000,
)
CARD_LEG = Leg(
    LegId(typeid("leg", 2)), PAYMENT.id, LegKind.PROVIDER, LegStatus.PROCESSING, 7_000, "USD", NOW, 2, account=ACCOUNT
)
HOLD = Hold(HoldId(typeid("hold", 1)), CREDIT_LEG.id, wallet().id, grant(1, 30).id, 30_000_000, 3_000, HoldStatus.OPEN)
CREATE = CreateIntent(CARD_LEG.id, CUSTOMER, Money(7_000, "USD"), None, "INV-000001")
ORDER = Order(OrderId(typeid("ordr", 1)), ACCOUNT, CUSTOMER, CARD_LEG.id, CREATE, OrderStatus.QUEUED, NOW)
CASE = Case(CaseId(typeid("case", 1)), "overpaid", "pi_1", "Too much came.", NOW, customer=CUSTOMER)
POLICY = AutoTopup(
    id=AutoTopupId(typeid("atop", 1)),
    customer=CUSTOMER,
    wallet=wallet().id,
    status=AutoTopupStatus.ON,
    created_at=NOW,
    trigger=Trigger.TARGET,
    currency="USD",
    attempt_max_minor=5_000,
    month_max_minor=9_000,
    consent_by="user-1",
    consent_at=NOW,
    consent_text="2026-01",
    below=5_000_000,
    target=9_000_000,
    quantity=1_000_000,
    price_minor=100,
    attempt=purchase().id,
    action_by=NOW,
)
BOUGHT = purchase(
    auto_topup=POLICY.id, features=("chat", "images"), expires_after_s=86_400, invoice=invoice().id, line=line(0).id
)
LINE = replace(line(0), kind=LineKind.CREDIT_PURCHASE, purchase=BOUGHT.id)
WAITING = PendingLine(
    PendingLineId(typeid("pline", 1)), CUSTOMER, ACCOUNT, PendingLineStatus.WAITING, "July", "USD", 2_500, 0, NOW, NOW
)
SOLD = SalesOrder(
    SalesOrderId(typeid("order", 1)),
    CUSTOMER,
    ACCOUNT,
    SalesOrderStatus.OPEN,
    Collect.CHECKOUT,
    "USD",
    10_000,
    NOW,
    return_url="https://host.test/back",
)
REFUND = Refund(
    id=RefundId(typeid("rfnd", 1)),
    customer=CUSTOMER,
    account=ACCOUNT,
    destination=Destination.SOURCE,
    made_by=MadeBy.US,
    status=RefundStatus.FAILED,
    amount_minor=1_000,
    currency="USD",
    created_at=NOW,
    given=GivenBack((LineBack(line(1).id, 900, 100),), (LotBack(purchase().id, grant(1, 30).id, 900, taken=7),)),
    payment=PAYMENT.id,
    leg=CARD_LEG.id,
    ended_at=NOW,
    failure_code="charge_disputed",
)
NOTE = CreditNote(
    id=CreditNoteId(typeid("cnote", 1)),
    customer=CUSTOMER,
    invoice=invoice().id,
    number="CN-000001",
    currency="USD",
    total_minor=500,
    tax_minor=100,
    created_at=NOW,
    lines=(LineBack(line(1).id, 400, 100),),
    reduced_minor=500,
)
CONTESTED = Dispute(
    id=DisputeId(typeid("dspt", 1)),
    customer=CUSTOMER,
    account=ACCOUNT,
    payment=PAYMENT.id,
    leg=CARD_LEG.id,
    provider_ref=ProviderRef("du_1"),
    provider_status="needs_response",
    status=DisputeStatus.OPEN,
    amount_minor=7_000,
    currency="USD",
    opened_at=NOW,
    withdrawn_minor=7_000,
    fee_minor=1_500,
    evidence_due_at=NOW + timedelta(days=9),
)
PAYOUT = Payout(
    PayoutId(typeid("pout", 1)), ACCOUNT, ProviderRef("po_1"), "paid", 5_000, "USD", True, NOW, bank_minor=5_000
)
EVERYTHING: tuple[Subject, ...] = (
    customer(),
    SOLD,
    method(),
    wallet(),
    POLICY,
    BOUGHT,
    grant(1, 30, held=30_000_000, expires_at=NOW + timedelta(days=9)),
    invoice(),
    LINE,
    PAYMENT,
    CREDIT_LEG,
    CARD_LEG,
    HOLD,
    REFUND,
    NOTE,
    CONTESTED,
    PAYOUT,
    ORDER,
    CASE,
    WAITING,
)


@pytest.fixture
def full(house: Database) -> Database:
    """One subject of every kind."""
    with house.transaction(TENANT) as tx:
        for each in EVERYTHING:
            subjects.save(tx, None, each)
        subjects.allocate(tx, Allocation(CREDIT_LEG.id, invoice().id, 3_000))
        subjects.allocate(tx, Allocation(CARD_LEG.id, invoice().id, 7_000))
    return house


def loaded(house: Database) -> dict[type, Any]:
    """What is stored, by the class of subject."""
    legs = [CREDIT_LEG.id, CARD_LEG.id]
    with house.transaction(TENANT) as tx:
        held = subjects.lock_customer(tx, CUSTOMER)
        assert held is not None
        found: list[Any] = [
            held,
            *subjects.methods(tx, CUSTOMER),
            *subjects.wallets(tx, CUSTOMER),
            *subjects.grants(tx, [wallet().id], list(legs), []),
            *subjects.holds(tx, list(legs)),
            *subjects.invoices(tx, [invoice().id]),
            *subjects.lines(tx, [invoice().id]),
            *purchases.purchases(tx, [BOUGHT.id]),
            *auto_topups.of_wallets(tx, [wallet().id]),
            *purchases.pending_lines(tx, [CUSTOMER]),
            *sales_orders.by_id(tx, [SOLD.id]),
            *subjects.payments(tx, [PAYMENT.id]),
            *subjects.legs(tx, [PAYMENT.id]),
            *subjects.orders(tx, legs),
            *refunds.of(tx, legs),
            *refunds.notes_of(tx, [invoice().id]),
            *disputes.of_payments(tx, [PAYMENT.id]),
            payouts.held(tx, ACCOUNT, PAYOUT.provider_ref),
        ]
    return {type(each): each for each in found}


def test_every_kind_of_subject_has_a_table() -> None:
    assert {type(each) for each in EVERYTHING} == set(TABLES)


def test_subjects_come_back_as_they_were(full: Database) -> None:
    found = loaded(full)

    expected: dict[type, Any] = {type(each): each for each in EVERYTHING if not isinstance(each, Case)}
    assert found == expected


def test_allocations_come_back(full: Database) -> None:
    with full.transaction(TENANT) as tx:
        assert [each.minor for each in subjects.allocations(tx, [CREDIT_LEG.id, CARD_LEG.id])] == [3_000, 7_000]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (customer(), customer(paused=True)),
        (method(), method(is_default=False, attached=False)),
        (wallet(), wallet(status=WalletStatus.SUSPENDED)),
        (HOLD, replace(HOLD, status=HoldStatus.SETTLED, released_minor=7)),
        (invoice(), invoice(paid_minor=3_000, description="Seats")),
        (PAYMENT, replace(PAYMENT, status=PaymentStatus.SUCCEEDED, settled_at=NOW)),
        (CARD_LEG, replace(CARD_LEG, status=LegStatus.REFUSED, refusal_code="card_declined")),
        (ORDER, replace(ORDER, status=OrderStatus.SENT, sent_at=NOW)),
    ],
    ids=lambda each: type(each).__name__,
)
class TestChange:
    def test_is_written(self, full: Database, before: Subject, after: Subject) -> None:
        with full.transaction(TENANT) as tx:
            subjects.save(tx, before, after)

        if type(after) is not Leg:
            assert loaded(full)[type(after)] == after

    def test_is_refused_when_the_subject_moved_meanwhile(self, full: Database, before: Any, after: Any) -> None:
        with full.transaction(TENANT) as tx:
            subjects.save(tx, before, after)

        with pytest.raises(SubjectMoved, match="no longer as it was read"), full.transaction(TENANT) as tx:
            subjects.save(tx, before, after)

    def test_that_changes_nothing_writes_nothing(self, full: Database, before: Subject, after: Subject) -> None:
        with full.transaction(TENANT) as tx:
            subjects.save(tx, before, before)
            subjects.save(tx, after, after)


def test_a_subject_that_is_not_there_can_t_change(house: Database) -> None:
    with pytest.raises(SubjectMoved), house.transaction(TENANT) as tx:
        subjects.save(tx, customer(), customer(paused=True))


def test_a_question_is_put_once(full: Database) -> None:
    with full.transaction(TENANT) as tx:
        subjects.save(tx, None, replace(CASE, id=CaseId(typeid("case", 2))))

    with full.transaction(TENANT) as tx:
        assert [row["id"] for row in tx.rows("select id from review_case")] == [CASE.id]
        assert CASE.status is CaseStatus.OPEN


PAID: dict[str, Any] = {
    "status": InvoiceStatus.PAID,
    "payment_status": PaymentStatus.SUCCEEDED,
    "paid_minor": 10_000,
    "paid_at": NOW,
    "paid_with": "credits",
}


def test_paid_is_written_as_one_fact(full: Database) -> None:
    with full.transaction(TENANT) as tx:
        subjects.save(tx, invoice(), replace(invoice(), **PAID))


@pytest.mark.parametrize(
    "missing",
    [
        {"paid_at": None},
        {"paid_with": None},
        {"payment_status": PaymentStatus.PROCESSING},
        {"paid_minor": 9_999},
        {"paid_minor": 10_001},
        {"status": InvoiceStatus.OPEN},
        {"paid_minor": 0},
        {"status": InvoiceStatus.VOID, "voided_at": NOW},
        {"finalized_at": None, "number": None},
    ],
)
def test_half_a_payment_is_refused(full: Database, missing: dict[str, Any]) -> None:
    with pytest.raises(CheckViolation), full.transaction(TENANT) as tx:
        subjects.save(tx, invoice(), replace(invoice(), **(PAID | missing)))


@pytest.mark.parametrize(
    "broken",
    [
        invoice(paid_minor=-1),
        invoice(paid_minor=10_000),
        invoice(status=InvoiceStatus.VOID),
        invoice(voided_at=NOW),
        replace(invoice(), number=None),
        invoice(status=InvoiceStatus.DRAFT),
    ],
)
def test_an_invoice_that_contradicts_itself_is_refused(house: Database, broken: Subject) -> None:
    with house.transaction(TENANT) as tx:
        subjects.save(tx, None, customer())

    with pytest.raises(CheckViolation), house.transaction(TENANT) as tx:
        subjects.save(tx, None, broken)


@pytest.mark.parametrize(
    "broken",
    [
        {"remaining": -1},
        {"remaining": 30_000_001},
        {"held": 30_000_001},
        {"held": -1},
        {"held": 5, "remaining": 4},
        {"released_minor": 1},
        {"released_minor": -1},
        {"amount": 0, "remaining": 0},
        {"cost_minor": -1},
        {"expires_at": NOW - timedelta(days=40)},
    ],
)
def test_a_lot_never_goes_below_zero_nor_above_itself(full: Database, broken: dict[str, Any]) -> None:
    with pytest.raises(CheckViolation), full.transaction(TENANT) as tx:
        subjects.save(tx, None, grant(2, 30, **broken))


def second_leg(**changes: Any) -> Leg:
    return replace(CARD_LEG, id=LegId(typeid("leg", 3)), position=3, **changes)


def test_an_invoice_has_one_collector(full: Database) -> None:
    with full.transaction(TENANT) as tx:
        subjects.save(tx, None, second_leg())

    with pytest.raises(UniqueViolation, match="allocation_one_collector"), full.transaction(TENANT) as tx:
        subjects.allocate(tx, Allocation(second_leg().id, invoice().id, 7_000))


def test_the_next_collector_begins_when_the_first_has_ended(full: Database) -> None:
    waiting = second_leg(status=LegStatus.WAITING)
    with full.transaction(TENANT) as tx:
        subjects.save(tx, None, waiting)
        subjects.allocate(tx, Allocation(waiting.id, invoice().id, 7_000))

    with pytest.raises(UniqueViolation), full.transaction(TENANT) as tx:
        subjects.save(tx, waiting, replace(waiting, status=LegStatus.PROCESSING))

    with full.transaction(TENANT) as tx:
        subjects.save(tx, CARD_LEG, replace(CARD_LEG, status=LegStatus.CANCELED))
        subjects.save(tx, waiting, replace(waiting, status=LegStatus.PROCESSING))


@pytest.mark.parametrize("name", ["provider_ref", "charge_ref"])
def test_one_handle_and_one_charge_are_one_leg_s_for_ever(full: Database, name: str) -> None:
    taken: dict[str, Any] = {name: ProviderRef("x_1")}
    with full.transaction(TENANT) as tx:
        subjects.save(tx, CARD_LEG, replace(CARD_LEG, **taken))

    with pytest.raises(UniqueViolation), full.transaction(TENANT) as tx:
        subjects.save(tx, None, second_leg(status=LegStatus.WAITING, **taken))


@pytest.mark.parametrize(
    "broken",
    [
        second_leg(account=None),
        second_leg(kind=LegKind.CREDIT),
        second_leg(status=LegStatus.SETTLED),
        second_leg(settled_at=NOW),
        second_leg(amount_minor=0),
        second_leg(received_minor=-1),
        second_leg(wallet=wallet().id),
    ],
)
def test_a_leg_that_contradicts_itself_is_refused(full: Database, broken: Leg) -> None:
    with pytest.raises(CheckViolation), full.transaction(TENANT) as tx:
        subjects.save(tx, None, broken)


def test_what_a_subject_names_must_exist(full: Database) -> None:
    with pytest.raises(ForeignKeyViolation), full.transaction(TENANT) as tx:
        subjects.save(tx, None, method(7, account="pacc_nobody"))


def order(number: int, **changes: Any) -> Order:
    return replace(ORDER, id=OrderId(typeid("ordr", number)), **changes)


def test_a_leg_is_created_and_confirmed_once_but_may_be_canceled_again(full: Database) -> None:
    confirm = ConfirmIntent(CARD_LEG.id, ProviderRef("pi_1"), method().id)
    cancel = CancelIntent(CARD_LEG.id, ProviderRef("pi_1"))
    with full.transaction(TENANT) as tx:
        for number, instruction in enumerate((confirm, cancel, cancel), start=2):
            subjects.save(tx, None, order(number, instruction=instruction))

    for instruction in (CREATE, confirm):
        with pytest.raises(UniqueViolation, match="provider_order_once"), full.transaction(TENANT) as tx:
            subjects.save(tx, None, order(9, instruction=instruction))


def test_a_customer_has_one_default_method_and_one_open_wallet_per_unit(full: Database) -> None:
    with pytest.raises(UniqueViolation, match="method_one_default"), full.transaction(TENANT) as tx:
        subjects.save(tx, None, method(2, is_default=True))
    with pytest.raises(UniqueViolation, match="wallet_one_open"), full.transaction(TENANT) as tx:
        subjects.save(tx, None, wallet(2))


@pytest.mark.parametrize(
    ("noun", "identity"),
    [
        ("customer", CUSTOMER),
        ("wallet", wallet().id),
        ("invoice", invoice().id),
        ("payment", PAYMENT.id),
        ("method", method().id),
        ("leg", CARD_LEG.id),
        ("grant", grant(1, 1).id),
        ("order", ORDER.id),
        ("case", CASE.id),
    ],
)
def test_every_subject_leads_to_its_customer(full: Database, noun: str, identity: str) -> None:
    with full.transaction(TENANT) as tx:
        assert subjects.customer_of(tx, noun, identity) == CUSTOMER
        assert subjects.customer_of(tx, noun, "none") is None


def test_a_question_about_nobody_s_money_leads_to_nobody(full: Database) -> None:
    stray = replace(CASE, id=CaseId(typeid("case", 3)), subject="pi_9", customer=None)
    with full.transaction(TENANT) as tx:
        subjects.save(tx, None, stray)
        assert subjects.customer_of(tx, "case", stray.id) is None


def test_invoices_and_payments_lead_to_each_other(full: Database) -> None:
    with full.transaction(TENANT) as tx:
        assert subjects.related_payments(tx, [invoice().id]) == [PAYMENT.id]
        assert subjects.related_invoices(tx, [PAYMENT.id]) == [invoice().id]
