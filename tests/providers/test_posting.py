"""The real sender over real sockets: to the address that was checked, in time, and nowhere else."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import httpcore2
import pytest

from counterfoil.core.deliveries import Answered, Unanswered
from counterfoil.providers.addresses import AddressRefused, is_public, literal_of, pinned, target_of
from counterfoil.providers.posting import HttpSender, retry_after_s
from counterfoil.providers.sender import Parcel

HEADERS = {"webhook-id": "evnt_1"}
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@contextmanager
def answering(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server on this machine that treats each connection so. Gives its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def run() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection, suppress(OSError):
                    serve(connection)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def post(port: int, sender: HttpSender | None = None, *, may_stay_here: bool = True) -> Answered | Unanswered:
    parcel = Parcel(f"http://localhost:{port}/hooks", HEADERS, '{"a":"é"}', may_stay_here)
    return (sender or HttpSender()).post(parcel)


def with_answer(raw: bytes, seen: list[bytes] | None = None) -> Callable[[socket.socket], None]:
    def serve(connection: socket.socket) -> None:
        received = connection.recv(65536)
        while b'{"a"' not in received:
            received += connection.recv(65536)
        if seen is not None:
            seen.append(received)
        connection.sendall(raw)

    return serve


def test_a_parcel_arrives_as_it_was_signed() -> None:
    seen: list[bytes] = []

    with answering(with_answer(OK, seen)) as port:
        result = post(port)

    assert isinstance(result, Answered)
    assert (result.status_code, result.reply) == (200, b"ok")
    assert seen[0].startswith(b"POST /hooks HTTP/1.1\r\n")
    assert f"Host: localhost:{port}".encode() in seen[0]
    assert b"webhook-id: evnt_1" in seen[0]
    assert seen[0].endswith('{"a":"é"}'.encode())


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    seen: list[bytes] = []

    with answering(with_answer(b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", seen)) as port:
        result = post(port)

    assert isinstance(result, Answered)
    assert (result.status_code, len(seen)) == (302, 1)


def test_an_answer_without_end_is_cut() -> None:
    def endless(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            connection.sendall(b"4000\r\n" + b"x" * 0x4000 + b"\r\n")

    with answering(endless) as port:
        result = post(port)

    assert isinstance(result, Answered)
    assert len(result.reply) == 1024


@pytest.mark.parametrize("drip", [b"", b"HTTP/1.1 200 ", b"HTTP/1.1 200 OK\r\nX-A: "])
def test_all_of_it_has_its_time_however_slowly_it_drips(drip: bytes) -> None:
    """A time-out per read would let a byte a second hold a worker for ever."""
    over = threading.Event()

    def slow(connection: socket.socket) -> None:
        connection.sendall(drip)
        while drip and not over.wait(0.05):
            connection.sendall(b"x")
        over.wait(2)

    with answering(slow) as port:
        result = post(port, HttpSender(timeout_s=0.4))
        over.set()

    assert isinstance(result, Unanswered)
    assert (result.why, result.is_sent) == ("timeout", True)
    assert 350 <= result.duration_ms < 1500


def test_what_can_go_wrong_has_a_word_for_it() -> None:
    with answering(lambda connection: connection.close()) as port:
        lost = post(port)
    with answering(with_answer(b"SSH-2.0-OpenSSH_9.6\r\n")) as port:
        odd = post(port)
    closed = post(port)

    assert isinstance(lost, Unanswered)
    assert lost.is_sent
    assert isinstance(odd, Unanswered)
    assert odd.why == "no_http"
    assert isinstance(closed, Unanswered)
    assert (closed.why, closed.is_sent) == ("connection_failed", False)


def test_nothing_goes_to_this_machine_unless_that_was_allowed() -> None:
    seen: list[bytes] = []

    with answering(with_answer(OK, seen)) as port:
        result = post(port, may_stay_here=False)

    assert isinstance(result, Unanswered)
    assert (result.why, result.is_sent, seen) == ("address_refused", False, [])


class Recorded(httpcore2.NetworkBackend):
    """A network that notes where connections go, and lets none of them through."""

    def __init__(self) -> None:
        self.reached: list[tuple[str, int]] = []

    def connect_tcp(self, host: str, port: int, *_: object, **__: object) -> httpcore2.NetworkStream:
        self.reached.append((host, port))
        raise httpcore2.ConnectError("nobody is there")


def test_a_name_that_answers_otherwise_the_next_time_is_asked_once() -> None:
    """Rebinding: the first answer passes the check, the second one leads inside. There is no second one."""
    answers = [["93.184.216.34"], ["169.254.169.254"]]
    asked: list[str] = []

    def rebinding(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return answers[len(asked) - 1]

    network = Recorded()
    HttpSender(rebinding, network).post(Parcel("https://evil.test/", HEADERS, "{}"))

    assert asked == ["evil.test"]
    assert network.reached == [("93.184.216.34", 443)]


def test_one_bad_answer_among_good_ones_refuses_all() -> None:
    network = Recorded()
    sender = HttpSender(lambda host, port: ["93.184.216.34", "10.0.0.7"], network)

    result = sender.post(Parcel("https://evil.test/", HEADERS, "{}"))

    assert isinstance(result, Unanswered)
    assert (result.why, network.reached) == ("address_refused", [])


def test_tls_is_spoken_with_the_name_and_not_with_the_address() -> None:
    """The certificate has to be the host's, although the connection goes to an address."""

    class Named(httpcore2.NetworkStream):
        name: str | None = None

        def start_tls(
            self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
        ) -> httpcore2.NetworkStream:
            Named.name = server_hostname
            assert ssl_context.check_hostname
            assert ssl_context.verify_mode is ssl.CERT_REQUIRED
            raise httpcore2.ConnectError("no further")

        def close(self) -> None:
            """Nothing is open."""

        def get_extra_info(self, info: str) -> None:
            """Nothing is known."""

    class Network(httpcore2.NetworkBackend):
        def connect_tcp(self, host: str, port: int, *_: object, **__: object) -> httpcore2.NetworkStream:
            return Named()

    result = HttpSender(lambda host, port: ["93.184.216.34"], Network()).post(Parcel("https://good.test/", HEADERS, ""))

    assert Named.name == "good.test"
    assert isinstance(result, Unanswered)
    assert not result.is_sent


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254"),
        *("100.64.0.1", "100.100.100.200", "192.0.0.192", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
        *("168.63.129.16", "192.88.99.1", "192.0.2.1", "203.0.113.9"),
        *("::", "::1", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8"),
        *("::7f00:1", "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::", "2001::1", "2001:db8::1", "100::1"),
    ],
)
def test_an_address_inside_is_no_public_one(address: str) -> None:
    literal = literal_of(address)

    assert literal is not None
    assert not is_public(literal)
    with pytest.raises(AddressRefused):
        pinned(target_of("https://evil.test/"), lambda host, port: [address])


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "2a00:1450:4001::1"])
def test_an_address_outside_may_be_reached(address: str) -> None:
    assert pinned(target_of("https://good.test/"), lambda host, port: [address]) == address


