"""A webhook handler as it is often written: "if it is not paid yet, book it". It has no idempotency key, no lock and no
journal. `counterfoil demo --naive` shows what becomes of it when a process dies and events repeat themselves."""

import json
import os
import sqlite3
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import stripe

stripe.api_key, stripe.api_base = os.environ["STRIPE_API_KEY"], os.environ["STRIPE_API_BASE"]
stripe.max_network_retries = 0


def db() -> sqlite3.Connection:
    return sqlite3.connect(os.environ["NAIVE_DB"], isolation_level=None, timeout=10)


def pay(invoice: str) -> str:
    """Charge the saved card for what the credits don't cover."""
    total, paid, customer, card = db().execute("select total, paid, customer, card from invoice").fetchone()
    if paid:
        return "already paid"
    (balance,) = db().execute("select balance from wallet").fetchone()
    stripe.PaymentIntent.create(
        amount=total - min(balance, total), currency="usd", customer=customer, payment_method=card, confirm=True,
        off_session=True, metadata={"invoice": invoice},
    )  # fmt: skip
    return "charged"


def on_event(event: dict) -> str:
    """Book a payment that succeeded, unless that was done before."""
    if event["type"] != "payment_intent.succeeded":
        return "ignored"
    total, paid = db().execute("select total, paid from invoice").fetchone()
    if paid:
        return "already paid"
    intent = stripe.PaymentIntent.retrieve(event["data"]["object"]["id"])
    db().execute("update invoice set paid = 1")
    db().execute("update wallet set balance = balance - ?", (total - intent.amount_received,))
    db().execute("insert into booking values (?, ?)", (intent.id, intent.amount_received))
    return "booked"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        did = pay(body["invoice"]) if self.path == "/pay" else on_event(body)
        db().execute("insert into log values (?, ?, ?)", (body.get("type", "pay"), body.get("id", ""), did))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Quiet."""


if __name__ == "__main__":
    print("ready", flush=True)
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
