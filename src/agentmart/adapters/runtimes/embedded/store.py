"""What outlives a restart of the runtime: deployments as files, chat memory in SQLite."""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
import logging
import os
import re
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from agentmart.adapters.runtimes.base import Deployment, RuntimeFailure

logger = logging.getLogger("agentmart.runtime")

ID = re.compile(r"[0-9a-f]{32}")
DAY = 86_400
MAX_MESSAGE_LENGTH = 200_000  # characters of one kept message
MAX_HISTORY_LENGTH = 500_000  # characters of the messages that are handed to a run
MAX_NAME_LENGTH = 200  # characters of a message's other fields
MAX_DEPLOYMENT_LENGTH = (
    50_000_000  # characters of all sessions of one deployment; the oldest messages go first
)
Result = TypeVar("Result")


class Record(msgspec.Struct, frozen=True):
    """A deployment without its flow; no two deployments have the same `generation`, be it of one id."""

    deployment_id: str
    customer_id: str
    provider_id: str
    trust: str
    generation: int
    uses_memory: bool

    @property
    def key(self) -> str:
        """The name under which children hold this very version."""
        return f"{self.deployment_id}:{self.generation}"

    @property
    def custom(self) -> bool:
        """Whether it carries code of its own."""
        return self.trust != "known"


class _File(msgspec.Struct):
    record: Record
    flow: dict[str, Any]


class _Head(msgspec.Struct):
    record: Record


class Deployments:
    """The deployments of this runtime: records in memory, flows in one file each."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self.records: dict[str, Record] = {}
        for path in sorted(folder.glob("*.json")):
            try:
                record = msgspec.json.decode(path.read_bytes(), type=_Head).record
            except msgspec.DecodeError as error:  # one damaged file does not stop the others' agents
                logger.error("a deployment cannot be read", extra={"file": path.name, "error": str(error)})
                continue
            self.records[record.deployment_id] = record

    def get(self, deployment_id: str) -> Record:
        """Return a record; raises RuntimeFailure `not_deployed`."""
        record = self.records.get(deployment_id)
        if record is None:
            raise RuntimeFailure(
                "not_deployed", "This agent is not deployed in the runtime.", retryable=True, begun=False
            )
        return record

    def flow(self, record: Record) -> dict[str, Any]:
        """Read the flow of a record."""
        return msgspec.json.decode(self._path(record.deployment_id).read_bytes(), type=_File).flow

    def put(self, record: Record, deployment: Deployment) -> None:
        """Write a deployment; the file is complete or the old one."""
        body = msgspec.json.encode(_File(record, deployment.flow))
        path = self._path(record.deployment_id)
        partial = path.with_suffix(".partial")
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        self.records[record.deployment_id] = record

    def remove(self, deployment_id: str) -> None:
        """Forget a deployment; unknown ids are no error."""
        if self.records.pop(deployment_id, None) is not None:
            self._path(deployment_id).unlink(missing_ok=True)

    def _path(self, deployment_id: str) -> Path:
        return self._folder / f"{deployment_id}.json"


def check_id(deployment_id: str) -> None:
    """Raise RuntimeFailure `bad_flow` unless the id is 32 hex digits: it becomes a file's name."""
    if not ID.fullmatch(deployment_id):
        raise RuntimeFailure("bad_flow", "A deployment's id is 32 lower-case hex digits.")


SCHEMA = """
CREATE TABLE IF NOT EXISTS message (
    position INTEGER PRIMARY KEY,
    deployment_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    message_id TEXT NOT NULL,
    stored_at REAL NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (deployment_id, session_id, message_id)
);
CREATE INDEX IF NOT EXISTS message_age ON message (stored_at);
"""


