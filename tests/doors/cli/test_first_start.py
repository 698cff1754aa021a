"""Several processes that begin on an empty database at once make everything once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Barrier

import psycopg
import pytest

from counterfoil.engine import setup
from counterfoil.engine.setup import DEFAULT_TENANT, Connection
from counterfoil.store.sealing import MasterKeyUnknown
from counterfoil.wiring import Configuration, build
from doors.cli.commands import data_directory, started

KEY = "a-master-key-of-tests"
TOGETHER = 8
STRIPE = {
    "COUNTERFOIL_MASTER_KEY": KEY,
    "COUNTERFOIL_STRIPE_API_KEY": "sk_test_first",
    "COUNTERFOIL_STRIPE_API_BASE": "http://127.0.0.1:9",
    "COUNTERFOIL_STRIPE_WEBHOOK_SECRET": "whsec_first",
}


def counts(database: str) -> dict[str, int]:
    tables = ("tenant", "provider_account", "webhook_endpoint", "endpoint_route", "master_key")
    with psycopg.connect(database) as connection:
        rows = {name: connection.execute(f"select count(*) from {name}".encode()).fetchone() for name in tables}
    return {name: row[0] for name, row in rows.items() if row}


ONE_OF_EACH = {"tenant": 1, "provider_account": 1, "webhook_endpoint": 1, "endpoint_route": 1, "master_key": 1}


def begin(database: str, master_key: str, barrier: Barrier) -> str:
    """Set up what a first start sets up, at the same time as the others; give the account."""
    house = build(Configuration(database, master_key, pool_size=1))
    try:
        barrier.wait(20)
        tenant = setup.ensure_tenant(house, "default", "test", DEFAULT_TENANT)
        return setup.connect(house, tenant.id, Connection("sk_test_first", ("whsec_first",))).id
    finally:
        house.database.close()  # type: ignore[attr-defined]


def test_many_that_begin_at_once_make_one_of_each(database: str) -> None:
    barrier = Barrier(TOGETHER)
    with ThreadPoolExecutor(TOGETHER) as threads:
        accounts = list(threads.map(lambda _: begin(database, KEY, barrier), range(TOGETHER)))

    assert len(set(accounts)) == 1
    assert counts(database) == ONE_OF_EACH


def test_of_those_with_different_master_keys_one_begins_and_the_others_are_refused(database: str) -> None:
    """Each would seal what the others can't open."""
    barrier = Barrier(TOGETHER)
    with ThreadPoolExecutor(TOGETHER) as threads:
        begun = [threads.submit(begin, database, f"{KEY}-{number}", barrier) for number in range(TOGETHER)]
        errors = [each.exception() for each in begun]

    assert sum(error is None for error in errors) == 1
    assert all(isinstance(error, MasterKeyUnknown) for error in errors if error)
    assert counts(database) == ONE_OF_EACH


@pytest.fixture
def homes() -> Iterator[list[Path]]:
    with ExitStack() as stack:
        yield [stack.enter_context(data_directory()) for _ in range(2)]


def test_two_processes_that_migrate_and_begin_at_once_both_serve(empty_database: str, homes: list[Path]) -> None:
    options = ("up", "--port", "0", "--no-sandbox")
    with ExitStack() as stack:
        both = [stack.enter_context(started(home, *options, DATABASE_URL=empty_database, **STRIPE)) for home in homes]
        urls = {each.url for each in both}
        held = counts(empty_database)
        codes = [each.stop() for each in both]

    assert len(urls) == 2
    assert held == ONE_OF_EACH
    assert codes == [0, 0]
