"""Making personal and secret parts of a text unreadable: e-mail addresses, phone and card numbers, keys, own patterns.

Every pattern takes time linear in the text: what repeats is bounded, and own patterns are a small language (single
characters, classes, bounded repetitions, alternatives) that is compiled so that nothing is ever tried twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from agentmart.kit.errors import Invalid

BUILT_IN = ("email", "phone", "card", "api_key")
MOST_OWN = 5
LONGEST_PATTERN = 200
MOST_CHARACTERS = 128
"""What all parts of all own patterns may match together."""
MOST_BRANCHES = 8

_NAME = re.compile(r"[a-z][a-z0-9_]{0,29}")
_QUANTITY = re.compile(r"\{([0-9]{1,3})(?:,([0-9]{1,3}))?\}")
_CLASSES = frozenset("dDwWsS")
_EDGE = "b"
_RESERVED = frozenset("()^$*+?{}")

_EMAIL = re.compile(r"(?<![\w.%+\-])[\w.%+\-]{1,254}+@(?:[\w-]{1,63}+\.){1,8}\w{2,24}")
_CARD = re.compile(r"(?<!\d)\d(?:[ \-]?\d){12,18}+(?!\d)")
_PHONES = (
    re.compile(r"(?<![\w+])(?:\+|00)[1-9](?:[ ().\-/]{0,2}+\d){6,14}+"),
    re.compile(
        r"(?<![\w.+\-/])(?!\d{1,2}[./-]\d{1,2}[./-]\d{2,4}(?!\d))\(?0\d{1,5}\)?(?:[ .\-/]{0,2}+\d){5,10}+(?!\d)"
    ),
    re.compile(r"(?<!\w)\(?[2-9]\d{2}\)?[ .\-]\d{3}[ .\-]\d{4}(?!\d)"),
)
_KEYS = (
    re.compile(
        r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----[A-Za-z0-9+/=\s]{0,8000}+(?:-----END [A-Z ]{0,20}PRIVATE KEY-----)?"
    ),
    re.compile(
        r"(?<![A-Za-z0-9])(?:ar_[sp]k_(?:live|test)_|sk-|sk_|pk_|rk_|gh[pousr]_|github_pat_|glpat-|xox[abprs]-|hf_"
        r"|AIza|AKIA|ASIA|ya29\.|SG\.)[\w\-.]{12,1024}+"
    ),
    re.compile(r"(?<![\w\-])eyJ[\w\-]{8,1024}+\.[\w\-]{8,4096}+(?:\.[\w\-]{8,1024}+)?"),
    re.compile(r"(?i)\b(?:bearer|basic)\s{1,3}[\w\-.=+/~]{16,1024}+"),
    re.compile(
        r"(?i)(?:api[_-]?key|secret|password|passwd|access[_-]?token)[\"']?\s{0,3}[:=]\s{0,3}[\"']?[^\s\"',;]{6,256}+"
    ),
)


@dataclass(frozen=True, slots=True)
class Own:
    """A pattern of one's own; what it matches becomes `[name]`."""

    name: str
    pattern: str


Rule = str | Own


def redactor(rules: Sequence[Rule]) -> Callable[[str], str]:
    """Return what makes the parts of a text unreadable that the rules name, own patterns first; raises Invalid."""
    return _redactor(tuple(rules))


def check_rules(rules: Sequence[Rule]) -> None:
    """Raise Invalid (field redact) for a rule that does not exist, a name used twice or a pattern that is refused."""
    names = [rule if isinstance(rule, str) else rule.name for rule in rules]
    if len(set(names)) != len(names):
        raise Invalid("Name each pattern once.", field="redact")
    own = [rule for rule in rules if isinstance(rule, Own)]
    if len(own) > MOST_OWN:
        raise Invalid(f"Give at most {MOST_OWN} patterns of your own.", field="redact")
    matched = 0
    for rule in rules:
        if isinstance(rule, Own):
            if not _NAME.fullmatch(rule.name) or rule.name in BUILT_IN:
                raise Invalid(
                    "Name a pattern with small letters, digits and _; the built-in names are taken.",
                    field="redact",
                )
            matched += _compiled(rule.pattern)[1]
        elif rule not in BUILT_IN:
            raise Invalid(
                f"Choose from {', '.join(BUILT_IN)}, or give an object with name and pattern.", field="redact"
            )
    if matched > MOST_CHARACTERS:
        raise _refused(f"together your patterns could match more than {MOST_CHARACTERS} characters")


@lru_cache(maxsize=1024)
def _redactor(rules: tuple[Rule, ...]) -> Callable[[str], str]:
    check_rules(rules)
    steps: list[Callable[[str], str]] = []
    for rule in rules:
        if isinstance(rule, Own):
            steps.append(_substitution(_compiled(rule.pattern)[0], f"[{rule.name}]"))
    if "api_key" in rules:
        steps += [_substitution(pattern, "[api_key]") for pattern in _KEYS]
    if "email" in rules:
        steps.append(_substitution(_EMAIL, "[email]"))
    if "card" in rules:
        steps.append(lambda text: _CARD.sub(_card, text))
    if "phone" in rules:
        steps += [_substitution(pattern, "[phone]") for pattern in _PHONES]

    def redact(text: str) -> str:
        for step in steps:
            text = step(text)
        return text

    return redact


