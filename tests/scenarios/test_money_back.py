"""Money of a purchase that goes back: refunds, also those of the dashboard, and disputes."""

from typing import Any

import pytest

from behaviours import behaviour
from scenarios.shop import Shop, open_shop
from scenarios.stage import Stage


@pytest.fixture
def shop(stage: Stage) -> Shop:
    return open_shop(stage, "pm_card_visa")


def bought(shop: Shop) -> str:
    """A purchase of 50, paid by card: the provider's id of its payment."""
    shop.buy()
    shop.stage.run()
    (leg,) = shop.stage.rows("select provider_ref from leg where tenant = %(tenant)s and kind = 'provider'")
    return str(leg["provider_ref"])


def refund(shop: Shop, intent: str, minor: int) -> dict[str, Any]:
    """A person refunds at the provider's dashboard."""
    return shop.stage.site.provider.ask("POST", "/v1/refunds", payment_intent=intent, amount=minor)


def left(shop: Shop) -> int:
    """What is left in the wallet, in cents' worth."""
    rows = shop.stage.rows("select remaining from grant_lot where tenant = %(tenant)s")
    return sum(int(row["remaining"]) for row in rows) // 10_000


def moved(shop: Shop) -> list[tuple[str, str, int]]:
    """The money that went back, without whose accounts it is of."""
    sql = """
        select split_part(debit, ':', 1) as debit, split_part(credit, ':', 1) as credit, amount from posting
        where tenant = %(tenant)s and unit ~ '^[A-Z]'
            and (entry like 'refund:%%' or entry like 'dispute:%%' or entry like '%%:clawed:%%')
        order by position, n
    """
    return [(row["debit"], row["credit"], row["amount"]) for row in shop.stage.rows(sql)]


@behaviour("R-CW-30")
def test_a_refund_takes_its_share_of_the_credits_back_once(shop: Shop) -> None:
    """Made at the dashboard; its news come twice and under a new id, and all of it again."""
    intent = bought(shop)
    fault = {"match": {"event": "refund.created"}, "do": "duplicate_as_new", "times": 1}
    shop.stage.site.provider.control("POST", "faults", fault)

    refund(shop, intent, 2000)
    shop.stage.run()
    shop.stage.rest()

    assert left(shop) == 3000
    assert moved(shop) == [("deferred_revenue", "refund_due", 2000), ("refund_due", "clearing", 2000)]
    (held,) = shop.stage.rows("select refunded_minor, clawed from purchase where tenant = %(tenant)s")
    assert (held["refunded_minor"], held["clawed"] // 10_000) == (2000, 2000)
    assert shop.stage.questions() == []
    assert shop.at_rest()


@behaviour("R-CW-30")
def test_refunds_in_parts_take_all_of_it_back_together(shop: Shop) -> None:
    intent = bought(shop)

    for part in (1667, 1667, 1666):
        refund(shop, intent, part)
        shop.stage.run()
    shop.stage.rest()

    assert left(shop) == 0
    (held,) = shop.stage.rows("select refunded_minor, clawed, quantity from purchase where tenant = %(tenant)s")
    assert (held["refunded_minor"], held["clawed"]) == (5000, held["quantity"])
    assert sum(amount for _, credit, amount in moved(shop) if credit == "clearing") == 5000
    assert shop.at_rest()


def test_all_refunds_of_a_payment_are_found_although_only_one_was_told_of(shop: Shop) -> None:
    intent = bought(shop)
    refund(shop, intent, 1000)
    shop.stage.lose_post()
    refund(shop, intent, 1500)

    shop.stage.run()

    assert left(shop) == 2500
    assert shop.at_rest()


@behaviour("R-CW-30")
def test_a_lost_dispute_takes_the_credits_back_and_its_fee_is_ours(stage: Stage) -> None:
    shop = open_shop(stage, "pm_card_createDispute")
    bought(shop)
    stage.rest()
    provider = stage.site.provider
    dispute = next(provider.objects("/v1/disputes"))["id"]
    assert left(shop) == 5000
    assert ("disputed", "clearing", 5000) in moved(shop)

    provider.ask("POST", f"/v1/disputes/{dispute}/close")
    stage.run()
    stage.rest()

    assert left(shop) == 0
    assert ("deferred_revenue", "disputed", 5000) in moved(shop)
    assert any(debit == "provider_fees" for debit, _, _ in moved(shop))
    assert shop.at_rest()


def test_a_won_dispute_gives_everything_back(stage: Stage) -> None:
    shop = open_shop(stage, "pm_card_createDispute")
    bought(shop)
    stage.rest()
    provider = stage.site.provider
    dispute = next(provider.objects("/v1/disputes"))["id"]

    form = {"evidence[uncategorized_text]": "winning_evidence", "submit": "true"}
    provider.ask("POST", f"/v1/disputes/{dispute}", **form)
    stage.rest()

    assert left(shop) == 5000
    assert ("clearing", "disputed", 5000) in moved(shop)
    assert shop.at_rest()
