"""What is kept for a while only: raw bodies, and the keys of commands. Time passes on the business clock."""

import threading
from datetime import timedelta
from time import monotonic

import pytest
import structlog

from counterfoil.engine import claims, retention
from counterfoil.engine.house import Settings
from counterfoil.engine.phases import Phase, run
from counterfoil.store.audit import audit
from counterfoil.store.work import Claim, LeaseLost, Queue
from counterfoil.worker.loop import Pace, work_until
from databases import Databases
from doors.api.caller import Caller, another_tenant
from doors.api.test_personal_data import ask_provider
from houses import World, house_with_sandbox

DAY = timedelta(days=1)


def upkeep(world: World) -> None:
    """Let the upkeep of every tenant run once."""
    retention.schedule(world.house)
    for each in claims.claim_due(world.house):
        if each.queue in (Queue.UPKEEP, Queue.REVENUE):
            world.run(each)


def count(world: World, table: str) -> int:
    with world.house.database.snapshot(world.tenant.id) as tx:
        return sum(1 for _ in tx.rows(COUNTED[table]))


OF_NEWS = (
    "select r.inbox from raw_body r join inbox i on i.tenant = r.tenant and i.id = r.inbox where r.tenant = %(tenant)s"
)
COUNTED = {
    "raw_body": "select inbox from raw_body where tenant = %(tenant)s",
    "webhook": f"{OF_NEWS} and i.source = 'webhook'",
    "parked": f"{OF_NEWS} and i.status in ('parked', 'received', 'waiting')",
    "command": "select inbox from command where tenant = %(tenant)s",
}


def forward(world: World, days: float) -> None:
    world.clock.offset += days * DAY


def paid(api: Caller, world: World) -> tuple[str, str]:
    """A customer and its paid invoice, with the webhooks that told of it."""
    dana = world.customer()
    invoice = api.invoice(dana)
    api.post(f"/v1/invoices/{invoice}/pay", key="pay")
    world.pump()
    return dana, invoice


def test_raw_bodies_go_after_ninety_days_and_the_news_stays(api: Caller, world: World) -> None:
    _, invoice = paid(api, world)
    told = api.get("/v1/provider-events", limit=200).json()["data"]
    forward(world, 89)
    upkeep(world)
    assert count(world, "webhook") > 0

    forward(world, 2)
    upkeep(world)

    assert count(world, "raw_body") == 0
    assert api.get("/v1/provider-events", limit=200).json()["data"] == told
    shown = api.get(f"/v1/provider-events/{next(each['id'] for each in told if each['source'] == 'webhook')}").json()
    assert shown["payload"] is None
    assert api.get(f"/v1/invoices/{invoice}").json()["status"] == "paid"


def test_bodies_of_news_that_waits_for_somebody_are_kept(api: Caller, world: World) -> None:
    world.customer()
    stranger(world)
    world.pump()
    forward(world, 400)
    world.deliver()

    upkeep(world)

    assert count(world, "parked") > 0
    assert count(world, "raw_body") == count(world, "parked")


def stranger(world: World) -> None:
    """A payment at the provider that nobody asked for, and news of which comes late."""
    fields = {"amount": 4200, "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true"}
    fields |= {"automatic_payment_methods[enabled]": "true", "automatic_payment_methods[allow_redirects]": "never"}
    ask_provider(world, "POST", "/v1/payment_intents", fields)


def test_a_key_replays_for_thirty_days_and_is_a_new_command_after(api: Caller, world: World) -> None:
    _, invoice = paid(api, world)
    forward(world, 29)
    upkeep(world)
    replayed = api.post(f"/v1/invoices/{invoice}/pay", key="pay")
    assert replayed.headers["Idempotency-Replayed"] == "true"

    forward(world, 2)
    upkeep(world)
    again = api.post(f"/v1/invoices/{invoice}/pay", key="pay")
    world.pump()

    assert "Idempotency-Replayed" not in again.headers
    assert (again.status_code, again.json()["code"]) == (422, "nothing_due")
    assert world.charges() == [10_000]
    assert count(world, "command") == 1


def test_an_expired_key_may_stand_for_something_else(api: Caller, world: World) -> None:
    first = api.made("/v1/customers", {"external_id": "dana"}, key="same")
    forward(world, 31)
    upkeep(world)

    taken = api.post("/v1/customers", {"external_id": "dana"}, key="same")
    other = api.post("/v1/customers", {"external_id": "emil"}, key="another")

    assert (taken.status_code, taken.json()["code"]) == (409, "external_id_taken")
    assert other.json()["id"] != first["id"]


def test_a_command_that_is_not_over_keeps_its_key(api: Caller, world: World) -> None:
    dana = world.customer(token=None)
    invoice = api.invoice(dana)
    api.post(f"/v1/invoices/{invoice}/pay", {"confirm": "client"}, key="pay")
    world.pump()
    forward(world, 100)

    upkeep(world)

    again = api.post(f"/v1/invoices/{invoice}/pay", {"confirm": "client"}, key="pay")
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (202, "true")


def test_the_books_pass_the_audit_after_everything_was_dropped(api: Caller, world: World) -> None:
    paid(api, world)
    forward(world, 400)

    upkeep(world)

    assert (count(world, "raw_body"), count(world, "command")) == (0, 0)
    with world.house.database.snapshot(world.tenant.id) as tx:
        assert audit(tx, at_rest=True).breaches == ()


