"""The way from the provider to our door: what it has sent and has not arrived yet, and what becomes of it."""

from dataclasses import dataclass, field

from counterfoil.engine.intake import Accepted, Rejected
from counterfoil.sandbox.deliveries import Attempt
from counterfoil.sim.site import Site
from counterfoil.store.database import CommitUnknown


@dataclass(slots=True)
class Parcel:
    """One webhook on its way. A copy of it that is brought again is the same parcel."""

    attempt: Attempt
    brought: int = 0

    @property
    def name(self) -> str:
        """What it is and which."""
        return f"{self.attempt.event_type} {self.attempt.event}"


@dataclass(slots=True)
class Post:
    """Webhooks under way. Nothing leaves it in any order but the one that its owner chooses."""

    site: Site
    under_way: list[Parcel] = field(default_factory=list)
    newest_brought: int = 0

    def collect(self) -> int:
        """Take what the provider sends now, and give how much that was."""
        attempts = self.site.provider.sandbox.due_deliveries()
        self.under_way += [Parcel(each) for each in attempts]
        return len(attempts)

    def bring(self, parcel: Parcel, *, keep: bool = False) -> Accepted | Rejected:
        """Bring a parcel to the door, and tell the provider how it went. With `keep` it will come once more."""
        parcel.brought += 1
        result = self._at_the_door(parcel.attempt)
        if not keep:
            self.under_way.remove(parcel)
            self.answered(parcel, 200 if isinstance(result, Accepted) else result.status)
        return result

    def _at_the_door(self, attempt: Attempt) -> Accepted | Rejected:
        try:
            return self.site.deliver(attempt.headers, attempt.body)
        except CommitUnknown as error:
            return Rejected(503, error.code, str(error))

    def lose(self, parcel: Parcel, *, for_ever: bool) -> None:
        """Lose a parcel. The provider tries again, unless it is lost for ever."""
        self.under_way.remove(parcel)
        self.answered(parcel, 200 if for_ever else None)

    def answered(self, parcel: Parcel, status: int | None) -> None:
        """Tell the provider what became of an attempt."""
        self.site.provider.sandbox.record_attempt(parcel.attempt.delivery, status)

    def bring_all(self) -> int:
        """Bring everything that is sent now, in order; give the number of parcels."""
        self.collect()
        parcels = list(self.under_way)
        for each in parcels:
            self.bring(each)
        return len(parcels)
