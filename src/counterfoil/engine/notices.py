"""The flow of an inbox row: open it, number and make an observation when its kind needs one, decide.

Open ─→ Number ─→ Fetch ─→ Decide
   └──────────────────────────↗ (news that needs no look)
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import structlog

from counterfoil.core.effects import Defer, Reason, Skip, Why, outcome_of
from counterfoil.core.facts import (
    Fact,
    IntentFact,
    MissingFact,
    Notice,
    ProviderInvoiceFact,
    Source,
    UnreadableFact,
    money_back_ref,
)
from counterfoil.core.ids import ProviderRef
from counterfoil.core.strangers import Hint, decide_gave_up, decide_quarantined, misrouted
from counterfoil.engine.answers import fix_answers
from counterfoil.engine.apply import Applied, apply
from counterfoil.engine.decide import FETCHED, Moment, Ruling, decide_news
from counterfoil.engine.house import House
from counterfoil.engine.phases import Phase
from counterfoil.providers.port import ProviderUnavailable
from counterfoil.store import accounts, inbox, work
from counterfoil.store.database import Row, Tx
from counterfoil.store.inbox import Observation
from counterfoil.store.work import Claim, LeaseLost

log = structlog.get_logger("counterfoil.decision")


@dataclass(frozen=True, slots=True)
class Seen:
    """What one numbered look at a provider object saw."""

    account: str
    kind: str
    ref: ProviderRef
    number: int
    fact: Fact
    session_ref: ProviderRef | None = None

    @property
    def is_shared(self) -> bool:
        """Say whether other news of the object may be decided by this look: when no rule asks which news it was."""
        return not isinstance(self.fact, MissingFact | UnreadableFact)


@dataclass(frozen=True, slots=True)
class Open:
    """Read the row and choose the way: a look at the provider, or straight to the decision."""

    claim: Claim
    name = "open"

    def run(self, house: House) -> Phase | None:
        """One transaction."""
        return house.transact(self.claim.tenant, lambda tx: self._open(tx, house))

    def _open(self, tx: Tx, house: House) -> Phase | None:
        row = inbox.get(tx, self.claim.id)
        if row is None or is_over(row):
            work.fence(tx, self.claim)
            work.finish(tx, self.claim)
            return None
        return way(house, self.claim, row, lambda account: accounts.served_by(tx, account))


def is_over(row: Row) -> bool:
    """Say whether a row has its decision."""
    return row["status"] in ("decided", "parked")


def way(house: House, claim: Claim, row: Row, served_by: Callable[[str], tuple[bool, str | None]]) -> "Number | Decide":
    """Choose what comes after opening a row that has no decision yet."""
    if claim.failures >= house.settings.tries_before_parking:
        return Decide(claim, gave_up=row["waiting_for"] or "it kept failing")
    astray = _misrouted(row, served_by)
    if astray:
        return Decide(claim, misrouted=astray)
    if row["subject_kind"] in GOES_BACK and str(row["subject_ref"]).startswith("pi_"):
        return Number(claim, row["account"], "money_back", money_back_ref(ProviderRef(row["subject_ref"])))
    if row["subject_kind"] in FETCHED and row["source"] != Source.TIMER:
        return Number(claim, row["account"], row["subject_kind"], ProviderRef(row["subject_ref"]))
    return Decide(claim)


GOES_BACK = frozenset({"refund", "dispute"})
"""Kinds of news about money that goes back. What is looked at is all that went back of the same payment."""


def _misrouted(row: Row, served_by: Callable[[str], tuple[bool, str | None]]) -> Reason | None:
    """Compare a webhook's mode and account with those that its endpoint serves."""
    if row["source"] != Source.WEBHOOK or not isinstance(row["detail"], Notice):
        return None
    livemode, connected_account = served_by(row["account"])
    return misrouted(row["detail"], livemode, connected_account)


