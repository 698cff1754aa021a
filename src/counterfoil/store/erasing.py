"""Erases what is personal: a customer's own data for ever, and old raw bodies and keys by their age.

Ids, amounts and decisions stay: the books are made of them and hold nothing else.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from counterfoil.core.books import Customer
from counterfoil.store import messages
from counterfoil.store.database import Tx
from counterfoil.store.inbox import plain

FIELDS: Final[dict[str, Any]] = {"name": None, "email": None, "metadata": {}, "locale": "en", "billing": None}
"""The personal fields of a customer as they are once they are erased."""
NOTE: Final[dict[str, Any]] = {"note": None}
"""That of a question: what a person wrote about it."""


def erase_customer(tx: Tx, customer: Customer, now: datetime) -> None:
    """Erase everything personal about a customer: its fields, what was sent about it, and what was answered with it.

    Doing it again erases what came in since.
    """
    tx.run("delete from customer_person where tenant = %(tenant)s and customer = %(id)s", id=customer.id)
    _drop_what_was_sent(tx, customer)
    news = _news_about(tx, customer)
    _drop_bodies(tx, customer, news)
    messages.erase_of(tx, customer.id)
    _blank_answers(tx, news, now)
    tx.run(
        "update review_case set note = null where tenant = %(tenant)s and customer = %(id)s and note is not null",
        id=customer.id,
    )


def _drop_what_was_sent(tx: Tx, customer: Customer) -> None:
    """Drop what host applications were sent about the customer, and what they answered."""
    tx.run("delete from delivery_body where tenant = %(tenant)s and customer = %(id)s", id=customer.id)
    tx.run(
        """
        update delivery_try set reply = null
        where tenant = %(tenant)s and reply is not null and delivery in (
            select d.id from event e
            join delivery d on d.tenant = e.tenant and d.event = e.id
            where e.tenant = %(tenant)s and e.customer = %(id)s
        )
        """,
        id=customer.id,
    )


def _news_about(tx: Tx, customer: Customer) -> list[str]:
    """Give the news that a decision tied to the customer, and what is about its objects at the provider."""
    rows = tx.rows(
        """
        with refs as (
            select %(ref)s::text as ref where %(ref)s::text is not null
            union
            select provider_ref from method where tenant = %(tenant)s and customer = %(id)s
            union
            select each.ref
            from payment p
            join leg l on l.tenant = p.tenant and l.payment = p.id
            cross join lateral (values (l.provider_ref), (l.charge_ref)) as each (ref)
            where p.tenant = %(tenant)s and p.customer = %(id)s and each.ref is not null
        )
        select d.inbox as id
        from decision_about a
        join decision d on d.tenant = a.tenant and d.id = a.decision
        where a.tenant = %(tenant)s and a.subject = %(id)s
        union
        select i.id from refs join inbox i on i.tenant = %(tenant)s and i.subject_ref = refs.ref
        """,
        id=customer.id,
        ref=customer.provider_ref,
    )
    return [row["id"] for row in rows]


def _drop_bodies(tx: Tx, customer: Customer, news: Sequence[str]) -> None:
    tx.run("delete from raw_body where tenant = %(tenant)s and inbox = any (%(ids)s)", ids=list(news))
    if customer.provider_ref:
        tx.run(
            """
            delete from raw_body using inbox i
            where raw_body.tenant = %(tenant)s and raw_body.customer_ref = %(ref)s
                and i.tenant = raw_body.tenant and i.id = raw_body.inbox and i.account = %(account)s
            """,
            ref=customer.provider_ref,
            account=customer.account,
        )


def _blank_answers(tx: Tx, news: Sequence[str], now: datetime) -> None:
    """Let stored answers that show the customer show it erased, as a replay of their command will."""
    rows = tx.rows(
        """
        select inbox, first_body, final_body from command
        where tenant = %(tenant)s and inbox = any (%(ids)s) and erased_at is null
        """,
        ids=list(news),
    )
    for row in rows:
        first, final = _erased(row["first_body"], now), _erased(row["final_body"], now)
        if (first, final) != (row["first_body"], row["final_body"]):
            tx.run(
                """
                update command set first_body = %(first)s, final_body = %(final)s, erased_at = %(now)s
                where tenant = %(tenant)s and inbox = %(inbox)s
                """,
                inbox=row["inbox"],
                first=first,
                final=final,
                now=now,
            )


def _erased(body: str | None, now: datetime) -> str | None:
    """Give an answer without what is personal. Other nouns have no such fields: they name the customer by its id."""
    shown = json.loads(body) if body else None
    if not isinstance(shown, dict) or shown.get("object") not in ("customer", "case"):
        return body
    if shown["object"] == "case":
        return plain({**shown, **NOTE})
    at = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return plain({**shown, **FIELDS, "erased_at": at})
