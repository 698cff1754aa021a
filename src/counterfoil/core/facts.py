"""What is true at the provider, as one observation saw it.

A fact is the provider's current object, parsed once at the door, whatever API version rendered it. Facts of one object
are ordered by their observation number alone: the provider's own timestamps have a grain of one second.
Words that the provider may add tomorrow (statuses, codes) stay text; the rules treat an unknown word as no news.
Metadata is looked at for our own marks and never stored: whoever else writes into it may write what is personal.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, TypeAlias

from counterfoil.core.ids import ProviderRef
from counterfoil.core.money import Money

LEG_MARK: Final = "counterfoil_leg"
"""Metadata key under which our own leg id travels on every provider object that we create."""


class IntentStatus(StrEnum):
    """The statuses of a PaymentIntent that mean something to a rule. Anything else reads as OTHER."""

    NEEDS_METHOD = "requires_payment_method"
    NEEDS_CONFIRMATION = "requires_confirmation"
    NEEDS_ACTION = "requires_action"
    NEEDS_CAPTURE = "requires_capture"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    CANCELED = "canceled"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the provider refused one try. `code` and `decline_code` are the provider's words; `try_ref` its charge."""

    code: str
    decline_code: str | None = None
    message: str = ""
    try_ref: ProviderRef | None = None


@dataclass(frozen=True, slots=True)
class ChargeFee:
    """What the provider kept of one charge. `ref` is its balance transaction; the amount is in minor units."""

    ref: ProviderRef
    fee: Money


@dataclass(frozen=True, slots=True)
class IntentFact:
    """A payment at the provider. `received` is what it has collected so far; zero until it succeeds."""

    ref: ProviderRef
    status: IntentStatus
    amount: Money
    received: Money
    customer_ref: ProviderRef | None = None
    method_ref: ProviderRef | None = None
    charge_ref: ProviderRef | None = None
    charge_fee: ChargeFee | None = None
    refusal: Refusal | None = None
    action_url: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    pays_provider_invoice: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict, repr=False)
    session_ref: ProviderRef | None = None
    """The hosted checkout session that the news was about, when it was about one."""
    means: str | None = None
    """What the newest charge was taken from, in words: `visa 4242`."""


@dataclass(frozen=True, slots=True)
class SessionFact:
    """A hosted checkout that has no payment yet (open, expired, or completed without one)."""

    ref: ProviderRef
    status: str
    payment_status: str
    metadata: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class CustomerFact:
    """A customer at the provider. A deleted one keeps its id and nothing else."""

    ref: ProviderRef
    deleted: bool = False
    default_method_ref: ProviderRef | None = None
    metadata: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class MethodFact:
    """A saved way to pay. `fingerprint` is equal for the same card or account, whatever its id."""

    ref: ProviderRef
    kind: str
    customer_ref: ProviderRef | None
    brand: str | None = None
    last4: str | None = None
    expires: str | None = None
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class MissingFact:
    """The provider knows no such object. Never proof that a payment failed: a create may still be on its way."""

    ref: ProviderRef


@dataclass(frozen=True, slots=True)
class UnreadableFact:
    """The provider's object has a shape or a value that we can't book; `why` says which."""

    ref: ProviderRef
    why: str


Fact: TypeAlias = IntentFact | SessionFact | CustomerFact | MethodFact | MissingFact | UnreadableFact


class Source(StrEnum):
    """What brought a piece of news."""

    WEBHOOK = "webhook"
    REPLY = "reply"
    POLL = "poll"
    API = "api"
    TIMER = "timer"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Notice:
    """What a provider sent: a hint that something happened, never the truth about it.

    `subject_kind` and `subject_ref` name the object whose current state is fetched (for a charge, its intent).
    `api_version` is the version that rendered the payload. `provider_event` is the provider's id of the event.
    """

    provider_event: ProviderRef
    kind: str
    subject_kind: str
    subject_ref: ProviderRef
    occurred_at: datetime
    livemode: bool
    connected_account: str | None
    api_version: str
    object_ref: ProviderRef
    customer_ref: ProviderRef | None = None
    """The provider's customer that the payload names, so that what was kept of it can be erased."""


@dataclass(frozen=True, slots=True)
class Done:
    """The provider did it. `fact` is the object that came back."""

    fact: Fact


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider refused, and said so. `fact` is the object in its error, when it sent one."""

    refusal: Refusal
    fact: Fact | None = None


@dataclass(frozen=True, slots=True)
class Unfinished:
    """The provider asks for the same call again later: busy, rate limited, the key in use. It had no effect.

    `after_s` is what it asked us to wait, in seconds.
    """

    why: str
    after_s: int = 1


@dataclass(frozen=True, slots=True)
class Unknown:
    """No usable reply. It may have had its effect; only a fetch or a replay with the same key can tell."""

    why: str


Outcome: TypeAlias = Done | Refused | Unfinished | Unknown
