"""A contender: what one writes first. FastAPI, pydantic, PyJWT, httpx; it translates like ours and limits nothing."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import httpx
import jwt
from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel

UPSTREAM = os.environ["BENCH_UPSTREAM"]
SECRET = os.environ["BENCH_SECRET"]
usage: list[dict[str, Any]] = []
clients: list[httpx.AsyncClient] = []


class Call(BaseModel):
    """A call."""

    input: str
    session_id: str | None = None


class Usage(BaseModel):
    """What it took."""

    input_tokens: int
    output_tokens: int
    elapsed_ms: int


class Answer(BaseModel):
    """What it gave."""

    output: str
    session_id: str
    request_id: str
    usage: Usage


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Hold the client."""
    async with httpx.AsyncClient(
        limits=httpx.Limits(max_connections=256, max_keepalive_connections=256)
    ) as client:
        clients.append(client)
        yield


app = FastAPI(lifespan=lifespan)


def caller(authorization: Annotated[str, Header()]) -> dict[str, Any]:
    """Return the claims of the key."""
    try:
        return dict(
            jwt.decode(
                authorization.removeprefix("Bearer ").split("_", 3)[3],
                SECRET,
                algorithms=["HS256"],
                audience="agentmart-gateway",
            )
        )
    except (jwt.PyJWTError, IndexError):
        raise HTTPException(401) from None


@app.post("/api/agent-gateway/invoke/")
async def invoke(call: Call, claims: Annotated[dict[str, Any], Depends(caller)]) -> Answer:
    """Run and answer."""
    begun = time.monotonic()
    session = call.session_id or uuid.uuid4().hex
    sent = {
        "input_value": call.input,
        "input_type": "chat",
        "output_type": "chat",
        "session_id": f"{claims['config_uuid']}:{session}",
        "tweaks": {},
    }
    path = f"{UPSTREAM}/api/v1/run/{claims['config_uuid']}?stream=false"
    answer = (await clients[0].post(path, json=sent, headers={"x-api-key": "sk-stub"})).json()
    message = answer["outputs"][0]["outputs"][0]["results"]["message"]
    used = message["properties"]["usage"]
    if len(usage) > 10_000:
        usage.clear()
    usage.append({"key": claims["jti"], **used})
    return Answer(
        output=message["text"],
        session_id=session,
        request_id=uuid.uuid4().hex,
        usage=Usage(
            input_tokens=used["input_tokens"],
            output_tokens=used["output_tokens"],
            elapsed_ms=round((time.monotonic() - begun) * 1000),
        ),
    )
