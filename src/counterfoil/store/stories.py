"""What explain reads: subjects without locking them, the news and decisions that concern them, and their entries."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString

from counterfoil.core.books import Books, Customer, Grant, Invoice, Payment
from counterfoil.core.money import ServiceUnit
from counterfoil.store import subjects
from counterfoil.store.database import Row, Tx
from counterfoil.store.subjects import from_row

ENTRIES_MAX: Final = 200
"""How many entries one explanation shows: the newest ones."""
CASES_MAX: Final = 50


# --- subjects, as they are: nothing is locked, so that looking never stands in the way ---


def customer(tx: Tx, identity: str) -> Customer | None:
    """Give a customer."""
    row = tx.one("select * from customer where tenant = %(tenant)s and id = %(id)s", id=identity)
    return from_row(Customer, row) if row else None


def read_books(tx: Tx, held: Customer, invoice_ids: Iterable[str], payment_ids: Iterable[str]) -> Books:
    """Read a customer's books about these invoices and payments, as they are."""
    payments = [from_row(Payment, row) for row in tx.rows(PAYMENTS, ids=list(payment_ids))]
    legs = subjects.legs(tx, [each.id for each in payments])
    leg_ids = [str(each.id) for each in legs]
    allocations = subjects.allocations(tx, leg_ids)
    wanted = {*invoice_ids, *(str(each.invoice) for each in allocations)}
    invoices = [from_row(Invoice, row) for row in tx.rows(INVOICES, ids=sorted(wanted))]
    wallets = subjects.wallets(tx, held.id)
    return Books(
        customer=held,
        methods=subjects.methods(tx, held.id),
        wallets=wallets,
        invoices=tuple(invoices),
        lines=subjects.lines(tx, [each.id for each in invoices]),
        payments=tuple(payments),
        legs=legs,
        allocations=allocations,
        holds=subjects.holds(tx, leg_ids),
    )


PAYMENTS: Final[LiteralString] = "select * from payment where tenant = %(tenant)s and id = any (%(ids)s) order by id"
INVOICES: Final[LiteralString] = "select * from invoice where tenant = %(tenant)s and id = any (%(ids)s) order by id"


def lots(tx: Tx, wallet_ids: Iterable[str]) -> tuple[Grant, ...]:
    """Give every lot of these wallets, used up ones too."""
    rows = tx.rows(
        "select * from grant_lot where tenant = %(tenant)s and wallet = any (%(wallets)s) order by created_at, id",
        wallets=list(wallet_ids),
    )
    return tuple(from_row(Grant, row) for row in rows)


def payment_of_leg(tx: Tx, leg: str) -> str | None:
    """Give the payment that a leg is a part of."""
    row = tx.one("select payment from leg where tenant = %(tenant)s and id = %(id)s", id=leg)
    return str(row["payment"]) if row else None


# --- news and decisions ---


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a timeline: the time of a step, and its news's id among those of that time."""

    at: datetime
    news: str


def timeline(tx: Tx, about: Iterable[str], limit: int, before: Place | None = None) -> list[Row]:
    """Give the newest news, decided or not, that concern any of these subjects and came before a place, oldest first.

    News concern a subject when their decision is about it, or when they name it themselves.
    """
    rows = tx.rows(
        """
        with found as (
            select d.inbox as id
            from decision_about a
            join decision d on d.tenant = a.tenant and d.id = a.decision
            where a.tenant = %(tenant)s and a.subject = any (%(about)s)
            union
            select id from inbox where tenant = %(tenant)s and (subject_ref = any (%(about)s) or id = any (%(about)s))
        ), told as (
            select i.id as news, i.source, i.kind, i.status, i.subject_ref as ref, i.occurred_at, i.received_at,
                i.deliveries, i.waiting_for, d.id as decision, d.outcome, d.rule, d.reason, d.sentence, d.decided_at,
                d.effects, d.inputs, coalesce(d.decided_at, i.received_at) as at
            from found f
            join inbox i on i.tenant = %(tenant)s and i.id = f.id
            left join decision d on d.tenant = i.tenant and d.inbox = i.id
        )
        select told.*, array(
            select subject from decision_about a
            where a.tenant = %(tenant)s and a.decision = told.decision order by subject
        ) as about
        from told
        where %(at)s::timestamptz is null or (at, news) < (%(at)s, %(news)s)
        order by at desc, news desc
        limit %(limit)s
        """,
        about=list(about),
        limit=limit,
        at=before.at if before else None,
        news=before.news if before else None,
    )
    return rows[::-1]


