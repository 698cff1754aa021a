"""What Stripe really sends, in every recorded version: kept, decided, and believed only as far as it proves."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from starlette.testclient import TestClient

from counterfoil.api.app import create_app
from counterfoil.engine.intake import Accepted
from counterfoil.sandbox.versions import ACACIA
from counterfoil.sim.desk import Terms
from counterfoil.sim.site import WEBHOOK_SECRET
from providers.recorded import recorded_events, signed
from sandbox.scripts import run_script
from sandbox.shapes import shared
from scenarios.stage import Stage

Door: TypeAlias = Callable[[Stage, bytes], bool]


def engine(stage: Stage, body: bytes) -> bool:
    """Straight to the engine's door."""
    return isinstance(stage.site.deliver(headers(stage, body), body), Accepted)


def http(stage: Stage, body: bytes) -> bool:
    """Through the HTTP door, as Stripe does."""
    with TestClient(create_app(stage.site.house)) as client:
        answer = client.post(f"/webhooks/stripe/{stage.site.slug}", content=body, headers=headers(stage, body))
    return bool(answer.status_code == 200)


def headers(stage: Stage, body: bytes) -> dict[str, str]:
    return signed(body, WEBHOOK_SECRET, int(stage.site.clock.seconds()))


@pytest.mark.parametrize("door", [engine, http], ids=["engine", "http"])
def test_every_recorded_event_is_kept_decided_and_moves_no_money(stage: Stage, door: Door) -> None:
    """They speak of customers and payments that are not ours. A second posting of all changes nothing."""
    customer = stage.customer("pm_card_visa")
    stage.credits(customer, 3000)
    stage.pay(stage.bill(customer, 10000))
    stage.run()
    bodies = [numbered(each.read_bytes(), number) for number, each in enumerate(recorded_events())]
    before = money(stage)
    heard = len(stage.rows(NEWS))

    assert all(door(stage, body) for body in bodies)
    stage.rest()
    decided = stage.rows(NEWS)[heard:]
    assert all(door(stage, body) for body in bodies)
    stage.rest()

    assert len(decided) == len(bodies)
    assert {each["status"] for each in decided} <= {"decided", "parked"}
    assert all(each["outcome"] in ("no_effect", "parked") and each["sentence"] for each in decided)
    assert money(stage) == before
    again = stage.rows(NEWS)[heard:]
    assert [(each["id"], each["decision"]) for each in again] == [(each["id"], each["decision"]) for each in decided]
    assert {each["deliveries"] for each in again} == {2}
    assert stage.at_rest()


def numbered(body: bytes, number: int) -> bytes:
    """Give a recorded event an id of its own: several were recorded under one."""
    identity: str = json.loads(body)["id"]
    return body.replace(f'"{identity}"'.encode(), f'"{identity}{number}"'.encode())


NEWS = """
    select i.id, i.kind, i.status, i.deliveries, d.id as decision, d.outcome, d.sentence from inbox i
    left join decision d on d.tenant = i.tenant and d.inbox = i.id
    where i.tenant = %(tenant)s and i.source = 'webhook' order by i.id
"""


def money(stage: Stage) -> list[str]:
    """The journal and everything that says what is owed, held or paid."""
    return [str(each) for each in stage.standing() if each["kind"] != "case"]


def test_recorded_events_about_a_payment_of_ours_are_hints_and_no_more(stage: Stage) -> None:
    """Each payload claims that our open payment has come to something; the provider says that it has not."""
    customer = stage.customer()
    invoice = stage.bill(customer, 10000)
    payment = stage.pay(invoice, terms=Terms(provider_ref=stage.intent(customer, 10000)))
    stage.run()
    ours = stage.intent_of(payment)
    before = stage.statuses(payment)

    for path in recorded_events():
        body = path.read_bytes()
        event = json.loads(body)
        theirs = event["data"]["object"]
        ref = theirs["id"] if theirs["object"] == "payment_intent" else theirs.get("payment_intent")
        if isinstance(ref, str):
            engine(stage, body.replace(ref.encode(), ours.encode()))
    stage.rest()

    assert stage.statuses(payment) == before
    assert stage.invoice(invoice)["status"] == "open"
    assert stage.charged() == []


# --- the CLI's scripts, for customers and invoices that we know ---


def script(name: str) -> Path:
    return shared() / "stripe-scripts" / f"{name}.json"


@pytest.mark.parametrize(
    ("name", "minor", "status", "questions"),
    [
        ("payment_intent.succeeded", 2000, "paid", []),
        ("charge.refunded", 100, "paid", []),
        ("charge.refund.updated", 100, "paid", []),
        ("charge.failed", 100, "open", []),
        ("payment_intent.payment_failed", 2000, "open", []),
        ("payment_intent.requires_action", 2000, "open", []),
    ],
)
def test_a_payment_of_the_cli_settles_the_invoice_that_claims_it(
    stage: Stage, name: str, minor: int, status: str, questions: list[str]
) -> None:
    sandbox = stage.site.provider.sandbox
    sandbox.set_default_version(stage.site.provider.key, ACACIA)
    customer = stage.customer()
    run_script(sandbox, script(name), stage.site.provider.key)
    (intent,) = stage.site.provider.objects("/v1/payment_intents")
    assert intent["amount"] == minor
    invoice = stage.bill(customer, minor)

    stage.pay(invoice, terms=Terms(provider_ref=intent["id"]))
    stage.run()
    stage.site.pass_time(stage.site.house.settings.sweep_every)
    stage.run()

    assert stage.invoice(invoice)["status"] == status
    assert set(questions) <= set(stage.questions())
    assert stage.sound()


@pytest.mark.parametrize("name", ["customer.created", "customer.updated", "customer.deleted"])
def test_the_customers_of_the_cli_are_no_news_to_ours(stage: Stage, name: str) -> None:
    stage.site.provider.sandbox.set_default_version(stage.site.provider.key, ACACIA)
    stage.customer("pm_card_visa")
    before = stage.standing()

    run_script(stage.site.provider.sandbox, script(name), stage.site.provider.key)
    stage.rest()

    assert stage.standing() == before
    assert stage.at_rest()


def test_a_customer_of_ours_that_is_deleted_there_is_marked_here(stage: Stage) -> None:
    customer = stage.customer("pm_card_visa")
    ref = stage.customer_ref(customer)

    stage.site.provider.ask("DELETE", f"/v1/customers/{ref}")
    stage.rest()

    (row,) = stage.rows(
        "select deleted_at_provider from customer where tenant = %(tenant)s and id = %(id)s", id=customer
    )
    assert row["deleted_at_provider"]
    assert stage.at_rest()
