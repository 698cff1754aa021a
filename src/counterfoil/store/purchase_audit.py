"""The rows that the invariants of purchases are checked on."""

from typing import Final, LiteralString

QUERIES: Final[dict[str, LiteralString]] = {
    "I15": """
        select p.id as purchase, p.status, p.grant_timing = 'at_purchase' as early, p.quantity, p.net_minor as net,
            coalesce((
                select jsonb_agg(jsonb_build_array(g.amount, g.cost_minor, g.voided_at is not null) order by g.id)
                from grant_lot g
                where g.tenant = p.tenant and g.purchase = p.id
            ), '[]') as lots
        from purchase p
        where p.tenant = %(tenant)s
    """,
    "I16": """
        select p.id as purchase, coalesce(v.created_at < p.created_at, false) as billed_first, (
            select i.source
            from decision_about a
            join decision d on d.tenant = a.tenant and d.id = a.decision
            join inbox i on i.tenant = d.tenant and i.id = d.inbox
            where a.tenant = p.tenant and a.subject = p.id and d.outcome = 'applied'
            order by d.decided_at, d.id
            limit 1
        ) as source
        from purchase p
        left join invoice v on v.tenant = p.tenant and v.id = p.invoice
        where p.tenant = %(tenant)s
    """,
    "I21": """
        select p.id as purchase, p.settlement, coalesce(p.collector = 'ours', false) as ours, p.customer, p.invoice,
            p.line, p.status, p.authorized_at, p.settled_at,
            coalesce((
                select jsonb_agg(jsonb_build_array(l.id, l.invoice, v.customer) order by l.id)
                from invoice_line l
                join invoice v on v.tenant = l.tenant and v.id = l.invoice
                where l.tenant = p.tenant and l.purchase = p.id and l.kind = 'credit_purchase'
            ), '[]') as lines,
            coalesce((
                select jsonb_agg(jsonb_build_array(w.status, w.line) order by w.id)
                from pending_line w
                where w.tenant = p.tenant and w.purchase = p.id
            ), '[]') as waiting,
            array(
                select distinct split_part(e.entry, ':', 3) from posting e
                where e.tenant = p.tenant and e.subject = p.id
            ) as steps
        from purchase p
        where p.tenant = %(tenant)s
    """,
    "I35": """
        select t.id as topup, t.attempt, array(
                select p.id from purchase p
                where p.tenant = t.tenant and p.auto_topup = t.id
                    and p.status in ('scheduled', 'pending', 'authorized', 'failed')
            ) as under_way,
            %(at_rest)s::boolean and t.status = 'on' and t.attempt is null and t.retry_at is null
                and w.status = 'active' and not c.paused and t.below > coalesce((
                    select sum(g.remaining - g.held) from grant_lot g
                    where g.tenant = w.tenant and g.wallet = w.id and g.voided_at is null and g.gone = 0
                        and g.features = '{}' and g.pool = ''
                ), 0) - w.debt + coalesce((
                    select sum(o.quantity) from purchase o
                    where o.tenant = w.tenant and o.wallet = w.id and o.grant_lot is null
                        and o.status in ('scheduled', 'pending', 'authorized')
                ), 0) as is_forgotten
        from auto_topup t
        join wallet w on w.tenant = t.tenant and w.id = t.wallet
        join customer c on c.tenant = t.tenant and c.id = t.customer
        where t.tenant = %(tenant)s
    """,
}
