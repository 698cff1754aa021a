"""Attempts of an auto top-up: how one begins, where it stands, and how it is given up.

An attempt is a purchase, its invoice and a payment, written in one commit before the provider hears of it. All that it
does at the provider is keyed by these rows, so it is done once whatever crashes.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Final, assert_never

from counterfoil.core import agreed, buying, invoicing, watching
from counterfoil.core.agreed import AutoTopup, Price
from counterfoil.core.books import (
    Books,
    Invoice,
    Leg,
    Wallet,
    invoice_of,
    payments_for,
    purchase_of,
    with_changes,
)
from counterfoil.core.bought import Purchase, Settlement
from counterfoil.core.buying import Buy, Limits
from counterfoil.core.effects import (
    Act,
    Change,
    Decision,
    Effect,
    Notify,
    Reason,
    Refuse,
    Skip,
    Timer,
    Why,
    changes_of,
    effects_of,
)
from counterfoil.core.ids import InvoiceId, NewId
from counterfoil.core.lifecycle import AutoTopupStatus, InvoiceStatus, LegStatus, PaymentStatus, PurchaseStatus
from counterfoil.core.money import Money
from counterfoil.core.status import legs_for
from counterfoil.core.watching import WATCH_TIMER

ACTION_WAITS: Final = timedelta(hours=23)
"""How long a customer has to confirm an attempt that the bank asks about."""
ASKS_CUSTOMER: Final = frozenset({"authentication_required"})
"""Refusals that the customer can lift: the bank wants to see them, and they were not there."""
LOOK: Final = "auto-topup@1"

NextNumber = Callable[[], str]
"""Takes the next number of the invoices. It is asked only when an invoice will be written."""


class Look:
    """What was decided so far, and the books as it leaves them."""

    def __init__(self, books: Books, policy: AutoTopup, now: datetime, new_id: NewId) -> None:
        self.books, self.now, self.new_id = books, now, new_id
        self.id = policy.id
        self.effects: list[Effect] = []
        self.said: tuple[Reason, str] = (Reason.AUTO_TOPUP_WAITS, "The auto top-up has nothing to do now.")

    @property
    def policy(self) -> AutoTopup:
        """The policy as it stands by now."""
        return next(each for each in self.books.topups if each.id == self.id)

    @property
    def all(self) -> tuple[Effect, ...]:
        """Everything that was decided."""
        return tuple(self.effects)

    def extend(self, effects: tuple[Effect, ...]) -> None:
        """Take effects in."""
        self.effects.extend(effects)
        self.books = with_changes(self.books, changes_of(effects))

    def put(self, after: AutoTopup) -> None:
        """Change the policy, and what its wallet watches for."""
        self.extend((Change(self.policy, after),))
        self.extend(watch(watching.wallet_of(self.books, after), after))

    def move(self, after: AutoTopup, word: str, **data: str) -> None:
        """Change the policy's status and tell of it."""
        self.put(after)
        self.extend((told(after, word, f":{after.moves}", data),))

    def say(self, reason: Reason, sentence: str) -> None:
        """Say what it came to."""
        self.said = reason, sentence

    def answer(self, reason: Reason | None = None, sentence: str = "") -> Decision:
        """Give the decision: everything that was gathered, or no effect."""
        if reason:
            self.say(reason, sentence)
        policy, (reason, sentence) = self.policy, self.said
        about = (policy.id, policy.wallet, policy.customer, *((policy.attempt,) if policy.attempt else ()))
        wallet = watching.wallet_of(self.books, policy)
        inputs = {
            "spendable": watching.spendable(self.books, wallet, self.now),
            "coming": watching.coming(self.books, wallet.id),
            "failures": policy.failures,
        }
        why = Why(LOOK, reason, sentence, about, inputs)
        return Act(why, self.all) if self.effects else Skip(why)


# --- where an attempt stands ---


class Stand(Enum):
    """Where an attempt stands."""

    UNDER_WAY = auto()
    ASKS_CUSTOMER = auto()
    ASKS_PERSON = auto()
    PAID = auto()
    REFUSED = auto()
    EXPIRED = auto()
    GIVEN_UP = auto()


def stand(books: Books, purchase: Purchase, now: datetime) -> Stand:
    """Say where an attempt stands, from its purchase and the payment of its invoice."""
    match purchase.status:
        case PurchaseStatus.SETTLED | PurchaseStatus.VOIDED:
            return Stand.PAID
        case PurchaseStatus.HELD:
            return Stand.ASKS_PERSON
        case PurchaseStatus.CANCELED:
            return Stand.GIVEN_UP
        case PurchaseStatus.SCHEDULED | PurchaseStatus.AUTHORIZED:
            return Stand.UNDER_WAY
        case PurchaseStatus.PENDING | PurchaseStatus.FAILED:
            return _collection(invoice_of(books, _invoice(purchase)), purchase, now)
        case _:
            assert_never(purchase.status)


def _collection(invoice: Invoice | None, purchase: Purchase, now: datetime) -> Stand:
    assert invoice is not None, "an attempt without its invoice"
    in_time = now < purchase.created_at + ACTION_WAITS
    match invoice.payment_status:
        case PaymentStatus.REQUIRES_ACTION:
            return Stand.ASKS_CUSTOMER if in_time else Stand.EXPIRED
        case PaymentStatus.FAILED:
            return Stand.ASKS_CUSTOMER if in_time and purchase.failure_code in ASKS_CUSTOMER else Stand.REFUSED
        case PaymentStatus.PROCESSING | PaymentStatus.SUCCEEDED:
            return Stand.UNDER_WAY
        case PaymentStatus.PENDING | PaymentStatus.CANCELED:
            return Stand.GIVEN_UP
        case _:
            assert_never(invoice.payment_status)


