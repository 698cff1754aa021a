"""A payment that the host application made, claimed for our invoice: whatever the order of the news, one settlement."""

import threading
from dataclasses import replace
from datetime import timedelta
from itertools import permutations

import pytest

from behaviours import behaviour
from counterfoil.engine.house import House
from counterfoil.engine.phases import Phase
from counterfoil.sim.desk import Terms, read
from counterfoil.sim.trouble import Trouble
from counterfoil.store.database import CommitUnknown
from scenarios.meeting import Meeting
from scenarios.stage import BROWSER, Stage, assert_golden

CLAIM = "the claim"
CHARGE, INTENT = "charge.succeeded", "payment_intent.succeeded"


def claimed(stage: Stage, news: tuple[str, ...], *, work: bool = True) -> str:
    """A payment of the host application, told of by `news` in this order. Gives the invoice."""
    customer = stage.customer()
    invoice = stage.bill(customer, 10000)
    intent = stage.intent(customer, 10000, "pm_card_visa")
    for each in news:
        if each == CLAIM:
            stage.pay(invoice, terms=Terms(provider_ref=intent))
        else:
            stage.bring(each)
        if work:
            stage.worker.work()
    stage.worker.work()
    return invoice


def is_settled_once(stage: Stage, invoice: str) -> bool:
    held = stage.invoice(invoice)
    settlements = stage.rows("select entry from posting where tenant = %(tenant)s and entry like 'leg:%%:settled'")
    assert (held["status"], held["payment_status"], held["paid_minor"]) == ("paid", "succeeded", 10000)
    assert len(settlements) == 1
    assert stage.events("invoice.paid") == 1
    assert stage.charged() == [10000]
    return True


@behaviour("R-CO-1")
def test_the_first_confirmed_payment_sets_everything_in_one_step(stage: Stage) -> None:
    """Status, amount, date and means are one fact; the amount is what the provider collected, not what was asked."""
    customer = stage.customer()
    invoice = stage.bill(customer, 10000)
    less = stage.intent(customer, 9900, "pm_card_visa")

    stage.pay(invoice, terms=Terms(provider_ref=less))
    stage.run()
    part = stage.invoice(invoice)
    stage.pay(invoice, terms=Terms(provider_ref=stage.intent(customer, 100, "pm_card_visa")))
    stage.run()
    whole = stage.invoice(invoice)

    assert (part["status"], part["paid_minor"], part["paid_at"], part["paid_with"]) == ("open", 9900, None, None)
    assert (whole["status"], whole["payment_status"], whole["paid_minor"]) == ("paid", "succeeded", 10000)
    assert whole["paid_at"] is not None
    assert whole["paid_with"] is not None
    (last,) = stage.rows(
        """
        select d.effects from decision d join inbox i on i.tenant = d.tenant and i.id = d.inbox
        where d.tenant = %(tenant)s and d.reason = 'intent_settled'
        """
    )
    moves = [each for each in last["effects"] if each["effect"] == "change" and each["id"] == invoice]
    assert len(moves) == 1
    assert {"status", "paid_minor", "paid_at", "paid_with", "payment_status"} <= set(moves[0]["to"])
    assert stage.at_rest()


@behaviour("R-CO-5")
@pytest.mark.parametrize("news", list(permutations((CLAIM, CHARGE, INTENT))), ids=" then ".join)
@pytest.mark.parametrize("work", [True, False], ids=["one by one", "overlapping"])
def test_every_order_of_the_news_settles_once(stage: Stage, news: tuple[str, ...], work: bool) -> None:
    invoice = claimed(stage, news, work=work)

    assert is_settled_once(stage, invoice)
    stage.rest()
    assert is_settled_once(stage, invoice)
    assert stage.at_rest()