@pytest.mark.parametrize(
    "url",
    [
        *("http://host.test/", "ftp://host.test/", "//host.test/", "host.test", "https://", "https:///x", ""),
        *("https://user:pw@host.test/", "https://user@host.test/", "https://host.test/#part", "https://host.test\\@x/"),
        *("https://host.test:80/", "https://host.test:22/", "https://host.test:0/", "https://host.test:99999/"),
        *("https://2130706433/", "https://0x7f000001/", "https://0x7f.1/", "https://127.1/", "https://0177.0.0.1/"),
        *("https://127.0.0.1/", "https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://10.0.0.1/"),
        *("https://[fe80::1%25eth0]/", "https://host.test%2e/", "https://hö.test/", "https://host..test/"),
        *("https://host.test/ x", "https://host.test/\n", "https://\u2460.test/", "https://" + "a" * 2000 + ".test/"),
        *("https://-a.test/", "https://a_b.test/"),
    ],
)
def test_an_odd_address_is_refused_before_anything_is_asked(url: str) -> None:
    with pytest.raises(AddressRefused):
        target_of(url)


def test_test_mode_may_reach_this_machine_and_only_this() -> None:
    here = target_of("http://localhost:3000/hooks", may_stay_here=True)

    assert pinned(here, lambda host, port: ["127.0.0.1"], may_stay_here=True) == "127.0.0.1"
    with pytest.raises(AddressRefused):
        pinned(here, lambda host, port: ["10.0.0.1"], may_stay_here=True)
    with pytest.raises(AddressRefused):
        target_of("http://10.0.0.1:3000/hooks", may_stay_here=True)


def test_how_long_to_wait_is_read_in_both_forms() -> None:
    date = b"Sun, 14 Jun 2026 04:04:00 GMT"

    assert retry_after_s([(b"Retry-After", b"120")]) == 120
    assert retry_after_s([(b"retry-after", b"Sun, 14 Jun 2026 04:05:30 GMT"), (b"Date", date)]) == 90
    assert retry_after_s([(b"retry-after", b"soon"), (b"date", date)]) is None
    assert retry_after_s([]) is None
