"""The provider port: how the engine speaks to the outside, whoever is there.

`verify` touches nothing but its arguments. The other verbs make one call each, with a time-out of their own and no
retries: one call, one Outcome. The engine retries.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from counterfoil.core.facts import Fact, Notice, Outcome
from counterfoil.core.ids import AccountId, ProviderRef
from counterfoil.core.orders import Order

COMPARED = ("payment_intent", "refund", "dispute", "invoice", "customer")
"""The kinds of objects that a reconciliation compares with the books, whatever events were sent about them."""


class ProviderUnavailable(Exception):
    """The provider did not answer a question. Nothing was changed; ask again later."""


class NoticeRefused(Exception):
    """The webhook was not accepted: `code` says why. Nothing of it may be trusted."""

    code = "webhook_refused"


class SignatureRefused(NoticeRefused):
    """The signature is missing, wrong, or made with a secret that is not this endpoint's."""

    code = "webhook_signature_invalid"


class SignatureExpired(NoticeRefused):
    """The signature's time is more than five minutes away from ours, in the past or in the future."""

    code = "webhook_signature_expired"


class NoticeUnreadable(NoticeRefused):
    """The body is signed but is not an event: not JSON, or without the fields every event has."""

    code = "webhook_not_an_event"


@dataclass(frozen=True, slots=True)
class Credentials:
    """How to reach one provider account. `base_url` None means the provider's own address."""

    account: AccountId
    secret_key: str = field(repr=False)
    livemode: bool
    base_url: str | None = None
    connected_account: str | None = None
    api_version: str | None = None


@dataclass(frozen=True, slots=True)
class Refs:
    """What an order's own ids are called at the provider, resolved just before it is sent."""

    customer_ref: ProviderRef | None = None
    method_ref: ProviderRef | None = None
    email: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """One page of the provider's event list, oldest first, and the cursor to go on from."""

    notices: tuple[tuple[Notice, bytes], ...]
    cursor: str | None
    more: bool


@dataclass(frozen=True, slots=True)
class Listed:
    """One object of a list: its id and status there, and what has to be looked at to learn more of it."""

    ref: ProviderRef
    status: str
    look_kind: str
    look_ref: ProviderRef
    made_at: datetime


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of a list of objects, newest first. `after` names where to go on, None at the end."""

    items: tuple[Listed, ...]
    after: ProviderRef | None


class Provider(Protocol):
    """One provider account."""

    def fetch(self, kind: str, ref: ProviderRef) -> Fact:
        """Give the current object. Raises ProviderUnavailable when the provider did not answer."""

    def execute(self, order: Order, refs: Refs) -> Outcome:
        """Send an order under its key."""

    def find(self, order: Order, refs: Refs) -> Fact | None:
        """Look an order's object up by a list of the customer's objects and our mark on it, never by search.

        None means that there is none. Raises ProviderUnavailable when the provider did not answer.
        """

    def changes_since(self, cursor: str | None) -> Changes:
        """Give the next page of events after `cursor`, oldest first. Raises ProviderUnavailable."""

    def made_since(self, kind: str, since: datetime | None, after: ProviderRef | None) -> Listing:
        """Give a page of the objects of a kind of COMPARED that were made since an instant, None for ever.

        Raises ProviderUnavailable.
        """


class Verifier(Protocol):
    """Reads the provider's webhooks."""

    def __call__(self, body: bytes, headers: Mapping[str, str], secrets: tuple[str, ...], wall: datetime) -> Notice:
        """Check the signature over the exact bytes, then read the event. Raises NoticeRefused."""


class ProviderPort(Protocol):
    """Opens provider accounts."""

    def open(self, credentials: Credentials) -> Provider:
        """Give the account, ready to be called. Cheap: connections are shared."""

    @property
    def verify(self) -> Verifier:
        """The reader of this provider's webhooks."""
