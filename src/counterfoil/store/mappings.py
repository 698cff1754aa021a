"""How the host application writes our invoices into metadata: versions, of which the last one holds."""

from datetime import datetime

from counterfoil.core.mapping import MetadataMapping
from counterfoil.store.codec import decode, to_json
from counterfoil.store.database import Tx


def current(tx: Tx) -> MetadataMapping:
    """Give the mapping that holds: the last one, or one that names no key."""
    row = tx.one("select terms from metadata_mapping where tenant = %(tenant)s order by version desc limit 1")
    found = decode(row["terms"]) if row else MetadataMapping()
    assert isinstance(found, MetadataMapping)
    return found


def put(tx: Tx, wanted: MetadataMapping, now: datetime) -> None:
    """Add a version of the mapping."""
    tx.run(
        """
        insert into metadata_mapping (tenant, version, terms, created_at)
        values (%(tenant)s, %(version)s, %(terms)s, %(now)s)
        """,
        version=wanted.revision,
        terms=to_json(wanted),
        now=now,
    )
