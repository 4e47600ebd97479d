"""Chat sessions of web pages: opened with a publishable key at its own origins, and good for nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import jwt
import pytest
from tests.gateway.support import (
    INVOKE,
    KEYS,
    NOW,
    Answer,
    Exchange,
    Issued,
    World,
    call,
    claims_of,
    eventually,
    issue,
    make_grant,
    sign,
)

from agentmart.contracts.grants import GrantState, Tweakable
from agentmart.contracts.keys import SESSION, format_key, parse_key
from agentmart.gateway.door import Throttle, TooManyCalls

SESSIONS = "/api/agent-gateway/sessions/"
PAGE = "https://www.buyer.example"
OTHER = "https://elsewhere.example"


async def page_key(world: World, **changes: Any) -> Issued:
    return await world.issue(**{"kind": "publishable", "allowed_origins": (PAGE,), **changes})


async def ask(world: World, issued: Issued, origin: str | None = PAGE, /, **body: Any) -> Answer:
    headers = {"origin": origin} if origin else {}
    content = {"config_id": issued.grant.config_id.hex, **body}
    return await call(world.app, content, issued.key, path=SESSIONS, **headers)


async def opened(world: World, issued: Issued, **body: Any) -> dict[str, Any]:
    answer = await ask(world, issued, **body)
    assert answer.status == 201, answer.body
    found: dict[str, Any] = answer.json()
    return found


async def say(world: World, token: str, origin: str | None = PAGE, **options: Any) -> Answer:
    headers = {"origin": origin} if origin else {}
    return await call(world.app, options.pop("body", {"input": "hello"}), token, **headers, **options)


def refused(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json()["code"]


def refused_or_none(answer: Answer) -> tuple[int, str] | None:
    return None if answer.status == 200 else refused(answer)


async def test_a_page_opens_a_session_and_speaks_in_it(world: World) -> None:
    issued = await page_key(world)
    session = await opened(world, issued)
    assert (session["token_type"], session["expires_in"]) == ("Bearer", 600)
    assert session["expires_at"] == "2026-03-14T09:36:53Z"
    assert session["config_id"] == issued.grant.config_id.hex
    assert session["token"].startswith("ar_st_live_")
    answer = await say(world, session["token"])
    assert answer.status == 200
    assert answer.json()["session_id"] == session["session_id"]
    assert world.runtime.requests[-1].session_id == f"{issued.grant.config_id.hex}:{session['session_id']}"
    streamed = await say(world, session["token"], body={"input": "a b", "stream": True})
    assert [name for name, _ in streamed.events()] == ["token", "token", "usage"]
    (first, second) = await world.store.events()
    assert first["key_id"] == second["key_id"] == issued.grant.key_id


async def test_a_session_has_no_other_session_and_no_tweaks(world: World) -> None:
    issued = await page_key(world, tweakable=(Tweakable("n", "f", "str"),))
    session = await opened(world, issued)
    other = await say(world, session["token"], body={"input": "x", "session_id": "someone-elses"})
    assert refused(other) == (403, "session_not_allowed")
    tweaks = await say(world, session["token"], body={"input": "x", "tweaks": {"n": {"f": "y"}}})
    assert refused(tweaks) == (400, "tweak_not_allowed")
    own = await say(world, session["token"], body={"input": "x", "session_id": session["session_id"]})
    assert own.status == 200
    assert len(world.runtime.requests) == 1


async def test_a_token_works_from_its_page_only(world: World) -> None:
    issued = await page_key(world, allowed_origins=(PAGE, OTHER))
    token = (await opened(world, issued))["token"]
    for origin in (OTHER, None, "null", PAGE + ":8443", "http://www.buyer.example", PAGE.upper()):
        assert refused(await say(world, token, origin)) == (403, "origin_not_allowed"), origin
    assert (await say(world, token)).status == 200


async def test_a_token_works_for_its_agent_and_below_the_gateways_own_path_only(world: World) -> None:
    issued = await page_key(world)
    token = (await opened(world, issued))["token"]
    stranger = make_grant().config_id.hex
    path = f"/api/agent-gateway/{stranger}/invoke"
    assert refused(await say(world, token, path=path)) == (404, "not_found")
    body = {"model": "x", "messages": [{"role": "user", "content": "x"}]}
    openai = await say(world, token, path="/v1/chat/completions", body=body)
    assert (openai.status, openai.json()["error"]["code"]) == (403, "scope_missing")
    assert refused(await ask(world, replace(issued, key=token))) == (403, "scope_missing")  # no key
    assert not world.runtime.requests


@pytest.mark.parametrize(
    "origin", [None, "null", OTHER, "http://www.buyer.example", PAGE + "/", PAGE + ":444"]
)
async def test_no_session_from_elsewhere(world: World, origin: str | None) -> None:
    answer = await ask(world, await page_key(world), origin)
    assert refused(answer) == (403, "origin_not_allowed")
    assert "access-control-allow-origin" not in answer.headers


async def test_no_session_for_another_agent_or_a_bad_request(world: World) -> None:
    issued = await page_key(world)
    assert refused(await ask(world, issued, PAGE, config_id=make_grant().config_id.hex)) == (404, "not_found")
    assert refused(await ask(world, issued, PAGE, config_id="x")) == (404, "not_found")
    assert refused(await ask(world, issued, PAGE, config_id=7)) == (400, "invalid_request")
    assert refused(await ask(world, issued, PAGE, token="x")) == (401, "invalid_key")
    unknown = Issued(issue(kind="publishable").key, issued.grant)
    assert refused(await ask(world, unknown)) == (401, "invalid_key")


async def test_a_secret_key_opens_none_and_is_refused_in_pages_with_the_reason(world: World) -> None:
    secret = await world.issue()
    assert refused(await ask(world, secret, None)) == (403, "scope_missing")
    for answer in (await ask(world, secret), await say(world, secret.key)):
        assert refused(answer) == (403, "origin_not_allowed")
        assert "secret key must not be used in a web page" in answer.json()["detail"]
    assert (await say(world, secret.key, None)).status == 200


async def test_a_publishable_key_makes_no_calls(world: World) -> None:
    issued = await page_key(world)
    for origin in (PAGE, None):
        assert refused(await say(world, issued.key, origin)) == (403, "scope_missing")


async def test_a_token_ends(world: World) -> None:
    issued = await page_key(world)
    token = (await opened(world, issued))["token"]
    world.clock.moment = NOW + timedelta(seconds=599)
    assert (await say(world, token)).status == 200
    world.clock.moment = NOW + timedelta(seconds=600)
    assert refused(await say(world, token)) == (401, "expired_key")


async def test_a_session_is_renewed_with_the_key_within_the_hour_and_the_day(world: World) -> None:
    issued = await page_key(world, allowed_origins=(PAGE, OTHER))
    first = await opened(world, issued)
    world.clock.moment = NOW + timedelta(seconds=600 + 3599)
    again = await opened(world, issued, token=first["token"])
    assert again["session_id"] == first["session_id"]
    assert (await say(world, again["token"])).status == 200
    elsewhere = await ask(world, issued, OTHER, token=first["token"])
    assert elsewhere.json()["session_id"] != first["session_id"]
    another = await page_key(world)
    assert (await opened(world, another, token=first["token"]))["session_id"] != first["session_id"]
    world.clock.moment = NOW + timedelta(seconds=600 + 3601)
    assert (await opened(world, issued, token=first["token"]))["session_id"] != first["session_id"]


async def test_no_session_is_longer_than_a_day(world: World) -> None:
    issued = await page_key(world)
    session = await opened(world, issued)
    for minute in range(50, 24 * 60, 50):
        world.clock.moment = NOW + timedelta(minutes=minute)
        renewed = await opened(world, issued, token=session["token"])
        assert renewed["session_id"] == session["session_id"]
        session = renewed
    world.clock.moment = NOW + timedelta(hours=24)
    assert (await opened(world, issued, token=session["token"]))["session_id"] != session["session_id"]


async def test_revoking_the_key_ends_its_sessions(world: World) -> None:
    issued = await page_key(world)
    token = (await opened(world, issued))["token"]
    assert (await say(world, token)).status == 200
    await world.store.publish(replace(issued.grant, state=GrantState.REVOKED))

    async def ended() -> bool:
        return refused_or_none(await say(world, token)) == (401, "revoked_key")

    await eventually(ended, within=1)
    assert refused(await ask(world, issued)) == (401, "revoked_key")


async def test_taking_an_origin_off_the_list_ends_its_sessions(world: World) -> None:
    issued = await page_key(world)
    token = (await opened(world, issued))["token"]
    assert (await say(world, token)).status == 200
    await world.store.publish(replace(issued.grant, allowed_origins=(OTHER,)))

    async def ended() -> bool:
        return refused_or_none(await say(world, token)) == (403, "origin_not_allowed")

    await eventually(ended, within=1)


FORGED = {
    "another secret": lambda payload, secret: jwt.encode(payload, "x" * 64, algorithm="HS256"),
    "the API keys' secret": lambda payload, secret: jwt.encode(payload, KEYS.secret, algorithm="HS256"),
    "none": lambda payload, secret: jwt.encode(payload, None, algorithm="none"),
    "an API key's audience": lambda payload, secret: jwt.encode(
        {**payload, "aud": KEYS.audience}, secret, algorithm="HS256"
    ),
    "no origin": lambda payload, secret: jwt.encode(
        {name: value for name, value in payload.items() if name != "origin"}, secret, algorithm="HS256"
    ),
}


@pytest.mark.parametrize("why", FORGED)
async def test_forged_tokens(world: World, why: str) -> None:
    issued = await page_key(world)
    parsed = parse_key((await opened(world, issued))["token"])
    assert parsed is not None
    payload = jwt.decode(parsed.jwt, options={"verify_signature": False})
    token = format_key(
        kind=SESSION, environment="live", jwt=FORGED[why](payload, world.settings.sessions.secrets[0])
    )
    assert refused(await say(world, token)) == (401, "invalid_key")
    moved = format_key(kind=SESSION, environment="test", jwt=parsed.jwt)
    assert refused(await say(world, moved)) == (401, "invalid_key")
    as_key = format_key(kind="secret", environment="live", jwt=parsed.jwt)
    assert refused(await say(world, as_key, None)) == (401, "invalid_key")
    key_as_token = sign(claims_of(issued.grant), kind=SESSION)
    assert refused(await say(world, key_as_token)) == (401, "invalid_key")


async def test_visitors_do_not_share_idempotency_keys(world: World) -> None:
    issued = await page_key(world)
    first, second = [(await opened(world, issued))["token"] for _ in range(2)]
    answers = [await say(world, token, idempotency_key="1") for token in (first, second, first)]
    assert [answer.status for answer in answers] == [200, 200, 200]
    assert [answer.headers.get("idempotent-replayed") for answer in answers] == [None, None, "true"]
    assert answers[0].json()["session_id"] == answers[2].json()["session_id"]
    assert answers[0].json()["session_id"] != answers[1].json()["session_id"]
    assert len(world.runtime.requests) == 2


async def test_sessions_and_addresses_are_held_to_their_rates(world: World) -> None:
    issued = await page_key(world)
    token = (await opened(world, issued))["token"]
    answers = [await say(world, token) for _ in range(21)]
    assert [answer.status for answer in answers] == [200] * 20 + [429]
    last = answers[-1]
    assert last.json()["extra"]["scope"] == "session"
    assert last.json()["extra"]["limit"] == "requests_per_minute"
    assert 1 <= int(last.headers["retry-after"]) <= 3
    statuses = [(await ask(world, issued)).status for _ in range(40)]
    assert statuses == [201] * 39 + [429]  # with the first session and its 20 calls: 60 of this address
    assert (await say(world, token)).headers["access-control-allow-origin"] == PAGE  # pages read refusals too


def test_the_table_of_rates_is_bounded_and_exact() -> None:
    now = [0]
    throttle = Throttle("address", 3, size=2, clock_ns=lambda: now[0])
    for who in ("a", "b", "c"):
        throttle.take(who)
    assert len(throttle) == 2
    for _ in range(2):
        throttle.take("c")
    with pytest.raises(TooManyCalls) as caught:
        throttle.take("c")
    assert caught.value.headers == {"Retry-After": "20"}
    now[0] = 20_000_000_000
    throttle.take("c")


# -- which pages may read answers


async def preflight(world: World, origin: str, path: str = SESSIONS) -> Answer:
    headers = {"origin": origin, "access-control-request-method": "POST"}
    exchange = Exchange(world.app, "OPTIONS", path, headers, b"")
    await exchange.task
    return exchange.answer


@pytest.mark.parametrize("path", [SESSIONS, INVOKE])
async def test_preflights_are_answered_for_exactly_the_allowed_origins(world: World, path: str) -> None:
    await page_key(world)
    answer = await preflight(world, PAGE, path)
    assert answer.status == 204
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert answer.headers["access-control-allow-methods"] == "OPTIONS, POST"
    allowed = answer.headers["access-control-allow-headers"].lower().split(", ")
    assert {"authorization", "content-type", "idempotency-key"} <= set(allowed)
    assert answer.headers["vary"].startswith("Origin")
    assert "access-control-allow-credentials" not in answer.headers
    for origin in (
        OTHER,
        "null",
        "*",
        PAGE + "/",
        "http://www.buyer.example",
        "https://buyer.example",
        "x" * 500,
    ):
        answer = await preflight(world, origin, path)
        assert (answer.status, answer.headers.get("access-control-allow-origin")) == (204, None), origin


@pytest.mark.parametrize(
    "changes",
    [
        {"state": GrantState.REVOKED},
        {"expires_at": NOW},
        {"accept_until": NOW},
        {"kind": "secret"},
    ],
)
async def test_ended_and_secret_keys_let_no_page_in(world: World, changes: dict[str, Any]) -> None:
    await page_key(world, **changes)
    assert "access-control-allow-origin" not in (await preflight(world, PAGE)).headers


async def test_answers_may_be_read_by_the_keys_own_pages_only(world: World) -> None:
    issued = await page_key(world)
    await page_key(world, allowed_origins=(OTHER,))
    good = await ask(world, issued)
    assert good.headers["access-control-allow-origin"] == PAGE
    assert "X-Request-Id" in good.headers["access-control-expose-headers"]
    assert "access-control-allow-origin" not in (await ask(world, issued, OTHER)).headers
    assert (await say(world, "ar_st_live_a.b.c")).headers["access-control-allow-origin"] == PAGE
    token = good.json()["token"]
    assert (await say(world, token)).headers["access-control-allow-origin"] == PAGE
    openai = await say(world, token, path="/v1/chat/completions")
    assert "access-control-allow-origin" not in openai.headers


async def test_ever_new_origins_do_not_keep_the_database_busy(world: World) -> None:
    origins = world.app._origins
    for number in range(300):
        await origins.headers(f"https://{number}.example", NOW)
    assert len(origins._known) <= 200  # 100 looks a second