def test_many_rows_go_page_by_page(api: Caller, world: World) -> None:
    for number in range(retention.PAGE // 100 * 12):
        api.made("/v1/customers", {"external_id": f"user-{number}"})
    forward(world, 91)
    retention.schedule(world.house)
    claim = upkeep_claim(world)
    steps = []
    phase: Phase | None = claims.begin(claim)
    while phase:
        steps.append(phase.name)
        phase = phase.run(world.house)

    assert steps[-1] == "rest"
    assert (count(world, "raw_body"), count(world, "command")) == (0, 0)


def upkeep_claim(world: World) -> Claim:
    return next(each for each in claims.claim_due(world.house) if each.queue is Queue.UPKEEP)


def test_of_many_workers_one_does_the_upkeep(world: World) -> None:
    retention.schedule(world.house)
    retention.schedule(world.house)

    first = [each for each in claims.claim_due(world.house) if each.queue is Queue.UPKEEP]
    second = [each for each in claims.claim_due(world.house) if each.queue is Queue.UPKEEP]

    assert [each.tenant for each in first] == [world.tenant.id]
    assert second == []


def test_a_worker_that_was_overtaken_drops_nothing_more(api: Caller, world: World) -> None:
    paid(api, world)
    forward(world, 400)
    retention.schedule(world.house)
    slow = upkeep_claim(world)
    world.clock.step(timedelta(minutes=5))
    upkeep_claim(world)

    with pytest.raises(LeaseLost):
        run(world.house, retention.Bodies(slow))

    assert count(world, "raw_body") > 0


def test_upkeep_comes_again_an_hour_later(world: World) -> None:
    upkeep(world)
    assert [each for each in claims.claim_due(world.house) if each.queue is Queue.UPKEEP] == []

    world.clock.step(timedelta(minutes=61))

    assert upkeep_claim(world).tenant == world.tenant.id


def test_each_tenant_s_rows_are_dropped_and_nobody_is_forgotten(api: Caller, world: World) -> None:
    other = another_tenant(world, api.client)
    other.made("/v1/customers", {"external_id": "emil"})
    paid(api, world)
    forward(world, 400)

    upkeep(world)

    with world.house.database.claims() as tx:
        held = tx.rows("select id from work where queue = 'upkeep'")
    assert len(held) == 2
    assert count(world, "raw_body") == 0
    assert other.client.get("/metrics").text.count("counterfoil_raw_body_age_seconds 0.0") == 1


def test_how_long_things_are_kept_is_a_setting(databases: Databases) -> None:
    address = databases.migrated()
    settings = Settings(keep_bodies=timedelta(days=1), keep_keys=timedelta(days=2))
    with house_with_sandbox(address, settings) as world:
        world.customer()
        forward(world, 1.5)
        upkeep(world)
        assert (count(world, "raw_body"), count(world, "command") > 0) == (0, True)

        forward(world, 1)
        upkeep(world)

        assert count(world, "command") == 0
    databases.drop(address)


def test_what_was_dropped_is_measured_and_logged(api: Caller, world: World) -> None:
    paid(api, world)
    forward(world, 91)
    bodies, keys = count(world, "raw_body"), count(world, "command")

    with structlog.testing.capture_logs() as lines:
        upkeep(world)

    said = [each for each in lines if each["event"] == "retention"]
    assert [(each["tenant"], each["bodies_dropped"], each["keys_dropped"]) for each in said] == [
        (world.tenant.id, bodies, keys)
    ]
    shown = api.client.get("/metrics").text
    assert f'counterfoil_retention_dropped{{kind="body"}} {bodies}.0' in shown
    assert f'counterfoil_retention_dropped{{kind="key"}} {keys}.0' in shown
    assert "counterfoil_upkeep_age_seconds 0.0" in shown


def test_a_late_body_about_an_erased_customer_goes_with_the_next_upkeep(api: Caller, world: World) -> None:
    """It was being stored while the erasure committed, so that neither saw the other."""
    dana = api.made("/v1/customers", {"external_id": "dana", "name": "Dana"})["id"]
    world.pump()
    api.client.delete(f"/v1/customers/{dana}/personal-data", headers=api.authorization)
    with world.house.database.transaction(world.tenant.id) as tx:
        tx.run(
            "insert into raw_body (tenant, inbox, body, customer_ref) "
            "select i.tenant, i.id, 'Dana', c.provider_ref from inbox i "
            "join customer c on c.tenant = i.tenant and c.id = %(id)s "
            "where i.tenant = %(tenant)s and i.kind = 'customer.created'",
            id=dana,
        )
    assert count(world, "raw_body") == 1

    upkeep(world)

    assert count(world, "raw_body") == 0


def test_a_running_worker_sees_to_it_by_itself(api: Caller, world: World) -> None:
    paid(api, world)
    forward(world, 91)
    stop = threading.Event()
    worker = threading.Thread(target=lambda: work_until(world.house, stop, Pace(idle_s=0.02)))
    worker.start()
    try:
        until = monotonic() + 20
        while count(world, "raw_body") + count(world, "command") and monotonic() < until:
            stop.wait(0.05)
    finally:
        stop.set()
        worker.join()

    assert (count(world, "raw_body"), count(world, "command")) == (0, 0)
