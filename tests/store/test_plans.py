"""What a transaction reads is what it asks for, however large the tables are, and however small they were at first."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from core.factories import ACCOUNT, CUSTOMER, NOW
from counterfoil.core.facts import Source
from counterfoil.core.ids import PaymentId
from counterfoil.engine.load import Scope, load_books
from counterfoil.engine.upkeep import Growth
from counterfoil.store import erasing, inbox, journal, retention, spends, subjects, sweeps, upkeep
from counterfoil.store.database import Database, Tx
from counterfoil.store.inbox import News
from store.road import TENANT, Road

BATCH = 200
CROWD = 200
ROWS_MAX = 60
"""More than a customer with one payment has, and far less than the crowd."""


@pytest.fixture
def paying(road: Road) -> PaymentId:
    """Dana's payment, among the rows of many others."""
    road.fund(30)
    road.pay(road.bill(10_000))
    with road.database.transaction(TENANT) as tx:
        payment = tx.one("select id from payment where tenant = %(tenant)s")
    assert payment
    _multiply(road.database.dsn)
    return PaymentId(payment["id"])


def _multiply(dsn: str) -> None:
    """Copy every row of dana's, under other ids."""
    tables = "customer method wallet grant_lot invoice invoice_line payment leg allocation hold provider_order".split()
    with psycopg.connect(dsn, autocommit=True) as owner:
        for table in [*tables, "posting", "event"]:
            owner.execute(_copies(owner, table))
        owner.execute("analyze")


def _copies(owner: "psycopg.Connection[tuple[str, ...]]", table: str) -> bytes:
    names = owner.execute(
        "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 and attidentity = ''", (table,)
    ).fetchall()
    columns = ", ".join(f'"{name}"' for (name,) in names)
    # Every id of ours, of the provider and of an invoice gets the copy's own number as its end.
    ids = r"\m(([a-z]+_[0-9a-z]{26}|(cus|pm)_\w+|INV-\d+|dana))\M"
    changed = rf"regexp_replace(to_jsonb(t)::text, '{ids}', '\1' || copy, 'g')"
    kept = f"replace(replace({changed}, tenant || copy, tenant), '{ACCOUNT}' || copy, '{ACCOUNT}')"
    return (
        f"insert into {table} ({columns}) select {', '.join('made.' + name for name in columns.split(', '))} "
        f"from {table} t, generate_series(1000, {999 + CROWD}) as copy, "
        f"lateral jsonb_populate_record(null::{table}, {kept}::jsonb) as made"
    ).encode()


def test_a_flush_reads_its_own_wallets_and_lots_and_no_others(road: Road, paying: PaymentId) -> None:
    """A flush of many wallets was joined with every customer and lot of the tenant: 3 times the cost at 10,000."""
    with road.database.transaction(TENANT) as tx:
        wallets = [row["id"] for row in tx.rows("select id from wallet where tenant = %(tenant)s order by id limit 50")]
    assert len(wallets) == 50

    with _counted(road.database) as (tx, read):
        lots = [(lot, lot.remaining, lot.held) for _, lots in spends.locked(tx, wallets) for lot in lots]
        tx.together(spends.move(lots))

    assert len(lots) >= 50
    # A wallet is read twice, with its customer and unit; its lot to be drawn from and to be written; indexes count too.
    assert read[0] <= 12 * 50


READ = "select coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0)::int as n from pg_stat_xact_user_tables"


@contextmanager
def _counted(database: Database) -> Iterator[tuple[Tx, list[int]]]:
    """A transaction, and the number of rows that it made Postgres read."""
    read: list[int] = []
    with database.transaction(TENANT) as tx:
        (before,) = tx.rows(READ)  # what is left of earlier transactions
        yield tx, read
        (after,) = tx.rows(READ)
        read.append(after["n"] - before["n"])


