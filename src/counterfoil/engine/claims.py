"""Claims what is due, and chooses the flow of each claim."""

import contextlib
from collections.abc import Sequence

from counterfoil.engine import delivering, dispatch, mailing, notices, papers, recognition, reconcile, retention, runs
from counterfoil.engine.house import House
from counterfoil.engine.notices import backoff
from counterfoil.engine.phases import Phase
from counterfoil.store import work
from counterfoil.store.database import CommitUnknown, DatabaseUnavailable
from counterfoil.store.work import Claim, Queue


def claim_due(house: House) -> list[Claim]:
    """Claim what is due of every queue, up to a batch of each."""
    settings = house.settings
    with house.database.claims() as tx:
        now, wall = house.clock.now(), house.clock.wall()
        return [each for queue in Queue for each in work.claim(tx, queue, now, wall, settings.lease, settings.batch)]


def begin(claim: Claim) -> Phase:
    """Give the first phase of a claim's flow."""
    match claim.queue:
        case Queue.INBOX:
            return notices.Open(claim)
        case Queue.ORDER:
            return dispatch.Take(claim)
        case Queue.SWEEP:
            return reconcile.List(claim)
        case Queue.UPKEEP:
            return retention.Bodies(claim)
        case Queue.REVENUE:
            return recognition.Holds(claim)
        case Queue.RECEIPT:
            return papers.Receipt(claim)
        case Queue.DELIVERY:
            return delivering.Take(claim)
        case Queue.RECONCILE:
            return runs.first(claim)
        case Queue.MAIL:
            return mailing.Write(claim)


def heartbeat(house: House, claims: Sequence[Claim]) -> None:
    """Extend the leases of claims that are still being worked on."""
    with house.database.claims() as tx:
        work.extend(tx, claims, house.clock.wall() + house.settings.lease)


def give_back(house: House, claim: Claim) -> None:
    """Give a claim whose flow failed back, to be tried again after a pause. Without a database its lease runs out."""
    with contextlib.suppress(DatabaseUnavailable, CommitUnknown), house.database.transaction(claim.tenant) as tx:
        work.count_failure(tx, claim)
        work.postpone(tx, claim, house.clock.now() + backoff(house, claim.failures + 1))
