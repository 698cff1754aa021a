"""Writes the decisions of a batch as `apply` writes each: all that they say in the caller's one transaction."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TypeVar

from counterfoil.core.books import Books, Payment, with_changes
from counterfoil.core.bought import Purchase
from counterfoil.core.effects import (
    Allocate,
    Change,
    Decision,
    Defer,
    Effect,
    Instruct,
    Notify,
    Observe,
    Park,
    Post,
    Timer,
    changes_of,
    effects_of,
)
from counterfoil.core.lifecycle import InboxStatus
from counterfoil.engine import mail, papers
from counterfoil.engine.answers import answer_of, rests
from counterfoil.engine.apply import Applied, apply, apply_effect, follow_change, stored_form, wake_low
from counterfoil.engine.decide import Moment, Ruling
from counterfoil.engine.notices import Seen, observation, report
from counterfoil.engine.telling import tell
from counterfoil.store import decisions, inbox, journal, saving, work
from counterfoil.store.database import Row, Tx
from counterfoil.store.decisions import Told
from counterfoil.store.saving import Pair
from counterfoil.store.work import Claim

E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was ruled about one row. `look` is the observation that is applied by it, `books` what it was ruled by."""

    claim: Claim
    row: Row
    ruling: Ruling
    look: Seen | None = None
    books: Books | None = None

    @property
    def waits(self) -> bool:
        """Say whether nothing was decided yet."""
        return isinstance(self.ruling.decision, Defer)


@dataclass(frozen=True, slots=True)
class Writing:
    """A decision with its id and its effects, on its way into the database."""

    id: str
    verdict: Verdict
    effects: tuple[Effect, ...]

    @property
    def decision(self) -> Decision:
        """What was decided."""
        return self.verdict.ruling.decision

    @property
    def payments(self) -> tuple[Payment, ...]:
        """The payments that it changed."""
        return tuple({each.id: each for each in changes_of(self.effects) if isinstance(each, Payment)}.values())

    @property
    def awaitable(self) -> tuple[Payment | Purchase, ...]:
        """The payments and purchases that it changed, as it leaves them: commands may wait for them."""
        changed = (each for each in changes_of(self.effects) if isinstance(each, Payment | Purchase))
        return tuple({str(each.id): each for each in changed}.values())


def apply_all(tx: Tx, verdicts: Sequence[Verdict], moment: Moment) -> None:
    """Write everything that was ruled about different customers. Claims are left to the caller, but for what waits."""
    for each in verdicts:
        if each.waits:
            _let_wait(tx, each, moment)
    made = [
        Writing(moment.new_id("decision"), each, effects_of(each.ruling.decision))
        for each in verdicts
        if not each.waits
    ]
    if made:
        _write(tx, made, moment)


def _let_wait(tx: Tx, verdict: Verdict, moment: Moment) -> None:
    decision = verdict.ruling.decision
    assert isinstance(decision, Defer)
    applied = apply(tx, verdict.row["id"], decision, verdict.ruling.customer, moment.now, moment.new_id)
    work.postpone(tx, verdict.claim, decision.until)
    report(verdict.row, applied)


def _write(tx: Tx, made: Sequence[Writing], moment: Moment) -> None:
    """Subjects first, because the rest points at them; then one statement for each other table."""
    for layer in _layers(made):
        saving.save_all(tx, layer)
    saving.allocate_all(tx, [each.allocation for each in _of(made, Allocate)])
    for each in made:
        _write_rest(tx, each, moment)
    wake_low(tx, {each.id: each.effects for each in made}, moment.now, moment.new_id)
    papers.issue_invoices(tx, chain.from_iterable(each.effects for each in made), moment.now, moment.new_id)
    posts = [(effect.entry, each.id) for each in made for effect in each.effects if isinstance(effect, Post)]
    journal.post_all(tx, posts, moment.now)
    decisions.put_all(tx, [_stored(each, moment) for each in made])
    tell(tx, _told(made, moment), moment.now, moment.new_id)
    mail.write(tx, [(each.id, each.effects) for each in made], moment.now, moment.new_id)
    inbox.mark_all(tx, [_mark(each) for each in made])
    looks = [observation(each.verdict.look) for each in made if each.verdict.look]
    if looks:
        inbox.apply_observations(tx, looks, moment.now)
    _fix_answers(tx, made)
    for each in made:
        report(each.verdict.row, Applied(each.id, each.decision, each.payments))


def _layers(made: Iterable[Writing]) -> list[list[Pair]]:
    """Give changes in layers, no subject twice in one: a subject that moves twice takes both steps."""
    layers: list[list[Pair]] = []
    mentions: dict[str, int] = {}
    for change in _of(made, Change):
        depth = mentions.get(change.after.id, 0)
        mentions[change.after.id] = depth + 1
        if depth == len(layers):
            layers.append([])
        layers[depth].append((change.before, change.after))
    return layers


def _write_rest(tx: Tx, writing: Writing, moment: Moment) -> None:
    """Write what is rare, effect by effect, and do what the new states ask for."""
    for effect in writing.effects:
        if isinstance(effect, Instruct | Observe | Timer):
            apply_effect(tx, effect, writing.id, moment.now, moment.new_id)
        elif isinstance(effect, Change):
            follow_change(tx, effect.after, moment.now)


def _stored(writing: Writing, moment: Moment) -> decisions.StoredDecision:
    verdict = writing.verdict
    return stored_form(writing.id, verdict.row["id"], writing.decision, verdict.ruling.customer, moment.now)


def _told(made: Iterable[Writing], moment: Moment) -> list[Told]:
    return [
        Told(moment.new_id("event"), effect, each.id)
        for each in made
        for effect in each.effects
        if isinstance(effect, Notify)
    ]


def _mark(writing: Writing) -> tuple[str, InboxStatus, str | None]:
    status = InboxStatus.PARKED if isinstance(writing.decision, Park) else InboxStatus.DECIDED
    return writing.verdict.row["id"], status, writing.verdict.ruling.customer


def _fix_answers(tx: Tx, made: Iterable[Writing]) -> None:
    """Fix the answers that commands wait for, from the books as they are after their decision."""
    resting = {str(each.id): (each, writing) for writing in made for each in writing.awaitable if rests(each)}
    if not resting:
        return
    for identity in sorted(inbox.awaited(tx, sorted(resting))):
        subject, writing = resting[identity]
        assert writing.verdict.books is not None
        books = with_changes(writing.verdict.books, changes_of(writing.effects))
        inbox.finish_commands(tx, identity, answer_of(books, subject))


def _of(made: Iterable[Writing], kind: type[E]) -> list[E]:
    return [effect for effect in chain.from_iterable(each.effects for each in made) if isinstance(effect, kind)]
