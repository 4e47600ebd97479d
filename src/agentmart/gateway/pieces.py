"""The pieces of an answer between run and reader: bounded, so that a slow reader slows the run and fills no memory."""

from __future__ import annotations

import asyncio
from collections import deque


class Pieces:
    """A queue of text, full at `most` characters. One run puts, one reader gets."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._texts: deque[str] = deque()
        self._size = 0
        self._ended = False
        self._abandoned = False
        self._reader: asyncio.Future[None] | None = None  # waits for a piece
        self._writer: asyncio.Future[None] | None = None  # waits for room

    @property
    def ready(self) -> bool:
        """Whether `get` would not wait."""
        return bool(self._texts) or self._ended

    @property
    def full(self) -> bool:
        """Whether `room` would wait."""
        return self._size >= self._most and not self._abandoned

    def put(self, text: str) -> None:
        """Add a piece; ask `room` before the next. Once abandoned, pieces are dropped."""
        if not self._abandoned:
            self._texts.append(text)
            self._size += len(text)
            _wake(self._reader)

    async def room(self) -> None:
        """Return once the reader has taken enough, or has left."""
        while self.full:
            self._writer = asyncio.get_running_loop().create_future()
            await self._writer

    def end(self) -> None:
        """Say that no piece follows."""
        self._ended = True
        _wake(self._reader)

    def abandon(self) -> None:
        """Say that nobody reads any more; the run goes on without waiting."""
        self._abandoned = True
        self._texts.clear()
        self._size = 0
        _wake(self._writer)

    async def get(self) -> str | None:
        """Return the next piece, None at the end."""
        while not self._texts:
            if self._ended:
                return None
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        text = self._texts.popleft()
        self._size -= len(text)
        if self._size < self._most:
            _wake(self._writer)
        return text


def _wake(waiting: asyncio.Future[None] | None) -> None:
    """Let go on who waits."""
    if waiting is not None and not waiting.done():
        waiting.set_result(None)
