"""The sandbox as a process: quick to start, clean to stop, and it remembers."""

import contextlib
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import stripe

from counterfoil.sandbox.documents import Tables
from counterfoil.sandbox.persistence import StateFile
from counterfoil.sandbox.ports import SeededIds, SteppingClock
from counterfoil.sandbox.sandbox import Sandbox
from counterfoil.sandbox.server import SandboxServer, serve
from counterfoil.sandbox.wire import Request
from sandbox.covering import covers
from sandbox.harness import KEY, CheckedServer

AUTHORIZED = {"Authorization": f"Bearer {KEY}"}
SERVING = """
import sys, pathlib
from counterfoil.sandbox.server import serve
serve(0, state_file=pathlib.Path(sys.argv[1]), ready=lambda server: print(server.url, flush=True))
"""


def client_of(url: str) -> stripe.StripeClient:
    return stripe.StripeClient(KEY, base_addresses={"api": url}, max_network_retries=0)


def start_process(state: Path) -> tuple["subprocess.Popen[str]", str]:
    process = subprocess.Popen([sys.executable, "-c", SERVING, str(state)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def kill(process: "subprocess.Popen[str]") -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


@covers("alone.start")
def test_it_starts_in_under_a_second() -> None:
    """Counted in the program's own time, as the machine may be busy with other tests."""
    program = Path(sys.executable).with_name("counterfoil")
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)

    process = subprocess.Popen([program, "sandbox", "--port", "0"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = process.stdout.readline()
    kill(process)

    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert said.startswith("ready http://127.0.0.1:")
    assert after.ru_utime + after.ru_stime - spent.ru_utime - spent.ru_stime < 1.0


@covers("alone.restart")
def test_a_killed_sandbox_still_has_everything_it_answered(tmp_path: Path) -> None:
    state = tmp_path / "state"
    process, url = start_process(state)
    customer = client_of(url).v1.customers.create({"name": "Ada"}, {"idempotency_key": "once"})
    kill(process)

    process, url = start_process(state)
    again = client_of(url).v1.customers.create({"name": "Ada"}, {"idempotency_key": "once"})
    found = client_of(url).v1.customers.retrieve(customer.id)
    kill(process)

    assert again.id == customer.id
    assert found.name == "Ada"


@covers("alone.restart")
def test_killed_in_the_midst_of_many_requests_it_has_all_that_were_answered(tmp_path: Path) -> None:
    state = tmp_path / "state"
    process, url = start_process(state)
    answered: list[str] = []

    def create_until_it_is_gone(number: int) -> None:
        client = stripe.StripeClient(f"sk_test_{number}", base_addresses={"api": url}, max_network_retries=0)
        with contextlib.suppress(stripe.APIConnectionError):
            while True:
                answered.append(f"{number} {client.v1.customers.create({'name': 'Ada'}).id}")

    threads = [threading.Thread(target=create_until_it_is_gone, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    while len(answered) < 100:
        time.sleep(0.01)
    kill(process)
    for thread in threads:
        thread.join()

    with SandboxServer(state_file=state) as server:
        for number in range(4):
            client = stripe.StripeClient(f"sk_test_{number}", base_addresses={"api": server.url})
            kept = {f"{number} {each.id}" for each in client.v1.customers.list({"limit": 100}).auto_paging_iter()}
            assert {name for name in answered if name.startswith(f"{number} ")} <= kept


def test_a_torn_last_line_of_the_state_is_dropped(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with SandboxServer(state_file=state) as server:
        client_of(server.url).v1.customers.create({"name": "Ada"})
    with state.open("a") as file:
        file.write('[["acct_x/test/customer","cus_1",{"id":')

    with SandboxServer(state_file=state) as server:
        assert [customer.name for customer in client_of(server.url).v1.customers.list().data] == ["Ada"]


def test_deletions_and_resets_survive_a_restart(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with SandboxServer(state_file=state) as server:
        client_of(server.url).v1.customers.create({})
        server.handle(Request("POST", "/_sandbox/reset"))
        kept = client_of(server.url).v1.customers.create({})

    with SandboxServer(state_file=state) as server:
        assert [customer.id for customer in client_of(server.url).v1.customers.list().data] == [kept.id]


def test_the_state_file_does_not_grow_without_end(tmp_path: Path) -> None:
    tables = Tables()
    file = StateFile(tmp_path / "state", tables)
    for number in range(200):
        tables.put("accounts", "acct_1/test", {"number": number, "ballast": "x" * 200_000})
        file.write()
    file.close()

    again = Tables()
    StateFile(tmp_path / "state", again).close()

    assert (tmp_path / "state").stat().st_size < 1_000_000
    assert again.rows("accounts")[0]["number"] == 199


def test_serve_registers_a_webhook_and_ends_when_told() -> None:
    stop, ready = threading.Event(), threading.Event()
    urls: list[str] = []

    def note(server: SandboxServer) -> None:
        urls.append(server.url)
        ready.set()

    thread = threading.Thread(
        target=lambda: serve(0, webhook=(KEY, "http://127.0.0.1:1/hook", "whsec_x"), ready=note, stop=stop)
    )
    thread.start()
    ready.wait(5)
    endpoints = client_of(urls[0]).v1.webhook_endpoints.list().data
    stop.set()
    thread.join(5)

    assert [endpoint.url for endpoint in endpoints] == ["http://127.0.0.1:1/hook"]
    assert not thread.is_alive()


def test_a_restarted_program_may_register_its_endpoint_again(server: CheckedServer, api: stripe.StripeClient) -> None:
    with server.locked() as sandbox:
        for secret in ("whsec_first", "whsec_second"):
            made = sandbox.add_webhook(KEY, "http://127.0.0.1:1/hook", secret)

    assert [endpoint.id for endpoint in api.v1.webhook_endpoints.list().data] == [made["id"]]
    assert made["secret"] == "whsec_second"


def test_an_endpoint_for_all_reaches_every_account_that_comes(server: CheckedServer) -> None:
    with server.locked() as sandbox:
        sandbox.add_webhook_for_all("http://127.0.0.1:1/hook", "whsec_all")

    for key in ("sk_test_mine", "sk_test_yours"):
        for _ in range(2):
            assert [one.url for one in server.client(key).v1.webhook_endpoints.list().data] == [
                "http://127.0.0.1:1/hook"
            ]


def test_business_time_may_start_elsewhere_while_nothing_is_older(
    server: CheckedServer, api: stripe.StripeClient
) -> None:
    with server.locked() as sandbox:
        sandbox.start_at(1_600_000_000.0)
    created = api.v1.customers.create({}).created
    with server.locked() as sandbox:
        sandbox.start_at(1_500_000_000.0)

    assert created == 1_600_000_000
    assert api.v1.customers.create({}).created == 1_600_000_000


@covers("alone.speed")
def test_a_simple_call_takes_a_few_milliseconds(server: CheckedServer, api: stripe.StripeClient) -> None:
    customer = api.v1.customers.create({})
    request = Request("GET", f"/v1/customers/{customer.id}", AUTHORIZED)
    started = time.perf_counter()

    with server.locked() as sandbox:
        for _ in range(100):
            sandbox.handle(request)

    assert (time.perf_counter() - started) / 100 < 0.005


@covers("alone.snapshot")
def test_a_snapshot_brings_everything_back_and_the_same_ids_follow() -> None:
    clock = SteppingClock()
    sandbox = Sandbox(clock, SeededIds(5))
    create = Request("POST", "/v1/customers", AUTHORIZED)
    sandbox.handle(create)
    saved = sandbox.snapshot()
    after = sandbox.handle(create).json()["id"]
    started = time.perf_counter()

    sandbox.restore(saved)

    assert time.perf_counter() - started < 0.1
    assert sandbox.handle(create).json()["id"] == after
    assert len(sandbox.handle(Request("GET", "/v1/customers", AUTHORIZED)).json()["data"]) == 2


def test_the_same_seed_tells_the_same_story() -> None:
    def story() -> list[bytes]:
        sandbox = Sandbox(SteppingClock(), SeededIds(9))
        sandbox.add_webhook(KEY, "https://shop.example/hook", "whsec_x")
        body = b"amount=900&currency=usd&confirm=true&payment_method=pm_card_visa"
        reply = sandbox.handle(Request("POST", "/v1/payment_intents", AUTHORIZED, body))
        return [reply.body, *(attempt.body for attempt in sandbox.due_deliveries())]

    assert story() == story()


def test_chunked_bodies_and_kept_connections_work(server: CheckedServer) -> None:
    address = urlsplit(server.url)
    connection = HTTPConnection(str(address.hostname), address.port)
    try:
        for name in ("Ada", "Eve"):
            connection.request(
                "POST", "/v1/customers", iter([b"name=", name.encode()]), AUTHORIZED, encode_chunked=True
            )
            reply = connection.getresponse()
            assert reply.status == 200
            assert name in reply.read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: -5\r\n\r\n",
        b"Content-Length: five\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n-5\r\n",
    ],
)
def test_a_body_of_unreadable_length_is_refused(server: CheckedServer, head: bytes) -> None:
    address = urlsplit(server.url)
    with socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=5) as connection:
        connection.sendall(b"POST /v1/customers HTTP/1.1\r\nHost: sandbox\r\n" + head)

        assert connection.recv(1024).startswith(b"HTTP/1.1 400 ")


def test_a_body_beyond_any_limit_is_refused(server: CheckedServer) -> None:
    address = urlsplit(server.url)
    connection = HTTPConnection(str(address.hostname), address.port)
    try:
        connection.putrequest("POST", "/v1/customers")
        connection.putheader("Content-Length", str(50 * 1024 * 1024))
        connection.endheaders()
        assert connection.getresponse().status == 413
    finally:
        connection.close()


@pytest.mark.parametrize(
    "body", [b"\xff\xfe", b"name=%ff", b"=x", b"&&&", b"a[=1", b"a]b[=1", b"[x]=1", b"name[0]=x", b"metadata[]=1"]
)
def test_bodies_from_hell_are_answered_without_a_crash(server: CheckedServer, body: bytes) -> None:
    reply = server.handle(Request("POST", "/v1/customers", AUTHORIZED, body))

    assert reply.status in (200, 400)


def test_the_state_summary_counts_what_there_is(server: CheckedServer, api: stripe.StripeClient) -> None:
    api.v1.customers.create({})

    state = server.control("GET", "state")

    assert state["accounts"][0]["objects"]["customer"] == 1
    assert state["journal"] == 1
    assert server.control("GET", "requests")["data"][0]["path"] == "/v1/customers"
    assert "POST /v1/customers" in server.control("GET", "coverage")["data"]
    assert server.control("GET", "clock")["now"] == server.control("GET", "clock")["wall"]
    assert server.control("GET", "deliveries") == {"waiting": [], "finished": []}
    assert server.control("POST", "reset") == {"reset": True}
    assert server.control("GET", "state")["accounts"] == []


def test_the_journal_is_json_lines_that_can_be_narrowed(server: CheckedServer) -> None:
    server.client("sk_test_mine").v1.customers.create({})
    server.client("sk_test_yours").v1.payment_intents.create(
        {"amount": 900, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True}
    )
    yours = server.client("sk_test_yours").v1.accounts.retrieve_current().id

    reply = server.handle(Request("GET", f"/_sandbox/journal?account={yours}&kind=charge"))

    lines = reply.body.decode().splitlines()
    assert reply.headers["Content-Type"] == "application/x-ndjson"
    assert len(lines) == 1
    assert '"amount": 900' in lines[0]
