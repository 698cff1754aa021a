"""What is answered, for the OpenAPI document: the shapes that engine/views.py makes. Tests hold the two together."""

from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Data = TypeVar("Data")
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class Answer(BaseModel):
    """An answer. Fields may be added to any of them before the next major version."""

    model_config = ConfigDict(extra="allow")


class Money(Answer):
    """An amount in minor units, and as people write it."""

    amount: int
    currency: str
    formatted: str


class Units(Answer):
    """An amount of a service unit, as a decimal string."""

    quantity: str
    unit: str


class Customer(Answer):
    """Who pays."""

    id: str
    object: Literal["customer"]
    external_id: str | None
    name: str | None
    email: str | None
    metadata: dict[str, str]
    locale: str
    billing: "Billing | None"
    provider_account: str
    provider_ref: str | None
    paused: bool
    email_verified: bool
    risk: str | None
    deleted_at_provider: bool
    erased_at: Time | None
    created_at: Time


class Billing(Answer):
    """What papers say of a buyer."""

    name: str
    address: list[str]
    tax_id: str
    email: str | None


class PaymentMethod(Answer):
    """A saved way to pay. `status` is pending until the provider says that it is saved."""

    id: str
    object: Literal["payment_method"]
    customer: str
    status: Literal["pending", "saved", "refused", "detached"]
    kind: str | None = None
    brand: str | None = None
    last4: str | None = None
    country: str | None = None
    default: bool | None = None


class Wallet(Answer):
    """A customer's prepaid promises in one unit."""

    id: str
    object: Literal["wallet"]
    customer: str
    unit: str
    status: str
    balance: Units
    held: Units
    debt: Units
    available: Units
    overdraft: str
    debt_limit: Units | None
    shortfall: str
    overflow: bool
    alert_percents: list[int]
    alert_below: list[Units]
    created_at: Time


class Grant(Answer):
    """A lot in a wallet."""

    id: str
    object: Literal["grant"]
    wallet: str
    source: str
    amount: Units
    remaining: Units
    used: Units
    held: Units
    gone: Units
    cost_basis: Money
    priority: int
    features: list[str]
    pool: str | None
    effective_at: Time
    expires_at: Time | None
    voided_at: Time | None
    created_at: Time


class WalletBalance(Answer):
    """What a wallet held at an instant: lots less debt."""

    object: Literal["wallet_balance"]
    wallet: str
    at: Time
    balance: Units


class Draw(Answer):
    """What one lot paid of a spend, as a decimal string in the wallet's unit."""

    grant: str
    amount: str


class Spend(Answer):
    """A use that was paid for. Amounts are decimal strings in `unit`; `draws` are in draw order.

    `balance_after` is what the wallet held after it, lots less debt; `hold` the hold that it settled, if there was one.
    """

    id: str
    object: Literal["spend"]
    key: str
    wallet: str
    unit: str
    amount: str
    draws: list[Draw]
    debt: str
    written_off: str
    balance_after: str
    feature: str | None
    pools: list[str]
    hold: str | None
    rule: str
    occurred_at: Time
    recorded_at: Time


class Correction(Answer):
    """What a correction gave back of a spend: to which lots, of what was owed, and of what had been given away.

    `left` is what can still be taken back.
    """

    object: Literal["correction"]
    spend: str
    number: int
    wallet: str
    unit: str
    amount: str
    returns: list[Draw]
    debt: str
    written_off: str
    left: str
    explain: str


class StatementRow(Answer):
    """What one decision moved in a wallet. `id` is the decision, which `explain` shows."""

    id: str
    object: Literal["statement_row"]
    kinds: list[str]
    change: Units
    balance: Units
    entries: list[str]
    effective_at: Time
    recorded_at: Time
    explain: str


class Unit(Answer):
    """A service unit. Once declared it never changes."""

    code: str
    object: Literal["unit"]
    scale: int
    face: Money | None


class Tax(Answer):
    """A tax as it was given. `rate` is a text, never computed with."""

    name: str
    rate: str
    amount: Money


class Line(Answer):
    """A line of an invoice."""

    id: str
    kind: str
    description: str
    net: Money
    tax: Money
    taxes: list[Tax]
    gross: Money


class Invoice(Answer):
    """What a customer owes, and what was done about it."""

    id: str
    object: Literal["invoice"]
    customer: str
    number: str | None
    status: str
    payment_status: str
    currency: str
    total: Money
    amount_paid: Money
    amount_reserved: Money
    amount_due: Money
    lines: list[Line]
    due_at: Time | None
    created_at: Time


class Purchase(Answer):
    """Credits that are bought. Settled (the money is there) and fulfilled (the credits were given) are two facts."""

    id: str
    object: Literal["purchase"]
    customer: str
    wallet: str
    external_id: str | None
    status: str
    settlement: Literal["invoice", "external", "promotional"]
    collector: Literal["ours", "provider"] | None
    pack: str | None
    pack_version: int | None
    credits: Units
    price: Money
    fee: Money
    tax: Money
    taxes: list[Tax]
    total: Money
    paid: dict[str, Money]
    description: str
    grant: str | None
    invoice: str | None
    invoice_at: Time | None
    failure: dict[str, Any] | None
    settled_at: Time | None
    fulfilled_at: Time | None
    created_at: Time


