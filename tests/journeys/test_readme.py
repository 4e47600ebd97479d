"""The README's tour works as written."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentmart.config.commands.demo import PLAIN_FLOW
from agentmart.config.product import Product, running_product

pytestmark = [pytest.mark.slow, pytest.mark.stack, pytest.mark.runtime]

ROOT = Path(__file__).parents[2]
RUNTIME_VENV = Path(os.environ.get("AGENTMART_RUNTIME_VENV") or ROOT / ".agentmart" / "runtime-venv")


@pytest.fixture
def product(data_dir: Path) -> Iterator[Product]:
    overrides = {"AGENTMART_RUNTIME_VENV": str(RUNTIME_VENV), "OPENAI_API_KEY": ""}
    with running_product(data_dir, overrides=overrides) as running:
        yield running


def test_the_tour(product: Product) -> None:
    block = re.search(r"```bash\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert block and product.admin
    flow = next(RUNTIME_VENV.glob(f"lib/python3*/site-packages/{PLAIN_FLOW}"))
    environment = {
        "PATH": os.environ["PATH"],
        "WEB": product.web_url,
        "GATEWAY": product.gateway_url,
        "TOKEN": product.admin.token,
        "FLOW": str(flow),
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block[1]],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers = list(documents(done.stdout))
    reply = next(answer for answer in answers if "output" in answer)
    usage = next(answer for answer in answers if "totals" in answer)
    assert reply["output"] == "Hello"
    assert usage["totals"]["requests"] == 1


def documents(text: str) -> Iterator[dict[str, Any]]:
    """Read JSON objects that stand one after another."""
    decoder, text = json.JSONDecoder(), text.strip()
    while text:
        value, end = decoder.raw_decode(text)
        yield value
        text = text[end:].strip()
