"""Repeating a request: its effect is there once, its first final answer for ever."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.testclient import TestClient

from behaviours import behaviour
from counterfoil.api.call import read_key, read_wait
from counterfoil.api.problems import Problem
from counterfoil.engine import setup
from doors.api.caller import Caller, another_tenant, with_scopes
from houses import World


def test_a_repeated_request_gets_the_first_answer_byte_for_byte(api: Caller) -> None:
    body = {"external_id": "dana", "name": "Dana"}

    first, second = api.post("/v1/customers", body, key="k"), api.post("/v1/customers", body, key="k")

    assert (second.status_code, second.content) == (first.status_code, first.content)
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert len(api.get("/v1/customers").json()["data"]) == 1


def test_a_repeated_refusal_is_the_same_refusal_even_when_it_would_pass_by_now(api: Caller) -> None:
    dana = api.customer()
    invoice = api.invoice(dana)
    refused = api.post(f"/v1/invoices/{invoice}/pay", key="pay-1")
    api.credits(dana, "100")

    again = api.post(f"/v1/invoices/{invoice}/pay", key="pay-1")

    assert (again.status_code, again.content) == (402, refused.content)
    assert refused.json()["request_id"] == refused.headers["Request-Id"]
    assert api.post(f"/v1/invoices/{invoice}/pay", key="pay-2").status_code == 200


def test_the_final_answer_of_a_payment_stays_whatever_becomes_of_the_payment(api: Caller, world: World) -> None:
    dana = world.customer(token="pm_card_chargeCustomerFail")
    invoice = api.invoice(dana)
    api.post(f"/v1/invoices/{invoice}/pay", key="pay-1")
    world.pump()
    failed = api.post(f"/v1/invoices/{invoice}/pay", key="pay-1")
    api.made("/v1/payment-methods", {"customer": dana, "token": "pm_card_visa", "default": True})
    world.pump()
    api.post(f"/v1/invoices/{invoice}/pay", key="pay-2")
    world.pump()

    again = api.post(f"/v1/invoices/{invoice}/pay", key="pay-1")

    assert api.get(f"/v1/invoices/{invoice}").json()["status"] == "paid"
    assert (again.status_code, again.content) == (402, failed.content)


def test_the_same_key_with_another_body_is_refused_and_does_nothing(api: Caller) -> None:
    api.post("/v1/customers", {"external_id": "dana"}, key="k")

    other = api.post("/v1/customers", {"external_id": "fox"}, key="k")

    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert len(api.get("/v1/customers").json()["data"]) == 1


def test_the_same_key_for_another_object_is_refused(api: Caller) -> None:
    """A route's path is part of the request: paying one invoice is not paying another."""
    dana = api.customer()
    one, two = api.draft(dana), api.draft(dana)
    api.made(f"/v1/invoices/{one}/finalize", key="k")

    other = api.post(f"/v1/invoices/{two}/finalize", key="k")

    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert api.get(f"/v1/invoices/{two}").json()["status"] == "draft"


def test_the_order_of_fields_and_white_space_make_no_other_request(api: Caller) -> None:
    headers = {**api.authorization, "Idempotency-Key": "k", "Content-Type": "application/json"}
    first = api.client.post("/v1/customers", content=b'{"name":"Dana","external_id":"dana"}', headers=headers)

    again = api.client.post("/v1/customers", content=b'{ "external_id": "dana", "name": "Dana" }', headers=headers)

    assert (again.status_code, again.content) == (201, first.content)


def test_no_body_and_an_empty_one_are_the_same_request(api: Caller) -> None:
    invoice = api.draft(api.customer())
    first = api.post(f"/v1/invoices/{invoice}/finalize", key="k")

    again = api.post(f"/v1/invoices/{invoice}/finalize", {}, key="k")

    assert (again.status_code, again.content) == (200, first.content)


def test_a_key_belongs_to_its_route(api: Caller) -> None:
    dana = api.made("/v1/customers", {}, key="k")["id"]

    wallet = api.post("/v1/wallets", {"customer": dana, "unit": "usd-credit"}, key="k")

    assert wallet.status_code == 201


