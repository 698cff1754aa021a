"""The journal only grows, entry by entry, each whole: whatever program writes, as the application or as the owner."""

from contextlib import suppress
from typing import Any

import psycopg
import pytest
from psycopg.errors import CheckViolation, InsufficientPrivilege, RestrictViolation, UniqueViolation

from core.factories import NOW
from counterfoil.core.journal import Account, Entry, Posting
from counterfoil.store import journal
from counterfoil.store.database import Database
from store.raw import POSTING, as_app, as_owner, posting
from store.road import TENANT

TWO = [posting(entry="test:2", n=1, of_n=2), posting(entry="test:2", n=2, of_n=2, credit="tax_payable")]


def insert(connection: psycopg.Connection[Any], *postings: dict[str, Any]) -> None:
    """Insert postings in one statement, as a program that does not know the rules might."""
    names = [name for name in posting() if name != "at"]
    columns = ", ".join([*names, "occurred_at", "effective_at", "recorded_at"])
    values = ", ".join(
        f"({', '.join([*(f'%({name}_{index})s' for name in names), *[f'%(at_{index})s'] * 3])})"
        for index in range(len(postings))
    )
    given = {f"{name}_{index}": value for index, each in enumerate(postings) for name, value in each.items()}
    connection.execute(f"insert into posting ({columns}) values {values}".encode(), given)


@pytest.fixture
def written(house: Database) -> str:
    """A database with one entry of two postings and a decision in it."""
    with as_owner(house.dsn) as connection:
        insert(connection, *TWO)
        connection.execute(
            """
            insert into inbox (tenant, id, source, kind, status, identity, occurred_at, received_at, last_delivered_at)
            values (%s, 'pevt_1', 'api', 'test', 'decided', 'test', %s, %s, %s)
            """,
            (TENANT, NOW, NOW, NOW),
        )
        connection.execute(
            "insert into decision (tenant, id, inbox, rule, outcome, reason, sentence, inputs, effects, decided_at)"
            " values (%s, 'dec_1', 'pevt_1', 'test@1', 'applied', 'test', 'It was.', '{}', '[]', %s)",
            (TENANT, NOW),
        )
        connection.execute("insert into decision_about values (%s, 'test', 'dec_1')", (TENANT,))
    return house.dsn


@pytest.mark.parametrize("table", ["posting", "decision", "decision_about"])
@pytest.mark.parametrize("change", ["update {} set tenant = tenant", "delete from {}", "truncate {} cascade"])
class TestOnlyGrows:
    def test_the_application_may_not_change_what_is_written(self, written: str, table: str, change: str) -> None:
        with as_app(written) as connection, pytest.raises(InsufficientPrivilege):
            connection.execute(change.format(table).encode())

    def test_the_owner_is_stopped_as_well(self, written: str, table: str, change: str) -> None:
        with as_owner(written) as connection, pytest.raises(RestrictViolation, match="only grows"):
            connection.execute(change.format(table).encode())


@pytest.mark.parametrize(
    "postings",
    [
        pytest.param([posting(n=1, of_n=2)], id="the first of two alone"),
        pytest.param([posting(n=2, of_n=2)], id="the second of two alone"),
        pytest.param([posting(n=1, of_n=3), posting(n=3, of_n=3)], id="a hole"),
        pytest.param([posting(n=1, of_n=2), posting(n=2, of_n=3)], id="two sizes"),
        pytest.param([posting(n=1, of_n=2), posting(n=2, of_n=2, subject="other")], id="two subjects"),
        pytest.param([posting(n=1, of_n=2), posting(n=2, of_n=2, decision="dec_2")], id="two decisions"),
        pytest.param([posting(n=0, of_n=1)], id="the zeroth"),
        pytest.param([posting(n=2, of_n=1)], id="the second of one"),
        pytest.param([posting(of_n=0)], id="of none"),
        pytest.param([posting(credit="receivable:dana")], id="to itself"),
        pytest.param([posting(amount=0)], id="nothing"),
        pytest.param([posting(amount=-1)], id="less than nothing"),
        pytest.param([posting(unit="usd-credit")], id="credits in money accounts"),
        pytest.param([posting(debit="issued", credit="grant:g1")], id="money in service accounts"),
        pytest.param([posting(credit="grant:g1")], id="a money and a service account"),
        pytest.param([posting(unit="usd-credit", debit="issued")], id="a service and a money account"),
        pytest.param([posting(credit="savings")], id="an account that is none"),
        pytest.param([posting(unit="Usd")], id="a unit that is none"),
        pytest.param([posting(unit="USDT")], id="a currency that is none"),
    ],
)
def test_a_broken_entry_is_refused(house: Database, postings: list[dict[str, Any]]) -> None:
    with as_app(house.dsn) as connection, pytest.raises(CheckViolation):
        insert(connection, *postings)


def test_whole_entries_are_taken(house: Database) -> None:
    with as_app(house.dsn) as connection:
        insert(
            connection, *TWO, posting(), posting(entry="test:3", unit="usd-credit", debit="issued", credit="grant:g")
        )


def test_an_entry_s_key_is_unique_for_ever(written: str) -> None:
    with as_app(written) as connection, pytest.raises(UniqueViolation):
        insert(connection, *TWO)