@behaviour("R-CO-6")
@pytest.mark.parametrize("heard", [(CLAIM, INTENT), (CLAIM, CHARGE), (CLAIM,)], ids=["intent", "charge", "nothing"])
def test_any_one_piece_of_news_settles_alone(stage: Stage, heard: tuple[str, ...]) -> None:
    """The others are lost for ever."""
    invoice = claimed(stage, heard)
    stage.lose_post()

    assert is_settled_once(stage, invoice)
    stage.rest()
    assert is_settled_once(stage, invoice)
    assert stage.at_rest()


# --- a hosted checkout ---

SESSION = "checkout.session.completed"


def checkout(stage: Stage, customer: str) -> str:
    """A checkout session that the host application made for 100. Gives its id."""
    form = {
        "mode": "payment",
        "customer": stage.customer_ref(customer),
        "success_url": "https://host.test/paid",
        "line_items[0][quantity]": 1,
        "line_items[0][price_data][currency]": "usd",
        "line_items[0][price_data][unit_amount]": 10000,
        "line_items[0][price_data][product_data][name]": "Pro",
    }
    session: str = stage.site.provider.ask("POST", "/v1/checkout/sessions", **form)["id"]
    return session


def pay_on_its_page(stage: Stage, session: str) -> None:
    card = stage.site.provider.ask("POST", "/v1/payment_methods", **{"type": "card", "card[token]": "tok_visa"})["id"]
    form = {"payment_method": card, "expected_amount": 10000}
    stage.site.provider.ask("POST", f"/v1/payment_pages/{session}/confirm", **form)


@behaviour("R-CO-5")
@pytest.mark.parametrize("news", list(permutations((SESSION, INTENT, CHARGE))), ids=" then ".join)
@pytest.mark.parametrize("work", [True, False], ids=["one by one", "overlapping"])
@pytest.mark.parametrize("first", [True, False], ids=["claimed before", "claimed after"])
def test_a_checkout_settles_once_whichever_event_comes_first(
    stage: Stage, news: tuple[str, ...], work: bool, first: bool
) -> None:
    customer = stage.customer()
    invoice = stage.bill(customer, 10000)
    session = checkout(stage, customer)
    if first:
        stage.pay(invoice, terms=Terms(provider_ref=session))
        stage.worker.work()
    pay_on_its_page(stage, session)

    for each in news:
        stage.bring(each)
        if work:
            stage.worker.work()
    if not first:
        stage.pay(invoice, terms=Terms(provider_ref=session))
    stage.worker.work()

    assert is_settled_once(stage, invoice)
    stage.rest()
    assert is_settled_once(stage, invoice)
    assert stage.at_rest()


@behaviour("R-CO-6")
@pytest.mark.parametrize("heard", [SESSION, INTENT, None], ids=["session", "intent", "nothing"])
def test_a_checkout_settles_by_any_one_event_alone_and_by_none(stage: Stage, heard: str | None) -> None:
    """The session's event lost, or the payment's, or all of them for ever.

    The session names its payment. A payment does not name its session, so the sessions that were claimed are looked at
    before its money is called a stranger's.
    """
    customer = stage.customer()
    invoice = stage.bill(customer, 10000)
    session = checkout(stage, customer)
    stage.pay(invoice, terms=Terms(provider_ref=session))
    stage.worker.work()
    assert stage.invoice(invoice)["status"] == "open"
    pay_on_its_page(stage, session)

    if heard:
        stage.bring(heard)
        stage.worker.work()
    at_once = stage.invoice(invoice)["status"]
    stage.lose_post()
    stage.rest()

    assert at_once == ("paid" if heard else "open")
    assert stage.questions() == []
    assert is_settled_once(stage, invoice)
    assert stage.at_rest()


def test_money_of_no_claimed_checkout_is_put_apart_once_those_were_looked_at(stage: Stage) -> None:
    customer = stage.customer()
    invoice = stage.bill(customer, 10000)
    stage.pay(invoice, terms=Terms(provider_ref=checkout(stage, customer)))
    stage.run()

    stage.intent(customer, 10000, "pm_card_visa")
    stage.run()
    assert stage.questions() == []
    stage.site.pass_time(timedelta(seconds=6))
    stage.run()

    assert stage.questions() == ["money_unexplained"]
    assert stage.invoice(invoice)["status"] == "open"


