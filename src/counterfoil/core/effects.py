"""What a rule may say: one Decision, whose effects are data.

Every inbox row ends with exactly one stored decision. State, journal, decision and outbox commit together or not at
all; the engine's `apply` is the only writer and handles every member of these closed unions.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from counterfoil.core.books import Allocation, Subject
from counterfoil.core.ids import AccountId, CustomerId, ProviderRef
from counterfoil.core.journal import Entry
from counterfoil.core.orders import Order


@dataclass(frozen=True, slots=True)
class Post:
    """Post a journal entry."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Change:
    """Write a subject. `before` is what the rule saw, None when the subject is new; the guard compares it."""

    before: Subject | None
    after: Subject


@dataclass(frozen=True, slots=True)
class Allocate:
    """Fix how much of an invoice a leg is to pay."""

    allocation: Allocation


@dataclass(frozen=True, slots=True)
class Instruct:
    """Queue an order for the provider; it leaves after the commit, under a key made of its id and try."""

    order: Order


@dataclass(frozen=True, slots=True)
class Notify:
    """Tell the outside world once: an event of the customer's sequence. `key` is unique in a tenant for ever.

    `customer` None means that it concerns the organization itself, which has a sequence of its own.
    """

    key: str
    kind: str
    customer: CustomerId | None
    subject: str
    data: Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Observe:
    """Look at a provider object again at `due_at`, whatever webhooks say."""

    account: AccountId
    kind: str
    ref: ProviderRef
    due_at: datetime
    why: str


@dataclass(frozen=True, slots=True)
class Timer:
    """Wake a subject at `due_at`. `kind` says which rule wakes; one timer per kind and subject.

    `nth` tells timers of one instant apart that have a cause each.
    """

    kind: str
    subject: str
    customer: CustomerId
    due_at: datetime
    nth: str = ""


Effect: TypeAlias = Post | Change | Allocate | Instruct | Notify | Observe | Timer


