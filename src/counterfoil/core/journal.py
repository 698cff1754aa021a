"""The books' only way to move value: two-legged postings, grouped in entries that have one cause and one key.

A posting is balanced by construction, so there is no sum to check. Every entry of the product is made by one of the
templates below; together they are the chart of what debits what. Their keys name the business object that caused them,
so a replay posts nothing, whatever event, reply or poll brought the news.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from counterfoil.core.books import FREE_SOURCES, Grant, Invoice, Leg, Line, LineKind, Wallet
from counterfoil.core.bought import Purchase
from counterfoil.core.facts import BalanceMoveFact, ChargeFee
from counterfoil.core.ids import AccountId, CustomerId, GrantId, ProviderRef, SpendId, WalletId
from counterfoil.core.money import Money, ServiceUnit, share

MONEY_ACCOUNTS: Final = frozenset(
    {
        "clearing",
        "clearing_external",
        "bank",
        "receivable",
        "customer_balance",
        "customer_balance_provider",
        "deferred_revenue",
        "revenue",
        "fee_revenue",
        "breakage",
        "promotion_cost",
        "tax_payable",
        "provider_fees",
        "refund_due",
        "disputed",
        "dispute_losses",
        "bad_debt",
        "exchange",
        "suspense",
        "opening",
    }
)
SERVICE_ACCOUNTS: Final = frozenset({"issued", "grant", "debt", "used", "expired", "overage_written_off"})
OWNED_ACCOUNTS: Final = frozenset(
    {"clearing", "receivable", "customer_balance", "customer_balance_provider", "suspense", "grant", "debt"}
)
"""Accounts that there is one of per owner; the owner's id is part of the account's name."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account of one tenant and one unit; unit and tenant stand beside it in the posting, shared by both legs."""

    kind: str
    owner: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.owner}" if self.owner else self.kind


def read_account(text: str) -> Account:
    """Read back what `str` wrote."""
    kind, _, owner = text.partition(":")
    return Account(kind, owner)


@dataclass(frozen=True, slots=True)
class Posting:
    """Move `amount` of `unit` into `debit` and out of `credit`. Two legs in one value: it can't be unbalanced.

    `unit` is an upper-case currency code (amount in minor units) or a service unit's code (amount in scaled units).
    """

    debit: Account
    credit: Account
    unit: str
    amount: int


@dataclass(frozen=True, slots=True)
class Entry:
    """The postings of one cause. `key` names the cause and is unique in a tenant's journal for ever.

    `subject` is the id of the subject that explains it; `occurred_at` is when it happened in the world. The books count
    it from `effective_at` on; None is the moment at which it is written. An entry is never empty and never grows.
    """

    key: str
    subject: str
    occurred_at: datetime
    postings: tuple[Posting, ...]
    effective_at: datetime | None = None


def clearing(account: AccountId) -> Account:
    """Money that the provider holds for us."""
    return Account("clearing", account)


def receivable(customer: CustomerId) -> Account:
    """What a customer owes us."""
    return Account("receivable", customer)


def customer_balance(customer: CustomerId) -> Account:
    """Money of a customer that pays no invoice yet."""
    return Account("customer_balance", customer)


def provider_balance(customer: CustomerId) -> Account:
    """What the provider's own books say a customer has there in credit, or, below zero, owes."""
    return Account("customer_balance_provider", customer)


def suspense(ref: ProviderRef) -> Account:
    """Money at the provider whose purpose nobody has told us."""
    return Account("suspense", ref)


def lot(grant: GrantId) -> Account:
    """What a lot still promises, in service units."""
    return Account("grant", grant)


def wallet_debt(wallet: WalletId) -> Account:
    """Use that no lot covered, in service units."""
    return Account("debt", wallet)


