"""The checks that never give up: what nobody was told of is found, however old it is."""

from dataclasses import replace
from datetime import timedelta

import pytest

from behaviours import behaviour
from counterfoil.core.checks import LATE_AFTER
from counterfoil.core.facts import LEG_MARK
from counterfoil.core.ids import PREFIXES, typeid
from counterfoil.engine import setup
from counterfoil.sim.desk import Desk, Terms
from counterfoil.sim.post import Post
from counterfoil.sim.provider import ADDRESS
from counterfoil.sim.site import WEBHOOK_SECRET
from counterfoil.store.database import Row
from scenarios.stage import BROWSER, Stage

DAY = timedelta(days=1)


def visits(stage: Stage, run: Row) -> list[Row]:
    """What a run had looked at, in the order in which it was decided."""
    sql = """
        select v.ref, v.why, d.reason, d.outcome from reconcile_visit v
        left join decision d on d.tenant = v.tenant and d.inbox = v.inbox
        where v.tenant = %(tenant)s and v.run = %(run)s order by d.decided_at, d.id
    """
    return stage.rows(sql, run=run["id"])


def tamper(stage: Stage, sql: str, **values: str) -> None:
    """Change the books by hand, as no rule of ours does."""
    assert stage.rows(sql, **values), "nothing was changed"


def overlook_events(stage: Stage) -> None:
    """Let the provider have listed its newest events late, below the cursor of the sweep: they are never read."""
    newest = stage.site.provider.ask("GET", "/v1/events")["data"][0]["id"]
    tamper(stage, "update sweep set cursor = %(cursor)s where tenant = %(tenant)s returning account", cursor=newest)


# --- however old ---


@behaviour("R-SU-14")
@pytest.mark.parametrize("days", [4, 40])
def test_a_payment_that_is_stuck_for_days_is_resolved(stage: Stage, days: int) -> None:
    """INC-24: the provider can't be reached, no webhook arrives; a window of three days would have let it go."""
    customer = stage.customer("pm_usBankAccount_success")
    invoice = stage.bill(customer, 10000)
    payment = stage.pay(invoice)
    stage.work()
    stage.lose_post()
    assert stage.statuses(payment) == ["provider 10000 processing"]
    stage.site.provider.control("POST", "faults", {"match": {"path": "*"}, "do": "refuse"})
    for _ in range(days):
        stage.site.pass_time(DAY)
        stage.work()
        stage.lose_post()
    assert stage.statuses(payment) == ["provider 10000 processing"]

    stage.site.provider.control("DELETE", "faults")
    overlook_events(stage)
    stage.site.pass_time(timedelta(hours=7))
    stage.work()

    assert stage.invoice(invoice)["status"] == "paid"
    assert stage.charged() == [10000]
    stage.lose_post()
    stage.rest()
    assert stage.at_rest()


@behaviour("R-SU-14")
def test_the_oldest_trouble_is_looked_at_first(stage: Stage) -> None:
    customer = stage.customer("pm_card_authenticationRequired")
    payments = []
    for _ in range(3):
        payments.append(stage.pay(stage.bill(customer, 5000), terms=BROWSER))
        stage.work()
        stage.lose_post()
        stage.site.pass_time(2 * DAY)
    intents = [stage.intent_of(each) for each in payments]

    before = len(stage.requests("/v1/payment_intents/pi_"))

    run = stage.reconcile()

    looked = [each["path"].rsplit("/", 1)[1] for each in stage.requests("/v1/payment_intents/pi_")[before:]]
    assert list(dict.fromkeys(looked)) == intents
    assert (run["status"], run["visited"], run["late"]) == ("done", 3, 2)
    assert [each["why"] for each in visits(stage, run)] == ["late", "late", "open"]


@behaviour("R-SU-14")
@pytest.mark.parametrize("status", [401, 503], ids=["key revoked", "account down"])
def test_one_organization_s_failure_stops_no_other(stage: Stage, status: int) -> None:
    """Two organizations of one house; the provider refuses everything of the one that comes first."""
    other = second_tenant(stage)
    invoices = []
    for each in (stage, other):
        customer = each.customer("pm_usBankAccount_success")
        invoices.append(each.bill(customer, 10000))
        each.pay(invoices[-1])
        each.work()
        each.lose_post()
    stage.site.pass_time(5 * DAY)
    stage.lose_post()
    account = stage.site.provider.ask("GET", "/v1/account")["id"]
    stage.site.provider.control(
        "POST", "faults", {"match": {"path": "*", "account": account}, "do": "status", "status": status}
    )

    run = stage.reconcile()
    theirs = other.reconcile()

    assert (run["status"], run["unreached"]) == ("unfinished", [stage.site.account])
    assert (theirs["status"], theirs["unreached"]) == ("done", [])
    assert (stage.invoice(invoices[0])["status"], other.invoice(invoices[1])["status"]) == ("open", "paid")
    stage.site.provider.control("DELETE", "faults")
    stage.site.pass_time(timedelta(hours=7))
    stage.reconcile()
    assert stage.invoice(invoices[0])["status"] == "paid"


