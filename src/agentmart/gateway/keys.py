"""Who calls: the key in the request, its signature, its claims, and whether its Grant opens the door.

No I/O but for the file of signing keys, which is looked at twice a second at most.
"""

from __future__ import annotations

import hmac
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

import jwt
from jwt.types import Options

from agentmart.contracts.grants import Grant, GrantState
from agentmart.contracts.keys import LIVE, PUBLISHABLE, SECRET, SESSION, ParsedKey, hash_key, parse_key
from agentmart.contracts.places import Address, is_within
from agentmart.contracts.signing import SigningKey, open_ring
from agentmart.gateway.errors import Unavailable
from agentmart.gateway.settings import KeySettings
from agentmart.kit.errors import DomainError, NotFound

CACHE_SIZE = 20_000
CHALLENGE = {"WWW-Authenticate": "Bearer"}
NOT_IN_PAGES = (
    "A secret key must not be used in a web page (the request has an Origin header): who sees the page can read it. "
    "Use a publishable key there, and revoke this one if the page is public."
)

T = TypeVar("T")


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

    def __init__(self, message: str = "The API key has expired. Create a new one.") -> None:
        super().__init__(message, headers=CHALLENGE)


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
class Session:
    """A chat session of a web page: opened with a publishable key, good from one origin."""

    id: str
    origin: str
    began: datetime


@dataclass(slots=True)  # not frozen: made for every call, and freezing trebles its price
class Caller:
    """A key, or a session's token, whose signature and times hold; its Grant has still to be read."""

    kind: str
    environment: str
    sha256: bytes
    claims: Claims
    session: Session | None = None

    def own_key(self, key: str) -> str:
        """Return an idempotency key as the caller's own: visitors of a page do not share theirs, and a call that is
        billed is not answered by a test."""
        own = key if self.session is None else f"{self.session.id}:{key}"
        return own if self.environment == LIVE else f"{self.environment}:{own}"


def key_in(header: Callable[[str], str | None]) -> str:
    """Return the key of `Authorization: Bearer` or `X-API-Key`; raises InvalidKey."""
    scheme, _, token = (header("authorization") or "").partition(" ")
    key = token.strip() if scheme.lower() == "bearer" else (header("x-api-key") or "").strip()
    if not key:
        raise InvalidKey("Give your API key as `Authorization: Bearer ar_sk_…` or `X-API-Key`.")
    return key


class Verified(Generic[T]):
    """What signatures that held say, by the hash of the whole text; only so many, the least used goes first."""

    def __init__(self, size: int = CACHE_SIZE) -> None:
        self._size = size
        self._known: OrderedDict[bytes, T] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def get(self, sha256: bytes) -> T | None:
        """Return what is known of a text."""
        found = self._known.get(sha256)
        if found is not None:
            self._known.move_to_end(sha256)
        return found

    def put(self, sha256: bytes, said: T) -> None:
        """Remember a text."""
        self._known[sha256] = said
        if len(self._known) > self._size:
            self._known.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        self._known.clear()


@dataclass(frozen=True, slots=True)
class _Known:
    """A key whose signature held."""

    kind: str
    environment: str
    claims: Claims


def _in_time(caller: Caller, now: datetime) -> Caller:
    """Return the caller if its key's times hold; raises ExpiredKey or InvalidKey."""
    claims = caller.claims
    if claims.expires_at is not None and now >= claims.expires_at:
        raise ExpiredKey
    if claims.not_before is not None and now < claims.not_before:
        raise InvalidKey("The API key is not valid yet.")
    return caller


