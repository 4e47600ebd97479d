"""The one place that stands in for lfx's message store: a run sees its own session and nothing else.

lfx without Langflow's database forgets every message. Here each run carries the recent messages of its session
in a context variable; what the flow stores is collected and handed back to the parent, which keeps it.
Whatever session a node names, it reads and writes the session of the run: nobody can name another's.
"""

from __future__ import annotations

import contextlib
import contextvars
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import lfx.memory
from lfx.schema.message import Message
from lfx.utils.async_helpers import run_until_complete

MAX_CHANGES = 1000
KEPT_FIELDS = ("text", "sender", "sender_name", "context_id")


class Session:
    """The messages one run may read, oldest first, and what it added or removed."""

    def __init__(self, history: list[dict[str, Any]]) -> None:
        self.messages: dict[str, Message] = {}
        self.changed: set[str] = set()
        self.removed: set[str] = set()
        for item in history:
            message = Message(**{name: item.get(name) or "" for name in KEPT_FIELDS})
            message.id = item["id"]
            message.timestamp = item["timestamp"]
            self.messages[item["id"]] = message

    def put(self, message: Message) -> Message:
        """Store or overwrite one message; gives it an id if it has none."""
        message_id = str(message.get_id() or uuid.uuid4().hex)
        message.id = message_id
        self.messages[message_id] = message
        self.changed.add(message_id)
        self.removed.discard(message_id)
        return message

    def drop(self, message_id: str) -> None:
        """Forget one message."""
        if self.messages.pop(message_id, None) is not None:
            self.changed.discard(message_id)
            self.removed.add(message_id)

    def changes(self) -> dict[str, Any]:
        """Return `{"put": [message…], "drop": [id…]}` as plain values, oldest first; of very many, the newest."""
        put = [_plain(key, message) for key, message in self.messages.items() if key in self.changed]
        return {"put": put[-MAX_CHANGES:], "drop": sorted(self.removed)[:MAX_CHANGES]}


def _plain(key: str, message: Message) -> dict[str, Any]:
    timestamp = message.timestamp
    if isinstance(timestamp, datetime):
        timestamp = timestamp.astimezone(UTC).isoformat()
    values = {name: _text(getattr(message, name, "")) for name in KEPT_FIELDS}
    return {"id": key, "timestamp": str(timestamp), **values}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


_current: contextvars.ContextVar[Session | None] = contextvars.ContextVar("agentmart_session", default=None)


@contextlib.contextmanager
def bound(session: Session) -> Iterator[Session]:
    """Make `session` the memory of whatever runs inside."""
    token = _current.set(session)
    try:
        yield session
    finally:
        _current.reset(token)


async def aget_messages(
    sender: str | None = None,
    sender_name: str | None = None,
    session_id: object = None,
    context_id: object = None,
    order_by: str | None = "timestamp",
    order: str | None = "DESC",
    flow_id: object = None,
    limit: int | None = None,
    user_id: object = None,
) -> list[Message]:
    """Return the run's messages that match, newest first unless `order` is ASC."""
    session = _current.get()
    if session is None:
        return []
    found = [
        message
        for message in session.messages.values()
        if (not sender or message.sender == sender)
        and (not sender_name or message.sender_name == sender_name)
        and (not context_id or message.context_id == str(context_id))
    ]
    if order != "ASC":
        found.reverse()
    return found[:limit] if limit else found


async def astore_message(
    message: Message, flow_id: object = None, run_id: object = None, user_id: object = None
) -> list[Message]:
    """Remember one message for the session."""
    session = _current.get()
    if not message:
        return []
    if not message.session_id or not message.sender or not message.sender_name:
        raise ValueError("A stored message needs a session, a sender and a sender's name.")
    return [session.put(message)] if session is not None else [_with_id(message)]


def _with_id(message: Message) -> Message:
    if not message.get_id():
        message.id = uuid.uuid4().hex
    return message


async def aadd_messages(messages: Message | list[Message], **_: object) -> list[Message]:
    """Remember several messages."""
    stored: list[Message] = []
    for message in messages if isinstance(messages, list) else [messages]:
        stored.extend(await astore_message(message))
    return stored


async def aupdate_messages(messages: Message | list[Message]) -> list[Message]:
    """Overwrite messages that were stored before."""
    session = _current.get()
    items = messages if isinstance(messages, list) else [messages]
    return [session.put(item) if session is not None else item for item in items]


async def delete_message(id_: str) -> None:
    """Forget one message."""
    session = _current.get()
    if session is not None:
        session.drop(str(id_))


async def adelete_messages(session_id: object = None, context_id: object = None) -> None:
    """Forget the session's messages, or those of one context in it."""
    session = _current.get()
    for key, message in list(session.messages.items()) if session is not None else []:
        if not context_id or message.context_id == str(context_id):
            session.drop(key)  # type: ignore[union-attr]


def install() -> None:
    """Make lfx's memory functions use the store of the running call."""
    implementation = SimpleNamespace(
        aget_messages=aget_messages,
        astore_message=astore_message,
        aadd_messages=aadd_messages,
        aadd_messagetables=aadd_messages,
        aupdate_messages=aupdate_messages,
        delete_message=delete_message,
        adelete_messages=adelete_messages,
        get_messages=lambda *args, **kwargs: run_until_complete(aget_messages(*args, **kwargs)),
        store_message=lambda *args, **kwargs: run_until_complete(astore_message(*args, **kwargs)),
        add_messages=lambda *args, **kwargs: run_until_complete(aadd_messages(*args, **kwargs)),
        delete_messages=lambda *args, **kwargs: run_until_complete(adelete_messages(*args, **kwargs)),
    )
    lfx.memory._impl = lambda: implementation
