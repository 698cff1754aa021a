"""Credits bought through the provider's own invoice: paid by its balance, by the card, by both, or not at all."""

import pytest

from behaviours import behaviour
from counterfoil.core.money import ServiceUnit
from counterfoil.sim.desk import read
from counterfoil.store import accounts
from scenarios.shop import PRICE, Shop, open_shop
from scenarios.stage import Stage


@pytest.fixture
def shop(stage: Stage) -> Shop:
    return open_shop(stage, "pm_card_visa")


# --- table CW, row by row ---


@behaviour("R-CW-2")
def test_a_balance_above_the_price_pays_all_of_it(shop: Shop) -> None:
    shop.credit_there(6000)
    purchase = shop.buy()

    shop.stage.run()

    assert shop.legs(purchase) == [("balance", 5000, "settled")]
    assert shop.lots() == [(5000, 5000)]
    assert shop.purchase(purchase)["status"] == "settled"
    assert (shop.asked("/finalize"), shop.asked("/pay")) == (1, 0)
    assert shop.charged() == []
    assert shop.balance_there() == shop.balance_here() == 1000
    assert shop.at_rest()


@behaviour("R-CW-3")
def test_a_balance_below_the_price_leaves_the_rest_to_the_card(shop: Shop) -> None:
    shop.credit_there(2000)
    purchase = shop.buy()

    shop.stage.run()

    assert shop.legs(purchase) == [("balance", 2000, "settled"), ("provider", 3000, "settled")]
    assert shop.lots() == [(5000, 5000)]
    assert shop.charged() == [3000]
    assert shop.balance_there() == shop.balance_here() == 0
    assert shop.at_rest()


@behaviour("R-CW-4")
def test_without_a_balance_the_card_pays_all_of_it(shop: Shop) -> None:
    purchase = shop.buy()

    shop.stage.run()

    assert shop.legs(purchase) == [("provider", 5000, "settled")]
    assert shop.lots() == [(5000, 5000)]
    assert shop.charged() == [5000]
    assert shop.at_rest()


@behaviour("R-CW-6")
def test_too_little_for_the_card_is_owed_on_the_balance(shop: Shop) -> None:
    """49.80 of 50 are on the balance: the provider charges nothing and notes that 0.20 are owed."""
    shop.credit_there(4980)
    purchase = shop.buy()

    shop.stage.run()

    assert shop.legs(purchase) == [("balance", 5000, "settled")]
    assert shop.lots() == [(5000, 5000)]
    assert shop.charged() == []
    assert shop.balance_there() == -20
    assert shop.at_rest()


@behaviour("R-CW-6")
def test_what_the_customer_owed_before_is_collected_too_and_buys_nothing(shop: Shop) -> None:
    shop.credit_there(-500)
    purchase = shop.buy()

    shop.stage.run()

    assert shop.charged() == [5500]
    assert shop.lots() == [(5000, 5000)]
    held = shop.purchase(purchase)
    assert (held["balance_minor"], held["card_minor"]) == (-500, 5500)
    assert shop.balance_there() == 0
    assert shop.at_rest()


@behaviour("R-CW-6")
@pytest.mark.parametrize(("percent", "charged"), [(100, []), (20, [4000])])
def test_a_coupon_lowers_the_price_and_not_the_credits(shop: Shop, percent: int, charged: list[int]) -> None:
    shop.give_coupon(percent)
    purchase = shop.buy()

    shop.stage.run()

    off = PRICE * percent // 100
    assert shop.charged() == charged
    assert shop.lots() == [(5000, PRICE - off)]
    assert shop.purchase(purchase)["discount_minor"] == off
    assert shop.at_rest()


@behaviour("R-CW-15")
def test_a_declined_top_up_is_voided_and_its_balance_comes_back(stage: Stage) -> None:
    shop = open_shop(stage, "pm_card_chargeCustomerFail")
    shop.credit_there(2000)
    purchase = shop.buy()

    shop.stage.run()

    assert shop.invoices_there() == ["void"]
    assert shop.balance_there() == shop.balance_here() == 2000
    assert shop.legs(purchase) == [("balance", 2000, "returned"), ("provider", 3000, "canceled")]
    held = shop.purchase(purchase)
    assert (held["status"], held["failure_code"], held["failures"]) == ("failed", "generic_decline", 1)
    assert shop.lots() == []
    assert shop.charged() == []
    assert shop.at_rest()


# --- decided by what the provider says, never by what is expected of it ---


