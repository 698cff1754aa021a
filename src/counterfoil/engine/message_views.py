"""Messages as people see them, and the command by which a person has one sent again."""

from counterfoil.core.books import Books
from counterfoil.core.effects import Act, Decision, Reason, Refuse, Why
from counterfoil.core.lifecycle import MessageStatus
from counterfoil.engine.apply import Applied
from counterfoil.engine.commands import Plan, Result, run
from counterfoil.engine.decide import Moment
from counterfoil.engine.load import Scope
from counterfoil.engine.operations import Asked
from counterfoil.engine.views import View, instant
from counterfoil.store import messages, work
from counterfoil.store.database import Row, Tx
from counterfoil.store.inbox import Answer, plain
from counterfoil.store.pages import Filter, Page

RESEND = "resend-message@1"


def listed(tx: Tx, page: Page, wanted: Filter) -> list[View]:
    """Show messages without their words."""
    return [message_view(each) for each in messages.page(tx, page, wanted)]


def shown(tx: Tx, identity: str) -> View | None:
    """Show a message with its words, which are null before it is written and once they are erased."""
    row = messages.get(tx, identity)
    if row is None:
        return None
    words = messages.content(tx, identity)
    body = {"text": words["body_text"], "html": words["body_html"]} if words else None
    headed = {"address": words["address"] if words else None, "subject_line": words["subject_line"] if words else None}
    return message_view({**row, **headed}) | {"body": body}


def message_view(row: Row) -> View:
    """Show where a message stands and what caused it."""
    return {
        "id": row["id"],
        "object": "message",
        "template": row["template"],
        "version": row["version"],
        "audience": row["audience"],
        "customer": row["customer"],
        "subject": row["subject"],
        "decision": row["decision"],
        "locale": row["locale"],
        "status": row["status"],
        "channel": row["channel"],
        "result": row["result"],
        "tries": row["tries"],
        "resends": row["resends"],
        "to": row["address"],
        "subject_line": row["subject_line"],
        "created_at": instant(row["created_at"]),
        "sent_at": instant(row["sent_at"]),
    }


def resend(asked: Asked, identity: str) -> Result:
    """Have a message sent again: the same words, to the address that the customer has now."""
    with asked.house.database.transaction(asked.tenant) as tx:
        held = messages.get(tx, identity)

    def decide(tx: Tx, books: Books | None, moment: Moment) -> Decision:
        row = messages.get(tx, identity, lock=True)
        if row is None:
            return Refuse(Why(RESEND, Reason.NOT_FOUND, f"There is no message {identity}."), "message")
        if row["status"] in (MessageStatus.QUEUED, MessageStatus.HELD):
            sentence = f"The message is {row['status']}: it has not left yet, and goes out by itself."
            return Refuse(Why(RESEND, Reason.MESSAGE_ON_ITS_WAY, sentence, (identity,)), "message")
        if books and books.customer.erased_at:
            sentence = "This customer's personal data were erased, and with them the words and the address."
            return Refuse(Why(RESEND, Reason.CUSTOMER_ERASED, sentence, (identity,)), "message")
        return Act(Why(RESEND, Reason.MESSAGE_RESENT, "A person has the message sent again.", (identity,)), ())

    def after(tx: Tx, applied: Applied) -> None:
        messages.send_again(tx, identity)
        work.enqueue(tx, work.Queue.MAIL, identity, asked.house.clock.now())

    def answer(tx: Tx, applied: Applied) -> Answer:
        return Answer(200, plain(shown(tx, identity)))

    plan = Plan(held["customer"] if held else None, Scope(), decide, answer, after, awaits=lambda _: None)
    return run(asked.house, asked.tenant, asked.request, plan)
