"""The rows that the invariants of papers and months are checked on."""

from typing import Final, LiteralString

QUERIES: Final[dict[str, LiteralString]] = {
    "I36": """
        select s.kind, coalesce(n.last, 0) as last, count(d.id) as documents, count(distinct d.place) as distinct,
            coalesce(max(d.place), 0) as highest,
            coalesce(array_agg(d.id order by d.id) filter (where d.sha256 <> sha256(d.bytes)), '{}') as changed,
            case when s.kind = 'invoice' then array(
                select i.id from invoice i
                where i.tenant = %(tenant)s and i.collector = 'ours' and i.number is not null and not exists (
                    select from document p
                    where p.tenant = i.tenant and p.kind = 'invoice' and p.subject = i.id and p.number = i.number
                )
                order by i.id
            ) else '{}' end as bare
        from (values ('invoice'), ('receipt')) as s (kind)
        left join number_series n on n.tenant = %(tenant)s and n.series = s.kind
        left join document d on d.tenant = %(tenant)s and d.kind = s.kind
        group by s.kind, n.last
    """,
    "I37": """
        select c.month, (c.figures ->> 'postings')::bigint as closed, (
            select count(*) from journal j
            where j.tenant = c.tenant and j.effective_at < c.ends_at
                and j.effective_at >= ((c.month || '-01')::timestamp at time zone 'UTC')
        ) as found
        from closed_month c
        where c.tenant = %(tenant)s
    """,
}