@behaviour("R-CO-6")
def test_silence_is_healed_by_the_sweep(stage: Stage) -> None:
    """The customer pays in the browser, and every event of it is lost."""
    customer = stage.customer()
    invoice = stage.bill(customer, 10000)
    payment = stage.pay(invoice, terms=BROWSER)
    stage.run()
    stage.confirm(stage.intent_of(payment), "pm_card_visa")
    stage.lose_post()
    assert stage.invoice(invoice)["status"] == "open"

    stage.rest()

    assert is_settled_once(stage, invoice)
    assert stage.at_rest()


@behaviour("R-CO-5")
def test_money_that_came_before_its_claim_leaves_suspense(stage: Stage) -> None:
    invoice = claimed(stage, (INTENT, CHARGE, CLAIM))

    assert stage.questions() == ["money_unexplained"]
    assert_golden("money_before_its_claim", stage.story())
    assert is_settled_once(stage, invoice)


# --- at the same time ---


@behaviour("R-CO-9")
def test_two_handlers_at_once_settle_once(stage: Stage) -> None:
    """Both have seen the payment succeed, and decide in the same moment, each in a transaction of its own."""
    customer = stage.customer()
    invoice = stage.bill(customer, 10000)
    payment = stage.pay(invoice, terms=BROWSER)
    stage.run()
    stage.confirm(stage.intent_of(payment), "pm_card_visa")
    phases = [standing_before_the_decision(stage, CHARGE), standing_before_the_decision(stage, INTENT)]

    house = replace(stage.site.house, database=Meeting(stage.database, threading.Barrier(2)))
    together(house, phases)

    assert is_settled_once(stage, invoice)
    assert stage.reasons()["intent_settled"] == 1
    assert stage.sound()


@behaviour("R-CO-9")
def test_a_handler_and_the_reply_to_our_own_call_settle_once(stage: Stage) -> None:
    customer = stage.customer("pm_card_visa")
    invoice = stage.bill(customer, 10000)
    stage.pay(invoice)
    stage.finish(stage.until("order.send"))
    confirm = stage.until("order.send")
    stage.worker.step(confirm)
    reply = stage.set_aside(confirm).flow.phase
    event = standing_before_the_decision(stage, INTENT)

    together(replace(stage.site.house, database=Meeting(stage.database, threading.Barrier(2))), [reply, event])

    assert is_settled_once(stage, invoice)
    assert stage.reasons()["intent_settled"] == 1
    assert stage.sound()


def standing_before_the_decision(stage: Stage, kind: str) -> Phase:
    """An event whose look at the provider is done, and whose decision comes next."""
    stage.bring(kind)
    return stage.set_aside(stage.until("inbox.decide")).flow.phase


def together(house: House, phases: list[Phase]) -> None:
    """Run phases in threads at once, and raise what any of them raised."""
    failed: list[BaseException] = []

    def run(phase: Phase) -> None:
        try:
            phase.run(house)
        except BaseException as error:  # handed over to the test's own thread
            failed.append(error)

    threads = [threading.Thread(target=run, args=(each,)) for each in phases]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    if failed:
        raise failed[0]


# --- paid, and what follows from it ---


@behaviour("R-CO-10")
def test_paid_and_its_consequences_commit_together(stage: Stage) -> None:
    """The process dies at the commit of "paid", over and over. The second event can't find paid without its events."""
    customer = stage.customer()
    invoice = stage.bill(customer, 10000)
    payment = stage.pay(invoice, terms=BROWSER)
    stage.run()
    stage.confirm(stage.intent_of(payment), "pm_card_visa")
    first = standing_before_the_decision(stage, CHARGE)

    stage.commits[:] = [Trouble.COMMIT_LOST] * 5
    with pytest.raises(CommitUnknown):
        first.run(stage.site.house)
    assert (stage.invoice(invoice)["status"], stage.events("invoice.paid")) == ("open", 0)
    stage.bring(INTENT)
    stage.worker.work()

    assert is_settled_once(stage, invoice)
    assert stage.events("payment.succeeded") == 1
    stage.rest()
    assert is_settled_once(stage, invoice)
    assert stage.at_rest()


