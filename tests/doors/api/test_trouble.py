"""When what we stand on is gone: clear answers, nothing lost, and no hand needed when it is back."""

import shutil
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import psycopg
import pytest
import structlog
from starlette.testclient import TestClient

from counterfoil.api.app import create_app
from counterfoil.engine.house import House
from counterfoil.providers.stripe.adapter import StripePort
from counterfoil.sim.host import Host
from counterfoil.store.database import Database
from counterfoil.store.migrate import migrate
from counterfoil.store.secrets import SecretBox
from counterfoil.store.server import NOT_DURABLE, EmbeddedPostgres
from doors.api.caller import Caller
from doors.api.test_webhooks import BODY, now_of, send, signature
from houses import CountedIds, HandClock, World, house_with_sandbox


@pytest.fixture
def server() -> Iterator[EmbeddedPostgres]:
    """A Postgres of the test's own, which it may stop."""
    home = Path(tempfile.mkdtemp(prefix="counterfoil-trouble-", dir="/tmp"))
    home.chmod(0o711)
    server = EmbeddedPostgres(home, settings=NOT_DURABLE)
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(home)


def test_without_postgres_the_api_says_so_and_goes_on_by_itself_when_it_is_back(server: EmbeddedPostgres) -> None:
    dsn = server.start().dsn
    migrate(dsn)
    with house_with_sandbox(dsn, timeout_s=1.0) as world, TestClient(create_app(world.house)) as client:
        api = Caller(client, world.key)
        dana = world.customer()
        invoice, at = api.invoice(dana), now_of(world)
        webhook = f"t={at},v1={signature(BODY, at)}"

        server.stop()
        gone = api.post(f"/v1/invoices/{invoice}/pay", key="pay-1")
        lost = send(client, webhook)
        health = [client.get(path).status_code for path in ("/healthz", "/readyz")]
        server.start()
        paid = eventually(api, f"/v1/invoices/{invoice}/pay", "pay-1")
        world.pump()

        assert (gone.status_code, gone.json()["code"], gone.json()["retryable"]) == (503, "database_unavailable", True)
        assert gone.headers["Retry-After"] == "1"
        assert (lost.status_code, lost.json()["code"]) == (503, "database_unavailable")
        assert health == [200, 503]
        assert paid == 202
        assert send(client, webhook).status_code == 200
        assert client.get("/readyz").status_code == 200
        assert world.charges() == [10_000]


def eventually(api: Caller, path: str, key: str) -> int:
    """The status of a request that is repeated while it may be, as a caller would."""
    for _ in range(50):
        answer = api.post(path, key=key)
        if not (answer.status_code == 503 and answer.json()["retryable"]):
            return answer.status_code
    raise AssertionError(answer.text)


def test_connections_that_postgres_cut_are_replaced_unseen(api: Caller, world: World, database: str) -> None:
    """A failover cuts every connection of the pool; the next requests meet dead ones."""
    api.customer()
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        )

    assert [api.get("/v1/customers").status_code for _ in range(5)] == [200] * 5


def test_without_the_provider_a_payment_is_under_way_and_settles_when_it_is_back(api: Caller, world: World) -> None:
    dana = world.customer()
    invoice = api.invoice(dana)
    match = {"method": "POST", "path": "/v1/payment_intents*"}
    fault = world.control("POST", "faults", {"match": match, "do": "refuse"})

    launched = api.post(f"/v1/invoices/{invoice}/pay", key="pay-1")
    world.pump()
    meanwhile = api.post(f"/v1/invoices/{invoice}/pay", key="pay-1")
    world.control("DELETE", f"faults/{fault['id']}")
    for _ in range(20):
        world.pump()

    paid = api.post(f"/v1/invoices/{invoice}/pay", key="pay-1")
    assert (launched.status_code, meanwhile.status_code, meanwhile.json()["status"]) == (202, 202, "processing")
    assert (paid.status_code, world.charges()) == (200, [10_000])


def test_without_the_provider_a_browsers_secret_comes_later(api: Caller, world: World) -> None:
    dana = world.customer(token=None)
    asked = {"invoices": [api.invoice(dana)], "confirm": "client"}
    api.post("/v1/payments", asked, key="pay-1")
    world.pump()
    fault = world.control(
        "POST", "faults", {"match": {"method": "GET", "path": "/v1/payment_intents/*"}, "do": "refuse"}
    )

    without = api.post("/v1/payments", asked, key="pay-1")
    world.control("DELETE", f"faults/{fault['id']}")
    with_it = api.post("/v1/payments", asked, key="pay-1")

    assert (without.status_code, "client_secret" in without.json()) == (202, False)
    assert with_it.json()["client_secret"]


def test_a_row_that_somebody_holds_is_waited_for_and_then_changed_once(api: Caller, world: World) -> None:
    dana = api.customer()
    invoice = api.draft(dana)
    answers: list[int] = []

    def ask() -> None:
        answers.append(api.post(f"/v1/invoices/{invoice}/finalize", key="one").status_code)

    askers = [threading.Thread(target=ask) for _ in range(4)]
    with world.house.database.transaction(world.tenant.id) as tx:
        tx.one("select id from customer where tenant = %(tenant)s and id = %(id)s for update", id=dana)
        for each in askers:
            each.start()
        askers[0].join(0.2)
        meanwhile = list(answers)
    for each in askers:
        each.join()

    assert (meanwhile, answers) == ([], [200] * 4)
    assert api.get(f"/v1/invoices/{invoice}").json()["number"] == "INV-000001"


class StoppedClock(HandClock):
    """A fault of ours, deep inside."""

    def now(self) -> datetime:
        raise RuntimeError("a fault with whsec_secret in its message")


def test_a_fault_of_ours_is_answered_without_its_details_and_logged_with_them(world: World) -> None:
    broken = replace(world.house, clock=StoppedClock())
    with (
        structlog.testing.capture_logs() as lines,
        TestClient(create_app(broken), raise_server_exceptions=False) as client,
    ):
        answer = Caller(client, world.key).post("/v1/customers", {})

    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["retryable"]) == (500, "internal_error", True)
    assert "whsec_secret" not in answer.text
    failed = next(line for line in lines if line["event"] == "request_failed")
    assert (failed["request_id"], failed["route"]) == (problem["request_id"], "/v1/customers")


def test_a_database_that_lacks_migrations_is_not_ready(empty_database: str) -> None:
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("create role counterfoil_app nologin") if not _has_role(connection) else None
        connection.execute("create table schema_migration (number int primary key, name text, digest text)")
        connection.execute("create table work (queue text, due_at timestamptz)")
        connection.execute("grant select on work to counterfoil_app")
    opened = Database(empty_database, size=2)
    with house_of(opened) as client:
        answer = client.get("/readyz")
    opened.close()

    assert (answer.status_code, answer.json()["database"]) == (503, "ok")
    assert answer.json()["migrations"][0].startswith("0001_")


def _has_role(connection: psycopg.Connection) -> bool:
    return connection.execute("select 1 from pg_roles where rolname = 'counterfoil_app'").fetchone() is not None


def house_of(database: Database) -> TestClient:
    """The application over a database and nothing else that works."""

    house = House(database, StripePort(), HandClock(), CountedIds(), SecretBox("a-master-key-of-tests"), Host())
    return TestClient(create_app(house))
