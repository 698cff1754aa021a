"""What operators look at: health, metrics, one line in the log per request."""

import json

import pytest
import structlog
from starlette.testclient import TestClient

from doors.api.caller import Caller
from doors.api.test_story import made_by_the_application
from doors.api.test_webhooks import BODY, now_of, send, signature
from houses import World


def value(text: str, sample: str) -> float:
    """The value of one sample of the metrics."""
    return float(next(line.rpartition(" ")[2] for line in text.splitlines() if line.startswith(sample + " ")))


def test_metrics_count_decisions_backlog_cases_webhooks_and_requests(
    client: TestClient, api: Caller, world: World
) -> None:
    dana = world.customer()
    world.pay(world.invoice(dana))
    made_by_the_application(world, dana)
    world.pump()
    at = now_of(world)
    send(client, f"t={at},v1={signature(BODY, at)}"), send(client, "t=1,v1=00")
    api.get("/v1/customers"), api.get("/v1/nowhere")

    text = client.get("/metrics").text

    assert value(text, "counterfoil_database_up") == 1
    assert value(text, 'counterfoil_decisions{outcome="applied",reason="intent_settled"}') == 1
    assert value(text, 'counterfoil_backlog{queue="inbox"}') >= 1
    assert value(text, 'counterfoil_orders_open{status="unknown"}') == 0
    assert value(text, 'counterfoil_webhooks_total{answer="accepted"}') == 1
    assert value(text, 'counterfoil_webhooks_total{answer="webhook_signature_invalid"}') == 1
    requests = 'counterfoil_http_requests_total{method="GET",route="/v1/customers",status="200"}'
    assert value(text, requests) == 1
    assert value(text, 'counterfoil_http_requests_total{method="GET",route="(none)",status="404"}') == 1
    webhooks = 'counterfoil_http_requests_total{method="POST",route="/webhooks/stripe/{endpoint}",status="200"}'
    assert value(text, webhooks) == 1
    assert world.tenant.id not in text
    assert dana not in text


def test_the_oldest_item_that_waits_is_the_lag(client: TestClient, world: World) -> None:
    from datetime import timedelta

    at = now_of(world)
    send(client, f"t={at},v1={signature(BODY, at)}")
    world.clock.step(timedelta(seconds=90))

    assert value(client.get("/metrics").text, 'counterfoil_lag_seconds{queue="inbox"}') == 90


def test_an_installation_that_can_work_says_so(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    ready = client.get("/readyz").json()
    assert (ready["status"], ready["database"], ready["migrations"]) == ("ok", "ok", "current")


def test_every_answer_carries_an_id_that_the_log_knows(api: Caller) -> None:
    with structlog.testing.capture_logs() as lines:
        answers = [api.get("/v1/customers"), api.get("/v1/invoices/none"), api.post("/v1/customers", {"x": 1})]

    logged = {line["request_id"]: (line["route"], line["status"]) for line in lines if line["event"] == "request"}
    assert [logged[each.headers["Request-Id"]] for each in answers] == [
        ("/v1/customers", 200),
        ("/v1/invoices/{id}", 404),
        ("/v1/customers", 422),
    ]
    assert answers[1].json()["request_id"] == answers[1].headers["Request-Id"]


@pytest.mark.parametrize("field", ["name", "email", "external_id"])
def test_what_is_personal_stands_in_no_log(api: Caller, field: str) -> None:
    secret = "canary@example.com"
    with structlog.testing.capture_logs() as lines:
        made = api.made("/v1/customers", {field: secret})
        api.get(f"/v1/customers/ext:{secret}"), api.patch(f"/v1/customers/{made['id']}", {"name": secret})

    assert secret not in json.dumps(lines, default=str)
    assert api.key not in json.dumps(lines, default=str)


def test_what_watchers_ask_every_few_seconds_fills_no_log(client: TestClient) -> None:
    with structlog.testing.capture_logs() as lines:
        for path in ("/healthz", "/readyz", "/metrics"):
            client.get(path)

    assert [line for line in lines if line["event"] == "request"] == []


def test_a_method_that_a_path_does_not_have_is_named(client: TestClient, api: Caller) -> None:
    answer = client.delete("/v1/customers", headers=api.authorization)

    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert "GET" in answer.headers["Allow"] or "POST" in answer.headers["Allow"]


def test_no_answer_is_kept_by_anybody_in_between(api: Caller) -> None:
    answer = api.get("/v1/customers")

    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
