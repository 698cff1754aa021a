"""Writes the messages that decisions cause, in the transaction of those decisions, and makes them due."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from counterfoil.core.effects import Effect
from counterfoil.core.ids import NewId
from counterfoil.core.messages import mails_of
from counterfoil.store import messages, work
from counterfoil.store.database import Tx
from counterfoil.store.messages import Written


def write(tx: Tx, made: Iterable[tuple[str, Sequence[Effect]]], now: datetime, new_id: NewId) -> None:
    """Write what these decisions, each with its effects, have to say to people: each message once, for ever."""
    written = [Written(new_id("message"), mail, decision) for decision, effects in made for mail in mails_of(effects)]
    if written:
        new = messages.put_all(tx, written, now)
        work.enqueue_all(tx, work.Queue.MAIL, [(each, now) for each in new])
