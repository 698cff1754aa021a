"""What every test may ask for: a Postgres server, fresh databases, a browser. Missing ones fail; they never skip."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from counterfoil.store.server import NOT_DURABLE, EmbeddedPostgres, Running, find_postgres, server_for
from databases import Databases

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

# Short, because a socket's path has room for 107 bytes.
SERVERS = Path("/tmp")
SERVER_PREFIX = "counterfoil-test-"


@pytest.fixture(scope="session")
def postgres_dsn() -> Iterator[str]:
    """The address of this session's server: the one that DATABASE_URL names, else an embedded one of its own."""
    given = server_for(os.environ, SERVERS) if os.environ.get("DATABASE_URL") else None
    if isinstance(given, Running):
        yield given.dsn
        return
    _remove_abandoned_servers()
    home = Path(tempfile.mkdtemp(prefix=SERVER_PREFIX, dir=SERVERS))
    home.chmod(0o711)  # as root the server runs as somebody else, who has to get in
    server = EmbeddedPostgres(home, find_postgres(os.environ), settings=NOT_DURABLE | {"max_connections": "300"})
    try:
        yield server.start().dsn
    finally:
        server.stop()
        shutil.rmtree(home)


def _remove_abandoned_servers() -> None:
    """A killed run leaves its server behind; nobody uses it any more, which is when it can be stopped."""
    for home in SERVERS.glob(f"{SERVER_PREFIX}*"):
        is_ours = home.is_dir() and home.stat().st_uid == os.geteuid()
        if is_ours and (home / "use.lock").exists() and EmbeddedPostgres(home).stop():
            shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def databases(postgres_dsn: str) -> Iterator[Databases]:
    """The maker of databases; those it made are dropped when the session ends."""
    made = Databases(postgres_dsn)
    yield made
    made.drop_all()


@pytest.fixture
def database(databases: Databases) -> Iterator[str]:
    """The address of a fresh database with the product's schema, for one test."""
    address = databases.migrated()
    yield address
    databases.drop(address)


@pytest.fixture
def empty_database(databases: Databases) -> Iterator[str]:
    """The address of a fresh database with nothing in it, for one test."""
    address = databases.empty()
    yield address
    databases.drop(address)


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    """Debian's Chromium, driven by Playwright."""
    from playwright.sync_api import sync_playwright  # slow to import, and few tests look at pages

    program = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
    if not os.access(program, os.X_OK):
        pytest.fail("no browser: run `sudo apt-get install -y chromium` (or set CHROMIUM)", pytrace=False)
    # Chromium's own sandbox refuses root.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: "Browser") -> "Iterator[Page]":
    """A page in a context of its own: no cookie or setting outlives the test."""
    context = browser.new_context()
    yield context.new_page()
    context.close()
