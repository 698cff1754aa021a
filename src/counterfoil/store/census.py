"""Counts and listings over one tenant's rows, for those who judge the whole: the seeded world, an operator's doctor."""

from counterfoil.store.database import Row, Tx


def queued(tx: Tx) -> list[Row]:
    """Give what is on the claim table: queue, id, due_at, leased_until, and for news its kind and source."""
    return tx.rows(
        """
        select w.queue, w.id, w.due_at, w.leased_until, i.kind, i.source
        from work w
        left join inbox i on w.queue = 'inbox' and i.tenant = w.tenant and i.id = w.id
        where w.tenant = %(tenant)s
        order by w.due_at, w.queue, w.id
        """
    )


def take_off_the_queue(tx: Tx) -> int:
    """Take everything of the tenant off the claim table: nothing of it is worked on any more."""
    return tx.run("delete from work where tenant = %(tenant)s")


def reasons(tx: Tx) -> dict[str, int]:
    """Count the decisions by reason."""
    return {
        row["reason"]: row["n"]
        for row in tx.rows("select reason, count(*) as n from decision where tenant = %(tenant)s group by reason")
    }


def deliveries(tx: Tx) -> list[Row]:
    """Give every notice of the provider in order: identity, source, deliveries, status."""
    return tx.rows(
        """
        select identity, source, deliveries, status from inbox
        where tenant = %(tenant)s and identity like 'event:%%'
        order by id
        """
    )


def open_orders(tx: Tx) -> list[Row]:
    """Give the orders whose outcome is still to come: id, subject, status, why."""
    return tx.rows(
        """
        select id, subject, status, why from provider_order
        where tenant = %(tenant)s and status in ('queued', 'sent', 'unknown')
        order by id
        """
    )


def provider_legs(tx: Tx) -> list[Row]:
    """Give the provider legs: id, handle (their payment there, or the hosted page), status, received_minor."""
    return tx.rows(
        """
        select id, provider_ref, session_ref, status, received_minor from leg
        where tenant = %(tenant)s and kind = 'provider'
        order by id
        """
    )


def asked_about(tx: Tx) -> frozenset[str]:
    """Give the subjects that a person was asked about."""
    rows = tx.rows("select distinct subject from review_case where tenant = %(tenant)s")
    return frozenset(row["subject"] for row in rows)


def crowded_invoices(tx: Tx) -> list[Row]:
    """Give the invoices that more than one provider leg could collect now."""
    return tx.rows(
        """
        select a.invoice, array_agg(l.id order by l.id) as legs
        from allocation a
        join leg l on l.tenant = a.tenant and l.id = a.leg
        where a.tenant = %(tenant)s and l.kind = 'provider' and l.status in ('processing', 'requires_action')
        group by a.invoice
        having count(*) > 1
        """
    )


def overcollected_invoices(tx: Tx) -> list[Row]:
    """Give the invoices for which we collected more than their total: by credits, and by payments that no browser
    and no host application confirmed."""
    return tx.rows(
        """
        select a.invoice, i.total_minor as total, sum(a.minor) as collected
        from allocation a
        join leg l on l.tenant = a.tenant and l.id = a.leg
        join invoice i on i.tenant = a.tenant and i.id = a.invoice
        where a.tenant = %(tenant)s and l.status = 'settled' and (l.kind = 'credit' or l.method is not null)
        group by a.invoice, i.total_minor
        having sum(a.minor) > i.total_minor
        """
    )


def top_ups(tx: Tx) -> list[Row]:
    """Give the purchases that the provider collects: id, status, its invoice's status and id there, and its lots."""
    return tx.rows(
        """
        select p.id, p.status, i.status as invoice_status, i.provider_ref, (
            select count(*) from grant_lot g where g.tenant = p.tenant and g.purchase = p.id
        ) as lots
        from purchase p
        join invoice i on i.tenant = p.tenant and i.id = p.invoice
        where p.tenant = %(tenant)s and p.collector = 'provider'
        order by p.id
        """
    )