FEE_REVENUE: Final = Account("fee_revenue")
EARNED_BY: Final = {
    LineKind.FLAT_FEE: Account("revenue"),
    LineKind.GOODS: Account("revenue"),
    LineKind.FEE: FEE_REVENUE,
    LineKind.CREDIT_PURCHASE: Account("deferred_revenue"),
}
DEFERRED: Final = Account("deferred_revenue")
REVENUE: Final = Account("revenue")
PROMOTION: Final = Account("promotion_cost")
TAX: Final = Account("tax_payable")
FEES: Final = Account("provider_fees")
EXTERNAL: Final = Account("clearing_external")
BREAKAGE: Final = Account("breakage")
BAD_DEBT: Final = Account("bad_debt")
REFUND_DUE: Final = Account("refund_due")
ISSUED: Final = Account("issued")
EXPIRED: Final = Account("expired")
USED: Final = Account("used")
WRITTEN_OFF: Final = Account("overage_written_off")
DISPUTED: Final = Account("disputed")
DISPUTE_LOSSES: Final = Account("dispute_losses")
BANK: Final = Account("bank")
EXCHANGE: Final = Account("exchange")


def grant_issued(grant: Grant, unit: ServiceUnit) -> Entry:
    """A lot is promised; if it was paid for outside the provider, its price is owed as service.

    What a purchase brought was booked when it was billed, so its lot moves units only.
    """
    postings = [Posting(ISSUED, lot(grant.id), unit.code, grant.amount)]
    if grant.cost_minor and grant.purchase is None:
        postings.append(Posting(EXTERNAL, DEFERRED, grant.cost_currency, grant.cost_minor))
    return Entry(f"grant:{grant.id}:issued", grant.id, grant.effective_at, tuple(postings))


def grant_reversed(lot_after: Grant, quantity: int, unit: ServiceUnit, now: datetime, owed_minor: int = 0) -> Entry:
    """Credits that were given before they were paid, and never were: what is left is promised no more.

    What was used of them was recognised and is nobody's debt any more: it is a loss. `owed_minor` is what stays billed
    for them: the service that is no longer owed for it makes that loss smaller.
    """
    used, unspent = lot_after.released_minor, max(0, owed_minor - lot_after.released_minor)
    parts = (
        Posting(lot(lot_after.id), ISSUED, unit.code, quantity),
        Posting(BAD_DEBT, DEFERRED, lot_after.cost_currency, 0 if owed_minor else used),
        Posting(DEFERRED, BAD_DEBT, lot_after.cost_currency, unspent),
    )
    postings = tuple(posting for posting in parts if posting.amount)
    return Entry(f"grant:{lot_after.id}:reversed", lot_after.id, now, postings)


# --- purchases that somebody else collects ---


def purchase_authorized(purchase: Purchase, now: datetime) -> Entry:
    """The money is promised: the customer owes it, and we owe the service."""
    owed = receivable(purchase.customer)
    parts = ((DEFERRED, purchase.net_minor), (FEE_REVENUE, purchase.fee_minor), (TAX, purchase.tax_minor))
    postings = tuple(Posting(owed, account, purchase.currency, minor) for account, minor in parts if minor)
    return Entry(f"purchase:{purchase.id}:authorized", purchase.id, now, postings)


def purchase_settled(purchase: Purchase, now: datetime) -> Entry:
    """The money is there, with whoever collected it."""
    posting = Posting(EXTERNAL, receivable(purchase.customer), purchase.currency, purchase.gross_minor)
    return Entry(f"purchase:{purchase.id}:settled", purchase.id, now, (posting,))


def purchase_canceled(purchase: Purchase, now: datetime) -> Entry:
    """The way back of `purchase_authorized`, posting by posting."""
    forward = purchase_authorized(purchase, now)
    back = tuple(Posting(p.credit, p.debit, p.unit, p.amount) for p in forward.postings)
    return Entry(f"purchase:{purchase.id}:canceled", purchase.id, now, back)


@dataclass(frozen=True, slots=True)
class Ended:
    """What leaves a lot unused: the lot after it, and the cost basis that is no longer owed as service."""

    after: Grant
    quantity: int
    released_minor: int


