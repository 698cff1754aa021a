"""Who uses what was bought: spends and holds through the door, keys sent again, answers that got lost on the way."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from counterfoil.core.money import USD_CREDIT, plain
from counterfoil.core.spending import Refusal
from counterfoil.engine.flush import Answer, Held
from counterfoil.engine.pending import Pending
from counterfoil.engine.spends import HoldRequest, SettleRequest, Spender, SpendRequest
from counterfoil.sim.chance import Choices
from counterfoil.sim.marks import Mark
from counterfoil.sim.people import KeyBroken, People
from counterfoil.sim.site import Site
from counterfoil.store.database import CommitUnknown
from counterfoil.store.spends import Spend

AMOUNTS: Final = ("1", "4.5", "0.000001", "12", "30")
USED: Final = ("1", "0", "4", "40")
PLANS: Final = ((), (), ("pro",), ("pro", "family"))
"""The plans that uses belong to: mostly none."""
LASTS_S: Final = (60, 600, 7200)
LATE: Final = timedelta(minutes=30)
TOGETHER: Final = 3
TRIES: Final = 10

Command = Callable[[], Pending[Answer]]


@dataclass(slots=True)
class Uses:
    """The application's machines, and what they were told. The door is theirs alone: worlds share nothing."""

    site: Site
    people: People
    choices: Choices
    marks: Counter[Mark]
    door: Spender = field(init=False)
    sent: list[SpendRequest] = field(default_factory=list)
    held: list[HoldRequest] = field(default_factory=list)
    holds: list[str] = field(default_factory=list)
    spent: list[str] = field(default_factory=list)
    accepted: dict[str, str] = field(default_factory=dict)
    ended: dict[str, str] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)
    """What a wallet held, as the last answer about it told."""

    def __post_init__(self) -> None:
        self.door = Spender(self.site.house)

    def acts(self) -> list[tuple[int, Callable[[], str]]]:
        """Give what may be done now, with its weight."""
        if not self.people.wallets:
            return []
        acts: list[tuple[int, Callable[[], str]]] = [(6, self.use), (2, self.use_together), (4, self.hold)]
        if self.sent:
            acts.append((4, self.use_again))
        if self.spent:
            acts.append((2, self.correct))
        if any(left > 0 for left in self.left.values()):
            acts.append((3, self.use_up))
        if self.holds:
            acts += [(4, self.settle), (2, self.release)]
        if self.held:
            acts.append((1, self.hold_again))
        return acts

    # --- uses ---

    def use(self) -> str:
        """One use, sometimes of a while ago."""
        request = self._new_use()
        return f"use {request.amount}: {self._spend(request)}"

    def use_up(self) -> str:
        """All that is left of a wallet, as far as anybody knows."""
        wallet = self.choices.pick(sorted(wallet for wallet, left in self.left.items() if left > 0))
        request = self._asked_of(wallet, plain(self.left[wallet], USD_CREDIT.scale))
        return f"use up {request.amount}: {self._spend(request)}"

    def use_again(self) -> str:
        """The same use once more, whether it was accepted, refused or never answered."""
        request = self.choices.pick(self.sent)
        return f"use again {request.key}: {self._spend(request)}"

    def use_together(self) -> str:
        """Several uses in one request, of which one may have been sent before."""
        requests = [self._new_use() for _ in range(TOGETHER)]
        if self.choices.chance(40):
            requests.append(self.choices.pick(self.sent))
        for _ in range(TRIES):
            try:
                answers = self.door.spend_all(self.site.tenant, requests).result()
            except CommitUnknown:
                continue
            self.marks[Mark.SHARED_FLUSH] += sum(type(each) is Spend and not each.replayed for each in answers) > 1
            told = [self._heard(request.key or "", each) for request, each in zip(requests, answers, strict=True)]
            return f"use together: {', '.join(told)}"
        return "use together: no answer"

    def _new_use(self) -> SpendRequest:
        _, wallet = self.choices.pick(self.people.wallets)
        at = self._now() - LATE if self.choices.chance(15) else None
        return self._asked_of(wallet, self.choices.pick(AMOUNTS), at)

    def _asked_of(self, wallet: str, amount: str, at: datetime | None = None) -> SpendRequest:
        key = f"use-{len(self.sent)}"
        pools = self.choices.pick(PLANS)
        self.sent.append(SpendRequest(key=key, wallet=wallet, amount=amount, pools=pools, occurred_at=at))
        return self.sent[-1]

    def _spend(self, request: SpendRequest) -> str:
        answer = self._ask(lambda: self.door.spend(self.site.tenant, request))
        return self._heard(request.key or "", answer) if answer else "no answer"

    def correct(self) -> str:
        """A use did not happen, or not all of it: it is taken back, whatever came of its lots meanwhile."""
        spend, amount = self.choices.pick(self.spent), self.choices.pick((None, "1", "0.000001"))
        told = self.people.send("correct", lambda key: self.people.desk.correct(spend, amount, key))
        return f"correct {amount or 'all'}: {told}"

    # --- holds ---

    def hold(self) -> str:
        """Reserve credits for a use that comes."""
        _, wallet = self.choices.pick(self.people.wallets)
        amount, lasts = self.choices.pick(AMOUNTS), self.choices.pick(LASTS_S)
        key = f"hold-{len(self.held)}"
        pools = self.choices.pick(PLANS)
        self.held.append(HoldRequest(key=key, wallet=wallet, amount=amount, pools=pools, expires_in_s=lasts))
        return f"hold {amount} for {lasts} s: {self._place(self.held[-1])}"

    def hold_again(self) -> str:
        """The same hold once more."""
        request = self.choices.pick(self.held)
        return f"hold again {request.key}: {self._place(request)}"

    def _place(self, request: HoldRequest) -> str:
        answer = self._ask(lambda: self.door.hold(self.site.tenant, request))
        if isinstance(answer, Held) and answer.hold.id not in self.holds:
            self.holds.append(answer.hold.id)
        return self._heard(request.key or "", answer) if answer else "no answer"

    def settle(self) -> str:
        """Say what was used of a hold: less, as much or more, whatever became of it meanwhile."""
        hold, amount = self.choices.pick(self.holds), self.choices.pick(USED)
        request = SettleRequest(amount=amount, if_more=self.choices.pick(("draw", "refuse")))
        return f"settle {amount}: {self._end(hold, lambda: self.door.settle(self.site.tenant, hold, request))}"

    def release(self) -> str:
        """Let a hold go, whatever became of it meanwhile."""
        hold = self.choices.pick(self.holds)
        return f"release: {self._end(hold, lambda: self.door.release(self.site.tenant, hold))}"

    def _end(self, hold: str, command: Command) -> str:
        answer = self._ask(command)
        if not isinstance(answer, Held):
            return answer.code if isinstance(answer, Refusal) else "no answer"
        told = f"{answer.hold.status} {answer.hold.settled}"
        first = self.ended.setdefault(hold, told)
        if first != told:
            raise KeyBroken(f"I24: {hold} had ended as {first} and ended as {told}")
        return told

    # --- answers ---

    def _ask(self, command: Command) -> Answer | None:
        """Ask the door. When the answer is lost the same is asked again, as a careful client does."""
        for _ in range(TRIES):
            try:
                return command().result()
            except CommitUnknown:
                continue
        return None

    def _heard(self, key: str, answer: Answer) -> str:
        """Compare with what was heard before: what was accepted once is accepted for ever, and as it was."""
        if isinstance(answer, Refusal):
            if key in self.accepted:
                raise KeyBroken(f"I24: {key} was accepted and then refused: {answer.code}")
            self.marks[Mark.USE_REFUSED] += answer.code == "insufficient_credits"
            self.marks[Mark.PLAN_USED_UP] += answer.code == "allowance_used_up"
            return answer.code
        told = _told(answer)
        if isinstance(answer, Spend) and answer.id not in self.spent:
            self.spent.append(answer.id)
        first = self.accepted.setdefault(key, told)
        if first != told:
            raise KeyBroken(f"I24: {key} was answered {first} and then {told}")
        self.marks[Mark.USE_REPLAYED] += answer.replayed
        if isinstance(answer, Spend) and not answer.replayed:
            self.left[answer.wallet] = answer.balance_after
        return f"accepted{' before' if answer.replayed else ''}"

    def _now(self) -> datetime:
        return self.site.clock.now()


def _told(answer: Spend | Held) -> str:
    if isinstance(answer, Spend):
        return repr((answer.id, answer.draws, answer.balance_after, answer.occurred_at, answer.recorded_at))
    hold = answer.hold
    return repr((hold.id, hold.amount, hold.reserved, hold.expires_at))
