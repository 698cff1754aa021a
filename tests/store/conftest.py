"""What the tests of the store share: one migrated database with two tenants in it."""

from collections.abc import Callable, Iterator

import pytest

from counterfoil.store.database import Database
from databases import Databases
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
def databases_of(databases: Databases) -> Iterator[Callable[[], Database]]:
    """A maker of databases like `house`, for tests that compare several."""
    opened: list[Database] = []

    def make() -> Database:
        dsn = databases.migrated()
        open_tenant(dsn)
        opened.append(Database(dsn, size=2))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


@pytest.fixture
def road(house: Database) -> Road:
    """Dana's books at acme."""
    made = Road(house)
    made.open_customer()
    return made
