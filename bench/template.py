"""One customer with a payment that succeeded at the provider and not yet in our books, and any number of copies of it.

The one is made through the engine and the sandbox. A copy is the same rows with other ids: making thousands through
the engine would take longer than what is measured.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from typing import Any, Final

import psycopg
from psycopg import sql

from counterfoil import wiring
from counterfoil.core.books import Confirmation, LineKind
from counterfoil.core.ids import InvoiceId
from counterfoil.core.invoicing import NewLine
from counterfoil.core.launch import Launch
from counterfoil.engine import claims, commands, operations, phases, setup
from counterfoil.engine.clock import SystemClock
from counterfoil.engine.house import House, Settings
from counterfoil.providers.port import ProviderPort
from counterfoil.providers.stripe.adapter import StripePort
from counterfoil.sandbox.ports import SeededIds
from counterfoil.sandbox.sandbox import Sandbox
from counterfoil.sandbox.wire import Request

MASTER_KEY: Final = "a-master-key-of-the-bench"
SECRET: Final = "whsec_of_the_bench"
STRIPE_KEY: Final = "sk_test_bench"
SANDBOX: Final = "http://sandbox.invalid"
SLUG: Final = "default"
TABLES: Final = (
    "customer customer_person method invoice invoice_line payment leg allocation inbox decision decision_about "
    "provider_object provider_order event posting"
).split()
"""What is copied, in the order that foreign keys want."""
COPIED: Final = ("cust", "pmeth", "inv", "line", "pmt", "leg", "ordr", "pevt", "dec", "evnt")
OURS: Final = re.compile(rf"\b(?:{'|'.join(COPIED)})_[0-9a-z]{{26}}\b")
THEIRS: Final = re.compile(r"\b(?:pi|ch|py|cus|pm|txn|evt|req|in|seti)_[A-Za-z0-9]{8,}")
NUMBER: Final = re.compile(r"\bINV-\d+")
CHUNK: Final = 500
NEWS: Final = "payment_intent.succeeded"
AMOUNT: Final = 10_000


@dataclass(frozen=True, slots=True)
class Template:
    """Rows of each table as JSON text, what the provider says of the payment, and the webhooks about it, by kind."""

    tenant: str
    ref: str
    rows: Mapping[str, str]
    intent: str
    webhooks: Mapping[str, str]
    names: Sequence[str] = field(repr=False)

    def copied(self, text: str, number: int) -> str:
        """Give a text of the template with every id made that of copy `number`."""
        for name in self.names:
            text = text.replace(name, renamed(name, number))
        return text

    def webhook(self, number: int, kind: str = NEWS) -> bytes:
        """Give the webhook that says that copy `number` was paid."""
        return self.copied(self.webhooks[kind], number).encode()


def renamed(name: str, number: int) -> str:
    """Give the id of a copy: seven digits of it become the copy's number."""
    if name.startswith("INV-"):
        return f"INV-{number:07}"
    prefix, _, suffix = name.partition("_")
    return f"{prefix}_{suffix[0]}{number:07}{suffix[8:]}"


def build(dsn: str, providers: ProviderPort | None = None) -> House:
    """Build the real house on the bench's database."""
    settings = Settings(sweep_every=timedelta(days=1))
    return wiring.build(wiring.Configuration(dsn, MASTER_KEY, settings), providers)


def make(dsn: str) -> Template:
    """Play the story up to the moment when the provider has the money and we have not heard of it."""
    from counterfoil.providers.stripe.inprocess import InProcessClient

    clock_s = SystemClock().wall().timestamp
    sandbox = Sandbox(clock_s, SeededIds(7))
    house = build(dsn, StripePort(lambda: InProcessClient(lambda *call: _answer(sandbox, *call))))
    try:
        tenant = setup.ensure_tenant(house, "bench", "test", setup.DEFAULT_TENANT).id
        setup.connect(house, tenant, setup.Connection(STRIPE_KEY, (SECRET,), base_url=SANDBOX, slug=SLUG))
        sandbox.add_webhook(STRIPE_KEY, f"http://bench.invalid/webhooks/stripe/{SLUG}", SECRET)
        ref = _launch(house, tenant)
        _work(house)
        sandbox.due_deliveries()
        _ask(sandbox, "POST", f"/v1/payment_intents/{ref}/confirm", b"payment_method=pm_card_visa")
        webhooks = {each.event_type: each.body.decode() for each in sandbox.due_deliveries()}
        intent = _ask(sandbox, "GET", f"/v1/payment_intents/{ref}?expand[0]=latest_charge.balance_transaction")
        rows = _rows(dsn)
    finally:
        house.database.close()  # type: ignore[attr-defined]
    everything = "".join([*rows.values(), intent, *webhooks.values()])
    names = sorted({*OURS.findall(everything), *THEIRS.findall(everything), *NUMBER.findall(everything)}, key=len)
    return Template(tenant, ref, rows, intent, webhooks, names[::-1])


