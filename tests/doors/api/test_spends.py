"""The spend door: one use or a thousand per request, each paid for once."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from behaviours import behaviour
from counterfoil.core.alerts import ALERT_TIMER
from counterfoil.store import export, journal
from counterfoil.store.audit import audit
from doors.api.caller import Caller, another_tenant, with_scopes
from houses import World


def use(key: str | None = "use-1", amount: Any = "12.5", **more: Any) -> dict[str, Any]:
    return {"customer": "ext:dana", "unit": "usd-credit", "amount": amount, **({"key": key} if key else {}), **more}


@pytest.fixture
def wallet(api: Caller) -> str:
    """Dana's wallet with 30 usd-credit in it."""
    return api.credits(api.customer(), "30")


def send(api: Caller, body: Any, **headers: str) -> Any:
    return api.client.post("/v1/spends", json=body, headers={**api.authorization, **headers})


def test_a_use_is_answered_with_what_paid_for_it(api: Caller, wallet: str) -> None:
    answer = send(api, use(feature="chat"))

    assert answer.status_code == 201
    spend = answer.json()
    assert spend | {"id": "", "draws": [], "occurred_at": "", "recorded_at": ""} == {
        "id": "",
        "object": "spend",
        "key": "use-1",
        "wallet": wallet,
        "unit": "usd-credit",
        "amount": "12.500000",
        "draws": [],
        "debt": "0.000000",
        "written_off": "0.000000",
        "balance_after": "17.500000",
        "feature": "chat",
        "pools": [],
        "hold": None,
        "rule": "draw-order@2",
        "occurred_at": "",
        "recorded_at": "",
    }
    assert [each["amount"] for each in spend["draws"]] == ["12.500000"]
    assert api.get(f"/v1/wallets/{wallet}").json()["available"] == {"quantity": "17.500000", "unit": "usd-credit"}


def test_the_same_key_replays_byte_for_byte_by_header_or_in_the_body(api: Caller, wallet: str) -> None:
    first = send(api, use(amount="30"))

    again = send(api, use(amount="30"))
    by_header = send(api, use(None, amount="30"), **{"Idempotency-Key": "use-1"})

    assert first.status_code == 201
    assert first.content == again.content == by_header.content
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"


def test_the_same_key_with_another_body_is_refused(api: Caller, wallet: str) -> None:
    send(api, use(amount="30"))

    answer = send(api, use(amount="1"))

    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")


def test_a_wallet_that_is_dry_answers_402_and_says_what_to_do(api: Caller, wallet: str) -> None:
    answer = send(api, use(amount="30.000001"))

    problem = answer.json()
    assert answer.status_code == 402
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert problem["code"] == "insufficient_credits"
    assert "30.000000 usd-credit can be spent" in problem["detail"]
    assert problem["remedy"]
    assert problem["request_id"] == answer.headers["Request-Id"]


@behaviour("R-LG-62")
def test_a_list_charges_each_use_once_and_a_poisoned_one_is_refused_alone(api: Caller, wallet: str) -> None:
    """INC-30: one malformed record among a thousand; the whole list is sent again, as whoever heard no answer does."""
    uses: list[Any] = [use(f"use-{n}", "0.01") for n in range(1000)]
    uses[500] = {"key": "use-500", "amount": 12}

    answer = send(api, {"spends": uses})

    data = answer.json()["data"]
    assert answer.status_code == 200
    assert [each["status"] for each in data] == [201] * 500 + [422] + [201] * 499
    assert data[500]["error"]["code"] == "invalid_request"
    assert [each["key"] for n, each in enumerate(data) if n != 500] == [f"use-{n}" for n in range(1000) if n != 500]
    assert data[999]["spend"]["balance_after"] == "20.010000"
    assert send(api, {"spends": uses}).json()["data"] == data
    assert api.get(f"/v1/wallets/{wallet}").json()["available"]["quantity"] == "20.010000"


