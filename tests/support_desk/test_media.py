"""What may be attached: the name and the content must say the same, and neither may do harm."""

from __future__ import annotations

import io
import zipfile

import pytest

from agentmart.support.media import KINDS, NotAccepted, accept, clean_name

MOST = 10 * 1024 * 1024
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20
JPEG = b"\xff\xd8\xff\xe0" + b"\0" * 20


def archive(*names: str) -> bytes:
    """A zip archive with these names."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as file:
        for name in names:
            file.writestr(name, "x")
    return target.getvalue()


OFFICE = "application/vnd.openxmlformats-officedocument"
GOOD = [
    ("shot.png", PNG, "image/png"),
    ("SHOT.PNG", PNG, "image/png"),
    ("a.jpg", JPEG, "image/jpeg"),
    ("a.jpeg", JPEG, "image/jpeg"),
    ("a.gif", b"GIF89a....", "image/gif"),
    ("b.gif", b"GIF87a....", "image/gif"),
    ("a.webp", b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp"),
    ("a.pdf", b"%PDF-1.7\n...", "application/pdf"),
    ("a.txt", "Größe: 3 µm\r\n\ttab".encode(), "text/plain"),
    ("a.log", b"\x1b[31mred\x1b[0m\x0c", "text/plain"),
    ("a.md", b"# Title\n<b>bold</b>", "text/markdown"),
    ("a.csv", b"\xef\xbb\xbfa;b\n1;2\n", "text/csv"),
    ("a.json", b'{"a": [1, null]}', "application/json"),
    ("a.zip", archive("x.txt"), "application/zip"),
    ("a.docx", archive("[Content_Types].xml", "word/document.xml"), f"{OFFICE}.wordprocessingml.document"),
    ("a.xlsx", archive("[Content_Types].xml", "xl/workbook.xml"), f"{OFFICE}.spreadsheetml.sheet"),
    ("a.pptx", archive("[Content_Types].xml", "ppt/a.xml"), f"{OFFICE}.presentationml.presentation"),
]


@pytest.mark.parametrize(("name", "content", "media_type"), GOOD)
def test_what_is_accepted(name: str, content: bytes, media_type: str) -> None:
    accepted = accept(name, content, most_bytes=MOST)
    assert (accepted.name, accepted.media_type) == (name, media_type)


def test_every_kind_is_tried() -> None:
    assert {name.rpartition(".")[2].lower() for name, _, _ in GOOD} == set(KINDS)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.png", JPEG),
        ("a.jpg", PNG),
        ("a.png", b"MZ\x90\0"),
        ("a.png", b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"),
        ("a.webp", b"RIFF\x10\0\0\0WAVEfmt "),
        ("a.pdf", b"\n%PDF-1.7"),
        ("a.txt", b"\xff\xfeh\0i\0"),
        ("a.txt", b"text with a \0"),
        ("a.txt", b"\x7fELF\x02\x01\x01"),
        ("a.txt", b"  <!DOCTYPE html><p>hi"),
        ("a.txt", b"\xef\xbb\xbf<HTML><body>"),
        ("a.csv", b"<script>alert(1)</script>"),
        ("a.md", b"<svg onload=alert(1)>"),
        ("a.log", b"<?php system('id');"),
        ("a.json", b"{not json}"),
        ("a.json", b"[" * 100_000),
        ("a.zip", b"PK\x03\x04 but no archive"),
        ("a.zip", PNG),
        ("a.docx", archive("x.txt")),
        ("a.docx", archive("[Content_Types].xml", "xl/workbook.xml")),
        ("a.docx", archive("[Content_Types].xml", "word/document.xml", "word/vbaProject.bin")),
        ("a.xlsx", b"PK\x03\x04"),
    ],
)
def test_a_content_that_is_not_what_the_name_says(name: str, content: bytes) -> None:
    with pytest.raises(NotAccepted) as refused:
        accept(name, content, most_bytes=MOST)
    assert str(refused.value) == f"The content of {name} is not what .{name.rpartition('.')[2]} says."


@pytest.mark.parametrize("name", ["a.html", "a.svg", "a.exe", "a.png.exe", "a", ".png.", "", "a.js", "a.php"])
def test_kinds_that_are_not_accepted(name: str) -> None:
    with pytest.raises(NotAccepted, match="Files of this kind are not accepted; send one of png, jpg, "):
        accept(name, PNG, most_bytes=MOST)


def test_sizes() -> None:
    assert accept("a.png", PNG, most_bytes=len(PNG)).media_type == "image/png"
    with pytest.raises(
        NotAccepted, match=f"^The file has {len(PNG)} bytes; at most {len(PNG) - 1} are accepted.$"
    ):
        accept("a.png", PNG, most_bytes=len(PNG) - 1)
    with pytest.raises(NotAccepted, match=r"^The file is empty\.$"):
        accept("a.png", b"", most_bytes=MOST)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd.txt", "passwd.txt"),
        (r"C:\Users\me\shot.png", "shot.png"),
        ('a"b\r\nX-Evil: 1.txt', "a_b__X-Evil_ 1.txt"),
        ("a\u202egpj.exe.png", "a_gpj.exe.png"),
        ("  .hidden.txt ", "hidden.txt"),
        ("Größe.pdf", "Größe.pdf"),
        ("x" * 300 + ".png", "x" * 146 + ".png"),
        ("y" * 300, "y" * 150),
    ],
)
def test_names_are_harmless(name: str, kept: str) -> None:
    assert clean_name(name) == kept
