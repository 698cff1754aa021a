"""Trouble on the API, seen through the official SDK without its retries and with two of them."""

from collections.abc import Callable
from typing import Any

import pytest
import stripe

from counterfoil.sandbox.wire import Request
from sandbox.covering import covers
from sandbox.harness import KEY, CheckedServer, code_of

PAY: Any = {"amount": 900, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True}
INTENTS = {"method": "POST", "path": "/v1/payment_intents", "nth": 1}
AUTHORIZED = {"Authorization": f"Bearer {KEY}"}


def charges(server: CheckedServer) -> int:
    return len(server.journal("charge"))


@covers("fault.refuse", "fault.timeout-before")
@pytest.mark.parametrize("do", ["timeout_before", "refuse"])
def test_a_request_lost_before_execution_leaves_no_trace(server: CheckedServer, do: str) -> None:
    server.fault(INTENTS, do)

    with pytest.raises(stripe.APIConnectionError):
        server.client().v1.payment_intents.create(PAY)

    assert charges(server) == 0


@covers("fault.timeout-after")
def test_a_reply_lost_after_the_commit_leaves_the_charge(server: CheckedServer) -> None:
    server.fault(INTENTS, "timeout_after")

    with pytest.raises(stripe.APIConnectionError):
        server.client().v1.payment_intents.create(PAY)

    assert charges(server) == 1


@covers("fault.refuse", "fault.timeout-before", "fault.timeout-after")
@pytest.mark.parametrize("do", ["timeout_before", "timeout_after", "refuse"])
def test_two_retries_with_their_automatic_key_charge_once(server: CheckedServer, do: str) -> None:
    server.fault(INTENTS, do)

    paid = server.client(retries=2).v1.payment_intents.create(PAY)

    assert paid.status == "succeeded"
    assert charges(server) == 1


def test_a_reply_that_never_comes_runs_into_the_clients_time_limit(server: CheckedServer) -> None:
    server.fault(INTENTS, "timeout_after", hang_s=30)
    impatient = stripe.StripeClient(
        KEY, base_addresses={"api": server.url}, max_network_retries=0, http_client=stripe.RequestsClient(timeout=0.2)
    )

    with pytest.raises(stripe.APIConnectionError):
        impatient.v1.payment_intents.create(PAY)

    assert charges(server) == 1


@covers("fault.reset")
@pytest.mark.parametrize("retries", [0, 2])
def test_a_reset_in_mid_body_is_an_error_after_the_commit(server: CheckedServer, retries: int) -> None:
    server.fault(INTENTS, "reset")

    with pytest.raises(Exception) as broken:  # noqa: PT011  # the SDK lets its HTTP library's own error through
        server.client(retries=retries).v1.payment_intents.create(PAY)

    assert "IncompleteRead" in str(broken.value) or "reset" in str(broken.value).lower()
    assert charges(server) == 1


@covers("fault.500-before", "fault.503", "fault.429-rate-limit", "fault.429-lock-timeout", "fault.409-key-in-use")
@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"status": 500}, stripe.APIError),
        ({"status": 503}, stripe.APIError),
        ({"status": 429}, stripe.RateLimitError),
        ({"status": 429, "code": "lock_timeout"}, stripe.RateLimitError),
        ({"status": 409}, stripe.APIError),
    ],
)
def test_a_failure_before_execution_has_no_effect(
    server: CheckedServer, options: dict[str, Any], error: type[stripe.StripeError]
) -> None:
    server.fault(INTENTS, "status", **options)

    with pytest.raises(error) as failure:
        server.client().v1.payment_intents.create(PAY)

    assert failure.value.http_status == options["status"]
    assert charges(server) == 0


@covers("fault.500-before", "fault.503", "fault.429-lock-timeout", "fault.409-key-in-use")
@pytest.mark.parametrize(
    "options",
    [{"status": 500}, {"status": 503}, {"status": 409}, {"status": 429, "code": "lock_timeout"}],
    ids=["500", "503", "409", "lock"],
)
def test_what_may_be_retried_succeeds_at_the_second_try(server: CheckedServer, options: dict[str, Any]) -> None:
    server.fault(INTENTS, "status", **options)

    assert server.client(retries=2).v1.payment_intents.create(PAY).status == "succeeded"
    assert charges(server) == 1


@covers("fault.429-rate-limit")
def test_a_plain_rate_limit_is_not_retried_by_the_sdk(server: CheckedServer) -> None:
    server.fault(INTENTS, "status", status=429)

    with pytest.raises(stripe.RateLimitError) as failure:
        server.client(retries=2).v1.payment_intents.create(PAY)

    assert code_of(failure.value) == "rate_limit"
    assert charges(server) == 0


@covers("fault.500-after", "idempotency.kept")
@pytest.mark.parametrize("retries", [0, 2])
def test_a_500_after_the_commit_is_kept_under_its_key_and_replayed(server: CheckedServer, retries: int) -> None:
    server.fault(INTENTS, "status", status=500, when="after")
    api = server.client(retries=retries)

    with pytest.raises(stripe.APIError):
        api.v1.payment_intents.create(PAY, {"idempotency_key": "pay"})
    with pytest.raises(stripe.APIError) as replayed:
        api.v1.payment_intents.create(PAY, {"idempotency_key": "pay"})

    assert replayed.value.headers is not None
    assert replayed.value.headers["idempotent-replayed"] == "true"
    assert charges(server) == 1
    assert api.v1.payment_intents.list().data[0].status == "succeeded"