def asking_leg(books: Books, purchase: Purchase) -> Leg | None:
    """Find the leg of a purchase's payment that waits for its customer, the newest first."""
    asking = (LegStatus.REQUIRES_ACTION, LegStatus.REFUSED)
    found = [each for each in legs_for(books, _invoice(purchase)) if each.status in asking]
    return max(found, key=lambda leg: (leg.created_at, leg.position, leg.id), default=None)


# --- how it ends ---


def drop(look: Look, purchase: Purchase) -> None:
    """Void the invoice of an attempt that failed: another attempt is another purchase, at the price of its day."""
    invoice = invoice_of(look.books, _invoice(purchase))
    if invoice and invoice.status is InvoiceStatus.OPEN:
        decision = invoicing.decide_void(look.books, invoice.id, look.now, look.new_id)
        assert isinstance(decision, Act), decision.why.sentence
        # It is this look that the end of the purchase would wake.
        look.extend(tuple(each for each in decision.effects if not isinstance(each, Timer) or each.subject != look.id))


def switched_off(policy: AutoTopup) -> AutoTopup:
    """Give a policy as it is once it may buy nothing more."""
    return replace(policy, status=AutoTopupStatus.OFF, retry_at=None, due_at=None, moves=policy.moves + 1)


def give_up(books: Books, policy: AutoTopup, now: datetime, new_id: NewId) -> tuple[Effect, ...]:
    """Have the attempt's payment canceled. What ends it is news of the provider's, which wakes the policy again."""
    purchase = purchase_of(books, policy.attempt) if policy.attempt else None
    if purchase is None or purchase.invoice is None:
        return ()
    open_ones = [each for each in payments_for(books, purchase.invoice) if each.status not in ENDED]
    return tuple(
        effect
        for payment in open_ones
        for effect in effects_of(invoicing.decide_cancel(books, payment.id, now, new_id))
    )


ENDED: Final = frozenset({PaymentStatus.SUCCEEDED, PaymentStatus.CANCELED})


# --- how it begins ---


def begin(look: Look, order: Buy, limits: Limits, number: NextNumber) -> Refuse | None:
    """Write the attempt down: a purchase, its invoice and the payment, before anybody is asked for money.

    It is bought as anything else is, and held to the same limits; why it is refused is given back.
    """
    trial = buying.decide_purchase(look.books, order, limits, "", look.now, look.new_id)
    if isinstance(trial, Refuse):
        return trial
    # A number is taken only for an invoice that will be written, so that the series has no gaps.
    bought = buying.decide_purchase(look.books, order, limits, number(), look.now, look.new_id)
    assert isinstance(bought, Act), bought.why.sentence
    look.extend(bought.effects)
    purchase = next(each for each in changes_of(bought.effects) if isinstance(each, Purchase))
    look.put(replace(look.policy, attempt=purchase.id, retry_at=None))
    look.say(Reason.AUTO_TOPUP_STARTED, bought.why.sentence)
    return None


def order(look: Look, price: Price, steps: int) -> Buy:
    """Say what an attempt buys."""
    policy = look.policy
    method = watching.method_of(look.books, policy)
    return Buy(
        wallet=policy.wallet,
        settlement=Settlement.INVOICE,
        quantity=steps * price.quantity,
        net=Money(steps * price.net_minor, policy.currency),
        fee_minor=steps * price.fee_minor,
        pack=price.pack,
        pack_version=price.pack_version,
        expires_after_s=price.expires_after_s,
        priority=price.priority,
        features=price.features,
        method=method.id if method else None,
        description="Auto top-up",
        auto_topup=policy.id,
    )


# --- shared ---


def spent(purchases: Iterable[Purchase], policy: AutoTopup, now: datetime) -> int:
    """Give what the attempts of this calendar month (UTC) cost or may cost yet, fee and tax included."""
    begun = agreed.month_of(now)
    own = (each for each in purchases if each.auto_topup == policy.id and each.created_at >= begun)
    return sum(each.gross_minor for each in own if each.status in watching.COUNTED)


def watch(wallet: Wallet, policy: AutoTopup) -> tuple[Effect, ...]:
    """Let the wallet watch for what its policy wants to be told of."""
    if wallet.watch_below == policy.watches:
        return ()
    return (Change(wallet, replace(wallet, watch_below=policy.watches)),)


def interval(policy: AutoTopup) -> tuple[Effect, ...]:
    """Set the timer of the next buying by interval, when the policy has one."""
    return (Timer(WATCH_TIMER, policy.id, policy.customer, policy.due_at),) if policy.due_at else ()


def told(policy: AutoTopup, word: str, nth: str, data: Mapping[str, str | int]) -> Notify:
    """Tell the outside what became of an auto top-up: `auto_topup.<word>`, once per `nth`."""
    key = f"auto_topup.{word}:{policy.id}{nth}"
    return Notify(key, f"auto_topup.{word}", policy.customer, policy.id, {"wallet": policy.wallet, **data})


def _invoice(purchase: Purchase) -> InvoiceId:
    assert purchase.invoice is not None, "an attempt without its invoice"
    return purchase.invoice
