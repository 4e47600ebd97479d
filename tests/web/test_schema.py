"""The description of the API is made from the code, without a warning, names every address and what goes in and out."""

from __future__ import annotations

import ast
import inspect
import io
from contextlib import redirect_stderr
from textwrap import dedent
from typing import Any

import pytest
from django.contrib.admindocs.views import simplify_regex
from django.core.management import call_command
from django.test import Client
from drf_spectacular.drainage import GENERATOR_STATS

from agentmart.infra.rest import ApiViewSet
from agentmart.web.description import description
from agentmart.web.urls import router

pytestmark = pytest.mark.django_db

Description = dict[str, Any]
PARTS_OF_AN_OFFERING = (
    "attributes",
    "description",
    "image",
    "integration",
    "location",
    "options",
    "overview",
    "resource_options",
    "thumbnail",
)
METHODS = ("get", "put", "post", "delete", "patch", "head")


@pytest.fixture(scope="module")
def described() -> Description:
    """The description."""
    return description()


def routes() -> set[tuple[str, str, str]]:
    """Every (path, method, action) of the router, HEAD left out."""
    found = set()
    for pattern in router.urls:
        path = simplify_regex(str(pattern.pattern)).replace("<", "{").replace(">", "}")
        for method, action in pattern.callback.actions.items():
            if method != "head":
                found.add((f"/api{path}", method, action))
    return found


def viewsets() -> set[type[ApiViewSet]]:
    """Every viewset of the router."""
    return {pattern.callback.cls for pattern in router.urls}


def parameters(operation: Description) -> dict[str, Description]:
    """The parameters that an operation itself lists, by name."""
    return {given["name"]: given for given in operation["parameters"] if "name" in given}


def test_the_description_is_made_without_errors_or_warnings() -> None:
    GENERATOR_STATS.reset()
    told, made = io.StringIO(), io.StringIO()
    with redirect_stderr(told):
        call_command("spectacular", "--validate", stdout=made)
    assert told.getvalue() == ""
    assert "openapi: 3." in made.getvalue()


def test_the_description_is_served_to_everybody(described: Description) -> None:
    answer = Client().get("/api/schema", headers={"Accept": "application/vnd.oai.openapi+json"})
    assert answer.status_code == 200
    assert answer.json()["paths"].keys() == described["paths"].keys()
    assert Client().get("/api/schema/", headers={"If-None-Match": answer["ETag"]}).status_code == 200
    json = {"Accept": "application/vnd.oai.openapi+json", "If-None-Match": answer["ETag"]}
    assert Client().get("/api/schema/", headers=json).status_code == 304
    assert Client().get("/api/schema/").content.startswith(b"openapi: 3")
    page = Client().get("/api/docs/")
    assert page.status_code == 200
    assert b"swagger-ui" in page.content


def test_every_route_and_method_is_described_once(described: Description) -> None:
    operations = {
        (path, method)
        for path, item in described["paths"].items()
        for method in METHODS
        if method in item and method != "head"
    }
    assert {(path, method) for path, method, _ in routes()} - operations == set()
    names = [
        item[method]["operationId"]
        for item in described["paths"].values()
        for method in METHODS
        if method in item
    ]
    assert len(names) == len(set(names))
    assert {"marketplace_orders_approve_by_provider", "customers_count", "users_me"} <= set(names)


def test_every_operation_names_its_errors_with_the_one_schema(described: Description) -> None:
    shared = described["components"]["responses"]
    by_status = {
        "400": "BadRequest",
        "401": "NotAuthenticated",
        "403": "PermissionDenied",
        "404": "NotFound",
    }
    for path, method, action in routes():
        responses = described["paths"][path][method]["responses"]
        for status, name in by_status.items():
            assert responses[status] == {"$ref": f"#/components/responses/{name}"}, (path, method, status)
        conflicts = method in ("post", "put", "patch", "delete") or action == "importable_flows"
        assert ("409" in responses) == conflicts, (path, method)
        assert ("413" in responses) == ("415" in responses) == (method in ("post", "put", "patch")), path
        assert [status for status in responses if status.startswith("2")], (path, method)
    for name in ("NotAuthenticated", "PermissionDenied", "NotFound", "Conflict", "TooLarge"):
        assert shared[name]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Error"}
    assert described["components"]["schemas"]["Error"]["required"] == ["detail"]


