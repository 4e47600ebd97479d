"""Fixtures of the journeys: a runtime that only remembers, and a signing key."""

from __future__ import annotations

import pytest
from tests.support.runtime import RememberingRuntime


@pytest.fixture(autouse=True)
def fake(runtime: RememberingRuntime, signing_key: None) -> RememberingRuntime:
    return runtime
