"""What the tests of the console share: its pages called in process, and one served for a browser."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from counterfoil.console.app import create_console
from databases import Databases
from doors.console.serving import Shown, furnish, served
from houses import World, house_with_sandbox


@pytest.fixture
def world(database: str) -> Iterator[World]:
    with house_with_sandbox(database) as opened:
        yield opened


@pytest.fixture
def stranger(world: World) -> Iterator[TestClient]:
    """A browser that nobody signed in with. It follows no redirect by itself."""
    with TestClient(create_console(world.house), "http://console.test", follow_redirects=False) as client:
        client.headers["Accept"] = "text/html"
        yield client


@pytest.fixture
def visitor(world: World, stranger: TestClient) -> TestClient:
    """A browser that is signed in."""
    assert stranger.post("/sign-in", data={"key": world.key}).status_code == 303
    return stranger


@pytest.fixture(scope="session")
def shown(databases: Databases) -> Iterator[Shown]:
    """A served console with stories in it. Tests only look at it."""
    address = databases.migrated()
    with house_with_sandbox(address, timeout_s=30) as world:
        story, ids = furnish(world)
        with served(world.house) as url:
            yield Shown(url, world, story, ids)
    databases.drop(address)
