"""Token counts against exact values of the o200k_base vocabulary."""

from __future__ import annotations

import time

import pytest

from agentmart.kit.tokens import count_chat_tokens, count_tokens, load


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("Hello, world!", 4),
        ("hello world", 2),
        ("tiktoken is great!", 6),
        ("antidisestablishmentarianism", 6),
        ("2 + 2 = 4", 7),
        ("お誕生日おめでとう", 8),
        ("日本語", 2),
        ("👩‍👩‍👧", 8),
        ("\x00", 1),
        ("<|endoftext|>", 7),  # text that looks like a special token is plain text here
        ("a" * 1000, 125),
    ],
)
def test_exact_counts(text: str, tokens: int) -> None:
    assert count_tokens(text) == tokens


def test_a_lone_surrogate_counts_as_the_replacement_character() -> None:
    assert count_tokens("\ud800abc") == count_tokens("\ufffdabc") == 2


def test_a_long_text_of_words_is_counted_exactly_across_the_cuts() -> None:
    words = "hello world " * 100_000
    assert count_tokens(words) == 200_001  # 200,000 words and the last space


def test_two_million_characters_without_a_space_are_counted_in_bounded_time() -> None:
    started = time.monotonic()
    assert count_tokens("a" * 2_000_000) == 250_000
    assert count_tokens("👩‍👩‍👧" * 50_000) == 400_000
    assert time.monotonic() - started < 20


def test_a_lone_surrogate_in_a_long_text() -> None:
    assert count_tokens("hello world " * 30_000 + "\udc00") == 60_001  # " \ufffd" is one token


def test_a_chat_counts_role_content_and_frames() -> None:
    # 3 + system(1) + "You are kind."(4); 3 + user(1) + "Hello, world!"(4); 3 for the answer
    assert count_chat_tokens([("system", "You are kind."), ("user", "Hello, world!")]) == 19
    assert count_chat_tokens([]) == 0
    assert count_chat_tokens([("user", "")]) == 7


def test_the_vocabulary_is_loaded_once() -> None:
    assert load() is load()
