"""One call to the provider through its SDK: one request, no retries, one answer as a value.

Instructions go through the SDK's client. Questions are put to its HTTP client, with the headers and errors that the
client has: what the client does besides, for each call, takes longer than all the rest of a look does.
"""

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias
from urllib.parse import quote, urlencode

import msgspec

from counterfoil.core.ids import ProviderRef
from counterfoil.providers.port import Credentials
from counterfoil.providers.stripe.fields import EMPTY, Doc

if TYPE_CHECKING:
    from stripe import HTTPClient, StripeError

Params: TypeAlias = Mapping[str, Any]
"""Parameters as the SDK takes them: texts, numbers, booleans, and lists and maps of these."""

NO_PARAMS: Final[Params] = {}
CHAIN_MAX: Final = 12


@dataclass(frozen=True, slots=True)
class Reply:
    """The provider did what it was asked. `doc` is the object that came back."""

    doc: Doc


@dataclass(frozen=True, slots=True)
class Failure:
    """There is no usable object.

    `status` is None when no reply came. `error` is the provider's own error object, empty when the reply was not the
    provider's (a proxy's page, a cut-off body). `is_sent` is false only when surely nothing has left.
    """

    status: int | None = None
    error: Doc = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    is_sent: bool = True


Answer: TypeAlias = Reply | Failure

NOTHING_CAME: Final = Failure()


class Caller:
    """Calls one provider account. Safe to share between threads when the HTTP client is."""

    def __init__(self, credentials: Credentials, http_client: "HTTPClient") -> None:
        import stripe  # loads in half a second, which the command line can't wait for

        # With telemetry on, the SDK writes a file into the home directory and times each call; and it logs whole
        # bodies, personal data and client secrets with them.
        stripe.enable_telemetry = False
        logging.getLogger("stripe").setLevel(logging.WARNING)
        self.connected_account = credentials.connected_account
        self._http, self._base = http_client, (credentials.base_url or stripe.api_base).rstrip("/")
        self._headers = _headers(credentials, stripe)
        self._client = stripe.StripeClient(
            credentials.secret_key,
            stripe_account=credentials.connected_account,
            stripe_version=credentials.api_version,
            base_addresses={"api": self._base},
            max_network_retries=0,
            http_client=http_client,
        )

    def get(self, path: str, params: Params = NO_PARAMS) -> Answer:
        """Ask. Changes nothing at the provider."""
        from stripe import StripeError

        query = f"?{urlencode(list(_pairs(params)))}" if params else ""
        try:
            body, status, headers = self._http.request("get", f"{self._base}{path}{query}", self._headers)
        except StripeError as error:
            return failure_of(error)
        if not 200 <= status < 300:
            lowered = {name.lower(): value for name, value in headers.items()}
            return Failure(status, _error_object(body), lowered)
        doc = _json(body)
        return Reply(doc) if isinstance(doc, dict) else NOTHING_CAME

    def post(self, path: str, params: Params, key: str) -> Answer:
        """Instruct, under an idempotency key."""
        return self._send("post", path, {**params, "idempotency_key": key})

    def delete(self, path: str) -> Answer:
        """Delete. A second time is answered as missing."""
        return self._send("delete", path, {})

    def _send(self, method: Literal["post", "delete"], path: str, params: dict[str, Any]) -> Answer:
        from stripe import StripeError

        try:
            reply = self._client.raw_request(method, path, **params)
        except StripeError as error:
            return failure_of(error)
        except (AttributeError, TypeError, RecursionError, UnicodeDecodeError):
            # The SDK trips over an `error` that is not an object, nesting without end and bytes that are no text.
            return NOTHING_CAME
        return Reply(reply.data) if isinstance(reply.data, dict) else NOTHING_CAME


def _headers(credentials: Credentials, sdk: ModuleType) -> dict[str, str]:
    """Give the headers that every question has. They are the SDK's, without what it says about this machine."""
    headers = {
        "Authorization": f"Bearer {credentials.secret_key}",
        "Stripe-Version": credentials.api_version or sdk.api_version,
        "User-Agent": f"Stripe/v1 PythonBindings/{sdk.VERSION}",
    }
    if credentials.connected_account:
        headers["Stripe-Account"] = credentials.connected_account
    return headers


def _pairs(params: Params, within: str = "{}") -> Iterator[tuple[str, str]]:
    """Give parameters as the provider's form encoding has them: a[b]=…, a[0]=…"""
    for name, value in params.items():
        key = within.format(name)
        if isinstance(value, Mapping):
            yield from _pairs(value, f"{key}[{{}}]")
        elif isinstance(value, list | tuple):
            yield from _pairs({str(index): each for index, each in enumerate(value)}, f"{key}[{{}}]")
        elif value is not None:
            yield key, str(value).lower() if isinstance(value, bool) else str(value)


def path_of(*parts: str) -> str:
    """Give the path of an object under /v1/, each part escaped: an id never becomes another path."""
    return "/v1/" + "/".join(quote(part, safe="") for part in parts)


def object_path(collection: str, ref: ProviderRef, *verb: str) -> str:
    """Give the path of one object of a collection (`checkout/sessions` has two parts), or of a verb on it."""
    return path_of(*collection.split("/"), ref, *verb)


def failure_of(error: "StripeError") -> Failure:
    """Read the SDK's exception. Its class and its message are not looked at, the reply that it carries is."""
    if error.http_status is None:
        return Failure(is_sent=not never_left(error))
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    return Failure(error.http_status, _error_object(error.http_body or ""), headers)


def never_left(error: BaseException) -> bool:
    """Say whether no connection was made, so that the provider can't have heard anything."""
    from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

    return any(
        isinstance(cause, ConnectionRefusedError | ConnectTimeoutError | NewConnectionError) for cause in _causes(error)
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Give the errors beneath an error. The libraries hide them in three places."""
    left, seen = [error], 0
    while left and seen < CHAIN_MAX:
        current = left.pop()
        seen += 1
        yield current
        beneath = (current.__cause__, getattr(current, "reason", None), *current.args[:1])
        left.extend(cause for cause in beneath if isinstance(cause, BaseException))


def _error_object(body: str | bytes) -> Doc:
    """Give the provider's error object. Read from the bytes: the SDK's copy is typed differently in each class."""
    doc = _json(body)
    found = doc.get("error") if isinstance(doc, dict) else None
    return found if isinstance(found, dict) else EMPTY


def _json(body: str | bytes) -> object:
    """Read JSON, None where it is none. What the fast reader refuses, the slow one decides."""
    try:
        return msgspec.json.decode(body)
    except RecursionError:
        return None
    except (ValueError, msgspec.MsgspecError):
        pass
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
