"""A plain HTTP sender: so many connections, each sends its next request when the last one is answered.

One thread and one poll; nothing is parsed but what says where an answer ends. It takes a tenth of what an HTTP client
takes, because it shares the cores with the server that is measured.
"""

import re
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from selectors import EVENT_READ, DefaultSelector
from time import perf_counter
from typing import Final

LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
SILENT_MAX_S: Final = 60.0
CHUNK: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Answers:
    """What came back, in the order of the requests, and how long it took in all."""

    seconds: float
    statuses: Sequence[int]
    bodies: Sequence[bytes]


@dataclass(slots=True)
class Connection:
    """One connection and the request that it waits for."""

    socket: socket.socket
    number: int = -1
    came: bytearray = field(default_factory=bytearray)

    def send(self, number: int, request: bytes) -> None:
        """Send a request. Blocks until the kernel has taken it."""
        self.number = number
        self.came.clear()
        self.socket.sendall(request)

    def receive(self) -> tuple[int, bytes] | None:
        """Read what has come; give status and body once the answer is whole."""
        chunk = self.socket.recv(CHUNK)
        assert chunk, "the server hung up"
        self.came += chunk
        end = self.came.find(b"\r\n\r\n")
        if end < 0:
            return None
        length = LENGTH.search(self.came, 0, end + 2)
        assert length, f"an answer without a length: {bytes(self.came[:end])!r}"
        body_ends = end + 4 + int(length.group(1))
        if len(self.came) < body_ends:
            return None
        return int(self.came[9:12]), bytes(self.came[end + 4 : body_ends])


def post(path: str, body: bytes, **headers: str) -> bytes:
    """Write a request."""
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def exchange(port: int, requests: Sequence[bytes], connections: int) -> Answers:
    """Send everything over so many connections and wait for every answer."""
    statuses, bodies = [0] * len(requests), [b""] * len(requests)
    left: Iterator[tuple[int, bytes]] = iter(enumerate(requests))
    began = perf_counter()
    with DefaultSelector() as selector:
        waiting = 0
        for _, (number, request) in zip(range(connections), left, strict=False):
            connection = Connection(socket.create_connection(("127.0.0.1", port)))
            connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(connection.socket, EVENT_READ, connection)
            connection.send(number, request)
            waiting += 1
        while waiting:
            ready = selector.select(SILENT_MAX_S)
            assert ready, "the server is silent"
            for key, _ in ready:
                connection = key.data
                answer = connection.receive()
                if answer is None:
                    continue
                statuses[connection.number], bodies[connection.number] = answer
                following = next(left, None)
                if following is not None:
                    connection.send(*following)
                    continue
                selector.unregister(connection.socket)
                connection.socket.close()
                waiting -= 1
    return Answers(perf_counter() - began, statuses, bodies)
