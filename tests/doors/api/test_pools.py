"""A plan's allowance pays first, then that of another plan, then bought credits, and these only by consent."""

from typing import Any

import pytest

from behaviours import behaviour
from counterfoil.store.audit import audit
from doors.api.caller import Caller
from houses import World

PRO, FAMILY = "plan:pro", "family:dev"


def wallet_with(api: Caller, *pools: tuple[str, str | None], **terms: Any) -> str:
    """Dana's wallet, with one lot of ten for each pool, in the order given; None is bought credits."""
    customer = api.customer()
    wallet = api.post("/v1/wallets", {"customer": customer, "unit": "usd-credit", **terms}).json()["id"]
    for amount, pool in pools:
        grant = {"amount": amount, "source": "allowance" if pool else "promotional", "pool": pool}
        answer = api.post(f"/v1/wallets/{wallet}/grants", grant)
        assert answer.status_code == 201, answer.text
        assert answer.json()["pool"] == pool
    return str(wallet)


def use(api: Caller, wallet: str, key: str, amount: str, *pools: str) -> Any:
    return ask(api, "/v1/spends", {"key": key, "wallet": wallet, "amount": amount, "pools": list(pools)})


def ask(api: Caller, path: str, body: dict[str, Any]) -> Any:
    return api.client.post(path, json=body, headers=api.authorization)


def left(api: Caller, wallet: str) -> dict[str | None, str]:
    """What each pool's lot has left."""
    grants = api.get(f"/v1/wallets/{wallet}/grants").json()["data"]
    return {each["pool"]: each["remaining"]["quantity"].split(".")[0] for each in grants}


def sound(world: World) -> bool:
    with world.house.database.snapshot(world.tenant.id) as tx:
        return not audit(tx, now=world.clock.now()).breaches


@behaviour("R-LG-63")
def test_the_matching_plan_pays_first_then_the_other_then_bought_credits(api: Caller, world: World) -> None:
    wallet = wallet_with(api, ("10", None), ("10", FAMILY), ("10", PRO), ("10", "plan:chat"))

    assert use(api, wallet, "u1", "4", PRO, FAMILY).status_code == 201
    assert left(api, wallet) == {None: "10", FAMILY: "10", PRO: "6", "plan:chat": "10"}
    spend = use(api, wallet, "u2", "18", PRO, FAMILY).json()
    assert left(api, wallet) == {None: "8", FAMILY: "0", PRO: "0", "plan:chat": "10"}
    assert spend["pools"] == [PRO, FAMILY]

    storage = use(api, wallet, "u3", "3").json()
    assert left(api, wallet) == {None: "5", FAMILY: "0", PRO: "0", "plan:chat": "10"}
    assert (storage["pools"], storage["balance_after"]) == ([], "15.000000")
    assert sound(world)


@behaviour("R-LG-63")
def test_without_consent_a_plan_that_is_used_up_never_eats_credits(api: Caller, world: World) -> None:
    wallet = wallet_with(api, ("10", None), ("10", PRO), overflow=False)

    refused = use(api, wallet, "u1", "12", PRO)
    assert (refused.status_code, refused.json()["code"]) == (402, "allowance_used_up")
    assert use(api, wallet, "u2", "10", PRO).status_code == 201
    assert use(api, wallet, "u1", "1", PRO).json()["code"] == "allowance_used_up"
    assert use(api, wallet, "u3", "1").status_code == 201, "what is no use of a plan is paid for by credits"
    assert left(api, wallet) == {None: "9", PRO: "0"}

    api.client.patch(
        f"/v1/wallets/{wallet}",
        json={"overdraft": "refuse", "overflow": True},
        headers={**api.authorization, "Idempotency-Key": "consent"},
    )
    assert use(api, wallet, "u1", "1", PRO).status_code == 201
    assert left(api, wallet) == {None: "8", PRO: "0"}
    assert sound(world)


@behaviour("R-LG-63")
def test_what_goes_beyond_a_plan_stays_on_it_and_is_not_docked_from_the_next_allowance(
    api: Caller, world: World
) -> None:
    wallet = wallet_with(api, ("10", None), ("10", PRO), overflow=False, overdraft="debt")

    overshoot = use(api, wallet, "u1", "13", PRO).json()
    empty = use(api, wallet, "u2", "1", PRO)

    assert (overshoot["written_off"], overshoot["debt"]) == ("3.000000", "0.000000")
    assert empty.json()["code"] == "allowance_used_up"
    api.post(f"/v1/wallets/{wallet}/grants", {"amount": "7", "source": "allowance", "pool": PRO})
    grants = api.get(f"/v1/wallets/{wallet}/grants").json()["data"]
    assert [each["remaining"]["quantity"] for each in grants] == ["7.000000", "0.000000", "10.000000"]
    assert sound(world)


@behaviour("R-LG-63")
def test_an_allowance_never_pays_what_is_owed_for_something_else(api: Caller, world: World) -> None:
    wallet = wallet_with(api, ("2", None), overdraft="debt")
    assert use(api, wallet, "u1", "5").json()["debt"] == "3.000000"

    api.post(f"/v1/wallets/{wallet}/grants", {"amount": "10", "source": "allowance", "pool": PRO})
    assert api.get(f"/v1/wallets/{wallet}").json()["debt"]["quantity"] == "3.000000"
    api.post(f"/v1/wallets/{wallet}/grants", {"amount": "10", "source": "promotional"})

    assert api.get(f"/v1/wallets/{wallet}").json()["debt"]["quantity"] == "0.000000"
    assert left(api, wallet)[PRO] == "10"
    assert sound(world)


def test_a_hold_keeps_the_plan_that_it_was_placed_on(api: Caller, world: World) -> None:
    wallet = wallet_with(api, ("10", None), ("10", PRO), overflow=False, overdraft="debt")
    asked = {"key": "h1", "wallet": wallet, "amount": "8", "pools": [PRO]}
    hold = ask(api, "/v1/holds", asked).json()

    again = ask(api, "/v1/holds", asked).json()
    other = ask(api, "/v1/holds", asked | {"pools": [FAMILY]})
    settled = ask(api, f"/v1/holds/{hold['id']}/settle", {"amount": "12"}).json()

    assert (again["id"], other.json()["code"]) == (hold["id"], "idempotency_key_reused")
    assert (settled["spend"]["written_off"], settled["spend"]["pools"]) == ("2.000000", [PRO])
    assert left(api, wallet) == {None: "10", PRO: "0"}
    assert sound(world)


@pytest.mark.parametrize("pools", [["Plan Pro"], ["pro", "pro"], [""], ["a", "b", "c", "d", "e"]])
def test_pools_that_make_no_sense_are_refused(api: Caller, pools: list[str]) -> None:
    wallet = wallet_with(api, ("10", None))

    answer = use(api, wallet, "u1", "1", *pools)

    assert (answer.status_code, answer.json()["param"]) == (422, "pools")
