"""The API's description, made from what each viewset declares (a file of its own: the framework's defaults name it)."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter
from rest_framework.fields import empty

from agentmart.infra.fields import ApiSerializer
from agentmart.infra.filters import Filter
from agentmart.infra.openapi import ERRORS
from agentmart.infra.permissions import Anybody
from agentmart.infra.rest import ApiViewSet, TenantView

WRITING = ("POST", "PUT", "PATCH", "DELETE")
WITH_BODY = ("POST", "PUT", "PATCH")
NEVER_NULL = frozenset({"uuid", "url", "created", "modified", "state", "type", "name", "action", "message"})
"""Keys that every row has; other keys that are only read may be null unless the contract omits them then."""
_GROUP = re.compile(r"\(\?P<(\w+)>((?:[^()\\]|\\.)*)\)")

Operation = dict[str, Any]


def _reference(kind: str, name: str) -> dict[str, str]:
    """Return a reference to a shared part."""
    return {"$ref": f"#/components/{kind}/{name}"}


class ApiSchema(AutoSchema):
    """Describes one operation: parameters, body, answers and errors."""

    view: Any

    def get_operation(self, *args: Any, **kwargs: Any) -> Operation | None:
        """Return the operation with what all operations share."""
        operation: Operation | None = super().get_operation(*args, **kwargs)
        if operation is not None and isinstance(self.view, TenantView):
            self._add_request_headers(operation)
            self._add_errors(operation)
            self._add_answer_headers(operation)
        return operation

    # -- names

    def get_operation_id(self) -> str:
        """Return `<address>_<action>`: `marketplace_orders_approve_by_provider`."""
        if not isinstance(self.view, ApiViewSet):
            return str(super().get_operation_id())
        methods = [method for method, name in self._actions().items() if name == self.view.action]
        suffix = f"_{self.method.lower()}" if len(methods) > 1 else ""
        return f"{'_'.join(self._tokens())}_{self.view.action}{suffix}".replace("-", "_")

    def get_tags(self) -> list[str]:
        """Return the address that the viewset stands at."""
        return ["/".join(self._tokens())] if isinstance(self.view, ApiViewSet) else super().get_tags()

    def _actions(self) -> dict[str, str]:
        """Return the methods of the route by name, HEAD and OPTIONS left out."""
        every: Mapping[str, str] = getattr(self.view, "action_map", None) or {}
        return {method: name for method, name in every.items() if method not in ("head", "options")}

    def _tokens(self) -> list[str]:
        """Return the parts of the viewset's address: `site-agent`, `provider-agents`."""
        rest = self.path.removeprefix("/api/").split("{")[0].strip("/").split("/")
        function: Any = getattr(self.view, self.view.action, None)
        url_path = str(getattr(function, "url_path", "") or "")
        if url_path and not function.detail:
            own = url_path.split("(")[0].strip("/").split("/")
            rest = rest[: -len(own)] or rest
        return rest

    def get_serializer_name(self, serializer: Any, direction: Any) -> str:
        """Return the class's name; where another class has taken it, with the name of the room before it."""
        kind, taken = type(serializer), self.registry.__dict__.setdefault("names_taken", {})
        room = kind.__module__.split(".")[1].capitalize()
        for prefix in ("", room, *(f"{room}{number}" for number in range(2, 10))):
            if taken.setdefault(f"{prefix}{kind.__name__}", kind) is kind:
                return f"{prefix}{kind.__name__}"
        raise ImproperlyConfigured(f"Too many serializers are called {kind.__name__}.")

    # -- what is asked

    def _resolve_path_parameters(self, variables: list[str]) -> list[dict[str, Any]]:
        """Return the variables of the address, each with the pattern that the route reads."""
        patterns = dict(_GROUP.findall(self.path_regex))
        return [
            {
                "in": "path",
                "name": name,
                "required": True,
                "schema": {"type": "string", "pattern": f"^{patterns.get(name, '[^/]+')}$"},
            }
            for name in variables
        ]

    def get_override_parameters(self) -> list[Any]:
        """Return the parameters of the query."""
        if not isinstance(self.view, ApiViewSet) or self.method not in ("GET", "DELETE"):
            return list(super().get_override_parameters())
        found: dict[str, Any] = dict(self.view.declared("queries").get(self.view.action, {}))
        if self.view.action == "list":
            found = {"o": self._orders(), **self.view.filters, **found}
        if self.view.action in ("list", "retrieve") and self.method == "GET":
            found["field"] = self._fields()
        return [_parameter(name, meaning) for name, meaning in found.items()]

    def _get_pagination_parameters(self) -> list[dict[str, Any]]:
        """Return page and page_size, in the form that is really read."""
        found: list[dict[str, Any]] = super()._get_pagination_parameters()  # type: ignore[no-untyped-call]
        for parameter in found:
            parameter["schema"] = {"type": "integer", "minimum": 1}
        return found

    def _orders(self) -> Filter:
        """Return what a list is sorted by."""
        names = [f"{sign}{name}" for name in self.view.orderings for sign in ("", "-")]
        schema = {"type": "string", "enum": names} if names else {"type": "string"}
        return Filter(lambda rows, values: rows, schema, "Sorted by; `-` turns round; repeatable.")

    def _fields(self) -> Filter:
        """Return the names of the answer's keys."""
        shown = self.get_response_serializers()
        shown = next(iter(shown.values()), None) if isinstance(shown, dict) else shown
        shown = shown() if isinstance(shown, type) else getattr(shown, "child", shown)
        names = [name for name, field in getattr(shown, "fields", {}).items() if not field.write_only]
        schema = {"type": "string", "enum": names} if names else {"type": "string"}
        told = "Only these keys are answered, whatever the answer's schema requires; repeatable."
        return Filter(lambda rows, values: rows, schema, told)

    def get_request_serializer(self) -> Any:
        """Return what reads the body: `bodies`, else the viewset's serializer where a row is made or changed."""
        if isinstance(self.view, ApiViewSet):
            return self.view.declared_body(self.view.action)
        return super().get_request_serializer()

    # -- what is answered

    def get_response_serializers(self) -> Any:
        """Return the answers by status: `answers`, else the viewset's serializer."""
        view = self.view
        if not isinstance(view, ApiViewSet):
            return super().get_response_serializers()
        action, answers = view.action, view.declared("answers")
        if action == "update" and action not in answers:
            action = "partial_update"
        usual = 201 if action == "create" else 204 if self.method == "DELETE" else 200
        if action not in answers:
            shown = None if self.method == "DELETE" else self._get_serializer()  # type: ignore[no-untyped-call]
            return {usual: shown}
        declared = answers[action]
        pairs = declared if isinstance(declared, list) else [declared]
        return dict(pair if isinstance(pair, tuple) else (usual, pair) for pair in pairs)

    def _map_serializer(
        self, serializer: Any, direction: Any, bypass_extensions: bool = False
    ) -> dict[str, Any]:
        """Return a serializer's schema; an answer requires the keys that are there whatever the row holds."""
        schema: dict[str, Any] = super()._map_serializer(  # type: ignore[no-untyped-call]
            serializer, direction, bypass_extensions
        )
        if direction == "response":
            fields = getattr(serializer, "fields", {})
            schema.pop("required", None)
            always = [name for name in schema.get("properties", {}) if _is_always_there(serializer, name)]
            if always:
                schema["required"] = sorted(always)
            for name, shown in schema.get("properties", {}).items():
                _as_answered(shown, fields.get(name), name)
        return schema

    # -- what all operations share

    def get_auth(self) -> list[dict[str, Any]]:
        """Return the ways to log in; for public views also none."""
        auth: list[dict[str, Any]] = super().get_auth()
        public = any(isinstance(permission, Anybody) for permission in self.view.get_permissions())
        return [*auth, {}] if public else auth

    def _is_detail(self) -> bool:
        return isinstance(self.view, ApiViewSet) and bool(self.view.detail)

    def _add_request_headers(self, operation: Operation) -> None:
        """Name the headers that are read."""
        names = ["Prefer"]
        if self.method == "POST":
            names.append("IdempotencyKey")
        if self.method == "GET" and self._is_detail():
            names.append("IfNoneMatch")
        if getattr(self.view, "action", "") in ("update", "partial_update", "destroy"):
            names.append("IfMatch")
        parameters = operation.setdefault("parameters", [])
        parameters += [_reference("parameters", name) for name in names]

    def _add_errors(self, operation: Operation) -> None:
        """Name the errors that may be answered."""
        wanted = ["400", "401", "403", "404", "406", "429", "500", "503"]
        if self.method in WRITING or getattr(self.view, "action", "") in getattr(self.view, "asking", ()):
            wanted.append("409")
        if self.method in WITH_BODY:
            wanted += ["413", "415"]
        if getattr(self.view, "action", "") in ("update", "partial_update", "destroy"):
            wanted.append("412")
        responses = operation["responses"]
        for status in sorted(wanted):
            responses.setdefault(status, _reference("responses", ERRORS[status][0]))
        if self.method == "GET" and self._is_detail():
            responses["304"] = _reference("responses", "NotModified")

    def _add_answer_headers(self, operation: Operation) -> None:
        """Name the headers of good answers."""
        headers = {"X-Request-Id": "RequestId", "Warning": "Warning"}
        if self.method == "GET" and self._is_list_view():
            headers |= {"X-Result-Count": "ResultCount", "Link": "Link"}
        elif self.method == "GET" and self._is_detail():
            headers["ETag"] = "ETag"
        if self.method == "POST":
            headers["Idempotent-Replayed"] = "Replayed"
        for status, response in operation["responses"].items():
            if status.startswith("2"):
                named = {name: _reference("headers", part) for name, part in headers.items()}
                response["headers"] = {**response.get("headers", {}), **named}


