"""Who calls: the key in the request, its signature, its claims, and whether its Grant opens the door. No I/O."""

from __future__ import annotations

import hmac
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import jwt

from agentmart.contracts.grants import Grant, GrantState
from agentmart.contracts.keys import SECRET, hash_key, parse_key
from agentmart.gateway.errors import Unavailable
from agentmart.gateway.settings import KeySettings
from agentmart.kit.errors import DomainError, NotFound

CACHE_SIZE = 20_000
CHALLENGE = {"WWW-Authenticate": "Bearer"}


class InvalidKey(DomainError):
    """There is no key, or it is none of ours."""

    code = "invalid_key"
    status = 401

    def __init__(self, message: str = "The API key is not valid.") -> None:
        super().__init__(message, headers=CHALLENGE)


class ExpiredKey(DomainError):
    """The key's time is over."""

    code = "expired_key"
    status = 401

    def __init__(self) -> None:
        super().__init__("The API key has expired. Create a new one.", headers=CHALLENGE)


class RevokedKey(DomainError):
    """The key was revoked, or replaced and its overlap is over."""

    code = "revoked_key"
    status = 401

    def __init__(self, message: str = "The API key was revoked.") -> None:
        super().__init__(message, headers=CHALLENGE)


class KeyForbidden(DomainError):
    """The key is good but may not do this; `code` says why."""

    status = 403