def test_a_key_twice_in_one_list_is_paid_for_once(api: Caller, wallet: str) -> None:
    answer = send(api, {"spends": [use(amount="20"), use(amount="20"), use("use-2", "11"), use(amount="3")]})

    data = answer.json()["data"]
    assert [each["status"] for each in data] == [201, 201, 402, 422]
    assert data[0]["spend"] == data[1]["spend"]


@pytest.mark.parametrize(
    ("body", "status", "code", "param"),
    [
        (use(customer="ext:nobody"), 404, "not_found", "customer"),
        (use(customer="cust_01h455vb4pex5vsknk084sn02q"), 404, "not_found", "customer"),
        (use(customer="wlt_01h455vb4pex5vsknk084sn02q"), 404, "not_found", "customer"),
        (use(unit="eur-credit"), 404, "not_found", "unit"),
        ({"key": "k", "wallet": "wlt_01h455vb4pex5vsknk084sn02q", "amount": "1"}, 404, "not_found", "wallet"),
        ({"key": "k", "wallet": "x", "amount": "1"}, 404, "not_found", "wallet"),
        (use(wallet="wlt_01h455vb4pex5vsknk084sn02q"), 422, "invalid_request", "wallet"),
        (use(amount="0"), 422, "invalid_request", "amount"),
        (use(amount="-1"), 422, "invalid_request", "amount"),
        (use(amount="1e3"), 422, "invalid_request", "amount"),
        (use(amount="0.0000001"), 422, "invalid_request", "amount"),
        (use(amount="9" * 30), 422, "invalid_request", "amount"),
        (use(amount=1), 422, "invalid_request", "amount"),
        (use(surprise=1), 422, "invalid_request", "surprise"),
        (use(occurred_at="yesterday"), 422, "invalid_request", "occurred_at"),
        (use(occurred_at="2026-06-14T04:04:00"), 422, "invalid_request", "occurred_at"),
        (use(occurred_at="2036-06-14T04:04:00Z"), 422, "invalid_request", "occurred_at"),
        (use(feature=""), 422, "invalid_request", "feature"),
        (use(key="with space"), 422, "invalid_request", "key"),
        (use(key="x" * 256), 422, "invalid_request", "key"),
        (use(key="4242424242424242"), 422, "card_number_refused", None),
        ({"key": "k"}, 422, "invalid_request", "amount"),
        ([], 422, "invalid_request", "body"),
        ({"spends": []}, 422, "invalid_request", "spends"),
        ({"spends": [{}] * 1001}, 422, "invalid_request", "spends"),
        ({"spends": [{}], "more": 1}, 422, "invalid_request", "more"),
    ],
)
def test_bad_input_is_told_what_is_wrong(
    api: Caller, wallet: str, body: Any, status: int, code: str, param: str | None
) -> None:
    answer = send(api, body)

    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.json().get("param") == param


def test_a_use_without_a_key_is_refused(api: Caller, wallet: str) -> None:
    assert send(api, use(None)).json()["code"] == "idempotency_key_missing"
    assert send(api, use("one"), **{"Idempotency-Key": "other"}).json()["param"] == "key"
    assert send(api, {"spends": [use("one")]}, **{"Idempotency-Key": "one"}).json()["param"] == "Idempotency-Key"


def test_what_is_not_json_is_refused(api: Caller, wallet: str) -> None:
    headers = {**api.authorization, "Content-Type": "application/json"}

    assert api.client.post("/v1/spends", content=b"{", headers=headers).json()["code"] == "json_invalid"
    assert api.client.post("/v1/spends", content=b"", headers=headers).json()["code"] == "json_invalid"
    assert api.client.post("/v1/spends", content=b'{"key": "\xff"}', headers=headers).json()["code"] == "json_invalid"
    form = {**api.authorization, "Content-Type": "text/plain"}
    assert api.client.post("/v1/spends", content=b"{}", headers=form).json()["code"] == "content_type_not_json"


