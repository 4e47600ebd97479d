"""The port's client for a Langflow server: what gateway and worker hold."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator
from contextlib import aclosing, asynccontextmanager
from functools import lru_cache
from time import monotonic
from typing import Any
from uuid import UUID

from agentmart.adapters.runtimes.base import (
    Deployment,
    Health,
    RunEvent,
    RunRequest,
    RunResult,
    RuntimeFailure,
    Token,
    TokenUsage,
)
from agentmart.adapters.runtimes.langflow import answers, events, failures, graph
from agentmart.adapters.runtimes.langflow.connection import Broken
from agentmart.adapters.runtimes.langflow.http import HttpClient, Opened
from agentmart.adapters.runtimes.langflow.server import MARK, LangflowServer

REMEMBERED = 10_000
MAX_STREAM = 64 * 1024 * 1024
LISTING_SECONDS = 60.0  # the server reads all its flows for the list of them


class LangflowRuntime:
    """Flows on one Langflow server, which stores them together with credentials: known components only."""

    def __init__(self, url: str, api_key: str, *, timeout: float = 30.0) -> None:
        """`timeout` is the server's longest silence in seconds. Raises ValueError for an unusable address or key."""
        if not api_key:
            raise ValueError("an API key is needed")
        self._http = HttpClient(url, {"x-api-key": api_key, "accept": "application/json, text/event-stream"})
        self._server = LangflowServer(self._http, timeout)
        self._not_chat: set[UUID] = set()  # flows found to take another input than a chat's
        self._listing: tuple[float, frozenset[str]] | None = None

    async def deploy(self, deployment: Deployment) -> None:
        """Store a flow and have the server build its graph; raises RuntimeFailure, an earlier flow then stays."""
        if deployment.trust != "known":
            raise RuntimeFailure(
                "refused", "This flow has code of its own; a Langflow server runs known components only."
            )
        data = deployment.flow.get("data")
        if not isinstance(data, dict) or not data.get("nodes"):
            raise RuntimeFailure("bad_flow", "The flow has no nodes.")
        flow = _flow_id(deployment.deployment_id)
        if flow is None:
            raise RuntimeFailure("bad_flow", "A deployment's id must be a UUID.")
        data = graph.prepared(data)
        self._listing = None
        checked = await self._server.check_build(flow, data)
        project = await self._server.project(deployment.customer_id)
        await self._server.put_flow(flow, str(deployment.flow.get("name") or "")[:80], project, data)
        if not checked:
            await self._check_new(flow, data)

    async def _check_new(self, flow: UUID, data: dict[str, object]) -> None:
        """Check a flow that had to be stored first; one that cannot be built does not stay."""
        try:
            await self._server.check_build(flow, data)
        except RuntimeFailure as failure:
            if failure.code == "bad_flow":
                await self._server.delete_flow(flow)
            raise

    async def remove(self, deployment_id: str) -> None:
        """Delete a flow and its chats; raises RuntimeFailure. Unknown ids are no error."""
        self._listing = None
        flow = _flow_id(deployment_id)
        if flow is not None:
            await self._server.delete_flow(flow)

    async def invoke(self, request: RunRequest) -> RunResult:
        """Run once and return the answer; raises RuntimeFailure. Cancelling the task hangs up on the server."""
        begun = monotonic()
        flow = _deployed_id(request.deployment_id)
        session = _session(flow, request)
        first = flow not in self._not_chat
        body = b""
        for chat in (first, not first):
            answer = await self._server.run_whole(flow, session, request, chat=chat)
            body = answer.body
            if answer.status == 200:
                return _result(*_read(body), begun)
            await self._other_name(flow, answer.status, body, chat=chat)
        raise failures.failure(failures.NOT_DEPLOYED, failures.said(body))

    async def stream(self, request: RunRequest) -> AsyncGenerator[RunEvent, None]:
        """Run once, yielding tokens and the result last; raises RuntimeFailure. Closing it cancels the run."""
        begun = monotonic()
        reader = events.Reader()
        try:
            async with (
                self._run(request) as opened,
                aclosing(_told(opened, reader)) as told,
            ):
                async for event in told:
                    if isinstance(event, events.End):
                        yield _result(event.text, event.usage, begun)
                        return
                    yield event
        except RuntimeFailure as failure:
            failure.usage = failure.usage or reader.usage
            raise

    @asynccontextmanager
    async def _run(self, request: RunRequest) -> AsyncIterator[Opened]:
        """Yield the stream of a run that began; raises RuntimeFailure."""
        flow = _deployed_id(request.deployment_id)
        session = _session(flow, request)
        first = flow not in self._not_chat
        body = b""
        for chat in (first, not first):
            async with self._server.run(flow, session, request, chat=chat) as opened:
                if opened.status == 200:
                    yield opened
                    return
                body = await opened.body()
            await self._other_name(flow, opened.status, body, chat=chat)
        raise failures.failure(failures.NOT_DEPLOYED, failures.said(body))

    async def _other_name(self, flow: UUID, status: int, body: bytes, *, chat: bool) -> None:
        """Return if the flow is to be tried by its other name; else raise the RuntimeFailure that its answer means.

        A flow has one of two names, by the kind of its input. The wrong one is answered 404, as is a flow that raises
        "… not found": the other name is tried only if the server says that the flow has it, so nothing runs twice.
        """
        if status != 404:
            raise failures.of_status(status, body, failures.RUN)
        takes_chat = await self._server.takes_chat(flow)
        if takes_chat == chat:
            raise failures.failure(failures.FLOW_ERROR, failures.said(body))
        if takes_chat is None:
            raise failures.failure(failures.NOT_DEPLOYED, failures.said(body))
        self._remember(flow, takes_chat)

    def _remember(self, flow: UUID, chat: bool) -> None:
        if len(self._not_chat) >= REMEMBERED:
            self._not_chat.clear()
        (self._not_chat.discard if chat else self._not_chat.add)(flow)

    async def health(self) -> Health:
        """Say how the server is, and whether its version and our key will do; never raises.

        The list of deployments is up to a minute old where another process changed it.
        """
        try:
            await self._server.check()
            return Health(ok=True, deployments=await self._deployments())
        except RuntimeFailure as failure:
            return Health(ok=False, message=failure.message)

    async def _deployments(self) -> frozenset[str]:
        if self._listing is None or monotonic() - self._listing[0] > LISTING_SECONDS:
            self._listing = (monotonic(), await self._server.deployments())
        return self._listing[1]

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()