@behaviour("R-CW-1")
def test_what_the_invoice_is_after_finalize_decides_and_not_what_was_expected(shop: Shop) -> None:
    """The customer pays the open invoice on its page before we have looked: we don't pay it again."""
    purchase = shop.buy()
    look = shop.until("FinalizeInvoice", "look")
    shop.stage.site.provider.ask("POST", f"/v1/invoices/{shop.newest_there()}/pay", payment_method=shop.card_there())

    shop.stage.finish(look)
    shop.stage.run()

    assert shop.orders(purchase) == ["CreateInvoice done", "AddInvoiceLine done", "FinalizeInvoice done"]
    assert shop.charged() == [5000]
    assert shop.lots() == [(5000, 5000)]
    assert shop.at_rest()


@behaviour("R-CW-5")
def test_a_pay_that_is_refused_because_it_is_paid_is_success_after_a_fresh_look(shop: Shop) -> None:
    """The refusal has no code; the invoice itself says that it is paid."""
    purchase = shop.buy()
    send = shop.until("PayInvoice")
    shop.stage.site.provider.ask("POST", f"/v1/invoices/{shop.newest_there()}/pay", payment_method=shop.card_there())

    shop.stage.finish(send)
    shop.stage.run()

    assert shop.orders(purchase)[-1] == "PayInvoice refused"
    assert shop.stage.reasons()["paid_already"] == 1
    assert shop.stage.questions() == []
    assert shop.purchase(purchase)["status"] == "settled"
    assert shop.charged() == [5000]
    assert shop.lots() == [(5000, 5000)]
    assert shop.at_rest()


@behaviour("R-CW-7")
def test_how_a_purchase_was_paid_is_on_record_in_its_parts(shop: Shop) -> None:
    shop.credit_there(2000)
    purchase = shop.buy()

    shop.stage.run()

    held = shop.purchase(purchase)
    assert (held["balance_minor"], held["card_minor"], held["external_minor"]) == (2000, 3000, 0)
    assert held["balance_minor"] + held["card_minor"] == held["net_minor"]
    assert shop.stage.invoice(held["invoice"])["paid_with"] == "balance and visa 4242"
    assert shop.entries(purchase) == [
        ("receivable", "deferred_revenue", 5000),
        ("customer_balance_provider", "receivable", 2000),
        ("clearing", "receivable", 3000),
    ]
    assert shop.at_rest()


def test_a_credit_that_a_downgrade_gave_is_seen_and_booked_once(shop: Shop) -> None:
    """What was paid for service and not had is owed to the customer, on the provider's own books."""
    shop.credit_there(2000)
    shop.stage.run()

    shop.stage.rest()

    assert shop.balance_here() == 2000
    sql = "select debit, amount from posting where tenant = %(tenant)s and entry like 'balance:%%'"
    assert shop.stage.rows(sql) == [{"debit": "deferred_revenue", "amount": 2000}]
    assert shop.at_rest()


@behaviour("R-CW-11")
@pytest.mark.parametrize(("had", "bought", "held"), [(500, 1000, 1500), (1000, 1000, 2000)])
def test_credits_add_up(shop: Shop, had: int, bought: int, held: int) -> None:
    shop.buy(had)
    shop.stage.run()
    shop.buy(bought)

    shop.stage.run()

    assert sum(amount for amount, _ in shop.lots()) == held
    assert shop.at_rest()


# --- methods ---


@behaviour("R-CW-10")
def test_the_default_pays_before_an_older_card(stage: Stage) -> None:
    shop = open_shop(stage, "pm_card_visa", "pm_card_mastercard")
    purchase = shop.buy()

    stage.run()

    assert stage.invoice(shop.purchase(purchase)["invoice"])["paid_with"] == "mastercard 4444"
    (used,) = stage.rows("select m.brand from method m join leg l on l.method = m.id where l.tenant = %(tenant)s")
    assert used["brand"] == "mastercard"
    assert shop.at_rest()


@behaviour("R-CW-10")
def test_without_a_default_the_first_saved_card_pays_and_becomes_it(stage: Stage) -> None:
    """The host application saved two cards at the provider and made none of them the default."""
    shop = open_shop(stage)
    for card in ("pm_card_visa", "pm_card_mastercard"):
        shop.save_there(card)
        stage.run()
    purchase = shop.buy()

    stage.run()

    assert stage.invoice(shop.purchase(purchase)["invoice"])["paid_with"] == "visa 4242"
    first = stage.rows("select provider_ref, is_default from method where tenant = %(tenant)s order by created_at")
    assert [each["is_default"] for each in first] == [True, False]
    assert shop.default_there() == first[0]["provider_ref"]
    assert shop.at_rest()


