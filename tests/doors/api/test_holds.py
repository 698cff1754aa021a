"""The door for holds: credits reserved for a use, then settled or let go."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from doors.api.caller import Caller, another_tenant
from houses import World


def ask(key: str = "hold-1", amount: str = "8", **more: Any) -> dict[str, Any]:
    return {"key": key, "customer": "ext:dana", "unit": "usd-credit", "amount": amount, **more}


@pytest.fixture
def wallet(api: Caller) -> str:
    """Dana's wallet with 10 usd-credit in it."""
    return api.credits(api.customer(), "10")


def send(api: Caller, path: str, body: Any = None) -> Any:
    return api.client.post(path, json=body, headers=api.authorization)


def test_a_hold_is_placed_settled_and_shown(api: Caller, wallet: str) -> None:
    placed = send(api, "/v1/holds", ask(feature="chat", expires_in_s=60))
    again = send(api, "/v1/holds", ask(feature="chat", expires_in_s=60))
    path = f"/v1/holds/{placed.json()['id']}"
    open_view = api.get(path).json()

    settled = send(api, f"{path}/settle", {"amount": "3.5"})
    replay = send(api, f"{path}/settle", {"amount": "3.5"})

    assert placed.status_code == 201
    assert placed.json() == open_view
    assert placed.content == again.content == send(api, "/v1/holds", ask(feature="chat", expires_in_s=60)).content
    assert again.headers["Idempotency-Replayed"] == "true"
    hold = settled.json()
    assert (settled.status_code, hold["status"], hold["settled"]) == (200, "settled", "3.500000")
    assert (hold["spend"]["amount"], hold["spend"]["hold"], hold["spend"]["balance_after"]) == (
        "3.500000",
        hold["id"],
        "6.500000",
    )
    assert settled.content == replay.content
    assert api.get(path).json() == hold
    assert api.get(f"/v1/spends/{hold['spend']['id']}").json() == hold["spend"]
    listed = api.get("/v1/holds", wallet=wallet).json()["data"]
    assert listed == [{**hold, "spend": None}]


def test_a_hold_is_let_go_once(api: Caller, wallet: str) -> None:
    path = f"/v1/holds/{send(api, '/v1/holds', ask()).json()['id']}"

    first, second = send(api, f"{path}/release"), send(api, f"{path}/release", {})
    late = send(api, f"{path}/settle", {"amount": "1"})

    assert [first.status_code, second.status_code] == [200, 200]
    assert first.content == second.content
    assert (late.status_code, late.json()["code"]) == (409, "hold_not_open")
    assert late.json()["remedy"]


def test_a_list_of_holds_answers_each(api: Caller, wallet: str) -> None:
    holds = [ask("one", "6"), ask("two", "6"), {"key": "three"}, ask("four", "4")]

    data = send(api, "/v1/holds", {"holds": holds}).json()["data"]

    assert [each["status"] for each in data] == [201, 402, 422, 201]
    assert data[3]["hold"]["amount"] == "4.000000"


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("", ask(expires_in_s=0), 422, "invalid_request"),
        ("", ask(expires_in_s=10**9), 422, "invalid_request"),
        ("", ask(expires_in_s="60"), 422, "invalid_request"),
        ("", ask(amount="0"), 422, "invalid_request"),
        ("", ask(occurred_at="2026-06-14T04:04:00Z"), 422, "invalid_request"),
        ("", ask(amount="11"), 402, "insufficient_credits"),
        ("/hold_01h455vb4pex5vsknk084sn02q/settle", {"amount": "1"}, 404, "hold_not_found"),
        ("/nothing/settle", {"amount": "1"}, 404, "hold_not_found"),
        ("/hold_01h455vb4pex5vsknk084sn02q/settle", {}, 422, "invalid_request"),
        ("/hold_01h455vb4pex5vsknk084sn02q/settle", {"amount": "1", "if_more": "guess"}, 422, "invalid_request"),
        ("/hold_01h455vb4pex5vsknk084sn02q/settle?dry_run=true", {"amount": "1"}, 422, "invalid_request"),
        ("/hold_01h455vb4pex5vsknk084sn02q/release", {"amount": "1"}, 422, "invalid_request"),
        ("/hold_01h455vb4pex5vsknk084sn02q/release", None, 404, "hold_not_found"),
    ],
)
def test_bad_input_is_told_what_is_wrong(
    api: Caller, wallet: str, path: str, body: Any, status: int, code: str
) -> None:
    answer = send(api, f"/v1/holds{path}", body)

    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


def test_a_dry_run_holds_nothing(api: Caller, wallet: str) -> None:
    dry = send(api, "/v1/holds?dry_run=true", ask()).json()

    assert (dry["outcome"], dry["reason"], dry["effects"][0]["amount"]) == ("act", "held", "8.000000")
    assert api.get("/v1/holds", wallet=wallet).json()["data"] == []


def test_a_hold_is_explained(api: Caller, wallet: str) -> None:
    identity = send(api, "/v1/holds", ask()).json()["id"]
    send(api, f"/v1/holds/{identity}/settle", {"amount": "2"})

    explained = api.get(f"/v1/explain/{identity}").json()

    assert explained["equation"]["text"] == "8.00 held = 8.00 of a lot (usd-credit)"
    assert explained["finding"] == "8.00 usd-credit were held, and 2.00 of them were used."
    assert len(explained["entries"]) == 1


def test_another_organization_ends_nothing_of_it(world: World, client: TestClient, api: Caller, wallet: str) -> None:
    identity = send(api, "/v1/holds", ask()).json()["id"]
    other = another_tenant(world, client)

    assert send(other, f"/v1/holds/{identity}/release").json()["code"] == "hold_not_found"
    assert other.get(f"/v1/holds/{identity}").status_code == 404
    assert api.get(f"/v1/holds/{identity}").json()["status"] == "open"