class Sessions:
    """Chat memory per deployment and session, in one thread's SQLite connection."""

    def __init__(self, path: Path, *, keep: int, days: int, most: int = MAX_DEPLOYMENT_LENGTH) -> None:
        self._keep = keep
        self._days = days
        self._most = most
        self._thread = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="sessions")
        self._db = self._thread.submit(_open, path).result()
        # By deployment, never too small: what is removed is only taken off when a sum is due.
        self._lengths: dict[str, int] = dict(self._thread.submit(self._measured).result())

    def _measured(self) -> list[tuple[str, int]]:
        sql = "SELECT deployment_id, SUM(LENGTH(body)) FROM message GROUP BY deployment_id"
        return self._db.execute(sql).fetchall()

    async def recent(self, deployment_id: str, session_id: str) -> list[dict[str, Any]]:
        """Return the session's latest messages, oldest first; of very long ones, as many as fit a run."""
        return await self._do(lambda: self._recent((deployment_id, session_id)))

    def _recent(self, owner: tuple[str, str]) -> list[dict[str, Any]]:
        sql = (
            "SELECT body FROM message WHERE deployment_id = ? AND session_id = ?"
            " ORDER BY position DESC LIMIT ?"
        )
        found: list[dict[str, Any]] = []
        room = MAX_HISTORY_LENGTH
        for (body,) in self._db.execute(sql, (*owner, self._keep)):
            message = json.loads(body)
            room -= len(message["text"])
            if room < 0:
                break
            found.append(message)
        return found[::-1]

    async def save(self, deployment_id: str, session_id: str, changes: dict[str, Any], *, now: float) -> None:
        """Apply what a run stored and removed; keeps the newest messages only."""
        kept = [message for message in changes.get("put", []) if len(message["text"]) <= MAX_MESSAGE_LENGTH]
        put = [_bounded(message) for message in kept[-self._keep :]]
        drop = changes.get("drop", [])
        if put or drop:
            await self._do(lambda: self._apply((deployment_id, session_id), put, drop, now))

    def _apply(self, owner: tuple[str, str], put: list[dict[str, Any]], drop: list[str], now: float) -> None:
        bodies = [json.dumps(message) for message in put]
        with self._db:
            self._db.executemany(
                "DELETE FROM message WHERE deployment_id = ? AND session_id = ? AND message_id = ?",
                [(*owner, message_id) for message_id in drop],
            )
            self._db.executemany(
                "INSERT INTO message (deployment_id, session_id, message_id, stored_at, body) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET body = excluded.body, stored_at = excluded.stored_at",
                [(*owner, message["id"], now, body) for message, body in zip(put, bodies, strict=True)],
            )
            self._db.execute(
                "DELETE FROM message WHERE deployment_id = ? AND session_id = ? AND position <= ("
                "SELECT position FROM message WHERE deployment_id = ? AND session_id = ?"
                " ORDER BY position DESC LIMIT 1 OFFSET ?)",
                (*owner, *owner, self._keep),
            )
            self._bound(owner[0], sum(map(len, bodies)))

    def _bound(self, deployment_id: str, added: int) -> None:
        """Delete a deployment's oldest messages where it keeps too much; a tenth goes at once, so that this is rare."""
        self._lengths[deployment_id] = self._lengths.get(deployment_id, 0) + added
        if self._lengths[deployment_id] <= self._most:
            return
        self._db.execute(
            "DELETE FROM message WHERE deployment_id = ? AND position <= ("
            "SELECT MAX(position) FROM (SELECT position, SUM(LENGTH(body)) OVER (ORDER BY position DESC) AS length"
            " FROM message WHERE deployment_id = ?) WHERE length > ?)",
            (deployment_id, deployment_id, self._most * 9 // 10),
        )
        sql = "SELECT COALESCE(SUM(LENGTH(body)), 0) FROM message WHERE deployment_id = ?"
        (self._lengths[deployment_id],) = self._db.execute(sql, (deployment_id,)).fetchone()

    async def forget(self, deployment_id: str) -> None:
        """Delete every session of a deployment."""
        await self._do(lambda: self._delete("deployment_id = ?", deployment_id))
        self._lengths.pop(deployment_id, None)

    async def expire(self, *, now: float) -> None:
        """Delete what is older than the days it is kept."""
        await self._do(lambda: self._delete("stored_at < ?", now - self._days * DAY))

    def _delete(self, condition: str, value: object) -> None:
        with self._db:
            self._db.execute(f"DELETE FROM message WHERE {condition}", (value,))  # noqa: S608 - fixed texts

    async def _do(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def close(self) -> None:
        """Finish what is queued and close the file."""
        self._thread.submit(self._db.close).result()
        self._thread.shutdown()


def _bounded(message: dict[str, str]) -> dict[str, str]:
    return {name: value if name == "text" else value[:MAX_NAME_LENGTH] for name, value in message.items()}


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    db = sqlite3.connect(path)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("PRAGMA secure_delete = ON")
    db.executescript(SCHEMA)
    return db


def wall_clock() -> float:
    """Return Unix seconds; the age of chat memory is real time, whatever the billing clock says."""
    return time.time()
