"""The provider's copy of a customer's name and e-mail follows ours, whatever becomes of the call."""

from typing import Any

import pytest

from counterfoil.engine import claims, setup
from counterfoil.engine.dispatch import Take
from counterfoil.store.work import Claim, Queue
from doors.api.caller import Caller
from doors.api.test_personal_data import at_the_provider
from houses import SANDBOX, SECRET, STRIPE_KEY, World


def known(api: Caller, world: World) -> tuple[str, str]:
    """A customer who is known at the provider: our id and the provider's."""
    dana = world.customer(token=None)
    return dana, api.get(f"/v1/customers/{dana}").json()["provider_ref"]


def copy(world: World, ref: str) -> tuple[Any, Any]:
    theirs = at_the_provider(world, ref)
    return theirs["name"], theirs["email"]


def updates(world: World) -> list[dict[str, Any]]:
    with world.house.database.snapshot(world.tenant.id) as tx:
        return tx.rows(
            "select status, try_no from provider_order "
            "where tenant = %(tenant)s and verb = 'UpdateCustomer' order by id"
        )


def first_call(world: World, path: str, **trouble: Any) -> None:
    """Let the first POST to a path of the provider end in trouble."""
    world.control("POST", "faults", {"match": {"method": "POST", "path": path, "nth": 1}, **trouble})


def order_claim(world: World) -> Claim:
    return next(each for each in claims.claim_due(world.house) if each.queue is Queue.ORDER)


def test_a_change_of_name_and_address_reaches_the_provider(api: Caller, world: World) -> None:
    dana, ref = known(api, world)

    api.patch(f"/v1/customers/{dana}", {"name": "D. Scully", "email": "scully@example.com"})
    world.pump()

    assert copy(world, ref) == ("D. Scully", "scully@example.com")
    decided = api.get("/v1/decisions", customer=dana, reason="customer_told").json()["data"]
    assert len(decided) == 1


def test_what_is_cleared_here_is_cleared_there(api: Caller, world: World) -> None:
    dana, ref = known(api, world)

    api.patch(f"/v1/customers/{dana}", {"email": None})
    world.pump()

    assert copy(world, ref) == ("Dana", None)


@pytest.mark.parametrize("body", [{"metadata": {"team": "x"}}, {"name": "Dana"}, {}])
def test_what_the_provider_has_already_is_not_sent(api: Caller, world: World, body: dict[str, Any]) -> None:
    dana, _ = known(api, world)

    assert api.patch(f"/v1/customers/{dana}", body).status_code == 200

    assert updates(world) == []


def test_several_changes_that_have_not_left_are_one_call(api: Caller, world: World) -> None:
    dana, ref = known(api, world)
    for name in ("A", "B", "C"):
        api.patch(f"/v1/customers/{dana}", {"name": name})
    assert len(updates(world)) == 1

    world.pump()

    assert copy(world, ref) == ("C", "dana@example.com")


def test_a_change_during_the_call_is_sent_after_it(api: Caller, world: World) -> None:
    dana, ref = known(api, world)
    api.patch(f"/v1/customers/{dana}", {"name": "before"})
    sending = Take(order_claim(world)).run(world.house)
    api.patch(f"/v1/customers/{dana}", {"name": "after"})
    world.work()
    assert [each["status"] for each in updates(world)] == ["sent", "queued"]

    while sending:
        sending = sending.run(world.house)
    world.pump()

    assert copy(world, ref) == ("after", "dana@example.com")
    assert [each["status"] for each in updates(world)] == ["done", "done"]


@pytest.mark.parametrize("trouble", ["timeout_before", "timeout_after", "reset"])
def test_a_lost_reply_is_followed_by_a_try_with_the_newest_values(api: Caller, world: World, trouble: str) -> None:
    """The provider takes no other values under a key that it has seen."""
    dana, ref = known(api, world)
    first_call(world, f"/v1/customers/{ref}", do=trouble)
    api.patch(f"/v1/customers/{dana}", {"name": "before"})
    world.work()
    assert [each["status"] for each in updates(world)] == ["unknown"]

    api.patch(f"/v1/customers/{dana}", {"name": "after"})
    world.pump()

    assert copy(world, ref) == ("after", "dana@example.com")
    assert updates(world) == [{"status": "done", "try_no": 2}]


def test_a_name_that_changed_while_the_customer_was_being_made_arrives(api: Caller, world: World) -> None:
    """The reply to the first call was lost, and its key stands for the old name."""
    first_call(world, "/v1/customers", do="timeout_after")
    dana = api.customer()
    world.work()
    api.patch(f"/v1/customers/{dana}", {"name": "after"})

    world.pump()

    ref = api.get(f"/v1/customers/{dana}").json()["provider_ref"]
    assert copy(world, ref) == ("after", "dana@example.com")


def test_an_account_that_only_observes_sends_nothing(api: Caller, world: World) -> None:
    dana, ref = known(api, world)
    observe = setup.Connection(STRIPE_KEY, (SECRET,), base_url=SANDBOX, mode="observe")
    setup.connect(world.house, world.tenant.id, observe)

    api.patch(f"/v1/customers/{dana}", {"name": "after"})
    world.pump()

    assert copy(world, ref) == ("Dana", "dana@example.com")
    assert [each["status"] for each in updates(world)] == ["queued"]


def test_a_refused_change_asks_a_person_and_keeps_ours(api: Caller, world: World) -> None:
    dana, ref = known(api, world)
    first_call(world, f"/v1/customers/{ref}", do="status", status=400)

    api.patch(f"/v1/customers/{dana}", {"name": "after"})
    world.pump()

    assert api.get(f"/v1/customers/{dana}").json()["name"] == "after"
    asked = api.get("/v1/cases", customer=dana).json()["data"]
    assert [each["question"] for each in asked] == ["order_refused"]


def test_a_customer_that_is_gone_at_the_provider_is_not_told(api: Caller, world: World) -> None:
    dana, _ = known(api, world)
    with world.house.database.transaction(world.tenant.id) as tx:
        tx.run("update customer set deleted_at_provider = true where tenant = %(tenant)s and id = %(id)s", id=dana)

    api.patch(f"/v1/customers/{dana}", {"name": "after"})

    assert updates(world) == []
