"""Hosted checkouts that the host application made and that were claimed as the payment of something of ours."""

from typing import Final

from counterfoil.core.ids import ProviderRef
from counterfoil.core.money import Money
from counterfoil.store.database import Tx


def claimed_checkouts(tx: Tx, account: str, received: Money, customer_ref: str | None) -> tuple[ProviderRef, ...]:
    """Give claimed checkouts that have no payment yet and may be what this money is of, the likeliest first."""
    rows = tx.rows(
        r"""
        select l.provider_ref from leg l
        join payment p on p.tenant = l.tenant and p.id = l.payment
        join customer c on c.tenant = p.tenant and c.id = p.customer
        where l.tenant = %(tenant)s and l.account = %(account)s and l.kind = 'provider'
            and l.status in ('processing', 'requires_action') and l.provider_ref like 'cs\_%%'
            and l.claim = 'unchecked' and l.currency = %(currency)s
            and (%(customer)s::text is null or c.provider_ref is null or c.provider_ref = %(customer)s)
        order by l.amount_minor <> %(minor)s, l.created_at desc, l.id
        limit %(most)s
        """,
        account=account,
        currency=received.currency,
        minor=received.minor,
        customer=customer_ref,
        most=CHECKOUTS_MAX,
    )
    return tuple(ProviderRef(row["provider_ref"]) for row in rows)


CHECKOUTS_MAX: Final = 5
"""So many are looked at for one payment; a checkout that is not among them settles when its own news comes."""
