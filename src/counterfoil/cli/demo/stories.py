"""The stories that can be told, by name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from counterfoil.cli import premises
from counterfoil.cli.demo import (
    credits_then_bank,
    either_first,
    last_unit,
    later_invoice,
    naive,
    paid_at_finalize,
    sent_twice,
    telling,
    telling_credits,
    void_twice,
)
from counterfoil.cli.demo.ending import Ending
from counterfoil.cli.demo.outcome import Outcome
from counterfoil.cli.demo.stage import Stage, stage
from counterfoil.cli.demo.sums import Sums
from counterfoil.cli.demo.tape import Tape, tape_of
from counterfoil.cli.rooms import Entry
from counterfoil.cli.troubles import Exit, Trouble

if TYPE_CHECKING:
    from counterfoil.cli.settings import Settings


class StoryUnknown(Trouble):
    """There is no story of this name."""

    code = "story_unknown"
    remedy = "Name one of them, or none for the first"
    exit_code = Exit.USAGE


class NothingNaive(Trouble):
    """This story has no telling of a common handler."""

    code = "nothing_naive"
    remedy = "Leave --naive out"
    exit_code = Exit.USAGE


@dataclass(frozen=True, slots=True)
class Story:
    """A story: how it is acted, and how it ends for a common handler under the same tape."""

    name: str
    act: Callable[[Stage, Tape, Sums], Outcome]
    act_naive: Callable[[Tape, Sums], naive.Ending]

    def play(self, entry: Entry, settings: "Settings", seed: int, sums: Sums, *, as_json: bool) -> bool:
        """Play it and show its ending. True when all is as it has to be."""
        with stage(entry, settings) as place:
            outcome = self.act(place, tape_of(seed), sums)
            usual = premises.settings_of(Entry(entry.rooms)).data_dir
            telling.tell(outcome, telling.Pages(settings.port, place.data_dir, usual), as_json=as_json)
        return outcome.ok

    def play_naive(self, seed: int, sums: Sums, *, as_json: bool) -> None:
        """Play it against a common handler and show what really happened to that."""
        telling.tell_naive(self.act_naive(tape_of(seed), sums), as_json=as_json)


@dataclass(frozen=True, slots=True)
class CreditStory:
    """A story about credits, told without sums. Some have a telling of how it usually goes."""

    name: str
    act: Callable[[Stage, int], Ending]
    act_naive: Callable[[int], telling_credits.Naive] | None = None

    def play(self, entry: Entry, settings: "Settings", seed: int, sums: Sums, *, as_json: bool) -> bool:
        """Play it and show its ending. True when all is as it has to be."""
        with stage(entry, settings) as place:
            outcome = self.act(place, seed)
            usual = premises.settings_of(Entry(entry.rooms)).data_dir
            telling_credits.tell(outcome, telling.Pages(settings.port, place.data_dir, usual), as_json=as_json)
        return outcome.ok

    def play_naive(self, seed: int, sums: Sums, *, as_json: bool) -> None:
        """Tell how it usually goes. Raises NothingNaive where there is nothing to compare with."""
        if self.act_naive is None:
            raise NothingNaive(f"{self.name} is told of Counterfoil only")
        telling_credits.tell_naive(self.act_naive(seed), self.name, as_json=as_json)


STORIES: Final = (
    Story(either_first.NAME, either_first.play, naive.play),
    CreditStory(last_unit.NAME, last_unit.play),
    CreditStory(sent_twice.NAME, sent_twice.play),
    CreditStory(paid_at_finalize.NAME, paid_at_finalize.play, paid_at_finalize.play_naive),
    CreditStory(later_invoice.NAME, later_invoice.play),
    CreditStory(credits_then_bank.NAME, credits_then_bank.play),
    CreditStory(void_twice.NAME, void_twice.play),
)
NAMES: Final = tuple(story.name for story in STORIES)


def named(name: str) -> Story | CreditStory:
    """Give a story. Raises StoryUnknown."""
    found = next((story for story in STORIES if story.name == name), None)
    if found is None:
        raise StoryUnknown(f"there is no story {name!r}; there are: {', '.join(NAMES)}")
    return found
