"""The list of tenants. Only the owner of the schema sees more than one (`Database.owner`)."""

from counterfoil.store.accounts import Tenant
from counterfoil.store.database import Tx


def tenants(tx: Tx) -> tuple[Tenant, ...]:
    """Give every tenant, oldest first."""
    rows = tx.rows("select id, name, mode, created_at, paused from tenant order by created_at, id")
    return tuple(Tenant(**row) for row in rows)
