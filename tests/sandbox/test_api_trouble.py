"""Trouble that takes its time, by the wall clock: slow answers, keys in use, rates, and reads that are behind."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import stripe

from counterfoil.sandbox.ports import SteppingClock
from counterfoil.sandbox.wire import Request
from sandbox.covering import covers
from sandbox.harness import KEY, CheckedServer, code_of

PAY: Any = {"amount": 900, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True}
INTENTS = {"method": "POST", "path": "/v1/payment_intents", "nth": 1}
AUTHORIZED = {"Authorization": f"Bearer {KEY}"}


@pytest.fixture
def awake() -> Iterator[CheckedServer]:
    """A sandbox that lives by the wall clock."""
    with CheckedServer() as running:
        yield running
    assert running.check_everything() == []


def impatient(server: CheckedServer, retries: int, timeout_s: float = 0.2) -> stripe.StripeClient:
    return stripe.StripeClient(
        KEY,
        base_addresses={"api": server.url},
        max_network_retries=retries,
        http_client=stripe.RequestsClient(timeout=timeout_s),
    )


@covers("fault.slow")
def test_a_slow_answer_without_retries_leaves_the_charge_behind(awake: CheckedServer) -> None:
    awake.fault(INTENTS, "slow", delay_s=0.4)

    with pytest.raises(stripe.APIConnectionError):
        impatient(awake, 0).v1.payment_intents.create(PAY)

    assert len(awake.journal("charge")) == 1


@covers("fault.slow", "fault.409-key-in-use", "idempotency.in-use")
def test_a_slow_answer_is_replayed_to_the_retry_that_comes_after_it(awake: CheckedServer) -> None:
    awake.fault(INTENTS, "slow", delay_s=0.4)

    paid = impatient(awake, 2).v1.payment_intents.create(PAY)

    assert paid.status == "succeeded"
    assert len(awake.journal("charge")) == 1


@covers("fault.409-key-in-use", "idempotency.in-use")
@pytest.mark.parametrize("retries", [0, 2])
def test_of_two_at_once_under_one_key_the_second_is_told_to_wait(awake: CheckedServer, retries: int) -> None:
    awake.fault(INTENTS, "slow", delay_s=0.5)
    options: Any = {"idempotency_key": "once"}
    first: list[str] = []
    pays = threading.Thread(target=lambda: first.append(awake.client().v1.payment_intents.create(PAY, options).id))
    pays.start()
    _wait_for(lambda: len(awake.journal("charge")) == 1)

    try:
        second = awake.client(retries=retries).v1.payment_intents.create(PAY, options).id
    except stripe.StripeError as error:
        second = f"{error.http_status} {code_of(error)}"
    pays.join()

    # The library's two retries can both come before the first is done: then it gives up with the same 409.
    assert second in ({"409 idempotency_key_in_use"} if retries == 0 else {*first, "409 idempotency_key_in_use"})
    assert len(awake.journal("charge")) == 1


@covers("fault.429-rate-limit")
def test_a_rate_limit_that_says_so_is_retried(server: CheckedServer) -> None:
    server.fault(INTENTS, "status", status=429, should_retry=True)

    with pytest.raises(stripe.RateLimitError) as refusal:
        server.client().v1.payment_intents.create(PAY)
    server.fault(INTENTS, "status", status=429, should_retry=True)
    paid = server.client(retries=2).v1.payment_intents.create(PAY)

    assert code_of(refusal.value) == "rate_limit"
    assert paid.status == "succeeded"


@covers("rates.limit")
def test_an_account_that_asks_too_often_is_refused_until_time_has_passed(
    server: CheckedServer, api: stripe.StripeClient, clock: SteppingClock
) -> None:
    server.control("POST", "settings", {"rate_limit_per_s": 2})
    for _ in range(2):
        api.v1.customers.list()

    with pytest.raises(stripe.RateLimitError) as refusal:
        api.v1.customers.list()

    assert refusal.value.headers is not None
    assert refusal.value.headers["stripe-rate-limited-reason"] == "global-rate"
    assert "stripe-should-retry" not in refusal.value.headers
    assert code_of(refusal.value) == "rate_limit"
    assert api.v1.customers.create({}).id, "writes are counted apart"
    assert server.client("sk_test_other").v1.customers.list().data == [], "and so are other accounts"
    clock.step(0.5)
    assert len(api.v1.customers.list().data) == 1


@covers("rates.limit")
def test_a_rate_limit_can_be_set_to_ask_for_the_retry(awake: CheckedServer) -> None:
    awake.control("POST", "settings", {"rate_limit_per_s": 4, "rate_limit_should_retry": 1})
    api = awake.client(retries=2)

    made = [api.v1.customers.create({}).id for _ in range(6)]

    assert len(set(made)) == 6
    assert any(line["status"] == 429 for line in awake.control("GET", "requests")["data"])


@covers("fault.stale-read")
def test_a_stale_list_shows_what_objects_were_and_what_was_deleted_since(
    server: CheckedServer, api: stripe.StripeClient, clock: SteppingClock
) -> None:
    changed = api.v1.customers.create({"name": "Ada"})
    gone = api.v1.customers.create({"name": "Bob"})
    clock.step(100)
    server.fault({"method": "GET", "path": "/v1/customers"}, "stale_read", age_s=30)
    clock.step(10)
    api.v1.customers.update(changed.id, {"name": "Eve"})
    api.v1.customers.delete(gone.id)
    api.v1.customers.create({"name": "new"})

    stale = [customer.name for customer in api.v1.customers.list().data]
    clock.step(31)
    caught_up = [customer.name for customer in api.v1.customers.list().data]

    assert stale == ["Bob", "Ada"]
    assert api.v1.customers.retrieve(changed.id).name == "Eve", "only lists and searches are behind"
    assert caught_up == ["new", "Eve"]


@covers("fault.stale-read")
def test_a_stale_search_shows_what_objects_were(
    server: CheckedServer, api: stripe.StripeClient, clock: SteppingClock
) -> None:
    customer = api.v1.customers.create({"name": "Ada"})
    clock.step(100)
    server.fault({"method": "GET", "path": "/v1/customers/search", "nth": 1}, "stale_read", age_s=30)
    api.v1.customers.update(customer.id, {"name": "Eve"})

    behind, current = (api.v1.customers.search({"query": "name:'Ada'"}).data for _ in range(2))

    assert [one.name for one in behind] == ["Ada"]
    assert current == []


@covers("wire.head-and-options", "wire.compression")
def test_head_options_and_compressed_answers(server: CheckedServer, api: stripe.StripeClient) -> None:
    from http.client import HTTPConnection
    from urllib.parse import urlsplit

    customer = api.v1.customers.create({"name": "Ada" * 400})
    address = urlsplit(server.url)
    connection = HTTPConnection(str(address.hostname), address.port)

    def ask(method: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        connection.request(method, f"/v1/customers/{customer.id}", headers=AUTHORIZED | headers)
        reply = connection.getresponse()
        return reply.status, dict(reply.getheaders()), reply.read()

    try:
        plain, packed, head, options = (
            ask("GET"),
            ask("GET", **{"Accept-Encoding": "gzip"}),
            ask("HEAD"),
            ask("OPTIONS"),
        )
    finally:
        connection.close()

    import gzip

    assert gzip.decompress(packed[2]) == plain[2]
    assert packed[1]["Content-Encoding"] == "gzip"
    assert (head[0], head[2], head[1]["Content-Length"]) == (200, b"", str(len(plain[2])))
    assert (options[0], options[1]["Access-Control-Allow-Origin"]) == (200, "*")


@covers("wire.bodies-that-are-no-form")
@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=x", "text/plain"])
def test_a_body_that_is_no_form_is_refused(server: CheckedServer, kind: str) -> None:
    reply = server.handle(Request("POST", "/v1/customers", AUTHORIZED | {"Content-Type": kind}, b'{"name": "Ada"}'))

    assert reply.status == 400
    assert "application/x-www-form-urlencoded" in reply.json()["error"]["message"]


@covers("expand.data-prefix")
def test_expanding_a_list_without_data_says_what_to_try(server: CheckedServer) -> None:
    reply = server.handle(Request("GET", "/v1/charges?expand[]=customer", AUTHORIZED))

    message = "This property cannot be expanded (customer). You may want to try expanding 'data.customer' instead."
    assert (reply.status, reply.json()["error"]["message"]) == (400, message)


def _wait_for(claim: Any, timeout_s: float = 5.0) -> None:
    end = time.monotonic() + timeout_s
    while not claim():
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.01)
