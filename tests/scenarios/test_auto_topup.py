"""Wallets that fill themselves, against the sandbox: declines, banks that ask, lost replies, crashes and silence."""

from datetime import timedelta

import pytest

from behaviours import behaviour
from counterfoil.core.lifecycle import WalletStatus
from counterfoil.engine.asking import HoldRequest, SpendRequest
from counterfoil.engine.flush import Held
from counterfoil.engine.spends import Spender
from counterfoil.sim.desk import Agreed, read
from counterfoil.store.database import Row
from counterfoil.store.spends import Spend
from scenarios.stage import Stage

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
DECLINED = "pm_card_chargeCustomerFail"
ASKS = "pm_card_authenticationRequired"


def filled(stage: Stage, *cards: str, cents: int = 3000, agreed: Agreed = Agreed()) -> tuple[str, str]:
    """A customer whose wallet fills itself below ten credits, ten dollars at a time. Gives customer and wallet."""
    customer = stage.customer(*(cards or ("pm_card_visa",)))
    wallet = stage.credits(customer, cents)
    assert stage.desk.auto_topup(wallet, agreed).answer.status == 200
    stage.run()
    return customer, wallet


def use(stage: Stage, customer: str, cents: int) -> None:
    """Pay an invoice with credits: less is left than before."""
    stage.pay(stage.bill(customer, cents))
    stage.run()


def policy(stage: Stage) -> Row:
    (row,) = stage.rows("select * from auto_topup where tenant = %(tenant)s")
    return row


def bought(stage: Stage) -> list[str]:
    """What was bought by itself, oldest first."""
    sql = "select status from purchase where tenant = %(tenant)s and auto_topup is not null order by created_at, id"
    return [row["status"] for row in stage.rows(sql)]


def spendable(stage: Stage) -> int:
    """What lots hold, in whole credits."""
    (row,) = stage.rows("select sum(remaining - held) as left from grant_lot where tenant = %(tenant)s")
    return int(row["left"]) // 1_000_000


def wakes(stage: Stage) -> list[str]:
    """Why the auto top-up was looked at because of a low wallet, and what it came to."""
    sql = """
        select d.reason from inbox i left join decision d on d.tenant = i.tenant and d.inbox = i.id
        where i.tenant = %(tenant)s and i.identity like 'low:%%' order by d.decided_at, i.id
    """
    return [row["reason"] for row in stage.rows(sql)]


def test_uses_at_the_door_wake_it_once_per_crossing_and_in_their_own_commit(stage: Stage) -> None:
    _, wallet = filled(stage)

    with Spender(stage.site.house) as spender:
        for number in range(6):
            request = SpendRequest(key=f"use-{number}", wallet=wallet, amount="4")
            assert isinstance(spender.spend(stage.site.tenant, request).result(), Spend)
    assert wakes(stage) == [None], "woken with the sixth use, and looked at later"
    stage.rest()

    assert (stage.charged(), wakes(stage), spendable(stage)) == ([1000], ["auto_topup_started"], 16)
    assert stage.at_rest()


def test_two_doors_at_once_cross_the_threshold_once(stage: Stage) -> None:
    """Two processes flush uses of one wallet side by side."""
    _, wallet = filled(stage)
    requests = [SpendRequest(key=f"use-{number}", wallet=wallet, amount="1") for number in range(28)]

    with Spender(stage.site.house) as one, Spender(stage.site.house) as other:
        answers = [(one, other)[n % 2].spend(stage.site.tenant, each) for n, each in enumerate(requests)]
        assert all(isinstance(each.result(), Spend) for each in answers)
    stage.rest()

    assert (stage.charged(), wakes(stage)) == ([1000], ["auto_topup_started"])
    assert spendable(stage) == 12
    assert stage.at_rest()


def test_a_hold_takes_what_can_be_spent_below_the_threshold(stage: Stage) -> None:
    _, wallet = filled(stage)

    with Spender(stage.site.house) as spender:
        request = HoldRequest(key="hold-1", wallet=wallet, amount="25")
        assert isinstance(spender.hold(stage.site.tenant, request).result(), Held)
    stage.run()

    assert (stage.charged(), bought(stage)) == ([1000], ["settled"])


def test_a_wallet_that_falls_below_its_threshold_is_filled_by_the_card_once(stage: Stage) -> None:
    customer, _ = filled(stage)
    assert (stage.charged(), bought(stage)) == ([], [])

    use(stage, customer, 2500)
    stage.rest()

    assert (stage.charged(), bought(stage), spendable(stage)) == ([1000], ["settled"], 15)
    assert stage.events("auto_topup.set") == stage.events("purchase.settled") == 1
    assert policy(stage)["attempt"] is None
    assert stage.at_rest()


