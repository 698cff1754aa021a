"""Webhooks taken in: signed, checked, stored, committed, answered. In process, and over HTTP."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from threading import Semaphore
from time import perf_counter
from typing import Final

import psycopg

from bench.template import MASTER_KEY, SECRET, SLUG, Template, build
from counterfoil.engine.clock import SystemClock
from counterfoil.engine.house import House
from counterfoil.engine.intake import Accepted, IntakeLane, Rejected
from counterfoil.providers.stripe.signature import sign

AT_ONCE: Final = 256
"""How many webhooks are under way at a time, as a provider sends them after an outage."""
CONNECTIONS: Final = 64
FIRST: Final = 5_000_000
"""Copies that only webhooks name have numbers from here on; their payments are strangers to us."""
START_MAX_S: Final = 60.0

Signed = tuple[dict[str, str], bytes]


@dataclass(slots=True)
class Webhooks:
    """An endless supply of different webhooks, signed ahead of time: signing is the sender's work."""

    template: Template
    numbers: "count[int]"

    def take(self, amount: int) -> list[Signed]:
        """Give fresh webhooks."""
        return [signed(self.template.webhook(number)) for _, number in zip(range(amount), self.numbers, strict=False)]


def signed(body: bytes) -> Signed:
    """Sign a body as the provider does."""
    seconds = int(SystemClock().wall().timestamp())
    return {"Stripe-Signature": f"t={seconds},v1={sign(body, SECRET, seconds)}"}, body


def stored(dsn: str) -> int:
    """Count the webhooks that are stored whole: row, body and place in the queue, delivered once."""
    with psycopg.connect(dsn) as connection:
        row = connection.execute(
            """
            select count(*) from inbox i
            join raw_body b on b.tenant = i.tenant and b.inbox = i.id
            join work w on w.queue = 'inbox' and w.tenant = i.tenant and w.id = i.id
            where i.source = 'webhook' and i.deliveries = 1
            """
        ).fetchone()
    assert row
    return int(row[0])


def clear_queue(dsn: str) -> None:
    """Take what was accepted off the queue: others measure deciding."""
    with psycopg.connect(dsn) as connection:
        connection.execute("delete from work where queue = 'inbox'")


@dataclass(slots=True)
class InProcess:
    """The intake lane alone, with many webhooks under way."""

    dsn: str
    webhooks: Webhooks
    amount: int
    name: str = "webhooks accepted, in process"

    def once(self) -> float:
        """Accept them all."""
        sent = self.webhooks.take(self.amount)
        clear_queue(self.dsn)
        house = build(self.dsn)
        try:
            with IntakeLane(house) as lane:
                seconds = _accept_all(lane, sent)
        finally:
            house.database.close()  # type: ignore[attr-defined]
        assert stored(self.dsn) == self.amount, "not every webhook was stored once"
        clear_queue(self.dsn)
        return self.amount / seconds


def _accept_all(lane: IntakeLane, sent: Sequence[Signed]) -> float:
    under_way = Semaphore(AT_ONCE)
    answers = []
    began = perf_counter()
    for headers, body in sent:
        under_way.acquire()
        answer = lane.submit(SLUG, headers, body)
        answer.add_done_callback(lambda _: under_way.release())
        answers.append(answer)
    taken: list[Accepted | Rejected] = [answer.result() for answer in answers]
    seconds = perf_counter() - began
    assert all(isinstance(each, Accepted) and each.new for each in taken), "a webhook was turned away"
    return seconds


@dataclass(slots=True)
class OverHttp:
    """The webhook door of the application, served by one process, with a connection per sender."""

    dsn: str
    webhooks: Webhooks
    amount: int
    name: str = "webhooks accepted, over HTTP"

    def once(self) -> float:
        """Post them all."""
        clear_queue(self.dsn)
        with _served(self.dsn) as port:
            sent = [_request(port, *each) for each in self.webhooks.take(self.amount)]
            began = perf_counter()
            statuses = asyncio.run(_post_all(port, sent))
            seconds = perf_counter() - began
        assert statuses == [200] * self.amount, "a webhook was turned away"
        assert stored(self.dsn) == self.amount, "not every webhook was stored once"
        clear_queue(self.dsn)
        return self.amount / seconds


@contextmanager
def _served(dsn: str) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = int(listening.getsockname()[1])
        command = (sys.executable, "-m", "bench.taking", dsn, str(listening.fileno()))
        process = subprocess.Popen(command, pass_fds=(listening.fileno(),), stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        with process.stdout:
            try:
                assert process.stdout.readline() == "ready\n", "the application did not start"
                yield port
            finally:
                process.terminate()
                process.wait(START_MAX_S)


def serve(house: House, descriptor: int) -> None:
    """Serve the application on a socket that listens already, until told to stop."""
    import uvicorn

    from counterfoil.api.app import create_app

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            print("ready", flush=True)

    configuration = uvicorn.Config(create_app(house), fd=descriptor, log_level="warning", access_log=False)
    Server(configuration).run()


def _request(port: int, headers: dict[str, str], body: bytes) -> bytes:
    lines = [
        f"POST /webhooks/stripe/{SLUG} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def _post_all(port: int, sent: list[bytes]) -> list[int]:
    left = iter(sent)
    statuses: list[int] = []

    async def post() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for request in left:
            writer.write(request)
            statuses.append(await _status(reader))
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(post() for _ in range(CONNECTIONS)))
    return statuses


async def _status(reader: asyncio.StreamReader) -> int:
    """Read one answer and give its status."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = next(line for line in head.split("\r\n") if line.startswith("content-length:"))
    await reader.readexactly(int(length.partition(":")[2]))
    return int(head.split(" ", 2)[1])


if __name__ == "__main__":
    from bench.quiet import keep_quiet

    assert MASTER_KEY
    keep_quiet()
    serve(build(sys.argv[1]), int(sys.argv[2]))
