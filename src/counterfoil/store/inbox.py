"""News, stored before anything is done about it."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from counterfoil.core.facts import Notice, Source
from counterfoil.core.lifecycle import InboxStatus
from counterfoil.store.codec import decode, document, encode, to_json
from counterfoil.store.database import Row, Tx


@dataclass(frozen=True, slots=True)
class News:
    """One row of the inbox, as it is put there.

    `identity` makes it itself: the same news twice is one row. `detail` is what the decision needs and is no personal
    data: a Notice, an order's Outcome, a timer's subject. `body` is the raw text, kept apart.
    """

    id: str
    source: Source
    kind: str
    identity: str
    occurred_at: datetime
    received_at: datetime
    account: str | None = None
    subject_kind: str | None = None
    subject_ref: str | None = None
    customer: str | None = None
    detail: Any = None
    body: bytes | None = None

    @property
    def customer_ref(self) -> str | None:
        """The provider's customer that it names."""
        return self.detail.customer_ref if isinstance(self.detail, Notice) else None


def put(tx: Tx, news: News) -> tuple[str, bool]:
    """Store news, and say under which id and whether it is new.

    A repeat only counts one more delivery; that a poll saw it too counts for nothing.
    """
    row = tx.one(
        """
        insert into inbox (tenant, id, source, kind, status, account, identity, subject_kind, subject_ref, customer,
            detail, occurred_at, received_at, last_delivered_at)
        values (%(tenant)s, %(id)s, %(source)s, %(kind)s, 'received', %(account)s, %(identity)s, %(subject_kind)s,
            %(subject_ref)s, %(customer)s, %(detail)s, %(occurred_at)s, %(received_at)s, %(received_at)s)
        on conflict (tenant, identity) do update set
            deliveries = inbox.deliveries + case when excluded.source = 'poll' then 0 else 1 end,
            last_delivered_at = excluded.received_at
        returning id, (xmax = 0) as inserted
        """,
        id=news.id,
        source=news.source,
        kind=news.kind,
        account=news.account,
        identity=news.identity,
        subject_kind=news.subject_kind,
        subject_ref=news.subject_ref,
        customer=news.customer,
        detail=None if news.detail is None else to_json(news.detail),
        occurred_at=news.occurred_at,
        received_at=news.received_at,
    )
    assert row is not None
    new = bool(row["inserted"])
    if new and news.body is not None:
        _put_body(tx, news)
    return row["id"], new


def _put_body(tx: Tx, news: News) -> None:
    """Keep a raw body, unless it is about a customer whose personal data were erased."""
    tx.run(
        """
        insert into raw_body (tenant, inbox, body, customer_ref)
        select %(tenant)s, %(id)s, %(body)s, %(customer_ref)s
        where not exists (
            select from customer
            where tenant = %(tenant)s and account = %(account)s and provider_ref = %(customer_ref)s
                and erased_at is not null
        )
        """,
        id=news.id,
        body=news.body,
        account=news.account,
        customer_ref=news.customer_ref,
    )


def put_all(tx: Tx, news: Sequence[News]) -> list[tuple[str, bool]]:
    """Store news of one source as `put` does each, and make what is new due when it was received.

    One statement, whatever their number, because every round trip of a busy process waits for its turn twice.
    """
    first: dict[str, News] = {}
    for each in news:
        first.setdefault(each.identity, each)
    counts = Counter(each.identity for each in news)
    # In one order, whoever writes: two batches with the same news then wait for each other and don't deadlock.
    rows = [first[identity] for identity in sorted(first)]
    stored = _put_rows(tx, rows, [counts[each.identity] for each in rows])
    return [(stored[each.identity][0], stored[each.identity][1] and each is first[each.identity]) for each in news]


