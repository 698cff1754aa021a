"""The flow of upkeep: what is kept for a while only is dropped page by page, one tenant at a time.

Bodies ─→ … ─→ Keys ─→ … ─→ Rest

Each page is one short transaction under the claim's fence, so that of many workers one does it, and news that comes in
meanwhile does not wait. Ages are business time.
"""

from dataclasses import dataclass
from typing import Final

import structlog

from counterfoil.engine.house import House
from counterfoil.engine.phases import Phase
from counterfoil.store import directory, retention, work
from counterfoil.store.database import Tx
from counterfoil.store.work import Claim, Queue

log = structlog.get_logger("counterfoil.upkeep")

PAGE: Final = 500
"""How many rows one transaction looks at."""


def schedule(house: House) -> None:
    """See that upkeep, revenue and reconciliation of every tenant have their turn. Doing it again changes nothing."""
    with house.database.owner("") as tx:
        tenants = [each.id for each in directory.tenants(tx)]
    with house.database.claims() as tx:
        for queue in (Queue.UPKEEP, Queue.REVENUE, Queue.RECONCILE):
            work.enqueue_tenants(tx, queue, tenants, house.clock.now())


@dataclass(frozen=True, slots=True)
class Dropped:
    """What a run has dropped so far."""

    bodies: int = 0
    keys: int = 0


@dataclass(frozen=True, slots=True)
class Bodies:
    """Drop one page of raw bodies. Those of erased customers go first, whatever their age."""

    claim: Claim
    after: str = ""
    dropped: Dropped = Dropped()
    name = "bodies"

    def run(self, house: House) -> Phase | None:
        """One transaction."""
        return house.transact(self.claim.tenant, lambda tx: self._drop(tx, house))

    def _drop(self, tx: Tx, house: House) -> Phase:
        work.fence(tx, self.claim)
        erased = retention.drop_bodies_of_erased(tx, PAGE)
        before = house.clock.now() - house.settings.keep_bodies
        page = retention.drop_bodies(tx, self.after, before, PAGE)
        sent = retention.drop_sent(tx, before, PAGE)
        dropped = Dropped(self.dropped.bodies + erased + sent + page.dropped, self.dropped.keys)
        if page.last or PAGE in (erased, sent):
            return Bodies(self.claim, page.last or self.after, dropped)
        return Keys(self.claim, dropped=dropped)


@dataclass(frozen=True, slots=True)
class Keys:
    """Drop one page of commands' keys and answers."""

    claim: Claim
    after: str = ""
    dropped: Dropped = Dropped()
    name = "keys"

    def run(self, house: House) -> Phase | None:
        """One transaction."""
        return house.transact(self.claim.tenant, lambda tx: self._drop(tx, house))

    def _drop(self, tx: Tx, house: House) -> Phase:
        work.fence(tx, self.claim)
        before = house.clock.now() - house.settings.keep_keys
        page = retention.drop_keys(tx, self.after, before, PAGE)
        dropped = Dropped(self.dropped.bodies, self.dropped.keys + page.dropped)
        return Keys(self.claim, page.last, dropped) if page.last else Rest(self.claim, dropped)


@dataclass(frozen=True, slots=True)
class Rest:
    """Remember what was dropped, and come again later."""

    claim: Claim
    dropped: Dropped
    name = "rest"

    def run(self, house: House) -> Phase | None:
        """One transaction."""
        house.transact(self.claim.tenant, lambda tx: self._rest(tx, house))
        log.info(
            "retention",
            tenant=self.claim.tenant,
            bodies_dropped=self.dropped.bodies,
            keys_dropped=self.dropped.keys,
        )
        return None

    def _rest(self, tx: Tx, house: House) -> None:
        work.fence(tx, self.claim)
        now = house.clock.now()
        retention.note(tx, now, self.dropped.bodies, self.dropped.keys)
        work.postpone(tx, self.claim, now + house.settings.upkeep_every)
