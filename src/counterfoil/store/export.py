"""Everything of a tenant as plain rows, streamed: for backups that outlive us and for other tools."""

from collections.abc import Iterator
from typing import Final, LiteralString

from counterfoil.store.database import Row, Tx


def postings(tx: Tx) -> Iterator[Row]:
    """Stream every posting in the order it was written, those of spends among them."""
    return tx.stream(POSTINGS)


def subjects(tx: Tx) -> Iterator[Row]:
    """Stream every subject: its `kind` and `id`, its `status` where it has a lifecycle, and what it is.

    No personal data: names, addresses and raw bodies stand apart.
    """
    for sql in SUBJECTS:
        yield from tx.stream(sql)


POSTINGS: Final[LiteralString] = """
    select tenant, entry, n, of_n, debit, credit, unit, amount, subject, decision,
        occurred_at, effective_at, recorded_at
    from journal
    where tenant = %(tenant)s
    order by position
"""

SUBJECTS: Final[tuple[LiteralString, ...]] = (
    "select 'customer' as kind, id, null as status, c.* from customer c where tenant = %(tenant)s order by id",
    "select 'payment_method' as kind, id, null as status, m.* from method m where tenant = %(tenant)s order by id",
    "select 'wallet' as kind, w.* from wallet w where tenant = %(tenant)s order by id",
    "select 'grant' as kind, id, null as status, g.* from grant_lot g where tenant = %(tenant)s order by id",
    "select 'invoice' as kind, i.* from invoice i where tenant = %(tenant)s order by id",
    "select 'invoice_line' as kind, id, null as status, l.* from invoice_line l where tenant = %(tenant)s order by id",
    "select 'auto_topup' as kind, t.* from auto_topup t where tenant = %(tenant)s order by id",
    "select 'purchase' as kind, p.* from purchase p where tenant = %(tenant)s order by id",
    "select 'order' as kind, o.* from sales_order o where tenant = %(tenant)s order by id",
    "select 'pending_line' as kind, l.* from pending_line l where tenant = %(tenant)s order by id",
    "select 'payment' as kind, p.* from payment p where tenant = %(tenant)s order by id",
    "select 'leg' as kind, l.kind as means, l.id, l.tenant, l.payment, l.status, l.amount_minor, l.currency, "
    "l.position, l.wallet, l.quantity, l.account, l.method, l.provider_ref, l.session_ref, "
    "l.charge_ref, l.received_minor, "
    "l.refusal_code, l.settled_at, l.created_at from leg l where tenant = %(tenant)s order by id",
    "select 'refund' as kind, r.* from refund r where tenant = %(tenant)s order by id",
    "select 'credit_note' as kind, id, null as status, n.* from credit_note n where tenant = %(tenant)s order by id",
    "select 'allocation' as kind, leg || ' ' || invoice as id, null as status, a.* from allocation a "
    "where tenant = %(tenant)s order by leg, invoice",
    "select 'hold' as kind, h.* from hold h where tenant = %(tenant)s order by id",
    "select 'dispute' as kind, d.* from dispute d where tenant = %(tenant)s order by id",
    "select 'payout' as kind, p.* from payout p where tenant = %(tenant)s order by id",
    "select 'balance_transaction' as kind, t.kind as moves, t.ref as id, null as status, t.tenant, t.account, "
    "t.source, t.amount_minor, t.fee_minor, t.net_minor, t.currency, t.presented_minor, t.presented_currency, "
    "t.occurred_at, t.available_at from balance_transaction t where tenant = %(tenant)s "
    "order by account, occurred_at, ref",
    "select 'spend_hold' as kind, h.* from spend_hold h where tenant = %(tenant)s order by id",
    "select 'provider_order' as kind, o.* from provider_order o where tenant = %(tenant)s order by id",
    "select 'notice' as kind, i.kind as news, i.id, i.tenant, i.source, i.status, i.account, i.identity, "
    "i.subject_kind, i.subject_ref, i.customer, i.occurred_at, i.received_at, i.deliveries, i.waiting_for from inbox i "
    "where tenant = %(tenant)s order by id",
    "select 'decision' as kind, d.* from decision d where tenant = %(tenant)s order by id",
    "select 'webhook_endpoint' as kind, h.* from hook_endpoint h where tenant = %(tenant)s order by id",
    "select 'delivery' as kind, d.* from delivery d where tenant = %(tenant)s order by id",
    "select 'case' as kind, c.* from review_case c where tenant = %(tenant)s order by id",
)
