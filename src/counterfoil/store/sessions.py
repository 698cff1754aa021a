"""Visits to the console: opened with an API key or a link that works once, ended by signing out or by time."""

from datetime import datetime

from counterfoil.store.database import Row, Tx


def open_visit(tx: Tx, identity: str, api_key: str | None, now: datetime, until: datetime) -> None:
    """Start a visit. `api_key` None means that a link brought it."""
    _put(tx, identity, api_key, now, until, opened_at=now)


def offer_link(tx: Tx, identity: str, now: datetime, until: datetime) -> None:
    """Offer a link for signing in, good once and until a time."""
    _put(tx, identity, None, now, until, opened_at=None)


def _put(
    tx: Tx, identity: str, api_key: str | None, now: datetime, until: datetime, opened_at: datetime | None
) -> None:
    tx.run(
        """
        insert into console_session (tenant, id, api_key, created_at, expires_at, opened_at)
        values (%(tenant)s, %(id)s, %(api_key)s, %(now)s, %(until)s, %(opened_at)s)
        """,
        id=identity,
        api_key=api_key,
        now=now,
        until=until,
        opened_at=opened_at,
    )


def use_link(tx: Tx, identity: str, now: datetime) -> bool:
    """Use a link up. False when it was used before, ran out, or never was."""
    used = tx.run(
        """
        update console_session set ended_at = %(now)s
        where tenant = %(tenant)s and id = %(id)s and opened_at is null and ended_at is null and expires_at > %(now)s
        """,
        id=identity,
        now=now,
    )
    return used == 1


def visit(tx: Tx, identity: str, now: datetime) -> Row | None:
    """Give a visit that is under way. None once it ended, ran out, or its API key was revoked."""
    return tx.one(
        """
        select s.id, s.api_key, k.prefix, k.scopes
        from console_session s
        left join api_key k on k.tenant = s.tenant and k.id = s.api_key
        where s.tenant = %(tenant)s and s.id = %(id)s
            and s.opened_at is not null and s.ended_at is null and s.expires_at > %(now)s
            and k.revoked_at is null
        """,
        id=identity,
        now=now,
    )


def end_visit(tx: Tx, identity: str, now: datetime) -> None:
    """End a visit for good."""
    tx.run(
        "update console_session set ended_at = %(now)s where tenant = %(tenant)s and id = %(id)s and ended_at is null",
        id=identity,
        now=now,
    )
