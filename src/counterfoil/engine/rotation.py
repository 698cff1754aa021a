"""Changes the master key: every secret is sealed again under the newest one, a few at a time, with everything running.

It may be stopped anywhere and run again: what is done is not done twice, and until the last box is done the older keys
stay noted as in use.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from counterfoil.engine.house import House
from counterfoil.store import directory, sealing

BATCH: Final = 50
"""How many boxes one transaction seals again."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it has come: boxes that are done, of all that were to be done when it began."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Rotated:
    """What was done: how many boxes were sealed again, by which key, and which keys are not needed any more."""

    resealed: int
    key: str
    retired: tuple[str, ...]


def rotate(house: House, tell: Callable[[Progress], None]) -> Rotated:
    """Seal every secret under the newest master key. Raises MasterKeyUnknown, SecretUnreadable."""
    with house.database.claims() as tx:
        sealing.check_keys(tx, house.box)
    tenants = _tenants(house)
    total = sum(_left(house, each) for each in tenants)
    tell(Progress(0, total))
    done = _reseal_all(house, tenants, lambda done: tell(Progress(min(done, total), total)))
    with house.database.claims() as tx:
        retired = sealing.forget_keys(tx, house.box)
    # What somebody sealed with an older key meanwhile. From here on, whoever does so notes that key again.
    done += _reseal_all(house, _tenants(house), lambda _: None)
    return Rotated(done, house.box.name, tuple(retired))


def _tenants(house: House) -> list[str]:
    with house.database.owner("") as tx:
        return [each.id for each in directory.tenants(tx)]


def _left(house: House, tenant: str) -> int:
    with house.database.transaction(tenant) as tx:
        return sealing.unsealed_by(tx, house.box)


def _reseal_all(house: House, tenants: list[str], tell: Callable[[int], None]) -> int:
    done = 0
    for tenant in tenants:
        while batch := house.transact(tenant, lambda tx: sealing.reseal(tx, house.box, BATCH, house.clock.wall())):
            done += batch
            tell(done)
    return done
