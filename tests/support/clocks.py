"""The clock of requests and jobs, as the fixture `at` sets it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

At = Callable[[datetime], None]
