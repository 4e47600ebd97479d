"""The page of permissions is what the matrix says."""

from __future__ import annotations

from pathlib import Path

from scripts.permissions_page import markdown

from agentmart.identity.permissions import MATRIX, ROLE_LETTERS

ROOT = Path(__file__).parents[2]


def test_the_page_is_made_from_the_matrix() -> None:
    assert (ROOT / "docs" / "permissions.md").read_text() == markdown()


def test_the_matrix_names_only_roles_that_exist() -> None:
    assert {letter for allowed in MATRIX.values() for letter in allowed.split()} <= set(ROLE_LETTERS)
