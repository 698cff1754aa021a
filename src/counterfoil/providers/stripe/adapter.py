"""The provider port for Stripe: how accounts are opened and webhooks verified. The only room that imports the SDK."""

from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, Final, TypeAlias

from counterfoil.providers.port import Credentials, Verifier
from counterfoil.providers.stripe.calls import Caller
from counterfoil.providers.stripe.notice import verify
from counterfoil.providers.stripe.provider import StripeProvider

if TYPE_CHECKING:
    from stripe import HTTPClient

HttpClients: TypeAlias = "Callable[[], HTTPClient]"
"""Makes the HTTP client that all accounts share. Called once, at the first opening."""

CONNECT_TIMEOUT_S: Final = 5.0
READ_TIMEOUT_S: Final = 20.0


def over_the_network(connect_s: float = CONNECT_TIMEOUT_S, read_s: float = READ_TIMEOUT_S) -> HttpClients:
    """Give the maker of the real HTTP client: a pool of kept connections for each thread, and our own time-outs.

    `read_s` is the longest silence, not the longest call.
    """

    def make() -> "HTTPClient":
        from counterfoil.providers.stripe.network import NetworkClient

        return NetworkClient(connect_s, read_s)

    return make


class StripePort:
    """Opens Stripe accounts. The SDK is loaded when the first is opened; all of them share one HTTP client."""

    def __init__(self, http_clients: "HttpClients | None" = None) -> None:
        self._make_client = http_clients or over_the_network()
        self._client: HTTPClient | None = None
        self._making = Lock()

    def open(self, credentials: Credentials) -> StripeProvider:
        """Give the account, ready to be called from any thread. Makes no call."""
        return StripeProvider(self.caller(credentials))

    def caller(self, credentials: Credentials) -> Caller:
        """Give bare calls to an account, for setting it up (`connect`)."""
        return Caller(credentials, self._shared_client())

    @property
    def verify(self) -> Verifier:
        """The reader of Stripe's webhooks."""
        return verify

    def _shared_client(self) -> "HTTPClient":
        with self._making:
            if self._client is None:
                self._client = self._make_client()
            return self._client
