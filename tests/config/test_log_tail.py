"""`serve --verbose` shows what the processes write, line by line."""

from __future__ import annotations

from pathlib import Path

from agentmart.config.log_tail import LogTail


def test_only_new_whole_lines_are_shown_with_their_process(tmp_path: Path):
    shown: list[str] = []
    web = tmp_path / "web.log"
    web.write_text("before\n")
    tail = LogTail(tmp_path, shown.append)
    with web.open("a") as file:
        file.write("one\ntw")
    (tmp_path / "worker.log").write_text("hello\n")
    tail.pump()
    assert shown == ["web        one", "worker     hello"]
    with web.open("a") as file:
        file.write("o\n")
    tail.pump()
    assert shown[2:] == ["web        two"]


def test_a_rotated_file_is_shown_from_its_beginning(tmp_path: Path):
    shown: list[str] = []
    log = tmp_path / "web.log"
    log.write_text("a long line of before\n")
    tail = LogTail(tmp_path, shown.append)
    log.write_text("new\n")
    tail.pump()
    assert shown == ["web        new"]