def _put_rows(tx: Tx, rows: Sequence[News], deliveries: Sequence[int]) -> dict[str, tuple[str, bool]]:
    # One document instead of an array per column: arrays are written element by element, in Python. The bodies stand
    # one behind the other.
    documents, bodies, at = [], [each.body or b"" for each in rows], 1
    for each, number, body in zip(rows, deliveries, bodies, strict=True):
        length = None if each.body is None else len(body)
        documents.append(_document(each, number) | {"body_at": at, "body_length": length})
        at += len(body)
    put = tx.rows(
        """
        with given as (
            select * from jsonb_to_recordset(%(rows)s::jsonb) as news (id text, source text, kind text, account text,
                identity text, subject_kind text, subject_ref text, customer text, detail jsonb,
                occurred_at timestamptz, received_at timestamptz, deliveries int, customer_ref text, body_at int,
                body_length int)
        ), put as (
            insert into inbox (tenant, id, source, kind, status, account, identity, subject_kind, subject_ref,
                customer, detail, occurred_at, received_at, last_delivered_at, deliveries)
            select %(tenant)s, id, source, kind, 'received', account, identity, subject_kind, subject_ref,
                customer, detail, occurred_at, received_at, received_at, deliveries
            from given
            on conflict (tenant, identity) do update set
                deliveries = inbox.deliveries + case when excluded.source = 'poll' then 0 else excluded.deliveries end,
                last_delivered_at = excluded.received_at
            returning identity, id, account, last_delivered_at, (xmax = 0) as inserted
        ), kept as (
            insert into raw_body (tenant, inbox, body, customer_ref)
            select %(tenant)s, put.id, substring(%(bodies)b::bytea from body_at for body_length), customer_ref
            from given
            join put on put.id = given.id
            where put.inserted and body_length is not null and not exists (
                select from customer c
                where c.tenant = %(tenant)s and c.account = put.account and c.provider_ref = given.customer_ref
                    and c.erased_at is not null
            )
        ), due as (
            insert into work (queue, tenant, id, due_at)
            select 'inbox', %(tenant)s, put.id, put.last_delivered_at from put where put.inserted
            on conflict (queue, tenant, id) do update set due_at = least(work.due_at, excluded.due_at)
        )
        select identity, id, inserted from put
        """,
        rows=document(documents),
        bodies=b"".join(bodies),
    )
    return {row["identity"]: (row["id"], bool(row["inserted"])) for row in put}


def _document(news: News, deliveries: int) -> dict[str, Any]:
    return {
        "id": news.id,
        "source": news.source,
        "kind": news.kind,
        "account": news.account,
        "identity": news.identity,
        "subject_kind": news.subject_kind,
        "subject_ref": news.subject_ref,
        "customer": news.customer,
        "detail": encode(news.detail),
        "occurred_at": news.occurred_at.isoformat(),
        "received_at": news.received_at.isoformat(),
        "deliveries": deliveries,
        "customer_ref": news.customer_ref,
    }


def get(tx: Tx, identity: str, *, lock: bool = False) -> Row | None:
    """Give an inbox row by its id; `detail` is decoded."""
    if lock:
        row = tx.one("select * from inbox where tenant = %(tenant)s and id = %(id)s for no key update", id=identity)
    else:
        row = tx.one("select * from inbox where tenant = %(tenant)s and id = %(id)s", id=identity)
    return _decoded(row)


def get_all(tx: Tx, ids: Sequence[str], *, lock: bool = False) -> dict[str, Row]:
    """Give inbox rows by their ids; `detail` is decoded. With `lock`, hold them until the transaction ends."""
    if lock:
        rows = tx.rows(
            "select * from inbox where tenant = %(tenant)s and id = any (%(ids)s) order by id for no key update",
            ids=list(ids),
        )
    else:
        rows = tx.rows("select * from inbox where tenant = %(tenant)s and id = any (%(ids)s)", ids=list(ids))
    return {row["id"]: decoded for row in rows if (decoded := _decoded(row))}


def _decoded(row: Row | None) -> Row | None:
    if row and isinstance(row["detail"], Mapping) and "is" in row["detail"]:
        return {**row, "detail": decode(row["detail"])}
    return row


def by_identity(tx: Tx, identity: str) -> Row | None:
    """Give an inbox row by what makes it itself."""
    row = tx.one("select * from inbox where tenant = %(tenant)s and identity = %(identity)s", identity=identity)
    return _decoded(row)


def body(tx: Tx, identity: str) -> bytes | None:
    """Give the raw body of an inbox row, None when it had none or it was erased."""
    row = tx.one("select body from raw_body where tenant = %(tenant)s and inbox = %(id)s", id=identity)
    return bytes(row["body"]) if row else None


