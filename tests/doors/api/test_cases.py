"""Questions for a person: whom they are about, how they are answered, and when they answer themselves."""

from typing import Any

import pytest

from counterfoil.store.audit import audit
from doors.api.caller import Caller, with_scopes
from doors.api.test_personal_data import ask_provider
from dumps import places_of
from houses import World

ANSWER = {"resolution": "handled", "note": "Refunded at the provider."}


def stranger(world: World, customer: str | None = None, minor: int = 4200) -> str:
    """A payment at the provider that nobody here asked for."""
    fields: dict[str, Any] = {"amount": minor, "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true"}
    fields |= {"automatic_payment_methods[enabled]": "true", "automatic_payment_methods[allow_redirects]": "never"}
    fields |= {"customer": customer} if customer else {}
    made: str = ask_provider(world, "POST", "/v1/payment_intents", fields)["id"]
    return made


def asked(api: Caller, world: World, customer: str | None = None) -> dict[str, Any]:
    """The question that a stranger's payment puts."""
    ref = stranger(world, customer)
    world.pump()
    found: dict[str, Any] = api.get("/v1/cases", subject=ref).json()["data"][0]
    return found


def ref_of(api: Caller, customer: str) -> str:
    ref: str = api.get(f"/v1/customers/{customer}").json()["provider_ref"]
    return ref


def test_a_stranger_s_payment_by_a_customer_we_know_is_that_customer_s_question(api: Caller, world: World) -> None:
    dana = world.customer()

    case = asked(api, world, ref_of(api, dana))

    assert (case["question"], case["customer"], case["status"]) == ("money_unexplained", dana, "open")
    state = api.get(f"/v1/customers/{dana}/state").json()
    assert [each["id"] for each in state["open_cases"]] == [case["id"]]


def test_a_payment_of_nobody_we_know_is_nobody_s_question(api: Caller, world: World) -> None:
    world.customer()

    assert asked(api, world)["customer"] is None


def test_a_person_s_answer_closes_the_question_and_is_told(api: Caller, world: World) -> None:
    dana = world.customer()
    case = asked(api, world, ref_of(api, dana))

    answered = api.made(f"/v1/cases/{case['id']}/resolve", ANSWER)

    assert (answered["status"], answered["resolution"], answered["note"]) == (
        "resolved",
        "handled",
        "Refunded at the provider.",
    )
    assert answered["resolved_at"]
    assert answered == api.get(f"/v1/cases/{case['id']}").json()
    assert api.get("/v1/cases", status="open").json()["data"] == []
    told = api.get("/v1/events", kind="case.resolved").json()["data"]
    assert [each["data"] for each in told] == [
        {"case": case["id"], "question": "money_unexplained", "resolution": "handled"}
    ]
    decided = api.get("/v1/decisions", subject=case["id"], reason="case_resolved").json()["data"]
    assert [(each["rule"], each["news"]["source"]) for each in decided] == [("resolve-case@1", "api")]


def test_an_answer_is_given_once(api: Caller, world: World) -> None:
    case = asked(api, world)
    path = f"/v1/cases/{case['id']}/resolve"
    first = api.post(path, ANSWER, key="answer")

    replay = api.post(path, ANSWER, key="answer")
    same = api.post(path, ANSWER)
    other = api.post(path, {"resolution": "dismissed", "note": "Never mind."})

    assert replay.json() == first.json() == same.json()
    assert replay.headers["Idempotency-Replayed"] == "true"
    assert (other.status_code, other.json()["code"]) == (409, "case_not_open")
    assert api.get(f"/v1/cases/{case['id']}").json()["resolution"] == "handled"


def test_news_that_waited_for_the_answer_is_decided_then(api: Caller, world: World) -> None:
    case = asked(api, world)
    parked = api.get("/v1/provider-events", status="parked").json()["data"]
    assert [each["subject"] for each in parked] == [case["subject"]]

    api.made(f"/v1/cases/{case['id']}/resolve", ANSWER)

    assert api.get("/v1/provider-events", status="parked").json()["data"] == []
    assert api.get(f"/v1/provider-events/{parked[0]['id']}").json()["decision"] == parked[0]["decision"]
    with world.house.database.snapshot(world.tenant.id) as tx:
        assert audit(tx, at_rest=True).breaches == ()


