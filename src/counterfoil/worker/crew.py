"""The hands of a worker: flows run their phases side by side, and those that wait for the same kind of phase take it
together.

Provider calls run on threads of their own, so that a slow provider does not keep the database idle.
"""

import threading
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Final

import structlog

from counterfoil.engine.claims import begin, give_back, heartbeat
from counterfoil.engine.house import House
from counterfoil.engine.lanes import Lane, Limits, Waiting, pending
from counterfoil.engine.phases import Phase
from counterfoil.engine.together import TOGETHER, take
from counterfoil.engine.upkeep import Growth, look_again
from counterfoil.store.database import CommitUnknown, DatabaseUnavailable
from counterfoil.store.upkeep import DECIDED
from counterfoil.store.work import Claim, LeaseLost

log = structlog.get_logger("counterfoil.worker")

LANE_THREADS: Final = 4
HANDS: Final = 2
"""How many batches of one kind and tenant are under way at a time: one thinks while Postgres works on the other."""
AHEAD: Final = 1
"""How many rounds may be under way while more is claimed, so that nothing waits for a round's slowest flow."""
LIMITS: Final = Limits(batch=100)


class Round:
    """Claims that are worked on together, and how many of their flows have not ended."""

    def __init__(self, flows: int) -> None:
        self._left = flows
        self._lock = threading.Lock()
        self._over = threading.Event()

    def ended(self) -> None:
        """Note that a flow has ended."""
        with self._lock:
            self._left -= 1
            if self._left == 0:
                self._over.set()

    def wait(self, timeout_s: float) -> bool:
        """Wait until every flow has ended. False when the time was up first."""
        return self._over.wait(timeout_s)


class Crew:
    """Works on claims, so many provider calls at once. Close it, or leave its `with` block."""

    def __init__(self, house: House, threads: int) -> None:
        self._house = house
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="worker")
        self._writers = ThreadPoolExecutor(LANE_THREADS, thread_name_prefix="worker-lane")
        self._growth = Growth()
        self._opening = threading.Lock()
        self._lanes: dict[tuple[type, str], Lane[Flow, Phase | None]] = {}
        self._rounds: list[tuple[Round, Sequence[Claim]]] = []

    def close(self) -> None:
        """Finish what is under way, and give the threads up."""
        self.wait()
        self._threads.shutdown(wait=True)
        self._writers.shutdown(wait=True)

    def __enter__(self) -> "Crew":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def work_on(self, claims: Sequence[Claim]) -> None:
        """Run the flow of each claim to its end, and keep the leases alive meanwhile."""
        self.begin(claims)
        self.wait()

    def begin(self, claims: Sequence[Claim]) -> None:
        """Begin with claims. Their leases are kept alive by whoever waits."""
        under_way = Round(len(claims))
        self._rounds.append((under_way, claims))
        self._go_on([Flow(under_way, each, begin(each)) for each in claims])

    def wait(self, ahead: int = 0) -> bool:
        """Wait until at most so many rounds are under way, the oldest first. False when there was nothing to wait for.

        Without a database the leases run out, and whoever claims next is told by the fence.
        """
        waited = False
        while len(self._rounds) > ahead:
            under_way, claims = self._rounds[0]
            while not under_way.wait(self._house.settings.lease.total_seconds() / 3):
                with suppress(DatabaseUnavailable, CommitUnknown):
                    heartbeat(self._house, [each for _, some in self._rounds for each in some])
            del self._rounds[0]
            waited = True
            if self._growth.note(len(claims)):
                self._threads.submit(look_again, self._house, DECIDED)
        return waited

    def _go_on(self, flows: Sequence["Flow"]) -> None:
        """Let flows go on: those that stand before the same kind of phase go side by side, so that they share it."""
        alike: dict[tuple[type, str], list[Flow]] = defaultdict(list)
        for each in flows:
            alike[type(each.phase), each.claim.tenant].append(each)
        for (kind, tenant), some in alike.items():
            if kind not in TOGETHER or not self._lane(kind, tenant).put_all([self._waiting(each) for each in some]):
                for each in some:
                    self._threads.submit(self._step, each)

    def _lane(self, kind: type, tenant: str) -> "Lane[Flow, Phase | None]":
        with self._opening:
            if (kind, tenant) not in self._lanes:
                self._lanes[kind, tenant] = Lane(self._take, self._writers, LIMITS, self._deliver, HANDS)
            return self._lanes[kind, tenant]

    def _take(self, flows: Sequence["Flow"]) -> Sequence[Phase | None]:
        return take(self._house, [each.phase for each in flows])

    def _waiting(self, flow: "Flow") -> "Waiting[Flow, Phase | None]":
        answer: Future[Phase | None] = pending()
        # Only what fails is answered here. In a thread of its own: giving back waits, and the lane must not.
        answer.add_done_callback(lambda done: self._threads.submit(self._fail, flow, done.exception()))
        return Waiting(flow, 0, answer)

    def _deliver(self, batch: "Sequence[Waiting[Flow, Phase | None]]", answers: Sequence[Phase | None]) -> None:
        flows = [each.item for each in batch]
        self._go_on([flow.at(phase) for flow, phase in zip(flows, answers, strict=True) if phase is not None])
        for flow, phase in zip(flows, answers, strict=True):
            if phase is None:
                flow.under_way.ended()

    def _step(self, flow: "Flow") -> None:
        try:
            following = flow.phase.run(self._house)
        except Exception as error:
            self._fail(flow, error)
        else:
            if following is None:
                flow.under_way.ended()
            else:
                self._go_on([flow.at(following)])

    def _fail(self, flow: "Flow", error: BaseException | None) -> None:
        """End a flow that failed: whatever went wrong, its items come back; after a bound they are parked."""
        try:
            for each in flow.claims:
                tell_failure(each, error)
                if not isinstance(error, LeaseLost):
                    give_back(self._house, each)
        except Exception:
            log.exception("give_back_failed", queue=flow.claim.queue, id=flow.claim.id)
        finally:
            flow.under_way.ended()


@dataclass(frozen=True, slots=True)
class Flow:
    """A flow on its way: the round that it belongs to, the claim that it began with, and the phase that comes next."""

    under_way: Round
    claim: Claim
    phase: Phase

    def at(self, phase: Phase) -> "Flow":
        """Give the flow one phase further."""
        return Flow(self.under_way, self.claim, phase)

    @property
    def claims(self) -> tuple[Claim, ...]:
        """The claims that are left in it: with its own done, a flow goes on with those that share its look."""
        return (getattr(self.phase, "claim", self.claim), *getattr(self.phase, "companions", ()))


def tell_failure(claim: Claim, error: BaseException | None) -> None:
    """Log how the work on a claim ended."""
    if isinstance(error, LeaseLost):
        log.info("lease_lost", queue=claim.queue, id=claim.id)
    else:
        log.error("flow_failed", queue=claim.queue, id=claim.id, attempts=claim.attempts, exc_info=error)
