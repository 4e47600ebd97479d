"""Conditional requests: the tag of an answer, and whether the caller's copy still stands (RFC 9110)."""

from __future__ import annotations

import hashlib
import re

from agentmart.kit.errors import DomainError

_TAG = re.compile(r'(?:W/)?("[^"]*")')


class Changed(DomainError):
    """The object is not any more as the caller read it."""

    code = "precondition_failed"
    status = 412


def tag_of(content: bytes) -> str:
    """Return the weak tag of an answer's bytes: the same answer has the same tag."""
    return f'W/"{hashlib.sha256(content).hexdigest()[:32]}"'


def stands(header: str, tag: str) -> bool:
    """Return whether a list of tags (or `*`) names this one; weak and strong tags compare alike."""
    if header.strip() == "*":
        return True
    return tag.removeprefix("W/") in _TAG.findall(header)