def test_a_purchase_may_name_its_card(stage: Stage) -> None:
    shop = open_shop(stage, "pm_card_visa", "pm_card_mastercard")
    sql = "select id from method where tenant = %(tenant)s and brand = 'visa'"
    purchase = shop.buy(method=stage.rows(sql)[0]["id"])

    stage.run()

    assert stage.invoice(shop.purchase(purchase)["invoice"])["paid_with"] == "visa 4242"


# --- refused before anything is asked of the provider ---


@behaviour("R-CW-28")
def test_a_customer_is_billed_in_one_currency_for_ever(stage: Stage) -> None:
    customer = stage.customer("pm_card_visa")
    with stage.database.transaction(stage.site.tenant) as tx:
        accounts.declare_unit(tx, ServiceUnit("credits", 2))
    shop = Shop(stage, customer, read(stage.desk.wallet(customer, unit="credits"))["id"])
    shop.buy()
    before = len(stage.site.provider.sandbox.requests)

    told = stage.desk.top_up(shop.customer, shop.wallet, PRICE, currency="EUR")

    assert (told.answer.status, read(told)["code"]) == (422, "currencies_differ")
    assert len(stage.site.provider.sandbox.requests) == before


@behaviour("R-CW-28")
def test_a_customer_is_made_once_at_the_provider_however_many_purchases_wait_for_it(stage: Stage) -> None:
    """Two purchases of a customer who is still being made, and whose first creation got lost on the way."""
    customer = read(stage.desk.customer("eve"))["id"]
    shop = Shop(stage, customer, read(stage.desk.wallet(customer))["id"])
    stage.trouble("timeout_after", "/v1/customers")
    stage.desk.method(customer, "pm_card_visa")
    stage.rest()
    shop.buy(1000)
    shop.buy(2000)

    stage.run()
    stage.rest()

    assert len(list(stage.site.provider.objects("/v1/customers"))) == 1
    assert shop.charged() == [1000, 2000]
    assert shop.at_rest()


def test_without_a_card_nothing_is_begun(stage: Stage) -> None:
    shop = open_shop(stage)

    told = stage.desk.top_up(shop.customer, shop.wallet, PRICE)

    assert (told.answer.status, read(told)["code"]) == (402, "no_payment_method")
    assert stage.requests("/v1/invoices") == []


@behaviour("R-CW-12")
def test_the_row_is_there_before_the_provider_is_asked_for_anything(shop: Shop) -> None:
    purchase = shop.buy(key="click-1")

    held = shop.purchase(purchase)
    assert (held["status"], held["net_minor"], held["currency"]) == ("pending", 5000, "USD")
    assert shop.stage.requests("/v1/invoices") == []
    (command,) = shop.stage.rows("select identity from inbox where tenant = %(tenant)s and kind = 'POST /v1/purchases'")
    assert command["identity"].endswith(":click-1")
    shop.stage.run()
    (invoice,) = shop.stage.rows("select provider_ref from invoice where tenant = %(tenant)s")
    assert invoice["provider_ref"] == shop.newest_there()
    (leg,) = shop.stage.rows("select provider_ref, charge_ref from leg where tenant = %(tenant)s")
    assert leg["provider_ref"].startswith("pi_")
    assert leg["charge_ref"].startswith("ch_")


# --- how it is answered ---


@pytest.mark.parametrize(
    ("card", "first", "status", "final"),
    [
        ("pm_card_visa", 202, "settled", 201),
        ("pm_card_chargeCustomerFail", 202, "failed", 402),
        ("pm_card_authenticationRequired", 202, "pending", 202),
    ],
)
def test_a_purchase_is_answered_like_any_command_about_money(
    stage: Stage, card: str, first: int, status: str, final: int
) -> None:
    """202 while it is under way, with a page where the customer can answer the bank; then the same answer for ever."""
    shop = open_shop(stage, card)

    told = stage.desk.top_up(shop.customer, shop.wallet, PRICE, key="click")
    assert told.answer.status == first
    stage.run()

    answer = stage.desk.look(told)
    assert (answer.answer.status, read(answer)["status"]) == (final, status)
    if final == 202:
        assert read(answer)["payment"]["next_action"]["url"].startswith("http")
        return
    again = stage.desk.top_up(shop.customer, shop.wallet, PRICE, key="click")
    assert (again.answer.status, again.answer.body) == (final, answer.answer.body)
    assert (read(answer)["failure"] is None) is (final == 201)
