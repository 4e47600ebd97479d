"""What the description calls required is in every answer, whatever is unset."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admindocs.views import simplify_regex
from tests.infra.test_lists import LISTS
from tests.support.market import ok
from tests.support.shop import Shop

from agentmart.web.description import description
from agentmart.web.urls import router

pytestmark = pytest.mark.django_db

Schema = dict[str, Any]


def resolved(schema: Schema) -> Schema:
    """The schema behind a reference."""
    while "$ref" in schema or len(schema.get("allOf", ())) == 1:
        if "$ref" in schema:
            schema = description()["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
        else:
            schema = schema["allOf"][0]
    return schema


def missing(schema: Schema, value: Any, place: str) -> set[str]:
    """The required keys that a value lacks, with their places."""
    schema = resolved(schema)
    if isinstance(value, list):
        return {told for item in value for told in missing(schema.get("items", {}), item, place)}
    if not isinstance(value, dict):
        return set()
    lacks = {f"{place}.{name}" for name in schema.get("required", ()) if name not in value}
    for name, below in schema.get("properties", {}).items():
        if name in value:
            lacks |= missing(below, value[name], f"{place}.{name}")
    return lacks


def answered(path: str) -> Schema:
    """The schema of a GET's good answer."""
    (content,) = description()["paths"][path]["get"]["responses"]["200"]["content"].values()
    found: Schema = content["schema"]
    return found


def test_every_row_and_every_detail_has_what_is_required(shop: Shop) -> None:
    seen = 0
    lacks: set[str] = set()
    details = {
        f"/api{simplify_regex(str(pattern.pattern)).replace('<', '{').replace('>', '}')}"
        for pattern in router.urls
        if pattern.callback.actions.get("get") == "retrieve"
    }
    for person in (shop.world.operator, shop.world.provider, shop.world.buyer):
        for path in sorted(LISTS):
            rows = ok(person.api.get(path, page_size=300))
            lacks |= missing(answered(path), rows, path)
            seen += len(rows)
            detail = f"{path}{{uuid}}/"
            for row in rows[:3]:
                if detail in details and "uuid" in row:
                    shown = person.api.get(f"{path}{row['uuid']}/")
                    if shown.status_code == 200:
                        lacks |= missing(answered(detail), shown.json(), detail)
    assert sorted(lacks) == []
    assert seen > 100
