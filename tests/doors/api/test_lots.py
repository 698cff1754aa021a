"""Lots over the API: what they are kept for, what is owed, what they earn, and spends that are taken back."""

from datetime import timedelta
from typing import Any

import pytest

from behaviours import behaviour
from counterfoil.engine import claims, retention
from counterfoil.store.audit import audit
from counterfoil.store.work import Queue
from doors.api.caller import Caller
from houses import World

HOUR = timedelta(hours=1)


def spend(api: Caller, key: str, amount: str, **more: Any) -> Any:
    body = {"key": key, "customer": "ext:dana", "unit": "usd-credit", "amount": amount, **more}
    return api.client.post("/v1/spends", json=body, headers=api.authorization)


def spent(api: Caller, key: str, amount: str, **more: Any) -> Any:
    answer = spend(api, key, amount, **more)
    assert answer.status_code == 201, answer.text
    return answer.json()


def wallet_with(api: Caller, *grants: dict[str, Any], **terms: Any) -> str:
    identity: str = api.made("/v1/wallets", {"customer": api.customer(), "unit": "usd-credit", **terms})["id"]
    for each in grants:
        api.made(f"/v1/wallets/{identity}/grants", each)
    return identity


def bought(amount: str, cents: int, **more: Any) -> dict[str, Any]:
    return {"amount": amount, "source": "purchase", "cost": {"amount": cents, "currency": "USD"}, **more}


def hour(world: World) -> None:
    """Let an hour pass, and what it earned be posted."""
    world.clock.offset += HOUR
    retention.schedule(world.house)
    for each in claims.claim_due(world.house):
        if each.queue is Queue.REVENUE:
            world.run(each)


def balance(world: World, account: str) -> int:
    sql = """
        select coalesce(sum(amount) filter (where credit = %(account)s), 0)
            - coalesce(sum(amount) filter (where debit = %(account)s), 0) as held
        from journal where tenant = %(tenant)s
    """
    with world.house.database.snapshot(world.tenant.id) as tx:
        row = tx.one(sql, account=account)
    assert row is not None
    return int(row["held"])


def sound(world: World) -> bool:
    with world.house.database.snapshot(world.tenant.id) as tx:
        report = audit(tx)
    assert report.breaches == ()
    return report.ok


def view(api: Caller, wallet: str) -> dict[str, Any]:
    shown = api.get(f"/v1/wallets/{wallet}").json()
    return {name: shown[name]["quantity"] for name in ("balance", "held", "debt", "available")}


# --- what a lot is kept for ---


def test_a_lot_for_a_feature_pays_for_that_feature_first_and_for_nothing_else(api: Caller, world: World) -> None:
    wallet = wallet_with(api, bought("30", 3000), {"amount": "5", "source": "bonus", "features": ["chat"]})

    chat, search = spent(api, "a", "6", feature="chat"), spent(api, "b", "6", feature="search")
    refused = spend(api, "c", "24", feature="search")

    assert [each["amount"] for each in chat["draws"]] == ["5.000000", "1.000000"]
    assert [each["amount"] for each in search["draws"]] == ["6.000000"]
    assert refused.status_code == 402
    assert view(api, wallet)["available"] == "23.000000"
    assert sound(world)


def test_an_invoice_is_not_paid_with_what_is_kept_for_a_feature(api: Caller, world: World) -> None:
    wallet_with(api, {"amount": "30", "source": "bonus", "features": ["chat"]})
    invoice = api.invoice(api.get("/v1/customers/ext:dana").json()["id"], 1_000)

    answer = api.post(f"/v1/invoices/{invoice}/pay", {"confirm": "client"})

    assert [leg["kind"] for leg in answer.json()["legs"]] == ["provider"]


# --- what is owed ---


def test_what_is_owed_is_covered_by_the_next_lot_first(api: Caller, world: World) -> None:
    wallet = wallet_with(api, bought("10", 1000), overdraft="debt", debt_limit="5")
    use = spent(api, "a", "14")
    too_much = spend(api, "b", "2")
    owing = view(api, wallet)

    lot = api.made(f"/v1/wallets/{wallet}/grants", bought("10", 1000))

    assert (use["debt"], too_much.status_code) == ("4.000000", 402)
    assert owing == {"balance": "-4.000000", "held": "0.000000", "debt": "4.000000", "available": "0.000000"}
    assert (lot["remaining"]["quantity"], lot["used"]["quantity"]) == ("6.000000", "4.000000")
    assert view(api, wallet)["balance"] == "6.000000"
    hour(world)
    assert (balance(world, "revenue"), balance(world, "deferred_revenue")) == (1_400, 600)
    assert sound(world)


