"""What the tests of the API share: a house with its application, called in process."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from counterfoil.api.app import Options, create_app
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
