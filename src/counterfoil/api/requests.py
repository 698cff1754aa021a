"""What may be sent: one body per command."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StrictInt

from counterfoil.api.fields import (
    AnyId,
    Country,
    Currency,
    Email,
    ExternalId,
    Features,
    Flag,
    Instant,
    Locale,
    LongText,
    Metadata,
    Minor,
    MinorOrZero,
    Pool,
    ProviderText,
    Quantity,
    ShortText,
    Strict,
)
from counterfoil.api.parties import Billing
from counterfoil.api.taxed import Taxed
from counterfoil.core.agreed import Trigger
from counterfoil.core.books import GrantSource
from counterfoil.core.bought import Collector, GrantTiming, Settlement
from counterfoil.core.terms import Overdraft, Shortfall


class NoFields(Strict):
    """A body without fields; it may be left out."""


class NewCustomer(Strict):
    """A customer. Unless `provider_ref` names one, it is made at the provider too."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"external_id": "user-7012", "name": "Dana", "email": "dana@example.com", "metadata": {}}]
        }
    )

    external_id: ExternalId | None = None
    name: ShortText | None = None
    email: Email | None = None
    metadata: Metadata = {}
    locale: Locale = "en"
    billing: Billing | None = None
    provider_ref: ProviderText | None = None
    provider_account: AnyId | None = None


class CustomerChanges(Strict):
    """What is to be changed; a field that is left out stays as it is, null clears it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Dana Scully", "metadata": {"team": "x"}}]})

    name: ShortText | None = None
    email: Email | None = None
    metadata: Metadata | None = None
    locale: Locale | None = None
    billing: Billing | None = None


class Standing(Strict):
    """What your application knows of a customer, all at once. `risk` is a word of your own for why nothing is sold to
    it, null for none."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"email_verified": True, "risk": None}]})

    email_verified: Flag
    risk: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")] | None = None


class NewMethod(Strict):
    """A payment method to be saved: the provider's token or id of it, never a card number."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"customer": "ext:user-7012", "token": "pm_card_visa", "default": True}]}
    )

    customer: AnyId
    token: ProviderText
    default: Flag = False


Percents = Annotated[list[Annotated[StrictInt, Field(ge=1, le=99)]], Field(max_length=5)]
Levels = Annotated[list[Quantity], Field(max_length=5)]


class NewWallet(Strict):
    """A wallet in a declared unit. `overdraft` says what happens to use that no lot covers."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"customer": "ext:user-7012", "unit": "usd-credit"}]})

    customer: AnyId
    unit: ShortText
    overdraft: Overdraft = Overdraft.REFUSE
    debt_limit: Quantity | None = None
    shortfall: Shortfall = Shortfall.DEBT
    overflow: Flag = True
    alert_percents: Percents = [20, 5]
    alert_below: Levels = []


class WalletTerms(Strict):
    """The terms of a wallet, all at once. `overdraft` is about use that no lot covers: only `debt` has a limit, null is
    any amount. `shortfall` is about spent credits whose price is refunded, `overflow` whether the use of a plan
    may go on to other credits. Somebody is told once after each top-up when
    less is left than `alert_percents` of it, or than `alert_below`."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"overdraft": "debt", "debt_limit": "5"}]})

    overdraft: Overdraft
    debt_limit: Quantity | None = None
    shortfall: Shortfall = Shortfall.DEBT
    overflow: Flag = True
    alert_percents: Percents = [20, 5]
    alert_below: Levels = []


class Cost(Strict):
    """What was paid for a lot, net of tax."""

    amount: MinorOrZero
    currency: Currency


class NewGrant(Strict):
    """A lot of credits. A lower `priority` is drawn first. With `features` it may be used for those only, with a
    `pool` by uses that name it; neither pays an invoice."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"amount": "30.00", "source": "purchase", "cost": {"amount": 3000, "currency": "USD"}}]
        }
    )

    amount: Quantity
    source: GrantSource
    cost: Cost | None = None
    priority: Annotated[StrictInt, Field(ge=0, le=1000)] = 50
    features: Features = []
    pool: Pool | None = None
    effective_at: Instant | None = None
    expires_at: Instant | None = None


class WrongSpend(Strict):
    """How much of a spend is taken back, in its unit; all that is left of it when nothing is said."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"amount": "2.5"}]})

    amount: Quantity | None = None


class NewUnit(Strict):
    """A service unit. With a face value it can pay invoices: one whole unit stands for `face` minor units."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"code": "eur-credit", "scale": 6, "face": {"amount": 100, "currency": "EUR"}}]}
    )

    code: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,62}$")]
    scale: Annotated[StrictInt, Field(ge=0, le=12)]
    face: "Face | None" = None


class Face(Strict):
    """What one whole unit is worth."""

    amount: Minor
    currency: Currency


