"""The schedules of dunning that a tenant declared: versions, of which the last one holds."""

from datetime import datetime

from counterfoil.core.dunning_terms import DunningPolicy
from counterfoil.store.codec import decode, to_json
from counterfoil.store.database import Tx


def policy(tx: Tx) -> DunningPolicy:
    """Give the schedule that holds: the last one, or what holds before any was declared."""
    row = tx.one("select terms from dunning_policy where tenant = %(tenant)s order by version desc limit 1")
    found = decode(row["terms"]) if row else DunningPolicy()
    assert isinstance(found, DunningPolicy)
    return found


def put_policy(tx: Tx, wanted: DunningPolicy, now: datetime) -> None:
    """Add a version of the schedule."""
    tx.run(
        """
        insert into dunning_policy (tenant, version, terms, created_at)
        values (%(tenant)s, %(version)s, %(terms)s, %(now)s)
        """,
        version=wanted.version,
        terms=to_json(wanted),
        now=now,
    )
