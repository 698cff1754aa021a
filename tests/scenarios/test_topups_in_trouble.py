"""Top-ups that are clicked twice, cut short, told many times, changed by others or given up."""

import threading
from datetime import timedelta

import pytest

from behaviours import behaviour
from scenarios.shop import PRICE, Shop, open_shop
from scenarios.stage import Stage


@pytest.fixture
def shop(stage: Stage) -> Shop:
    return open_shop(stage, "pm_card_visa")


# --- clicked twice ---


def click(shop: Shop, *keys: str) -> list[str]:
    """Buy at once in as many browser tabs, each with its key; gives the purchases' ids."""
    start, bought = threading.Barrier(len(keys)), []

    def one(key: str) -> None:
        start.wait()
        bought.append(shop.buy(key=key))

    threads = [threading.Thread(target=one, args=(key,)) for key in keys]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return bought


@behaviour("R-CW-13")
def test_a_double_click_is_one_purchase(shop: Shop) -> None:
    """INC-06. Every write to the provider carries a key of the purchase's own order."""
    bought = click(shop, "click", "click")

    shop.stage.run()

    assert len(bought) == 2
    assert len(set(bought)) == 1
    assert shop.invoices_there() == ["paid"]
    assert shop.charged() == [5000]
    assert shop.lots() == [(5000, 5000)]
    assert shop.buy(key="click") == bought[0]
    writes = [each for each in shop.stage.requests("/v1/invoice") if each["method"] == "POST"]
    assert [each["idempotency_key"].partition(":")[0] for each in writes] == shop.order_ids(bought[0])
    assert shop.at_rest()


def test_two_clicks_with_keys_of_their_own_are_two_purchases(shop: Shop) -> None:
    """INC-06."""
    shop.credit_there(6000)

    click(shop, "one", "two")
    shop.stage.run()

    assert shop.invoices_there() == ["paid", "paid"]
    assert shop.charged() == [4000]
    assert shop.lots() == [(5000, 5000)] * 2
    assert shop.at_rest()


# --- cut short ---


@behaviour("R-CW-14")
@pytest.mark.parametrize(
    ("credit", "card", "charged", "lots", "invoice"),
    [
        (0, "pm_card_visa", [5000], [(5000, 5000)], "paid"),
        (2000, "pm_card_visa", [3000], [(5000, 5000)], "paid"),
        (6000, "pm_card_visa", [], [(5000, 5000)], "paid"),
        (2000, "pm_card_chargeCustomerFail", [], [], "void"),
    ],
    ids=["card", "both", "balance", "declined"],
)
def test_a_worker_that_dies_at_any_step_leaves_nothing_half_done(
    stage: Stage, credit: int, card: str, charged: list[int], lots: list[tuple[int, int]], invoice: str
) -> None:
    """INC-05. Killed after every step in turn, and taken up again by another worker without any webhook."""
    steps, cut = 0, True
    while cut:
        shop = open_shop(stage, card)
        shop.credit_there(credit)
        stage.run()
        shop.buy()
        cut = shop.die_after(steps)
        shop.recover()

        assert (shop.charged(), shop.lots(), shop.invoices_there()) == (charged, lots, [invoice]), steps
        assert shop.balance_there() == shop.balance_here() == credit - (PRICE - sum(charged) if lots else 0), steps
        steps += 1
    assert steps > 12
    stage.rest()
    assert shop.at_rest()


@pytest.mark.parametrize("do", ["timeout_before", "timeout_after", "reset"])
@pytest.mark.parametrize("path", ["/v1/invoices", "/v1/invoiceitems", "/v1/invoices/*/finalize", "/v1/invoices/*/pay"])
def test_a_reply_that_is_lost_is_neither_failure_nor_success(shop: Shop, do: str, path: str) -> None:
    shop.credit_there(2000)
    shop.stage.run()
    shop.stage.trouble(do, path)
    shop.buy()

    shop.stage.rest()

    assert shop.invoices_there() == ["paid"]
    assert shop.charged() == [3000]
    assert shop.lots() == [(5000, 5000)]
    assert shop.at_rest()


