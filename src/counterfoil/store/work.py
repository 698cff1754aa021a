"""The claim table: what is due, for whom. The only table that workers see without being inside a tenant."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from counterfoil.store.database import Tx


class Queue(StrEnum):
    """What a claim is about."""

    INBOX = "inbox"
    ORDER = "order"
    SWEEP = "sweep"
    UPKEEP = "upkeep"
    REVENUE = "revenue"
    RECEIPT = "receipt"
    DELIVERY = "delivery"
    RECONCILE = "reconcile"
    MAIL = "mail"


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on one item until the lease ends. `token` fences: a later claim has a higher one."""

    queue: Queue
    tenant: str
    id: str
    token: int
    attempts: int
    failures: int = 0


class LeaseLost(Exception):
    """Another worker took the item over while this one was busy; what this one found out must not be written."""

    code = "lease_lost"


def enqueue(tx: Tx, queue: Queue, identity: str, due_at: datetime) -> None:
    """Make an item due. An item that is queued already keeps the earlier time."""
    tx.run(
        """
        insert into work (queue, tenant, id, due_at) values (%(queue)s, %(tenant)s, %(id)s, %(due_at)s)
        on conflict (queue, tenant, id) do update set due_at = least(work.due_at, excluded.due_at)
        """,
        queue=queue,
        id=identity,
        due_at=due_at,
    )


def enqueue_all(tx: Tx, queue: Queue, items: Sequence[tuple[str, datetime]]) -> None:
    """Make items due, each as `enqueue` does, in one statement. No item may be named twice."""
    if items:
        tx.run(
            """
            insert into work (queue, tenant, id, due_at)
            select %(queue)s, %(tenant)s, id, due_at
            from unnest(%(id)s::text[], %(due_at)s::timestamptz[]) as item (id, due_at)
            on conflict (queue, tenant, id) do update set due_at = least(work.due_at, excluded.due_at)
            """,
            queue=queue,
            id=[identity for identity, _ in items],
            due_at=[due_at for _, due_at in items],
        )


def enqueue_tenants(tx: Tx, queue: Queue, tenants: Iterable[str], due_at: datetime) -> None:
    """Make the one item that every tenant has in a queue due, unless it is scheduled already."""
    tx.run(
        """
        insert into work (queue, tenant, id, due_at)
        select %(queue)s, tenant, %(queue)s, %(due_at)s from unnest(%(tenants)s::text[]) as given (tenant)
        on conflict (queue, tenant, id) do nothing
        """,
        queue=queue,
        tenants=sorted(tenants),
        due_at=due_at,
    )


def claim(tx: Tx, queue: Queue, now: datetime, wall: datetime, lease: timedelta, limit: int) -> list[Claim]:
    """Claim due items whose lease is free, oldest first. Leases run on wall time, what is due on business time."""
    rows = tx.rows(
        """
        update work set token = token + 1, attempts = attempts + 1, leased_until = %(until)s
        from (
            select queue, tenant, id from work
            where queue = %(queue)s and due_at <= %(now)s and (leased_until is null or leased_until <= %(wall)s)
            order by due_at, id
            limit %(limit)s
            for update skip locked
        ) as due
        where work.queue = due.queue and work.tenant = due.tenant and work.id = due.id
        returning work.tenant, work.id, work.token, work.attempts, work.failures, work.due_at
        """,
        queue=queue,
        now=now,
        wall=wall,
        until=wall + lease,
        limit=limit,
    )
    names = ("tenant", "id", "token", "attempts", "failures")
    rows.sort(key=lambda row: (row["due_at"], row["id"]))
    return [Claim(queue, *(row[name] for name in names)) for row in rows]


def fence(tx: Tx, claim: Claim) -> None:
    """Hold the claim's row until the transaction ends. Raises LeaseLost when somebody else has claimed it since."""
    row = tx.one(
        "select token from work where queue = %(queue)s and tenant = %(tenant)s and id = %(id)s for update",
        queue=claim.queue,
        id=claim.id,
    )
    if row is None or row["token"] != claim.token:
        raise LeaseLost(f"{claim.queue} {claim.id} was taken over by another worker")


def fence_all(tx: Tx, claims: Sequence[Claim]) -> frozenset[Claim]:
    """Hold the rows of claims of one queue until the transaction ends, and give those that nobody has claimed since."""
    rows = tx.rows(
        """
        select id, token from work
        where queue = %(queue)s and tenant = %(tenant)s and id = any (%(ids)s)
        order by id
        for update
        """,
        queue=claims[0].queue,
        ids=[each.id for each in claims],
    )
    tokens = {row["id"]: row["token"] for row in rows}
    return frozenset(each for each in claims if tokens.get(each.id) == each.token)


def finish_all(tx: Tx, claims: Sequence[Claim]) -> None:
    """Take finished items of one queue off it."""
    if claims:
        tx.run(
            "delete from work where queue = %(queue)s and tenant = %(tenant)s and id = any (%(ids)s)",
            queue=claims[0].queue,
            ids=[each.id for each in claims],
        )


def finish(tx: Tx, claim: Claim) -> None:
    """Take a finished item off the queue."""
    tx.run(
        "delete from work where queue = %(queue)s and tenant = %(tenant)s and id = %(id)s",
        queue=claim.queue,
        id=claim.id,
    )


def postpone(tx: Tx, claim: Claim, due_at: datetime) -> None:
    """Give the claim back until `due_at`."""
    tx.run(
        """
        update work set due_at = %(due_at)s, leased_until = null
        where queue = %(queue)s and tenant = %(tenant)s and id = %(id)s and token = %(token)s
        """,
        queue=claim.queue,
        id=claim.id,
        token=claim.token,
        due_at=due_at,
    )


def count_failure(tx: Tx, claim: Claim) -> None:
    """Count that working on an item failed; after a bound it is parked for a person."""
    tx.run(
        """
        update work set failures = failures + 1
        where queue = %(queue)s and tenant = %(tenant)s and id = %(id)s and token = %(token)s
        """,
        queue=claim.queue,
        id=claim.id,
        token=claim.token,
    )


def extend(tx: Tx, claims: Iterable[Claim], until: datetime) -> None:
    """Keep leases alive while their holder is. What was given back meanwhile stays free."""
    held = sorted(claims, key=lambda each: (each.queue, each.tenant, each.id))
    tx.run(
        """
        update work set leased_until = %(until)s
        from unnest(%(queues)s::text[], %(tenants)s::text[], %(ids)s::text[], %(tokens)s::bigint[])
            as held (queue, tenant, id, token)
        where work.queue = held.queue and work.tenant = held.tenant and work.id = held.id and work.token = held.token
            and work.leased_until is not null
        """,
        until=until,
        queues=[str(each.queue) for each in held],
        tenants=[each.tenant for each in held],
        ids=[each.id for each in held],
        tokens=[each.token for each in held],
    )


def backlog(tx: Tx, now: datetime) -> dict[str, int]:
    """Count what is due, per queue, over all tenants."""
    rows = tx.rows("select queue, count(*) as n from work where due_at <= %(now)s group by queue", now=now)
    return {row["queue"]: row["n"] for row in rows}


def clock_ahead(tx: Tx) -> timedelta:
    """Give how far business time runs ahead of wall time."""
    row = tx.one("select ahead from business_clock")
    return row["ahead"] if row else timedelta()


def move_clock(tx: Tx, ahead: timedelta) -> None:
    """Set how far business time runs ahead of wall time."""
    tx.run(
        """
        insert into business_clock (ahead) values (%(ahead)s)
        on conflict (one) do update set ahead = excluded.ahead
        """,
        ahead=ahead,
    )
