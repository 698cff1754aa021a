"""The flow of a reconciliation run: everything that is in doubt is looked at, and what came of it is reported.

Begin ─→ for each account: Events ─→ Keep ─→ … ─→ Open ─→ … ─→ [Compare ─→ Differ ─→ …] ─→ Await ─→ …

It decides nothing itself: it makes news, and counts what is decided about it. A run that is begun again after a crash
finds its own news. What the provider of one account does not answer is left out and named; the others go on.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from counterfoil.core.checks import LATE_AFTER
from counterfoil.core.facts import MoneyBackFact, Source, money_back_ref
from counterfoil.core.ids import ProviderRef
from counterfoil.core.lifecycle import RunStatus
from counterfoil.engine import visits
from counterfoil.engine.apply import enqueue_news
from counterfoil.engine.house import House
from counterfoil.engine.intake import store
from counterfoil.engine.phases import Phase
from counterfoil.providers.port import COMPARED, Changes, Listed, Listing, ProviderUnavailable
from counterfoil.store import accounts, checks, runs, sales_orders, sweeps, work
from counterfoil.store.codec import decode
from counterfoil.store.database import Row, Tx
from counterfoil.store.inbox import News
from counterfoil.store.runs import Visit
from counterfoil.store.work import Claim, Queue

REGULAR: Final = str(Queue.RECONCILE)
"""The item by which every tenant has a run now and then; all others are runs."""
COMPARED_FOR: Final = timedelta(days=7)
"""How far back the regular run compares the provider's lists with the books."""
LOOK_S: Final = timedelta(milliseconds=250)
DECIDED_WITHIN: Final = timedelta(minutes=10)
"""How long a run waits for what it found to be decided; what takes longer is reported as undecided."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for. `since` None with `everything` compares the provider's lists from their beginning; without
    either only what is open here is looked at."""

    since: datetime | None = None
    everything: bool = False

    @property
    def scope(self) -> str:
        """Say it in a word."""
        return "all" if self.everything else "since" if self.since else "open"


def ask(tx: Tx, house: House, wanted: Wanted, asked_by: str = "person") -> str:
    """Ask for a run, and give its id. One that is under way and covers as much is given to whoever asks again."""
    now = house.clock.now()
    found = runs.under_way(tx, wanted.scope, wanted.since)
    if found:
        work.enqueue(tx, Queue.RECONCILE, found, now)
        return found
    identity = house.new_id("run")
    runs.begin(tx, identity, wanted.scope, wanted.since, asked_by, now)
    work.enqueue(tx, Queue.RECONCILE, identity, now)
    return identity


def first(claim: Claim) -> Phase:
    """Give the first phase of a claim of the queue."""
    return Regular(claim) if claim.id == REGULAR else Begin(claim)


@dataclass(frozen=True, slots=True)
class Regular:
    """Ask for the run that a tenant has now and then, and come again."""

    claim: Claim
    name = "regular"

    def run(self, house: House) -> Phase | None:
        """One transaction."""
        house.transact(self.claim.tenant, lambda tx: self._ask(tx, house))
        return None

    def _ask(self, tx: Tx, house: House) -> None:
        work.fence(tx, self.claim)
        now = house.clock.now()
        if accounts.all_ids(tx):
            ask(tx, house, Wanted(since=now - COMPARED_FOR), "schedule")
        work.postpone(tx, self.claim, now + house.settings.reconcile_every)


@dataclass(frozen=True, slots=True)
class Begin:
    """Begin a run, or go on waiting for its end."""

    claim: Claim
    name = "begin_run"

    def run(self, house: House) -> Phase | None:
        """One transaction."""
        return house.transact(self.claim.tenant, lambda tx: self._begin(tx, house))

    def _begin(self, tx: Tx, house: House) -> Phase | None:
        work.fence(tx, self.claim)
        row = runs.run(tx, self.claim.id, lock=True)
        if row is None or row["ended_at"]:
            work.finish(tx, self.claim)
            return None
        if row["status"] == RunStatus.DECIDING:
            return Await(self.claim)
        runs.look(tx, self.claim.id, house.clock.now())
        wanted = Wanted(row["since"], everything=row["scope"] == "all")
        return following(self.claim, wanted, tuple(accounts.all_ids(tx)))


def following(claim: Claim, wanted: Wanted, left: tuple[str, ...]) -> "Events | Await":
    """Go on with the next account, or with waiting."""
    return Events(Part(claim, left[0], left[1:], wanted)) if left else Await(claim)


