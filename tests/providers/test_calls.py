"""One call, one answer: the SDK's exceptions, and replies that are not the provider's, all end as values."""

import json
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from counterfoil.core.facts import Done, Outcome, Unfinished, Unknown, UnreadableFact
from counterfoil.core.ids import AccountId, ProviderRef
from counterfoil.core.orders import CreateCustomer
from counterfoil.providers.port import Credentials, ProviderUnavailable, Refs
from counterfoil.providers.stripe.adapter import StripePort, over_the_network
from counterfoil.providers.stripe.calls import Failure, Reply, object_path
from counterfoil.providers.stripe.network import is_local
from counterfoil.providers.stripe.outcomes import outcome_of
from counterfoil.sandbox.server import SandboxServer
from providers.provider_house import MINE, over_sockets
from providers.scripted import Says, always, says

NOT_THE_PROVIDERS: dict[str, Says] = {
    "nothing": (200, {}, b""),
    "HTML": (200, {"content-type": "text/html"}, b"<html>Sign in to continue</html>"),
    "an HTML error": (502, {"content-type": "text/html"}, b"<html>502</html>"),
    "cut-off JSON": (200, {}, b'{"id": "cus_1", "obj'),
    "a list": says(200, [1]),
    "a text": says(200, "ok"),
    "null": says(200, None),
    "bytes that are no text": (200, {}, b"\xff\xfe\x00"),
    "an error that is a text": says(400, {"error": "invalid"}),
    "an error that is a list": says(400, {"error": []}),
    "an error that is null": says(400, {"error": None}),
    "an error body that is a list": says(400, []),
    "nesting without end": (200, {}, b"[" * 100_000),
    "nesting without end in an error": (400, {}, b'{"error":{"a":' + b'{"a":' * 100_000),
    "a redirect": (302, {"location": "http://elsewhere.test/"}, b""),
}


@pytest.mark.parametrize("said", NOT_THE_PROVIDERS.values(), ids=NOT_THE_PROVIDERS.keys())
def test_a_reply_that_is_not_the_providers_is_no_reply(said: Says) -> None:
    provider = always(said)

    answer = provider.caller().post("/v1/customers", {}, "ordr_1:1")

    assert isinstance(answer, Failure)
    assert outcome_of(answer, ProviderRef("cus_1")) == Unknown("no_reply")
    with pytest.raises(ProviderUnavailable):
        provider.provider().fetch("customer", ProviderRef("cus_1"))


@pytest.mark.parametrize(
    "broken", [TimeoutError(), ConnectionResetError(), BrokenPipeError(), OSError("odd")], ids=repr
)
def test_a_broken_connection_is_no_reply(broken: OSError) -> None:
    answer = always(broken).caller().post("/v1/customers", {}, "ordr_1:1")

    assert outcome_of(answer, ProviderRef("")) == Unknown("no_reply")


def test_a_refused_connection_sent_nothing() -> None:
    answer = always(ConnectionRefusedError()).caller().post("/v1/customers", {}, "ordr_1:1")

    assert answer == Failure(is_sent=False)


def test_an_instruction_carries_its_key_the_version_and_the_account() -> None:
    provider = always(says(200, {"id": "cus_1", "object": "customer"}))

    provider.caller(connected_account="acct_1", api_version="2025-02-24.acacia").post(
        "/v1/customers", {"metadata": {"a": "b"}}, "ordr_1:1"
    )

    (asked,) = provider.asked
    assert (asked.method, asked.path, asked.params) == ("POST", "/v1/customers", {"metadata[a]": "b"})
    assert asked.headers["Idempotency-Key"] == "ordr_1:1"
    assert asked.headers["Stripe-Account"] == "acct_1"
    assert asked.headers["Stripe-Version"] == "2025-02-24.acacia"
    assert asked.headers["Authorization"] == "Bearer sk_test_1"


def test_without_a_choice_the_version_is_the_sdks_own() -> None:
    import stripe

    provider = always(says(200, {"id": "cus_1", "object": "customer"}))

    provider.caller().get("/v1/customers/cus_1")

    (asked,) = provider.asked
    assert asked.headers["Stripe-Version"] == stripe.api_version
    assert "Stripe-Account" not in asked.headers
    assert "Idempotency-Key" not in asked.headers


@pytest.mark.parametrize("said", [says(500, {"error": {"type": "api_error"}}), says(409, {}), TimeoutError()], ids=repr)
def test_the_sdk_sends_nothing_a_second_time(said: Says) -> None:
    """One call, one outcome: retries are the engine's, under the order's key."""
    provider = always(said)

    provider.caller().post("/v1/customers", {}, "ordr_1:1")

    assert len(provider.asked) == 1


