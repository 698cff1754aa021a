"""The flow of an inbox row: open it, number and make an observation when its kind needs one, decide.

Open ─→ Number ─→ Fetch ─→ Decide
   └──────────────────────────↗ (news that needs no look)
"""

from dataclasses import dataclass, replace
from datetime import timedelta

import structlog

from counterfoil.core.effects import Defer, Reason, Skip, Why, outcome_of
from counterfoil.core.facts import Fact, IntentFact, Notice, Source
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
from counterfoil.store.work import Claim

log = structlog.get_logger("counterfoil.decision")


@dataclass(frozen=True, slots=True)
class Seen:
    """What one numbered look at a provider object saw."""

    account: str
    kind: str
    ref: ProviderRef
    number: int
    fact: Fact


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
        if row is None or row["status"] in ("decided", "parked"):
            work.fence(tx, self.claim)
            work.finish(tx, self.claim)
            return None
        if self.claim.failures >= house.settings.tries_before_parking:
            return Decide(self.claim, gave_up=row["waiting_for"] or "it kept failing")
        astray = _misrouted(tx, row)
        if astray:
            return Decide(self.claim, misrouted=astray)
        if row["subject_kind"] in FETCHED and row["source"] != Source.TIMER:
            return Number(self.claim, row["account"], row["subject_kind"], ProviderRef(row["subject_ref"]))
        return Decide(self.claim)


@dataclass(frozen=True, slots=True)
class Number:
    """Take the number of the observation to come, committed before the look."""

    claim: Claim
    account: str
    kind: str
    ref: ProviderRef
    session_ref: ProviderRef | None = None
    name = "number"

    def run(self, house: House) -> Phase | None:
        """One transaction."""
        number = house.transact(
            self.claim.tenant, lambda tx: inbox.number_observation(tx, self.account, self.kind, self.ref)
        )
        return Fetch(self.claim, self.account, self.kind, self.ref, number, self.session_ref)


@dataclass(frozen=True, slots=True)
class Fetch:
    """Look at the object as it is at the provider now."""

    claim: Claim
    account: str
    kind: str
    ref: ProviderRef
    number: int
    session_ref: ProviderRef | None = None
    name = "fetch"

    def run(self, house: House) -> Phase | None:
        """One provider call."""
        try:
            fact = house.provider(self.claim.tenant, self.account).fetch(self.kind, self.ref)
        except ProviderUnavailable as error:
            return PutOff(self.claim, str(error) or "the provider did not answer")
        if isinstance(fact, IntentFact) and fact.ref != self.ref:
            # A checkout only names its payment; looks at the payment are numbered by the payment's own row.
            return Number(self.claim, self.account, "payment_intent", fact.ref, session_ref=self.ref)
        if isinstance(fact, IntentFact) and self.session_ref:
            fact = replace(fact, session_ref=self.session_ref)
        return Decide(self.claim, Seen(self.account, self.kind, self.ref, self.number, fact))


@dataclass(frozen=True, slots=True)
class PutOff:
    """Give the row back until later: the provider did not answer, so there is nothing to decide by."""

    claim: Claim
    why: str
    name = "put_off"

    def run(self, house: House) -> Phase | None:
        """One transaction."""
        house.transact(self.claim.tenant, lambda tx: self._put_off(tx, house))
        return None

    def _put_off(self, tx: Tx, house: House) -> None:
        work.fence(tx, self.claim)
        inbox.note_wait(tx, self.claim.id, self.why)
        work.postpone(tx, self.claim, house.clock.now() + backoff(house, self.claim.attempts))


def _misrouted(tx: Tx, row: Row) -> Reason | None:
    """Compare a webhook's mode and account with those that its endpoint serves."""
    if row["source"] != Source.WEBHOOK or not isinstance(row["detail"], Notice):
        return None
    livemode, connected_account = accounts.served_by(tx, row["account"])
    return misrouted(row["detail"], livemode, connected_account)


def backoff(house: House, attempts: int) -> timedelta:
    """Give the pause before the next try: doubling, up to the bound."""
    doubled: timedelta = house.settings.retry_first * 2 ** min(attempts - 1, 20)
    return min(doubled, house.settings.retry_max)


@dataclass(frozen=True, slots=True)
class Decide:
    """Decide and write: state, journal, decision and orders in one transaction, under the claim's fence."""

    claim: Claim
    seen: Seen | None = None
    gave_up: str | None = None
    misrouted: Reason | None = None
    name = "decide"

    def run(self, house: House) -> Phase | None:
        """One transaction."""
        house.transact(self.claim.tenant, lambda tx: self._decide(tx, house))
        return None

    def _decide(self, tx: Tx, house: House) -> None:
        work.fence(tx, self.claim)
        row = inbox.get(tx, self.claim.id, lock=True)
        if row is None or row["status"] in ("decided", "parked"):
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
            sentence = f"A newer look at {seen.ref} was applied before; this one says nothing more."
            inputs = {"observation": seen.number, "applied": newest}
            return Ruling(Skip(Why("order-looks@1", Reason.SUPERSEDED, sentence, (seen.ref,), inputs)))
        ruling = decide_news(tx, row, seen.fact, moment)
        if not isinstance(ruling.decision, Defer):
            word, fact = status_of(seen.fact)
            look = Observation(seen.account, seen.kind, seen.ref, seen.number, word, fact)
            inbox.apply_observation(tx, look, moment.now)
        return ruling


def status_of(fact: Fact) -> tuple[str, Fact]:
    """Give the word and the fact that are remembered of an observation."""
    return (fact.status if isinstance(fact, IntentFact) else type(fact).__name__, fact)


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