@dataclass(frozen=True, slots=True)
class Part:
    """A run at one of its accounts."""

    claim: Claim
    account: str
    left: tuple[str, ...]
    wanted: Wanted

    def next(self) -> "Events | Await":
        """Go on with the next account."""
        return following(self.claim, self.wanted, self.left)

    def visit(self, tx: Tx, news: News, why: str, since: datetime, due_at: datetime, subject: str | None) -> Visit:
        """Have something looked at. A run that is begun again finds the news that it made before."""
        inbox, _ = enqueue_news(tx, news, due_at)
        return Visit(inbox, why, str(news.subject_ref), subject, since)

    def look(self, house: House, kind: str, ref: str, now: datetime) -> News:
        """Make the news that has an object looked at, once in a run."""
        return visits.look(house, self.account, kind, ref, f"run:{self.claim.id}:{self.account}:{ref}", now)


@dataclass(frozen=True, slots=True)
class Events:
    """Page through what the provider says happened since the last sweep."""

    part: Part
    cursor: str | None = None
    begun: bool = False
    name = "events"

    def run(self, house: House) -> Phase | None:
        """One short read of the cursor, then one provider call."""
        cursor = self.cursor if self.begun else self._cursor(house)
        try:
            page = house.provider(self.part.claim.tenant, self.part.account).changes_since(cursor)
        except ProviderUnavailable:
            return Unreached(self.part)
        return Keep(self.part, page, cursor)

    def _cursor(self, house: House) -> str | None:
        with house.database.transaction(self.part.claim.tenant) as tx:
            return sweeps.cursor(tx, self.part.account)


@dataclass(frozen=True, slots=True)
class Keep:
    """Put a page of events into the inbox; those that no webhook brought are part of the run."""

    part: Part
    page: Changes
    cursor: str | None
    name = "keep_events"

    def run(self, house: House) -> Phase | None:
        """One transaction."""
        house.transact(self.part.claim.tenant, lambda tx: self._keep(tx, house))
        cursor = self.page.cursor or self.cursor
        return Events(self.part, cursor, begun=True) if self.page.more else Open(self.part)

    def _keep(self, tx: Tx, house: House) -> None:
        work.fence(tx, self.part.claim)
        stored = [
            (store(tx, house, self.part.account, notice, body, Source.POLL), notice)
            for notice, body in self.page.notices
        ]
        found = [
            Visit(each.inbox, "unknown", str(notice.subject_ref), None, notice.occurred_at)
            for each, notice in stored
            if each.new
        ]
        runs.visit(tx, self.part.claim.id, found)
        runs.compared(tx, self.part.claim.id, len(stored))


@dataclass(frozen=True, slots=True)
class Open:
    """Have everything that is open looked at, however old it is, the oldest trouble first."""

    part: Part
    after: tuple[datetime, str] | None = None
    name = "open"

    def run(self, house: House) -> Phase | None:
        """One transaction."""
        return house.transact(self.part.claim.tenant, lambda tx: self._open(tx, house))

    def _open(self, tx: Tx, house: House) -> Phase:
        work.fence(tx, self.part.claim)
        now = house.clock.now()
        legs = checks.open_legs(tx, self.part.account, self.after)
        found = [self._visit(tx, house, each, now, due_at) for each, due_at in visits.in_order(legs, now)]
        if len(legs) == checks.PAGE:
            runs.visit(tx, self.part.claim.id, found)
            return Open(self.part, (legs[-1]["created_at"], legs[-1]["id"]))
        there = checks.open_invoices_there(tx, self.part.account)
        there += [each | {"created_at": now} for each in sales_orders.open_there(tx, self.part.account)]
        found += [self._visit(tx, house, each, now, now) for each in there]
        for each in checks.open_refunds(tx, self.part.account):
            back = money_back_ref(ProviderRef(each["provider_ref"]))
            why = "late" if each["created_at"] <= now - LATE_AFTER else "open"
            news = self.part.look(house, "money_back", back, now)
            found.append(self.part.visit(tx, news, why, each["created_at"], now, each["id"]))
        for doubt in visits.doubts(tx, self.part.account, now):
            news = doubt.news(house, f"run:{self.part.claim.id}", now)
            found.append(self.part.visit(tx, news, "anomaly", doubt.since, now, doubt.subject))
        sweeps.requeue_lost(tx, self.part.account, now)
        runs.visit(tx, self.part.claim.id, found)
        wanted = self.part.wanted
        return Compare(self.part, 0) if wanted.since or wanted.everything else self.part.next()

    def _visit(self, tx: Tx, house: House, row: Row, now: datetime, due_at: datetime) -> Visit:
        ref, since = row["provider_ref"], row["created_at"]
        why = "late" if since <= now - LATE_AFTER else "open"
        news = self.part.look(house, visits.kind_of(ref), ref, now)
        return self.part.visit(tx, news, why, since, due_at, row["id"])


