"""The description of the API is made from the code, without a warning, and names every address."""

from __future__ import annotations

import io
from contextlib import redirect_stderr
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from drf_spectacular.drainage import GENERATOR_STATS

from agentmart.web.urls import router

pytestmark = pytest.mark.django_db


def test_the_description_is_made_without_errors_or_warnings() -> None:
    GENERATOR_STATS.reset()
    told, made = io.StringIO(), io.StringIO()
    with redirect_stderr(told):
        call_command("spectacular", "--validate", stdout=made)
    assert told.getvalue() == ""
    assert "openapi: 3." in made.getvalue()


def test_the_description_is_served_to_everybody_and_names_every_route() -> None:
    answer = Client().get("/api/schema", headers={"Accept": "application/vnd.oai.openapi+json"})
    assert answer.status_code == 200
    described: dict[str, Any] = answer.json()
    offered = {
        (method, callback.actions[method])
        for callback in (pattern.callback for pattern in router.urls)
        for method in callback.actions
        if method != "head"
    }
    operations = [
        (method, operation) for path in described["paths"].values() for method, operation in path.items()
    ]
    assert {method for method, _ in offered} == {method for method, _ in operations}
    assert len(operations) >= len(router.urls)
    assert described["components"]["securitySchemes"]["token"]["name"] == "Authorization"
    relation = described["components"]["schemas"]["Project"]["properties"]["customer"]
    assert relation == {"type": "string", "format": "uri"}