def test_only_a_key_with_the_scope_spends(world: World, client: TestClient, api: Caller, wallet: str) -> None:
    reader = with_scopes(world, client, world.tenant, "read", "write")

    assert send(reader, use()).json()["code"] == "scope_missing"
    assert client.post("/v1/spends", json=use()).json()["code"] == "api_key_missing"
    unknown = {"Authorization": "Bearer cfk_test_nobody"}
    assert client.post("/v1/spends", json=use(), headers=unknown).json()["code"] == "api_key_unknown"


def test_a_dry_run_says_what_would_happen_and_keeps_nothing(api: Caller, wallet: str) -> None:
    path = "/v1/spends?dry_run=true"
    dry = api.client.post(path, json=use(), headers=api.authorization).json()
    refused = api.client.post(path, json=use(amount="31"), headers=api.authorization).json()

    real = send(api, use()).json()

    kept = {"draws", "amount", "balance_after", "id", "rule"}
    assert {name: dry["effects"][0][name] for name in kept} == {name: real[name] for name in kept}
    assert (refused["outcome"], refused["reason"]) == ("refuse", "insufficient_credits")
    assert [each["id"] for each in api.get("/v1/spends", wallet=wallet).json()["data"]] == [real["id"]]
    assert api.client.post("/v1/spends?dryrun=true", json=use(), headers=api.authorization).status_code == 422


def test_spends_are_shown_and_listed_page_by_page(api: Caller, wallet: str) -> None:
    made = [send(api, use(f"use-{n}", "1")).json() for n in range(5)]

    assert api.get(f"/v1/spends/{made[2]['id']}").json() == made[2]
    first = api.get("/v1/spends", wallet=wallet, limit=3).json()
    second = api.get("/v1/spends", wallet=wallet, limit=3, cursor=first["next_cursor"]).json()
    assert first["data"] + second["data"] == made[::-1]
    assert second["next_cursor"] is None


def test_a_spend_is_explained_and_stands_in_statement_journal_and_verify(
    world: World, api: Caller, wallet: str
) -> None:
    api.made(f"/v1/wallets/{wallet}/grants", {"amount": "5", "source": "promotional", "priority": 1})
    made = send(api, use(amount="7")).json()
    identity = made["id"]

    explained = api.get(f"/v1/explain/{identity}").json()
    statement = api.get(f"/v1/wallets/{wallet}/statement").json()["data"]
    after = api.get(f"/v1/wallets/{wallet}/statement", limit=1).json()["next_cursor"]
    with world.house.database.snapshot(world.tenant.id) as tx:
        exported = [row for row in export.postings(tx) if row["subject"] == identity]
        totals = {row["account"]: row["debit"] - row["credit"] for row in journal.trial_balance(tx)}
        report = audit(tx)

    assert explained["equation"]["text"] == "7.00 used = 5.00 from a lot + 2.00 from a lot (usd-credit)"
    assert explained["equation"]["adds_up"]
    assert [len(each["postings"]) for each in explained["entries"]] == [2]
    first = statement[0]
    assert (first["id"], first["change"]["quantity"], first["balance"]["quantity"]) == (
        identity,
        "-7.000000",
        "28.000000",
    )
    assert first["explain"] == f"/v1/spends/{identity}"
    assert len(api.get(f"/v1/wallets/{wallet}/statement", cursor=after).json()["data"]) == 2
    assert api.get(f"/v1/wallets/{wallet}/balance").json()["balance"]["quantity"] == "28.000000"
    assert [(row["entry"], row["n"], row["amount"]) for row in exported] == [
        (f"spend:{identity}", 1, 5_000_000),
        (f"spend:{identity}", 2, 2_000_000),
    ]
    assert totals["used"] == -7_000_000
    assert report.breaches == ()


