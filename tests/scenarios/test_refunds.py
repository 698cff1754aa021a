"""Refunds: of each leg by itself, by explicit choice, never more than came, wherever they are made."""

from datetime import timedelta
from typing import Any

import pytest
from psycopg.errors import CheckViolation

from behaviours import behaviour
from counterfoil.core.bought import Settlement
from counterfoil.core.lifecycle import WalletStatus
from counterfoil.engine import purchases
from counterfoil.engine.asking import SpendRequest
from counterfoil.engine.catalogue import declare
from counterfoil.engine.commands import Request, Result
from counterfoil.engine.explain import explain
from counterfoil.engine.operations import Asked
from counterfoil.engine.spends import Spender
from counterfoil.sim.desk import read
from counterfoil.store.spends import Spend
from scenarios.shop import Shop, open_shop
from scenarios.stage import Stage


def give_back(stage: Stage, payment: str, *parts: tuple[str | None, int | None, str], key: str | None = None) -> Result:
    """Refund legs of a payment, each with how much of it and where to."""
    return stage.desk.refund(payment, *parts, key=key)


def code(result: Result) -> str:
    return str(read(result).get("code") or read(result)["status"])


def refunds(stage: Stage) -> list[tuple[str, int, str]]:
    """Where each refund goes, of how much it is, and how far."""
    rows = stage.rows("select destination, amount_minor, status from refund where tenant = %(tenant)s order by id")
    return [(row["destination"], row["amount_minor"], row["status"]) for row in rows]


def mixed(stage: Stage, card: str = "pm_card_visa") -> tuple[str, dict[str, str]]:
    """An invoice of 100, of which 30 were paid by credits: its payment, and its legs by their kind."""
    customer = stage.customer(card)
    stage.credits(customer, 3000)
    payment = stage.pay(stage.bill(customer, 10_000))
    stage.run()
    return payment, {leg["kind"]: leg["id"] for leg in stage.legs(payment)}


def left(stage: Stage) -> int:
    """What the wallets hold, in cents' worth."""
    rows = stage.rows("select remaining, held from grant_lot where tenant = %(tenant)s")
    return sum(int(row["remaining"]) - int(row["held"]) for row in rows) // 10_000


def moved(stage: Stage) -> list[tuple[str, str, int]]:
    """The money that refunds moved, without whose accounts it is of."""
    sql = """
        select split_part(debit, ':', 1) as debit, split_part(credit, ':', 1) as credit, amount from posting
        where tenant = %(tenant)s and unit ~ '^[A-Z]' and entry like 'refund:%%' order by position, n
    """
    return [(row["debit"], row["credit"], row["amount"]) for row in stage.rows(sql)]


def there(stage: Stage) -> list[int]:
    """What the provider gave back, the oldest first."""
    return [each["amount"] for each in stage.site.provider.objects("/v1/refunds")][::-1]


def spend(stage: Stage, wallet: str, amount: str) -> bool:
    """Use credits at the door, and say whether they could be used."""
    with Spender(stage.site.house) as spender:
        request = SpendRequest(key=f"use-{amount}", wallet=wallet, amount=amount)
        return isinstance(spender.spend(stage.site.tenant, request).result(), Spend)


def bought_with_fee(stage: Stage, shop: Shop) -> str:
    """100 credits for 100 dollars and a fee of 5 on top, paid by card."""
    pack = {"code": "hundred", "unit": "usd-credit", "credits": "100", "fee_bp": 500}
    price = {"prices": [{"amount": 10_000, "currency": "USD"}]}
    declare(stage.site.house, stage.site.tenant, {"packs": [pack | price]})
    wanted = purchases.NewPurchase(shop.customer, Settlement.INVOICE, shop.wallet, pack="hundred", currency="USD")
    request = Request("POST /v1/purchases", "test", "with-fee", b"{}")
    bought: str = read(purchases.buy(Asked(stage.site.house, stage.site.tenant, request), wanted))["id"]
    stage.run()
    return bought


