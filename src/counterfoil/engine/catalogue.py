"""What a tenant sells: packs and the policy of purchases, declared as data. A version once declared never changes."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from counterfoil.core.catalogue import Catalogue, Pack, PurchasePolicy
from counterfoil.engine.house import House
from counterfoil.store import accounts, catalogue
from counterfoil.store.database import Tx


class PackDiffers(Exception):
    """A pack's code was given twice, or its unit is not declared. Name each pack once, in a declared unit."""

    code = "pack_differs"


@dataclass(frozen=True, slots=True)
class Declared:
    """What is on sale after a declaration, and the codes of the packs whose version is new."""

    catalogue: Catalogue
    added: tuple[str, ...]


def declare(house: House, tenant: str, packs: Iterable[Pack], policy: PurchasePolicy | None) -> Declared:
    """Declare packs and, when given, the policy. What says nothing new stays as it is; declaring twice is once.

    Raises PackDiffers.
    """
    wanted = tuple(packs)
    if len({each.code for each in wanted}) < len(wanted):
        raise PackDiffers(str(PackDiffers.__doc__))

    def work(tx: Tx) -> Declared:
        accounts.lock_setup(tx)
        held = {each.code: each for each in catalogue.packs(tx)}
        added = [each.code for each in wanted if _declare(tx, house, held.get(each.code), each)]
        _hold_to(tx, house, policy)
        return Declared(catalogue.read(tx), tuple(added))

    return house.transact(tenant, work)


def _declare(tx: Tx, house: House, held: Pack | None, wanted: Pack) -> bool:
    if accounts.unit(tx, wanted.unit) is None:
        raise PackDiffers(str(PackDiffers.__doc__))
    version = held.version if held else 0
    if held == replace(wanted, version=version):
        return False
    catalogue.put_pack(tx, replace(wanted, version=version + 1), house.clock.now())
    return True


def _hold_to(tx: Tx, house: House, wanted: PurchasePolicy | None) -> None:
    held = catalogue.policy(tx)
    if wanted and replace(wanted, version=held.version) != held:
        catalogue.put_policy(tx, replace(wanted, version=held.version + 1), house.clock.now())
