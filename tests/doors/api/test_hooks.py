"""Webhooks out at the door: a secret is shown once, deliveries are seen and sent again, answers are for operators."""

import pytest
from starlette.testclient import TestClient

from counterfoil.core.deliveries import Answered
from counterfoil.core.event_kinds import KINDS
from doors.api.caller import Caller, with_scopes
from houses import World

URL = "https://host.test/hooks"


def test_a_secret_is_shown_once_and_stored_sealed(api: Caller) -> None:
    made = api.made("/v1/webhook-endpoints", {"url": URL, "kinds": ["customer.*"]})

    shown = api.get(f"/v1/webhook-endpoints/{made['id']}").json()
    listed = api.get("/v1/webhook-endpoints").json()["data"]
    rotated = api.made(f"/v1/webhook-endpoints/{made['id']}/rotate-secret", {"both_valid_s": 60})

    assert made["secret"].startswith("whsec_")
    assert rotated["secret"] not in ("", made["secret"])
    assert rotated["old_secret_ends_at"] == "2026-06-14T04:05:00.000Z"
    assert listed == [shown]
    assert "secret" not in shown
    assert (shown["status"], shown["kinds"], shown["payload"]) == ("active", ["customer.*"], "full")


def test_a_delivery_is_seen_with_its_tries_and_sent_again(api: Caller, world: World, client: TestClient) -> None:
    endpoint = api.made("/v1/webhook-endpoints", {"url": URL, "kinds": ["customer.created"]})["id"]
    answers = iter([Answered(500, 12, b"a stack trace")])
    world.host.answer = lambda parcel: next(answers, None)
    dana = api.customer("dana")

    world.pump()
    (listed,) = api.get("/v1/deliveries", endpoint=endpoint, status="delivered").json()["data"]
    shown = api.get(f"/v1/deliveries/{listed['id']}").json()
    reader = with_scopes(world, client, world.tenant, "read").get(f"/v1/deliveries/{listed['id']}").json()
    again = api.made(f"/v1/deliveries/{listed['id']}/replay")
    world.pump()

    assert [(each["n"], each["outcome"], each["status_code"]) for each in shown["attempts"]] == [
        (1, "refused", 500),
        (2, "delivered", 204),
    ]
    assert shown["attempts"][0]["reply"] == "a stack trace"
    assert all("reply" not in each for each in reader["attempts"])
    assert shown["body"] == world.host.parcels[0].body
    assert (again["status"], api.get(f"/v1/deliveries/{listed['id']}").json()["tries"]) == ("pending", 3)
    assert {each.headers["webhook-id"] for each in world.host.parcels} == {listed["event"]}
    assert api.get("/v1/deliveries", customer=dana).json()["data"][0]["id"] == listed["id"]


def test_an_address_inside_is_refused_before_anything_is_stored(api: Caller) -> None:
    for url in ("http://host.test/", "https://127.0.0.1/", "https://user@host.test/", "https://host.test:22/"):
        answer = api.post("/v1/webhook-endpoints", {"url": url})
        assert (answer.status_code, answer.json()["code"], answer.json()["param"]) == (
            422,
            "webhook_url_refused",
            "url",
        )

    assert api.get("/v1/webhook-endpoints").json()["data"] == []


@pytest.mark.parametrize("kinds", [["invoice"], ["Invoice.paid"], ["*"], ["invoice.paid.twice"]])
def test_a_kind_that_can_be_none_is_refused(api: Caller, kinds: list[str]) -> None:
    assert api.post("/v1/webhook-endpoints", {"url": URL, "kinds": kinds}).status_code == 422


def test_a_paused_endpoint_is_not_tested_and_a_deleted_one_is_gone(api: Caller) -> None:
    path = f"/v1/webhook-endpoints/{api.made('/v1/webhook-endpoints', {'url': URL})['id']}"
    paused = api.patch(path, {"status": "paused"}).json()
    refused = api.post(f"{path}/test").json()["code"]
    api.patch(path, {"status": "active"})
    tested = api.made(f"{path}/test")

    gone = api.client.delete(path, headers=api.authorization).json()

    assert (paused["status"], refused) == ("paused", "webhook_endpoint_off")
    assert (tested["kind"], tested["subject"]) == ("webhook_endpoint.tested", path.rpartition("/")[2])
    assert (gone["status"], api.get(path).status_code) == ("deleted", 404)
    assert api.get(f"/v1/deliveries/{tested['id']}").status_code == 200


def test_a_customers_activity_has_every_side_effect_once_and_who_caused_it(api: Caller, world: World) -> None:
    api.made("/v1/webhook-endpoints", {"url": URL})
    dana = world.customer()
    api.made("/v1/payments", {"invoices": [api.invoice(dana)]})
    world.pump()

    events = api.get("/v1/events", customer=dana).json()["data"]
    first = api.get(f"/v1/customers/{dana}/activity", limit=1).json()
    rest = api.get(f"/v1/customers/{dana}/activity", cursor=first["next_cursor"]).json()["data"]
    entries = first["data"] + rest

    assert [each["id"] for each in entries] == [each["id"] for each in events][::-1]
    assert all((each["deliveries"], each["delivered"]) == (1, 1) for each in entries)
    (finalized,) = [each for each in entries if each["kind"] == "invoice.finalized"]
    assert finalized["who"]["source"] == "api"
    assert finalized["who"]["caller"].startswith("key_")
    assert {each["kind"] for each in events} <= set(KINDS)


def test_an_erased_customer_is_in_nothing_that_is_kept_of_what_was_sent(api: Caller, world: World) -> None:
    api.made("/v1/webhook-endpoints", {"url": URL})
    dana = api.customer("dana")
    world.pump()
    (delivery,) = api.get("/v1/deliveries", customer=dana).json()["data"]
    before = api.get(f"/v1/deliveries/{delivery['id']}").json()["body"]

    api.client.delete(f"/v1/customers/{dana}/personal-data", headers=api.authorization)
    after = api.get(f"/v1/deliveries/{delivery['id']}").json()["body"]

    assert "dana@example.com" in before
    assert after is None


def test_what_is_due_and_what_fails_is_measured(api: Caller, world: World, client: TestClient) -> None:
    api.made("/v1/webhook-endpoints", {"url": URL, "kinds": ["customer.created"]})
    world.host.strike = lambda: "broken"
    api.customer("dana")
    world.work()

    text = client.get("/metrics").text

    assert 'counterfoil_deliveries_open{status="pending"} 1.0' in text
    assert 'counterfoil_webhook_endpoints{state="failing"} 1.0' in text
