"""Runs are asked for and read over the API, and late payments are counted there."""

from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from behaviours import behaviour
from counterfoil.core.checks import LATE_AFTER
from counterfoil.engine.claims import claim_due
from counterfoil.engine.runs import REGULAR
from counterfoil.store import work
from counterfoil.store.work import Queue
from doors.api.caller import Caller, another_tenant
from houses import World


@behaviour("R-SU-17")
def test_late_payments_are_counted_and_a_run_says_what_came_of_them(
    api: Caller, world: World, client: TestClient
) -> None:
    dana = world.customer(token="pm_usBankAccount_processing")
    api.post("/v1/payments", {"invoices": [api.invoice(dana)]})
    world.pump()
    world.clock.at += LATE_AFTER

    asked = api.post("/v1/reconcile", {"days": 7})
    again = api.post("/v1/reconcile", {"days": 7})
    work_off(world)
    run = api.get(f"/v1/reconcile-runs/{asked.json()['id']}").json()

    assert (asked.status_code, again.json()["id"]) == (202, asked.json()["id"])
    assert (run["status"], run["late"], run["visited"] >= 1, run["asked"]) == ("done", 1, True, 0)
    assert next(each for each in run["report"] if each["why"] == "late")["outcome"] == "no_effect"
    standing = api.get("/v1/reconcile").json()
    assert (standing["payments_processing"], standing["payments_late"]) == (1, 1)
    assert standing["last_run"]["id"] == run["id"]
    assert "counterfoil_payments_late 1.0" in client.get("/metrics").text
    stranger = another_tenant(world, client)
    assert stranger.get("/v1/reconcile").json()["payments_late"] == 0
    assert stranger.get("/v1/reconcile-runs").json()["data"] == []
    assert api.get(f"/v1/explain/{run['id']}").json()["finding"].endswith("question(s) wait for a person.")


def test_runs_come_by_themselves_and_are_listed(api: Caller, world: World) -> None:
    with world.house.database.claims() as tx:
        work.enqueue_tenants(tx, Queue.RECONCILE, [world.tenant.id], world.clock.now())
    for _ in range(2):
        work_off(world)
        world.clock.at += world.house.settings.reconcile_every

    first, second = api.get("/v1/reconcile-runs").json()["data"][::-1][:2]

    assert {first["asked_by"], second["asked_by"]} == {"schedule"}
    assert (first["status"], second["changed"]) == ("done", 0)
    assert api.get("/v1/reconcile-runs", status="queued").json()["data"] == []
    assert [each.id for each in claim_due(world.house) if each.queue is Queue.RECONCILE] == [REGULAR]


@pytest.mark.parametrize(
    "body", [{"days": 0}, {"days": 2, "all": True}, {"since": "2999-01-01T00:00:00Z"}, {"since": "soon"}, {"months": 1}]
)
def test_what_can_t_be_asked_for_is_refused(api: Caller, body: dict[str, object]) -> None:
    assert api.post("/v1/reconcile", body).status_code == 422
    assert api.get("/v1/reconcile-runs").json()["data"] == []


def work_off(world: World) -> None:
    for _ in range(8):
        world.pump()
        for claim in [each for each in claim_due(world.house) if each.queue in (Queue.RECONCILE, Queue.INBOX)]:
            world.run(claim)
        world.clock.at += timedelta(seconds=1)
