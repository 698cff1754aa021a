"""Service units: what a wallet counts. Declared once; what a unit means is pinned for ever."""

from counterfoil.core.money import ServiceUnit
from counterfoil.engine.house import House
from counterfoil.store import accounts
from counterfoil.store.database import Tx


class UnitDiffers(Exception):
    """A unit of this code was declared before with another scale or face value. Declare a unit under a new code."""

    code = "unit_differs"


def declare_unit(house: House, tenant: str, wanted: ServiceUnit) -> bool:
    """Declare a unit and say whether it is new. Declaring the same again changes nothing. Raises UnitDiffers."""

    def work(tx: Tx) -> bool:
        new = accounts.unit(tx, wanted.code) is None
        if new:
            accounts.declare_unit(tx, wanted)
        if accounts.unit(tx, wanted.code) != wanted:
            raise UnitDiffers(str(UnitDiffers.__doc__))
        return new

    return house.transact(tenant, work)
