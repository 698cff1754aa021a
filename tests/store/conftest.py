"""What the tests of the store share: one migrated database with two tenants in it."""

from collections.abc import Iterator

import pytest

from counterfoil.store.database import Database
from store.road import OTHER, Road, open_tenant


@pytest.fixture
def house(database: str) -> Iterator[Database]:
    """A database with the tenants acme and other."""
    open_tenant(database)
    open_tenant(database, OTHER, "other")
    opened = Database(database, size=4)
    yield opened
    opened.close()


@pytest.fixture
def road(house: Database) -> Road:
    """Dana's books at acme."""
    made = Road(house)
    made.open_customer()
    return made
