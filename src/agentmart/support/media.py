"""What may be attached to an issue: by its name and by its content, which must agree."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass

MAX_NAME = 150
_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*\u202a-\u202e\u2066-\u2069]')
_MARKUP = re.compile(rb"\s*(?:<!doctype\s+html|<html|<head|<body|<script|<svg|<iframe|<\?php)", re.IGNORECASE)
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")  # a log may hold colours (escape) and form feeds


class NotAccepted(ValueError):
    """The file may not be attached; the message says why."""


def _starts(*signatures: bytes) -> Callable[[bytes], bool]:
    return lambda content: content.startswith(signatures)


def _is_webp(content: bytes) -> bool:
    return content[:4] == b"RIFF" and content[8:12] == b"WEBP"


def _is_text(content: bytes) -> bool:
    """Whether it is UTF-8 text that no browser could take for a page."""
    if _MARKUP.match(content.removeprefix(b"\xef\xbb\xbf")):
        return False
    try:
        return not _CONTROLS.search(content.decode())
    except UnicodeDecodeError:
        return False


def _is_json(content: bytes) -> bool:
    try:
        json.loads(content)
    except (ValueError, RecursionError):
        return False
    return True


def _is_zip(content: bytes) -> bool:
    return content.startswith((b"PK\x03\x04", b"PK\x05\x06")) and _names_in(content) is not None


def _is_office(folder: str) -> Callable[[bytes], bool]:
    """Whether it is a document of that office program, without macros."""

    def check(content: bytes) -> bool:
        names = _names_in(content)
        return (
            names is not None
            and "[Content_Types].xml" in names
            and any(name.startswith(folder) for name in names)
            and not any(name.lower().endswith("vbaproject.bin") for name in names)
        )

    return check


def _names_in(content: bytes) -> list[str] | None:
    """Return the names in a zip archive; nothing is unpacked."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        return None


_WORD = "application/vnd.openxmlformats-officedocument"

KINDS: dict[str, tuple[str, Callable[[bytes], bool]]] = {
    "png": ("image/png", _starts(b"\x89PNG\r\n\x1a\n")),
    "jpg": ("image/jpeg", _starts(b"\xff\xd8\xff")),
    "jpeg": ("image/jpeg", _starts(b"\xff\xd8\xff")),
    "gif": ("image/gif", _starts(b"GIF87a", b"GIF89a")),
    "webp": ("image/webp", _is_webp),
    "pdf": ("application/pdf", _starts(b"%PDF-")),
    "txt": ("text/plain", _is_text),
    "log": ("text/plain", _is_text),
    "md": ("text/markdown", _is_text),
    "csv": ("text/csv", _is_text),
    "json": ("application/json", _is_json),
    "zip": ("application/zip", _is_zip),
    "docx": (f"{_WORD}.wordprocessingml.document", _is_office("word/")),
    "xlsx": (f"{_WORD}.spreadsheetml.sheet", _is_office("xl/")),
    "pptx": (f"{_WORD}.presentationml.presentation", _is_office("ppt/")),
}
"""Ending of a name → media type, and whether a content is of that kind."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A file as it is kept: a harmless name, and the type its content has."""

    name: str
    media_type: str


def accept(name: str, content: bytes, *, most_bytes: int) -> Accepted:
    """Return under which name and type a file is kept; raises NotAccepted.

    The type that the sender states is not asked: the content decides, and the name must say the same.
    """
    shown = clean_name(name)
    if not content:
        raise NotAccepted("The file is empty.")
    if len(content) > most_bytes:
        raise NotAccepted(f"The file has {len(content)} bytes; at most {most_bytes} are accepted.")
    ending = shown.rpartition(".")[2].lower() if "." in shown else ""
    if ending not in KINDS:
        raise NotAccepted(f"Files of this kind are not accepted; send one of {', '.join(KINDS)}.")
    media_type, is_one = KINDS[ending]
    if not is_one(content):
        raise NotAccepted(f"The content of {shown} is not what .{ending} says.")
    return Accepted(shown, media_type)


def clean_name(name: str) -> str:
    """Return the last part of a name without what file systems and headers read as something else."""
    plain = _UNSAFE.sub("_", name.replace("\\", "/").rpartition("/")[2]).strip(" .")
    stem, dot, ending = plain.rpartition(".")
    return f"{stem[: MAX_NAME - len(ending) - 1]}{dot}{ending}" if stem else plain[:MAX_NAME]