@covers("fault.rules")
@pytest.mark.parametrize(
    "path", ["/v1/payment_intents/{id}/confirm", "/v1/payment_intents/:intent/confirm", "*/confirm"]
)
def test_a_path_is_matched_as_people_write_routes(server: CheckedServer, api: stripe.StripeClient, path: str) -> None:
    server.fault({"method": "post", "path": path}, "status", status=503)
    intent = api.v1.payment_intents.create({"amount": 900, "currency": "usd"})

    with pytest.raises(stripe.APIError):
        api.v1.payment_intents.confirm(intent.id)


@covers("fault.rules")
def test_nth_counts_matching_requests_only(server: CheckedServer, api: stripe.StripeClient) -> None:
    server.fault({"method": "POST", "path": "/v1/payment_intents/*/confirm", "nth": [2, 3]}, "status", status=503)
    intent = api.v1.payment_intents.create({"amount": 900, "currency": "usd"})

    def confirm() -> str:
        try:
            return str(api.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_chargeDeclined"}).status)
        except stripe.StripeError as error:
            return str(error.http_status)

    assert [confirm() for _ in range(4)] == ["402", "503", "503", "402"]


@covers("fault.rules")
def test_a_rule_of_one_account_leaves_the_others_alone(server: CheckedServer) -> None:
    mine = server.client("sk_test_mine").v1.accounts.retrieve_current()
    server.fault({"path": "/v1/customers", "account": mine.id}, "status", status=503)

    assert server.client("sk_test_yours").v1.customers.create({}).id
    with pytest.raises(stripe.APIError):
        server.client("sk_test_mine").v1.customers.create({})


def test_a_stale_read_shows_a_list_as_it_was(server: CheckedServer, api: stripe.StripeClient) -> None:
    api.v1.customers.create({"name": "old"})
    server.fault({"method": "GET", "path": "/v1/customers", "nth": 1}, "stale_read", age_s=60)

    assert api.v1.customers.list().data == []
    assert len(api.v1.customers.list().data) == 1


def test_a_slow_answer_comes_late(server: CheckedServer) -> None:
    server.fault({"path": "/v1/customers"}, "slow", delay_s=0.25)

    assert server.handle(Request("GET", "/v1/customers", AUTHORIZED)).delay_s == 0.25
    with pytest.raises(stripe.APIConnectionError):
        stripe.StripeClient(
            KEY,
            base_addresses={"api": server.url},
            max_network_retries=0,
            http_client=stripe.RequestsClient(timeout=0.1),
        ).v1.customers.list()


@covers("fault.rules")
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"match": {}, "do": "explode"},
        {"match": {"event": "x.y"}, "do": "timeout_after"},
        {"match": {"path": "/v1/customers"}, "do": "forge"},
        {"match": {"path": "/v1/customers", "nth": 0}, "do": "reset"},
        {"match": {"colour": "red"}, "do": "reset"},
        {"match": {"path": "/v1/customers"}, "do": "slow", "delay_s": "soon"},
        {"match": {"path": "/v1/customers"}, "do": "status", "status": 200},
        {"match": {"path": "/v1/customers"}, "do": "status", "when": "later"},
        {"match": {"path": "/v1/customers"}, "do": "reset", "times": 0},
        {"match": {"event": "*"}, "do": "duplicate", "copies": "many"},
        {"match": {"event": "*"}, "do": "api_version", "version": "2031-01-01.zebra"},
    ],
)
def test_a_rule_that_can_not_be_understood_is_refused(server: CheckedServer, body: dict[str, Any]) -> None:
    import json

    reply = server.handle(Request("POST", "/_sandbox/faults", {}, json.dumps(body).encode()))

    assert reply.status == 400


@pytest.mark.parametrize(
    "ask",
    [
        lambda server: server.handle(Request("POST", "/_sandbox/faults", {}, b"not json")),
        lambda server: server.handle(Request("POST", "/_sandbox/clock", {}, b'{"advance_s": -1}')),
        lambda server: server.handle(Request("POST", "/_sandbox/clock", {}, b'{"advance_s": "x"}')),
        lambda server: server.handle(Request("GET", "/_sandbox/unicorns")),
        lambda server: server.handle(Request("DELETE", "/_sandbox/faults/fault_9")),
        lambda server: server.handle(Request("POST", "/_sandbox/payment_intents/pi_none/authenticate", {}, b"{}")),
        lambda server: server.handle(Request("POST", "/_sandbox/settings", {}, b'{"colour": 1}')),
        lambda server: server.handle(Request("POST", "/_sandbox/settings", {}, b'{"search_lag_s": "long"}')),
        lambda server: server.handle(Request("POST", "/_sandbox/settings", {}, b'{"default_api_version": "x"}')),
        lambda server: server.handle(Request("GET", "/_sandbox/journal?after=x")),
        lambda server: server.handle(Request("POST", "/_sandbox/webhook_endpoints", {}, b'{"api_key": "sk_test_a"}')),
        lambda server: server.handle(Request("POST", "/_sandbox/accounts", {}, b"[]")),
    ],
)
def test_the_control_plane_refuses_what_it_can_not_do(
    server: CheckedServer, ask: Callable[[CheckedServer], Any]
) -> None:
    assert ask(server).status in (400, 404)
