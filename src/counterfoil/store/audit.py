"""The invariants over the stored books of one tenant: the same predicates in tests, in the simulator and in production.

Every query streams, so that an audit takes constant memory here whatever the size of the books. Run it in a snapshot
(`Database.snapshot`): in an ordinary transaction, news that commits between two queries would look like a breach.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Final, LiteralString

from counterfoil.core.invariants import INVARIANTS, BalanceMove, Breach, ProviderCharge, ProviderTruth, Rows
from counterfoil.store import delivery_audit, paper_audit, purchase_audit, refund_audit
from counterfoil.store.database import Row, Tx

BREACHES_MAX: Final = 100
"""How many breaches of one invariant are listed. More of them say nothing more."""


@dataclass(frozen=True, slots=True)
class Report:
    """What an audit saw: per invariant how many rows were checked, and every breach that was found."""

    tenant: str
    checked: Mapping[str, int]
    breaches: tuple[Breach, ...]

    @property
    def ok(self) -> bool:
        """Say whether nothing is broken."""
        return not self.breaches


def audit(
    tx: Tx, provider_truth: ProviderTruth | None = None, *, at_rest: bool = False, now: datetime | None = None
) -> Report:
    """Check every invariant on the tenant's books.

    `provider_truth` compares them with the provider's own records too; give it when all news has arrived. `at_rest`
    says that nothing may wait any more, but for timers that wake after `now`.
    """
    checked: dict[str, int] = {}
    breaches: list[Breach] = []
    for identity, invariant in INVARIANTS.items():
        rows = _Counted(_rows(tx, identity, provider_truth, at_rest, now))
        breaches += islice(invariant.breaches(rows), BREACHES_MAX)
        checked[identity] = rows.seen
    return Report(tx.tenant, checked, tuple(breaches))


def standing(tx: Tx) -> Iterator[Row]:
    """Give the rows that must be the same whatever the order of the news was: subjects and journal, without times,
    texts and what is left of tries. Compare two of them with `core.invariants.differences`."""
    for sql in STANDING:
        yield from tx.stream(sql)


class _Counted:
    """Rows on their way, counted as they pass."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self.seen = 0

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        for row in self._rows:
            self.seen += 1
            yield row


def _rows(tx: Tx, identity: str, truth: ProviderTruth | None, at_rest: bool, now: datetime | None) -> Rows:
    rows = tx.stream(QUERIES[identity], at_rest=at_rest, now=now)
    if truth is not None and identity == "I7":
        return with_theirs(rows, truth.charges, key=("account", "intent"), told=_charges)
    if truth is not None and identity == "I27":
        return with_theirs(rows, truth.balance, key=("account", "unit"), told=_net)
    return rows


def with_theirs(
    rows: Rows, theirs: Iterable[Any], *, key: tuple[str, str], told: Callable[[list[Any]], Any]
) -> Iterator[Mapping[str, Any]]:
    """Put what the provider says beside what we say, by `key`. What only the provider knows comes at the end."""
    by_key: dict[tuple[str, str], list[Any]] = {}
    for each in theirs:
        by_key.setdefault(_key_of(each), []).append(each)
    for row in rows:
        found = by_key.pop((row[key[0]], row[key[1]]), [])
        yield {**row, "theirs": told(found)}
    for (first, second), left in sorted(by_key.items()):
        yield {**dict.fromkeys(UNKNOWN_TO_US, 0), "subject": None, key[0]: first, key[1]: second, "theirs": told(left)}


UNKNOWN_TO_US: Final = ("clearing", "received", "fees", "other")


def _key_of(theirs: ProviderCharge | BalanceMove) -> tuple[str, str]:
    if isinstance(theirs, ProviderCharge):
        return theirs.account, theirs.intent
    return theirs.account, theirs.currency


def _charges(charges: list[ProviderCharge]) -> list[tuple[str, int, str]]:
    return sorted((each.charge, each.amount, each.currency) for each in charges)


def _net(moves: list[BalanceMove]) -> int:
    return sum(each.net for each in moves)