def _is_always_there(serializer: Any, name: str) -> bool:
    """Return whether a key is in every whole answer, as far as its field can tell: what may be unset may be missing."""
    field = serializer.fields.get(name)
    if field is None or name in getattr(serializer, "left_out", ()):
        return False
    if field.default is not empty or field.source == "*" or (field.required and not field.read_only):
        return True
    if "." in str(field.source) and not field.allow_null:
        return False  # what stands before the dot may be nothing
    return bool(field.read_only) or isinstance(serializer, ApiSerializer)


def _as_answered(shown: dict[str, Any], field: Any, name: str) -> None:
    """Describe a key as it is answered: what is only read may be unset, and a text with a form may be empty."""
    if shown.get("format") == "email":
        del shown["format"]
    if "$ref" not in shown and name not in NEVER_NULL and getattr(field, "read_only", False):
        shown.setdefault("nullable", True)


def _parameter(name: str, meaning: Any) -> OpenApiParameter:
    """Return a parameter of the query; each may be repeated."""
    if isinstance(meaning, Mapping):
        schema: Any = dict(meaning)
        told = str(schema.pop("description", ""))
    elif isinstance(meaning, Filter):
        schema, told = {"type": "array", "items": dict(meaning.schema)}, meaning.told
    else:
        told = str(getattr(meaning, "__doc__", "") or "").split("\n")[0]
        schema = {"type": "array", "items": {"type": "string"}}
    return OpenApiParameter(name, type=schema, description=told, required=False)


def add_counts(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Describe `HEAD` of every list: the count, and no row is read."""
    for path in result["paths"].values():
        listing = path.get("get")
        headers = listing["responses"].get("200", {}).get("headers", {}) if listing else {}
        if "X-Result-Count" not in headers or "head" in path:
            continue
        count = copy.deepcopy(listing)
        count["operationId"] = re.sub("_list$", "", listing["operationId"]) + "_count"
        count["description"] = "Count the rows that GET would list (`X-Result-Count`); none is read."
        count["responses"] = {
            status: {key: value for key, value in response.items() if key != "content"}
            if status == "200"
            else response
            for status, response in count["responses"].items()
        }
        path["head"] = count
    return result
