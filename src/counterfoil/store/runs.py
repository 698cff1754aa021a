"""Reconciliation runs: what was asked for, how far it is, and what it had looked at."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from counterfoil.store.database import Row, Tx


@dataclass(frozen=True, slots=True)
class Visit:
    """News that a run made: of which object of the provider, or subject of ours, why, and since when it is in doubt."""

    inbox: str
    why: str
    ref: str
    subject: str | None
    since: datetime


def begin(tx: Tx, identity: str, scope: str, since: datetime | None, asked_by: str, now: datetime) -> None:
    """Write down that a run was asked for."""
    tx.run(
        """
        insert into reconcile_run (tenant, id, scope, since, asked_by, status, created_at)
        values (%(tenant)s, %(id)s, %(scope)s, %(since)s, %(asked_by)s, 'queued', %(now)s)
        """,
        id=identity,
        scope=scope,
        since=since,
        asked_by=asked_by,
        now=now,
    )


def under_way(tx: Tx, scope: str, since: datetime | None) -> str | None:
    """Find a run of the same scope that is not over: whoever asks again is shown that one."""
    row = tx.one(
        """
        select id from reconcile_run
        where tenant = %(tenant)s and ended_at is null and scope = %(scope)s
            and (since is null or since <= %(since)s)
        order by id
        limit 1
        """,
        scope=scope,
        since=since,
    )
    return str(row["id"]) if row else None


def run(tx: Tx, identity: str, *, lock: bool = False) -> Row | None:
    """Give a run."""
    if lock:
        return tx.one("select * from reconcile_run where tenant = %(tenant)s and id = %(id)s for update", id=identity)
    return tx.one("select * from reconcile_run where tenant = %(tenant)s and id = %(id)s", id=identity)


def runs(tx: Tx, after: str | None, limit: int, statuses: Sequence[str] | None = None) -> list[Row]:
    """Give runs, the newest first, one more than asked for."""
    return tx.rows(
        """
        select * from reconcile_run
        where tenant = %(tenant)s and (%(after)s::text is null or id < %(after)s)
            and (%(statuses)s::text[] is null or status = any (%(statuses)s))
        order by id desc
        limit %(limit)s + 1
        """,
        after=after,
        limit=limit,
        statuses=None if statuses is None else list(statuses),
    )


def look(tx: Tx, identity: str, now: datetime) -> None:
    """Note that a run begins, or begins again."""
    tx.run(
        """
        update reconcile_run set status = 'looking', started_at = coalesce(started_at, %(now)s), compared = 0,
            unreached = '{}'
        where tenant = %(tenant)s and id = %(id)s and ended_at is null
        """,
        id=identity,
        now=now,
    )


def visit(tx: Tx, identity: str, visits: Sequence[Visit]) -> None:
    """Add what a run has had looked at."""
    for each in visits:
        tx.run(
            """
            insert into reconcile_visit (tenant, run, inbox, why, ref, subject, since)
            values (%(tenant)s, %(run)s, %(inbox)s, %(why)s, %(ref)s, %(subject)s, %(since)s)
            on conflict do nothing
            """,
            run=identity,
            inbox=each.inbox,
            why=each.why,
            ref=each.ref,
            subject=each.subject,
            since=each.since,
        )
    tx.run(
        """
        update reconcile_run set visited = (
            select count(*) from reconcile_visit where tenant = %(tenant)s and run = %(id)s
        )
        where tenant = %(tenant)s and id = %(id)s
        """,
        id=identity,
    )


def compared(tx: Tx, identity: str, more: int) -> None:
    """Count objects of the provider that were compared with the books."""
    tx.run(
        "update reconcile_run set compared = compared + %(more)s where tenant = %(tenant)s and id = %(id)s",
        id=identity,
        more=more,
    )


def unreached(tx: Tx, identity: str, account: str) -> None:
    """Note that the provider of an account did not answer."""
    tx.run(
        """
        update reconcile_run set unreached = array_append(array_remove(unreached, %(account)s), %(account)s)
        where tenant = %(tenant)s and id = %(id)s
        """,
        id=identity,
        account=account,
    )


def decide(tx: Tx, identity: str) -> None:
    """Note that a run has found what there is, and waits until it is decided."""
    tx.run(
        "update reconcile_run set status = 'deciding' where tenant = %(tenant)s and id = %(id)s and ended_at is null",
        id=identity,
    )


def undecided(tx: Tx, identity: str) -> int:
    """Count what a run had looked at and what is not decided yet."""
    row = tx.one(
        """
        select count(*)::int as n from reconcile_visit v
        join inbox i on i.tenant = v.tenant and i.id = v.inbox
        where v.tenant = %(tenant)s and v.run = %(id)s and i.status in ('received', 'waiting')
        """,
        id=identity,
    )
    return int(row["n"]) if row else 0


def end(tx: Tx, identity: str, late_before: datetime, now: datetime) -> None:
    """Close a run with what came of it: of what it had looked at, since it began, whoever looked first.

    What changed are decisions with an effect; what is late was under way for long when it was visited.
    """
    tx.run(
        """
        with visit as (
            select v.*, i.status from reconcile_visit v
            join inbox i on i.tenant = v.tenant and i.id = v.inbox
            where v.tenant = %(tenant)s and v.run = %(id)s
        ), decided as (
            select distinct d.id, d.outcome, i.kind in ('recheck', 'marked.looked_at') as odd
            from reconcile_run r
            join visit v on true
            join decision_about a on a.tenant = r.tenant and a.subject in (v.ref, v.subject)
            join decision d on d.tenant = a.tenant and d.id = a.decision and d.decided_at >= r.started_at
            join inbox i on i.tenant = d.tenant and i.id = d.inbox and i.source <> 'api'
            where r.tenant = %(tenant)s and r.id = %(id)s
        ), asked as (
            select distinct c.id from decided
            join decision_about a on a.tenant = %(tenant)s and a.decision = decided.id
            join review_case c on c.tenant = a.tenant and c.id = a.subject and c.status = 'open'
        )
        update reconcile_run r set
            status = case
                when cardinality(r.unreached) > 0 or exists (select from visit where status in ('received', 'waiting'))
                then 'unfinished' else 'done'
            end,
            changed = (select count(distinct id) from decided where outcome = 'applied'),
            late = (select count(*) from visit where why in ('open', 'late') and since <= %(late_before)s),
            anomalies = (select count(distinct id) from decided where odd and outcome in ('applied', 'parked')),
            asked = (select count(*) from asked),
            undecided = (select count(*) from visit where status in ('received', 'waiting')),
            ended_at = %(now)s
        where r.tenant = %(tenant)s and r.id = %(id)s and r.ended_at is null
        """,
        id=identity,
        late_before=late_before,
        now=now,
    )


REPORT_MAX: Final = 200
"""How many rows a report shows; what is asked and what changed something comes first."""


def report(tx: Tx, identity: str) -> list[Row]:
    """Give what a run had looked at and what came of it, each thing once: what needs a person first, then what
    changed, the oldest trouble first."""
    return tx.rows(
        """
        select * from (
            select distinct on (v.ref) v.ref, v.why, v.subject, v.since, v.inbox, i.kind, i.status, d.id as decision,
                d.outcome, d.reason, d.sentence, coalesce(d.customer, i.customer) as customer
            from reconcile_visit v
            join reconcile_run r on r.tenant = v.tenant and r.id = v.run
            join inbox i on i.tenant = v.tenant and i.id = v.inbox
            left join decision_about a on a.tenant = v.tenant and a.subject in (v.ref, v.subject)
            left join decision d on d.tenant = a.tenant and d.id = a.decision and d.decided_at >= r.started_at
                and (r.ended_at is null or d.decided_at <= r.ended_at)
            where v.tenant = %(tenant)s and v.run = %(id)s
            order by v.ref, case d.outcome when 'parked' then 0 when 'applied' then 1 when 'no_effect' then 2 end,
                d.decided_at desc, v.since
        ) found
        order by case outcome when 'parked' then 0 when 'applied' then 1 when 'no_effect' then 3 else 2 end, since, ref
        limit %(most)s
        """,
        id=identity,
        most=REPORT_MAX,
    )