@behaviour("R-SU-26", "R-SU-19")
def test_a_mixed_payment_is_refunded_by_explicit_choice_each_leg_to_where_it_came_from(stage: Stage) -> None:
    payment, legs = mixed(stage)

    assert code(give_back(stage, payment, (None, 1000, "source"))) == "split_not_chosen"
    assert code(give_back(stage, payment, (legs["provider"], 7001, "source"))) == "refund_too_large"
    asked = give_back(stage, payment, (legs["provider"], 1000, "source"), (legs["credit"], 1200, "source"))
    assert refunds(stage) == [("source", 1000, "processing"), ("source", 1200, "succeeded")], "credits at once"
    stage.run()

    assert stage.desk.look(asked).answer.status == 201
    assert (there(stage), left(stage)) == ([1000], 1200)
    assert moved(stage) == [
        ("revenue", "refund_due", 1000),
        ("revenue", "refund_due", 1200),
        ("refund_due", "deferred_revenue", 1200),
        ("refund_due", "clearing", 1000),
    ]
    assert [leg["refunded_minor"] for leg in stage.legs(payment)] == [1200, 1000]
    asked_for = [each["id"] for each in read(stage.desk.look(asked))["refunds"]]
    told = [explain(stage.site.house, stage.site.tenant, each) for each in asked_for]
    assert [each["finding"] for each in told] == [
        f"{amount} USD went back to where they came from." for amount in ("10.00", "12.00")
    ]
    assert all(each["equation"]["adds_up"] and each["timeline"] for each in told)
    assert stage.at_rest()


@behaviour("R-SU-18")
def test_a_leg_is_refunded_many_times_and_never_beyond_what_it_brought(stage: Stage) -> None:
    payment, legs = mixed(stage)
    parts = [(legs["provider"], minor, "source") for minor in (3000, 3000, 1000)]

    for part in parts:
        give_back(stage, payment, part)
    assert code(give_back(stage, payment, (legs["provider"], 1, "source"))) == "nothing_to_refund", "all is reserved"
    stage.run()
    stage.rest()

    assert sum(there(stage)) == 7000
    with pytest.raises(CheckViolation), stage.database.transaction(stage.site.tenant) as tx:
        tx.run("update leg set refunded_minor = 7001 where tenant = %(tenant)s and id = %(id)s", id=legs["provider"])
    with pytest.raises(CheckViolation, match="go back"), stage.database.transaction(stage.site.tenant) as tx:
        tx.run("update refund set status = 'failed', ended_at = created_at where tenant = %(tenant)s")
    assert stage.at_rest()


@behaviour("R-SU-20")
def test_a_refusal_of_the_provider_frees_what_was_reserved(stage: Stage) -> None:
    payment, legs = mixed(stage)
    stage.trouble("status", path="/v1/refunds", status=400, code="charge_disputed")
    asked = give_back(stage, payment, (legs["provider"], 7000, "source"))
    (order,) = stage.rows("select status, subject from provider_order where verb = 'CreateRefund'")
    (row,) = stage.rows("select id, status from refund where tenant = %(tenant)s")
    assert (order["status"], order["subject"], row["status"]) == ("queued", row["id"], "processing"), (
        "row and key first"
    )

    stage.run()

    answer = stage.desk.look(asked)
    assert (answer.answer.status, code(answer)) == (402, "failed")
    assert read(answer)["refunds"][0]["fallbacks"] == ["balance", "wallet", "manual"]
    assert [leg["refunded_minor"] for leg in stage.legs(payment)] == [0, 0]
    assert moved(stage) == [("revenue", "refund_due", 7000), ("refund_due", "revenue", 7000)]
    give_back(stage, payment, (legs["provider"], 7000, "source"))
    stage.run()
    assert there(stage) == [7000]
    assert stage.at_rest()


@behaviour("R-SU-21")
def test_what_a_detached_card_can_t_take_back_goes_another_way_and_nothing_is_stuck(stage: Stage) -> None:
    payment, legs = mixed(stage)
    ref = stage.rows("select provider_ref from method where tenant = %(tenant)s")[0]["provider_ref"]
    stage.site.provider.ask("POST", f"/v1/payment_methods/{ref}/detach")
    stage.run()
    stage.trouble("status", path="/v1/refunds", status=400, code="payment_method_unavailable")
    give_back(stage, payment, (legs["provider"], 5000, "source"))
    stage.run()

    for destination, minor in (("wallet", 2000), ("balance", 1500), ("manual", 1000)):
        assert code(give_back(stage, payment, (legs["provider"], minor, destination))) == "succeeded"
    stage.rest()

    assert refunds(stage) == [
        ("source", 5000, "failed"),
        *(("wallet", 2000, "succeeded"), ("balance", 1500, "succeeded"), ("manual", 1000, "succeeded")),
    ]
    assert left(stage) == 2000
    assert there(stage) == []
    assert stage.at_rest()


