"""Keys: what is taken out of a request, what a signature proves, what a Grant must match."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gateway.support import KEYS, NOW, claims_of, issue, make_grant, sign

from agentmart.access.keys import Claims as IssuedClaims
from agentmart.access.keys import Signing, make_key
from agentmart.contracts.keys import format_key, hash_key
from agentmart.gateway.keys import (
    ExpiredKey,
    InvalidKey,
    KeyChecker,
    RevokedKey,
    check_grant,
    key_in,
)
from agentmart.gateway.settings import KeySettings


def checker(**options: int) -> KeyChecker:
    return KeyChecker(KEYS, **options)


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer ar_sk_x"},
        {"authorization": "bearer   ar_sk_x "},
        {"x-api-key": " ar_sk_x "},
        {"authorization": "Basic eDp5", "x-api-key": "ar_sk_x"},
    ],
)
def test_where_a_key_may_stand(headers: dict[str, str]) -> None:
    assert key_in(headers.get) == "ar_sk_x"


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": "Bearer"}, {"authorization": "Basic x"}, {"x-api-key": " "}]
)
def test_no_key(headers: dict[str, str]) -> None:
    with pytest.raises(InvalidKey):
        key_in(headers.get)


def test_a_good_key_says_who_calls() -> None:
    issued = issue(kind="secret", environment="test")
    caller = checker().check(issued.key, NOW)
    assert caller.claims.key_id == issued.grant.key_id
    assert caller.claims.tenant_id == issued.grant.customer_id
    assert caller.claims.config_id == issued.grant.config_id
    assert caller.claims.scopes == {"agent:invoke", "agent:stream"}
    assert (caller.kind, caller.environment) == ("secret", "test")
    assert caller.sha256 == hash_key(issued.key)
    assert check_grant(caller, issued.grant, NOW) is issued.grant


def test_what_the_issuer_makes_the_checker_takes() -> None:
    grant = make_grant()
    claims = IssuedClaims(
        key_id=grant.key_id,
        tenant_id=grant.customer_id,
        project_id=grant.project_id,
        config_uuid=grant.config_id,
        scopes=("agent:invoke",),
        issued_at=NOW,
        expires_at=NOW + timedelta(days=1),
    )
    signing = Signing(KEYS.secret, KEYS.algorithm, KEYS.issuer, KEYS.audience)
    key = make_key(claims, kind="secret", environment="live", signing=signing)
    caller = checker().check(key, NOW)
    assert caller.claims.scopes == {"agent:invoke"}
    assert caller.claims.expires_at == NOW + timedelta(days=1)
    check_grant(caller, replace(grant, key_sha256=hash_key(key)), NOW)


def forged(header: dict[str, object], claims: dict[str, object], signature: bytes = b"") -> str:
    parts = [json.dumps(header).encode(), json.dumps(claims).encode(), signature or b"x"]
    token = ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
    return format_key(kind="secret", environment="live", jwt=token)


BAD_KEYS = {
    "no signature": lambda c: forged({"alg": "none", "typ": "JWT"}, c),
    "another secret": lambda c: sign(c, secret="another secret of enough bytes, really"),
    "another algorithm": lambda c: sign(c, algorithm="HS512", secret=KEYS.secret * 2),
    "the same secret, another algorithm": lambda c: sign(c, algorithm="HS384", secret=KEYS.secret),
    "another issuer": lambda c: sign({**c, "iss": "somebody"}),
    "another audience": lambda c: sign({**c, "aud": "elsewhere"}),
    "no id": lambda c: sign({k: v for k, v in c.items() if k != "jti"}),
    "no tenant": lambda c: sign({k: v for k, v in c.items() if k != "tenant_id"}),
    "no scopes": lambda c: sign({k: v for k, v in c.items() if k != "scopes"}),
    "an id that is none": lambda c: sign({**c, "jti": "7"}),
    "a tenant that is no text": lambda c: sign({**c, "tenant_id": 7}),
    "an expiry that is no number": lambda c: sign({**c, "exp": "never"}),
    "an expiry beyond time": lambda c: sign({**c, "exp": 10**30}),
    "scopes that are no list": lambda c: sign({**c, "scopes": 3}),
    "not yet valid": lambda c: sign({**c, "nbf": int(NOW.timestamp()) + 60}),
    "another prefix": lambda c: sign(c).replace("ar_sk_live_", "ar_sk_prod_"),
    "a cut signature": lambda c: sign(c)[:-2],
}


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize("why", BAD_KEYS)
def test_keys_that_are_none_of_ours(why: str) -> None:
    with pytest.raises(InvalidKey):
        checker().check(BAD_KEYS[why](claims_of(make_grant())), NOW)


def test_times_are_checked_on_every_use_by_the_given_clock() -> None:
    grant = make_grant()
    end = NOW + timedelta(seconds=10)
    key = sign(claims_of(grant, exp=int(end.timestamp()), iat=int(end.timestamp()) + 10**6))
    keys = checker()
    keys.check(key, end - timedelta(microseconds=1))
    for _ in range(2):
        with pytest.raises(ExpiredKey):
            keys.check(key, end)
    keys.check(key, NOW)


def test_a_key_without_an_expiry_lasts() -> None:
    key = sign(claims_of(make_grant(), exp=None))
    assert checker().check(key, NOW + timedelta(days=10_000)).claims.expires_at is None


def test_verified_signatures_are_remembered_and_only_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[str] = []
    decode = jwt.decode
    monkeypatch.setattr(
        jwt, "decode", lambda token, *a, **k: (decoded.append(token), decode(token, *a, **k))[1]
    )
    keys = checker(cache_size=2)
    first, second, third = (issue().key for _ in range(3))
    for key in (first, first, second, first, third, first, second):
        keys.check(key, NOW)
    assert len(decoded) == 4  # second was pushed out by third, because first was used since


def test_a_failed_signature_is_not_remembered() -> None:
    keys = checker()
    bad = sign(claims_of(make_grant()), secret="another secret of enough bytes, really")
    for _ in range(2):
        with pytest.raises(InvalidKey):
            keys.check(bad, NOW)
    assert not keys._verified


def test_eddsa_keys_by_configuration() -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    keys = KeyChecker(KeySettings(secret=public.decode(), algorithm="EdDSA"))
    claims = claims_of(make_grant())
    keys.check(sign(claims, secret=private, algorithm="EdDSA"), NOW)
    with pytest.raises(InvalidKey):
        keys.check(sign(claims), NOW)


@pytest.mark.parametrize(
    "change",
    [
        {"customer_id": uuid4()},
        {"config_id": uuid4()},
        {"key_sha256": hash_key("another")},
        {"kind": "publishable"},
        {"environment": "test"},
    ],
)
def test_a_grant_that_is_not_the_keys_own(change: dict[str, object]) -> None:
    issued = issue()
    caller = checker().check(issued.key, NOW)
    with pytest.raises(InvalidKey):
        check_grant(caller, replace(issued.grant, **change), NOW)
    with pytest.raises(InvalidKey):
        check_grant(caller, None, NOW)


def test_the_grants_own_times() -> None:
    issued = issue()
    caller = checker().check(issued.key, NOW)
    with pytest.raises(ExpiredKey):
        check_grant(caller, replace(issued.grant, expires_at=NOW), NOW)
    with pytest.raises(RevokedKey):
        check_grant(caller, replace(issued.grant, accept_until=NOW), NOW)


@given(st.text(max_size=200))
def test_no_text_breaks_the_check(text: str) -> None:
    for key in (text, f"ar_sk_live_{text}", f"ar_sk_live_a.{text}.c"):
        with pytest.raises(InvalidKey):
            checker().check(key, NOW)
