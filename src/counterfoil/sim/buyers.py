"""Who buys credits: by invoices of ours, now and later; by others who tell us late and in any order; who regrets it."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final

from counterfoil.core.books import Confirmation
from counterfoil.core.bought import GrantTiming, Settlement
from counterfoil.core.lifecycle import PurchaseStatus
from counterfoil.sim.chance import Choices
from counterfoil.sim.desk import Order
from counterfoil.sim.people import Bill, People

SIZES: Final = (("20", 2000), ("5", 500), ("200", 15000))
"""How many credits, and for how many cents."""
DATES: Final = (timedelta(minutes=5), timedelta(hours=2), timedelta(days=2))
STEPS: Final = (PurchaseStatus.AUTHORIZED, PurchaseStatus.SETTLED, PurchaseStatus.SETTLED)
EARLY: Final = (GrantTiming.AFTER_PAID, GrantTiming.AFTER_PAID, GrantTiming.AT_PURCHASE)


@dataclass(slots=True)
class Buyers:
    """The application's shop, and the purchases that it knows of."""

    people: People
    choices: Choices
    bought: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)

    def acts(self) -> list[tuple[int, Callable[[], str]]]:
        """Give what may be done now, with its weight."""
        if not self.people.wallets:
            return []
        acts: list[tuple[int, Callable[[], str]]] = [(4, self.buy), (2, self.buy_elsewhere), (2, self.buy_later)]
        acts.append((1, self.bill_later))
        if self.elsewhere:
            acts.append((4, self.step))
        if self.bought:
            acts += [(2, self.cancel), (3, self.void)]
        return acts

    def buy(self) -> str:
        """Credits by an invoice of ours, sometimes given before they are paid, sometimes confirmed in the browser."""
        confirm = self.choices.pick((Confirmation.SERVER, Confirmation.SERVER, Confirmation.CLIENT))
        return self._buy(replace(self._order(), timing=self.choices.pick(EARLY), confirm=confirm))

    def buy_later(self) -> str:
        """Credits that are billed on a day to come."""
        at = self.people.desk.site.clock.now() + self.choices.pick(DATES)
        return self._buy(replace(self._order(), timing=self.choices.pick(EARLY), invoice_at=at))

    def buy_elsewhere(self) -> str:
        """Credits that somebody else collects, or nobody."""
        settlement = self.choices.pick((Settlement.EXTERNAL, Settlement.EXTERNAL, Settlement.PROMOTIONAL))
        order = replace(self._order(), settlement=settlement)
        if settlement is Settlement.PROMOTIONAL:
            return self._buy(replace(order, cents=0))
        begins = self.choices.pick((PurchaseStatus.PENDING, PurchaseStatus.PENDING, *STEPS))
        return self._buy(replace(order, begins=begins, timing=self.choices.pick(EARLY)), self.elsewhere)

    def _order(self) -> Order:
        customer, wallet = self.choices.pick(self.people.wallets)
        credits, cents = self.choices.pick(SIZES)
        return Order(customer, wallet, credits, cents)

    def _buy(self, order: Order, among: list[str] | None = None) -> str:
        def keep(body: dict[str, Any]) -> None:
            for known in (self.bought, among):
                if known is not None and body["id"] not in known:
                    known.append(body["id"])
            if body.get("invoice"):
                self.people.bills.append(Bill(body["invoice"], order.customer, order.cents))
            if body.get("payment"):
                self.people.payments.append(body["payment"]["id"])

        told = self.people.send("buy", lambda key: self.people.desk.buy(order, key), keep)
        return f"buy {order.credits} {order.settlement} {order.timing}: {told}"

    def bill_later(self) -> str:
        """A flat fee that is billed together with what is due then."""
        customer, _ = self.choices.pick(self.people.wallets)
        at = self.people.desk.site.clock.now() + self.choices.pick(DATES)
        told = self.people.send("later", lambda key: self.people.desk.bill_later(customer, 700, at, key=key))
        return f"bill later: {told}"

    def step(self) -> str:
        """Whoever collects tells us of a step, in any order, and again."""
        purchase, to = self.choices.pick(self.elsewhere), self.choices.pick(STEPS)
        told = self.people.send("step", lambda key: self.people.desk.step_purchase(purchase, to, key))
        return f"{to} {purchase}: {told}"

    def cancel(self) -> str:
        """Give a purchase up, however far it is."""
        purchase = self.choices.pick(self.bought)
        told = self.people.send("regret", lambda key: self.people.desk.cancel_purchase(purchase, key))
        return f"cancel {purchase}: {told}"

    def void(self) -> str:
        """Take the credits of a purchase back, however far it is."""
        purchase = self.choices.pick(self.bought)
        told = self.people.send("take-back", lambda key: self.people.desk.void_purchase(purchase, key))
        return f"void {purchase}: {told}"
