"""Signing keys: named in the token, changed while calls go on, retired within a second; HS256 and EdDSA."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from click.testing import CliRunner
from tests.gateway.support import KEYS, NOW, claims_of, make_grant, sign

from agentmart.access.keys import Claims, Signing, make_key
from agentmart.config import signing_file
from agentmart.config.cli import main
from agentmart.contracts.keys import format_key
from agentmart.contracts.signing import BadRing, Ring, make_signing_key, open_ring, read_ring
from agentmart.gateway.keys import InvalidKey, KeyChecker
from agentmart.gateway.settings import KeySettings
from agentmart.kit.env import BadSetting


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "signing-keys.json"


@pytest.fixture
def ring(path: Path) -> Ring:
    """The issuer's ring."""
    return open_ring(KEYS.secret, "HS256", str(path))


@pytest.fixture
def checker(path: Path) -> KeyChecker:
    """The gateway's, another process in truth."""
    return KeyChecker(KeySettings(secret=KEYS.secret, file=str(path)))


def issued(ring: Ring) -> str:
    """A key as the access module makes it."""
    grant = make_grant()
    claims = Claims(
        key_id=grant.key_id,
        tenant_id=grant.customer_id,
        project_id=grant.project_id,
        config_uuid=grant.config_id,
        scopes=("agent:invoke",),
        issued_at=NOW,
        expires_at=NOW + timedelta(days=1),
    )
    key = ring.signer(NOW)
    signing = Signing(key.signer, key.algorithm, KEYS.issuer, KEYS.audience, key.kid)
    return make_key(claims, kind="secret", environment="live", signing=signing)


def later(*rings: Any) -> None:
    """Let the next look into the file be due."""
    for ring in rings:
        getattr(ring, "_ring", ring)._look_at = 0.0


def kid_of(key: str) -> Any:
    return jwt.get_unverified_header(key.removeprefix("ar_sk_live_")).get("kid")


@pytest.mark.parametrize("algorithm", ["HS256", "HS512", "EdDSA"])
def test_a_rotation_without_downtime(path: Path, ring: Ring, checker: KeyChecker, algorithm: str) -> None:
    old = issued(ring)
    assert kid_of(old) == "settings"
    checker.check(old, NOW)
    kid = signing_file.add(path, algorithm, signs_from=NOW, now=NOW)
    later(ring)
    new = issued(ring)
    assert (kid_of(new), jwt.get_unverified_header(new[11:])["alg"]) == (kid, algorithm)
    for key in (old, new, old):  # the gateway has not looked yet: an unknown name makes it look
        checker.check(key, NOW)
    signing_file.retire(path, "settings", now=NOW)
    later(checker)
    with pytest.raises(InvalidKey):
        checker.check(old, NOW)  # though its signature was remembered
    checker.check(new, NOW)
    second = signing_file.add(path, "HS256", signs_from=NOW, now=NOW)
    signing_file.retire(path, kid, now=NOW)
    later(checker, ring)
    with pytest.raises(InvalidKey):
        checker.check(new, NOW)
    assert kid_of(issued(ring)) == second


def test_keys_of_before_names_are_the_settings_own(path: Path, checker: KeyChecker) -> None:
    key = sign(claims_of(make_grant()))
    assert kid_of(key) is None
    checker.check(key, NOW)
    signing_file.add(path, "HS256", signs_from=NOW, now=NOW)
    later(checker)
    checker.check(key, NOW)


def test_a_key_that_is_to_sign_later_is_accepted_already(path: Path, ring: Ring, checker: KeyChecker) -> None:
    kid = signing_file.add(path, "HS256", signs_from=NOW + timedelta(hours=1), now=NOW)
    later(ring)
    assert ring.signer(NOW).kid == "settings"
    assert ring.signer(NOW + timedelta(hours=1)).kid == kid
    row = json.loads(path.read_text())["keys"][0]
    token = jwt.encode(claims_of(make_grant()), row["secret"], algorithm="HS256", headers={"kid": kid})
    checker.check(format_key(kind="secret", environment="live", jwt=token), NOW)


@pytest.mark.parametrize("header", [{"kid": "nobody"}, {"kid": "settings2"}, {"kid": ""}, {"kid": "../x"}])
def test_names_that_are_none(checker: KeyChecker, header: dict[str, str]) -> None:
    token = jwt.encode(claims_of(make_grant()), KEYS.secret, algorithm="HS256", headers=header)
    with pytest.raises(InvalidKey):
        checker.check(format_key(kind="secret", environment="live", jwt=token), NOW)


def test_a_public_key_is_no_shared_secret(path: Path, checker: KeyChecker) -> None:
    """The classic confusion: HS256 with the public key as the secret, under the EdDSA key's name."""
    kid = signing_file.add(path, "EdDSA", signs_from=NOW, now=NOW)
    pem = signing_file.public(path)["keys"][0]["secret"]
    assert "PUBLIC" in pem
    header = jwt.utils.base64url_encode(json.dumps({"alg": "HS256", "kid": kid}).encode()).decode()
    body = jwt.utils.base64url_encode(json.dumps(claims_of(make_grant())).encode()).decode()
    mac = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    mac_of = jwt.utils.base64url_encode(mac.sign(f"{header}.{body}".encode(), pem.encode())).decode()
    with pytest.raises(InvalidKey):
        checker.check(format_key(kind="secret", environment="live", jwt=f"{header}.{body}.{mac_of}"), NOW)