def second_tenant(stage: Stage) -> Stage:
    """Another organization of the same house, with an account of its own at the same provider."""
    site = stage.site
    tenant = setup.ensure_tenant(site.house, "another", "test", typeid(PREFIXES["tenant"], 2000))
    wanted = setup.Connection("sk_test_another", (WEBHOOK_SECRET,), base_url=ADDRESS, slug="another")
    account = setup.connect(site.house, tenant.id, wanted)
    apart = replace(site, tenant=tenant.id, account=account.id, slug="another")
    return Stage(stage.database, apart, Desk(apart), Post(apart), stage.worker, stage.commits)


@behaviour("R-SU-17")
def test_the_money_of_a_late_payment_moves_leg_payment_and_invoice_together(stage: Stage) -> None:
    customer = stage.customer("pm_usBankAccount_success")
    invoice = stage.bill(customer, 10000)
    payment = stage.pay(invoice)
    stage.work()
    stage.site.pass_time(LATE_AFTER + 2 * DAY)
    stage.lose_post()

    run = stage.reconcile()

    assert stage.statuses(payment) == ["provider 10000 settled"]
    assert stage.invoice(invoice)["payment_status"] == "succeeded"
    assert (run["late"], run["changed"], run["asked"]) == (1, 1, 0)
    told = ["invoice.paid", "payment.succeeded"]
    sql = "select distinct decision from event where tenant = %(tenant)s and kind = any (%(kinds)s)"
    assert len(stage.rows(sql, kinds=told)) == 1
    assert stage.at_rest()


def test_a_second_run_changes_nothing(stage: Stage) -> None:
    customer = stage.customer("pm_card_visa", "pm_usBankAccount_success")
    stage.pay(stage.bill(customer, 10000))
    stage.intent(customer, 1700, "pm_card_visa")
    stage.work()
    stage.lose_post()
    stage.site.pass_time(5 * DAY)

    first = stage.reconcile(everything=True)
    books = stage.standing()
    second = stage.reconcile(everything=True)

    assert (first["status"], first["changed"] > 0, first["asked"]) == ("done", True, 1)
    assert (second["status"], second["changed"], second["asked"], second["anomalies"]) == ("done", 0, 0, 0)
    assert stage.standing() == books
    assert second["visited"] == 0


# --- a reply that was lost ---


@behaviour("R-SU-16")
def test_a_lost_reply_is_found_though_lists_lag_and_the_customer_tries_again(stage: Stage) -> None:
    """INC-23: the payment was made and the reply to it is a stored error; the list does not have it for a minute."""
    customer = stage.customer("pm_card_visa")
    invoice = stage.bill(customer, 10000)
    stage.site.provider.lists_lag = timedelta(seconds=60)
    stage.trouble("status", "/v1/payment_intents", status=500, when="after")
    stage.trouble("timeout_after", "/v1/payment_intents/*/confirm")
    payment = stage.pay(invoice)

    for _ in range(12):
        stage.work()
        stage.lose_post()
        again = stage.desk.pay(invoice)
        assert again.answer.status in (409, 422), "in progress, or paid by now"
        stage.site.pass_time(timedelta(seconds=20))
    stage.reconcile()

    assert stage.statuses(payment) == ["provider 10000 settled"]
    assert stage.charged() == [10000]
    assert len(list(stage.site.provider.objects("/v1/payment_intents"))) == 1
    assert stage.at_rest()


@behaviour("R-SU-16")
def test_of_several_payments_with_one_mark_none_is_charged_anew(stage: Stage) -> None:
    """Two objects carry the mark of one leg whose order was lost: one counts, the other is given up, a person asked."""
    customer = stage.customer("pm_card_visa")
    invoice = stage.bill(customer, 10000)
    payment, leg = lost(stage, invoice)
    for _ in range(2):
        make_marked(stage, customer, leg, 10000)

    run = stage.reconcile()
    stage.rest()

    assert stage.questions() == ["several_found"]
    assert run["asked"] == 1
    assert sorted(each["status"] for each in stage.site.provider.objects("/v1/payment_intents")) == [
        "canceled",
        "succeeded",
    ]
    assert stage.statuses(payment) == ["provider 10000 settled"]
    assert stage.charged() == [10000]


