"""Workers whose flows move one phase at a time, in any order, and may stop existing between any two phases."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from counterfoil.engine import claims
from counterfoil.engine.house import House
from counterfoil.engine.phases import Phase
from counterfoil.engine.together import TOGETHER, take
from counterfoil.store.database import CommitUnknown
from counterfoil.store.work import Claim, LeaseLost

READS_ONLY: Final = frozenset({"fetch", "send", "ask", "list_changes", "post"})
"""Phases that are one provider call: nothing of ours changes in them."""


class Step(StrEnum):
    """How one phase of a flow ended."""

    WENT_ON = "went on"
    ENDED = "ended"
    LEASE_LOST = "lease lost"
    COMMIT_UNKNOWN = "commit unknown"


@dataclass(slots=True)
class Flow:
    """A claim that is being worked on, and the phase that comes next."""

    claim: Claim
    phase: Phase

    @property
    def name(self) -> str:
        """What comes next."""
        return f"{self.claim.queue}.{self.phase.name}"

    @property
    def claims(self) -> tuple[Claim, ...]:
        """The claims that are left in it: a flow goes on with those that share its look."""
        return (getattr(self.phase, "claim", self.claim), *getattr(self.phase, "companions", ()))


@dataclass(slots=True)
class Worker:
    """One worker process: what it has claimed and not finished. Losing it loses its flows and nothing else."""

    house: House
    flows: list[Flow] = field(default_factory=list)

    def claim(self) -> int:
        """Claim what is due, and give how much that was."""
        due = claims.claim_due(self.house)
        self.flows += [Flow(each, claims.begin(each)) for each in due]
        return len(due)

    def step(self, flow: Flow) -> Step:
        """Run the next phase of a flow."""
        try:
            following = flow.phase.run(self.house)
        except LeaseLost:
            self.flows.remove(flow)
            return Step.LEASE_LOST
        except CommitUnknown:
            # As in the worker's loop: the flow goes back to the queue and starts again.
            self.flows.remove(flow)
            for each in flow.claims:
                claims.give_back(self.house, each)
            return Step.COMMIT_UNKNOWN
        return self._went_on(flow, following)

    def _went_on(self, flow: Flow, following: Phase | None) -> Step:
        if following is None:
            self.flows.remove(flow)
            return Step.ENDED
        flow.phase = following
        return Step.WENT_ON

    def alike(self) -> list[list[Flow]]:
        """Give the flows that stand before a phase which the worker takes together, kind by kind."""
        kinds: dict[type, list[Flow]] = {}
        for each in self.flows:
            kinds.setdefault(type(each.phase), []).append(each)
        return [flows for kind, flows in kinds.items() if kind in TOGETHER and len(flows) > 1]

    def step_together(self, flows: list[Flow]) -> list[Step]:
        """Run the next phase of several flows as one, as the worker does; when that fails, one by one."""
        try:
            following = take(self.house, [each.phase for each in flows])
        except (LeaseLost, CommitUnknown):
            return [self.step(each) for each in flows]
        return [self._went_on(flow, phase) for flow, phase in zip(flows, following, strict=True)]

    def crash(self) -> list[Flow]:
        """Die as by kill -9. Gives the flows that were cut."""
        cut, self.flows = self.flows, []
        return cut

    def work(self) -> int:
        """Claim and finish everything that is due; give the number of flows."""
        finished = 0
        while self.claim():
            for flow in list(self.flows):
                while self.step(flow) is Step.WENT_ON:
                    pass
                finished += 1
        return finished
