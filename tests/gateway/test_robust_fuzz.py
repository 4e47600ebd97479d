"""The whole gateway is given what is nearly right: no answer is a 500, each has its request id, each run its event."""

from __future__ import annotations

import random

import pytest
from tests.fuzz.mutation import mutated
from tests.fuzz.targets import TARGETS
from tests.gateway.support import INVOKE, World, call

CALLS = 150
SEEDS = {target.name: target.seeds for target in TARGETS}


@pytest.mark.parametrize(
    ("path", "seeds"),
    [
        (INVOKE, SEEDS["invoke body"]),
        ("/v1/chat/completions", SEEDS["chat completions body"]),
        ("/v1/responses", SEEDS["responses body"]),
    ],
)
async def test_bodies(world: World, path: str, seeds: tuple[bytes, ...]) -> None:
    issued = await world.issue(model="echo")
    rng = random.Random(f"whole {path}")
    for _ in range(CALLS):
        body = mutated(rng, seeds)
        answer = await call(world.app, body, issued.key, path=path)
        assert answer.status in (200, 400, 404, 413), (answer.status, answer.body[:300], body[:500])
        assert len(answer.headers["x-request-id"]) == 32
        assert answer.complete
    assert len(await world.store.events()) == len(world.runtime.requests)


async def test_headers(world: World) -> None:
    issued = await world.issue()
    rng = random.Random("whole headers")
    names = (
        "authorization",
        "accept",
        "content_type",
        "x_request_timeout",
        "idempotency_key",
        "origin",
        "x_api_key",
    )
    for _ in range(CALLS):
        given = {rng.choice(names): mutated(rng, SEEDS["headers"]).decode("latin-1") for _ in range(2)}
        answer = await call(world.app, {"input": "a"}, issued.key, **given)
        assert answer.status < 500 or answer.json()["code"] == "upstream_timeout", (answer.status, given)
        assert len(answer.headers["x-request-id"]) == 32
