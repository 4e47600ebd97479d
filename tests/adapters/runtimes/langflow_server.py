"""A Langflow server as far as our adapter knows it, on loopback: projects, flows, chats, runs, the odd stream.

It does what 1.13 was seen to do, traps included: names that exist are numbered, a session that is not named is the
flow's own, errors of streams come under status 200 with tracebacks, a Bearer token is no key.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import uuid
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

KEY = "sk-test-key"
TRACEBACK = (
    'Traceback (most recent call last):\n  File "/srv/langflow/component.py", line 7\nKeyError: secret'
)
USAGE = {"input_tokens": 11, "output_tokens": 7, "total_tokens": 18}

Flow = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Seen:
    """A request that arrived."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """The target without its query."""
        return urlsplit(self.target).path

    def query(self, name: str) -> str:
        """A value of the query, or nothing."""
        return parse_qs(urlsplit(self.target).query).get(name, [""])[0]

    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Reply:
    """What is sent back: raw bytes where given, written piece by piece; else JSON. Hangs up after it if `close`.

    After `held` pieces it waits for the stand-in's `rest`.
    """

    status: int = 200
    content: Any = None
    raw: tuple[bytes, ...] | None = None
    close: bool = False
    held: int = 0


Script = Callable[[Seen], Awaitable[Reply]]


@dataclass(slots=True)
class LangflowStub:
    """The server's state and what it was asked. `scripts` answer the next requests of a path that begins so."""

    url: str = ""
    version: str = "1.13.0"
    seen: list[Seen] = field(default_factory=list)
    projects: dict[str, str] = field(default_factory=dict)  # id → name
    flows: dict[str, Flow] = field(default_factory=dict)
    chats: dict[str, list[tuple[str, str]]] = field(
        default_factory=lambda: defaultdict(list)
    )  # session → (flow, text)
    scripts: list[tuple[str, Script]] = field(default_factory=list)
    connections: int = 0
    running: asyncio.Event = field(default_factory=asyncio.Event)  # a run has begun
    gate: asyncio.Event = field(default_factory=asyncio.Event)  # runs wait for it
    rest: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)  # a caller hung up while its run went on
    blocked: str = ""  # a component type the server refuses
    has_build_check: bool = True

    def __post_init__(self) -> None:
        self.gate.set()

    def next(self, path: str, reply: Reply) -> None:
        """Answer the next request whose path begins so with `reply`."""

        async def script(seen: Seen) -> Reply:
            return reply

        self.scripts.append((path, script))

    def count(self, method: str, path: str) -> int:
        """How many requests of that method had a path that begins so."""
        return sum(seen.method == method and seen.path.startswith(path) for seen in self.seen)

    def runs(self) -> list[Seen]:
        """The runs that were asked for."""
        return [seen for seen in self.seen if seen.path.startswith("/api/v1/run/")]

    # -- the connection

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection's requests."""
        self.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while not await self._one(reader, writer):
                pass
        writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *fields = head.strip().split("\r\n")
        method, target, _ = line.split(" ")
        pairs = [item.split(": ", 1) for item in fields]
        counts = Counter(name.lower() for name, _ in pairs)
        assert max(counts.values()) == 1, counts
        headers = {name.lower(): value for name, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        seen = Seen(method, target, headers, body)
        self.seen.append(seen)
        answering = asyncio.ensure_future(self._reply(seen))
        leaving = asyncio.ensure_future(reader.read(1))
        await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not answering.done():
            answering.cancel()
            self.left.set()
            return True
        if leaving.done():
            return True
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        reply = answering.result()
        for number, piece in enumerate(reply.raw if reply.raw is not None else (_http(reply),)):
            if reply.held and number == reply.held:
                await self.rest.wait()
            writer.write(piece)
            await writer.drain()
        return reply.close

    async def _reply(self, seen: Seen) -> Reply:
        for number, (path, script) in enumerate(self.scripts):
            if seen.path.startswith(path):
                del self.scripts[number]
                return await script(seen)
        if seen.path == "/health_check":
            return Reply(content={"status": "ok", "chat": "ok", "db": "ok"})
        if seen.path == "/api/v1/version":
            return Reply(
                content={"version": self.version, "main_version": self.version, "package": "Langflow"}
            )
        if seen.headers.get("x-api-key") != KEY:
            return Reply(403, {"detail": "Invalid or missing API key"})
        area = seen.path.split("/")[3]
        handlers: dict[str, Callable[[Seen], Reply]] = {
            "users": lambda _: Reply(content={"username": "agentmart"}),
            "projects": self._projects,
            "flows": self._flows,
            "build": self._build,
            "monitor": self._monitor,
        }
        return await self._run(seen) if area == "run" else handlers[area](seen)

    # -- projects, flows, chats

    def _projects(self, seen: Seen) -> Reply:
        last = seen.path.rstrip("/").split("/")[-1]
        if seen.method == "GET":
            rows = [{"id": key, "name": name, "is_owner": True} for key, name in self.projects.items()]
            return Reply(content=rows)
        if seen.method == "DELETE":
            del self.projects[last]
            return Reply(204)
        name, number = seen.json()["name"], 0
        while (numbered := f"{name} ({number})" if number else name) in self.projects.values():
            number += 1
        key = str(uuid.uuid4())
        self.projects[key] = numbered
        return Reply(201, {"id": key, "name": numbered})

    def _flows(self, seen: Seen) -> Reply:
        flow_id = seen.path.removeprefix("/api/v1/flows/")
        if not flow_id:
            names = ("id", "name", "endpoint_name", "folder_id")
            return Reply(content=[{name: flow[name] for name in names} for flow in self.flows.values()])
        if seen.method == "PUT":
            status = 200 if flow_id in self.flows else 201
            self.flows[flow_id] = {**seen.json(), "id": flow_id}
            return Reply(status, self.flows[flow_id])
        if flow_id not in self.flows:
            return Reply(404, {"detail": "Flow not found"})
        if seen.method == "DELETE":
            del self.flows[flow_id]
            return Reply(content={"message": "Flow deleted successfully"})
        return Reply(content=self.flows[flow_id])

    def _build(self, seen: Seen) -> Reply:
        flow_id = seen.path.split("/")[4]
        if flow_id not in self.flows or not self.has_build_check:
            return Reply(404, {"detail": f"Flow with id {flow_id} not found"})
        return self._blocked(seen.json()["nodes"]) or Reply(content={"ids": [], "run_id": "r"})

    def _blocked(self, nodes: list[Flow]) -> Reply | None:
        names = [node["id"] for node in nodes if node.get("data", {}).get("type") == self.blocked]
        text = f"Flow build blocked: custom components are not allowed: {', '.join(names)}"
        return Reply(400, {"detail": text}) if names else None

    def _monitor(self, seen: Seen) -> Reply:
        if seen.method == "GET":
            flow = seen.query("flow_id")
            return Reply(
                content=[name for name, rows in self.chats.items() if any(row[0] == flow for row in rows)]
            )
        for session in seen.json():
            self.chats.pop(session, None)
        return Reply(content={"message": "deleted"})

    # -- runs

    async def _run(self, seen: Seen) -> Reply:
        self.running.set()
        await self.gate.wait()
        name, streamed = seen.path.split("/")[4], seen.query("stream") == "true"
        found = [key for key, flow in self.flows.items() if name in (key, flow["endpoint_name"])]
        if not found:
            return Reply(404, {"detail": f"Flow identifier {name} not found"})
        [flow_id], body = found, seen.json()
        nodes = self.flows[flow_id]["data"]["nodes"]
        refusal = self._blocked(nodes) or _refused_tweaks(body["tweaks"])
        if refusal is not None:
            text = refusal.content["detail"]
            text = text if isinstance(text, str) else f"Refused tweak keys: {text['message']}"
            return stream([{"event": "error", "data": {"error": text}}]) if streamed else refusal
        session = body.get("session_id") or flow_id
        earlier = [text for _, text in self.chats[session]]
        kinds = {node.get("data", {}).get("type") for node in nodes}
        if body["input_type"] == "chat" and "ChatInput" not in kinds:
            body["input_value"] = ""  # the wrong kind of input is no error
        self.chats[session].append((flow_id, body["input_value"]))
        template = next((node["template"] for node in nodes if "template" in node), "{text}")
        text = template.replace("{text}", body["input_value"]).replace("{earlier}", "|".join(earlier))
        answer = run_answer(text, session=session)
        if not streamed:
            return Reply(content=answer)
        events = [
            said(body["input_value"], sender="User"),
            said(text),
            {"event": "end", "data": {"result": answer}},
        ]
        return stream(events)


def message(text: str, *, usage: Any = None, source: str = "LanguageModel-1", session: str = "s") -> Flow:
    """A chat output's message, as far as it is read."""
    return {
        "text_key": "text",
        "data": {"text": text, "sender": "Machine"},
        "sender": "Machine",
        "sender_name": "AI",
        "session_id": session,
        "properties": {
            "source": {"id": source, "display_name": "Language Model", "source": "a-model"},
            "state": "complete",
            "usage": usage,
        },
        "category": "message",
        "text": text,
    }


def run_answer(text: str, *, usage: Any = None, session: str = "s") -> Flow:
    """The answer of a run with one chat output."""
    return outputs(
        {"results": {"message": message(text, usage=usage)}, "component_id": "ChatOutput-1"}, session=session
    )


def outputs(*results: Any, session: str = "s") -> Flow:
    """The answer of a run with these outputs."""
    return {"session_id": session, "outputs": [{"inputs": {"input_value": "x"}, "outputs": list(results)}]}


def said(text: str, *, sender: str = "Machine", state: str = "complete", **more: Any) -> Flow:
    """An `add_message` event."""
    body = {**message(text), "sender": sender, **more}
    body["properties"] = {**body["properties"], "state": state}
    return {"event": "add_message", "data": body}


def token(chunk: str, speaker: str = "m1") -> Flow:
    """A `token` event."""
    return {"event": "token", "data": {"chunk": chunk, "id": speaker, "timestamp": "now"}}


def stream_bytes(events: list[Flow]) -> bytes:
    """The body of a stream: JSON objects with blank lines between them."""
    return b"".join(json.dumps(event).encode() + b"\n\n" for event in events)


def stream(events: list[Flow], *, piece: int = 0, close: bool = False) -> Reply:
    """A stream of events, `piece` bytes to a chunk; cut off without the last chunk if `close`."""
    body = stream_bytes(events)
    size = piece or len(body)
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
    framed = [f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n" for chunk in chunks]
    return Reply(raw=(head, *framed, b"" if close else b"0\r\n\r\n"), close=close)


def _refused_tweaks(tweaks: dict[str, Flow]) -> Reply | None:
    if not any("code" in fields for fields in tweaks.values()):
        return None
    text = "The field is protected and keeps the value set by the flow author."
    detail = {"error": "Refused tweaks", "code": "TWEAKS_REFUSED", "message": text, "fields": ["code"]}
    return Reply(422, {"detail": detail})


def _http(reply: Reply) -> bytes:
    body = b"" if reply.status == 204 else json.dumps(reply.content).encode()
    head = f"HTTP/1.1 {reply.status} X\r\ncontent-type: application/json\r\n"
    length = "" if reply.status == 204 else f"content-length: {len(body)}\r\n"
    return f"{head}{length}\r\n".encode() + body


@contextlib.asynccontextmanager
async def running_langflow(tls: ssl.SSLContext | None = None) -> AsyncIterator[LangflowStub]:
    """Serve on loopback until left."""
    stub = LangflowStub()
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            with contextlib.suppress(asyncio.CancelledError):
                await stub.serve(reader, writer)
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    stub.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield stub
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
