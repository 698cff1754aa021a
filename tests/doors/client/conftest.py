"""What the tests of the client share: a real API on a socket, and clients of it on a line that may have troubles."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from counterfoil.api.app import create_app
from counterfoil.client import Billing, Patience, Unbooked
from databases import Databases
from doors.api.caller import Caller
from doors.client.serving import KnownAmbient, Line, Troubled, served
from houses import World, house_with_sandbox

SOON = Patience(deadline_s=5, timeout_s=3, tries_max=4, pause_first_s=0.01, pause_max_s=0.02)


@pytest.fixture(scope="module")
def world(databases: Databases) -> Iterator[World]:
    address = databases.migrated()
    with house_with_sandbox(address, timeout_s=30) as opened:
        yield opened
    databases.drop(address)


@pytest.fixture(scope="module")
def url(world: World) -> Iterator[str]:
    """The address of the API."""
    with served(create_app(world.house)) as address:
        yield address


@pytest.fixture(scope="module")
def api(world: World) -> Iterator[Caller]:
    """A caller in process, for setting the scene."""
    with TestClient(create_app(world.house)) as client:
        yield Caller(client, world.key)


@pytest.fixture
def line() -> Line:
    return Line()


@pytest.fixture
def told() -> list[Unbooked]:
    """What the client told of what it could not book."""
    return []


@pytest.fixture
def billing(world: World, url: str, line: Line, told: list[Unbooked]) -> Iterator[Billing]:
    """A client on a line that may have troubles."""
    made = Billing(
        world.key,
        url,
        patience=SOON,
        on_unbooked=told.append,
        transport=Troubled(line),
        ambient=KnownAmbient(world.clock),
    )
    with made:
        yield made
