"""Pages of rows for people and programs that look: nothing here locks, and nothing is counted.

Lists run newest first over the primary key, whose ids sort by the time they were made, so that a page costs the same
however deep it lies. A filter that is None lets everything through. One row more than the limit is read, to say whether
there is a next page.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from counterfoil.core.books import Case, Customer, Grant, Invoice, Method, Payment, Wallet
from counterfoil.core.bought import PendingLine, Purchase
from counterfoil.core.money import ServiceUnit
from counterfoil.store.database import Row, Tx
from counterfoil.store.decisions import FEED
from counterfoil.store.subjects import as_wallet, from_row


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is wanted: what comes after the row `after`, None for the start, and how much of it."""

    after: str | None = None
    limit: int = 20


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list is narrowed to. `since` is inclusive, `before` exclusive."""

    customer: str | None = None
    statuses: tuple[str, ...] | None = None
    since: datetime | None = None
    before: datetime | None = None
    parent: str | None = None
    """The wallet of grants, the subject of decisions, notices and cases."""
    kinds: tuple[str, ...] | None = None
    """The kinds of events and notices, the reasons of decisions."""
    sources: tuple[str, ...] | None = None

    @property
    def values(self) -> dict[str, object]:
        """The parameters of a query."""
        return {
            "customer": self.customer,
            "statuses": None if self.statuses is None else list(self.statuses),
            "since": self.since,
            "before": self.before,
            "parent": self.parent,
            "kinds": None if self.kinds is None else list(self.kinds),
            "sources": None if self.sources is None else list(self.sources),
        }


EVERYTHING = Filter()

# --- customers and what is theirs ---


def customers(tx: Tx, page: Page, wanted: Filter = EVERYTHING) -> list[Row]:
    """Give customers with their personal fields."""
    return tx.rows(
        """
        select c.*, p.name, p.email, p.metadata, p.locale, p.billing
        from customer c
        left join customer_person p on p.tenant = c.tenant and p.customer = c.id
        where c.tenant = %(tenant)s
            and (%(after)s::text is null or c.id < %(after)s)
            and (%(since)s::timestamptz is null or c.created_at >= %(since)s)
            and (%(before)s::timestamptz is null or c.created_at < %(before)s)
        order by c.id desc
        limit %(limit)s + 1
        """,
        after=page.after,
        limit=page.limit,
        **wanted.values,
    )


def customer(tx: Tx, identity: str) -> Row | None:
    """Give a customer with its personal fields."""
    return tx.one(
        """
        select c.*, p.name, p.email, p.metadata, p.locale, p.billing
        from customer c
        left join customer_person p on p.tenant = c.tenant and p.customer = c.id
        where c.tenant = %(tenant)s and c.id = %(id)s
        """,
        id=identity,
    )


def customer_by_external_id(tx: Tx, external_id: str) -> str | None:
    """Find a customer by the caller's own id."""
    row = tx.one("select id from customer where tenant = %(tenant)s and external_id = %(id)s", id=external_id)
    return str(row["id"]) if row else None


def as_customer(row: Row) -> Customer:
    """Read a customer's row."""
    return from_row(Customer, row)


def methods(tx: Tx, page: Page, wanted: Filter = EVERYTHING) -> list[Method]:
    """Give saved payment methods."""
    rows = tx.rows(
        """
        select * from method
        where tenant = %(tenant)s
            and (%(after)s::text is null or id < %(after)s)
            and (%(customer)s::text is null or customer = %(customer)s)
        order by id desc
        limit %(limit)s + 1
        """,
        after=page.after,
        limit=page.limit,
        **wanted.values,
    )
    return [from_row(Method, row) for row in rows]


def method(tx: Tx, identity: str) -> Method | None:
    """Give a saved payment method."""
    row = tx.one("select * from method where tenant = %(tenant)s and id = %(id)s", id=identity)
    return from_row(Method, row) if row else None


