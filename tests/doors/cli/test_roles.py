"""The parts of a running system as processes of their own."""

import socket
import urllib.request
from pathlib import Path

import pytest
import stripe

from doors.cli.api import call, control, customer_with_invoice, eventually, pay
from doors.cli.commands import ended, started

KEY = "a-master-key-of-tests"


def test_api_and_worker_apart_pay_an_invoice(home: Path, database: str) -> None:
    with started(home, "sandbox", "--port", "0") as sandbox:
        env = {"DATABASE_URL": database, "COUNTERFOIL_MASTER_KEY": KEY, "COUNTERFOIL_STRIPE_API_KEY": "sk_test_mine"}
        env |= {"COUNTERFOIL_STRIPE_API_BASE": sandbox.url, "COUNTERFOIL_STRIPE_WEBHOOK_SECRET": "whsec_mine"}
        key = ended(home, "keys", "create", "--scopes", "read,write", **env).out.strip()
        with started(home, "api", "--port", "0", **env) as api, started(home, "worker", "--port", "0", **env) as worker:
            _, invoice = customer_with_invoice(api.url, key)
            paid = pay(api.url, key, invoice)
            with urllib.request.urlopen(f"{worker.url}/healthz", timeout=10) as answer:
                healthy = answer.read()
            codes = (worker.stop(), api.stop())
        taken = control(sandbox.url, "GET", "/_sandbox/journal?kind=charge")

    assert paid["status"] == "succeeded"
    assert [each["amount"] for each in taken] == [10_000]
    assert healthy == b"ok\n"
    assert codes == (0, 0)


def test_a_worker_says_ready_and_stops_in_order(home: Path, database: str) -> None:
    with started(home, "worker", DATABASE_URL=database) as worker:
        said = worker.url
        code = worker.stop()

    assert said == "worker"
    assert code == 0


