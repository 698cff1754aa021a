"""The lists that people look at in the console: newest first, a page at a time, found by a few letters.

A page is keyed by the last row seen (ids sort by the time they were made), so it costs the same however deep it lies.
One row more than a page holds is read, to say whether there is another.
"""

from dataclasses import dataclass
from typing import Any, Final

from counterfoil.store.database import Row, Tx

PAGE: Final = 50
"""How many rows a page of the console holds."""


@dataclass(frozen=True, slots=True)
class Sought:
    """What a list is narrowed to; None and an empty text let everything through. `after` is the last row seen."""

    text: str = ""
    after: str | None = None
    status: str | None = None
    source: str | None = None
    kind: str | None = None
    customer: str | None = None

    @property
    def values(self) -> dict[str, Any]:
        """The parameters of a query. A pattern's own letters in `text` stand for themselves."""
        escaped = self.text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        return {
            "text": self.text or None,
            "prefix": f"{escaped}%",
            "within": f"%{escaped}%",
            "after": self.after,
            "status": self.status,
            "source": self.source,
            "kind": self.kind,
            "customer": self.customer,
            "limit": PAGE + 1,
        }


def customers(tx: Tx, sought: Sought) -> list[Row]:
    """Give customers with their names, what they owe by currency, and how many questions about them are open."""
    return tx.rows(
        """
        with page as (
            select c.*, p.name, p.email
            from customer c
            left join customer_person p on p.tenant = c.tenant and p.customer = c.id
            where c.tenant = %(tenant)s
                and (%(after)s::text is null or c.id < %(after)s)
                and (
                    %(text)s::text is null or c.id = %(text)s or c.provider_ref = %(text)s
                    or c.external_id ilike %(prefix)s or p.name ilike %(within)s or p.email ilike %(within)s
                )
            order by c.id desc
            limit %(limit)s
        )
        select page.*, coalesce(owes.sums, '{}') as owes, coalesce(asked.n, 0)::int as questions
        from page
        left join lateral (
            select jsonb_object_agg(unit, amount) as sums
            from (
                select unit, sum(amount)::bigint as amount
                from (
                    select unit, amount from posting
                    where tenant = %(tenant)s and debit = 'receivable:' || page.id
                    union all
                    select unit, -amount from posting
                    where tenant = %(tenant)s and credit = 'receivable:' || page.id
                ) as moved
                group by unit
            ) as summed
        ) as owes on true
        left join lateral (
            select count(*) as n from review_case
            where tenant = %(tenant)s and customer = page.id and status = 'open'
        ) as asked on true
        order by page.id desc
        """,
        **sought.values,
    )


def invoices(tx: Tx, sought: Sought) -> list[Row]:
    """Give invoices with their customer's name; `status` is a status of the document."""
    return tx.rows(
        """
        select i.*, p.name, p.email
        from invoice i
        left join customer_person p on p.tenant = i.tenant and p.customer = i.customer
        where i.tenant = %(tenant)s
            and (%(after)s::text is null or i.id < %(after)s)
            and (%(status)s::text is null or i.status = %(status)s)
            and (%(customer)s::text is null or i.customer = %(customer)s)
            and (
                %(text)s::text is null or i.id = %(text)s or i.number ilike %(prefix)s
                or p.name ilike %(within)s or p.email ilike %(within)s
            )
        order by i.id desc
        limit %(limit)s
        """,
        **sought.values,
    )


def purchases(tx: Tx, sought: Sought) -> list[Row]:
    """Give purchases of credits with their customer's name and the scale of their unit."""
    return tx.rows(
        """
        select b.*, w.unit, u.scale, p.name, p.email
        from purchase b
        join wallet w on w.tenant = b.tenant and w.id = b.wallet
        join service_unit u on u.tenant = w.tenant and u.code = w.unit
        left join customer_person p on p.tenant = b.tenant and p.customer = b.customer
        where b.tenant = %(tenant)s
            and (%(after)s::text is null or b.id < %(after)s)
            and (%(status)s::text is null or b.status = %(status)s)
            and (%(customer)s::text is null or b.customer = %(customer)s)
            and (
                %(text)s::text is null or b.id = %(text)s or b.pack ilike %(prefix)s
                or p.name ilike %(within)s or p.email ilike %(within)s
            )
        order by b.id desc
        limit %(limit)s
        """,
        **sought.values,
    )


def notices(tx: Tx, sought: Sought) -> list[Row]:
    """Give news with their decisions; `status` is an outcome, `source` where it came from, `provider` for its webhooks
    and polls together. The text finds the provider's event, the object it names, or a kind that begins so."""
    return tx.rows(
        """
        select i.id as news, i.source, i.kind, i.status, i.subject_ref as ref, i.occurred_at, i.received_at,
            i.deliveries, i.waiting_for, d.id as decision, d.outcome, d.rule, d.reason, d.sentence, d.decided_at,
            d.effects, array[]::text[] as about, coalesce(d.customer, i.customer) as customer, p.name, p.email,
            i.detail ->> 'provider_event' as provider_event
        from inbox i
        left join decision d on d.tenant = i.tenant and d.inbox = i.id
        left join customer_person p on p.tenant = i.tenant and p.customer = coalesce(d.customer, i.customer)
        where i.tenant = %(tenant)s
            and (%(after)s::text is null or i.id < %(after)s)
            and (
                %(source)s::text is null or i.source = %(source)s
                or (%(source)s = 'provider' and i.source in ('webhook', 'poll'))
            )
            and (
                %(status)s::text is null
                or case %(status)s
                    when 'parked' then i.status = 'parked'
                    when 'waiting' then i.status in ('received', 'waiting')
                    else d.outcome = %(status)s
                end
            )
            and (%(kind)s::text is null or i.kind = %(kind)s)
            and (
                %(customer)s::text is null
                or i.id in (
                    select inbox from decision where tenant = %(tenant)s and customer = %(customer)s
                    union all
                    select id from inbox
                    where tenant = %(tenant)s and customer = %(customer)s and status in ('received', 'waiting')
                )
            )
            and (
                %(text)s::text is null or i.kind ilike %(prefix)s
                or i.id in (
                    select id from inbox where tenant = %(tenant)s and (id = %(text)s or subject_ref = %(text)s)
                    union all
                    select n.id
                    from provider_account a
                    cross join (values ('live'), ('test')) as m (mode)
                    join inbox n on n.tenant = %(tenant)s and n.identity = concat(
                        'event:', a.id, ':', a.external_account, ':', m.mode, ':', %(text)s::text
                    )
                    where a.tenant = %(tenant)s
                )
            )
        order by i.id desc
        limit %(limit)s
        """,
        **sought.values,
    )


def kinds(tx: Tx) -> list[str]:
    """Give the kinds of news of late that a list can be narrowed to."""
    rows = tx.rows(
        """
        select distinct kind from (
            select kind from inbox where tenant = %(tenant)s and source in ('webhook', 'poll')
            order by received_at desc
            limit 2000
        ) as late
        order by kind
        """
    )
    return [row["kind"] for row in rows]


def surroundings(tx: Tx) -> Row | None:
    """Give whose books these are, and whether any provider account is real, observed only, or a stand-in."""
    return tx.one(
        """
        select t.id, t.name, t.mode, t.paused,
            coalesce(bool_or(a.mode = 'observe'), false) as observes,
            coalesce(bool_and(a.base_url is not null), false) as stands_in
        from tenant t
        left join provider_account a on a.tenant = t.id
        where t.id = %(tenant)s
        group by t.id, t.name, t.mode, t.paused
        """
    )
