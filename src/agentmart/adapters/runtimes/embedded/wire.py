"""What client and parent say to each other: length-prefixed MessagePack frames on a private Unix socket."""

from __future__ import annotations

import asyncio

import msgspec

from agentmart.adapters.runtimes.base import Deployment, Health, RunRequest, RunResult, TokenUsage

HEADER = 4
MAX_BYTES = 32 * 1024 * 1024


class Deploy(msgspec.Struct, tag=True):
    """Ask for a deployment; answered by Done or Failed."""

    id: int
    deployment: Deployment


class Remove(msgspec.Struct, tag=True):
    """Ask to forget one; answered by Done or Failed."""

    id: int
    deployment_id: str


class Run(msgspec.Struct, tag=True):
    """Ask for a run; answered by Pieces if `stream`, then Answer or Failed."""

    id: int
    request: RunRequest
    stream: bool


class Cancel(msgspec.Struct, tag=True):
    """Stop the request with that id; not answered."""

    id: int


class Check(msgspec.Struct, tag=True):
    """Ask how the runtime is; answered by Condition."""

    id: int


class Done(msgspec.Struct, tag=True):
    """The request was carried out."""

    id: int


class Piece(msgspec.Struct, tag=True):
    """A piece of the text."""

    id: int
    text: str


class Answer(msgspec.Struct, tag=True):
    """The result of a run."""

    id: int
    result: RunResult


class Failed(msgspec.Struct, tag=True):
    """The request failed; the fields of a RuntimeFailure."""

    id: int
    code: str
    message: str
    retryable: bool
    detail: str
    usage: TokenUsage | None
    begun: bool = True


class Condition(msgspec.Struct, tag=True):
    """How the runtime is."""

    id: int
    health: Health


Request = Deploy | Remove | Run | Cancel | Check
Reply = Done | Piece | Answer | Failed | Condition

requests: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
replies: msgspec.msgpack.Decoder[Reply] = msgspec.msgpack.Decoder(Reply)
_encoder = msgspec.msgpack.Encoder()


def pack(message: Request | Reply) -> bytes:
    """Return one frame; raises ValueError above MAX_BYTES."""
    body = _encoder.encode(message)
    if len(body) > MAX_BYTES:
        raise ValueError(f"a message of {len(body)} bytes is too large for the runtime")
    return len(body).to_bytes(HEADER, "big") + body


async def read(reader: asyncio.StreamReader) -> bytes | None:
    """Return the next frame's body, None at the end; raises ValueError for one that is too large."""
    try:
        size = int.from_bytes(await reader.readexactly(HEADER), "big")
        if size > MAX_BYTES:
            raise ValueError(f"a frame of {size} bytes")
        return await reader.readexactly(size)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