class NewLine(Taxed):
    """A line of an invoice, in minor units of the invoice's currency. Taxes are given, never computed."""

    kind: Literal["flat_fee", "goods", "fee"] = "flat_fee"
    description: ShortText
    net: MinorOrZero


class NewInvoice(Strict):
    """A draft. With `collect_at_due` its payment is launched when `due_at` comes."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "customer": "ext:user-7012",
                    "currency": "USD",
                    "lines": [
                        {
                            "kind": "flat_fee",
                            "description": "Pro plan, June",
                            "net": 10000,
                            "taxes": [{"name": "VAT", "rate": "19 %", "amount": 1900}],
                        }
                    ],
                }
            ]
        }
    )

    customer: AnyId
    currency: Currency
    lines: Annotated[list[NewLine], Field(min_length=1, max_length=250)]
    description: LongText = ""
    due_at: Instant | None = None
    collect_at_due: Flag = False


class InvoiceChanges(Strict):
    """What may be changed about an invoice."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"description": "June, second seat included"}]})

    description: LongText


class PayInvoice(Strict):
    """How one invoice is to be paid. `hosted` makes a page of the provider, which sends the customer back to
    `return_url`. Without `use_balance` the policy says whether kept money pays first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"use_credits": True}]})

    payment_method: AnyId | None = None
    use_credits: Flag = True
    use_balance: Flag | None = None
    confirm: Literal["server", "client", "hosted"] = "server"
    return_url: Annotated[str, Field(max_length=1000, pattern="^https?://[^ ]+$")] | None = None


class NewPayment(PayInvoice):
    """The payment of one or several invoices of one customer.

    `provider_ref` claims a payment that your application made at the provider itself.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"invoices": ["inv_01h455vb4pex5vsknk084sn02q"], "confirm": "server"}]}
    )

    invoices: Annotated[list[AnyId], Field(min_length=1, max_length=100)]
    provider_ref: ProviderText | None = None


class CaseAnswer(Strict):
    """A person's answer to a question: what came of it, and what they have to say about it."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"resolution": "handled", "note": "Refunded at the provider on request."}]}
    )

    resolution: Literal["handled", "dismissed"]
    note: LongText


class ForwardClock(Strict):
    """How far business time is to move forward: in seconds, or as `2d`, `36h`, `90m`, `30s`."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"advance": "2d"}]})

    advance_s: Annotated[StrictInt, Field(ge=1, le=366 * 86_400)] | None = None
    advance: Annotated[str, Field(pattern=r"^[0-9]{1,7}[smhd]$")] | None = None


class Price(Strict):
    """A price, net of fee and tax."""

    amount: Minor
    currency: Currency


class TopupTrigger(Strict):
    """What has credits bought. `threshold`: less than `below` can be spent. `target`: the same, and then as much as
    brings it to `target`. `interval`: every `every_s` seconds, whatever is left."""

    kind: Trigger
    below: Quantity | None = None
    target: Quantity | None = None
    every_s: Annotated[StrictInt, Field(ge=1, le=366 * 86_400)] | None = None


class TopupStep(Strict):
    """What one step buys: a `pack` at its price of the day, or an `amount` at a `price` that is fixed here."""

    pack: ShortText | None = None
    amount: Quantity | None = None
    price: Price | None = None


class TopupLimits(Strict):
    """What one attempt, and all of a calendar month (UTC), may cost, fee and tax included."""

    per_attempt: Price
    per_month: Price


class TopupConsent(Strict):
    """Who agreed, when, and to which version of your text. `given_by` is an id of yours, never a name or an address."""

    given_by: Annotated[str, Field(pattern=r"^[!-?A-~]{1,64}$")]
    given_at: Instant
    text_version: ShortText


