"""Finds what silence left behind, so that silence does not matter.

A sweep of one account pages through the provider's events since its cursor, puts every open provider leg and every
unknown order on the road again, and re-queues whatever lost its place in the claim table. It decides nothing itself: it
only makes news. A second sweep right after finds nothing new.
"""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from counterfoil.core.facts import Source
from counterfoil.engine import visits
from counterfoil.engine.apply import enqueue_news, wake
from counterfoil.engine.house import House
from counterfoil.engine.intake import store
from counterfoil.engine.notices import backoff
from counterfoil.engine.phases import Phase
from counterfoil.providers.port import Changes, ProviderUnavailable
from counterfoil.store import auto_topups, mirrors, refunds, sales_orders, sweeps, work
from counterfoil.store.database import Tx
from counterfoil.store.inbox import News
from counterfoil.store.work import Claim


@dataclass(frozen=True, slots=True)
class Report:
    """What one sweep found."""

    events_seen: int = 0
    events_new: int = 0
    legs_looked_at: int = 0
    requeued: int = 0
    cursor: str | None = field(default=None)


@dataclass(frozen=True, slots=True)
class List:
    """Page through what the provider says happened since the cursor."""

    claim: Claim
    report: Report | None = None
    name = "list_changes"

    def run(self, house: House) -> Phase | None:
        """One short read of the cursor, then one provider call."""
        report = self.report or Report(cursor=self._cursor(house))
        try:
            page = house.provider(self.claim.tenant, self.claim.id).changes_since(report.cursor)
        except ProviderUnavailable:
            return Rest(self.claim, report, unavailable=True)
        return Store(self.claim, report, page)

    def _cursor(self, house: House) -> str | None:
        with house.database.transaction(self.claim.tenant) as tx:
            return sweeps.cursor(tx, self.claim.id)


@dataclass(frozen=True, slots=True)
class Store:
    """Put a page of events into the inbox; those that a webhook brought before are there already."""

    claim: Claim
    report: Report
    page: Changes
    name = "store_changes"

    def run(self, house: House) -> Phase | None:
        """One transaction."""
        report = house.transact(self.claim.tenant, lambda tx: self._store(tx, house))
        return List(self.claim, report) if self.page.more else Revisit(self.claim, report)

    def _store(self, tx: Tx, house: House) -> Report:
        work.fence(tx, self.claim)
        stored = [store(tx, house, self.claim.id, notice, body, Source.POLL) for notice, body in self.page.notices]
        cursor = self.page.cursor or self.report.cursor
        sweeps.remember(tx, self.claim.id, cursor, house.clock.now(), "{}")
        return Report(
            events_seen=self.report.events_seen + len(stored),
            events_new=self.report.events_new + sum(each.new for each in stored),
            cursor=cursor,
        )


@dataclass(frozen=True, slots=True)
class Revisit:
    """Put what is still open on the road again, however old it is."""

    claim: Claim
    report: Report
    name = "revisit"

    def run(self, house: House) -> Phase | None:
        """One transaction."""
        report = house.transact(self.claim.tenant, lambda tx: self._revisit(tx, house))
        return Rest(self.claim, report)

    def _revisit(self, tx: Tx, house: House) -> Report:
        work.fence(tx, self.claim)
        now = house.clock.now()
        legs = sweeps.open_legs(tx, self.claim.id, now)
        invoices = mirrors.open_there(tx, self.claim.id, now)
        for each, due_at in visits.in_order([*legs, *invoices, *sales_orders.open_there(tx, self.claim.id)], now):
            enqueue_news(tx, self._look(house, each["provider_ref"], now), due_at)
        going_back = refunds.open_there(tx, self.claim.id, now)
        for each in going_back:
            identity = f"sweep:{self.claim.id}:{self.claim.token}:{each['provider_ref']}:back"
            look = visits.look(house, self.claim.id, "refund", each["provider_ref"], identity, now)
            enqueue_news(tx, look, now)
        doubted = visits.doubts(tx, self.claim.id, now)
        for doubt in doubted:
            enqueue_news(tx, doubt.news(house, f"sweep:{self.claim.token}", now), now)
        wake(tx, auto_topups.forgotten(tx, self.claim.id, now), f"sweep:{self.claim.token}", now, house.new_id)
        requeued = sweeps.requeue_lost(tx, self.claim.id, now)
        looked_at = len(legs) + len(invoices) + len(going_back) + len(doubted)
        return Report(self.report.events_seen, self.report.events_new, looked_at, requeued, self.report.cursor)

    def _look(self, house: House, ref: str, now: datetime) -> News:
        identity = f"sweep:{self.claim.id}:{self.claim.token}:{ref}"
        return visits.look(house, self.claim.id, visits.kind_of(ref), ref, identity, now)


@dataclass(frozen=True, slots=True)
class Rest:
    """Remember what was found and come again later."""

    claim: Claim
    report: Report
    unavailable: bool = False
    name = "rest"

    def run(self, house: House) -> Phase | None:
        """One transaction."""
        house.transact(self.claim.tenant, lambda tx: self._rest(tx, house))
        return None

    def _rest(self, tx: Tx, house: House) -> None:
        work.fence(tx, self.claim)
        now = house.clock.now()
        if not self.unavailable:
            sweeps.remember(tx, self.claim.id, self.report.cursor, now, json.dumps(_as_json(self.report)))
        pause: timedelta = backoff(house, 1) if self.unavailable else house.settings.sweep_every
        work.postpone(tx, self.claim, now + pause)


def _as_json(report: Report) -> dict[str, int]:
    return {
        "events_seen": report.events_seen,
        "events_new": report.events_new,
        "legs_looked_at": report.legs_looked_at,
        "requeued": report.requeued,
    }