def test_the_providers_error_object_comes_whole() -> None:
    error = {"type": "card_error", "code": "card_declined", "payment_intent": {"id": "pi_1", "amount": 7000}}

    answer = always(says(402, {"error": error}, Retry_After="3")).caller().post("/v1/x", {}, "k")

    assert answer == Failure(402, error, {"retry-after": "3"})


def test_a_success_comes_as_plain_json() -> None:
    answer = always(says(200, {"id": "x", "unit_amount_decimal": "1.5", "items": {"data": []}})).caller().get("/v1/x")

    assert answer == Reply({"id": "x", "unit_amount_decimal": "1.5", "items": {"data": []}})


def test_a_path_keeps_an_odd_id_in_one_piece() -> None:
    assert (
        object_path("checkout/sessions", ProviderRef("a/b?c d"), "expire")
        == "/v1/checkout/sessions/a%2Fb%3Fc%20d/expire"
    )


def test_an_object_of_another_kind_than_asked_for_is_unreadable() -> None:
    fact = always(says(200, {"id": "po_1", "object": "payout"})).provider().fetch("customer", ProviderRef("cus_1"))

    assert isinstance(fact, UnreadableFact)


def test_reading_webhooks_does_not_load_the_sdk() -> None:
    code = "import sys, counterfoil.providers.stripe.adapter; print('stripe' in sys.modules, 'requests' in sys.modules)"

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert said.strip() == "False False"


def test_the_sdk_leaves_nothing_in_the_home_directory(tmp_path: Path) -> None:
    """With its telemetry on, it writes an id of this machine there and sends it along."""
    code = """
from counterfoil.core.ids import AccountId
from counterfoil.providers.port import Credentials
from counterfoil.providers.stripe.adapter import StripePort, over_the_network
port = StripePort(over_the_network(0.2, 0.2))
print(port.caller(Credentials(AccountId("a"), "sk_test_1", False, "http://127.0.0.1:1")).get("/v1/account"))
"""
    environment = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)

    assert "is_sent=False" in said.stdout
    assert list(tmp_path.iterdir()) == []


# Over real sockets.


@contextmanager
def listening(answer: Callable[[socket.socket, bytes], None]) -> Iterator[str]:
    """A server that takes one connection, reads the request and does what the test says."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.settimeout(5)
                answer(connection, receive(connection))

        thread = Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join()


def receive(connection: socket.socket) -> bytes:
    """One whole request: to close on a part of it would be a reset of our own making."""
    request = b""
    while b"\r\n\r\n" not in request:
        request += connection.recv(65_536)
    head, _, body = request.partition(b"\r\n\r\n")
    length = int((re.findall(rb"(?i)content-length: *(\d+)", head) or [b"0"])[0])
    while len(body) < length:
        body += connection.recv(65_536)
    return head + b"\r\n\r\n" + body


def sent_to(base: str, read_s: float = 10.0) -> Outcome:
    port = StripePort(over_the_network(connect_s=5.0, read_s=read_s))
    credentials = Credentials(AccountId("pacc_1"), "sk_test_1", livemode=False, base_url=base)
    answer = port.caller(credentials).post("/v1/customers", {"name": "Ada"}, "ordr_1:1")
    return outcome_of(answer, ProviderRef(""))


BODY = json.dumps({"id": "cus_1", "object": "customer"}).encode()
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY)


@pytest.mark.parametrize(
    "wire",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        HEAD,
        HEAD + BODY[:10],
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"id"\r\n',
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
        b"SSH-2.0-OpenSSH_9.2p1\r\n",
        b"HTTP/1.1 999999 Odd\r\n\r\n",
        b"HTTP/1.1 307 Away\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 Away\r\nLocation: javascript:alert(1)\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_whatever_comes_back_after_the_request_left_is_unknown(wire: bytes) -> None:
    """The request may have had its effect: none of these may be taken for a call that never left."""
    with listening(lambda connection, _: connection.sendall(wire)) as base:
        assert sent_to(base) == Unknown("no_reply")


def test_silence_longer_than_our_time_out_is_unknown() -> None:
    def say_nothing(connection: socket.socket, _: bytes) -> None:
        assert connection.recv(1) == b"", "the caller hangs up"

    with listening(say_nothing) as base:
        assert sent_to(base, read_s=0.2) == Unknown("no_reply")


@pytest.mark.parametrize("base", ["http://127.0.0.1:1", "http://localhost:1", "http://nowhere.invalid"])
def test_nothing_was_sent_where_no_connection_could_be_made(base: str) -> None:
    assert sent_to(base) == Unfinished("not reachable", 2)


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://127.0.0.1:12111/v1/x", True),
        ("http://127.9.9.9/", True),
        ("http://localhost/", True),
        ("http://[::1]:80/", True),
        ("https://api.stripe.com/v1/x", False),
        ("http://10.0.0.1/", False),
        ("http://127.0.0.1.example.com/", False),
        ("http://localhost.example.com/", False),
        ("http:///", False),
    ],
)
def test_only_this_machine_is_reached_without_the_environments_proxy(url: str, local: bool) -> None:
    assert is_local(url) is local


def test_a_proxy_of_the_environment_is_not_asked_for_a_sandbox_on_this_machine() -> None:
    code = """
