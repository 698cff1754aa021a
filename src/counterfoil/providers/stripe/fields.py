"""Careful reading of a provider's JSON: nothing in it is trusted to be there or to have the documented type."""

import re
from collections.abc import Mapping
from typing import Final, TypeAlias

from counterfoil.core.ids import ProviderRef

Doc: TypeAlias = Mapping[str, object]
"""One JSON object as it came."""

EMPTY: Final[Doc] = {}
REF: Final = re.compile(r"[!$&()*+,\-.0-9:;=@A-Z\[\]^_`a-z{|}~]{1,255}", re.ASCII)
"""What prints in ASCII, without blanks and without `/ \\ ? # % " ' < >`."""
TEXT_MAX: Final = 5000
UNUSABLE: Final = re.compile("[\0\ud800-\udfff]")


class Unreadable(Exception):
    """A field has a value that can't be used. The message names the field and says why."""


def child(doc: Doc, name: str) -> Doc:
    """Give a nested object, an empty one when it is absent, null or only an id."""
    value = doc.get(name)
    return value if isinstance(value, dict) else EMPTY


def rows(doc: Doc, name: str) -> list[Doc]:
    """Give the objects of a list. Anything else in it is left out."""
    value = doc.get(name)
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def text(doc: Doc, name: str) -> str | None:
    """Give a text for people, None when there is none. What no database can store is replaced, too much is cut."""
    value = doc.get(name)
    return clean(value[:TEXT_MAX]) if isinstance(value, str) and value else None


def clean(value: str) -> str:
    """Replace NUL and lone surrogates, which are legal in JSON and which neither Postgres nor UTF-8 can hold."""
    return value if value.isascii() and "\0" not in value else UNUSABLE.sub("\ufffd", value)


def is_usable(value: str) -> bool:
    """Say whether a text can be stored as it is."""
    return UNUSABLE.search(value) is None


def labels(doc: Doc) -> dict[str, str]:
    """Give the metadata. Values are always texts at the provider, so whatever is not one is left out."""
    found = child(doc, "metadata")
    return {clean(key): clean(value) for key, value in found.items() if isinstance(value, str)}


def whole(doc: Doc, name: str) -> int:
    """Give a whole number, never a float that happens to be one. Raises Unreadable."""
    value = doc.get(name)
    if type(value) is not int:
        raise Unreadable(f"{name} is not a whole number")
    return value


def ref(doc: Doc, name: str) -> ProviderRef | None:
    """Give the id of another object, whether it came as an id or expanded. None when there is none.

    Raises Unreadable on an id that can't be one.
    """
    value = doc.get(name)
    if isinstance(value, dict):
        value = value.get("id")
    if value is None:
        return None
    if not isinstance(value, str) or not is_ref(value):
        raise Unreadable(f"{name} is not an id")
    return ProviderRef(value)


def lenient_ref(doc: Doc, name: str) -> ProviderRef | None:
    """Give an id where an odd one is no reason to refuse the rest: None then."""
    try:
        return ref(doc, name)
    except Unreadable:
        return None


def is_ref(value: str) -> bool:
    """Say whether a text can be an id. It goes into paths, and servers differ in what an escaped slash means there."""
    return REF.fullmatch(value) is not None and value not in (".", "..")