@behaviour("R-SU-16")
def test_money_that_came_twice_by_one_mark_is_kept_apart(stage: Stage) -> None:
    customer = stage.customer("pm_card_visa")
    invoice = stage.bill(customer, 10000)
    payment, leg = lost(stage, invoice)
    for _ in range(2):
        stage.confirm(make_marked(stage, customer, leg, 10000), "pm_card_visa")
    stage.lose_post()

    stage.reconcile()
    stage.site.pass_time(timedelta(minutes=5))
    stage.rest()

    assert stage.charged() == [10000, 10000]
    assert stage.statuses(payment) == ["provider 10000 settled"]
    assert sorted(stage.questions()) == ["money_unexplained", "several_found"]
    assert stage.at_rest()


# --- what our own books can't be ---


def lost(stage: Stage, invoice: str) -> tuple[str, str]:
    """A payment whose order is gone before it was sent, as no rule of ours leaves it."""
    payment = stage.pay(invoice)
    (leg,) = stage.legs(payment)
    tamper(
        stage,
        """
        update provider_order set status = 'canceled' where tenant = %(tenant)s and subject = %(leg)s returning id
        """,
        leg=leg["id"],
    )
    stage.work()
    stage.site.pass_time(timedelta(minutes=11))
    return payment, leg["id"]


def make_marked(stage: Stage, customer: str, leg: str, minor: int) -> str:
    """A payment at the provider that carries the mark of a leg of ours."""
    mark = {f"metadata[{LEG_MARK}]": leg}
    form = {"customer": stage.customer_ref(customer), "amount": minor, "currency": "usd"} | mark
    return str(stage.site.provider.ask("POST", "/v1/payment_intents", **form)["id"])


@behaviour("R-SU-15")
def test_a_payment_that_nobody_would_hear_of_fails_on_proof_only(stage: Stage) -> None:
    """Neither a handle nor an order: the provider is asked for what carries our mark, and has nothing."""
    customer = stage.customer("pm_card_visa")
    invoice = stage.bill(customer, 10000)
    payment, _ = lost(stage, invoice)
    stage.site.provider.control("POST", "faults", {"match": {"path": "/v1/payment_intents"}, "do": "timeout_before"})
    silent = stage.reconcile()
    assert stage.statuses(payment) == ["provider 10000 processing"]
    assert (silent["status"], silent["undecided"]) == ("unfinished", 1)

    stage.site.provider.control("DELETE", "faults")
    stage.site.pass_time(timedelta(minutes=30))
    stage.work()
    run = stage.reconcile()

    assert stage.statuses(payment) == ["provider 10000 refused"]
    assert stage.legs(payment)[0]["refusal_code"] == "never_made"
    assert stage.invoice(invoice)["payment_status"] == "failed"
    assert run["anomalies"] == 0, "the sweep was faster"
    stage.pay(invoice)
    stage.rest()
    assert stage.charged() == [10000]


@behaviour("R-SU-15")
def test_a_payment_that_the_provider_has_is_never_failed(stage: Stage) -> None:
    customer = stage.customer("pm_card_visa")
    invoice = stage.bill(customer, 10000)
    payment, leg = lost(stage, invoice)
    stage.confirm(make_marked(stage, customer, leg, 10000), "pm_card_visa")
    stage.lose_post()
    overlook_events(stage)

    run = stage.reconcile()

    assert stage.statuses(payment) == ["provider 10000 settled"]
    assert stage.invoice(invoice)["status"] == "paid"
    assert run["changed"] >= 1
    assert stage.questions() == []
    assert stage.at_rest()


@behaviour("R-SU-15")
@pytest.mark.parametrize("begun", [False, True], ids=["no transaction", "latest not processing"])
def test_an_invoice_that_says_it_is_under_way_is_recomputed_from_its_legs_and_reported(
    stage: Stage, begun: bool
) -> None:
    customer = stage.customer("pm_card_chargeCustomerFail")
    invoice = stage.bill(customer, 10000)
    right = "pending"
    if begun:
        stage.pay(invoice)
        stage.run()
        right = "failed"
    assert stage.invoice(invoice)["payment_status"] == right
    sql = "update invoice set payment_status = 'processing' where tenant = %(tenant)s and id = %(id)s returning id"
    tamper(stage, sql, id=invoice)

    run = stage.reconcile()

    assert stage.invoice(invoice)["payment_status"] == right
    assert stage.questions() == ["status_recomputed"]
    assert (run["anomalies"], run["asked"]) == (1, 1)
    assert stage.charged() == []
    assert stage.reconcile()["anomalies"] == 0


def test_a_claim_of_the_host_s_own_payment_is_visited_too(stage: Stage) -> None:
    customer = stage.customer("pm_card_visa")
    invoice = stage.bill(customer, 10000)
    intent = stage.intent(customer, 10000)
    stage.pay(invoice, terms=Terms(provider_ref=intent))
    stage.work()
    stage.confirm(intent, "pm_card_visa")
    stage.lose_post()

    stage.reconcile()

    assert stage.invoice(invoice)["status"] == "paid"
