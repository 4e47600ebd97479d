"""A Langflow Studio on loopback: users' flows by API key, in the shapes that Langflow 1.13 was seen to answer with.

`tests/adapters/test_real_studio.py` holds these shapes against a real one.
"""

from __future__ import annotations

import contextlib
import copy
import json
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.world import NOW

from agentmart.agents.models import Studio
from agentmart.identity.models import Customer
from agentmart.infra import tenancy

STUDIOS = "/api/site-agent/studios/"
KEY = "sk-studio-test-key"
TRACEBACK = 'Traceback (most recent call last):\n  File "/srv/langflow/flows.py", line 7\nKeyError: secret'
_HEADER = (
    "id name folder_id is_component endpoint_name description data access_type tags mcp_enabled flow_type "
    "a2a_enabled a2a_card_overrides action_name action_description updated_at"
)
_FLOW = (
    "name description icon icon_bg_color gradient data is_component updated_at webhook endpoint_name tags locked "
    "mcp_enabled action_name action_description access_type flow_type a2a_enabled a2a_card_overrides id user_id "
    "folder_id workspace_id name_key version_token"
)
HEADER_KEYS = frozenset(_HEADER.split())
"""What a row of the list has, with `header_flows`."""
FLOW_KEYS = frozenset(_FLOW.split())
"""What a flow has that is read by itself."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that came."""

    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Says:
    """What is answered in place of what Langflow would say."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    kind: str = "application/json"


@dataclass
class StudioStub:
    """The studio's state, and what it was asked. `says` are answers by the path's beginning, `before` runs first."""

    port: int
    keys: dict[str, str] = field(default_factory=lambda: {KEY: "user-1"})
    flows: dict[str, Row] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    says: dict[str, Says] = field(default_factory=dict)
    before: Callable[[Asked], None] = lambda asked: None
    version: str = "1.13.0"

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def save(
        self, flow: Row, *, name: str = "", flow_id: str = "", owner: str = "user-1", **more: Any
    ) -> str:
        """Create a flow, or save it again; its id."""
        flow_id = flow_id or str(uuid.uuid4())
        row: Row = dict.fromkeys(FLOW_KEYS)
        row |= {"is_component": False, "access_type": "PRIVATE", "flow_type": "workflow", "locked": False}
        row |= {"name": name or flow["name"], "description": flow.get("description"), "tags": []}
        row |= {
            "id": flow_id,
            "user_id": owner,
            "folder_id": str(uuid.uuid4()),
            "data": copy.deepcopy(flow["data"]),
        }
        row |= {"updated_at": f"2026-03-0{len(self.flows) % 9 + 1}T10:00:00+00:00", **more}
        self.flows[flow_id] = row
        return flow_id

    def answer(self, asked: Asked) -> Says:
        """Answer a request as Langflow does."""
        self.asked.append(asked)
        self.before(asked)
        for beginning, said in self.says.items():
            if asked.path.startswith(beginning):
                return said
        if asked.path == "/api/v1/version":
            return _json({"version": self.version, "main_version": self.version, "package": "Langflow"})
        owner = self.keys.get(asked.headers.get("x-api-key", ""))
        if owner is None:
            return _json({"detail": "Invalid or missing API key"}, 403)
        if asked.path == "/api/v1/flows/":
            mine = [row for row in self.flows.values() if row["user_id"] == owner]
            return _json([_header(row) for row in mine])
        if asked.path.startswith("/api/v1/flows/"):
            flow_id = asked.path.removeprefix("/api/v1/flows/")
            found = self.flows.get(flow_id)
            if found is None or found["user_id"] != owner:
                return _json({"detail": "Flow not found"}, 404)
            return _json(found)
        return _json({"detail": "Not Found"}, 404)


def _header(row: Row) -> Row:
    """A row of the list: without the flow, but for components."""
    return {name: row[name] for name in HEADER_KEYS} | {"data": row["data"] if row["is_component"] else None}


def _json(content: Any, status: int = 200) -> Says:
    return Says(status, json.dumps(content, ensure_ascii=False).encode())


def stored(customer: Customer | None, name: str = "Stored") -> str:
    """The path of a provider's studio whose key nobody can open: what needs no answer from outside."""
    assert customer is not None
    with tenancy.as_system("test"):
        row = Studio.objects.create(
            customer=customer,
            name=name,
            backend_url="https://studio.example.com",
            key_sealed=b"sealed under a secret that is lost",
            created=NOW,
            modified=NOW,
        )
    return f"{STUDIOS}{row.uuid}/"


@contextmanager
def running_studio() -> Iterator[StudioStub]:
    """A studio, as long as the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            names = {name.lower(): value for name, value in self.headers.items()}
            said = stub.answer(Asked(parts.path, parse_qs(parts.query), names))
            with contextlib.suppress(OSError):
                self.send_response(said.status)
                headers = {"Content-Type": said.kind, "Content-Length": str(len(said.body)), **said.headers}
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(said.body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    stub = StudioStub(server.server_port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