@pytest.mark.parametrize("path", ["/v1/invoices", "/v1/invoiceitems", "/v1/invoices/*/finalize", "/v1/invoices/*/pay"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_an_error_of_the_provider_is_settled_by_a_look(shop: Shop, path: str, when: str) -> None:
    """A 500 is stored under its key, whether the step was taken before it or not."""
    shop.stage.trouble("status", path, status=500, when=when)
    shop.buy()

    shop.stage.rest()

    assert shop.invoices_there() == ["paid"]
    assert shop.charged() == [5000]
    assert shop.lots() == [(5000, 5000)]
    assert shop.at_rest()


@behaviour("R-CW-16")
def test_nothing_is_locked_while_the_provider_is_asked(shop: Shop) -> None:
    purchase = shop.buy()
    looked = []

    def look(method: str, path: str) -> None:
        if "invoice" in path:
            locked = "select id from {} where tenant = %(tenant)s and id = %(id)s for update nowait"
            shop.stage.rows(locked.format("customer"), id=shop.customer)
            shop.stage.rows(locked.format("purchase"), id=purchase)
            looked.append(path)

    shop.stage.site.provider.trouble = look
    shop.stage.run()

    assert len(looked) > 8
    assert shop.lots() == [(5000, 5000)]


# --- told by others ---


@behaviour("R-CW-17")
@pytest.mark.parametrize(
    "kind", ["invoice.paid", "invoice.payment_succeeded", "payment_intent.succeeded", "invoice_payment.paid"]
)
def test_any_news_of_the_money_fulfils_when_the_caller_died(shop: Shop, kind: str) -> None:
    """The worker is killed right after the provider took the money; whoever tells first fulfils, the other changes
    nothing."""
    purchase = shop.buy()
    record = shop.until("PayInvoice", "look")
    shop.stage.worker.crash()
    shop.stage.bring(kind)
    shop.stage.work()
    assert shop.purchase(purchase)["status"] == "settled"
    assert record.claim

    shop.recover()
    shop.stage.rest()

    assert shop.charged() == [5000]
    assert shop.lots() == [(5000, 5000)]
    assert shop.at_rest()


@behaviour("R-CW-18")
def test_a_storm_of_repeats_grants_once(shop: Shop) -> None:
    """INC-07: 13 held, 10 bought: told twice, twenty times at once and under new ids, they are 23."""
    shop.buy(1300)
    shop.stage.run()
    for nth in range(20):
        fault = {"match": {"event": "invoice.paid"}, "do": "duplicate_as_new" if nth % 2 else "duplicate", "times": 1}
        shop.stage.site.provider.control("POST", "faults", fault)
    shop.buy(1000)
    shop.stage.worker.work()

    shop.stage.post.collect()
    paid = [each for each in shop.stage.post.under_way if each.attempt.event_type == "invoice.paid"]
    threads = [
        threading.Thread(target=shop.stage.post.bring, args=(paid[0],), kwargs={"keep": True}) for _ in range(20)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    shop.stage.run()
    shop.stage.rest()

    assert shop.lots() == [(1300, 1300), (1000, 1000)]
    assert shop.charged() == [1300, 1000]
    assert shop.at_rest()


# --- changed by others ---


@behaviour("R-CW-19")
@pytest.mark.parametrize("change", ["amount", "line"])
def test_an_invoice_that_is_not_what_was_asked_for_is_held(shop: Shop, change: str) -> None:
    """Somebody changes the draft at the provider's dashboard."""
    purchase = shop.buy()
    shop.until("FinalizeInvoice")
    provider = shop.stage.site.provider
    if change == "amount":
        item = next(provider.objects("/v1/invoiceitems"))["id"]
        provider.ask("POST", f"/v1/invoiceitems/{item}", amount=100)
    else:
        ref = shop.stage.customer_ref(shop.customer)
        form = {"customer": ref, "invoice": shop.newest_there(), "amount": 700, "currency": "usd"}
        provider.ask("POST", "/v1/invoiceitems", **form)

    shop.stage.rest()

    assert shop.purchase(purchase)["status"] == "held"
    assert shop.stage.questions() == ["purchase_mismatch"]
    assert shop.asked("/pay") == 0
    assert shop.lots() == []


@behaviour("R-CW-19")
def test_money_for_an_invoice_that_is_not_what_was_asked_for_waits_in_suspense(shop: Shop) -> None:
    purchase = shop.buy()
    shop.until("FinalizeInvoice")
    provider = shop.stage.site.provider
    item = next(provider.objects("/v1/invoiceitems"))["id"]
    provider.ask("POST", f"/v1/invoiceitems/{item}", amount=100)
    shop.stage.run()

    provider.ask("POST", f"/v1/invoices/{shop.newest_there()}/pay", payment_method=shop.card_there())
    shop.stage.rest()

    assert shop.charged() == [100]
    assert shop.purchase(purchase)["status"] == "held"
    assert shop.lots() == []
    assert shop.stage.rows("select amount from posting where tenant = %(tenant)s and credit like 'suspense:%%'") == [
        {"amount": 100}
    ]


@behaviour("R-CW-19")
def test_a_mark_alone_never_grants(shop: Shop) -> None:
    """Anybody who can write metadata at the provider could name a purchase of ours."""
    purchase = shop.buy()
    shop.stage.run()
    invoice = shop.purchase(purchase)["invoice"]
    provider, ref = shop.stage.site.provider, shop.stage.customer_ref(shop.customer)
    mark = {"metadata[counterfoil_invoice]": invoice}
    forged = provider.ask("POST", "/v1/invoices", customer=ref, currency="usd", auto_advance="false", **mark)["id"]
    provider.ask("POST", "/v1/invoiceitems", customer=ref, invoice=forged, amount=50, currency="usd")
    provider.ask("POST", f"/v1/invoices/{forged}/pay", payment_method=shop.card_there())

    shop.stage.rest()

    assert shop.lots() == [(5000, 5000)]
    assert shop.stage.questions() == ["money_unexplained"]


# --- given up ---


@behaviour("R-CW-15")
@pytest.mark.parametrize("step", ["CreateInvoice", "AddInvoiceLine", "FinalizeInvoice"])
def test_a_purchase_that_is_given_up_leaves_nothing_open(shop: Shop, step: str) -> None:
    """Before its draft, with it, and after its balance was applied: that comes back, which is asserted there.

    The step that was under way is still taken, and then taken back.
    """
    shop.credit_there(2000)
    shop.stage.run()
    purchase = shop.buy()
    shop.until(step)
    shop.stage.worker.crash()

    shop.stage.desk.cancel_purchase(purchase)
    shop.recover()
    shop.stage.rest()

    assert shop.purchase(purchase)["status"] == "canceled"
    assert set(shop.invoices_there()) <= {"void"}
    assert shop.balance_there() == shop.balance_here() == 2000
    assert shop.charged() == []
    assert shop.lots() == []
    assert shop.at_rest()


def test_a_purchase_that_is_given_up_too_late_is_paid_and_fulfilled(shop: Shop) -> None:
    """The provider was asked for the money already, and nobody knows whether it took it."""
    shop.credit_there(2000)
    shop.stage.run()
    purchase = shop.buy()
    shop.until("PayInvoice")
    shop.stage.worker.crash()

    shop.stage.desk.cancel_purchase(purchase)
    shop.recover()
    shop.stage.rest()

    assert shop.purchase(purchase)["status"] == "settled"
    assert shop.charged() == [3000]
    assert shop.lots() == [(5000, 5000)]
    assert shop.at_rest()


@behaviour("R-CW-15")
def test_a_customer_who_never_answers_the_bank_is_charged_nothing(stage: Stage) -> None:
    """The invoice waits a day with a page to pay it on; then it is voided and its balance comes back."""
    shop = open_shop(stage, "pm_card_authenticationRequired")
    shop.credit_there(2000)
    purchase = shop.buy()
    stage.run()
    assert shop.purchase(purchase)["status"] == "pending"
    (leg,) = stage.rows("select status, action_url from leg where tenant = %(tenant)s and kind = 'provider'")
    assert leg["status"] == "requires_action"
    assert leg["action_url"].startswith("http")

    stage.site.pass_time(timedelta(hours=25))
    stage.rest()

    assert shop.invoices_there() == ["void"]
    assert shop.purchase(purchase)["status"] == "canceled"
    assert shop.balance_there() == shop.balance_here() == 2000
    assert shop.charged() == []
    assert shop.at_rest()


def test_a_customer_who_answers_the_bank_in_time_has_the_credits(stage: Stage) -> None:
    shop = open_shop(stage, "pm_card_authenticationRequired")
    purchase = shop.buy()
    stage.run()
    (leg,) = stage.rows("select provider_ref from leg where tenant = %(tenant)s")

    stage.confirm(leg["provider_ref"], "pm_card_visa")
    stage.run()

    assert shop.purchase(purchase)["status"] == "settled"
    assert shop.charged() == [5000]
    assert shop.lots() == [(5000, 5000)]
    assert shop.at_rest()


def test_an_invoice_that_is_paid_elsewhere_is_fulfilled_and_says_so(shop: Shop) -> None:
    """A person marks the open invoice as paid outside the provider."""
    purchase = shop.buy()
    shop.until("PayInvoice")
    shop.stage.worker.crash()
    shop.stage.site.provider.ask("POST", f"/v1/invoices/{shop.newest_there()}/pay", paid_out_of_band="true")

    shop.recover()
    shop.stage.rest()

    assert shop.purchase(purchase)["external_minor"] == 5000
    assert shop.lots() == [(5000, 5000)]
    assert shop.charged() == []
    assert shop.at_rest()
