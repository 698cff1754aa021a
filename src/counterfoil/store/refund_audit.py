"""The rows that the invariants of refunds are checked on."""

from typing import Final, LiteralString

QUERIES: Final[dict[str, LiteralString]] = {
    "I12": """
        select l.id as leg, l.status, l.received_minor as received, l.refunded_minor as counted,
            coalesce(sum(r.amount_minor) filter (where r.status in ('processing', 'succeeded')), 0) as refunded
        from leg l
        left join refund r on r.tenant = l.tenant and r.leg = l.id
        where l.tenant = %(tenant)s and (l.refunded_minor > 0 or r.id is not null)
        group by l.tenant, l.id
    """,
    "I12.books": """
        select r.id as refund, r.status, r.amount_minor as amount, (
                select coalesce(sum((lot ->> 'net_minor')::bigint), 0)
                from jsonb_array_elements(coalesce(r.given -> 'lots', '[]')) as lot
            ) as of_lots,
            coalesce(sum(p.amount) filter (where p.credit = 'refund_due' and p.entry like '%%:price'), 0) as given,
            coalesce(sum(p.amount) filter (where p.debit = 'refund_due' and p.entry like '%%:undone'), 0) as undone,
            coalesce(sum(p.amount) filter (where p.debit = 'refund_due' and p.entry like '%%:paid'), 0) as paid,
            coalesce(sum(p.amount) filter (where p.credit = 'refund_due' and p.entry like '%%:returned'), 0)
                as returned
        from refund r
        left join posting p on p.tenant = r.tenant and p.subject = r.id
        where r.tenant = %(tenant)s
        group by r.tenant, r.id
    """,
    "I12.credits": """
        select p.id as purchase, p.quantity, p.clawed, p.refunded_minor as refunded,
            p.net_minor + p.fee_minor + p.tax_minor - p.discount_minor as paid, p.grant_lot is not null as is_given
        from purchase p
        where p.tenant = %(tenant)s and (p.refunded_minor > 0 or p.clawed > 0)
            -- What a person took back, or what nobody paid for, goes back by its own rule.
            and p.status not in ('voided', 'canceled')
    """,
}
