"""The application at the door: commands with their keys, as whoever uses Counterfoil sends them."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from counterfoil.core.agreed import Consent, Step, Trigger
from counterfoil.core.agreed import Terms as AutoTerms
from counterfoil.core.books import Confirmation, GrantSource, LineKind
from counterfoil.core.bought import Collector, GrantTiming, Settlement
from counterfoil.core.external import ExternalPayment
from counterfoil.core.ids import InvoiceId, LegId, MethodId, ProviderRef, WalletId
from counterfoil.core.invoicing import NewLine
from counterfoil.core.launch import Launch
from counterfoil.core.lifecycle import PurchaseStatus, WalletStatus
from counterfoil.core.money import USD_CREDIT, Money, ServiceUnit, plain
from counterfoil.core.refunded import Destination
from counterfoil.core.refunding import Part
from counterfoil.core.terms import Overdraft
from counterfoil.core.wallets import Issue
from counterfoil.core.wallets import Terms as WalletTerms
from counterfoil.engine import auto_topups, collecting, commands, corrections, operations, purchases, refunds
from counterfoil.engine.commands import Request, Result
from counterfoil.engine.operations import Asked
from counterfoil.sim.site import Site

CALLER = "key_simulated"


@dataclass(frozen=True, slots=True)
class Terms:
    """How a payment is asked for, beside its invoices."""

    method: str | None = None
    use_credits: bool = True
    confirm: Confirmation = Confirmation.SERVER
    provider_ref: str | None = None
    use_balance: bool | None = None
    return_url: str | None = None


CARD_ON_FILE = Terms()


@dataclass(frozen=True, slots=True)
class Order:
    """Credits as they are bought: worth one dollar each, for as many cents unless told otherwise."""

    customer: str
    wallet: str
    credits: str = "20"
    cents: int = 2000
    settlement: Settlement = Settlement.INVOICE
    begins: PurchaseStatus = PurchaseStatus.PENDING
    timing: GrantTiming = GrantTiming.AFTER_PAID
    invoice_at: datetime | None = None
    confirm: Confirmation = Confirmation.SERVER
    about: str = ""
    external_id: str | None = None


@dataclass(frozen=True, slots=True)
class Agreed:
    """What an auto top-up is agreed to: whole credits, and cents for each attempt and month."""

    below: int | None = 10
    step: int = 10
    target: int | None = None
    every_s: int | None = None
    attempt_max: int = 5000
    month_max: int = 20000
    method: str | None = None

    def terms(self, unit: ServiceUnit, now: datetime) -> AutoTerms:
        """Give it in the wallet's unit, at its face value."""
        kind = Trigger.INTERVAL if self.every_s else Trigger.TARGET if self.target else Trigger.THRESHOLD
        return AutoTerms(
            trigger=kind,
            step=Step(quantity=self.step * unit.one, price_minor=self.step * 100),
            currency="USD",
            attempt_max_minor=self.attempt_max,
            month_max_minor=self.month_max,
            consent=Consent("user-1", now, "2026-01"),
            below=None if self.every_s or self.below is None else self.below * unit.one,
            target=self.target * unit.one if self.target else None,
            every_s=self.every_s,
            method=MethodId(self.method) if self.method else None,
        )


def read(result: Result) -> dict[str, Any]:
    """Read the body of an answer."""
    body: dict[str, Any] = json.loads(result.answer.body)
    return body


