"""The worker's loop: claim a batch, run each flow to its end, keep the leases alive meanwhile, sleep when idle.

Any number of workers may run, in any number of processes: a claim is fenced by its token, so no two
write for one item.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass

import structlog

from counterfoil.engine.claims import begin, claim_due, give_back, heartbeat
from counterfoil.engine.house import House
from counterfoil.engine.phases import run
from counterfoil.store.database import DatabaseUnavailable
from counterfoil.store.work import Claim, LeaseLost

log = structlog.get_logger("counterfoil.worker")

IDLE_S = 0.2
TROUBLE_S = 1.0


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
    with ThreadPoolExecutor(pace.threads, thread_name_prefix="worker") as pool:
        while not stop.is_set():
            try:
                if before:
                    before()
                busy = round_of_work(house, pool)
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


def round_of_work(house: House, pool: ThreadPoolExecutor) -> bool:
    """Claim what is due and work through it. False when nothing was due."""
    claims = claim_due(house)
    if not claims:
        return False
    left = {pool.submit(work_on, house, claim): claim for claim in claims}
    interval = house.settings.lease.total_seconds() / 3
    while left:
        done, _ = wait(left, timeout=interval)
        for each in done:
            left.pop(each)
        if left:
            heartbeat(house, list(left.values()))
    return True


def work_on(house: House, claim: Claim) -> None:
    """Run the flow of one claim. Whatever goes wrong, the item comes back; after a bound it is parked."""
    try:
        run(house, begin(claim))
    except LeaseLost:
        log.info("lease_lost", queue=claim.queue, id=claim.id)
    except Exception:
        # The outer loop: the item stays on the queue, and the next try finds it as it was.
        log.exception("flow_failed", queue=claim.queue, id=claim.id, attempts=claim.attempts)
        give_back(house, claim)
