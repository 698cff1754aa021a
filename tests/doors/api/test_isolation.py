"""Organizations never see each other: made from the OpenAPI document, so that no new route is forgotten."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.testclient import TestClient

from counterfoil.api.app import without_house
from counterfoil.api.openapi import build
from counterfoil.core.contested import Dispute
from counterfoil.core.ids import AccountId, DisputeId, ProviderRef
from counterfoil.core.lifecycle import DisputeStatus
from counterfoil.store import subjects
from doors.api.caller import Caller, another_tenant
from doors.api.test_story import everything_stored
from houses import World

DOCUMENT = build(without_house())
WITH_ID = [
    (method, path)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
    if "{id}" in path and operation["security"]
]
TOPUP: dict[str, Any] = {
    "trigger": {"kind": "threshold", "below": "10"},
    "buy": {"amount": "10", "price": {"amount": 1000, "currency": "USD"}},
    "limits": {"per_attempt": {"amount": 1000, "currency": "USD"}, "per_month": {"amount": 9000, "currency": "USD"}},
    "consent": {"given_by": "user-1", "given_at": "2026-01-01T00:00:00Z", "text_version": "1"},
}
FITTING: dict[str, Any] = {
    "/v1/customers/{id}": {"name": "Mallory"},
    "/v1/customers/{id}/standing": {"email_verified": True},
    "/v1/invoices/{id}": {"description": "mine now"},
    "/v1/cases/{id}/resolve": {"resolution": "handled", "note": "mine now"},
    "/v1/webhook-endpoints/{id}": {"url": "https://mine.test/now"},
    "/v1/wallets/{id}": {"overdraft": "debt"},
    "/v1/wallets/{id}/auto-topup": TOPUP,
    "/v1/payments/{id}/refunds": {},
    "/v1/purchases/{id}/refund": {},
    "/v1/holds/{id}/settle": {"amount": "1"},
    "/v1/invoices/{id}/external-payments": {
        "amount": {"amount": 1, "currency": "USD"},
        "reference": "1",
        "method": "cash",
        "received_at": "2026-01-01T00:00:00Z",
    },
    "/v1/wallets/{id}/grants": {"amount": "1", "source": "promotional"},
}


def contested(world: World, payment: dict[str, Any]) -> str:
    """The provider's side of a payment is disputed there."""
    provider_leg = next(each for each in payment["legs"] if each["kind"] == "provider")
    dispute = Dispute(
        id=DisputeId(world.house.new_id("dispute")),
        customer=payment["customer"],
        account=AccountId(world.account.id),
        payment=payment["id"],
        leg=provider_leg["id"],
        provider_ref=ProviderRef("du_1"),
        provider_status="needs_response",
        status=DisputeStatus.OPEN,
        amount_minor=100,
        currency="USD",
        opened_at=world.house.clock.now(),
    )
    world.house.transact(world.tenant.id, lambda tx: subjects.save(tx, None, dispute))
    return dispute.id


@pytest.fixture
def theirs(api: Caller, world: World) -> dict[str, list[str]]:
    """Ids of everything that one organization has, by the part of a path that names them."""
    dana = world.customer()
    wallet, open_invoice, draft = api.credits(dana, "30"), api.invoice(dana), api.draft(dana)
    payment = api.post("/v1/payments", {"invoices": [open_invoice]}).json()["id"]
    world.pump()
    leg = next(each["id"] for each in api.get(f"/v1/payments/{payment}").json()["legs"] if each["kind"] == "credit")
    decision = api.get("/v1/decisions", limit=1).json()["data"][0]
    method = api.get("/v1/payment-methods").json()["data"][0]["id"]
    event = api.get("/v1/events", limit=1).json()["data"][0]["id"]
    case = world.house.new_id("case")
    run = api.post("/v1/reconcile", {}).json()["id"]
    grant = api.get(f"/v1/wallets/{wallet}/grants").json()["data"][0]["id"]
    later = {"customer": dana, "currency": "USD", "description": "July", "net": 1, "invoice_at": "2999-01-01T00:00:00Z"}
    line = api.post("/v1/pending-lines", later).json()["id"]
    bought = {"customer": dana, "wallet": wallet, "credits": "2", "settlement": "promotional"}
    purchase = api.post("/v1/purchases", bought).json()["id"]
    refund = api.post(f"/v1/payments/{payment}/refunds", {"parts": [{"leg": leg, "amount": 1}]}).json()["id"]
    spend = api.made("/v1/spends", {"wallet": wallet, "amount": "1"})["id"]
    hold = api.made("/v1/holds", {"wallet": wallet, "amount": "1"})["id"]
    endpoint = api.made("/v1/webhook-endpoints", {"url": "https://host.test/hooks"})["id"]
    api.made(f"/v1/webhook-endpoints/{endpoint}/test")
    delivery = api.get("/v1/deliveries").json()["data"][0]["id"]
    world.pump()
    message = api.get("/v1/messages").json()["data"][0]["id"]
    everything = [
        dana,
        wallet,
        open_invoice,
        draft,
        payment,
        method,
        decision["id"],
        event,
        "ext:dana",
        "INV-000001",
        purchase,
    ]
    return {
        "customers": [dana, "ext:dana"],
        "wallets": [wallet],
        "messages": [message],
        "grants": [grant],
        "invoices": [open_invoice, draft],
        "payments": [payment],
        "payment-methods": [method],
        "decisions": [decision["id"]],
        "provider-events": [decision["news"]["id"]],
        "purchases": [purchase],
        "refunds": [refund],
        "spends": [spend],
        "holds": [hold],
        "pending-lines": [line],
        "cases": [case],
        "disputes": [contested(world, api.get(f"/v1/payments/{payment}").json())],
        "documents": [each["id"] for each in api.get("/v1/documents").json()["data"]],
        "webhook-endpoints": [endpoint],
        "deliveries": [delivery],
        "reconcile-runs": [run],
        "explain": everything,
    }