def copy(dsn: str, template: Template, numbers: range) -> None:
    """Write copies of the template's rows."""
    with psycopg.connect(dsn) as connection:
        left: Iterator[int] = iter(numbers)
        while chunk := list(islice(left, CHUNK)):
            for table in TABLES:
                written = ",".join(template.copied(template.rows[table], number) for number in chunk)
                _insert(connection, table, f"[{written}]")
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("vacuum analyze")


def _launch(house: House, tenant: str) -> str:
    def asked(route: str) -> operations.Asked:
        return operations.Asked(house, tenant, commands.Request(route, "bench", None, b"{}"))

    def identity(result: commands.Result) -> str:
        assert result.answer.status < 300, result.answer
        return str(json.loads(result.answer.body)["id"])

    wanted = operations.NewCustomer(name="Dana", email="dana@example.com")
    customer = identity(operations.create_customer(asked("customer"), wanted))
    operations.add_method(asked("method"), customer, "pm_card_visa", make_default=True)
    _work(house)
    lines = (NewLine(LineKind.FLAT_FEE, "Pro plan", AMOUNT),)
    invoice = identity(operations.create_invoice(asked("invoice"), operations.NewInvoice(customer, "USD", lines)))
    operations.finalize_invoice(asked("finalize"), invoice)
    operations.pay(asked("pay"), Launch((InvoiceId(invoice),), confirmation=Confirmation.CLIENT))
    _work(house)
    with house.database.transaction(tenant) as tx:
        leg = tx.one("select provider_ref from leg where tenant = %(tenant)s")
    assert leg is not None
    assert leg["provider_ref"], "the payment was not made at the provider"
    return str(leg["provider_ref"])


def _work(house: House) -> None:
    while due := claims.claim_due(house):
        for each in due:
            phases.run(house, claims.begin(each))


def _ask(sandbox: Sandbox, method: str, path: str, body: bytes = b"") -> str:
    answer = sandbox.handle(Request(method, path, {"Authorization": f"Bearer {STRIPE_KEY}"}, body))
    assert answer.status == 200, answer
    return answer.body.decode()


def _answer(
    sandbox: Sandbox, method: str, url: str, headers: Mapping[str, str], body: bytes
) -> tuple[int, Mapping[str, str], bytes]:
    answer = sandbox.handle(Request(method, url.removeprefix(SANDBOX), headers, body))
    return answer.status, answer.headers, answer.body


def _rows(dsn: str) -> dict[str, str]:
    """Give the rows of each table, as JSON objects with commas between."""
    with psycopg.connect(dsn) as connection:
        return {table: _rows_of(connection, table) for table in TABLES}


def _rows_of(connection: psycopg.Connection[Any], table: str) -> str:
    query = sql.SQL("select string_agg(to_jsonb(one)::text, ',') from {} as one").format(sql.Identifier(table))
    found = connection.execute(query).fetchone()
    assert found is not None
    assert found[0], f"the template has no {table}"
    return str(found[0])


def _insert(connection: psycopg.Connection[Any], table: str, rows: str) -> None:
    """Insert rows as the owner of the tables. Identity columns number themselves."""
    names = connection.execute(
        "select attname from pg_attribute "
        "where attrelid = %s::regclass and attnum > 0 and not attisdropped and attidentity = '' order by attnum",
        (table,),
    )
    columns = sql.SQL(", ").join(sql.Identifier(name) for (name,) in names)
    statement = sql.SQL(
        "insert into {table} ({columns}) select {columns} from jsonb_populate_recordset(null::{table}, %s)"
    )
    connection.execute(statement.format(table=sql.Identifier(table), columns=columns), (rows,))
