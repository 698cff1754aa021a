"""Personal data: where they are kept, that they can be erased for ever, and that the books stay as they were."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode

import pytest

from counterfoil.engine.explain import NotFound, explain
from counterfoil.sandbox.wire import Request
from counterfoil.store.audit import audit
from doors.api.caller import Caller, another_tenant
from dumps import places_of
from houses import STRIPE_KEY, World

CANARY = "canary-7012"
EMAIL = f"{CANARY}@example.com"
PERSON = {"name": f"Dana {CANARY}", "email": EMAIL, "metadata": {"nick": CANARY}}
ALLOWED = {
    "customer_person.name",
    "customer_person.email",
    "customer_person.metadata",
    "raw_body.body",
    "command.first_body",
    "command.final_body",
    "message_content.address",
    "message_content.body_html",
    "message_content.body_text",
}
"""Where personal data may be: in fields of their own, in what was sent, and in what was answered. All erasable."""


def paying_customer(api: Caller, world: World) -> tuple[str, str]:
    """A customer with a canary in every personal field, here and at the provider, and its paid invoice."""
    made = api.made("/v1/customers", {"external_id": "user-1", **PERSON}, key="make")
    dana: str = made["id"]
    api.made("/v1/payment-methods", {"customer": dana, "token": "pm_card_visa"})
    world.pump()
    invoice = api.invoice(dana)
    api.post(f"/v1/invoices/{invoice}/pay")
    world.pump()
    assert api.get(f"/v1/invoices/{invoice}").json()["status"] == "paid"
    return dana, invoice


def erase(api: Caller, customer: str, key: str = "erase") -> Any:
    headers = {**api.authorization, "Idempotency-Key": key}
    return api.client.delete(f"/v1/customers/{customer}/personal-data", headers=headers)


def ask_provider(world: World, method: str, path: str, fields: dict[str, Any] | None = None) -> Any:
    body = urlencode(fields or {}).encode()
    with world.lock:
        answer = world.sandbox.handle(Request(method, path, {"Authorization": f"Bearer {STRIPE_KEY}"}, body))
    assert answer.status == 200, answer.body
    return answer.json()


def at_the_provider(world: World, ref: str) -> Any:
    return ask_provider(world, "GET", f"/v1/customers/{ref}")


def test_personal_data_are_kept_only_where_they_can_be_erased(api: Caller, world: World, database: str) -> None:
    dana, _ = paying_customer(api, world)
    api.patch(f"/v1/customers/{dana}", {"name": f"D. {CANARY}"})
    api.post("/v1/customers", {"external_id": "user-1", **PERSON})
    world.pump()

    kept = places_of(database, CANARY)

    assert kept <= ALLOWED
    assert {"customer_person.email", "raw_body.body", "command.first_body"} <= kept


def test_after_an_erasure_nothing_of_the_person_is_left_in_the_database(
    api: Caller, world: World, database: str
) -> None:
    dana, _ = paying_customer(api, world)
    api.post("/v1/customers", {"external_id": "user-1", **PERSON})
    api.patch(f"/v1/customers/{dana}", {"name": f"D. {CANARY}"})
    world.pump()

    erased = erase(api, dana)

    assert erased.status_code == 200, erased.text
    assert (erased.json()["name"], erased.json()["email"], erased.json()["metadata"]) == (None, None, {})
    assert erased.json()["erased_at"]
    assert places_of(database, CANARY) == set()


def test_what_the_provider_sends_about_an_erased_customer_is_not_kept(api: Caller, world: World, database: str) -> None:
    """Its `customer.updated` says what the name was before it was cleared."""
    dana, _ = paying_customer(api, world)
    ref = api.get(f"/v1/customers/{dana}").json()["provider_ref"]
    erase(api, dana)

    world.pump()

    assert (at_the_provider(world, ref)["name"], at_the_provider(world, ref)["email"]) == (None, None)
    assert CANARY in json.dumps(ask_provider(world, "GET", "/v1/events?limit=100"))
    assert places_of(database, CANARY) == set()


def test_the_books_of_an_erased_customer_stay_as_they_were(api: Caller, world: World) -> None:
    dana, invoice = paying_customer(api, world)
    before = api.get(f"/v1/invoices/{invoice}").json()
    entries = explain(world.house, world.tenant.id, invoice)["entries"]

    erase(api, dana)
    world.pump()

    assert api.get(f"/v1/invoices/{invoice}").json() == before
    assert explain(world.house, world.tenant.id, invoice)["entries"] == entries
    with world.house.database.snapshot(world.tenant.id) as tx:
        assert audit(tx, at_rest=True).breaches == ()


def test_an_erasure_is_a_decision_and_an_event_told_once(api: Caller, world: World) -> None:
    dana, _ = paying_customer(api, world)

    first, again, replay = erase(api, dana), erase(api, dana, "another"), erase(api, dana)

    told = api.get("/v1/events", customer=dana, kind="customer.erased").json()["data"]
    decided = api.get("/v1/decisions", customer=dana, reason="personal_data_erased").json()["data"]
    assert [each["data"] for each in told] == [{"customer": dana}]
    assert [each["rule"] for each in decided] == ["erase-customer@1"]
    assert first.json() == again.json() == replay.json()
    assert replay.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in again.headers


def test_a_replay_of_an_old_key_answers_with_the_erased_customer(api: Caller, world: World) -> None:
    dana, _ = paying_customer(api, world)
    erased_at = erase(api, dana).json()["erased_at"]

    replay = api.post("/v1/customers", {"external_id": "user-1", **PERSON}, key="make")

    assert (replay.status_code, replay.headers["Idempotency-Replayed"]) == (201, "true")
    shown = replay.json()
    assert (shown["id"], shown["name"], shown["email"], shown["metadata"]) == (dana, None, None, {})
    assert shown["erased_at"] == erased_at


def test_a_replay_after_an_erasure_stores_nothing_of_what_it_brings(api: Caller, world: World, database: str) -> None:
    dana, _ = paying_customer(api, world)
    erase(api, dana)

    api.post("/v1/customers", {"external_id": "user-1", **PERSON}, key="make")

    assert places_of(database, CANARY) == set()


def test_an_erased_customer_is_never_filled_in_again(api: Caller, world: World, database: str) -> None:
    dana, _ = paying_customer(api, world)
    erase(api, dana)

    refused = api.patch(f"/v1/customers/{dana}", PERSON)

    assert (refused.status_code, refused.json()["code"]) == (409, "customer_erased")
    assert api.get(f"/v1/customers/{dana}").json()["name"] is None
    assert places_of(database, CANARY) == set()


def test_a_customer_that_can_t_be_made_again_leaves_nothing_behind(api: Caller, world: World, database: str) -> None:
    dana, _ = paying_customer(api, world)
    erase(api, dana)

    refused = api.post("/v1/customers", {"external_id": "user-1", **PERSON})

    assert (refused.status_code, refused.json()["code"]) == (409, "external_id_taken")
    assert places_of(database, CANARY) == set()


def test_erasing_again_erases_what_came_in_since(api: Caller, world: World, database: str) -> None:
    """A body that was being stored while the erasure committed."""
    dana, _ = paying_customer(api, world)
    erase(api, dana)
    with world.house.database.transaction(world.tenant.id) as tx:
        tx.run(
            "insert into raw_body (tenant, inbox, body) select d.tenant, d.inbox, %(body)s from decision d "
            "where d.tenant = %(tenant)s and d.reason = 'customer_linked'",
            body=CANARY.encode(),
        )
    assert places_of(database, CANARY) == {"raw_body.body"}

    erase(api, dana, "another")

    assert places_of(database, CANARY) == set()


def test_somebody_elses_customer_is_not_found(api: Caller, world: World, database: str) -> None:
    dana, _ = paying_customer(api, world)
    other = another_tenant(world, api.client)

    assert erase(other, dana).status_code == 404
    assert erase(other, "ext:user-1").status_code == 404
    assert api.get(f"/v1/customers/{dana}").json()["email"] == EMAIL


def test_other_customers_keep_theirs(api: Caller, world: World, database: str) -> None:
    dana, _ = paying_customer(api, world)
    emil = api.made("/v1/customers", {"external_id": "emil", "email": "emil-4711@example.com"})["id"]
    world.pump()
    kept = places_of(database, "emil-4711")

    erase(api, dana)

    assert places_of(database, "emil-4711") == kept
    assert api.get(f"/v1/customers/{emil}").json()["email"] == "emil-4711@example.com"


def test_a_dry_run_erases_nothing(api: Caller, world: World, database: str) -> None:
    dana, _ = paying_customer(api, world)
    before = places_of(database, CANARY)

    preview = api.client.delete(
        f"/v1/customers/{dana}/personal-data", params={"dry_run": "true"}, headers=api.authorization
    )

    assert preview.json()["messages"] == ["customer.erased"]
    assert places_of(database, CANARY) == before


def test_an_erased_customer_can_still_be_billed(api: Caller, world: World) -> None:
    dana, _ = paying_customer(api, world)
    erase(api, dana)

    invoice = api.invoice(dana, 5_000)
    api.post(f"/v1/invoices/{invoice}/pay")
    world.pump()

    assert api.get(f"/v1/invoices/{invoice}").json()["status"] == "paid"
    assert world.charges() == [10_000, 5_000]


def test_an_erased_customer_is_not_found_by_its_address(api: Caller, world: World) -> None:
    dana, _ = paying_customer(api, world)
    assert explain(world.house, world.tenant.id, EMAIL)["subject"]["id"] == dana

    erase(api, dana)

    assert explain(world.house, world.tenant.id, dana)["subject"]["erased_at"]
    with pytest.raises(NotFound):
        explain(world.house, world.tenant.id, EMAIL)


def test_what_comes_in_by_the_busy_door_is_not_kept_either(api: Caller, world: World, database: str) -> None:
    """Webhooks that arrive together are stored in one statement."""
    dana, _ = paying_customer(api, world)
    erase(api, dana)
    while world.work():
        continue

    with world.lock:
        due = world.sandbox.due_deliveries()
    answers = [api.client.post("/webhooks/stripe/default", content=each.body, headers=each.headers) for each in due]

    assert CANARY.encode() in b"".join(each.body for each in due)
    assert {each.status_code for each in answers} == {200}
    assert places_of(database, CANARY) == set()


def test_what_the_host_wrote_at_the_provider_is_never_kept_beyond_its_body(
    api: Caller, world: World, database: str
) -> None:
    """A payment that the host application made, with whatever it put into its metadata, claimed for an invoice."""
    dana = world.customer()
    ref = api.get(f"/v1/customers/{dana}").json()["provider_ref"]
    for customer in (ref, None):
        fields = {"amount": 4200, "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true"}
        fields |= {"automatic_payment_methods[enabled]": "true"}
        fields |= {"automatic_payment_methods[allow_redirects]": "never"}
        fields |= {"metadata[who]": CANARY, "description": f"for {CANARY}", "receipt_email": EMAIL}
        fields |= {"customer": customer} if customer else {}
        made = ask_provider(world, "POST", "/v1/payment_intents", fields)
        api.post("/v1/payments", {"invoices": [api.invoice(dana, 4200)], "provider_ref": made["id"]})
        world.pump()
    assert places_of(database, CANARY) == {"raw_body.body"}

    erase(api, dana)

    assert places_of(database, CANARY) == set()


@pytest.mark.parametrize("others", ["erase", "change"])
def test_an_erasure_among_others_at_the_same_time_is_whole(
    api: Caller, world: World, database: str, others: str
) -> None:
    dana, _ = paying_customer(api, world)

    def change(number: int) -> int:
        if others == "erase" or number == 0:
            status: int = erase(api, dana, f"erase-{number}").status_code
            return status
        return api.patch(f"/v1/customers/{dana}", {"name": f"{CANARY} {number}"}).status_code

    with ThreadPoolExecutor(6) as threads:
        statuses = set(threads.map(change, range(6)))
    world.pump()

    assert statuses <= {200, 409}
    assert places_of(database, CANARY) == set()
    assert len(api.get("/v1/events", kind="customer.erased").json()["data"]) == 1
    with world.house.database.snapshot(world.tenant.id) as tx:
        assert audit(tx, at_rest=True).breaches == ()
