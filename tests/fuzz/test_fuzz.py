"""Every parser of the gateway is fed what is nearly right; none may fail in a way it does not say.

24,000 inputs in the suite; `make fuzz` feeds more than a million, from seeds that differ by the day.
"""

from __future__ import annotations

import logging
import os
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fuzz.mutation import mutated
from tests.fuzz.targets import TARGETS, Target

INPUTS = int(os.environ.get("AGENTMART_FUZZ_INPUTS", "24000"))
SEED = os.environ.get("AGENTMART_FUZZ_SEED", "agentmart")
EACH = -(-INPUTS // len(TARGETS))

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture(autouse=True)
def quiet() -> None:
    """What parsers log of a million bad inputs helps nobody."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_mutated_inputs(target: Target) -> None:
    for seed in target.seeds:
        target.feed(seed)
    rng = random.Random(f"{SEED} {target.name}")
    for number in range(EACH):
        data = mutated(rng, target.seeds)
        try:
            target.feed(data)
        except Exception as error:
            raise AssertionError(f"input {number} of seed {SEED!r}: {data[:2000]!r}") from error


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
@settings(max_examples=100)
@given(data=st.binary(max_size=200) | _json.map(lambda value: repr(value).encode("utf-8", "replace")))
def test_inputs_of_all_kinds(target: Target, data: bytes) -> None:
    target.feed(data)