def that_posted_for(tx: Tx, subject_ids: Iterable[str]) -> list[Row]:
    """Give the decisions that posted an entry of these subjects, as rows of a timeline, oldest first."""
    return tx.rows(
        """
        select i.id as news, i.source, i.kind, i.status, i.subject_ref as ref, i.occurred_at, i.received_at,
            i.deliveries, i.waiting_for, d.id as decision, d.outcome, d.rule, d.reason, d.sentence, d.decided_at,
            d.effects, array[]::text[] as about
        from decision d
        join inbox i on i.tenant = d.tenant and i.id = d.inbox
        where d.tenant = %(tenant)s
            and d.id in (select decision from posting where tenant = %(tenant)s and subject = any (%(subjects)s))
        order by d.decided_at, d.id
        """,
        subjects=list(subject_ids),
    )


def news(tx: Tx, identity: str) -> Row | None:
    """Give one piece of news with what is kept beside it: when it came last, and whether its body is still there."""
    return tx.one(
        """
        select i.*, c.final_status, c.first_status, b.inbox is not null as has_body, octet_length(b.body) as body_size
        from inbox i
        left join command c on c.tenant = i.tenant and c.inbox = i.id
        left join raw_body b on b.tenant = i.tenant and b.inbox = i.id
        where i.tenant = %(tenant)s and i.id = %(id)s
        """,
        id=identity,
    )


def cases(tx: Tx, about: Iterable[str]) -> list[Row]:
    """Give the questions put to a person about these subjects, or opened for this customer, newest first."""
    return tx.rows(
        """
        select * from review_case
        where tenant = %(tenant)s and (subject = any (%(about)s) or id = any (%(about)s) or customer = any (%(about)s))
        order by opened_at desc, id desc
        limit %(limit)s
        """,
        about=list(about),
        limit=CASES_MAX,
    )


# --- the journal ---


def entries_about(tx: Tx, subject_ids: Iterable[str], accounts: Iterable[str] = ()) -> list[Row]:
    """Give the postings of the newest entries that these subjects caused or that touch these accounts, oldest first."""
    return tx.rows(
        """
        with found as (
            select entry, min(position) as position
            from posting
            where tenant = %(tenant)s
                and (subject = any (%(subjects)s) or debit = any (%(accounts)s) or credit = any (%(accounts)s))
            group by entry
            order by min(position) desc
            limit %(limit)s
        )
        select p.* from found f
        join posting p on p.tenant = %(tenant)s and p.entry = f.entry
        order by p.position
        """,
        subjects=list(subject_ids),
        accounts=list(accounts),
        limit=ENTRIES_MAX,
    )


def entries(tx: Tx, keys: Iterable[str]) -> list[Row]:
    """Give the postings of these entries, in the order they were written."""
    wanted = list(keys)
    spent = [key.removeprefix(SPEND) for key in wanted if key.startswith(SPEND)]
    rows = tx.rows(
        "select * from posting where tenant = %(tenant)s and entry = any (%(keys)s) order by position", keys=wanted
    )
    return rows + (_spends(tx, spent) if spent else [])


SPEND: Final = "spend:"


def _spends(tx: Tx, ids: list[str]) -> list[Row]:
    """Give the draws of spends as rows of the journal."""
    return tx.rows(
        """
        select 'spend:' || spend as entry, n, of_n, debit, credit, unit, amount, spend as subject, spend as decision,
            occurred_at, recorded_at as effective_at, recorded_at, position
        from draw
        where tenant = %(tenant)s and spend = any (%(ids)s::text[])
        order by position
        """,
        ids=ids,
    )


