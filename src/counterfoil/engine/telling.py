"""Tells events: each becomes a row of its customer's sequence and a delivery to every endpoint that asked for it.

All of it commits with what caused it. What is sent is sent afterwards, from the queue.
"""

from collections.abc import Sequence
from datetime import datetime

from counterfoil.core.deliveries import is_for
from counterfoil.core.ids import NewId
from counterfoil.store import decisions, deliveries, hooks, work
from counterfoil.store.database import Tx
from counterfoil.store.decisions import Told
from counterfoil.store.work import Queue


def tell(tx: Tx, told: Sequence[Told], now: datetime, new_id: NewId) -> None:
    """Tell events once each, in this order, to whoever listens."""
    if not told:
        return
    listening = hooks.listening(tx)
    new = decisions.put_events(tx, told, now)
    pairs = [
        (new_id("delivery"), endpoint, each.id, is_told)
        for each in told
        if each.id in new
        for endpoint, kinds, is_told in listening
        if is_for(endpoint, kinds, each.notify.kind, each.notify.subject)
    ]
    made = set(deliveries.put(tx, [(identity, endpoint, event) for identity, endpoint, event, _ in pairs], now))
    due = [(identity, now) for identity, _, _, is_told in pairs if is_told and identity in made]
    work.enqueue_all(tx, Queue.DELIVERY, due)
