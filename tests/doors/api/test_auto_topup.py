"""Auto top-up over HTTP: what was agreed to, what is refused, and what can be seen of it."""

import json
from typing import Any

import pytest
from httpx2 import Response

from counterfoil.engine.explain import explain
from doors.api.caller import Caller
from houses import World

TERMS: dict[str, Any] = {
    "trigger": {"kind": "threshold", "below": "10"},
    "buy": {"amount": "10", "price": {"amount": 1000, "currency": "USD"}},
    "limits": {"per_attempt": {"amount": 1000, "currency": "USD"}, "per_month": {"amount": 9000, "currency": "USD"}},
    "consent": {"given_by": "user-1", "given_at": "2026-06-01T00:00:00Z", "text_version": "2026-01"},
}


@pytest.fixture
def wallet(api: Caller, world: World) -> str:
    return api.credits(world.customer(), "30")


def put(api: Caller, wallet: str, query: str = "", key: str = "agree", **changes: Any) -> Response:
    sent = {**api.authorization, "Idempotency-Key": key}
    return api.client.put(f"/v1/wallets/{wallet}/auto-topup{query}", json=TERMS | changes, headers=sent)


def delete(api: Caller, wallet: str) -> Response:
    sent = {**api.authorization, "Idempotency-Key": f"off-{wallet}"}
    return api.client.delete(f"/v1/wallets/{wallet}/auto-topup", headers=sent)


def test_what_was_agreed_to_is_shown_wherever_the_customer_is(api: Caller, wallet: str) -> None:
    assert api.get(f"/v1/wallets/{wallet}/auto-topup").status_code == 404

    agreed = put(api, wallet)

    assert agreed.status_code == 200, agreed.text
    shown = api.get(f"/v1/wallets/{wallet}/auto-topup").json()
    assert shown == agreed.json()
    assert (shown["status"], shown["waiting_for"], shown["trigger"]["below"]) == ("on", "threshold", "10.000000")
    assert shown["consent"]["text_version"] == "2026-01"
    assert api.get(f"/v1/customers/{shown['customer']}/state").json()["auto_topups"] == [shown]


def test_the_same_key_replays_and_a_dry_run_agrees_to_nothing(api: Caller, wallet: str) -> None:
    dry = put(api, wallet, "?dry_run=true")
    assert dry.json()["reason"] == "auto_topup_set"
    assert api.get(f"/v1/wallets/{wallet}/auto-topup").status_code == 404

    first, again = put(api, wallet), put(api, wallet)

    assert first.content == again.content
    assert put(api, wallet, trigger={"kind": "threshold", "below": "11"}).status_code == 422


def test_a_low_wallet_is_filled_and_explained(api: Caller, world: World, wallet: str) -> None:
    put(api, wallet)
    api.made("/v1/spends", {"wallet": wallet, "amount": "25"})
    world.pump()

    shown = api.get(f"/v1/wallets/{wallet}/auto-topup").json()
    (purchase,) = api.get("/v1/purchases", wallet=wallet).json()["data"]
    told = api.get(f"/v1/explain/{shown['id']}").json()
    assert (purchase["status"], purchase["total"]["amount"], purchase["description"]) == (
        "settled",
        1000,
        "Auto top-up",
    )
    assert shown["spent_this_month"]["amount"] == 1000
    assert told["finding"] == ("Credits are bought when less than 10.00 usd-credit can be spent; nothing is under way.")
    assert [each["reason"] for each in told["timeline"]][-1] == "auto_topup_done"
    assert explain(world.house, world.tenant.id, shown["id"])["subject"]["id"] == shown["id"]


def test_switched_off_it_buys_nothing(api: Caller, world: World, wallet: str) -> None:
    put(api, wallet)
    off = delete(api, wallet)
    api.made("/v1/spends", {"wallet": wallet, "amount": "25"})
    world.pump()

    assert (off.status_code, off.json()["status"]) == (200, "off")
    assert api.get("/v1/purchases", wallet=wallet).json()["data"] == []
    assert delete(api, api.wallet(api.customer("mallory"))).status_code == 404


def test_a_pack_is_bought_at_its_price_of_the_day(api: Caller, world: World) -> None:
    pack = {"code": "pack-20", "unit": "usd-credit", "credits": "20", "prices": [{"amount": 1900, "currency": "USD"}]}
    declared = api.client.put("/v1/packs", json={"packs": [pack]}, headers=api.authorization)
    declared = declared if declared.status_code != 405 else api.post("/v1/packs", {"packs": [pack]})
    assert declared.status_code < 300, declared.text
    wallet = api.credits(world.customer(), "5")
    limits = {key: {"amount": 5000, "currency": "USD"} for key in ("per_attempt", "per_month")}

    agreed = put(api, wallet, buy={"pack": "pack-20"}, limits=limits)
    world.pump()

    assert agreed.status_code == 200, agreed.text
    (purchase,) = api.get("/v1/purchases", wallet=wallet).json()["data"]
    assert (purchase["pack"], purchase["total"]["amount"], purchase["status"]) == ("pack-20", 1900, "settled")


@pytest.mark.parametrize(
    ("changes", "status", "code", "param"),
    [
        ({"trigger": {"kind": "threshold", "below": "0"}}, 422, "invalid_threshold", "trigger.below"),
        ({"trigger": {"kind": "threshold"}}, 422, "invalid_threshold", "trigger.below"),
        ({"trigger": {"kind": "threshold", "below": "0.00000001"}}, 422, "invalid_request", "trigger.below"),
        ({"trigger": {"kind": "target", "below": "10", "target": "9"}}, 422, "invalid_target", "trigger.target"),
        ({"trigger": {"kind": "interval", "every_s": 60}}, 422, "invalid_request", "trigger.every_s"),
        ({"trigger": {"kind": "often"}}, 422, "invalid_request", "trigger.kind"),
        ({"buy": {"pack": "pack-none"}}, 422, "invalid_option", "buy"),
        ({"buy": {}}, 422, "invalid_request", "buy"),
        ({"buy": {"amount": "10"}}, 422, "invalid_request", "buy"),
        ({"buy": {"amount": "20", "price": {"amount": 2000, "currency": "USD"}}}, 422, "invalid_cap", None),
        ({"buy": {"amount": "10", "price": {"amount": 1000, "currency": "EUR"}}}, 422, "currencies_differ", "limits"),
        ({"payment_method": "pmeth_01h455vb4pex5vsknk084sn02q"}, 404, "not_found", "payment_method"),
        ({"consent": TERMS["consent"] | {"given_by": "dana@example.com"}}, 422, "invalid_request", "consent.given_by"),
        ({"consent": TERMS["consent"] | {"given_at": "2999-01-01T00:00:00Z"}}, 422, "consent_required", None),
        ({"consent": None}, 422, "invalid_request", "consent"),
    ],
)
def test_terms_that_can_not_be_kept_are_refused_and_say_which(
    api: Caller, wallet: str, changes: dict[str, Any], status: int, code: str, param: str | None
) -> None:
    answer = put(api, wallet, **changes)

    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert param is None or answer.json()["param"] == param
    assert api.get(f"/v1/wallets/{wallet}/auto-topup").status_code == 404


def test_without_a_payment_method_there_is_nothing_to_charge(api: Caller) -> None:
    wallet = api.credits(api.customer(), "30")

    answer = put(api, wallet)

    assert (answer.status_code, answer.json()["code"]) == (402, "no_payment_method")
    assert json.loads(answer.content)["param"] == "payment_method"
