"""One unit of work in one account: an API request, or a timer that came due. What handlers are given."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from counterfoil.sandbox import events
from counterfoil.sandbox.accounts import Shelf
from counterfoil.sandbox.documents import Doc
from counterfoil.sandbox.errors import StripeError
from counterfoil.sandbox.params import Given, merge_labels
from counterfoil.sandbox.world import World


@dataclass(frozen=True, slots=True)
class Call:
    """`given` are the read parameters, `path` the ids in the path; `request_id` is None for timers.

    `stale_s`: lists and searches do not see what is younger.
    """

    world: World
    shelf: Shelf
    version: str
    given: Given = field(default_factory=dict)
    path: dict[str, str] = field(default_factory=dict)
    request_id: str | None = None
    idempotency_key: str | None = None
    stale_s: float = 0.0
    clock: str | None = None
    """The test clock whose time it is for the objects at hand; None for business time."""

    @property
    def now(self) -> int:
        frozen = None if self.clock is None else self.shelf.get("test_helpers.test_clock", self.clock)
        return self.world.seconds() if frozen is None or frozen.get("deleted") else int(frozen["frozen_time"])

    @property
    def livemode(self) -> bool:
        return self.shelf.livemode

    def chosen(self, name: str, default: Any) -> Any:
        """A parameter as given, or its default."""
        return self.given.get(name, default)

    def find(self, kind: str, param: str = "id") -> Doc:
        """The object that the path names."""
        return self.shelf.find(kind, self.path["id"], param)

    def find_intent(self, kind: str) -> Doc:
        """The intent that the path names; a client secret, which browsers must give, has to be its own."""
        intent = self.find(kind, "intent")
        secret = self.given.get("client_secret")
        if secret != intent["client_secret"] and (secret or self.shelf.publishable):
            message = (
                f"The client_secret provided does not match any associated {kind} on this account. Ensure the "
                "publishable key used belongs to the same account that created the intent."
            )
            raise StripeError(message, code=f"{kind}_invalid_parameter", param="client_secret")
        return intent

    def referred(self, kind: str, identifier: Any, param: str) -> Doc:
        """The object that a parameter names; a wrong one is a 400, as it is the caller's parameter."""
        return self.shelf.find(kind, identifier, param, status=400)

    def sees(self, doc: Doc) -> bool:
        """False for what a list or search does not show: deleted objects, and those too young for a stale read."""
        if doc.get("deleted"):
            return False
        return not self.stale_s or bool((doc.get("created") or doc.get("date") or 0) <= self.world.now() - self.stale_s)

    def create(self, doc: Doc, event: str | None = None) -> Doc:
        """Store a new object, journal it, and tell it by an event."""
        self.shelf.save(doc)
        self.note(doc["object"], doc)
        if event:
            self.emit(event, doc)
        return doc

    def save(self, doc: Doc, event: str | None = None, before: Doc | None = None) -> Doc:
        """Store a changed object; an event tells it, with what changed since `before`."""
        self.shelf.save(doc)
        if event and (before is None or before != doc):
            self.emit(event, doc, before)
        return doc

    def emit(self, event: str, doc: Doc, before: Doc | None = None) -> None:
        """Tell an event; what follows from it for other objects happens at once."""
        cause = {"id": self.request_id, "idempotency_key": self.idempotency_key}
        events.emit(self.world, self.shelf, event, doc, before, cause)
        for follow in self.world.followers.get(event, ()):
            follow(self, doc)

    def note(self, kind: str, doc: Doc, amount: int | None = None) -> None:
        """Journal a money effect or a creation."""
        self.world.note(
            kind,
            self.shelf.key,
            object=doc["id"],
            amount=doc.get("amount") if amount is None else amount,
            currency=doc.get("currency"),
            key=self.idempotency_key,
            **{name: doc[name] for name in ("payment_intent", "charge", "customer") if doc.get(name)},
        )

    def schedule(self, due: float, act: str, doc: Doc) -> None:
        self.world.schedule(due, act, self.shelf.key, doc["id"], self.clock)


def apply_given(doc: Doc, given: Given, names: tuple[str, ...]) -> None:
    """Set the plain fields that the caller gave; metadata merges."""
    for name in names:
        if name in given:
            doc[name] = merge_labels(doc.get("metadata") or {}, given[name]) if name == "metadata" else given[name]