def test_credits_go_back_to_an_active_wallet_only_and_an_expired_share_expires(stage: Stage) -> None:
    customer = stage.customer("pm_card_visa")
    wallet: str = read(stage.desk.wallet(customer))["id"]
    stage.desk.grant(customer, wallet, 1000, expires_at=stage.site.clock.now() + timedelta(days=1))
    stage.desk.grant(customer, wallet, 2000)
    payment = stage.pay(stage.bill(customer, 3000))
    stage.run()
    stage.site.pass_time(timedelta(days=2))
    stage.run()
    (leg,) = stage.legs(payment)
    stage.desk.move_wallet(wallet, WalletStatus.SUSPENDED)

    assert code(give_back(stage, payment, (leg["id"], 3000, "source"))) == "wallet_not_active"
    stage.desk.move_wallet(wallet, WalletStatus.ACTIVE)
    assert code(give_back(stage, payment, (leg["id"], 500, "source"))) == "succeeded"
    assert code(give_back(stage, payment, (None, None, "source"))) == "succeeded"
    stage.rest()

    assert left(stage) == 2000
    (expired,) = stage.rows("select amount from posting where tenant = %(tenant)s and credit = 'expired'")
    assert expired["amount"] // 10_000 == 1000
    assert stage.at_rest()


@behaviour("R-SU-22")
@pytest.mark.parametrize("lost", ["timeout_before", "timeout_after"])
def test_a_refund_whose_reply_was_lost_is_found_among_all_of_its_payment_however_old(stage: Stage, lost: str) -> None:
    """INC-24: ten days pass, no webhook comes, and another refund of the same payment was made at the provider."""
    payment, legs = mixed(stage)
    stage.trouble(lost, path="/v1/refunds")
    give_back(stage, payment, (legs["provider"], 1000, "source"))
    stage.until("order.record")
    stage.worker.crash()
    stage.site.provider.ask("POST", "/v1/refunds", payment_intent=stage.intent_of(payment), amount=2000)
    stage.lose_post()

    stage.site.pass_time(timedelta(days=10))
    for _ in range(4):
        stage.work()
        stage.lose_post()
        stage.site.pass_time(timedelta(hours=7))

    assert sorted(refunds(stage)) == [("source", 1000, "succeeded"), ("source", 2000, "succeeded")]
    assert sorted(there(stage)) == [1000, 2000]
    stage.run()
    assert stage.at_rest()


@behaviour("R-SU-22")
def test_a_refund_that_is_pending_for_days_is_visited_until_it_is_over(stage: Stage) -> None:
    """No webhook ever comes: the bank's answer is found by looking."""
    payment, legs = mixed(stage, "pm_card_pendingRefund")
    give_back(stage, payment, (legs["provider"], 1000, "source"))
    stage.work()
    stage.lose_post()
    assert refunds(stage) == [("source", 1000, "processing")]

    for _ in range(8):
        stage.site.pass_time(timedelta(days=1))
        stage.work()
        stage.lose_post()

    assert refunds(stage) == [("source", 1000, "succeeded")]
    stage.run()
    assert stage.at_rest()


@behaviour("R-SU-23")
def test_a_refund_that_comes_back_can_be_made_again_and_its_credits_are_there_again(stage: Stage) -> None:
    """30 of 50 credits are spent before the refund: what it took back as unspent and as debt is as it was."""
    shop = open_shop(stage, "pm_card_refundFail")
    purchase = shop.buy()
    stage.run()
    spend(stage, shop.wallet, "30")
    before = stage.rows("select remaining, gone, clawed from grant_lot where tenant = %(tenant)s")

    asked = stage.desk.refund_purchase(purchase, 5000)
    stage.work()
    (owing,) = stage.rows("select debt from wallet where tenant = %(tenant)s")
    assert owing["debt"] // 1_000_000 == 30, "what was spent is owed"
    stage.rest()
    stage.site.pass_time(timedelta(days=8))
    stage.rest()

    assert stage.desk.look(asked).answer.status in (201, 402)
    assert refunds(stage) == [("source", 5000, "failed")]
    assert stage.rows("select remaining, gone, clawed from grant_lot where tenant = %(tenant)s") == before
    (owing,) = stage.rows("select debt from wallet where tenant = %(tenant)s")
    held = shop.purchase(purchase)
    assert (owing["debt"], held["refunded_minor"], held["clawed"]) == (0, 0, 0)
    assert "refund_came_back" in stage.questions()
    assert stage.at_rest()