class PendingLine(Answer):
    """A line that waits for its invoice date, and what became of it."""

    id: str
    object: Literal["pending_line"]
    customer: str
    status: str
    description: str
    net: Money
    fee: Money
    tax: Money
    taxes: list[Tax]
    gross: Money
    invoice_at: Time
    invoice_description: str
    purchase: str | None
    invoice: str | None
    created_at: Time


class Pack(Answer):
    """One version of a pack of credits."""

    code: str
    object: Literal["pack"]
    version: int
    name: str
    credits: Units
    prices: list[Money]
    fee_bp: int
    expires_after_s: int | None
    plans: list[str]
    on_sale: bool


class PurchasePolicy(Answer):
    """What purchases are held to."""

    object: Literal["purchase_policy"]
    version: int
    custom: list[dict[str, Any]]
    caps: list[Money]
    needs_provider_customer: bool
    stopped: bool
    needs_verified_email: bool
    gives_up_after_s: int
    home_countries: list[str]
    foreign_card_bp: int
    blocks_disputed: bool


class Catalogue(Answer):
    """What is on sale, and what purchases are held to. `added` are the packs whose version is new."""

    object: Literal["catalogue"]
    packs: list[Pack]
    policy: PurchasePolicy
    added: list[str] | None = None


class Leg(Answer):
    """One part of a payment. An external one has the `means` and the `reference` that it was recorded with."""

    id: str
    kind: Literal["credit", "balance", "provider", "external"]
    status: str
    amount: Money
    refunded: Money


class Payment(Answer):
    """An attempt to collect invoices. `client_secret` is there for the browser while the customer has to confirm."""

    id: str
    object: Literal["payment"]
    customer: str
    status: str
    amount: Money
    confirm: str
    legs: list[Leg]
    next_action: dict[str, Any] | None
    client_secret: str | None = None
    created_at: Time


class AutoTopup(Answer):
    """What has a wallet filled again by itself. `waiting_for` says what comes next; `attempt` is the purchase that is
    under way, and there is never another one beside it."""

    id: str
    object: Literal["auto_topup"]
    wallet: str
    customer: str
    status: Literal["on", "off", "suspended"]
    trigger: dict[str, Any]
    buy: dict[str, Any]
    limits: dict[str, Money]
    payment_method: str | None
    consent: dict[str, str]
    spent_this_month: Money
    waiting_for: Literal["payment", "customer", "retry", "next_month", "interval", "threshold"] | None
    attempt: str | None
    action_by: Time | None
    failures: int
    failing_since: Time | None
    last_failure: str | None
    retry_at: Time | None
    created_at: Time


class Decision(Answer):
    """What was decided about one piece of news, why, and with which effects."""

    id: str
    object: Literal["decision"]
    outcome: str
    reason: str
    sentence: str
    rule: str
    customer: str | None
    news: dict[str, Any]
    decided_at: Time


class ProviderEvent(Answer):
    """News as it came in, with its decision."""

    id: str
    object: Literal["provider_event"]
    source: str
    kind: str
    status: str
    deliveries: int
    decision: dict[str, Any] | None
    received_at: Time


class Event(Answer):
    """Something that happened here, in the sequence of its customer."""

    id: str
    object: Literal["event"]
    kind: str
    customer: str | None
    sequence: int
    subject: str
    data: dict[str, Any]
    decision: str
    created_at: Time


class Case(Answer):
    """A question for a person."""

    id: str
    object: Literal["case"]
    question: str
    subject: str
    detail: str
    status: str
    customer: str | None
    opened_at: Time
    resolved_at: Time | None
    resolution: str | None
    note: str | None


class TestClock(Answer):
    """Business time after it was moved."""

    object: Literal["test_clock"]
    now: Time
    ahead_s: int


class Preview(Answer):
    """What a dry run would do."""

    object: Literal["preview"]
    outcome: str
    reason: str
    sentence: str
    entries: list[dict[str, Any]]
    messages: list[str]
    effects: list[dict[str, Any]]


class List(Answer, Generic[Data]):
    """One page. `next_cursor` gives the next, null on the last."""

    data: list[Data]
    next_cursor: str | None


class ProblemDocument(Answer):
    """An error (RFC 9457). `type` is a page that says what to do."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    retryable: bool
    request_id: str
    param: str | None = None
    remedy: str | None = None
    balance: str | None = None
    needed: str | None = None
    explain: str | None = None
    errors: list[dict[str, str]] = []


class Explanation(Answer):
    """Why a number is what it is: the equation, the entries and decisions behind it, and the notices behind those."""

    object: Literal["explanation"]
    id: str
    subject: dict[str, Any]
    finding: Any
    equation: dict[str, Any] | None
    entries: list[dict[str, Any]]
    timeline: list[dict[str, Any]]
    as_of: Time
