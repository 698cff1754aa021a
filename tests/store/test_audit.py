"""Every invariant passes on good books, and finds a breach that somebody wrote around every guard."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest
from psycopg.rows import dict_row

from core.factories import ACCOUNT, CUSTOMER, NOW, Counting, fee, intent
from counterfoil.core.bought import Settlement
from counterfoil.core.facts import IntentStatus
from counterfoil.core.ids import InvoiceId, PaymentId
from counterfoil.core.invariants import (
    INVARIANTS,
    BalanceMove,
    Breach,
    ProviderCharge,
    ProviderTruth,
    differences,
)
from counterfoil.core.lifecycle import PurchaseStatus
from counterfoil.store import subjects
from counterfoil.store.audit import Report, audit, standing
from counterfoil.store.database import Database, Row, Tx
from databases import Databases
from store.raw import POSTING, around_the_guards, posting, remove_guards
from store.road import TENANT, Road, launched_leg, launched_payment, open_tenant

TRUTH = ProviderTruth(
    charges=(ProviderCharge(ACCOUNT, "pi_1", "ch_1", 7_000, "USD"),),
    balance=(BalanceMove(ACCOUNT, "txn_1", 7_000 - 233, "USD"),),
)


def pay_by_credits_and_card(road: Road, *, ref: str = "pi_1", twice: bool = False) -> tuple[InvoiceId, PaymentId]:
    """100 dollars: 30 by credits that were bought for 24, 70 by card, of which the provider keeps 2.33."""
    road.fund(30, cost_minor=2_400)
    invoice = road.bill(10_000)
    launched = road.pay(invoice)
    payment = launched_payment(launched)
    made = intent(ref, IntentStatus.NEEDS_CONFIRMATION, metadata={"counterfoil_leg": launched_leg(launched)})
    paid = intent(ref, IntentStatus.SUCCEEDED, charge_fee=fee(ref.replace("pi_", "txn_")))
    for fact in (made, made, paid, paid) if twice else (made, paid):
        road.hear(fact, payment)
    return invoice, payment


def buy_in_every_way(road: Road) -> None:
    """One that others have collected, one that is on an invoice, and one that is billed tomorrow."""
    with road.database.transaction(TENANT) as tx:
        wallet = subjects.wallets(tx, CUSTOMER)[0].id
    road.buy(wallet, "", settlement=Settlement.EXTERNAL, begins=PurchaseStatus.SETTLED)
    road.buy(wallet, "INV-000002")
    road.buy(wallet, "", invoice_at=NOW + timedelta(days=1))


def test_books_with_purchases_in_them_keep_every_invariant(road: Road) -> None:
    pay_by_credits_and_card(road)
    buy_in_every_way(road)

    assert road.audit().breaches == ()


def pay_with_trouble(road: Road) -> None:
    """A refused payment whose credits went back, an invoice taken back, and money that nobody asked for."""
    road.fund(10)
    invoice = road.bill(5_000)
    launched = road.pay(invoice)
    payment = launched_payment(launched)
    leg = launched_leg(launched)
    road.hear(intent("pi_2", IntentStatus.NEEDS_CONFIRMATION, 4_000, metadata={"counterfoil_leg": leg}), payment)
    road.cancel(payment)
    road.hear(intent("pi_2", IntentStatus.CANCELED, 4_000), payment)
    road.void(invoice)
    road.meet(intent("pi_3", IntentStatus.SUCCEEDED, 1_234))


def test_good_books_keep_every_invariant(road: Road) -> None:
    pay_by_credits_and_card(road)

    report = road.audit()

    assert report.breaches == ()
    assert report.ok
    assert set(report.checked) == set(INVARIANTS)
    # Nothing was spent by the door here, so nothing can be taken back of it; nothing was bought or refunded, and no
    # wallet fills itself.
    assert {identity for identity, rows in report.checked.items() if rows == 0} == UNUSED


UNUSED = {"I15", "I16", "I21", "I34", "I35", "I37", "I12", "I12.books", "I12.credits"}


def test_books_with_trouble_in_them_keep_every_invariant(road: Road) -> None:
    pay_with_trouble(road)

    assert road.audit().breaches == ()


def test_good_books_agree_with_the_provider(road: Road) -> None:
    pay_by_credits_and_card(road)

    assert against(road, TRUTH).breaches == ()


def test_nothing_waits_when_everything_was_decided(road: Road) -> None:
    pay_by_credits_and_card(road)

    with road.database.snapshot(TENANT) as tx:
        assert audit(tx, at_rest=True).ok


def against(road: Road, truth: ProviderTruth) -> Report:
    with road.database.snapshot(TENANT) as tx:
        return audit(tx, truth)


PLANTED = {
    "I1 not whole": ("I1", "update posting set of_n = 9 where entry like 'leg:%:settled' and n = 1"),
    "I1 negative": (
        "I1",
        "update posting set amount = -5 where entry like 'fee:%'",
    ),
    "I1 to itself": (
        "I1",
        "update posting set credit = debit where entry like 'fee:%'",
    ),
    "I2 deleted": ("I2", "delete from posting where entry like 'fee:%'"),
    "I2 edited": ("I2", "update posting set amount = amount + 1 where entry like 'fee:%'"),
    "I3 no cause": ("I3", "update posting set decision = 'dec_none' where entry like 'fee:%'"),
    "I4 lot": ("I4", "update grant_lot set remaining = 1, held = 0"),
    "I4 receivable": ("I4", "update posting set amount = 1 where debit like 'receivable:%'"),
    "I5 held": ("I5", "update grant_lot set remaining = 7, held = 7"),
    "I5 released": ("I5", "update grant_lot set released_minor = released_minor - 1"),
    "I33 too soon": ("I33", "update grant_lot set cost_minor = 9000, released_minor = 9000, remaining = 1"),
    "I14 a gap": ("I14", "update event set sequence = sequence + 100 where sequence = 2"),
    "I14 not told": (
        "I14",
        "insert into hook_endpoint (tenant, id, url, kinds, payload, schedule, status, from_position, created_at) "
        "select tenant, 'whep', 'https://host.test', '{}', 'full', 'standard', 'active', 0, created_at "
        "from customer limit 1",
    ),
    "I35 two attempts": (
        "I35",
        "with topup as (insert into auto_topup (tenant, id, customer, wallet, status, trigger, below, quantity, "
        "price_minor, currency, attempt_max_minor, month_max_minor, consent_by, consent_at, consent_text, failures, "
        "moves, created_at) select tenant, 'atop', customer, id, 'on', 'threshold', 1, 1, 1, 'USD', 1, 1, 'u', "
        "created_at, 'v', 0, 1, created_at from wallet limit 1 returning *) "
        "insert into purchase (tenant, id, customer, account, wallet, settlement, collector, status, quantity, "
        "currency, net_minor, fee_minor, tax_minor, discount_minor, priority, features, grant_timing, "
        "balance_minor, card_minor, external_minor, failures, refunded_minor, clawed, description, "
        "created_at, auto_topup) select t.tenant, "
        "'prch_x', t.customer, c.account, t.wallet, 'invoice', 'ours', 'pending', 1, 'USD', 1, 0, 0, 0, 50, '{}', "
        "'after_paid', 0, 0, 0, 0, 0, 0, '', t.created_at, t.id from topup t join customer c on c.id = t.customer",
    ),
    "I34 never spent": (
        "I34",
        "insert into posting (tenant, entry, n, of_n, debit, credit, unit, amount, subject, decision, occurred_at, "
        "effective_at, recorded_at) select tenant, 'spend:x:corrected:1', 1, 1, 'used', debit, unit, amount, 'x', "
        "decision, occurred_at, effective_at, recorded_at from posting where debit like 'grant:%' limit 1",
    ),
    "I4 debt": ("I4", "update wallet set debt = 5"),
    "I6 two currencies": (
        "I6",
        "update posting set unit = 'EUR' where entry like 'leg:%:settled' and debit like 'promotion%'",
    ),
    "I6 no currency": ("I6", "update posting set unit = 'XYZ' where entry like 'fee:%'"),
    "I7 no charge": ("I7", "update leg set charge_ref = null where kind = 'provider'"),
    "I7 other amount": ("I7", "update leg set received_minor = 6999 where kind = 'provider'"),
    "I7 not settled": ("I7", "update leg set status = 'canceled', settled_at = null where kind = 'provider'"),
    "I10 payment": ("I10", "update payment set status = 'failed'"),
    "I10 invoice": (
        "I10",
        "update invoice set payment_status = 'processing'",
    ),
    "I11 moved by hand": ("I11", "update wallet set status = 'closed'"),
    "I11 came from nowhere": (
        "I11",
        "insert into wallet (tenant, id, customer, unit, status, created_at) "
        "select tenant, 'wlt_x', customer, unit, 'closed', created_at from wallet",
    ),
    "I11 gone": ("I11", "delete from hold"),
    "I13 no date": (
        "I13",
        "update invoice set paid_at = null, paid_with = null",
    ),
    "I13 lines": ("I13", "update invoice_line set net_minor = net_minor + 1"),
    "I15 given for nothing": ("I15", "update purchase set status = 'failed' where status = 'settled'"),
    "I15 paid for nothing": ("I15", "update grant_lot set purchase = null where purchase is not null"),
    "I15 more than was bought": ("I15", "update purchase set quantity = quantity - 1 where status = 'settled'"),
    "I16 nobody meant it": ("I16", "delete from decision_about where subject like 'prch_%'"),
    "I16 billed first": ("I16", "update invoice set created_at = created_at - interval '1 day'"),
    "I36 a gap": ("I36", "update document set place = place + 7"),
    "I36 without its document": ("I36", "delete from document"),
    "I36 the series ran on": ("I36", "update number_series set last = last + 1"),
    "I37 a closed month": (
        "I37",
        "insert into closed_month select distinct tenant, to_char(effective_at at time zone 'UTC', 'YYYY-MM'), "
        "'2999-01-01'::timestamptz, '{\"postings\": 0}'::jsonb, '2999-01-01'::timestamptz from posting",
    ),
    "I21 another line": ("I21", "update purchase set line = 'line_x' where line is not null"),
    "I21 another customer": ("I21", "update purchase set customer = 'cust_x' where line is not null"),
    "I21 no line waits": ("I21", "delete from pending_line where status = 'waiting'"),
    "I21 settled first": ("I21", "update purchase set authorized_at = settled_at + interval '1 day'"),
    "I21 a step without an entry": ("I21", "delete from posting where entry like 'purchase:%:authorized'"),
    "I12 more than came": ("I12", "update leg set refunded_minor = received_minor + 1 where kind = 'provider'"),
    "I12 went and is not booked": (
        "I12.books",
        "insert into refund (tenant, id, customer, account, payment, leg, destination, made_by, status, amount_minor, "
        "currency, given, succeeded_at, created_at) select l.tenant, 'rfnd_x', p.customer, p.account, p.id, l.id, "
        "'source', 'us', 'succeeded', 1, l.currency, '{}', l.created_at, l.created_at from leg l join payment p on "
        "p.id = l.payment where l.kind = 'provider' limit 1",
    ),
    "I12 credits are kept": ("I12.credits", "update purchase set refunded_minor = 1000 where grant_lot is not null"),
    "I22 undecided": ("I22", "delete from decision where id = (select min(id) from decision)"),
    "I22 decided too soon": ("I22", "update inbox set status = 'received' where id = (select min(id) from inbox)"),
    "I27 fee": ("I27", "update leg set received_minor = 1 where kind = 'provider'"),
}


@pytest.mark.parametrize(("identity", "sql"), PLANTED.values(), ids=PLANTED)
def test_a_planted_breach_is_found(paid: Road, identity: str, sql: str) -> None:
    with psycopg.connect(paid.database.dsn, row_factory=dict_row) as connection:
        remove_guards(connection)
        planted = connection.execute(sql.encode()).rowcount
        found = audit(Tx(connection, TENANT)).breaches
        connection.rollback()

    assert planted > 0
    assert identity in {breach.invariant for breach in found}


@pytest.fixture(scope="module")
def paid(databases: Databases) -> Iterator[Road]:
    """Good books that every planted breach starts from; what is planted is rolled back."""
    dsn = databases.migrated()
    open_tenant(dsn)
    with closing(Database(dsn, size=1)) as opened:
        road = Road(opened)
        road.open_customer()
        pay_by_credits_and_card(road)
        buy_in_every_way(road)
        yield road


def test_every_invariant_has_a_planted_breach() -> None:
    assert {identity for identity, _ in PLANTED.values()} == set(INVARIANTS)


def test_a_posting_that_no_decision_made_is_found(road: Road) -> None:
    pay_by_credits_and_card(road)
    decision = next(iter(decisions_of(road)))
    with around_the_guards(road.database.dsn) as connection:
        connection.execute(
            POSTING.encode(), posting(entry="by:hand", decision=decision, debit="bank", credit="opening")
        )

    found = road.audit().breaches

    assert [(each.invariant, each.subject) for each in found] == [("I2", "by:hand")]


def decisions_of(road: Road) -> list[str]:
    with road.database.snapshot(TENANT) as tx:
        return [row["id"] for row in tx.rows("select id from decision where tenant = %(tenant)s order by id")]


def test_a_reversal_that_is_not_the_way_back_is_found(road: Road) -> None:
    pay_with_trouble(road)
    with around_the_guards(road.database.dsn) as connection:
        connection.execute("update posting set amount = amount - 1 where entry like 'invoice:%:voided'")

    assert {"I2", "I3", "I4"} <= {breach.invariant for breach in road.audit().breaches}


def test_a_move_against_the_lifecycle_is_found_in_the_history(road: Road) -> None:
    pay_by_credits_and_card(road)
    with around_the_guards(road.database.dsn) as connection:
        connection.execute(
            """
            update decision set effects = replace(
                effects::text, '"from": {"status": "pending"', '"from": {"status": "succeeded"'
            )::jsonb
            """
        )

    moved = [breach for breach in road.audit().breaches if breach.invariant == "I11"]

    assert any("from succeeded to" in breach.detail for breach in moved)


def test_an_event_that_was_stored_twice_is_found(road: Road) -> None:
    pay_by_credits_and_card(road)
    with around_the_guards(road.database.dsn) as connection:
        connection.execute("update inbox set account = 'a', detail = '{\"provider_event\": \"evt_1\"}'")

    assert "a second time" in {b.detail[-13:] for b in road.audit().breaches if b.invariant == "I22"}


def test_what_still_waits_is_a_breach_only_at_rest(road: Road) -> None:
    road.put_only("left behind")

    with road.database.snapshot(TENANT) as tx:
        assert audit(tx).ok
        assert [each.invariant for each in audit(tx, at_rest=True).breaches] == ["I22"]


@pytest.mark.parametrize(
    ("truth", "identity"),
    [
        (replace(TRUTH, charges=()), "I7"),
        (replace(TRUTH, charges=(*TRUTH.charges, ProviderCharge(ACCOUNT, "pi_9", "ch_9", 5, "USD"))), "I7"),
        (replace(TRUTH, charges=(*TRUTH.charges, ProviderCharge(ACCOUNT, "pi_1", "ch_9", 7_000, "USD"))), "I7"),
        (replace(TRUTH, charges=(ProviderCharge(ACCOUNT, "pi_1", "ch_1", 6_999, "USD"),)), "I7"),
        (replace(TRUTH, charges=(ProviderCharge(ACCOUNT, "pi_1", "ch_1", 7_000, "EUR"),)), "I7"),
        (replace(TRUTH, balance=()), "I27"),
        (replace(TRUTH, balance=(BalanceMove(ACCOUNT, "txn_1", 7_000, "USD"),)), "I27"),
        (replace(TRUTH, balance=(*TRUTH.balance, BalanceMove(ACCOUNT, "txn_2", -5, "EUR"))), "I27"),
    ],
)
def test_books_that_differ_from_the_provider_are_found(road: Road, truth: ProviderTruth, identity: str) -> None:
    pay_by_credits_and_card(road)

    assert {breach.invariant for breach in against(road, truth).breaches} == {identity}


def test_money_in_suspense_is_compared_with_the_provider_too(road: Road) -> None:
    pay_with_trouble(road)
    truth = ProviderTruth(
        (ProviderCharge(ACCOUNT, "pi_3", "ch_3", 1_234, "USD"),), (BalanceMove(ACCOUNT, "txn_3", 1_234, "USD"),)
    )

    assert against(road, truth).ok
    assert not against(road, replace(truth, charges=())).ok


def test_another_tenant_s_breach_is_not_ours(road: Road) -> None:
    pay_by_credits_and_card(road)
    with around_the_guards(road.database.dsn) as connection:
        connection.execute("update posting set amount = amount + 1 where entry like 'fee:%'")
    other = Road(road.database, tenant="tnt_00000000000000000000000002")

    assert other.audit().breaches == ()
    assert not road.audit().ok


def test_a_flood_of_breaches_is_cut_short(road: Road) -> None:
    with around_the_guards(road.database.dsn) as connection:
        for n in range(150):
            connection.execute(POSTING.encode(), posting(entry=f"by:hand:{n}"))

    report = road.audit()

    assert len([each for each in report.breaches if each.invariant == "I2"]) == 100


# --- I23: two sets of books ---


def books_of(house: Database, tell: Callable[[Road], object], first_id: int) -> list[Row]:
    """Let a story happen at a tenant of its own with ids of its own, and give what it leaves."""
    road = Road(house, new_id=Counting.starting(first_id))
    road.open_customer()
    tell(road)
    with house.snapshot(TENANT) as tx:
        return list(standing(tx))


def test_the_same_story_leaves_the_same_books_whatever_its_ids_and_repeats(
    databases_of: Callable[[], Database],
) -> None:
    once = books_of(databases_of(), pay_by_credits_and_card, 1_000)
    twice = books_of(databases_of(), lambda road: pay_by_credits_and_card(road, ref="pi_77", twice=True), 50_000)

    assert list(differences(once, twice)) == []


def test_another_story_leaves_other_books(databases_of: Callable[[], Database]) -> None:
    first = books_of(databases_of(), pay_by_credits_and_card, 1_000)
    second = books_of(databases_of(), lambda road: (pay_by_credits_and_card(road), road.bill(1, "INV-000002")), 1_000)

    found = list(differences(first, second))

    assert {each.invariant for each in found} == {"I23"}
    assert any("'kind', 'invoice'" in each.subject and "second books" in each.detail for each in found)


@pytest.mark.parametrize(
    "changed",
    [
        {
            "kind": "posting",
            "entry": "leg:leg_1:settled",
            "debit": "clearing:pacc_1",
            "credit": "receivable:cust_2",
            "amount": 5,
        },
        {
            "kind": "posting",
            "entry": "leg:leg_1:settled",
            "debit": "clearing:pacc_1",
            "credit": "receivable:cust_1",
            "amount": 6,
        },
        {
            "kind": "posting",
            "entry": "leg:leg_2:settled",
            "debit": "clearing:pacc_1",
            "credit": "receivable:cust_1",
            "amount": 5,
        },
    ],
)
def test_ids_are_only_names_but_ties_count(changed: dict[str, object]) -> None:
    leg = {"kind": "leg", "id": "leg_1", "payer": "cust_1"}
    customers = [{"kind": "customer", "id": "cust_1", "name": "a"}, {"kind": "customer", "id": "cust_2", "name": "b"}]
    entry = {
        "kind": "posting",
        "entry": "leg:leg_1:settled",
        "debit": "clearing:pacc_1",
        "credit": "receivable:cust_1",
        "amount": 5,
    }

    assert list(differences([leg, entry, *customers], [*customers[::-1], entry, leg])) == []
    assert list(differences([leg, entry, *customers], [leg, changed, *customers])) != []


def test_a_breach_says_where_and_what(road: Road) -> None:
    pay_by_credits_and_card(road)
    with around_the_guards(road.database.dsn) as connection:
        connection.execute("update leg set received_minor = 6999 where kind = 'provider'")

    found = [breach for breach in road.audit().breaches if breach.invariant == "I7"]

    assert [breach.detail for breach in found] == ["received 6999, but 7000 is in the journal"]
    assert found[0] == Breach("I7", found[0].subject, found[0].detail)
    assert found[0].subject.startswith("leg_")