def _substitution(pattern: re.Pattern[str], mark: str) -> Callable[[str], str]:
    return lambda text: pattern.sub(mark, text)


def _card(found: re.Match[str]) -> str:
    """Return the mark for a number with a right check digit (Luhn), anything else as it is."""
    digits = [int(character) for character in found[0] if character.isdigit()]
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2]]
    return "[card]" if (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0 else found[0]


# -- patterns of one's own


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> tuple[re.Pattern[str], int]:
    """Return an own pattern compiled, and how many characters it tries at most; raises Invalid that says why not."""
    if not 0 < len(pattern) <= LONGEST_PATTERN:
        raise _refused(f"give 1 to {LONGEST_PATTERN} characters")
    parser = _Parser(pattern)
    return re.compile(parser.parse()), parser.characters


class _Parser:
    """Reads an own pattern and writes it as a regular expression that never goes back."""

    def __init__(self, pattern: str) -> None:
        self._text = pattern
        self._at = 0
        self.characters = 0  # that all parts may match together

    def parse(self) -> str:
        """Return the expression; raises Invalid."""
        branches = [self._branch()]
        while self._at < len(self._text):
            self._at += 1  # over the |
            branches.append(self._branch())
        if len(branches) > MOST_BRANCHES:
            raise _refused(f"give at most {MOST_BRANCHES} alternatives")
        return "|".join(branches)

    def _branch(self) -> str:
        parts: list[str] = []
        least = 0
        while self._at < len(self._text) and self._text[self._at] != "|":
            part, is_edge = self._atom()
            if is_edge:
                parts.append(part)
                continue
            low, high = self._quantity()
            self.characters += high
            least += low
            parts.append(part if low == high == 1 else f"{part}{{{low},{high}}}+")
        if not least:
            raise _refused("each alternative must match at least one character")
        if self.characters > MOST_CHARACTERS:
            raise _refused(f"it could match more than {MOST_CHARACTERS} characters")
        return "".join(parts)

    def _next(self) -> str:
        if self._at >= len(self._text):
            raise _refused("it ends too early")
        character = self._text[self._at]
        self._at += 1
        return character

    def _atom(self) -> tuple[str, bool]:
        """Return one character's expression, and whether it is an edge of a word instead."""
        character = self._next()
        if character == "\\":
            escaped = self._next()
            if escaped == _EDGE:
                return r"\b", True
            return self._escaped(escaped), False
        if character == "[":
            return self._class(), False
        if character == ".":
            return ".", False
        if character in _RESERVED:
            raise _refused(
                f"{character} is not understood here; write \\{character} for the character itself"
            )
        return re.escape(character), False

    def _escaped(self, character: str) -> str:
        if character in _CLASSES:
            return f"\\{character}"
        if character.isalnum():
            raise _refused(f"\\{character} is not understood; there are \\d \\w \\s \\b and their like")
        return re.escape(character)

    def _class(self) -> str:
        """Return a class like [A-Z0-9_]."""
        negated = self._at < len(self._text) and self._text[self._at] == "^"
        if negated:
            self._at += 1
        items: list[str] = []
        while (item := self._member()) is not None:
            if self._text[self._at : self._at + 1] == "-" and self._text[self._at + 1 : self._at + 2] not in (
                "]",
                "",
            ):
                self._at += 1
                last = self._member()
                if last is None or item in _SETS or last in _SETS or _code(last) < _code(item):
                    raise _refused("a range in [ ] goes from one character to a later one")
                item = f"{item}-{last}"
            items.append(item)
        if not items:
            raise _refused("[ ] holds nothing")
        return f"[{'^' if negated else ''}{''.join(items)}]"

    def _member(self) -> str | None:
        """Return the next character or set of a class, None at its end."""
        character = self._next()
        if character == "]":
            return None
        if character == "\\":
            return self._escaped(self._next())
        return re.escape(character) if character != "-" else r"\-"

    def _quantity(self) -> tuple[int, int]:
        """Return how often the last character may come."""
        if self._at >= len(self._text) or self._text[self._at] not in "?*+{":
            return 1, 1
        if self._text[self._at] == "?":
            self._at += 1
            return self._single(0, 1)
        found = _QUANTITY.match(self._text, self._at)
        if found is None:
            raise _refused("say how often at most, like {1,20}; * and + have no bound")
        self._at = found.end()
        low = int(found[1])
        high = low if found[2] is None else int(found[2])
        if not low <= high or not high:
            raise _refused(f"{found[0]} is no range")
        return self._single(low, high)

    def _single(self, low: int, high: int) -> tuple[int, int]:
        if self._at < len(self._text) and self._text[self._at] in "?*+{":
            raise _refused("a repetition cannot be repeated")
        return low, high


_SETS = frozenset(f"\\{name}" for name in _CLASSES)


def _code(member: str) -> int:
    """Return a class member's character code."""
    return ord(member[-1])


def _refused(why: str) -> Invalid:
    return Invalid(f"This pattern cannot be used: {why}.", field="redact")