def test_another_organization_sees_and_spends_nothing_of_it(
    world: World, client: TestClient, api: Caller, wallet: str
) -> None:
    made = send(api, use()).json()
    other = another_tenant(world, client)

    assert other.get(f"/v1/spends/{made['id']}").status_code == 404
    assert other.get("/v1/spends", wallet=wallet).status_code == 404
    assert send(other, {"key": "use-1", "wallet": wallet, "amount": "1"}).status_code == 404


def test_a_wallet_that_was_suspended_is_not_spent_from(api: Caller, wallet: str) -> None:
    before = send(api, use(amount="1"))
    api.made(f"/v1/wallets/{wallet}/suspend")

    answer = send(api, use("use-2", "1"))

    assert (answer.status_code, answer.json()["code"]) == (402, "wallet_not_active")
    assert send(api, use(amount="1")).content == before.content


def test_what_no_lot_covers_is_owed_up_to_the_limit_and_the_next_lot_covers_it(api: Caller) -> None:
    body = {"customer": api.customer(), "unit": "usd-credit", "overdraft": "debt", "debt_limit": "5"}
    wallet = api.made("/v1/wallets", body)["id"]
    api.made(f"/v1/wallets/{wallet}/grants", {"amount": "1", "source": "promotional"})

    first = send(api, use("use-1", "4"))
    over = send(api, use("use-2", "2.5"))
    second = send(api, use("use-3", "2"))

    spends = [first.json(), second.json()]
    assert [(each["amount"], each["debt"], each["balance_after"]) for each in spends] == [
        ("4.000000", "3.000000", "-3.000000"),
        ("2.000000", "2.000000", "-5.000000"),
    ]
    assert (over.status_code, over.json()["code"]) == (402, "insufficient_credits")
    api.made(f"/v1/wallets/{wallet}/grants", {"amount": "7", "source": "promotional"})
    assert api.get(f"/v1/wallets/{wallet}").json()["available"]["quantity"] == "2.000000"


def test_what_no_lot_covers_is_given_away_where_the_wallet_says_so(api: Caller) -> None:
    body = {"customer": api.customer(), "unit": "usd-credit", "overdraft": "write_off"}
    wallet = api.made("/v1/wallets", body)["id"]
    api.made(f"/v1/wallets/{wallet}/grants", {"amount": "1", "source": "promotional"})

    spends = [send(api, use(f"use-{n}", "4")).json() for n in range(2)]

    assert [(each["written_off"], each["balance_after"]) for each in spends] == [
        ("3.000000", "0.000000"),
        ("4.000000", "0.000000"),
    ]


def test_uses_are_counted_by_how_they_ended(api: Caller, client: TestClient, wallet: str) -> None:
    send(api, {"spends": [use(amount="20"), use(amount="20"), use("use-2", "11")]})

    text = client.get("/metrics").text
    assert 'counterfoil_spends_total{act="spend",answer="accepted"} 1.0' in text
    assert 'counterfoil_spends_total{act="spend",answer="replayed"} 1.0' in text
    assert 'counterfoil_spends_total{act="spend",answer="insufficient_credits"} 1.0' in text


def test_of_a_wallet_that_stays_low_nothing_is_said_at_every_use(world: World, api: Caller) -> None:
    body = {"customer": api.customer(), "unit": "usd-credit", "alert_below": ["20"]}
    wallet = api.made("/v1/wallets", body)["id"]
    bought = {"amount": "30", "source": "purchase", "cost": {"amount": 3000, "currency": "USD"}}
    api.made(f"/v1/wallets/{wallet}/grants", bought)

    for n in range(5):
        assert send(api, use(f"use-{n}", "4")).status_code == 201

    with world.house.database.transaction(world.tenant.id) as tx:
        said = tx.rows("select subject_ref, deliveries from inbox where kind = %(kind)s", kind=ALERT_TIMER)
    assert [(row["subject_ref"], row["deliveries"]) for row in said] == [(wallet, 1)]