class KeyChecker:
    """Verifies keys: signatures that held are remembered while the signing keys stay, times are checked each time."""

    def __init__(self, settings: KeySettings, *, cache_size: int = CACHE_SIZE) -> None:
        self._settings = settings
        self._ring = open_ring(settings.secret, settings.algorithm, settings.file)
        self._ring_version = self._ring.version
        self._verified: Verified[_Known] = Verified(cache_size)

    def check(self, key: str, now: datetime) -> Caller:
        """Return who calls; raises InvalidKey or ExpiredKey."""
        parsed = parse_key(key)
        if parsed is None or parsed.kind == SESSION:
            raise InvalidKey
        return self.check_parsed(parsed, hash_key(key), now)

    def check_parsed(self, parsed: ParsedKey, sha256: bytes, now: datetime) -> Caller:
        """Return who calls with a key that was taken apart and hashed; raises InvalidKey or ExpiredKey."""
        known = self.known(sha256, now)
        if known is not None:
            return known
        claims = self._verify(parsed.jwt)
        self._verified.put(sha256, _Known(parsed.kind, parsed.environment, claims))
        return _in_time(Caller(parsed.kind, parsed.environment, sha256, claims), now)

    def known(self, sha256: bytes, now: datetime) -> Caller | None:
        """Return who calls with a key whose signature held before, by the key's hash; raises InvalidKey or ExpiredKey.

        None for one that has still to be looked at.
        """
        self._ring.refresh()
        if self._ring.version != self._ring_version:  # a key may have been signed by what is retired now
            self._verified.clear()
            self._ring_version = self._ring.version
        said = self._verified.get(sha256)
        if said is None:
            return None
        return _in_time(Caller(said.kind, said.environment, sha256, said.claims), now)

    def _verify(self, token: str) -> Claims:
        key = self._signing_key(token)
        try:
            payload = jwt.decode(
                token,
                key.verifier,
                algorithms=[key.algorithm],
                audience=self._settings.audience,
                issuer=self._settings.issuer,
                options=options_of("iss", "aud", "jti", "tenant_id", "config_uuid", "scopes"),
            )
        except jwt.PyJWTError:
            raise InvalidKey from None
        try:
            return _claims(payload)
        except (ValueError, TypeError, AttributeError, OverflowError):
            raise InvalidKey from None

    def _signing_key(self, token: str) -> SigningKey:
        """Return what the token says it was signed with; raises InvalidKey where there is no such key (any more)."""
        try:
            kid = jwt.get_unverified_header(token).get("kid")
        except jwt.PyJWTError:
            raise InvalidKey from None
        key = self._ring.find(kid)
        if key is None:
            raise InvalidKey
        return key


def options_of(*required: str) -> Options:
    """Return how a token is verified: times are ours to check (the product's clock may be moved, PyJWT's cannot)."""
    return {"require": list(required), "verify_exp": False, "verify_iat": False, "verify_nbf": False}


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
    if caller.session is not None:  # signed by a gateway, for the publishable key that it names
        same = grant.kind == PUBLISHABLE
    else:
        same = caller.kind == grant.kind and hmac.compare_digest(caller.sha256, grant.key_sha256)
    return (
        same
        and caller.claims.tenant_id == grant.customer_id
        and caller.claims.config_id == grant.config_id
        and caller.environment == grant.environment
    )


_STATES: dict[GrantState, Callable[[], DomainError]] = {
    GrantState.CUSTOMER_BLOCKED: lambda: KeyForbidden("The customer is blocked.", code="customer_blocked"),
    GrantState.RESOURCE_PAUSED: lambda: KeyForbidden("The agent is paused.", code="resource_paused"),
    GrantState.TERMINATED: lambda: KeyForbidden("The agent was terminated.", code="resource_terminated"),
    GrantState.BUDGET_EXHAUSTED: BudgetExhausted,
    GrantState.UNAVAILABLE: lambda: Unavailable("The agent was taken out of service for now."),
}


def check_use(caller: Caller, grant: Grant, origin: str | None) -> None:
    """Raise KeyForbidden unless calls may be made with this key from there.

    A publishable key only opens sessions; a secret key is not for web pages; a session is good from its origin.
    """
    if caller.session is not None:
        check_origin(grant, origin)
        if origin != caller.session.origin:
            raise _not_from(f"This session was opened by {caller.session.origin}; open another one.")
        return
    if grant.kind != SECRET:
        raise KeyForbidden(
            "A publishable key may only open a chat session; call with the session's token or a secret key.",
            code="scope_missing",
        )
    if origin is not None:
        raise _not_from(NOT_IN_PAGES)


def check_opening(caller: Caller, grant: Grant, origin: str | None) -> None:
    """Raise KeyForbidden unless a chat session may be opened with this key from there."""
    if caller.kind == SECRET and origin is not None:
        raise _not_from(NOT_IN_PAGES)
    if caller.kind != PUBLISHABLE:
        raise KeyForbidden("A chat session is opened with a publishable key (ar_pk_…).", code="scope_missing")
    check_origin(grant, origin)


def check_origin(grant: Grant, origin: str | None) -> None:
    """Raise KeyForbidden unless the page is one of the key's allowed origins."""
    if origin is None:
        raise _not_from("A publishable key works in web pages only: the request has no Origin header.")
    if origin not in grant.allowed_origins:
        raise _not_from("This page's origin is not among the key's allowed origins.")


def _not_from(message: str) -> KeyForbidden:
    return KeyForbidden(message, code="origin_not_allowed")


def check_address(grant: Grant, address: Callable[[], Address | None]) -> None:
    """Raise KeyForbidden unless the caller's address is one of those the key is bound to, if it is bound."""
    if grant.allowed_ips and not is_within(address(), grant.allowed_ips):
        raise KeyForbidden(
            "The API key may not be used from this network address.", code="address_not_allowed"
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
