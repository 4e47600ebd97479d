"""Refusals of the REST API, read place by place."""

from __future__ import annotations

from typing import Any


def places(refusal: Any, place: str = "") -> dict[str, list[str]]:
    """What a 400 says by place (`usages[0].type`); it must be nested like the request, with sentences at the ends."""
    if isinstance(refusal, list) and all(isinstance(item, str) for item in refusal):
        return {place: refusal}
    found: dict[str, list[str]] = {}
    if isinstance(refusal, list):
        for index, item in enumerate(refusal):
            assert isinstance(item, dict), refusal
            found |= places(item, f"{place}[{index}]")
        return found
    assert isinstance(refusal, dict), refusal
    for name, below in refusal.items():
        assert "." not in name and "[" not in name, refusal
        found |= places(below, f"{place}.{name}" if place else name)
    return found
