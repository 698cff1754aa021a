"""Declaring how the host application writes our invoices into the metadata of its own payments."""

from dataclasses import replace

from counterfoil.core.mapping import MetadataMapping
from counterfoil.engine.house import House
from counterfoil.engine.views import View
from counterfoil.store import accounts, mappings
from counterfoil.store.database import Tx


def declare(house: House, tenant: str, wanted: MetadataMapping) -> MetadataMapping:
    """Declare the mapping. What says nothing new stays as it is; what does is the next revision."""

    def work(tx: Tx) -> MetadataMapping:
        accounts.lock_setup(tx)
        held = mappings.current(tx)
        if held == replace(wanted, revision=held.revision):
            return held
        declared = replace(wanted, revision=held.revision + 1)
        mappings.put(tx, declared, house.clock.now())
        return declared

    return house.transact(tenant, work)


def show(mapping: MetadataMapping) -> View:
    """Show a mapping."""
    return {
        "object": "metadata_mapping",
        "revision": mapping.revision,
        "version": mapping.version,
        "key": mapping.key or None,
        "forms": list(mapping.forms),
    }