class BudgetExhausted(DomainError):
    """The money budget of this agent is used up."""

    code = "budget_exhausted"
    status = 402

    def __init__(self) -> None:
        super().__init__("The budget of this agent is used up. Raise it or wait for the next period.")


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified key says of itself."""

    key_id: UUID
    tenant_id: UUID
    config_id: UUID
    scopes: frozenset[str]
    expires_at: datetime | None
    not_before: datetime | None


@dataclass(frozen=True, slots=True)
class Caller:
    """A key whose signature and times hold; its Grant has still to be read."""

    kind: str
    environment: str
    sha256: bytes
    claims: Claims


def key_in(header: Callable[[str], str | None]) -> str:
    """Return the key of `Authorization: Bearer` or `X-API-Key`; raises InvalidKey."""
    scheme, _, token = (header("authorization") or "").partition(" ")
    key = token.strip() if scheme.lower() == "bearer" else (header("x-api-key") or "").strip()
    if not key:
        raise InvalidKey("Give your API key as `Authorization: Bearer ar_sk_…` or `X-API-Key`.")
    return key


class KeyChecker:
    """Verifies keys: signatures that held are remembered (bounded, by hash), times are checked on every use."""

    def __init__(self, settings: KeySettings, *, cache_size: int = CACHE_SIZE) -> None:
        self._settings = settings
        self._cache_size = cache_size
        self._verified: OrderedDict[bytes, Claims] = OrderedDict()

    def check(self, key: str, now: datetime) -> Caller:
        """Return who calls; raises InvalidKey or ExpiredKey."""
        parsed = parse_key(key)
        if parsed is None:
            raise InvalidKey
        sha256 = hash_key(key)
        claims = self._verified.get(sha256)
        if claims is None:
            claims = self._verify(parsed.jwt)
            self._remember(sha256, claims)
        else:
            self._verified.move_to_end(sha256)
        if claims.expires_at is not None and now >= claims.expires_at:
            raise ExpiredKey
        if claims.not_before is not None and now < claims.not_before:
            raise InvalidKey("The API key is not valid yet.")
        return Caller(parsed.kind, parsed.environment, sha256, claims)

    def _verify(self, token: str) -> Claims:
        # Times are ours to check: the product's clock may be moved in development, PyJWT's cannot.
        try:
            payload = jwt.decode(
                token,
                self._settings.secret,
                algorithms=[self._settings.algorithm],
                audience=self._settings.audience,
                issuer=self._settings.issuer,
                options={
                    "require": ["iss", "aud", "jti", "tenant_id", "config_uuid", "scopes"],
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
        except jwt.PyJWTError:
            raise InvalidKey from None
        try:
            return _claims(payload)
        except (ValueError, TypeError, AttributeError, OverflowError):
            raise InvalidKey from None

    def _remember(self, sha256: bytes, claims: Claims) -> None:
        self._verified[sha256] = claims
        if len(self._verified) > self._cache_size:
            self._verified.popitem(last=False)


def _claims(payload: Mapping[str, Any]) -> Claims:
    scopes = payload["scopes"]
    return Claims(
        key_id=UUID(payload["jti"]),
        tenant_id=UUID(payload["tenant_id"]),
        config_id=UUID(payload["config_uuid"]),
        scopes=frozenset(scopes.split() if isinstance(scopes, str) else map(str, scopes)),
        expires_at=_moment(payload.get("exp")),
        not_before=_moment(payload.get("nbf")),
    )


def _moment(value: Any) -> datetime | None:
    return None if value is None else datetime.fromtimestamp(int(value), tz=UTC)


def check_grant(caller: Caller, grant: Grant | None, now: datetime) -> Grant:
    """Return the caller's own Grant if it opens the door.

    Raises InvalidKey, ExpiredKey, RevokedKey (401), BudgetExhausted (402), KeyForbidden (403) or Unavailable (503).
    """
    if grant is None or not _belongs(caller, grant):
        raise InvalidKey
    if grant.state is GrantState.REVOKED:
        raise RevokedKey
    if grant.accept_until is not None and now >= grant.accept_until:
        raise RevokedKey("The API key was replaced by a newer one, and the time to change over has ended.")
    if grant.expires_at is not None and now >= grant.expires_at:
        raise ExpiredKey
    refusal = _STATES.get(grant.state)
    if refusal is not None:
        raise refusal()
    return grant


def _belongs(caller: Caller, grant: Grant) -> bool:
    return (
        hmac.compare_digest(caller.sha256, grant.key_sha256)
        and caller.claims.tenant_id == grant.customer_id
        and caller.claims.config_id == grant.config_id
        and caller.kind == grant.kind
        and caller.environment == grant.environment
    )


_STATES: dict[GrantState, Callable[[], DomainError]] = {
    GrantState.CUSTOMER_BLOCKED: lambda: KeyForbidden("The customer is blocked.", code="customer_blocked"),
    GrantState.RESOURCE_PAUSED: lambda: KeyForbidden("The agent is paused.", code="resource_paused"),
    GrantState.TERMINATED: lambda: KeyForbidden("The agent was terminated.", code="resource_terminated"),
    GrantState.BUDGET_EXHAUSTED: BudgetExhausted,
    GrantState.UNAVAILABLE: lambda: Unavailable("The agent was taken out of service for now."),
}


def check_kind(grant: Grant, origin: str | None) -> None:
    """Raise KeyForbidden for a publishable key, and for a secret key that a web page uses."""
    if grant.kind != SECRET:
        raise KeyForbidden(
            "A publishable key may only open a chat session; call with a secret key.", code="scope_missing"
        )
    if origin is not None:
        raise KeyForbidden(
            "A secret key must not be used in a web page. Use a publishable key there.",
            code="origin_not_allowed",
        )


def check_agent(grant: Grant, named: UUID | None) -> None:
    """Raise NotFound if the call names an agent that is not the key's own, be it another's or none at all."""
    if named is not None and named != grant.config_id:
        raise NotFound("No such agent for this key.")


class ModelNotFound(NotFound):
    """The call names another agent than the key's."""

    code = "model_not_found"


def check_model(grant: Grant, named: str | None) -> None:
    """Raise ModelNotFound if the call names, by slug or uuid, an agent that is not the key's own."""
    if named is None or named == grant.model:
        return
    try:
        if UUID(named) in (grant.config_id, grant.offering_id):
            return
    except ValueError:
        pass
    raise ModelNotFound(f"This key has no such agent; it has {grant.model}.", field="model")


def check_scope(caller: Caller, grant: Grant, *, stream: bool) -> None:
    """Raise KeyForbidden unless key and Grant both carry the scope, and the plan allows streaming where it is asked."""
    scope = "agent:stream" if stream else "agent:invoke"
    if scope not in grant.scopes or scope not in caller.claims.scopes:
        raise KeyForbidden(
            f"The API key lacks the scope {scope}.", code="scope_missing", extra={"scope": scope}
        )
    if stream and not grant.limits.streaming:
        raise KeyForbidden(
            "The plan does not include streaming.", code="feature_not_in_plan", extra={"feature": "streaming"}
        )
