"""Frames between the parent and its processes: four bytes of length, then JSON. Standard library only."""

from __future__ import annotations

import asyncio
import json
from typing import Any

HEADER = 4
MAX_BYTES = 32 * 1024 * 1024
MAX_ANSWER = 16 * 1024 * 1024  # from a child to its parent, who ends a child that sends more


class FrameTooLarge(Exception):
    """The other side announced more than it may send."""


def pack(message: dict[str, Any]) -> bytes:
    """Return one frame; half a surrogate pair, which is no text, becomes a question mark."""
    body = json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")
    return len(body).to_bytes(HEADER, "big") + body


async def read_body(reader: asyncio.StreamReader, limit: int = MAX_BYTES) -> bytes | None:
    """Return the next message as it came, None at the end; raises FrameTooLarge."""
    try:
        size = int.from_bytes(await reader.readexactly(HEADER), "big")
        if size > limit:
            raise FrameTooLarge(f"a frame of {size} bytes")
        return await reader.readexactly(size)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


async def read(reader: asyncio.StreamReader) -> dict[str, Any] | None:
    """Return the next message, None at the end; raises FrameTooLarge or ValueError for what is not a message."""
    body = await read_body(reader)
    if body is None:
        return None
    message = json.loads(body)
    if not isinstance(message, dict):
        raise ValueError("a frame that is no object")
    return message
