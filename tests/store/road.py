"""The road in small: commands and facts decided by the rules of core and written by the engine, on a real database."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any

import psycopg

from core.factories import ACCOUNT, CUSTOMER, CUSTOMER_REF, METHOD, NOW, ONE, Counting
from counterfoil.core import buying, customers, invoicing, launch, settlement, strangers, wallets
from counterfoil.core.books import Books, Customer, GrantSource, Invoice, Leg, LegKind, LineKind, Method
from counterfoil.core.bought import Settlement
from counterfoil.core.buying import Buy, Limits
from counterfoil.core.effects import Act, Change, Decision, Reason, Why, effects_of
from counterfoil.core.facts import IntentFact, Source
from counterfoil.core.ids import InvoiceId, PaymentId, ProviderRef, WalletId, typeid
from counterfoil.core.launch import Launch
from counterfoil.core.lifecycle import InvoiceStatus, PaymentStatus
from counterfoil.core.money import USD_CREDIT, Money
from counterfoil.core.papers import PaperKind
from counterfoil.engine.apply import apply
from counterfoil.engine.load import Scope, load_books
from counterfoil.store import inbox, numbers
from counterfoil.store.audit import Report, audit
from counterfoil.store.database import Database
from counterfoil.store.inbox import News

TENANT = typeid("tnt", 1)
OTHER = typeid("tnt", 2)


def open_tenant(dsn: str, tenant: str = TENANT, name: str = "acme") -> None:
    """Create a tenant with a provider account and the pegged unit, as the owner of the schema."""
    with psycopg.connect(dsn) as connection:
        connection.execute(
            "insert into tenant (id, name, mode, created_at) values (%s, %s, 'test', %s)", (tenant, name, NOW)
        )
        connection.execute(
            "insert into provider_account (tenant, id, provider, livemode, mode, secret_box, created_at) "
            "values (%s, %s, 'stripe', false, 'live', '', %s)",
            (tenant, ACCOUNT, NOW),
        )
        connection.execute(
            "insert into service_unit (tenant, code, scale, face_minor, face_currency) values (%s, %s, %s, %s, %s)",
            (tenant, USD_CREDIT.code, USD_CREDIT.scale, USD_CREDIT.face_minor, USD_CREDIT.face_currency),
        )


Rule = Callable[[Books], Decision]


@dataclass(slots=True)
class Road:
    """Decides and writes, one transaction each, for one customer of one tenant."""

    database: Database
    tenant: str = TENANT
    new_id: Counting = field(default_factory=Counting)
    now: datetime = NOW
    _news: "count[int]" = field(default_factory=count)

    def decide(self, rule: Rule, scope: Scope | None = None) -> Decision:
        """Run a rule over dana's books and write what it says."""
        with self.database.transaction(self.tenant) as tx:
            identity = f"test:{next(self._news)}"
            news = News(self.new_id("inbox"), Source.API, "test", identity, self.now, self.now)
            inbox.put(tx, news)
            books = load_books(tx, CUSTOMER, scope or Scope())
            decision = rule(books or Books(Customer(CUSTOMER, ACCOUNT, self.now)))
            apply(tx, news.id, decision, CUSTOMER, self.now, self.new_id)
        return decision

    def open_customer(self) -> None:
        """Dana, with a saved card."""
        dana = Customer(CUSTOMER, ACCOUNT, self.now, "dana", CUSTOMER_REF)
        self.decide(lambda _: customers.decide_create_customer(dana, self.now, self.new_id))
        card = Method(
            METHOD, CUSTOMER, ACCOUNT, ProviderRef("pm_card1"), "card", self.now, "visa", "4242", is_default=True
        )
        self.decide(lambda _: Act(Why("test@1", Reason.METHOD_SAVED, "A card."), (Change(None, card),)))

    def fund(self, whole: int, cost_minor: int = 0) -> WalletId:
        """A wallet with one lot."""
        opened = self.decide(lambda books: wallets.decide_open_wallet(books, USD_CREDIT, self.now, self.new_id))
        assert isinstance(opened, Act)
        change = opened.effects[0]
        assert isinstance(change, Change)
        wallet = WalletId(change.after.id)
        source = GrantSource.PURCHASE if cost_minor else GrantSource.PROMOTIONAL
        issue = wallets.Issue(wallet, source, whole * ONE, cost_minor, None, self.now)
        self.decide(lambda books: wallets.decide_grant(books, issue, self.now, self.new_id))
        return wallet

    def buy(self, wallet: WalletId, number: str, **order: Any) -> Decision:
        """Credits for 20 dollars."""
        given: dict[str, Any] = {"settlement": Settlement.INVOICE, "quantity": 20 * ONE, "net": Money(2_000, "USD")}
        wanted = Buy(wallet, **(given | order))
        is_billed = wanted.settlement is Settlement.INVOICE and wanted.invoice_at is None
        taken = self._take(number) if is_billed else number
        return self.decide(lambda books: buying.decide_purchase(books, wanted, Limits(), taken, self.now, self.new_id))

    def bill(self, minor: int, number: str = "INV-000001") -> InvoiceId:
        """An open invoice of one line."""
        identity = InvoiceId(self.new_id("invoice"))
        draft = Invoice(identity, CUSTOMER, ACCOUNT, "USD", InvoiceStatus.DRAFT, PaymentStatus.PENDING, self.now)
        lines = (invoicing.NewLine(LineKind.GOODS, "Seats", minor),)
        self.decide(lambda books: invoicing.decide_draft(books, draft, lines, self.new_id))
        scope = Scope(invoices=(identity,))
        taken = self._take(number)
        self.decide(lambda books: invoicing.decide_finalize(books, identity, taken, self.now), scope)
        return identity

    def _take(self, number: str) -> str:
        """Take the next number of the series, which is to be this one."""
        with self.database.transaction(self.tenant) as tx:
            assert numbers.take(tx, PaperKind.INVOICE) == number
        return number

    def pay(self, invoice: InvoiceId) -> Decision:
        """Launch the payment of an invoice."""
        wanted = Launch((invoice,))
        return self.decide(
            lambda books: launch.decide_launch(books, wanted, self.now, self.new_id), Scope(invoices=(invoice,))
        )

    def hear(self, fact: IntentFact, payment: PaymentId) -> Decision:
        """Decide a fact about a payment."""
        fees = (fact.charge_fee.ref,) if fact.charge_fee else ()
        scope = Scope(payments=(payment,), refs=(fact.ref,), fees=fees)
        return self.decide(lambda books: settlement.decide_intent(books, fact, self.now, self.new_id), scope)

    def cancel(self, payment: PaymentId) -> Decision:
        """Give a payment up."""
        return self.decide(
            lambda books: invoicing.decide_cancel(books, payment, self.now, self.new_id), Scope(payments=(payment,))
        )

    def void(self, invoice: InvoiceId) -> Decision:
        """Take an invoice back."""
        return self.decide(
            lambda books: invoicing.decide_void(books, invoice, self.now, self.new_id), Scope(invoices=(invoice,))
        )

    def meet(self, fact: IntentFact) -> Decision:
        """Decide a fact about a payment that is none of ours."""
        return self.decide(
            lambda _: strangers.decide_stranger(ACCOUNT, fact, strangers.Held(), self.now, self.now, self.new_id)
        )

    def put_only(self, identity: str) -> str:
        """Store news that nobody decides."""
        news = News(self.new_id("inbox"), Source.API, "test", identity, self.now, self.now)
        with self.database.transaction(self.tenant) as tx:
            return inbox.put(tx, news)[0]

    def audit(self) -> Report:
        with self.database.snapshot(self.tenant) as tx:
            return audit(tx)


def launched_payment(launched: Decision) -> PaymentId:
    """The payment that a launch made."""
    return PaymentId(next(each for each in _made(launched) if each.startswith("pmt_")))


def launched_leg(launched: Decision) -> str:
    """The provider leg that a launch made."""
    changes = [each.after for each in effects_of(launched) if isinstance(each, Change)]
    return next(each.id for each in changes if isinstance(each, Leg) and each.kind is LegKind.PROVIDER)


def _made(decision: Decision) -> list[str]:
    return [each.after.id for each in effects_of(decision) if isinstance(each, Change)]
