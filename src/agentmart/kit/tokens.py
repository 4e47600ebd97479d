"""Counting tokens without a network: the vocabulary o200k_base, which comes inside its package."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from threading import Lock
from typing import Protocol

PACKAGE = "bpe_openai"
ENCODING = "o200k_base"
MESSAGE_OVERHEAD = 3
"""Tokens that frame one chat message, and once more the answer that follows (the usual counting convention)."""

# One call into the tokenizer takes some 15 ms for this many characters; the rest of the process waits as long.
_CHUNK = 262_144
_SEAM = 256

_loading = Lock()


class Encoding(Protocol):
    """The tokenizer of one vocabulary."""

    def count(self, text: str) -> int:
        """Return the tokens of a text."""


def count_tokens(text: str) -> int:
    """Return how many o200k_base tokens a text has; special tokens count as the plain text they are written in.

    Linear in the length (some 20 million characters a second). Exact up to 262,144 characters; longer texts are
    cut, between two words where there are any, else a cut may add a token. A lone surrogate counts as U+FFFD. The
    first call loads the vocabulary (0.1 s, 70 MB): see `load`.
    """
    if not text:
        return 0
    encoding = load()
    try:
        return sum(map(encoding.count, _chunks(text)))
    except UnicodeEncodeError:
        whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return sum(map(encoding.count, _chunks(whole)))


def count_chat_tokens(messages: Iterable[tuple[str, str]]) -> int:
    """Return the input tokens of a chat of (role, content) pairs.

    Each message counts its role, its content and 3 for its frame; 3 more open the answer. An empty chat is 0.
    """
    total = sum(MESSAGE_OVERHEAD + count_tokens(role) + count_tokens(text) for role, text in messages)
    return total + MESSAGE_OVERHEAD if total else 0


def load() -> Encoding:
    """Load the vocabulary once per process, so that the first count need not wait for it; returns the encoding."""
    with _loading:
        return _encoding()


def is_loaded() -> bool:
    """Return whether counting begins at once."""
    return _encoding.cache_info().currsize > 0


@cache
def _encoding() -> Encoding:
    """Load the package's compiled module by itself.

    Importing the package would also unpack three vocabularies into Python dicts: 1.4 s and 70 MB more, for nothing
    that counting needs.
    """
    package = find_spec(PACKAGE)
    places = package.submodule_search_locations if package else None
    spec = PathFinder.find_spec("_bindings", places) if places else None
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(f"{PACKAGE} with its compiled module is not installed", name=PACKAGE)
    bindings = module_from_spec(spec)
    spec.loader.exec_module(bindings)
    encoding: Encoding = bindings.tokenizer_for_encoding(ENCODING)
    return encoding


def _chunks(text: str) -> Iterable[str]:
    """Cut a text into parts of at most 262,144 characters, where possible before a space between two words."""
    start = 0
    while len(text) - start > _CHUNK:
        end = start + _CHUNK
        space = text.rfind(" ", end - _SEAM, end)
        if space > start and text[space - 1].isalnum() and text[space + 1].isalpha():
            end = space
        yield text[start:end]
        start = end
    yield text[start:]