def test_no_id_of_another_organization_is_found_or_touched(
    theirs: dict[str, list[str]], world: World, client: TestClient
) -> None:
    stranger = another_tenant(world, client)
    before = stored_of(world)

    for method, path in WITH_ID:
        for identity in theirs[path.split("/")[2]]:
            answer = client.request(
                method,
                path.replace("{id}", identity),
                json=FITTING.get(path) if method != "get" else None,
                headers={**stranger.authorization, "Idempotency-Key": f"{path}-{identity}"[-60:]},
            )
            assert answer.status_code == 404, (method, path, identity)
            assert answer.json()["code"] in ("not_found", "hold_not_found"), (method, path, identity)

    assert stored_of(world) == before


def test_no_body_or_filter_reaches_into_another_organization(
    theirs: dict[str, list[str]], world: World, client: TestClient
) -> None:
    stranger = another_tenant(world, client)
    own = stranger.customer("mallory")
    dana, wallet, invoice = theirs["customers"][0], theirs["wallets"][0], theirs["invoices"][1]
    before = stored_of(world)
    line = {"description": "x", "net": 1}
    later = {"currency": "USD", "description": "July", "net": 1, "invoice_at": "2999-01-01T00:00:00Z"}
    own_invoice = stranger.invoice(own)
    bodies: list[tuple[str, dict[str, Any]]] = [
        ("/v1/payment-methods", {"customer": dana, "token": "pm_card_visa"}),
        ("/v1/payment-methods", {"customer": "ext:dana", "token": "pm_card_visa"}),
        ("/v1/wallets", {"customer": dana, "unit": "usd-credit"}),
        ("/v1/invoices", {"customer": dana, "currency": "USD", "lines": [line]}),
        ("/v1/payments", {"invoices": [invoice]}),
        ("/v1/purchases", {"customer": dana, "wallet": wallet, "credits": "1", "settlement": "promotional"}),
        ("/v1/purchases", {"customer": own, "wallet": wallet, "credits": "1", "settlement": "promotional"}),
        ("/v1/pending-lines", {"customer": dana, **later}),
        ("/v1/payments", {"invoices": [own_invoice, invoice]}),
        ("/v1/payments", {"invoices": [own_invoice], "payment_method": theirs["payment-methods"][0]}),
        ("/v1/customers", {"provider_account": world.account.id}),
    ]

    for path, body in bodies:
        answer = stranger.post(path, body)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), (path, body)
    for path in (
        "payment-methods",
        "wallets",
        "invoices",
        "payments",
        "purchases",
        "refunds",
        "pending-lines",
        "disputes",
        "decisions",
        "provider-events",
        "events",
        "cases",
    ):
        assert stranger.get(f"/v1/{path}", customer=dana).status_code == 404, path
    assert stranger.get("/v1/decisions", subject=wallet).json()["data"] == []
    assert stranger.get("/v1/events", after=theirs["explain"][7]).status_code == 404
    assert stored_of(world) == before


def test_lists_hold_ones_own_things_alone(theirs: dict[str, list[str]], world: World, client: TestClient) -> None:
    stranger = another_tenant(world, client)
    own = stranger.customer("mallory")

    assert [each["id"] for each in stranger.get("/v1/customers").json()["data"]] == [own]
    for noun in (
        "payment-methods",
        "wallets",
        "invoices",
        "payments",
        "purchases",
        "refunds",
        "pending-lines",
        "disputes",
        "cases",
        "provider-events",
        "webhook-endpoints",
        "deliveries",
    ):
        assert stranger.get(f"/v1/{noun}").json()["data"] == [], noun
    customers = {each["customer"] for each in stranger.get("/v1/events").json()["data"]}
    assert customers == {own}


def test_connections_that_are_used_again_leak_nothing(api: Caller, world: World, client: TestClient) -> None:
    stranger = another_tenant(world, client)
    mine, theirs = api.customer("dana"), stranger.customer("dana")

    def ask(number: int) -> bool:
        caller, own, foreign = (api, mine, theirs) if number % 2 else (stranger, theirs, mine)
        found, hidden = caller.get("/v1/customers/ext:dana"), caller.get(f"/v1/customers/{foreign}")
        return (found.json()["id"], hidden.status_code) == (own, 404)

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(ask, range(200)))


def stored_of(world: World) -> str:
    """Every row of the first organization."""
    return everything_stored(world, tenant_only=True)
