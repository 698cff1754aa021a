"""What becomes of the items of a subscription when it changes."""

from __future__ import annotations

from dataclasses import dataclass, field

from counterfoil.sandbox import subscription_items, subscription_terms
from counterfoil.sandbox.call import Call
from counterfoil.sandbox.documents import Doc, copy_of
from counterfoil.sandbox.errors import StripeError, invalid
from counterfoil.sandbox.params import Given, merge_labels


@dataclass(slots=True)
class Plan:
    """What the items of a subscription become. `gone` and `changed` hold them as they were billed."""

    items: list[Doc]
    gone: list[Doc] = field(default_factory=list)
    changed: list[tuple[Doc, Doc]] = field(default_factory=list)
    """An item as it was, empty where it is new, and as it becomes."""

    @property
    def bills(self) -> bool:
        return bool(self.gone or self.changed)

    def billed(self) -> list[Doc]:
        """All items that were billed before, as they were."""
        was = {becomes["id"]: before for before, becomes in self.changed}
        stay = [was.get(item["id"], item) for item in self.items]
        return [*self.gone, *(item for item in stay if item)]


def planned(call: Call, subscription: Doc, items: list[Doc], given: list[Given]) -> Plan:
    """What the items become, with nothing stored yet."""
    plan = Plan(list(items))
    for position, entry in enumerate(given):
        path = f"items[{position}]"
        current = _current(plan.items, entry, path)
        if entry.get("deleted"):
            if current is None:
                raise invalid(f"You must pass `{path}[id]` to delete an item.", path)
            plan.items = [item for item in plan.items if item["id"] != current["id"]]
            plan.gone.append(current)
        elif current is None:
            _plan_new(call, subscription, plan, entry, path)
        else:
            _plan_changed(call, plan, current, entry, path)
    if not plan.items:
        raise invalid("A subscription must have at least one active plan.", "items")
    return plan


def _current(items: list[Doc], entry: Given, path: str) -> Doc | None:
    """The item that an entry is about; None for a new one."""
    if not entry.get("id"):
        return None
    found = next((item for item in items if item["id"] == entry["id"]), None)
    if found is None:
        raise StripeError(
            f"No such subscription item: '{entry['id']}'", code="resource_missing", param=f"{path}[id]", status=400
        )
    return found


def _plan_new(call: Call, subscription: Doc, plan: Plan, entry: Given, path: str) -> None:
    price = subscription_items.price_of(call, entry, path)
    item = subscription_items.new_item(call, subscription, price, entry)
    subscription_terms.apply_to_item(call, subscription, item, entry, path)
    plan.items.append(item)
    plan.changed.append(({}, item))


def _plan_changed(call: Call, plan: Plan, current: Doc, entry: Given, path: str) -> None:
    was, becomes = copy_of(current), copy_of(current)
    if "metadata" in entry:
        becomes["metadata"] = merge_labels(becomes["metadata"], entry["metadata"])
    named = any(entry.get(name) for name in ("price", "plan", "price_data"))
    price = subscription_items.price_of(call, entry, path) if named else current["price"]
    quantity: int = current["quantity"] if entry.get("quantity") is None else entry["quantity"]
    subscription_items.set_price(becomes, price, quantity)
    subscription = call.shelf.find("subscription", current["subscription"], "subscription", 400)
    subscription_terms.apply_to_item(call, subscription, becomes, entry, path)
    plan.items = [becomes if item["id"] == current["id"] else item for item in plan.items]
    if (was["price"]["id"], was["quantity"]) != (price["id"], becomes["quantity"]):
        plan.changed.append((was, becomes))
