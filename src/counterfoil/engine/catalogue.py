"""What a tenant sells: packs and the policy of purchases, declared as data. A version once declared never changes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from counterfoil.core.catalogue import Catalogue, CustomAmounts, Pack, PurchasePolicy
from counterfoil.core.money import CURRENCIES, Money, ServiceUnit, parse_decimal
from counterfoil.engine.house import House
from counterfoil.engine.units import declare_unit
from counterfoil.store import accounts, catalogue
from counterfoil.store.database import Tx


class PackDiffers(Exception):
    """A pack's code was given twice, or its unit is not declared. Name each pack once, in a declared unit."""

    code = "pack_differs"


class CatalogueUnreadable(Exception):
    """A catalogue does not say what it has to, or says it in another form. Correct the part that is named."""

    code = "catalogue_unreadable"


@dataclass(frozen=True, slots=True)
class Declared:
    """What is on sale after a declaration, and the codes of the packs whose version is new."""

    catalogue: Catalogue
    added: tuple[str, ...]


def declare(house: House, tenant: str, document: Mapping[str, Any]) -> Declared:
    """Declare units, packs and, when given, the policy. What says nothing new stays as it is; declaring twice is once.

    Raises CatalogueUnreadable, PackDiffers, UnitDiffers.
    """
    for each in document.get("units", ()):
        declare_unit(house, tenant, _unit(each))

    def work(tx: Tx) -> Declared:
        accounts.lock_setup(tx)
        wanted = [_pack(tx, each) for each in document.get("packs", ())]
        if len({each.code for each in wanted}) < len(wanted):
            raise PackDiffers(str(PackDiffers.__doc__))
        held = {each.code: each for each in catalogue.packs(tx)}
        added = [each.code for each in wanted if _declare(tx, house, held.get(each.code), each)]
        _hold_to(tx, house, _policy(document["policy"]) if document.get("policy") else None)
        return Declared(catalogue.read(tx), tuple(added))

    return house.transact(tenant, work)


def _declare(tx: Tx, house: House, held: Pack | None, wanted: Pack) -> bool:
    version = held.version if held else 0
    if held == replace(wanted, version=version):
        return False
    catalogue.put_pack(tx, replace(wanted, version=version + 1), house.clock.now())
    return True


def _hold_to(tx: Tx, house: House, wanted: PurchasePolicy | None) -> None:
    held = catalogue.policy(tx)
    if wanted and replace(wanted, version=held.version) != held:
        catalogue.put_policy(tx, replace(wanted, version=held.version + 1), house.clock.now())


# --- the document, as a file or a request brings it ---


@contextmanager
def _reading(what: str) -> Iterator[None]:
    """Say which part of a document can't be read."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CatalogueUnreadable(f"{what}: {error}") from error


def _unit(data: Mapping[str, Any]) -> ServiceUnit:
    with _reading("unit"):
        face = data.get("face")
        return ServiceUnit(
            str(data["code"]), int(data["scale"]), face["amount"] if face else None, face["currency"] if face else None
        )


def _pack(tx: Tx, data: Mapping[str, Any]) -> Pack:
    with _reading("pack"):
        unit = accounts.unit(tx, data["unit"])
        if unit is None:
            raise PackDiffers(str(PackDiffers.__doc__))
        quantity = parse_decimal(data["credits"], unit.scale)
        if quantity <= 0:
            raise ValueError("a pack holds more than zero credits")
        return Pack(
            code=data["code"],
            version=0,
            unit=unit.code,
            quantity=quantity,
            prices=tuple(_money(each) for each in data["prices"]),
            name=data.get("name", ""),
            fee_bp=data.get("fee_bp", 0),
            expires_after_s=data.get("expires_after_s"),
            priority=data.get("priority", 50),
            features=tuple(data.get("features", ())),
            plans=tuple(data.get("plans", ())),
            on_sale=data.get("on_sale", True),
        )


def _policy(data: Mapping[str, Any]) -> PurchasePolicy:
    with _reading("policy"):
        return PurchasePolicy(
            custom=tuple(
                CustomAmounts(
                    each["unit"],
                    _money(each["price"]),
                    each["least"],
                    each["most"],
                    each.get("fee_bp", 0),
                    each.get("expires_after_s"),
                )
                for each in data.get("custom", ())
            ),
            caps=tuple(_money(each) for each in data.get("caps", ())),
            needs_provider_customer=data.get("needs_provider_customer", False),
            stopped=data.get("stopped", False),
            needs_verified_email=data.get("needs_verified_email", False),
            gives_up_after_s=data.get("gives_up_after_s", PurchasePolicy().gives_up_after_s),
            home_countries=tuple(data.get("home_countries", ())),
            foreign_card_bp=data.get("foreign_card_bp", 0),
            blocks_disputed=data.get("blocks_disputed", False),
        )


def _money(data: Mapping[str, Any]) -> Money:
    if data["currency"] not in CURRENCIES or int(data["amount"]) <= 0:
        raise ValueError(f"{dict(data)} is no price")
    return Money(data["amount"], data["currency"])
