"""Events on their way to host applications: one row per endpoint and event, for ever, and its tries."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from counterfoil.core.deliveries import Answered, Delivery, TryOutcome, TryResult
from counterfoil.core.ids import DeliveryId, EndpointId
from counterfoil.core.lifecycle import DeliveryStatus
from counterfoil.store.database import Row, Tx
from counterfoil.store.pages import Filter, Page

REPLY_KEPT: Final = 1024


def put(tx: Tx, made: Sequence[tuple[str, str, str]], now: datetime) -> list[str]:
    """Store deliveries (id, endpoint, event), and give the ids of those that were not there before."""
    if not made:
        return []
    rows = tx.rows(
        """
        insert into delivery (tenant, id, endpoint, event, status, next_at, created_at)
        select %(tenant)s, id, endpoint, event, 'pending', %(now)s, %(now)s
        from unnest(%(ids)s::text[], %(endpoints)s::text[], %(events)s::text[]) as made (id, endpoint, event)
        on conflict (tenant, endpoint, event) do nothing
        returning id
        """,
        now=now,
        ids=[identity for identity, _, _ in made],
        endpoints=[endpoint for _, endpoint, _ in made],
        events=[event for _, _, event in made],
    )
    return [row["id"] for row in rows]


def get(tx: Tx, identity: str, *, held: bool = False) -> Delivery | None:
    """Give a delivery; held, nobody else changes it until the transaction ends."""
    row = (
        tx.one("select * from delivery where tenant = %(tenant)s and id = %(id)s for update", id=identity)
        if held
        else tx.one("select * from delivery where tenant = %(tenant)s and id = %(id)s", id=identity)
    )
    return as_delivery(row) if row else None


def as_delivery(row: Row) -> Delivery:
    """Read a delivery's row."""
    return Delivery(
        id=DeliveryId(row["id"]),
        endpoint=EndpointId(row["endpoint"]),
        event=row["event"],
        status=DeliveryStatus(row["status"]),
        created_at=row["created_at"],
        tries=row["tries"],
        in_round=row["in_round"],
        next_at=row["next_at"],
        delivered_at=row["delivered_at"],
    )


def save(tx: Tx, delivery: Delivery) -> None:
    """Write where a delivery stands."""
    tx.run(
        """
        update delivery set status = %(status)s, tries = %(tries)s, in_round = %(in_round)s, next_at = %(next_at)s,
            delivered_at = %(delivered_at)s
        where tenant = %(tenant)s and id = %(id)s
        """,
        id=delivery.id,
        status=delivery.status,
        tries=delivery.tries,
        in_round=delivery.in_round,
        next_at=delivery.next_at,
        delivered_at=delivery.delivered_at,
    )


def event(tx: Tx, identity: str) -> Row | None:
    """Give the event of a delivery."""
    return tx.one("select * from event where tenant = %(tenant)s and id = %(id)s", id=identity)


def is_kept_back(tx: Tx, customer: str | None) -> bool:
    """Say whether a person paused everything, or the customer's account only watches: nothing leaves then."""
    row = tx.one(
        """
        select t.paused or exists (
            select from customer c
            join provider_account a on a.tenant = c.tenant and a.id = c.account
            where c.tenant = t.id and c.id = %(customer)s and a.mode = 'observe'
        ) as is_kept
        from tenant t
        where t.id = %(tenant)s
        """,
        customer=customer,
    )
    return bool(row and row["is_kept"])


def is_test(tx: Tx) -> bool:
    """Say whether these are books of test mode."""
    row = tx.one("select mode from tenant where id = %(tenant)s")
    return row is not None and row["mode"] == "test"


# --- tries ---


def begin_try(tx: Tx, delivery: Delivery, now: datetime) -> None:
    """Note a try before it is sent. One before it that never ended is unknown: its process died."""
    tx.run(
        """
        update delivery_try set ended_at = %(now)s, outcome = 'unknown'
        where tenant = %(tenant)s and delivery = %(delivery)s and outcome is null
        """,
        delivery=delivery.id,
        now=now,
    )
    tx.run(
        """
        insert into delivery_try (tenant, delivery, n, started_at)
        values (%(tenant)s, %(delivery)s, %(n)s, %(now)s)
        """,
        delivery=delivery.id,
        n=delivery.tries,
        now=now,
    )


def end_try(tx: Tx, delivery: str, n: int, result: TryResult, now: datetime) -> None:
    """Note how a try ended."""
    answered = result if isinstance(result, Answered) else None
    tx.run(
        """
        update delivery_try set ended_at = %(now)s, outcome = %(outcome)s, status_code = %(status_code)s,
            why = %(why)s, duration_ms = %(duration_ms)s, reply = %(reply)s
        where tenant = %(tenant)s and delivery = %(delivery)s and n = %(n)s and outcome is null
        """,
        delivery=delivery,
        n=n,
        now=now,
        outcome=result.outcome,
        status_code=answered.status_code if answered else None,
        why=None if isinstance(result, Answered) else result.why,
        duration_ms=result.duration_ms,
        reply=answered.reply[:REPLY_KEPT] if answered and answered.reply else None,
    )


def forget_try(tx: Tx, delivery: str, n: int) -> None:
    """Note that a try was never sent, because its delivery was over meanwhile."""
    tx.run(
        """
        update delivery_try set ended_at = started_at, outcome = %(outcome)s
        where tenant = %(tenant)s and delivery = %(delivery)s and n = %(n)s and outcome is null
        """,
        delivery=delivery,
        n=n,
        outcome=TryOutcome.NOT_SENT,
    )


def tries(tx: Tx, delivery: str) -> list[Row]:
    """Give the tries of a delivery, oldest first."""
    return tx.rows(
        "select * from delivery_try where tenant = %(tenant)s and delivery = %(delivery)s order by n", delivery=delivery
    )


