"""Who acts in a world: customers, the application's staff, its checkout page. They know only what they were told."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from counterfoil.core.books import Confirmation
from counterfoil.core.terms import Overdraft
from counterfoil.engine.commands import Result
from counterfoil.sim.chance import Choices
from counterfoil.sim.desk import Agreed, Desk, Terms, read
from counterfoil.store.database import CommitUnknown

CARDS: Final = (
    "pm_card_visa",
    "pm_card_mastercard",
    "pm_card_chargeCustomerFail",
    "pm_card_authenticationRequired",
    "pm_usBankAccount_success",
    "pm_usBankAccount_insufficientFunds",
    "pm_card_chargeDeclined",
)
AMOUNTS: Final = (10000, 7000, 2500, 199, 100)
OVERDRAFTS: Final = (Overdraft.REFUSE, Overdraft.REFUSE, Overdraft.DEBT, Overdraft.WRITE_OFF)
POOLS: Final = ("", "", "", "pro", "family")
"""Whose use some lots are kept for."""
PRICES: Final = (5000, 2000, 100)
"""What top-ups cost. The provider charges nothing below 0.50, which a balance can leave of the smallest."""
BALANCES: Final = (2000, 6000, 80, -500)
"""What the provider credits, or, below zero, notes as owed."""
LIVES: Final = (timedelta(minutes=10), timedelta(hours=6))
"""How long some lots live, so that they end while payments reserve them, and after."""
AGREED: Final = (
    Agreed(),
    Agreed(below=5, target=25),
    Agreed(below=40, step=20, month_max=5000),
    Agreed(every_s=3 * 3600),
)
"""Terms of wallets that fill themselves: a threshold, a target, a cap that is soon reached, an interval."""
FLAWS: Final = ("", "", "", "amount", "customer")
"""What is wrong with a payment that the host application makes: mostly nothing."""

Command = Callable[[], Result]


class KeyBroken(AssertionError):
    """The same key and body were answered with something else than the first final answer."""


@dataclass(slots=True)
class Bill:
    """An invoice as the application knows it."""

    id: str
    customer: str
    minor: int


@dataclass(slots=True)
class People:
    """The actors of one world and what they remember."""

    desk: Desk
    choices: Choices
    customers: list[str] = field(default_factory=list)
    wallets: list[tuple[str, str]] = field(default_factory=list)
    lots: list[str] = field(default_factory=list)
    bills: list[Bill] = field(default_factory=list)
    payments: list[str] = field(default_factory=list)
    in_browser: list[str] = field(default_factory=list)
    purchases: list[str] = field(default_factory=list)
    by_interval: set[str] = field(default_factory=set)
    made_by_host: list[tuple[str, str]] = field(default_factory=list)
    """Payments of the host application: the provider's id and the invoice they are for."""
    sent: list[tuple[str, Command]] = field(default_factory=list)
    finals: dict[str, str] = field(default_factory=dict)
    replays: int = 0

    def acts(self) -> list[tuple[int, Callable[[], str]]]:
        """Give what may be done now, with its weight."""
        acts: list[tuple[int, Callable[[], str]]] = [(1, self.arrive)]
        if self.customers:
            acts += [(2, self.bring_card), (3, self.buy_credits), (4, self.bill)]
        if self.wallets:
            acts += [(5, self.top_up), (2, self.credit_there), (2, self.agree), (1, self.withdraw)]
        if self.purchases:
            acts += [(1, self.give_up), (2, self.pay_on_its_page)]
        if self.bills:
            acts += [(10, self.pay), (2, self.pay_together), (2, self.void), (3, self.pay_at_host)]
        if self.payments:
            acts += [(2, self.cancel), (4, self.answer_bank)]
        if self.made_by_host:
            acts.append((5, self.claim))
        if self.lots:
            acts.append((1, self.void_lot))
        if self.sent:
            acts.append((4, self.click_again))
        return acts

    # --- commands ---

    def arrive(self) -> str:
        """A new customer, with a card."""
        number = len(self.customers) + len(self.sent)
        told = self.send("customer", lambda key: self.desk.customer(f"c{number}", key), self._meet)
        return f"customer: {told}"

    def _meet(self, body: dict[str, Any]) -> None:
        if body["id"] not in self.customers:
            self.customers.append(body["id"])
            self.desk.method(body["id"], self.choices.pick(CARDS), f"card-{body['id']}")

    def bring_card(self) -> str:
        """Another way to pay."""
        customer, token = self.choices.pick(self.customers), self.choices.pick(CARDS)
        return f"card {token}: {self.send('card', lambda key: self.desk.method(customer, token, key))}"

    def buy_credits(self) -> str:
        """A wallet, or more in it."""
        customer = self.choices.pick(self.customers)
        mine = [wallet for owner, wallet in self.wallets if owner == customer]
        if not mine:

            def keep(body: dict[str, Any]) -> None:
                self.wallets.append((customer, body["id"]))

            overdraft, overflow = self.choices.pick(OVERDRAFTS), self.choices.chance(70)
            told = self.send("wallet", lambda key: self.desk.wallet(customer, key, overdraft, overflow), keep)
            return f"wallet {overdraft}: {told}"
        cents, cost = self.choices.pick((3000, 1000, 20000)), self.choices.pick((None, 0))
        lives = self.choices.pick((None, None, *LIVES))
        ends = self.desk.site.clock.now() + lives if lives else None
        pool = self.choices.pick(POOLS)
        told = self.send(
            "grant", lambda key: self.desk.grant(customer, mine[0], cents, key, cost, ends, pool), self._keep_lot
        )
        return f"grant {cents} {pool}: {told}"

    def _keep_lot(self, body: dict[str, Any]) -> None:
        self.lots.append(body["id"])

    def agree(self) -> str:
        """A wallet is to fill itself, or on other terms."""
        (_, wallet), agreed = self.choices.pick(self.wallets), self.choices.pick(AGREED)
        if agreed.every_s:
            self.by_interval.add(wallet)
        return f"auto top-up: {self.send('agree', lambda key: self.desk.auto_topup(wallet, agreed, key))}"

    def withdraw(self) -> str:
        """A wallet is not to fill itself any more."""
        _, wallet = self.choices.pick(self.wallets)
        return f"no auto top-up: {self.send('withdraw', lambda key: self.desk.stop_auto_topup(wallet, key))}"

    def end_intervals(self) -> str:
        """Switch off what buys for ever, whatever is left: a world that is to rest must be able to."""
        ended = [self.desk.stop_auto_topup(wallet, f"rest-{wallet}") for wallet in sorted(self.by_interval)]
        return f"{len(ended)} intervals end"

    def void_lot(self) -> str:
        """Take a lot back, whatever is left of it."""
        grant = self.choices.pick(self.lots)
        return f"void lot: {self.send('void-lot', lambda key: self.desk.void_grant(grant, key))}"

    def top_up(self) -> str:
        """Credits, by an invoice of the provider's own."""
        customer, wallet = self.choices.pick(self.wallets)
        minor = self.choices.pick(PRICES)

        def keep(body: dict[str, Any]) -> None:
            self.purchases.append(body["id"])

        told = self.send("top-up", lambda key: self.desk.top_up(customer, wallet, minor, key), keep)
        return f"top up {minor}: {told}"

    def give_up(self) -> str:
        """Give a purchase up, wherever it stands."""
        purchase = self.choices.pick(self.purchases)
        return f"give up: {self.send('give-up', lambda key: self.desk.cancel_purchase(purchase, key))}"

    def bill(self) -> str:
        """An invoice, drafted and finalized."""
        customer, minor = self.choices.pick(self.customers), self.choices.pick(AMOUNTS)
        drafted: list[str] = []
        told = self.send(
            "draft", lambda key: self.desk.draft(customer, minor, key), lambda body: drafted.append(body["id"])
        )
        if drafted:
            self.bills.append(Bill(drafted[0], customer, minor))
            told = self.send("finalize", lambda key: self.desk.finalize(drafted[0], key))
        return f"bill {minor}: {told}"

    def pay(self) -> str:
        """Pay an invoice, whatever its state."""
        bill = self.choices.pick(self.bills)
        confirm = self.choices.pick((Confirmation.SERVER, Confirmation.SERVER, Confirmation.CLIENT))
        terms = Terms(use_credits=not self.choices.chance(20), confirm=confirm)
        told = self.send("pay", lambda key: self.desk.pay(bill.id, key=key, terms=terms), self._remember)
        return f"pay {confirm}: {told}"

    def pay_together(self) -> str:
        """Pay two invoices of one customer at once."""
        first = self.choices.pick(self.bills)
        others = [each for each in self.bills if each.customer == first.customer and each.id != first.id]
        if not others:
            return "pay together: one bill only"
        second = self.choices.pick(others)
        told = self.send("pay", lambda key: self.desk.pay(first.id, second.id, key=key), self._remember)
        return f"pay together: {told}"

    def void(self) -> str:
        """Take an invoice back."""
        bill = self.choices.pick(self.bills)
        return f"void: {self.send('void', lambda key: self.desk.void(bill.id, key))}"

    def cancel(self) -> str:
        """Give a payment up."""
        payment = self.choices.pick(self.payments)
        return f"cancel: {self.send('cancel', lambda key: self.desk.cancel(payment, key))}"

    def claim(self) -> str:
        """Tell us of a payment that the host application made."""
        ref, invoice = self.choices.pick(self.made_by_host)
        terms = Terms(provider_ref=ref)
        told = self.send("claim", lambda key: self.desk.pay(invoice, key=key, terms=terms), self._remember)
        return f"claim {ref}: {told}"

    def click_again(self) -> str:
        """Send the same command with the same key once more."""
        key, command = self.choices.pick(self.sent)
        self.replays += 1
        return f"again {key}: {self._try(key, command, lambda body: None)}"

    # --- at the provider ---

    def pay_at_host(self) -> str:
        """The host application collects an invoice by a payment of its own, and may tell us later."""
        bill, flaw = self.choices.pick(self.bills), self.choices.pick(FLAWS)
        customers = list(self.desk.site.provider.objects("/v1/customers"))
        if not customers:
            return "host pays: no customer at the provider"
        own = self._ref_of(bill.customer)
        others = [each["id"] for each in customers if each["id"] != own]
        whose = self.choices.pick(others) if flaw == "customer" and others else own
        amount = bill.minor + (500 if flaw == "amount" else 0)
        form = {"customer": whose} if whose else {}
        made = self.desk.site.provider.ask("POST", "/v1/payment_intents", amount=amount, currency="usd", **form)
        if "error" in made:
            return f"host pays: {made['error'].get('code')}"
        self.made_by_host.append((made["id"], bill.id))
        self.in_browser.append(made["id"])
        told = self._confirm(made["id"], "pm_card_visa") if self.choices.chance(50) else "made"
        return f"host pays {amount} {flaw}: {made['id']} {told}"

    def credit_there(self) -> str:
        """The provider credits a customer, as for a downgrade, or notes that they owe."""
        customer, _ = self.choices.pick(self.wallets)
        minor, ref = self.choices.pick(BALANCES), self._ref_of(customer)
        if ref is None:
            return "balance: no customer at the provider"
        path = f"/v1/customers/{ref}/balance_transactions"
        answer = self.desk.site.provider.ask("POST", path, amount=-minor, currency="usd")
        return f"balance {minor}: {answer.get('id') or answer['error'].get('code')}"

    def pay_on_its_page(self) -> str:
        """A customer pays an open invoice of the provider's on the provider's own page."""
        opened = [each for each in self.desk.site.provider.objects("/v1/invoices") if each["status"] == "open"]
        if not opened:
            return "page: no open invoice"
        invoice = self.choices.pick(opened)
        held = self.desk.site.provider.ask("GET", f"/v1/customers/{invoice['customer']}/payment_methods")["data"]
        if not held:
            return "page: no card"
        card = self.choices.pick(held)["id"]
        answer = self.desk.site.provider.ask("POST", f"/v1/invoices/{invoice['id']}/pay", payment_method=card)
        return f"page {invoice['id']}: {answer.get('status') or answer['error'].get('code')}"

    def answer_bank(self) -> str:
        """The customer confirms in the browser, or answers the bank's question."""
        waiting = [
            each
            for each in self.desk.site.provider.objects("/v1/payment_intents")
            if each["status"] == "requires_action"
            or (each["status"] == "requires_payment_method" and self._is_for_browser(each))
        ]
        if not waiting:
            return "browser: nothing waits"
        intent = self.choices.pick(waiting)
        if intent["status"] == "requires_action":
            outcome = self.choices.pick(("succeed", "fail"))
            self.desk.site.provider.control(
                "POST", f"payment_intents/{intent['id']}/authenticate", {"outcome": outcome}
            )
            return f"bank {outcome}: {intent['id']}"
        card = self.choices.pick(("pm_card_visa", "pm_card_chargeCustomerFail", "pm_card_authenticationRequired"))
        return f"browser {card}: {self._confirm(intent['id'], card)}"

    def _confirm(self, intent: str, card: str) -> str:
        form = {"payment_method": card, "return_url": "https://host.test/back"}
        answer = self.desk.site.provider.ask("POST", f"/v1/payment_intents/{intent}/confirm", **form)
        return str(answer.get("status") or answer["error"].get("code"))

    def _is_for_browser(self, intent: dict[str, Any]) -> bool:
        return intent["id"] in self.in_browser or not intent["payment_method"]

    def _ref_of(self, customer: str) -> str | None:
        mark = {"counterfoil_customer": customer}
        found = (each for each in self.desk.site.provider.objects("/v1/customers") if each["metadata"] == mark)
        ref = next(found, None)
        return ref["id"] if ref else None

    # --- sending ---

    def send(
        self,
        name: str,
        command: Callable[[str], Result],
        then: Callable[[dict[str, Any]], object] = lambda body: None,
    ) -> str:
        """Send a command under a fresh key, and give how it was answered."""
        key = f"{name}-{len(self.sent)}"
        self.sent.append((key, lambda: command(key)))
        return self._try(key, self.sent[-1][1], then)

    def _try(self, key: str, command: Command, then: Callable[[dict[str, Any]], object]) -> str:
        """Send a command. When the answer is lost the same is sent again, as a careful client does."""
        for _ in range(10):
            try:
                result = command()
            except CommitUnknown:
                continue
            self._compare(key, result)
            if result.answer.status < 300:
                then(read(result))
            return f"{result.answer.status}{' replayed' if result.replayed else ''}"
        return "no answer"

    def _compare(self, key: str, result: Result) -> None:
        if not result.final:
            return
        first = self.finals.setdefault(key, result.answer.body)
        if first != result.answer.body:
            raise KeyBroken(f"I24: {key} was answered {first} and then {result.answer.body}")

    def _remember(self, body: dict[str, Any]) -> None:
        if body["id"] not in self.payments:
            self.payments.append(body["id"])