def drop_body(tx: Tx, identity: str) -> None:
    """Erase the raw body of an inbox row."""
    tx.run("delete from raw_body where tenant = %(tenant)s and inbox = %(id)s", id=identity)


def mark(
    tx: Tx, identity: str, status: InboxStatus, waiting_for: str | None = None, customer: str | None = None
) -> None:
    """Move an inbox row, and remember what it waits for and whose it turned out to be."""
    tx.run(
        """
        update inbox set status = %(status)s, waiting_for = %(waiting_for)s, attempts = attempts + 1,
            customer = coalesce(%(customer)s, customer)
        where tenant = %(tenant)s and id = %(id)s
        """,
        id=identity,
        status=status,
        waiting_for=waiting_for,
        customer=customer,
    )


def mark_all(tx: Tx, marks: Sequence[tuple[str, InboxStatus, str | None]]) -> None:
    """Move inbox rows that wait for nothing more: each with its new status and whose it turned out to be."""
    tx.run(
        """
        update inbox set status = mark.status, waiting_for = null, attempts = attempts + 1,
            customer = coalesce(mark.customer, inbox.customer)
        from unnest(%(ids)s::text[], %(statuses)s::text[], %(customers)s::text[]) as mark (id, status, customer)
        where inbox.tenant = %(tenant)s and inbox.id = mark.id
        """,
        ids=[identity for identity, _, _ in marks],
        statuses=[str(status) for _, status, _ in marks],
        customers=[customer for _, _, customer in marks],
    )


def note_wait(tx: Tx, identity: str, why: str) -> None:
    """Remember what an inbox row waits for, for whoever looks at it meanwhile."""
    tx.run(
        "update inbox set waiting_for = %(why)s where tenant = %(tenant)s and id = %(id)s", id=identity, why=why[:200]
    )


# --- provider objects: observation numbers and what was last applied ---


def number_observation(tx: Tx, account: str, kind: str, ref: str) -> int:
    """Hand out the next observation number of a provider object. Commit it before looking."""
    row = tx.one(
        """
        insert into provider_object (tenant, account, ref, kind, observed)
        values (%(tenant)s, %(account)s, %(ref)s, %(kind)s, 1)
        on conflict (tenant, account, ref) do update set observed = provider_object.observed + 1
        returning observed
        """,
        account=account,
        kind=kind,
        ref=ref,
    )
    assert row is not None
    return int(row["observed"])


def applied_observation(tx: Tx, account: str, ref: str) -> int:
    """Give the number of the newest observation that was applied, and hold the row until the transaction ends."""
    row = tx.one(
        """
        select applied from provider_object
        where tenant = %(tenant)s and account = %(account)s and ref = %(ref)s
        for update
        """,
        account=account,
        ref=ref,
    )
    return int(row["applied"]) if row else 0


def number_observations(tx: Tx, objects: Iterable[tuple[str, str, str]]) -> dict[tuple[str, str], int]:
    """Hand out the next observation number of each of these provider objects, given as account, kind and reference.

    Commit them before looking. The answer is keyed by account and reference.
    """
    wanted = {(account, ref): kind for account, kind, ref in objects}
    keys = sorted(wanted)
    rows = tx.rows(
        """
        insert into provider_object (tenant, account, ref, kind, observed)
        select %(tenant)s, account, ref, kind, 1
        from unnest(%(accounts)s::text[], %(refs)s::text[], %(kinds)s::text[]) as object (account, ref, kind)
        on conflict (tenant, account, ref) do update set observed = provider_object.observed + 1
        returning account, ref, observed
        """,
        accounts=[account for account, _ in keys],
        refs=[ref for _, ref in keys],
        kinds=[wanted[key] for key in keys],
    )
    return {(row["account"], row["ref"]): int(row["observed"]) for row in rows}