def test_the_terms_of_a_wallet_can_be_changed(api: Caller, world: World) -> None:
    wallet = wallet_with(api, bought("10", 1000))
    assert spend(api, "a", "11").status_code == 402

    changed = api.patch(f"/v1/wallets/{wallet}", {"overdraft": "write_off"})
    use = spent(api, "a", "11")

    assert (changed.status_code, changed.json()["overdraft"]) == (200, "write_off")
    assert (use["written_off"], view(api, wallet)["debt"]) == ("1.000000", "0.000000")
    assert api.patch(f"/v1/wallets/{wallet}", {"overdraft": "refuse", "debt_limit": "1"}).status_code == 422
    assert sound(world)


def test_an_operator_gives_away_what_is_owed(api: Caller, world: World) -> None:
    wallet = wallet_with(api, overdraft="debt")
    spent(api, "a", "4")

    api.made(f"/v1/wallets/{wallet}/forgive-debt")
    again = api.made(f"/v1/wallets/{wallet}/forgive-debt")

    assert again["debt"]["quantity"] == "0.000000"
    assert balance(world, "overage_written_off") == -4_000_000
    newest = api.get(f"/v1/wallets/{wallet}/statement").json()["data"][0]
    assert newest["kinds"] == ["debt_forgiven"]
    assert sound(world)


# --- what use has earned ---


def test_use_is_earned_by_the_hour_once(api: Caller, world: World) -> None:
    wallet_with(api, bought("2500", 5000))
    spent(api, "a", "100")
    assert balance(world, "revenue") == 0

    hour(world)
    hour(world)

    assert (balance(world, "revenue"), balance(world, "deferred_revenue")) == (200, 4_800)
    assert sound(world)


@pytest.mark.parametrize(("left", "account"), [("expired", "breakage"), ("voided", "refund_due")])
def test_what_was_used_is_earned_before_a_lot_ends(api: Caller, world: World, left: str, account: str) -> None:
    expires_at = (world.clock.now() + HOUR).isoformat()
    wallet = wallet_with(api, bought("2500", 5000, expires_at=expires_at))
    lot = api.get(f"/v1/wallets/{wallet}/grants").json()["data"][0]["id"]
    spent(api, "a", "100")

    if left == "voided":
        api.made(f"/v1/grants/{lot}/void")
    else:
        world.pump(patience=2 * HOUR)

    assert (balance(world, "revenue"), balance(world, account), balance(world, "deferred_revenue")) == (200, 4_800, 0)
    assert sound(world)


def test_credits_that_pay_an_invoice_do_not_pay_with_what_was_used_before(api: Caller, world: World) -> None:
    """A lot sold for half its face: 100 used for 50 dollars of it, and then 100 pay an invoice."""
    wallet_with(api, bought("200", 10_000))
    spent(api, "a", "100")
    invoice = api.invoice(api.get("/v1/customers/ext:dana").json()["id"], 10_000)

    api.made(f"/v1/invoices/{invoice}/pay")

    assert (balance(world, "promotion_cost"), balance(world, "revenue")) == (-5_000, 15_000)
    assert balance(world, "deferred_revenue") == 0
    assert sound(world)


# --- somebody is told that little is left ---


def alerts(api: Caller, world: World) -> list[str]:
    """The thresholds that were told of, in order."""
    world.pump()
    told = api.get("/v1/events", limit=200).json()["data"]
    return [each["data"]["below"] for each in told if each["kind"] == "wallet.low_balance"]


@behaviour("R-LG-28")
def test_somebody_is_told_once_per_cycle_that_little_is_left(api: Caller, world: World) -> None:
    """Below 20 % and 5 % of the last top-up, and below one credit; a purchase begins a new cycle, a gift does not."""
    wallet = wallet_with(api, bought("100", 10_000), alert_below=["1"])
    spent(api, "a", "80")
    assert alerts(api, world) == []

    spent(api, "b", "0.5")
    spent(api, "c", "0.5")
    assert alerts(api, world) == ["20%"]
    api.made(f"/v1/wallets/{wallet}/grants", {"amount": "10", "source": "bonus"})
    spent(api, "d", "12")
    assert alerts(api, world) == ["20%"], "once per cycle, also when the balance crosses it again"
    spent(api, "e", "13")
    assert alerts(api, world) == ["20%", "5%"]
    spent(api, "f", "3.5")
    assert alerts(api, world) == ["20%", "5%", "1.000000"]

    api.made(f"/v1/wallets/{wallet}/grants", bought("50", 5_000))
    spent(api, "g", "40")
    assert alerts(api, world) == ["20%", "5%", "1.000000"]
    spent(api, "h", "1")
    assert alerts(api, world) == ["20%", "5%", "1.000000", "20%"], "20 % of the last top-up, which was 50"
    assert sound(world)


