"""Number series: an auditor counts them, so there is no gap and no number twice, whatever fails or meets."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.errors import CheckViolation

from counterfoil.core.papers import PREFIXES, PaperKind, numbered, place_of
from counterfoil.store import numbers
from counterfoil.store.database import CommitUnknown, Database, Tx
from store.raw import as_owner
from store.road import OTHER, TENANT

TRIES = 60


@pytest.fixture
def crowd(database: str, house: Database) -> Iterator[Database]:
    """The same database, with room for twenty at once."""
    opened = Database(database, size=20, timeout_s=30.0)
    yield opened
    opened.close()


def cut(house: Database, tx: Tx) -> None:
    """Cut the connection of a transaction, as the death of its process does."""
    mine = tx.one("select pg_backend_pid() as pid")
    assert mine is not None
    with as_owner(house.dsn) as connection:
        connection.execute("select pg_terminate_backend(%s, 5000)", (mine["pid"],))


def finalize(house: Database, ending: str) -> str | None:
    """Take a number and use it, roll back, or die. None when it was not used."""
    try:
        with house.transaction(TENANT) as tx:
            taken = numbers.take(tx, PaperKind.INVOICE)
            if ending == "fails":
                raise LookupError("something else went wrong")
            if ending == "dies":
                cut(house, tx)
    except (LookupError, CommitUnknown):
        return None
    return taken


def test_twenty_at_once_with_failures_and_deaths_leave_no_gap_and_no_number_twice(crowd: Database) -> None:
    endings = Random(7).choices(["uses it", "fails", "dies"], weights=[6, 3, 1], k=TRIES)
    assert set(endings) == {"uses it", "fails", "dies"}

    with ThreadPoolExecutor(20) as callers:
        used = list(callers.map(lambda ending: finalize(crowd, ending), endings))

    taken = sorted(each for each in used if each)
    assert taken == [numbered("INV-", place) for place in range(1, endings.count("uses it") + 1)]


def test_each_kind_and_each_tenant_counts_for_itself(house: Database) -> None:
    with house.transaction(TENANT) as tx:
        ours = [numbers.take(tx, kind) for kind in (PaperKind.INVOICE, PaperKind.RECEIPT, PaperKind.CREDIT_NOTE)]
    with house.transaction(OTHER) as tx:
        theirs = numbers.take(tx, PaperKind.INVOICE)

    assert (ours, theirs) == (["INV-000001", "RCT-000001", "CN-000001"], "INV-000001")


def test_another_prefix_goes_on_counting(house: Database) -> None:
    with house.transaction(TENANT) as tx:
        numbers.take(tx, PaperKind.INVOICE)
        numbers.set_prefix(tx, PaperKind.INVOICE, "RE-2026/")
        numbers.set_prefix(tx, PaperKind.CREDIT_NOTE, "GS ")

        assert numbers.take(tx, PaperKind.INVOICE) == "RE-2026/000002"
        assert numbers.take(tx, PaperKind.CREDIT_NOTE) == "GS 000001"


@pytest.mark.parametrize("prefix", ["INV-1", "", "a" * 21, "INV\n"])
def test_a_prefix_that_would_hide_the_place_is_refused_by_the_database(house: Database, prefix: str) -> None:
    """With a prefix that ends in a digit two numbers could read the same."""
    with pytest.raises(CheckViolation), house.transaction(TENANT) as tx:
        numbers.set_prefix(tx, PaperKind.INVOICE, prefix)


@given(st.sampled_from([*PREFIXES.values(), "2026/A "]), st.integers(1, 10**12))
def test_a_number_says_its_place(prefix: str, place: int) -> None:
    assert place_of(numbered(prefix, place)) == place
