"""Which fields of a flow a buyer may be allowed to set; never code, addresses, credentials or templates."""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from agentmart.agents.flows.edges import connected_fields
from agentmart.agents.flows.nodes import FlowGraph, FlowNode
from agentmart.agents.flows.parse import shown
from agentmart.agents.flows.report import NodeReport
from agentmart.agents.flows.secret_scan import is_secret_field
from agentmart.contracts.grants import Tweakable
from agentmart.contracts.tweaks import MAX_TEXT, check_value
from agentmart.kit.errors import Invalid

INPUT_TYPES: Mapping[str, str] = {
    "StrInput": "str",
    "MessageTextInput": "str",
    "MultilineInput": "str",
    "MessageInput": "str",
    "IntInput": "int",
    "FloatInput": "float",
    "SliderInput": "float",
    "BoolInput": "bool",
    "DropdownInput": "str",
    "TabInput": "str",
}
CHOICES = frozenset({"DropdownInput", "TabInput"})
PLAIN_TYPES: Mapping[str, str] = {
    "str": "str",
    "int": "int",
    "float": "float",
    "bool": "bool",
    "slider": "float",
}
HARMLESS_TOKENS = frozenset({"max_tokens", "max_output_tokens", "n_messages"})

# A field is untouchable if its name holds one of these anywhere …
FORBIDDEN_PART = re.compile(
    r"code|url|uri|token|secret|passw|credential|template|sql|apikey|endpoint|directory|database|dangerous|provider",
    re.IGNORECASE,
)
# … or one of these as a word of its own …
FORBIDDEN_WORDS = frozenset(
    word
    for line in (
        "address allow api auth authorization base brackets bucket cache class client collection column",
        "command connection context cookie cypher deletion deployment dir domain domains embedding env",
        "environment expression file filename filepath files filter flow folder format function header",
        "headers host hostname hub id import imports index key keys keyspace kwargs lambda llm mode model",
        "namespace organization parsing path paths pattern port prevent project proxy query redirects regex",
        "region schema script sender server session ssl store stream table tls tool tools type user variable",
        "verbose verify",
    )
    for word in line.split()
)
# … or if people call it so.
FORBIDDEN_LABEL = re.compile(
    r"\btemplate\b|\bcode\b|\burl\b|\bapi key\b|\bsecret\b|\bpath\b|\bsql\b", re.IGNORECASE
)
WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[^\W\d_]+")
MAX_NAME = 100
CHAT_TYPES = frozenset({"ChatInput", "ChatOutput", "TextOutput", "DataOutput", "Webhook"})


def candidates(graph: FlowGraph, nodes: Sequence[NodeReport]) -> tuple[Tweakable, ...]:
    """Return every field that a provider may expose, in file order.

    Nodes that can run code, touch files or databases, or start programs have none, and neither have grouped nodes:
    a group's own settings would override the buyer's.
    """
    filled = connected_fields(graph)
    found: list[Tweakable] = []
    for report in nodes:
        if report.group or set(report.capabilities) - {"custom_code", "network", "other_flows"}:
            continue
        if report.component in CHAT_TYPES or report.type in CHAT_TYPES:
            continue
        node = graph.nodes[report.id]
        found.extend(_fields_of(node, filled))
    return tuple(found)


def choose_tweakable(requested: object, offered: Sequence[Tweakable]) -> tuple[Tweakable, ...]:
    """Return the fields a provider exposes: each one of the candidates, bounds and options only narrower.

    `requested` is a list of {node, field, label?, default?, minimum?, maximum?, max_length?, options?}.
    Raises Invalid with `field` "tweakable.INDEX…" and code `invalid_tweakable`.
    """
    if not isinstance(requested, (list, tuple)):
        raise _bad("tweakable", "tweakable must be a list of {node, field}.")
    by_place = {(item.node, item.field): item for item in offered}
    chosen: dict[tuple[str, str], Tweakable] = {}
    for index, row in enumerate(requested):
        at = f"tweakable.{index}"
        if not isinstance(row, Mapping):
            raise _bad(at, "Each entry must be an object with node and field.")
        place = (str(row.get("node", "")), str(row.get("field", "")))
        if place not in by_place:
            raise _bad(at, f"The field {shown(place[1])} of {shown(place[0])} cannot be exposed to buyers.")
        if place in chosen:
            raise _bad(at, f"The field {shown(place[1])} of {shown(place[0])} is listed twice.")
        chosen[place] = _narrowed(by_place[place], row, at)
    return tuple(chosen.values())