@dataclass(frozen=True, slots=True)
class Desk:
    """Sends commands. A `key` of None makes a command its own; the same key and body replay it."""

    site: Site

    def customer(self, name: str, key: str | None = None) -> Result:
        """Create a customer."""
        wanted = operations.NewCustomer(name=name, email=f"{name}@example.com")
        return operations.create_customer(self._asked("POST /v1/customers", key, name), wanted)

    def method(self, customer: str, token: str, key: str | None = None, *, default: bool = True) -> Result:
        """Ask for a payment method to be saved."""
        asked = self._asked("POST /v1/payment-methods", key, customer, token, default)
        return operations.add_method(asked, customer, token, make_default=default)

    def wallet(
        self,
        customer: str,
        key: str | None = None,
        overdraft: Overdraft = Overdraft.REFUSE,
        overflow: bool = True,
        unit: str = USD_CREDIT.code,
    ) -> Result:
        """Open a wallet."""
        asked = self._asked("POST /v1/wallets", key, customer, overdraft, overflow, unit)
        return operations.open_wallet(asked, customer, unit, lambda unit: WalletTerms(overdraft, overflow=overflow))

    def grant(
        self,
        customer: str,
        wallet: str,
        cents: int,
        key: str | None = None,
        cost: int | None = None,
        expires_at: datetime | None = None,
        pool: str = "",
    ) -> Result:
        """Grant credits worth this many cents, bought for `cost`, or for as much; those of a pool are an allowance."""
        quantity = cents * 10**USD_CREDIT.scale // (USD_CREDIT.face_minor or 1)
        cost_minor = cents if cost is None else cost
        source = GrantSource.PURCHASE if cost_minor else GrantSource.PROMOTIONAL
        source = GrantSource.ALLOWANCE if pool else source
        currency = "USD" if cost_minor else None
        now = self.site.clock.now()
        issue = Issue(WalletId(wallet), source, quantity, cost_minor, currency, now, expires_at=expires_at, pool=pool)
        asked = self._asked("POST /v1/grants", key, wallet, cents, cost_minor, str(expires_at), pool)
        return operations.issue_grant(asked, customer, issue)

    def correct(self, spend: str, amount: str | None, key: str | None = None) -> Result:
        """Take a spend back, or an amount of it."""
        return corrections.correct_spend(self._asked("POST /v1/spends/correct", key, spend, amount), spend, amount)

    def void_grant(self, grant: str, key: str | None = None) -> Result:
        """Take back what is left of a lot."""
        return operations.void_grant(self._asked("POST /v1/grants/void", key, grant), grant)

    def move_wallet(self, wallet: str, to: WalletStatus, key: str | None = None) -> Result:
        """Suspend, resume or close a wallet."""
        return operations.move_wallet(self._asked(f"POST /v1/wallets/{to}", key, wallet), wallet, to)

    def draft(self, customer: str, minor: int, key: str | None = None, collect_at: datetime | None = None) -> Result:
        """Write a draft of one line, in dollars. With `collect_at` it is collected then, by itself."""
        line = NewLine(LineKind.FLAT_FEE, "Pro", minor)
        collect = collect_at is not None
        wanted = operations.NewInvoice(customer, "USD", (line,), due_at=collect_at, collect_at_due=collect)
        return operations.create_invoice(self._asked("POST /v1/invoices", key, customer, minor), wanted)

    def finalize(self, invoice: str, key: str | None = None) -> Result:
        """Make a draft a debt."""
        return operations.finalize_invoice(self._asked("POST /v1/invoices/finalize", key, invoice), invoice)

    def void(self, invoice: str, key: str | None = None) -> Result:
        """Take an invoice back."""
        return operations.void_invoice(self._asked("POST /v1/invoices/void", key, invoice), invoice)

    def pay(self, *invoices: str, key: str | None = None, terms: Terms = CARD_ON_FILE) -> Result:
        """Launch the payment of invoices, or claim one that was made at the provider."""
        wanted = Launch(
            invoices=tuple(InvoiceId(each) for each in invoices),
            method=MethodId(terms.method) if terms.method else None,
            use_credits=terms.use_credits,
            use_balance=terms.use_balance,
            confirmation=terms.confirm,
            provider_ref=ProviderRef(terms.provider_ref) if terms.provider_ref else None,
            return_url=terms.return_url,
        )
        return operations.pay(self._asked("POST /v1/payments", key, *invoices, repr(terms)), wanted)

    def external(
        self, invoice: str, minor: int, reference: str, key: str | None = None, means: str = "bank transfer"
    ) -> Result:
        """Record money for an invoice that somebody else took."""
        now = self.site.clock.now()
        wanted = ExternalPayment(InvoiceId(invoice), Money(minor, "USD"), reference, means, now)
        asked = self._asked("POST /v1/invoices/external-payments", key, invoice, minor, reference, means)
        return collecting.record_external(asked, wanted)

    def write_off(self, invoice: str, key: str | None = None) -> Result:
        """Give a debt up."""
        return collecting.write_off(self._asked("POST /v1/invoices/mark-uncollectible", key, invoice), invoice)

    def cancel(self, payment: str, key: str | None = None) -> Result:
        """Give a payment up."""
        return operations.cancel_payment(self._asked("POST /v1/payments/cancel", key, payment), payment)

    def top_up(
        self,
        customer: str,
        wallet: str,
        minor: int,
        key: str | None = None,
        method: str | None = None,
        currency: str = "USD",
    ) -> Result:
        """Buy as many credits as they cost, by an invoice of the provider's."""
        wanted = purchases.NewPurchase(
            customer=customer,
            settlement=Settlement.INVOICE,
            collector=Collector.PROVIDER,
            wallet=wallet,
            credits=plain(minor, 2),
            price=Money(minor, currency),
            currency=currency,
            method=method,
            description="Credits",
        )
        asked = self._asked("POST /v1/purchases", key, customer, wallet, minor, currency, method)
        return purchases.buy(asked, wanted)

    def buy(self, order: Order, key: str | None = None) -> Result:
        """Buy credits into a wallet."""
        wanted = purchases.NewPurchase(
            customer=order.customer,
            settlement=order.settlement,
            wallet=order.wallet,
            credits=order.credits,
            price=Money(order.cents, "USD") if order.cents else None,
            begins=order.begins,
            grant_timing=order.timing,
            invoice_at=order.invoice_at,
            confirmation=order.confirm,
            description="Credits",
            about=order.about,
            external_id=order.external_id,
        )
        return purchases.buy(self._asked("POST /v1/purchases", key, repr(order)), wanted)

    def step_purchase(self, purchase: str, to: PurchaseStatus, key: str | None = None) -> Result:
        """Tell that the money of a purchase is promised, or there."""
        return purchases.step(self._asked(f"POST /v1/purchases/{to}", key, purchase), purchase, to)

    def cancel_purchase(self, purchase: str, key: str | None = None) -> Result:
        """Give a purchase up."""
        return purchases.cancel(self._asked("POST /v1/purchases/cancel", key, purchase), purchase)

    def void_purchase(self, purchase: str, key: str | None = None) -> Result:
        """Take back what is left of the credits of a purchase."""
        return purchases.void(self._asked("POST /v1/purchases/void", key, purchase), purchase)

    def refund(self, payment: str, *parts: tuple[str | None, int | None, str], key: str | None = None) -> Result:
        """Refund legs of a payment: of each so much (None is all that is left), to where it is said to go."""
        wanted = tuple(Part(LegId(leg) if leg else None, minor, Destination(to)) for leg, minor, to in parts)
        asked = self._asked("POST /v1/payments/refunds", key, payment, repr(parts))
        return refunds.refund_payment(asked, payment, wanted, "requested_by_customer")

    def refund_purchase(self, purchase: str, minor: int | None, key: str | None = None) -> Result:
        """Refund a purchase, all that is left of it when no amount is said."""
        asked = self._asked("POST /v1/purchases/refund", key, purchase, minor)
        return refunds.refund_purchase(asked, purchase, Part(minor=minor), None)

    def bill_later(self, customer: str, minor: int, at: datetime, about: str = "", key: str | None = None) -> Result:
        """Write a flat fee down that is billed when its date comes."""
        wanted = purchases.NewPendingLine(customer, "USD", "Support", minor, 0, at, about)
        asked = self._asked("POST /v1/pending-lines", key, customer, minor, str(at), about)
        return purchases.add_line(asked, wanted)

    def auto_topup(self, wallet: str, agreed: Agreed, key: str | None = None) -> Result:
        """Switch a wallet's auto top-up on: in dollars, at a dollar a credit."""
        asked = self._asked("PUT /v1/wallets/auto-topup", key, wallet, repr(agreed))
        now = self.site.clock.now()
        return auto_topups.set_auto_topup(asked, wallet, lambda unit: agreed.terms(unit, now))

    def stop_auto_topup(self, wallet: str, key: str | None = None) -> Result:
        """Switch a wallet's auto top-up off."""
        return auto_topups.stop_auto_topup(self._asked("DELETE /v1/wallets/auto-topup", key, wallet), wallet)

    def look(self, result: Result) -> Result:
        """Read the answer of a command as it is by now."""
        return commands.look_again(self.site.house, self.site.tenant, result.inbox)

    def _asked(self, route: str, key: str | None, *body: object) -> Asked:
        request = Request(route, CALLER, key, json.dumps(body).encode())
        return Asked(self.site.house, self.site.tenant, request)