class AutoTopupTerms(Strict):
    """What a wallet's owner agreed to. Without `payment_method` the customer's default is charged."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "trigger": {"kind": "threshold", "below": "10"},
                    "buy": {"amount": "10", "price": {"amount": 1000, "currency": "USD"}},
                    "limits": {
                        "per_attempt": {"amount": 1000, "currency": "USD"},
                        "per_month": {"amount": 10000, "currency": "USD"},
                    },
                    "consent": {
                        "given_by": "user-7012",
                        "given_at": "2026-06-14T04:04:00Z",
                        "text_version": "2026-01",
                    },
                }
            ]
        }
    )

    trigger: TopupTrigger
    buy: TopupStep
    limits: TopupLimits
    consent: TopupConsent
    payment_method: AnyId | None = None


class NewPurchase(Taxed):
    """Credits to be bought: a pack, or a number of credits at the catalogue's price, or at one that you name.

    `wallet`, or the `unit` of the customer's wallet, says where they go. `settlement` says who collects: an `invoice`
    (of `collector`: `ours`, or the `provider`'s own), somebody else (`external`, who tells us `status`), or nobody
    (`promotional`). `invoice_at` bills later.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"customer": "ext:user-7012", "unit": "credits", "pack": "pack-2500"}]}
    )

    customer: AnyId
    wallet: AnyId | None = None
    unit: ShortText | None = None
    pack: ShortText | None = None
    credits: Annotated[str, Field(max_length=40)] | None = None
    price: Price | None = None
    currency: Currency | None = None
    plan: ShortText | None = None
    settlement: Settlement = Settlement.INVOICE
    collector: Collector = Collector.OURS
    status: Literal["created", "authorized", "settled"] = "created"
    grant_timing: GrantTiming = GrantTiming.AFTER_PAID
    expires_after_s: Annotated[StrictInt, Field(ge=1, le=100 * 366 * 86_400)] | None = None
    priority: Annotated[StrictInt, Field(ge=0, le=1000)] | None = None
    features: Features | None = None
    invoice_at: Instant | None = None
    payment_method: AnyId | None = None
    confirm: Literal["server", "client"] = "server"
    description: Annotated[str, Field(max_length=255)] = ""
    invoice_description: LongText = ""
    external_id: ExternalId | None = None


class NewPendingLine(Taxed):
    """A flat fee that is billed when its invoice date comes, together with everything else that is due then."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "customer": "ext:user-7012",
                    "currency": "USD",
                    "description": "Support, July",
                    "net": 2500,
                    "invoice_at": "2026-07-01T00:00:00Z",
                }
            ]
        }
    )

    customer: AnyId
    currency: Currency
    description: ShortText
    net: MinorOrZero
    invoice_at: Instant
    invoice_description: LongText = ""


class NewPack(Strict):
    """A pack of credits. Prices are net, one per currency; `fee_bp` is charged on top, in hundredths of a per cent."""

    code: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
    unit: ShortText
    credits: Quantity
    prices: Annotated[list[Price], Field(min_length=1, max_length=50)]
    name: Annotated[str, Field(max_length=255)] = ""
    fee_bp: Annotated[StrictInt, Field(ge=0, le=10_000)] = 0
    expires_after_s: Annotated[StrictInt, Field(ge=1, le=100 * 366 * 86_400)] | None = None
    priority: Annotated[StrictInt, Field(ge=0, le=1000)] = 50
    features: Features = []
    plans: Annotated[list[ShortText], Field(max_length=100)] = []
    on_sale: Flag = True


class NewCustomAmounts(Strict):
    """Sizes that may be bought without a pack: whole units from `least` to `most`, at a price each."""

    unit: ShortText
    price: Price
    least: Annotated[StrictInt, Field(ge=1)]
    most: Annotated[StrictInt, Field(ge=1)]
    fee_bp: Annotated[StrictInt, Field(ge=0, le=10_000)] = 0
    expires_after_s: Annotated[StrictInt, Field(ge=1, le=100 * 366 * 86_400)] | None = None


class NewPolicy(Strict):
    """What purchases are held to. It stands as a whole: what is left out is not limited."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "custom": [
                        {
                            "unit": "usd-credit",
                            "price": {"amount": 100, "currency": "USD"},
                            "least": 5,
                            "most": 5000,
                            "fee_bp": 500,
                        }
                    ],
                    "caps": [{"amount": 100000, "currency": "USD"}],
                    "needs_provider_customer": False,
                    "stopped": False,
                    "needs_verified_email": True,
                    "gives_up_after_s": 86400,
                    "home_countries": ["US"],
                    "foreign_card_bp": 150,
                    "blocks_disputed": False,
                }
            ]
        }
    )

    custom: Annotated[list[NewCustomAmounts], Field(max_length=50)] = []
    caps: Annotated[list[Price], Field(max_length=50)] = []
    needs_provider_customer: Flag = False
    stopped: Flag = False
    needs_verified_email: Flag = False
    gives_up_after_s: Annotated[StrictInt, Field(ge=60, le=366 * 86_400)] = 86_400
    home_countries: Annotated[list[Country], Field(max_length=250)] = []
    foreign_card_bp: Annotated[StrictInt, Field(ge=0, le=10_000)] = 0
    blocks_disputed: bool = False


class NewCatalogue(Strict):
    """What is on sale. A pack that says something new becomes its next version; one that is not named stays."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "packs": [
                        {
                            "code": "pack-2500",
                            "unit": "credits",
                            "credits": "2500",
                            "prices": [{"amount": 5000, "currency": "USD"}],
                        }
                    ]
                }
            ]
        }
    )

    units: Annotated[list[NewUnit], Field(max_length=50)] = []
    packs: Annotated[list[NewPack], Field(max_length=500)] = []
    policy: NewPolicy | None = None