def _fields_of(node: FlowNode, filled: Collection[tuple[str, str]]) -> list[Tweakable]:
    found = []
    for name, field in node.fields():
        if (node.id, name) in filled or not _may_expose(name, field):
            continue
        item = _tweakable(node, name, field)
        if item is not None:
            found.append(item)
    return found


def _may_expose(name: str, field: dict[str, Any]) -> bool:
    label = field.get("display_name")
    if len(name) > MAX_NAME or not _harmless_name(name):
        return False
    if isinstance(label, str) and FORBIDDEN_LABEL.search(label):
        return False
    return not (
        is_secret_field(name, field)
        or field.get("load_from_db") is True
        or field.get("show") is False
        or field.get("list") is True
        or field.get("proxy")
    )


@functools.lru_cache(4096)
def _harmless_name(name: str) -> bool:
    if name in HARMLESS_TOKENS:
        return True
    words = {word.lower() for word in WORD.findall(name)}
    odd = name.startswith("_") or name in ("is_refresh", "method")
    return not (odd or FORBIDDEN_PART.search(name) or words & FORBIDDEN_WORDS)


def _tweakable(node: FlowNode, name: str, field: dict[str, Any]) -> Tweakable | None:
    kind = _kind(field)
    if kind is None:
        return None
    options: tuple[Any, ...] = ()
    if str(field.get("_input_type")) in CHOICES or isinstance(field.get("options"), list):
        if field.get("combobox") is True or not isinstance(field.get("options"), list):
            return None
        options = tuple(option for option in field["options"] if isinstance(option, (str, int, float)))
        if not options:
            return None
    held = field.get("range_spec")
    span = held if isinstance(held, dict) else {}
    label = field.get("display_name")
    item = Tweakable(
        node=node.id,
        field=name,
        type=kind,
        label=label[:120] if isinstance(label, str) and label else name,
        minimum=_bound(span.get("min")) if kind in ("int", "float") else None,
        maximum=_bound(span.get("max")) if kind in ("int", "float") else None,
        max_length=MAX_TEXT if kind == "str" and not options else None,
        options=options,
    )
    return replace(item, default=_default(item, field.get("value")))


def _kind(field: dict[str, Any]) -> str | None:
    declared = field.get("_input_type")
    plain = PLAIN_TYPES.get(str(field.get("type")))
    if declared is None:
        return plain
    kind = INPUT_TYPES.get(str(declared))
    return kind if kind == plain else None


def _default(item: Tweakable, value: Any) -> Any:
    """Return the flow's own value; None where the field holds none, or one that means "not set" (max_tokens 0)."""
    try:
        return check_value(item, value)
    except Invalid:
        return None


def _bound(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _narrowed(item: Tweakable, row: Mapping[str, Any], at: str) -> Tweakable:
    label = row.get("label", item.label)
    if not isinstance(label, str) or len(label) > 120:
        raise _bad(f"{at}.label", "A label is text of at most 120 characters.")
    options = item.options
    if row.get("options"):
        options = tuple(row["options"]) if isinstance(row["options"], (list, tuple)) else ()
        for option in options:
            _checked(item, option, f"{at}.options")
        if not options:
            raise _bad(f"{at}.options", "options must be a list of values.")
    low = _limit(row, "minimum", item.minimum, at)
    high = _limit(row, "maximum", item.maximum, at)
    length = _limit(row, "max_length", item.max_length, at)
    if (low is not None and item.minimum is not None and low < item.minimum) or (
        high is not None and item.maximum is not None and high > item.maximum
    ):
        raise _bad(at, "The bounds may only be narrower than the component's own.")
    if length is not None and not 0 < length <= MAX_TEXT:
        raise _bad(f"{at}.max_length", f"max_length must be between 1 and {MAX_TEXT}.")
    if low is not None and high is not None and low > high:
        raise _bad(at, "minimum is above maximum.")
    chosen = replace(
        item,
        label=label,
        options=options,
        minimum=low,
        maximum=high,
        max_length=int(length) if length else None,
    )
    if row.get("default") is not None:
        chosen = replace(chosen, default=_checked(chosen, row["default"], f"{at}.default"))
    return chosen


def _limit(row: Mapping[str, Any], name: str, own: float | None, at: str) -> float | None:
    value = row.get(name)
    if value is None:
        return own
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= 1e15:
        raise _bad(f"{at}.{name}", f"{name} must be a number.")
    return value


def _checked(item: Tweakable, value: object, at: str) -> Any:
    try:
        return check_value(item, value)
    except Invalid as error:
        raise _bad(at, error.message) from error


def _bad(field: str, message: str) -> Invalid:
    return Invalid(message, code="invalid_tweakable", field=field)
