"""A payment is contested: its credits are held, and one side wins. The money is booked as the provider moved it."""

from typing import Any

import pytest

from behaviours import behaviour
from counterfoil.core.spending import refuse_closed
from counterfoil.engine import catalogue, dispute_views
from counterfoil.store import spends
from scenarios.shop import Shop, open_shop
from scenarios.stage import Stage


@pytest.fixture
def shop(stage: Stage) -> Shop:
    return open_shop(stage, "pm_card_visa")


def buy(shop: Shop) -> None:
    """Buy credits for 50 by card, and let it rest."""
    shop.buy()
    shop.stage.run()


def contest(stage: Stage, reason: str = "fraudulent") -> str:
    """The bank disputes the newest charge, and gives the id of the dispute."""
    charge = stage.site.provider.charges()[0]["id"]
    return str(stage.site.provider.control("POST", f"charges/{charge}/dispute", {"reason": reason})["id"])


def answer(stage: Stage, dispute: str, evidence: str) -> None:
    """Send evidence at the provider, where the bank decides at once."""
    form = {"evidence[uncategorized_text]": evidence, "submit": "true"}
    stage.site.provider.ask("POST", f"/v1/disputes/{dispute}", **form)


def held(shop: Shop) -> tuple[int, int]:
    """What is left in the wallet and what of it is held, in cents' worth."""
    rows = shop.stage.rows("select remaining, held from grant_lot where tenant = %(tenant)s")
    return sum(row["remaining"] for row in rows) // 10_000, sum(row["held"] for row in rows) // 10_000


def the_dispute(stage: Stage) -> dict[str, Any]:
    """The one dispute on our books."""
    (row,) = stage.rows("select * from dispute where tenant = %(tenant)s")
    return dict(row)


def asked(stage: Stage) -> dict[str, str]:
    """What persons are or were asked, and whether it is over."""
    rows = stage.rows("select question, status from review_case where tenant = %(tenant)s")
    return {row["question"]: row["status"] for row in rows}


def balances(stage: Stage) -> dict[str, int]:
    """What the accounts of disputes hold, in minor units, debit less credit."""
    sql = """
        select account, sum(minor) as minor from (
            select split_part(debit, ':', 1) as account, amount as minor from posting where tenant = %(tenant)s
            union all
            select split_part(credit, ':', 1), -amount from posting where tenant = %(tenant)s
        ) as sides
        where account in ('disputed', 'dispute_losses', 'deferred_revenue', 'refund_due') group by account
    """
    return {row["account"]: int(row["minor"]) for row in stage.rows(sql) if row["minor"]}


@behaviour("R-LG-59")
def test_what_is_contested_is_held_and_let_go_when_it_is_won(shop: Shop) -> None:
    """The news of it come twice and under a new id. A person is asked for evidence, and no longer than it is taken."""
    stage = shop.stage
    buy(shop)
    fault = {"match": {"event": "charge.dispute.created"}, "do": "duplicate_as_new", "times": 1}
    stage.site.provider.control("POST", "faults", fault)

    dispute = contest(stage)
    stage.run()

    assert held(shop) == (5000, 5000)
    assert balances(stage)["disputed"] == 5000
    opened = the_dispute(stage)
    assert (opened["status"], opened["withdrawn_minor"], opened["fee_minor"]) == ("open", 5000, 1500)
    assert opened["evidence_due_at"] is not None
    assert asked(stage) == {"dispute_needs_evidence": "open"}
    assert stage.events("dispute.opened") == 1

    answer(stage, dispute, "winning_evidence")
    stage.rest()

    assert held(shop) == (5000, 0)
    assert "disputed" not in balances(stage)
    assert the_dispute(stage)["status"] == "won"
    assert asked(stage) == {"dispute_needs_evidence": "resolved"}
    assert stage.events("dispute.won") == 1
    assert shop.at_rest()


@behaviour("R-LG-59")
@behaviour("R-CW-30")
def test_lost_takes_back_what_a_refund_has_left_and_its_fee_is_ours(shop: Shop) -> None:
    """Of 50 bought, 20 were refunded before: the two of them take back 50, never 70. All webhooks are lost."""
    stage = shop.stage
    buy(shop)
    charge = stage.site.provider.charges()[0]
    stage.site.provider.ask("POST", "/v1/refunds", charge=charge["id"], amount=2000)
    stage.run()

    dispute = contest(stage)
    stage.site.provider.ask("POST", f"/v1/disputes/{dispute}/close")
    stage.lose_post()
    stage.rest()

    assert held(shop) == (0, 0)
    (purchase,) = stage.rows("select refunded_minor, clawed, quantity from purchase where tenant = %(tenant)s")
    assert (purchase["refunded_minor"], purchase["clawed"]) == (5000, purchase["quantity"])
    assert balances(stage) == {}
    lost = the_dispute(stage)
    assert (lost["status"], lost["lost_minor"], lost["fee_minor"]) == ("lost", 3000, 1500)
    assert stage.events("dispute.opened") == stage.events("dispute.lost") == 1
    assert shop.at_rest()


def test_a_disputed_invoice_stays_paid_and_what_is_lost_is_a_loss(stage: Stage) -> None:
    customer = stage.customer("pm_card_visa")
    invoice = stage.bill(customer, 7000)
    stage.pay(invoice)
    stage.run()

    dispute = contest(stage)
    stage.run()
    assert balances(stage)["disputed"] == 7000
    stage.site.provider.ask("POST", f"/v1/disputes/{dispute}/close")
    stage.rest()

    assert stage.invoice(invoice)["status"] == "paid"
    assert balances(stage) == {"dispute_losses": 7000}
    assert stage.at_rest()


@behaviour("R-LG-59")
def test_where_the_policy_says_so_nothing_is_spent_while_a_dispute_is_open(shop: Shop) -> None:
    stage = shop.stage
    buy(shop)
    catalogue.declare(stage.site.house, stage.site.tenant, {"policy": {"blocks_disputed": True}})

    dispute = contest(stage)
    stage.run()
    (wallet,) = stage.rows("select contested from wallet where tenant = %(tenant)s")
    assert wallet["contested"] == 1
    with stage.database.transaction(stage.site.tenant) as tx:
        (told,) = dispute_views.restrictions(tx, shop.customer)
        ((purse, _),) = spends.locked(tx, [shop.wallet])
    assert "may not be spent from" in told["reason"]
    refused = refuse_closed(purse)
    assert refused
    assert refused.code == "wallet_disputed"

    answer(stage, dispute, "winning_evidence")
    stage.rest()

    (wallet,) = stage.rows("select contested from wallet where tenant = %(tenant)s")
    assert wallet["contested"] == 0
    assert stage.at_rest()


def test_an_inquiry_takes_nothing_and_holds_nothing_until_it_is_a_chargeback(shop: Shop) -> None:
    stage = shop.stage
    buy(shop)

    dispute = contest(stage, "inquiry")
    stage.run()
    assert (held(shop), the_dispute(stage)["status"]) == ((5000, 0), "inquiry")
    assert stage.events("dispute.opened") == 0

    answer(stage, dispute, "escalate_inquiry_evidence")
    stage.rest()

    assert (held(shop), the_dispute(stage)["status"]) == ((5000, 5000), "open")
    assert stage.events("dispute.opened") == 1
    assert stage.sound()