@dataclass(frozen=True, slots=True)
class Number:
    """Take the number of the observation to come, committed before the look.

    `companions` are claims of other news of the same object, which share the look and are decided by it afterwards.
    """

    claim: Claim
    account: str
    kind: str
    ref: ProviderRef
    session_ref: ProviderRef | None = None
    companions: tuple[Claim, ...] = ()
    page: IntentFact | None = None
    """The payment as its hosted page showed it, with what only the page says."""
    name = "number"

    def run(self, house: House) -> Phase | None:
        """One transaction."""
        return self.numbered(
            house.transact(
                self.claim.tenant, lambda tx: inbox.number_observation(tx, self.account, self.kind, self.ref)
            )
        )

    def numbered(self, number: int) -> "Fetch":
        """Give the look that this number is for."""
        return Fetch(
            self.claim, self.account, self.kind, self.ref, number, self.session_ref, self.companions, self.page
        )


@dataclass(frozen=True, slots=True)
class Fetch:
    """Look at the object as it is at the provider now."""

    claim: Claim
    account: str
    kind: str
    ref: ProviderRef
    number: int
    session_ref: ProviderRef | None = None
    companions: tuple[Claim, ...] = ()
    page: IntentFact | None = None
    name = "fetch"

    def run(self, house: House) -> Phase | None:
        """One provider call."""
        try:
            fact = house.provider(self.claim.tenant, self.account).fetch(self.kind, self.ref)
        except ProviderUnavailable as error:
            return PutOff(self.claim, str(error) or "the provider did not answer", self.companions)
        if isinstance(fact, IntentFact) and fact.ref != self.ref:
            # A checkout only names its payment; looks at the payment are numbered by the payment's own row.
            return Number(self.claim, self.account, "payment_intent", fact.ref, self.ref, self.companions, fact)
        if isinstance(fact, IntentFact) and self.session_ref:
            fact = replace(fact, session_ref=self.session_ref)
        if isinstance(fact, IntentFact) and self.page:
            fact = seen_on(self.page, fact)
        seen = Seen(self.account, self.kind, self.ref, self.number, fact, self.session_ref)
        return Decide(self.claim, seen, companions=self.companions)


def seen_on(page: IntentFact, fact: IntentFact) -> IntentFact:
    """Give a payment with what only its hosted page says: how the page stands, where it is, whose metadata it has."""
    return replace(
        fact,
        session_status=page.session_status,
        metadata={**page.metadata, **fact.metadata},
        action_url=fact.action_url or page.action_url,
    )


@dataclass(frozen=True, slots=True)
class PutOff:
    """Give the row back until later: the provider did not answer, so there is nothing to decide by."""

    claim: Claim
    why: str
    companions: tuple[Claim, ...] = ()
    name = "put_off"

    def run(self, house: House) -> Phase | None:
        """One transaction, and one more for each companion."""
        try:
            house.transact(self.claim.tenant, lambda tx: self._put_off(tx, house))
        except LeaseLost:
            if not self.companions:
                raise
        return PutOff(self.companions[0], self.why, self.companions[1:]) if self.companions else None

    def _put_off(self, tx: Tx, house: House) -> None:
        work.fence(tx, self.claim)
        inbox.note_wait(tx, self.claim.id, self.why)
        work.postpone(tx, self.claim, house.clock.now() + backoff(house, self.claim.attempts))


def backoff(house: House, attempts: int) -> timedelta:
    """Give the pause before the next try: doubling, up to the bound."""
    doubled: timedelta = house.settings.retry_first * 2 ** min(attempts - 1, 20)
    return min(doubled, house.settings.retry_max)