@lru_cache(REMEMBERED)
def _flow_id(deployment_id: str) -> UUID | None:
    try:
        return UUID(deployment_id)
    except ValueError:
        return None


def _deployed_id(deployment_id: str) -> UUID:
    flow = _flow_id(deployment_id)
    if flow is None:
        raise failures.failure(failures.NOT_DEPLOYED)
    return flow


def _session(flow: UUID, request: RunRequest) -> str:
    """Return the session's name on the server, never an empty one: its default is one session for all callers."""
    return f"{MARK}{flow.hex}:{request.session_id or request.call_id}"


async def _told(opened: Opened, reader: events.Reader) -> AsyncGenerator[Token | events.End, None]:
    """Yield what the stream tells, the End last; raises RuntimeFailure."""
    splitter = events.Splitter()
    try:
        while part := await opened.part(MAX_STREAM):
            for told in _meant(splitter.feed(part), reader):
                yield told
        for told in _meant(splitter.finish(), reader):
            yield told
    except answers.Unreadable as error:
        raise failures.failure(failures.UNREADABLE, str(error)) from error
    except Broken as broken:
        if broken.code == "lost":
            raise failures.failure(failures.BROKE_OFF, str(broken)) from broken
        raise
    raise failures.failure(failures.BROKE_OFF, "the stream ended without an end event")


def _meant(
    found: Iterable[dict[str, Any] | events.Said], reader: events.Reader
) -> Iterator[Token | events.End]:
    """Yield what events mean, tokens that came together as one; raises RuntimeFailure, answers.Unreadable."""
    texts: list[str] = []
    try:
        for event in found:
            told = reader.read(event)
            if isinstance(told, Token):
                texts.append(told.text)
            elif told is not None:
                if texts:
                    yield Token("".join(texts))
                    texts = []
                yield told
    except (RuntimeFailure, answers.Unreadable):
        if texts:  # what was said before it went wrong
            yield Token("".join(texts))
        raise
    if texts:
        yield Token("".join(texts))


def _read(body: bytes) -> tuple[str, TokenUsage | None]:
    """Return text and usage of a run's answer; raises RuntimeFailure."""
    quick = answers.quick(body)
    if quick is not None:
        return quick
    try:
        answer = answers.decode(body)
    except answers.Unreadable as error:
        raise failures.failure(failures.UNREADABLE, str(error)) from error
    return answers.text_of(answer), answers.usage_of(answer)


def _result(text: str, usage: TokenUsage | None, begun: float) -> RunResult:
    # whether a model was called the server does not say: only its usage shows it
    elapsed = round((monotonic() - begun) * 1000)
    return RunResult(text=text, usage=usage, duration_ms=elapsed, model_calls=int(usage is not None))