def grant_ended(ended: Ended, unit: ServiceUnit, at: datetime) -> Entry:
    """What was promised and not used is promised no more: its price is breakage when it expired, owed back when voided.

    The key counts what is gone, so that a share which comes back to an ended lot can end as well.
    """
    lot_after = ended.after
    voided = lot_after.voided_at is not None
    postings = [Posting(lot(lot_after.id), ISSUED if voided else EXPIRED, unit.code, ended.quantity)]
    if ended.released_minor:
        kept = REFUND_DUE if voided else BREAKAGE
        postings.append(Posting(DEFERRED, kept, lot_after.cost_currency, ended.released_minor))
    word = "voided" if voided else "expired"
    return Entry(f"grant:{lot_after.id}:{word}:{lot_after.gone}", lot_after.id, at, tuple(postings), effective_at=at)


@dataclass(frozen=True, slots=True)
class Recognised:
    """What the use of a lot has earned and nobody has posted yet: the lot after it. Negative: use was taken back."""

    lot: Grant
    minor: int


def recognised(step: Recognised, at: datetime) -> Entry:
    """What was owed as service was given; the other way round when use was taken back."""
    given, taken = (DEFERRED, REVENUE) if step.minor > 0 else (REVENUE, DEFERRED)
    posting = Posting(given, taken, step.lot.cost_currency, abs(step.minor))
    return Entry(f"grant:{step.lot.id}:recognised:{step.lot.steps}", step.lot.id, at, (posting,), effective_at=at)


@dataclass(frozen=True, slots=True)
class Clawed:
    """What is taken back of a lot whose price is given back: the lot and the wallet after it.

    `taken` comes out of its unspent part, `owed` of what was spent becomes debt and `forgiven` of it does not; `lapsed`
    had left the lot unused before. `price_minor` is what of the lot's price is no longer owed as service by it.
    """

    lot: Grant
    wallet: Wallet
    taken: int
    owed: int
    forgiven: int
    lapsed: int
    price_minor: int


def clawed(step: Clawed, net_minor: int, to: Account, borne_by: Account, at: datetime) -> Entry | None:
    """Credits are taken back, and `net_minor` of their price is owed back to whoever paid it.

    It comes from what was still owed as service, then from the breakage of what had lapsed, and the rest is borne by
    what was earned. None when nothing moves.
    """
    grant, unit, currency = step.lot, step.wallet.unit.code, step.lot.cost_currency
    deferred = min(step.price_minor, net_minor)
    lapsed = min(share(grant.cost_minor, step.lapsed, grant.amount), net_minor - deferred)
    parts = (
        Posting(lot(grant.id), ISSUED, unit, step.taken),
        Posting(wallet_debt(step.wallet.id), ISSUED, unit, step.owed),
        Posting(WRITTEN_OFF, ISSUED, unit, step.forgiven),
        Posting(DEFERRED, to, currency, deferred),
        Posting(BREAKAGE, to, currency, lapsed),
        Posting(borne_by, to, currency, net_minor - deferred - lapsed),
        Posting(DEFERRED, REVENUE, currency, step.price_minor - deferred),
    )
    postings = tuple(each for each in parts if each.amount)
    return Entry(f"grant:{grant.id}:clawed:{grant.steps}", grant.id, at, postings) if postings else None


@dataclass(frozen=True, slots=True)
class Returned:
    """What a correction takes back of a spend, part by part, in scaled units.

    `lots` get back what was drawn of them; `owed` is owed no more; `uncovered` goes back to the lots that paid for a
    debt since; `given` had been given away, and `lost` was owed and has been forgiven since: nobody gets them.
    """

    lots: tuple[tuple[GrantId, int], ...]
    owed: int
    uncovered: tuple[tuple[GrantId, int], ...]
    given: int
    lost: int


def spend_corrected(spend: SpendId, number: int, wallet: Wallet, back: Returned, at: datetime) -> Entry:
    """Use that did not happen: the way back of a spend, or of a part of it. `number` counts its corrections."""
    unit, debt = wallet.unit.code, wallet_debt(wallet.id)
    owed = back.owed + back.lost + sum(quantity for _, quantity in back.uncovered)
    parts = (
        Posting(USED, WRITTEN_OFF, unit, back.given),
        Posting(USED, debt, unit, owed),
        *(Posting(USED, lot(each), unit, quantity) for each, quantity in back.lots),
        *(Posting(debt, lot(each), unit, quantity) for each, quantity in back.uncovered),
        Posting(debt, WRITTEN_OFF, unit, back.lost),
    )
    postings = tuple(each for each in parts if each.amount)
    return Entry(f"spend:{spend}:corrected:{number}", spend, at, postings)


