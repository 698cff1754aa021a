"""A customer who buys credits through the provider's own invoice, and what is seen of it here and there."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from counterfoil.sandbox.wire import Request
from counterfoil.sim.crew import Flow
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
        sql = "select amount, cost_minor from grant_lot where tenant = %(tenant)s and wallet = %(wallet)s order by id"
        rows = self.stage.rows(sql, wallet=self.wallet)
        return [(int(row["amount"]) // 10_000, row["cost_minor"]) for row in rows]

    def charged(self) -> list[int]:
        """What the provider took of the customer."""
        ref = self.stage.customer_ref(self.customer)
        return [each["amount"] for each in self.stage.site.provider.charges() if each["customer"] == ref][::-1]

    def newest_there(self) -> str:
        """The provider's id of its newest invoice."""
        return str(next(self.stage.site.provider.objects("/v1/invoices"))["id"])

    def until(self, verb: str, phase: str = "send") -> Flow:
        """Work until an order of this kind stands before a phase, and give its flow."""
        for _ in range(60):
            self.stage.worker.claim()
            for flow in list(self.stage.worker.flows):
                while flow in self.stage.worker.flows and not _is_before(flow, verb, phase):
                    self.stage.worker.step(flow)
                if flow in self.stage.worker.flows:
                    return flow
        raise AssertionError(f"no {verb} came to {phase}")

    def die_after(self, steps: int) -> bool:
        """Take so many steps and die as by kill -9. Says whether there was anything left to cut."""
        worker = self.stage.worker
        for _ in range(steps):
            if not worker.flows:
                worker.claim()
            if not worker.flows:
                return False
            worker.step(worker.flows[0])
        worker.claim()
        return bool(worker.crash())

    def recover(self) -> None:
        """Another worker takes over once the leases ran out. Nothing of what the provider sends arrives."""
        for _ in range(4):
            self.stage.site.pass_time(timedelta(minutes=2))
            self.stage.work()
            self.stage.lose_post()

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
        """The statuses of the customer's invoices at the provider, oldest first."""
        ref = self.stage.customer_ref(self.customer)
        found = (each for each in self.stage.site.provider.objects("/v1/invoices") if each["customer"] == ref)
        return [each["status"] for each in found][::-1]

    def orders(self, purchase: str) -> list[str]:
        """What was asked of the provider for a purchase, and what became of it."""
        sql = """
            select o.instruction ->> 'is' as verb, o.status from provider_order o
            join purchase p on p.tenant = o.tenant and p.invoice = o.subject
            where o.tenant = %(tenant)s and p.id = %(id)s order by o.queued_at, o.id
        """
        return [f"{row['verb']} {row['status']}" for row in self.stage.rows(sql, id=purchase)]

    def order_ids(self, purchase: str) -> list[str]:
        """The ids of a purchase's orders, in the order in which they were made."""
        sql = """
            select o.id from provider_order o join purchase p on p.tenant = o.tenant and p.invoice = o.subject
            where o.tenant = %(tenant)s and p.id = %(id)s order by o.queued_at, o.id
        """
        return [row["id"] for row in self.stage.rows(sql, id=purchase)]

    def entries(self, purchase: str) -> list[tuple[str, str, int]]:
        """The money entries of a purchase's invoice and legs, fees apart, without whose accounts they are."""
        sql = """
            select split_part(debit, ':', 1) as debit, split_part(credit, ':', 1) as credit, amount from posting
            where tenant = %(tenant)s and unit ~ '^[A-Z]' and entry not like 'fee:%%' and entry not like 'balance:%%'
                and subject in (
                    select invoice from purchase where tenant = %(tenant)s and id = %(id)s
                    union all
                    select a.leg from allocation a join purchase p on p.tenant = a.tenant and p.invoice = a.invoice
                    where p.tenant = %(tenant)s and p.id = %(id)s
                )
            order by position
        """
        return [(row["debit"], row["credit"], row["amount"]) for row in self.stage.rows(sql, id=purchase)]

    def card_there(self) -> str:
        """The provider's id of the newest saved card."""
        sql = """
            select provider_ref from method where tenant = %(tenant)s and customer = %(id)s order by created_at desc
        """
        return str(self.stage.rows(sql, id=self.customer)[0]["provider_ref"])

    def save_there(self, card: str) -> None:
        """The host application saves a card at the provider."""
        ref = self.stage.customer_ref(self.customer)
        self.stage.site.provider.ask("POST", f"/v1/payment_methods/{card}/attach", customer=ref)
        self.stage.site.pass_time(timedelta(seconds=1))

    def default_there(self) -> str | None:
        """The card that the provider charges unless another is named."""
        ref = self.stage.customer_ref(self.customer)
        found = self.stage.site.provider.ask("GET", f"/v1/customers/{ref}")["invoice_settings"]
        return found["default_payment_method"]  # type: ignore[no-any-return]

    def at_rest(self) -> bool:
        """Let a day pass, in which nothing more happens, and say whether every invariant holds."""
        before = (self.charged(), self.lots(), self.invoices_there())
        self.stage.site.pass_time(timedelta(hours=25))
        self.stage.rest()
        assert (self.charged(), self.lots(), self.invoices_there()) == before
        assert self.balance_there() == self.balance_here()
        return self.stage.at_rest()

    def asked(self, path: str) -> int:
        """How often the provider was asked to do this to an invoice."""
        calls = [each for each in self.stage.requests("/v1/invoices") if each["method"] == "POST"]
        return sum(each["path"].endswith(path) for each in calls)


def _is_before(flow: Flow, verb: str, phase: str) -> bool:
    order = getattr(flow.phase, "order", None)
    return flow.name == f"order.{phase}" and order is not None and type(order.instruction).__name__ == verb


def open_shop(stage: Stage, *cards: str) -> Shop:
    """A customer with saved cards and an empty wallet."""
    customer = stage.customer(*cards)
    return Shop(stage, customer, read(stage.desk.wallet(customer))["id"])
