"""Mutations: bytes that are nearly right, made from right ones. Seeded, so that a finding can be found again."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

WORDS = (
    b"",
    b"\x00",
    b"\xff\xfe",
    b"\xed\xa0\x80",  # a lone surrogate
    b"\\ud800",
    b"null",
    b"true",
    b"-1",
    b"1e999",
    b"NaN",
    b"9" * 40,
    b'"',
    b"\\",
    b"{}",
    b"[]",
    b"[" * 2000,
    b'{"a":' * 2000,
    b"\r\n",
    b"\n\n",
    b"\r\n\r\n",
    b": ",
    b"data: ",
    b"%00",
    b"../",
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    "\N{ARABIC-INDIC DIGIT FIVE}".encode(),
    b"x" * 5000,
)


def _flip(rng: random.Random, data: bytearray, _seeds: Sequence[bytes]) -> None:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _put(rng: random.Random, data: bytearray, _seeds: Sequence[bytes]) -> None:
    place = rng.randint(0, len(data))
    data[place:place] = rng.choice(WORDS)


def _replace(rng: random.Random, data: bytearray, _seeds: Sequence[bytes]) -> None:
    start = rng.randint(0, len(data))
    data[start : start + rng.randint(0, 12)] = rng.choice(WORDS)


def _cut(rng: random.Random, data: bytearray, _seeds: Sequence[bytes]) -> None:
    del data[rng.randint(0, len(data)) :]


def _drop(rng: random.Random, data: bytearray, _seeds: Sequence[bytes]) -> None:
    start = rng.randint(0, len(data))
    del data[start : start + rng.randint(1, 20)]


def _double(rng: random.Random, data: bytearray, _seeds: Sequence[bytes]) -> None:
    start = rng.randint(0, len(data))
    part = data[start : start + rng.randint(1, 60)]
    data[start:start] = part


def _splice(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    other = rng.choice(seeds)
    data[rng.randint(0, len(data)) :] = other[rng.randint(0, len(other)) :]


def _noise(rng: random.Random, data: bytearray, _seeds: Sequence[bytes]) -> None:
    data[:] = rng.randbytes(rng.randint(0, 80))


_WAYS: tuple[Callable[[random.Random, bytearray, Sequence[bytes]], None], ...] = (
    _flip,
    _flip,
    _put,
    _put,
    _replace,
    _replace,
    _cut,
    _drop,
    _double,
    _splice,
    _splice,
    _noise,
)
MOST = 200_000


def mutated(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Return one of the seeds, changed in one to five ways."""
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.randint(1, 5)):
        rng.choice(_WAYS)(rng, data, seeds)
    return bytes(data[:MOST])