def test_the_books_of_a_customer_are_read_without_those_of_others(road: Road, paying: PaymentId) -> None:
    with _counted(road.database) as (tx, read):
        books = load_books(tx, CUSTOMER, Scope(payments=(paying,), refs=("pi_1",), fees=("txn_1",)))

    assert books
    assert [each.id for each in books.payments] == [paying]
    assert read[0] < ROWS_MAX


def test_what_news_is_about_is_found_without_reading_others(road: Road, paying: PaymentId) -> None:
    with _counted(road.database) as (tx, read):
        subjects.leg_of_ref(tx, ACCOUNT, ["pi_1"])
        subjects.legs_of_refs(tx, [ACCOUNT], ["pi_1"])
        subjects.customer_of_ref(tx, ACCOUNT, "cus_1")
        subjects.method_asked_for(tx, CUSTOMER, "pm_1")
        journal.suspense_of(tx, ["pi_1"])
        journal.booked(tx, ["fee:txn_1"])
        inbox.awaited(tx, [paying])

    assert read[0] < ROWS_MAX


def test_a_sweep_reads_what_is_open(road: Road, paying: PaymentId) -> None:
    with road.database.transaction(TENANT) as tx:
        tx.run(
            "update leg set status = 'canceled', provider_ref = 'pi_' || id "
            "where tenant = %(tenant)s and kind = 'provider'"
        )
    with psycopg.connect(road.database.dsn, autocommit=True) as owner:
        owner.execute("vacuum analyze leg")

    with _counted(road.database) as (tx, read):
        assert sweeps.open_legs(tx, ACCOUNT, NOW) == []

    assert read[0] < ROWS_MAX


def test_a_connection_that_began_with_empty_tables_does_not_read_them_whole_when_they_have_grown(
    house: Database,
) -> None:
    """The checks of foreign keys are planned once per connection; those made for an empty table read all of it."""
    one = Database(house.dsn, size=1)
    growth = Growth()
    try:
        for batch in range(5):
            read = _take_in(one, batch)
            if growth.note(BATCH):
                with one.owner("") as tx:
                    upkeep.analyze(tx, upkeep.TAKEN_IN)
    finally:
        one.close()

    assert read < BATCH * 10


def _take_in(database: Database, batch: int) -> int:
    """Store a batch of webhooks, and give how many rows were read for it."""
    news = [
        News(f"pevt_{batch}_{n}", Source.WEBHOOK, "test", f"event:{batch}:{n}", NOW, NOW, body=b"{}")
        for n in range(BATCH)
    ]
    with _counted(database) as (tx, read):
        inbox.put_all(tx, news)
    return read[0]


def test_tables_are_looked_at_again_whenever_they_have_grown_by_a_factor() -> None:
    growth = Growth()

    asked = [growth.note(32) for _ in range(40)]

    assert [number for number, due in enumerate(asked, 1) if due] == [2, 8, 32]
    assert growth.note(10**9)
    assert not growth.note(10**9)


def test_an_erasure_reads_what_is_about_its_customer(road: Road, paying: PaymentId) -> None:
    with _counted(road.database) as (tx, read):
        dana = subjects.customer(tx, CUSTOMER)
        assert dana
        erasing.erase_customer(tx, dana, NOW)

    assert read[0] < ROWS_MAX


def test_upkeep_reads_one_page(road: Road) -> None:
    """Of what is younger it reads no more than that."""
    with road.database.transaction(TENANT) as tx:
        for number in range(CROWD):
            inbox.put(tx, News(f"pevt_{number:04}", Source.API, "test", f"crowd:{number}", NOW, NOW, body=b"{}"))
    with psycopg.connect(road.database.dsn, autocommit=True) as owner:
        owner.execute("analyze")
    with _counted(road.database) as (tx, read):
        page = retention.drop_bodies(tx, "", NOW, 10)
        retention.drop_keys(tx, "", NOW, 10)
        retention.drop_bodies_of_erased(tx, 10)
    assert (page.dropped, page.last) == (0, None)
    assert read[0] < ROWS_MAX
