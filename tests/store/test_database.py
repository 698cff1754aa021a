"""Transactions: of one tenant, whole or not at all; and when the connection breaks, nobody claims to know."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from psycopg.errors import InsufficientPrivilege, ReadOnlySqlTransaction, UniqueViolation

from core.factories import ACCOUNT, CUSTOMER, NOW, customer
from counterfoil.core.facts import Source
from counterfoil.core.money import USD_CREDIT
from counterfoil.core.papers import PaperKind
from counterfoil.store import accounts, inbox, numbers, subjects
from counterfoil.store.accounts import Account, Endpoint, EndpointTaken, Key, Tenant
from counterfoil.store.database import CommitUnknown, Database, DatabaseUnavailable, Tx
from counterfoil.store.inbox import News
from counterfoil.store.migrate import migrate
from counterfoil.store.secrets import SecretBox, hash_key
from counterfoil.store.server import NOT_DURABLE, EmbeddedPostgres
from store.raw import as_app, as_owner
from store.road import OTHER, TENANT, open_tenant

BOX = SecretBox("a-master-key-of-some-length")


def count(house: Database) -> int:
    with house.transaction(TENANT) as tx:
        row = tx.one("select count(*) as n from number_series")
    assert row is not None
    return int(row["n"])


def test_a_transaction_commits_when_its_block_ends(house: Database) -> None:
    with house.transaction(TENANT) as tx:
        numbers.take(tx, PaperKind.INVOICE)

    assert count(house) == 1


def fail_after_writing(house: Database) -> None:
    with house.transaction(TENANT) as tx:
        numbers.take(tx, PaperKind.INVOICE)
        raise LookupError("something else went wrong")


def test_a_transaction_leaves_nothing_when_its_block_fails(house: Database) -> None:
    with pytest.raises(LookupError):
        fail_after_writing(house)

    assert count(house) == 0


def write_twice(house: Database) -> None:
    with house.transaction(TENANT) as tx:
        numbers.take(tx, PaperKind.INVOICE)
        tx.run("insert into number_series values (%(tenant)s, 'invoice', 'INV-', 1)")


def test_a_refused_statement_is_told_apart_from_a_broken_connection(house: Database) -> None:
    with pytest.raises(UniqueViolation):
        write_twice(house)

    assert count(house) == 0


def kill_own_backend(house: Database, tx: Tx) -> None:
    mine = tx.one("select pg_backend_pid() as pid")
    assert mine is not None
    with as_owner(house.dsn) as connection:
        connection.execute("select pg_terminate_backend(%s, 5000)", (mine["pid"],))


def write_on_a_killed_connection(house: Database) -> None:
    with house.transaction(TENANT) as tx:
        numbers.take(tx, PaperKind.INVOICE)
        kill_own_backend(house, tx)
        numbers.take(tx, PaperKind.INVOICE)


def commit_on_a_killed_connection(house: Database) -> None:
    with house.transaction(TENANT) as tx:
        numbers.take(tx, PaperKind.INVOICE)
        kill_own_backend(house, tx)


def fail_with(house: Database, sqlstate: str) -> None:
    with house.transaction(TENANT) as tx:
        tx.run("select set_config('test.state', %(state)s, true)", state=sqlstate)
        tx.run("do $$ begin raise exception using errcode = current_setting('test.state'); end $$")


@pytest.mark.parametrize("sqlstate", ["53100", "53200", "53300"])
def test_a_server_without_room_is_unavailable_and_the_connection_stays_usable(house: Database, sqlstate: str) -> None:
    """A full disk is no fault of the work at hand: it is tried again, never parked."""
    with pytest.raises(DatabaseUnavailable):
        fail_with(house, sqlstate)

    with house.transaction(TENANT) as tx:
        assert tx.one("select 1 as one") == {"one": 1}


@pytest.mark.parametrize("work", [write_on_a_killed_connection, commit_on_a_killed_connection])
def test_a_connection_that_broke_leaves_the_commit_unknown(house: Database, work: Callable[[Database], None]) -> None:
    with pytest.raises(CommitUnknown):
        work(house)

    assert count(house) == 0, "the next transaction gets a connection that works"


def test_a_snapshot_sees_one_instant_and_can_t_write(house: Database) -> None:
    with house.snapshot(TENANT) as tx:
        before = tx.rows("select * from number_series")
        with house.transaction(TENANT) as other:
            numbers.take(other, PaperKind.INVOICE)
        assert tx.rows("select * from number_series") == before == []
        with pytest.raises(ReadOnlySqlTransaction):
            numbers.take(tx, PaperKind.INVOICE)


def test_two_streams_may_be_read_side_by_side(house: Database) -> None:
    with house.transaction(TENANT) as tx:
        numbers = tx.stream("select n from generate_series(1, 2500) n order by n")
        doubles = tx.stream("select n * 2 as n from generate_series(1, 2500) n order by n")

        assert all(one["n"] * 2 == two["n"] for one, two in zip(numbers, doubles, strict=True))


def test_only_the_owner_makes_a_tenant(house: Database) -> None:
    made = Tenant("tnt_new", "new", "test", NOW)

    with pytest.raises(InsufficientPrivilege), house.transaction(made.id) as tx:
        accounts.put_tenant(tx, made)
    with house.owner(made.id) as tx:
        accounts.put_tenant(tx, made)
    with house.transaction(made.id) as tx:
        assert accounts.tenant(tx) == made
    with house.transaction(OTHER) as tx:
        assert accounts.tenant(tx) != made


# --- a server that goes and comes back ---


@pytest.fixture
def own_server() -> Iterator[EmbeddedPostgres]:
    """A server of this test alone, to be stopped in the middle."""
    with TemporaryDirectory(prefix="counterfoil-gone-", dir="/tmp") as home:
        Path(home).chmod(0o711)  # as root the server runs as somebody else, who has to get in
        server = EmbeddedPostgres(Path(home), settings=NOT_DURABLE)
        yield server
        server.stop()


def test_a_server_that_is_gone_is_said_to_be_unavailable_and_nothing_is_lost(own_server: EmbeddedPostgres) -> None:
    dsn = own_server.start().dsn
    migrate(dsn)
    open_tenant(dsn)
    house = Database(dsn, size=2, timeout_s=2.0)
    with house.transaction(TENANT) as tx:
        numbers.take(tx, PaperKind.INVOICE)

    own_server.stop()
    with pytest.raises((DatabaseUnavailable, CommitUnknown)):
        count(house)
    with pytest.raises(DatabaseUnavailable, match="no connection"):
        count(house)
    own_server.start()

    assert count_when_back(house) == 1
    house.close()


def count_when_back(house: Database) -> int:
    """Ask until there is an answer: the pool looks for the server again by itself, within its own time-out."""
    for _ in range(5):
        with suppress(DatabaseUnavailable):
            return count(house)
    return count(house)


# --- accounts ---


def account(mode: str = "live", key: str = "sk_test_1") -> Account:
    return Account(ACCOUNT, False, mode, NOW, key)


def test_a_provider_account_keeps_its_key_sealed(house: Database) -> None:
    with house.transaction(TENANT) as tx:
        accounts.put_account(tx, BOX, account())
    with house.transaction(TENANT) as tx:
        assert accounts.account(tx, BOX, ACCOUNT) == account()
        stored = tx.one("select secret_box from provider_account")

    assert stored is not None
    assert b"sk_test_1" not in bytes(stored["secret_box"])
    assert "sk_test_1" not in repr(account())


def test_connecting_again_replaces_key_and_mode(house: Database) -> None:
    for wanted in (account(), account("observe", "sk_test_2")):
        with house.transaction(TENANT) as tx:
            accounts.put_account(tx, BOX, wanted)

    with house.transaction(TENANT) as tx:
        assert accounts.accounts(tx, BOX) == (account("observe", "sk_test_2"),)


def test_an_endpoint_routes_to_its_tenant(house: Database) -> None:
    wanted = Endpoint(TENANT, "default", ACCOUNT, ("whsec_1", "whsec_2"), False, None)
    with house.transaction(TENANT) as tx:
        accounts.put_account(tx, BOX, account())
        accounts.put_endpoint(tx, BOX, wanted, None, NOW)

    with house.claims() as tx:
        assert accounts.route(tx, "default") == TENANT
        assert accounts.route(tx, "another") is None
        assert accounts.endpoint(tx, BOX, "default") is None, "without a tenant nothing is opened"
    with house.transaction(TENANT) as tx:
        assert accounts.endpoint(tx, BOX, "default") == wanted


def test_an_endpoint_of_another_tenant_is_not_taken_over(house: Database) -> None:
    for tenant in (TENANT, OTHER):
        with house.transaction(tenant) as tx:
            accounts.put_account(tx, BOX, account())
    with house.transaction(TENANT) as tx:
        accounts.put_endpoint(tx, BOX, Endpoint(TENANT, "default", ACCOUNT, ("whsec_1",), False, None), None, NOW)

    theirs = Endpoint(OTHER, "default", ACCOUNT, ("whsec_2",), False, None)
    with pytest.raises(EndpointTaken), house.transaction(OTHER) as tx:
        accounts.put_endpoint(tx, BOX, theirs, None, NOW)

    with house.claims() as tx:
        assert accounts.route(tx, "default") == TENANT


def test_a_revoked_key_opens_nothing(house: Database) -> None:
    key, hashed = Key("key_1", "cfk_test", ("read",), NOW), hash_key("pepper", "cfk_test_secret")
    with house.transaction(TENANT) as tx:
        accounts.put_key(tx, key, hashed)
        assert accounts.find_key(tx, hashed) == key
    with house.transaction(OTHER) as tx:
        assert accounts.find_key(tx, hashed) is None

    with house.transaction(TENANT) as tx:
        assert accounts.revoke_key(tx, "key_1", NOW)
        assert not accounts.revoke_key(tx, "key_1", NOW)
        assert accounts.find_key(tx, hashed) is None


def test_what_a_unit_means_is_pinned(house: Database) -> None:
    with house.transaction(TENANT) as tx:
        assert accounts.unit(tx, USD_CREDIT.code) == USD_CREDIT
    with pytest.raises(InsufficientPrivilege), house.transaction(TENANT) as tx:
        tx.run("update service_unit set face_minor = 1")


def test_numbers_have_no_gaps_even_after_a_failure(house: Database) -> None:
    with house.transaction(TENANT) as tx:
        assert numbers.take(tx, PaperKind.INVOICE) == "INV-000001"
    with pytest.raises(LookupError):
        fail_after_writing(house)

    with house.transaction(TENANT) as tx:
        assert numbers.take(tx, PaperKind.INVOICE) == "INV-000002"
        assert numbers.take(tx, PaperKind.CREDIT_NOTE) == "CN-000001"


def test_personal_data_can_be_erased_while_the_books_stay(house: Database) -> None:
    with house.transaction(TENANT) as tx:
        accounts.put_account(tx, BOX, account())
        subjects.save(tx, None, customer())
        accounts.put_person(tx, CUSTOMER, "Dana", "dana@example.com", {"team": "x"})
    with house.transaction(TENANT) as tx:
        held = accounts.person(tx, CUSTOMER)
        assert held is not None
        assert (held["name"], held["metadata"]) == ("Dana", {"team": "x"})

        tx.run("delete from customer_person where tenant = %(tenant)s")

        assert accounts.person(tx, CUSTOMER) is None
        assert tx.rows("select id from customer") == [{"id": CUSTOMER}]


@pytest.mark.parametrize(
    "table", ["customer", "invoice", "payment", "leg", "grant_lot", "hold", "inbox", "event", "provider_order"]
)
def test_the_application_can_t_delete_what_is_not_erasable(house: Database, table: str) -> None:
    with as_app(house.dsn) as connection, pytest.raises(InsufficientPrivilege):
        connection.execute(f"delete from {table}".encode())


def test_a_body_can_be_erased_while_the_news_stays(house: Database) -> None:
    news = News("pevt_1", Source.WEBHOOK, "test", "event:1", NOW, NOW, body=b"personal")
    with house.transaction(TENANT) as tx:
        inbox.put(tx, news)

    with house.transaction(TENANT) as tx:
        tx.run("delete from raw_body where tenant = %(tenant)s")
        assert inbox.body(tx, "pevt_1") is None
        assert inbox.get(tx, "pevt_1") is not None


LISTS: list[list[str]] = [
    [],
    ["a"],
    ["a", "b", "a"],
    ["", "null", "NULL", "{}", "a,b", " a "],
    ['say "hi"', "b"],
    ['","', "x"],
    ["back\\slash", "\\"],
    ["é", "日本", "line\nbreak", "tab\t"],
]


@pytest.mark.parametrize("texts", LISTS, ids=repr)
def test_a_list_of_texts_arrives_as_it_was(house: Database, texts: list[str]) -> None:
    with house.transaction(TENANT) as tx:
        row = tx.one("select %(texts)s::text[] as texts", texts=texts)
        found = tx.rows("select each from unnest(%(texts)s::text[]) as each where each = any (%(texts)s)", texts=texts)

    assert row == {"texts": texts}
    assert [each["each"] for each in found] == texts


def test_a_list_of_numbers_or_with_gaps_arrives_as_it_was(house: Database) -> None:
    with house.transaction(TENANT) as tx:
        row = tx.one("select %(n)s::bigint[] as n, %(gaps)s::text[] as gaps", n=[1, 2], gaps=["a", None])

    assert row == {"n": [1, 2], "gaps": ["a", None]}
