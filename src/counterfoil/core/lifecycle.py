"""Lifecycles as tables: one frozenset of moves per machine.

The guard in Postgres, the diagrams in the docs and the test of every illegal move are made from these tables. A
subject may always stay where it is; what is not listed is refused.
"""

from enum import StrEnum
from typing import Final


class InvoiceStatus(StrEnum):
    """Where a document stands. `paid` is about the debt, not about the provider's money."""

    DRAFT = "draft"
    OPEN = "open"
    PAID = "paid"
    VOID = "void"
    UNCOLLECTIBLE = "uncollectible"


class PaymentStatus(StrEnum):
    """Where a collection stands: a function of all its legs and the remainder, never of the latest leg alone."""

    PENDING = "pending"
    PROCESSING = "processing"
    REQUIRES_ACTION = "requires_action"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


class LegStatus(StrEnum):
    """Where one part of a payment stands. An unknown outcome stays `processing`: unknown is never failed."""

    WAITING = "waiting"
    RESERVED = "reserved"
    PROCESSING = "processing"
    REQUIRES_ACTION = "requires_action"
    SETTLED = "settled"
    REFUSED = "refused"
    CANCELED = "canceled"
    RELEASED = "released"
    RETURNED = "returned"


class OrderStatus(StrEnum):
    """Where an instruction to the provider stands."""

    QUEUED = "queued"
    SENT = "sent"
    DONE = "done"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    CANCELED = "canceled"


class InboxStatus(StrEnum):
    """Where a piece of news stands. `decided` and `parked` have a stored decision; `waiting` comes again."""

    RECEIVED = "received"
    WAITING = "waiting"
    DECIDED = "decided"
    PARKED = "parked"


class WalletStatus(StrEnum):
    """Whether a wallet may be spent from."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    CLOSED = "closed"


class HoldStatus(StrEnum):
    """Whether reserved credits are still reserved."""

    OPEN = "open"
    SETTLED = "settled"
    RELEASED = "released"


class PurchaseStatus(StrEnum):
    """Where the settlement of a purchase stands. Whether its credits were given is another fact: `fulfilled_at`."""

    SCHEDULED = "scheduled"
    """Its invoice is to be written later; a pending line waits for that."""
    PENDING = "pending"
    AUTHORIZED = "authorized"
    SETTLED = "settled"
    FAILED = "failed"
    HELD = "held"
    """What was paid does not fit what was bought; a person is asked."""
    CANCELED = "canceled"
    VOIDED = "voided"
    """It was settled, and what was left of its credits was taken back."""


class AutoTopupStatus(StrEnum):
    """Whether a wallet's credits are bought again by themselves."""

    ON = "on"
    OFF = "off"
    """A person switched it off, or its wallet was closed."""
    SUSPENDED = "suspended"
    """It was switched off by itself, after it had failed for days. A person switches it on again."""


class SpendHoldStatus(StrEnum):
    """Whether credits are still reserved for a use."""

    OPEN = "open"
    SETTLED = "settled"
    RELEASED = "released"
    EXPIRED = "expired"


class PendingLineStatus(StrEnum):
    """Whether a line that waits for its invoice date was put on an invoice."""

    WAITING = "waiting"
    INVOICED = "invoiced"
    CANCELED = "canceled"


class RefundStatus(StrEnum):
    """Where money that goes back stands. An unknown outcome stays `processing`: unknown is never failed."""

    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """It was refused, or came back after it had succeeded. What it gave back is restored."""
    CANCELED = "canceled"


class SalesOrderStatus(StrEnum):
    """Whether what was ordered may be delivered. An order starts once, for ever."""

    OPEN = "open"
    PROCESSING = "processing"
    """The customer has done their part; the money, or the way to pay, is on its way."""
    STARTED = "started"
    CANCELED = "canceled"


class DisputeStatus(StrEnum):
    """Where a contested payment stands for us: a function of the provider's word, which may be any."""

    INQUIRY = "inquiry"
    """The bank asks and has taken nothing yet."""
    OPEN = "open"
    """The money is taken, and may come back."""
    WON = "won"
    LOST = "lost"
    CLOSED = "closed"
    """It ended without anybody having won: an inquiry that led to nothing."""


class CaseStatus(StrEnum):
    """Whether a person has answered the question."""

    OPEN = "open"
    RESOLVED = "resolved"


class RunStatus(StrEnum):
    """How far a reconciliation run is. It finds and makes news; what the news means is decided on the road of all."""

    QUEUED = "queued"
    LOOKING = "looking"
    """It compares what is here with what is there, and has everything that is in doubt looked at."""
    DECIDING = "deciding"
    """Everything was found that there is to find; it waits until all of it is decided."""
    DONE = "done"
    UNFINISHED = "unfinished"
    """A provider did not answer, or something could not be decided in time: the report says what."""


class EndpointStatus(StrEnum):
    """Whether a host application is told of events."""

    ACTIVE = "active"
    PAUSED = "paused"
    """Nothing is sent; what happens meanwhile is kept and sent when it goes on."""
    DISABLED = "disabled"
    """It is gone, or nothing came through for days. What happens meanwhile is not kept for it."""
    DELETED = "deleted"


