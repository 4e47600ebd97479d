"""JSON answers: the fast way says what the framework's way says."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db.models import TextChoices
from django.utils.functional import lazystr
from django.utils.safestring import mark_safe
from rest_framework.renderers import JSONRenderer
from rest_framework.utils.serializer_helpers import ReturnDict, ReturnList

from agentmart.infra.renderers import JsonRenderer


class Shade(TextChoices):
    """A word that is a member of a set."""

    RED = "red"


@pytest.mark.parametrize(
    "value",
    [
        {"price": Decimal("99.00"), "tiny": Decimal("0.00000001"), "large": Decimal("1E+5")},
        {"number": 10**30, "half": 0.5, "whole": 3.0, "none": None, "yes": True},
        {"at": datetime(2026, 3, 1, tzinfo=UTC), "then": datetime(2026, 3, 1, 1, 2, 3, 4, tzinfo=UTC)},
        {"day": date(2026, 3, 1), "uuid": UUID(int=7), "set": [Shade.RED], Shade.RED: 1},
        {"lazy": lazystr("later"), "safe": mark_safe("<b>"), "text": 'é"\\\n€'},
        {1: "number", None: "none", False: "no"},
        ReturnList([ReturnDict({"a": 1}, serializer=None), (1, 2)], serializer=None),
        [],
        "",
    ],
)
def test_answers_say_the_same(value: Any) -> None:
    assert json.loads(JsonRenderer().render(value)) == json.loads(JSONRenderer().render(value))


def test_an_answer_without_a_body_is_empty() -> None:
    assert JsonRenderer().render(None) == b""


def test_a_caller_s_indent_is_kept() -> None:
    assert JsonRenderer().render({"a": 1}, "application/json; indent=2") == b'{\n  "a": 1\n}'
