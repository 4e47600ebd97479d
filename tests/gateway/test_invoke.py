"""Calls from the door to the meter: answers, refusals and what each leaves behind."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from tests.gateway.support import INVOKE, NOW, World, call, claims_of, eventually, get, issue, send, sign

from agentmart.contracts.grants import GrantState, Limits, Tweakable
from agentmart.gateway import runs
from agentmart.kit.ids import uuid7_time

HELLO = {"input": "count to three"}


async def test_a_call_is_answered_and_metered(world: World) -> None:
    issued = await world.issue()
    answer = await call(world.app, {**HELLO, "session_id": "s 1"}, issued.key)
    body = answer.json()
    assert answer.status == 200
    assert body["output"] == "count to three"
    assert body["session_id"] == "s 1"
    assert body["usage"]["input_tokens"] == 11
    assert body["usage"]["output_tokens"] == 7
    assert body["usage"]["elapsed_ms"] >= 0
    assert set(body) == {"output", "session_id", "request_id", "usage"}
    assert answer.headers["x-request-id"] == body["request_id"]
    call_id = UUID(body["request_id"])
    assert call_id.version == 7
    assert uuid7_time(call_id) == NOW
    (event,) = await world.store.events()
    grant = issued.grant
    expected = {
        "id": call_id,
        "customer_id": grant.customer_id,
        "provider_customer_id": grant.provider_customer_id,
        "project_id": grant.project_id,
        "resource_id": grant.resource_id,
        "offering_id": grant.offering_id,
        "plan_id": grant.plan_id,
        "key_id": grant.key_id,
        "flow_version_id": grant.flow_version_id,
        "occurred_at": NOW,
        "received_at": NOW,
        "status": "ok",
        "requests": 1,
        "input_tokens": 11,
        "output_tokens": 7,
        "source": "runtime",
        "streamed": False,
        "error_code": "",
        "meters": "{}",
    }
    assert {name: event[name] for name in expected} == expected
    await world.settled()


async def test_what_the_runtime_is_asked(world: World) -> None:
    tweakable = (Tweakable("Prompt-1", "template", "str"), Tweakable("Model-1", "temperature", "float"))
    stored = {"Prompt-1": {"template": "stored"}, "Other-1": {"x": 1}}
    issued = await world.issue(tweakable=tweakable, tweaks=stored)
    body = {
        **HELLO,
        "session_id": "mine",
        "tweaks": {"Prompt-1": {"template": "mine"}, "Model-1": {"temperature": 1}},
    }
    answer = await call(world.app, body, issued.key)
    assert answer.status == 200
    (request,) = world.runtime.requests
    assert request.session_id == f"{issued.grant.config_id.hex}:mine"
    assert request.deployment_id == issued.grant.deployment_id
    assert request.call_id == request.request_id == answer.json()["request_id"]
    assert request.tweaks == {
        "Prompt-1": {"template": "mine"},
        "Other-1": {"x": 1},
        "Model-1": {"temperature": 1.0},
    }
    assert request.timeout_seconds == 10.0


async def test_without_a_session_each_call_has_its_own(world: World) -> None:
    issued = await world.issue()
    first, second = [(await call(world.app, HELLO, issued.key)).json()["session_id"] for _ in range(2)]
    assert first != second
    assert [r.session_id.partition(":")[2] for r in world.runtime.requests] == [first, second]


async def test_tokens_nobody_reported_are_counted(world: World) -> None:
    issued = await world.issue()
    answer = await call(world.app, {"input": "hello world"}, issued.key)
    assert answer.json()["usage"]["input_tokens"] == 2
    (event,) = await world.store.events()
    assert (event["source"], event["input_tokens"], event["output_tokens"]) == ("counted", 2, 2)


async def test_the_x_api_key_header_and_the_path_without_slash_work(world: World) -> None:
    issued = await world.issue()
    answer = await call(world.app, HELLO, path=INVOKE.rstrip("/"), x_api_key=issued.key)
    assert answer.status == 200


async def test_an_agent_may_be_named_and_must_be_the_keys_own(world: World) -> None:
    issued, other = await world.issue(), await world.issue()
    own = issued.grant.config_id
    for named in (own.hex, str(own)):
        assert (await call(world.app, {**HELLO, "config_id": named}, issued.key)).status == 200
        assert (await call(world.app, {**HELLO, "agent": named}, issued.key)).status == 200
        assert (
            await call(world.app, HELLO, issued.key, path=f"/api/agent-gateway/{named}/invoke/")
        ).status == 200
    bodies = []
    for named in (other.grant.config_id.hex, uuid4().hex, "no-uuid"):
        in_body = await call(world.app, {**HELLO, "agent": named}, issued.key)
        in_path = await call(world.app, HELLO, issued.key, path=f"/api/agent-gateway/{named}/invoke/")
        for answer in (in_body, in_path):
            assert answer.status == 404
            bodies.append({name: value for name, value in answer.json().items() if name != "request_id"})
    assert all(body == {"detail": "No such agent for this key.", "code": "not_found"} for body in bodies)
    assert len(await world.store.events()) == 6


@pytest.mark.parametrize(
    ("state", "status", "code"),
    [
        (GrantState.REVOKED, 401, "revoked_key"),
        (GrantState.CUSTOMER_BLOCKED, 403, "customer_blocked"),
        (GrantState.RESOURCE_PAUSED, 403, "resource_paused"),
        (GrantState.TERMINATED, 403, "resource_terminated"),
        (GrantState.BUDGET_EXHAUSTED, 402, "budget_exhausted"),
        (GrantState.UNAVAILABLE, 503, "unavailable"),
    ],
)
async def test_every_state_but_active_refuses(
    world: World, state: GrantState, status: int, code: str
) -> None:
    issued = await world.issue(state=state)
    answer = await call(world.app, HELLO, issued.key)
    assert (answer.status, answer.json()["code"]) == (status, code)
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert ("www-authenticate" in answer.headers) == (status == 401)
    assert ("retry-after" in answer.headers) == (status == 503)
    assert world.runtime.requests == []
    assert await world.store.events() == []
    assert await world.store.open_calls() == []


async def test_keys_that_are_not_good(world: World) -> None:
    issued = await world.issue()
    unknown = issue()
    others_claims = sign(claims_of(issued.grant, tenant_id=str(uuid4())))
    for key, code in [
        ("", "invalid_key"),
        ("sk-something-else", "invalid_key"),
        (unknown.key, "invalid_key"),
        (others_claims, "invalid_key"),
        (sign(claims_of(issued.grant, exp=int(NOW.timestamp()))), "expired_key"),
        (issued.key.replace("ar_sk_live", "ar_sk_test"), "invalid_key"),
    ]:
        answer = await call(world.app, HELLO, key)
        assert (answer.status, answer.json()["code"]) == (401, code)
        assert answer.headers["www-authenticate"] == "Bearer"
        assert "x-ratelimit-limit" not in answer.headers


async def test_a_key_expires_with_the_products_clock(world: World) -> None:
    issued = await world.issue()
    assert (await call(world.app, HELLO, issued.key)).status == 200
    world.clock.moment = NOW + timedelta(days=365)
    answer = await call(world.app, HELLO, issued.key)
    assert (answer.status, answer.json()["code"]) == (401, "expired_key")


async def test_a_replaced_key_works_until_its_overlap_ends(world: World) -> None:
    issued = await world.issue(accept_until=NOW + timedelta(minutes=5))
    assert (await call(world.app, HELLO, issued.key)).status == 200
    world.clock.moment = NOW + timedelta(minutes=5)
    assert (await call(world.app, HELLO, issued.key)).json()["code"] == "revoked_key"


async def test_publishable_keys_and_web_pages_are_refused(world: World) -> None:
    publishable = await world.issue(kind="publishable")
    secret = await world.issue()
    answer = await call(world.app, HELLO, publishable.key)
    assert (answer.status, answer.json()["code"]) == (403, "scope_missing")
    assert "publishable" in answer.json()["detail"]
    answer = await call(world.app, HELLO, secret.key, origin="https://shop.example")
    assert (answer.status, answer.json()["code"]) == (403, "origin_not_allowed")


async def test_scopes_and_the_plans_features(world: World) -> None:
    invoke_only = await world.issue(scopes=frozenset({"agent:invoke"}))
    stream_only = await world.issue(scopes=frozenset({"agent:stream"}))
    no_streams = await world.issue(limits=Limits(streaming=False))
    stream = {**HELLO, "stream": True}
    assert (await call(world.app, HELLO, invoke_only.key)).status == 200
    assert (await call(world.app, stream, stream_only.key)).status == 200
    refused = [
        await call(world.app, stream, invoke_only.key),
        await call(world.app, HELLO, stream_only.key),
        await call(world.app, stream, no_streams.key),
    ]
    assert [(a.status, a.json()["code"], a.json()["extra"]) for a in refused] == [
        (403, "scope_missing", {"scope": "agent:stream"}),
        (403, "scope_missing", {"scope": "agent:invoke"}),
        (403, "feature_not_in_plan", {"feature": "streaming"}),
    ]


async def test_a_scope_must_be_in_the_key_and_in_the_grant(world: World) -> None:
    issued = issue(scopes=frozenset({"agent:invoke"}))
    await world.store.publish(replace(issued.grant, scopes=frozenset({"agent:invoke", "agent:stream"})))
    answer = await call(world.app, {**HELLO, "stream": True}, issued.key)
    assert (answer.status, answer.json()["code"]) == (403, "scope_missing")


@pytest.mark.parametrize(
    ("content", "status", "field", "code"),
    [
        ({}, 400, "input", "invalid_request"),
        ({"input": ""}, 400, "input", "invalid_request"),
        ({"input": " \n\t"}, 400, "input", "invalid_request"),
        ({"input": 5}, 400, "input", "invalid_request"),
        ({"input": None}, 400, "input", "invalid_request"),
        ({"input": "x", "session_id": ""}, 400, "session_id", "invalid_request"),
        ({"input": "x", "session_id": "y" * 129}, 400, "session_id", "invalid_request"),
        ({"input": "x", "session_id": "a\nb"}, 400, "session_id", "invalid_request"),
        ({"input": "x", "stream": "yes"}, 400, "stream", "invalid_request"),
        ({"input": "x", "tweaks": {"Prompt-1": 3}}, 400, "tweaks", "invalid_request"),
        (
            {"input": "x", "tweaks": {"Prompt-1": {"code": "y"}}},
            400,
            "tweaks.Prompt-1.code",
            "tweak_not_allowed",
        ),
        (b"{not json", 400, None, "invalid_request"),
        (b"[1]", 400, None, "invalid_request"),
        (b"", 400, None, "invalid_request"),
        (b'{"input": "\xff"}', 400, None, "invalid_request"),
        (b'{"input": "\\ud800"}', 400, None, "invalid_request"),
        (b'{"input": "x", "y": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, None, "invalid_request"),
        (b'{"input": "' + b"x" * 1024 * 1024 + b'"}', 413, None, "request_too_large"),
    ],
)
async def test_requests_that_are_not_good(
    world: World, content: object, status: int, field: str | None, code: str
) -> None:
    issued = await world.issue(limits=Limits(requests_per_minute=5))
    answer = await call(world.app, content, issued.key)
    body = answer.json()
    assert (answer.status, body["code"]) == (status, code)
    assert body["request_id"] == answer.headers["x-request-id"]
    if field is not None:
        assert body["extra"]["field"] == field
        node = body
        for name in field.split("."):
            node = node[name]
        assert node == [body["detail"]]
    assert answer.headers["x-ratelimit-remaining"] == "5"
    assert await world.store.events() == []


async def test_only_json_is_taken(world: World) -> None:
    issued = await world.issue()
    for headers in ({"content_type": "text/plain"}, {"content_encoding": "gzip"}):
        answer = await call(world.app, HELLO, issued.key, **headers)
        assert (answer.status, answer.json()["code"]) == (415, "unsupported_media_type")
    assert (
        await call(world.app, HELLO, issued.key, content_type="application/json; charset=utf-8")
    ).status == 200


async def test_paths_and_methods(world: World) -> None:
    answer = await get(world.app, INVOKE)
    assert (answer.status, answer.json()["code"], answer.headers["allow"]) == (
        405,
        "method_not_allowed",
        "OPTIONS, POST",
    )
    answer = await call(world.app, b"", method="OPTIONS")
    assert (answer.status, answer.body, answer.headers["allow"]) == (204, b"", "OPTIONS, POST")
    for path in ("/", "", "/api/agent-gateway/", "/api/agent-gateway/a/b/invoke", "/nothing"):
        answer = await get(world.app, path)
        assert (answer.status, answer.json()["code"]) == (404, "not_found")
        assert len(answer.headers["x-request-id"]) == 32


async def test_health(world: World) -> None:
    async def ready() -> bool:
        return (await get(world.app, "/ready")).status == 200

    await eventually(ready)
    for path in ("/health", "/health/", "/ready"):
        assert (await get(world.app, path)).json() == {"status": "ok"}
    path = "/api/agent-gateway/health/"
    answer = await get(world.app, path)
    checks = {"database": "ok", "usage_store": "ok", "runtime": "ok"}
    assert (answer.status, answer.json()) == (200, {"status": "ok", "checks": checks})


async def test_health_says_when_calls_would_fail(world: World) -> None:
    async def ready() -> bool:
        return (await get(world.app, "/ready")).status == 200

    world.runtime.well = False
    await eventually(ready)
    answer = await get(world.app, "/api/agent-gateway/health/")
    checks = {"database": "ok", "usage_store": "ok", "runtime": "failed"}
    assert (answer.status, answer.json()) == (503, {"status": "unavailable", "checks": checks})
    assert (await get(world.app, "/ready")).status == 200


@pytest.mark.parametrize(
    ("failure", "status", "code", "event_status", "retry"),
    [
        ("flow_error", 502, "upstream_error", "error", False),
        ("crashed", 502, "upstream_error", "error", False),
        ("timeout", 504, "upstream_timeout", "timeout", False),
        ("busy", 503, "unavailable", "error", True),
        ("unreachable", 503, "unavailable", "error", True),
        ("not_deployed", 503, "unavailable", "error", True),
    ],
)
async def test_failed_runs_are_told_and_metered(
    world: World, failure: str, status: int, code: str, event_status: str, retry: bool
) -> None:
    issued = await world.issue()
    answer = await call(world.app, {"input": f"fail {failure}"}, issued.key)
    assert (answer.status, answer.json()["code"]) == (status, code)
    assert ("retry-after" in answer.headers) == retry
    assert b"traceback" not in answer.body
    (event,) = await world.store.events()
    assert event["status"] == event_status
    assert event["error_code"] == failure
    assert (event["requests"], event["input_tokens"], event["output_tokens"], event["source"]) == (
        0,
        0,
        0,
        "none",
    )
    (hour,) = await world.store.hours()
    assert (hour["events"], hour["errors"], hour["requests"]) == (1, 1, 0)
    await world.settled()


async def test_a_defect_is_a_500_with_a_request_id_and_is_metered(world: World) -> None:
    issued = await world.issue()
    answer = await call(world.app, {"input": "bug"}, issued.key)
    assert answer.status == 500
    assert answer.json()["code"] == "internal_error"
    assert b"secret" not in answer.body
    (event,) = await world.store.events()
    assert (str(event["id"].hex), event["status"]) == (answer.json()["request_id"], "error")


async def test_an_unknown_runtime_is_unavailable(world: World) -> None:
    issued = await world.issue(runtime="elsewhere")
    answer = await call(world.app, HELLO, issued.key)
    assert (answer.status, answer.json()["code"]) == (503, "unavailable")
    assert await world.store.events() == []


async def test_n_calls_at_once_admit_exactly_the_limit(world: World) -> None:
    issued = await world.issue(limits=Limits(requests_per_minute=10))
    answers = await asyncio.gather(*(call(world.app, HELLO, issued.key) for _ in range(40)))
    assert sorted(a.status for a in answers) == [200] * 10 + [429] * 30
    refused = next(a for a in answers if a.status == 429)
    body = refused.json()
    assert body["code"] == "rate_limited"
    assert body["extra"]["limit"] == "requests_per_minute"
    assert body["extra"]["value"] == 10
    assert 1 <= body["extra"]["retry_after"] <= 6
    assert refused.headers["retry-after"] == str(body["extra"]["retry_after"])
    assert refused.headers["x-ratelimit-limit"] == "10"
    assert refused.headers["x-ratelimit-remaining"] == "0"
    assert 1 <= int(refused.headers["x-ratelimit-reset"]) <= 60
    assert sorted(int(a.headers["x-ratelimit-remaining"]) for a in answers if a.status == 200) == list(
        range(10)
    )
    assert len(await world.store.events()) == 10


async def test_calls_at_the_same_time(world: World) -> None:
    issued = await world.issue(limits=Limits(concurrent_requests=2))
    held = [send(world.app, {"input": "hold on"}, issued.key) for _ in range(2)]
    async with asyncio.timeout(5):
        while len(world.runtime.requests) < 2:
            await asyncio.sleep(0.005)
    answer = await call(world.app, HELLO, issued.key)
    assert (answer.status, answer.json()["extra"]["limit"]) == (429, "concurrent_requests")
    world.runtime.release.set()
    await asyncio.gather(*(exchange.task for exchange in held))
    assert (await call(world.app, HELLO, issued.key)).status == 200


async def test_requests_of_the_month_count_what_is_stored(world: World) -> None:
    limits = Limits(requests_per_month=3)
    issued = await world.issue(limits=limits)
    assert (await call(world.app, HELLO, issued.key)).status == 200
    second = await world.issue(**{**_same_resource(issued.grant), "limits": limits})
    assert (await call(world.app, {"input": "fail flow_error"}, second.key)).status == 502  # not counted
    answers = [await call(world.app, HELLO, second.key) for _ in range(3)]
    assert [a.status for a in answers] == [200, 200, 429]
    assert answers[0].headers["x-ratelimit-remaining"] == "1"
    assert answers[2].json()["extra"]["limit"] == "requests_per_month"
    world.clock.moment = NOW.replace(month=4, day=1)
    assert (await call(world.app, HELLO, issued.key)).status == 200


def _same_resource(grant: object) -> dict[str, object]:
    names = (
        "customer_id",
        "provider_customer_id",
        "project_id",
        "resource_id",
        "config_id",
        "offering_id",
        "plan_id",
    )
    return {name: getattr(grant, name) for name in names}


async def test_the_input_may_not_exceed_the_plans_context(world: World) -> None:
    issued = await world.issue(limits=Limits(max_context_tokens=3))
    assert (await call(world.app, {"input": "hello world"}, issued.key)).status == 200
    answer = await call(world.app, {"input": "hello big wide world"}, issued.key)
    assert (answer.status, answer.json()["code"]) == (413, "context_too_large")
    assert answer.json()["extra"] == {
        "limit": "max_context_tokens",
        "value": 3,
        "tokens": 4,
        "field": "input",
    }


async def test_a_run_that_ignores_its_deadline_is_stopped(
    fresh_database, store, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.gateway.support import ScriptedRuntime, settings_for

    from agentmart.gateway.app import create_app

    monkeypatch.setattr(runs, "DEADLINE_GRACE", 0.0)
    settings = settings_for(fresh_database, tmp_path, run_timeout=0.1)
    runtime = ScriptedRuntime()
    app = create_app(settings, runtimes={"scripted": runtime})
    await app.startup()
    issued = issue()
    await store.publish(issued.grant)
    answer = await call(app, {"input": "hang"}, issued.key)
    await app.shutdown()
    assert (answer.status, answer.json()["code"]) == (504, "upstream_timeout")
    (event,) = await store.events()
    assert (event["status"], event["requests"]) == ("timeout", 0)
    assert runtime.ended == 1
