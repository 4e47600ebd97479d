"""Frames between the parent and its processes: four bytes of length, then JSON. Standard library only."""

from __future__ import annotations

import asyncio
import json
from typing import Any

HEADER = 4
MAX_BYTES = 32 * 1024 * 1024


class FrameTooLarge(Exception):
    """The other side announced more than MAX_BYTES."""


def pack(message: dict[str, Any]) -> bytes:
    """Return one frame."""
    body = json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
    return len(body).to_bytes(HEADER, "big") + body


async def read(reader: asyncio.StreamReader) -> dict[str, Any] | None:
    """Return the next message, None at the end; raises FrameTooLarge or ValueError for what is not a message."""
    try:
        size = int.from_bytes(await reader.readexactly(HEADER), "big")
        if size > MAX_BYTES:
            raise FrameTooLarge(f"a frame of {size} bytes")
        message = json.loads(await reader.readexactly(size))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    if not isinstance(message, dict):
        raise ValueError("a frame that is no object")
    return message
