"""What Prometheus is told, and who may ask."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.gateway.support import Answer, Exchange, ScriptedRuntime, World, call, settings_for

from agentmart.config.database import DatabaseUrls
from agentmart.gateway.app import Gateway, create_app


async def metrics(app: Gateway, client: str = "127.0.0.1", **headers: str) -> Answer:
    """Ask for the figures from an address."""
    exchange = Exchange(app, "GET", "/metrics", headers, b"", client=client)
    await exchange.task
    return exchange.answer


def figures(answer: Answer) -> dict[tuple[str, ...], float]:
    """The samples by name and the values of their labels, by the labels' names."""
    families = text_string_to_metric_families(answer.body.decode())
    return {(s.name, *(s.labels[n] for n in sorted(s.labels))): s.value for f in families for s in f.samples}


async def test_calls_are_counted_and_nothing_of_their_content_is_told(world: World) -> None:
    issued = await world.issue()
    await call(world.app, {"input": "count these secret words"}, issued.key)
    await call(world.app, {"input": "count these"}, issued.key, accept="text/event-stream")
    await call(world.app, {"input": "fail flow_error"}, issued.key)
    await call(world.app, {"input": ""}, issued.key)
    await call(world.app, {"input": "x"}, "ar_sk_live_nothing")
    answer = await metrics(world.app)
    assert answer.headers["content-type"].startswith("text/plain; version=")
    found = figures(answer)
    expected = {
        ("agentmart_gateway_answers_total", "ok", "200"): 2,
        ("agentmart_gateway_answers_total", "upstream_error", "502"): 1,
        ("agentmart_gateway_answers_total", "invalid_request", "400"): 1,
        ("agentmart_gateway_answers_total", "invalid_key", "401"): 1,
        ("agentmart_gateway_answer_seconds_count", "no"): 2,
        ("agentmart_gateway_answer_seconds_count", "yes"): 1,
        ("agentmart_gateway_run_seconds_count",): 3,
        ("agentmart_gateway_tokens_total", "input"): 22,
        ("agentmart_gateway_tokens_total", "output"): 14,
        ("agentmart_gateway_calls_running",): 0,
        ("agentmart_gateway_usage_spooled",): 0,
        ("agentmart_gateway_usage_store_up",): 1,
    }
    assert {name: found.get(name) for name in expected} == expected
    for secret in (b"secret", issued.key.encode(), issued.grant.customer_id.hex.encode()):
        assert secret not in answer.body


@pytest.mark.parametrize(
    ("client", "headers"),
    [
        ("10.0.0.7", {}),
        ("127.0.0.1", {"X-Forwarded-For": "10.0.0.7"}),
        ("127.0.0.1", {"Forwarded": "for=10.0.0.7"}),
        ("", {}),
    ],
)
async def test_without_a_token_only_this_machine_sees_them(
    world: World, client: str, headers: dict[str, str]
) -> None:
    assert (await metrics(world.app, "::1")).status == 200
    refused = await metrics(world.app, client, **headers)
    assert (refused.status, refused.json()["code"]) == (404, "not_found")


async def test_with_a_token_only_its_holder_sees_them(fresh_database: DatabaseUrls, tmp_path: Path) -> None:
    settings = settings_for(fresh_database, tmp_path, metrics_token="letmein")
    app = create_app(settings, runtimes={"scripted": ScriptedRuntime()})
    assert (await metrics(app)).status == 404
    assert (await metrics(app, Authorization="Bearer letmeinn")).status == 404
    assert (await metrics(app, "10.0.0.7", Authorization="Bearer letmein")).status == 200