class Reason(StrEnum):
    """Why a decision came out as it did. Stable words: they are stored, filtered by and documented."""

    # A command did what it was asked.
    CUSTOMER_CREATED = "customer_created"
    STANDING_CHANGED = "standing_changed"
    CUSTOMER_UPDATED = "customer_updated"
    CUSTOMER_HELD = "customer_held"
    CUSTOMER_RESUMED = "customer_resumed"
    PERSONAL_DATA_ERASED = "personal_data_erased"
    CASE_RESOLVED = "case_resolved"
    MONTH_CLOSED = "month_closed"
    HOOK_ENDPOINT_TESTED = "hook_endpoint_tested"
    METHOD_REQUESTED = "method_requested"
    WALLET_OPENED = "wallet_opened"
    WALLET_MOVED = "wallet_moved"
    WALLET_TERMS_CHANGED = "wallet_terms_changed"
    DEBT_COVERED = "debt_covered"
    DEBT_FORGIVEN = "debt_forgiven"
    LOW_BALANCE = "low_balance"
    SPEND_CORRECTED = "spend_corrected"
    REVENUE_RECOGNISED = "revenue_recognised"
    GRANT_ISSUED = "grant_issued"
    GRANT_ENDED = "grant_ended"
    GRANT_VOIDED = "grant_voided"
    PURCHASE_MADE = "purchase_made"
    AUTO_TOPUP_SET = "auto_topup_set"
    AUTO_TOPUP_OFF = "auto_topup_off"
    AUTO_TOPUP_STARTED = "auto_topup_started"
    AUTO_TOPUP_DONE = "auto_topup_done"
    AUTO_TOPUP_FAILED = "auto_topup_failed"
    AUTO_TOPUP_SUSPENDED = "auto_topup_suspended"
    PURCHASE_MOVED = "purchase_moved"
    LINE_WAITS = "line_waits"
    LINE_CANCELED = "line_canceled"
    LINES_BILLED = "lines_billed"
    INVOICE_DRAFTED = "invoice_drafted"
    INVOICE_UPDATED = "invoice_updated"
    INVOICE_FINALIZED = "invoice_finalized"
    INVOICE_VOIDED = "invoice_voided"
    PAYMENT_LAUNCHED = "payment_launched"
    PAID_BY_CREDITS = "paid_by_credits"
    PAID_BY_BALANCE = "paid_by_balance"
    PAID_ELSEWHERE = "paid_elsewhere"
    INVOICE_WRITTEN_OFF = "invoice_written_off"
    VOID_ASKED = "void_asked"
    PAYMENT_CLAIMED = "payment_claimed"
    PAYMENT_CANCELED = "payment_canceled"
    ORDER_PLACED = "order_placed"
    ORDER_CANCELED = "order_canceled"
    REFUND_STARTED = "refund_started"
    CREDIT_NOTE_ISSUED = "credit_note_issued"
    NOTHING_DUE = "nothing_due"
    # News of the provider had an effect.
    CUSTOMER_LINKED = "customer_linked"
    CUSTOMER_TOLD = "customer_told"
    CUSTOMER_DELETED = "customer_deleted"
    METHOD_SAVED = "method_saved"
    METHOD_DETACHED = "method_detached"
    METHOD_REFUSED = "method_refused"
    HANDLE_STORED = "handle_stored"
    INTENT_PROCESSING = "intent_processing"
    INTENT_NEEDS_ACTION = "intent_needs_action"
    INTENT_REFUSED = "intent_refused"
    INTENT_CANCELED = "intent_canceled"
    CHECKOUT_OPEN = "checkout_open"
    CHECKOUT_EXPIRED = "checkout_expired"
    SETUP_FOLLOWED = "setup_followed"
    SETUP_SUCCEEDED = "setup_succeeded"
    INTENT_SETTLED = "intent_settled"
    LATE_SUCCESS = "late_success"
    CUSTOMER_ASKED = "customer_asked"
    MESSAGE_RESENT = "message_resent"
    SCHEDULE_OVER = "schedule_over"
    FEE_BOOKED = "fee_booked"
    PROVIDER_INVOICE_STEP = "provider_invoice_step"
    PROVIDER_INVOICE_OPEN = "provider_invoice_open"
    PROVIDER_INVOICE_PAID = "provider_invoice_paid"
    PAID_AT_FINALIZE = "paid_at_finalize"
    PAID_ALREADY = "paid_already"
    PROVIDER_INVOICE_UNWANTED = "provider_invoice_unwanted"
    PROVIDER_INVOICE_GONE = "provider_invoice_gone"
    BALANCE_MOVED = "balance_moved"
    MONEY_WENT_BACK = "money_went_back"
    PAYOUT_MOVED = "payout_moved"
    PROVIDER_FEE_TAKEN = "provider_fee_taken"
    MONEY_EXCHANGED = "money_exchanged"
    TIES_OUT = "ties_out"
    REFUND_REFUSED = "refund_refused"
    # It was seen and changed nothing.
    ALREADY_SETTLED = "already_settled"
    ALREADY_KNOWN = "already_known"
    SUPERSEDED = "superseded"
    KIND_WITHOUT_EFFECT = "kind_without_effect"
    NOT_READY = "not_ready"
    PROVIDER_INVOICE = "provider_invoice"
    NOT_OURS = "not_ours"
    UNKNOWN_CUSTOMER = "unknown_customer"
    SESSION_WITHOUT_PAYMENT = "session_without_payment"
    TIMER_OBSOLETE = "timer_obsolete"
    AUTO_TOPUP_NOT_NEEDED = "auto_topup_not_needed"
    AUTO_TOPUP_WAITS = "auto_topup_waits"
    CHECKOUTS_LOOKED_AT = "checkouts_looked_at"
    OUTCOME_UNKNOWN = "outcome_unknown"
    ORDER_REFUSED = "order_refused"
    # It waits.
    TOO_YOUNG = "too_young"
    # A person is asked.
    MONEY_UNEXPLAINED = "money_unexplained"
    DUPLICATE_PAYMENT = "duplicate_payment"
    OVERPAID = "overpaid"
    UNDERPAID = "underpaid"
    PAID_WHEN_VOID = "paid_when_void"
    AMOUNT_MISMATCH = "amount_mismatch"
    CURRENCY_MISMATCH = "currency_mismatch"
    CUSTOMER_MISMATCH = "customer_mismatch"
    PURCHASE_MISMATCH = "purchase_mismatch"
    OBJECT_MISSING = "object_missing"
    OBJECT_UNREADABLE = "object_unreadable"
    METADATA_UNREADABLE = "metadata_unreadable"
    METADATA_MISMATCH = "metadata_mismatch"
    NOT_HANDLED_YET = "not_handled_yet"
    WRONG_MODE = "wrong_mode"
    UNKNOWN_ACCOUNT = "unknown_account"
    GAVE_UP = "gave_up"
    REFUND_CAME_BACK = "refund_came_back"
    DEBIT_RETURNED = "debit_returned"
    HOOK_ENDPOINT_GONE = "hook_endpoint_gone"
    HOOK_ENDPOINT_FAILING = "hook_endpoint_failing"
    SEVERAL_FOUND = "several_found"
    STATUS_RECOMPUTED = "status_recomputed"
    DISPUTE_NEEDS_EVIDENCE = "dispute_needs_evidence"
    DISPUTE_OVERTURNED = "dispute_overturned"
    DOES_NOT_TIE_OUT = "does_not_tie_out"
    # A command was refused.
    INVALID_REQUEST = "invalid_request"
    NOT_FOUND = "not_found"
    INVOICE_NOT_DRAFT = "invoice_not_draft"
    INVOICE_NOT_OPEN = "invoice_not_open"
    INVOICE_EMPTY = "invoice_empty"
    INVOICE_HAS_MONEY = "invoice_has_money"
    COLLECTED_BY_PROVIDER = "collected_by_provider"
    REFERENCE_TAKEN = "reference_taken"
    PAYMENT_IN_PROGRESS = "payment_in_progress"
    PAYMENT_NOT_OPEN = "payment_not_open"
    RETURN_URL_REQUIRED = "return_url_required"
    NOTHING_TO_REFUND = "nothing_to_refund"
    REFUND_TOO_LARGE = "refund_too_large"
    SPLIT_NOT_CHOSEN = "split_not_chosen"
    DESTINATION_NOT_POSSIBLE = "destination_not_possible"
    CREDIT_TOO_LARGE = "credit_too_large"
    NO_PAYMENT_METHOD = "no_payment_method"
    METHOD_NOT_USABLE = "method_not_usable"
    AMOUNT_NOT_CHARGEABLE = "amount_not_chargeable"
    CURRENCIES_DIFFER = "currencies_differ"
    WALLET_NOT_ACTIVE = "wallet_not_active"
    WALLET_EXISTS = "wallet_exists"
    WALLET_NOT_EMPTY = "wallet_not_empty"
    SPEND_TAKEN_BACK = "spend_taken_back"
    GRANT_IN_USE = "grant_in_use"
    INVALID_OPTION = "invalid_option"
    INVALID_CREDITS = "invalid_credits"
    PLAN_NOT_ELIGIBLE = "plan_not_eligible"
    STRIPE_CUSTOMER_NOT_CONFIGURED = "stripe_customer_not_configured"
    UNIT_MISMATCH = "unit_mismatch"
    PURCHASE_CLOSED = "purchase_closed"
    INVALID_THRESHOLD = "invalid_threshold"
    INVALID_TARGET = "invalid_target"
    INVALID_CAP = "invalid_cap"
    CONSENT_REQUIRED = "consent_required"
    PURCHASE_CAP_REACHED = "purchase_cap_reached"
    PURCHASE_NOT_SETTLED = "purchase_not_settled"
    PURCHASE_COLLECTED_BY_INVOICE = "purchase_collected_by_invoice"
    LINE_BILLED = "line_billed"
    LINE_MANAGED = "line_managed"
    COST_NOT_ALLOWED = "cost_not_allowed"
    CUSTOMER_PAUSED = "customer_paused"
    CUSTOMER_ERASED = "customer_erased"
    CASE_NOT_OPEN = "case_not_open"
    MONTH_NOT_OVER = "month_not_over"
    MESSAGE_ON_ITS_WAY = "message_on_its_way"
    PROVIDER_REF_TAKEN = "provider_ref_taken"
    SELLING_STOPPED = "selling_stopped"
    CUSTOMER_FLAGGED = "customer_flagged"
    EMAIL_NOT_VERIFIED = "email_not_verified"
    EXTERNAL_ID_TAKEN = "external_id_taken"


