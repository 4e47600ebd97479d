"""A Langflow as a studio: its addresses, its key's header, the shapes of its answers."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec

from agentmart.adapters.studios.base import Fetch, FlowExport, FlowHead, StudioFailure

LIST = "/api/v1/flows/?get_all=true&header_flows=true&remove_example_flows=true"
FLOW = "/api/v1/flows/"
VERSION = "/api/v1/version"
MOST_OF_A_LIST = 8 * 1024 * 1024
MOST_OF_A_VERSION = 16 * 1024
ENVELOPE = 64 * 1024  # what stands around a flow's content
LONGEST_NAME = 150
LONGEST_TEXT = 2000
LONGEST_VERSION = 40

# how the canvas stood when somebody last looked at it; not what the flow does
VIEW_OF_A_NODE = frozenset({"selected", "dragging", "measured", "positionAbsolute"})
VIEW_OF_AN_EDGE = frozenset({"selected", "animated", "className"})
_RELEASE = re.compile(r"^\d{1,4}(?:\.\d{1,6}){1,2}")


class LangflowStudio:
    """A Langflow whose API is asked with a user's key, sent in `x-api-key`: a Bearer token is no key there."""

    def __init__(self, url: str, key: str, fetch: Fetch) -> None:
        self._url = url.rstrip("/")
        self._key = key
        self._fetch = fetch

    def flows(self) -> list[FlowHead]:
        """Return the user's flows; saved components, which stand in the same list, are none."""
        rows = self._asked(LIST, most=MOST_OF_A_LIST)
        if not isinstance(rows, list):
            raise _no_langflow()
        heads = [head for row in rows if (head := _head(row)) is not None]
        if rows and not heads and not any(isinstance(row, dict) and row.get("is_component") for row in rows):
            raise _no_langflow()
        undated = datetime.min.replace(tzinfo=UTC)
        return sorted(heads, key=lambda head: (head.updated or undated, head.name, head.id), reverse=True)

    def flow(self, flow_id: str, *, most: int) -> FlowExport:
        """Return the flow in the form of an export: what it does, and the release it was built with."""
        found = self._asked(f"{FLOW}{UUID(flow_id)}", most=most + ENVELOPE, flow=True)
        if not isinstance(found, dict) or _uuid(found.get("id")) != str(UUID(flow_id)):
            raise _no_langflow()
        data = found.get("data")
        export = {
            "id": str(UUID(flow_id)),
            "name": _text(found.get("name"), LONGEST_NAME),
            "description": _text(found.get("description"), LONGEST_TEXT),
            "data": _content(data),
            "is_component": bool(found.get("is_component")),
            "last_tested_version": _built_with(data) or self.version(),
        }
        return FlowExport(export, _moment(found.get("updated_at")))

    def version(self) -> str:
        """Return its release, which it tells without a key too."""
        told = self._asked(VERSION, most=MOST_OF_A_VERSION)
        version = told.get("version") if isinstance(told, dict) else None
        if not isinstance(version, str) or not _RELEASE.match(version):
            raise _no_langflow()
        return _text(version, LONGEST_VERSION)

    def _asked(self, path: str, *, most: int, flow: bool = False) -> Any:
        """Return the JSON at a path; raises StudioFailure in words of ours: what it says may be a traceback."""
        headers = {"x-api-key": self._key, "accept": "application/json"}
        reply = self._fetch(f"{self._url}{path}", headers, most=most)
        if reply.status in (401, 403):
            raise StudioFailure(
                "studio_key_refused",
                "The Studio refuses the API key; make a new one there and store it here.",
            )
        if flow and reply.status in (404, 422):
            raise StudioFailure("studio_flow_gone", "The Studio has no such flow (any more).")
        if reply.status == 413:
            raise StudioFailure("studio_too_large", "The Studio says that this is too large.")
        if reply.status == 429 or reply.status >= 500:
            raise StudioFailure(
                "studio_failed",
                f"The Studio has a problem of its own (status {reply.status}); try again later.",
            )
        if 300 <= reply.status < 400:
            raise StudioFailure(
                "studio_not_langflow",
                "The address only leads on to another one; give the address it leads to.",
            )
        if reply.status != 200:
            raise _no_langflow()
        try:
            return msgspec.json.decode(reply.body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise _no_langflow() from None


def _no_langflow() -> StudioFailure:
    return StudioFailure(
        "studio_not_langflow",
        "What answers there is no Langflow; give the address that its page has, without the path of a flow.",
    )


def _head(row: Any) -> FlowHead | None:
    """Return a row of the list, None for a component and for what is no flow."""
    if not isinstance(row, dict) or row.get("is_component"):
        return None
    flow_id = _uuid(row.get("id"))
    if not flow_id or not isinstance(row.get("name"), str):
        return None
    return FlowHead(
        id=flow_id,
        name=_text(row["name"], LONGEST_NAME),
        description=_text(row.get("description"), LONGEST_TEXT),
        endpoint_name=_text(row.get("endpoint_name"), LONGEST_NAME),
        updated=_moment(row.get("updated_at")),
    )


def _uuid(value: Any) -> str:
    """Return an id in its usual form, nothing for what is none."""
    try:
        return str(UUID(value)) if isinstance(value, str) else ""
    except ValueError:
        return ""


def _text(value: Any, most: int) -> str:
    """Return a text that can be stored and shown on one line or more."""
    return value.replace("\0", "").strip()[:most] if isinstance(value, str) else ""


def _moment(value: Any) -> datetime | None:
    """Return when something was changed; Langflow's older releases leave out the zone, which is UTC."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _content(data: Any) -> Any:
    """Return what a flow does: panning its canvas or selecting a node makes no other flow of it."""
    if not isinstance(data, dict):
        return data
    kept = {name: value for name, value in data.items() if name != "viewport"}
    for name, view in (("nodes", VIEW_OF_A_NODE), ("edges", VIEW_OF_AN_EDGE)):
        if isinstance(kept.get(name), list):
            kept[name] = [_without(item, view) for item in kept[name]]
    return kept


def _without(item: Any, names: frozenset[str]) -> Any:
    return {key: value for key, value in item.items() if key not in names} if isinstance(item, dict) else item


def _built_with(data: Any) -> str:
    """Return the newest release that a node says it was saved with, nothing where none does.

    The server's own release would make another version of every flow whenever the server is updated.
    """
    found: list[tuple[tuple[int, ...], str]] = []
    nodes = data.get("nodes") if isinstance(data, dict) else None
    for item in nodes if isinstance(nodes, list) else ():
        inner = item.get("data") if isinstance(item, dict) else None
        node = inner.get("node") if isinstance(inner, dict) else None
        release = node.get("lf_version") if isinstance(node, dict) else None
        match = _RELEASE.match(release) if isinstance(release, str) else None
        if match is not None:
            found.append((tuple(int(part) for part in match.group().split(".")), match.group()))
    return max(found, default=((), ""))[1]
