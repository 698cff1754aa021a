"""Credits bought through the provider's own invoice: paid by its balance, by the card, by both, or not at all."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from behaviours import behaviour
from counterfoil.sandbox.wire import Request
from counterfoil.sim.desk import read
from counterfoil.store.database import Row
from scenarios.stage import Stage

PRICE = 5000


@dataclass(frozen=True, slots=True)
class Shop:
    """A customer who buys credits, and what is seen of it here and at the provider."""

    stage: Stage
    customer: str
    wallet: str

    def credit_there(self, minor: int) -> None:
        """Credit the customer at the provider, as a downgrade's proration does; below zero they owe."""
        path = f"/v1/customers/{self.stage.customer_ref(self.customer)}/balance_transactions"
        self.stage.site.provider.ask("POST", path, amount=-minor, currency="usd")

    def give_coupon(self, percent: int) -> None:
        """Give the customer a coupon for all that the provider bills them."""
        provider = self.stage.site.provider
        coupon = provider.ask("POST", "/v1/coupons", percent_off=percent, duration="forever")["id"]
        headers = {"Authorization": f"Bearer {provider.key}", "Stripe-Version": "2025-02-24.acacia"}
        path = f"/v1/customers/{self.stage.customer_ref(self.customer)}"
        answer = provider.sandbox.handle(Request("POST", path, headers, urlencode({"coupon": coupon}).encode()))
        assert answer.status == 200, answer.json()

    def buy(self, minor: int = PRICE, **more: Any) -> str:
        """Buy credits and give the purchase's id. Nothing is sent to the provider yet."""
        bought: str = read(self.stage.desk.top_up(self.customer, self.wallet, minor, **more))["id"]
        return bought

    def purchase(self, purchase: str) -> Row:
        """A purchase as it stands."""
        (row,) = self.stage.rows("select * from purchase where tenant = %(tenant)s and id = %(id)s", id=purchase)
        return row

    def lots(self) -> list[tuple[int, int]]:
        """The lots of the wallet: how many cents' worth, and what they cost."""
        sql = "select amount, cost_minor from grant_lot where tenant = %(tenant)s order by id"
        return [(int(row["amount"]) // 10_000, row["cost_minor"]) for row in self.stage.rows(sql)]

    def legs(self, purchase: str) -> list[tuple[str, int, str]]:
        """What paid a purchase."""
        sql = """
            select l.kind, l.amount_minor, l.status from purchase p
            join allocation a on a.tenant = p.tenant and a.invoice = p.invoice
            join leg l on l.tenant = a.tenant and l.id = a.leg
            where p.tenant = %(tenant)s and p.id = %(id)s order by l.position
        """
        return [(row["kind"], row["amount_minor"], row["status"]) for row in self.stage.rows(sql, id=purchase)]

    def balance_there(self) -> int:
        """The customer's credit at the provider."""
        ref = self.stage.customer_ref(self.customer)
        return -int(self.stage.site.provider.ask("GET", f"/v1/customers/{ref}")["balance"])

    def balance_here(self) -> int:
        """The customer's credit at the provider, by our books."""
        account = f"customer_balance_provider:{self.customer}"
        sql = """
            select coalesce(sum(case when credit = %(account)s then amount else -amount end), 0) as held from posting
            where tenant = %(tenant)s and %(account)s in (debit, credit)
        """
        return int(self.stage.rows(sql, account=account)[0]["held"])

    def invoices_there(self) -> list[str]:
        """The statuses of the provider's invoices, oldest first."""
        return [each["status"] for each in self.stage.site.provider.objects("/v1/invoices")][::-1]

    def at_rest(self) -> bool:
        """Let a day pass, in which nothing more happens, and say whether every invariant holds."""
        before = (self.stage.charged(), self.lots(), self.invoices_there())
        self.stage.site.pass_time(timedelta(hours=25))
        self.stage.rest()
        assert (self.stage.charged(), self.lots(), self.invoices_there()) == before
        assert self.balance_there() == self.balance_here()
        return self.stage.at_rest()

    def asked(self, path: str) -> int:
        """How often the provider was asked to do this to an invoice."""
        calls = [each for each in self.stage.requests("/v1/invoices") if each["method"] == "POST"]
        return sum(each["path"].endswith(path) for each in calls)


@pytest.fixture
def shop(stage: Stage) -> Shop:
    return open_shop(stage, "pm_card_visa")


def open_shop(stage: Stage, *cards: str) -> Shop:
    """A customer with saved cards and an empty wallet."""
    customer = stage.customer(*cards)
    return Shop(stage, customer, read(stage.desk.wallet(customer))["id"])


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
    assert shop.stage.charged() == []
    assert shop.balance_there() == shop.balance_here() == 1000
    assert shop.at_rest()


@behaviour("R-CW-3")
def test_a_balance_below_the_price_leaves_the_rest_to_the_card(shop: Shop) -> None:
    shop.credit_there(2000)
    purchase = shop.buy()

    shop.stage.run()

    assert shop.legs(purchase) == [("balance", 2000, "settled"), ("provider", 3000, "settled")]
    assert shop.lots() == [(5000, 5000)]
    assert shop.stage.charged() == [3000]
    assert shop.balance_there() == shop.balance_here() == 0
    assert shop.at_rest()


@behaviour("R-CW-4")
def test_without_a_balance_the_card_pays_all_of_it(shop: Shop) -> None:
    purchase = shop.buy()

    shop.stage.run()

    assert shop.legs(purchase) == [("provider", 5000, "settled")]
    assert shop.lots() == [(5000, 5000)]
    assert shop.stage.charged() == [5000]
    assert shop.at_rest()


@behaviour("R-CW-6")
def test_too_little_for_the_card_is_owed_on_the_balance(shop: Shop) -> None:
    """49.80 of 50 are on the balance: the provider charges nothing and notes that 0.20 are owed."""
    shop.credit_there(4980)
    purchase = shop.buy()

    shop.stage.run()

    assert shop.legs(purchase) == [("balance", 5000, "settled")]
    assert shop.lots() == [(5000, 5000)]
    assert shop.stage.charged() == []
    assert shop.balance_there() == -20
    assert shop.at_rest()


@behaviour("R-CW-6")
def test_what_the_customer_owed_before_is_collected_too_and_buys_nothing(shop: Shop) -> None:
    shop.credit_there(-500)
    purchase = shop.buy()

    shop.stage.run()

    assert shop.stage.charged() == [5500]
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
    assert shop.stage.charged() == charged
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
    assert shop.stage.charged() == []
    assert shop.at_rest()