@dataclass(frozen=True, slots=True)
class Decide:
    """Decide and write: state, journal, decision and orders in one transaction, under the claim's fence.

    Companions follow, each in a transaction of its own, by the same look.
    """

    claim: Claim
    seen: Seen | None = None
    gave_up: str | None = None
    misrouted: Reason | None = None
    companions: tuple[Claim, ...] = ()
    name = "decide"

    def run(self, house: House) -> Phase | None:
        """One transaction."""
        try:
            house.transact(self.claim.tenant, lambda tx: self._decide(tx, house))
        except LeaseLost:
            if not self.companions:
                raise
        return self.following()

    def following(self) -> "Number | Decide | None":
        """Give what comes next for the next companion, None when there is none."""
        if not self.companions:
            return None
        first, rest = self.companions[0], self.companions[1:]
        if self.seen and not self.seen.is_shared:
            seen = self.seen
            return Number(first, seen.account, seen.kind, seen.ref, seen.session_ref, rest)
        return replace(self, claim=first, companions=rest)

    def _decide(self, tx: Tx, house: House) -> None:
        work.fence(tx, self.claim)
        row = inbox.get(tx, self.claim.id, lock=True)
        if row is None or is_over(row):
            work.finish(tx, self.claim)
            return
        moment = Moment(house.clock.now(), house.new_id)
        ruling = self._rule(tx, row, moment)
        applied = apply(tx, row["id"], ruling.decision, ruling.customer, moment.now, house.new_id)
        fix_answers(tx, applied)
        if isinstance(ruling.decision, Defer):
            work.postpone(tx, self.claim, ruling.decision.until)
        else:
            work.finish(tx, self.claim)
        report(row, applied)

    def _rule(self, tx: Tx, row: Row, moment: Moment) -> Ruling:
        if self.gave_up:
            return Ruling(decide_gave_up(_hint(row), self.gave_up, moment.now, moment.new_id))
        if self.misrouted:
            return Ruling(decide_quarantined(_hint(row), self.misrouted, moment.now, moment.new_id))
        return self._unless_superseded(tx, row, moment)

    def _unless_superseded(self, tx: Tx, row: Row, moment: Moment) -> Ruling:
        """Decide by the fact, unless a later look at the same object has been applied already."""
        seen = self.seen
        if seen is None:
            return decide_news(tx, row, None, moment)
        newest = inbox.applied_observation(tx, seen.account, seen.ref)
        if seen.number <= newest:
            return Ruling(superseded(seen, newest))
        ruling = decide_news(tx, row, seen.fact, moment)
        if not isinstance(ruling.decision, Defer):
            inbox.apply_observation(tx, observation(seen), moment.now)
        return ruling


def superseded(seen: Seen, newest: int) -> Skip:
    """Decide by a look that says nothing more: a newer one was applied, or this one was, for other news."""
    sentence = f"A newer look at {seen.ref} was applied before; this one says nothing more."
    if seen.number == newest:
        sentence = f"This look at {seen.ref} was applied for other news of it; it says nothing more."
    inputs = {"observation": seen.number, "applied": newest}
    return Skip(Why("order-looks@1", Reason.SUPERSEDED, sentence, (seen.ref,), inputs))


def observation(seen: Seen) -> Observation:
    """Give a look as it is remembered."""
    word, fact = status_of(seen.fact)
    return Observation(seen.account, seen.kind, seen.ref, seen.number, word, fact)


def status_of(fact: Fact) -> tuple[str, Fact]:
    """Give the word and the fact that are remembered of an observation."""
    return (fact.status if isinstance(fact, IntentFact | ProviderInvoiceFact) else type(fact).__name__, fact)


def _hint(row: Row) -> Hint:
    ref = ProviderRef(row["subject_ref"] or row["id"])
    return Hint(row["kind"], row["subject_kind"] or "", ref, looks=row["attempts"])


def report(row: Row, applied: Applied) -> None:
    """Log one line per decision."""
    why = applied.decision.why
    log.info(
        outcome_of(applied.decision),
        inbox=row["id"],
        kind=row["kind"],
        subject=row["subject_ref"],
        decision=applied.id,
        rule=why.rule,
        reason=why.reason,
    )
