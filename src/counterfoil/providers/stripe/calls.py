"""One call to the provider through its SDK: one request, no retries, one answer as a value."""

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias
from urllib.parse import quote

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
        base = credentials.base_url
        self._client = stripe.StripeClient(
            credentials.secret_key,
            stripe_account=credentials.connected_account,
            stripe_version=credentials.api_version,
            base_addresses={"api": base.rstrip("/")} if base else None,
            max_network_retries=0,
            http_client=http_client,
        )

    def get(self, path: str, params: Params = NO_PARAMS) -> Answer:
        """Ask. Changes nothing at the provider."""
        return self._send("get", path, dict(params))

    def post(self, path: str, params: Params, key: str) -> Answer:
        """Instruct, under an idempotency key."""
        return self._send("post", path, {**params, "idempotency_key": key})

    def delete(self, path: str) -> Answer:
        """Delete. A second time is answered as missing."""
        return self._send("delete", path, {})

    def _send(self, method: Literal["get", "post", "delete"], path: str, params: dict[str, Any]) -> Answer:
        from stripe import StripeError

        try:
            reply = self._client.raw_request(method, path, **params)
        except StripeError as error:
            return failure_of(error)
        except (AttributeError, TypeError, RecursionError, UnicodeDecodeError):
            # The SDK trips over an `error` that is not an object, nesting without end and bytes that are no text.
            return NOTHING_CAME
        return Reply(reply.data) if isinstance(reply.data, dict) else NOTHING_CAME


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
    return Failure(error.http_status, _error_object(error), headers)


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


def _error_object(error: "StripeError") -> Doc:
    """Give the provider's error object. Read from the bytes: the SDK's copy is typed differently in each class."""
    try:
        body = json.loads(error.http_body or "")
    except (ValueError, RecursionError):
        return EMPTY
    found = body.get("error") if isinstance(body, dict) else None
    return found if isinstance(found, dict) else EMPTY
