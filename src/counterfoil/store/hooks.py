"""Endpoints of host applications, and the secrets that their deliveries are signed with."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from counterfoil.core.deliveries import HookEndpoint, Payload
from counterfoil.core.ids import EndpointId
from counterfoil.core.lifecycle import EndpointStatus
from counterfoil.store.database import Row, Statement, Tx
from counterfoil.store.pages import Filter, Page
from counterfoil.store.sealing import seal
from counterfoil.store.secrets import SecretBox

LISTENING: Final[tuple[Statement, ...]] = (
    ("select pg_advisory_xact_lock_shared(hashtextextended('hooks ' || %(tenant)s, 0))", {}),
    (
        "select id, kinds, status from hook_endpoint "
        "where tenant = %(tenant)s and status in ('active', 'paused') order by id",
        {},
    ),
)


def listening(tx: Tx) -> list[tuple[str, Sequence[str], bool]]:
    """Give whoever listens: id, kinds, and whether it is told at once. It stays so until the transaction ends.

    Under this lock an endpoint knows the last event that was told without it.
    """
    _, rows = tx.together(*LISTENING)
    return [(identity, kinds, status == EndpointStatus.ACTIVE) for identity, kinds, status in rows]


def lock(tx: Tx) -> None:
    """Let no event be told until the transaction ends: who listens is about to change."""
    tx.rows("select pg_advisory_xact_lock(hashtextextended('hooks ' || %(tenant)s, 0))")


def last_position(tx: Tx) -> int:
    """Give a position that every event told so far stands at or before. Under the lock none is on its way."""
    row = tx.one("select last_value from event_position_seq")
    return int(row["last_value"]) if row else 0


def put(tx: Tx, endpoint: HookEndpoint) -> None:
    """Store a new endpoint."""
    tx.run(
        """
        insert into hook_endpoint (tenant, id, url, description, kinds, payload, schedule, status, why, failing_since,
            from_position, created_at)
        values (%(tenant)s, %(id)s, %(url)s, %(description)s, %(kinds)s, %(payload)s, %(schedule)s, %(status)s, %(why)s,
            %(failing_since)s, %(from_position)s, %(created_at)s)
        """,
        **_values(endpoint),
        created_at=endpoint.created_at,
    )


def save(tx: Tx, endpoint: HookEndpoint) -> None:
    """Write what an endpoint has become."""
    tx.run(
        """
        update hook_endpoint set url = %(url)s, description = %(description)s, kinds = %(kinds)s,
            payload = %(payload)s, schedule = %(schedule)s, status = %(status)s, why = %(why)s,
            failing_since = %(failing_since)s, from_position = %(from_position)s
        where tenant = %(tenant)s and id = %(id)s
        """,
        **_values(endpoint),
    )


def _values(endpoint: HookEndpoint) -> dict[str, object]:
    return {
        "id": endpoint.id,
        "url": endpoint.url,
        "description": endpoint.description,
        "kinds": list(endpoint.kinds),
        "payload": endpoint.payload,
        "schedule": endpoint.schedule,
        "status": endpoint.status,
        "why": endpoint.why,
        "failing_since": endpoint.failing_since,
        "from_position": endpoint.from_position,
    }


def get(tx: Tx, identity: str, *, held: bool = False) -> HookEndpoint | None:
    """Give an endpoint; held, nobody else changes it until the transaction ends."""
    row = (
        tx.one("select * from hook_endpoint where tenant = %(tenant)s and id = %(id)s for update", id=identity)
        if held
        else tx.one("select * from hook_endpoint where tenant = %(tenant)s and id = %(id)s", id=identity)
    )
    return as_endpoint(row) if row else None


def page(tx: Tx, page: Page, wanted: Filter) -> list[HookEndpoint]:
    """Give endpoints that were not deleted."""
    rows = tx.rows(
        """
        select * from hook_endpoint
        where tenant = %(tenant)s and status <> 'deleted'
            and (%(after)s::text is null or id < %(after)s)
            and (%(statuses)s::text[] is null or status = any (%(statuses)s))
        order by id desc
        limit %(limit)s + 1
        """,
        after=page.after,
        limit=page.limit,
        **wanted.values,
    )
    return [as_endpoint(row) for row in rows]


def as_endpoint(row: Row) -> HookEndpoint:
    """Read an endpoint's row."""
    return HookEndpoint(
        id=EndpointId(row["id"]),
        url=row["url"],
        kinds=tuple(row["kinds"]),
        payload=Payload(row["payload"]),
        schedule=row["schedule"],
        status=EndpointStatus(row["status"]),
        from_position=row["from_position"],
        created_at=row["created_at"],
        description=row["description"],
        why=row["why"],
        failing_since=row["failing_since"],
    )


# --- secrets ---


def put_secret(tx: Tx, box: SecretBox, endpoint: str, identity: str, secret: str, now: datetime) -> None:
    """Seal a secret that lasts until another one takes its place."""
    tx.run(
        """
        insert into hook_secret (tenant, id, endpoint, box, created_at)
        values (%(tenant)s, %(id)s, %(endpoint)s, %(box)s, %(now)s)
        """,
        id=identity,
        endpoint=endpoint,
        box=seal(tx, box, secret, now),
        now=now,
    )


def end_secrets(tx: Tx, endpoint: str, at: datetime, now: datetime) -> None:
    """Let the secret that is valid end at a time, and drop those that have ended: two are valid at once, never more."""
    tx.run(
        "delete from hook_secret where tenant = %(tenant)s and endpoint = %(endpoint)s and ends_at is not null",
        endpoint=endpoint,
    )
    tx.run(
        """
        update hook_secret set ends_at = greatest(%(at)s, %(now)s)
        where tenant = %(tenant)s and endpoint = %(endpoint)s and ends_at is null
        """,
        endpoint=endpoint,
        at=at,
        now=now,
    )


def drop_secrets(tx: Tx, endpoint: str) -> None:
    """Drop every secret of an endpoint: nothing is signed for it any more."""
    tx.run("delete from hook_secret where tenant = %(tenant)s and endpoint = %(endpoint)s", endpoint=endpoint)


def secrets(tx: Tx, box: SecretBox, endpoint: str, now: datetime) -> tuple[str, ...]:
    """Give the secrets that are valid, the newest first."""
    rows = tx.rows(
        """
        select box from hook_secret
        where tenant = %(tenant)s and endpoint = %(endpoint)s and (ends_at is null or ends_at > %(now)s)
        order by created_at desc, id desc
        """,
        endpoint=endpoint,
        now=now,
    )
    return tuple(box.open(tx.tenant, row["box"]) for row in rows)


def old_secrets_end(tx: Tx, endpoints: Sequence[str], now: datetime) -> dict[str, datetime]:
    """Say until when the secret before is valid beside the new one, where it still is."""
    rows = tx.rows(
        """
        select endpoint, max(ends_at) as ends_at from hook_secret
        where tenant = %(tenant)s and endpoint = any (%(endpoints)s) and ends_at > %(now)s
        group by endpoint
        """,
        endpoints=list(endpoints),
        now=now,
    )
    return {row["endpoint"]: row["ends_at"] for row in rows}
