"""Reading the provider's answers to questions: one object, or a list to its end."""

from collections.abc import Iterator
from typing import Final, assert_never

from counterfoil.providers.port import ProviderUnavailable
from counterfoil.providers.stripe.calls import Answer, Caller, Failure, Params, Reply
from counterfoil.providers.stripe.fields import Doc, rows, text
from counterfoil.providers.stripe.outcomes import in_words, is_missing

PAGE: Final = 100
PAGES_MAX: Final = 10
"""How far down a list we read. What is looked for was made within days, so it is near the top."""


class ListMissing(ProviderUnavailable):
    """What the list was to be of is not there."""


def listed(caller: Caller, path: str, params: Params) -> Iterator[Doc]:
    """Give the objects of a list, newest first. Raises ListMissing, and ProviderUnavailable on a list without an end
    in sight."""
    below: dict[str, object] = {}
    for _ in range(PAGES_MAX):
        answer = caller.get(path, {**params, "limit": PAGE, **below})
        if isinstance(answer, Failure) and is_missing(answer):
            raise ListMissing(in_words(answer))
        page = doc_of(answer)
        found = rows(page, "data")
        yield from found
        if page.get("has_more") is not True or not found:
            return
        below = {"starting_after": text(found[-1], "id")}
    raise ProviderUnavailable(f"not found among the newest {PAGE * PAGES_MAX} objects, and there are more")


def doc_of(answer: Answer) -> Doc:
    """Give the object of an answer to a question. Raises ProviderUnavailable when there is none."""
    match answer:
        case Reply(doc):
            return doc
        case Failure():
            raise ProviderUnavailable(in_words(answer))
        case other:
            assert_never(other)
