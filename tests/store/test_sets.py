"""What is written in sets is written as it would be one by one."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from psycopg.errors import UniqueViolation

from core.factories import CUSTOMER, NOW, customer, invoice
from counterfoil.core.books import Allocation, Case, Leg, Subject
from counterfoil.core.effects import Notify
from counterfoil.core.facts import MissingFact, Source
from counterfoil.core.ids import CaseId, CustomerId, LegId, OrderId, ProviderRef, typeid
from counterfoil.core.journal import EXTERNAL, Entry, Posting, receivable
from counterfoil.core.lifecycle import InboxStatus, LegStatus, OrderStatus
from counterfoil.core.orders import Order
from counterfoil.store import decisions, inbox, journal, saving, subjects, work
from counterfoil.store.database import Database, Row
from counterfoil.store.decisions import Told
from counterfoil.store.inbox import News, Observation
from counterfoil.store.subjects import TABLES, SubjectMoved
from counterfoil.store.work import Queue
from store.road import TENANT
from store.test_subjects import CARD_LEG, CASE, CREDIT_LEG, EVERYTHING, ORDER, PAYMENT, loaded

LEASE = timedelta(seconds=30)


@pytest.fixture
def full(house: Database) -> Database:
    """One subject of every kind, written in one go and in no order."""
    with house.transaction(TENANT) as tx:
        saving.save_all(tx, [(None, each) for each in reversed(EVERYTHING)])
        allocations = [Allocation(CREDIT_LEG.id, invoice().id, 3_000), Allocation(CARD_LEG.id, invoice().id, 7_000)]
        saving.allocate_all(tx, allocations)
    return house


# --- subjects ---


def test_subjects_written_together_come_back_as_they_were(full: Database) -> None:
    assert loaded(full) == {type(each): each for each in EVERYTHING if not isinstance(each, Case)}
    with full.transaction(TENANT) as tx:
        assert tx.rows("select status, subject from review_case") == [{"status": "open", "subject": "pi_1"}]
        assert [each.minor for each in subjects.allocations(tx, [CREDIT_LEG.id, CARD_LEG.id])] == [3_000, 7_000]


def test_every_kind_of_subject_has_its_place_in_the_order() -> None:
    assert set(saving.ORDER) == set(TABLES.values())


MOVES: Sequence[tuple[Subject, Any]] = (
    (customer(), customer(paused=True)),
    (invoice(), invoice(paid_minor=3_000, description="Seats — 座席")),
    (CARD_LEG, replace(CARD_LEG, status=LegStatus.REFUSED, refusal_code="card_declined", refusal_text=None)),
    (PAYMENT, replace(PAYMENT, settled_at=NOW)),
    (ORDER, replace(ORDER, status=OrderStatus.SENT, sent_at=NOW, try_no=2)),
)


def test_changes_written_together_are_all_there(full: Database) -> None:
    with full.transaction(TENANT) as tx:
        saving.save_all(tx, MOVES)

    found = loaded(full)
    assert [found[type(after)] for _, after in MOVES if type(after) is not Leg] == [
        after for _, after in MOVES if type(after) is not Leg
    ]
    with full.transaction(TENANT) as tx:
        (leg,) = [each for each in subjects.legs(tx, [PAYMENT.id]) if each.id == CARD_LEG.id]
    assert leg == MOVES[2][1]


@pytest.mark.parametrize("moved", MOVES, ids=lambda pair: type(pair[0]).__name__)
def test_one_subject_that_moved_meanwhile_undoes_all_of_them(full: Database, moved: tuple[Subject, Any]) -> None:
    with full.transaction(TENANT) as tx:
        saving.save_all(tx, [moved])
    others = [pair for pair in MOVES if pair != moved]

    with pytest.raises(SubjectMoved), full.transaction(TENANT) as tx:
        saving.save_all(tx, [*others, moved])

    found = loaded(full)
    assert all(found[type(before)] == before for before, _ in others if type(before) is not Leg)


def test_rows_with_different_changes_of_one_table_are_each_written_right(full: Database) -> None:
    first, second = (replace(ORDER, id=OrderId(typeid("ordr", n)), subject=LegId(typeid("leg", n))) for n in (7, 8))
    with full.transaction(TENANT) as tx:
        saving.save_all(tx, [(None, first), (None, second)])
        saving.save_all(
            tx,
            [
                (first, sent := replace(first, status=OrderStatus.SENT, sent_at=NOW)),
                (second, done := replace(second, status=OrderStatus.DONE)),
                (ORDER, ORDER),
            ],
        )

    with full.transaction(TENANT) as tx:
        assert subjects.orders(tx, [first.subject, second.subject]) == (sent, done)
        assert isinstance(sent, Order)


def test_a_question_that_was_put_before_undoes_all_of_them(full: Database) -> None:
    again = replace(CASE, id=CaseId(typeid("case", 2)))

    with pytest.raises(UniqueViolation), full.transaction(TENANT) as tx:
        saving.save_all(tx, [(customer(), customer(paused=True)), (None, again)])

    assert loaded(full)[type(customer())] == customer()


# --- the journal, decisions, events ---


def test_entries_written_together_are_whole_and_in_order(house: Database) -> None:
    def entry(number: int) -> Entry:
        postings = tuple(Posting(EXTERNAL, receivable(CUSTOMER), "USD", number * 10 + n) for n in (1, 2))
        return Entry(f"test:{number}", f"inv_{number}", NOW, postings)

    with house.transaction(TENANT) as tx:
        journal.post_all(tx, [(entry(2), "dec_2"), (entry(1), "dec_1")], NOW)

    with house.transaction(TENANT) as tx:
        rows = [(row["entry"], row["n"], row["amount"], row["decision"]) for row in journal.all_postings(tx)]
    assert rows == [
        ("test:2", 1, 21, "dec_2"),
        ("test:2", 2, 22, "dec_2"),
        ("test:1", 1, 11, "dec_1"),
        ("test:1", 2, 12, "dec_1"),
    ]


def told(number: int, customer: CustomerId = CUSTOMER) -> Told:
    return Told(f"evnt_{number}", Notify(f"test:{number}", "test", customer, "inv_1", {"n": number}), "dec_1")


def test_events_told_together_continue_their_customers_sequence_without_gaps(full: Database) -> None:
    other = replace(customer(), id=CustomerId(typeid("cust", 9)), provider_ref=None, external_id=None)
    with full.transaction(TENANT) as tx:
        subjects.save(tx, None, other)
        decisions.put_event(tx, "evnt_0", told(0).notify, "dec_1", NOW)

        new = decisions.put_events(tx, [told(1), told(2, other.id), told(0), told(3), told(1)], NOW)

        rows = tx.rows("select key, customer, sequence from event where tenant = %(tenant)s order by position")
    assert len(new) == 3
    assert [(row["key"], row["customer"] == CUSTOMER, row["sequence"]) for row in rows] == [
        ("test:0", True, 1),
        ("test:1", True, 2),
        ("test:2", False, 1),
        ("test:3", True, 3),
    ]


# --- news, looks, claims ---


def news(number: int, source: Source = Source.WEBHOOK, identity: str | None = None) -> News:
    return News(f"pevt_{number}", source, "test", identity or f"event:{number}", NOW, NOW, body=b"\x00raw")


def test_news_put_together_counts_deliveries_as_news_put_singly(house: Database) -> None:
    with house.transaction(TENANT) as tx:
        inbox.put(tx, news(1))

        stored = inbox.put_all(tx, [news(2), news(3, identity="event:1"), news(4, identity="event:2")])

        rows = tx.rows("select id, deliveries from inbox where tenant = %(tenant)s order by id")
        bodies = [inbox.body(tx, identity) for identity in ("pevt_1", "pevt_2")]
        due = tx.rows("select id, due_at from work where queue = 'inbox'")
    assert stored == [("pevt_2", True), ("pevt_1", False), ("pevt_2", False)]
    assert [(row["id"], row["deliveries"]) for row in rows] == [("pevt_1", 2), ("pevt_2", 2)]
    assert bodies == [b"\x00raw"] * 2
    assert due == [{"id": "pevt_2", "due_at": NOW}]


def test_that_a_poll_saw_it_too_counts_for_nothing_in_a_set_either(house: Database) -> None:
    with house.transaction(TENANT) as tx:
        inbox.put(tx, news(1))
        inbox.put_all(tx, [news(2, Source.POLL, "event:1")])

        assert inbox.get_all(tx, ["pevt_1"])["pevt_1"]["deliveries"] == 1


def test_marks_move_each_row_its_own_way(house: Database) -> None:
    with house.transaction(TENANT) as tx:
        inbox.put_all(tx, [news(1), news(2)])
        inbox.mark_all(tx, [("pevt_1", InboxStatus.DECIDED, CUSTOMER), ("pevt_2", InboxStatus.PARKED, None)])

        rows = inbox.get_all(tx, ["pevt_1", "pevt_2"], lock=True)
    assert [(rows[name]["status"], rows[name]["customer"], rows[name]["attempts"]) for name in sorted(rows)] == [
        ("decided", CUSTOMER, 1),
        ("parked", None, 1),
    ]


def test_looks_are_numbered_and_applied_object_by_object(house: Database) -> None:
    objects = [("pacc_1", "payment_intent", "pi_1"), ("pacc_1", "payment_intent", "pi_2")]
    with house.transaction(TENANT) as tx:
        assert inbox.number_observation(tx, *objects[0]) == 1
        assert inbox.number_observations(tx, objects) == {("pacc_1", "pi_1"): 2, ("pacc_1", "pi_2"): 1}
        looks = [Observation(*objects[0], 2, "succeeded", MissingFact(ProviderRef("pi_1")))]

        inbox.apply_observations(tx, looks, NOW)

        known: dict[tuple[str, str], int] = inbox.applied_observations(
            tx, [("pacc_1", "pi_1"), ("pacc_1", "pi_2"), ("pacc_1", "pi_3")]
        )
        kept: Row | None = tx.one("select status, fact ->> 'ref' as ref from provider_object where ref = 'pi_1'")
    assert known == {("pacc_1", "pi_1"): 2, ("pacc_1", "pi_2"): 0}
    assert kept == {"status": "succeeded", "ref": "pi_1"}


def test_a_fence_around_many_gives_only_those_that_are_still_held(house: Database) -> None:
    with house.transaction(TENANT) as tx:
        work.enqueue_all(tx, Queue.INBOX, [(name, NOW) for name in ("a", "b", "c")])
    with house.claims() as tx:
        held = work.claim(tx, Queue.INBOX, NOW, NOW, LEASE, 10)
    with house.transaction(TENANT) as tx:
        tx.run("update work set token = token + 1 where id = 'b'")
        work.finish(tx, held[2])

    with house.transaction(TENANT) as tx:
        fenced = work.fence_all(tx, held)
        work.finish_all(tx, list(fenced))

    assert fenced == {held[0]}
    with house.claims() as tx:
        assert [row["id"] for row in tx.rows("select id from work")] == ["b"]


def test_leases_are_extended_together_and_only_by_who_holds_them(house: Database) -> None:
    with house.transaction(TENANT) as tx:
        work.enqueue_all(tx, Queue.INBOX, [("a", NOW), ("b", NOW)])
    with house.claims() as tx:
        first, second = work.claim(tx, Queue.INBOX, NOW, NOW, LEASE, 10)
    with house.claims() as tx:
        work.extend(tx, [first, replace(second, token=second.token - 1)], NOW + 10 * LEASE)

    with house.claims() as tx:
        free = work.claim(tx, Queue.INBOX, NOW, NOW + 2 * LEASE, LEASE, 10)
    assert [each.id for each in free] == ["b"]