def applied_observations(tx: Tx, objects: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Give the number of the newest applied observation of each object, and hold the rows until the transaction ends.

    Objects are given as account and reference. One that was never looked at is not in the answer.
    """
    keys = sorted(set(objects))
    rows = tx.rows(
        """
        select account, ref, applied from provider_object
        where tenant = %(tenant)s
            and (account, ref) in (select * from unnest(%(accounts)s::text[], %(refs)s::text[]))
        order by account, ref
        for update
        """,
        accounts=[account for account, _ in keys],
        refs=[ref for _, ref in keys],
    )
    return {(row["account"], row["ref"]): int(row["applied"]) for row in rows}


@dataclass(frozen=True, slots=True)
class Observation:
    """What one look at a provider object saw. Numbers order looks, never the provider's timestamps."""

    account: str
    kind: str
    ref: str
    number: int
    status: str
    fact: Any


def apply_observation(tx: Tx, seen: Observation, now: datetime) -> None:
    """Remember an observation as the newest applied one."""
    tx.run(
        """
        insert into provider_object (tenant, account, ref, kind, observed, applied, status, fact, applied_at)
        values (%(tenant)s, %(account)s, %(ref)s, %(kind)s, %(number)s, %(number)s, %(status)s, %(fact)s, %(now)s)
        on conflict (tenant, account, ref) do update set
            observed = greatest(provider_object.observed, excluded.observed),
            applied = excluded.applied, status = excluded.status, fact = excluded.fact, applied_at = excluded.applied_at
        """,
        account=seen.account,
        kind=seen.kind,
        ref=seen.ref,
        number=seen.number,
        status=seen.status,
        fact=to_json(seen.fact),
        now=now,
    )


def apply_observations(tx: Tx, looks: Sequence[Observation], now: datetime) -> None:
    """Remember observations as the newest applied ones, one per object. Their rows are there and held."""
    tx.run(
        """
        update provider_object set
            observed = greatest(observed, look.number), applied = look.number, status = look.status, fact = look.fact,
            applied_at = %(now)s
        from jsonb_to_recordset(%(looks)s::jsonb)
            as look (account text, ref text, number bigint, status text, fact jsonb)
        where tenant = %(tenant)s and provider_object.account = look.account and provider_object.ref = look.ref
        """,
        now=now,
        looks=document(
            [
                {"account": each.account, "ref": each.ref, "number": each.number, "status": each.status}
                | {"fact": encode(each.fact)}
                for each in looks
            ]
        ),
    )


# --- the answers of commands ---


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command was answered. `status` is HTTP's; the body is JSON text and replays byte for byte."""

    status: int
    body: str


def put_command(
    tx: Tx, inbox: str, request_hash: bytes, awaits: str | None, first: Answer, final: Answer | None
) -> None:
    """Store the answer of a command beside its decision."""
    tx.run(
        """
        insert into command (tenant, inbox, request_hash, awaits, first_status, first_body, final_status, final_body)
        values (%(tenant)s, %(inbox)s, %(request_hash)s, %(awaits)s, %(first_status)s, %(first_body)s,
            %(final_status)s, %(final_body)s)
        """,
        inbox=inbox,
        request_hash=request_hash,
        awaits=awaits,
        first_status=first.status,
        first_body=first.body,
        final_status=final.status if final else None,
        final_body=final.body if final else None,
    )


def command_of(tx: Tx, inbox: str) -> Row | None:
    """Give the stored answer of a command."""
    return tx.one("select * from command where tenant = %(tenant)s and inbox = %(inbox)s", inbox=inbox)


def awaited(tx: Tx, subjects: Sequence[str]) -> frozenset[str]:
    """Give which of these subjects a command still waits for."""
    rows = tx.rows(
        """
        select distinct awaits from command
        where tenant = %(tenant)s and awaits = any (%(subjects)s) and final_body is null
        """,
        subjects=list(subjects),
    )
    return frozenset(row["awaits"] for row in rows)


def finish_commands(tx: Tx, subject: str, final: Answer) -> None:
    """Fix the final answer of every command that waited for this subject. The first final answer stays for ever."""
    tx.run(
        """
        update command set final_status = %(status)s, final_body = %(body)s
        where tenant = %(tenant)s and awaits = %(subject)s and final_body is null
        """,
        subject=subject,
        status=final.status,
        body=final.body,
    )


def plain(value: Any) -> str:
    """Write JSON the one way that answers are stored in."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