class DeliveryStatus(StrEnum):
    """Whether a host application was told of an event. One that was told may be asked to be told again."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    """Every try of its schedule went wrong. A person can have it sent again."""


class MessageStatus(StrEnum):
    """Where a message to a person stands. A failed, sent or canceled one goes out again only when a person asks."""

    QUEUED = "queued"
    HELD = "held"
    """A person or a mode keeps it back: a paused tenant or customer, an account that is only observed."""
    SENT = "sent"
    FAILED = "failed"
    CANCELED = "canceled"
    """It was no longer true, or there was nobody to send it to."""


def moves(**table: str) -> frozenset[tuple[str, str]]:
    """Read `state="next other"` pairs as a set of moves."""
    return frozenset((state, target) for state, targets in table.items() for target in targets.split())


INVOICE_MOVES: Final = moves(
    draft="open void",
    open="paid void uncollectible",
    uncollectible="paid void",
    # A bank debit that had succeeded comes back: what it paid is owed again.
    paid="open",
)
PAYMENT_MOVES: Final = moves(
    pending="processing requires_action succeeded failed canceled",
    processing="requires_action succeeded failed canceled",
    requires_action="processing succeeded failed canceled",
    # A refused try may be followed by another; the money may also arrive after all.
    failed="processing requires_action succeeded canceled",
    # Money that arrives for a payment we gave up is still money.
    canceled="succeeded",
    # What had succeeded is taken back by the customer's bank.
    succeeded="failed",
)
LEG_MOVES: Final = moves(
    waiting="processing canceled settled",
    reserved="settled released",
    processing="requires_action settled refused canceled",
    requires_action="processing settled refused canceled",
    # The same intent may succeed after a refused try: the customer answers in the browser.
    refused="processing requires_action settled canceled",
    # "Cannot cancel: succeeded" is evidence of payment.
    canceled="settled",
    settled="returned",
)
ORDER_MOVES: Final = moves(
    # Evidence may come before the order leaves (again): the provider's object shows that it has happened.
    queued="sent done canceled",
    sent="done refused unknown queued",
    unknown="sent done refused",
)
INBOX_MOVES: Final = moves(received="waiting decided parked", waiting="decided parked", parked="waiting decided")
WALLET_MOVES: Final = moves(active="suspended closed", suspended="active closed")
HOLD_MOVES: Final = moves(open="settled released")
PURCHASE_MOVES: Final = moves(
    scheduled="pending canceled",
    # Settled always comes through authorized: news of the second step takes the first one too.
    pending="authorized failed held canceled",
    authorized="settled failed held canceled",
    failed="pending authorized held canceled",
    held="authorized canceled",
    # Money that arrives for a purchase we gave up is still money: a person is asked.
    canceled="held",
    settled="voided",
)
AUTO_TOPUP_MOVES: Final = moves(on="off suspended", off="on", suspended="on off")
SPEND_HOLD_MOVES: Final = moves(open="settled released expired")
PENDING_LINE_MOVES: Final = moves(waiting="invoiced canceled")
# A bank may return a refund days after it succeeded.
REFUND_MOVES: Final = moves(processing="succeeded failed canceled", succeeded="failed")
SALES_ORDER_MOVES: Final = moves(
    open="processing started canceled",
    processing="open started canceled",
    # Money that arrives for an order we gave up is still money.
    canceled="started",
)
DISPUTE_MOVES: Final = moves(
    inquiry="open won lost closed",
    open="won lost closed",
    # The provider may reopen what was decided, or decide it the other way: an appeal.
    won="open lost",
    lost="open won",
    closed="inquiry open won lost",
)
CASE_MOVES: Final = moves(open="resolved")
# Whoever takes a run over from a process that died begins it again.
RUN_MOVES: Final = moves(queued="looking", looking="deciding", deciding="looking done unfinished")
ENDPOINT_MOVES: Final = moves(
    active="paused disabled deleted", paused="active disabled deleted", disabled="active deleted"
)
DELIVERY_MOVES: Final = moves(pending="delivered failed", delivered="pending", failed="pending")
MESSAGE_MOVES: Final = moves(
    queued="held sent failed canceled",
    held="queued sent failed canceled",
    sent="queued",
    failed="queued",
    canceled="queued",
)

MACHINES: Final = {
    "invoice": (InvoiceStatus, INVOICE_MOVES),
    "payment": (PaymentStatus, PAYMENT_MOVES),
    "leg": (LegStatus, LEG_MOVES),
    "provider_order": (OrderStatus, ORDER_MOVES),
    "inbox": (InboxStatus, INBOX_MOVES),
    "wallet": (WalletStatus, WALLET_MOVES),
    "hold": (HoldStatus, HOLD_MOVES),
    "spend_hold": (SpendHoldStatus, SPEND_HOLD_MOVES),
    "purchase": (PurchaseStatus, PURCHASE_MOVES),
    "auto_topup": (AutoTopupStatus, AUTO_TOPUP_MOVES),
    "pending_line": (PendingLineStatus, PENDING_LINE_MOVES),
    "refund": (RefundStatus, REFUND_MOVES),
    "sales_order": (SalesOrderStatus, SALES_ORDER_MOVES),
    "dispute": (DisputeStatus, DISPUTE_MOVES),
    "review_case": (CaseStatus, CASE_MOVES),
    "reconcile_run": (RunStatus, RUN_MOVES),
    "hook_endpoint": (EndpointStatus, ENDPOINT_MOVES),
    "delivery": (DeliveryStatus, DELIVERY_MOVES),
    "message": (MessageStatus, MESSAGE_MOVES),
}
"""Table in Postgres to its states and moves. The column is always `status`."""


def may_move(machine: str, before: str, after: str) -> bool:
    """Say whether a subject of this machine may go from `before` to `after`. Staying is always allowed."""
    return before == after or (before, after) in MACHINES[machine][1]