def waiting_for_the_bank(stage: Stage) -> tuple[str, str]:
    """A payment that the customer has confirmed and the bank asks about. None of its news has arrived."""
    customer = stage.customer()
    invoice = stage.bill(customer, 10000)
    payment = stage.pay(invoice, terms=BROWSER)
    stage.work()
    assert stage.confirm(stage.intent_of(payment), "pm_card_authenticationRequired") == "requires_action"
    return invoice, payment


@behaviour("R-CO-14")
@pytest.mark.parametrize("kind", ["payment_intent.requires_action", "payment_intent.created"])
def test_a_slow_look_never_takes_paid_back(stage: Stage, kind: str) -> None:
    """A worker sees that the customer must act, and stands still; meanwhile the customer has acted and it is paid."""
    invoice, payment = waiting_for_the_bank(stage)
    slow = standing_before_the_decision(stage, kind)

    stage.authenticate(stage.intent_of(payment))
    stage.bring(INTENT)
    stage.worker.work()
    assert stage.invoice(invoice)["status"] == "paid"
    slow.run(stage.site.house)

    assert is_settled_once(stage, invoice)
    assert stage.reasons()["superseded"] == 1
    assert stage.sound()


@behaviour("R-CO-14")
def test_late_news_of_waiting_changes_nothing(stage: Stage) -> None:
    """The events of the steps before arrive only after the payment is settled."""
    invoice, payment = waiting_for_the_bank(stage)
    stage.authenticate(stage.intent_of(payment))
    stage.bring(INTENT)
    stage.worker.work()
    settled = stage.standing()

    stage.bring("payment_intent.requires_action", "payment_intent.created")
    stage.worker.work()

    assert stage.standing() == settled
    assert is_settled_once(stage, invoice)
    assert_golden("late_news_of_waiting", stage.story())


@behaviour("R-CO-19")
def test_a_second_payment_of_one_invoice_is_recorded_and_shown(stage: Stage) -> None:
    """A declined try, another payment in its place, and the first succeeds all the same before it can be canceled."""
    customer = stage.customer()
    invoice = stage.bill(customer, 10000)
    payment = stage.pay(invoice, terms=BROWSER)
    stage.run()
    first = stage.intent_of(payment)
    assert stage.confirm(first, "pm_card_chargeCustomerFail") == "card_declined"
    stage.run()
    assert stage.statuses(payment) == ["provider 10000 refused"]

    stage.pay(invoice, terms=Terms(provider_ref=stage.intent(customer, 10000, "pm_card_visa")))
    assert stage.confirm(first, "pm_card_visa") == "succeeded"
    stage.run()

    assert stage.charged() == [10000, 10000]
    assert stage.statuses(payment) == ["provider 10000 settled", "provider 10000 settled"]
    assert stage.invoice(invoice)["paid_minor"] == 10000
    assert stage.questions() == ["duplicate_payment"]
    assert stage.events("invoice.paid") == 1
    assert_golden("paid_twice", stage.story())
    stage.rest()
    assert stage.at_rest()


def test_money_for_a_paid_invoice_that_nobody_asked_for_is_kept_apart(stage: Stage) -> None:
    customer = stage.customer("pm_card_visa")
    invoice = stage.bill(customer, 10000)
    stage.pay(invoice)
    stage.run()

    second = stage.intent(customer, 10000, "pm_card_visa")
    stage.run()
    claim = stage.desk.pay(invoice, terms=Terms(provider_ref=second))

    assert stage.charged() == [10000, 10000]
    assert read(claim)["code"] == "nothing_due"
    assert stage.questions() == ["money_unexplained"]
    stage.rest()
    assert stage.at_rest()
