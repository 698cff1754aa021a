"""What the tests of the API share: a house with its application, called in process."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from counterfoil.api.app import Options, create_app
from databases import Databases
from doors.api.caller import Caller
from houses import World, house_with_sandbox


@pytest.fixture
def world(database: str) -> Iterator[World]:
    with house_with_sandbox(database) as world:
        yield world


@pytest.fixture
def client(world: World) -> Iterator[TestClient]:
    """The application; it answers a fault of ours with a 500 instead of raising it here."""

    def follow(ahead: timedelta) -> None:
        world.clock.offset = ahead

    with TestClient(create_app(world.house, Options(follow)), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def api(world: World, client: TestClient) -> Caller:
    """A caller with every scope."""
    return Caller(client, world.key)


@pytest.fixture(scope="module")
def still_world(databases: Databases) -> Iterator[World]:
    """A house for all tests of a module whose requests are refused, so that nothing of them is left in it."""
    address = databases.migrated()
    with house_with_sandbox(address) as world:
        yield world
    databases.drop(address)


@pytest.fixture(scope="module")
def still_client(still_world: World) -> Iterator[TestClient]:
    with TestClient(create_app(still_world.house), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="module")
def still_api(still_world: World, still_client: TestClient) -> Caller:
    return Caller(still_client, still_world.key)