from counterfoil.core.ids import AccountId
from counterfoil.providers.port import Credentials
from counterfoil.providers.stripe.adapter import StripePort
import sys
credentials = Credentials(AccountId("a"), "sk_test_1", False, sys.argv[1])
print(type(StripePort().caller(credentials).get("/v1/customers/cus_1")).__name__)
"""
    environment = {"http_proxy": "http://127.0.0.1:1", "HTTP_PROXY": "http://127.0.0.1:1"}

    with listening(lambda connection, _: connection.sendall(HEAD + BODY)) as base:
        command = [sys.executable, "-c", code, base]
        said = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout

    assert said.strip() == "Reply"


@pytest.mark.parametrize("elsewhere", ["http://api.example.test", "http://10.255.255.1"])
def test_elsewhere_is_reached_through_the_environments_proxy_and_with_our_key_alone(
    tmp_path: Path, elsewhere: str
) -> None:
    """A machine's .netrc may name the provider's host: its password must not be sent in the key's place."""
    (tmp_path / ".netrc").write_text("default login someone password something\n")
    heard: list[bytes] = []
    code = """
import sys
from counterfoil.core.ids import AccountId
from counterfoil.providers.port import Credentials
from counterfoil.providers.stripe.adapter import StripePort
credentials = Credentials(AccountId("a"), "sk_test_1", False, sys.argv[1])
print(type(StripePort().caller(credentials).get("/v1/customers/cus_1")).__name__)
"""

    def proxy(connection: socket.socket, request: bytes) -> None:
        heard.append(request)
        connection.sendall(HEAD + BODY)

    with listening(proxy) as address:
        environment = {"http_proxy": address, "HOME": str(tmp_path)}
        command = [sys.executable, "-c", code, elsewhere]
        said = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout

    assert said.strip() == "Reply"
    assert heard[0].startswith(f"GET {elsewhere}/v1/customers/cus_1 HTTP/1.1".encode())
    assert b"Authorization: Bearer sk_test_1\r\n" in heard[0]


def test_one_port_serves_many_threads_each_with_connections_of_its_own() -> None:
    answers: list[Outcome] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        base = f"http://127.0.0.1:{server.getsockname()[1]}"
        port = StripePort(over_the_network(5.0, 10.0))
        credentials = Credentials(AccountId("pacc_1"), "sk_test_1", livemode=False, base_url=base)

        def call(number: int) -> None:
            answer = port.caller(credentials).post("/v1/customers", {}, f"ordr_{number}:1")
            answers.append(outcome_of(answer, ProviderRef("")))

        threads = [Thread(target=call, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        connections = [server.accept()[0] for _ in threads]
        for connection in connections:
            with connection:
                receive(connection)
                connection.sendall(HEAD + BODY)
        for thread in threads:
            thread.join()

    assert [type(answer) for answer in answers] == [Done] * 4


def test_an_answer_later_than_our_time_out_is_unknown_though_it_took_effect(sandbox_server: SandboxServer) -> None:
    house = over_sockets(sandbox_server, "sk_test_late", read_s=1.0)
    order = house.order(CreateCustomer(MINE))
    house.trouble("slow", "/v1/customers", {"delay_s": 1.5})

    late = house.provider.execute(order, Refs(email="late@example.com"))

    assert late == Unknown("no_reply")
    assert house.provider.find(order, Refs(email="late@example.com")) is not None


def test_what_the_sdk_would_log_of_a_reply_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """It logs whole bodies: client secrets, names and addresses."""
    caplog.set_level("DEBUG")

    always(says(200, {"id": "pi_1", "client_secret": "pi_1_secret_x"})).caller().get("/v1/payment_intents/pi_1")
    always(says(402, {"error": {"message": "pi_1_secret_x"}})).caller().get("/v1/payment_intents/pi_1")

    assert "secret" not in caplog.text