def test_what_is_agreed_to_below_the_threshold_is_bought_at_once(stage: Stage) -> None:
    filled(stage, cents=500, agreed=Agreed(target=40))

    assert (stage.charged(), spendable(stage)) == ([4000], 45)
    assert stage.at_rest()


def test_an_expiry_that_empties_the_wallet_fills_it(stage: Stage) -> None:
    customer = stage.customer("pm_card_visa")
    wallet = read(stage.desk.wallet(customer))["id"]
    stage.desk.grant(customer, wallet, 3000, expires_at=stage.site.clock.now() + DAY)
    stage.desk.auto_topup(wallet, Agreed())
    stage.run()
    assert stage.charged() == []

    stage.site.pass_time(DAY)
    stage.run()

    assert (stage.charged(), bought(stage)) == ([1000], ["settled"])


def test_an_interval_buys_by_itself_and_does_not_make_up_for_a_long_silence(stage: Stage) -> None:
    filled(stage, agreed=Agreed(every_s=7 * 86_400))

    for _ in range(2):
        stage.site.pass_time(7 * DAY)
        stage.run()
    assert stage.charged() == [1000, 1000]
    stage.site.pass_time(70 * DAY)
    stage.run()
    stage.rest()

    assert stage.charged() == [1000, 1000, 1000]
    assert stage.at_rest()


# --- failures ---


@behaviour("R-LG-30")
def test_a_card_that_keeps_being_declined_is_tried_ever_more_rarely_and_switched_off_after_a_week(
    stage: Stage,
) -> None:
    """LLM Gateway: 1, 2, 4, 8, 16, 24 hours by failure count, off after seven days, and somebody is told."""
    customer, _ = filled(stage, DECLINED)
    begun = stage.site.clock.now()
    use(stage, customer, 2500)
    tried_at: list[int] = []
    while policy(stage)["status"] == "on":
        assert len(tried_at) < 20
        stage.run()
        tried_at.append(policy(stage)["failures"])
        retry_at = policy(stage)["retry_at"]
        assert retry_at
        stage.site.pass_time(retry_at - stage.site.clock.now())
        stage.run()

    assert policy(stage)["status"] == "suspended"
    assert stage.site.clock.now() - begun >= 7 * DAY
    assert tried_at == [*range(1, 12)]
    assert stage.events("auto_topup.failed") == policy(stage)["failures"]
    assert stage.events("auto_topup.switched_off") == 1
    (why,) = stage.rows("select sentence from decision where tenant = %(tenant)s and reason = 'auto_topup_suspended'")
    assert "switched off" in why["sentence"]
    assert (stage.charged(), set(bought(stage))) == ([], {"canceled"})
    stage.rest()
    assert stage.at_rest()


@behaviour("R-LG-26")
def test_a_failure_counts_once_per_attempt_whatever_is_delivered_and_success_forgets_it(stage: Stage) -> None:
    customer, _ = filled(stage, DECLINED)
    stage.pay(stage.bill(customer, 2500))
    stage.work()
    refused = stage.parcel("payment_intent.payment_failed")
    for keep in (True, True, False):
        stage.post.bring(refused, keep=keep)
        stage.work()
    stage.run()
    assert policy(stage)["failures"] == 1

    stage.desk.method(customer, "pm_card_visa")
    stage.run()
    stage.site.pass_time(HOUR)
    stage.run()

    assert (policy(stage)["failures"], policy(stage)["failing_since"]) == (0, None)
    assert (stage.charged(), bought(stage)) == ([1000], ["canceled", "settled"])


@behaviour("R-LG-31")
@pytest.mark.parametrize("then", ["detached", "credits", "off", "suspended"])
def test_what_changed_between_the_attempt_and_the_charge_stops_the_charge(stage: Stage, then: str) -> None:
    """The provider made the payment and its reply was lost; before it is confirmed everything is read again."""
    customer, wallet = filled(stage)
    stage.trouble("timeout_after", "/v1/payment_intents")
    stage.pay(stage.bill(customer, 2500))
    stage.work()
    (method,) = stage.rows("select provider_ref from method where tenant = %(tenant)s")

    match then:
        case "detached":
            stage.site.provider.ask("POST", f"/v1/payment_methods/{method['provider_ref']}/detach")
            stage.bring("payment_method.detached")
            stage.work()
        case "credits":
            stage.desk.grant(customer, wallet, 5000, cost=0)
        case "off":
            stage.desk.stop_auto_topup(wallet)
        case "suspended":
            stage.desk.move_wallet(wallet, WalletStatus.SUSPENDED)
    stage.rest()

    assert stage.charged() == []
    assert policy(stage)["attempt"] is None
    assert bought(stage)[0] == "canceled"
    assert policy(stage)["status"] == ("off" if then == "off" else "on")
    assert policy(stage)["failure_code"] == ("no_payment_method" if then == "detached" else None)
    assert stage.sound()


