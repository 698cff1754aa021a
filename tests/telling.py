"""Explanations as text, for goldens: ids become `inv#1`, `pi#2` in the order they are first named."""

import re
import textwrap
from dataclasses import dataclass, field
from typing import Any, Final

ID: Final = re.compile(r"\b([a-z]+)_[0-9A-Za-z]{14,}\b")


@dataclass(slots=True)
class Names:
    """Gives ids short names that are the same in every run."""

    known: dict[str, str] = field(default_factory=dict)

    def __call__(self, text: str) -> str:
        return ID.sub(lambda found: self._name(found[0], found[1]), text)

    def _name(self, identity: str, prefix: str) -> str:
        number = 1 + sum(name.startswith(f"{prefix}#") for name in self.known.values())
        return self.known.setdefault(identity, f"{prefix}#{number}")


def told(explanation: dict[str, Any]) -> str:
    """Write an explanation down: finding, equations, story, entries, questions."""
    lines = [explanation["finding"]]
    equations = [explanation["equation"], *explanation["more_equations"]]
    lines += [each["text"] for each in equations if each]
    lines += ["", *(_step(each) for each in explanation["timeline"])]
    lines += ["", *(line for each in explanation["entries"] for line in _entry(each))]
    lines += [f"? {each['question']} ({each['status']}): {each['detail']}" for each in explanation["cases"]]
    named = Names()("\n".join(lines).strip())
    return "\n".join(folded(line) for line in named.splitlines())


def folded(line: str) -> str:
    """Break a long line where a reader would."""
    return textwrap.fill(line, 100, subsequent_indent="    ", drop_whitespace=True) if line.strip() else line


def _step(step: dict[str, Any]) -> str:
    times = f" x{step['deliveries']}" if step["deliveries"] > 1 else ""
    amount = f" {step['movement']} {step['amount']['formatted']}" if step["amount"] else ""
    what = f"{step['at'][11:19]} {step['source']} {step['title']}{times}"
    return f"{what} -> {step['outcome']}/{step['effect']}{amount}: {step['sentence']}"


def _entry(entry: dict[str, Any]) -> list[str]:
    lines = [f"{entry['title']}"]
    for each in entry["postings"]:
        lines.append(f"  {each['debit_name']} <- {each['credit_name']} {each['amount']['formatted']}")
    return lines