@behaviour("R-LG-54")
def test_refunds_of_the_dashboard_are_taken_over_each_once_by_its_id(stage: Stage) -> None:
    payment, legs = mixed(stage)
    intent = stage.intent_of(payment)
    for minor in (1000, 1500, 500):
        stage.site.provider.ask("POST", "/v1/refunds", payment_intent=intent, amount=minor)
    fault = {"match": {"event": "refund.created"}, "do": "duplicate_as_new", "times": 1}
    stage.site.provider.control("POST", "faults", fault)

    stage.run()
    stage.rest()

    assert sorted(refunds(stage)) == [("source", each, "succeeded") for each in (500, 1000, 1500)]
    (leg,) = [each for each in stage.legs(payment) if each["kind"] == "provider"]
    assert leg["refunded_minor"] == 3000
    assert code(give_back(stage, payment, (legs["provider"], 4001, "source"))) == "refund_too_large"
    assert stage.at_rest()


@behaviour("R-SU-18")
def test_a_refund_of_ours_that_did_not_leave_yet_makes_way_for_one_of_the_dashboard(stage: Stage) -> None:
    payment, legs = mixed(stage)
    intent = stage.intent_of(payment)
    stage.site.provider.ask("POST", "/v1/refunds", payment_intent=intent, amount=7000)
    give_back(stage, payment, (legs["provider"], 7000, "source"))

    stage.bring("refund.created")
    stage.run()
    stage.rest()

    assert sorted(refunds(stage))[-1] == ("source", 7000, "succeeded")
    assert [each for each in refunds(stage) if each[2] == "succeeded"] == [("source", 7000, "succeeded")]
    assert there(stage) == [7000]
    assert stage.at_rest()


@behaviour("R-LG-53", "R-LG-55")
def test_a_purchase_with_a_fee_gives_back_what_was_granted_and_owes_what_was_spent(stage: Stage) -> None:
    """INC-17: 105 were paid for 100; 30 are spent; all is refunded: −100, the balance is −30, nothing can be spent."""
    shop = open_shop(stage, "pm_card_visa")
    purchase = bought_with_fee(stage, shop)
    spend(stage, shop.wallet, "30")

    stage.desk.refund_purchase(purchase, None)
    (lot,) = stage.rows("select remaining, gone, clawed from grant_lot where tenant = %(tenant)s")
    (wallet,) = stage.rows("select debt from wallet where tenant = %(tenant)s")
    assert (lot["remaining"], lot["gone"] // 10**6, lot["clawed"] // 10**6) == (0, 70, 30), "with the row, at once"
    assert wallet["debt"] // 10**6 == 30
    stage.run()

    assert there(stage) == [10_500]
    assert moved(stage)[0] == ("fee_revenue", "refund_due", 500)
    assert not spend(stage, shop.wallet, "1")
    stage.rest()
    assert stage.at_rest()


@behaviour("R-LG-58")
def test_a_wallet_that_paid_gets_parts_back_and_later_parts_too(stage: Stage) -> None:
    customer = stage.customer("pm_card_visa")
    stage.credits(customer, 3000)
    payment = stage.pay(stage.bill(customer, 3000))
    stage.run()
    (leg,) = stage.legs(payment)

    for minor in (1, 999, 1500):
        assert code(give_back(stage, payment, (leg["id"], minor, "source"))) == "succeeded"

    assert left(stage) == 2500
    assert code(give_back(stage, payment, (leg["id"], 501, "source"))) == "refund_too_large"
    assert stage.at_rest()


def test_the_same_command_refunds_once(stage: Stage) -> None:
    payment, legs = mixed(stage)
    part = (legs["provider"], 1000, "source")

    first: Any = give_back(stage, payment, part, key="once")
    stage.run()
    again = give_back(stage, payment, part, key="once")

    assert again.replayed
    assert first.inbox == again.inbox
    assert there(stage) == [1000]