def method_order(tx: Tx, identity: str) -> Row | None:
    """Give the order that is to save a payment method, when it was asked for under this id."""
    return tx.one(
        """
        select customer, status, why, queued_at from provider_order
        where tenant = %(tenant)s and subject = %(id)s and verb = 'AttachMethod'
        order by id desc
        limit 1
        """,
        id=identity,
    )


def wallets(tx: Tx, page: Page, wanted: Filter = EVERYTHING) -> list[Wallet]:
    """Give wallets with their units."""
    rows = tx.rows(
        """
        select w.*, u.scale, u.face_minor, u.face_currency
        from wallet w
        join service_unit u on u.tenant = w.tenant and u.code = w.unit
        where w.tenant = %(tenant)s
            and (%(after)s::text is null or w.id < %(after)s)
            and (%(customer)s::text is null or w.customer = %(customer)s)
        order by w.id desc
        limit %(limit)s + 1
        """,
        after=page.after,
        limit=page.limit,
        **wanted.values,
    )
    return [as_wallet(row) for row in rows]


def wallets_by_id(tx: Tx, ids: Iterable[str]) -> tuple[Wallet, ...]:
    """Give wallets with their units."""
    rows = tx.rows(
        """
        select w.*, u.scale, u.face_minor, u.face_currency
        from wallet w
        join service_unit u on u.tenant = w.tenant and u.code = w.unit
        where w.tenant = %(tenant)s and w.id = any (%(ids)s)
        order by w.id
        """,
        ids=list(ids),
    )
    return tuple(as_wallet(row) for row in rows)


def grants(tx: Tx, page: Page, wanted: Filter = EVERYTHING) -> list[Grant]:
    """Give the lots of a wallet (`parent`), used-up ones too."""
    rows = tx.rows(
        """
        select * from grant_lot
        where tenant = %(tenant)s and wallet = %(parent)s
            and (%(after)s::text is null or id < %(after)s)
        order by id desc
        limit %(limit)s + 1
        """,
        after=page.after,
        limit=page.limit,
        **wanted.values,
    )
    return [from_row(Grant, row) for row in rows]


def grant(tx: Tx, identity: str) -> Grant | None:
    """Give a lot."""
    row = tx.one("select * from grant_lot where tenant = %(tenant)s and id = %(id)s", id=identity)
    return from_row(Grant, row) if row else None


def spendable(tx: Tx, wallet_ids: Iterable[str]) -> tuple[Grant, ...]:
    """Give the lots of wallets that still hold something."""
    rows = tx.rows(
        """
        select * from grant_lot
        where tenant = %(tenant)s and wallet = any (%(ids)s) and remaining > 0
        order by id
        """,
        ids=list(wallet_ids),
    )
    return tuple(from_row(Grant, row) for row in rows)


def units(tx: Tx) -> tuple[ServiceUnit, ...]:
    """Give the declared service units."""
    rows = tx.rows(
        """
        select code, scale, face_minor, face_currency from service_unit
        where tenant = %(tenant)s
        order by code
        """
    )
    return tuple(ServiceUnit(**row) for row in rows)


# --- invoices and payments ---


def invoices(tx: Tx, page: Page, wanted: Filter = EVERYTHING) -> list[Invoice]:
    """Give invoices."""
    rows = tx.rows(
        """
        select * from invoice
        where tenant = %(tenant)s
            and (%(after)s::text is null or id < %(after)s)
            and (%(customer)s::text is null or customer = %(customer)s)
            and (%(statuses)s::text[] is null or status = any (%(statuses)s))
            and (%(since)s::timestamptz is null or created_at >= %(since)s)
            and (%(before)s::timestamptz is null or created_at < %(before)s)
        order by id desc
        limit %(limit)s + 1
        """,
        after=page.after,
        limit=page.limit,
        **wanted.values,
    )
    return [from_row(Invoice, row) for row in rows]


def invoices_by_id(tx: Tx, ids: Iterable[str]) -> tuple[Invoice, ...]:
    """Give invoices without locking them."""
    rows = tx.rows("select * from invoice where tenant = %(tenant)s and id = any (%(ids)s) order by id", ids=list(ids))
    return tuple(from_row(Invoice, row) for row in rows)


