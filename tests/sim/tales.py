"""The stories that are told in every order: how each begins, and what tells the rest of it.

What tells the rest is news of the provider, by the kind of its event, or the act of somebody outside, by a name of the
tale's own. Any of it may come in any order and twice; what `may_be_lost` may also never come.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from counterfoil.core.bought import Settlement
from counterfoil.core.lifecycle import PurchaseStatus
from counterfoil.core.orders import ConfirmIntent, FinalizeInvoice, PayInvoice
from counterfoil.sim.desk import Desk, Order, read
from counterfoil.sim.site import Site


@dataclass(frozen=True, slots=True)
class Teller:
    """Who begins a tale: the application's desk, the provider, and a way to let all that is due be worked off."""

    site: Site
    desk: Desk
    quiet: Callable[[], None]


Act = Callable[[Site, str], object]
"""What somebody outside does in a tale; it is given what the tale is about."""


@dataclass(frozen=True, slots=True)
class Tale:
    """One story. `begin` tells its beginning, to the last thing that was asked for, and gives what it is about.

    `replies` are the orders whose reply may be read before all news or after it.
    """

    name: str
    begin: Callable[[Teller], str]
    events: tuple[str, ...]
    replies: tuple[type, ...] = ()
    acts: Mapping[str, Act] = field(default_factory=dict)
    may_be_lost: tuple[str, ...] | None = None

    @property
    def losable(self) -> tuple[str, ...]:
        """Give what may be lost for ever and leave the same books."""
        return self.events if self.may_be_lost is None else self.may_be_lost


def customer(teller: Teller, card: str = "pm_card_visa") -> str:
    """A customer with a saved card, of whom everything is known."""
    identity: str = read(teller.desk.customer("dana"))["id"]
    teller.desk.method(identity, card)
    teller.quiet()
    return identity


def part_by_credits(teller: Teller) -> str:
    """An invoice of 100, 30 of it by credits and 70 by card."""
    dana = customer(teller)
    wallet = read(teller.desk.wallet(dana))["id"]
    teller.desk.grant(dana, wallet, 3000)
    invoice: str = read(teller.desk.draft(dana, 10000))["id"]
    teller.desk.finalize(invoice)
    teller.desk.pay(invoice, key="pay")
    return invoice


def top_up(teller: Teller, credit: int = 0, card: str = "pm_card_visa") -> str:
    """Credits for 50 by the provider's own invoice, with so much of the customer's in credit there."""
    dana = customer(teller, card)
    if credit:
        there = teller.site.provider.objects("/v1/customers")
        path = f"/v1/customers/{next(there)['id']}/balance_transactions"
        teller.site.provider.ask("POST", path, amount=-credit, currency="usd")
        teller.quiet()
    wallet = read(teller.desk.wallet(dana))["id"]
    bought: str = read(teller.desk.top_up(dana, wallet, 5000, key="buy"))["id"]
    return bought


def collected_elsewhere(teller: Teller) -> str:
    """Credits that somebody else collects, and tells of when it likes."""
    dana = customer(teller)
    wallet = read(teller.desk.wallet(dana))["id"]
    bought = teller.desk.buy(Order(dana, wallet, settlement=Settlement.EXTERNAL), key="buy")
    identity: str = read(bought)["id"]
    return identity


def _told(to: PurchaseStatus, site: Site, about: str) -> object:
    return Desk(site).step_purchase(about, to)


BY_INTENT: Final = ("payment_intent.created", "charge.succeeded", "charge.updated", "payment_intent.succeeded")
BY_INVOICE: Final = ("invoice.finalized", "charge.succeeded", "payment_intent.succeeded", "invoice.paid")
BY_BALANCE: Final = ("invoice.created", "invoice.finalized", "invoice.paid")
DECLINED: Final = ("invoice.finalized", "charge.failed", "payment_intent.payment_failed", "invoice.payment_failed")
STEPS: Final = (ConfirmIntent, FinalizeInvoice, PayInvoice)

PART_BY_CREDITS: Final = Tale("part by credits", part_by_credits, BY_INTENT, (ConfirmIntent,))
TALES: Final = (
    PART_BY_CREDITS,
    Tale("top-up by the balance", partial(top_up, credit=6000), BY_BALANCE, (FinalizeInvoice,)),
    Tale("top-up by balance and card", partial(top_up, credit=2000), BY_INVOICE, (PayInvoice,)),
    Tale("top-up by the card", top_up, BY_INVOICE, (PayInvoice,)),
    Tale("top-up declined", partial(top_up, credit=2000, card="pm_card_chargeCustomerFail"), DECLINED, (PayInvoice,)),
    Tale("top-up below the least", partial(top_up, credit=4980), BY_BALANCE, (FinalizeInvoice,)),
    Tale(
        "collected elsewhere",
        collected_elsewhere,
        ("authorized", "settled"),
        acts={
            "authorized": partial(_told, PurchaseStatus.AUTHORIZED),
            "settled": partial(_told, PurchaseStatus.SETTLED),
        },
        may_be_lost=("authorized",),
    ),
)


def named(name: str) -> Tale:
    """Give a tale."""
    return next(each for each in TALES if each.name == name)