def debt_forgiven(wallet: Wallet, at: datetime) -> Entry:
    """What a wallet owes is given away. `wallet` is the one before it."""
    posting = Posting(WRITTEN_OFF, wallet_debt(wallet.id), wallet.unit.code, wallet.debt)
    return Entry(f"wallet:{wallet.id}:forgiven:{wallet.moves + 1}", wallet.id, at, (posting,))


@dataclass(frozen=True, slots=True)
class Covered:
    """Debt that a lot covers: the lot and the wallet after it."""

    lot: Grant
    wallet: Wallet
    quantity: int


def debt_covered(covered: Covered, at: datetime) -> Entry:
    """Use that was owed is drawn from a lot after all."""
    grant, wallet = covered.lot, covered.wallet
    posting = Posting(lot(grant.id), wallet_debt(wallet.id), wallet.unit.code, covered.quantity)
    return Entry(f"grant:{grant.id}:covered:{grant.steps}", grant.id, at, (posting,))


def invoice_finalized(invoice: Invoice, lines: tuple[Line, ...], now: datetime) -> Entry:
    """The customer owes the total; each line's net is earned by its kind and its tax is owed on.

    What the provider's coupons took off is earned by nobody; it comes off the lines in their order.
    """
    postings, left = [], invoice.discount_minor
    for line in lines:
        off = min(left, line.net_minor)
        postings += _earned(invoice, line, off)
        left -= off
    return Entry(f"invoice:{invoice.id}:finalized", invoice.id, now, tuple(postings))


def _earned(invoice: Invoice, line: Line, discount_minor: int) -> list[Posting]:
    owed = receivable(invoice.customer)
    parts = ((EARNED_BY[line.kind], line.net_minor - discount_minor), (TAX, line.tax_minor))
    return [Posting(owed, account, invoice.currency, minor) for account, minor in parts if minor]


def invoice_voided(invoice: Invoice, lines: tuple[Line, ...], now: datetime) -> Entry:
    """The way back of `invoice_finalized`, posting by posting."""
    forward = invoice_finalized(invoice, lines, now)
    back = tuple(Posting(p.credit, p.debit, p.unit, p.amount) for p in forward.postings)
    return Entry(f"invoice:{invoice.id}:voided", invoice.id, now, back)


@dataclass(frozen=True, slots=True)
class Drawn:
    """A share of one lot that pays: `quantity` units worth `minor` of the invoice.

    `grant` is the lot before it; `released_minor` the cost basis that this share recognises.
    """

    grant: Grant
    quantity: int
    minor: int
    released_minor: int


def credit_leg_settled(
    leg: Leg, unit: ServiceUnit, customer: CustomerId, drawn: tuple[Drawn, ...], now: datetime
) -> Entry:
    """Credits pay: the lots are used, and what they cover is no longer owed by the customer."""
    postings = [
        posting
        for each in drawn
        for posting in (*_used(each, unit), *_covered(each, leg.currency, receivable(customer)))
    ]
    return Entry(f"leg:{leg.id}:settled", leg.id, now, tuple(postings))


def _used(drawn: Drawn, unit: ServiceUnit) -> tuple[Posting, ...]:
    return (Posting(lot(drawn.grant.id), USED, unit.code, drawn.quantity),)


def _covered(drawn: Drawn, currency: str, owed: Account) -> list[Posting]:
    """Cover the receivable from what the lot was sold for; what it was not sold for is promotion."""
    cost = drawn.released_minor if drawn.grant.source not in FREE_SOURCES else 0
    from_deferred = min(cost, drawn.minor)
    parts = (
        Posting(DEFERRED, owed, currency, from_deferred),
        Posting(PROMOTION, owed, currency, drawn.minor - from_deferred),
        Posting(DEFERRED, REVENUE, currency, cost - from_deferred),
    )
    return [posting for posting in parts if posting.amount]


