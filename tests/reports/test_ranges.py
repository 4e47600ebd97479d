"""Which days a report covers."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from agentmart.kit.errors import Invalid
from agentmart.reports.ranges import Range, month_range, read_month, read_range

TODAY = date(2026, 3, 20)


def read(start: str | None = None, end: str | None = None) -> tuple[date, date]:
    found = read_range(start, end, today=TODAY)
    return found.start, found.end


def test_this_month_is_the_default() -> None:
    assert read() == (date(2026, 3, 1), date(2026, 3, 31))
    assert read_range(None, None, today=TODAY, default=month_range(date(2024, 2, 9))) == Range(
        date(2024, 2, 1), date(2024, 2, 29)
    )


def test_both_days_are_included() -> None:
    found = read_range("2024-01-01", "2024-01-31", today=TODAY)
    assert found.since == datetime(2024, 1, 1, tzinfo=UTC)
    assert found.until == datetime(2024, 2, 1, tzinfo=UTC)
    assert read("2024-01-31", "2024-01-31") == (date(2024, 1, 31), date(2024, 1, 31))


def test_one_missing_end_is_this_month_s_or_the_other_s() -> None:
    assert read("2026-03-05") == (date(2026, 3, 5), date(2026, 3, 31))
    assert read("2026-05-05") == (date(2026, 5, 5), date(2026, 5, 31))
    assert read(None, "2024-02-10") == (date(2024, 2, 1), date(2024, 2, 10))


def test_36_months_are_the_most() -> None:
    assert read("2023-01-01", "2025-12-31") == (date(2023, 1, 1), date(2025, 12, 31))
    assert read("2023-01-15", "2026-01-14") == (date(2023, 1, 15), date(2026, 1, 14))
    for start, end in (("2023-01-01", "2026-01-01"), ("2023-01-15", "2026-01-15"), ("2000-01-01", None)):
        with pytest.raises(Invalid) as refusal:
            read(start, end)
        assert refusal.value.field == "end"


def test_the_start_is_not_after_the_end() -> None:
    with pytest.raises(Invalid) as refusal:
        read("2026-03-02", "2026-03-01")
    assert refusal.value.field == "start"


@pytest.mark.parametrize(
    "text",
    [
        *("", "x", "2026-3-1", "20260301", "2026-W01-1", "2026-02-30", "2026-03-01T00:00:00Z"),
        *("1999-12-31", "2200-01-01", "9999-12-31", " 2026-03-01", "２０２６-03-01"),
    ],
)
def test_what_is_no_date_is_refused_by_name(text: str) -> None:
    for arguments, field in (((text, "2026-03-31"), "start"), (("2026-03-01", text), "end")):
        with pytest.raises(Invalid) as refusal:
            read(*arguments)
        assert refusal.value.field == field


def test_months_are_cut_to_the_range() -> None:
    found = read_range("2024-01-30", "2024-03-02", today=TODAY).months()
    assert [(part.start, part.end) for part in found] == [
        (date(2024, 1, 30), date(2024, 1, 31)),
        (date(2024, 2, 1), date(2024, 2, 29)),
        (date(2024, 3, 1), date(2024, 3, 2)),
    ]
    assert read_range("2024-01-05", "2024-01-06", today=TODAY).months() == [
        Range(date(2024, 1, 5), date(2024, 1, 6))
    ]


def test_a_month_is_read_whole() -> None:
    assert read_month("2024-02") == Range(date(2024, 2, 1), date(2024, 2, 29))
    for text in ("", "2024", "2024-13", "2024-2", "2024-02-01", "1999-12", "x"):
        with pytest.raises(Invalid) as refusal:
            read_month(text)
        assert refusal.value.field == "month"