@dataclass(frozen=True, slots=True)
class Compare:
    """Read a page of one of the provider's lists: what there is, whatever was told of it."""

    part: Part
    kind: int
    after: ProviderRef | None = None
    name = "compare"

    def run(self, house: House) -> Phase | None:
        """One provider call."""
        kind = COMPARED[self.kind]
        try:
            provider = house.provider(self.part.claim.tenant, self.part.account)
            page = provider.made_since(kind, self.part.wanted.since, self.after)
        except ProviderUnavailable:
            return Unreached(self.part)
        return Differ(self.part, self.kind, page)


@dataclass(frozen=True, slots=True)
class Differ:
    """Have looked at what is not here, or stands otherwise than we saw it last."""

    part: Part
    kind: int
    page: Listing
    name = "differ"

    def run(self, house: House) -> Phase | None:
        """One transaction."""
        house.transact(self.part.claim.tenant, lambda tx: self._differ(tx, house))
        if self.page.after:
            return Compare(self.part, self.kind, self.page.after)
        return Compare(self.part, self.kind + 1) if self.kind + 1 < len(COMPARED) else self.part.next()

    def _differ(self, tx: Tx, house: House) -> None:
        work.fence(tx, self.part.claim)
        now = house.clock.now()
        seen = checks.known(tx, self.part.account, {str(each.look_ref) for each in self.page.items})
        apart = [each for each in self.page.items if not is_known(each, seen.get(each.look_ref))]
        found = [
            self.part.visit(
                tx,
                self.part.look(house, each.look_kind, each.look_ref, now),
                "differs" if each.look_ref in seen else "unknown",
                each.made_at,
                now,
                None,
            )
            for each in apart
        ]
        runs.visit(tx, self.part.claim.id, found)
        runs.compared(tx, self.part.claim.id, len(self.page.items))


def is_known(listed: Listed, seen: Row | None) -> bool:
    """Say whether the newest look at an object saw it as the list has it."""
    if seen is None:
        return False
    if listed.look_kind == "customer":
        return True
    if listed.look_kind != "money_back":
        return bool(seen["status"] == listed.status)
    fact: Any = decode(seen["fact"]) if seen["fact"] else None
    if not isinstance(fact, MoneyBackFact):
        return False
    went_back = {(each.ref, each.status) for each in fact.refunds} | {(each.ref, each.status) for each in fact.disputes}
    return (listed.ref, listed.status) in went_back


@dataclass(frozen=True, slots=True)
class Unreached:
    """Note that the provider of an account does not answer, and go on with the next."""

    part: Part
    name = "unreached"

    def run(self, house: House) -> Phase | None:
        """One transaction."""
        house.transact(self.part.claim.tenant, self._note)
        return self.part.next()

    def _note(self, tx: Tx) -> None:
        work.fence(tx, self.part.claim)
        runs.unreached(tx, self.part.claim.id, self.part.account)


@dataclass(frozen=True, slots=True)
class Await:
    """Wait until all that was found is decided, and close the run with what came of it."""

    claim: Claim
    name = "await"

    def run(self, house: House) -> Phase | None:
        """One transaction."""
        house.transact(self.claim.tenant, lambda tx: self._await(tx, house))
        return None

    def _await(self, tx: Tx, house: House) -> None:
        work.fence(tx, self.claim)
        now = house.clock.now()
        row = runs.run(tx, self.claim.id, lock=True)
        assert row is not None, "a run that is gone"
        if row["status"] == RunStatus.LOOKING:
            runs.decide(tx, self.claim.id)
        is_over = now >= row["started_at"] + DECIDED_WITHIN
        if runs.undecided(tx, self.claim.id) and not is_over:
            work.postpone(tx, self.claim, now + LOOK_S)
            return
        runs.end(tx, self.claim.id, now - LATE_AFTER, now)
        work.finish(tx, self.claim)
