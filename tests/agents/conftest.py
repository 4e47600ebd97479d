"""Fixtures: a studio that providers import from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.studio import StudioStub, running_studio


@pytest.fixture
def studio(settings: Any) -> Iterator[StudioStub]:
    """A Langflow Studio on loopback, which the operator allows."""
    settings.STUDIO_HOSTS = frozenset({"127.0.0.1"})
    settings.STORED_SECRETS_KEYS = ("a secret of this test",)
    with running_studio() as stub:
        yield stub