def credit_there(tx: Tx) -> dict[str, int]:
    """Give what our books say customers have in credit at the provider, by the provider's ids of them."""
    rows = tx.rows(
        """
        select c.provider_ref, coalesce((
            select sum(case when p.credit = 'customer_balance_provider:' || c.id then p.amount else -p.amount end)
            from posting p
            where p.tenant = c.tenant and 'customer_balance_provider:' || c.id in (p.debit, p.credit)
        ), 0) as held
        from customer c
        where c.tenant = %(tenant)s and c.provider_ref is not null
        """
    )
    return {row["provider_ref"]: int(row["held"]) for row in rows}


def history(tx: Tx) -> list[Row]:
    """Give every piece of news with its decision, in order: what two runs of one world must have in common."""
    return tx.rows(
        """
        select i.id, i.source, i.kind, i.status, i.deliveries, d.id as decision, d.outcome, d.reason, d.sentence
        from inbox i
        left join decision d on d.tenant = i.tenant and d.inbox = i.id
        where i.tenant = %(tenant)s
        order by i.id, d.id
        """
    )


def switched_collectors(tx: Tx) -> int:
    """Count the provider legs that began after an earlier one of their payment had been given up."""
    row = tx.one(
        """
        select count(*) as n from leg l
        where l.tenant = %(tenant)s and l.kind = 'provider' and l.provider_ref is not null and exists (
            select from leg e
            where e.tenant = l.tenant and e.payment = l.payment and e.kind = 'provider' and e.status = 'canceled'
                and e.position < l.position
        )
        """
    )
    return row["n"] if row else 0


def events(tx: Tx) -> dict[str, str]:
    """Give the kind of every event."""
    return {row["id"]: row["kind"] for row in tx.rows("select id, kind from event where tenant = %(tenant)s")}


def told_again(tx: Tx) -> int:
    """Count the deliveries that took more than one try."""
    row = tx.one("select count(*) as n from delivery where tenant = %(tenant)s and tries > 1")
    return row["n"] if row else 0


def released_credits(tx: Tx) -> int:
    """Count the credit legs whose credits went back to their lots."""
    row = tx.one("select count(*) as n from leg where tenant = %(tenant)s and kind = 'credit' and status = 'released'")
    return row["n"] if row else 0


def undone(tx: Tx) -> list[Row]:
    """Give what is still to be done, without ids and times: news without a decision, and open orders."""
    news = tx.rows(
        """
        select 'news' as kind, i.kind as news, source, status, subject_ref from inbox i
        where tenant = %(tenant)s and status in ('received', 'waiting')
        """
    )
    orders = tx.rows(
        """
        select 'order' as kind, instruction ->> 'is' as verb, subject, status, try_no, why from provider_order
        where tenant = %(tenant)s
        """
    )
    return news + orders


def spent(tx: Tx) -> dict[str, int]:
    """Count what became of uses and holds: several_lots, in_debt, hold_settled, hold_released, hold_expired."""
    row = tx.one(
        """
        select (select count(*) from draw where tenant = %(tenant)s and n = 2) as several_lots,
            (select count(*) from draw where tenant = %(tenant)s and debit like 'debt:%%') as in_debt,
            count(*) filter (where status = 'settled') as hold_settled,
            count(*) filter (where status = 'released') as hold_released,
            count(*) filter (where status = 'expired') as hold_expired
        from spend_hold
        where tenant = %(tenant)s
        """
    )
    assert row is not None
    return {name: int(n) for name, n in row.items()}


def bought(tx: Tx) -> dict[str, int]:
    """Count what became of purchases: bought, billed_later, purchase_refused, paid_elsewhere, early_taken_back,
    purchase_voided."""
    row = tx.one(
        """
        select count(*) filter (where p.settlement = 'invoice' and p.settled_at is not null) as bought,
            count(*) filter (where p.settlement = 'external' and p.settled_at is not null) as paid_elsewhere,
            count(*) filter (where p.failures > 0) as purchase_refused,
            count(*) filter (where p.status = 'voided') as purchase_voided,
            count(*) filter (where p.status = 'canceled' and p.grant_lot is not null) as early_taken_back,
            count(*) filter (where p.invoice_at is not null and p.invoice is not null) as billed_later
        from purchase p
        where p.tenant = %(tenant)s
        """
    )
    assert row is not None
    return {name: int(n) for name, n in row.items()}
