"""Render canonical documents for one API version, with the references that the caller asked to expand.

A version is data (`shapes.py`): which fields of which object exist from when until when. The handlers know nothing
of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from counterfoil.sandbox.computed import COMPUTED
from counterfoil.sandbox.documents import Doc
from counterfoil.sandbox.errors import invalid
from counterfoil.sandbox.shapes import (
    EXPANDABLE,
    FORMER,
    INCLUDABLE,
    NESTED_SINCE,
    NESTED_UNTIL,
    ON_REQUEST,
    OTHERWISE,
    PATHS,
    SINCE,
    SOURCES,
    UNTIL,
)
from counterfoil.sandbox.versions import since

Fetch: TypeAlias = Callable[[str, str], Doc | None]
"""Get an object by kind and id, None when it does not exist."""
Tree: TypeAlias = dict[str, Any]
"""What to expand, nested: `latest_charge.customer` is `{"latest_charge": {"customer": {}}}`."""

LEVELS_MAX = 4


def expand_tree(paths: list[Any], of_list: bool) -> Tree:
    """Nest the expand parameter; refuses what Stripe refuses before it looks at any object."""
    tree: Tree = {}
    for path in paths:
        segments = str(path).split(".")
        if len(segments) > LEVELS_MAX:
            raise invalid(f"You cannot expand more than {LEVELS_MAX} levels of a property. Property: {path}", "expand")
        if of_list and segments == ["data"]:
            raise _not_expandable("data")
        if of_list and segments[0] == "data":
            segments = segments[1:]
        elif of_list and segments != ["total_count"]:
            raise _not_expandable(segments[0], f" You may want to try expanding 'data.{segments[0]}' instead.")
        here = tree
        for segment in segments:
            here = here.setdefault(segment, {})
    return tree


def render(doc: Doc, version: str, tree: Tree, fetch: Fetch, lists: Callable[[str, str, str], list[Doc]]) -> Doc:
    """The document as `version` shows it, with `tree` expanded."""
    shown = plain(doc, version)
    kind = str(doc["object"])
    for path, kept in ON_REQUEST.get(kind, {}).items():
        outer, _, inner = path.partition(".")
        if inner in tree.get(outer, {}) and isinstance(shown.get(outer), dict):
            shown[outer][inner] = _public(doc.get(kept), version)
    for name, below in tree.items():
        if name in ON_REQUEST.get(kind, {}) and exists(kind, name, version):
            shown[name] = _public(doc.get(ON_REQUEST[kind][name]), version)
        elif name in COMPUTED.get(kind, {}):
            shown[name] = COMPUTED[kind][name](doc)
        else:
            _expand(shown, kind, name, below, version, fetch, lists)
    return shown


def exists(kind: str, name: str, version: str) -> bool:
    """False for a field that an object has only before or after a version."""
    start, end = SINCE.get(kind, {}).get(name), UNTIL.get(kind, {}).get(name)
    return not (start and not since(version, start)) and not (end and since(version, end))


def plain(doc: Doc, version: str) -> Doc:
    """The document as `version` shows it, every reference an id."""
    shown: Doc = _public(doc, version)
    return shown


def render_event(event: Doc, version: str) -> Doc:
    """An event with its object, and what changed in it, as `version` shows them."""
    shown = plain(event, version)
    subject = plain(event["_subject"], version)
    shown["api_version"] = version
    shown["data"] = {"object": subject}
    if event["_before"] is not None:
        changed = difference(plain(event["_before"], version), subject)
        shown["data"]["previous_attributes"] = {name: value for name, value in changed.items() if name in subject}
    return shown


def difference(before: Doc, after: Doc) -> Doc:
    """The former values of what changed: nested maps hold only their changed keys, lists come whole, new keys were
    null.
    """
    changed: Doc = {}
    for name in [*after, *(name for name in before if name not in after)]:
        old, new = before.get(name), after.get(name)
        if old != new:
            changed[name] = difference(old, new) if isinstance(old, dict) and isinstance(new, dict) else old
    return changed


def _public(value: Any, version: str) -> Any:
    if isinstance(value, list):
        return [_public(item, version) for item in value]
    if not isinstance(value, dict):
        return value
    shown = {
        name: item if name == "metadata" else _public(item, version)
        for name, item in value.items()
        if not name.startswith("_")
    }
    kind = value.get("object")
    if not isinstance(kind, str):
        return shown
    start, others = OTHERWISE.get(kind, ("", {}))
    if not since(version, start):
        shown |= {name: value[kept] for name, kept in others.items() if kept in value}
    return _at_version(shown, kind, version)


def _at_version(shown: Doc, kind: str, version: str) -> Doc:
    for name in (*SINCE.get(kind, {}), *UNTIL.get(kind, {})):
        if not exists(kind, name, version):
            shown.pop(name, None)
    for path, names, start in NESTED_SINCE.get(kind, ()):
        if not since(version, start):
            _drop(shown, path, names)
    for path, names, end in NESTED_UNTIL.get(kind, ()):
        if since(version, end):
            _drop(shown, path, names)
    for name, (start, former) in FORMER.get(kind, {}).items():
        if name in shown and not since(version, start):
            shown[name] = former.get(shown[name], shown[name])
    return shown


def _drop(shown: Doc, path: str, names: tuple[str, ...]) -> None:
    nested = _nested(shown, path) or {}
    for name in names:
        nested.pop(name, None)


def _nested(shown: Doc, path: str) -> Doc | None:
    here: Any = shown
    for name in path.split("."):
        here = here.get(name) if isinstance(here, dict) else None
    return here if isinstance(here, dict) else None


def _expand(
    shown: Doc,
    kind: str,
    name: str,
    below: Tree,
    version: str,
    fetch: Fetch,
    lists: Callable[[str, str, str], list[Doc]],
    prefix: str = "",
) -> None:
    """Expand one property of an object, or go down into a map that holds expandable properties."""
    full = prefix + name
    references = EXPANDABLE.get(kind, {})
    if not exists(kind, full, version):
        raise _not_expandable(full)
    if not prefix and name in INCLUDABLE.get(kind, {}):
        shown[name] = _included(shown, kind, name, below, version, fetch, lists)
    elif full in references:
        shown[name] = _referred(shown.get(name), references[full], below, version, fetch, lists)
    elif any(path.startswith(full + ".") for path in references):
        for held in _held(shown.get(name)):
            for key, deeper in below.items():
                _expand(held, kind, key, deeper, version, fetch, lists, full + ".")
    elif isinstance(shown.get(name), dict):
        _descend(shown[name], below, version, fetch, lists)
    elif not isinstance(shown.get(name), list) and not (below and name in shown and shown[name] is None):
        # A way through something that is not there, such as the coupon of no discount, leads nowhere and is no error.
        raise _not_expandable(full)


def _descend(value: Doc, below: Tree, version: str, fetch: Fetch, lists: Callable[[str, str, str], list[Doc]]) -> None:
    """Expand inside an object, or inside the items of a list, that is shown whole anyway."""
    items = value["data"] if value.get("object") == "list" else [value]
    deeper = below.get("data", {}) if value.get("object") == "list" else below
    for item in items:
        for key, rest in deeper.items():
            kind = item.get("object")
            if isinstance(kind, str) and key in ON_REQUEST.get(kind, {}):
                item[key] = _public((fetch(kind, item["id"]) or {}).get(ON_REQUEST[kind][key]), version)
            elif isinstance(kind, str):
                _expand(item, kind, key, rest, version, fetch, lists)


def _held(value: Any) -> list[Doc]:
    """The maps that a property holds: one, those of a list, or none."""
    held = value if isinstance(value, list) else [value]
    return [item for item in held if isinstance(item, dict)]


def _referred(
    value: Any, kind: str, below: Tree, version: str, fetch: Fetch, lists: Callable[[str, str, str], list[Doc]]
) -> Any:
    if isinstance(value, list):
        return [_referred(item, kind, below, version, fetch, lists) for item in value]
    if not isinstance(value, str):
        return value
    target = SOURCES.get(value.partition("_")[0], "") if kind == "*" else kind
    found = fetch(target, value)
    return value if found is None else render(found, version, below, fetch, lists)


def _included(
    shown: Doc,
    kind: str,
    name: str,
    below: Tree,
    version: str,
    fetch: Fetch,
    lists: Callable[[str, str, str], list[Doc]],
) -> Doc:
    held, back = INCLUDABLE[kind][name]
    items = lists(held, back, shown["id"]) if held else []
    deeper = below.get("data", {})
    return {
        "object": "list",
        "data": [render(item, version, deeper, fetch, lists) for item in items[:10]],
        "has_more": len(items) > 10,
        "url": f"/v1/{PATHS.get(kind, kind + 's')}/{shown['id']}/{name}",
    }


def _not_expandable(path: str, hint: str = "") -> Exception:
    return invalid(f"This property cannot be expanded ({path}).{hint}", "expand")
