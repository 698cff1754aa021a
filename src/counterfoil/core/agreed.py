"""Auto top-up of a wallet: what its owner agreed to, and where it stands.

One policy per wallet. It says when credits are bought again (below a threshold, up to a target, or at intervals), what
one step of that is, and up to which price. How far that has come stands beside it: the attempt that is under way, and
what failed before.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from counterfoil.core.ids import AutoTopupId, CustomerId, MethodId, PurchaseId, WalletId
from counterfoil.core.lifecycle import AutoTopupStatus

BACKOFF: Final = tuple(timedelta(hours=each) for each in (1, 2, 4, 8, 16, 24))
"""How long after the first, second, … failure in a row it is tried again; the last one holds from then on."""
FAILS_FOR: Final = timedelta(days=7)
"""A policy that has failed for so long is switched off."""


class Trigger(StrEnum):
    """What has credits bought."""

    THRESHOLD = "threshold"
    """Less than `below` can be spent: one step is bought."""
    TARGET = "target"
    """Less than `below` can be spent: as many steps are bought as bring it to `target`."""
    INTERVAL = "interval"
    """So much time has passed: one step is bought, whatever is left."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one step buys: a pack by its code, or an amount at a price that is fixed here.

    `quantity` is in scaled units and the price in minor units, both None for a pack: it has its own.
    """

    pack: str | None = None
    quantity: int | None = None
    price_minor: int | None = None


@dataclass(frozen=True, slots=True)
class Consent:
    """Who agreed, when, and to which text: an id of the host application's, never a name."""

    by: str
    at: datetime
    text_version: str


@dataclass(frozen=True, slots=True)
class Terms:
    """What is agreed to. Quantities are in scaled units, money in minor units of `currency`."""

    trigger: Trigger
    step: Step
    currency: str
    attempt_max_minor: int
    month_max_minor: int
    consent: Consent
    below: int | None = None
    target: int | None = None
    every_s: int | None = None
    method: MethodId | None = None


@dataclass(frozen=True, slots=True)
class Price:
    """What one step is today: so many units, for so much, and on which terms."""

    quantity: int
    net_minor: int
    fee_minor: int = 0
    pack: str | None = None
    pack_version: int | None = None
    expires_after_s: int | None = None
    priority: int = 50
    features: tuple[str, ...] = ()

    @property
    def gross_minor(self) -> int:
        """What the customer pays for one step."""
        return self.net_minor + self.fee_minor


@dataclass(frozen=True, slots=True)
class NoPrice:
    """Why a step can't be bought today: a code, and a sentence that says it."""

    code: str
    sentence: str


@dataclass(frozen=True, slots=True)
class AutoTopup:
    """A wallet's auto top-up. Quantities are in scaled units of the wallet, money in minor units of `currency`.

    `attempt_max_minor` and `month_max_minor` bound what one attempt, and all of a calendar month (UTC), may cost, fee
    and tax included. `method` None is the customer's default. `attempt` is the purchase that is under way, and there is
    never another one beside it; `action_by` is until when the customer may confirm it. `failures` counts failed
    attempts in a row since `failing_since`; nothing is tried before `retry_at`. `due_at` is when an interval is over.
    """

    id: AutoTopupId
    customer: CustomerId
    wallet: WalletId
    status: AutoTopupStatus
    created_at: datetime
    trigger: Trigger
    currency: str
    attempt_max_minor: int
    month_max_minor: int
    consent_by: str
    consent_at: datetime
    consent_text: str
    below: int | None = None
    target: int | None = None
    every_s: int | None = None
    pack: str | None = None
    quantity: int | None = None
    price_minor: int | None = None
    method: MethodId | None = None
    attempt: PurchaseId | None = None
    failures: int = 0
    failing_since: datetime | None = None
    failure_code: str | None = None
    retry_at: datetime | None = None
    action_by: datetime | None = None
    due_at: datetime | None = None
    moves: int = 0

    @property
    def is_on(self) -> bool:
        """Say whether it may buy."""
        return self.status is AutoTopupStatus.ON

    @property
    def watches(self) -> int | None:
        """What it wants to be told of: that less than this can be spent."""
        return self.below if self.is_on else None

    def is_due(self, spendable: int, coming: int, now: datetime) -> bool:
        """Say whether credits are to be bought, from what can be spent now and what has been bought and not come."""
        if self.trigger is Trigger.INTERVAL:
            return self.due_at is not None and self.due_at <= now
        return self.below is not None and spendable + coming < self.below

    def steps(self, spendable: int, coming: int, step: int) -> int:
        """Say how many steps of a size are bought, once it is due. At least one."""
        if self.trigger is not Trigger.TARGET or self.target is None:
            return 1
        return max(1, -(-(self.target - spendable - coming) // step))


def failed(policy: AutoTopup, code: str, now: datetime) -> AutoTopup:
    """Count a failed attempt: it is tried again after a pause that grows, or, after days of this, switched off."""
    since = policy.failing_since or now
    pause = BACKOFF[min(policy.failures, len(BACKOFF) - 1)]
    counted = replace(
        policy,
        attempt=None,
        action_by=None,
        failures=policy.failures + 1,
        failing_since=since,
        failure_code=code,
        retry_at=now + pause,
    )
    if now - since < FAILS_FOR:
        return counted
    return replace(counted, status=AutoTopupStatus.SUSPENDED, retry_at=None, moves=policy.moves + 1)


def succeeded(policy: AutoTopup, now: datetime) -> AutoTopup:
    """Let an attempt that was paid end: what failed before is forgotten, and an interval begins anew."""
    done = replace(
        policy, attempt=None, action_by=None, failures=0, failing_since=None, failure_code=None, retry_at=None
    )
    return replace(done, due_at=next_due(policy, now))


def next_due(policy: AutoTopup, now: datetime) -> datetime | None:
    """Give the end of the interval that is running at an instant. What was missed meanwhile is not made up for."""
    if policy.every_s is None:
        return None
    every = timedelta(seconds=policy.every_s)
    if policy.due_at is None:
        return now + every
    missed = max(0, (now - policy.due_at) // every)
    return policy.due_at + (missed + 1) * every if policy.due_at <= now else policy.due_at


def month_of(now: datetime) -> datetime:
    """Give the first instant of a calendar month, UTC."""
    return now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def next_month(now: datetime) -> datetime:
    """Give the first instant of the next calendar month, UTC."""
    return month_of(month_of(now) + timedelta(days=32))