@dataclass(frozen=True, slots=True)
class Why:
    """The reason of a decision, in a code, in a sentence a customer-support person understands, and in the values used.

    `rule` is its name and version, such as `settle-intent@1`. `about` names the subjects the decision concerns, whether
    or not it changed them, so that each of them can be explained.
    """

    rule: str
    reason: Reason
    sentence: str
    about: tuple[str, ...] = ()
    inputs: Mapping[str, str | int | bool | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Act:
    """Something happens: the effects, all of them or none."""

    why: Why
    effects: tuple[Effect, ...]


@dataclass(frozen=True, slots=True)
class Skip:
    """It was seen, and it changes nothing."""

    why: Why


@dataclass(frozen=True, slots=True)
class Defer:
    """Look again at `until`. Nothing is stored as decided yet; the engine bounds how often."""

    why: Why
    until: datetime


@dataclass(frozen=True, slots=True)
class Park:
    """A person is asked. `effects` hold what must not wait, such as money booked to suspense, and the case itself."""

    why: Why
    effects: tuple[Effect, ...] = ()


@dataclass(frozen=True, slots=True)
class Refuse:
    """A command is refused before anything happens. `param` names the field at fault."""

    why: Why
    param: str | None = None


Decision: TypeAlias = Act | Skip | Defer | Park | Refuse


class Outcome(StrEnum):
    """How a stored decision came out, in the words that screens and filters use."""

    APPLIED = "applied"
    NO_EFFECT = "no_effect"
    WAITING = "waiting"
    PARKED = "parked"
    REFUSED = "refused"


def outcome_of(decision: Decision) -> Outcome:
    """Name the outcome of a decision."""
    return OUTCOMES[type(decision)]


OUTCOMES: dict[type, Outcome] = {
    Act: Outcome.APPLIED,
    Skip: Outcome.NO_EFFECT,
    Defer: Outcome.WAITING,
    Park: Outcome.PARKED,
    Refuse: Outcome.REFUSED,
}


def effects_of(decision: Decision) -> tuple[Effect, ...]:
    """Give the effects of a decision; only Act and Park have any."""
    return decision.effects if isinstance(decision, Act | Park) else ()


def changes_of(effects: tuple[Effect, ...]) -> tuple[Subject, ...]:
    """Give the subjects as the effects leave them, in order."""
    return tuple(effect.after for effect in effects if isinstance(effect, Change))