QUERIES: Final[dict[str, LiteralString]] = {
    **purchase_audit.QUERIES,
    **delivery_audit.QUERIES,
    **refund_audit.QUERIES,
    **paper_audit.QUERIES,
    "I1": """
        select tenant, entry, n, of_n, debit, credit, unit, amount, recorded_at
        from journal
        where tenant = %(tenant)s
        order by entry, n
    """,
    "I2": """
        with decided as (
            select d.id as decision, told ->> 'entry' as entry, (
                select jsonb_agg(jsonb_build_array(p -> 'debit', p -> 'credit', p -> 'unit', p -> 'amount') order by at)
                from jsonb_array_elements(told -> 'postings') with ordinality as each (p, at)
            ) as postings
            from decision d
            cross join lateral jsonb_array_elements(d.effects) as told
            where d.tenant = %(tenant)s and told ->> 'effect' = 'post'
        ),
        posted as (
            select decision, entry, jsonb_agg(jsonb_build_array(debit, credit, unit, amount) order by n) as postings
            from posting
            where tenant = %(tenant)s
            group by decision, entry
        )
        select entry, decision, p.postings as posted, d.postings as decided
        from posted p
        full join decided d using (decision, entry)
    """,
    "I3": """
        with told as (
            select *, case
                when entry like 'invoice:%%:voided' then left(entry, -length('voided')) || 'finalized'
                when entry like 'purchase:%%:canceled' then left(entry, -length('canceled')) || 'authorized'
                when entry like 'leg:%%:returned' then left(entry, -length('returned')) || 'settled'
            end as reverses
            from posting
            where tenant = %(tenant)s
        )
        select t.entry, t.subject, t.decision, d.id as cause, t.reverses, (
            f.debit = t.credit and f.credit = t.debit and f.unit = t.unit and f.amount = t.amount and f.of_n = t.of_n
        ) as mirrored
        from told t
        left join decision d on d.tenant = t.tenant and d.id = t.decision
        left join posting f on f.tenant = t.tenant and f.entry = t.reverses and f.n = t.n
        order by t.entry, t.n
    """,
    "I4": """
        with moved as (
            select account, unit, sum(amount) as credited
            from (
                select credit as account, unit, amount from journal where tenant = %(tenant)s
                union all
                select debit, unit, -amount from journal where tenant = %(tenant)s
            ) as sides
            where split_part(account, ':', 1) in ('grant', 'debt', 'receivable', 'deferred_revenue')
            group by account, unit
        ),
        billed as (
            -- What a purchase is sold for is owed as service from the moment it is billed, or promised by others.
            select p.*, coalesce(i.discount_minor, 0) as off, coalesce(l.returned_net_minor, 0) as returned,
                case p.settlement
                when 'invoice' then coalesce(i.status in ('open', 'paid', 'uncollectible'), false)
                else p.authorized_at is not null and p.canceled_at is null
            end as is_billed
            from purchase p
            left join invoice i on i.tenant = p.tenant and i.id = p.invoice
            left join invoice_line l on l.tenant = p.tenant and l.id = p.line
            where p.tenant = %(tenant)s
        ),
        stored as (
            select 'grant:' || g.id as account, w.unit, sum(g.remaining) as held
            from grant_lot g
            join wallet w on w.tenant = g.tenant and w.id = g.wallet
            where g.tenant = %(tenant)s
            group by g.id, w.unit
            union all
            select 'debt:' || id, unit, debt from wallet where tenant = %(tenant)s
            union all
            select 'receivable:' || customer, currency, sum(minor)
            from (
                select customer, currency, total_minor - credited_minor - paid_minor as minor from invoice
                where tenant = %(tenant)s and status in ('open', 'paid')
                union all
                select customer, currency, case
                    when settled_at is null then net_minor + fee_minor + tax_minor else 0
                end
                from billed
                where is_billed and settlement = 'external'
            ) as owed
            group by customer, currency
            union all
            select 'deferred_revenue', currency, sum(minor)
            from (
                select cost_currency as currency, cost_minor - released_minor as minor from grant_lot
                where tenant = %(tenant)s
                union all
                -- Sold and not given yet, or given before it was sold.
                select b.currency, case
                    when b.is_billed and g.id is null then b.net_minor - b.off - b.returned
                    when not b.is_billed and g.voided_at is null then -coalesce(g.cost_minor, 0)
                    else 0
                end
                from billed b
                left join grant_lot g on g.tenant = b.tenant and g.id = b.grant_lot
                union all
                -- What the provider credited for service that was not had, and what it took back of such credit.
                select unit, case when credit = 'deferred_revenue' then amount else -amount end from posting
                where tenant = %(tenant)s and entry like 'balance:%%'
            ) as owed
            group by currency
        )
        select account, unit, coalesce(s.held, 0) as stored,
            case when account ~ '^(receivable|debt):' then -1 else 1 end * coalesce(m.credited, 0) as posted
        from stored s
        full join moved m using (account, unit)
    """,
    "I5": """
        with taken as (
            select split_part(debit, ':', 2) as lot, sum(amount) as amount
            from draw
            where tenant = %(tenant)s and debit like 'grant:%%'
            group by debit
        ),
        kept as (
            select lot, sum(share) as amount
            from spend_hold
            cross join lateral unnest(lots, shares) as each (lot, share)
            where tenant = %(tenant)s and status = 'open'
            group by lot
        )
        select g.id as lot, g.amount, g.remaining, g.held, g.gone, g.cost_minor, g.released_minor,
            coalesce(sum(h.quantity) filter (where h.status = 'settled'), 0) + (
                select coalesce(sum(p.amount), 0) from posting p
                where p.tenant = g.tenant and p.debit = 'grant:' || g.id and p.entry not like 'leg:%%'
                    and split_part(p.credit, ':', 1) in ('used', 'debt')
            ) - (
                select coalesce(sum(p.amount), 0) from posting p
                where p.tenant = g.tenant and p.credit = 'grant:' || g.id and p.entry not like 'leg:%%'
                    and split_part(p.debit, ':', 1) in ('used', 'debt')
            ) + coalesce(min(taken.amount), 0) as drawn,
            coalesce(sum(h.quantity) filter (where h.status = 'open'), 0) + coalesce(min(kept.amount), 0) as reserved,
            coalesce(sum(h.released) filter (where h.status = 'settled'), 0) + coalesce(min(own.earned), 0)
                as recognised,
            coalesce(min(own.forgone), 0) as forgone
        from grant_lot g
        left join taken on taken.lot = g.id
        left join kept on kept.lot = g.id
        cross join lateral (
            select sum(case
                    when p.debit = 'deferred_revenue' and p.credit = 'revenue' then p.amount
                    when p.debit = 'revenue' and p.credit = 'deferred_revenue' then -p.amount
                end) as earned,
                sum(case
                    when p.debit = 'deferred_revenue' and p.credit in ('breakage', 'refund_due', 'disputed')
                        then p.amount
                    when p.credit = 'deferred_revenue' and p.debit in ('refund_due', 'disputed') then -p.amount
                end) as forgone
            from posting p
            where p.tenant = g.tenant and p.subject = g.id
        ) as own
        left join (
            -- What was refunded of a share went back to the lot; its units by an entry of its own.
            select h.tenant, h.grant_lot, h.quantity, h.status,
                h.released_minor - div(h.released_minor::numeric * h.returned_minor, h.minor) as released
            from hold h
            join leg l on l.tenant = h.tenant and l.id = h.leg
            where l.status <> 'returned'
        ) h on h.tenant = g.tenant and h.grant_lot = g.id
        where g.tenant = %(tenant)s
        group by g.tenant, g.id
    """,
    "I34": """
        select c.spend, c.corrected, coalesce(sum(d.amount), 0) as spent
        from (
            select subject as spend, sum(amount) as corrected from posting
            where tenant = %(tenant)s and entry like 'spend:%%:corrected:%%' and debit = 'used'
            group by subject
        ) as c
        left join draw d on d.tenant = %(tenant)s and d.spend = c.spend
        group by c.spend, c.corrected
    """,
    "I33": """
        select id as lot, amount, remaining, cost_minor, released_minor from grant_lot where tenant = %(tenant)s
    """,
    "I6": """
        select entry as subject, array_agg(distinct unit) as units, max(amount) as largest, min(amount) as smallest
        from journal
        where tenant = %(tenant)s
        group by entry
        union all
        select id, array[currency], greatest(amount_minor, received_minor), least(amount_minor, received_minor)
        from leg
        where tenant = %(tenant)s
        union all
        select id, array[currency], total_minor, paid_minor from invoice where tenant = %(tenant)s
    """,
    "I7": """
        with suspended as (
            select entry, split_part(debit, ':', 2) as account, split_part(credit, ':', 2) as ref, unit, amount
            from posting
            where tenant = %(tenant)s and entry like 'suspense:%%:received'
        )
        select l.id as subject, l.account, l.provider_ref as intent, l.status, l.charge_ref as charge,
            l.received_minor as received, l.currency,
            coalesce((
                select sum(p.amount) from posting p
                where p.tenant = l.tenant and p.entry = 'leg:' || l.id || ':settled' and p.unit = l.currency
            ), 0) as posted
        from leg l
        where l.tenant = %(tenant)s and l.kind = 'provider' and not exists (
            select from suspended s
            where s.ref = l.provider_ref and s.account = l.account and l.status not in ('settled', 'returned')
        )
        union all
        select s.entry, s.account, s.ref, null, null, s.amount, s.unit, s.amount
        from suspended s
        where not exists (
            select from leg l
            where l.tenant = %(tenant)s and l.account = s.account and l.provider_ref = s.ref
                and l.status in ('settled', 'returned')
        )
    """,
    "I10": """
        with counting as (
            -- Credits or a balance that were given back have only ended.
            select tenant, id, payment, amount_minor,
                case when status = 'returned' and kind <> 'provider' then 'released' else status end as status
            from leg
            where tenant = %(tenant)s
        )
        select p.id as subject, p.status as stored, p.amount_minor as amount, null as invoice_status,
            coalesce(sum(l.amount_minor) filter (where l.status = 'settled'), 0) as settled,
            coalesce(array_agg(distinct l.status) filter (where l.status is not null), '{}') as statuses
        from payment p
        left join counting l on l.tenant = p.tenant and l.payment = p.id
        where p.tenant = %(tenant)s
        group by p.tenant, p.id
        union all
        select i.id, i.payment_status, i.total_minor, i.status, 0,
            coalesce(array_agg(distinct l.status) filter (where l.status is not null), '{}')
        from invoice i
        left join allocation a on a.tenant = i.tenant and a.invoice = i.id
        left join counting l on l.tenant = a.tenant and l.id = a.leg
        where i.tenant = %(tenant)s
        group by i.tenant, i.id
    """,
    "I11": """
        with decided as (
            select told ->> 'subject' as kind, told ->> 'id' as id,
                jsonb_agg(jsonb_build_array(told -> 'from' -> 'status', told -> 'to' -> 'status')) as moves
            from decision d
            cross join lateral jsonb_array_elements(d.effects) as told
            where d.tenant = %(tenant)s and told ->> 'effect' = 'change' and told -> 'to' ? 'status'
            group by 1, 2
        ),
        stored as (
            select 'invoice' as kind, id, status from invoice where tenant = %(tenant)s
            union all
            select 'payment', id, status from payment where tenant = %(tenant)s
            union all
            select 'leg', id, status from leg where tenant = %(tenant)s
            union all
            select 'hold', id, status from hold where tenant = %(tenant)s
            union all
            select 'dispute', id, status from dispute where tenant = %(tenant)s
            union all
            select 'wallet', id, status from wallet where tenant = %(tenant)s
            union all
            select 'purchase', id, status from purchase where tenant = %(tenant)s
            union all
            select 'pendingline', id, status from pending_line where tenant = %(tenant)s
            union all
            select 'autotopup', id, status from auto_topup where tenant = %(tenant)s
            union all
            select 'refund', id, status from refund where tenant = %(tenant)s
        )
        select case kind
                when 'case' then 'review_case'
                when 'order' then 'provider_order'
                when 'pendingline' then 'pending_line'
                when 'autotopup' then 'auto_topup'
                else kind
            end as machine,
            id as subject, s.status, coalesce(d.moves, '[]') as moves, kind not in ('case', 'order') as complete
        from decided d
        full join stored s using (kind, id)
    """,
    "I13": """
        select i.id as invoice, i.status, i.payment_status, i.total_minor - i.credited_minor as total,
            i.paid_minor as paid, i.paid_at, i.paid_with,
            coalesce(sum(l.net_minor + l.tax_minor), 0) - i.discount_minor - i.credited_minor as lines,
            i.discount_minor + i.credited_minor > 0 as is_discounted
        from invoice i
        left join invoice_line l on l.tenant = i.tenant and l.invoice = i.id
        where i.tenant = %(tenant)s
        group by i.tenant, i.id
    """,
    "I22": """
        select i.id as inbox, i.status, case when i.detail ? 'provider_event' then concat_ws(
                ' ', i.account, i.detail ->> 'connected_account', i.detail ->> 'livemode', i.detail ->> 'provider_event'
            ) end as provider_event,
            count(d.id) as decisions, %(at_rest)s::boolean and not coalesce(
                i.source = 'timer' and i.occurred_at > %(now)s::timestamptz, false
            ) as at_rest
        from inbox i
        left join decision d on d.tenant = i.tenant and d.inbox = i.id
        where i.tenant = %(tenant)s
        group by i.tenant, i.id
        order by provider_event
    """,
    "I27": """
        with moved as (
            select split_part(debit, ':', 2) as account, unit, amount, entry, credit as other_side
            from posting
            where tenant = %(tenant)s and debit like 'clearing:%%'
            union all
            select split_part(credit, ':', 2), unit, -amount, entry, debit
            from posting
            where tenant = %(tenant)s and credit like 'clearing:%%'
        ),
        came as (
            select account, currency as unit, sum(received_minor) as minor
            from leg
            where tenant = %(tenant)s and status in ('settled', 'returned') and kind = 'provider' and not exists (
                select from posting p
                where p.tenant = leg.tenant and p.entry = 'suspense:' || leg.provider_ref || ':received'
            )
            group by account, currency
        ),
        cleared as (
            select account, unit, sum(amount) as clearing,
                coalesce(sum(amount) filter (where entry like 'suspense:%%:received'), 0) as suspended,
                coalesce(-sum(amount) filter (where other_side = 'provider_fees'), 0) as fees,
                coalesce(sum(amount) filter (
                    where entry !~ '^(leg:.*:settled|suspense:.*:received)$' and other_side <> 'provider_fees'
                ), 0) as other
            from moved
            group by account, unit
        )
        select account, unit, coalesce(d.clearing, 0) as clearing, coalesce(d.fees, 0) as fees,
            coalesce(c.minor, 0) + coalesce(d.suspended, 0) as received, coalesce(d.other, 0) as other
        from came c
        full join cleared d using (account, unit)
    """,
}

