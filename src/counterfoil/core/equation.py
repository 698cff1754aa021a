"""A number and the terms whose sum it is, exactly. One that does not add up shows it and is never bent."""

from dataclasses import dataclass

from counterfoil.core.money import plain


@dataclass(frozen=True, slots=True)
class Term:
    """One signed amount of an equation. `sources` are the ids it comes from; `note` says more in words.

    `is_taken` says that it reads as taken away also when it is zero: `30 granted − 0 used`.
    """

    kind: str
    label: str
    amount: int
    sources: tuple[str, ...] = ()
    note: str = ""
    is_taken: bool = False

    @property
    def sign(self) -> str:
        """The sign to write before it in a sum: a plus, or a true minus."""
        return "−" if self.amount < 0 or (self.is_taken and not self.amount) else "+"


@dataclass(frozen=True, slots=True)
class Equation:
    """A result and the terms whose sum it is, all in one unit.

    `result_first` is how it reads: `100.00 = 30.00 credits + 70.00 card` or `30 granted − 30 used = 0 available`.
    """

    label: str
    unit: str
    scale: int
    result: Term
    terms: tuple[Term, ...]
    result_first: bool = True

    @property
    def adds_up(self) -> bool:
        """Say whether the terms give the result, exactly."""
        return sum(each.amount for each in self.terms) == self.result.amount

    @property
    def text(self) -> str:
        """Write it in one line, in full, with a true minus sign."""
        left, right = self._written(self.result), self._sum()
        equals = "=" if self.adds_up else "≠"
        first, second = (left, right) if self.result_first else (right, left)
        return f"{first} {equals} {second}"

    def _sum(self) -> str:
        first = self.terms[0] if self.terms else None
        joined = " ".join(f"{each.sign} {self._written(each)}" for each in self.terms)
        return f"−{joined[2:]}" if first and first.sign == "−" else joined[2:]

    def _written(self, term: Term) -> str:
        return f"{amount_text(abs(term.amount), self.scale)} {term.label}"


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer to "why is it what it is": one sentence, and the equations behind it, the main one first."""

    finding: str
    equations: tuple[Equation, ...] = ()


def amount_text(amount: int, scale: int) -> str:
    """Write an amount without the zeros that a fine scale leaves behind. Never rounded, never under two places."""
    text = plain(amount, scale)
    whole, point, places = text.partition(".")
    kept = places.rstrip("0").ljust(min(scale, 2), "0")
    return f"{whole}{point}{kept}"
