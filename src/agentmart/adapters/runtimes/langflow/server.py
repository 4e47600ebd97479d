"""What is asked of a Langflow server. A deployment's id is its flow's id, so there is nothing to remember."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote
from uuid import UUID

import msgspec

from agentmart.adapters.runtimes.base import RunRequest, RuntimeFailure
from agentmart.adapters.runtimes.langflow import failures, graph
from agentmart.adapters.runtimes.langflow.connection import Broken
from agentmart.adapters.runtimes.langflow.http import Answer, HttpClient, Opened, Patience, Request

MARK = "am-"  # begins the names of what is ours on the server
NEEDED = (1, 12)
SESSIONS_AT_ONCE = 500  # the server takes no more
FLOWS = "/api/v1/flows/"
PROJECTS = "/api/v1/projects/"

_VERSION = re.compile(r"(\d+)\.(\d+)")
_ENDPOINT = re.compile(MARK + r"([0-9a-f]{32})(?:-any)?")


class LangflowServer:
    """One server, as the user to whom the key belongs; `seconds` is its longest silence."""

    def __init__(self, http: HttpClient, seconds: float) -> None:
        self._http = http
        self._seconds = seconds
        self._patience = Patience(first_byte=seconds, idle=seconds, total=2 * seconds)

    # -- projects and flows; every method raises RuntimeFailure

    async def project(self, customer_id: str) -> str:
        """Return the id of the customer's project, made where there is none."""
        name = f"{MARK}{customer_id}"
        found = await self._find_project(name)
        if found:
            return found
        made = await self._json("POST", PROJECTS, {"name": name, "description": "One customer's agents"})
        if _text(made, "name") == name:
            return _text(made, "id")
        # made by somebody else meanwhile: the server then numbers the name; use the first one
        await self._ask("DELETE", PROJECTS + quote(_text(made, "id"), safe=""))
        found = await self._find_project(name)
        if not found:
            raise failures.failure(failures.UNREADABLE, f"no project {name}")
        return found

    async def _find_project(self, name: str) -> str:
        for row in _rows(await self._json("GET", PROJECTS)):
            if row.get("name") == name and row.get("is_owner") is not False:
                return _text(row, "id")
        return ""

    async def put_flow(self, flow: UUID, name: str, project: str, data: dict[str, Any]) -> None:
        """Create the flow, or replace it whole; of an export only nodes and edges go to the server.

        The name of its endpoint says which kind of input it takes: whoever runs it does not know the graph.
        """
        body = {
            "name": f"{MARK}{flow.hex} {name}".strip(),
            "description": "",
            "endpoint_name": endpoint(flow, chat=graph.takes_chat(data)),
            "folder_id": project,
            "data": data,
            "access_type": "PRIVATE",
            "mcp_enabled": False,
        }
        stored = await self._json("PUT", f"{FLOWS}{flow}", body)
        if _text(stored, "id") != str(flow):
            raise failures.failure(failures.UNREADABLE, "another flow was stored")

    async def check_build(self, flow: UUID, data: Mapping[str, Any]) -> bool:
        """Have the server build the graph, running nothing; False where it has no such flow, or no such call.

        Raises RuntimeFailure `bad_flow` for a graph that it cannot or may not build.
        """
        body = msgspec.json.encode({"nodes": data.get("nodes", []), "edges": data.get("edges", [])})
        answer = await self._ask("POST", f"/api/v1/build/{flow}/vertices", body, absent=(404, 405))
        return answer.status == 200

    async def takes_chat(self, flow: UUID) -> bool | None:
        """Return whether the flow's input is a chat's, None where the server has no such flow."""
        answer = await self._ask("GET", f"{FLOWS}{flow}", absent=(404,))
        if answer.status == 404:
            return None
        return _text(_decoded(answer.body), "endpoint_name") == endpoint(flow, chat=True)

    async def delete_flow(self, flow: UUID) -> None:
        """Delete the chats of a flow, then the flow; a flow that is not there is no error."""
        listed = await self._ask("GET", f"/api/v1/monitor/messages/sessions?flow_id={flow}", absent=(404,))
        sessions = _decoded(listed.body) if listed.status == 200 else []
        if not isinstance(sessions, list):
            raise failures.failure(failures.UNREADABLE, "no list of sessions")
        for start in range(0, len(sessions), SESSIONS_AT_ONCE):
            some = msgspec.json.encode(sessions[start : start + SESSIONS_AT_ONCE])
            await self._ask("DELETE", "/api/v1/monitor/messages/sessions", some)
        await self._ask("DELETE", f"{FLOWS}{flow}", absent=(404,))

    async def deployments(self) -> frozenset[str]:
        """Return the ids of the deployments that the server holds."""
        rows = _rows(await self._json("GET", f"{FLOWS}?get_all=true&header_flows=true"))
        names = (_ENDPOINT.fullmatch(str(row.get("endpoint_name"))) for row in rows)
        return frozenset(match[1] for match in names if match)

    # -- how it is

    async def check(self) -> None:
        """Raise RuntimeFailure, with a message for operators, unless the server is well and ours to use."""
        if (await self._ask("GET", "/health_check", absent=(404, 405))).status != 200:
            raise RuntimeFailure("unreachable", "There is no Langflow server at this address.")
        version = await self._json("GET", "/api/v1/version")
        shown = _text(version, "version")
        match = _VERSION.match(shown)
        if match is None or (int(match[1]), int(match[2])) < NEEDED:
            needed = ".".join(map(str, NEEDED))
            raise RuntimeFailure(
                "unreachable", f"The server is Langflow {shown[:40]}; Langflow {needed} or newer is needed."
            )
        await self._ask("GET", "/api/v1/users/whoami")

    # -- runs

    @asynccontextmanager
    async def run(
        self, flow: UUID, session: str, request: RunRequest, *, chat: bool
    ) -> AsyncIterator[Opened]:
        """Start a run and yield its stream, whatever its status; raises RuntimeFailure. Never sent twice.

        A flow that takes another kind of input than `chat` says is answered 404 and does not run.
        """
        asked = self._run_request(flow, session, request, chat=chat, stream=True)
        try:
            async with self._http.opened(asked, self._run_patience(request)) as answer:
                yield answer
        except Broken as broken:
            raise failures.of_connection(broken, failures.CONNECTION) from broken

    async def run_whole(self, flow: UUID, session: str, request: RunRequest, *, chat: bool) -> Answer:
        """Run and return the whole answer, whatever its status; raises RuntimeFailure. Else like `run`."""
        asked = self._run_request(flow, session, request, chat=chat, stream=False)
        try:
            return await self._http.ask(asked, self._run_patience(request))
        except Broken as broken:
            raise failures.of_connection(broken, failures.CONNECTION) from broken

    def _run_request(
        self, flow: UUID, session: str, request: RunRequest, *, chat: bool, stream: bool
    ) -> Request:
        body = {
            "input_value": request.text,
            "input_type": "chat" if chat else "any",
            "output_type": "any",  # the text is chosen from all outputs
            "session_id": session,
            "tweaks": request.tweaks,
        }
        target = f"/api/v1/run/{endpoint(flow, chat=chat)}?stream={'true' if stream else 'false'}"
        return Request("POST", target, msgspec.json.encode(body))

    def _run_patience(self, request: RunRequest) -> Patience:
        silence = min(self._seconds, request.timeout_seconds)
        return Patience(first_byte=silence, idle=silence, total=request.timeout_seconds)

    # -- inside

    async def _ask(self, method: str, target: str, body: bytes = b"", absent: tuple[int, ...] = ()) -> Answer:
        """Return an answer that is a success, or whose status is one of `absent`."""
        try:
            answer = await self._http.ask(Request(method, target, body), self._patience)
        except Broken as broken:
            raise failures.of_connection(broken, failures.ADMIN_CONNECTION) from broken
        if 200 <= answer.status < 300 or answer.status in absent:
            return answer
        raise failures.of_status(answer.status, answer.body, failures.ADMIN)

    async def _json(self, method: str, target: str, body: Mapping[str, Any] | None = None) -> Any:
        answer = await self._ask(method, target, msgspec.json.encode(body) if body is not None else b"")
        return _decoded(answer.body)


def endpoint(flow: UUID, *, chat: bool) -> str:
    """Return the name under which a flow is run."""
    return f"{MARK}{flow.hex}" if chat else f"{MARK}{flow.hex}-any"


def _decoded(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except msgspec.MsgspecError as error:
        raise failures.failure(failures.UNREADABLE, str(error)) from error


def _rows(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list):
        raise failures.failure(failures.UNREADABLE, "no list")
    return [row for row in value if isinstance(row, dict)]


def _text(value: Any, name: str) -> str:
    found = value.get(name) if isinstance(value, dict) else None
    if not isinstance(found, str):
        raise failures.failure(failures.UNREADABLE, f"no {name}")
    return found
