"""An application that does its own part when something was paid: exactly once, whatever webhooks do.

A customer pays for a project's first invoice. Then, and not before, the project goes live, the client is converted and
the voucher is used up. Counterfoil sends `invoice.paid` at least once, maybe twice, maybe late; the row in `taken` is
what makes it happen once: it commits together with what it stands for, or not at all.

    COUNTERFOIL_WEBHOOK_SECRET=whsec_… HOST_DATABASE=host.sqlite uvicorn --app-dir examples/host app:app --port 8090
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

from fastapi import FastAPI, Request, Response

from counterfoil.client import WebhookEvent, WebhookRefused, verify_webhook

SECRETS = os.environ["COUNTERFOIL_WEBHOOK_SECRET"].split(",")
DATABASE = os.environ.get("HOST_DATABASE", "host.sqlite")
TABLES = """
    create table if not exists project (customer text primary key, live integer not null default 0);
    create table if not exists client (customer text primary key, converted integer not null default 0);
    create table if not exists voucher (customer text primary key, uses integer not null default 0);
    create table if not exists taken (event text primary key, kind text not null, customer text, sequence integer);
"""

app = FastAPI()


@contextmanager
def transaction() -> Iterator[sqlite3.Connection]:
    """One transaction: all of it, or nothing."""
    with closing(sqlite3.connect(DATABASE, isolation_level=None)) as connection:
        connection.executescript(TABLES)
        connection.execute("begin immediate")
        try:
            yield connection
        except BaseException:
            connection.execute("rollback")
            raise
        connection.execute("commit")


@app.post("/hooks")
async def take(request: Request) -> Response:
    """Take a webhook. Any answer but 2xx has it sent again later."""
    try:
        event = verify_webhook(await request.body(), request.headers, *SECRETS)
    except WebhookRefused as refused:
        return Response(refused.code, 400)
    with transaction() as connection:
        if is_new(connection, event):
            act_on(connection, event)
    return Response(status_code=204)


def is_new(connection: sqlite3.Connection, event: WebhookEvent) -> bool:
    """Remember an event. False when it was taken before."""
    row = (event.id, event.type, event.customer, event.sequence)
    return connection.execute("insert or ignore into taken values (?, ?, ?, ?)", row).rowcount == 1


def act_on(connection: sqlite3.Connection, event: WebhookEvent) -> None:
    """Do what an event asks for."""
    if event.type != "invoice.paid":
        return
    for table, column in (("project", "live"), ("client", "converted"), ("voucher", "uses")):
        connection.execute(
            f"insert into {table} values (?, 1) on conflict do update set {column} = {column} + 1", (event.customer,)
        )


@app.get("/projects/{customer}")
def show(customer: str) -> dict[str, int]:
    """Say how often each of the three was done for a customer."""
    with transaction() as connection:
        return {
            name: (
                connection.execute(f"select {column} from {name} where customer = ?", (customer,)).fetchone() or (0,)
            )[0]
            for name, column in (("project", "live"), ("client", "converted"), ("voucher", "uses"))
        }