def test_the_sandbox_sends_the_news_of_every_account_to_one_webhook(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as hook:
        url = f"http://127.0.0.1:{hook.getsockname()[1]}/hook"
        with started(home, "sandbox", "--port", "0", "--webhook-url", url, "--webhook-secret", "whsec_x") as sandbox:
            client = stripe.StripeClient("sk_test_somebody", base_addresses={"api": sandbox.url}, max_network_retries=0)
            client.v1.customers.create({"email": "dana@example.com"})
            connection, _ = hook.accept()
            with connection:
                heard = connection.recv(65_536)
            code = sandbox.stop()

    assert b"Stripe-Signature: t=" in heard or b"stripe-signature: t=" in heard.lower()
    assert code == 0


def test_the_sandbox_keeps_its_state_across_a_kill(home: Path) -> None:
    options = ("sandbox", "--port", "0", "--state-file", str(home / "state.jsonl"))
    with started(home, *options) as sandbox:
        client = stripe.StripeClient("sk_test_a", base_addresses={"api": sandbox.url}, max_network_retries=0)
        customer = client.v1.customers.create({"email": "dana@example.com"}).id
        sandbox.process.kill()
        sandbox.process.wait()

    with started(home, *options) as sandbox:
        client = stripe.StripeClient("sk_test_a", base_addresses={"api": sandbox.url}, max_network_retries=0)
        found = client.v1.customers.retrieve(customer)
        sandbox.stop()

    assert found.email == "dana@example.com"


def test_the_control_plane_of_the_sandbox_takes_and_forgets_faults(home: Path) -> None:
    with started(home, "sandbox", "--port", "0") as sandbox:
        url = sandbox.url
        control(url, "POST", "/_sandbox/faults", {"match": {"path": "/v1/customers", "nth": 1}, "do": "status"})
        held = control(url, "GET", "/_sandbox/faults")["data"]
        control(url, "DELETE", "/_sandbox/faults")
        left = control(url, "GET", "/_sandbox/faults")["data"]
        moved = control(url, "POST", "/_sandbox/clock", {"advance_s": 3600})
        sandbox.stop()

    assert (len(held), len(left)) == (1, 0)
    assert moved["now"] - moved["wall"] == pytest.approx(3600, abs=1)


@pytest.mark.parametrize("role", ["api", "worker"])
def test_a_role_refuses_a_database_that_nobody_migrated(home: Path, empty_database: str, role: str) -> None:
    said = ended(home, role, "--port", "0", DATABASE_URL=empty_database)

    assert said.code == 3
    assert "counterfoil migrate" in said.err


def test_two_sandboxes_do_not_share_a_port(home: Path) -> None:
    with started(home, "sandbox", "--port", "0") as first:
        port = first.url.rpartition(":")[2]
        second = ended(home, "sandbox", "--port", port)
        first.stop()

    assert second.code == 3
    assert "[port_taken]" in second.err


def test_reconcile_finds_what_no_webhook_told_and_then_nothing_more(home: Path, database: str) -> None:
    with started(home, "sandbox", "--port", "0") as sandbox:
        env = {"DATABASE_URL": database, "COUNTERFOIL_MASTER_KEY": KEY, "COUNTERFOIL_STRIPE_API_KEY": "sk_test_mine"}
        env |= {"COUNTERFOIL_STRIPE_API_BASE": sandbox.url, "COUNTERFOIL_STRIPE_WEBHOOK_SECRET": "whsec_mine"}
        ended(home, "connect", **env)
        key = ended(home, "keys", "create", "--scopes", "read,write", **env).out.strip()
        with started(home, "api", "--port", "0", **env) as api:
            with started(home, "worker", **env) as worker:
                assert worker.url
                _, invoice = customer_with_invoice(api.url, key)
                worker.stop()
            call(api.url, key, "POST", "/v1/payments", {"invoices": [invoice]}, Idempotency_Key="p", Prefer="wait=0")
            first = ended(home, "reconcile", "--json", **env)
            held = call(api.url, key, "GET", f"/v1/invoices/{invoice}")
            second = ended(home, "reconcile", "--json", **env)
            third = ended(home, "reconcile", **env)
            api.stop()
        sandbox.stop()
        unreachable = ended(home, "reconcile", "--json", **env)

    assert first.code == 0
    assert held["status"] == "paid"
    assert first.json["applied"] > 0
    assert second.json["applied"] == 0
    assert "none, the books agree" in third.out
    assert unreachable.code == 4
    assert unreachable.json["accounts"][0]["reached"] is False


def test_a_key_that_the_provider_refuses_is_a_provider_error(home: Path, database: str) -> None:
    with started(home, "sandbox", "--port", "0") as sandbox:
        env = {"DATABASE_URL": database, "COUNTERFOIL_STRIPE_API_BASE": sandbox.url}
        said = ended(home, "connect", "--url", "http://127.0.0.1:4747", COUNTERFOIL_STRIPE_API_KEY="nonsense", **env)
        sandbox.stop()

    assert said.code == 4
    assert "[provider_key_refused]" in said.err


def test_connect_makes_the_endpoint_and_keeps_its_secret(home: Path, database: str) -> None:
    with started(home, "sandbox", "--port", "0") as sandbox:
        env = {"DATABASE_URL": database, "COUNTERFOIL_STRIPE_API_BASE": sandbox.url}
        env |= {"COUNTERFOIL_STRIPE_API_KEY": "sk_test_mine"}
        with started(home, "api", "--port", "0", **env) as api:
            connected = ended(home, "connect", "--url", api.url, "--json", **env)
            again = ended(home, "connect", "--url", api.url, **env)
            replaced = ended(home, "connect", "--url", api.url, "--replace", **env)
            client = stripe.StripeClient("sk_test_mine", base_addresses={"api": sandbox.url}, max_network_retries=0)
            client.v1.customers.create({"email": "dana@example.com"})
            eventually(lambda: _answered(sandbox.url))
            api.stop()
        statuses = _answered(sandbox.url)
        sandbox.stop()

    assert connected.json["webhooks"].endswith("/webhooks/stripe/default")
    assert again.code == 3
    assert "[webhook_endpoint_exists]" in again.err
    assert replaced.code == 0
    assert all(200 <= status < 300 for status in statuses)


def _answered(url: str) -> list[int]:
    finished = control(url, "GET", "/_sandbox/deliveries")["finished"]
    return [each["last_status"] for each in finished]