def payments(tx: Tx, page: Page, wanted: Filter = EVERYTHING) -> list[Payment]:
    """Give payments; `parent` narrows them to those of one invoice."""
    rows = tx.rows(
        """
        select * from payment p
        where p.tenant = %(tenant)s
            and (%(after)s::text is null or p.id < %(after)s)
            and (%(customer)s::text is null or p.customer = %(customer)s)
            and (%(statuses)s::text[] is null or p.status = any (%(statuses)s))
            and (%(since)s::timestamptz is null or p.created_at >= %(since)s)
            and (%(before)s::timestamptz is null or p.created_at < %(before)s)
            and (
                %(parent)s::text is null
                or p.id in (
                    select l.payment from allocation a
                    join leg l on l.tenant = a.tenant and l.id = a.leg
                    where a.tenant = %(tenant)s and a.invoice = %(parent)s
                )
            )
        order by p.id desc
        limit %(limit)s + 1
        """,
        after=page.after,
        limit=page.limit,
        **wanted.values,
    )
    return [from_row(Payment, row) for row in rows]


def payments_by_id(tx: Tx, ids: Iterable[str]) -> tuple[Payment, ...]:
    """Give payments without locking them."""
    rows = tx.rows("select * from payment where tenant = %(tenant)s and id = any (%(ids)s) order by id", ids=list(ids))
    return tuple(from_row(Payment, row) for row in rows)


def purchases(tx: Tx, page: Page, wanted: Filter = EVERYTHING) -> list[Purchase]:
    """Give purchases."""
    rows = tx.rows(
        """
        select * from purchase
        where tenant = %(tenant)s
            and (%(after)s::text is null or id < %(after)s)
            and (%(customer)s::text is null or customer = %(customer)s)
            and (%(statuses)s::text[] is null or status = any (%(statuses)s))
            and (%(parent)s::text is null or wallet = %(parent)s)
            and (%(since)s::timestamptz is null or created_at >= %(since)s)
            and (%(before)s::timestamptz is null or created_at < %(before)s)
        order by id desc
        limit %(limit)s + 1
        """,
        after=page.after,
        limit=page.limit,
        **wanted.values,
    )
    return [from_row(Purchase, row) for row in rows]


def pending_lines(tx: Tx, page: Page, wanted: Filter = EVERYTHING) -> list[PendingLine]:
    """Give lines that wait to be billed, and those that were."""
    rows = tx.rows(
        """
        select * from pending_line
        where tenant = %(tenant)s
            and (%(after)s::text is null or id < %(after)s)
            and (%(customer)s::text is null or customer = %(customer)s)
            and (%(statuses)s::text[] is null or status = any (%(statuses)s))
        order by id desc
        limit %(limit)s + 1
        """,
        after=page.after,
        limit=page.limit,
        **wanted.values,
    )
    return [from_row(PendingLine, row) for row in rows]


# --- the road ---


def decisions(tx: Tx, page: Page, wanted: Filter = EVERYTHING) -> list[Row]:
    """Give decisions with their news; `statuses` are outcomes, `kinds` reasons, `parent` a subject they concern."""
    return tx.rows(
        """
        select d.*, i.source, i.kind, i.subject_kind, i.subject_ref, i.occurred_at, i.received_at, i.deliveries
        from decision d
        join inbox i on i.tenant = d.tenant and i.id = d.inbox
        where d.tenant = %(tenant)s
            and (%(after)s::text is null or d.id < %(after)s)
            and (%(customer)s::text is null or d.customer = %(customer)s)
            and (%(statuses)s::text[] is null or d.outcome = any (%(statuses)s))
            and (%(kinds)s::text[] is null or d.reason = any (%(kinds)s))
            and (
                %(parent)s::text is null
                or d.id in (
                    select decision from decision_about where tenant = %(tenant)s and subject = %(parent)s
                )
            )
        order by d.id desc
        limit %(limit)s + 1
        """,
        after=page.after,
        limit=page.limit,
        **wanted.values,
    )


