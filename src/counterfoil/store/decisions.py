"""Decisions and what leaves with them: events, cases."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from counterfoil.core.effects import Notify, Outcome, Why
from counterfoil.store.database import Row, Tx


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
    tx.run(
        """
        insert into decision (tenant, id, inbox, rule, outcome, reason, sentence, customer, inputs, effects, decided_at)
        values (%(tenant)s, %(id)s, %(inbox)s, %(rule)s, %(outcome)s, %(reason)s, %(sentence)s, %(customer)s,
            %(inputs)s, %(effects)s, %(decided_at)s)
        """,
        id=made.id,
        inbox=made.inbox,
        rule=made.why.rule,
        outcome=made.outcome,
        reason=made.why.reason,
        sentence=made.why.sentence,
        customer=made.customer,
        inputs=json.dumps(dict(made.why.inputs), ensure_ascii=False),
        effects=json.dumps(made.effects, ensure_ascii=False),
        decided_at=made.decided_at,
    )
    tx.run(
        """
        insert into decision_about (tenant, subject, decision)
        select distinct %(tenant)s, subject, %(id)s from unnest(%(about)s::text[]) as about (subject)
        """,
        id=made.id,
        about=list(made.about),
    )


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


def put_event(tx: Tx, identity: str, told: Notify, decision: str, now: datetime) -> bool:
    """Tell an event once: the next of its customer's sequence. False when its key was told before."""
    return bool(
        tx.run(
            """
            insert into event (tenant, id, key, kind, customer, sequence, subject, data, decision, created_at)
            select %(tenant)s, %(id)s, %(key)s, %(kind)s, %(customer)s,
                1 + coalesce(
                    (select max(sequence) from event where tenant = %(tenant)s and customer = %(customer)s), 0
                ),
                %(subject)s, %(data)s, %(decision)s, %(now)s
            on conflict (tenant, key) do nothing
            """,
            id=identity,
            key=told.key,
            kind=told.kind,
            customer=told.customer,
            subject=told.subject,
            data=json.dumps(dict(told.data), ensure_ascii=False),
            decision=decision,
            now=now,
        )
    )


def questions_about(tx: Tx, subjects: Iterable[str]) -> list[tuple[str, str]]:
    """Give the questions that were put to a person before about these subjects."""
    rows = tx.rows(
        "select question, subject from review_case where tenant = %(tenant)s and subject = any (%(subjects)s)",
        subjects=list(subjects),
    )
    return [(row["question"], row["subject"]) for row in rows]