def test_a_list_names_its_parameters_headers_and_count(described: Description) -> None:
    orders = described["paths"]["/api/marketplace-orders/"]
    given = parameters(orders["get"])
    assert {"page", "page_size", "field", "o", "state", "customer_uuid"} <= set(given)
    assert "pending-provider" in given["state"]["schema"]["items"]["enum"]
    assert {"created", "-created"} <= set(given["o"]["schema"]["items"]["enum"])
    assert "marketplace_resource_uuid" in given["field"]["schema"]["items"]["enum"]
    assert {"X-Result-Count", "Link", "X-Request-Id", "Warning"} <= set(
        orders["get"]["responses"]["200"]["headers"]
    )
    assert orders["head"]["operationId"] == "marketplace_orders_count"
    assert "content" not in orders["head"]["responses"]["200"]
    assert "X-Result-Count" in orders["head"]["responses"]["200"]["headers"]


def test_every_list_has_a_count_and_every_detail_a_tag(described: Description) -> None:
    for path, method, action in routes():
        item = described["paths"][path]
        if action == "list":
            assert "X-Result-Count" in item["head"]["responses"]["200"]["headers"], path
        if action == "retrieve":
            assert "ETag" in item[method]["responses"]["200"]["headers"], path
            assert item[method]["responses"]["304"], path
            assert {"$ref": "#/components/parameters/IfNoneMatch"} in item[method]["parameters"], path


def test_every_post_takes_an_idempotency_key(described: Description) -> None:
    for path, method, _ in routes():
        named = {"$ref": "#/components/parameters/IdempotencyKey"} in described["paths"][path][method][
            "parameters"
        ]
        assert named == (method == "post"), (path, method)


def test_making_a_row_is_201_and_deleting_one_204(described: Description) -> None:
    for path, method, action in routes():
        responses = described["paths"][path][method]["responses"]
        if action == "create":
            assert "201" in responses, path
        if action == "destroy":
            assert "content" not in responses["204"], path


def test_public_addresses_say_so(described: Description) -> None:
    paths = described["paths"]
    assert {} in paths["/api/marketplace-categories/"]["get"]["security"]
    assert {"token": []} in paths["/api/invoices/"]["get"]["security"]
    assert {} not in paths["/api/invoices/"]["get"]["security"]
    assert described["components"]["securitySchemes"]["token"]["name"] == "Authorization"


def test_a_relation_is_an_address_and_a_uuid_is_hex(described: Description) -> None:
    project = described["components"]["schemas"]["Project"]
    assert project["properties"]["customer"] == {"type": "string", "format": "uri"}
    assert project["properties"]["uuid"] == {
        "type": "string",
        "pattern": "^[0-9a-f]{32}$",
        "readOnly": True,
    }
    assert {"url", "uuid", "name", "customer", "resources_count"} <= set(project["required"])
    assert described["components"]["schemas"]["ProjectRequest"]["required"] == ["customer", "name"]


def test_declarations_name_actions_that_exist() -> None:
    for viewset in viewsets():
        for name in ("bodies", "answers", "queries"):
            unknown = [action for action in getattr(viewset, name) if not hasattr(viewset, action)]
            assert unknown == [], (viewset.__name__, name)


def written(viewset: type[ApiViewSet], action: str) -> tuple[bool, set[str]]:
    """Whether an action's own code reads a body, and the serializers it names for that."""
    function = getattr(viewset, action)
    tree = ast.parse(dedent(inspect.getsource(function)))
    reads, named = False, set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "self.payload":
            reads = True
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "self.body":
            reads = True
            named |= {ast.unparse(argument) for argument in node.args}
    return reads, named


def test_what_is_validated_is_what_is_described() -> None:
    """An action that reads a body declares it, and the serializer it names is the declared one."""
    for _, method, action in routes():
        if method not in ("post", "put", "patch"):
            continue
        for viewset in viewsets():
            if not hasattr(viewset, action):
                continue
            reads, named = written(viewset, action)
            declared = viewset().declared_body(action)
            described_by_hand = "schema" in getattr(getattr(viewset, action), "kwargs", {})
            if reads and not described_by_hand:
                assert declared is not None, (viewset.__name__, action)
                assert named <= {kind.__name__ for kind in declared.__mro__}, (viewset.__name__, action)


def test_every_further_action_says_what_it_answers() -> None:
    """Nothing is described by the framework's guess: the viewset's serializer, for an action that answers otherwise."""
    ordinary = {"list", "retrieve", "create", "update", "partial_update", "destroy"}
    shows_the_row = {"set_backend_metadata", *(f"update_{part}" for part in PARTS_OF_AN_OFFERING)}
    for pattern in router.urls:
        viewset = pattern.callback.cls
        for action in set(pattern.callback.actions.values()) - ordinary - shows_the_row:
            described_by_hand = "schema" in getattr(getattr(viewset, action), "kwargs", {})
            assert described_by_hand or action in viewset.declared("answers"), (viewset.__name__, action)
