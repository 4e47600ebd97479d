"""What an inspection answers: problems, nodes, and the flow as it may be stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from agentmart.contracts.grants import Tweakable
from agentmart.kit.errors import DomainError

NodeClass = Literal["known", "edited", "custom"]
Trust = Literal["known", "custom"]


class FlowRefused(DomainError):
    """The flow cannot be taken; `extra["errors"]` lists every reason with its node."""

    code = "invalid_flow"
    status = 400


@dataclass(frozen=True, slots=True)
class FlowLimits:
    """How large a flow may be; beyond `max_bytes` the refusal is 413, beyond the others 400."""

    max_bytes: int = 5 * 1024 * 1024
    max_depth: int = 64
    max_nodes: int = 500
    max_edges: int = 2000


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding: a program reads `code`, a person `message`; `path` leads into the JSON, `node` is an id."""

    code: str
    message: str
    path: str = ""
    node: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return the JSON form."""
        return {"code": self.code, "path": self.path, "node": self.node, "message": self.message}


@dataclass(frozen=True, slots=True)
class NodeReport:
    """One node that carries code, named by what its source *is*, not by what the file says of it."""

    id: str
    type: str  # as the file claims; never used for identity
    display_name: str
    node_class: NodeClass
    sha256: str
    component: str = ""  # identity from the hash (known) or the component it was edited from (edited)
    module: str = ""
    releases: str = ""  # "langflow-base 0.3.0-0.3.4, lfx 0.1.0"
    origin: str = ""  # "source", "index" or "starter": where the harvest saw it
    runtime_type: str = ""  # the type the pinned runtime builds for it; "" where it has none
    capabilities: tuple[str, ...] = ()
    group: str = ""  # id of the grouped node that contains it

    @property
    def custom_code(self) -> bool:
        """Whether the node brings source of its own."""
        return self.node_class != "known"

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "id": self.id,
            "type": self.type,
            "display_name": self.display_name,
            "class": self.node_class,
            "custom_code": self.custom_code,
            "component": self.component,
            "module": self.module,
            "releases": self.releases,
            "origin": self.origin,
            "runtime_type": self.runtime_type,
            "sha256": self.sha256,
            "capabilities": list(self.capabilities),
            "group": self.group,
        }


@dataclass(frozen=True, slots=True)
class Permission:
    """A node that runs only for a provider whom the operator trusts with code of their own."""

    node: str
    capability: str  # "custom_code", "code_execution", "files" …
    reason: str

    def as_dict(self) -> dict[str, str]:
        """Return the JSON form."""
        return {"node": self.node, "capability": self.capability, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An input or output component of the flow."""

    id: str
    type: str
    display_name: str

    def as_dict(self) -> dict[str, str]:
        """Return the JSON form."""
        return {"id": self.id, "type": self.type, "display_name": self.display_name}


@dataclass(frozen=True, slots=True)
class Requires:
    """What the flow needs from outside: package and variable names, models as (provider, name)."""

    packages: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    models: tuple[tuple[str, str], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        models = [{"provider": provider, "name": name} for provider, name in self.models]
        return {"packages": list(self.packages), "variables": list(self.variables), "models": models}


@dataclass(frozen=True, slots=True)
class FlowReport:
    """The whole answer about one flow; nothing of it was executed to make this."""

    errors: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    status: int = 200  # of the refusal: 400, or 413 above the size limit
    name: str = ""
    langflow_version: str = ""
    sha256: str = ""  # of the flow as stored: same content, same digest, whatever the order of keys
    nodes: tuple[NodeReport, ...] = ()
    inputs: tuple[Endpoint, ...] = ()
    outputs: tuple[Endpoint, ...] = ()
    tweakable: tuple[Tweakable, ...] = ()  # candidates: the provider exposes some of them
    needs_permission: tuple[Permission, ...] = ()
    upgrades: tuple[Problem, ...] = ()
    requires: Requires = field(default_factory=Requires)
    flow: Mapping[str, Any] = field(default_factory=dict)  # the export without secrets; empty if unreadable

    @property
    def valid(self) -> bool:
        """Whether the flow can be imported, apart from the permissions it needs."""
        return not self.errors

    @property
    def trust(self) -> Trust:
        """Which process may run it: "custom" needs the operator's permission and a process of its own."""
        return "custom" if self.needs_permission else "known"

    def refusals(self, *, custom_code_allowed: bool) -> tuple[Problem, ...]:
        """Return why this provider may not import the flow; empty means go ahead."""
        if custom_code_allowed:
            return self.errors
        held = tuple(
            Problem("permission_required", permission.reason, node=permission.node)
            for permission in self.needs_permission
        )
        return self.errors + held

    def require(self, *, custom_code_allowed: bool) -> None:
        """Raise FlowRefused (400, or 413 for size) unless this provider may import the flow."""
        problems = self.refusals(custom_code_allowed=custom_code_allowed)
        if problems:
            more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            raise FlowRefused(
                problems[0].message + more,
                status=self.status if self.errors else 400,
                extra={"errors": [problem.as_dict() for problem in problems]},
            )

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON answer of `validate_flow`: everything but the flow itself."""
        return {
            "valid": self.valid,
            "errors": [problem.as_dict() for problem in self.errors],
            "warnings": [problem.as_dict() for problem in self.warnings],
            "name": self.name,
            "langflow_version": self.langflow_version,
            "sha256": self.sha256,
            "trust": self.trust,
            "nodes": [node.as_dict() for node in self.nodes],
            "inputs": [endpoint.as_dict() for endpoint in self.inputs],
            "outputs": [endpoint.as_dict() for endpoint in self.outputs],
            "tweakable": [tweakable_dict(item) for item in self.tweakable],
            "needs_permission": [permission.as_dict() for permission in self.needs_permission],
            "upgrades": [problem.as_dict() for problem in self.upgrades],
            "requires": self.requires.as_dict(),
        }


def tweakable_dict(item: Tweakable) -> dict[str, Any]:
    """Return the JSON form of a tweakable field."""
    return {
        "node": item.node,
        "field": item.field,
        "type": item.type,
        "label": item.label,
        "default": item.default,
        "minimum": item.minimum,
        "maximum": item.maximum,
        "max_length": item.max_length,
        "options": list(item.options),
    }