def test_a_claim_answers_the_question_by_itself(api: Caller, world: World) -> None:
    dana = world.customer()
    case = asked(api, world, ref_of(api, dana))
    invoice = api.invoice(dana, 4200)

    api.post("/v1/payments", {"invoices": [invoice], "provider_ref": case["subject"]})
    world.pump()

    answered = api.get(f"/v1/cases/{case['id']}").json()
    assert api.get(f"/v1/invoices/{invoice}").json()["status"] == "paid"
    assert (answered["status"], answered["resolution"], answered["note"]) == ("resolved", "claimed", None)
    assert api.get("/v1/provider-events", status="parked").json()["data"] == []
    assert [each["subject"] for each in api.get("/v1/events", kind="case.resolved").json()["data"]] == [case["id"]]
    with world.house.database.snapshot(world.tenant.id) as tx:
        assert audit(tx, at_rest=True).breaches == ()


def test_a_claim_after_a_person_s_answer_leaves_the_answer(api: Caller, world: World) -> None:
    dana = world.customer()
    case = asked(api, world, ref_of(api, dana))
    api.made(f"/v1/cases/{case['id']}/resolve", {"resolution": "dismissed", "note": "The shop claims it."})
    invoice = api.invoice(dana, 4200)

    api.post("/v1/payments", {"invoices": [invoice], "provider_ref": case["subject"]})
    world.pump()

    assert api.get(f"/v1/invoices/{invoice}").json()["status"] == "paid"
    assert api.get(f"/v1/cases/{case['id']}").json()["resolution"] == "dismissed"


def test_an_answer_moves_no_money(api: Caller, world: World) -> None:
    case = asked(api, world)

    preview = api.post(f"/v1/cases/{case['id']}/resolve?dry_run=true", ANSWER).json()

    assert (preview["entries"], preview["reason"]) == ([], "case_resolved")
    assert api.get(f"/v1/cases/{case['id']}").json()["status"] == "open"


@pytest.mark.parametrize(
    "body",
    [{}, {"resolution": "handled"}, {"resolution": "claimed", "note": "x"}, {"resolution": "maybe", "note": "x"}],
)
def test_an_answer_is_one_of_two_with_a_note(api: Caller, world: World, body: dict[str, str]) -> None:
    case = asked(api, world)

    assert api.post(f"/v1/cases/{case['id']}/resolve", body).status_code == 422


def test_answering_takes_a_scope_of_its_own(api: Caller, world: World) -> None:
    case = asked(api, world)
    writer = with_scopes(world, api.client, world.tenant, "read", "write")

    refused = writer.post(f"/v1/cases/{case['id']}/resolve", ANSWER)

    assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")


def test_a_note_is_erased_with_the_person_it_is_about(api: Caller, world: World, database: str) -> None:
    dana = world.customer()
    case = asked(api, world, ref_of(api, dana))
    api.made(f"/v1/cases/{case['id']}/resolve", {"resolution": "handled", "note": "canary-7012 called us"})
    assert "review_case.note" in places_of(database, "canary-7012")

    api.client.delete(f"/v1/customers/{dana}/personal-data", headers=api.authorization)

    assert places_of(database, "canary-7012") == set()
    assert api.get(f"/v1/cases/{case['id']}").json()["resolution"] == "handled"


def test_cases_are_listed_page_by_page(api: Caller, world: World) -> None:
    world.customer()
    made = [stranger(world, minor=100 + number) for number in range(5)]
    world.pump()

    first = api.get("/v1/cases", limit=2).json()
    second = api.get("/v1/cases", limit=2, cursor=first["next_cursor"]).json()
    last = api.get("/v1/cases", limit=2, cursor=second["next_cursor"]).json()

    seen = [each["subject"] for page in (first, second, last) for each in page["data"]]
    assert sorted(seen) == sorted(made)
    assert last["next_cursor"] is None
