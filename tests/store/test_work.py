"""Claims: each item is worked on by one worker at a time, and one that slept too long writes nothing."""

from datetime import timedelta

import pytest
from psycopg.errors import DivisionByZero

from core.factories import NOW
from counterfoil.store import work
from counterfoil.store.database import Database
from counterfoil.store.work import Claim, LeaseLost, Queue
from store.road import OTHER, TENANT

LEASE = timedelta(seconds=30)
LATER = NOW + LEASE + timedelta(seconds=1)


@pytest.fixture
def queue(house: Database) -> Database:
    """Two items are due, of two tenants; a third is due in an hour."""
    for tenant, item, due in ((TENANT, "a", NOW), (OTHER, "b", NOW), (TENANT, "c", NOW + timedelta(hours=1))):
        with house.transaction(tenant) as tx:
            work.enqueue(tx, Queue.INBOX, item, due)
    return house


def claim(house: Database, limit: int = 10, **times: object) -> list[Claim]:
    given = {"now": NOW, "wall": NOW} | times
    with house.claims() as tx:
        return work.claim(tx, Queue.INBOX, given["now"], given["wall"], LEASE, limit)  # type: ignore[arg-type]


def test_what_is_due_is_claimed_of_every_tenant(queue: Database) -> None:
    assert [(each.tenant, each.id, each.token, each.attempts) for each in claim(queue)] == [
        (TENANT, "a", 1, 1),
        (OTHER, "b", 1, 1),
    ]


def test_an_item_is_claimed_by_one_worker(queue: Database) -> None:
    first = claim(queue, limit=1)
    second = claim(queue)

    assert [each.id for each in (*first, *second)] == ["a", "b"]
    assert claim(queue) == []


def test_workers_do_not_wait_for_each_other(queue: Database) -> None:
    with queue.claims() as tx:
        held = work.claim(tx, Queue.INBOX, NOW, NOW, LEASE, 1)

        assert [each.id for each in claim(queue)] == ["b"]
    assert [each.id for each in held] == ["a"]


def test_the_other_queue_is_apart(queue: Database) -> None:
    with queue.claims() as tx:
        assert work.claim(tx, Queue.ORDER, NOW, NOW, LEASE, 10) == []


def test_a_lease_that_ran_out_lets_another_worker_in(queue: Database) -> None:
    old = claim(queue)[0]
    new = next(each for each in claim(queue, wall=LATER) if each.id == old.id)

    assert (new.token, new.attempts) == (old.token + 1, 2)


def test_business_time_does_not_end_a_lease(queue: Database) -> None:
    claim(queue)

    assert [each.id for each in claim(queue, now=NOW + timedelta(days=9))] == ["c"]


def test_a_worker_that_slept_past_its_lease_is_fenced_off(queue: Database) -> None:
    """A zombie wakes up with an answer when the item is somebody else's already."""
    zombie = claim(queue)[0]
    heir = next(each for each in claim(queue, wall=LATER) if each.id == zombie.id)

    with pytest.raises(LeaseLost), queue.transaction(TENANT) as tx:
        work.fence(tx, zombie)
    with queue.transaction(TENANT) as tx:
        work.fence(tx, heir)
        work.finish(tx, heir)
    with pytest.raises(LeaseLost), queue.transaction(TENANT) as tx:
        work.fence(tx, heir)


def test_a_zombie_can_neither_postpone_nor_extend(queue: Database) -> None:
    zombie = claim(queue)[0]
    claim(queue, wall=LATER)

    with queue.transaction(TENANT) as tx:
        work.postpone(tx, zombie, NOW)
        work.extend(tx, [zombie], NOW)

    assert zombie.id not in [each.id for each in claim(queue, wall=LATER)]


def test_a_finished_item_is_gone(queue: Database) -> None:
    mine = claim(queue)[0]

    with queue.transaction(TENANT) as tx:
        work.fence(tx, mine)
        work.finish(tx, mine)

    assert mine.id not in [each.id for each in claim(queue, wall=LATER)]


def test_a_postponed_item_comes_back_when_it_is_due(queue: Database) -> None:
    mine = claim(queue)[0]
    with queue.transaction(TENANT) as tx:
        work.postpone(tx, mine, NOW + timedelta(minutes=5))

    assert [each.id for each in claim(queue)] == []
    assert [each.id for each in claim(queue, now=NOW + timedelta(minutes=5))] == ["a"]


def test_an_extended_lease_lasts(queue: Database) -> None:
    mine = claim(queue)
    with queue.claims() as tx:
        work.extend(tx, mine, LATER + LEASE)

    assert claim(queue, wall=LATER) == []


def test_a_heartbeat_takes_no_hold_of_what_was_given_back(queue: Database) -> None:
    given_back, kept = claim(queue)
    with queue.transaction(TENANT) as tx:
        work.postpone(tx, given_back, NOW)
    with queue.claims() as tx:
        work.extend(tx, [given_back, kept], LATER + LEASE)

    assert [each.id for each in claim(queue, wall=LATER)] == [given_back.id]


def test_queueing_again_keeps_the_earlier_time(queue: Database) -> None:
    with queue.transaction(TENANT) as tx:
        work.enqueue(tx, Queue.INBOX, "a", NOW + timedelta(days=1))
        work.enqueue(tx, Queue.INBOX, "c", NOW)

    assert [each.id for each in claim(queue)] == ["a", "b", "c"]


def test_the_oldest_comes_first(queue: Database) -> None:
    with queue.transaction(TENANT) as tx:
        work.enqueue(tx, Queue.INBOX, "z", NOW - timedelta(hours=1))

    assert [each.id for each in claim(queue, limit=1)] == ["z"]


def test_the_backlog_is_told(queue: Database) -> None:
    with queue.claims() as tx:
        assert work.backlog(tx, NOW) == {"inbox": 2}


def test_a_claim_is_undone_with_its_transaction(queue: Database) -> None:
    with pytest.raises(DivisionByZero), queue.claims() as tx:
        tx.rows("select 1 / %(zero)s", zero=len(work.claim(tx, Queue.INBOX, NOW, NOW, LEASE, 10)) - 2)

    assert [each.token for each in claim(queue)] == [1, 1]