# --- the bank asks ---


@behaviour("R-LG-32")
def test_a_bank_that_asks_is_surfaced_with_a_payment_and_a_time_and_ends_by_it(stage: Stage) -> None:
    customer, _ = filled(stage, ASKS)
    use(stage, customer, 2500)

    (told,) = stage.rows("select data from event where tenant = %(tenant)s and kind = 'auto_topup.action_required'")
    assert {"payment", "purchase", "expires_at"} <= set(told["data"])
    assert bought(stage)[0] in ("pending", "failed")
    stage.rest()
    assert stage.events("auto_topup.action_required") == 1
    stage.site.pass_time(DAY)
    stage.rest()

    assert bought(stage)[0] == "canceled"
    assert policy(stage)["failures"] >= 1
    assert stage.charged() == []
    assert stage.sound()


# --- trouble ---


def test_a_lost_reply_charges_once(stage: Stage) -> None:
    customer, _ = filled(stage)
    stage.trouble("timeout_after", "/v1/payment_intents/*/confirm")

    use(stage, customer, 2500)
    stage.rest()

    assert (stage.charged(), bought(stage), spendable(stage)) == ([1000], ["settled"], 15)
    assert stage.at_rest()


@pytest.mark.parametrize("name", ["order.take", "order.send", "order.record", "inbox.decide"])
def test_a_worker_that_dies_anywhere_leaves_one_attempt_that_the_next_one_ends(stage: Stage, name: str) -> None:
    customer, _ = filled(stage)
    stage.pay(stage.bill(customer, 2500))
    flow = stage.until(name)
    stage.set_aside(flow)

    stage.site.pass_time(timedelta(minutes=5))
    stage.rest()

    assert (stage.charged(), bought(stage), spendable(stage)) == ([1000], ["settled"], 15)
    assert stage.at_rest()


def test_webhooks_that_are_lost_for_a_day_change_nothing(stage: Stage) -> None:
    customer, _ = filled(stage)
    stage.pay(stage.bill(customer, 2500))
    for _ in range(26):
        stage.work()
        stage.lose_post()
        stage.site.pass_time(HOUR)

    stage.rest()

    assert (stage.charged(), bought(stage), spendable(stage)) == ([1000], ["settled"], 15)
    assert stage.at_rest()


def test_a_trigger_that_was_lost_is_found_by_a_sweep(stage: Stage) -> None:
    """Whatever should have woken it did not: the wallet is low and nobody was told."""
    customer, _ = filled(stage)
    with stage.database.transaction(stage.site.tenant) as tx:
        tx.run("update wallet set watch_below = null where tenant = %(tenant)s")
    use(stage, customer, 2500)
    with stage.database.transaction(stage.site.tenant) as tx:
        tx.run("update wallet set watch_below = 10000000 where tenant = %(tenant)s")
    assert stage.charged() == []

    stage.rest()

    assert (stage.charged(), bought(stage)) == ([1000], ["settled"])


@behaviour("R-LG-29")
def test_two_triggers_at_once_make_one_attempt_and_the_second_ends_in_no_effect(stage: Stage) -> None:
    customer, _ = filled(stage, cents=4000)
    bills = [stage.bill(customer, each) for each in (3200, 500)]
    for each in bills:
        stage.pay(each)
    stage.work()
    stage.rest()

    assert (stage.charged(), bought(stage)) == ([1000], ["settled"])
    looks = stage.rows(
        "select d.outcome, d.reason from decision d join inbox i on i.tenant = d.tenant and i.id = d.inbox "
        "where d.tenant = %(tenant)s and i.kind = 'auto-topup' order by d.decided_at, d.id"
    )
    assert [each["reason"] for each in looks].count("auto_topup_started") == 1
    assert any(each["outcome"] == "no_effect" for each in looks)
    assert stage.at_rest()
