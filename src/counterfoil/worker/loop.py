"""The worker's loop: claim a batch, run each flow to its end, keep the leases alive meanwhile, sleep when idle.

Any number of workers may run, in any number of processes: a claim is fenced by its token, so no two
write for one item.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

import structlog

from counterfoil.engine.claims import begin, claim_due, give_back
from counterfoil.engine.house import House
from counterfoil.engine.phases import run
from counterfoil.engine.retention import schedule
from counterfoil.store.database import DatabaseUnavailable
from counterfoil.store.work import Claim, LeaseLost
from counterfoil.worker.crew import AHEAD, Crew, tell_failure

log = structlog.get_logger("counterfoil.worker")

IDLE_S = 0.2
TROUBLE_S = 1.0
SCHEDULE_S = 300.0
"""How often it is seen to that every tenant's upkeep has its turn: new tenants come while workers run."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How a worker works: threads at once, and how long it sleeps when nothing is due or something is wrong."""

    threads: int = 4
    idle_s: float = IDLE_S
    trouble_s: float = TROUBLE_S


def work_until(
    house: House, stop: threading.Event, pace: Pace | None = None, before: Callable[[], None] | None = None
) -> None:
    """Work until told to stop. What is under way is finished first. `before` runs before every round."""
    pace = pace or Pace()
    upkeep = Upkeep()
    with Crew(house, pace.threads) as crew:
        while not stop.is_set():
            try:
                if before:
                    before()
                upkeep.see_to(house)
                busy = round_of_work(house, crew)
            except DatabaseUnavailable as error:
                log.warning("database_unavailable", error=str(error))
                stop.wait(pace.trouble_s)
                continue
            except Exception:
                log.exception("round_failed")
                stop.wait(pace.trouble_s)
                continue
            if not busy:
                stop.wait(pace.idle_s)


class Upkeep:
    """Sees to it now and then that every tenant's upkeep is scheduled."""

    def __init__(self) -> None:
        self._seen_to_at = -SCHEDULE_S

    def see_to(self, house: House) -> None:
        """Schedule what is not, unless that was looked at a moment ago."""
        if monotonic() - self._seen_to_at >= SCHEDULE_S:
            schedule(house)
            self._seen_to_at = monotonic()


def round_of_work(house: House, crew: Crew) -> bool:
    """Claim what is due and work on it, a round ahead of its end. False when nothing is due and nothing under way."""
    claims = claim_due(house)
    if not claims:
        return crew.wait()
    crew.begin(claims)
    crew.wait(AHEAD)
    return True


def work_on(house: House, claim: Claim) -> None:
    """Run the flow of one claim by itself. Whatever goes wrong, the item comes back; after a bound it is parked."""
    try:
        run(house, begin(claim))
    except LeaseLost as lost:
        tell_failure(claim, lost)
    except Exception as error:
        # The outer loop: the item stays on the queue, and the next try finds it as it was.
        tell_failure(claim, error)
        give_back(house, claim)
