"""Where a real Langflow server is for the tests marked `langflow`; `make test-langflow` starts one and says so."""

from __future__ import annotations

import os

import pytest

URL = os.environ.get("LANGFLOW_TEST_URL", "")
KEY = os.environ.get("LANGFLOW_TEST_API_KEY", "")

needed = pytest.mark.skipif(not URL, reason="no Langflow server: make test-langflow starts one")
