"""The rows that the invariants of what is told are checked on."""

from typing import Final, LiteralString

QUERIES: Final[dict[str, LiteralString]] = {
    "I14": """
        with listening as materialized (
            select coalesce(jsonb_agg(jsonb_build_object(
                'id', id, 'kinds', kinds, 'from_position', from_position, 'status', status
            ) order by id), '[]') as endpoints
            from hook_endpoint
            where tenant = %(tenant)s and status in ('active', 'paused')
        ), told as (
            select event, jsonb_object_agg(endpoint, status) as told
            from delivery
            where tenant = %(tenant)s
            group by event
        )
        select e.id as event, e.kind, e.subject, e.customer, e.sequence, e.position, coalesce(told.told, '{}') as told,
            listening.endpoints, %(at_rest)s::boolean as at_rest
        from event e
        cross join listening
        left join told on told.event = e.id
        where e.tenant = %(tenant)s
        order by e.customer, e.sequence
    """,
}
