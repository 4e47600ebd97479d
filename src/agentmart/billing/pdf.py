"""An invoice as PDF: facts in, bytes out; Typst sets it, no database."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typst

TEMPLATE = Path(__file__).with_name("invoice.typ")


def render(facts: Mapping[str, Any], *, at: datetime) -> bytes:
    """Return the PDF of an invoice's facts (texts, as `documents.facts_of` gives them), the same for the same facts.

    The facts are data to the template and never Typst code.
    """
    compiled = typst.compile(
        TEMPLATE.read_bytes(),
        format="pdf",
        sys_inputs={"facts": json.dumps(facts)},
        timestamp=int(at.astimezone(UTC).timestamp()),
        ignore_system_fonts=True,
    )
    assert isinstance(compiled, bytes)
    return compiled
