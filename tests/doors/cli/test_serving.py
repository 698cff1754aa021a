"""What a web server of ours reads before it knows what it is asked: never more than a bound."""

import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from counterfoil.cli.serving import HEAD_MAX, web

READ_AT_ONCE = 256 * 1024
PATIENCE_S = 20.0
ASK = b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: "


async def length_of_body(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the number of bytes that the body had."""
    if scope["type"] != "http":
        return
    length, more = 0, True
    while more:
        message = await receive()
        length += len(message.get("body", b""))
        more = message.get("more_body", False)
    body = str(length).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
def wire() -> Iterator[socket.socket]:
    listening = socket.create_server(("127.0.0.1", 0))
    with (
        web(length_of_body, listening),
        closing(socket.create_connection(listening.getsockname()[:2], timeout=PATIENCE_S)) as wire,
    ):
        yield wire


def until(wire: socket.socket, end: bytes) -> bytes:
    got = b""
    while end not in got and (more := wire.recv(65536)):
        got += more
    return got


def test_headers_up_to_the_bound_are_read(wire: socket.socket) -> None:
    wire.sendall(ASK + b"2\r\nX-Long: " + b"a" * (HEAD_MAX - 1000) + b"\r\n\r\nhi")

    assert until(wire, b"\r\n\r\n2").startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("piece", [b"a" * 8192, b"\r\nX-More: " + b"a" * 100], ids=["one long header", "many headers"])
def test_headers_without_an_end_are_refused_and_the_connection_ends(wire: socket.socket, piece: bytes) -> None:
    wire.sendall(ASK + b"0\r\nX-Long: a")
    sent, refused = 0, b""
    wire.settimeout(0.01)
    while not refused and sent < 10 * (HEAD_MAX + READ_AT_ONCE):
        try:
            wire.sendall(piece)
            sent += len(piece)
            refused = wire.recv(65536)
        except TimeoutError:
            continue
        except OSError:
            break
    wire.settimeout(PATIENCE_S)

    assert refused.startswith(b"HTTP/1.1 400")
    assert HEAD_MAX // 2 < sent < HEAD_MAX + 2 * READ_AT_ONCE


def test_a_request_behind_a_large_body_is_answered_too(wire: socket.socket) -> None:
    large = 3 * HEAD_MAX
    wire.sendall(ASK + b"%d\r\n\r\n" % large + b"b" * large + ASK + b"3\r\nX-")
    wire.sendall(b"Long: a\r\n\r\nabc")

    answers = until(wire, b"\r\n\r\n3")
    assert answers.count(b"HTTP/1.1 200") == 2
    assert f"\r\n\r\n{large}HTTP/1.1".encode() in answers