def test_a_gateway_needs_the_public_half_only(path: Path, tmp_path: Path) -> None:
    signing_file.add(path, "EdDSA", signs_from=NOW, now=NOW)
    exported = tmp_path / "public.json"
    exported.write_text(json.dumps(signing_file.public(path)))
    assert "PRIVATE" not in exported.read_text()
    key = issued(open_ring(KEYS.secret, "HS256", str(path)))
    KeyChecker(KeySettings(secret=KEYS.secret, file=str(exported))).check(key, NOW)
    assert open_ring(KEYS.secret, "HS256", str(exported)).signer(NOW).kid == "settings"  # it cannot sign


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"keys": 7}',
        '{"keys": [{"kid": "a"}]}',
        '{"keys": [{"kid": "a", "algorithm": "none", "secret": "", "signs_from": "2026-01-01"}]}',
        json.dumps(
            {"keys": [{"kid": "a", "algorithm": "HS256", "secret": "short", "signs_from": "2026-01-01"}]}
        ),
        json.dumps(
            {"keys": [{"kid": "a", "algorithm": "EdDSA", "secret": "x" * 40, "signs_from": "2026-01-01"}]}
        ),
        json.dumps(
            {"keys": [{"kid": "a", "algorithm": "HS256", "secret": "x" * 40, "signs_from": "2026-01-01"}] * 2}
        ),
        json.dumps(
            {
                "keys": [
                    {"kid": "settings", "algorithm": "HS256", "secret": "x" * 40, "signs_from": "2026-01-01"}
                ]
            }
        ),
    ],
)
def test_a_broken_file_stops_a_start_and_changes_nothing_later(path: Path, ring: Ring, text: str) -> None:
    kid = signing_file.add(path, "HS256", signs_from=NOW, now=NOW)
    later(ring)
    assert ring.signer(NOW).kid == kid
    path.write_text(text)
    later(ring)
    assert ring.signer(NOW).kid == kid
    with pytest.raises(BadRing) as caught:
        open_ring(KEYS.secret, "HS256", str(path))
    assert "x" * 40 not in str(caught.value)
    with pytest.raises(BadSetting):
        signing_file.read(path)


def test_a_file_that_goes_away_leaves_the_settings_own(path: Path, ring: Ring) -> None:
    signing_file.add(path, "HS256", signs_from=NOW, now=NOW)
    later(ring)
    assert ring.signer(NOW).kid != "settings"
    path.unlink()
    later(ring)
    assert ring.signer(NOW).kid == "settings"


def test_the_file_is_looked_at_twice_a_second_at_most(path: Path) -> None:
    now = [100.0]
    own = make_signing_key("settings", "HS256", KEYS.secret, NOW)
    ring = Ring(own, path, clock=lambda: now[0])
    signing_file.add(path, "HS256", signs_from=NOW, now=NOW)
    ring.refresh()
    assert ring.version == 1
    now[0] += 0.5
    ring.refresh()
    assert ring.version == 2


def test_the_last_key_that_signs_is_not_retired(path: Path) -> None:
    with pytest.raises(BadSetting):
        signing_file.retire(path, "settings", now=NOW)
    kid = signing_file.add(path, "HS256", signs_from=NOW + timedelta(hours=1), now=NOW)
    with pytest.raises(BadSetting):
        signing_file.retire(path, "settings", now=NOW)
    signing_file.retire(path, "settings", now=NOW + timedelta(hours=1))
    with pytest.raises(BadSetting):
        signing_file.retire(path, kid, now=NOW + timedelta(hours=2))
    assert list(read_ring(path.read_text())[0]) == [kid]


def test_the_command(tmp_path: Path) -> None:
    def run(*arguments: str) -> Any:
        return CliRunner().invoke(main, ["signing-keys", "--data-dir", str(tmp_path), *arguments])

    assert run("list").output == "settings  AGENT_KEYS_SECRET_KEY  accepted\n"
    kid = run("rotate", "--algorithm", "EdDSA").output.strip()
    file = tmp_path / "signing-keys.json"
    assert os.stat(file).st_mode & 0o777 == 0o600
    listed = run("list").output
    assert kid in listed
    assert "PRIVATE" not in listed
    assert "PRIVATE" not in run("export").output
    assert run("retire", "settings").exit_code == 0
    assert "retired" in run("list").output
    refused = run("retire", kid)
    assert (refused.exit_code, "rotate first" in refused.output) == (1, True)
    assert run("retire", "nobody").exit_code == 1


@pytest.mark.parametrize(
    ("algorithm", "secret"),
    [("none", "x" * 40), ("RS256", "x" * 40), ("HS256", "short"), ("HS512", "x" * 40), ("EdDSA", "x" * 40)],
)
def test_settings_that_cannot_sign(algorithm: str, secret: str) -> None:
    with pytest.raises(BadRing) as caught:
        open_ring(secret, algorithm, "")
    assert secret not in str(caught.value)