@pytest.mark.parametrize(
    "late",
    [
        [posting(entry="test:2", n=3, of_n=3)],
        [posting(entry="test:2", n=3, of_n=2)],
        [posting(entry="test:2", n=2, of_n=3), posting(entry="test:2", n=3, of_n=3)],
        [
            posting(entry="test:2", n=1, of_n=3),
            posting(entry="test:2", n=2, of_n=3),
            posting(entry="test:2", n=3, of_n=3),
        ],
    ],
)
class TestLatePosting:
    def test_in_a_later_transaction(self, written: str, late: list[dict[str, Any]]) -> None:
        with as_app(written) as connection, pytest.raises((CheckViolation, UniqueViolation)):
            insert(connection, *late)

    def test_in_the_same_transaction(self, house: Database, late: list[dict[str, Any]]) -> None:
        with as_app(house.dsn) as connection:
            insert(connection, *TWO)
            with pytest.raises((CheckViolation, UniqueViolation)):
                insert(connection, *late)

    def test_behind_a_savepoint(self, house: Database, late: list[dict[str, Any]]) -> None:
        with as_app(house.dsn) as connection:
            with connection.transaction():
                insert(connection, *TWO)
            with pytest.raises((CheckViolation, UniqueViolation)), connection.transaction():
                insert(connection, *late)
            assert connection.execute("select count(*) from posting").fetchone() == (2,)

    def test_by_a_statement_that_shrugs_at_conflicts(self, written: str, late: list[dict[str, Any]]) -> None:
        with as_app(written) as connection:
            for each in late:
                with suppress(CheckViolation), connection.transaction():
                    connection.execute(f"{POSTING} on conflict do nothing".encode(), each)
            assert connection.execute("select count(*) from posting").fetchone() == (2,)


def test_an_entry_in_two_statements_is_refused_at_the_first(house: Database) -> None:
    with as_app(house.dsn) as connection, pytest.raises(CheckViolation, match="not whole"):
        connection.execute(POSTING.encode(), TWO[0])


def test_an_upsert_can_t_rewrite_a_posting(written: str) -> None:
    with as_owner(written) as connection, pytest.raises(RestrictViolation):
        connection.execute(f"{POSTING} on conflict (tenant, entry, n) do update set amount = 1".encode(), TWO[0])


def test_a_copy_is_held_to_the_same(house: Database) -> None:
    values = [TWO[0][name] for name in list(TWO[0])[:-1]] + [NOW] * 3
    names = ", ".join([*list(TWO[0])[:-1], "occurred_at", "effective_at", "recorded_at"])

    with as_owner(house.dsn) as connection, pytest.raises(CheckViolation, match="not whole"):
        copy_row(connection, f"copy posting ({names}) from stdin", values)


def copy_row(connection: psycopg.Connection[Any], sql: str, values: list[Any]) -> None:
    with connection.cursor().copy(sql.encode()) as copy:
        copy.write_row(values)


def test_entries_are_posted_and_read_back(house: Database) -> None:
    entry = Entry(
        "invoice:1:finalized",
        "inv_1",
        NOW,
        (
            Posting(Account("receivable", "dana"), Account("revenue"), "USD", 9_000),
            Posting(Account("receivable", "dana"), Account("tax_payable"), "USD", 1_000),
        ),
    )

    with house.transaction(TENANT) as tx:
        journal.post(tx, [entry], "dec_1", NOW)

    with house.transaction(TENANT) as tx:
        assert tuple(map(journal.posting_of, journal.all_postings(tx))) == entry.postings
        assert journal.balance(tx, "receivable:dana", "USD") == 10_000
        assert journal.balance(tx, "revenue", "USD") == -9_000
        assert journal.booked(tx, [entry.key, "another"]) == {entry.key}
        assert {row["account"]: (row["debit"], row["credit"]) for row in journal.trial_balance(tx)} == {
            "receivable:dana": (10_000, 0),
            "revenue": (0, 9_000),
            "tax_payable": (0, 1_000),
        }


def test_an_empty_entry_is_a_bug(house: Database) -> None:
    with pytest.raises(AssertionError, match="is empty"), house.transaction(TENANT) as tx:
        journal.post(tx, [Entry("test:empty", "inv_1", NOW, ())], "dec_1", NOW)


def test_money_in_suspense_is_what_came_less_what_went(house: Database) -> None:
    came = Entry("s:1", "pi_1", NOW, (Posting(Account("clearing", "a"), Account("suspense", "pi_1"), "USD", 500),))
    went = Entry("s:2", "pi_1", NOW, (Posting(Account("suspense", "pi_1"), Account("receivable", "c"), "USD", 500),))

    with house.transaction(TENANT) as tx:
        journal.post(tx, [came], "dec_1", NOW)
        assert journal.suspense_of(tx, ["pi_1", "pi_2"]) == [("pi_1", 500)]
        journal.post(tx, [went], "dec_1", NOW)
        assert journal.suspense_of(tx, ["pi_1", "pi_2"]) == [("pi_1", 0)]


def test_a_balance_may_be_larger_than_one_amount(house: Database) -> None:
    most = 2**63 - 1
    entries = [
        Entry(f"t:{n}", "x", NOW, (Posting(Account("bank"), Account("opening"), "USD", most),)) for n in range(3)
    ]

    with house.transaction(TENANT) as tx:
        journal.post(tx, entries, "dec_1", NOW)
        assert journal.balance(tx, "bank", "USD") == 3 * most
