"""`Idempotency-Key`: a repeated POST gets the first answer again, and its effect happens once.

The claim is a row inserted in the request's own transaction: effect, claim and kept answer commit together or not
at all. A second request with the same key waits at the unique index until the first has ended. What is kept is
encrypted with a key made from the caller's `Idempotency-Key` and the installation's secret, so that an answer
that shows a secret once (a new API key) can be repeated to its caller while a reader of the database learns nothing.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import OperationalError, connection, transaction

from agentmart.infra.actors import Actor
from agentmart.infra.models import IdempotentAnswer
from agentmart.kit.errors import Conflict, Invalid
from agentmart.kit.sealing import Unreadable, seal, unseal

KEPT = timedelta(hours=24)
PURPOSE = b"agentmart idempotent answer"
LONGEST_KEY = 255
LONGEST_WAIT_MS = 10_000
KEPT_HEADERS = ("Content-Type", "Warning", "Location", "Preference-Applied")

_CLAIM = """
INSERT INTO infra_idempotent_answer AS kept
    (id, created, expires_at, actor_id, impersonator_id, path, key_sha256, body_sha256, status, sealed)
VALUES (gen_random_uuid(), %(now)s, %(expires_at)s, %(actor_id)s, %(impersonator_id)s, %(path)s, %(key)s, %(body)s,
        NULL, '')
ON CONFLICT ON CONSTRAINT idempotent_answer_once DO UPDATE
SET created = excluded.created, expires_at = excluded.expires_at, body_sha256 = excluded.body_sha256,
    status = NULL, sealed = ''
WHERE kept.expires_at <= %(now)s
RETURNING id
"""


class KeyReused(Conflict):
    """The key stands for another request."""

    code = "idempotency_mismatch"


class StillRunning(Conflict):
    """The first request with this key has not ended yet."""

    code = "idempotency_in_progress"


class AnswerLost(Conflict):
    """The request was carried out, but its kept answer cannot be read any more."""

    code = "idempotency_answer_lost"


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What is said again."""

    status: int
    headers: dict[str, str]
    content: bytes


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to carry a request out, until its answer is kept."""

    row_id: UUID
    key: str


def read_key(header: str) -> str:
    """Return the caller's key; raises Invalid for one that is empty, too long, or no printable ASCII."""
    if not header or len(header) > LONGEST_KEY or not all("!" <= character <= "~" for character in header):
        raise Invalid(
            f"Give 1 to {LONGEST_KEY} printable ASCII characters without blanks.", field="Idempotency-Key"
        )
    return header


def fingerprint(body: bytes, content_type: str) -> bytes:
    """Return the SHA-256 of a body; the boundary of a multipart body, new in every copy, does not count."""
    kind, _, parameters = content_type.partition(";")
    boundary = parameters.partition("boundary=")[2].partition(";")[0].strip().strip('"')
    if kind.strip().lower() == "multipart/form-data" and boundary:
        body = body.replace(boundary.encode(), b"")
    return hashlib.sha256(kind.strip().lower().encode() + b"\0" + body).digest()


def claim(*, key: str, path: str, body_sha256: bytes, actor: Actor, now: datetime) -> Claim | KeptAnswer:
    """Return the right to carry the request out, or the kept answer of an earlier one.

    Raises KeyReused, StillRunning (after waiting a while) or AnswerLost, all 409. Needs the open transaction.
    """
    assert actor.user_id is not None
    values: dict[str, Any] = {
        "now": now,
        "expires_at": now + KEPT,
        "actor_id": actor.user_id,
        "impersonator_id": actor.impersonator_id,
        "path": path[:500],
        "key": hashlib.sha256(f"{path}\0{key}".encode()).digest(),
        "body": body_sha256,
    }
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{LONGEST_WAIT_MS}ms"])
            cursor.execute(_CLAIM, values)
            claimed = cursor.fetchone()
            cursor.execute("SELECT set_config('lock_timeout', '0', true)")
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", "") != "55P03":  # lock_not_available
            raise
        raise StillRunning(
            "A request with this Idempotency-Key is still running; repeat it later.",
            headers={"Retry-After": "5"},
        ) from None
    if claimed:
        return Claim(claimed[0], key)
    return _kept(values, key)


def _kept(values: dict[str, Any], key: str) -> KeptAnswer:
    """Return the answer that another request left."""
    row = IdempotentAnswer.objects.get(
        actor_id=values["actor_id"], impersonator_id=values["impersonator_id"], key_sha256=values["key"]
    )
    if bytes(row.body_sha256) != values["body"]:
        raise KeyReused("This Idempotency-Key was sent with another body; use a new key for a new request.")
    if row.status is None:
        raise StillRunning("A request with this Idempotency-Key is still running; repeat it later.")
    sealed = bytes(row.sealed)
    try:
        opened = unseal(sealed, row.id, secrets=[_own(key)], purpose=PURPOSE)
    except Unreadable:
        raise AnswerLost(
            "This request was carried out, but its answer cannot be shown again; look at the object itself."
        ) from None
    head, _, content = opened.partition(b"\n")
    return KeptAnswer(row.status, json.loads(head), content)


def keep(claimed: Claim, answer: KeptAnswer) -> None:
    """Keep the answer of a claimed request, in the same transaction."""
    opened = json.dumps(answer.headers).encode() + b"\n" + answer.content
    sealed = seal(opened, claimed.row_id, secret=_own(claimed.key), purpose=PURPOSE)
    IdempotentAnswer.objects.filter(pk=claimed.row_id).update(status=answer.status, sealed=sealed)


def release(claimed: Claim) -> None:
    """Give a claim up: the next request with its key is carried out."""
    IdempotentAnswer.objects.filter(pk=claimed.row_id).delete()


def _own(key: str) -> str:
    """Return the secret that only the caller's key and the installation's make together."""
    return f"{settings.SECRET_KEY}\0{key}"


def sweep(*, now: datetime) -> int:
    """Delete the answers whose day is over; returns how many."""
    deleted, _ = IdempotentAnswer.objects.filter(expires_at__lte=now).delete()
    return deleted
