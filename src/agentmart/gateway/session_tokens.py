"""Tokens of chat sessions: short-lived, made and read by gateways alone, of one page, one agent and one session.

A token says no more than who may speak in which session. What the publishable key behind it may do is read from its
Grant on every call, so that revoking the key or taking an origin off its list ends its sessions within a second.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import jwt

from agentmart.contracts.grants import Grant
from agentmart.contracts.keys import SESSION, ParsedKey, format_key, hash_key, parse_key
from agentmart.gateway.keys import (
    CACHE_SIZE,
    Caller,
    Claims,
    ExpiredKey,
    InvalidKey,
    KeyForbidden,
    Session,
    Verified,
    options_of,
)
from agentmart.gateway.messages import Invocation
from agentmart.gateway.settings import SessionSettings
from agentmart.kit.errors import Invalid
from agentmart.kit.ids import new_id

ALGORITHM = "HS256"
RENEWABLE = timedelta(hours=1)
"""For so long after its end a token still names its session to whoever opens it anew with the key."""
SAYS = ("aud", "sub", "key", "tenant", "config", "scopes", "env", "origin", "began", "exp")
ENDED = "The chat session has ended. Open another one."


@dataclass(frozen=True, slots=True)
class _Said:
    """What a token says."""

    environment: str
    claims: Claims
    session: Session
    ends: datetime


class SessionTokens:
    """Makes and reads session tokens; `audience` is the API keys', theirs is another."""

    def __init__(self, settings: SessionSettings, audience: str, *, cache_size: int = CACHE_SIZE) -> None:
        self._settings = settings
        self._audience = f"{audience}/sessions"
        self._verified: Verified[_Said] = Verified(cache_size)

    def open(
        self, grant: Grant, origin: str, now: datetime, *, again: str | None = None
    ) -> tuple[str, Session]:
        """Return a token of a new session, or of the one that the token `again` names, and the session.

        A session is taken up only with the key, at the origin and for the agent it was opened with, and not for
        longer than a day in all. Raises InvalidKey for an `again` that is no token of ours.
        """
        session = (self._again(grant, origin, now, again) if again is not None else None) or Session(
            new_id().hex, origin, now
        )
        payload = {
            "aud": self._audience,
            "sub": session.id,
            "key": grant.key_id.hex,
            "tenant": grant.customer_id.hex,
            "config": grant.config_id.hex,
            "scopes": sorted(grant.scopes),
            "env": grant.environment,
            "origin": origin,
            "began": int(session.began.timestamp()),
            "iat": int(now.timestamp()),
            "exp": int(self.end_of(session, now).timestamp()),
        }
        token = jwt.encode(payload, self._settings.secrets[0], algorithm=ALGORITHM)
        return format_key(kind=SESSION, environment=grant.environment, jwt=token), session

    def end_of(self, session: Session, now: datetime) -> datetime:
        """Return when a token made now ends."""
        longest = session.began + timedelta(seconds=self._settings.longest)
        return min(now + timedelta(seconds=self._settings.seconds), longest)

    def check_parsed(self, parsed: ParsedKey, sha256: bytes, now: datetime) -> Caller:
        """Return who calls with a token that was taken apart and hashed; raises InvalidKey or ExpiredKey."""
        said = self._read(parsed, sha256)
        if now >= said.ends:
            raise ExpiredKey(ENDED)
        return Caller(SESSION, said.environment, sha256, said.claims, said.session)

    def _again(self, grant: Grant, origin: str, now: datetime, token: str) -> Session | None:
        """Return the session that a token names if it may be taken up once more, else None."""
        parsed = parse_key(token)
        if parsed is None or parsed.kind != SESSION:
            raise InvalidKey("What was given as token is no session's token.")
        said = self._read(parsed, hash_key(token))
        mine = said.claims.key_id == grant.key_id and said.claims.config_id == grant.config_id
        fresh = now < min(
            said.ends + RENEWABLE, said.session.began + timedelta(seconds=self._settings.longest)
        )
        return said.session if mine and fresh and said.session.origin == origin else None

    def _read(self, parsed: ParsedKey, sha256: bytes) -> _Said:
        said = self._verified.get(sha256)
        if said is None:
            said = self._verify(parsed)
            self._verified.put(sha256, said)
        return said

    def _verify(self, parsed: ParsedKey) -> _Said:
        for secret in self._settings.secrets:
            try:
                payload = jwt.decode(
                    parsed.jwt,
                    secret,
                    algorithms=[ALGORITHM],
                    audience=self._audience,
                    options=options_of(*SAYS),
                )
            except jwt.PyJWTError:
                continue
            if payload["env"] == parsed.environment:
                return _said(payload)
        raise InvalidKey("The session's token is not valid. Open another session.")


def _said(payload: dict[str, Any]) -> _Said:
    """Return what a token says that one of us has signed."""
    ends = datetime.fromtimestamp(payload["exp"], tz=UTC)
    return _Said(
        environment=payload["env"],
        claims=Claims(
            key_id=UUID(payload["key"]),
            tenant_id=UUID(payload["tenant"]),
            config_id=UUID(payload["config"]),
            scopes=frozenset(payload["scopes"]),
            expires_at=ends,
            not_before=None,
        ),
        session=Session(payload["sub"], payload["origin"], datetime.fromtimestamp(payload["began"], tz=UTC)),
        ends=ends,
    )


def within(session: Session | None, call: Invocation) -> Invocation:
    """Return a call as one of the session that its token names: no other session, no tweaks.

    Raises KeyForbidden (403) or Invalid (400).
    """
    if session is None:
        return call
    if call.tweaks:
        raise Invalid("A chat session sets no tweaks.", code="tweak_not_allowed", field="tweaks")
    if call.named_session and call.session_id != session.id:
        raise KeyForbidden(
            "The token speaks in its own session only; leave session_id out.", code="session_not_allowed"
        )
    return replace(call, session_id=session.id)