STANDING: Final[tuple[LiteralString, ...]] = (
    "select 'posting' as kind, entry, debit, credit, unit, amount, subject from journal where tenant = %(tenant)s",
    "select 'customer' as kind, id, account, external_id, provider_ref, paused, deleted_at_provider from customer "
    "where tenant = %(tenant)s",
    "select 'method' as kind, id, customer, provider_ref, fingerprint, is_default, attached from method "
    "where tenant = %(tenant)s",
    "select 'wallet' as kind, id, customer, unit, status from wallet where tenant = %(tenant)s",
    "select 'lot' as kind, id, wallet, source, amount, remaining, held, gone, cost_minor, released_minor "
    "from grant_lot where tenant = %(tenant)s",
    "select 'invoice' as kind, id, customer, currency, status, payment_status, total_minor, paid_minor, paid_with, "
    "collector, provider_ref, discount_minor from invoice where tenant = %(tenant)s",
    "select 'purchase' as kind, id, customer, wallet, settlement, status, quantity, currency, net_minor, fee_minor, "
    "invoice, line, grant_lot, failures, balance_minor, card_minor, external_minor, discount_minor from purchase "
    "where tenant = %(tenant)s",
    "select 'pending_line' as kind, id, customer, status, net_minor, fee_minor, purchase, invoice, line "
    "from pending_line where tenant = %(tenant)s",
    "select 'auto_topup' as kind, id, customer, wallet, status, trigger, attempt, failures, failure_code "
    "from auto_topup where tenant = %(tenant)s",
    "select 'payment' as kind, id, customer, status, amount_minor, currency from payment where tenant = %(tenant)s",
    "select 'leg' as kind, l.id, payment, l.kind as means, status, amount_minor, wallet, quantity, provider_ref, "
    "charge_ref, received_minor from leg l where tenant = %(tenant)s",
    "select 'refund' as kind, id, leg, purchase, destination, made_by, status, amount_minor, provider_ref, grant_lot "
    "from refund where tenant = %(tenant)s",
    "select 'credit_note' as kind, id, invoice, total_minor, tax_minor, reduced_minor from credit_note "
    "where tenant = %(tenant)s",
    "select 'allocation' as kind, leg, invoice, minor from allocation where tenant = %(tenant)s",
    "select 'spend_hold' as kind, id, wallet, amount, lots, shares, status, settled, spend from spend_hold "
    "where tenant = %(tenant)s",
    "select 'hold' as kind, leg, grant_lot, quantity, minor, status from hold where tenant = %(tenant)s",
    "select 'case' as kind, question, subject, status from review_case where tenant = %(tenant)s",
    "select 'event' as kind, key, subject from event where tenant = %(tenant)s",
)
