"""Messages to people: what was written and how it went. The words and addresses stand in a table that can be erased."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from counterfoil.core.lifecycle import MessageStatus
from counterfoil.core.messages import VERSIONS, Mail
from counterfoil.store.codec import document
from counterfoil.store.database import Row, Tx
from counterfoil.store.pages import EVERYTHING, Filter, Page


@dataclass(frozen=True, slots=True)
class Written:
    """A message on its way into the database: its id, what it says, and the decision that caused it."""

    id: str
    mail: Mail
    decision: str


def put_all(tx: Tx, written: Sequence[Written], now: datetime) -> list[str]:
    """Write messages, each key once for ever, and give the ids of those that are new."""
    rows = tx.rows(
        """
        insert into message (tenant, id, key, template, version, audience, customer, subject, decision, data, status,
            tries, resends, created_at)
        select %(tenant)s, id, key, template, version, audience, customer, subject, decision, data, 'queued', 0, 0,
            %(now)s
        from jsonb_to_recordset(%(rows)s::jsonb) as made (id text, key text, template text, version int, audience text,
            customer text, subject text, decision text, data jsonb)
        on conflict (tenant, key) do nothing
        returning id
        """,
        now=now,
        rows=document([_row(each) for each in {each.mail.key: each for each in reversed(written)}.values()]),
    )
    return sorted(row["id"] for row in rows)


def _row(written: Written) -> dict[str, Any]:
    mail = written.mail
    return {
        "id": written.id,
        "key": mail.key,
        "template": mail.template,
        "version": VERSIONS[mail.template],
        "audience": mail.audience,
        "customer": mail.customer,
        "subject": mail.subject,
        "decision": written.decision,
        "data": dict(mail.data),
    }


def get(tx: Tx, identity: str, *, lock: bool = False) -> Row | None:
    """Give a message without its words."""
    sql = "select * from message where tenant = %(tenant)s and id = %(id)s"
    return tx.one(f"{sql} for update", id=identity) if lock else tx.one(sql, id=identity)


def content(tx: Tx, identity: str) -> Row | None:
    """Give the words of a message, None before they are rendered and once they are erased."""
    return tx.one("select * from message_content where tenant = %(tenant)s and message = %(id)s", id=identity)


@dataclass(frozen=True, slots=True)
class Content:
    """A message as it leaves: an address, a subject line, and the same words twice."""

    address: str
    subject_line: str
    body_text: str
    body_html: str


def put_content(tx: Tx, identity: str, content: Content, now: datetime) -> None:
    """Keep the words of a message, those of the last time that it was rendered."""
    tx.run(
        """
        insert into message_content (tenant, message, address, subject_line, body_text, body_html, rendered_at)
        values (%(tenant)s, %(id)s, %(address)s, %(subject_line)s, %(body_text)s, %(body_html)s, %(now)s)
        on conflict (tenant, message) do update set
            address = excluded.address, subject_line = excluded.subject_line, body_text = excluded.body_text,
            body_html = excluded.body_html, rendered_at = excluded.rendered_at
        """,
        id=identity,
        address=content.address,
        subject_line=content.subject_line,
        body_text=content.body_text,
        body_html=content.body_html,
        now=now,
    )


def begin(tx: Tx, identity: str, locale: str, channel: str, now: datetime) -> None:
    """Count a try before it is made: whatever becomes of it, the row says that it may have left."""
    tx.run(
        """
        update message set status = 'queued', tries = tries + 1, tried_at = %(now)s, locale = %(locale)s,
            channel = %(channel)s, result = null
        where tenant = %(tenant)s and id = %(id)s
        """,
        id=identity,
        locale=locale,
        channel=channel,
        now=now,
    )


def settle(tx: Tx, identity: str, status: MessageStatus, result: str, now: datetime) -> None:
    """Say what became of a message."""
    tx.run(
        """
        update message set status = %(status)s, result = %(result)s,
            sent_at = case when %(status)s = 'sent' then %(now)s else sent_at end
        where tenant = %(tenant)s and id = %(id)s
        """,
        id=identity,
        status=status,
        result=result,
        now=now,
    )


def note(tx: Tx, identity: str, result: str) -> None:
    """Say why a message is still on its way."""
    tx.run(
        "update message set result = %(result)s where tenant = %(tenant)s and id = %(id)s", id=identity, result=result
    )


def send_again(tx: Tx, identity: str) -> None:
    """Put a message back on its way. It is a new letter for whoever gets it."""
    tx.run(
        """
        update message set status = 'queued', result = null, tries = 0, resends = resends + 1
        where tenant = %(tenant)s and id = %(id)s
        """,
        id=identity,
    )


def erase_of(tx: Tx, customer: str) -> None:
    """Drop the words of everything that was written to a customer."""
    tx.run(
        """
        delete from message_content using message m
        where message_content.tenant = %(tenant)s and m.tenant = message_content.tenant
            and m.id = message_content.message and m.customer = %(customer)s
        """,
        customer=customer,
    )


def customer(tx: Tx, identity: str) -> Row | None:
    """Give what a letter to a customer needs to know of it; its name and address are None once they are erased."""
    return tx.one(
        """
        select c.paused, c.erased_at, p.name, p.email, p.locale
        from customer c
        left join customer_person p on p.tenant = c.tenant and p.customer = c.id
        where c.tenant = %(tenant)s and c.id = %(id)s
        """,
        id=identity,
    )


def invoice(tx: Tx, identity: str) -> Row | None:
    """Give what a letter about an invoice needs to know of it."""
    return tx.one(
        """
        select i.*, exists (
            select from invoice_line l where l.tenant = i.tenant and l.invoice = i.id and l.purchase is not null
        ) as sells_credits
        from invoice i
        where i.tenant = %(tenant)s and i.id = %(id)s
        """,
        id=identity,
    )


def leg(tx: Tx, identity: str) -> Row | None:
    """Give where a part of a payment stands."""
    return tx.one("select * from leg where tenant = %(tenant)s and id = %(id)s", id=identity)


def method(tx: Tx, identity: str) -> Row | None:
    """Give a saved way to pay."""
    return tx.one("select * from method where tenant = %(tenant)s and id = %(id)s", id=identity)


def case(tx: Tx, identity: str) -> Row | None:
    """Give a question for a person."""
    return tx.one("select * from review_case where tenant = %(tenant)s and id = %(id)s", id=identity)


def unit_of_wallet(tx: Tx, wallet: str) -> Row | None:
    """Give the unit that a wallet counts."""
    return tx.one(
        """
        select u.code, u.scale
        from wallet w
        join service_unit u on u.tenant = w.tenant and u.code = w.unit
        where w.tenant = %(tenant)s and w.id = %(id)s
        """,
        id=wallet,
    )


def page(tx: Tx, page: Page, wanted: Filter = EVERYTHING) -> list[Row]:
    """Give messages without their words, the newest first, and one more than a page holds."""
    return tx.rows(
        """
        select m.*, c.address, c.subject_line
        from message m
        left join message_content c on c.tenant = m.tenant and c.message = m.id
        where m.tenant = %(tenant)s
            and (%(after)s::text is null or m.id < %(after)s)
            and (%(customer)s::text is null or m.customer = %(customer)s)
            and (%(statuses)s::text[] is null or m.status = any (%(statuses)s))
            and (%(kinds)s::text[] is null or m.template = any (%(kinds)s))
            and (%(parent)s::text is null or m.subject = %(parent)s)
        order by m.id desc
        limit %(limit)s + 1
        """,
        after=page.after,
        limit=page.limit,
        **wanted.values,
    )


def newest_leg(tx: Tx, invoice: str) -> Row | None:
    """Give the part of an invoice's payment that the provider collects now, or collected last."""
    return tx.one(
        """
        select l.*
        from allocation a
        join leg l on l.tenant = a.tenant and l.id = a.leg
        where a.tenant = %(tenant)s and a.invoice = %(invoice)s and l.kind = 'provider'
        order by l.created_at desc, l.position desc, l.id desc
        limit 1
        """,
        invoice=invoice,
    )
