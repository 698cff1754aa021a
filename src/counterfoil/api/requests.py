"""What may be sent: one body per command."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StrictInt

from counterfoil.api.fields import (
    AnyId,
    Currency,
    Email,
    ExternalId,
    Features,
    Flag,
    Instant,
    LongText,
    Metadata,
    Minor,
    MinorOrZero,
    ProviderText,
    Quantity,
    ShortText,
    Strict,
)
from counterfoil.core.books import GrantSource, LineKind, Overdraft, Shortfall


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
    provider_ref: ProviderText | None = None
    provider_account: AnyId | None = None


class CustomerChanges(Strict):
    """What is to be changed; a field that is left out stays as it is, null clears it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Dana Scully", "metadata": {"team": "x"}}]})

    name: ShortText | None = None
    email: Email | None = None
    metadata: Metadata | None = None


class NewMethod(Strict):
    """A payment method to be saved: the provider's token or id of it, never a card number."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"customer": "ext:user-7012", "token": "pm_card_visa", "default": True}]}
    )

    customer: AnyId
    token: ProviderText
    default: Flag = False


class NewWallet(Strict):
    """A wallet in a declared unit. `overdraft` says what happens to use that no lot covers."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"customer": "ext:user-7012", "unit": "usd-credit"}]})

    customer: AnyId
    unit: ShortText
    overdraft: Overdraft = Overdraft.REFUSE
    debt_limit: Quantity | None = None
    shortfall: Shortfall = Shortfall.DEBT


class WalletTerms(Strict):
    """The terms of a wallet, all at once. `overdraft` is about use that no lot covers: only `debt` has a limit, null is
    any amount. `shortfall` is about spent credits whose price is refunded."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"overdraft": "debt", "debt_limit": "5"}]})

    overdraft: Overdraft
    debt_limit: Quantity | None = None
    shortfall: Shortfall = Shortfall.DEBT


class Cost(Strict):
    """What was paid for a lot, net of tax."""

    amount: MinorOrZero
    currency: Currency


class NewGrant(Strict):
    """A lot of credits. A lower `priority` is drawn first. With `features` it may be used for those only, and pays no
    invoice."""

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


class NewLine(Strict):
    """A line of an invoice, in minor units of the invoice's currency. Tax is given, never computed."""

    kind: LineKind = LineKind.FLAT_FEE
    description: ShortText
    net: MinorOrZero
    tax: MinorOrZero = 0


class NewInvoice(Strict):
    """A draft. With `collect_at_due` its payment is launched when `due_at` comes."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "customer": "ext:user-7012",
                    "currency": "USD",
                    "lines": [{"kind": "flat_fee", "description": "Pro plan, June", "net": 10000, "tax": 0}],
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
    """How one invoice is to be paid."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"use_credits": True}]})

    payment_method: AnyId | None = None
    use_credits: Flag = True
    confirm: Literal["server", "client"] = "server"


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