def test_the_thresholds_are_the_wallets_own(api: Caller, world: World) -> None:
    wallet = wallet_with(api, bought("100", 10_000), alert_percents=[], alert_below=["30"])
    spent(api, "a", "71")
    assert alerts(api, world) == ["30.000000"]

    changed = api.patch(f"/v1/wallets/{wallet}", {"overdraft": "refuse", "alert_percents": [10]})
    spent(api, "b", "20")

    assert changed.json()["alert_below"] == []
    assert alerts(api, world) == ["30.000000", "10%"]


# --- spends that are taken back ---


def test_a_spend_is_taken_back_in_parts_and_never_more_than_it_was(api: Caller, world: World) -> None:
    wallet = wallet_with(api, bought("30", 3000))
    use = spent(api, "a", "12.5")
    hour(world)

    part = api.made(f"/v1/spends/{use['id']}/correct", {"amount": "2.5"}, key="fix-1")
    replayed = api.post(f"/v1/spends/{use['id']}/correct", {"amount": "2.5"}, key="fix-1")
    too_much = api.post(f"/v1/spends/{use['id']}/correct", {"amount": "10.1"})
    rest = api.made(f"/v1/spends/{use['id']}/correct")
    again = api.post(f"/v1/spends/{use['id']}/correct")

    assert (part["amount"], part["left"], part["number"]) == ("2.500000", "10.000000", 1)
    assert (replayed.json(), replayed.headers["Idempotency-Replayed"]) == (part, "true")
    assert (too_much.status_code, too_much.json()["param"]) == (422, "amount")
    assert (rest["amount"], rest["left"], rest["number"]) == ("10.000000", "0.000000", 2)
    assert (again.status_code, again.json()["code"]) == (409, "spend_taken_back")
    assert view(api, wallet)["balance"] == "30.000000"
    assert (balance(world, "revenue"), balance(world, "used")) == (0, 0)
    assert spent(api, "a", "12.5") == use, "the spend itself stays as it was answered"
    assert sound(world)


def test_a_correction_reduces_what_is_owed_before_a_lot_gets_anything(api: Caller, world: World) -> None:
    wallet = wallet_with(api, bought("10", 1000), overdraft="debt")
    use = spent(api, "a", "14")

    back = api.made(f"/v1/spends/{use['id']}/correct", {"amount": "5"})

    assert (back["debt"], [each["amount"] for each in back["returns"]]) == ("4.000000", ["1.000000"])
    assert view(api, wallet)["balance"] == "1.000000"
    assert sound(world)


def test_what_a_later_lot_paid_of_the_debt_goes_back_to_that_lot(api: Caller, world: World) -> None:
    wallet = wallet_with(api, bought("10", 1000), overdraft="debt")
    use = spent(api, "a", "14")
    lot = api.made(f"/v1/wallets/{wallet}/grants", bought("10", 1000))["id"]

    back = api.made(f"/v1/spends/{use['id']}/correct")

    assert back["returns"][-1] == {"grant": lot, "amount": "4.000000"}
    assert view(api, wallet) == {
        "balance": "20.000000",
        "held": "0.000000",
        "debt": "0.000000",
        "available": "20.000000",
    }
    assert sound(world)


def test_what_comes_back_to_an_expired_lot_expires_when_it_comes(api: Caller, world: World) -> None:
    expires_at = world.clock.now() + HOUR
    wallet = wallet_with(api, bought("30", 3000, expires_at=expires_at.isoformat()))
    use = spent(api, "a", "12")
    world.pump(patience=2 * HOUR)
    before = api.get(f"/v1/wallets/{wallet}/balance").json()["balance"]
    world.clock.offset += HOUR

    api.made(f"/v1/spends/{use['id']}/correct", {"amount": "2"})

    assert view(api, wallet)["balance"] == "0.000000"
    assert (balance(world, "revenue"), balance(world, "breakage")) == (1_000, 2_000)
    past = api.get(f"/v1/wallets/{wallet}/balance", at=(expires_at + timedelta(minutes=1)).isoformat())
    assert past.json()["balance"] == before
    assert sound(world)


@pytest.mark.parametrize("body", [{"amount": "0"}, {"amount": "1e3"}, {"amount": "0.0000001"}, {"x": 1}])
def test_a_correction_that_makes_no_sense_is_refused(api: Caller, world: World, body: Any) -> None:
    wallet_with(api, bought("30", 3000))
    use = spent(api, "a", "12")

    assert api.post(f"/v1/spends/{use['id']}/correct", body).status_code == 422
    assert api.post("/v1/spends/spnd_01h455vb4pex5vsknk084sn02q/correct").status_code == 404
    assert sound(world)
