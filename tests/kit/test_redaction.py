"""Personal and secret parts of texts become unreadable, in linear time, also by patterns of one's own."""

from __future__ import annotations

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentmart.kit.errors import Invalid
from agentmart.kit.redaction import BUILT_IN, MOST_OWN, Own, redactor


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Mail ann.lee+x@mail.example.co.uk.", "Mail [email]."),
        ("jörg@bücher.example!", "[email]!"),
        ("not@home and @you", "not@home and @you"),
        ("ring +49 (30) 123-4567 or 0049301234567", "ring [phone] or [phone]"),
        ("030 1234567, (415) 555-2671, 212-555-0100", "[phone], [phone], [phone]"),
        ("on 01.02.2026, 2026-03-10 12:00 or 10/12/2025", "on 01.02.2026, 2026-03-10 12:00 or 10/12/2025"),
        ("card 4111 1111 1111 1111, 5500-0000-0000-0004", "card [card], [card]"),
        ("not a card: 4111 1111 1111 1112", "not a card: 4111 1111 1111 1112"),
        ("ar_sk_live_eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx.sig-nature_", "[api_key]"),
        ("sk-proj-abcdefghijklmnop1234 ghp_abcdefghijklmnop", "[api_key] [api_key]"),
        ("Authorization: Bearer abcdefghijklmnop0123", "Authorization: [api_key]"),
        ('{"api_key": "abcdef123456"}', '{"[api_key]"}'),
        ("password=hunter22", "[api_key]"),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nMIIE+/==\n-----END RSA PRIVATE KEY----- end",
            "[api_key] end",
        ),
        ("nothing of the kind: 42 apples for 3.50", "nothing of the kind: 42 apples for 3.50"),
    ],
)
def test_what_is_built_in(text: str, expected: str) -> None:
    assert redactor(BUILT_IN)(text) == expected


def test_only_what_is_named_is_redacted() -> None:
    assert redactor(["email"])("ann@example.com +49 30 1234567") == "[email] +49 30 1234567"
    assert redactor([])("ann@example.com") == "ann@example.com"


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("ORD-[0-9]{4,6}", "ORD-1234567 ord-1234", "[own]7 ord-1234"),
        ("K\\d{3}|L\\d{2}", "K123 L12 M12", "[own] [own] M12"),
        ("\\bcat\\b", "cat concat", "[own] concat"),
        ("a.?c", "ac abc", "ac [own]"),  # each part takes all it can
        ("[^a-z\\s]{2}", "ab 12 x", "ab [own] x"),
        ("[-.]x", "-x .x", "[own] [own]"),
        ("1\\+1", "1+1=2", "[own]=2"),
        ("Ünï", "Ünï", "[own]"),
    ],
)
def test_own_patterns(pattern: str, text: str, expected: str) -> None:
    assert redactor([Own("own", pattern)])(text) == expected


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "x" * 201,
        "a*",
        "a+",
        "(a)",
        "(?i)a",
        "^a",
        "a$",
        "a{1,999}",
        "a{129}",
        "a{2,1}",
        "a{0}",
        "a{,3}",
        "a{1,2}{3}",
        "a??",
        "[z-a]",
        "[a-\\d]",
        "[]",
        "[a",
        "\\",
        "\\1",
        "\\x41",
        "a|",
        "|a",
        "a||b",
        "a?",
        "|".join("abcdefghi"),
        "{2}",
    ],
)
def test_patterns_that_are_refused(pattern: str) -> None:
    with pytest.raises(Invalid) as refused:
        redactor([Own("own", pattern)])
    assert refused.value.field == "redact"


@pytest.mark.parametrize(
    "rules",
    [
        ["weather"],
        ["email", "email"],
        [Own("email", "x")],
        [Own("Big", "x")],
        [Own("a", "x"), Own("a", "y")],
        [Own("a", "x{100}"), Own("b", "y{29}")],
        [Own(f"p{n}", "x") for n in range(MOST_OWN + 1)],
    ],
)
def test_rules_that_are_refused(rules: list[str | Own]) -> None:
    with pytest.raises(Invalid):
        redactor(rules)


HOSTILE = [
    "a" * 16_000,
    "1" * 16_000,
    "a@" * 8_000,
    "a@b." * 4_000,
    "eyJ" * 5_400,
    "+1" * 8_000,
    "0 " * 8_000,
    "1 " * 8_000,
    "-----BEGIN PRIVATE KEY-----" * 600,
    "api_key=" * 2_000,
    "bearer " * 2_300,
    "sk-" * 5_300,
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:10])
def test_no_text_takes_long(text: str) -> None:
    own = [Own("one", "[a-z]{1,60}z"), Own("two", "\\w{1,60}!")]
    redact = redactor([*BUILT_IN, *own])
    began = process_time()
    redact(text)
    assert (
        process_time() - began < 1.0
    )  # some 10 ms on an idle machine; a pattern that goes back takes minutes


@given(st.text(alphabet="ab1-[]{}|\\dws,?.^*+()", min_size=1, max_size=30), st.text(max_size=100))
def test_any_pattern_is_refused_or_ends(pattern: str, text: str) -> None:
    try:
        redact = redactor([Own("own", pattern)])
    except Invalid:
        return
    redact(text)


@given(st.text(max_size=300))
def test_any_text_can_be_redacted(text: str) -> None:
    redactor(BUILT_IN)(text)