def notices(tx: Tx, page: Page, wanted: Filter = EVERYTHING) -> list[Row]:
    """Give news of the provider with its decision; `parent` is the provider's object or one of ours it is about."""
    return tx.rows(
        """
        select i.*, d.id as decision, d.outcome, d.reason, d.sentence
        from inbox i
        left join decision d on d.tenant = i.tenant and d.inbox = i.id
        where i.tenant = %(tenant)s and i.account is not null
            and (%(after)s::text is null or i.id < %(after)s)
            and (%(customer)s::text is null or i.customer = %(customer)s)
            and (%(statuses)s::text[] is null or i.status = any (%(statuses)s))
            and (%(kinds)s::text[] is null or i.kind = any (%(kinds)s))
            and (%(sources)s::text[] is null or i.source = any (%(sources)s))
            and (%(parent)s::text is null or i.subject_ref = %(parent)s)
        order by i.id desc
        limit %(limit)s + 1
        """,
        after=page.after,
        limit=page.limit,
        **wanted.values,
    )


def notice(tx: Tx, identity: str) -> Row | None:
    """Give one row of the inbox with its decision, whatever brought it."""
    return tx.one(
        """
        select i.*, d.id as decision, d.outcome, d.reason, d.sentence
        from inbox i
        left join decision d on d.tenant = i.tenant and d.inbox = i.id
        where i.tenant = %(tenant)s and i.id = %(id)s
        """,
        id=identity,
    )


def event_position(tx: Tx, identity: str) -> int | None:
    """Say where an event stands in the tenant's sequence."""
    row = tx.one("select position from event where tenant = %(tenant)s and id = %(id)s", id=identity)
    return int(row["position"]) if row else None


def events_end(tx: Tx) -> int:
    """Give the position before which no event will appear any more. Not in the transaction that then reads them.

    First the next position is read, then who may still take one before it; whoever is not seen there any more has
    committed, so a snapshot that is taken afterwards shows all of theirs.
    """
    (upcoming,), (taking,) = tx.together(
        ("select last_value + is_called::int from event_position_seq", {}),
        (
            """
            select min((classid::bigint << 32 | objid::bigint) - %(feed)s) from pg_locks
            where locktype = 'advisory' and objsubid = 1 and classid::bigint >> 16 = %(feed)s >> 48
                and database = (select oid from pg_database where datname = current_database())
            """,
            {"feed": FEED},
        ),
    )
    return min(int(each) for each in (upcoming[0], taking[0]) if each is not None)


def events(tx: Tx, after: int, before: int, limit: int, wanted: Filter = EVERYTHING) -> list[Row]:
    """Give events in the order they are to be read, from the first after a position, and before `events_end`.

    Whoever reads on after the last event has missed none.
    """
    return tx.rows(
        """
        select * from event e
        where e.tenant = %(tenant)s and e.position > %(position)s and e.position < %(end)s
            and (%(customer)s::text is null or e.customer = %(customer)s)
            and (%(kinds)s::text[] is null or e.kind = any (%(kinds)s))
        order by e.position
        limit %(limit)s + 1
        """,
        position=after,
        end=before,
        limit=limit,
        **wanted.values,
    )


def cases(tx: Tx, page: Page, wanted: Filter = EVERYTHING) -> list[Case]:
    """Give questions for a person."""
    rows = tx.rows(
        """
        select * from review_case
        where tenant = %(tenant)s
            and (%(after)s::text is null or id < %(after)s)
            and (%(customer)s::text is null or customer = %(customer)s)
            and (%(statuses)s::text[] is null or status = any (%(statuses)s))
            and (%(parent)s::text is null or subject = %(parent)s)
            and (%(kinds)s::text[] is null or question = any (%(kinds)s))
        order by id desc
        limit %(limit)s + 1
        """,
        after=page.after,
        limit=page.limit,
        **wanted.values,
    )
    return [from_row(Case, row) for row in rows]


def case(tx: Tx, identity: str) -> Case | None:
    """Give a question for a person."""
    row = tx.one("select * from review_case where tenant = %(tenant)s and id = %(id)s", id=identity)
    return from_row(Case, row) if row else None
