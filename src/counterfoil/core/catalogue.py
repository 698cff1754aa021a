"""What is on sale: packs of credits, versioned, and the policy that purchases are held to: a tenant's data.

A purchase keeps the version of its pack and everything that follows from it, so a new version changes nothing that was
bought before.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from counterfoil.core.money import Money, ServiceUnit, plain

BASIS: Final = 10_000
"""Rates are in basis points, hundredths of a per cent."""


@dataclass(frozen=True, slots=True)
class Pack:
    """One version of a pack. `quantity` is in scaled units of `unit`; prices are net, one per currency.

    `plans` are the plans whose customers may buy it, empty for all. `fee_bp` is what is charged on top.
    """

    code: str
    version: int
    unit: str
    quantity: int
    prices: tuple[Money, ...]
    name: str = ""
    fee_bp: int = 0
    expires_after_s: int | None = None
    priority: int = 50
    features: tuple[str, ...] = ()
    plans: tuple[str, ...] = ()
    on_sale: bool = True

    def price_in(self, currency: str) -> Money | None:
        """Give the price in a currency, None when it is not sold in it."""
        return next((each for each in self.prices if each.currency == currency), None)


@dataclass(frozen=True, slots=True)
class CustomAmounts:
    """Sizes that may be bought without a pack: whole units only, from `least` to `most`, at a price each, net."""

    unit: str
    price: Money
    least: int
    most: int
    fee_bp: int = 0
    expires_after_s: int | None = None


@dataclass(frozen=True, slots=True)
class PurchasePolicy:
    """What a tenant holds its purchases to. `version` 0 is what holds before anything was declared.

    `caps` bound what one customer may buy in any 24 hours, fee and tax included, one per currency.
    `blocks_disputed` keeps a wallet from being spent from at all while a purchase of its lots is disputed; otherwise
    only the contested share is held.
    `needs_provider_customer` refuses whoever has no id at the provider, instead of making one.
    `stopped` sells nothing to anybody; `needs_verified_email` sells to customers whose address is their own.
    `gives_up_after` is how long an unfinished purchase waits for its money. A card that was issued outside of
    `home_countries` is charged `foreign_card_bp` of the price more, on top and never credited.
    """

    version: int = 0
    custom: tuple[CustomAmounts, ...] = ()
    caps: tuple[Money, ...] = ()
    needs_provider_customer: bool = False
    stopped: bool = False
    needs_verified_email: bool = False
    gives_up_after_s: int = 24 * 3600
    home_countries: tuple[str, ...] = ()
    foreign_card_bp: int = 0
    blocks_disputed: bool = False

    @property
    def gives_up_after(self) -> timedelta:
        """How long an unfinished purchase waits for its money."""
        return timedelta(seconds=self.gives_up_after_s)

    def cap_in(self, currency: str) -> Money | None:
        """Give the cap in a currency, None when there is none."""
        return next((each for each in self.caps if each.currency == currency), None)


CAP_WINDOW: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a customer asks for: a pack by its code, or a number of credits (scaled). `plan` is the customer's own."""

    pack: str | None = None
    quantity: int | None = None
    currency: str | None = None
    plan: str | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """What is sold, and on which terms."""

    quantity: int
    net: Money
    fee_minor: int = 0
    pack: str | None = None
    pack_version: int | None = None
    expires_after_s: int | None = None
    priority: int = 50
    features: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NotOnSale:
    """Why nothing is sold: a code of the refusal, what to say, and the field at fault."""

    code: str
    sentence: str
    param: str


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The current version of every pack of a tenant, and its policy."""

    packs: tuple[Pack, ...] = ()
    policy: PurchasePolicy = PurchasePolicy()


def offer(catalogue: Catalogue, unit: ServiceUnit, wanted: Wanted) -> Offer | NotOnSale:
    """Find what is sold for what is wanted: the pack of this code or this very size, else a custom amount by policy."""
    if wanted.pack is None and (wanted.quantity is None or wanted.quantity <= 0):
        return NotOnSale("invalid_credits", "A purchase is of more than zero credits.", "credits")
    found = [each for each in catalogue.packs if each.on_sale and _fits(each, unit, wanted)]
    if not found:
        return _custom(catalogue.policy, unit, wanted)
    # Of several packs of one size the cheapest is meant: nobody chooses to pay more for the same.
    priced = [(price, each) for each in found if (price := _price(each, wanted))]
    if not priced:
        return NotOnSale("invalid_option", f"{found[0].code} is not sold in {wanted.currency}.", "currency")
    eligible = [(price, each) for price, each in priced if not each.plans or wanted.plan in each.plans]
    if not eligible:
        plan = f"the plan {wanted.plan!r}" if wanted.plan else "a customer without a plan"
        return NotOnSale("plan_not_eligible", f"{priced[0][1].code} is not sold to {plan}.", "plan")
    price, pack = min(eligible, key=lambda each: (each[0].minor, each[1].code))
    if pack.unit != unit.code:
        return NotOnSale("unit_mismatch", f"{pack.code} is in {pack.unit}, the wallet in {unit.code}.", "wallet")
    return _sold(pack, price)


def _fits(pack: Pack, unit: ServiceUnit, wanted: Wanted) -> bool:
    if wanted.pack is not None:
        return pack.code == wanted.pack and wanted.quantity in (None, pack.quantity)
    return pack.quantity == wanted.quantity and pack.unit == unit.code


def _price(pack: Pack, wanted: Wanted) -> Money | None:
    if wanted.currency:
        return pack.price_in(wanted.currency)
    return pack.prices[0] if len(pack.prices) == 1 else None


def _sold(pack: Pack, price: Money) -> Offer:
    return Offer(
        quantity=pack.quantity,
        net=price,
        fee_minor=fee_of(price.minor, pack.fee_bp),
        pack=pack.code,
        pack_version=pack.version,
        expires_after_s=pack.expires_after_s,
        priority=pack.priority,
        features=pack.features,
    )


def fee_of(net_minor: int, rate_bp: int) -> int:
    """Give what is charged on top of a price: rounded half up to a minor unit."""
    return (net_minor * rate_bp + BASIS // 2) // BASIS


def with_surcharge(sold: Offer, policy: PurchasePolicy, country: str | None) -> Offer:
    """Give an offer as it is for whoever pays by a card of this country. None is a card, or a means, of no country."""
    if country is None or country in policy.home_countries:
        return sold
    return replace(sold, fee_minor=sold.fee_minor + fee_of(sold.net.minor, policy.foreign_card_bp))


def _custom(policy: PurchasePolicy, unit: ServiceUnit, wanted: Wanted) -> Offer | NotOnSale:
    """Sell a size that is no pack, where the policy allows it. Whole units only, so that the price is exact."""
    quantity = wanted.quantity
    if wanted.pack is not None or quantity is None:
        size = " of that size" if quantity else ""
        return NotOnSale("invalid_option", f"There is no pack {wanted.pack!r} on sale{size}.", "pack")
    rules = [each for each in policy.custom if each.unit == unit.code]
    rule = next((each for each in rules if wanted.currency in (None, each.price.currency)), None)
    asked = f"{plain(quantity, unit.scale)} {unit.code}"
    if rule is None:
        return NotOnSale("invalid_option", f"No pack on sale holds {asked}.", "credits")
    whole, rest = divmod(quantity, unit.one)
    if rest or not rule.least <= whole <= rule.most:
        sentence = f"{asked} can't be bought; choose a whole number from {rule.least} to {rule.most}."
        return NotOnSale("invalid_option", sentence, "credits")
    net = Money(whole * rule.price.minor, rule.price.currency)
    return Offer(quantity, net, fee_of(net.minor, rule.fee_bp), expires_after_s=rule.expires_after_s)