def test_somebody_elses_key_is_unrelated(api: Caller, world: World, client: TestClient) -> None:
    """Neither another organization nor another API key of the same one can reach a stored answer."""
    mine = api.made("/v1/customers", {"name": "Dana"}, key="k")["id"]
    other = another_tenant(world, client).made("/v1/customers", {"name": "Dana"}, key="k")["id"]
    colleague = with_scopes(world, client, world.tenant, *setup.SCOPES).made("/v1/customers", {"name": "X"}, key="k")

    assert len({mine, other, colleague["id"]}) == 3


def test_fifty_at_once_with_one_key_have_one_effect_and_one_answer(api: Caller, world: World) -> None:
    dana = api.customer()
    wallet = api.credits(dana, "100")
    invoice = api.invoice(dana)

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: api.post(f"/v1/invoices/{invoice}/pay", key="one"), range(50)))

    assert {(each.status_code, each.content) for each in answers} == {(200, answers[0].content)}
    assert sum("Idempotency-Replayed" not in each.headers for each in answers) == 1
    assert api.get(f"/v1/wallets/{wallet}").json()["balance"]["quantity"] == "0.000000"
    assert len(api.get("/v1/payments").json()["data"]) == 1


@behaviour("R-SU-10", "R-CO-9")
def test_fifty_payments_at_once_with_keys_of_their_own_charge_once(api: Caller, world: World) -> None:
    invoice = api.invoice(world.customer())

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda n: api.post(f"/v1/invoices/{invoice}/pay", key=f"key{n}"), range(50)))
    world.pump()

    statuses = sorted(each.status_code for each in answers)
    assert statuses == [202] + [409] * 49
    assert world.charges() == [10_000]


MONEY = (
    "/v1/wallets/wlt_01h455vb4pex5vsknk084sn02q/grants",
    "/v1/invoices/inv_01h455vb4pex5vsknk084sn02q/finalize",
    "/v1/invoices/inv_01h455vb4pex5vsknk084sn02q/pay",
    "/v1/invoices/inv_01h455vb4pex5vsknk084sn02q/void",
    "/v1/payments",
    "/v1/payments/pmt_01h455vb4pex5vsknk084sn02q/cancel",
)


@pytest.mark.parametrize("path", MONEY)
def test_what_moves_money_needs_a_key(still_api: Caller, path: str) -> None:
    body = {"amount": "1", "source": "promotional"} if "grants" in path else {"invoices": ["inv_x"]}
    sent = body if path.endswith(("grants", "payments")) else None

    answer = still_api.client.post(path, json=sent, headers=still_api.authorization)

    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_missing")
    assert answer.json()["param"] == "Idempotency-Key"


def test_what_moves_no_money_needs_none(api: Caller) -> None:
    answer = api.client.post("/v1/customers", json={}, headers=api.authorization)

    assert answer.status_code == 201


@pytest.mark.parametrize(
    ("header", "key"),
    [("order-1", "order-1"), ('"order-1"', "order-1"), (r'"a\"b\\c"', r'a"b\c'), ("x" * 255, "x" * 255)],
)
def test_a_key_is_read_bare_or_as_a_quoted_string(header: str, key: str) -> None:
    assert read_key(header) == key


@pytest.mark.parametrize("header", ["", '""', "x" * 256, "two words", "naïve", "tab\there"])
def test_a_key_that_is_not_visible_ascii_is_refused(header: str) -> None:
    with pytest.raises(Problem) as refused:
        read_key(header)

    assert (refused.value.status_code, refused.value.code) == (400, "idempotency_key_invalid")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("respond-async", None),
        ("wait=0", 0.0),
        ("respond-async, wait=10", 10.0),
        ("wait=999", 30.0),
        ("nowait=5", None),
        ("wait=-1", None),
    ],
)
def test_the_preference_wait_is_read_and_bounded(header: str | None, seconds: float | None) -> None:
    assert read_wait(header) == seconds
