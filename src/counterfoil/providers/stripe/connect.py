"""Connect an account: check its key, then make the webhook endpoint that brings its news."""

from dataclasses import dataclass, field
from typing import Final

from counterfoil.core.ids import ProviderRef
from counterfoil.providers.port import ProviderUnavailable
from counterfoil.providers.stripe.calls import Answer, Caller, Failure, object_path, path_of
from counterfoil.providers.stripe.fields import Doc, lenient_ref, rows, text
from counterfoil.providers.stripe.outcomes import in_words

ENDPOINTS_MAX: Final = 100
"""More than the 16 endpoints that an account can have."""

EVENT_KINDS: Final = (
    "account.updated",
    "charge.dispute.closed",
    "charge.dispute.created",
    "charge.dispute.funds_reinstated",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.updated",
    "charge.failed",
    "charge.refund.updated",
    "charge.refunded",
    "charge.succeeded",
    "charge.updated",
    "checkout.session.async_payment_failed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.completed",
    "checkout.session.expired",
    "customer.created",
    "customer.deleted",
    "customer.subscription.created",
    "customer.subscription.deleted",
    "customer.subscription.paused",
    "customer.subscription.resumed",
    "customer.subscription.updated",
    "customer.updated",
    "invoice.created",
    "invoice.deleted",
    "invoice.finalization_failed",
    "invoice.finalized",
    "invoice.marked_uncollectible",
    "invoice.paid",
    "invoice.payment_action_required",
    "invoice.payment_failed",
    "invoice.updated",
    "invoice.voided",
    "invoice_payment.paid",
    "payment_intent.amount_capturable_updated",
    "payment_intent.canceled",
    "payment_intent.created",
    "payment_intent.payment_failed",
    "payment_intent.processing",
    "payment_intent.requires_action",
    "payment_intent.succeeded",
    "payment_method.attached",
    "payment_method.automatically_updated",
    "payment_method.detached",
    "payment_method.updated",
    "refund.created",
    "refund.failed",
    "refund.updated",
)
"""What an endpoint of ours asks for. Named, not `*`: kinds that no rule reads would only cost deliveries."""


class KeyRefused(Exception):
    """The provider refused the secret key. Check that it is whole, not rolled, and of the right mode."""

    code = "provider_key_refused"


class EndpointExists(Exception):
    """The account already has a webhook endpoint for this address, and its signing secret can't be read again."""

    code = "webhook_endpoint_exists"


@dataclass(frozen=True, slots=True)
class AccountInfo:
    """Which account a key belongs to. `livemode` is what the provider says, not what the key looks like."""

    ref: ProviderRef
    name: str | None
    country: str | None
    default_currency: str | None
    livemode: bool


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A webhook endpoint as it was made. The provider shows `secret` this once."""

    ref: ProviderRef
    url: str
    api_version: str
    secret: str = field(repr=False)


def check_key(caller: Caller) -> AccountInfo:
    """Say which account the key opens. Raises KeyRefused, ProviderUnavailable."""
    account = _doc(caller.get(path_of("account")))
    balance = _doc(caller.get(path_of("balance")))
    account_ref = lenient_ref(account, "id")
    if account_ref is None:
        raise ProviderUnavailable("the provider's account has no id")
    return AccountInfo(
        ref=account_ref,
        name=text(account, "business_name") or text(account, "email"),
        country=text(account, "country"),
        default_currency=(text(account, "default_currency") or "").upper() or None,
        livemode=balance.get("livemode") is True,
    )


def create_endpoint(caller: Caller, url: str, key: str, *, replace: bool = False) -> Endpoint:
    """Make the endpoint for `url`, pinned to the version that we speak, under an idempotency key.

    With `replace`, endpoints that the address already has are deleted after the new one stands, so no news is lost.
    Raises EndpointExists, KeyRefused, ProviderUnavailable.
    """
    existing = _endpoints_of(caller, url)
    if existing and not replace:
        raise EndpointExists(f"{existing[0]} already delivers to {url}")
    version = sdk_version()
    params = {"url": url, "api_version": version, "enabled_events": list(EVENT_KINDS), "description": "Counterfoil"}
    made = _endpoint(_doc(caller.post(path_of("webhook_endpoints"), params, key)), url, version)
    for old in existing:
        _doc(caller.delete(object_path("webhook_endpoints", old)))
    return made


def sdk_version() -> str:
    """Give the API version that the SDK is pinned to."""
    import stripe

    return str(stripe.api_version)


def _endpoints_of(caller: Caller, url: str) -> list[ProviderRef]:
    listed = _doc(caller.get(path_of("webhook_endpoints"), {"limit": ENDPOINTS_MAX}))
    refs = [lenient_ref(endpoint, "id") for endpoint in rows(listed, "data") if endpoint.get("url") == url]
    return [found for found in refs if found is not None]


def _endpoint(doc: Doc, url: str, version: str) -> Endpoint:
    endpoint_ref, secret = lenient_ref(doc, "id"), text(doc, "secret")
    if endpoint_ref is None or secret is None:
        raise ProviderUnavailable("the provider made an endpoint without an id or a secret")
    return Endpoint(endpoint_ref, url, text(doc, "api_version") or version, secret)


def _doc(answer: Answer) -> Doc:
    if not isinstance(answer, Failure):
        return answer.doc
    if answer.status in (401, 403):
        raise KeyRefused(in_words(answer))
    raise ProviderUnavailable(in_words(answer))