def credit_leg_returned(
    leg: Leg, unit: ServiceUnit, customer: CustomerId, drawn: tuple[Drawn, ...], now: datetime
) -> Entry:
    """The way back of `credit_leg_settled`: to the same lots, and the debt is open again."""
    settled = credit_leg_settled(leg, unit, customer, drawn, now)
    back = tuple(Posting(p.credit, p.debit, p.unit, p.amount) for p in settled.postings)
    return Entry(f"leg:{leg.id}:returned", leg.id, now, back)


@dataclass(frozen=True, slots=True)
class Received:
    """Money that came for a customer: `owed_minor` pays invoices, the rest is kept for the customer.

    `source` is where it lies: the provider's clearing account, or suspense if it was booked there before.
    """

    source: Account
    owed_minor: int
    kept_minor: int


def provider_leg_settled(leg: Leg, customer: CustomerId, received: Received, now: datetime) -> Entry:
    """The provider has the money: it pays what is owed, and what is left over is the customer's balance."""
    parts = (
        Posting(received.source, receivable(customer), leg.currency, received.owed_minor),
        Posting(received.source, customer_balance(customer), leg.currency, received.kept_minor),
    )
    postings = tuple(posting for posting in parts if posting.amount)
    return Entry(f"leg:{leg.id}:settled", leg.id, now, postings)


# --- what the provider collects by its own invoices ---


def balance_leg_settled(leg: Leg, customer: CustomerId, now: datetime) -> Entry:
    """The provider applied the customer's balance: that much less is owed, and that much less is credited there."""
    posting = Posting(provider_balance(customer), receivable(customer), leg.currency, leg.received_minor)
    return Entry(f"leg:{leg.id}:settled", leg.id, now, (posting,))


def balance_leg_returned(leg: Leg, customer: CustomerId, now: datetime) -> Entry:
    """The way back of `balance_leg_settled`: the provider returned what it had taken of the balance."""
    posting = Posting(receivable(customer), provider_balance(customer), leg.currency, leg.received_minor)
    return Entry(f"leg:{leg.id}:returned", leg.id, now, (posting,))


def external_leg_settled(leg: Leg, customer: CustomerId, now: datetime) -> Entry:
    """Somebody else has the money; the provider was told that it came."""
    posting = Posting(EXTERNAL, receivable(customer), leg.currency, leg.received_minor)
    return Entry(f"leg:{leg.id}:settled", leg.id, now, (posting,))


def provider_invoice_collected(leg: Leg, customer: CustomerId, received: Received, now: datetime) -> Entry:
    """The provider has the money of its own invoice; the rest is on the customer's balance there."""
    parts = (
        Posting(received.source, receivable(customer), leg.currency, received.owed_minor),
        Posting(received.source, provider_balance(customer), leg.currency, received.kept_minor),
    )
    postings = tuple(posting for posting in parts if posting.amount)
    return Entry(f"leg:{leg.id}:settled", leg.id, now, postings)


def provider_balance_moved(move: BalanceMoveFact, customer: CustomerId, now: datetime) -> Entry:
    """The provider credited the customer for service that was paid for and not had, or took such a credit away."""
    theirs = provider_balance(customer)
    debit, credit = (DEFERRED, theirs) if move.minor < 0 else (theirs, DEFERRED)
    return Entry(f"balance:{move.ref}", customer, now, (Posting(debit, credit, move.currency, abs(move.minor)),))


def money_unexplained(account: AccountId, ref: ProviderRef, money: Money, now: datetime) -> Entry:
    """Money came that is not of our making: it waits in suspense until a person says what it is for."""
    posting = Posting(clearing(account), suspense(ref), money.currency, money.minor)
    return Entry(f"suspense:{ref}:received", ref, now, (posting,))


def provider_fee(account: AccountId, charged: ChargeFee, subject: str, now: datetime) -> Entry:
    """The provider kept its fee."""
    posting = Posting(FEES, clearing(account), charged.fee.currency, charged.fee.minor)
    return Entry(f"fee:{charged.ref}", subject, now, (posting,))