def flows(tx: Tx, account: str) -> list[Row]:
    """Sum what moved an account, by unit, kind of entry and the account on the other side. Positive: it was debited."""
    return tx.rows(
        """
        select unit, cause, step, other, sum(amount)::bigint as amount, count(distinct entry)::int as count,
            (array_agg(distinct subject order by subject))[1:20] as sources
        from (
            select unit, subject, entry, split_part(entry, ':', 1) as cause, split_part(entry, ':', 3) as step,
                split_part(case when debit = %(account)s then credit else debit end, ':', 1) as other,
                case when debit = %(account)s then amount else -amount end as amount
            from posting
            where tenant = %(tenant)s and (debit = %(account)s or credit = %(account)s)
        ) as moved
        group by unit, cause, step, other
        order by unit, min(cause), step, other
        """,
        account=account,
    )


# --- finding by whatever a person has in hand ---


def find(tx: Tx, text: str) -> list[Row]:
    """Find what a text names exactly: a provider's id, our invoice number, the caller's own id, an e-mail address.

    Gives `noun` and `id`, the most specific first.
    """
    return tx.rows(FIND, text=text)


FIND: Final[LiteralString] = """
    with account as (
        select id, external_account from provider_account where tenant = %(tenant)s
    ), event as (
        select concat('event:', a.id, ':', connected, ':', mode, ':', %(text)s::text) as identity
        from account a
        cross join lateral (values (''), (coalesce(a.external_account, ''))) as c (connected)
        cross join (values ('test'), ('live')) as m (mode)
    )
    select noun, id from (
        select 1 as rank, 'leg' as noun, l.id
        from account a
        join leg l on l.tenant = %(tenant)s and l.account = a.id
            and (l.provider_ref = %(text)s or l.charge_ref = %(text)s)
        union
        select 2, 'customer', c.id
        from account a
        join customer c on c.tenant = %(tenant)s and c.account = a.id and c.provider_ref = %(text)s
        union
        select 2, 'customer', id from customer where tenant = %(tenant)s and external_id = %(text)s
        union
        select 3, 'method', m.id
        from account a
        join method m on m.tenant = %(tenant)s and m.account = a.id and m.provider_ref = %(text)s
        union
        select 4, 'invoice', id from invoice where tenant = %(tenant)s and number = %(text)s
        union
        select 5, 'inbox', i.id from event e join inbox i on i.tenant = %(tenant)s and i.identity = e.identity
        union
        select 6, 'customer', customer from customer_person
        where tenant = %(tenant)s and lower(email) = lower(%(text)s)
    ) as found
    order by rank, id
    limit 20
"""


def knows(tx: Tx, ref: str) -> bool:
    """Say whether a provider's object was ever named: looked at, decided about, or waited for."""
    row: dict[str, Any] | None = tx.one(
        """
        select 1 as known where exists (select from provider_object where tenant = %(tenant)s and ref = %(ref)s)
            or exists (select from decision_about where tenant = %(tenant)s and subject = %(ref)s)
            or exists (select from inbox where tenant = %(tenant)s and subject_ref = %(ref)s)
        """,
        ref=ref,
    )
    return row is not None


def provider_object(tx: Tx, ref: str) -> Row | None:
    """Give what the newest applied look at a provider's object saw, without its fact."""
    return tx.one(
        """
        select ref, kind, status, observed, applied, applied_at from provider_object
        where tenant = %(tenant)s and ref = %(ref)s
        order by account
        limit 1
        """,
        ref=ref,
    )


def units(tx: Tx) -> dict[str, ServiceUnit]:
    """Give the tenant's service units by code."""
    rows = tx.rows("select code, scale, face_minor, face_currency from service_unit where tenant = %(tenant)s")
    return {
        row["code"]: ServiceUnit(row["code"], row["scale"], row["face_minor"], row["face_currency"]) for row in rows
    }
