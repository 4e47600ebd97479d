"""What is sealed opens with its secret, for its row and purpose, and with nothing else."""

from __future__ import annotations

from uuid import uuid4

import pytest

from agentmart.kit.sealing import Unreadable, seal, unseal

ROW = uuid4()


def test_it_opens_with_any_of_the_secrets() -> None:
    sealed = seal(b"content", ROW, secret="old", purpose=b"test")
    assert unseal(sealed, ROW, secrets=["new", "old"], purpose=b"test") == b"content"
    assert b"content" not in sealed
    assert seal(b"content", ROW, secret="old", purpose=b"test") != sealed


@pytest.mark.parametrize(
    ("row", "secrets", "purpose"),
    [(uuid4(), ["old"], b"test"), (ROW, ["new"], b"test"), (ROW, [], b"test"), (ROW, ["old"], b"other")],
)
def test_it_opens_with_nothing_else(row: object, secrets: list[str], purpose: bytes) -> None:
    sealed = seal(b"content", ROW, secret="old", purpose=b"test")
    with pytest.raises(Unreadable):
        unseal(sealed, row, secrets=secrets, purpose=purpose)  # type: ignore[arg-type]


def test_a_changed_byte_is_noticed() -> None:
    sealed = bytearray(seal(b"content", ROW, secret="old", purpose=b"test"))
    sealed[-1] ^= 1
    with pytest.raises(Unreadable):
        unseal(bytes(sealed), ROW, secrets=["old"], purpose=b"test")
