"""Decisions and what leaves with them: events, cases."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from counterfoil.core.effects import Notify, Outcome, Why
from counterfoil.store.codec import document
from counterfoil.store.database import Row, Tx

FEED: Final = 0x0E7E << 48
"""What marks the advisory locks of those who are about to tell events, beside the position that they may take first."""


@dataclass(frozen=True, slots=True)
class StoredDecision:
    """One decision as it is written down."""

    id: str
    inbox: str
    outcome: Outcome
    why: Why
    customer: str | None
    about: tuple[str, ...]
    effects: Any
    decided_at: datetime


def put(tx: Tx, made: StoredDecision) -> None:
    """Store a decision. The database refuses a second one for the same inbox row."""
    put_all(tx, [made])


def put_all(tx: Tx, made: Sequence[StoredDecision]) -> None:
    """Store decisions, in two statements whatever their number."""
    tx.run(
        """
        insert into decision (tenant, id, inbox, rule, outcome, reason, sentence, customer, inputs, effects, decided_at)
        select %(tenant)s, id, inbox, rule, outcome, reason, sentence, customer, inputs, effects, decided_at
        from jsonb_to_recordset(%(rows)s::jsonb) as made (id text, inbox text, rule text, outcome text, reason text,
            sentence text, customer text, inputs jsonb, effects jsonb, decided_at timestamptz)
        """,
        rows=document([_document(each) for each in made]),
    )
    about = [(subject, each.id) for each in made for subject in dict.fromkeys(each.about)]
    tx.run(
        """
        insert into decision_about (tenant, subject, decision)
        select %(tenant)s, subject, decision
        from unnest(%(subjects)s::text[], %(decisions)s::text[]) as about (subject, decision)
        """,
        subjects=[subject for subject, _ in about],
        decisions=[decision for _, decision in about],
    )


def _document(made: StoredDecision) -> dict[str, Any]:
    return {
        "id": made.id,
        "inbox": made.inbox,
        "rule": made.why.rule,
        "outcome": made.outcome,
        "reason": made.why.reason,
        "sentence": made.why.sentence,
        "customer": made.customer,
        "inputs": dict(made.why.inputs),
        "effects": made.effects,
        "decided_at": made.decided_at.isoformat(),
    }


def get(tx: Tx, decision: str) -> Row | None:
    """Give a decision with the news that it is about."""
    return tx.one(
        """
        select d.*, i.source, i.kind, i.subject_kind, i.subject_ref, i.occurred_at, i.received_at, i.deliveries,
            i.identity
        from decision d
        join inbox i on i.tenant = d.tenant and i.id = d.inbox
        where d.tenant = %(tenant)s and d.id = %(id)s
        """,
        id=decision,
    )


def of_inbox(tx: Tx, inbox: str) -> Row | None:
    """Give the decision of an inbox row."""
    return tx.one("select * from decision where tenant = %(tenant)s and inbox = %(inbox)s", inbox=inbox)


def about(tx: Tx, subjects: Iterable[str]) -> list[Row]:
    """Give the decisions that concern any of these subjects, with their news, oldest first."""
    return tx.rows(
        """
        select d.*, i.source, i.kind, i.subject_kind, i.subject_ref, i.occurred_at, i.received_at, i.deliveries,
            i.identity
        from decision d
        join inbox i on i.tenant = d.tenant and i.id = d.inbox
        where d.tenant = %(tenant)s
            and d.id in (
                select decision from decision_about where tenant = %(tenant)s and subject = any (%(subjects)s)
            )
        order by d.decided_at, d.id
        """,
        subjects=list(subjects),
    )


@dataclass(frozen=True, slots=True)
class Told:
    """One event on its way out: its id, what it says, and the decision that caused it."""

    id: str
    notify: Notify
    decision: str


def put_event(tx: Tx, identity: str, told: Notify, decision: str, now: datetime) -> bool:
    """Tell an event once: the next of its customer's sequence. False when its key was told before."""
    return len(put_events(tx, [Told(identity, told, decision)], now)) == 1


def put_events(tx: Tx, told: Sequence[Told], now: datetime) -> frozenset[str]:
    """Tell events once each, in this order within each customer's sequence; give the ids of those that are new.

    Positions are handed out in another order than transactions commit. So whoever is about to take some says first,
    by a lock that ends with the transaction, from where on: see `pages.events_end`.
    """
    first: dict[str, Told] = {}
    for each in told:
        first.setdefault(each.notify.key, each)
    if not first:
        return frozenset()
    rows = tx.rows(
        """
        with taking as materialized (
            select pg_advisory_xact_lock_shared(%(feed)s + last_value + is_called::int) from event_position_seq
        )
        insert into event (tenant, id, key, kind, customer, sequence, subject, data, decision, created_at)
        select %(tenant)s, id, key, kind, customer,
            row_number() over (partition by customer order by ordinality) + coalesce(
                case when customer is null
                    then (select max(e.sequence) from event e where e.tenant = %(tenant)s and e.customer is null)
                    else (select max(e.sequence) from event e
                        where e.tenant = %(tenant)s and e.customer = told.customer)
                end, 0
            ),
            subject, data, decision, %(now)s
        from taking
        cross join rows from (
            jsonb_to_recordset(%(rows)s::jsonb)
                as (id text, key text, kind text, customer text, subject text, data jsonb, decision text)
        ) with ordinality as told
        where not exists (select 1 from event e where e.tenant = %(tenant)s and e.key = told.key)
        order by ordinality
        on conflict (tenant, key) do nothing
        returning id
        """,
        now=now,
        feed=FEED,
        rows=document([_event(each) for each in first.values()]),
    )
    return frozenset(row["id"] for row in rows)


def _event(told: Told) -> dict[str, Any]:
    notify = told.notify
    return {
        "id": told.id,
        "key": notify.key,
        "kind": notify.kind,
        "customer": notify.customer,
        "subject": notify.subject,
        "data": dict(notify.data),
        "decision": told.decision,
    }


def questions_about(tx: Tx, subjects: Iterable[str]) -> list[tuple[str, str]]:
    """Give the questions that were put to a person before about these subjects."""
    rows = tx.rows(
        "select question, subject from review_case where tenant = %(tenant)s and subject = any (%(subjects)s)",
        subjects=list(subjects),
    )
    return [(row["question"], row["subject"]) for row in rows]