# --- what is sent ---


def body(tx: Tx, delivery: str) -> str | None:
    """Give what is sent, None before its first try and once it was dropped."""
    row = tx.one("select body from delivery_body where tenant = %(tenant)s and delivery = %(id)s", id=delivery)
    return row["body"] if row else None


def keep_body(tx: Tx, delivery: str, body: str, customer: str | None) -> None:
    """Keep what is sent, so that every try sends the same bytes; not that of an erased customer."""
    tx.run(
        """
        insert into delivery_body (tenant, delivery, body, customer)
        select %(tenant)s, %(delivery)s, %(body)s, %(customer)s
        where not exists (
            select from customer where tenant = %(tenant)s and id = %(customer)s and erased_at is not null
        )
        on conflict (tenant, delivery) do nothing
        """,
        delivery=delivery,
        body=body,
        customer=customer,
    )


# --- many ---


def pending(tx: Tx, endpoint: str) -> list[str]:
    """Give the deliveries that an endpoint was not told of yet, oldest first."""
    rows = tx.rows(
        "select id from delivery where tenant = %(tenant)s and endpoint = %(endpoint)s and status = 'pending' "
        "order by id",
        endpoint=endpoint,
    )
    return [row["id"] for row in rows]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which deliveries a list is narrowed to."""

    endpoint: str | None = None
    event: str | None = None
    statuses: tuple[str, ...] | None = None
    customer: str | None = None


def page(tx: Tx, page: Page, wanted: Wanted) -> list[Row]:
    """Give deliveries with their events and their last try, the newest first."""
    return tx.rows(
        """
        select d.*, e.kind, e.customer, e.subject, e.sequence, h.url, t.outcome, t.status_code, t.why, t.duration_ms,
            t.started_at as tried_at
        from delivery d
        join event e on e.tenant = d.tenant and e.id = d.event
        join hook_endpoint h on h.tenant = d.tenant and h.id = d.endpoint
        left join delivery_try t on t.tenant = d.tenant and t.delivery = d.id and t.n = d.tries
        where d.tenant = %(tenant)s
            and (%(after)s::text is null or d.id < %(after)s)
            and (%(endpoint)s::text is null or d.endpoint = %(endpoint)s)
            and (%(event)s::text is null or d.event = %(event)s)
            and (%(customer)s::text is null or e.customer = %(customer)s)
            and (%(statuses)s::text[] is null or d.status = any (%(statuses)s))
        order by d.id desc
        limit %(limit)s + 1
        """,
        after=page.after,
        limit=page.limit,
        endpoint=wanted.endpoint,
        event=wanted.event,
        customer=wanted.customer,
        statuses=None if wanted.statuses is None else list(wanted.statuses),
    )


def one(tx: Tx, identity: str) -> Row | None:
    """Give a delivery with its event and its last try."""
    return tx.one(
        """
        select d.*, e.kind, e.customer, e.subject, e.sequence, h.url, t.outcome, t.status_code, t.why, t.duration_ms,
            t.started_at as tried_at
        from delivery d
        join event e on e.tenant = d.tenant and e.id = d.event
        join hook_endpoint h on h.tenant = d.tenant and h.id = d.endpoint
        left join delivery_try t on t.tenant = d.tenant and t.delivery = d.id and t.n = d.tries
        where d.tenant = %(tenant)s and d.id = %(id)s
        """,
        id=identity,
    )


def counts(tx: Tx, endpoints: Sequence[str]) -> dict[str, dict[str, int]]:
    """Count the pending and failed deliveries of endpoints."""
    found: dict[str, dict[str, int]] = {each: {} for each in endpoints}
    rows = tx.rows(
        """
        select endpoint, status, count(*) as n from delivery
        where tenant = %(tenant)s and endpoint = any (%(endpoints)s) and status in ('pending', 'failed')
        group by endpoint, status
        """,
        endpoints=list(endpoints),
    )
    for row in rows:
        found[row["endpoint"]][row["status"]] = row["n"]
    return found


def of_event(tx: Tx, key: str, endpoint: str) -> str | None:
    """Find the delivery of an event, by what makes that one itself."""
    row = tx.one(
        """
        select d.id from event e
        join delivery d on d.tenant = e.tenant and d.event = e.id
        where e.tenant = %(tenant)s and e.key = %(key)s and d.endpoint = %(endpoint)s
        """,
        key=key,
        endpoint=endpoint,
    )
    return row["id"] if row else None


def about(tx: Tx, customer: str, page: Page, wanted: Filter) -> list[Row]:
    """Give what happened to a customer: each event with who caused it, and whom it was told to."""
    return tx.rows(
        """
        select e.*, d.sentence, d.reason, i.source, i.kind as news,
            case when i.source in ('api', 'operator') then i.detail end as detail,
            (select count(*) from delivery v where v.tenant = e.tenant and v.event = e.id) as deliveries,
            (select count(*) from delivery v
                where v.tenant = e.tenant and v.event = e.id and v.status = 'delivered') as delivered
        from event e
        join decision d on d.tenant = e.tenant and d.id = e.decision
        join inbox i on i.tenant = d.tenant and i.id = d.inbox
        where e.tenant = %(tenant)s and e.customer = %(customer)s
            and (
                %(after)s::text is null
                or e.sequence < (select b.sequence from event b where b.tenant = %(tenant)s and b.id = %(after)s)
            )
            and (%(kinds)s::text[] is null or e.kind = any (%(kinds)s))
            and (%(parent)s::text is null or e.subject = %(parent)s)
        order by e.sequence desc
        limit %(limit)s + 1
        """,
        limit=page.limit,
        after=page.after,
        **{**wanted.values, "customer": customer},
    )
