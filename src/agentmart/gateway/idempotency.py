"""Calls with an `Idempotency-Key`: run once, answered alike for a day, charged once.

A key is claimed before the run and its answer is stored in the transaction of the call's usage, so either both are
durable or none. A failed run frees its key. A claim whose gateway died is taken over once no run could still be going.
What is kept is encrypted under the caller's key and the installation's secret: the database alone tells nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

import msgspec

from agentmart.contracts.grants import Grant
from agentmart.contracts.tables import IDEMPOTENT_CALL
from agentmart.gateway.database import FAILED, Database
from agentmart.gateway.errors import Unavailable
from agentmart.gateway.messages import Answer, invalid
from agentmart.kit.errors import DomainError
from agentmart.kit.sealing import Unreadable, seal, unseal

KEPT = timedelta(hours=24)
HEADER = "Idempotency-Key"
PURPOSE = b"agentmart kept answer"
TRIES = 3
"""A key may be freed between our claim and our look; then it is claimed again."""
_KEY = re.compile(r"[ -~]{1,255}")
_answers = msgspec.json.Decoder(Answer)

# ruff: noqa: S608  the table's name is a constant
CLAIM = f"""
INSERT INTO {IDEMPOTENT_CALL} AS held
    (config_id, key_sha256, customer_id, fingerprint, call_id, claimed_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (config_id, key_sha256) DO UPDATE SET
    customer_id = excluded.customer_id, fingerprint = excluded.fingerprint, call_id = excluded.call_id,
    claimed_at = excluded.claimed_at, expires_at = excluded.expires_at, answer = NULL
WHERE held.expires_at <= $6 OR (held.answer IS NULL AND held.claimed_at < $8)
RETURNING call_id
"""
LOOK = f"SELECT fingerprint, answer, call_id FROM {IDEMPOTENT_CALL} WHERE config_id = $1 AND key_sha256 = $2"
RELEASE = f"""
UPDATE {IDEMPOTENT_CALL} SET expires_at = claimed_at WHERE call_id = $1 AND answer IS NULL RETURNING call_id
"""


class Mismatch(DomainError):
    """The key was used for another request."""

    code = "idempotency_mismatch"
    status = 409


class AnswerLost(DomainError):
    """The call was made, but what is kept of it cannot be read any more (the installation's secret changed)."""

    code = "idempotency_answer_lost"
    status = 409


class InProgress(DomainError):
    """The call made with this key has not ended yet."""

    code = "idempotency_in_progress"
    status = 409

    def __init__(self) -> None:
        super().__init__(
            "The call made with this Idempotency-Key is still running. Ask again shortly.",
            headers={"Retry-After": "1"},
        )


@dataclass(frozen=True, slots=True)
class Claim:
    """A key that was asked for: `answer` is that of the call before, None where this call is the first."""

    answer: Answer | None = None


class Idempotency:
    """Claims keys. `longest` is the longest a call may take, in seconds: an older claim without answer is dead."""

    def __init__(self, database: Database, *, secret: str, longest: float) -> None:
        self._database = database
        self._secret = secret
        self._longest = timedelta(seconds=longest)

    async def claim(
        self, grant: Grant, key: str, *, path: str, body: bytes, call_id: UUID, now: datetime
    ) -> Claim:
        """Claim a key of the caller's agent for this call, or find the answer it was given before.

        Raises Invalid for a key that is none, Mismatch, InProgress or AnswerLost (409), Unavailable.
        """
        if not _KEY.fullmatch(key):
            raise invalid(HEADER, "Give 1 to 255 printable ASCII characters.")
        place = (grant.config_id, sha256(key.encode()).digest())
        fingerprint = sha256(path.encode() + b"\n" + body).digest()
        values = (*place, grant.customer_id, fingerprint, call_id, now, now + KEPT, now - self._longest)
        try:
            for _ in range(TRIES):
                if await self._database.row(CLAIM, *values) is not None:
                    return Claim()
                held = await self._database.row(LOOK, *place)
                if held is not None:
                    if held["fingerprint"] != fingerprint:
                        raise Mismatch("This Idempotency-Key was used for another request. Use a new one.")
                    return self._open(key, held["call_id"], held["answer"])
        except FAILED:
            raise Unavailable from None
        raise InProgress

    def _open(self, key: str, call_id: UUID, sealed: bytes | None) -> Claim:
        if sealed is None:
            raise InProgress
        try:
            opened = unseal(sealed, call_id, secrets=[self._own(key)], purpose=PURPOSE)
        except Unreadable:
            raise AnswerLost("The call was made, but its answer cannot be shown again.") from None
        return Claim(_answers.decode(opened))

    def sealer(self, key: str, call_id: UUID) -> Callable[[bytes], bytes]:
        """Return what encrypts the answer of a claimed call, to be kept."""
        return lambda answer: seal(answer, call_id, secret=self._own(key), purpose=PURPOSE)

    def _own(self, key: str) -> str:
        """Return the secret that only the caller's key and the installation's make together."""
        return f"{self._secret}\0{key}"

    async def release(self, call_id: UUID) -> None:
        """Free the key of a call that was refused after all; should the database be away, it frees itself in time."""
        try:
            await self._database.row(RELEASE, call_id)
        except FAILED:
            return
